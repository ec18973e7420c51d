// Package train trains the priors of the overfit codec: networks from which short fits of
// pictures come far.
package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/burin-codec/burin/codec/overfit"
	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/inr"
	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Options of training. DefaultOptions has the defaults; zero means zero.
type Options struct {
	Preset string // one of inr.Presets
	// The qualities that the prior is for, 0..100; those of visits lie between.
	LowQuality, HighQuality float64
	Visits                  int // of crops, each of which is fitted once
	Batch                   int // visits for each update
	Side                    int // of a crop, a multiple of 64
	Iterations              int // of a fit
	// Rate is how far an update goes towards where the fits went, at first; it falls
	// linearly to nothing.
	Rate    float64
	NetRate float64 // of fits from the prior, see inr.FitOptions: 0 is what the codec takes
	Seed    uint64
	Workers int // 0 for all processors
	// Every is how many visits lie between reports and between checkpoints.
	Every int
	// Start, unless nil, is a prior to start from: one of the preset, such as that of a
	// neighbouring range of qualities, or one of a smaller preset.
	Start *inr.Prior
	// Held is how many crops of the validation pictures are fitted for a report.
	Held int

	// Progress, unless nil, is told of the training.
	Progress func(Progress)
	// Checkpoint, unless nil, is called now and then, to save the trainer by WriteTo.
	Checkpoint func(*Trainer) error
}

// DefaultOptions returns the options to begin from.
func DefaultOptions() Options {
	return Options{
		Preset: "s", LowQuality: 20, HighQuality: 70, Visits: 4000, Batch: 1, Side: 256,
		Iterations: 170, Rate: 0.3, Seed: 1, Every: 100, Held: 6,
	}
}

// Check returns an error unless the options are within their ranges.
func (o *Options) Check() error {
	if _, err := o.arch(); err != nil {
		return err
	}
	switch {
	case !(o.LowQuality >= 0 && o.LowQuality <= o.HighQuality && o.HighQuality <= 100):
		return fmt.Errorf("train: qualities of %v to %v", o.LowQuality, o.HighQuality)
	case o.Visits < 1 || o.Batch < 1 || o.Every < 1 || o.Held < 1:
		return fmt.Errorf("train: %d visits in batches of %d, reports every %d, %d held out", o.Visits, o.Batch, o.Every, o.Held)
	case o.Side < 64 || o.Side > 1024 || o.Side%64 != 0:
		return fmt.Errorf("train: crops of %d pixels a side", o.Side)
	case o.Iterations < 1 || o.Iterations > inr.MaxIterations:
		return fmt.Errorf("train: fits of %d iterations", o.Iterations)
	case !(o.Rate > 0 && o.Rate <= 1) || !(o.NetRate >= 0 && o.NetRate <= 10):
		return fmt.Errorf("train: rate %v, %v times that of networks", o.Rate, o.NetRate)
	}
	return nil
}

// arch returns the architecture for large RGB pictures.
func (o *Options) arch() (inr.Arch, error) {
	for i := range inr.Presets {
		if p := &inr.Presets[i]; p.Name == o.Preset {
			return p.Arch(1<<10, 1<<10, 3), nil
		}
	}
	return inr.Arch{}, fmt.Errorf("train: no preset %q", o.Preset)
}

// Progress is where a training stands. Costs are of the held out crops after fits as in
// training and the quantisation of the networks: means of the mean squared error plus
// lambda times bits per pixel, by lambda, which are bits per pixel. They are 0 without
// validation pictures.
type Progress struct {
	Visit, Visits  int
	Prior, Scratch float64 // cost of fits from the prior and from nothing
	// Gain is how much less it costs to start from the prior: 1 less the geometric mean
	// of the ratios.
	Gain float64
	// Bits are those of the networks.
	PriorBits, ScratchBits float64
	Time                   time.Duration // of this run
}

// A Trainer learns a prior by Reptile (Nichol, Achiam and Schulman, "On First-Order
// Meta-Learning Algorithms", 2018): it fits a crop from the prior and moves the prior a
// part of the way to where the fit went. (Dupont et al., "COIN++: Neural Compression
// Across Modalities", 2022, and Strümpler et al., "Implicit Neural Representations for
// Image Compression", 2022, start fits of pictures from learnt networks too.)
type Trainer struct {
	o       Options
	data    *training.Data
	held    []convnet.Picture
	scratch []inr.Fitted // of those
	arch    inr.Arch
	nets    *inr.Nets // at a gain of 0
	visit   int
	pool    *nn.Pool
}

