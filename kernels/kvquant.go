package kernels

import "math"

// Scalar quantisation of the columns of a matrix, which is what caches of keys and
// values spend their time in: a group is some rows of a column, and has a zero point
// and a scale of its own. Matrices are row-major, rows ld elements apart, and the
// columns lie in the lanes of a vector, so that no kernel sums across lanes. What is
// quantised along its rows is transposed first. All of this is exact: the same on
// every tier.

// ColumnStats are the statistics of columns, each slice one element a column.
type ColumnStats struct {
	Lo, Hi  []float32 // smallest and largest element
	Sum, Sq []float32 // sums of the elements, and of their squares, less Pivot
	Pivot   []float32 // the first element
}

// NewColumnStats returns room for the statistics of n columns.
func NewColumnStats(n int) ColumnStats {
	b := make([]float32, 5*n)
	return ColumnStats{b[:n:n], b[n : 2*n : 2*n], b[2*n : 3*n : 3*n], b[3*n : 4*n : 4*n], b[4*n:]}
}

// Of sets the first n elements of s to the statistics of the n columns of x over the
// given rows, at least 1. Sums go from the first row to the last. Elements are finite;
// with others the statistics are unspecified. Of panics if the slices are too short.
func (s *ColumnStats) Of(x []float32, ld, rows, n int) {
	if rows < 1 || !fits(len(x), ld, rows, n) || min(len(s.Lo), len(s.Hi), len(s.Sum), len(s.Sq), len(s.Pivot)) < n {
		panic("kernels: ColumnStats.Of: arguments do not fit")
	}
	if n > 0 {
		columnStats(s, x, ld, rows, n)
	}
}

// fits reports whether n elements of rows rows that are ld apart lie in size ones.
func fits(size, ld, rows, n int) bool {
	return rows >= 0 && n >= 0 && ld >= n && (rows == 0 || n == 0 || n <= size && (size-n)/max(ld, 1) >= rows-1)
}

func columnStatsGeneric(s *ColumnStats, x []float32, ld, rows, from, n int) {
	lo, hi, sum, sq, pivot := s.Lo[:n], s.Hi[:n], s.Sum[:n], s.Sq[:n], s.Pivot[:n]
	for j := from; j < n; j++ {
		lo[j], hi[j], sum[j], sq[j], pivot[j] = x[j], x[j], 0, 0, x[j]
	}
	for i := 1; i < rows; i++ {
		row := x[i*ld:][:n]
		for j := from; j < n; j++ {
			v := row[j]
			if v < lo[j] {
				lo[j] = v
			}
			if v > hi[j] {
				hi[j] = v
			}
			d := v - pivot[j]
			sum[j] += d
			sq[j] += float32(d * d)
		}
	}
}

// A ColumnGrid is where the levels of columns lie: level q of column j stands for
// Zero[j] + q/Inv[j], q from 0 to Top[j], a whole number up to 255.
type ColumnGrid struct {
	Zero, Inv, Top []float32
}

// NewColumnGrid returns room for the grids of n columns.
func NewColumnGrid(n int) ColumnGrid {
	b := make([]float32, 3*n)
	return ColumnGrid{b[:n:n], b[n : 2*n : 2*n], b[2*n:]}
}

// roundMagic added to a float32 from 0 to 1<<22 rounds it to the nearest integer, ties
// to even, which is then in the low bits of the sum.
const roundMagic = 1 << 23

// place returns element v in units of the levels of column j, and the nearest level.
func (g *ColumnGrid) place(v float32, j int) (t float32, q float32) {
	t = float32((v - g.Zero[j]) * g.Inv[j])
	// As the instructions do it: of two equal ones, zeros of both signs, the second.
	c := t
	if !(c > 0) {
		c = 0
	}
	if !(c < g.Top[j]) {
		c = g.Top[j]
	}
	return t, float32(c+roundMagic) - roundMagic
}

// Codes sets codes, rows of n ldc apart, to the nearest levels of the elements of x.
// It panics if the slices are too short.
func (g *ColumnGrid) Codes(codes []uint8, ldc int, x []float32, ld, rows, n int) {
	if !fits(len(x), ld, rows, n) || !fits(len(codes), ldc, rows, n) || g.room() < n {
		panic("kernels: ColumnGrid.Codes: arguments do not fit")
	}
	if rows > 0 && n > 0 {
		columnCodes(g, codes, ldc, x, ld, rows, n)
	}
}

func (g *ColumnGrid) room() int { return min(len(g.Zero), len(g.Inv), len(g.Top)) }

func columnCodesGeneric(g *ColumnGrid, codes []uint8, ldc int, x []float32, ld, rows, from, n int) {
	for i := range rows {
		row, out := x[i*ld:][:n], codes[i*ldc:][:n]
		for j := from; j < n; j++ {
			_, q := g.place(row[j], j)
			out[j] = uint8(q)
		}
	}
}

