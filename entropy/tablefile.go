package entropy

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// Tables as bytes, version 1:
//
//	bits  8  version
//	      1  whether options follow
//	         options: family 8, levels-1 8, Min and Max 64 each (IEEE 754),
//	         log2 Offsets 3, Skip 8
//	         no options: number of tables, Exp-Golomb of order 4
//	      1  whether some tables come of counts
//	         if so and there are options, 1 for each table: whether it does
//	     32  length of the stream that follows, in bytes, if some do
//
// The stream codes each counted table: the window's first value and its length, then
// the frequencies in order, all but the last by their difference from a guess: that of
// the opposite value, if it came before, and else the last one. Differences are
// Exp-Golomb codes of adaptive bits.

const tablesVersion = 1

// maxTableChannels is the largest number of tables of a FactorisedPrior.
const maxTableChannels = 1 << 12

// AppendBinary appends the tables to b. They take some ten bytes without counts, and
// about a byte for each value in the window of a table with some.
func (t *Tables) AppendBinary(b []byte) ([]byte, error) {
	var head bytes.Buffer
	w := arith.NewHeaderWriter(&head)
	w.Bits(tablesVersion, 8)
	w.Bool(t.base != nil)
	if o := t.base; o != nil {
		w.Bits(uint64(o.Family), 8)
		w.Bits(uint64(o.Levels-1), 8)
		w.Bits(math.Float64bits(o.Min), 64)
		w.Bits(math.Float64bits(o.Max), 64)
		w.Bits(uint64(bits.Len(uint(o.Offsets))-1), 3)
		w.Bits(uint64(o.Skip), 8)
	} else {
		w.ExpGolomb(uint64(len(t.tab)), 4)
	}
	w.Bool(t.counted != nil)
	var stream []byte
	if t.counted != nil {
		e := arith.NewRangeEncoder(nil)
		var m tableModel
		for i, counted := range t.counted {
			if t.base != nil {
				w.Bool(counted)
			}
			if counted {
				m.encode(e, &t.tab[i])
			}
		}
		stream = e.Finish()
		w.Bits(uint64(len(stream)), 32)
	}
	if err := w.Close(); err != nil {
		return b, err
	}
	return append(append(b, head.Bytes()...), stream...), nil
}

// MarshalBinary returns the tables as bytes, for [ReadTables].
func (t *Tables) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// ReadTables makes the tables that [Tables.AppendBinary] wrote at the beginning of b,
// and returns what follows them. It returns [ErrTables] or an error of arith for bytes
// that are no tables. Whatever the bytes, tables take at most some 20 MB.
func ReadTables(b []byte) (t *Tables, rest []byte, err error) {
	return readTables(b, maxTables)
}

func readTables(b []byte, most int) (*Tables, []byte, error) {
	in := bytes.NewReader(b)
	r := arith.NewHeaderReader(in)
	if v := r.Bits(8); r.Err() == nil && v != tablesVersion {
		return nil, b, fmt.Errorf("%w: version %d", ErrTables, v)
	}
	t := newTables(nil, 1, nil, nil)
	n := 0
	hasBase := r.Bool()
	if hasBase {
		o := ScaleOptions{Family: Family(r.Bits(8)), Levels: int(r.Bits(8)) + 1}
		o.Min = math.Float64frombits(r.Bits(64))
		o.Max = math.Float64frombits(r.Bits(64))
		o.Offsets = 1 << r.Bits(3)
		o.Skip = int(r.Bits(8))
		if err := r.Err(); err != nil {
			return nil, b, err
		}
		var err error
		if t, err = NewScaleTables(&o); err != nil {
			return nil, b, err
		}
		n = o.Levels
	} else {
		n = int(r.ExpGolomb(4, uint64(most)))
	}
	hasCounted := r.Bool()
	if err := r.Err(); err != nil {
		return nil, b, err
	}
	if n < 1 || !hasCounted && !hasBase {
		return nil, b, fmt.Errorf("%w: there are none", ErrTables)
	}
	if hasCounted && t.offsets != 1 {
		return nil, b, fmt.Errorf("%w: counted, of %d offsets", ErrTables, t.offsets)
	}
	if !hasCounted {
		r.Align()
		return t, b[len(b)-in.Len():], r.Err()
	}
	counted := make([]bool, n)
	for i := range counted {
		counted[i] = !hasBase || r.Bool()
	}
	size := r.Bits(32)
	if err := r.Err(); err != nil {
		return nil, b, err
	}
	r.Align()
	b = b[len(b)-in.Len():]
	if size > uint64(len(b)) {
		return nil, b, io.ErrUnexpectedEOF
	}
	d := arith.NewRangeDecoder(b[:size])
	tab := make([]table, n)
	copy(tab, t.tab)
	var m tableModel
	entries := 0
	for i := range tab {
		if !counted[i] {
			continue
		}
		var err error
		if tab[i], err = m.decode(d); err != nil {
			return nil, b, err
		}
		if entries += len(tab[i].cum); entries > maxEntries {
			return nil, b, fmt.Errorf("%w: more than %d frequencies", ErrTables, maxEntries)
		}
	}
	return newTables(tab, 1, t.base, counted), b[size:], d.Err()
}

