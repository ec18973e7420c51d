package network

import "github.com/burin-codec/burin/transform/convnet"

// A Calibration is what magnitudes the activations of a network take: what integers
// must hold.
type Calibration struct {
	Analysis, Synthesis *convnet.Ranges
	Pools, Predictors   [Levels]*convnet.Ranges
	Vectors             [Levels]float32 // of any element of a level's vectors, decoded ones among them
}

// Calibrate codes pictures, sides being multiples of 64, each at all the given rates.
func (n *Network) Calibrate(pictures []Picture, rates []float32) *Calibration {
	c := &Calibration{Analysis: n.Analysis.NewRanges(), Synthesis: n.Synthesis.NewRanges()}
	for l := range Levels {
		if n.Pools[l] != nil {
			c.Pools[l] = n.Pools[l].NewRanges()
		}
		if n.Predictors[l] != nil {
			c.Predictors[l] = n.Predictors[l].NewRanges()
		}
	}
	for _, p := range pictures {
		for _, rate := range rates {
			n.Forward(p.Data, convnet.Shape{N: 1, H: p.H, W: p.W}, []float32{rate}, Test)
			n.Analysis.Observe(c.Analysis)
			n.Synthesis.Observe(c.Synthesis)
			for l := range Levels {
				if n.Pools[l] != nil {
					n.Pools[l].Observe(c.Pools[l])
				}
				if n.Predictors[l] != nil {
					n.Predictors[l].Observe(c.Predictors[l])
				}
				for _, v := range [][]float32{n.batch.y[l], n.batch.r[l]} {
					for _, x := range v {
						c.Vectors[l] = max(c.Vectors[l], x, -x)
					}
				}
			}
		}
	}
	return c
}
