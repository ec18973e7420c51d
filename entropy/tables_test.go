package entropy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// tailOf is the upper tail as package math has it.
func tailOf(f Family, x float64) float64 {
	switch f {
	case Gaussian:
		return math.Erfc(x/math.Sqrt2) / 2
	case Laplace:
		return math.Exp(-x) / 2
	}
	return 1 / (1 + math.Exp(x))
}

func TestFamilyTails(t *testing.T) {
	for f := range families {
		worst := 0.0
		for x := 0.0; x < 20; x += 1.0 / 256 {
			got, want := f.upper(x), tailOf(f, x)
			worst = max(worst, math.Abs(got/want-1))
		}
		if worst > 1e-11 {
			t.Errorf("%v: the tail is off by %.2g of its value", f, worst)
		}
		t.Logf("%v: relative error %.2g", f, worst)
		if far := f.upper(1e300); far != 0 {
			t.Errorf("%v: mass %v above 1e300", f, far)
		}
	}
	for x := 1e-4; x < 1e4; x *= 1.013 {
		if got, want := logOf(x), math.Log(x); math.Abs(got-want) > 1e-14+1e-15*math.Abs(want) {
			t.Fatalf("ln %v = %v, want %v", x, got, want)
		}
		if got := expOf(logOf(x)); math.Abs(got/x-1) > 1e-12 {
			t.Fatalf("exp(ln %v) = %v", x, got)
		}
	}
}

func scaleTables(t testing.TB, change func(o *ScaleOptions)) *Tables {
	o := DefaultScaleOptions()
	if change != nil {
		change(&o)
	}
	tab, err := NewScaleTables(&o)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// TestScaleTables compares every table with the distribution: what values of the
// distribution cost on average may exceed its entropy by little only. What is lost are
// frequencies of at least 1, and the ends.
func TestScaleTables(t *testing.T) {
	for f := range families {
		tab := scaleTables(t, func(o *ScaleOptions) { o.Family, o.Offsets = f, 4 })
		o, _ := tab.Scales()
		worst := 0.0
		for i, u := range tab.tab {
			scale := math.Exp(math.Log(o.Min) + math.Log(o.Max/o.Min)*float64(i/4)/float64(o.Levels-1))
			mean := float64(i%4-2) / 4
			if u.cum[0] != 0 || u.cum[len(u.cum)-1] != tableTotal || !slices.IsSorted(u.cum) {
				t.Fatalf("%v, table %d: bad sums", f, i)
			}
			cross, entropy := 0.0, 0.0
			for v := -3000; v <= 3000; v++ {
				lo, hi := (float64(v)-0.5-mean)/scale, (float64(v)+0.5-mean)/scale
				p := tailOf(f, lo) - tailOf(f, hi)
				if lo < 0 {
					p = tailOf(f, -hi) - tailOf(f, -lo)
				}
				if lo < 0 && hi > 0 {
					p = 1 - tailOf(f, -lo) - tailOf(f, hi)
				}
				if p > 0 {
					cross += p * u.cost(int32(v))
					entropy -= p * math.Log2(p)
				}
			}
			excess := cross - entropy
			worst = max(worst, excess)
			if excess > 1e-3+0.002*entropy {
				t.Errorf("%v, scale %.4f, mean %v: %.5f bits, the entropy is %.5f", f, scale, mean, cross, entropy)
			}
		}
		t.Logf("%v: at most %.5f bits above the entropy", f, worst)
	}
}

// TestTablesGolden holds the tables to one value for all machines.
func TestTablesGolden(t *testing.T) {
	want := [families]uint32{0xa747fc79, 0x40c2d8dc, 0xec1a89d9}
	for f := range families {
		h := crc32.NewIEEE()
		for _, offsets := range []int{1, 4} {
			tab := scaleTables(t, func(o *ScaleOptions) { o.Family, o.Offsets = f, offsets })
			for _, u := range tab.tab {
				binary.Write(h, binary.LittleEndian, u.first)
				binary.Write(h, binary.LittleEndian, u.cum)
			}
		}
		if got := h.Sum32(); got != want[f] {
			t.Errorf("%v: the tables' checksum is %#08x", f, got)
		}
	}
}

// A latentSource draws values whose scale changes slowly, as the latents of pictures do.
type latentSource struct {
	q     []int16
	table []uint8
	mean  []int32
}

// newLatentSource draws n values for scales of o. quiet moves the scales down: 0 gives
// some 1.2 bits a value, 10 some 0.2.
func newLatentSource(o ScaleOptions, n int, quiet float64, seed uint64) latentSource {
	r := rand.New(rand.NewPCG(seed, 1))
	s := latentSource{make([]int16, n), make([]uint8, n), make([]int32, n)}
	level := 10.0
	for i := range n {
		if i%64 == 0 {
			level = 24*r.Float64() - quiet
		}
		level = min(max(level+0.6*r.NormFloat64(), 0), float64(o.Levels-1))
		s.table[i] = uint8(level)
		s.mean[i] = int32(r.NormFloat64() * 3 * MeanUnit)
		s.q[i] = int16(math.Round(o.Scale(int(s.table[i])) * variate(o.Family, r)))
	}
	return s
}

// variate draws from a family with scale 1.
func variate(f Family, r *rand.Rand) float64 {
	switch f {
	case Laplace:
		return r.ExpFloat64() * float64(1-2*r.IntN(2))
	case Logistic:
		u := r.Float64()
		return math.Log((u + 1e-12) / (1 - u + 1e-12))
	}
	return r.NormFloat64()
}

func TestTablesRoundTrip(t *testing.T) {
	for _, skip := range []int{0, 9} {
		for f := range families {
			tab := scaleTables(t, func(o *ScaleOptions) { o.Family, o.Skip, o.Offsets = f, skip, 4 })
			o, _ := tab.Scales()
			s := newLatentSource(o, 40000, 2, 1)
			r := rand.New(rand.NewPCG(7, 7))
			for i := 0; i < len(s.q); i += 97 {
				s.q[i] = int16(r.IntN(1<<16) - 1<<15) // far outside
				s.table[i] = uint8(r.IntN(o.Levels))
			}
			s.q[0], s.q[1] = math.MinInt16, math.MaxInt16
			tab.ZeroSkipped(s.q, s.table)

			e := arith.NewRangeEncoder(nil)
			tab.Encode(e, s.q, s.table)
			buf := e.Finish()
			if bits, got := tab.Cost(s.q, s.table), float64(8*len(buf)); got < bits-16 || got > bits*1.00001+32 {
				t.Errorf("%v: %v bits were written, %.1f expected", f, got, bits)
			}
			got := make([]int16, len(s.q))
			if err := tab.Decode(arith.NewRangeDecoder(buf), got, s.table); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, s.q) {
				t.Fatalf("%v: wrong values", f)
			}
			if err := tab.Decode(arith.NewRangeDecoder(buf[:len(buf)/2]), got, s.table); err == nil {
				t.Errorf("%v: half a stream decodes", f)
			}
			s.table[777] = 64
			if err := tab.Decode(arith.NewRangeDecoder(buf), got, s.table); !errors.Is(err, ErrTables) {
				t.Errorf("%v: table 64 of 64: %v", f, err)
			}
		}
	}
}

