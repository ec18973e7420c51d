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
	format     Format
	rows, cols int
	codes      []uint8  // [tiles][cols/4*width/8][16][4]
	scales     []uint16 // [tiles][groups][16]: float16, or the upper half of a float32 for MXFP4
	zeros      []uint8  // [tiles][groups][16], if the format has zero points
	levels     [16]int8 // of codes of 4 bits
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
	m := &Matrix{format: f, rows: rows, cols: cols, levels: *f.table()}
	if cols == 0 {
		return m, nil
	}
	tiles := (rows + tileRows - 1) / tileRows
	m.codes = make([]uint8, tiles*m.tileCodes())
	m.scales = make([]uint16, tiles*m.groups()*tileRows)
	if f.zeros() {
		m.zeros = make([]uint8, len(m.scales))
	}
	var b block
	for i := range rows {
		codes := m.codes[i/tileRows*m.tileCodes():]
		for at := 0; at < cols; at += l.len {
			b.unpack(f, data[i*rowBytes+at/l.len*l.bytes:])
			for g := range l.len / l.group {
				scale := b.scales[g]
				if f == NF4 {
					scale /= 127
				}
				j := (i/tileRows*m.groups()+at/l.group+g)*tileRows + i%tileRows
				m.scales[j] = m.packScale(scale)
				if m.zeros != nil {
					m.zeros[j] = b.zero
				}
			}
			for q := range l.len {
				code := b.codes[q]
				if l.width == 8 {
					code ^= 128
				}
				// Column at+q: its vector, its four columns, its bits.
				j := at + q
				per := 4 * 8 / l.width // columns of a vector
				vector, part := j/per, j%per/4
				codes[(vector*tileRows+i%tileRows)*4+j%4] |= code << (part * l.width)
			}
		}
	}
	if l.width == 8 { // rows past the last: zero is 128
		for i := rows; i < tiles*tileRows; i++ {
			codes := m.codes[i/tileRows*m.tileCodes():]
			for vector := range cols / 4 {
				for k := range 4 {
					codes[(vector*tileRows+i%tileRows)*4+k] = 128
				}
			}
		}
	}
	return m, nil
}

// Dims returns the rows and columns of m, and Format what it was made from.
func (m *Matrix) Dims() (rows, cols int) { return m.rows, m.cols }

// Format returns the format of the weights.
func (m *Matrix) Format() Format { return m.format }

// Bytes returns the memory of the weights, rows that complete a tile included.
func (m *Matrix) Bytes() int { return len(m.codes) + 2*len(m.scales) + len(m.zeros) }

// groups returns the groups of a row, and tileCodes the bytes of a tile's codes.
func (m *Matrix) groups() int { return m.cols / layouts[m.format].group }

func (m *Matrix) tileCodes() int { return m.cols * layouts[m.format].width / 8 * tileRows }

// packScale returns a scale in 16 bits: exactly, but for NF4's, which are rounded.
func (m *Matrix) packScale(s float32) uint16 {
	if m.format == MXFP4 {
		return uint16(math.Float32bits(s) >> 16)
	}
	return toHalf(s)
}

// scale is the inverse of packScale.
func (m *Matrix) scale(s uint16) float32 {
	if m.format == MXFP4 {
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
// of format f: a group is scaled so that its largest magnitude is 127 and rounded, halves
// away from zero. Numbers must be finite and below 2^120. It panics if the arguments do
// not fit: k is a multiple of the format's block.
func (a *Activations) Quantise(f Format, x []float32, n, k, ldx int) {
	if _, err := f.Bytes(k); err != nil {
		panic(err.Error())
	}
	if n < 0 || ldx < k || n > 0 && len(x) < (n-1)*ldx+k {
		panic("blocks: Activations.Quantise: arguments do not fit")
	}
	a.n, a.k, a.group = n, k, f.Group()
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
// where both products and the sum are rounded to float32, groups in order. It panics if the
// arguments do not fit: a is for m's format and columns.
func (m *Matrix) Mul(y []float32, ldy int, a *Activations) { m.MulRows(y, ldy, a, 0, m.rows) }

// MulRows is [Matrix.Mul] for rows from to to of m, from a multiple of 16, for workers that
// share a product. Other elements of y are left alone.
func (m *Matrix) MulRows(y []float32, ldy int, a *Activations, from, to int) {
	if a.k != m.cols || a.group != m.format.Group() && a.n > 0 || from < 0 || from%tileRows != 0 || to > m.rows ||
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
	l := &layouts[m.format]
	groups := m.groups()
	codes := m.codes[tile*m.tileCodes():]
	per := 32 / l.width // columns of a vector
	var levels [maxBlock]int32
	for g := range groups {
		at := (tile*groups + g) * tileRows
		for r := range tileRows {
			for c := range l.group {
				col := g*l.group + c
				code := codes[(col/per*tileRows+r)*4+c%4] >> (col % per / 4 * l.width)
				switch l.width {
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
				for c, level := range levels[:l.group] {
					col := g*l.group + c
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
