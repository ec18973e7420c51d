package entropy

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// TestAdaptiveStart checks that the first value costs what it does with the table.
func TestAdaptiveStart(t *testing.T) {
	for f := range families {
		tab := scaleTables(t, func(o *ScaleOptions) { o.Family = f })
		a := NewAdaptive(tab)
		for table := range tab.Len() {
			n := []uint8{uint8(table)}
			for v := -300; v <= 300; v++ {
				a.Reset()
				q := []int16{int16(v)}
				got, want := a.Cost(q, n), tab.Cost(q, n)
				// Probabilities of the decisions are rounded down to 1/65536 of 1.
				if want < 12 && math.Abs(got-want) > 0.002+0.02*want || math.Abs(got-want) > 3 {
					t.Fatalf("%v, table %d, value %d: %.4f bits, with the table %.4f", f, table, v, got, want)
				}
			}
		}
	}
}

// TestAdaptive codes values that fit the tables, values of scales half as large again,
// and values of another shape, with tables and adaptively: the first may cost little
// more, the others must gain.
func TestAdaptive(t *testing.T) {
	tab := scaleTables(t, nil)
	o, _ := tab.Scales()
	const n = 100000
	for _, c := range []struct {
		name  string
		quiet float64
		draw  func(r *rand.Rand, scale float64) int16
		most  float64 // bits, as a share of those with tables
	}{
		{"matched", 0, func(r *rand.Rand, s float64) int16 { return int16(math.Round(s * r.NormFloat64())) }, 1.003},
		{"matched, quiet", 10, func(r *rand.Rand, s float64) int16 { return int16(math.Round(s * r.NormFloat64())) }, 1.003},
		{"1.2 times as wide", 0, func(r *rand.Rand, s float64) int16 { return int16(math.Round(1.2 * s * r.NormFloat64())) }, 0.99},
		{"1.5 times as wide", 0, func(r *rand.Rand, s float64) int16 { return int16(math.Round(1.5 * s * r.NormFloat64())) }, 0.94},
		{"0.7 times as wide", 0, func(r *rand.Rand, s float64) int16 { return int16(math.Round(0.7 * s * r.NormFloat64())) }, 0.97},
		{"1.5 times, quiet", 10, func(r *rand.Rand, s float64) int16 { return int16(math.Round(1.5 * s * r.NormFloat64())) }, 0.87},
		{"peaked", 0, peaked, 0.9},
	} {
		s := newLatentSource(o, n, c.quiet, 1)
		r := rand.New(rand.NewPCG(2, 2))
		for i := range s.q {
			s.q[i] = c.draw(r, o.Scale(int(s.table[i])))
		}
		s.q[500], s.q[501] = math.MinInt16, math.MaxInt16
		static := tab.Cost(s.q, s.table)
		a := NewAdaptive(tab)
		bits := a.Cost(s.q, s.table)
		t.Logf("%s: %.4f bits a value with tables, %.4f adaptively, %+.2f %%", c.name, static/n, bits/n, 100*(bits/static-1))
		if bits > c.most*static {
			t.Errorf("%s: %.2f %% of the bits with tables", c.name, 100*bits/static)
		}
		a.Reset()
		e := arith.NewRangeEncoder(nil)
		a.Encode(e, s.q[:n/3], s.table[:n/3])
		a.Encode(e, s.q[n/3:], s.table[n/3:])
		buf := e.Finish()
		if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.00002+32 {
			t.Errorf("%s: %v bits were written, %.1f expected", c.name, got, bits)
		}
		a.Reset()
		got := make([]int16, n)
		if err := a.Decode(arith.NewRangeDecoder(buf), got, s.table); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, s.q) {
			t.Fatalf("%s: wrong values", c.name)
		}
		a.Reset()
		if a.Decode(arith.NewRangeDecoder(buf[:len(buf)/2]), got, s.table) == nil {
			t.Errorf("%s: half a stream decodes", c.name)
		}
		s.table[9] = 64
		if err := a.Decode(arith.NewRangeDecoder(buf), got, s.table); !errors.Is(err, ErrTables) {
			t.Errorf("table 64 of 64: %v", err)
		}
	}
}

