package entropy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// randomMixture draws a mixture of up to 4 components and at most the given scale.
func randomMixture(r *rand.Rand, f Family, scale float64) Mixture {
	m := Mixture{Family: f}
	left, top := int32(WeightOne), int32(LogScaleUnit*math.Log(scale))
	for n := 1 + r.IntN(4); n > 0; n-- {
		c := Component{
			Mean:     int32(r.NormFloat64() * 6 * MeanUnit),
			LogScale: MinLogScale + 700 + r.Int32N(top-MinLogScale-700),
			Weight:   left,
		}
		if n > 1 {
			c.Weight = 1 + r.Int32N(left-int32(n))
		}
		left -= c.Weight
		m.Components = append(m.Components, c)
	}
	return m
}

func (m Mixture) tailBelow(x float64) float64 {
	sum := 0.0
	for _, c := range m.Components {
		z := (x - float64(c.Mean)/MeanUnit) / math.Exp(float64(c.LogScale)/LogScaleUnit)
		f := tailOf(m.Family, math.Abs(z))
		if z > 0 {
			f = 1 - f
		}
		sum += f * float64(c.Weight) / WeightOne
	}
	return sum
}

// TestMixture compares costs with the distribution and codes values, few of which are
// probable.
func TestMixture(t *testing.T) {
	for f := range families {
		r := rand.New(rand.NewPCG(uint64(f), 4))
		var ms []Mixture
		var vs []int16
		worst, bits, total, ideal := 0.0, 0.0, 0.0, 0.0
		for range 300 {
			m := randomMixture(r, f, 30)
			if err := m.Check(); err != nil {
				t.Fatal(err)
			}
			c := m.code()
			n := float64(c.hi - c.lo + 3)
			if c.below(c.lo) < 1 || c.below(c.hi+1) >= tableTotal {
				t.Fatalf("%+v: no room for the tails", m)
			}
			cross, entropy := 0.0, 0.0
			for v := c.lo; v <= c.hi; v++ {
				want := m.tailBelow(float64(v)-0.5)*(tableTotal-n) + float64(v-c.lo) + 1
				worst = max(worst, math.Abs(float64(c.below(v))+0.5-want)-0.5)
				if p := m.tailBelow(float64(v)+0.5) - m.tailBelow(float64(v)-0.5); p > 0 {
					cross += p * m.Cost(int16(v))
					entropy -= p * math.Log2(p)
				}
				if c.below(v+1) <= c.below(v) {
					t.Fatalf("%+v: %d has no probability", m, v)
				}
			}
			total += cross
			ideal += entropy
			for _, v := range []int32{c.lo - 1, c.lo, c.hi, c.hi + 1, math.MinInt16, math.MaxInt16, c.center} {
				ms, vs = append(ms, m), append(vs, int16(v))
			}
			for range 30 {
				ms, vs = append(ms, m), append(vs, int16(r.NormFloat64()*20))
			}
		}
		t.Logf("%v: sums off by at most %.3f of 1<<16; %.4f bits a value, the entropy is %.4f", f, worst, total/300, ideal/300)
		if worst > 0.4 || total > ideal*1.003 {
			t.Errorf("%v: sums off by %.3f of 1<<16; %.4f bits a value, the entropy is %.4f", f, worst, total/300, ideal/300)
		}
		e := arith.NewRangeEncoder(nil)
		for i, m := range ms {
			m.Encode(e, vs[i])
			bits += m.Cost(vs[i])
		}
		buf := e.Finish()
		if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.00001+32 {
			t.Errorf("%v: %v bits were written, %.1f expected", f, got, bits)
		}
		d := arith.NewRangeDecoder(buf)
		for i, m := range ms {
			if v, err := m.Decode(d); err != nil || v != vs[i] {
				t.Fatalf("%v: value %d: %d, %v, want %d", f, i, v, err, vs[i])
			}
		}
		if err := d.Err(); err != nil {
			t.Error(err)
		}
	}
}