func TestTablesMeans(t *testing.T) {
	const n = 60000
	one := scaleTables(t, nil)
	var last float64
	for _, offsets := range []int{1, 2, 4, 16} {
		tab := scaleTables(t, func(o *ScaleOptions) { o.Offsets = offsets })
		o, _ := one.Scales()
		r := rand.New(rand.NewPCG(5, 5))
		q, table, mean := make([]int16, n), make([]uint8, n), make([]int32, n)
		for i := range q {
			table[i] = uint8(8 + r.IntN(20))
			mean[i] = int32(r.NormFloat64() * 10 * MeanUnit)
			q[i] = int16(math.Round(float64(mean[i])/MeanUnit + o.Scale(int(table[i]))*r.NormFloat64()))
		}
		e := arith.NewRangeEncoder(nil)
		tab.EncodeMeans(e, q, table, mean)
		buf := e.Finish()
		bits := tab.CostMeans(q, table, mean)
		if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.00001+32 {
			t.Errorf("%d offsets: %v bits were written, %.1f expected", offsets, got, bits)
		}
		got := make([]int16, n)
		if err := tab.DecodeMeans(arith.NewRangeDecoder(buf), got, table, mean); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, q) {
			t.Fatalf("%d offsets: wrong values", offsets)
		}
		t.Logf("%d offsets: %.4f bits a value", offsets, bits/n)
		if last != 0 && bits > last {
			t.Errorf("%d offsets take more bits than fewer", offsets)
		}
		last = bits
	}
}

