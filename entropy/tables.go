package entropy

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/burin-codec/burin/arith"
)

// ErrTables is the error of tables that cannot be made: of options or counts out of
// range, or of bytes that describe none.
var ErrTables = errors.New("entropy: unsuitable tables")

const (
	tableLog   = 16
	tableTotal = 1 << tableLog // sum of a table's frequencies

	maxTables  = 256     // that a byte can name
	maxWindow  = 1 << 14 // values of a table that need no escape
	maxEntries = 1 << 20 // values of all tables together
)

// A table is a distribution of all int16 values. Those of a window around its mean
// have frequencies of their own, at least 1 of 1<<16; those below and above share
// one each, which the distance from the window follows as an Exp-Golomb code.
//
// Where more than half of all values are 0, that is asked first, with a binary
// decision: it takes less time than a look-up, and the frequencies stay what they are.
type table struct {
	cum   []uint32 // below the window, its values in order, above: sums before each, and 1<<16
	first int32    // the window's first value, less one: what cum[0] would stand for
	order uint     // of the Exp-Golomb code

	// How it is coded.
	cdf     *arith.CDF // without 0 where that is asked first; nil if all values are 0
	nonzero uint32     // probability of a value other than 0; 0 if it is not asked first
}

// values returns the number of values in the window.
func (t *table) values() int { return len(t.cum) - 3 }

// newTable makes a table of the masses below the window, of its values and above,
// in any unit: none may be 0 nor their sum above 1<<32.
func newTable(first int, masses []uint32) (table, error) {
	c, err := arith.NewCDF(masses, tableTotal)
	if err != nil {
		return table{}, err
	}
	freq := make([]uint32, len(masses))
	for i := range freq {
		freq[i] = uint32(c.Freq(i))
	}
	return tableOf(first, freq)
}

// tableOf makes a table of frequencies, which sum to 1<<16 and are at least 1.
func tableOf(first int, freq []uint32) (table, error) {
	n := len(freq) - 2
	if n < 1 || n > maxWindow || first < math.MinInt16 || first+n-1 > math.MaxInt16 {
		return table{}, fmt.Errorf("%w: window of %d values from %d", ErrTables, n, first)
	}
	t := table{cum: make([]uint32, n+3), first: int32(first) - 1, order: uint(bits.Len(uint(n) >> 4))}
	for i, f := range freq {
		if f == 0 || f > tableTotal {
			return table{}, fmt.Errorf("%w: frequency %d", ErrTables, f)
		}
		t.cum[i+1] = t.cum[i] + f
	}
	if t.cum[n+2] != tableTotal {
		return table{}, fmt.Errorf("%w: frequencies sum to %d", ErrTables, t.cum[n+2])
	}
	if zero := 1 - first; zero > 0 && zero <= n && freq[zero] > tableTotal/2 {
		t.nonzero = tableTotal - freq[zero]
		rest := make([]uint32, n+2)
		copy(rest, freq)
		rest[zero] = 0
		freq = rest
	}
	var err error
	t.cdf, err = arith.CDFOf(freq)
	return t, err
}

// familyTable makes the table of a distribution. Its window has the values that take
// at least half a unit, and those next to the mean.
func familyTable(f Family, mean, scale float64) (table, error) {
	const unit = 1 << 30
	inverse := 1 / scale
	at := func(v float64) float64 { return float64((v - mean) * inverse) }
	mass := func(v int) float64 { return f.mass(at(float64(v)-0.5), at(float64(v)+0.5)) }
	lo, hi := -1, 1
	for lo > -maxWindow/2 && mass(lo-1) >= 0.5/tableTotal {
		lo--
	}
	for hi < maxWindow/2-1 && mass(hi+1) >= 0.5/tableTotal {
		hi++
	}
	masses := make([]uint32, 0, hi-lo+3)
	add := func(m float64) { masses = append(masses, max(1, uint32(float64(m*unit)))) }
	add(f.upper(-at(float64(lo) - 0.5)))
	for v := lo; v <= hi; v++ {
		add(mass(v))
	}
	add(f.upper(at(float64(hi) + 0.5)))
	return newTable(lo, masses)
}

// escapeBits is the most that an escape's distance may double from 1: it is below
// 1<<16, and an order at most 11.
const escapeBits = 16

func (t *table) encode(e *arith.RangeEncoder, v int32) {
	if t.nonzero != 0 {
		if v == 0 {
			e.Encode(0, t.nonzero)
			return
		}
		e.Encode(1, t.nonzero)
	}
	if t.cdf == nil {
		if v != 0 {
			panic("entropy: value other than 0 with a skipped table")
		}
		return
	}
	s := v - t.first
	last := int32(t.values() + 1)
	e.EncodeSymbol(t.cdf, int(min(max(s, 0), last)))
	switch {
	case s <= 0:
		encodeEscape(e, uint32(-s), t.order)
	case s >= last:
		encodeEscape(e, uint32(s-last), t.order)
	}
}

