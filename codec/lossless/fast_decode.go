package lossless

import (
	"encoding/binary"

	"github.com/burin-codec/burin/arith"
)

// A fastStream is one channel's symbols being decoded.
type fastStream struct {
	state uint64
	data  []byte
	pos   int // of the next word; runs past the end of damaged data
	by    [activityLevels]*arith.DecTable
}

func newFastStream(data []byte, t *levelTables) *fastStream {
	s := &fastStream{data: data}
	s.word()
	s.word()
	tables := make([]*arith.DecTable, len(t.freqs))
	for i, f := range t.freqs {
		tables[i] = f.DecTable()
	}
	for l := range s.by {
		s.by[l] = tables[t.of[l]]
	}
	return s
}

// word takes the next word, zero past the end.
func (s *fastStream) word() {
	var v uint32
	if s.pos+4 <= len(s.data) {
		v = binary.LittleEndian.Uint32(s.data[s.pos:])
	}
	s.pos += 4
	s.state = s.state<<32 | uint64(v)
}

// residual decodes a folded residual.
func (s *fastStream) residual(level uint32) uint32 {
	entry := s.by[level&(activityLevels-1)][s.state&(ransTotal-1)]
	s.state = uint64(entry>>8&(ransTotal-1))*(s.state>>ransBits) + uint64(entry>>20)
	if s.state < ransLow {
		s.word()
	}
	z := entry & 255
	if z >= directSymbols {
		base, raw := rawBits(z)
		z = base + uint32(s.state)&(1<<raw-1)
		s.state >>= raw
		if s.state < ransLow {
			s.word()
		}
	}
	return z
}

// decode decodes the samples x0 to x1 of the row in c.cur. It mirrors analyse.
func (c *fastChannel) decode(x0, x1 int, in *fastStream) {
	n := x1 - x0
	at := rowPad + x0
	cur := c.cur[at:][:n]
	above := c.n1[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	part := c.part[x0:][:n]
	acts := c.act[x0:][:n]
	cW, cWW, cMed := c.leftCoefs()
	lo, hi := int64(c.lo), int64(c.hi)
	sWW, sW, sNW := int64(c.cur[at-2]), int64(c.cur[at-1]), int64(c.n1[at-1])
	aWW, aW := c.abs[at-2], c.abs[at-1]
	state := in.state
	for x := range cur {
		act := acts[x] + uint32(3*aW+2*aWW) + 2*uint32(abs64(sW-sNW))
		level := levelOf(act)
		entry := in.by[level&(activityLevels-1)][state&(ransTotal-1)]
		state = uint64(entry>>8&(ransTotal-1))*(state>>ransBits) + uint64(entry>>20)
		if state < ransLow {
			in.state = state
			in.word()
			state = in.state
		}
		z := entry & 255
		if z >= directSymbols {
			base, raw := rawBits(z)
			z = base + uint32(state)&(1<<raw-1)
			state >>= raw
			if state < ransLow {
				in.state = state
				in.word()
				state = in.state
			}
		}

		sN := int64(above[x])
		med := clampedGradient(sW, sN, sNW)
		half := (part[x] + cW*sW + cWW*sWW + cMed*med) >> (coefBits - 1)
		pred := min(max((half+1)>>1, lo), hi)

		g := int32(z>>1) ^ -int32(z&1)
		flip := int32(half)&1 - 1
		e := (g ^ flip) - flip
		sign := e >> 31
		a := (e ^ sign) - sign
		s := pred + int64(e)
		cur[x] = int32(s)
		res[x] = e
		abs[x] = a

		sWW, sW, sNW = sW, s, sN
		aWW, aW = aW, a
	}
	in.state = state
}
