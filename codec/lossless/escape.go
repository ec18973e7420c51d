package lossless

import (
	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/transform/lattice"
)

// Escapes, the pixels that a colour lattice does not explain, are few and lie
// together. A bit a pixel says which they are, with the four neighbours already
// coded as its context; then come three differences, each as "is it zero", sign,
// number of bits and bits.

// escapeModel is the model of the escapes of a tile.
type escapeModel struct {
	bitCoder
	flag  [16]entropy.Counter
	zero  [3]entropy.Counter
	sign  [3]entropy.Counter
	width [3][8]entropy.Counter
	low   [3][256]entropy.Counter
}

func newEscapeModel() *escapeModel {
	m := new(escapeModel)
	for i := range m.flag {
		// All but certain that it is none, from the start.
		m.flag[i] = entropy.Counter(1<<18 | 20)
	}
	for c := range 3 {
		m.zero[c], m.sign[c] = entropy.CounterInit, entropy.CounterInit
		for i := range m.width[c] {
			m.width[c][i] = entropy.CounterInit
		}
		for i := range m.low[c] {
			m.low[c][i] = entropy.CounterInit
		}
	}
	return m
}

func (m *escapeModel) bit(b bool, c *entropy.Counter) bool {
	n := 0
	if b {
		n = 1
	}
	n = m.code(n, min(max(c.P(), 2), 65534))
	c.Update(n, entropy.CounterLimit)
	return n != 0
}

// diff codes a difference of -255 to 255.
func (m *escapeModel) diff(d int16, c int) int16 {
	if m.bit(d == 0, &m.zero[c]) {
		return 0
	}
	a := d
	neg := m.bit(d < 0, &m.sign[c])
	if neg {
		a = -a
	}
	n := 0
	for n < 7 && m.bit(int(a)>>(n+1) > 0, &m.width[c][n]) {
		n++
	}
	v := 1
	for k := n - 1; k >= 0; k-- {
		v *= 2
		if m.bit(a>>k&1 != 0, &m.low[c][v&255]) {
			v++
		}
	}
	if neg {
		return int16(-v)
	}
	return int16(v)
}

// pass codes all pixels of a tile: escapes is a list to code, or empty and to be
// filled.
func (m *escapeModel) pass(escapes []lattice.Escape, w, h int) []lattice.Escape {
	above, row := make([]uint8, w+2), make([]uint8, w+2)
	next := 0
	for y := range h {
		clear(row)
		for x := range w {
			i := int32(y*w + x)
			is := m.enc != nil && next < len(escapes) && escapes[next].Index == i
			ctx := row[x] | above[x]<<1 | above[x+1]<<2 | above[x+2]<<3
			if !m.bit(is, &m.flag[ctx]) {
				continue
			}
			row[x+1] = 1
			if m.enc == nil {
				escapes = append(escapes, lattice.Escape{Index: i})
			}
			e := &escapes[next]
			next++
			for c := range e.D {
				e.D[c] = m.diff(e.D[c], c)
			}
		}
		if m.dec != nil && m.dec.Err() != nil {
			return escapes
		}
		above, row = row, above
	}
	return escapes
}

// encodeEscapes codes the escapes of a tile, nothing if there are none.
func encodeEscapes(escapes []lattice.Escape, w, h int) []byte {
	if len(escapes) == 0 {
		return nil
	}
	m := newEscapeModel()
	m.enc = arith.NewBinaryEncoder(nil)
	m.pass(escapes, w, h)
	return m.enc.Finish()
}

func decodeEscapes(data []byte, w, h int) ([]lattice.Escape, bool) {
	if len(data) == 0 {
		return nil, true
	}
	m := newEscapeModel()
	m.dec = arith.NewBinaryDecoder(data)
	escapes := m.pass(nil, w, h)
	return escapes, m.dec.Err() == nil
}