// decode returns a value, and whether the input may be good: an escape may lead
// nowhere.
func (t *table) decode(d *arith.RangeDecoder) (int32, bool) {
	if t.cdf == nil {
		return 0, true
	}
	s := int32(d.DecodeSymbol(t.cdf))
	last := int32(t.values() + 1)
	v, ok := t.first+s, true
	if s == 0 || s == last {
		var n uint32
		n, ok = decodeEscape(d, t.order)
		if s == 0 {
			v -= int32(n)
		} else {
			v += int32(n)
		}
		ok = ok && v >= math.MinInt16 && v <= math.MaxInt16
	}
	return v, ok
}

// encodeEscape codes a distance n, below 1<<16, with an Exp-Golomb code of order k.
func encodeEscape(e *arith.RangeEncoder, n uint32, k uint) {
	x := n + 1<<k
	size := uint(bits.Len32(x)) - 1
	for i := k; i < size; i++ {
		e.EncodeBits(1, 1)
	}
	e.EncodeBits(0, 1)
	e.EncodeBits(x, size)
}

func decodeEscape(d *arith.RangeDecoder, k uint) (n uint32, ok bool) {
	size := k
	for d.DecodeBits(1) == 1 {
		if size++; size > escapeBits {
			return 0, false
		}
	}
	return 1<<size | d.DecodeBits(size) - 1<<k, true
}

// escapeCost returns what [encodeEscape] takes, in bits.
func escapeCost(n uint32, k uint) int { return 2*bits.Len32(n+1<<k) - 1 - int(k) }

// cost returns what coding v costs, in bits.
func (t *table) cost(v int32) float64 {
	if t.cdf == nil {
		if v != 0 {
			return math.Inf(1)
		}
		return 0
	}
	s := v - t.first
	last := int32(t.values() + 1)
	i := min(max(s, 0), last)
	c := tableLog - math.Log2(float64(t.cum[i+1]-t.cum[i]))
	switch {
	case s <= 0:
		c += float64(escapeCost(uint32(-s), t.order))
	case s >= last:
		c += float64(escapeCost(uint32(s-last), t.order))
	}
	return c
}

// ScaleOptions describes the tables of one family for scales that grow evenly in the
// logarithm. Gaussian values whose scale is rounded to the nearest of 64 from 0.11 to 256
// take 0.05 % more bits than with scales of their own; with 32 that is 0.2 %, with 256
// 0.004 %.
type ScaleOptions struct {
	Family Family

	// Levels is the number of scales, from 2 to 256. Scale 0 is Min and the last one
	// Max, in steps of the quantiser; 0.01 <= Min < Max <= 1024.
	Levels   int
	Min, Max float64

	// Offsets is how many tables each scale has, for means that differ by 1/Offsets: 1,
	// 2, 4, 8 or 16. One will do where the mean is subtracted before rounding, so that
	// what is coded has mean 0: learned codecs do so.
	Offsets int

	// Skip is the number of scales, from the smallest, whose values are all 0 and not
	// coded: whoever quantises must see to that, see [Tables.ZeroSkipped]. It makes
	// coding faster where a model is sure.
	Skip int
}

// DefaultScaleOptions returns Gaussian tables of 64 scales from 0.11 to 256 for values
// of mean 0, none skipped: the scales of Ballé et al., "Variational image compression
// with a scale hyperprior", 2018.
func DefaultScaleOptions() ScaleOptions {
	return ScaleOptions{Family: Gaussian, Levels: 64, Min: 0.11, Max: 256, Offsets: 1}
}

func (o *ScaleOptions) check() error {
	switch {
	case o.Family >= families:
		return fmt.Errorf("%w: no family %d", ErrTables, o.Family)
	case o.Levels < 2 || o.Levels > maxTables:
		return fmt.Errorf("%w: %d scales, want 2 to %d", ErrTables, o.Levels, maxTables)
	case !(o.Min >= 0.01 && o.Min < o.Max && o.Max <= 1024):
		return fmt.Errorf("%w: scales from %v to %v, want 0.01 <= Min < Max <= 1024", ErrTables, o.Min, o.Max)
	case o.Offsets < 1 || o.Offsets > 16 || o.Offsets&(o.Offsets-1) != 0:
		return fmt.Errorf("%w: %d offsets, want 1, 2, 4, 8 or 16", ErrTables, o.Offsets)
	case o.Skip < 0 || o.Skip >= o.Levels:
		return fmt.Errorf("%w: %d of %d scales skipped", ErrTables, o.Skip, o.Levels)
	}
	return nil
}

