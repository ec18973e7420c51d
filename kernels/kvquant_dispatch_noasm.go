//go:build !amd64 || noasm

package kernels

func columnStats(s *ColumnStats, x []float32, ld, rows, n int) {
	columnStatsGeneric(s, x, ld, rows, 0, n)
}

func columnCodes(g *ColumnGrid, codes []uint8, ldc int, x []float32, ld, rows, n int) {
	columnCodesGeneric(g, codes, ldc, x, ld, rows, 0, n)
}

func columnMoments(m *ColumnMoments, g *ColumnGrid, x []float32, ld, rows, n int) {
	columnMomentsGeneric(m, g, x, ld, rows, 0, n)
}

func dequantiseColumns(x []float32, ld int, codes []uint8, ldc int, scale []float32, zero []int32, rows, n int) {
	dequantiseColumnsGeneric(x, ld, codes, ldc, scale, zero, rows, 0, n)
}

func transposeF32(dst []float32, ldd int, src []float32, lds, rows, n int) {
	transposeGeneric(dst, ldd, src, lds, rows, n)
}

func hadamard(x []float32, n int) { hadamardGeneric(x, n) }

func magnitudeF32(x []float32) uint32 { return magnitudeGeneric(x) }
