package entropy

import (
	"errors"
	"fmt"

	"github.com/burin-codec/burin/arith"
)

// ErrOrder is the error of an Order that does not code every element of a latent once.
var ErrOrder = errors.New("entropy: order does not fit the latent")

// A SymbolCoder codes integers, each with a table of a number: [Tables], [Adaptive] or
// [Mix]. One that learns while coding moves on with Encode, Decode and Cost alike.
type SymbolCoder interface {
	// Encode codes q, q[i] with the table numbered table[i].
	Encode(e *arith.RangeEncoder, q []int16, table []uint8)

	// Decode decodes len(q) integers that Encode coded.
	Decode(d *arith.RangeDecoder, q []int16, table []uint8) error

	// Cost returns what Encode takes, in bits.
	Cost(q []int16, table []uint8) float64
}

// A Predictor says what distributions the elements of a pass have: a context network.
// It must be exact on every machine: what it works out from the same symbols must be
// the same integers.
type Predictor interface {
	// Predict sets l.Mean and l.Table at the elements of pass k. It may look at l.Y, l.Q
	// and l.Mean of earlier passes. What it sets at other elements comes to nothing.
	// Predict of pass 0 begins a latent.
	Predict(k int, l *Latent) error
}

// A Quantiser turns values into symbols and back, a pass at a time, at the elements that
// [Latent.Elements] or the Order give.
type Quantiser interface {
	// Quantise sets l.Q at the elements of pass k from what the quantiser knows of the
	// values and from l.Mean and l.Table. Only encoders call it.
	Quantise(k int, l *Latent)

	// Dequantise sets l.Y at the elements of pass k from l.Q and l.Mean. It must be exact
	// on every machine.
	Dequantise(k int, l *Latent)
}

// A Latent is a tensor of shape [H][W][C] that is coded in the passes of an Order, with
// what is known of it. All slices have H*W*C elements.
type Latent struct {
	H, W, C int
	Order   Order

	Q     []int16 // the symbols, as coded
	Mean  []int32 // subtracted before quantising, in 1/MeanUnit
	Table []uint8 // of each symbol
	Y     []int32 // the values with their mean, in 1/MeanUnit; 0 where not coded yet

	// For the symbols of a pass, in a row.
	q     []int16
	table []uint8
}

// maxLatent is the largest number of elements of a latent.
const maxLatent = 1 << 30

// NewLatent returns a latent of the given shape, which takes 11 bytes an element and 3
// more for those of the largest of several passes. It returns [ErrOrder] if the order
// does not code every element once, and an error if there are no elements, more than
// 1<<30, or more than 1<<16 channels. A shape that was read from a file wants
// tighter limits first.
func NewLatent(order Order, h, w, c int) (*Latent, error) {
	if h < 1 || w < 1 || c < 1 || c > 1<<16 || h > maxLatent/c || w > maxLatent/(h*c) {
		return nil, fmt.Errorf("entropy: latent of %d x %d x %d elements", h, w, c)
	}
	l := &Latent{H: h, W: w, C: c, Order: order}
	most, err := l.checkOrder()
	if err != nil {
		return nil, err
	}
	n := h * w * c
	l.Q, l.Mean, l.Table, l.Y = make([]int16, n), make([]int32, n), make([]uint8, n), make([]int32, n)
	if most < n {
		l.q, l.table = make([]int16, most), make([]uint8, most)
	}
	return l, nil
}

// checkOrder checks that every element is coded once, and returns how many the largest
// pass codes.
func (l *Latent) checkOrder() (most int, err error) {
	passes := l.Order.Passes()
	if passes < 1 || passes > 1<<12 {
		return 0, fmt.Errorf("%w: %d passes", ErrOrder, passes)
	}
	size := make([]int, passes)
	seen := make([]bool, l.C)
	for y := range l.H {
		for x := range l.W {
			clear(seen)
			left := l.C
			for k := range size {
				first, end, step := l.Order.Channels(k, y, x, l.C)
				if first < end && (step < 1 || first < 0 || end > l.C) {
					return 0, fmt.Errorf("%w: channels %d, %d, ... below %d of %d", ErrOrder, first, first+step, end, l.C)
				}
				for c := first; c < end; c += step {
					if seen[c] {
						return 0, fmt.Errorf("%w: row %d, column %d, channel %d occurs twice", ErrOrder, y, x, c)
					}
					seen[c] = true
					left--
					size[k]++
				}
			}
			if left != 0 {
				return 0, fmt.Errorf("%w: row %d, column %d: %d of %d channels do not occur", ErrOrder, y, x, left, l.C)
			}
		}
	}
	for _, n := range size {
		most = max(most, n)
	}
	return most, nil
}

// Elements calls f with the rows of elements that pass k codes: at i, i+step and so on
// below end, in the order in which they are coded.
func (l *Latent) Elements(k int, f func(i, end, step int)) {
	i := 0
	for y := range l.H {
		for x := range l.W {
			if first, end, step := l.Order.Channels(k, y, x, l.C); first < end {
				f(i+first, i+end, step)
			}
			i += l.C
		}
	}
}