// New returns a trainer that starts from o.Start, or from what fits without a prior start
// from; held being pictures for validation, or nil.
func New(data, held *training.Data, o Options) (*Trainer, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if data.Empty() {
		return nil, training.ErrNoData
	}
	t := &Trainer{o: o, data: data}
	var err error
	if t.arch, err = o.arch(); err != nil {
		return nil, err
	}
	low, high := o.lambdas()
	start, gain := o.Start, 0
	if start == nil {
		start, err = inr.FreshPrior(t.arch, low, high, o.Seed)
	} else {
		gain = start.GainFor(math.Sqrt(low * high))
		if !start.Suits(&t.arch) {
			start, err = start.Widen(t.arch, o.Seed)
		}
	}
	if err != nil {
		return nil, err
	}
	q, err := start.Networks(&t.arch, gain)
	if err != nil {
		return nil, err
	}
	t.nets = q.Nets()
	if !held.Empty() {
		t.held = held.Crops(o.Held, o.Side, 0)
	}
	t.pool = nn.NewPool(o.Workers)
	return t, nil
}

// lambdas returns the range of the prior.
func (o *Options) lambdas() (low, high float64) {
	return overfit.Lambda(o.HighQuality), overfit.Lambda(o.LowQuality)
}

// Close frees the workers.
func (t *Trainer) Close() { t.pool.Close() }

// Visit returns the number of visits done.
func (t *Trainer) Visit() int { return t.visit }

// Prior returns the prior as it is now.
func (t *Trainer) Prior() (*inr.Prior, error) {
	low, high := t.o.lambdas()
	return inr.NewPrior(t.arch, t.nets, low, high)
}

// samples returns a picture as inr.Fit takes it.
func samples(p convnet.Picture) []float32 {
	n := p.H * p.W
	out := make([]float32, 3*n)
	for i := range n {
		for c := range 3 {
			v := (p.Data[3*i+c]*convnet.PixelUnit + convnet.PixelZero) / 255
			out[c*n+i] = min(max(v, 0), 1)
		}
	}
	return out
}

// options returns how a crop is fitted, from a prior if it is not nil.
func (t *Trainer) options(quality float64, seed uint64, prior *inr.Prior) *inr.FitOptions {
	o := &inr.FitOptions{Arch: t.arch, Lambda: overfit.Lambda(quality), Iterations: t.o.Iterations, Seed: seed, Pool: t.pool}
	if prior != nil {
		o.Priors, o.NetRate = []*inr.Prior{prior}, t.o.NetRate
	}
	return o
}

