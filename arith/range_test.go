package arith

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// sampleSymbols draws n symbols from a two-sided geometric distribution of size
// symbols, folded to 0, 1, 2, ...
func sampleSymbols(n, size int, spread float64, seed uint64) (syms []int, counts []uint32) {
	r := rand.New(rand.NewPCG(seed, 11))
	syms, counts = make([]int, n), make([]uint32, size)
	for i := range syms {
		v := 0
		for v < size-1 && r.Float64() < spread {
			v++
		}
		syms[i] = v
		counts[v]++
	}
	return syms, counts
}

func entropy(counts []uint32) (bits float64) {
	total := 0.0
	for _, c := range counts {
		total += float64(c)
	}
	for _, c := range counts {
		if c != 0 {
			bits += float64(c) * math.Log2(total/float64(c))
		}
	}
	return bits
}

func TestRangeEntropy(t *testing.T) {
	for _, total := range []int{1 << 12, 1 << 16, 60000, 4001} {
		for _, spread := range []float64{0.3, 0.82, 0.95} {
			syms, counts := sampleSymbols(200000, 256, spread, 1)
			c, err := NewCDF(counts, total)
			if err != nil {
				t.Fatal(err)
			}
			e := NewRangeEncoder(nil)
			cost := 0.0
			for _, s := range syms {
				e.EncodeSymbol(c, s)
				cost += c.Cost(s)
			}
			got := float64(8 * len(e.Finish()))
			h := entropy(counts)
			t.Logf("total %d, %.3f bits a symbol: %.4f%% above the entropy", total, h/float64(len(syms)), 100*(got/h-1))
			if total > 1<<15 && got > 1.001*h || got > 1.005*h {
				t.Errorf("total %d spread %v: %.0f bits, entropy %.0f", total, spread, got, h)
			}
			if math.Abs(got-cost) > 1e-4*cost+33 {
				t.Errorf("total %d spread %v: %.0f bits, cost %.0f", total, spread, got, cost)
			}
		}
	}
}

// TestRangeMixed sends symbols, bits and spans through one stream.
func TestRangeMixed(t *testing.T) {
	syms, counts := sampleSymbols(5000, 300, 0.97, 2)
	tables := make([]*CDF, 0, 4)
	for _, total := range []int{512, 1000, 1 << 16, 50000} {
		c, err := NewCDF(counts, total)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, c)
	}
	one, err := NewCDF([]uint32{0, 0, 5}, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	e := NewRangeEncoder(nil)
	for i, s := range syms {
		e.EncodeSymbol(tables[i%4], s)
		e.Encode(s&1, uint32(1+s))
		e.EncodeSymbol(one, 2)
		e.EncodeSpan(uint32(s), 1, 300)
		e.EncodeBits(uint32(s), 9)
	}
	buf := e.Finish()
	d := NewRangeDecoder(buf)
	for i, s := range syms {
		if got := d.DecodeSymbol(tables[i%4]); got != s {
			t.Fatalf("symbol %d is %d, want %d", i, got, s)
		}
		if got := d.Decode(uint32(1 + s)); got != s&1 {
			t.Fatalf("bit %d is %d", i, got)
		}
		if got := d.DecodeSymbol(one); got != 2 {
			t.Fatalf("only symbol is %d", got)
		}
		if got := d.DecodeValue(300); got != uint32(s) {
			t.Fatalf("span %d is %d, want %d", i, got, s)
		}
		d.SkipSpan(uint32(s), 1, 300)
		if got := d.DecodeBits(9); got != uint32(s) {
			t.Fatalf("bits %d are %d, want %d", i, got, s)
		}
	}
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	d.Reset(buf[:len(buf)/2])
	for i := range syms {
		d.DecodeSymbol(tables[i%4])
	}
	for range 20000 {
		d.DecodeBits(9)
	}
	if !errors.Is(d.Err(), ErrTruncated) {
		t.Error("half a stream gives no error")
	}
}

