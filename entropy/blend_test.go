package entropy

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// cost is what a bit takes whose probability of being 1 is p/65536.
func cost(p uint32, bit int) float64 {
	if bit == 0 {
		p = 65536 - p
	}
	return 16 - math.Log2(float64(p))
}

func binaryEntropy(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }

func smallBlend(limit uint32, contexts ...ContextSize) *Blend {
	return NewBlend(BlendConfig{Nodes: 16, Contexts: contexts, Sets: []int{1}, Limit: limit, Refine: 1, Confidence: limit > 512, Rate: 2})
}

func draw(rng *rand.Rand, p float64) int {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// TestBlendSkewed checks that a source without memory costs little more than its
// entropy.
func TestBlendSkewed(t *testing.T) {
	for _, p := range []float64{0.01, 0.1, 0.5, 0.8, 0.98} {
		b := smallBlend(CounterLimit, ContextSize{Values: 1}, ContextSize{HashBits: 8})
		rng := rand.New(rand.NewPCG(2, 2))
		var sum, least float64
		const n = 40000
		for range n {
			bit := draw(rng, p)
			b.Begin([]uint32{0, 12345}, []int{0}, 0)
			sum += cost(b.P(3), bit)
			least += cost(uint32(p*65536), bit)
			b.Update(bit)
		}
		if excess := sum/least - 1; excess > 0.03 {
			t.Errorf("probability %v: %.4f bits a bit, %.1f %% more than %.4f", p, sum/n, 100*excess, least/n)
		}
	}
}

// TestBlendTwoContexts gives the Blend two contexts that each know something. It
// must beat either.
func TestBlendTwoContexts(t *testing.T) {
	const n = 60000
	rng := rand.New(rand.NewPCG(3, 3))
	b := smallBlend(CounterLimit, ContextSize{Values: 8}, ContextSize{Values: 8})
	var single [2][8]Counter
	for k := range single {
		for i := range single[k] {
			single[k][i] = CounterInit
		}
	}
	var mixed, least float64
	var alone [2]float64
	for range n {
		ctx := [2]uint32{rng.Uint32N(8), rng.Uint32N(8)}
		// Odds that add up, as independent evidence does.
		z := (float64(ctx[0])-3.5)*0.8 + (float64(ctx[1])-3.5)*0.6
		p := 1 / (1 + math.Exp(-z))
		bit := draw(rng, p)
		least += binaryEntropy(p)
		b.Begin(ctx[:], []int{0}, 0)
		mixed += cost(b.P(0), bit)
		b.Update(bit)
		for k := range single {
			c := &single[k][ctx[k]]
			alone[k] += cost(max(c.P(), 1), bit)
			c.Update(bit, CounterLimit)
		}
	}
	t.Logf("entropy %.4f, blend %.4f, counters %.4f and %.4f bits", least/n, mixed/n, alone[0]/n, alone[1]/n)
	if mixed > least*1.04 {
		t.Errorf("%.4f bits, entropy %.4f", mixed/n, least/n)
	}
	if mixed > 0.95*min(alone[0], alone[1]) {
		t.Errorf("%.4f bits, no better than the counters' %.4f and %.4f", mixed/n, alone[0]/n, alone[1]/n)
	}
}

// TestBlendIgnores adds contexts that know nothing: they must cost little.
func TestBlendIgnores(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	good := ContextSize{Values: 4}
	noise := ContextSize{HashBits: 12}
	small, large := smallBlend(CounterLimit, good), smallBlend(CounterLimit, good, noise, noise, noise)
	var a, b float64
	for range 40000 {
		x := rng.Uint32N(4)
		bit := draw(rng, [4]float64{0.03, 0.3, 0.6, 0.97}[x])
		small.Begin([]uint32{x}, []int{0}, 0)
		a += cost(small.P(0), bit)
		small.Update(bit)
		large.Begin([]uint32{x, rng.Uint32(), rng.Uint32N(64), rng.Uint32N(1000)}, []int{0}, 0)
		b += cost(large.P(0), bit)
		large.Update(bit)
	}
	if b > 1.06*a {
		t.Errorf("three contexts of noise cost %.1f %%", 100*(b/a-1))
	}
}

// TestBlendAdapts changes the source: the cost must come down again.
func TestBlendAdapts(t *testing.T) {
	b := smallBlend(60, ContextSize{Values: 1}, ContextSize{Values: 1})
	rng := rand.New(rand.NewPCG(5, 5))
	var late float64
	for i := range 30000 {
		p := 0.05
		if i/5000%2 == 1 {
			p = 0.95
		}
		bit := draw(rng, p)
		b.Begin([]uint32{0, 0}, []int{0}, 0)
		c := cost(b.P(0), bit)
		b.Update(bit)
		if i%5000 >= 1000 {
			late += c
		}
	}
	if mean := late / (6 * 4000); mean > 1.25*binaryEntropy(0.05) {
		t.Errorf("%.3f bits a thousand bits after each change, entropy %.3f", mean, binaryEntropy(0.05))
	}
}

// drive runs a Blend of several contexts, sets and nodes over a source and sums
// all probabilities.
func drive(contexts, sets, symbols int, confidence bool) uint32 {
	c := BlendConfig{Nodes: 48, Limit: 255, Refine: 5, Confidence: confidence, Rate: 3}
	for i := range contexts {
		var k ContextSize
		if i%2 == 0 {
			k.Values = 7 + i
		} else {
			k.HashBits = 10
		}
		c.Contexts = append(c.Contexts, k)
	}
	for i := range sets {
		c.Sets = append(c.Sets, 3+i)
	}
	b := NewBlend(c)
	values, sel := make([]uint32, contexts), make([]int, sets)
	rng := rand.New(rand.NewPCG(6, 6))
	sum := crc32.NewIEEE()
	for range symbols {
		x := rng.Uint32()
		for i, k := range c.Contexts {
			values[i] = x >> (i % 13)
			if k.Values > 0 {
				values[i] %= uint32(k.Values)
			}
		}
		for i := range sel {
			sel[i] = int(x>>i) % c.Sets[i]
		}
		b.Begin(values, sel, int(x%5))
		for _, node := range []int{0, 1 + int(x%15), 17, 47} {
			p := b.P(node)
			sum.Write([]byte{byte(p), byte(p >> 8)})
			b.Update(int((x>>(node%17) ^ x>>3&rng.Uint32()) & 1))
		}
	}
	return sum.Sum32()
}

// TestBlendGolden holds the probabilities to those of the first version, in every
// tier and on every machine: a difference makes files unreadable there.
func TestBlendGolden(t *testing.T) {
	for _, c := range []struct {
		contexts, sets int
		confidence     bool
		want           uint32
	}{
		{1, 1, false, 0xcd7e36b9},
		{7, 1, true, 0xa7d1fe9b},
		{16, 2, false, 0x70c96f8},
		{23, 4, true, 0x163e6a9d},
	} {
		for _, tier := range kernels.Tiers() {
			restore, err := kernels.SetTier(tier)
			if err != nil {
				t.Fatal(err)
			}
			got := drive(c.contexts, c.sets, 1500, c.confidence)
			restore()
			if got != c.want {
				t.Errorf("%d contexts, %d sets, %v: probabilities sum to %#x, want %#x", c.contexts, c.sets, tier, got, c.want)
			}
		}
	}
}

func TestBlendRange(t *testing.T) {
	b := smallBlend(CounterLimit, ContextSize{Values: 1})
	for i := range 50000 {
		b.Begin([]uint32{0}, []int{0}, 0)
		if p := b.P(15); p < 1 || p > 65535 {
			t.Fatalf("probability %d", p)
		}
		b.Update(i / 25000)
	}
}

func TestNewBlendPanics(t *testing.T) {
	good := BlendConfig{Nodes: 16, Contexts: []ContextSize{{Values: 1}}, Sets: []int{1}, Refine: 1, Rate: 2}
	for name, change := range map[string]func(*BlendConfig){
		"nodes":    func(c *BlendConfig) { c.Nodes = 17 },
		"no nodes": func(c *BlendConfig) { c.Nodes = 0 },
		"contexts": func(c *BlendConfig) { c.Contexts = nil },
		"sets":     func(c *BlendConfig) { c.Sets = nil },
		"refine":   func(c *BlendConfig) { c.Refine = 0 },
	} {
		c := good
		change(&c)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic for %+v", name, c)
				}
			}()
			NewBlend(c)
		}()
	}
}

func BenchmarkBlend(b *testing.B) {
	for _, contexts := range []int{8, 16, 24} {
		for _, tier := range kernels.Tiers() {
			b.Run(fmt.Sprintf("contexts=%d/%v", contexts, tier), func(b *testing.B) {
				restore, err := kernels.SetTier(tier)
				if err != nil {
					b.Fatal(err)
				}
				defer restore()
				c := BlendConfig{Nodes: 48, Sets: []int{16, 16}, Limit: CounterLimit, Refine: 16, Rate: 2}
				for i := range contexts {
					k := ContextSize{Values: 1000}
					if i%2 == 1 {
						k = ContextSize{HashBits: 16}
					}
					c.Contexts = append(c.Contexts, k)
				}
				m := NewBlend(c)
				values, sel := make([]uint32, contexts), make([]int, 2)
				x := uint32(1)
				const decisions = 4
				for b.Loop() {
					x = x*1664525 + 1013904223
					for i := range values {
						values[i] = x >> 8 % 1000
					}
					m.Begin(values, sel, int(x>>28))
					for node := range decisions {
						p := m.P(node)
						bit := 0
						if x>>16 < p {
							bit = 1
						}
						m.Update(bit)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/decisions, "ns/decision")
			})
		}
	}
}