// Run trains until all visits are done or ctx is, whose error it then returns.
func (t *Trainer) Run(ctx context.Context) error {
	start := time.Now()
	last := t.visit
	for t.visit < t.o.Visits {
		if err := t.update(ctx); err != nil {
			return err
		}
		if t.visit/t.o.Every == last/t.o.Every && t.visit < t.o.Visits {
			continue
		}
		last = t.visit
		p := Progress{Visit: t.visit, Visits: t.o.Visits}
		if err := t.validate(ctx, &p); err != nil {
			return err
		}
		p.Time = time.Since(start)
		if t.o.Progress != nil {
			t.o.Progress(p)
		}
		if t.o.Checkpoint != nil {
			if err := t.o.Checkpoint(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// update visits some crops and moves the prior.
func (t *Trainer) update(ctx context.Context) error {
	prior, err := t.Prior()
	if err != nil {
		return err
	}
	n := min(t.o.Batch, t.o.Visits-t.visit)
	rate := t.o.Rate * (1 - float64(t.visit)/float64(t.o.Visits))
	sum := inr.NewNets(&t.arch)
	for m := range sum.Module {
		clear(sum.Module[m])
	}
	for i := range n {
		// Each visit draws from a generator of its own, so that training that goes on from
		// a checkpoint is the training that was not interrupted.
		visit := t.visit + i
		r := rand.New(rand.NewPCG(t.o.Seed, uint64(visit)+1))
		crop := t.data.Crops(1, t.o.Side, r.Uint64())[0]
		// Multiples of the golden ratio cover a range evenly.
		_, part := math.Modf(float64(visit) * math.Phi)
		quality := t.o.LowQuality + part*(t.o.HighQuality-t.o.LowQuality)
		moved, err := inr.Learn(ctx, samples(crop), crop.W, crop.H, t.options(quality, r.Uint64(), prior))
		if err != nil {
			return err
		}
		for m, v := range moved.Module {
			for j, d := range v {
				sum.Module[m][j] += d
			}
		}
	}
	for m, v := range sum.Module {
		for j, d := range v {
			t.nets.Module[m][j] += float32(rate/float64(n)) * d
		}
	}
	t.visit += n
	return nil
}

// validate fits the held out crops.
func (t *Trainer) validate(ctx context.Context, p *Progress) error {
	prior, err := t.Prior()
	if err != nil {
		return err
	}
	n := float64(len(t.held))
	for i, crop := range t.held {
		quality := t.o.LowQuality + (float64(i)+0.5)/n*(t.o.HighQuality-t.o.LowQuality)
		fit := func(prior *inr.Prior) (*inr.Fitted, error) {
			return inr.Fit(ctx, samples(crop), crop.W, crop.H, t.options(quality, 0, prior))
		}
		if len(t.scratch) == i {
			f, err := fit(nil)
			if err != nil {
				return err
			}
			t.scratch = append(t.scratch, inr.Fitted{Loss: f.Loss / f.Lambda, WeightBits: f.WeightBits})
		}
		f, err := fit(prior)
		if err != nil {
			return err
		}
		s := &t.scratch[i]
		loss := f.Loss / f.Lambda
		p.Prior += loss / n
		p.Scratch += s.Loss / n
		p.Gain += math.Log(loss/s.Loss) / n
		p.PriorBits += f.WeightBits / n
		p.ScratchBits += s.WeightBits / n
	}
	p.Gain = 1 - math.Exp(p.Gain)
	return nil
}

// state is what a checkpoint's metadata say in JSON.
type state struct {
	Preset      string  `json:"preset"`
	LowQuality  float64 `json:"low_quality"`
	HighQuality float64 `json:"high_quality"`
	Visit       int     `json:"visit"`
}

const (
	checkpointKey = "overfit"
	maxCheckpoint = 1 << 24 // bytes
)

// WriteTo writes a checkpoint, from which Resume goes on: a safetensors file of the
// networks' modules.
func (t *Trainer) WriteTo(w io.Writer) (int64, error) {
	var tensors []tensorfile.Tensor
	for m, v := range t.nets.Module {
		tensors = append(tensors, tensorfile.FromFloat32s(inr.Module(m).String(), v, 1, len(v)))
	}
	return training.WriteCheckpoint(w, checkpointKey, state{t.o.Preset, t.o.LowQuality, t.o.HighQuality, t.visit}, tensors)
}

// ErrCheckpoint is the error of a checkpoint that cannot be gone on from.
var ErrCheckpoint = errors.New("train: not a checkpoint of this training")

// Resume returns a trainer that goes on from a checkpoint of the same preset and
// qualities. With the same data and options the result is that of a training that was not
// interrupted. The error wraps ErrCheckpoint where the file is to blame.
func Resume(r io.Reader, data, held *training.Data, o Options) (*Trainer, error) {
	var s state
	tensors, err := training.ReadCheckpoint(r, maxCheckpoint, checkpointKey, &s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if s.Preset != o.Preset || s.LowQuality != o.LowQuality || s.HighQuality != o.HighQuality || s.Visit < 0 {
		return nil, fmt.Errorf("%w: visit %d of preset %s for qualities of %v to %v", ErrCheckpoint, s.Visit, s.Preset, s.LowQuality, s.HighQuality)
	}
	t, err := New(data, held, o)
	if err != nil {
		return nil, err
	}
	t.visit = s.Visit
	named := tensorfile.ByName(tensors)
	for m, v := range t.nets.Module {
		if err := named.Copy(v, inr.Module(m).String()); err != nil {
			t.Close()
			return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
	}
	return t, nil
}
