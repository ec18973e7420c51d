//go:build !amd64 || noasm

package kernels

func reluI16(y, x, w []int16, b []int32, in, out, stride, n int) {
	reluI16Generic(y, x, w, b, in, out, stride, n)
}

func linearI16(y []int32, x, w []int16, b []int32, in, out, stride, n int) {
	linearI16Generic(y, x, w, b, in, out, stride, n)
}

func rowsF32(y []float32, ldy int, w, b, x []float32, off []int, m, n int, relu bool) {
	rowsF32Generic(y, ldy, w, b, x, off, m, n, relu)
}

func interleaveI16(dst, a, b []int16) { interleaveI16Generic(dst, a, b) }
