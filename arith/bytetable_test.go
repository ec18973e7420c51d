package arith

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// sampleCounts are the shapes of table worth testing.
func sampleCounts() map[string]*[256]uint32 {
	m := map[string]*[256]uint32{
		"empty":    {},
		"one":      {7: 1},
		"last":     {255: 9},
		"two":      {0: 1, 255: 1 << 31},
		"residual": countBytes(residuals(1<<16, 0.82, 1)),
		"narrow":   countBytes(residuals(1<<16, 0.1, 2)),
		"text":     countBytes([]byte("the quick brown fox jumps over the lazy dog")),
	}
	flat, rare, steep, wild := new([256]uint32), new([256]uint32), new([256]uint32), new([256]uint32)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 256 {
		flat[i] = 1
		rare[i] = 1
		steep[i] = 1 << (i / 8)
		wild[i] = r.Uint32() >> r.IntN(33)
	}
	rare[9] = math.MaxUint32
	m["flat"], m["rare"], m["steep"], m["wild"] = flat, rare, steep, wild
	return m
}

func TestByteTable(t *testing.T) {
	for name, counts := range sampleCounts() {
		tab := NewByteTable(counts)
		sum := 0
		var cost, ideal, total float64
		for _, c := range counts {
			total += float64(c)
		}
		for s, f := range tab.freq {
			sum += int(f)
			if f > tableTotal-1 || counts[s] != 0 && f == 0 {
				t.Errorf("%s: frequency of %d is %d", name, s, f)
			}
			if c := float64(counts[s]); c != 0 {
				cost += c * tab.Cost(uint8(s))
				ideal += c * math.Log2(total/c)
			}
		}
		if sum != tableTotal {
			t.Errorf("%s: sum is %d", name, sum)
		}
		if name == "residual" && cost > 1.001*ideal {
			t.Errorf("%s: cost %.0f, entropy %.0f", name, cost, ideal)
		}

		enc, dec := tab.EncTable(), tab.DecTable()
		for slot, e := range dec {
			s, f, off := uint8(e), e>>8&0xfff, e>>20
			if start := enc[s] & 0xfff; enc[s]>>12 != f || int(start+off) != slot || off >= f {
				t.Fatalf("%s: slot %d disagrees with the encoder's table", name, slot)
			}
		}

		var buf bytes.Buffer
		w := NewHeaderWriter(&buf)
		tab.Write(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: table of %d bytes", name, buf.Len())
		got, err := ReadByteTable(NewHeaderReader(bytes.NewReader(buf.Bytes())))
		if err != nil || *got != *tab {
			t.Errorf("%s: table read back differs (%v)", name, err)
		}
		for cut := range buf.Len() {
			if _, err := ReadByteTable(NewHeaderReader(bytes.NewReader(buf.Bytes()[:cut]))); err == nil {
				t.Errorf("%s: cut to %d bytes: no error", name, cut)
			}
		}
	}
}

// TestQuantize compares with the best table, found by moving single units
// until no move lowers the cost; the cost is convex, so that is the optimum.
func TestQuantize(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		counts := make([]uint64, 2+r.IntN(20))
		for i := range counts {
			counts[i] = uint64(1 + r.IntN(1<<r.IntN(12)))
		}
		total := uint64(len(counts) + r.IntN(300))
		freq := make([]uint16, len(counts))
		quantize(freq, counts, total, total)
		cost := func() (c float64) {
			for i, f := range freq {
				c -= float64(counts[i]) * math.Log2(float64(f)/float64(total))
			}
			return c
		}
		got := cost()
		best := got
		for moved := true; moved; {
			moved = false
			for i := range freq {
				for j := range freq {
					if freq[i] > 1 && i != j {
						freq[i]--
						freq[j]++
						if c := cost(); c < best-1e-9 {
							best, moved = c, true
							continue
						}
						freq[i]++
						freq[j]--
					}
				}
			}
		}
		if got > best*1.002+0.1 {
			t.Fatalf("cost %.2f, best %.2f (counts %v, total %d)", got, best, counts, total)
		}
	}
}

func FuzzReadByteTable(f *testing.F) {
	for _, counts := range sampleCounts() {
		var buf bytes.Buffer
		w := NewHeaderWriter(&buf)
		NewByteTable(counts).Write(w)
		w.Close()
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, err := ReadByteTable(NewHeaderReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		var buf bytes.Buffer
		w := NewHeaderWriter(&buf)
		tab.Write(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := ReadByteTable(NewHeaderReader(&buf))
		if err != nil || *got != *tab {
			t.Fatalf("valid table does not survive (%v)", err)
		}
		tab.DecTable()
		if errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func BenchmarkNewByteTable(b *testing.B) {
	for name, counts := range sampleCounts() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				NewByteTable(counts)
			}
		})
	}
}
