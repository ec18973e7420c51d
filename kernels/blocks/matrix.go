package blocks

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// A Matrix is a matrix of weights, one row for each output, made for products with
// [Activations]. It may be used by several goroutines at a time.
//
// Sixteen rows are a tile, and a tile's codes follow group by group. The processor
// multiplies four neighbouring bytes of each row by the same four activations, so a
// vector of 64 bytes has four codes of each of the 16 rows: of 8 bits; of 4, with the
// next four columns in the upper halves; or of 2, with the next twelve above. Rows past
// the last are zeros.
type Matrix struct {
	rows, cols int
	width      int      // bits of a code: 8, 4 or 2
	group      int      // weights of a scale
	upper      bool     // scales are upper halves of float32
	codes      []uint8  // [tiles][cols/4*width/8][16][4]
	scales     []uint16 // [tiles][groups][16]: float16 or upper halves
	zeros      []uint8  // [tiles][groups][16], if the format has zero points
	levels     [16]int8 // of codes of 4 bits
	unit       float32  // what levels are multiples of
}

const tileRows = 16

// NewMatrix returns the matrix of rows by cols weights in data, rows one after another as
// [Format.Encode] and GGUF have them. It returns an error where the sizes do not fit: cols
// is a whole number of blocks, and data as long as [Format.Bytes] says. NF4's levels are
// rounded to multiples of 1/127.
func NewMatrix(f Format, data []byte, rows, cols int) (*Matrix, error) {
	rowBytes, err := f.Bytes(cols)
	if err != nil {
		return nil, err
	}
	if rows < 0 || rowBytes > 0 && (rows > len(data)/rowBytes || len(data) != rows*rowBytes) || rowBytes == 0 && len(data) > 0 {
		return nil, fmt.Errorf("blocks: %d bytes are no %d by %d weights of %v", len(data), rows, cols, f)
	}
	l := &layouts[f]
	m := newMatrix(rows, cols, l.width, l.group)
	m.levels, m.upper = *f.table(), f == MXFP4
	if f == NF4 {
		m.unit = 1.0 / 127 // not in the scales, which as float16 may have no bits left for it
	}
	if f.zeros() {
		m.zeros = make([]uint8, len(m.scales))
	}
	var b block
	for i := range rows {
		for at := 0; at < cols; at += l.len {
			b.unpack(f, data[i*rowBytes+at/l.len*l.bytes:])
			for g := range l.len / l.group {
				j := m.scaleAt(i, at/l.group+g)
				m.scales[j] = m.packScale(b.scales[g])
				if m.zeros != nil {
					m.zeros[j] = b.zero
				}
			}
			m.pack(i, at, b.codes[:l.len])
		}
	}
	return m, nil
}

// NewLevelMatrix returns the matrix whose weights are one of 16 integer levels, by codes
// of rows times cols bytes below 16, times one of a scale for each group of a row. It is
// for codebooks that package blocks does not know: E8P, say, has twelve levels, the odd
// multiples of a quarter up to 11/4, and is multiplied faster so, in twice the memory of
// [PatternMatrix]. It returns an error where the arguments do not fit:
// group is a multiple of 16 up to [MaxGroup], cols one of group, and scales, which are
// rounded to float16, are rows times cols/group.
func NewLevelMatrix(levels *[16]int8, codes []uint8, scales []float32, group, rows, cols int) (*Matrix, error) {
	if err := checkGroup(group, cols); err != nil {
		return nil, err
	}
	if rows < 0 || cols > 0 && rows > len(codes)/cols || len(codes) != rows*cols || len(scales) != rows*(cols/group) {
		return nil, fmt.Errorf("blocks: %d codes and %d scales are no %d by %d weights in groups of %d", len(codes), len(scales), rows, cols, group)
	}
	for i, c := range codes {
		if c > 15 {
			return nil, fmt.Errorf("blocks: code %d is %d, of 16", i, c)
		}
	}
	m := newMatrix(rows, cols, 4, group)
	m.levels = *levels
	for i := range rows {
		for g := range m.groups() {
			m.scales[m.scaleAt(i, g)] = m.packScale(scales[i*m.groups()+g])
		}
		m.pack(i, 0, codes[i*cols:(i+1)*cols])
	}
	return m, nil
}