func TestCDFErrors(t *testing.T) {
	for _, c := range []struct {
		counts []uint32
		total  int
	}{
		{nil, 10}, {[]uint32{0, 0}, 10}, {[]uint32{1, 1, 1}, 2}, {[]uint32{1, 1}, 1<<16 + 1}, {[]uint32{1}, 0},
	} {
		if _, err := NewCDF(c.counts, c.total); !errors.Is(err, ErrCounts) {
			t.Errorf("NewCDF(%v, %d): error %v", c.counts, c.total, err)
		}
	}
	for _, freq := range [][]uint32{nil, {0}, {1 << 16, 1}, {math.MaxUint32, 1}, make([]uint32, 1<<17)} {
		if _, err := CDFOf(freq); !errors.Is(err, ErrCounts) {
			t.Errorf("CDFOf of %d frequencies: error %v", len(freq), err)
		}
	}
	c, err := CDFOf([]uint32{0, 1, 0, 0, 3, 0})
	if err != nil || c.Total() != 4 || c.Len() != 6 || c.Freq(4) != 3 || !math.IsInf(c.Cost(0), 1) || c.Cost(1) != 2 {
		t.Errorf("CDFOf: %v %v", c, err)
	}
	for v, want := range []int{1, 4, 4, 4} {
		if got := c.find(uint32(v)); got != want {
			t.Errorf("find(%d) is %d, want %d", v, got, want)
		}
	}
}

func FuzzRangeDecoder(f *testing.F) {
	f.Add([]byte{}, uint16(3))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255}, uint16(65535))
	f.Fuzz(func(t *testing.T, data []byte, total uint16) {
		_, counts := sampleSymbols(100, 50, 0.8, 1)
		c, err := NewCDF(counts, int(total))
		if err != nil {
			return
		}
		d := NewRangeDecoder(data)
		for i := 0; d.Err() == nil && i < 1<<12; i++ {
			if s := d.DecodeSymbol(c); c.Freq(s) == 0 {
				t.Fatalf("symbol %d of frequency 0", s)
			}
			v := d.DecodeValue(uint32(total))
			d.SkipSpan(v, 1, uint32(total))
		}
	})
}

func FuzzRangeRoundTrip(f *testing.F) {
	f.Add([]byte{1, 0, 5, 200}, []byte{3, 0, 2}, uint16(300))
	f.Fuzz(func(t *testing.T, counts, msg []byte, total uint16) {
		wide := make([]uint32, len(counts))
		for i, c := range counts {
			wide[i] = uint32(c)
		}
		c, err := NewCDF(wide, int(total)+1)
		if err != nil {
			return
		}
		e := NewRangeEncoder(nil)
		for _, s := range msg {
			if int(s) < c.Len() && c.Freq(int(s)) > 0 {
				e.EncodeSymbol(c, int(s))
			}
		}
		d := NewRangeDecoder(e.Finish())
		for i, s := range msg {
			if int(s) < c.Len() && c.Freq(int(s)) > 0 {
				if got := d.DecodeSymbol(c); got != int(s) {
					t.Fatalf("symbol %d is %d, want %d", i, got, s)
				}
			}
		}
		if err := d.Err(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkRange(b *testing.B) {
	syms, counts := sampleSymbols(1<<16, 256, 0.82, 1)
	for name, total := range map[string]int{"pow2": 1 << 16, "any": 60000} {
		c, _ := NewCDF(counts, total)
		e := NewRangeEncoder(make([]byte, 0, 1<<17))
		b.Run("Encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(syms)))
			for b.Loop() {
				e.Reset(e.buf[:0])
				for _, s := range syms {
					e.EncodeSymbol(c, s)
				}
				e.Finish()
			}
		})
		d := NewRangeDecoder(nil)
		b.Run("Decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(syms)))
			for b.Loop() {
				d.Reset(e.buf)
				for range syms {
					d.DecodeSymbol(c)
				}
			}
		})
	}
}
