package entropy

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/arith"
)

func TestExpNeg(t *testing.T) {
	for x := 0.0; x < 200; x = x*1.01 + 1e-6 {
		if got, want := expNeg(x), math.Exp(-x); math.Abs(got/want-1) > 1e-12 {
			t.Fatalf("exp(-%v) = %v, want %v", x, got, want)
		}
	}
}

// laplaceMass returns the probability of the interval v-1/2..v+1/2.
func laplaceMass(v, mu, b float64) float64 {
	above := func(x float64) float64 { // the mass above mu+x
		if x < 0 {
			return 1 - math.Exp(x/b)/2
		}
		return math.Exp(-x/b) / 2
	}
	if v < mu {
		v = 2*mu - v // the mirror image, where differences of small masses stay exact
	}
	return above(v-0.5-mu) - above(v+0.5-mu)
}

// TestLaplaceProbabilities checks the costs against the distribution: close where
// no floor binds, a sum of one, and on average above the entropy by no more than
// rounding to 1/65536 and the floors cost, the latter for numbers other than the
// nearest alone: twice the price of 1/256, and that of 1/16 and 1/8 where they bind.
func TestLaplaceProbabilities(t *testing.T) {
	const limit = 127
	worst := 0.0
	for s := range LaplaceScales {
		b := math.Exp(float64(s)/16 - 5)
		// At the very ends the lost tail falls to the wrong side, which matters to none.
		for loc := (1 - limit) * LaplaceUnit; loc < (limit-1)*LaplaceUnit; loc += 61 {
			l := LaplaceModel{loc, s, limit}
			mu := float64(loc) / LaplaceUnit
			sum, cross, entropy := 0.0, 0.0, 0.0
			for v := -limit; v <= limit; v++ {
				cost := float64(l.Cost(v))
				sum += math.Exp2(-cost)
				p := laplaceMass(float64(v), mu, b)
				if v == limit || v == -limit {
					// The ends of the alphabet have the rest of the tails.
					if far := math.Abs(float64(v) - mu); far > 1 {
						p = math.Exp(-(far-0.5)/b) / 2
					} else {
						p += math.Exp(-(0.5+far)/b) / 2
					}
				}
				if p > 0 {
					cross += p * cost
					entropy -= p * math.Log2(p)
				}
				if n := math.Abs(float64(v) - mu); b > 0.6 && b < 3 && n < 4*b {
					if ideal := -math.Log2(p); math.Abs(cost-ideal) > 0.003 {
						t.Fatalf("location %v, scale %d: %d costs %.4f bits, want %.4f", mu, s, v, cost, ideal)
					}
				}
			}
			if math.Abs(sum-1) > 1e-5 {
				t.Fatalf("location %v, scale %d: probabilities sum to %v", mu, s, sum)
			}
			excess := cross - entropy
			worst = max(worst, excess)
			nearest := math.Floor(mu + 0.5)
			other := 1 - laplaceMass(nearest, mu, b)
			floors := -2*math.Log2(1-1.0/256) - math.Log2(1-1.0/16)/16 - math.Log2(1-1.0/8)/64
			if excess > floors*other+1e-4 {
				t.Fatalf("location %v, scale %d: %.5f bits, the entropy is %.5f", mu, s, cross, entropy)
			}
		}
	}
	t.Logf("at most %.5f bits above the entropy", worst)
}

func TestLaplaceRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	type symbol struct {
		LaplaceModel
		v int
	}
	var in []symbol
	add := func(limit, loc, v int) {
		in = append(in, symbol{LaplaceModel{loc, r.IntN(LaplaceScales), limit}, v})
	}
	for _, limit := range []int{0, 1, 2, 9, 127} {
		for range 3000 {
			add(limit, r.IntN(2*LaplaceUnit*limit+1)-LaplaceUnit*limit, r.IntN(2*limit+1)-limit)
		}
		for _, v := range []int{-limit, limit} {
			add(limit, LaplaceUnit*v, v)
			add(limit, LaplaceUnit*v, -v)
		}
	}
	e := arith.NewBinaryEncoder(nil)
	var bits float64
	for _, s := range in {
		s.Encode(e, s.v)
		bits += float64(s.Cost(s.v))
	}
	buf := e.Finish()
	if got := float64(8 * len(buf)); math.Abs(got-bits) > 32+bits*1e-4 {
		t.Errorf("%v bits were written, %v expected", got, bits)
	}
	d := arith.NewBinaryDecoder(buf)
	for i, s := range in {
		if got := s.Decode(d); got != s.v {
			t.Fatalf("symbol %d: %d, want %d (%+v)", i, got, s.v, s.LaplaceModel)
		}
	}
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

func BenchmarkLaplaceDecode(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	e := arith.NewBinaryEncoder(nil)
	const n = 1 << 16
	for range n {
		v := int(math.Round(math.Log(r.Float64()) * float64(1-2*r.IntN(2)) * 0.3))
		LaplaceModel{12, 60, 127}.Encode(e, max(-127, min(v, 127)))
	}
	buf := e.Finish()
	for b.Loop() {
		d := arith.NewBinaryDecoder(buf)
		for range n {
			LaplaceModel{12, 60, 127}.Decode(d)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/symbol")
}

// TestLaplaceTables holds the tables to one value for all machines.
func TestLaplaceTables(t *testing.T) {
	h := crc32.NewIEEE()
	for s := range LaplaceScales {
		for _, b := range laplaceBins[s] {
			binary.Write(h, binary.LittleEndian, []uint16{b.other, b.above})
		}
		binary.Write(h, binary.LittleEndian, laplaceFurther[s][:])
	}
	if got := h.Sum32(); got != 0x2a9681f0 {
		t.Errorf("the tables' checksum is %#08x", got)
	}
}
