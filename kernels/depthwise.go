package kernels

import "math"

// Depthwise 3x3 convolutions of pictures whose channels come last, [h][width][c]: each
// channel has a kernel of its own, and zeros lie around the picture. With w [9][c], the
// output at row i and column j is
//
//	y[i][j][ch] = b[ch] + sum over k of w[k][ch] * x[i+k/3-1][j+k%3-1][ch]
//
// An output takes few operations for each number it is made from: such a convolution is
// bound by the loads, not by the arithmetic. The assembly keeps the kernels of a vector
// of channels in registers and goes along a row, so that each output takes three loads,
// and by tiles of columns whose rows stay in the first-level cache.

// DepthwiseF32 convolves the picture x, [h][width][c], with the kernels w, [9][c], and
// adds the biases b, [c], or none if b is nil. y, [h][width][c], does not overlap the
// others. It is fast where c is a multiple of 16. It panics if the arguments do not fit.
func DepthwiseF32(y, x, w, b []float32, h, width, c int) {
	n := depthwiseSize("DepthwiseF32", h, width, c)
	if len(y) < n || len(x) < n || n > 0 && len(w) < 9*c || b != nil && len(b) < c {
		panic("kernels: DepthwiseF32: arguments do not fit")
	}
	if n > 0 {
		depthwiseRowsF32(y, x, w, b, h, width, c, false)
	}
}

// DepthwiseGradF32 takes the gradient of [DepthwiseF32] from its outputs, dy, to its
// arguments. dx is set; what the picture contributes to the gradients of the kernels and
// biases is added to dw, [9][c], and db, [c]. Any of the three may be nil, as may x if dw
// is, and w if dx is. None of dx, dw and db overlaps another argument. It panics if the
// arguments do not fit.
func DepthwiseGradF32(dx, dw, db, dy, x, w []float32, h, width, c int) {
	n := depthwiseSize("DepthwiseGradF32", h, width, c)
	if len(dy) < n || dx != nil && (len(dx) < n || n > 0 && len(w) < 9*c) ||
		n > 0 && (dw != nil && (len(dw) < 9*c || len(x) < n) || db != nil && len(db) < c) {
		panic("kernels: DepthwiseGradF32: arguments do not fit")
	}
	if n == 0 {
		return
	}
	if dx != nil {
		depthwiseRowsF32(dx, dy, w, nil, h, width, c, true)
	}
	switch {
	case dw != nil:
		depthwiseWeightsF32(dw, db, dy, x, h, width, c)
	case db != nil:
		depthwiseBiasF32(db, dy, c, n)
	}
}

// DepthwiseI16 convolves the picture x, [h][width][c], with the kernels w, [9][c], in
// 16-bit fixed point:
//
//	s = bias[ch] + sum over k of w[k][ch] * x[i+k/3-1][j+k%3-1][ch]
//	y[i][j][ch] = clamp((int64(s)*int64(mul[ch]) + 1<<31) >> 32, -32768, 32767)
//
// s is summed up in 32 bits and wraps: the caller sees to it that it does not. Only rows
// from to to-1 of y, [h][width][c], are set. y does not overlap the others. It is exact, the
// same on every tier, and fast where c is a multiple of 16. It panics if the arguments do
// not fit.
func DepthwiseI16(y, x, w []int16, bias, mul []int32, h, width, c, from, to int) {
	n := depthwiseSize("DepthwiseI16", h, width, c)
	if from < 0 || from > to || to > h || len(y) < n || len(x) < n ||
		n > 0 && (len(w) < 9*c || len(bias) < c || len(mul) < c) {
		panic("kernels: DepthwiseI16: arguments do not fit")
	}
	if n > 0 && from < to {
		depthwiseRowsI16(y, x, w, bias, mul, h, width, c, from, to)
	}
}

// depthwiseSize returns the numbers of a picture.
func depthwiseSize(name string, h, width, c int) int {
	if h < 0 || width < 0 || c < 1 || width > 0 && h > math.MaxInt/c/width {
		panic("kernels: " + name + ": no such picture")
	}
	return h * width * c
}

// depthwiseSpan returns the rows of inputs that row i of h uses: the first, and how many.
func depthwiseSpan(i, h int) (first, rows int) {
	first = max(i-1, 0)
	return first, min(i+2, h) - first
}

// depthwiseGenericF32 sets channels from from on of row i. If flip is set, the kernels
// are turned by half a circle.
func depthwiseGenericF32(y, x, w, b []float32, h, width, c, i, from int, flip bool) {
	first, rows := depthwiseSpan(i, h)
	for j := range width {
		d := y[(i*width+j)*c:][:c]
		if b == nil {
			clear(d[from:])
		} else {
			copy(d[from:], b[from:c])
		}
		for r := first; r < first+rows; r++ {
			for q := max(j-1, 0); q < min(j+2, width); q++ {
				k := 3*(r-i+1) + q - j + 1
				if flip {
					k = 8 - k
				}
				u, v := w[k*c:][:c], x[(r*width+q)*c:][:c]
				for ch := from; ch < c; ch++ {
					d[ch] += u[ch] * v[ch]
				}
			}
		}
	}
}

// depthwiseWeightsGenericF32 adds what channels from from on of row i of dy contribute.
// db may be nil.
func depthwiseWeightsGenericF32(dw, db, dy, x []float32, h, width, c, i, from int) {
	first, rows := depthwiseSpan(i, h)
	for j := range width {
		d := dy[(i*width+j)*c:][:c]
		for r := first; r < first+rows; r++ {
			for q := max(j-1, 0); q < min(j+2, width); q++ {
				k := 3*(r-i+1) + q - j + 1
				u, v := dw[k*c:][:c], x[(r*width+q)*c:][:c]
				for ch := from; ch < c; ch++ {
					u[ch] += d[ch] * v[ch]
				}
			}
		}
	}
	if db != nil {
		for j := range width {
			d := dy[(i*width+j)*c:][:c]
			for ch := from; ch < c; ch++ {
				db[ch] += d[ch]
			}
		}
	}
}

// depthwiseBiasF32 adds the n/c positions of dy to db.
func depthwiseBiasF32(db, dy []float32, c, n int) {
	db = db[:c]
	for at := 0; at < n; at += c {
		for ch, v := range dy[at : at+c] {
			db[ch] += v
		}
	}
}

// depthwiseGenericI16 sets channels from from on of row i.
func depthwiseGenericI16(y, x, w []int16, bias, mul []int32, h, width, c, i, from int) {
	first, rows := depthwiseSpan(i, h)
	for j := range width {
		d := y[(i*width+j)*c:][:c]
		left, right := max(j-1, 0), min(j+2, width)
		for ch := from; ch < c; ch++ {
			s := bias[ch]
			for r := first; r < first+rows; r++ {
				for q := left; q < right; q++ {
					k := 3*(r-i+1) + q - j + 1
					s += int32(w[k*c+ch]) * int32(x[(r*width+q)*c+ch])
				}
			}
			d[ch] = int16(min(max(rescaleI16(s, mul[ch]), math.MinInt16), math.MaxInt16))
		}
	}
}
