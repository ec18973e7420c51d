package learned

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Float returns the model, which must not be a joined one, as a network in float32, through which an encoder that
// searches can go back. Its activations are in the units of the integers, but for
// pixels, latents of the hyperprior and the logarithms of scales, which are in those of
// package network; it lacks the integers' roundings and nothing else.
func (m *Model) Float(pool *nn.Pool) (*network.Network, error) {
	n, err := network.New(m.config, pool)
	if err != nil {
		return nil, err
	}
	named := map[string]*nn.Param{}
	for _, p := range n.Params() {
		named[p.Name] = p
	}
	c := m.config
	const pixel = network.PixelUnit << pixelBits
	// factors of the inputs of a network's first linear layer and the outputs of its last.
	factors := map[string][2]float64{
		"analysis":        {pixel, 1},
		"synthesis":       {1, 1.0 / pixel},
		"hyper_analysis":  {1, 1.0 / (1 << hyperShift)},
		"hyper_synthesis": {1 << hyperShift, 1},
	}
	m.integers(func(name string, z **convnet.Integer, _ int, ops []convnet.Op) {
		f, ok := factors[name]
		if !ok {
			f = [2]float64{1, 1}
		}
		first, last := -1, -1
		for i, op := range ops {
			if op.Kind == convnet.OpLinear {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		single := len(ops) == 1 && ops[0].Kind == convnet.OpLinear
		(*z).Real(func(op int, kind string, rows, cols int, values []float64) {
			full := fmt.Sprintf("%s.%d.%s", name, op, kind)
			if single {
				full = name + "." + kind
			}
			p := named[full]
			if p == nil || len(p.Data) != len(values) {
				err = fmt.Errorf("learned: no parameter %s of %d elements", full, len(values))
				return
			}
			for i, v := range values {
				if op == first && kind == "weight" {
					v *= f[0]
				}
				if op == last && ops[op].Kind == convnet.OpLinear {
					v *= f[1]
				}
				p.Data[i] = float32(v)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	// The second half of a head's outputs are logarithms.
	per := c.Latents / network.Groups
	for _, p := range n.Passes {
		for _, h := range p.Heads {
			w, b := h.Params()[0], h.Params()[1]
			for o := per; o < 2*per; o++ {
				b.Data[o] /= scaleUnit
				for i := range w.Cols {
					w.Data[o*w.Cols+i] /= scaleUnit
				}
			}
		}
	}
	for i, v := range m.logSteps {
		n.LogGains.Data[i] = float32(-float64(v) / (1 << logBits) * math.Ln2)
	}
	// Scales are in steps, whose logarithm in the integers' units differs from that in
	// the trained network's by a constant for each latent, which the heads take up.
	for _, p := range n.Passes {
		for g, h := range p.Heads {
			b := h.Params()[1]
			for i := range per {
				l := g*per + i
				b.Data[per+i] += float32(float64(m.offsets[l])/scaleUnit) - n.LogGains.Data[l]
			}
		}
	}
	m.hyperDistributions(n)
	n.Refresh()
	return n, nil
}

// hyperDistributions sets n's distributions of the hyperprior's latents to the Laplace
// distributions of the medians and mean deviations that the priors have.
func (m *Model) hyperDistributions(n *network.Network) {
	c := m.config.Hyper
	q := make([]int16, c)
	costs := make([][2*maxHyper + 1]float64, c)
	for k, prior := range m.priors {
		for v := range costs[0] {
			for i := range c {
				clear(q)
				q[i] = int16(v - maxHyper)
				costs[i][v] = prior.Cost(q)
				q[i] = 0
				// The others' zeros cost the same for all v.
			}
		}
		for i := range c {
			least := math.Inf(1)
			for _, b := range costs[i] {
				least = min(least, b)
			}
			var sum, half float64
			for _, b := range costs[i] {
				sum += math.Exp2(least - b)
			}
			median := 0
			for v, b := range costs[i] {
				if half += math.Exp2(least - b); half >= sum/2 {
					median = v - maxHyper
					break
				}
			}
			var deviation float64
			for v, b := range costs[i] {
				deviation += math.Abs(float64(v-maxHyper-median)) * math.Exp2(least-b) / sum
			}
			n.HyperMeans.Data[k*c+i] = float32(median)
			n.HyperLogScales.Data[k*c+i] = float32(math.Log(max(deviation, 0.05)))
		}
	}
}
