package reduce

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/burin-codec/burin/kernels"
)

func randomTokens(n, d int) *Tokens {
	r := rand.New(rand.NewPCG(1, 9))
	t := &Tokens{N: n, D: d, X: make([]float32, n*d)}
	for i := range t.X {
		t.X[i] = float32(r.NormFloat64())
	}
	for range n {
		t.Attention = append(t.Attention, float32(r.ExpFloat64()))
	}
	return t
}

// 4,096 tokens of 1,024 features to half, on one core. cpu-ms is the time that the
// thread ran; multiplying in float32 alone, which the search avoids, is f32-cpu-ms.
func BenchmarkBipartiteMatching(b *testing.B) {
	const n, d = 4096, 1024
	in := randomTokens(n, d)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.SetBytes(n * d * 4)
	start := cpuTime()
	for b.Loop() {
		if _, err := (BipartiteMatching{}).Reduce(in, Count(n/2)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-start)/time.Microsecond)/float64(b.N)/1000, "cpu-ms/op")
	b.StopTimer()
	m := in.metric()
	var g kernels.Gemm
	c := make([]float32, searchRows*n/2)
	start = cpuTime()
	for at := 0; at < n/2; at += searchRows {
		g.NT(c, n/2, m.x[at*2*d:], 2*d, m.x[d:], 2*d, searchRows, n/2, d, false)
	}
	b.ReportMetric(float64((cpuTime()-start)/time.Microsecond)/1000, "f32-cpu-ms")
}

func BenchmarkMethods(b *testing.B) {
	in := video(1, 8, 16, 16, 64)
	for _, m := range Methods() {
		b.Run(m.Name, func(b *testing.B) {
			reducer := m.New(options(in))
			b.SetBytes(int64(in.N * in.D * 4))
			for b.Loop() {
				if _, err := reducer.Reduce(in, Share(0.25)); err != nil {
					b.Skip(err)
				}
			}
		})
	}
}
