package network

import (
	"github.com/burin-codec/burin/transform/convnet"
)

// A Calibration is what magnitudes the activations of a network take: what integers
// must hold.
type Calibration struct {
	Analysis, Synthesis, HyperAnalysis, HyperSynthesis *convnet.Ranges
	Bodies                                             [Groups]*convnet.Ranges
	Latents                                            []float32 // of each latent, decoded ones and means among them
	Context                                            []float32 // of the context networks' inputs, before the rectifier or after
}

// Calibrate codes pictures, sides being multiples of 64, each at all the given rates.
func (n *Network) Calibrate(pictures []Picture, rates []float32) *Calibration {
	c := &Calibration{
		Analysis: n.Analysis.NewRanges(), Synthesis: n.Synthesis.NewRanges(),
		HyperAnalysis: n.HyperAnalysis.NewRanges(), HyperSynthesis: n.HyperSynthesis.NewRanges(),
		Latents: make([]float32, n.Config.Latents), Context: make([]float32, n.Config.Context),
	}
	for k, p := range n.Passes {
		c.Bodies[k] = p.Body.NewRanges()
	}
	for _, p := range pictures {
		for _, rate := range rates {
			n.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{rate}, Round, nil)
			n.Analysis.Observe(c.Analysis)
			n.Synthesis.Observe(c.Synthesis)
			n.HyperAnalysis.Observe(c.HyperAnalysis)
			n.HyperSynthesis.Observe(c.HyperSynthesis)
			widen(c.Latents, n.batch.y)
			widen(c.Latents, n.batch.decoded)
			widen(c.Context, n.batch.h)
			for k, pass := range n.Passes {
				pass.Body.Observe(c.Bodies[k])
				widen(c.Context, n.batch.a[k])
			}
		}
	}
	return c
}

func widen(r, x []float32) {
	for len(x) > 0 {
		for c, v := range x[:len(r)] {
			r[c] = max(r[c], v, -v)
		}
		x = x[len(r):]
	}
}
