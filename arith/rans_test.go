package arith

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// residuals returns n bytes like the prediction residuals of a photograph, a
// two-sided geometric distribution wrapped to a byte. spread 0.82 gives 3.75
// bits a symbol.
func residuals(n int, spread float64, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]byte, n)
	for i := range out {
		v := 0
		for v < 255 && r.Float64() < spread {
			v++
		}
		out[i] = byte(v>>1) ^ -byte(v&1)
	}
	return out
}

func countBytes(data []byte) *[256]uint32 {
	var c [256]uint32
	for _, b := range data {
		c[b]++
	}
	return &c
}

// contextTables returns tables for three channels of eight contexts, and the
// context after a symbol.
func contextTables() (tables [3][8]*ByteTable, next func(uint8) int) {
	for c := range tables {
		for k := range tables[c] {
			tables[c][k] = NewByteTable(countBytes(residuals(20000, 0.5+0.05*float64(k), uint64(c*8+k))))
		}
	}
	return tables, func(s uint8) int { return int(min(7, s^-(s>>7))) }
}

func TestRANSRoundTrip(t *testing.T) {
	tables, next := contextTables()
	for _, lanes := range []int{1, 2, 3, 4} {
		for _, n := range []int{0, 1, 2, 3, 5, 3000} {
			data := residuals(n, 0.6, uint64(n))
			e := NewRANSEncoder(lanes)
			cost, ctx := 0.0, 0
			for i, s := range data {
				tab := tables[i%3][ctx]
				if tab.Freq(s) == 0 {
					s = 0
					data[i] = 0
				}
				e.Put(i%lanes, tab.EncTable(), s)
				cost += tab.Cost(s)
				ctx = next(s)
			}
			if e.Len() != n {
				t.Fatalf("Len is %d, want %d", e.Len(), n)
			}
			out, err := e.Finish([]byte("head"))
			if err != nil {
				t.Fatal(err)
			}
			if string(out[:4]) != "head" {
				t.Fatal("prefix overwritten")
			}
			out = out[4:]
			if got := float64(8 * len(out)); got > cost*1.001+float64(32*lanes) || got < cost {
				t.Errorf("lanes=%d n=%d: %v bits coded, cost is %.1f", lanes, n, got, cost)
			}
			d, err := NewRANSDecoder(out, lanes)
			if err != nil {
				t.Fatal(err)
			}
			ctx = 0
			for i, s := range data {
				if got := d.Decode(i%lanes, tables[i%3][ctx].DecTable()); got != s {
					t.Fatalf("lanes=%d n=%d: symbol %d is %d, want %d", lanes, n, i, got, s)
				}
				ctx = next(s)
			}
			if err := d.Close(); err != nil {
				t.Errorf("lanes=%d n=%d: %v", lanes, n, err)
			}
		}
	}
}

// TestRANSDecode3 holds Decode3 equal to Decode, up to and past the end.
func TestRANSDecode3(t *testing.T) {
	spread := [3]float64{0.1, 0.5, 0.9}
	var enc [3]*EncTable
	var dec [3]*DecTable
	for c, p := range spread {
		counts := countBytes(residuals(20000, p, 3))
		for s := range counts {
			counts[s]++
		}
		tab := NewByteTable(counts)
		enc[c], dec[c] = tab.EncTable(), tab.DecTable()
	}
	e := NewRANSEncoder(3)
	for i := range 3000 {
		e.Put(i%3, enc[i%3], residuals(1, spread[i%3], uint64(i))[0])
	}
	out, err := e.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := NewRANSDecoder(out, 3)
	b, _ := NewRANSDecoder(out, 3)
	for i := range 1050 {
		if i == 1000 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s0, s1, s2 := b.Decode3(dec[0], dec[1], dec[2])
		for c, got := range []uint8{s0, s1, s2} {
			if want := a.Decode(c, dec[c]); got != want {
				t.Fatalf("pixel %d channel %d: %d, want %d", i, c, got, want)
			}
		}
	}
	if !errors.Is(b.Err(), ErrTruncated) || !errors.Is(b.Close(), ErrTruncated) {
		t.Error("decoding past the end is no error")
	}
}

