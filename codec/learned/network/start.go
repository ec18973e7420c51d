package network

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/transform/nn"
	"github.com/burin-codec/burin/transform/principal"
)

// A network whose transforms start at random spends most of its training on finding
// what is known beforehand: that the best linear transform of pictures is that of
// Karhunen and Loève, and that at high rates the best step of a quantiser is the same
// for all of its coefficients. Start sets them so:
//
//   - the first product of the analysis is the transform of squares of 8 x 8 pixels,
//     of which it keeps the strongest coefficients; the second one that of 2 x 2 such
//     squares; the synthesis has the transposes;
//   - coefficients are divided by the square root of their deviation, which leaves
//     them within a few octaves of each other;
//   - gains are those of uniform quantisation at which the derivative of the squared
//     error by the rate, -2 ln 2 D with D = step²/12, is that of the loss;
//   - scales are those of the coefficients, means are zero.
//
// Latents are dealt to the groups in turn, in the order of their variance, and each
// group has them side by side.

// Start sets the transforms as described from sample pictures, [H][W][3] each in the
// units of PixelUnit, H and W being multiples of 16. lambda gives, for a rate of 0..1, the
// weight of the mean squared error of 8-bit samples beside bits per pixel. It
// is for networks whose widths do not exceed what there are coefficients for.
func (n *Network) Start(pictures []Picture, lambda func(rate float64) float64) error {
	c := n.Config
	if c.Fine > 192 || c.Coarse > 4*c.Fine || c.Latents > c.Coarse || 4*c.Fine < c.Coarse {
		return fmt.Errorf("network: no start for %d, %d and %d channels", c.Fine, c.Coarse, c.Latents)
	}
	first, err := principal.Find(192, c.Fine, func(add func([]float32)) {
		v := make([]float32, 192)
		for _, p := range pictures {
			p.Squares(8, func(y, x int) {
				p.Square(v, y, x)
				add(v)
			})
		}
	})
	if err != nil {
		return err
	}
	second, err := principal.Find(4*c.Fine, c.Coarse, func(add func([]float32)) {
		v, square := make([]float32, 4*c.Fine), make([]float32, 192)
		for _, p := range pictures {
			p.Squares(16, func(y, x int) {
				for i := range 4 {
					p.Square(square, y+8*(i/2), x+8*(i%2))
					first.Project(v[i*c.Fine:(i+1)*c.Fine], square)
				}
				add(v)
			})
		}
	})
	if err != nil {
		return err
	}
	a, b := scales(first), scales(second)
	set := func(net []*nn.Param, name string, value func(o, i int) float64) error {
		for _, p := range net {
			if p.Name != name {
				continue
			}
			for o := range p.Rows {
				for i := range p.Cols {
					p.Data[o*p.Cols+i] = float32(value(o, i))
				}
			}
			return nil
		}
		return fmt.Errorf("network: no parameter %s", name)
	}
	at := func(prefix string, ops int) string { return fmt.Sprintf("%s.%d.weight", prefix, ops) }
	// deal is the coefficient that is latent o.
	deal := func(o int) int { per := c.Latents / Groups; return o%per*Groups + o/per }
	analysis, synthesis := n.Analysis.Params(), n.Synthesis.Params()
	for _, step := range []error{
		set(analysis, at("analysis", 1), func(o, i int) float64 { return first.Vectors[o][i] * a[o] }),
		set(analysis, at("analysis", 4+c.AnalysisFine), func(o, i int) float64 { return second.Vectors[o][i] / a[i%c.Fine] * b[o] }),
		set(analysis, at("analysis", 5+c.AnalysisFine+c.AnalysisCoarse), func(o, i int) float64 { return one(deal(o) == i) }),
		set(synthesis, at("synthesis", 0), func(o, i int) float64 { return one(o == deal(i)) }),
		set(synthesis, at("synthesis", 2+c.SynthesisCoarse), func(o, i int) float64 { return second.Vectors[i][o] / b[i] * a[o%c.Fine] }),
		set(synthesis, at("synthesis", 4+c.SynthesisCoarse+c.SynthesisFine), func(o, i int) float64 { return first.Vectors[i][o] / a[i] }),
	} {
		if step != nil {
			return step
		}
	}
	for k := range c.Anchors {
		l := lambda(float64(k) / float64(c.Anchors-1))
		// lambda/768 per coefficient and 1/256 bit per pixel: D = 3/(2 ln 2 lambda).
		step := math.Sqrt(12*3/(2*math.Ln2*l)) / PixelUnit
		for o := range c.Latents {
			n.LogGains.Data[k*c.Latents+o] = float32(-math.Log(step * b[deal(o)]))
		}
	}
	for _, p := range n.Passes {
		for g, head := range p.Heads {
			bias := head.Params()[1].Data
			per := c.Latents / Groups
			for i := range per {
				o := deal(g*per + i)
				bias[per+i] = float32(math.Log(second.Deviations[o] * b[o] / 2))
			}
		}
	}
	n.Refresh()
	return nil
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// scales returns the factors that coefficients are multiplied by.
func scales(c *principal.Components) []float64 {
	s := make([]float64, len(c.Deviations))
	for i, d := range c.Deviations {
		s[i] = 1 / math.Sqrt(d)
	}
	return s
}
