package vector

import (
	"context"
	"fmt"
	"image"

	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Words are chosen by how near they are to what the analysis says, which is near to the
// pixels as far as the synthesis is linear. To go by the pixels themselves, an encoder
// that has time decodes what it chose, and moves what it aims at to where one step of
// Gauss and Newton from there leads: with r decoded, the pixels' error e and the
// synthesis's derivative J,
//
//	y' = r - Jᵀe / weight
//
// which is y itself if J is orthonormal. Then it chooses again, and keeps what cost least
// in bits and pixels.

// refineShare is how far an iteration moves what is aimed at.
const refineShare = 0.5

// A refiner is the synthesis in floats, in the integers' units.
type refiner struct {
	iterations int
	synthesis  *convnet.Net
}

func newRefiner(m *Model, pool *nn.Pool, iterations int) (*refiner, error) {
	if iterations == 0 {
		return nil, nil
	}
	net, err := convnet.New("synthesis", m.config.Levels[network.Finest].Dim, m.config.SynthesisOps(), pool)
	if err != nil {
		return nil, err
	}
	params, i := net.Params(), 0
	m.synthesis.Real(func(op int, name string, _, _ int, values []float64) {
		if err != nil {
			return
		}
		if i == len(params) || len(params[i].Data) != len(values) {
			err = fmt.Errorf("vector: no parameter for %s of operation %d", name, op)
			return
		}
		for j, v := range values {
			params[i].Data[j] = float32(v)
		}
		i++
	})
	net.Refresh()
	return &refiner{iterations, net}, err
}

// refine decides on t, of pixels x within r, with books of the given sizes, better than
// decide alone.
func (f *refiner) refine(ctx context.Context, e *chooser, t *tile, x []int16, r image.Rectangle, depths []int) error {
	m := e.m
	rates := []float32{float32(t.rate) / convnet.RateUnit}
	lambda := network.Lambda(float64(rates[0]))
	shape := shapeOf(&t.grids[network.Finest])
	scale := m.unit[network.Finest] * network.PixelUnit * (1 << pixels.Bits) // of a vector's unit in the pixels'
	gauss := float32(1 / (scale * scale * m.weight))
	e.decide(t, depths)
	best, least := *t, f.cost(e, t, x, r, depths, lambda)
	input, error := make([]float32, len(t.y[network.Finest])), make([]float32, len(x))
	aim := make([]float32, len(input))
	for i, v := range t.y[network.Finest] {
		aim[i] = float32(v)
	}
	for range f.iterations {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, v := range t.r[network.Finest] {
			input[i] = float32(v)
		}
		out, _ := f.synthesis.Forward(input, shape, rates)
		for i, v := range x {
			error[i] = out[i] - float32(v)
		}
		step := f.synthesis.Backward(error, true, false)
		kernels.AxpbyF32(input, 1, step, -gauss) // where it leads
		kernels.AxpbyF32(aim, 1-refineShare, input, refineShare)
		next := *t
		next.grids = newGrids(m.config, shape.H, shape.W)
		y := make([]int16, len(aim))
		for i, v := range aim {
			y[i] = round16(float64(v))
		}
		e.aimAt(&next, y)
		e.decide(&next, depths)
		*t = next
		if c := f.cost(e, t, x, r, depths, lambda); c < least {
			best, least = next, c
		}
	}
	*t = best
	return nil
}

// cost returns what t costs in bits, errors being those of pixels.
func (f *refiner) cost(e *chooser, t *tile, x []int16, r image.Rectangle, depths []int, lambda float64) float64 {
	out, s := e.m.synthesis.Forward(e.b, t.r[network.Finest], shapeOf(&t.grids[network.Finest]), t.rate)
	sum, _ := pixels.SquaredError(out, x, r, s.W)
	e.b.Give(out)
	return float64(8*len(e.m.encodeTile(t, depths))) + lambda/3*sum
}