// UnmarshalBinary makes t the tables that b holds and nothing else. See [ReadTables].
func (t *Tables) UnmarshalBinary(b []byte) error {
	u, rest, err := ReadTables(b)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes left over", ErrTables, len(rest))
	}
	*t = *u
	return nil
}

// A tableModel codes the numbers of tables: a small integer's sign and, by the size
// of the number before it, its size, and its highest bit below that.
type tableModel struct {
	size [sizeContexts][maxSize + 1]arith.AdaptiveBit
	sign [2]arith.AdaptiveBit
	high [maxSize + 1]arith.AdaptiveBit
	last uint // size of the number before
	side int  // its sign
}

const (
	maxSize      = 17 // of a number, in bits
	sizeContexts = maxSize + 1
)

func (m *tableModel) put(e *arith.RangeEncoder, v int32) {
	code := func(a *arith.AdaptiveBit, bit int) {
		e.Encode(bit, a.P())
		a.Update(bit)
	}
	u := uint32(max(v, -v))
	size := uint(bits.Len32(u))
	for i := range size {
		code(&m.size[m.last][i], 1)
	}
	if size < maxSize {
		code(&m.size[m.last][size], 0)
	}
	m.last = size
	if size == 0 {
		return
	}
	side := 0
	if v < 0 {
		side = 1
	}
	code(&m.sign[m.side], side)
	m.side = side
	if size > 1 {
		code(&m.high[size], int(u>>(size-2)&1))
		if size > 2 {
			e.EncodeBits(u, size-2)
		}
	}
}

func (m *tableModel) get(d *arith.RangeDecoder) int32 {
	code := func(a *arith.AdaptiveBit) uint32 {
		bit := d.Decode(a.P())
		a.Update(bit)
		return uint32(bit)
	}
	size := uint(0)
	for size < maxSize && code(&m.size[m.last][size]) == 1 {
		size++
	}
	m.last = size
	if size == 0 {
		return 0
	}
	m.side = int(code(&m.sign[m.side]))
	u := uint32(1)
	if size > 1 {
		u = 2 | code(&m.high[size])
		if size > 2 {
			u = u<<(size-2) | d.DecodeBits(size-2)
		}
	}
	if m.side == 1 {
		return -int32(u)
	}
	return int32(u)
}

// guess returns what frequency i is guessed to be from those before it, where the
// value 0 has frequency zero, if that is in the window at all.
func guess(freq []uint32, i, zero int) int32 {
	if mirror := 2*zero - i; i > zero && mirror >= 0 {
		return int32(freq[mirror])
	}
	if i == 0 {
		return 1
	}
	return int32(freq[i-1])
}

func (m *tableModel) encode(e *arith.RangeEncoder, t *table) {
	n := t.values() + 2
	m.put(e, t.first)
	m.put(e, int32(n))
	freq := make([]uint32, n)
	for i := range freq {
		freq[i] = t.cum[i+1] - t.cum[i]
		if i < n-1 {
			m.put(e, int32(freq[i])-guess(freq, i, -int(t.first)))
		}
	}
}

func (m *tableModel) decode(d *arith.RangeDecoder) (table, error) {
	first := m.get(d)
	n := m.get(d)
	if n < 3 || n > maxWindow+2 {
		return table{}, fmt.Errorf("%w: window of %d values", ErrTables, n-2)
	}
	freq := make([]uint32, n)
	left := int32(tableTotal)
	for i := range freq[:n-1] {
		f := guess(freq, i, -int(first)) + m.get(d)
		left -= f
		if f < 1 || left < 1 {
			return table{}, fmt.Errorf("%w: frequencies out of range", ErrTables)
		}
		freq[i] = uint32(f)
		if i%1024 == 0 {
			if err := d.Err(); err != nil {
				return table{}, err
			}
		}
	}
	freq[n-1] = uint32(left)
	return tableOf(int(first)+1, freq)
}

