// Package train trains the networks and the codebooks of the vector codec, in Go on the
// CPU.
package train

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	learned "github.com/burin-codec/burin/codec/learned/train"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Data is pictures to train on, those of the learned codec's training.
type Data = learned.Data

// Load reads all pictures of a folder, see the learned codec's training.
func Load(ctx context.Context, folder string, side int, warn func(error)) (*Data, error) {
	return learned.Load(ctx, folder, side, warn)
}

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
	// MSSSIM is what the complement of MS-SSIM costs, in mean squared errors of 8-bit
	// samples: 0 trains for the squared error alone.
	MSSSIM  float64
	Start   int // crops that the first codebooks are made of
	Seed    uint64
	Workers int // 0 for all processors
	// Every is how many steps lie between reports and between checkpoints.
	Every int
	// Progress, unless nil, is told of the training.
	Progress func(Progress)
	// Checkpoint, unless nil, is called now and then, to save the trainer by WriteTo.
	Checkpoint func(*Trainer) error
}

// DefaultOptions returns the options to begin from.
func DefaultOptions() Options {
	return Options{
		Config: network.Small(), Steps: 20000, Batch: 8, Side: 256,
		Rate: 5e-4, Warm: 300, Decay: 0.3, MaxNorm: 1, Average: 0.999, Start: 400, Seed: 1, Every: 500,
	}
}

