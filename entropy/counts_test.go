package entropy

import (
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// peaked draws values that no family fits: of two Laplace distributions, one wide.
func peaked(r *rand.Rand, scale float64) int16 {
	if r.IntN(12) == 0 {
		scale *= 5
	}
	return int16(math.Round(scale * 0.7 * variate(Laplace, r)))
}

func peakedSource(o ScaleOptions, n int, seed uint64) latentSource {
	s := newLatentSource(o, n, 0, seed)
	r := rand.New(rand.NewPCG(seed, 9))
	for i := range s.q {
		s.q[i] = peaked(r, o.Scale(int(s.table[i])))
	}
	return s
}

// TestTablesFromCounts trains tables on one draw of values that the family does not fit
// and tries them on another: they must cost less than the family's, nearly as little as
// tables of the draw itself, and survive being written.
func TestTablesFromCounts(t *testing.T) {
	prior := scaleTables(t, nil)
	o, _ := prior.Scales()
	train, other := peakedSource(o, 200000, 1), peakedSource(o, 200000, 2)
	count := func(s latentSource) *Counts {
		c := NewCounts(o.Levels)
		c.Add(s.q, s.table)
		return c
	}
	make := func(c *Counts, p *Tables, weight uint32) *Tables {
		tab, err := NewTablesFromCounts(c, p, weight)
		if err != nil {
			t.Fatal(err)
		}
		return tab
	}
	family := prior.Cost(other.q, other.table)
	counted := make(count(train), prior, 30).Cost(other.q, other.table)
	alone := make(count(train), nil, 0).Cost(other.q, other.table)
	best := make(count(other), prior, 30).Cost(other.q, other.table)
	n := float64(len(other.q))
	t.Logf("bits a value: %.4f family, %.4f counted, %.4f without a prior, %.4f of its own counts", family/n, counted/n, alone/n, best/n)
	// Its own counts know each value: some 1600 frequencies gain half a bit each for every
	// doubling of what they were learnt from, 0.8 % here, and that again on the way back.
	if counted > 0.9*family || counted > 1.01*best || alone > 1.01*best {
		t.Error("counts do not help as they should")
	}
	for _, tab := range []*Tables{prior, make(count(train), prior, 30), make(count(train), nil, 0), make(NewCounts(256), nil, 0)} {
		b, err := tab.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		values := 0
		for i := range tab.tab {
			values += tab.tab[i].values()
		}
		t.Logf("%d tables of %d values in all: %d bytes", tab.Len(), values, len(b))
		back, rest, err := ReadTables(append(b, 1, 2, 3))
		if err != nil || !slices.Equal(rest, []byte{1, 2, 3}) {
			t.Fatal(err, rest)
		}
		for i := range tab.tab {
			if u, v := tab.tab[i], back.tab[i]; u.first != v.first || !slices.Equal(u.cum, v.cum) {
				t.Fatalf("table %d is another one", i)
			}
		}
		var third Tables
		if third.UnmarshalBinary(b) != nil || !errors.Is(third.UnmarshalBinary(append(b, 0)), ErrTables) {
			t.Error("UnmarshalBinary")
		}
		if again, err := back.MarshalBinary(); err != nil || !slices.Equal(again, b) {
			t.Errorf("written again, the tables are other bytes: %v", err)
		}
		for i := 0; i < len(b); i += 1 + i/9 {
			if _, _, err := ReadTables(b[:i]); err == nil && i < len(b)-4 {
				t.Fatalf("%d of %d bytes are read", i, len(b))
			}
		}
	}
}

// TestTablesFileGolden holds the bytes of tables, which trained models carry, to what
// they were when this was written.
func TestTablesFileGolden(t *testing.T) {
	prior := scaleTables(t, nil)
	o, _ := prior.Scales()
	c := NewCounts(o.Levels)
	for i := range 64 { // without package math
		for v := -50; v <= 50; v++ {
			for range 1000 / (1 + v*v*(70-i)/8) {
				c.Add([]int16{int16(v)}, []uint8{uint8(i)})
			}
		}
	}
	tab, err := NewTablesFromCounts(c, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := tab.MarshalBinary()
	if got := crc32.ChecksumIEEE(b); got != 0xe70d41b4 {
		t.Errorf("%d bytes, checksum %#08x", len(b), got)
	}
}

func TestCounts(t *testing.T) {
	c := NewCounts(2)
	for _, v := range []int16{0, 0, 3, -9, 100, -100, 101, -8191, 8191, 8192, -8192, math.MinInt16, math.MaxInt16} {
		c.AddChannels([]int16{v, 0})
	}
	u := c.tab[0]
	if u.of(0) != 2 || u.of(3) != 1 || u.of(-9) != 1 || u.of(100) != 1 || u.of(-100) != 1 || u.of(8191) != 1 || u.of(-8191) != 1 || u.above != 2 || u.below != 2 || u.of(5) != 0 {
		t.Error("wrong counts")
	}
	if c.tab[1].of(0) != 13 || len(c.tab[1].n) > 31 {
		t.Error("wrong counts of channel 1")
	}
	prior := scaleTables(t, nil)
	for _, err := range []error{
		second(NewTablesFromCounts(NewCounts(0), nil, 0)),
		second(NewTablesFromCounts(NewCounts(257), nil, 0)),
		second(NewTablesFromCounts(NewCounts(63), prior, 0)),
		second(NewTablesFromCounts(NewCounts(64), scaleTables(t, func(o *ScaleOptions) { o.Offsets = 2 }), 0)),
		second(NewFactorisedPrior(NewCounts(0))),
		second(NewFactorisedPrior(NewCounts(4097))),
		second(NewMixturePrior(nil)),
		second(NewMixturePrior([]Mixture{{}})),
	} {
		if !errors.Is(err, ErrTables) {
			t.Errorf("%v", err)
		}
	}
	skip := scaleTables(t, func(o *ScaleOptions) { o.Skip = 3 })
	full := NewCounts(64)
	full.Add([]int16{0, 5, 5, 0}, []uint8{0, 1, 3, 4})
	tab, err := NewTablesFromCounts(full, skip, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tab.Probability(1, 0) != 1<<16 || tab.Probability(1, 5) != 0 || tab.Probability(3, 5) < 65000 || tab.Probability(20, 1) != skip.Probability(20, 1) {
		t.Error("wrong tables")
	}
}

func second[T any](_ T, err error) error { return err }

func TestFactorisedPrior(t *testing.T) {
	const channels, n = 300, 400
	r := rand.New(rand.NewPCG(3, 3))
	draw := func() []int16 {
		q := make([]int16, n*channels)
		for i := range q {
			c := i % channels
			q[i] = int16(math.Round(float64(c%7) + (0.3+float64(c)/50)*r.NormFloat64()))
		}
		q[5], q[6] = math.MinInt16, math.MaxInt16
		return q
	}
	c := NewCounts(channels)
	for range 5 {
		c.AddChannels(draw())
	}
	counted, err := NewFactorisedPrior(c)
	if err != nil {
		t.Fatal(err)
	}
	mixtures := make([]Mixture, channels)
	for i := range mixtures {
		s := int32(math.Round(LogScaleUnit * math.Log(0.55*(0.3+float64(i)/50))))
		mixtures[i] = Mixture{Logistic, []Component{
			{int32(i%7) * MeanUnit, s, WeightOne / 2}, {int32(i%7)*MeanUnit + 9, s + 10, WeightOne / 2},
		}}
	}
	mixed, err := NewMixturePrior(mixtures)
	if err != nil {
		t.Fatal(err)
	}
	q := draw()
	for i, p := range []*FactorisedPrior{counted, mixed} {
		e := arith.NewRangeEncoder(nil)
		p.Encode(e, q)
		buf := e.Finish()
		bits := p.Cost(q)
		t.Logf("prior %d: %.4f bits a value", i, bits/float64(len(q)))
		if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.00001+32 {
			t.Errorf("prior %d: %v bits were written, %.1f expected", i, got, bits)
		}
		b, err := p.AppendBinary([]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		back, rest, err := ReadFactorisedPrior(b[1:])
		if err != nil || len(rest) != 0 || back.Channels() != channels {
			t.Fatal(err, rest)
		}
		t.Logf("prior %d: %d bytes", i, len(b)-1)
		got := make([]int16, len(q))
		if err := back.Decode(arith.NewRangeDecoder(buf), got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, q) {
			t.Fatal("wrong values")
		}
		if back.Decode(arith.NewRangeDecoder(buf), got[1:]) == nil {
			t.Error("decodes less than whole channels")
		}
		if back.Decode(arith.NewRangeDecoder(buf[:len(buf)/3]), got) == nil {
			t.Error("a third of a stream decodes")
		}
	}
}

func FuzzReadTables(f *testing.F) {
	prior := scaleTables(f, nil)
	o, _ := prior.Scales()
	train := peakedSource(o, 3000, 1)
	c := NewCounts(o.Levels)
	c.Add(train.q, train.table)
	for _, p := range []*Tables{prior, nil} {
		tab, err := NewTablesFromCounts(c, p, 10)
		if err != nil {
			f.Fatal(err)
		}
		b, _ := tab.MarshalBinary()
		f.Add(b)
		b, _ = prior.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tab, _, err := readTables(b, maxTableChannels)
		if err != nil {
			return
		}
		entries := 0
		for i := range tab.tab {
			entries += len(tab.tab[i].cum)
		}
		if entries > 2*maxEntries {
			t.Errorf("%d frequencies", entries)
		}
		again, err := tab.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := readTables(again, maxTableChannels); err != nil {
			t.Fatal(err)
		}
	})
}
