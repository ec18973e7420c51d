package lattice

import (
	"errors"
	"fmt"
)

var (
	errPlanes = errors.New("lattice: planes do not fit the picture's size")
	errSample = errors.New("lattice: sample out of range")
)

// Inverse computes the picture that the planes stand for. The destinations
// hold pl.W*pl.H samples each. It returns an error for planes that Forward
// cannot have made.
func (p Params) Inverse(r, g, b []uint16, pl *Planes) error {
	if err := p.Check(); err != nil {
		return err
	}
	w, h := pl.W, pl.H
	if w < 1 || h < 1 || w > len(pl.Y)/h || w*h != len(pl.Y) ||
		len(r) != len(pl.Y) || len(g) != len(pl.Y) || len(b) != len(pl.Y) {
		return errPlanes
	}
	cw, ch := p.ChromaSize(w, h)
	if pl.CW != cw || pl.CH != ch || len(pl.C1) != cw*ch || len(pl.C2) != cw*ch {
		return errPlanes
	}
	gr, c := newGrid(p), colours[p.Kind]
	s1, ok1 := narrow(pl.C1)
	s2, ok2 := narrow(pl.C2)
	if !ok1 || !ok2 {
		return errSample
	}
	row1, row2 := make([]uint8, w), make([]uint8, w)
	col := make([]int32, cw+1)
	bad := uint16(0)
	for y := range h {
		gr.line(row1, s1, col, cw, y)
		gr.line(row2, s2, col, cw, y)
		bad |= c.convert(r[y*w:][:w], g[y*w:][:w], b[y*w:][:w], pl.Y[y*w:][:w], row1, row2)
	}
	if bad > 255 {
		return errSample
	}
	last := int32(-1)
	for _, e := range pl.Escapes {
		if e.Index <= last || int(e.Index) >= len(r) {
			return fmt.Errorf("lattice: escape at pixel %d after %d", e.Index, last)
		}
		last = e.Index
		for k, ch := range [3][]uint16{r, g, b} {
			v := int32(ch[last]) + int32(e.D[k])
			if uint32(v) > 255 {
				return errSample
			}
			ch[last] = uint16(v)
		}
	}
	return nil
}

// convert converts a row and returns the or of its luma samples; of those only
// the low 8 bits count.
func (c *colour) convert(r, g, b, y []uint16, c1, c2 []uint8) (or uint16) {
	r, g, b = r[:len(y)], g[:len(y)], b[:len(y)]
	c1, c2 = c1[:len(y)], c2[:len(y)]
	ky, m := c.ky, c.byDen
	for i, v := range y {
		or |= v
		n := ky * int32(uint8(v))
		a1, a2 := c1[i], c2[i]
		r[i] = uint16(min(uint64(max(n+c.r2[a2], 0))*m>>divShift, 255))
		g[i] = uint16(min(uint64(max(n+c.g1[a1]+c.g2[a2], 0))*m>>divShift, 255))
		b[i] = uint16(min(uint64(max(n+c.b1[a1], 0))*m>>divShift, 255))
	}
	return or
}

// narrow returns the samples as bytes, and whether all are.
func narrow(s []uint16) ([]uint8, bool) {
	d := make([]uint8, len(s))
	or := uint16(0)
	for i, v := range s {
		or |= v
		d[i] = uint8(v)
	}
	return d, or <= 255
}
