package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// checkNearest holds every tier's choice against the scores of all words in float64:
// none may be better by more than rounding explains.
func checkNearest(t *testing.T, r *rand.Rand, n, d, m int, biased bool) {
	t.Helper()
	ldw, ldx := d+r.IntN(3), d+r.IntN(3)
	w, x := make([]float32, n*ldw), make([]float32, m*ldx)
	for _, s := range [][]float32{w, x} {
		for i := range s {
			s[i] = float32(r.NormFloat64())
		}
	}
	var bias []float32
	if biased {
		bias = make([]float32, n)
		for i := range bias {
			bias[i] = float32(r.NormFloat64())
		}
	}
	// The second half of the words are the first once more, which must not be found.
	for i := range n / 2 {
		copy(w[(n-1-i)*ldw:][:d], w[i*ldw:i*ldw+d])
		if biased {
			bias[n-1-i] = bias[i]
		}
	}
	eachTier(t, func(l Level) {
		var p Nearest
		p.Pack(w, n, d, ldw, bias)
		index, score := make([]uint32, m), make([]float32, m)
		p.Search(index, score, x, ldx, m)
		for i := range m {
			best, size := math.Inf(-1), 0.0
			scores := make([]float64, n)
			for j := range n {
				var dot, norm, abs float64
				for e := range d {
					u, v := float64(w[j*ldw+e]), float64(x[i*ldx+e])
					dot += u * v
					norm += u * u
					abs += math.Abs(u * v)
				}
				if biased {
					norm = -2 * float64(bias[j])
				}
				scores[j] = dot - norm/2
				size = max(size, abs+math.Abs(norm))
				best = max(best, scores[j])
			}
			j := int(index[i])
			if j >= (n+1)/2 {
				t.Fatalf("%v: word %d of %d, not the first of its equals", l, j, n)
			}
			limit := size * float64(d+2) * 0x1p-23
			if best-scores[j] > limit {
				t.Fatalf("%v: score %v of word %d, the best of %d is %v", l, scores[j], j, n, best)
			}
			if math.Abs(float64(score[i])-scores[j]) > limit {
				t.Fatalf("%v: score %v is given as %v", l, scores[j], score[i])
			}
		}
	})
}

func TestNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 41))
	for i := range 80 {
		checkNearest(t, r, 1+r.IntN(70), 1+r.IntN(20), r.IntN(110), i%2 == 0)
	}
	checkNearest(t, r, 300, 300, 50, false)
	checkNearest(t, r, 6000, 16, 60, false) // several chunks
}

func FuzzNearest(f *testing.F) {
	f.Add(uint64(1), uint16(9), uint8(4), uint8(49), true)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, d, m uint8, biased bool) {
		checkNearest(t, rand.New(rand.NewPCG(seed, 42)), 1+int(n%2048), 1+int(d%48), int(m), biased)
	})
}

// TestNearestNotFinite: whatever the vector, the word exists.
func TestNearestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	w := []float32{3e38, -3e38, -3e38, -3e38, inf, 0, 1, 2, 3, 4}
	x := []float32{float32(math.NaN()), 1, inf, inf, -inf, inf, 3e38, 3e38, 0, 0}
	eachTier(t, func(l Level) {
		var p Nearest
		p.Pack(w, 5, 2, 2, nil)
		index := make([]uint32, 5)
		p.Search(index, nil, x, 2, 5)
		for _, i := range index {
			if i >= 5 {
				t.Fatalf("%v: word %d of 5", l, i)
			}
		}
	})
}

func TestNearestPanics(t *testing.T) {
	var p Nearest
	p.Pack(make([]float32, 6), 3, 2, 2, nil)
	for name, f := range map[string]func(){
		"no words":      func() { new(Nearest).Pack(nil, 0, 2, 2, nil) },
		"no elements":   func() { new(Nearest).Pack(make([]float32, 2), 2, 0, 1, nil) },
		"short matrix":  func() { new(Nearest).Pack(make([]float32, 5), 3, 2, 2, nil) },
		"few biases":    func() { new(Nearest).Pack(make([]float32, 6), 3, 2, 2, make([]float32, 2)) },
		"short queries": func() { p.Search(make([]uint32, 2), nil, make([]float32, 3), 2, 2) },
		"short index":   func() { p.Search(make([]uint32, 1), nil, make([]float32, 4), 2, 2) },
		"short scores":  func() { p.Search(make([]uint32, 2), make([]float32, 1), make([]float32, 4), 2, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is accepted", name)
				}
			}()
			f()
		}()
	}
}

// BenchmarkNearest reports the multiplications and additions a second, and their part
// of what a loop of fused multiply-adds in registers reaches (%peak) and of what Gemm
// reaches on the same matrices (%gemm).
func BenchmarkNearest(b *testing.B) {
	const m = 960
	for _, c := range []struct{ n, d int }{
		{256, 4}, {256, 8}, {256, 16}, {1024, 32}, {4096, 64}, {16384, 16}, {65536, 16}, {65536, 256}, {262144, 8},
	} {
		b.Run(fmt.Sprintf("%dx%d", c.n, c.d), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 43))
			w, x := make([]float32, c.n*c.d), make([]float32, m*c.d)
			for _, s := range [][]float32{w, x} {
				for i := range s {
					s[i] = float32(r.NormFloat64())
				}
			}
			var p Nearest
			p.Pack(w, c.n, c.d, c.d, nil)
			index := make([]uint32, m)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			start := cpuTime()
			for b.Loop() {
				p.Search(index, nil, x, c.d, m)
			}
			took := (cpuTime() - start).Seconds()
			rate := 2 * float64(m) * float64(c.n) * float64(c.d) * float64(b.N) / took / 1e9

			const loops = 1 << 22
			start = cpuTime()
			flops := FMALoop(loops)
			peak := float64(flops) / (cpuTime() - start).Seconds() / 1e9

			// The same product with results for up to 1024 words at a time.
			n := min(c.n, 1024)
			xt := make([]float32, len(x))
			TransposeF32(xt, m, x, c.d, m, c.d)
			y := make([]float32, n*m)
			var g Gemm
			rounds := max(1, int(1e9/(float64(m)*float64(n)*float64(c.d))))
			g.NN(y, m, w, c.d, xt, m, n, m, c.d, false)
			start = cpuTime()
			for range rounds {
				g.NN(y, m, w, c.d, xt, m, n, m, c.d, false)
			}
			gemm := 2 * float64(m) * float64(n) * float64(c.d) * float64(rounds) / (cpuTime() - start).Seconds() / 1e9
			b.ReportMetric(rate, "GFLOP/s")
			b.ReportMetric(100*rate/peak, "%peak")
			b.ReportMetric(100*rate/gemm, "%gemm")
			b.ReportMetric(float64(m)*float64(b.N)/took, "vectors/s")
		})
	}
}
