package entropy

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// Several predictors of one latent, such as networks that look at side information, at
// neighbours, at other channels or at the whole picture, are combined where they are
// sure: in the logarithmic odds of binary decisions, which are those of Adaptive:
//
//	other than 0?    above 0?    further than 1, 2, 4, 8, ... from 0?
//
// and in which half of 3..4, 5..8 and so on, halved until one value is left. From each
// predictor's mean and scale follow the masses num and rest on both sides of a decision,
// and
//
//	x = ln(num) - ln(rest)
//
// is its opinion. The decision's probability is squash(sum of weight*x): with weights
// that sum to 1 a geometric mean, with weights of 1 each the product that independent
// evidence multiplies to, and either is learnt, with weights of their own for every kind
// of decision and every four scales of the first predictor. One more opinion is that of a
// counter of what happened in the same situation (Mahoney, 2005; Jiang et al., "MLIC",
// 2023, combines its contexts inside the network instead).

const (
	maxPredictors = 8

	// Kinds of decisions: 0 and sign, the first three doublings, the others, and halves.
	mixKinds = 7
	kindHalf = mixKinds - 1

	mixBuckets = 16 // the last one ends at 32768

	// Masses are at least 1<<-28, so that what no predictor expects costs 28 bits at most
	// and two sides of nothing are alike.
	leastMass = 1 << (massBits - 28)

	// The weights' learning rate at first and in the long run, in 1/16384, and after how
	// many decisions its excess has halved.
	mixRateFirst = 400
	mixRateLast  = 20
	mixRateHalf  = 64
)

// lnTable[i] is ln((i+1/2)/256 + 1) in 1/4096, and lnPower[n] is n ln 2.
var (
	lnTable [256]int32
	lnPower [64]int32
)

func init() {
	for i := range lnTable {
		lnTable[i] = int32(float64(logOf(1+(float64(i)+0.5)/256)*4096) + 0.5)
	}
	for n := range lnPower {
		lnPower[n] = int32(float64(float64(n)*float64(logOf(2)*4096)) + 0.5)
	}
}

// lnOf returns ln x in 1/4096, to within 9 of them, for x > 0.
func lnOf(x uint64) int32 {
	n := bits.Len64(x) - 1
	return lnPower[n&63] + lnTable[x<<(63-n&63)>>55&255]
}

// A Mix is both a Predictor, made of several, and the coder of what they predict. Each
// gives means of its own, and tables that stand for scales in steps of the quantiser.
//
// Encoder and decoder begin with fresh or reset ones. A value takes 0.05 to 0.1 µs with
// two predictors. Where they err as they say, the bits come within 1 to 4 % of those of
// the product of both distributions; where they now and then do not, below it.
type Mix struct {
	// Steps has the quantiser's step of each channel, in 1/MeanUnit; nil means MeanUnit
	// for all. See [UniformQuantiser].
	Steps []int32

	// Combine makes the latent's means, which are subtracted before quantising, those of
	// all predictors, weighted by 1/scale^2, in place of the first one's. Where scales are
	// below a step, better means leave less to code and, with all the zeros there, less
	// error. It needs predictors whose errors are about as large as they say.
	Combine bool

	predictors []Predictor
	grid       *tailGrid
	inverse    []uint64 // 1/scale of each level, in 1<<-inverseBits

	views []Latent  // what the predictors but the first write to
	delta [][]int32 // of each predictor's mean from the latent's, in 1/MeanUnit of a step
	level [][]uint8 // of each predictor
	next  int       // symbol of the pass

	weights  []mixWeights // by kind and level/4 of the first predictor
	counters []Counter    // by kind and level

	// Of the value and the decision under way, for each predictor.
	shift              [maxPredictors]int64
	scale              [maxPredictors]uint64
	beyond, end, split [maxPredictors]uint64
	x                  [maxPredictors + 1]int32
}

type mixWeights struct {
	w    [maxPredictors + 1]int32 // 1<<16 is one
	seen int32
}

// NewMix returns a Mix of the predictors, at least one and at most 8, whose tables are
// the levels of o, with one offset and none skipped; nil means [DefaultScaleOptions].
func NewMix(o *ScaleOptions, predictors ...Predictor) (*Mix, error) {
	base := DefaultScaleOptions()
	if o != nil {
		base = *o
	}
	if err := base.check(); err != nil {
		return nil, err
	}
	if base.Offsets != 1 || base.Skip != 0 {
		return nil, fmt.Errorf("%w: a mix of %d offsets and %d skipped scales", ErrTables, base.Offsets, base.Skip)
	}
	if n := len(predictors); n < 1 || n > maxPredictors {
		return nil, fmt.Errorf("entropy: a mix of %d predictors, want 1 to %d", n, maxPredictors)
	}
	m := &Mix{
		predictors: predictors,
		grid:       &tailGrids()[base.Family],
		inverse:    make([]uint64, base.Levels),
		views:      make([]Latent, len(predictors)-1),
		delta:      make([][]int32, len(predictors)),
		level:      make([][]uint8, len(predictors)),
		weights:    make([]mixWeights, mixKinds*((base.Levels+3)/4)),
		counters:   make([]Counter, mixKinds*base.Levels),
	}
	for i := range m.inverse {
		m.inverse[i] = uint64((1<<inverseBits)/base.Scale(i) + 0.5)
	}
	m.Reset()
	return m, nil
}