// MaxGroup is the most weights that may share a scale: their sums fit an int32.
const MaxGroup = 1 << 15

func checkGroup(group, cols int) error {
	if group < minGroup || group%minGroup != 0 || group > MaxGroup || cols < 0 || cols%group != 0 {
		return fmt.Errorf("blocks: groups of %d in rows of %d", group, cols)
	}
	return nil
}

// newMatrix returns a matrix of zeros, which are 128 in 8 bits.
func newMatrix(rows, cols, width, group int) *Matrix {
	m := &Matrix{rows: rows, cols: cols, width: width, group: group, unit: 1}
	tiles := (rows + tileRows - 1) / tileRows
	m.codes = make([]uint8, tiles*m.tileCodes())
	m.scales = make([]uint16, tiles*m.groups()*tileRows)
	if width == 8 {
		for i := range m.codes {
			m.codes[i] = 128
		}
	}
	return m
}

// scaleAt returns the place of the scale of a group of row i.
func (m *Matrix) scaleAt(i, group int) int {
	return (i/tileRows*m.groups()+group)*tileRows + i%tileRows
}

// pack sets the codes of row i from column at.
func (m *Matrix) pack(i, at int, codes []uint8) {
	tile := m.codes[i/tileRows*m.tileCodes():]
	per := 4 * 8 / m.width // columns of a vector
	for q, code := range codes {
		j := at + q
		p := &tile[(j/per*tileRows+i%tileRows)*4+j%4]
		if m.width == 8 {
			*p = code ^ 128
		} else {
			*p |= code << (j % per / 4 * m.width)
		}
	}
}

// Dims returns the rows and columns of m.
func (m *Matrix) Dims() (rows, cols int) { return m.rows, m.cols }

// Group returns the weights that share a scale.
func (m *Matrix) Group() int { return m.group }

// Bytes returns the memory of the weights, rows that complete a tile included.
func (m *Matrix) Bytes() int { return len(m.codes) + 2*len(m.scales) + len(m.zeros) }

// groups returns the groups of a row, and tileCodes the bytes of a tile's codes.
func (m *Matrix) groups() int { return m.cols / m.group }

func (m *Matrix) tileCodes() int { return m.cols * m.width / 8 * tileRows }

// packScale returns a scale in 16 bits: exactly, but for those of NewLevelMatrix, which are
// rounded.
func (m *Matrix) packScale(s float32) uint16 {
	if m.upper {
		return uint16(math.Float32bits(s) >> 16)
	}
	return toHalf(s)
}

// scale is the inverse of packScale.
func (m *Matrix) scale(s uint16) float32 {
	if m.upper {
		return math.Float32frombits(uint32(s) << 16)
	}
	return tensorfile.FromF16(s)
}

// Activations are vectors in 8 bits, with a scale for each group of a [Matrix]'s format.
// The zero value is empty; it may be filled again and again and allocates only to grow.
type Activations struct {
	n, k, group int
	// Vectors are in tiles of 8, 4 and 1: [k/4][tile][4], and [groups][tile] for the rest.
	codes   []int8
	scales  []float32
	negSums []int32 // of the codes of a group, times -1
}

// Quantise takes n vectors of k numbers, vector i at x[i*ldx], for products with matrices
// of the given group ([Format.Group], [Matrix.Group]): each group is scaled so that its
// largest magnitude is 127 and rounded, halves away from zero. Numbers must be finite and
// below 2^120. It panics if the arguments do not fit: k is a multiple of group.
func (a *Activations) Quantise(group int, x []float32, n, k, ldx int) {
	if err := checkGroup(group, k); err != nil {
		panic(err.Error())
	}
	if n < 0 || ldx < k || n > 0 && len(x) < (n-1)*ldx+k {
		panic("blocks: Activations.Quantise: arguments do not fit")
	}
	a.n, a.k, a.group = n, k, group
	groups := k / a.group
	a.codes = sized(a.codes, n*k)
	a.scales, a.negSums = sized(a.scales, n*groups), sized(a.negSums, n*groups)
	for i := 0; i < n; {
		tile := tileOf(n - i)
		codes, scales, negSums := a.codes[i*k:], a.scales[i*groups:], a.negSums[i*groups:]
		for j := range tile {
			row := x[(i+j)*ldx : (i+j)*ldx+k]
			for g := range groups {
				part := row[g*a.group : (g+1)*a.group]
				d := largest(part) / 127
				inv := inverse(d)
				sum := int32(0)
				for p, v := range part {
					v = float32(v * inv)
					q := int32(v + float32(math.Copysign(0.5, float64(v))))
					q = min(max(q, -127), 127)
					c := g*a.group + p
					codes[(c/4*tile+j)*4+c%4] = int8(q)
					sum += q
				}
				scales[g*tile+j], negSums[g*tile+j] = d, -sum
			}
		}
		i += tile
	}
}

