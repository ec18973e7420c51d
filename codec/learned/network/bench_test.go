package network

import (
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// BenchmarkStep is a step of training without the optimiser's, on one core.
func BenchmarkStep(b *testing.B) {
	pool := nn.NewPool(1)
	defer pool.Close()
	n, err := New(Small(), pool)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	s := convnet.Shape{N: 8, H: 256, W: 256}
	x := samples(s)
	rates := []float32{0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1}
	bits, errs := make([]float32, 8), make([]float32, 8)
	for i := range bits {
		bits[i], errs[i] = 1e-5, 1e-8
	}
	for b.Loop() {
		n.Forward(x, s, rates, Noise, r)
		nn.ZeroGrad(n.Params())
		n.Backward(bits, errs)
	}
	encode, decode := Small().MACs()
	b.ReportMetric(decode, "MAC/pixel-decode")
	b.ReportMetric(encode, "MAC/pixel-encode")
}