// Reset makes m forget what it has seen.
func (m *Mix) Reset() {
	first := mixWeights{}
	n := len(m.predictors)
	for i := range n {
		first.w[i] = weightOne
		if n > 1 {
			first.w[i] = int32(weightOne * 12 / 10 / n)
		}
	}
	for i := range m.weights {
		m.weights[i] = first
	}
	for i := range m.counters {
		m.counters[i] = CounterInit
	}
}

// Predict lets all predictors say what they expect of pass k. It returns an error if
// one does, or [ErrTables] if a level is out of range.
func (m *Mix) Predict(k int, l *Latent) error {
	m.next = 0
	n := len(l.Q)
	for j, p := range m.predictors {
		v := l
		if cap(m.delta[j]) < n {
			m.delta[j], m.level[j] = make([]int32, 0, n), make([]uint8, 0, n)
		}
		if j > 0 {
			v = &m.views[j-1]
			mean, table := v.Mean, v.Table
			if len(mean) != n {
				mean, table = make([]int32, n), make([]uint8, n)
			}
			*v = Latent{H: l.H, W: l.W, C: l.C, Order: l.Order, Q: l.Q, Y: l.Y, Mean: mean, Table: table}
		}
		if err := p.Predict(k, v); err != nil {
			return err
		}
		m.level[j] = gather(l, k, m.level[j][:0], v.Table)
		for _, level := range m.level[j] {
			if int(level) >= len(m.inverse) {
				return fmt.Errorf("%w: no level %d", ErrTables, level)
			}
		}
		delta := m.delta[j][:0]
		l.Elements(k, func(i, end, step int) {
			for ; i < end; i += step {
				d := (int64(v.Mean[i]) - int64(l.Mean[i])) * MeanUnit / m.step(i)
				delta = append(delta, int32(min(max(d, -maxDelta), maxDelta)))
			}
		})
		m.delta[j] = delta
	}
	if m.Combine {
		m.combine(k, l)
	}
	return nil
}

// maxDelta bounds the distances between means, in 1/MeanUnit of a step.
const maxDelta = 1 << 23

// step returns the step of element i, in 1/MeanUnit.
func (m *Mix) step(i int) int64 {
	if m.Steps == nil {
		return MeanUnit
	}
	return int64(m.Steps[i%len(m.Steps)])
}

// combine moves the means of pass k, and what is relative to them.
func (m *Mix) combine(k int, l *Latent) {
	at := 0
	l.Elements(k, func(i, end, step int) {
		for ; i < end; i += step {
			var sum, total int64
			for j := range m.delta {
				// 4096/scale is 4 to 1<<19, its square at most 1<<38, and the sum below
				// 1<<(38-3+23+3).
				w := int64(m.inverse[m.level[j][at]] >> (inverseBits - 12))
				w = w * w >> 3
				total += w
				sum += w * int64(m.delta[j][at])
			}
			d := int32(sum / total)
			for j := range m.delta {
				m.delta[j][at] -= d
			}
			l.Mean[i] += int32(int64(d) * m.step(i) / MeanUnit)
			at++
		}
	})
}

// A bitCoder codes bits, decodes them or adds their costs.
type bitCoder interface {
	// code codes bit, or returns the bit decoded. p is the probability of 1.
	code(bit int, p uint32) int
}

type bitEncoder struct{ *arith.RangeEncoder }

func (e bitEncoder) code(bit int, p uint32) int {
	e.BinaryEncoder.Encode(bit, p)
	return bit
}

type bitDecoder struct{ *arith.RangeDecoder }

func (d bitDecoder) code(_ int, p uint32) int { return d.BinaryDecoder.Decode(p) }

type bitCost struct{ bits float64 }

func (c *bitCost) code(bit int, p uint32) int {
	c.bits += arith.BitCost(bit, p)
	return bit
}

// Encode codes the symbols of the pass that [Mix.Predict] was called for. It panics if
// there are not as many, or if a level is out of range.
func (m *Mix) Encode(e *arith.RangeEncoder, q []int16, table []uint8) {
	m.all(q, table, bitEncoder{e})
}

// Cost returns what [Mix.Encode] takes, in bits.
func (m *Mix) Cost(q []int16, table []uint8) float64 {
	c := new(bitCost)
	m.all(q, table, c)
	return c.bits
}

