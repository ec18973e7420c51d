package entropy

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCounterConverges(t *testing.T) {
	for _, p := range []float64{0.002, 0.05, 0.3, 0.5, 0.9, 0.999} {
		rng := rand.New(rand.NewPCG(1, 1))
		c := CounterInit
		var mean float64
		const n = 20000
		for i := range n {
			bit := 0
			if rng.Float64() < p {
				bit = 1
			}
			c.Update(bit, CounterLimit)
			if i >= n/2 {
				mean += float64(c.P()) / 65536 / (n / 2)
			}
		}
		sigma := math.Sqrt(p*(1-p)/(n/2)) * 3
		if math.Abs(mean-p) > sigma+1e-4 {
			t.Errorf("probability %v: the counter says %v", p, mean)
		}
		if c.Count() != CounterLimit {
			t.Errorf("count %d", c.Count())
		}
	}
}

// TestCounterLearns checks that the first bits count for the most, and that the
// limit is kept.
func TestCounterLearns(t *testing.T) {
	c := CounterInit
	if c.P() != 32768 || c.Count() != 0 {
		t.Fatalf("a fresh counter says %d after %d bits", c.P(), c.Count())
	}
	last := c.P()
	step := uint32(math.MaxUint32)
	for n := range uint32(30) {
		c.Update(1, 20)
		if d := c.P() - last; d == 0 || d > step {
			t.Errorf("bit %d moved the estimate by %d, the one before by %d", n, d, step)
		} else {
			step = d
		}
		last = c.P()
		if want := min(n+1, 20); c.Count() != want {
			t.Errorf("count %d after %d bits", c.Count(), n+1)
		}
	}
	// (n + 0.6) / (n + 1.6) is how sure n equal bits make it from the start on.
	c = CounterInit
	for range 4 {
		c.Update(1, CounterLimit)
	}
	if p := float64(c.P()) / 65536; p < 0.85 || p > 0.95 {
		t.Errorf("after four ones: %v", p)
	}
}

// TestCounterExtremes checks that no run of bits leads out of range.
func TestCounterExtremes(t *testing.T) {
	for _, limit := range []uint32{1, 30, CounterLimit} {
		for bit := range 2 {
			c := CounterInit
			for range 200000 {
				c.Update(bit, limit)
				if c.P() > 65535 || bit == 1 && c.P() < 32768 || bit == 0 && c.P() > 32768 {
					t.Fatalf("limit %d, bit %d: %d", limit, bit, c.P())
				}
			}
			if c.Update(1-bit, limit); bit == 1 && c.P() > 65500 && limit == 1 || bit == 0 && c.P() < 30 && limit == 1 {
				t.Errorf("limit %d: the opposite of a long run leaves %d", limit, c.P())
			}
		}
	}
}
