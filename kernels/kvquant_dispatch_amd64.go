//go:build !noasm

package kernels

//go:generate go -C _generate run ./kv -out ../kvquant_amd64.s -stubs ../kvquant_amd64.go -pkg kernels

// The assembly takes multiples of 16 columns, the Go functions the rest.

func columnStats(s *ColumnStats, x []float32, ld, rows, n int) {
	m := n &^ 15
	switch {
	case m == 0 || tier == Generic:
		m = 0
	case tier == AVX512:
		columnStatsF32AVX512(&s.Lo[0], &s.Hi[0], &s.Sum[0], &s.Sq[0], &s.Pivot[0], &x[0], ld, rows, m)
	default:
		columnStatsF32AVX2(&s.Lo[0], &s.Hi[0], &s.Sum[0], &s.Sq[0], &s.Pivot[0], &x[0], ld, rows, m)
	}
	if m < n {
		columnStatsGeneric(s, x, ld, rows, m, n)
	}
}

func columnCodes(g *ColumnGrid, codes []uint8, ldc int, x []float32, ld, rows, n int) {
	m := n &^ 15
	switch {
	case m == 0 || tier == Generic:
		m = 0
	case tier == AVX512:
		columnCodesF32AVX512(&codes[0], ldc, &g.Zero[0], &g.Inv[0], &g.Top[0], &x[0], ld, rows, m)
	default:
		columnCodesF32AVX2(&codes[0], ldc, &g.Zero[0], &g.Inv[0], &g.Top[0], &x[0], ld, rows, m)
	}
	if m < n {
		columnCodesGeneric(g, codes, ldc, x, ld, rows, m, n)
	}
}

func columnMoments(s *ColumnMoments, g *ColumnGrid, x []float32, ld, rows, n int) {
	m := n &^ 15
	switch {
	case m == 0 || rows == 0 || tier == Generic:
		m = 0
	case tier == AVX512:
		columnMomentsF32AVX512(&s.T[0], &s.Q[0], &s.QQ[0], &s.QT[0], &g.Zero[0], &g.Inv[0], &g.Top[0], &x[0], ld, rows, m)
	default:
		columnMomentsF32AVX2(&s.T[0], &s.Q[0], &s.QQ[0], &s.QT[0], &g.Zero[0], &g.Inv[0], &g.Top[0], &x[0], ld, rows, m)
	}
	if m < n {
		columnMomentsGeneric(s, g, x, ld, rows, m, n)
	}
}

func dequantiseColumns(x []float32, ld int, codes []uint8, ldc int, scale []float32, zero []int32, rows, n int) {
	m := n &^ 15
	switch {
	case m == 0 || tier == Generic:
		m = 0
	case tier == AVX512:
		dequantiseColumnsF32AVX512(&x[0], ld, &codes[0], ldc, &scale[0], &zero[0], rows, m)
	default:
		dequantiseColumnsF32AVX2(&x[0], ld, &codes[0], ldc, &scale[0], &zero[0], rows, m)
	}
	if m < n {
		dequantiseColumnsGeneric(x, ld, codes, ldc, scale, zero, rows, m, n)
	}
}

// The assembly takes blocks of 8 by 8, the Go function what remains at the right and
// at the bottom.
func transposeF32(dst []float32, ldd int, src []float32, lds, rows, n int) {
	r, m := rows&^7, n&^7
	if r == 0 || m == 0 || tier == Generic {
		transposeGeneric(dst, ldd, src, lds, rows, n)
		return
	}
	for i := 0; i < r; i += 8 {
		transpose8F32AVX2(&dst[i], ldd, &src[i*lds], lds, m)
	}
	if m < n {
		transposeGeneric(dst[m*ldd:], ldd, src[m:], lds, rows, n-m)
	}
	if r < rows {
		transposeGeneric(dst[r:], ldd, src[r*lds:], lds, rows-r, m)
	}
}

// hadamardBlock is how many elements stay in the first-level cache from stage to stage: of
// longer rows each part of so many has its stages first.
const hadamardBlock = 4096

func hadamard(x []float32, n int) {
	row := hadamardF32AVX512
	switch {
	case n < 16 || tier == Generic:
		hadamardGeneric(x, n)
		return
	case tier == AVX2:
		row = hadamardF32AVX2
	}
	block := min(n, hadamardBlock)
	for i := 0; i < len(x); i += n {
		for j := i; j < i+n; j += block {
			row(&x[j], block, 0)
		}
		if block < n {
			row(&x[i], n, block)
		}
	}
}

func magnitudeF32(x []float32) uint32 {
	n := len(x) &^ 63
	switch {
	case n == 0 || tier == Generic:
		return magnitudeGeneric(x)
	case tier == AVX512:
		return max(magnitudeF32AVX512(&x[0], n), magnitudeGeneric(x[n:]))
	}
	return max(magnitudeF32AVX2(&x[0], n), magnitudeGeneric(x[n:]))
}
