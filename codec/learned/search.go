package learned

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// One forward pass gives latents that are good for pictures on the whole. For a given
// one, descent along the gradient of bits + weight * squared error finds better ones,
// and decoding does not change (Campos et al., "Content Adaptive Optimization for Neural
// Image Compression", 2019). Rounding is relaxed by stochastic Gumbel annealing (Yang,
// Bamler and Mandt, "Improving Inference for Neural Image Compression", 2020), see
// network.Anneal.

// iterations of the search at efforts from 1.
var iterations = [...]int{1: 0, 2: 0, 3: 0, 4: 25, 5: 50, 6: 100, 7: 200, 8: 400, 9: 800}

// A searcher improves the latents of tiles.
type searcher struct {
	pool       *nn.Pool
	iterations int
	// net is that of a model in floats.
	net *network.Network
	of  *Model
}

// newSearcher returns a searcher for an effort, or nil if it does not search.
func newSearcher(pool *nn.Pool, effort int) *searcher {
	if n := iterations[effort]; n > 0 {
		return &searcher{pool: pool, iterations: n}
	}
	return nil
}

// improve returns better latents, of the picture and of the hyperprior, than y, both in
// the integers' units, for pixels x of H x W.
func (s *searcher) improve(ctx context.Context, m *Model, y, x []int16, shape convnet.Shape, rate int) (better, hyper []int16, err error) {
	if s.of != m {
		if s.net, err = m.Float(s.pool); err != nil {
			return nil, nil, err
		}
		s.of = m
	}
	rates := []float32{float32(rate) / convnet.RateUnit}
	pixels := make([]float32, len(x))
	for i, v := range x {
		pixels[i] = float32(v) / (network.PixelUnit << pixelBits)
	}
	latents := nn.NewParam("y", 1, len(y))
	for i, v := range y {
		latents.Data[i] = float32(v)
	}
	ys := convnet.Shape{N: 1, H: shape.H / 16, W: shape.W / 16}
	z, _ := s.net.HyperAnalysis.Forward(latents.Data, ys, rates)
	hyperlatents := nn.NewParam("z", 1, len(z))
	copy(hyperlatents.Data, z)
	g := m.gainsAt(rate)
	// Latents move in steps of the quantiser: the descent is on y/step.
	c := m.config.Latents
	step := make([]float32, c)
	for i, v := range g.step {
		step[i] = float32(v) / (1 << stepBits)
	}
	for i := range latents.Data {
		latents.Data[i] /= step[i%c]
	}
	scaled := make([]float32, len(y))
	adam := nn.NewAdam(nil,
		nn.Group{Params: []*nn.Param{latents}, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-12},
		nn.Group{Params: []*nn.Param{hyperlatents}, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-12})
	n := float64(shape.H * shape.W)
	bits := []float32{1}
	errors := []float32{float32(network.Lambda(float64(rate)/convnet.RateUnit) / 3)}
	noise := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range s.iterations {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		for j, v := range latents.Data {
			scaled[j] = v * step[j%c]
		}
		s.net.Temperature = float32(warm * math.Pow(cold/warm, float64(i)/float64(s.iterations)))
		s.net.Code(scaled, hyperlatents.Data, pixels, shape, rates, network.Anneal, noise)
		dy, dz := s.net.LatentGradients(bits, errors)
		for j, d := range dy {
			latents.Grad[j] = d * step[j%c]
		}
		copy(hyperlatents.Grad, dz)
		adam.Groups[0].Rate = nn.Cosine(searchRate, 0, i, s.iterations)
		adam.Groups[1].Rate = adam.Groups[0].Rate
		adam.Step()
	}
	better = make([]int16, len(y))
	for i, v := range latents.Data {
		better[i] = round16(v * step[i%c])
	}
	hyper = make([]int16, len(z))
	for i, v := range hyperlatents.Data {
		hyper[i] = int16(min(max(math.RoundToEven(float64(v)), -maxHyper), maxHyper))
	}
	return better, hyper, nil
}

// How far a latent moves in the first iterations, in steps, and the first and the last
// temperature: best of six settings tried on two crops of photographs, which differed by up
// to 0.3 % of the loss.
const (
	searchRate = 0.01
	warm, cold = 0.5, 0.2
)

func round16(v float32) int16 {
	return int16(min(max(math.RoundToEven(float64(v)), math.MinInt16), math.MaxInt16))
}
