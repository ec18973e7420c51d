// Package train trains the networks of the learned codec, in Go on the CPU; train.py
// beside it does the same with PyTorch where there is a GPU. Both write the same file.
package train

import (
	"context"
	"io"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/transform/nn"
)

// Options of training. DefaultOptions has the defaults; zero means zero.
type Options struct {
	training.Options
	Config network.Config
	// Progress, unless nil, is told of the training.
	Progress func(Progress)
	// Checkpoint, unless nil, is called now and then, to save the trainer by WriteTo.
	Checkpoint func(*Trainer) error
}

// DefaultOptions returns the options that made the model that is shipped.
func DefaultOptions() Options {
	return Options{Options: training.Defaults(), Config: network.Small()}
}

// Check returns an error unless the options are within their ranges.
func (o *Options) Check() error {
	if err := o.Options.Check(); err != nil {
		return err
	}
	return o.Config.Check()
}

// A Point is what the validation pictures cost at a rate, rounded as the codec does:
// means over pictures.
type Point struct {
	Rate, BPP, HyperBPP, PSNR float64
}

// Progress is where training stands.
type Progress struct {
	training.Progress
	Points []Point // nil without validation pictures
}

// A Trainer trains a network.
type Trainer struct {
	o          Options
	data, held *training.Data
	net        *network.Network
	loop       *training.Loop
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
	if err := t.net.Start(data.Crops(200, o.Side, o.Seed), network.Lambda); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// NewFrom returns a trainer that starts from a trained network, or from one grown of it
// if o.Config has more blocks or other rates (see network.Network.Grow), with an optimiser that knows
// nothing yet.
func NewFrom(n *network.Network, data, held *training.Data, o Options) (*Trainer, error) {
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	g, err := n.Grow(o.Config, rand.New(rand.NewPCG(o.Seed, 0)), t.loop.Pool())
	if err != nil {
		t.Close()
		return nil, err
	}
	for i, p := range t.net.Params() {
		copy(p.Data, g.Params()[i].Data)
	}
	t.net.Refresh()
	return t, nil
}

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
	return &Trainer{o: o, data: data, held: held, net: net, loop: training.NewLoop(net, pool, o.Options)}, nil
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
			t.o.Progress(Progress{p, points})
		}
		if t.o.Checkpoint != nil {
			return t.o.Checkpoint(t)
		}
		return nil
	})
}

// learn adds up the gradients of a batch.
func (t *Trainer) learn(b *training.Batch, r *rand.Rand) {
	low, high := t.o.Config.Rates()
	b.Draw(t.data, low, high, network.Lambda, r, r)
	l, _ := t.net.Forward(b.X, b.Shape, b.Rates, network.Noise, r)
	t.net.Backward(b.Bits, b.Errors)
	for i, bits := range l.Bits {
		b.Add(i, bits+l.HyperBits[i], l.SquaredError[i])
	}
}

// validate measures the network on the held out pictures.
func (t *Trainer) validate() ([]Point, float64) {
	if t.held == nil {
		return nil, 0
	}
	const n = 6
	low, high := t.o.Config.Rates()
	var points []Point
	var score float64
	for k := range n {
		rate := low + float64(k)/(n-1)*(high-low)
		lambda := network.Lambda(rate)
		p := Point{Rate: rate}
		var count, cost float64
		for c := range t.held.Centres(512) {
			l, _ := t.net.Forward(c.Data, c.Shape(), []float32{float32(rate)}, network.Round, nil)
			pixels := float64(c.H * c.W)
			mse := l.SquaredError[0] / (3 * pixels)
			bpp, hyper := (l.Bits[0]+l.HyperBits[0])/pixels, l.HyperBits[0]/pixels
			p.BPP, p.HyperBPP, p.PSNR = p.BPP+bpp, p.HyperBPP+hyper, p.PSNR+10*math.Log10(255*255/mse)
			cost += (bpp + lambda*mse) / math.Sqrt(lambda)
			count++
		}
		p.BPP, p.HyperBPP, p.PSNR = p.BPP/count, p.HyperBPP/count, p.PSNR/count
		points = append(points, p)
		score += cost / count / n
	}
	return points, score
}

// Network returns the network with the averaged weights: for use when Run is done.
func (t *Trainer) Network() *network.Network {
	t.loop.Swap()
	return t.net
}

// state is what a checkpoint says besides tensors.
type state struct {
	Config network.Config `json:"config"`
	training.State
}

// checkpoints have the parameters, the optimiser's state and the average.
var checkpoints = training.Format{Key: "burin.checkpoint", Params: true}

// WriteTo writes a checkpoint, a safetensors file.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	return checkpoints.Write(w, t.loop, state{t.o.Config, t.loop.State()}, nil)
}

// Resume returns a trainer that goes on from a checkpoint, which names the
// architecture: that of o is not used.
func Resume(r io.Reader, data, held *training.Data, o Options) (*Trainer, error) {
	var s state
	tensors, err := checkpoints.Read(r, &s)
	if err != nil {
		return nil, err
	}
	o.Config = s.Config
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	if err := checkpoints.Restore(t.loop, s.State, tensors); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}
