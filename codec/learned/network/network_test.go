package network

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// tiny is the smallest network with every part.
func tiny() Config {
	return Config{
		Fine: 8, Coarse: 16, Latents: 8, Hyper: 4, HyperWidth: 8, Context: 8,
		AnalysisFine: 1, AnalysisCoarse: 1, SynthesisCoarse: 1, SynthesisFine: 1, Anchors: 3,
	}
}

func newTiny(t testing.TB, workers int) *Network {
	t.Helper()
	pool := nn.NewPool(workers)
	t.Cleanup(pool.Close)
	n, err := New(tiny(), pool)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	for _, p := range n.Params() {
		for i := range p.Data {
			p.Data[i] += float32(r.NormFloat64() * 0.05)
		}
	}
	n.Refresh()
	return n
}

func samples(s convnet.Shape) []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, s.Rows()*3)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestGradients compares the gradients of all parameters with differences of the loss,
// without the roundings.
func TestGradients(t *testing.T) {
	n := newTiny(t, 1)
	s := convnet.Shape{N: 2, H: 64, W: 128}
	x := samples(s)
	rates := []float32{0.2, 0.9}
	bits, errs := []float32{0.01, 0.02}, []float32{1e-6, 3e-6}
	loss := func() float64 {
		l, _ := n.Forward(x, s, rates, smooth, rand.New(rand.NewPCG(5, 6)))
		var sum float64
		for i := range rates {
			sum += float64(bits[i])*(l.Bits[i]+l.HyperBits[i]) + float64(errs[i])*l.SquaredError[i]
		}
		return sum
	}
	loss()
	nn.ZeroGrad(n.Params())
	n.Backward(bits, errs)
	r := rand.New(rand.NewPCG(7, 8))
	for _, p := range n.Params() {
		// Along the gradient and somewhat beside it, which sees all elements at once.
		d := make([]float32, len(p.Data))
		norm := math.Sqrt(kernels.DotF32(p.Grad, p.Grad))
		var want float64
		for i := range d {
			d[i] = p.Grad[i]/float32(norm) + float32(r.NormFloat64()/2/math.Sqrt(float64(len(d))))
			want += float64(d[i]) * float64(p.Grad[i])
		}
		step := 0.008
		keep := append([]float32(nil), p.Data...)
		at := func(by float64) float64 {
			for i := range d {
				p.Data[i] = keep[i] + float32(by)*d[i]
			}
			n.Refresh()
			return loss()
		}
		// Of fourth order: the loss bends a good deal.
		got := (8*(at(step)-at(-step)) - at(2*step) + at(-2*step)) / (12 * step)
		at(0)
		if diff := math.Abs(got - want); diff > 0.02*math.Abs(want)+2e-2 {
			t.Errorf("%s: difference %g, gradient %g", p.Name, got, want)
		}
	}
}

// TestGrow checks that a grown network gives the same results, and that its new blocks
// learn.
func TestGrow(t *testing.T) {
	n := newTiny(t, 1)
	c := n.Config
	c.AnalysisFine, c.AnalysisCoarse, c.SynthesisCoarse, c.SynthesisFine = 3, 2, 1, 4
	g, err := n.Grow(c, rand.New(rand.NewPCG(9, 9)), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := convnet.Shape{N: 1, H: 64, W: 64}
	x, rates := samples(s), []float32{0.4}
	want, _ := n.Forward(x, s, rates, Round, nil)
	got, _ := g.Forward(x, s, rates, Round, nil)
	if math.Abs(want.Bits[0]-got.Bits[0]) > 1e-3*want.Bits[0] || math.Abs(want.SquaredError[0]-got.SquaredError[0]) > 1e-3*want.SquaredError[0] {
		t.Errorf("%v and %v, not %v and %v", got.Bits, got.SquaredError, want.Bits, want.SquaredError)
	}
	g.Forward(x, s, rates, Noise, rand.New(rand.NewPCG(1, 1)))
	nn.ZeroGrad(g.Params())
	g.Backward([]float32{0.01}, []float32{1e-6})
	for _, p := range g.Params() {
		if p.Name == "analysis.5.second.weight" && kernels.DotF32(p.Grad, p.Grad) == 0 {
			t.Errorf("%s has no gradient", p.Name)
		}
	}
	c.Latents = 16
	if _, err := n.Grow(c, rand.New(rand.NewPCG(9, 9)), nil); err == nil {
		t.Error("more latents were taken")
	}
	c = n.Config
	c.AnalysisFine = 0
	if _, err := n.Grow(c, rand.New(rand.NewPCG(9, 9)), nil); err == nil {
		t.Error("fewer blocks were taken")
	}
}