func TestScaleOptions(t *testing.T) {
	for i, change := range []func(o *ScaleOptions){
		func(o *ScaleOptions) { *o = ScaleOptions{} },
		func(o *ScaleOptions) { o.Family = families },
		func(o *ScaleOptions) { o.Levels = 1 },
		func(o *ScaleOptions) { o.Levels = 257 },
		func(o *ScaleOptions) { o.Min = 0 },
		func(o *ScaleOptions) { o.Min = math.NaN() },
		func(o *ScaleOptions) { o.Max = math.NaN() },
		func(o *ScaleOptions) { o.Max = o.Min },
		func(o *ScaleOptions) { o.Max = 1e9 },
		func(o *ScaleOptions) { o.Offsets = 3 },
		func(o *ScaleOptions) { o.Offsets = 0 },
		func(o *ScaleOptions) { o.Skip = -1 },
		func(o *ScaleOptions) { o.Skip = 64 },
		func(o *ScaleOptions) { o.Levels, o.Min, o.Max, o.Offsets = 256, 900, 1000, 16 },
	} {
		o := DefaultScaleOptions()
		change(&o)
		if _, err := NewScaleTables(&o); !errors.Is(err, ErrTables) {
			t.Errorf("case %d: %+v: %v", i, o, err)
		}
	}
	o := DefaultScaleOptions()
	for i := range o.Levels {
		if got := o.Level(o.Scale(i) * 1.01); int(got) != i {
			t.Errorf("scale %v has level %d, want %d", o.Scale(i), got, i)
		}
	}
	if o.Level(math.NaN()) != 0 || o.Level(math.Inf(1)) != 63 {
		t.Error("levels of NaN and infinity")
	}
}

func FuzzTablesDecode(f *testing.F) {
	tab := scaleTables(f, func(o *ScaleOptions) { o.Skip, o.Offsets = 2, 2 })
	s := newLatentSource(DefaultScaleOptions(), 300, 0, 1)
	tab.ZeroSkipped(s.q, s.table)
	e := arith.NewRangeEncoder(nil)
	tab.Encode(e, s.q, s.table)
	f.Add(e.Finish())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, buf []byte) {
		q := make([]int16, len(s.q))
		if tab.Decode(arith.NewRangeDecoder(buf), q, s.table) == nil {
			if bits := tab.Cost(q, s.table); bits > float64(8*len(buf))+32+bits*1e-5 {
				t.Errorf("%v bits decoded from %d bytes", bits, len(buf))
			}
		}
		tab.DecodeMeans(arith.NewRangeDecoder(buf), q, s.table, s.mean)
	})
}

// benchSymbols reports what f does to n symbols, by processor time.
func benchSymbols(b *testing.B, name string, n int, f func()) {
	b.Run(name, func(b *testing.B) {
		start := cpuTime()
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(n)*float64(b.N)/(cpuTime()-start).Seconds()/1e6, "cpu-Msymbols/s")
	})
}

func BenchmarkTables(b *testing.B) {
	tab := scaleTables(b, nil)
	const n = 1 << 17
	for _, quiet := range []float64{0, 6, 12} {
		s := newLatentSource(DefaultScaleOptions(), n, quiet, 1)
		e := arith.NewRangeEncoder(nil)
		tab.Encode(e, s.q, s.table)
		buf := slices.Clone(e.Finish())
		zeros := 0
		for _, v := range s.q {
			if v == 0 {
				zeros++
			}
		}
		name := fmt.Sprintf("%.0f%%zeros_%.2fbits", 100*float64(zeros)/n, float64(8*len(buf))/n)
		run := func(what string, f func()) { benchSymbols(b, what+"/"+name, n, f) }
		q := make([]int16, n)
		run("decode", func() {
			if err := tab.Decode(arith.NewRangeDecoder(buf), q, s.table); err != nil {
				b.Fatal(err)
			}
		})
		run("encode", func() {
			e.Reset(buf[:0])
			tab.Encode(e, s.q, s.table)
			e.Finish()
		})
		run("cost", func() { tab.Cost(s.q, s.table) })
	}
}

func BenchmarkNewScaleTables(b *testing.B) {
	for _, offsets := range []int{1, 16} {
		b.Run(fmt.Sprintf("%doffsets", offsets), func(b *testing.B) {
			for b.Loop() {
				scaleTables(b, func(o *ScaleOptions) { o.Offsets = offsets })
			}
		})
	}
}
