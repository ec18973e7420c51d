package kv

import (
	"fmt"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// # Coding of levels
//
// Tokens beside one another in a picture are alike, and so are their levels in one
// channel: more so than channels of one token. CacheGen codes differences from a
// token nearby; here the levels themselves are coded, with those of the token before
// and of the token above as context, which learns what differences are worth.
//
// A level is as many binary decisions as its bits, high bit first; each has an
// arith.AdaptiveBit for what was decided of the level already and for the context. Every
// part is a stream of its own, so that parts are coded and decoded at once.

// A levelModel is the adaptive model of the levels of a part.
type levelModel struct {
	bits     int
	contexts int // of one neighbour: a level, or none
	nodes    []arith.AdaptiveBit
}

// newLevelModel returns a model of a format that has seen nothing. Columns of Mixed
// have models of their own by their levels.
func newLevelModel(f Format) *levelModel {
	levels := f.levels()
	m := &levelModel{bits: bits.Len(uint(levels - 1)), contexts: levels + 1}
	m.nodes = make([]arith.AdaptiveBit, 2*m.contexts*m.contexts<<m.bits)
	return m
}

// of returns the nodes for a level between neighbours; node 1 is the first decision.
func (m *levelModel) of(before, above uint8, high bool) []arith.AdaptiveBit {
	i := int(before)*m.contexts + int(above)
	if high {
		i += m.contexts * m.contexts
	}
	return m.nodes[i<<m.bits:][:1<<m.bits]
}

// codeLevels codes the levels of a part, with e, or decodes them, with d, one of which
// is nil. It reports whether they are such as an encoder codes.
func codeLevels(s *side, p *part, row int, codes []uint8, e *arith.BinaryEncoder, d *arith.BinaryDecoder) bool {
	rows, columns := s.shape(len(p.tokens))
	m := newLevelModel(p.format)
	levels := p.format.levels()
	none := uint8(levels)
	high := make([]bool, columns)
	if p.format == Mixed {
		for _, j := range s.highColumns(p, columns) {
			high[j] = true
		}
	}
	along := s.Axis == PerToken // tokens run along the row
	step := columns             // from a token to the next
	if along {
		step = 1
	}
	for i := range rows {
		for j := range columns {
			at, token := i*columns+j, i
			if along {
				token = j
			}
			before, above := none, none
			if token >= 1 {
				before = codes[at-step]
			}
			if token >= row {
				above = codes[at-row*step]
			}
			nodes, count := m.of(before, above, high[j]), m.bits
			if p.format == Mixed && !high[j] {
				count = 1
			}
			v := 1
			if e != nil {
				for k := count - 1; k >= 0; k-- {
					bit := int(codes[at]) >> k & 1
					e.Encode(bit, nodes[v].P())
					nodes[v].Update(bit)
					v = 2*v + bit
				}
				continue
			}
			for range count {
				bit := d.Decode(nodes[v].P())
				nodes[v].Update(bit)
				v = 2*v + bit
			}
			if v -= 1 << count; v >= levels {
				return false
			}
			codes[at] = uint8(v)
		}
		if d != nil && d.Err() != nil {
			return false
		}
	}
	return true
}

// encodeLevels returns the stream of a part's levels.
func (d *dequantiser) encodeLevels(s *side, p *part, row int) []byte {
	rows, columns := s.shape(len(p.tokens))
	e := arith.NewBinaryEncoder(nil)
	codeLevels(s, p, row, d.unpack(s, p, rows, columns), e, nil)
	return e.Finish()
}

// decodeLevels sets the packed levels of a part from its stream.
func (d *dequantiser) decodeLevels(s *side, p *part, row int, in []byte) error {
	rows, columns := s.shape(len(p.tokens))
	codes := room(&d.codes, rows*columns)
	if !codeLevels(s, p, row, codes, nil, arith.NewBinaryDecoder(in)) {
		return fmt.Errorf("%w: levels of the %s of layer %d, head %d", ErrFormat, s.name, p.layer, p.head)
	}
	s.pack(p, codes, rows, columns, 0, columns, s.highColumns(p, columns), &d.columns)
	return nil
}

// leastStream returns the fewest bytes that so many levels take: a decision takes at
// least 0.0015 bit, as its probability is at most 1-71/65536.
func leastStream(levels int) int { return max(levels/5400-8, 0) }