// A FactorisedPrior codes the elements of an array whose last axis is channels, each
// with its channel's table: the model of what nothing else is known about, such as the
// hyperlatents of a learned codec (Ballé et al., "End-to-end optimized image
// compression", 2017). It is read-only and may be shared.
type FactorisedPrior struct {
	tables *Tables
}

// NewFactorisedPrior makes a prior of how often each channel's values were seen, see
// [Counts.AddChannels]. Every value of a window and both tails are taken for seen once
// more. It returns [ErrTables] if c has no channels or more than 4096.
func NewFactorisedPrior(c *Counts) (*FactorisedPrior, error) {
	if n := c.Len(); n < 1 || n > maxTableChannels {
		return nil, fmt.Errorf("%w: %d channels, want 1 to %d", ErrTables, n, maxTableChannels)
	}
	t, err := tablesFromCounts(c, nil, 0)
	if err != nil {
		return nil, err
	}
	return &FactorisedPrior{t}, nil
}

// NewMixturePrior makes a prior of a mixture for each channel. It returns [ErrTables]
// if one is not fit to code with, or if there are none or more than 4096.
func NewMixturePrior(channels []Mixture) (*FactorisedPrior, error) {
	if n := len(channels); n < 1 || n > maxTableChannels {
		return nil, fmt.Errorf("%w: %d channels, want 1 to %d", ErrTables, n, maxTableChannels)
	}
	tab := make([]table, len(channels))
	counted := make([]bool, len(channels))
	entries := 0
	for i := range tab {
		var err error
		if tab[i], err = channels[i].table(); err != nil {
			return nil, fmt.Errorf("channel %d: %w", i, err)
		}
		if entries += len(tab[i].cum); entries > maxEntries {
			return nil, fmt.Errorf("%w: more than %d frequencies", ErrTables, maxEntries)
		}
		counted[i] = true
	}
	return &FactorisedPrior{newTables(tab, 1, nil, counted)}, nil
}

// Channels returns the number of channels.
func (p *FactorisedPrior) Channels() int { return len(p.tables.tab) }

// Encode codes q, of shape [...][Channels()].
func (p *FactorisedPrior) Encode(e *arith.RangeEncoder, q []int16) {
	for len(q) > 0 {
		for i := range p.tables.tab {
			p.tables.tab[i].encode(e, int32(q[i]))
		}
		q = q[len(p.tables.tab):]
	}
}

// Decode decodes q, of shape [...][Channels()]. It returns [arith.ErrTruncated] or
// [arith.ErrCorrupt] for input that no encoder wrote, as far as that shows.
func (p *FactorisedPrior) Decode(d *arith.RangeDecoder, q []int16) error {
	if len(q)%p.Channels() != 0 {
		return fmt.Errorf("entropy: %d values of %d channels", len(q), p.Channels())
	}
	for n := 0; len(q) > 0; n += p.Channels() {
		for i := range p.tables.tab {
			u := &p.tables.tab[i]
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
		q = q[p.Channels():]
		if n >= checkEvery {
			n = 0
			if err := d.Err(); err != nil {
				return err
			}
		}
	}
	return d.Err()
}

// Cost returns what coding q, of shape [...][Channels()], costs, in bits.
func (p *FactorisedPrior) Cost(q []int16) float64 {
	sum := 0.0
	for len(q) > 0 {
		for i := range p.tables.tab {
			sum += p.tables.tab[i].cost(int32(q[i]))
		}
		q = q[len(p.tables.tab):]
	}
	return sum
}

// AppendBinary appends the prior to b, for [ReadFactorisedPrior].
func (p *FactorisedPrior) AppendBinary(b []byte) ([]byte, error) { return p.tables.AppendBinary(b) }

// ReadFactorisedPrior makes the prior that [FactorisedPrior.AppendBinary] wrote at the
// beginning of b, and returns what follows it, within the limits of [ReadTables].
func ReadFactorisedPrior(b []byte) (p *FactorisedPrior, rest []byte, err error) {
	t, rest, err := readTables(b, maxTableChannels)
	if err != nil {
		return nil, rest, err
	}
	if t.offsets != 1 {
		return nil, b, fmt.Errorf("%w: a prior of %d offsets", ErrTables, t.offsets)
	}
	return &FactorisedPrior{t}, rest, nil
}
