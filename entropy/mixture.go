package entropy

import (
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/burin-codec/burin/arith"
)

// Mixtures differ from element to element, so there is no table for each. Their
// cumulative frequencies are worked out where they are needed, from one table of each
// family's upper tail and integers: with F(x) the mass below x,
//
//	F(x) = sum of weight*F((x-mean)/scale)
//
// in units of 1<<-40 from tails tabulated at steps of 1/128 and interpolated linearly,
// which is off by 4e-6 at most. The frequencies of the n values of a window and of the
// two tails are then, of 1<<16, what F leaves of 1<<16 - (n+2), rounded down at each
// sum, and 1 for each.

const (
	// LogScaleUnit is how many units a scale's natural logarithm has in 1.
	LogScaleUnit = 256

	// MinLogScale and MaxLogScale bound the logarithm of a scale: 0.0067 and 1022.
	MinLogScale = -5 * LogScaleUnit
	MaxLogScale = 1774

	// WeightOne is the sum of the weights of a mixture.
	WeightOne = 1 << 16

	// MaxMean bounds a mean on both sides: 32768.
	MaxMean = MeanUnit << 15

	massBits = 40 // of a mass of 1

	gridSteps = 128 // of a tail, in a scale
	gridEnd   = 30  // scales: the longest tail has less than one unit there
	gridLog   = 24  // fractional bits of a number of scales

	inverseBits = 32 // fractional bits of 1/scale
)

// A Component is one distribution of a mixture.
type Component struct {
	Mean     int32 // in 1/MeanUnit, within +-MaxMean
	LogScale int32 // ln of the scale in 1/LogScaleUnit, MinLogScale..MaxLogScale
	Weight   int32 // of WeightOne, at least 1
}

// A Mixture is a mixture of distributions of one family, as a distribution of all
// int16 values. The components' weights sum to [WeightOne].
//
// A value takes 0.07 µs with one component and 0.16 µs with four. A single component
// does better with [Tables.EncodeMeans]. As every value of the window has a share of
// 1/65536 for nothing, a scale of 256 costs 0.1 % more than it should, one of 1000 0.4 %.
type Mixture struct {
	Family     Family
	Components []Component
}

// Check returns [ErrTables] if m has no components or more than 16, or if a number is
// out of range or the weights' sum wrong. The other methods expect that none is.
func (m Mixture) Check() error {
	if m.Family >= families {
		return fmt.Errorf("%w: no family %d", ErrTables, m.Family)
	}
	if n := len(m.Components); n < 1 || n > 16 {
		return fmt.Errorf("%w: a mixture of %d, want 1 to 16", ErrTables, n)
	}
	sum := int64(0)
	for _, c := range m.Components {
		if c.Mean < -MaxMean || c.Mean > MaxMean || c.LogScale < MinLogScale || c.LogScale > MaxLogScale || c.Weight < 1 {
			return fmt.Errorf("%w: component %+v", ErrTables, c)
		}
		sum += int64(c.Weight)
	}
	if sum != WeightOne {
		return fmt.Errorf("%w: weights sum to %d, want %d", ErrTables, sum, WeightOne)
	}
	return nil
}

// tailGrid holds upper tails in 1<<-massBits, at multiples of 1/gridSteps.
type tailGrid [gridEnd*gridSteps + 2]uint64

var tailGrids = sync.OnceValue(func() *[families]tailGrid {
	g := new([families]tailGrid)
	for f := range families {
		for i := range g[f][:gridEnd*gridSteps] {
			g[f][i] = uint64(float64(f.upper(float64(i)/gridSteps)*(1<<massBits)) + 0.5)
		}
	}
	return g
})

// inverseScales[s-MinLogScale] is exp(-s/LogScaleUnit) in 1<<-inverseBits.
var inverseScales = sync.OnceValue(func() *[MaxLogScale - MinLogScale + 1]uint64 {
	t := new([MaxLogScale - MinLogScale + 1]uint64)
	for i := range t {
		t[i] = uint64(float64(expOf(-float64(i+MinLogScale)/LogScaleUnit)*(1<<inverseBits)) + 0.5)
	}
	return t
})

// above returns the mass above x, in 1/MeanUnit from the mean, |x| at most 1<<25.
func (g *tailGrid) above(x int64, inverse uint64) uint64 {
	// The product is below 1<<25 * 1<<40, and clipped at the grid's end.
	hi, lo := bits.Mul64(uint64(max(x, -x)), inverse)
	const drop = inverseBits + 8 - gridLog
	z := lo >> drop
	if hi != 0 || z >= gridEnd<<gridLog {
		z = gridEnd << gridLog
	}
	const fraction = 1<<gridLog/gridSteps - 1
	p := (*[2]uint64)(g[z/(fraction+1):])
	a, f := p[0], z&fraction
	a -= (a - p[1]) * f / (fraction + 1)
	if x < 0 {
		a = 1<<massBits - a
	}
	return a
}

// A mixtureCode is a mixture made ready to code one value.
type mixtureCode struct {
	grid    *tailGrid
	parts   []Component
	inverse *[MaxLogScale - MinLogScale + 1]uint64
	lo, hi  int32 // window
	center  int32 // where a search begins
	order   uint  // of the escape's Exp-Golomb code
}

