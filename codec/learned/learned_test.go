package learned

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// tiny is the smallest network with every part.
func tiny() network.Config {
	return network.Config{
		Fine: 8, Coarse: 16, Latents: 8, Hyper: 4, HyperWidth: 8, Context: 8,
		AnalysisFine: 1, AnalysisCoarse: 1, SynthesisCoarse: 1, SynthesisFine: 1, Anchors: 3,
	}
}

// started returns a network that does something sensible without training.
func started(pool *nn.Pool) (*network.Network, []network.Picture, error) {
	return startedFor(pool, 0, 1)
}

// startedFor is started for a range of rates.
func startedFor(pool *nn.Pool, low, high float64) (*network.Network, []network.Picture, error) {
	c := tiny()
	c.Low, c.High = low, high
	n, err := network.New(c, pool)
	if err != nil {
		return nil, nil, err
	}
	n.Init(rand.New(rand.NewPCG(1, 2)))
	var pictures []network.Picture
	for i := range 6 {
		pictures = append(pictures, codectest.Waves(128, 128, uint64(i)))
	}
	return n, pictures, n.Start(pictures, func(rate float64) float64 { return 0.001 * math.Pow(100, rate) })
}

func newTiny(t testing.TB) (*network.Network, []network.Picture) {
	t.Helper()
	pool := nn.NewPool(1)
	t.Cleanup(pool.Close)
	n, pictures, err := started(pool)
	if err != nil {
		t.Fatal(err)
	}
	return n, pictures
}

func TestIntegersFollowFloats(t *testing.T) {
	n, pictures := newTiny(t)
	m, err := NewModel(n, pictures, Bits{12, 12})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, n, m, codectest.Waves(128, 192, 99), 0.02, 0.1)
}

// compare checks that a model codes a picture in about the bits and to about the PSNR
// of the network that it was made of.
func compare(t *testing.T, n *network.Network, m *Model, p network.Picture, relative, dB float64) {
	t.Helper()
	x := pixels.FromFloats(p)
	for _, rate := range []int{0, convnet.RateUnit / 2, convnet.RateUnit} {
		l, _ := n.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{float32(rate) / convnet.RateUnit}, network.Round, nil)
		b := convnet.NewBuffers(nil)
		y, s := m.analysis.Forward(b, x, convnet.Shape{N: 1, H: p.H, W: p.W}, rate)
		w := arith.NewRangeEncoder(nil)
		_, decoded := m.encodeLatents(b, w, y, m.hyperOf(b, y, s, rate), s, rate, 0)
		out, _ := m.synthesis.Forward(b, decoded, s, rate)
		var sum float64
		for i, v := range out {
			d := float64(v-x[i]) / (1 << pixelBits)
			sum += d * d
		}
		want, got := l.Bits[0], float64(8*len(w.Finish()))
		a, c := pixels.PSNR(l.SquaredError[0]/float64(len(x))), pixels.PSNR(sum/float64(len(x)))
		t.Logf("rate %d: %.0f + %.0f bits at %.3f dB in floats, %.0f at %.3f dB in integers", rate, want, l.HyperBits[0], a, got, c)
		if math.Abs(a-c) > dB || got > (want+l.HyperBits[0])*(1+relative) {
			t.Errorf("rate %d: %.0f bits at %.3f dB in integers, %.0f at %.3f dB in floats", rate, got, c, want+l.HyperBits[0], a)
		}
	}
}

// TestFloatFollowsModel goes the way back: a model's network in floats must code a
// picture as the model does.
func TestFloatFollowsModel(t *testing.T) {
	n, pictures := newTiny(t)
	m, err := NewModel(n, pictures, Bits{12, 12})
	if err != nil {
		t.Fatal(err)
	}
	pool := nn.NewPool(1)
	defer pool.Close()
	f, err := m.Float(pool)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, f, m, codectest.Waves(128, 192, 98), 0.02, 0.1)
}