func TestRANSErrors(t *testing.T) {
	tab := NewByteTable(countBytes([]byte("abracadabra")))
	e := NewRANSEncoder(1)
	e.Put(0, tab.EncTable(), 'z')
	if _, err := e.Finish(nil); !errors.Is(err, ErrSymbol) {
		t.Errorf("foreign symbol: error %v", err)
	}
	for range 100 {
		e.Put(0, tab.EncTable(), 'a')
		e.Put(0, tab.EncTable(), 'r')
	}
	out, err := e.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	dec := tab.DecTable()
	check := func(in []byte) error {
		d, err := NewRANSDecoder(in, 1)
		if err != nil {
			return err
		}
		for range 200 {
			d.Decode(0, dec)
		}
		return d.Close()
	}
	if err := check(out); err != nil {
		t.Fatal(err)
	}
	missed := 0
	for i := range out {
		if check(out[:i]) == nil {
			t.Errorf("cut to %d bytes: no error", i)
		}
		bad := bytes.Clone(out)
		bad[i] ^= 16
		if check(bad) == nil {
			missed++ // another message may end in the same state
		}
	}
	if missed > len(out)/10 {
		t.Errorf("%d of %d changed bytes: no error", missed, len(out))
	}
}

func FuzzRANSDecoder(f *testing.F) {
	tables, _ := contextTables()
	dec := tables[0][3].DecTable()
	f.Add([]byte{}, 1)
	f.Add(bytes.Repeat([]byte{7, 200, 31}, 30), 3)
	f.Fuzz(func(t *testing.T, data []byte, lanes int) {
		lanes = lanes&3 + 1
		d, err := NewRANSDecoder(data, lanes)
		if err != nil {
			return
		}
		for i := 0; d.Err() == nil && i < 1<<14; i++ {
			d.Decode(i%lanes, dec)
		}
		d.Close()
	})
}

// The benchmark is the inner loop of a codec for pictures of three channels
// whose contexts come from the pixel before.
func BenchmarkRANSPixels(b *testing.B) {
	tables, next := contextTables()
	var enc [3][8]*EncTable
	var dec [3][8]*DecTable
	for c := range tables {
		for k, tab := range tables[c] {
			enc[c][k], dec[c][k] = tab.EncTable(), tab.DecTable()
		}
	}
	const n = 3 << 16
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(5, 5))
	var ctx [3]int
	for i := range data {
		data[i] = uint8(dec[i%3][ctx[i%3]][r.IntN(tableTotal)])
		ctx[i%3] = next(data[i])
	}
	e := NewRANSEncoder(3)
	var out []byte
	encode := func() {
		var c0, c1, c2 int
		for i := 0; i+2 < n; i += 3 {
			s := data[i : i+3 : i+3]
			e.Put(0, enc[0][c0], s[0])
			e.Put(1, enc[1][c1], s[1])
			e.Put(2, enc[2][c2], s[2])
			c0, c1, c2 = next(s[0]), next(s[1]), next(s[2])
		}
		out, _ = e.Finish(out[:0])
	}
	encode()
	b.Run("Encode", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			encode()
		}
	})
	pix := make([]byte, n)
	b.Run("Decode3", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			d, _ := NewRANSDecoder(out, 3)
			var c0, c1, c2 int
			for i := 0; i+2 < n; i += 3 {
				p := pix[i : i+3 : i+3]
				p[0], p[1], p[2] = d.Decode3(dec[0][c0], dec[1][c1], dec[2][c2])
				c0, c1, c2 = next(p[0]), next(p[1]), next(p[2])
			}
			if d.Close() != nil {
				b.Fatal("decoding failed")
			}
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.SetBytes(n)
		for b.Loop() {
			d, _ := NewRANSDecoder(out, 3)
			var c0, c1, c2 int
			for i := 0; i+2 < n; i += 3 {
				p := pix[i : i+3 : i+3]
				p[0] = d.Decode(0, dec[0][c0])
				p[1] = d.Decode(1, dec[1][c1])
				p[2] = d.Decode(2, dec[2][c2])
				c0, c1, c2 = next(p[0]), next(p[1]), next(p[2])
			}
			if d.Close() != nil {
				b.Fatal("decoding failed")
			}
		}
	})
	if !bytes.Equal(pix, data) {
		b.Fatal("decoded pixels differ")
	}
}
