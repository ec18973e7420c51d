package entropy

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/arith"
)

// Adaptive cuts a value into binary decisions, whose probabilities begin as the table
// has them and follow what is coded:
//
//	other than 0?
//	above 0?
//	further than 1, than 2, than 4, than 8, ... from 0?
//
// What of 3..4, 5..8 and so on the value then is, the table's frequencies say. A value
// next to the window on either side stands for all beyond, which an Exp-Golomb code
// follows. Decisions that leave no choice are not coded. With probabilities that never
// moved, a value costs what it does with the table, but for rounding.

const (
	adaptiveNodes = 16 // 0, sign, and up to 14 doublings

	// A counter begins as if it had seen the table's probability so many times, which
	// costs 0.1 to 0.2 % of 100,000 values for which the table is right. More would cost
	// less there and gain less elsewhere. A second, faster counter of each decision gains
	// nothing: tables are off all over a picture, not here and there.
	adaptivePrior = 60
)

func adaptiveP(c Counter) uint32 { return min(max(c.P(), 1), tableTotal-1) }

// Adaptive codes as [Tables] does, with probabilities that follow what is coded. It is
// for tables that may be wrong for the data at hand: those of another quality, of
// other pictures, of a family that does not fit. It takes twice as long.
//
// Encoder and decoder begin with fresh or reset ones of equal tables.
type Adaptive struct {
	tables *Tables
	start  [][adaptiveNodes]Counter // by table
	now    [][adaptiveNodes]Counter
}

// NewAdaptive returns the adaptive variant of t, of whose offsets it uses mean 0 alone.
func NewAdaptive(t *Tables) *Adaptive {
	a := &Adaptive{tables: t, start: make([][adaptiveNodes]Counter, t.Len())}
	for i := range a.start {
		u := t.zeroMean(uint8(i))
		if !u.adapts() {
			continue
		}
		side := [2]tableSide{u.side(false), u.side(true)}
		set := func(node int, part, whole uint32) {
			p := uint32(1 << 31)
			if whole > 0 {
				p = uint32(min(uint64(part)<<32/uint64(whole), 1<<32-1))
			}
			a.start[i][node] = Counter(p&^counterMask | adaptivePrior)
		}
		set(0, side[0].beyond(0)+side[1].beyond(0), tableTotal)
		set(1, side[1].beyond(0), side[0].beyond(0)+side[1].beyond(0))
		for b := 1; b < adaptiveNodes-1; b++ {
			// Sides that end before the bucket does have no decision.
			var further, all uint32
			for s := range side {
				if r := &side[s]; r.edge > bucketEnd(b) {
					further += r.beyond(bucketEnd(b))
					all += r.beyond(bucketEnd(b - 1))
				}
			}
			set(b+1, further, all)
		}
	}
	a.now = make([][adaptiveNodes]Counter, len(a.start))
	a.Reset()
	return a
}

// Reset makes a forget what it has seen.
func (a *Adaptive) Reset() { copy(a.now, a.start) }

// A tableSide is one side of a table as seen from 0: the values 1, 2, ... edge, either
// way, of which edge stands for all beyond the window.
type tableSide struct {
	t    *table
	edge int32 // at least 1, at most maxWindow
	sign int32 // -1 or 1
}

// side returns the side above 0 or that below it, of a table that adapts.
func (t *table) side(above bool) tableSide {
	if above {
		return tableSide{t, t.first + int32(t.values()+1), 1}
	}
	return tableSide{t, -t.first, -1}
}

// beyond returns the sum of frequencies further out than n, which is below the edge.
func (s *tableSide) beyond(n int32) uint32 {
	if s.sign > 0 {
		return tableTotal - s.t.cum[n+1-s.t.first]
	}
	return s.t.cum[-n-s.t.first]
}

// span returns the sum below and the frequency of the value n from 0, at most the edge.
func (s *tableSide) span(n int32) (lo, size uint32) {
	i := s.sign*n - s.t.first
	return s.t.cum[i], s.t.cum[i+1] - s.t.cum[i]
}

// bucketEnd returns the largest distance in a bucket: bucket 0 holds 0, 1 holds 1, 2
// holds 2, 3 holds 3 and 4, and each further one twice as many.
func bucketEnd(b int) int32 {
	if b == 0 {
		return 0
	}
	return 1 << (b - 1)
}

// adapts returns whether a table is coded with the decisions: it is not if it is skipped
// or its window does not have 0 in it.
func (t *table) adapts() bool { return t.cdf != nil && t.first < 0 && int(-t.first) <= t.values() }

// within returns the values of bucket b as distances, and the sum of frequencies below
// them and of them.
func (s *tableSide) within(b int) (from, to int32, base, total uint32) {
	from, to = bucketEnd(b-1)+1, min(bucketEnd(b), s.edge)
	lo, hi := s.sign*from-s.t.first, s.sign*to-s.t.first
	if s.sign < 0 {
		lo, hi = hi, lo
	}
	base = s.t.cum[lo]
	return from, to, base, s.t.cum[hi+1] - base
}

