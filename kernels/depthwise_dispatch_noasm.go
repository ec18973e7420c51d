//go:build !amd64 || noasm

package kernels

func depthwiseRowsF32(y, x, w, b []float32, h, width, c int, flip bool) {
	for i := range h {
		depthwiseGenericF32(y, x, w, b, h, width, c, i, 0, flip)
	}
}

func depthwiseWeightsF32(dw, db, dy, x []float32, h, width, c int) {
	for i := range h {
		depthwiseWeightsGenericF32(dw, db, dy, x, h, width, c, i, 0)
	}
}

func depthwiseRowsI16(y, x, w []int16, bias, mul []int32, h, width, c, from, to int) {
	for i := from; i < to; i++ {
		depthwiseGenericI16(y, x, w, bias, mul, h, width, c, i, 0)
	}
}