// gather appends to dst, which has room, the elements of a pass.
func gather[T any](l *Latent, k int, dst, src []T) []T {
	l.Elements(k, func(i, end, step int) {
		if step == 1 {
			dst = append(dst, src[i:end]...)
			return
		}
		for ; i < end; i += step {
			dst = append(dst, src[i])
		}
	})
	return dst
}

// pass returns the symbols and the tables of a pass in a row.
func (l *Latent) pass(k int) (q []int16, table []uint8) {
	if l.q == nil { // it codes all
		return l.Q, l.Table
	}
	return gather(l, k, l.q[:0], l.Q), gather(l, k, l.table[:0], l.Table)
}

// scatter sets the symbols of a pass from those in a row.
func (l *Latent) scatter(k int, q []int16) {
	if l.q == nil {
		return
	}
	l.Elements(k, func(i, end, step int) {
		if step == 1 {
			q = q[copy(l.Q[i:end], q):]
			return
		}
		for ; i < end; i += step {
			l.Q[i] = q[0]
			q = q[1:]
		}
	})
}

// A skipper is a coder for whom the symbols of some tables must be 0.
type skipper interface {
	ZeroSkipped(q []int16, table []uint8)
}

// code runs a latent's passes. symbols codes those of one.
func (l *Latent) code(c SymbolCoder, p Predictor, quantiser Quantiser, encode bool, symbols func(q []int16, table []uint8) error) error {
	skip, skips := c.(skipper)
	clear(l.Y)
	for k := range l.Order.Passes() {
		if err := p.Predict(k, l); err != nil {
			return err
		}
		quantise := encode && quantiser != nil
		if quantise {
			quantiser.Quantise(k, l)
		}
		q, table := l.pass(k)
		if quantise && skips {
			skip.ZeroSkipped(q, table)
		}
		if err := symbols(q, table); err != nil {
			return err
		}
		if !encode || quantise && skips {
			l.scatter(k, q)
		}
		if quantiser != nil {
			quantiser.Dequantise(k, l)
			continue
		}
		l.Elements(k, func(i, end, step int) {
			for ; i < end; i += step {
				l.Y[i] = l.Mean[i] + int32(l.Q[i])*MeanUnit
			}
		})
	}
	return nil
}

// EncodeLatent codes l pass by pass: the predictor says what to expect, the quantiser
// makes symbols of that, the coder codes them, and the quantiser makes of them what
// later passes are predicted from. Symbols whose tables the coder skips become 0.
// Without a quantiser l.Q has the symbols, and l.Y becomes l.Mean plus them. A pass
// allocates nothing. The error is the predictor's.
func EncodeLatent(e *arith.RangeEncoder, l *Latent, c SymbolCoder, p Predictor, q Quantiser) error {
	return l.code(c, p, q, true, func(q []int16, table []uint8) error {
		c.Encode(e, q, table)
		return nil
	})
}

// DecodeLatent decodes what [EncodeLatent] coded into l.Q and l.Y, with the same coder,
// predictor and dequantisation. The error is the coder's or the predictor's.
func DecodeLatent(d *arith.RangeDecoder, l *Latent, c SymbolCoder, p Predictor, q Quantiser) error {
	return l.code(c, p, q, false, func(q []int16, table []uint8) error { return c.Decode(d, q, table) })
}

// CostLatent does what [EncodeLatent] does but for the coding, and returns what that
// would take, in bits.
func CostLatent(l *Latent, c SymbolCoder, p Predictor, q Quantiser) (bits float64, err error) {
	err = l.code(c, p, q, true, func(q []int16, table []uint8) error {
		bits += c.Cost(q, table)
		return nil
	})
	return bits, err
}

// A UniformQuantiser rounds the distances from the means to multiples of steps.
type UniformQuantiser struct {
	// Values has the latent's values, [H][W][C] in 1/MeanUnit, of which the distance from
	// the mean must fit 31 bits. Decoders need none.
	Values []int32

	// Steps has the step of each channel, in 1/MeanUnit, from 1 to 1<<15; nil means
	// MeanUnit for all.
	Steps []int32
}

// step returns the step of a row's element i of n channels.
func (u *UniformQuantiser) step(i, n int) int32 {
	if u.Steps == nil {
		return MeanUnit
	}
	return u.Steps[i%n]
}

// Quantise rounds, halves up, and clips to int16.
func (u *UniformQuantiser) Quantise(k int, l *Latent) {
	l.Elements(k, func(i, end, step int) {
		for ; i < end; i += step {
			s := int64(u.step(i, l.C))
			d := 2*(int64(u.Values[i])-int64(l.Mean[i])) + s
			n := d / (2 * s)
			if d%(2*s) < 0 {
				n--
			}
			l.Q[i] = int16(min(max(n, -1<<15), 1<<15-1))
		}
	})
}

// Dequantise sets l.Y to the mean and the symbol times the step.
func (u *UniformQuantiser) Dequantise(k int, l *Latent) {
	l.Elements(k, func(i, end, step int) {
		for ; i < end; i += step {
			l.Y[i] = l.Mean[i] + int32(l.Q[i])*u.step(i, l.C)
		}
	})
}
