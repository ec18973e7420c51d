package circuit

import (
	"fmt"

	"github.com/burin-codec/burin/arith"
)

// A Predictor codes one vector value by value, in the order that the model gives. Its
// streams are those of a [Coder] with one lane. It is made for tokens and latents in
// a codec that codes other things between them.
//
// After a value was coded, or told by [Predictor.Observe], the next variable is at
// hand.
type Predictor struct {
	c    Coder
	next int
}

// NewPredictor returns a predictor at the beginning of a vector.
func (m *Model) NewPredictor() *Predictor {
	p := &Predictor{c: *m.NewCoder(1)}
	p.Reset()
	return p
}

// Reset goes back to the beginning, for another vector.
func (p *Predictor) Reset() {
	p.next = 0
	p.c.enter(0, 1)
}

// Variable returns the variable at hand, or -1 at the end of the vector.
func (p *Predictor) Variable() int {
	if p.next == len(p.c.m.states) {
		return -1
	}
	return p.c.m.tree.Order[p.next]
}

// Encode codes the value v, below the model's Cats, of the variable at hand. It
// panics at the end of the vector and for larger values, like the other methods.
func (p *Predictor) Encode(e *arith.BinaryEncoder, v int) {
	p.walk(v, func(side int, q uint32) { e.Encode(side, q) })
	p.Observe(v)
}

// Decode returns the value of the variable at hand.
func (p *Predictor) Decode(d *arith.BinaryDecoder) int {
	n, b := p.load()
	v := 0
	for i := 0; ; {
		s := &n.split[i]
		side := d.Decode(n.probability(i, b))
		if side == 1 {
			v = int(s.at)
		}
		if i = int(s.next[side]); i == 0 {
			break
		}
	}
	p.Observe(v)
	return v
}

// Cost returns what coding v costs, in bits.
func (p *Predictor) Cost(v int) float32 {
	bits := 0.0
	p.walk(v, func(side int, q uint32) { bits += arith.BitCost(side, q) })
	return float32(bits)
}

// Observe tells the value of the variable at hand without coding it.
func (p *Predictor) Observe(v int) {
	p.check(v)
	n, b := p.load()
	p.c.observe(p.next, 0, n.likelihood(uint16(v), len(b)))
	if p.next++; p.next < len(p.c.m.states) {
		p.c.enter(p.next, 1)
	}
}

// walk calls f for the decisions of v.
func (p *Predictor) walk(v int, f func(side int, q uint32)) {
	p.check(v)
	n, b := p.load()
	for d := 0; ; {
		side, s := 0, &n.split[d]
		if v >= int(s.at) {
			side = 1
		}
		f(side, n.probability(d, b))
		if d = int(s.next[side]); d == 0 {
			return
		}
	}
}

func (p *Predictor) load() (*node, []float32) {
	if p.next == len(p.c.m.states) {
		panic("circuit: Predictor: the vector has ended")
	}
	return &p.c.m.nodes[p.next], p.c.load(p.next, 0)
}

func (p *Predictor) check(v int) {
	if v < 0 || v >= p.c.m.cats {
		panic(fmt.Sprintf("circuit: Predictor: value %d, not below %d", v, p.c.m.cats))
	}
}