// Check returns an error unless the options are within their ranges.
func (o *Options) Check() error {
	switch {
	case o.Side < 64 || o.Side > 1024 || o.Side%64 != 0:
		return fmt.Errorf("train: crops of %d pixels a side", o.Side)
	case o.Batch < 1 || o.Batch > 1024 || o.Steps < 1 || o.Every < 1 || o.Warm < 0 || o.Start < 1 || o.Start > 1<<16:
		return fmt.Errorf("train: batch %d, steps %d, every %d, warm %d, start %d", o.Batch, o.Steps, o.Every, o.Warm, o.Start)
	case !(o.Rate > 0 && o.Rate < 1) || !(o.Decay >= 0 && o.Decay <= 1) || !(o.Average >= 0 && o.Average < 1) || !(o.MaxNorm >= 0):
		return fmt.Errorf("train: rate %v, decay %v, average %v, norm %v", o.Rate, o.Decay, o.Average, o.MaxNorm)
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
	Step, Steps int
	// Loss is the mean since the last report, weighted as in training.
	Loss, BPP float64
	Points    []Point // nil without validation pictures
	// Score is the mean over the points' rates of bits per pixel + lambda * mean
	// squared error relative to the square root of lambda: less is better.
	Score float64
	// Used is the share of words of each level's stages that are used at least a tenth
	// as often as the mean.
	Used [network.Levels][]float64
	// Weight is network.Network's.
	Weight float64
	Time   time.Duration // of this run
}

// A Trainer trains a network.
type Trainer struct {
	o       Options
	data    *Data
	held    []network.Picture
	pool    *nn.Pool
	net     *network.Network
	adam    *nn.Adam
	average *nn.Average
	step    int
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
	if err := t.net.Start(Crops(data, o.Start, o.Side, o.Seed), r); err != nil {
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

func prepare(data, held *Data, o Options) (*Trainer, error) {
	if data == nil {
		return nil, fmt.Errorf("train: no pictures")
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
	t := &Trainer{o: o, data: data, pool: pool, net: net}
	if held != nil {
		t.held = Crops(held, heldCrops, o.Side, heldSeed)
	}
	t.adam = nn.NewAdam(pool, nn.Group{Params: net.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: o.MaxNorm})
	t.average = nn.NewAverage(net.Params(), o.Average)
	return t, nil
}

// Crops returns random crops of the data, such as vector.NewModel takes.
func Crops(d *Data, n, side int, seed uint64) []network.Picture {
	var out []network.Picture
	for _, p := range d.Crops(n, side, seed) {
		out = append(out, network.Picture{H: p.H, W: p.W, Data: p.Data})
	}
	return out
}

// Close frees the workers.
func (t *Trainer) Close() { t.pool.Close() }

// Step returns the number of steps done.
func (t *Trainer) Step() int { return t.step }

// rate returns the learning rate of the next step.
func (t *Trainer) rate() float64 {
	return nn.Trapezoid(t.o.Rate, t.step, t.o.Steps, t.o.Warm, t.o.Decay)
}

// measureEvery is how many steps lie between measurements of the vectors' weight.
const measureEvery = 8

// Run trains until all steps are done or ctx is, whose error it then returns.
func (t *Trainer) Run(ctx context.Context) error {
	o := &t.o
	start := time.Now()
	s := convnet.Shape{N: o.Batch, H: o.Side, W: o.Side}
	x, rates := make([]float32, s.Rows()*3), make([]float32, o.Batch)
	bits, errors, similar := make([]float32, o.Batch), make([]float32, o.Batch), make([]float32, o.Batch)
	pixels := float64(o.Side * o.Side)
	params := t.net.Params()
	var further []float32
	if o.MSSSIM > 0 {
		further = make([]float32, len(x))
	}
	var loss, bpp float64
	count := 0
	for t.step < o.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Each step draws from a generator of its own, so that training that goes on
		// from a checkpoint is the training that was not interrupted.
		r := rand.New(rand.NewPCG(o.Seed, uint64(t.step)+1))
		for i, p := range Crops(t.data, o.Batch, o.Side, r.Uint64()) {
			copy(x[i*o.Side*o.Side*3:], p.Data)
			// Stratified, which evens batches out.
			rates[i] = (float32(i) + r.Float32()) / float32(o.Batch)
			lambda := network.Lambda(float64(rates[i]))
			w := 1 / math.Sqrt(lambda) / float64(o.Batch)
			bits[i] = float32(w / pixels)
			errors[i] = float32(w * lambda / (3 * pixels))
			similar[i] = float32(w * lambda * o.MSSSIM)
		}
		mode := network.Train
		if t.step%measureEvery == 0 {
			mode = network.Measure
		}
		l, decoded := t.net.Forward(x, s, rates, mode)
		if o.MSSSIM > 0 {
			for i, m := range similarities(t.pool, further, decoded, x, o.Batch, o.Side, network.PixelUnit, network.PixelZero, similar) {
				loss += float64(similar[i]) * (1 - m)
			}
		}
		nn.ZeroGrad(params)
		t.net.Backward(bits, errors, further)
		t.adam.Groups[0].Rate = t.rate()
		t.adam.Step()
		t.average.Update()
		t.net.Refresh()
		t.net.Update(r)
		t.step++
		count++
		for i := range o.Batch {
			loss += float64(bits[i])*l.Bits[i] + float64(errors[i])*l.SquaredError[i]
			bpp += l.Bits[i] / pixels / float64(o.Batch)
		}
		if math.IsNaN(loss) {
			return fmt.Errorf("train: the loss is not a number after %d steps: the learning rate is too high", t.step)
		}
		if t.step%o.Every == 0 || t.step == o.Steps {
			p := Progress{
				Step: t.step, Steps: o.Steps, Loss: loss / float64(count), BPP: bpp / float64(count),
				Used: t.net.UsedWords(), Weight: float64(t.net.Weight),
			}
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

// swap exchanges the weights and their average. Codebooks are averages already.
func (t *Trainer) swap() {
	t.average.Swap()
	t.net.Refresh()
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
			l, decoded := t.net.Forward(c.Data, convnet.Shape{N: 1, H: c.H, W: c.W}, []float32{float32(rate)}, network.Test)
			pixels := float64(c.H * c.W)
			mse, bpp := l.SquaredError[0]/(3*pixels), l.Bits[0]/pixels
			p.BPP += bpp / count
			p.PSNR += 10 * math.Log10(255*255/mse) / count
			if t.o.Side > minSide {
				p.MSSSIM += similarities(t.pool, nil, decoded, c.Data, 1, t.o.Side, network.PixelUnit, network.PixelZero, nil)[0] / count
			}
			score += (bpp + lambda*mse) / math.Sqrt(lambda) / count / n
		}
		points = append(points, p)
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
	Config  network.Config `json:"config"`
	Step    int            `json:"step"`
	Adam    int            `json:"adam_steps"`
	Average float64        `json:"average_weight"`
	Weight  float32        `json:"weight"`
}

// optimiser calls f for the arrays of a checkpoint that are not the network's.
func (t *Trainer) optimiser(f func(name string, data []float32, rows, cols int)) {
	_, moments := t.adam.State()
	_, mean := t.average.State()
	for i, p := range t.net.Params() {
		f("mean."+p.Name, moments[2*i], p.Rows, p.Cols)
		f("square."+p.Name, moments[2*i+1], p.Rows, p.Cols)
		f("average."+p.Name, mean[i], p.Rows, p.Cols)
	}
}

// WriteTo writes a checkpoint: a safetensors file of the network, the optimiser's state
// and the average.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	steps, _ := t.adam.State()
	weight, _ := t.average.State()
	s, err := json.Marshal(state{t.o.Config, t.step, *steps, *weight, t.net.Weight})
	if err != nil {
		return 0, err
	}
	all := t.net.Tensors()
	t.optimiser(func(name string, data []float32, rows, cols int) {
		all = append(all, tensorfile.FromFloat32s(name, data, rows, cols))
	})
	c := &counter{w: w}
	err = tensorfile.WriteSafetensors(c, all, map[string]string{"burin.vector.checkpoint": string(s)})
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
	if err := json.Unmarshal([]byte(meta["burin.vector.checkpoint"]), &s); err != nil {
		return nil, fmt.Errorf("train: not a checkpoint: %w", err)
	}
	if s.Step < 0 || s.Adam < 0 || !(s.Average >= 0 && s.Average <= 1) || !(s.Weight > 0 && s.Weight < 1e6) {
		return nil, fmt.Errorf("train: checkpoint of step %d", s.Step)
	}
	o.Config = s.Config
	t, err := prepare(data, held, o)
	if err != nil {
		return nil, err
	}
	steps, _ := t.adam.State()
	weight, _ := t.average.State()
	t.step, *steps, *weight, t.net.Weight = s.Step, s.Adam, s.Average, s.Weight
	named := map[string]*tensorfile.Tensor{}
	for i := range tensors {
		named[tensors[i].Name] = &tensors[i]
	}
	err = t.net.SetTensors(tensors)
	t.optimiser(func(name string, data []float32, _, _ int) {
		if err == nil {
			err = network.Set(data, named, name)
		}
	})
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	return t, nil
}