// Scale returns the scale of a level, the same bits on every machine.
func (o *ScaleOptions) Scale(level int) float64 { return expOf(o.logScale(level)) }

func (o *ScaleOptions) logScale(level int) float64 {
	lo, hi := logOf(o.Min), logOf(o.Max)
	return lo + float64((hi-lo)*float64(level))/float64(o.Levels-1)
}

// Level returns the level whose scale is nearest in the logarithm. It is the same on
// every machine, but decoders do better with networks that give integers.
func (o *ScaleOptions) Level(scale float64) uint8 {
	if !(scale > o.Min) {
		return 0
	}
	if scale >= o.Max {
		return uint8(o.Levels - 1)
	}
	lo, hi := logOf(o.Min), logOf(o.Max)
	return uint8(float64((logOf(scale)-lo)*float64(o.Levels-1))/(hi-lo) + 0.5)
}

// MeanUnit is how many units a mean has in 1.
const MeanUnit = 256

// Tables codes integers, each with the table of a number from 0 up. They are
// read-only and may be shared between goroutines.
//
// A stream costs what [Tables.Cost] says, but for the coder's last bytes.
type Tables struct {
	tab     []table // by number, then offset
	offsets int
	base    *ScaleOptions // nil if the tables come of nothing but counts
	counted []bool        // by number: from counts; nil if none are

	costs func() [][]float32 // by table and symbol, without the distances of escapes
}

// NewScaleTables makes the tables that o describes; nil means [DefaultScaleOptions].
// It returns [ErrTables] if o is out of range or needs too much memory.
func NewScaleTables(o *ScaleOptions) (*Tables, error) {
	base := DefaultScaleOptions()
	if o != nil {
		base = *o
	}
	if err := base.check(); err != nil {
		return nil, err
	}
	tab := make([]table, 0, base.Levels*base.Offsets)
	entries := 0
	for level := range base.Levels {
		scale := base.Scale(level)
		for i := range base.Offsets {
			t := table{}
			if level >= base.Skip {
				var err error
				mean := float64(i-base.Offsets/2) / float64(base.Offsets)
				if t, err = familyTable(base.Family, mean, scale); err != nil {
					return nil, err
				}
				if entries += len(t.cum); entries > maxEntries {
					return nil, fmt.Errorf("%w: more than %d frequencies", ErrTables, maxEntries)
				}
			}
			tab = append(tab, t)
		}
	}
	return newTables(tab, base.Offsets, &base, nil), nil
}

func newTables(tab []table, offsets int, base *ScaleOptions, counted []bool) *Tables {
	t := &Tables{tab: tab, offsets: offsets, base: base, counted: counted}
	t.costs = sync.OnceValue(func() [][]float32 {
		all := make([][]float32, len(tab))
		for i := range tab {
			if u := &tab[i]; u.cdf != nil {
				all[i] = make([]float32, len(u.cum)-1)
				for s := range all[i] {
					all[i][s] = float32(tableLog - math.Log2(float64(u.cum[s+1]-u.cum[s])))
				}
			}
		}
		return all
	})
	return t
}

// Len returns how many tables can be named.
func (t *Tables) Len() int { return len(t.tab) / t.offsets }

// Scales returns the options that the tables were made of, and whether there are any.
func (t *Tables) Scales() (ScaleOptions, bool) {
	if t.base == nil {
		return ScaleOptions{}, false
	}
	return *t.base, true
}

// Probability returns the probability of v with a table, times 1<<16: 0 if v is
// outside the table's window, where [Tables.Cost] tells what it takes.
func (t *Tables) Probability(table uint8, v int16) int {
	u := t.zeroMean(table)
	if u.cdf == nil {
		if v == 0 {
			return tableTotal
		}
		return 0
	}
	s := int(int32(v) - u.first)
	if s <= 0 || s > u.values() {
		return 0
	}
	return int(u.cum[s+1] - u.cum[s])
}

// zeroMean returns the table of mean 0.
func (t *Tables) zeroMean(table uint8) *table {
	return &t.tab[int(table)*t.offsets+t.offsets/2]
}

// ZeroSkipped sets to 0 every value of q whose table is skipped. An encoder calls it
// after quantising; [EncodeLatent] does.
func (t *Tables) ZeroSkipped(q []int16, table []uint8) {
	if t.base != nil && t.base.Skip == 0 {
		return
	}
	table = table[:len(q)]
	for i := range q {
		if t.zeroMean(table[i]).cdf == nil {
			q[i] = 0
		}
	}
}