// TestAdaptiveOddTables codes with tables that are skipped, lopsided, or without 0.
func TestAdaptiveOddTables(t *testing.T) {
	var tab []table
	tab = append(tab, table{})
	for _, c := range []struct{ first, n int }{{-1, 3}, {-1, 2000}, {-2000, 2001}, {5, 9}, {-9, 5}, {1 - maxWindow, maxWindow}, {0, maxWindow}, {-1, maxWindow}, {0, 1}} {
		freq := make([]uint32, c.n+2)
		for i := range freq {
			freq[i] = 1
		}
		freq[1] += uint32(tableTotal - c.n - 2)
		u, err := tableOf(c.first, freq)
		if err != nil {
			t.Fatal(err)
		}
		tab = append(tab, u)
	}
	a := NewAdaptive(newTables(tab, 1, nil, nil))
	r := rand.New(rand.NewPCG(1, 1))
	var q []int16
	var table []uint8
	for i := range tab {
		for range 300 {
			v := int16(r.NormFloat64() * 4)
			if r.IntN(3) == 0 {
				v = int16(r.Uint32())
			}
			q, table = append(q, v), append(table, uint8(i))
		}
	}
	a.tables.ZeroSkipped(q, table)
	e := arith.NewRangeEncoder(nil)
	a.Encode(e, q, table)
	buf := e.Finish()
	a.Reset()
	bits := a.Cost(q, table)
	if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.00002+32 {
		t.Errorf("%v bits were written, %.1f expected", got, bits)
	}
	a.Reset()
	got := make([]int16, len(q))
	if err := a.Decode(arith.NewRangeDecoder(buf), got, table); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, q) {
		t.Fatal("wrong values")
	}
}

// TestAdaptiveGolden holds the bytes to one value for all machines.
func TestAdaptiveGolden(t *testing.T) {
	a := NewAdaptive(scaleTables(t, nil))
	q, table := goldenValues(20000, 40)
	e := arith.NewRangeEncoder(nil)
	a.Encode(e, q, table)
	if got := crc32.ChecksumIEEE(e.Finish()); got != 0xb3e929e7 {
		t.Errorf("the stream's checksum is %#08x", got)
	}
}

// goldenValues draws values without package math: mostly small, for tables below most.
func goldenValues(n int, most uint32) (q []int16, table []uint8) {
	x := uint32(1)
	next := func(n uint32) uint32 {
		x = x*1664525 + 1013904223
		return uint32(uint64(x) * uint64(n) >> 32)
	}
	for range n {
		k := next(most)
		v := int16(next(1 + k/4*next(4)))
		if next(2) == 0 {
			v = -v
		}
		q, table = append(q, v), append(table, uint8(k))
	}
	return q, table
}

func FuzzAdaptiveDecode(f *testing.F) {
	tab := scaleTables(f, func(o *ScaleOptions) { o.Skip = 2 })
	s := newLatentSource(DefaultScaleOptions(), 300, 0, 1)
	tab.ZeroSkipped(s.q, s.table)
	e := arith.NewRangeEncoder(nil)
	a := NewAdaptive(tab)
	a.Encode(e, s.q, s.table)
	f.Add(e.Finish())
	f.Fuzz(func(t *testing.T, buf []byte) {
		q := make([]int16, len(s.q))
		a.Reset()
		if a.Decode(arith.NewRangeDecoder(buf), q, s.table) == nil {
			a.Reset()
			if bits := a.Cost(q, s.table); bits > float64(8*len(buf))+32+bits*1e-4 {
				t.Errorf("%v bits decoded from %d bytes", bits, len(buf))
			}
		}
	})
}

func BenchmarkAdaptive(b *testing.B) {
	tab := scaleTables(b, nil)
	const n = 1 << 17
	for _, quiet := range []float64{0, 6, 12} {
		s := newLatentSource(DefaultScaleOptions(), n, quiet, 1)
		a := NewAdaptive(tab)
		e := arith.NewRangeEncoder(nil)
		a.Encode(e, s.q, s.table)
		buf := e.Finish()
		q := make([]int16, n)
		benchSymbols(b, fmt.Sprintf("decode/%.2fbits", float64(8*len(buf))/n), n, func() {
			a.Reset()
			if err := a.Decode(arith.NewRangeDecoder(buf), q, s.table); err != nil {
				b.Fatal(err)
			}
		})
	}
}