// windowScales is how many scales the window takes in on both sides of each mean.
var windowScales = [families]int64{Gaussian: 4, Laplace: 8, Logistic: 8}

func (m Mixture) code() mixtureCode {
	c := mixtureCode{grid: &tailGrids()[m.Family], parts: m.Components, inverse: inverseScales()}
	lo, hi, center := int64(math.MaxInt64), int64(math.MinInt64), int64(0)
	for _, p := range c.parts {
		reach := windowScales[m.Family] * (MeanUnit << inverseBits / int64(c.inverse[p.LogScale-MinLogScale]))
		lo = min(lo, int64(p.Mean)-reach)
		hi = max(hi, int64(p.Mean)+reach)
		center += int64(p.Mean) * int64(p.Weight)
	}
	at := func(x int64) int32 { return int32(min(max((x+MeanUnit/2)>>8, math.MinInt16), math.MaxInt16)) }
	c.center = at(center >> 16)
	c.lo = max(at(lo), c.center-maxWindow/2+1)
	c.hi = min(at(hi), c.center+maxWindow/2-1)
	c.order = uint(bits.Len32(uint32(c.hi-c.lo+1) >> 4))
	return c
}

// below returns the sum of the frequencies of what is below v, which is in lo..hi+1.
func (c *mixtureCode) below(v int32) uint32 {
	edge := int64(v)*MeanUnit - MeanUnit/2
	var sum uint64
	for i := range c.parts {
		p := &c.parts[i]
		sum += c.grid.above(int64(p.Mean)-edge, c.inverse[p.LogScale-MinLogScale]) * uint64(p.Weight)
	}
	n := uint64(c.hi - c.lo + 1)
	const coarse = 24 // leaves 32 bits of F
	return uint32(sum>>coarse*(tableTotal-n-2)>>(massBits+16-coarse)) + uint32(v-c.lo) + 1
}

// span returns the sums before and after v, or where v is outside the window those of
// the tail and how far out it is.
func (c *mixtureCode) span(v int32) (lo, hi uint32, outside int32) {
	switch {
	case v < c.lo:
		return 0, c.below(c.lo), c.lo - v
	case v > c.hi:
		return c.below(c.hi + 1), tableTotal, v - c.hi
	}
	return c.below(v), c.below(v + 1), 0
}

// Encode codes v.
func (m Mixture) Encode(e *arith.RangeEncoder, v int16) {
	c := m.code()
	lo, hi, outside := c.span(int32(v))
	e.EncodeSpan(lo, hi-lo, tableTotal)
	if outside > 0 {
		encodeEscape(e, uint32(outside-1), c.order)
	}
}

// Cost returns what coding v costs, in bits.
func (m Mixture) Cost(v int16) float64 {
	c := m.code()
	lo, hi, outside := c.span(int32(v))
	cost := tableLog - math.Log2(float64(hi-lo))
	if outside > 0 {
		cost += float64(escapeCost(uint32(outside-1), c.order))
	}
	return cost
}

// Decode returns the next value, for which m is what the encoder used. It returns
// [arith.ErrCorrupt] for input that no encoder wrote, if that shows.
func (m Mixture) Decode(d *arith.RangeDecoder) (int16, error) {
	c := m.code()
	at := d.DecodeValue(tableTotal)
	// Step away from the center, twice as far each time, until the value lies between
	// v and w, then halve.
	v, sum := c.center, c.below(c.center)
	var w int32
	var end uint32
	if sum <= at {
		for step := int32(1); ; step *= 2 {
			w = min(v+step, c.hi+1)
			if end = c.below(w); end > at {
				break
			}
			if v, sum = w, end; w == c.hi+1 {
				d.SkipSpan(end, tableTotal-end, tableTotal)
				n, ok := decodeEscape(d, c.order)
				return outsideValue(c.hi+1+int32(n), ok)
			}
		}
	} else {
		for step := int32(1); ; step *= 2 {
			w, end = v, sum
			v = max(w-step, c.lo)
			if sum = c.below(v); sum <= at {
				break
			}
			if v == c.lo {
				d.SkipSpan(0, sum, tableTotal)
				n, ok := decodeEscape(d, c.order)
				return outsideValue(c.lo-1-int32(n), ok)
			}
		}
	}
	for w-v > 1 {
		half := v + (w-v)/2
		if s := c.below(half); s <= at {
			v, sum = half, s
		} else {
			w, end = half, s
		}
	}
	d.SkipSpan(sum, end-sum, tableTotal)
	return int16(v), nil
}

func outsideValue(v int32, ok bool) (int16, error) {
	if !ok || v != int32(int16(v)) {
		return 0, arith.ErrCorrupt
	}
	return int16(v), nil
}

// table returns the table of the same frequencies.
func (m Mixture) table() (table, error) {
	if err := m.Check(); err != nil {
		return table{}, err
	}
	c := m.code()
	freq := make([]uint32, 0, c.hi-c.lo+3)
	last := uint32(0)
	for v := c.lo; v <= c.hi+1; v++ {
		s := c.below(v)
		freq = append(freq, s-last)
		last = s
	}
	return tableOf(int(c.lo), append(freq, tableTotal-last))
}
