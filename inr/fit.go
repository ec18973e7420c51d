package inr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// ErrFit is the error of a picture or of options that cannot be fitted.
var ErrFit = errors.New("inr: cannot fit")

// Limits of FitOptions.
const (
	MaxIterations = 1 << 24
	MinLambda     = 1e-7
	MaxLambda     = 10
)

// FitOptions say how a picture is fitted.
type FitOptions struct {
	Arch Arch
	// Lambda weighs the rate, MinLambda..MaxLambda: what is minimised is the mean
	// squared error of samples in 0..1 plus Lambda times the bits per pixel. 1e-4 is
	// high quality, 1e-2 low. It is not used if there is a target.
	Lambda float64
	// TargetBPP, if above 0, is the rate in bits per pixel of the whole stream that the fit
	// is to end with: at most that, unless the networks alone take more, and within 1%,
	// unless it has no use for more. TargetPSNR, if above 0, is the quality in dB, met
	// within 0.1 dB unless it is out of reach. At most one may be set.
	TargetBPP, TargetPSNR float64
	// Iterations of fitting, 0..MaxIterations: some 150 for a draft, 10000 for the best.
	// A target may take up to 0.7 times as many again.
	Iterations int
	// TimeLimit, if above 0, makes the schedule end by then: the fit takes larger
	// strides as the time runs out. The result then depends on the machine's speed.
	TimeLimit time.Duration
	// Stop, if not nil, ends the fit soon after it is closed, with the best that it has.
	// The result then depends on when that was.
	Stop <-chan struct{}
	// RefineNets is how many rounds of decisions on single parameters of the networks follow,
	// 0..100, and Refine how many of those on single latents come after them.
	RefineNets, Refine int
	Seed               uint64
	// Pool has the workers, on whose number the result does not depend. It may be nil,
	// for one, and must not be in use elsewhere.
	Pool *nn.Pool
	// Priors are those that the networks may start from. The fit takes one made for such
	// networks (see [Prior.Suits]) whose range has its lambda, the one of the nearest
	// middle if there are several, and none if there is none.
	Priors []*Prior
	// NetRate scales the networks' learning rate, 0..10. 0 means 1, or a half for a fit
	// that starts from a prior.
	NetRate float64
	// Progress, if not nil, is called after every iteration, and now and then after
	// those, by the goroutine that called Fit.
	Progress func(FitProgress)
}

// A Fitted picture is what EncodeStream takes, and figures of what the decoder will
// show and read.
type Fitted struct {
	Arch       Arch
	Nets       *Quantised
	Latents    Latents
	Start      *Start  // what the networks began with, nil without a prior
	LatentBits float64 // in the stream
	WeightBits float64
	BPP        float64 // of both, bits per pixel
	MSE        float64 // of samples in 0..1 as shown, rounded to 8 bits
	PSNR       float64 // dB, +Inf if MSE is 0
	Lambda     float64 // that of the options, or where a target led
	Loss       float64 // MSE + Lambda*BPP
	Iterations int     // done, which are more than asked for where a target took more
	Elapsed    time.Duration
}

func (o *FitOptions) check(pix []float32, width, height int) error {
	if o == nil {
		return fmt.Errorf("%w: no options", ErrFit)
	}
	if err := o.Arch.Validate(); err != nil {
		return err
	}
	if err := checkSize(&o.Arch, width, height); err != nil {
		return err
	}
	switch {
	case len(pix) != o.Arch.Channels*width*height:
		return fmt.Errorf("%w: %d samples for %d x %d x %d", ErrFit, len(pix), o.Arch.Channels, height, width)
	case !o.steered() && !(o.Lambda >= MinLambda && o.Lambda <= MaxLambda):
		return fmt.Errorf("%w: lambda %v is outside %v..%v", ErrFit, o.Lambda, MinLambda, MaxLambda)
	case !(o.TargetBPP >= 0) || !(o.TargetPSNR >= 0) || o.TargetBPP > 0 && o.TargetPSNR > 0:
		return fmt.Errorf("%w: targets of %v bpp and %v dB", ErrFit, o.TargetBPP, o.TargetPSNR)
	case o.Iterations < 0 || o.Iterations > MaxIterations:
		return fmt.Errorf("%w: %d iterations, want 0 to %d", ErrFit, o.Iterations, MaxIterations)
	case o.TimeLimit < 0:
		return fmt.Errorf("%w: time limit %v", ErrFit, o.TimeLimit)
	case !(o.NetRate >= 0 && o.NetRate <= 10):
		return fmt.Errorf("%w: %v times the learning rate, want 0 to 10", ErrFit, o.NetRate)
	case o.Refine < 0 || o.Refine > 100 || o.RefineNets < 0 || o.RefineNets > 100:
		return fmt.Errorf("%w: %d and %d rounds of refinement, want 0 to 100", ErrFit, o.RefineNets, o.Refine)
	}
	for i, v := range pix {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("%w: sample %d is %v, want 0..1", ErrFit, i, v)
		}
	}
	return nil
}