// ColumnMoments are sums over columns of elements t, in units of levels from the zero
// point, and of the levels q nearest to them: what a least-squares fit of a better
// grid takes.
type ColumnMoments struct {
	T, Q, QQ, QT []float32
}

// NewColumnMoments returns room for the sums of n columns.
func NewColumnMoments(n int) ColumnMoments {
	b := make([]float32, 4*n)
	return ColumnMoments{b[:n:n], b[n : 2*n : 2*n], b[2*n : 3*n : 3*n], b[3*n:]}
}

// Of sets the first n elements of m to the sums over the given rows of x, from the
// first to the last. It panics if the slices are too short.
func (m *ColumnMoments) Of(g *ColumnGrid, x []float32, ld, rows, n int) {
	if !fits(len(x), ld, rows, n) || g.room() < n || min(len(m.T), len(m.Q), len(m.QQ), len(m.QT)) < n {
		panic("kernels: ColumnMoments.Of: arguments do not fit")
	}
	if n > 0 {
		columnMoments(m, g, x, ld, rows, n)
	}
}

func columnMomentsGeneric(m *ColumnMoments, g *ColumnGrid, x []float32, ld, rows, from, n int) {
	for j := from; j < n; j++ {
		m.T[j], m.Q[j], m.QQ[j], m.QT[j] = 0, 0, 0, 0
	}
	for i := range rows {
		row := x[i*ld:][:n]
		for j := from; j < n; j++ {
			t, q := g.place(row[j], j)
			m.T[j] += t
			m.Q[j] += q
			m.QQ[j] += float32(q * q)
			m.QT[j] += float32(q * t)
		}
	}
}

// ColumnSubsteps is how many units of a zero point of [DequantiseColumns] make a step.
const ColumnSubsteps = 16

// DequantiseColumns sets the elements of x to
//
//	scale[j] * (16*code + zero[j])
//
// for n columns j, the product rounded once. Zero points are within 1<<23. It panics
// if the slices are too short.
func DequantiseColumns(x []float32, ld int, codes []uint8, ldc int, scale []float32, zero []int32, rows, n int) {
	if !fits(len(x), ld, rows, n) || !fits(len(codes), ldc, rows, n) || min(len(scale), len(zero)) < n {
		panic("kernels: DequantiseColumns: arguments do not fit")
	}
	if rows > 0 && n > 0 {
		dequantiseColumns(x, ld, codes, ldc, scale, zero, rows, n)
	}
}

func dequantiseColumnsGeneric(x []float32, ld int, codes []uint8, ldc int, scale []float32, zero []int32, rows, from, n int) {
	scale, zero = scale[:n], zero[:n]
	for i := range rows {
		out, in := x[i*ld:][:n], codes[i*ldc:][:n]
		for j := from; j < n; j++ {
			out[j] = scale[j] * float32(ColumnSubsteps*int32(in[j])+zero[j])
		}
	}
}

// TransposeF32 sets dst[j*ldd+i] to src[i*lds+j] for rows i and columns j of src. The
// slices do not overlap. It panics if they are too short.
func TransposeF32(dst []float32, ldd int, src []float32, lds, rows, n int) {
	if !fits(len(src), lds, rows, n) || !fits(len(dst), ldd, n, rows) {
		panic("kernels: TransposeF32: arguments do not fit")
	}
	if rows > 0 && n > 0 {
		transposeF32(dst, ldd, src, lds, rows, n)
	}
}

func transposeGeneric(dst []float32, ldd int, src []float32, lds, rows, n int) {
	const block = 16 // a cache line of both
	for i0 := 0; i0 < rows; i0 += block {
		for j0 := 0; j0 < n; j0 += block {
			for i := i0; i < min(i0+block, rows); i++ {
				for j, v := range src[i*lds+j0 : i*lds+min(j0+block, n)] {
					dst[(j0+j)*ldd+i] = v
				}
			}
		}
	}
}

// MagnitudeF32 returns the largest of the bit patterns of x without their signs: that of
// the largest magnitude, if all are numbers; infinity is above every finite one and NaN
// above infinity. Of nothing it is 0.
func MagnitudeF32(x []float32) uint32 { return magnitudeF32(x) }

func magnitudeGeneric(x []float32) uint32 {
	var a, b uint32
	for ; len(x) >= 2; x = x[2:] {
		a = max(a, math.Float32bits(x[0])&^(1<<31))
		b = max(b, math.Float32bits(x[1])&^(1<<31))
	}
	if len(x) > 0 {
		a = max(a, math.Float32bits(x[0])&^(1<<31))
	}
	return max(a, b)
}
