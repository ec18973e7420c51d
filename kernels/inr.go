package kernels

// Layers of small networks that are evaluated at many positions at once, the
// positions lying side by side in memory. Decoders depend on them: they are exact,
// the same on every tier.

// ReLUI16 evaluates a layer in 16-bit fixed point at n positions:
//
//	y[o] = clamp((b[o] + sum over k of w[o][k]*x[k] + 512) >> 10, 0, 32767)
//
// for in inputs and out outputs, both even. Sums wrap at 32 bits. w is row-major,
// out x in. Values come in pairs: input k of position t is x[(k/2*stride+t)*2+k%2],
// output o of position t is y[(o/2*stride+t)*2+o%2]. y and x do not overlap. ReLUI16
// panics if the arguments do not fit.
func ReLUI16(y, x, w []int16, b []int32, in, out, stride, n int) {
	checkI16("ReLUI16", x, w, b, in, out, stride, n)
	if out%2 != 0 || n > 0 && out > 0 && len(y) < 2*((out/2-1)*stride+n) {
		panic("kernels: ReLUI16: outputs do not fit")
	}
	if n > 0 && out > 0 {
		reluI16(y, x, w, b, in, out, stride, n)
	}
}

// LinearI16 evaluates a layer in 16-bit fixed point at n positions:
//
//	y[o*stride+t] = b[o] + sum over k of w[o][k]*x[k]
//
// with sums that wrap at 32 bits, and otherwise like ReLUI16; out may be odd.
func LinearI16(y []int32, x, w []int16, b []int32, in, out, stride, n int) {
	checkI16("LinearI16", x, w, b, in, out, stride, n)
	if n > 0 && out > 0 && len(y) < (out-1)*stride+n {
		panic("kernels: LinearI16: outputs do not fit")
	}
	if n > 0 && out > 0 {
		linearI16(y, x, w, b, in, out, stride, n)
	}
}

func checkI16(name string, x, w []int16, b []int32, in, out, stride, n int) {
	if in < 2 || in%2 != 0 || out < 0 || n < 0 || stride < n || len(w) < in*out || len(b) < out ||
		n > 0 && len(x) < 2*((in/2-1)*stride+n) {
		panic("kernels: " + name + ": arguments do not fit")
	}
}

func reluI16Generic(y, x, w []int16, b []int32, in, out, stride, n int) {
	const tile = 32
	var acc [tile]int32
	for t0 := 0; t0 < n; t0 += tile {
		m := min(tile, n-t0)
		for o := range out {
			sumI16(acc[:m], x[2*t0:], w[o*in:o*in+in], b[o], stride)
			d := y[2*(o/2*stride+t0)+o%2:]
			for t, s := range acc[:m] {
				d[2*t] = int16(min(max((s+512)>>10, 0), 32767))
			}
		}
	}
}

func linearI16Generic(y []int32, x, w []int16, b []int32, in, out, stride, n int) {
	for o := range out {
		sumI16(y[o*stride:o*stride+n], x, w[o*in:o*in+in], b[o], stride)
	}
}

// sumI16 sets y to the sums of one output.
func sumI16(y []int32, x, w []int16, b int32, stride int) {
	for t := range y {
		y[t] = b
	}
	k := 0
	for ; k+4 <= len(w); k += 4 {
		w0, w1, w2, w3 := int32(w[k]), int32(w[k+1]), int32(w[k+2]), int32(w[k+3])
		x0 := x[k*stride:][:2*len(y)]
		x1 := x[(k+2)*stride:][:2*len(y)]
		for t := range y {
			y[t] += w0*int32(x0[2*t]) + w1*int32(x0[2*t+1]) + w2*int32(x1[2*t]) + w3*int32(x1[2*t+1])
		}
	}
	for ; k < len(w); k += 2 {
		w0, w1 := int32(w[k]), int32(w[k+1])
		x0 := x[k*stride:][:2*len(y)]
		for t := range y {
			y[t] += w0*int32(x0[2*t]) + w1*int32(x0[2*t+1])
		}
	}
}

// InterleaveI16 sets dst to a[0], b[0], a[1], b[1] and so on. a and b have the same
// length, dst twice that, and does not overlap them. It panics if the lengths do not
// fit.
func InterleaveI16(dst, a, b []int16) {
	if len(a) != len(b) || len(dst) != 2*len(a) {
		panic("kernels: InterleaveI16: lengths differ")
	}
	interleaveI16(dst, a, b)
}

func interleaveI16Generic(dst, a, b []int16) {
	b = b[:len(a)]
	for i, v := range a {
		dst[2*i], dst[2*i+1] = v, b[i]
	}
}

// RowsF32 sets m rows of n elements to combinations of len(off) others:
//
//	y[i*ldy+t] = b[i] + w[i*len(off)]*x[off[0]+t] + w[i*len(off)+1]*x[off[1]+t] + ...
//
// summed from the left, every product and every sum rounded to float32; if relu is
// set, what is not above 0 becomes 0. The rows of y overlap none of x that are read.
// RowsF32 panics if the arguments do not fit.
func RowsF32(y []float32, ldy int, w, b, x []float32, off []int, m, n int, relu bool) {
	if m < 0 || n < 0 || ldy < n || len(w) < m*len(off) || len(b) < m {
		panic("kernels: RowsF32: arguments do not fit")
	}
	if m == 0 || n == 0 {
		return
	}
	if len(y) < (m-1)*ldy+n {
		panic("kernels: RowsF32: outputs do not fit")
	}
	for _, o := range off {
		if o < 0 || o > len(x)-n {
			panic("kernels: RowsF32: inputs do not fit")
		}
	}
	rowsF32(y, ldy, w, b, x, off, m, n, relu)
}

func rowsF32Generic(y []float32, ldy int, w, b, x []float32, off []int, m, n int, relu bool) {
	const tile = 256
	for t0 := 0; t0 < n; t0 += tile {
		l := min(tile, n-t0)
		for i := range m {
			d := y[i*ldy+t0:][:l]
			for t := range d {
				d[t] = b[i]
			}
			r := w[i*len(off):][:len(off)]
			k := 0
			for ; k+4 <= len(r); k += 4 {
				w0, w1, w2, w3 := r[k], r[k+1], r[k+2], r[k+3]
				x0, x1 := x[off[k]+t0:][:l], x[off[k+1]+t0:][:l]
				x2, x3 := x[off[k+2]+t0:][:l], x[off[k+3]+t0:][:l]
				for t, v := range d {
					v += float32(w0 * x0[t])
					v += float32(w1 * x1[t])
					v += float32(w2 * x2[t])
					d[t] = v + float32(w3*x3[t])
				}
			}
			for ; k < len(r); k++ {
				w0, x0 := r[k], x[off[k]+t0:][:l]
				for t, v := range d {
					d[t] = v + float32(w0*x0[t])
				}
			}
			if relu {
				for t, v := range d {
					if !(v > 0) {
						d[t] = 0
					}
				}
			}
		}
	}
}
