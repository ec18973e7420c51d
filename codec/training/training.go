// Package training is what the trainings of codecs on crops of pictures have in common:
// the pictures, the loop with its optimiser, average and reports, and the checkpoints.
// Packages learned/train and vector/train train networks with it.
package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Options of every training. Defaults has the defaults; zero means zero.
type Options struct {
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
}

// Defaults returns the options to begin from.
func Defaults() Options {
	return Options{
		Steps: 20000, Batch: 8, Side: 256,
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
	return nil
}

// Progress is where a training stands.
type Progress struct {
	Step, Steps int
	// Loss and BPP are means since the last report, Loss weighted as in training.
	Loss, BPP float64
	// Score is the mean over the validation's rates of bits per pixel + lambda * mean
	// squared error relative to the square root of lambda: less is better. It is 0
	// without validation pictures.
	Score float64
	Time  time.Duration // of this run
}

// A Batch is crops, the rates that they are coded at, and what their bits and errors are
// worth there: the loss is the mean over crops of bits per pixel + lambda * mean squared
// error relative to the square root of lambda.
type Batch struct {
	Shape convnet.Shape
	X     []float32 // [N][H][W][3] in convnet.PixelUnit
	Rates []float32 // 0..1
	// Bits and Errors are the gradients of the loss by each crop's bits, and by its
	// squared error summed over 8-bit samples; Mean is that by the mean squared error.
	Bits, Errors []float32
	Mean         []float64
	// Loss and BPP are the sums of steps' since the last report.
	Loss, BPP float64
}

func newBatch(n, side int) *Batch {
	s := convnet.Shape{N: n, H: side, W: side}
	return &Batch{
		Shape: s, X: make([]float32, s.Rows()*3), Rates: make([]float32, n),
		Bits: make([]float32, n), Errors: make([]float32, n), Mean: make([]float64, n),
	}
}

func (b *Batch) pixels() float64 { return float64(b.Shape.H * b.Shape.W) }

// Draw draws crops of data with one generator and their rates, of low to high, with
// another, or the same. lambda is the weight of the mean squared error that a rate stands for.
func (b *Batch) Draw(data *Data, low, high float64, lambda func(rate float64) float64, crops, rates *rand.Rand) {
	n, each := b.Shape.N, b.Shape.H*b.Shape.W*3
	for i := range n {
		data.crop(b.X[i*each:(i+1)*each], b.Shape.W, crops)
		// Stratified, which evens batches out.
		b.Rates[i] = float32(low) + (float32(i)+rates.Float32())/float32(n)*(float32(high)-float32(low))
		l := lambda(float64(b.Rates[i]))
		w := 1 / math.Sqrt(l) / float64(n)
		b.Bits[i] = float32(w / b.pixels())
		b.Mean[i] = w * l
		b.Errors[i] = float32(b.Mean[i] / (3 * b.pixels()))
	}
}

// Add adds what a crop cost to the sums.
func (b *Batch) Add(crop int, bits, squaredError float64) {
	b.Loss += float64(b.Bits[crop])*bits + float64(b.Errors[crop])*squaredError
	b.BPP += bits / b.pixels() / float64(b.Shape.N)
}

// A Network is what is trained.
type Network interface {
	// Params returns the parameters that gradients move, always in the same order.
	Params() []*nn.Param
	// Refresh takes over the parameters as they are now.
	Refresh()
}

// A Loop trains a network.
type Loop struct {
	o       Options
	net     Network
	pool    *nn.Pool
	adam    *nn.Adam
	average *nn.Average
	step    int
}

// ErrNoData is for an empty Data.
var ErrNoData = errors.New("train: no pictures")

// NewLoop returns a loop that trains a network by options that Check took. The pool, on
// which the network runs, becomes the loop's.
func NewLoop(net Network, pool *nn.Pool, o Options) *Loop {
	return &Loop{
		o: o, net: net, pool: pool,
		adam:    nn.NewAdam(pool, nn.Group{Params: net.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, MaxNorm: o.MaxNorm}),
		average: nn.NewAverage(net.Params(), o.Average),
	}
}

// Close frees the workers.
func (l *Loop) Close() { l.pool.Close() }

// Pool returns the workers.
func (l *Loop) Pool() *nn.Pool { return l.pool }

// Step returns the number of steps done.
func (l *Loop) Step() int { return l.step }

// Swap exchanges the weights and their average.
func (l *Loop) Swap() {
	l.average.Swap()
	l.net.Refresh()
}

// Run trains until all steps are done or ctx is, whose error it then returns.
//
// Each step calls learn with a generator, to draw a batch, add up the gradients of its
// loss, which are zero before, and add its cost to the batch's sums. Every so many steps,
// and at the end, it calls validate, with the averaged weights, for a score, and then
// report, whose error ends the run.
func (l *Loop) Run(ctx context.Context, learn func(*Batch, *rand.Rand), validate func() (score float64), report func(Progress) error) error {
	o := &l.o
	start := time.Now()
	b := newBatch(o.Batch, o.Side)
	for steps := 1; l.step < o.Steps; steps++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		nn.ZeroGrad(l.net.Params())
		// Each step draws from a generator of its own, so that training that goes on
		// from a checkpoint is the training that was not interrupted.
		learn(b, rand.New(rand.NewPCG(o.Seed, uint64(l.step)+1)))
		l.adam.Groups[0].Rate = nn.Trapezoid(o.Rate, l.step, o.Steps, o.Warm, o.Decay)
		l.adam.Step()
		l.average.Update()
		l.net.Refresh()
		l.step++
		if math.IsNaN(b.Loss) {
			return fmt.Errorf("train: the loss is not a number after %d steps: the learning rate is too high", l.step)
		}
		if l.step%o.Every != 0 && l.step != o.Steps {
			continue
		}
		p := Progress{Step: l.step, Steps: o.Steps, Loss: b.Loss / float64(steps), BPP: b.BPP / float64(steps)}
		l.Swap()
		p.Score = validate()
		l.Swap()
		p.Time = time.Since(start)
		b.Loss, b.BPP, steps = 0, 0, 0
		if err := report(p); err != nil {
			return err
		}
	}
	return nil
}