// Dims returns the vectors and the numbers of each.
func (a *Activations) Dims() (n, k int) { return a.n, a.k }

// tileOf returns the vectors of the next tile where n are left.
func tileOf(n int) int {
	switch {
	case n >= 8:
		return 8
	case n >= 4:
		return 4
	}
	return 1
}

func sized[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

// Mul sets y[j*ldy+i], for all vectors j and rows i, to the product of row i of m with
// vector j:
//
//	Σ over groups: Σ (level × activation), an exact integer, × (scale × activations' scale)
//
// where both products and the sum are rounded to float32, groups in order; and all of it
// times 1/127 where levels are NF4's, rounded again. It panics if the arguments do not fit:
// a is for m's group and columns.
func (m *Matrix) Mul(y []float32, ldy int, a *Activations) { m.MulRows(y, ldy, a, 0, m.rows) }

// MulRows is [Matrix.Mul] for rows from to to of m, from a multiple of 16, for workers that
// share a product. Other elements of y are left alone.
func (m *Matrix) MulRows(y []float32, ldy int, a *Activations, from, to int) {
	if a.k != m.cols || a.group != m.group && a.n > 0 || from < 0 || from%tileRows != 0 || to > m.rows ||
		ldy < m.rows || a.n > 0 && len(y) < (a.n-1)*ldy+m.rows {
		panic("blocks: Matrix.Mul: arguments do not fit")
	}
	groups := m.groups()
	var sums [8 * tileRows]float32
	// Vectors outermost: a tile of them stays in the cache while the matrix goes by.
	for j := 0; j < a.n; {
		n := tileOf(a.n - j)
		for i := from; i < to; i += tileRows {
			s := sums[:n*tileRows]
			clear(s)
			if groups > 0 {
				m.mulTile(s, i/tileRows, a, j, n)
			}
			if m.unit != 1 {
				for v := range s {
					s[v] *= m.unit
				}
			}
			for v := range n {
				copy(y[(j+v)*ldy+i:(j+v)*ldy+min(i+tileRows, to)], s[v*tileRows:])
			}
		}
		j += n
	}
}

// mulTileGeneric adds to s, [n][16], the products of a tile of rows with n vectors from
// the j-th.
func (m *Matrix) mulTileGeneric(s []float32, tile int, a *Activations, j, n int) {
	groups := m.groups()
	codes := m.codes[tile*m.tileCodes():]
	per := 32 / m.width // columns of a vector
	levels := make([]int32, m.group)
	for g := range groups {
		at := (tile*groups + g) * tileRows
		for r := range tileRows {
			for c := range m.group {
				col := g*m.group + c
				code := codes[(col/per*tileRows+r)*4+c%4] >> (col % per / 4 * m.width)
				switch m.width {
				case 8:
					levels[c] = int32(int8(code ^ 128))
				case 4:
					levels[c] = int32(m.levels[code&15])
				default:
					levels[c] = int32(code&3) - 1
				}
			}
			scale := m.scale(m.scales[at+r])
			for v := range n {
				sum := int32(0)
				x := a.codes[j*a.k+v*4:]
				for c, level := range levels {
					col := g*m.group + c
					sum += level * int32(x[col/4*n*4+col%4])
				}
				k := j*groups + g*n + v
				if m.zeros != nil {
					sum += int32(m.zeros[at+r]) * a.negSums[k]
				}
				s[v*tileRows+r] += float32(float32(sum) * float32(scale*a.scales[k]))
			}
		}
	}
}