// TestMixtureExtremes codes with parameters at the ends of their ranges.
func TestMixtureExtremes(t *testing.T) {
	for f := range families {
		for _, mean := range []int32{-MaxMean, 0, MaxMean} {
			for _, s := range []int32{MinLogScale, 0, MaxLogScale} {
				m := Mixture{f, []Component{{mean, s, 1}, {-mean, MaxLogScale, 1}, {mean, s, WeightOne - 2}}}
				if err := m.Check(); err != nil {
					t.Fatal(err)
				}
				if u, err := m.table(); err != nil || u.values() < 1 {
					t.Fatal(err)
				}
				e := arith.NewRangeEncoder(nil)
				vs := []int16{math.MinInt16, -1, 0, 1, math.MaxInt16}
				for _, v := range vs {
					m.Encode(e, v)
				}
				d := arith.NewRangeDecoder(e.Finish())
				for _, v := range vs {
					if got, err := m.Decode(d); err != nil || got != v {
						t.Fatalf("%v, mean %d, scale %d: %d, %v, want %d", f, mean, s, got, err, v)
					}
				}
			}
		}
	}
	one := Component{0, 0, WeightOne}
	for i, m := range []Mixture{
		{}, {families, []Component{one}}, {Gaussian, make([]Component, 17)}, {Gaussian, []Component{one, one}},
		{Gaussian, []Component{{MaxMean + 1, 0, WeightOne}}}, {Gaussian, []Component{{0, MaxLogScale + 1, WeightOne}}},
		{Gaussian, []Component{{0, MinLogScale - 1, WeightOne}}}, {Gaussian, []Component{{0, 0, WeightOne + 1}, {0, 0, -1}}},
	} {
		if err := m.Check(); !errors.Is(err, ErrTables) {
			t.Errorf("mixture %d passes: %v", i, err)
		}
	}
}

// TestMixtureGolden holds the sums to one value for all machines.
func TestMixtureGolden(t *testing.T) {
	want := [families]uint32{0x32653b58, 0x7bb6c569, 0xf9e3ea86}
	for f := range families {
		h := crc32.NewIEEE()
		x := uint32(1)
		next := func(n uint32) int32 {
			x = x*1664525 + 1013904223
			return int32(uint64(x) * uint64(n) >> 32)
		}
		for range 300 {
			w := 1 + next(WeightOne-1)
			m := Mixture{f, []Component{
				{next(1<<13) - 1<<12, MinLogScale + next(2000), w},
				{next(1<<13) - 1<<12, MinLogScale + next(2000), WeightOne - w},
			}}
			c := m.code()
			for v := c.lo; v <= c.hi+1; v++ {
				binary.Write(h, binary.LittleEndian, c.below(v))
			}
		}
		if got := h.Sum32(); got != want[f] {
			t.Errorf("%v: the sums' checksum is %#08x", f, got)
		}
	}
}

func FuzzMixtureDecode(f *testing.F) {
	f.Add([]byte{1, 2, 3}, int32(100), int32(50), int32(-300), int32(-200), int32(900))
	f.Fuzz(func(t *testing.T, b []byte, m0, s0, m1, s1, w int32) {
		m := Mixture{Logistic, []Component{{m0, s0, w}, {m1, s1, WeightOne - w}}}
		if w > WeightOne || m.Check() != nil {
			return
		}
		d := arith.NewRangeDecoder(b)
		for range 20 {
			m.Decode(d)
		}
	})
}

func BenchmarkMixture(b *testing.B) {
	const n = 1 << 13
	for k := 1; k <= 4; k++ {
		r := rand.New(rand.NewPCG(1, 4))
		var ms []Mixture
		e := arith.NewRangeEncoder(nil)
		for len(ms) < n {
			m := randomMixture(r, Gaussian, 4)
			if len(m.Components) == k {
				ms = append(ms, m)
				m.Encode(e, int16(math.Round(float64(m.Components[0].Mean)/MeanUnit+r.NormFloat64())))
			}
		}
		buf := e.Finish()
		benchSymbols(b, fmt.Sprintf("decode/%dcomponents", k), n, func() {
			d := arith.NewRangeDecoder(buf)
			for _, m := range ms {
				m.Decode(d)
			}
		})
	}
}
