package blocks

import (
	"encoding/binary"
	"fmt"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// Weights of two bits by codes for eight of them, as E8P has them (Tseng et al., "QuIP#",
// 2024, arXiv 2402.04396). A code of 16 bits is
//
//	bits 0..7   the pattern, a row of a table of eight levels
//	bits 8..14  the signs of elements 0..6, 1 for the opposite; that of element 7 is 1 if
//	            an odd number of them is
//	bit  15     0 for a shift down, 1 for one up
//
// and its weights are the levels of the pattern, with the signs, plus or minus the shift.
// E8P's parity, which differs from pattern to pattern, is in the sign of the table's last
// element. There are up to four magnitudes, so up to 16 levels, and a place in a table of
// these takes four bits: two for the magnitude, one for the sign and one for the shift. A
// code becomes eight such places with two look-ups,
//
//	places(code) = places of the pattern ^ signs and shift of the upper byte
//
// each 32 bits, as the kernels of [Matrix] take them. So a tile of 16 rows is turned into
// one of four bits, which stays in the cache, and multiplied with all vectors as such.

// A PatternMatrix is a matrix of weights of two bits by codes for eight. It may be used by
// several goroutines at a time.
//
// One core of a Sapphire Rapids machine turns and multiplies 17 billion weights a second
// with one vector, 4.4 GB/s of them, and 170 billion products a second with 64; in four
// bits, by [NewLevelMatrix], it is 52 and 225 billion. So two bits pay where memory or its
// bandwidth, shared by several cores, is short. (go test -bench Pattern)
type PatternMatrix struct {
	rows, cols, group int
	codes             []uint16 // [tiles][cols/8][16]
	scales            []uint16 // float16, [tiles][groups][16]
	levels            [16]int8
	patterns, signs   [256]uint32 // places: elements 0 to 3 in the lower halves of bytes, 4 to 7 in the upper
}

// NewPatternMatrix returns the matrix of rows by cols weights that codes, [rows][cols/8],
// stand for with a table of patterns and a shift as above, each group of a row times one
// of scales, [rows][cols/group], which are rounded to float16. Package vq has E8P's table.
//
// It returns an error where the arguments do not fit: group is a multiple of 16 up to
// [MaxGroup], cols one of group, the table has at most four magnitudes, and no level is
// beyond ±127.
func NewPatternMatrix(table *[256][8]int8, shift int8, codes []uint16, scales []float32, group, rows, cols int) (*PatternMatrix, error) {
	if err := checkGroup(group, cols); err != nil {
		return nil, err
	}
	if rows < 0 || cols > 0 && rows > len(codes)/(cols/8) || len(codes) != rows*(cols/8) || len(scales) != rows*(cols/group) {
		return nil, fmt.Errorf("blocks: %d codes and %d scales are no %d by %d weights in groups of %d", len(codes), len(scales), rows, cols, group)
	}
	m := &PatternMatrix{rows: rows, cols: cols, group: group}
	if err := m.setTable(table, int(shift)); err != nil {
		return nil, err
	}
	tiles := (rows + tileRows - 1) / tileRows
	m.codes = make([]uint16, tiles*m.tileCodes())
	m.scales = make([]uint16, tiles*m.groups()*tileRows)
	for i := range rows {
		tile := m.codes[i/tileRows*m.tileCodes():]
		for j, c := range codes[i*(cols/8) : (i+1)*(cols/8)] {
			tile[j*tileRows+i%tileRows] = c
		}
		for g, s := range scales[i*m.groups() : (i+1)*m.groups()] {
			m.scales[(i/tileRows*m.groups()+g)*tileRows+i%tileRows] = toHalf(s)
		}
	}
	return m, nil
}

// setTable sets what codes are looked up in.
func (m *PatternMatrix) setTable(table *[256][8]int8, shift int) error {
	var magnitudes []int
	for p := range table {
		for j, v := range table[p] {
			size, place := int(v), uint32(0)
			if size < 0 {
				size, place = -size, 4
			}
			at := 0
			for at < len(magnitudes) && magnitudes[at] != size {
				at++
			}
			if at == len(magnitudes) {
				if magnitudes = append(magnitudes, size); at == 4 {
					return fmt.Errorf("blocks: patterns of magnitudes %v, more than four", magnitudes)
				}
				for sign := range 2 {
					for up := range 2 {
						level := size*(1-2*sign) + shift*(2*up-1)
						if level < -127 || level > 127 {
							return fmt.Errorf("blocks: a level of %d", level)
						}
						m.levels[at|sign<<2|up<<3] = int8(level)
					}
				}
			}
			m.patterns[p] |= (place | uint32(at)) << placeOf(j)
		}
	}
	for s := range m.signs {
		odd := 0
		for j := range 8 {
			sign := s >> j & 1
			if j == 7 {
				sign = odd
			}
			odd ^= sign
			m.signs[s] |= uint32(sign<<2|s>>7<<3) << placeOf(j)
		}
	}
	return nil
}

// placeOf returns where in 32 bits the place of element j is.
func placeOf(j int) int { return j%4*8 + j/4*4 }

// Dims returns the rows and columns of m.
func (m *PatternMatrix) Dims() (rows, cols int) { return m.rows, m.cols }

// Group returns the weights that share a scale.
func (m *PatternMatrix) Group() int { return m.group }

// Bytes returns the memory of the weights, rows that complete a tile included.
func (m *PatternMatrix) Bytes() int { return 2*len(m.codes) + 2*len(m.scales) }

func (m *PatternMatrix) groups() int { return m.cols / m.group }

// tileCodes returns the codes of a tile.
func (m *PatternMatrix) tileCodes() int { return m.cols / 8 * tileRows }

// Mul sets y[j*ldy+i] to the product of row i of m with vector j, as [Matrix.Mul] does. It
// panics if the arguments do not fit: a is for m's group and columns.
func (m *PatternMatrix) Mul(y []float32, ldy int, a *Activations) { m.MulRows(y, ldy, a, 0, m.rows) }

// MulRows is [PatternMatrix.Mul] for rows from to to of m, from a multiple of 16. Other
// elements of y are left alone. It allocates half a byte for each weight of 16 rows.
func (m *PatternMatrix) MulRows(y []float32, ldy int, a *Activations, from, to int) {
	if a.k != m.cols || a.group != m.group && a.n > 0 || from < 0 || from%tileRows != 0 || to > m.rows ||
		ldy < m.rows || a.n > 0 && len(y) < (a.n-1)*ldy+m.rows {
		panic("blocks: PatternMatrix.Mul: arguments do not fit")
	}
	// A tile in four bits.
	t := &Matrix{rows: tileRows, cols: m.cols, width: 4, group: m.group, levels: m.levels}
	generic := kernels.Tier() == kernels.Generic
	if !generic && a.n > 0 {
		t.codes = make([]uint8, t.tileCodes())
	}
	var sums [8 * tileRows]float32
	for i := from; i < to; i += tileRows {
		tile := i / tileRows
		if !generic && a.n > 0 {
			m.places(t.codes, m.codes[tile*m.tileCodes():(tile+1)*m.tileCodes()])
			t.scales = m.scales[tile*m.groups()*tileRows:]
		}
		for j := 0; j < a.n; {
			n := tileOf(a.n - j)
			s := sums[:n*tileRows]
			clear(s)
			switch {
			case m.cols == 0:
			case generic:
				m.mulTileGeneric(s, tile, a, j, n)
			default:
				t.mulTile(s, 0, a, j, n)
			}
			for v := range n {
				copy(y[(j+v)*ldy+i:(j+v)*ldy+min(i+tileRows, to)], s[v*tileRows:])
			}
			j += n
		}
	}
}

// mulTileGeneric adds to s, [n][16], the products of a tile of rows with n vectors from
// the j-th, from the codes as they are.
func (m *PatternMatrix) mulTileGeneric(s []float32, tile int, a *Activations, j, n int) {
	groups, per := m.groups(), m.group/8
	codes := m.codes[tile*m.tileCodes():]
	levels := make([]int32, m.group)
	for g := range groups {
		for r := range tileRows {
			for o := range per {
				code := codes[(g*per+o)*tileRows+r]
				places := m.patterns[code&255] ^ m.signs[code>>8]
				for c := range 8 {
					levels[8*o+c] = int32(m.levels[places>>placeOf(c)&15])
				}
			}
			scale := tensorfile.FromF16(m.scales[(tile*groups+g)*tileRows+r])
			for v := range n {
				sum := int32(0)
				x := a.codes[j*a.k+v*4:]
				for c, level := range levels {
					col := g*m.group + c
					sum += level * int32(x[col/4*n*4+col%4])
				}
				s[v*tileRows+r] += float32(float32(sum) * float32(scale*a.scales[j*groups+g*n+v]))
			}
		}
	}
}

// placesGeneric sets places to those of codes, 32 bits each.
func (m *PatternMatrix) placesGeneric(places []uint8, codes []uint16) {
	places = places[:4*len(codes)]
	for _, c := range codes {
		binary.LittleEndian.PutUint32(places, m.patterns[c&255]^m.signs[c>>8])
		places = places[4:]
	}
}
