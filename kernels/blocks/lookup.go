package blocks

import (
	"fmt"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// Products by looking sums up (T-MAC, Wei et al., EuroSys 2025; LUT-GEMM, Park et al., ICLR
// 2024). The codes of weights are cut into planes of one bit. The sum of four activations
// where a plane has ones is one of 16, so a table of 16 for every four columns, made once
// for a vector, replaces the products with all rows: the cost of a row goes with its bits,
// and there is no multiplication. A shuffle of bytes looks 32 rows up at a time; sums of
// four activations of 8 bits take two bytes, so there are two tables, and nothing is
// rounded: the results have the bits of [Matrix.Mul].
//
// It pays without VNNI and at two bits; with VNNI, Matrix is faster. See the benchmarks.

const lookupRows = 32

// A PlaneMatrix is a matrix of weights whose codes are whole numbers above a zero point, of
// the formats Q4_0, Int4 and ternary, in planes of bits. It may be used by several
// goroutines at a time.
type PlaneMatrix struct {
	rows, cols, group, planes int

	codes  []uint8  // [tiles][cols/4][planes][16]: rows 0 to 15 in the low halves, 16 to 31 in the high
	scales []uint16 // float16, [tiles][groups][32]
	zeros  []uint8  // zero points, likewise, or 32 for all
}

// NewPlaneMatrix returns the matrix of weights that [NewMatrix] returns for the same
// arguments. It returns an error if the format is not one of those above.
func NewPlaneMatrix(f Format, data []byte, rows, cols int) (*PlaneMatrix, error) {
	zero := uint8(0)
	switch f {
	case Q4_0:
		zero = 8
	case TQ1_0, TQ2_0:
		zero = 1
	case Int4G32, Int4G64, Int4G128:
	default:
		return nil, fmt.Errorf("blocks: levels of %v are not in planes", f)
	}
	rowBytes, err := f.Bytes(cols)
	if err != nil {
		return nil, err
	}
	if rows < 0 || cols > 0 && rows > len(data)/rowBytes || len(data) != rows*rowBytes {
		return nil, fmt.Errorf("blocks: %d bytes are no %d by %d weights of %v", len(data), rows, cols, f)
	}
	l := &layouts[f]
	m := &PlaneMatrix{rows: rows, cols: cols, group: l.group, planes: l.width}
	tiles := (rows + lookupRows - 1) / lookupRows
	m.codes = make([]uint8, tiles*m.tileCodes())
	m.scales = make([]uint16, tiles*m.groups()*lookupRows)
	m.zeros = make([]uint8, lookupRows)
	for i := range m.zeros {
		m.zeros[i] = zero
	}
	if f.zeros() {
		m.zeros = make([]uint8, len(m.scales))
	}
	var b block
	for i := range rows {
		tile, r := i/lookupRows, i%lookupRows
		codes := m.codes[tile*m.tileCodes():]
		for at := 0; at < cols; at += l.len {
			b.unpack(f, data[i*rowBytes+at/l.len*l.bytes:])
			j := (tile*m.groups()+at/l.group)*lookupRows + r // blocks of these formats are groups
			m.scales[j] = toHalf(b.scales[0])
			if f.zeros() {
				m.zeros[j] = b.zero
			}
			for q, code := range b.codes[:l.len] {
				for p := range m.planes {
					k := ((at+q)/4*m.planes+p)*16 + r%16
					codes[k] |= code >> p & 1 << (r/16*4 + q%4)
				}
			}
		}
	}
	return m, nil
}

// Dims returns the rows and columns of m.
func (m *PlaneMatrix) Dims() (rows, cols int) { return m.rows, m.cols }

// Group returns the weights that share a scale.
func (m *PlaneMatrix) Group() int { return m.group }

// Bytes returns the memory of the weights, rows that complete a tile included.
func (m *PlaneMatrix) Bytes() int { return len(m.codes) + 2*len(m.scales) + len(m.zeros) }

func (m *PlaneMatrix) groups() int { return m.cols / m.group }

func (m *PlaneMatrix) tileCodes() int { return m.cols / 4 * m.planes * 16 }

// Tables are what activations are looked up in. The zero value is empty; it may be filled
// again and again and allocates only to grow.
type Tables struct {
	n, k, group int
	sums        []uint8   // [n][k/4][2][16]: lower and upper bytes of sums of four
	scales      []float32 // [n][groups]
	negSums     []int32   // likewise
}

// Build makes the tables of a.
func (t *Tables) Build(a *Activations) {
	t.n, t.k, t.group = a.n, a.k, a.group
	if a.n == 0 || a.k == 0 {
		return
	}
	groups := a.k / a.group
	t.sums = sized(t.sums, 8*a.n*a.k)
	t.scales, t.negSums = sized(t.scales, a.n*groups), sized(t.negSums, a.n*groups)
	for j := 0; j < a.n; {
		tile := tileOf(a.n - j)
		for v := range tile {
			for g := range groups {
				t.scales[(j+v)*groups+g] = a.scales[j*groups+g*tile+v]
				t.negSums[(j+v)*groups+g] = a.negSums[j*groups+g*tile+v]
			}
			for q := range a.k / 4 {
				x := a.codes[j*a.k+(q*tile+v)*4:][:4]
				out := t.sums[((j+v)*a.k/4+q)*32:][:32]
				var sums [16]int16
				for s := 1; s < 16; s++ {
					// The sum without the lowest of the set, and it.
					low := trailing[s]
					sums[s] = sums[s&(s-1)] + int16(x[low])
					out[s], out[16+s] = uint8(sums[s]), uint8(sums[s]>>8)
				}
				out[0], out[16] = 0, 0
			}
		}
		j += tile
	}
}

// trailing counts the zeros below the lowest one.
var trailing = [16]uint8{0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0}

// Mul sets y[j*ldy+i] to the product of row i of m with vector j, as [Matrix.Mul] does, to
// the bit. It panics if the arguments do not fit: t is for m's group and columns.
func (m *PlaneMatrix) Mul(y []float32, ldy int, t *Tables) { m.MulRows(y, ldy, t, 0, m.rows) }

// MulRows is [PlaneMatrix.Mul] for rows from to to of m, from a multiple of 32. Other
// elements of y are left alone.
func (m *PlaneMatrix) MulRows(y []float32, ldy int, t *Tables, from, to int) {
	if t.k != m.cols || t.group != m.group && t.n > 0 || from < 0 || from%lookupRows != 0 || to > m.rows ||
		ldy < m.rows || t.n > 0 && len(y) < (t.n-1)*ldy+m.rows {
		panic("blocks: PlaneMatrix.Mul: arguments do not fit")
	}
	for j := range t.n {
		for i := from; i < to; i += lookupRows {
			var s [lookupRows]float32
			if m.cols > 0 {
				m.lookTile(&s, i/lookupRows, t, j)
			}
			copy(y[j*ldy+i:j*ldy+min(i+lookupRows, to)], s[:])
		}
	}
}

// lookTileGeneric sets s to the products of a tile of rows with vector j.
func (m *PlaneMatrix) lookTileGeneric(s *[lookupRows]float32, tile int, t *Tables, j int) {
	groups := m.groups()
	codes, sums := m.codes[tile*m.tileCodes():], t.sums[8*j*t.k:]
	for g := range groups {
		at := (tile*groups + g) * lookupRows
		for r := range lookupRows {
			sum := t.negSums[j*groups+g] * int32(m.zeros[(at+r)%len(m.zeros)])
			for q := g * m.group / 4; q < (g+1)*m.group/4; q++ {
				table := sums[32*q : 32*q+32]
				for p := range m.planes {
					i := codes[(q*m.planes+p)*16+r%16] >> (r / 16 * 4) & 15
					sum += int32(int16(uint16(table[i])|uint16(table[16+i])<<8)) << p
				}
			}
			scale := tensorfile.FromF16(m.scales[at+r])
			s[r] += float32(float32(sum) * float32(scale*t.scales[j*groups+g]))
		}
	}
}
