package kernels

import "math"

// Depthwise 3x3 convolutions of pictures whose channels come last, [h][width][c]: each
// channel has a kernel of its own, and zeros lie around the picture. With w [9][c], the
// output at row i and column j is
//
//	y[i][j][ch] = b[ch] + sum over k of w[k][ch] * x[i+k/3-1][j+k%3-1][ch]
//
// An output takes as many operations as its inputs are numbers: such a convolution is
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
