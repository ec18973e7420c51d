//go:build !amd64 || noasm

package kernels

func mixDot(x, w []int32) int32 { return mixDotGeneric(x, w) }

func mixTrain(w, x []int32, err int32, shift uint) { mixTrainGeneric(w, x, err, shift) }

func rank1F32(a, v []float32, n, stride int, decay, weight float32) {
	rank1F32Generic(a, v, n, stride, decay, weight)
}

func scaleAddF32(b, v []float32, decay, s float32) { scaleAddF32Generic(b, v, decay, s) }

func choleskySolveF32(a, b []float32, n, stride int) bool {
	return choleskySolveF32Generic(a, b, n, stride)
}
