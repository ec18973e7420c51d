//go:build !noasm

package kernels

//go:generate go -C _generate run ./inr -out ../inr_amd64.s -stubs ../inr_amd64.go -pkg kernels

// A layer goes by tiles of 8, 4 and 2 outputs; the Go functions take a last odd one.

func reluI16(y, x, w []int16, b []int32, in, out, stride, n int) {
	if tier == Generic {
		reluI16Generic(y, x, w, b, in, out, stride, n)
		return
	}
	pairs, step := in/2, 2*in
	for o := 0; o < out; {
		w, b, y := &w[o*in], &b[o], &y[o*stride]
		switch left := out - o; {
		case tier == AVX512 && left >= 8:
			relu8I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 8
		case tier == AVX512 && left >= 4:
			relu4I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 4
		case tier == AVX512:
			relu2I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 2
		case left >= 4:
			relu4I16AVX2(pairs, w, step, b, &x[0], y, stride, n)
			o += 4
		default:
			relu2I16AVX2(pairs, w, step, b, &x[0], y, stride, n)
			o += 2
		}
	}
}

func linearI16(y []int32, x, w []int16, b []int32, in, out, stride, n int) {
	o := 0
	for pairs, step := in/2, 2*in; tier != Generic && o+2 <= out; {
		w, b, y := &w[o*in], &b[o], &y[o*stride]
		switch left := out - o; {
		case tier == AVX512 && left >= 8:
			linear8I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 8
		case tier == AVX512 && left >= 4:
			linear4I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 4
		case tier == AVX512:
			linear2I16AVX512(pairs, w, step, b, &x[0], y, stride, n)
			o += 2
		case left >= 4:
			linear4I16AVX2(pairs, w, step, b, &x[0], y, stride, n)
			o += 4
		default:
			linear2I16AVX2(pairs, w, step, b, &x[0], y, stride, n)
			o += 2
		}
	}
	if o < out {
		linearI16Generic(y[o*stride:], x, w[o*in:], b[o:], in, out-o, stride, n)
	}
}

// The assembly takes multiples of the lanes, the Go function the rest.
func interleaveI16(dst, a, b []int16) {
	n := 0
	switch {
	case tier == AVX512 && len(a) >= 16:
		n = len(a) &^ 15
		interleaveI16AVX512(&dst[0], &a[0], &b[0], n)
	case tier != Generic && len(a) >= 8:
		n = len(a) &^ 7
		interleaveI16AVX2(&dst[0], &a[0], &b[0], n)
	}
	interleaveI16Generic(dst[2*n:], a[n:], b[n:])
}

func rowsF32(y []float32, ldy int, w, b, x []float32, off []int, m, n int, relu bool) {
	k := len(off)
	if tier == Generic || k == 0 {
		rowsF32Generic(y, ldy, w, b, x, off, m, n, relu)
		return
	}
	flag := 0
	if relu {
		flag = 1
	}
	for i := 0; i < m; i += 4 {
		w, b, y := &w[i*k], &b[i], &y[i*ldy]
		left := min(m-i, 4)
		if tier == AVX512 {
			switch left {
			case 1:
				combine1F32AVX512(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
			case 2:
				combine2F32AVX512(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
			case 3:
				combine3F32AVX512(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
			case 4:
				combine4F32AVX512(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
			}
			continue
		}
		switch left {
		case 1:
			combine1F32AVX2(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
		case 2:
			combine2F32AVX2(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
		case 3:
			combine3F32AVX2(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
		case 4:
			combine4F32AVX2(k, w, 4*k, b, &x[0], &off[0], y, ldy, n, flag)
		}
	}
}
