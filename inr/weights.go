package inr

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
)

// Parameters are coded as differences from those of a prior, brought to the same
// step: is it zero, its sign, the number of bits of its magnitude in unary, the
// bits. Zero, the number of bits and the second bit have adaptive probabilities,
// which each module starts anew. Contexts for them do not pay: in modules of some
// hundred parameters they cost more to learn than they save.

// A bitCoder codes a bit with a probability of P(1) in 1/65536, 1..65535. It returns
// the bit: the one it was given when encoding, the one it read when decoding. So one
// function serves both, and the measuring of costs.
type bitCoder interface {
	bit(b int, p uint32) int
}

type bitEncoder struct{ *arith.BinaryEncoder }

func (e bitEncoder) bit(b int, p uint32) int { e.Encode(b, p); return b }

type bitDecoder struct{ *arith.BinaryDecoder }

func (d bitDecoder) bit(_ int, p uint32) int { return d.Decode(p) }

type bitCost struct{ bits float64 }

func (c *bitCost) bit(b int, p uint32) int { c.bits += arith.BitCost(b, p); return b }

// An adaptiveBit is a counter that codes.
type adaptiveBit struct{ entropy.Counter }

func (a *adaptiveBit) code(c bitCoder, b int) int {
	const limit = 255 // bits that an estimate averages over
	b = c.bit(b, min(max(a.P(), 1), 65535))
	a.Update(b, limit)
	return b
}

// maxExponent bounds a difference: below 2^(maxExponent+1).
const maxExponent = 25

// An intModel is the adaptive model of a module's differences.
type intModel struct {
	other  adaptiveBit                  // not zero
	longer [maxExponent]adaptiveBit     // more than n+1 bits
	upper  [maxExponent + 1]adaptiveBit // the second of n+1 bits
}

func newIntModel() *intModel {
	m := new(intModel)
	m.other.Counter = entropy.CounterInit
	for i := range m.longer {
		m.longer[i].Counter = entropy.CounterInit
	}
	for i := range m.upper {
		m.upper[i].Counter = entropy.CounterInit
	}
	return m
}

// code codes v, |v| < 2^(maxExponent+1), and returns it.
func (m *intModel) code(c bitCoder, v int32) int32 {
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	if m.other.code(c, flag(v != 0)) == 0 {
		return 0
	}
	negative := c.bit(flag(v < 0), 1<<15)
	n := v
	if v < 0 {
		n = -v
	}
	e, length := 0, bits.Len32(uint32(n))
	for e < maxExponent && m.longer[e].code(c, flag(length > e+1)) == 1 {
		e++
	}
	r := int32(1)
	for i := e - 1; i >= 0; i-- {
		b := int(n >> i & 1)
		if i == e-1 {
			b = m.upper[e].code(c, b)
		} else {
			b = c.bit(b, 1<<15)
		}
		r = r<<1 | int32(b)
	}
	if negative == 1 {
		return -r
	}
	return r
}

// rescale brings v from step 2^-from to step 2^-to, rounding half up.
func rescale(v int32, from, to uint8) int32 {
	if to >= from {
		return v << (to - from)
	}
	return (v + 1<<(from-to-1)) >> (from - to)
}

// codeWeights codes the integers of q against the prior's. Both have steps and
// sizes that suit one architecture; the prior is valid.
func codeWeights(c bitCoder, q, prior *Quantised) {
	for m := range q.Ints {
		model := newIntModel()
		for i, v := range q.Ints[m] {
			from := rescale(prior.Ints[m][i], prior.Step[m], q.Step[m])
			q.Ints[m][i] = from + model.code(c, v-from)
		}
	}
}

// WeightBits returns what coding q against the prior costs in a stream, in bits; a
// nil prior stands for NewQuantised. Both must be valid for a. Steps are part of the
// header: they cost one bit each where they are the prior's.
func WeightBits(a *Arch, q, prior *Quantised) float64 {
	if prior == nil {
		prior = NewQuantised(a)
	}
	c := new(bitCost)
	codeWeights(c, q.Clone(), prior)
	return c.bits
}

// Fit brings networks of another number of grids to the architecture a, as a prior
// for tiny pictures needs: grids that a lacks are dropped, further ones get the
// parameters of NewQuantised. It returns ErrNetworks, wrapped, if q is not valid for
// from, or if from differs from a in anything else.
func (q *Quantised) Fit(from, a *Arch) (*Quantised, error) {
	if err := errors.Join(from.Validate(), a.Validate()); err != nil {
		return nil, err
	}
	if err := q.Validate(from); err != nil {
		return nil, err
	}
	same := *from
	if same.Grids = a.Grids; same != *a {
		return nil, fmt.Errorf("%w: made for %+v, wanted for %+v", ErrNetworks, *from, *a)
	}
	out := NewQuantised(a)
	for i, v := range out.Ints[UpsampleTaps] {
		out.Ints[UpsampleTaps][i] = rescale(v, out.Step[UpsampleTaps], q.Step[UpsampleTaps])
	}
	out.Step = q.Step
	src, dst := from.Layout(), a.Layout()
	for id := range src {
		s, d := src[id], dst[id]
		for r := range min(s.Rows, d.Rows) {
			n := min(s.Cols, d.Cols)
			copy(out.Ints[d.Module][d.Offset+r*d.Cols:][:n], q.Ints[s.Module][s.Offset+r*s.Cols:][:n])
		}
	}
	return out, nil
}
