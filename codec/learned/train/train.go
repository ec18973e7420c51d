// Package train trains the networks of the learned codec, in Go on the CPU; train.py
// beside it does the same with PyTorch where there is a GPU. Both write the same file.
package train

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Options of training. DefaultOptions has the defaults; zero means zero.
type Options struct {
	Config  network.Config
	Steps   int     // batches
	Batch   int     // crops
	Side    int     // of a crop, a multiple of 64
	Rate    float64 // of learning, at first
	Warm    int     // steps at the start in which it rises from nothing
	Decay   float64 // share of the steps, at the end, in which it falls to nothing
	MaxNorm float64 // of the gradient
	Average float64 // decay of the weights' running average, which is what is kept
	Seed    uint64
	Workers int // 0 for all processors
	// Every is how many steps lie between reports and between checkpoints.
	Every int
	// Progress, unless nil, is told of the training.
	Progress func(Progress)
	// Checkpoint, unless nil, is called now and then, to save the trainer by WriteTo.
	Checkpoint func(*Trainer) error
}

// DefaultOptions returns the options that made the model that is shipped.
func DefaultOptions() Options {
	return Options{
		Config: network.Small(), Steps: 20000, Batch: 8, Side: 256,
		Rate: 5e-4, Warm: 300, Decay: 0.3, MaxNorm: 1, Average: 0.999, Seed: 1, Every: 500,
	}
}

