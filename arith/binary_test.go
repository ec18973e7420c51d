package arith

import (
	"math"
	"math/rand/v2"
	"testing"
)

// skewedBits returns n bits and the probability each was drawn with.
func skewedBits(n int, seed uint64) (bits []int, ps []uint32) {
	r := rand.New(rand.NewPCG(seed, 1))
	bits, ps = make([]int, n), make([]uint32, n)
	for i := range bits {
		p := uint32(1 + r.IntN(65535))
		switch r.IntN(8) {
		case 0:
			p = 1
		case 1:
			p = 65535
		}
		ps[i] = p
		if uint32(r.IntN(65536)) < p {
			bits[i] = 1
		}
	}
	return bits, ps
}

func TestBinaryRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 100, 50000} {
		bits, ps := skewedBits(n, uint64(n))
		e := NewBinaryEncoder([]byte("head"))
		cost := 0.0
		for i, b := range bits {
			e.Encode(b, ps[i])
			cost += BitCost(b, ps[i])
		}
		before := e.Len()
		out := e.Finish()
		if string(out[:4]) != "head" {
			t.Fatalf("n=%d: prefix overwritten", n)
		}
		buf := out[4:]
		if len(buf)-before > 4 {
			t.Errorf("n=%d: Finish wrote %d bytes", n, len(buf)-before)
		}
		if got := float64(8 * len(buf)); got > cost*1.0001+33 {
			t.Errorf("n=%d: %v bits coded, cost is %.1f", n, got, cost)
		}
		d := NewBinaryDecoder(buf)
		for i, b := range bits {
			if got := d.Decode(ps[i]); got != b {
				t.Fatalf("n=%d: bit %d is %d, want %d", n, i, got, b)
			}
		}
		if err := d.Err(); err != nil {
			t.Errorf("n=%d: %v", n, err)
		}
	}
}

// TestBinaryCarry codes the improbable bit of every split, which keeps the low
// end near the top of the range and makes carries run through many bytes.
func TestBinaryCarry(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		var bits []int
		var ps []uint32
		for range 3000 {
			bits = append(bits, 0)
			ps = append(ps, 65535)
			if r.IntN(40) == 0 {
				ps[len(ps)-1] = 1
				bits[len(bits)-1] = r.IntN(2)
			}
		}
		e := NewBinaryEncoder(nil)
		for i, b := range bits {
			e.Encode(b, ps[i])
		}
		d := NewBinaryDecoder(e.Finish())
		for i, b := range bits {
			if d.Decode(ps[i]) != b {
				t.Fatalf("seed %d: bit %d differs", seed, i)
			}
		}
	}
}

func TestBinaryTruncated(t *testing.T) {
	bits, ps := skewedBits(2000, 9)
	e := NewBinaryEncoder(nil)
	for i, b := range bits {
		e.Encode(b, ps[i])
	}
	buf := e.Finish()
	for cut := 4; cut <= len(buf); cut++ {
		d := NewBinaryDecoder(buf[:len(buf)-cut])
		for i := range bits {
			d.Decode(ps[i])
		}
		// What is decoded past the cut may need fewer bytes than the truth did.
		if d.Err() == nil && cut > 64 {
			t.Errorf("%d of %d bytes cut: no error", cut, len(buf))
		}
	}
}

func TestAdaptiveBit(t *testing.T) {
	for _, bit := range []int{0, 1} {
		var a AdaptiveBit
		if a.P() != 1<<15 {
			t.Fatalf("zero value has P %d", a.P())
		}
		for range 5000 {
			a.Update(bit)
		}
		if want := []uint32{71, 65464}[bit]; a.P() != want {
			t.Errorf("after many %ds P is %d, want %d", bit, a.P(), want)
		}
	}
	// The cost of a skewed source comes close to its entropy.
	r := rand.New(rand.NewPCG(3, 3))
	var a AdaptiveBit
	const n, p = 100000, 0.1
	cost := 0.0
	for range n {
		bit := 0
		if r.Float64() < p {
			bit = 1
		}
		cost += BitCost(bit, a.P())
		a.Update(bit)
	}
	h := -n * (p*math.Log2(p) + (1-p)*math.Log2(1-p))
	if cost > 1.03*h {
		t.Errorf("cost %.0f bits, entropy %.0f", cost, h)
	}
}

func FuzzBinaryDecoder(f *testing.F) {
	f.Add([]byte{}, uint16(1))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(40000))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255}, uint16(65535))
	f.Fuzz(func(t *testing.T, data []byte, p uint16) {
		d := NewBinaryDecoder(data)
		q := max(1, uint32(p))
		for i := 0; i < 1<<14 && d.Err() == nil; i++ {
			d.Decode(q)
			q = q*31%65535 + 1
		}
	})
}

func FuzzBinaryRoundTrip(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{255, 255, 254, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		prob := func(i int) (int, uint32) {
			p := uint32(data[i])<<8 | uint32(data[i+1])
			return int(data[i+2] & 1), max(1, p)
		}
		e := NewBinaryEncoder(nil)
		for i := 0; i+2 < len(data); i++ {
			e.Encode(prob(i))
		}
		d := NewBinaryDecoder(e.Finish())
		for i := 0; i+2 < len(data); i++ {
			bit, p := prob(i)
			if d.Decode(p) != bit {
				t.Fatalf("bit %d differs", i)
			}
		}
		if d.Err() != nil || d.Overrun() < 4 {
			t.Fatalf("overrun %d", d.Overrun())
		}
	})
}

const benchBits = 1 << 18

func BenchmarkBinaryEncode(b *testing.B) {
	bits, _ := skewedBits(benchBits, 4)
	var models [64]AdaptiveBit
	e := NewBinaryEncoder(make([]byte, 0, benchBits))
	for b.Loop() {
		e.Reset(e.buf[:0])
		for i, bit := range bits {
			m := &models[i%64]
			e.Encode(bit, m.P())
			m.Update(bit)
		}
		e.Finish()
	}
	b.ReportMetric(benchBits*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mbin/s")
}

func BenchmarkBinaryDecode(b *testing.B) {
	bits, _ := skewedBits(benchBits, 4)
	var models [64]AdaptiveBit
	e := NewBinaryEncoder(nil)
	for i, bit := range bits {
		m := &models[i%64]
		e.Encode(bit, m.P())
		m.Update(bit)
	}
	buf := e.Finish()
	d := NewBinaryDecoder(nil)
	for b.Loop() {
		d.Reset(buf)
		models = [64]AdaptiveBit{}
		for i := range bits {
			m := &models[i%64]
			m.Update(d.Decode(m.P()))
		}
	}
	b.ReportMetric(benchBits*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mbin/s")
}
