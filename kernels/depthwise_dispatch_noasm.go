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