// Check returns an error unless the options are within their ranges.
func (o *Options) Check() error {
	switch {
	case o.Side < 64 || o.Side > 1024 || o.Side%64 != 0:
		return fmt.Errorf("train: crops of %d pixels a side", o.Side)
	case o.Batch < 1 || o.Batch > 1024 || o.Steps < 1 || o.Every < 1 || o.Warm < 0:
		return fmt.Errorf("train: batch %d, steps %d, every %d, warm %d", o.Batch, o.Steps, o.Every, o.Warm)
	case !(o.Rate > 0 && o.Rate < 1) || !(o.Decay >= 0 && o.Decay <= 1) || !(o.Average >= 0 && o.Average < 1) || !(o.MaxNorm >= 0):
		return fmt.Errorf("train: rate %v, decay %v, average %v, norm %v", o.Rate, o.Decay, o.Average, o.MaxNorm)
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
	Step, Steps int
	// Loss is the mean since the last report, weighted as in training.
	Loss, BPP float64
	Points    []Point // nil without validation pictures
	// Score is the mean over the points' rates of bits per pixel + lambda * mean
	// squared error relative to the square root of lambda: less is better.
	Score float64
	Time  time.Duration // of this run
}

// A Trainer trains a network.
type Trainer struct {
	o          Options
	data, held *Data
	pool       *nn.Pool
	net        *network.Network
	adam       *nn.Adam
	average    *nn.Average
	step       int
}

// New returns a trainer of a network that starts from the principal components of the
// data, held being pictures for validation, or nil.
func New(data, held *Data, o Options) (*Trainer, error) {
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
// if o.Config has more blocks (see network.Network.Grow), with an optimiser that knows
// nothing yet.
func NewFrom(n *network.Network, data, held *Data, o Options) (*Trainer, error) {
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	g, err := n.Grow(o.Config, rand.New(rand.NewPCG(o.Seed, 0)), t.pool)
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

func prepare(data, held *Data, o Options) (*Trainer, error) {
	if data == nil || len(data.pictures) == 0 {
		return nil, errNoData
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
	t := &Trainer{o: o, data: data, held: held, pool: pool, net: net}
	t.adam = nn.NewAdam(pool, nn.Group{Params: net.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: o.MaxNorm})
	t.average = nn.NewAverage(net.Params(), o.Average)
	return t, nil
}

// Close frees the workers.
func (t *Trainer) Close() { t.pool.Close() }

// Step returns the number of steps done.
func (t *Trainer) Step() int { return t.step }

// rate returns the learning rate of the next step.
func (t *Trainer) rate() float64 {
	return nn.Trapezoid(t.o.Rate, t.step, t.o.Steps, t.o.Warm, t.o.Decay)
}

// Run trains until all steps are done or ctx is, whose error it then returns.
func (t *Trainer) Run(ctx context.Context) error {
	o := &t.o
	start := time.Now()
	s := convnet.Shape{N: o.Batch, H: o.Side, W: o.Side}
	x, rates := make([]float32, s.Rows()*3), make([]float32, o.Batch)
	bits, errors := make([]float32, o.Batch), make([]float32, o.Batch)
	pixels := float64(o.Side * o.Side)
	params := t.net.Params()
	var loss, bpp float64
	count := 0
	for t.step < o.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Each step draws from a generator of its own, so that training that goes on
		// from a checkpoint is the training that was not interrupted.
		r := rand.New(rand.NewPCG(o.Seed, uint64(t.step)+1))
		for i := range o.Batch {
			t.data.crop(x[i*o.Side*o.Side*3:(i+1)*o.Side*o.Side*3], o.Side, r)
			// Stratified, which evens batches out.
			rates[i] = (float32(i) + r.Float32()) / float32(o.Batch)
			lambda := network.Lambda(float64(rates[i]))
			w := 1 / math.Sqrt(lambda) / float64(o.Batch)
			bits[i] = float32(w / pixels)
			errors[i] = float32(w * lambda / (3 * pixels))
		}
		l, _ := t.net.Forward(x, s, rates, network.Noise, r)
		nn.ZeroGrad(params)
		t.net.Backward(bits, errors)
		t.adam.Groups[0].Rate = t.rate()
		t.adam.Step()
		t.average.Update()
		t.net.Refresh()
		t.step++
		count++
		for i := range o.Batch {
			loss += float64(bits[i])*(l.Bits[i]+l.HyperBits[i]) + float64(errors[i])*l.SquaredError[i]
			bpp += (l.Bits[i] + l.HyperBits[i]) / pixels / float64(o.Batch)
		}
		if math.IsNaN(loss) {
			return fmt.Errorf("train: the loss is not a number after %d steps: the learning rate is too high", t.step)
		}
		if t.step%o.Every == 0 || t.step == o.Steps {
			p := Progress{Step: t.step, Steps: o.Steps, Loss: loss / float64(count), BPP: bpp / float64(count)}
			t.swap()
			p.Points, p.Score = t.validate()
			t.swap()
			loss, bpp, count = 0, 0, 0
			p.Time = time.Since(start)
			if o.Progress != nil {
				o.Progress(p)
			}
			if o.Checkpoint != nil {
				if err := o.Checkpoint(t); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// swap exchanges the weights and their average.
func (t *Trainer) swap() {
	t.average.Swap()
	t.net.Refresh()
}

// validate measures the network on the held out pictures.
func (t *Trainer) validate() ([]Point, float64) {
	if t.held == nil {
		return nil, 0
	}
	const n = 6
	var points []Point
	var score float64
	for k := range n {
		rate := float64(k) / (n - 1)
		lambda := network.Lambda(rate)
		p := Point{Rate: rate}
		var count, cost float64
		for _, of := range t.held.pictures {
			if of.reduced {
				continue
			}
			c := of.centre(512)
			l, _ := t.net.Forward(c.Data, convnet.Shape{N: 1, H: c.H, W: c.W}, []float32{float32(rate)}, network.Round, nil)
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
	t.swap()
	return t.net
}

// state is what a checkpoint says besides tensors.
type state struct {
	Config network.Config `json:"config"`
	Step   int            `json:"step"`
	Adam   int            `json:"adam_steps"`
	Weight float64        `json:"average_weight"`
}

// WriteTo writes a checkpoint: a safetensors file of the parameters, the optimiser's
// state and the average.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	steps, moments := t.adam.State()
	weight, mean := t.average.State()
	s, err := json.Marshal(state{t.o.Config, t.step, *steps, *weight})
	if err != nil {
		return 0, err
	}
	var all []tensorfile.Tensor
	for i, p := range t.net.Params() {
		for _, a := range []struct {
			prefix string
			data   []float32
		}{{"weights", p.Data}, {"mean", moments[2*i]}, {"square", moments[2*i+1]}, {"average", mean[i]}} {
			all = append(all, tensorfile.FromFloat32s(a.prefix+"."+p.Name, a.data, p.Rows, p.Cols))
		}
	}
	c := &counter{w: w}
	err = tensorfile.WriteSafetensors(c, all, map[string]string{"burin.checkpoint": string(s)})
	return c.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// maxCheckpoint is how large a file Resume reads.
const maxCheckpoint = 1 << 31

// Resume returns a trainer that goes on from a checkpoint, which names the
// architecture: that of o is not used.
func Resume(r io.Reader, data, held *Data, o Options) (*Trainer, error) {
	tensors, meta, err := tensorfile.ReadSafetensors(r, maxCheckpoint)
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal([]byte(meta["burin.checkpoint"]), &s); err != nil {
		return nil, fmt.Errorf("train: not a checkpoint: %w", err)
	}
	if s.Step < 0 || s.Adam < 0 || !(s.Weight >= 0 && s.Weight <= 1) {
		return nil, fmt.Errorf("train: checkpoint of step %d", s.Step)
	}
	o.Config = s.Config
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	named := map[string]*tensorfile.Tensor{}
	for i := range tensors {
		named[tensors[i].Name] = &tensors[i]
	}
	steps, moments := t.adam.State()
	weight, mean := t.average.State()
	t.step, *steps, *weight = s.Step, s.Adam, s.Weight
	for i, p := range t.net.Params() {
		for prefix, to := range map[string][]float32{"weights": p.Data, "mean": moments[2*i], "square": moments[2*i+1], "average": mean[i]} {
			name := prefix + "." + p.Name
			x := named[name]
			if x == nil {
				t.Close()
				return nil, fmt.Errorf("train: checkpoint lacks %s", name)
			}
			values, err := x.Float32s()
			if err == nil && len(values) != len(to) {
				err = fmt.Errorf("%d elements, not %d", len(values), len(to))
			}
			if err != nil {
				t.Close()
				return nil, fmt.Errorf("train: checkpoint's %s: %w", name, err)
			}
			copy(to, values)
		}
	}
	t.net.Refresh()
	return t, nil
}