func (m *Mix) all(q []int16, table []uint8, c bitCoder) {
	for i, v := range q {
		m.value(int32(v), table[i], c)
	}
}

// Decode decodes the symbols of the pass that [Mix.Predict] was called for. It returns
// [arith.ErrTruncated] or [arith.ErrCorrupt] for input that no encoder wrote, as far as
// that shows, and [ErrTables] if a level is out of range.
func (m *Mix) Decode(d *arith.RangeDecoder, q []int16, table []uint8) error {
	c := bitDecoder{d}
	for i := range q {
		if int(table[i]) >= len(m.inverse) {
			return fmt.Errorf("%w: no level %d", ErrTables, table[i])
		}
		v := m.value(0, table[i], c)
		if v > math.MaxInt16 {
			return arith.ErrCorrupt
		}
		q[i] = int16(v)
		if i%checkEvery == 0 {
			if err := d.Err(); err != nil {
				return err
			}
		}
	}
	return d.Err()
}

// value codes v, or returns the value decoded, from -32768 to 32768.
func (m *Mix) value(v int32, level uint8, c bitCoder) int32 {
	n := len(m.predictors)
	for j := range n {
		m.shift[j], m.scale[j] = int64(m.delta[j][m.next]), m.inverse[m.level[j][m.next]]
	}
	m.next++

	for j := range n {
		up := m.grid.above(MeanUnit/2-m.shift[j], m.scale[j])
		down := m.grid.above(MeanUnit/2+m.shift[j], m.scale[j])
		m.beyond[j], m.split[j] = up, down
		m.x[j] = opinion(up+down, 1<<massBits-up-down)
	}
	if m.decide(0, level, v != 0, c) == 0 {
		return 0
	}
	for j := range n {
		m.x[j] = opinion(m.beyond[j], m.split[j])
	}
	sign := int32(1)
	if m.decide(1, level, v > 0, c) == 0 {
		sign = -1
		for j := range n {
			m.beyond[j] = m.split[j]
			m.shift[j] = -m.shift[j]
		}
	}
	v *= sign

	b := 1
	for ; ; b++ {
		m.masses(bucketEnd(b), &m.end)
		if b == mixBuckets {
			break
		}
		for j := range n {
			m.x[j] = opinion(m.end[j], m.beyond[j]-m.end[j])
		}
		if m.decide(min(b+1, kindHalf-1), level, v > bucketEnd(b), c) == 0 {
			break
		}
		m.beyond = m.end
	}
	from, to := bucketEnd(b-1)+1, bucketEnd(b)
	for from < to {
		half := (from + to) / 2
		m.masses(half, &m.split)
		for j := range n {
			m.x[j] = opinion(m.split[j]-m.end[j], m.beyond[j]-m.split[j])
		}
		if m.decide(kindHalf, level, v > half, c) == 1 {
			from = half + 1
			m.beyond = m.split
		} else {
			to = half
			m.end = m.split
		}
	}
	return sign * from
}

// masses sets out to each predictor's mass further out than n, on the side at hand.
func (m *Mix) masses(n int32, out *[maxPredictors]uint64) {
	for j := range m.predictors {
		out[j] = m.grid.above(int64(n)*MeanUnit+MeanUnit/2-m.shift[j], m.scale[j])
	}
}

// opinion returns ln(num/rest) in units of 1/StretchOne.
func opinion(num, rest uint64) int32 {
	x := (lnOf(num+leastMass) - lnOf(rest+leastMass)) >> 4
	return min(max(x, -squashMax), squashMax)
}

// decide codes one decision, for which the opinions are in m.x, or decodes it, and
// learns from it.
func (m *Mix) decide(kind int, level uint8, want bool, c bitCoder) int {
	n := len(m.predictors)
	counter := &m.counters[kind*len(m.inverse)+int(level)]
	m.x[n] = Stretch(counter.P())
	w := &m.weights[kind*(len(m.weights)/mixKinds)+int(level)/4]
	var z int64
	for j, x := range m.x[:n+1] {
		z += int64(x) * int64(w.w[j])
	}
	p := Squash(int32(min(max(z>>16, -squashMax), squashMax)))
	bit := 0
	if want {
		bit = 1
	}
	bit = c.code(bit, p)

	rate := mixRateLast + mixRateFirst*mixRateHalf/(mixRateHalf+w.seen)
	if w.seen < 1<<14 {
		w.seen++
	}
	e := (int64(bit<<16) - int64(p)) * int64(rate)
	for j, x := range m.x[:n+1] {
		w.w[j] = int32(min(max(int64(w.w[j])+(int64(x)*e+1<<21)>>22, -8*weightOne), 8*weightOne))
	}
	counter.Update(bit, CounterLimit)
	return bit
}
