package inr

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
)

// Parameters are coded as differences, in units of a module's step, from those of an
// origin: is it zero, its sign, the number of bits of its magnitude in unary, the
// bits. Zero, the number of bits and the second bit have adaptive probabilities,
// which each module starts anew. Contexts for them do not pay: in modules of some
// hundred parameters they cost more to learn than they save.
//
// Without a prior the origin, NewQuantised, is brought to the step, and all parameters
// are multiples of it. A prior was learnt to a finer step than differences from it are
// worth coding with, and keeps it: parameters are w0 + k*2^-s with w0 as the prior has it,
// all multiples of the finer of both steps, and so exact.

// An origin is the networks that others are coded from.
type origin struct {
	*Quantised
	prior bool // and so keep their step
}

// originOf returns the origin for a prior's networks, or for none.
func originOf(a *Arch, prior *Quantised) origin {
	if prior == nil {
		return origin{NewQuantised(a), false}
	}
	return origin{prior, true}
}

// step returns the step of a module whose differences have a step.
func (o origin) step(m Module, differences uint8) uint8 {
	if o.prior {
		return max(differences, o.Step[m])
	}
	return differences
}

// differences returns the coarsest steps that the differences of q from the origin have,
// and q with the steps that follow from those: what is coded. Steps of modules that do
// not differ are the usual ones.
func (o origin) differences(q *Quantised) (*Quantised, [NumModules]uint8) {
	if !o.prior {
		return q.Clone(), q.Step
	}
	out := q.Clone()
	var steps [NumModules]uint8
	for m := range NumModules {
		fine := o.step(m, q.Step[m])
		var set int32 // the bits that are set in any
		for i, v := range q.Ints[m] {
			out.Ints[m][i] = rescale(v, q.Step[m], fine)
			set |= out.Ints[m][i] - rescale(o.Ints[m][i], o.Step[m], fine)
		}
		steps[m] = uint8(usualStep[m])
		if set != 0 {
			steps[m] = fine - min(fine, uint8(bits.TrailingZeros32(uint32(set))))
		}
		out.Step[m] = o.step(m, steps[m])
		for i, v := range out.Ints[m] {
			out.Ints[m][i] = rescale(v, fine, out.Step[m])
		}
	}
	return out, steps
}

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

// codeWeights codes the integers of q, of steps that follow from those of its differences
// from the origin. Both suit one architecture; the origin is valid. What cannot be
// becomes an integer that Validate refuses.
func codeWeights(c bitCoder, q *Quantised, from origin, steps [NumModules]uint8) {
	for m := range NumModules {
		codeModule(c, m, q, from, steps[m])
	}
}

func codeModule(c bitCoder, m Module, q *Quantised, from origin, step uint8) {
	model := newIntModel()
	shift := q.Step[m] - step
	for i, v := range q.Ints[m] {
		w := rescale(from.Ints[m][i], from.Step[m], q.Step[m])
		d := int64(model.code(c, (v-w)>>shift))
		q.Ints[m][i] = int32(min(max(int64(w)+d<<shift, math.MinInt32), math.MaxInt32))
	}
}

// WeightBits returns what coding q against a prior's networks costs in a stream, in bits;
// nil stands for no prior. Both must be valid for a. Steps are part of the header: they
// cost one bit each where they are the usual ones.
func WeightBits(a *Arch, q, prior *Quantised) float64 {
	c := new(bitCost)
	from := originOf(a, prior)
	out, steps := from.differences(q)
	codeWeights(c, out, from, steps)
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
	for _, m := range [...]Module{UpsampleTaps, FilterWeights} {
		for i, v := range out.Ints[m] {
			out.Ints[m][i] = rescale(v, out.Step[m], q.Step[m])
		}
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
