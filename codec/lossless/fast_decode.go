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

// decode decodes the samples x0 to x1 of the row in c.cur. It mirrors analyse.
func (c *fastChannel) decode(x0, x1 int, r1, r2 []int32, in *fastStream) {
	n := x1 - x0
	at := rowPad + x0
	cur := c.cur[at:][:n]
	ne := c.n1[at+1:][:n]
	nn := c.n2[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	absNE := c.absN[at+1:][:n]
	r1 = r1[at:][:n+1]
	r2 = r2[at:][:n+1]

	c0, c1, c2, c3 := int64(c.coefs[0]), int64(c.coefs[1]), int64(c.coefs[2]), int64(c.coefs[3])
	c4, c5, c6, c7 := int64(c.coefs[4]), int64(c.coefs[5]), int64(c.coefs[6]), int64(c.coefs[7])
	lo, hi, shift := int64(c.lo), int64(c.hi), c.shift&31

	sWW, sW := int64(c.cur[at-2]), int64(c.cur[at-1])
	sNW, sN := int64(c.n1[at-1]), int64(c.n1[at])
	aWW, aW := int64(c.abs[at-2]), int64(c.abs[at-1])
	aNW, aN := int64(c.absN[at-1]), int64(c.absN[at])
	e1, e2 := int64(r1[0]), int64(r2[0])
	state := in.state
	for x := range cur {
		sNE, aNE := int64(ne[x]), int64(absNE[x])
		f1, f2 := int64(r1[x+1]), int64(r2[x+1])

		act := 4*aW + 3*aN + 2*aNE + 2*aNW + aWW + 3*abs64(e1) + 3*abs64(e2) +
			abs64(f1) + abs64(f2) + abs64(sN-sNW) + abs64(sW-sNW) + abs64(sN-sNE)
		level := levelOf(uint64(act) >> shift)
		entry := in.by[level&(activityLevels-1)][state&(ransTotal-1)]
		state = uint64(entry>>8&(ransTotal-1))*(state>>ransBits) + uint64(entry>>20)
		if state < ransLow {
			in.state = state
			in.word()
			state = in.state
		}
		z := uint64(entry & 255)
		if z >= directSymbols {
			base, raw := rawBits(uint32(z))
			z = uint64(base) + state&(1<<raw-1)
			state >>= raw
			if state < ransLow {
				in.state = state
				in.word()
				state = in.state
			}
		}

		med := max(min(sW, sN), min(sW+sN-sNW, max(sW, sN)))
		p := c0*(sN-sW) + c1*(sNW-sW) + c2*(sNE-sW) + c3*(sWW-sW) + c4*(int64(nn[x])-sW) + c5*(med-sW) + c6*e1 + c7*e2
		half := sW<<1 + p>>(coefBits-1)
		pred := min(max((half+1)>>1, lo), hi)

		flip := half&1 - 1
		g := int64(z>>1) ^ -int64(z&1)
		e := (g ^ flip) - flip
		s := pred + e
		cur[x] = int32(s)
		res[x] = int32(e)
		a := abs64(e)
		abs[x] = int32(a)

		sWW, sW, sNW, sN = sW, s, sN, sNE
		aWW, aW, aNW, aN = aW, a, aN, aNE
		e1, e2 = f1, f2
	}
	in.state = state
}