// ZeroSkipped sets to 0 every value of q whose table is skipped.
func (a *Adaptive) ZeroSkipped(q []int16, table []uint8) { a.tables.ZeroSkipped(q, table) }

// Encode codes q, q[i] with the table numbered table[i], as [Tables.Encode] does.
func (a *Adaptive) Encode(e *arith.RangeEncoder, q []int16, table []uint8) {
	table = table[:len(q)]
	for i, v := range q {
		a.encode(e, table[i], int32(v))
	}
}

func (a *Adaptive) encode(e *arith.RangeEncoder, number uint8, v int32) {
	u := a.tables.zeroMean(number)
	if !u.adapts() {
		u.encode(e, v)
		return
	}
	nodes := &a.now[number]
	code := func(node, bit int) {
		e.Encode(bit, adaptiveP(nodes[node]))
		nodes[node].Update(bit, CounterLimit)
	}
	if v == 0 {
		code(0, 0)
		return
	}
	code(0, 1)
	side := u.side(v > 0)
	if v > 0 {
		code(1, 1)
	} else {
		code(1, 0)
	}
	n := v * side.sign
	near := min(n, side.edge)
	b := 1
	for ; near > bucketEnd(b); b++ {
		code(b+1, 1)
	}
	if bucketEnd(b) < side.edge {
		code(b+1, 0)
	}
	if from, to, base, total := side.within(b); from < to {
		lo, size := side.span(near)
		e.EncodeSpan(lo-base, size, total)
	}
	if near == side.edge {
		encodeEscape(e, uint32(n-near), u.order)
	}
}

// Decode decodes len(q) integers that [Adaptive.Encode] coded, with the errors of
// [Tables.Decode].
func (a *Adaptive) Decode(d *arith.RangeDecoder, q []int16, table []uint8) error {
	table = table[:len(q)]
	for i := range q {
		if int(table[i]) >= len(a.now) {
			return fmt.Errorf("%w: no table %d", ErrTables, table[i])
		}
		v, ok := a.decode(d, table[i])
		if !ok || v != int32(int16(v)) {
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

func (a *Adaptive) decode(d *arith.RangeDecoder, number uint8) (v int32, ok bool) {
	u := a.tables.zeroMean(number)
	if !u.adapts() {
		if u.nonzero != 0 && d.BinaryDecoder.Decode(u.nonzero) == 0 {
			return 0, true
		}
		return u.decode(d)
	}
	nodes := &a.now[number]
	code := func(node int) bool {
		bit := d.BinaryDecoder.Decode(adaptiveP(nodes[node]))
		nodes[node].Update(bit, CounterLimit)
		return bit == 1
	}
	if !code(0) {
		return 0, true
	}
	side := u.side(code(1))
	b := 1
	for bucketEnd(b) < side.edge && code(b+1) {
		b++
	}
	n, to, base, total := side.within(b)
	if n < to {
		at := d.DecodeValue(total) + base
		lo, size := side.span(n)
		for at-lo >= size {
			n++
			lo, size = side.span(n)
		}
		d.SkipSpan(lo-base, size, total)
	}
	if n == side.edge {
		far, ok := decodeEscape(d, u.order)
		return side.sign * (n + int32(far)), ok
	}
	return side.sign * n, true
}

// Cost returns what [Adaptive.Encode] of q would take now, in bits, and moves the
// probabilities as it does.
func (a *Adaptive) Cost(q []int16, table []uint8) float64 {
	table = table[:len(q)]
	sum := 0.0
	for i, v := range q {
		sum += a.cost(table[i], int32(v))
	}
	return sum
}

func (a *Adaptive) cost(number uint8, v int32) float64 {
	u := a.tables.zeroMean(number)
	if !u.adapts() {
		return u.cost(v)
	}
	nodes := &a.now[number]
	sum := 0.0
	code := func(node, bit int) {
		sum += arith.BitCost(bit, adaptiveP(nodes[node]))
		nodes[node].Update(bit, CounterLimit)
	}
	if v == 0 {
		code(0, 0)
		return sum
	}
	code(0, 1)
	side := u.side(v > 0)
	if v > 0 {
		code(1, 1)
	} else {
		code(1, 0)
	}
	n := v * side.sign
	near := min(n, side.edge)
	b := 1
	for ; near > bucketEnd(b); b++ {
		code(b+1, 1)
	}
	if bucketEnd(b) < side.edge {
		code(b+1, 0)
	}
	if from, to, _, total := side.within(b); from < to {
		_, size := side.span(near)
		sum += math.Log2(float64(total) / float64(size))
	}
	if near == side.edge {
		sum += float64(escapeCost(uint32(n-near), u.order))
	}
	return sum
}