// Fit fits latents and networks to a picture, pix[(c*height+y)*width+x] being sample
// x, y of channel c in 0..1. It returns the error of ctx within an iteration of its end.
// For a seed the result depends on nothing but the tier of the kernels, and on time if
// TimeLimit is set or Stop is closed. It needs some 230 bytes of memory for each pixel of
// three channels, 45 more with four grids of colour and 50 with three channels more between
// the convolutions.
func Fit(ctx context.Context, pix []float32, width, height int, o *FitOptions) (*Fitted, error) {
	if err := o.check(pix, width, height); err != nil {
		return nil, err
	}
	f, err := newFitter(pix, width, height, o)
	if err != nil {
		return nil, err
	}
	return f.run(ctx)
}

// run is the whole fit.
func (f *fitter) run(ctx context.Context) (*Fitted, error) {
	for again := true; again; again = f.rewind(ctx) {
		if err := f.fit(ctx); err != nil {
			return nil, err
		}
		f.lat.integers(f.latents)
		f.quantise(ctx)
	}
	f.refineNets(ctx)
	f.decide(ctx, f.Refine, f.Lambda)
	f.reach(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.result(), nil
}

// A fitter is a fit in progress.
type fitter struct {
	*FitOptions
	start      time.Time
	net        *fitNet
	lat        *fitLatents
	nets       *nn.SOAP
	before     *Nets      // the networks as the step under way found them
	netNoise   *rand.Rand // that shakeNets draws from
	begun      *Start     // nil without a prior
	rate       float64    // of the networks, times the usual one
	origin     origin     // what the networks are coded from
	prior      *Nets      // the same in numbers
	done       int        // iterations
	end        int        // what done comes to
	from       float64    // where the schedule begins
	first      int        // iteration of the fit as it last began
	paceLambda float64    // that the schedule is for: that of then
	coolTime   time.Duration
	shown      FitProgress
	// Of steering: how often the fit began anew, and what was missing that it is to; how
	// often the schedule was set back, what was last taken to be missing before that part
	// of it, and by how much more it is each time; what was missing at the last look, if
	// there was one, and how that changes.
	restarts       int
	far            float64
	rewound        int
	expected, bias float64
	followed       bool
	lately, trend  float64
	nearest        end // so far, if the fit was set back
	best           fitState
	latents        Latents // integers, and the networks for them
	q              *Quantised
	weightBits     float64 // of q
}

// A fitState is the real numbers of a fit, and what they cost when rounded.
type fitState struct {
	loss float64
	nets *Nets
	y    [][]float32
}

func newFitter(pix []float32, width, height int, o *FitOptions) (*fitter, error) {
	target := &nn.Tensor{C: o.Arch.Channels, H: height, W: width, Data: pix}
	options := *o
	f := &fitter{FitOptions: &options, start: time.Now(), best: fitState{loss: math.Inf(1)}, end: o.Iterations, coolTime: coolTime}
	var err error
	if f.net, err = newFitNet(o.Arch, target, o.Pool); err != nil {
		return nil, err
	}
	if f.steered() {
		c := haar(pix, o.Arch.Channels, width, height)
		slices.Sort(c)
		f.Lambda = f.startLambda(c, float64(width*height))
	}
	f.before, f.netNoise = NewNets(&o.Arch), rand.New(rand.NewPCG(o.Seed, 5))
	f.latents = NewLatents(&o.Arch, width, height)
	return f, f.begin()
}

// begin sets networks and latents to where a fit for the lambda begins.
func (f *fitter) begin() error {
	var err error
	f.first, f.paceLambda = f.done, f.Lambda
	f.begun = startOf(f.Priors, &f.Arch, f.Lambda)
	if f.origin, err = f.begun.origin(&f.Arch); err != nil {
		return err
	}
	f.prior = f.origin.Nets()
	f.rate = f.NetRate
	if f.begun != nil {
		f.net.set(f.prior)
		if f.rate == 0 {
			f.rate = priorNetRate
		}
	} else {
		f.net.init(rand.New(rand.NewPCG(f.Seed, 2)), f.Lambda)
		if f.rate == 0 {
			f.rate = 1
		}
	}
	f.lat = newFitLatents(f.net, f.Seed)
	f.nets, err = nn.NewSOAP(netEvery, nn.Group{Params: f.net.list(), Beta1: netBeta1, Beta2: netBeta2, Epsilon: 1e-8, MaxNorm: netNorm})
	return err
}

// fit runs the iterations.
func (f *fitter) fit(ctx context.Context) error {
	check := max(f.Iterations/20, 25) // iterations between looks at the rounded latents
	if f.steered() {
		check = max(f.Iterations/40, 5)
	}
	even := 1 / float64(f.Iterations)
	x, stride := f.from, even
	before := f.start
	cooled := cooling{limit: f.coolTime}
	for f.done < f.end && x < 1 && ctx.Err() == nil && !f.late() {
		if f.stopped() {
			if !cooled.next(&x) {
				break
			}
			if f.steered() {
				check = min(check, coolLook)
			}
		}
		f.iterate(paceAt(x, stride, f.done-f.first, f.paceLambda, f.begun == nil))
		f.done++
		if f.done%check == 0 || f.done == f.end {
			f.look(x)
		}
		f.tell("fit", f.done, f.Iterations, x)
		if again, err := f.restart(); err != nil {
			return err
		} else if again {
			x = 0
		}
		stride = even
		if f.TimeLimit > 0 {
			now := time.Now()
			left := f.TimeLimit - f.finishing() - now.Sub(f.start)
			if took := now.Sub(before); took >= left {
				break
			} else {
				stride = max(stride, (1-x)*float64(took)/float64(left))
			}
			before = now
		}
		stride = max(stride, cooled.stride)
		x += stride
	}
	if f.done%check != 0 && f.done < f.end || f.done == 0 {
		f.look(x)
	}
	f.net.set(f.best.nets)
	for i, y := range f.best.y {
		copy(f.lat.y[i], y)
	}
	return nil
}

func (f *fitter) iterate(p pace) {
	clearGradients(f.net.grad)
	f.lat.see(p.temperature, p.noise)
	f.before.set(f.net.nets)
	if p.netNoise {
		f.shakeNets()
	}
	f.net.step(f.Lambda*p.rateWeight, true)
	if p.netNoise {
		f.net.nets.set(f.before)
	}
	f.weighNets()
	if p.zeroMeans {
		f.net.keepMeans()
	}
	f.moveNets(f.rate * p.netRate)
	f.lat.step(p.latentRate, latentBeta1, latentBeta2)
	f.net.refresh()
}

// shakeNets adds to each parameter what rounding may, noise uniform over a step that should pay.
// With the square of a step grows what it does to the error, or the bits, of each pixel; what it
// saves grows with its logarithm, and each pixel has its share of that. So the square that
// pays goes with 1/pixels, and for errors, which lambda does not weigh, with lambda.
func (f *fitter) shakeNets() {
	for m, v := range f.net.nets.Module {
		square := netNoisePixels / float64(f.net.w*f.net.h) // of the width, in usual steps
		if !Module(m).arm() {
			square *= f.Lambda / netNoiseLambda
		}
		width := float32(math.Ldexp(min(math.Sqrt(square), netNoiseMost), -usualStep[m]))
		for i := range v {
			v[i] += width * (f.netNoise.Float32() - 0.5)
		}
	}
	f.net.refresh()
}

// weighNets adds the gradient of what the networks cost, taking a difference d from the
// prior for 2^-step to be log2(1 + |d|*2^step) bits more than none. At no loss of
// quality it brings the bits of the networks down by a quarter.
func (f *fitter) weighNets() {
	weight := float32(f.Lambda / float64(f.net.w*f.net.h) / math.Ln2)
	for m, grad := range f.net.grad.Module {
		prior := f.prior.Module[m]
		step := float32(math.Ldexp(1, -usualStep[m]))
		for i, v := range f.net.nets.Module[m] {
			switch d := v - prior[i]; {
			case d > 0:
				grad[i] += weight / (step + d)
			case d < 0:
				grad[i] -= weight / (step - d)
			}
		}
	}
}

// moveNets takes a step of the networks, from before. In a new eigenbasis SOAP divides by mean
// squares of the old one, and a step may come out far too large; so the root mean
// square of each tensor's is limited to the rate, which is that of Adam's in a steady
// course. (Adafactor limits updates like that: Shazeer and Stern, 2018.)
func (f *fitter) moveNets(rate float64) {
	f.nets.Groups[0].Rate = rate
	f.nets.Step()
	for id, p := range f.net.params {
		if p == nil {
			continue
		}
		before := f.before.Tensor(&f.Arch, TensorID(id))
		s := 0.0
		for i, v := range p.Data {
			d := float64(v - before[i])
			s += d * d
		}
		if rms := math.Sqrt(s / float64(len(p.Data))); rms > rate {
			share := float32(rate / rms)
			kernels.AxpbyF32(p.Data, share, before, 1-share)
		}
	}
}

// look measures the fit with rounded latents, keeps it if it is the best so far, or the
// last on the way to a target, reports, and steers.
func (f *fitter) look(x float64) {
	f.lat.harden()
	distortion, bits := f.net.distortion(nil), f.net.arm.pass(0, false, false)
	bpp := bits / float64(f.net.w*f.net.h)
	loss := distortion + f.Lambda*bpp
	f.see(distortion, bpp+f.netBits()/float64(f.net.w*f.net.h))
	f.steer(distortion, bpp, x)
	if !(loss < f.best.loss) && f.best.nets != nil && !f.steered() {
		return
	}
	f.best.loss = loss
	if f.best.nets == nil {
		f.best.nets = f.net.nets.Clone()
		for _, y := range f.lat.y {
			f.best.y = append(f.best.y, append([]float32(nil), y...))
		}
		return
	}
	for m, v := range f.net.nets.Module {
		copy(f.best.nets.Module[m], v)
	}
	for i, y := range f.lat.y {
		copy(f.best.y[i], y)
	}
}

func psnr(mse float64) float64 { return -10 * math.Log10(mse) }

// latentBits returns what the latents take in a stream.
func (f *fitter) latentBits() float64 {
	sum := 0.0
	for _, b := range Bits(&f.Arch, f.q, f.latents) {
		sum += b
	}
	return sum
}

// result measures what the decoder will show and read.
func (f *fitter) result() *Fitted {
	r := &Fitted{Arch: f.Arch, Nets: f.q, Latents: f.latents, Iterations: f.done, Lambda: f.Lambda,
		Start: f.begun, WeightBits: f.weightBits}
	r.LatentBits = f.latentBits()
	n := f.net.w * f.net.h
	r.BPP = (r.LatentBits + r.WeightBits) / float64(n)
	r.MSE = f.shownError()
	r.PSNR = psnr(r.MSE)
	r.Loss = r.MSE + f.Lambda*r.BPP
	r.Elapsed = time.Since(f.start)
	return r
}

// shownError returns the mean squared error of what the decoder will show.
func (f *fitter) shownError() float64 {
	sum := 0.0
	shown := Synthesise(&f.Arch, f.q.Nets(), f.latents, f.Pool.Workers())
	for i, v := range shown.Pix {
		e := float64(v)/255 - float64(f.net.target.Data[i])
		sum += e * e
	}
	return sum / float64(len(shown.Pix))
}