// Encode codes the integers q, q[i] with the table numbered table[i], with mean 0.
// It panics if there is no such table, or if a value is not 0 and its table skipped.
func (t *Tables) Encode(e *arith.RangeEncoder, q []int16, table []uint8) {
	table = table[:len(q)]
	for i, v := range q {
		t.zeroMean(table[i]).encode(e, int32(v))
	}
}

// checkEvery is the number of values after which a decoder looks at whether its input
// has ended.
const checkEvery = 1 << 14

// Decode decodes len(q) integers that [Tables.Encode] coded. It returns
// [arith.ErrTruncated] or [arith.ErrCorrupt] for input that no encoder wrote, as far
// as that shows, and [ErrTables] if there is no table of a number given.
func (t *Tables) Decode(d *arith.RangeDecoder, q []int16, table []uint8) error {
	for len(q) > checkEvery {
		if err := t.decode(d, q[:checkEvery], table[:checkEvery]); err != nil {
			return err
		}
		q, table = q[checkEvery:], table[checkEvery:]
	}
	return t.decode(d, q, table)
}

func (t *Tables) decode(d *arith.RangeDecoder, q []int16, table []uint8) error {
	table = table[:len(q)]
	tabs, offsets := t.tab, t.offsets
	for i := range q {
		n := int(table[i])*offsets + offsets>>1
		if n >= len(tabs) {
			return fmt.Errorf("%w: no table %d", ErrTables, table[i])
		}
		u := &tabs[n]
		if u.nonzero != 0 && d.BinaryDecoder.Decode(u.nonzero) == 0 {
			q[i] = 0
			continue
		}
		v, ok := u.decode(d)
		if !ok {
			return arith.ErrCorrupt
		}
		q[i] = int16(v)
	}
	return d.Err()
}

// Cost returns what coding q costs, in bits. A value other than 0 with a skipped
// table costs infinity. It panics if there is no table of a number given.
func (t *Tables) Cost(q []int16, table []uint8) float64 {
	table = table[:len(q)]
	costs := t.costs()
	sum, outside := 0.0, 0
	for i, v := range q {
		n := int(table[i])*t.offsets + t.offsets/2
		c, u := costs[n], &t.tab[n]
		if s := int(int32(v) - u.first); uint(s-1) < uint(len(c)-2) {
			sum += float64(c[s])
		} else if len(c) == 0 {
			sum += u.cost(int32(v))
		} else {
			edge := max(min(s, len(c)-1), 0)
			sum += float64(c[edge])
			outside += escapeCost(uint32(max(edge-s, s-edge)), u.order)
		}
	}
	return sum + float64(outside)
}

// offset splits a mean, in units of 1/MeanUnit, into an integer and the table of the
// offset nearest to the rest.
func (t *Tables) offset(table uint8, mean int32) (whole int32, n int) {
	steps := int32(t.offsets)
	m := (int64(mean)*int64(steps) + MeanUnit/2) >> 8 // in 1/steps
	m += int64(steps / 2)
	log := uint(bits.Len32(uint32(steps)) - 1)
	return int32(m >> log), int(table)*t.offsets + int(m&int64(steps-1))
}

// EncodeMeans is [Tables.Encode] for distributions of means other than 0: mean[i] in
// units of 1/[MeanUnit], rounded to 1/Offsets. The distance from the mean must be an
// int16; EncodeMeans panics if it is not.
func (t *Tables) EncodeMeans(e *arith.RangeEncoder, q []int16, table []uint8, mean []int32) {
	table, mean = table[:len(q)], mean[:len(q)]
	for i, v := range q {
		m, n := t.offset(table[i], mean[i])
		r := int32(v) - m
		if r != int32(int16(r)) {
			panic("entropy: value too far from its mean")
		}
		t.tab[n].encode(e, r)
	}
}

// DecodeMeans is [Tables.Decode] for what [Tables.EncodeMeans] coded.
func (t *Tables) DecodeMeans(d *arith.RangeDecoder, q []int16, table []uint8, mean []int32) error {
	table, mean = table[:len(q)], mean[:len(q)]
	for i := range q {
		m, n := t.offset(table[i], mean[i])
		if n >= len(t.tab) {
			return fmt.Errorf("%w: no table %d", ErrTables, table[i])
		}
		u := &t.tab[n]
		v, ok := int32(0), true
		if u.nonzero == 0 || d.BinaryDecoder.Decode(u.nonzero) != 0 {
			v, ok = u.decode(d)
		}
		v += m
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

// CostMeans returns what [Tables.EncodeMeans] costs, in bits.
func (t *Tables) CostMeans(q []int16, table []uint8, mean []int32) float64 {
	table, mean = table[:len(q)], mean[:len(q)]
	sum := 0.0
	for i, v := range q {
		m, n := t.offset(table[i], mean[i])
		sum += t.tab[n].cost(int32(v) - m)
	}
	return sum
}
