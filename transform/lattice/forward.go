package lattice

// Forward computes the planes from which Inverse returns the picture. It does
// so for every picture; only for one that lies on the lattice is it of use.
// The planes of the picture hold w*h samples each, 0..255. Forward panics if
// they do not or if p is invalid.
func (p Params) Forward(r, g, b []uint16, w, h int) *Planes {
	if err := p.Check(); err != nil {
		panic(err)
	}
	if w < 1 || h < 1 || w > len(r)/h || len(r) != w*h || len(g) != len(r) || len(b) != len(r) {
		panic(errPlanes)
	}
	pic := newPicture(p.Kind, r, g, b, w, h)
	s := newSolver(newGrid(p), pic)
	s.solve()
	pl := &Planes{W: w, H: h, CW: s.cw, CH: s.ch, Y: make([]uint16, w*h)}
	pl.C1, pl.C1Range = widen(s.s[0])
	pl.C2, pl.C2Range = widen(s.s[1])
	s.luma(pl)
	return pl
}

// picture is a picture and what each of its pixels says of the lattice.
type picture struct {
	*colour
	w, h    int
	r, g, b []uint8
	pre     []uint32 // preimage of each pixel
}

func newPicture(k Kind, r, g, b []uint16, w, h int) *picture {
	n := w * h
	buf := make([]uint8, 3*n)
	pic := &picture{colours[k], w, h, buf[:n:n], buf[n : 2*n : 2*n], buf[2*n:], make([]uint32, n)}
	r, g, b = r[:n], g[:n], b[:n]
	or := uint16(0)
	for i := range pic.pre {
		or |= r[i] | g[i] | b[i]
		r, g, b := uint8(r[i]), uint8(g[i]), uint8(b[i])
		pic.r[i], pic.g[i], pic.b[i] = r, g, b
		pic.pre[i] = pic.preimage(r, g, b)
	}
	if or > 255 {
		panic(errSample)
	}
	return pic
}

// luma finds the luma of every pixel under the chroma that was settled on, and
// the pixels that need correcting.
func (s *solver) luma(pl *Planes) {
	w, h := pl.W, pl.H
	pic := s.picture
	row1, row2 := make([]uint8, w), make([]uint8, w)
	col := make([]int32, s.cw+1)
	above := make([]uint16, w)
	for y := range h {
		s.line(row1, s.s[0], col, s.cw, y)
		s.line(row2, s.s[1], col, s.cw, y)
		line := pl.Y[y*w:][:w]
		pre := pic.pre[y*w:][:w]
		for x, v := range pre {
			c1, c2 := row1[x], row2[x]
			if uint16(v) == uint16(c1)<<8|uint16(c2) && v < limited {
				line[x] = uint16(v >> 16)
				continue
			}
			i := y*w + x
			r, g, b := pic.r[i], pic.g[i], pic.b[i]
			if v == limited {
				if lo, hi := pic.lumas(r, g, b, c1, c2); lo <= hi {
					line[x] = uint16(max(lo, min(hi, predict(line, above, x))))
					continue
				}
			}
			l := pic.nearestLuma(r, g, b, c1, c2)
			line[x] = uint16(l)
			r1, g1, b1 := pic.rgb(l, c1, c2)
			pl.Escapes = append(pl.Escapes, Escape{int32(i), [3]int16{
				int16(r) - int16(r1), int16(g) - int16(g1), int16(b) - int16(b1),
			}})
		}
		above = line
	}
	pl.YRange = rangeOf(pl.Y)
}

// predict returns the median of left, above and left+above-aboveLeft, what
// most lossless coders start from.
func predict(line, above []uint16, x int) int32 {
	n := int32(above[x])
	if x == 0 {
		return n
	}
	w, nw := int32(line[x-1]), int32(above[x-1])
	return max(min(w, n), min(max(w, n), w+n-nw))
}

func widen(s []uint8) ([]uint16, Range) {
	d := make([]uint16, len(s))
	for i, v := range s {
		d[i] = uint16(v)
	}
	return d, rangeOf(d)
}

func rangeOf(s []uint16) Range {
	r := Range{s[0], s[0]}
	for _, v := range s {
		r.Min, r.Max = min(r.Min, v), max(r.Max, v)
	}
	return r
}
