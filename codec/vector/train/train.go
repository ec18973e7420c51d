// Package train trains the networks and the codebooks of the vector codec, in Go on the
// CPU.
package train

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/nn"
)

// Options of training. DefaultOptions has the defaults; zero means zero.
type Options struct {
	training.Options
	Config network.Config
	// MSSSIM is what the complement of MS-SSIM costs, in mean squared errors of 8-bit
	// samples: 0 trains for the squared error alone.
	MSSSIM float64
	Start  int // crops that the first codebooks are made of
	// Progress, unless nil, is told of the training.
	Progress func(Progress)
	// Checkpoint, unless nil, is called now and then, to save the trainer by WriteTo.
	Checkpoint func(*Trainer) error
}

// DefaultOptions returns the options to begin from.
func DefaultOptions() Options {
	return Options{Options: training.Defaults(), Config: network.Small(), Start: 400}
}

// Check returns an error unless the options are within their ranges.
func (o *Options) Check() error {
	if err := o.Options.Check(); err != nil {
		return err
	}
	switch {
	case o.Start < 1 || o.Start > 1<<16:
		return fmt.Errorf("train: a start from %d crops", o.Start)
	case !(o.MSSSIM >= 0 && o.MSSSIM <= 1e6) || o.MSSSIM > 0 && o.Side <= minSide:
		return fmt.Errorf("train: MS-SSIM at %v, of crops of %d", o.MSSSIM, o.Side)
	}
	return o.Config.Check()
}

// A Point is what the validation crops cost at a rate, as the running statistics have
// it: means over crops.
type Point struct {
	Rate, BPP, PSNR, MSSSIM float64
}

// Progress is where training stands.
type Progress struct {
	training.Progress
	Points []Point // nil without validation pictures
	// Used is the share of words of each level's stages that are used at least a tenth
	// as often as the mean.
	Used [network.Levels][]float64
	// Weight is network.Network's.
	Weight float64
}

// A Trainer trains a network.
type Trainer struct {
	o    Options
	data *training.Data
	held []network.Picture
	net  *network.Network
	loop *training.Loop
	// similar is what MS-SSIM is worth in each crop of a batch, further the gradient
	// by the decoded pixels: nil if it is worth nothing.
	similar, further []float32
}

// New returns a trainer of a network that starts from the principal components of the
// data, held being pictures for validation, or nil.
func New(data, held *training.Data, o Options) (*Trainer, error) {
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(o.Seed, 0))
	t.net.Init(r)
	if err := t.net.Start(data.Crops(o.Start, o.Side, o.Seed), r); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// heldCrops are enough to see where training goes. Their seed is no training's.
const (
	heldCrops = 32
	heldSeed  = 1 << 40
)

func prepare(data, held *training.Data, o Options) (*Trainer, error) {
	if data.Empty() {
		return nil, training.ErrNoData
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	pool := nn.NewPool(o.Workers)
	net, err := network.New(o.Config, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	t := &Trainer{o: o, data: data, net: net, loop: training.NewLoop(net, pool, o.Options)}
	if held != nil {
		t.held = held.Crops(heldCrops, o.Side, heldSeed)
	}
	if o.MSSSIM > 0 {
		t.similar, t.further = make([]float32, o.Batch), make([]float32, o.Batch*o.Side*o.Side*3)
	}
	return t, nil
}

// Close frees the workers.
func (t *Trainer) Close() { t.loop.Close() }

// Step returns the number of steps done.
func (t *Trainer) Step() int { return t.loop.Step() }

// Run trains until all steps are done or ctx is, whose error it then returns.
func (t *Trainer) Run(ctx context.Context) error {
	var points []Point
	validate := func() (score float64) {
		points, score = t.validate()
		return score
	}
	return t.loop.Run(ctx, t.learn, validate, func(p training.Progress) error {
		if t.o.Progress != nil {
			t.o.Progress(Progress{p, points, t.net.UsedWords(), float64(t.net.Weight)})
		}
		if t.o.Checkpoint != nil {
			return t.o.Checkpoint(t)
		}
		return nil
	})
}

// measureEvery is how many steps lie between measurements of the vectors' weight.
const measureEvery = 8

// learn adds up the gradients of a batch, and lets the codebooks learn from it.
func (t *Trainer) learn(b *training.Batch, r *rand.Rand) {
	b.Draw(t.data, 0, 1, network.Lambda, rand.New(rand.NewPCG(r.Uint64(), 0)), r)
	mode := network.Train
	if t.Step()%measureEvery == 0 {
		mode = network.Measure
	}
	l, decoded := t.net.Forward(b.X, b.Shape, b.Rates, mode)
	if t.o.MSSSIM > 0 {
		for i, mean := range b.Mean {
			t.similar[i] = float32(mean * t.o.MSSSIM)
		}
		for i, m := range similarities(t.loop.Pool(), t.further, decoded, b.X, b.Shape.N, b.Shape.W, network.PixelUnit, network.PixelZero, t.similar) {
			b.Loss += float64(t.similar[i]) * (1 - m)
		}
	}
	t.net.Backward(b.Bits, b.Errors, t.further)
	t.net.Update(r)
	for i, bits := range l.Bits {
		b.Add(i, bits, l.SquaredError[i])
	}
}

// validate measures the network on the held out crops.
func (t *Trainer) validate() ([]Point, float64) {
	if t.held == nil {
		return nil, 0
	}
	const n = 5
	var points []Point
	var score float64
	for k := range n {
		rate := float64(k) / (n - 1)
		lambda := network.Lambda(rate)
		p := Point{Rate: rate}
		count := float64(len(t.held))
		for _, c := range t.held {
			l, decoded := t.net.Forward(c.Data, c.Shape(), []float32{float32(rate)}, network.Test)
			pixels := float64(c.H * c.W)
			mse, bpp := l.SquaredError[0]/(3*pixels), l.Bits[0]/pixels
			p.BPP += bpp / count
			p.PSNR += 10 * math.Log10(255*255/mse) / count
			if t.o.Side > minSide {
				p.MSSSIM += similarities(t.loop.Pool(), nil, decoded, c.Data, 1, t.o.Side, network.PixelUnit, network.PixelZero, nil)[0] / count
			}
			score += (bpp + lambda*mse) / math.Sqrt(lambda) / count / n
		}
		points = append(points, p)
	}
	return points, score
}

// Network returns the network with the averaged weights: for use when Run is done.
// Codebooks are averages already.
func (t *Trainer) Network() *network.Network {
	t.loop.Swap()
	return t.net
}

// state is what a checkpoint says besides tensors.
type state struct {
	Config network.Config `json:"config"`
	training.State
	Weight float32 `json:"weight"`
}

// checkpoints have the network, the optimiser's state and the average.
var checkpoints = training.Format{Key: "burin.vector.checkpoint"}

// WriteTo writes a checkpoint, a safetensors file.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	return checkpoints.Write(w, t.loop, state{t.o.Config, t.loop.State(), t.net.Weight}, t.net.Tensors())
}

// Resume returns a trainer that goes on from a checkpoint, which names the
// architecture: that of o is not used.
func Resume(r io.Reader, data, held *training.Data, o Options) (*Trainer, error) {
	var s state
	tensors, err := checkpoints.Read(r, &s)
	if err != nil {
		return nil, err
	}
	if !(s.Weight > 0 && s.Weight < 1e6) {
		return nil, fmt.Errorf("train: checkpoint of weight %v", s.Weight)
	}
	o.Config = s.Config
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	t.net.Weight = s.Weight
	if err = t.net.SetTensors(tensors); err == nil {
		err = checkpoints.Restore(t.loop, s.State, tensors)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}
