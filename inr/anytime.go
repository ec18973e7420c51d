package inr

import (
	"context"
	"math"
	"time"
)

// What makes a fit anytime: it tells how far it is, and it can be stopped at any
// iteration and cut short after that, in a fraction of a second for a picture of half a
// megapixel.

// FitProgress is how far a fit is, and what it would come to.
type FitProgress struct {
	Phase            string  // "fit", "networks", "parameters" or "latents"
	Iteration, Total int     // in the phase
	Done             float64 // share of the whole fit, 0..1
	// Of latents rounded, and networks at about the bits that they will take, when that
	// was measured last; NaN before the first time.
	Loss, BPP, PSNR float64
}

// see notes figures for the progress.
func (f *fitter) see(distortion, bpp float64) {
	f.shown.Loss, f.shown.BPP, f.shown.PSNR = distortion+f.Lambda*bpp, bpp, psnr(distortion)
}

// tell reports that x of a phase is done, 0..1.
func (f *fitter) tell(phase string, i, total int, x float64) {
	if f.Progress == nil {
		return
	}
	if f.shown.Phase == "" {
		f.shown.Loss, f.shown.BPP, f.shown.PSNR = math.NaN(), math.NaN(), math.NaN()
	}
	fit, nets := float64(f.Iterations), float64(finishIterations)
	parameters, latents := float64(f.RefineNets*f.refineNetsIterations()), float64(f.Refine*f.refineIterations())
	done := fit * x
	switch phase {
	case "networks":
		done = fit + nets*x
	case "parameters":
		done = fit + nets + parameters*x
	case "latents":
		done = fit + nets + parameters + latents*x
	}
	f.shown.Phase, f.shown.Iteration, f.shown.Total = phase, i, total
	f.shown.Done = max(f.shown.Done, min(done/(fit+nets+parameters+latents), 1))
	f.Progress(f.shown)
}

// over reports whether the fit is to end: it was stopped or cancelled, or its time is
// over.
func (f *fitter) over(ctx context.Context) bool { return ctx.Err() != nil || f.late() || f.stopped() }

func (f *fitter) late() bool { return f.TimeLimit > 0 && time.Since(f.start) > f.TimeLimit }

func (f *fitter) stopped() bool {
	select {
	case <-f.Stop:
		return true
	default:
		return false
	}
}

// A fit that is stopped midway, with large steps and soft rounding, is a poor one. So it
// first runs through the rest of its schedule in some iterations, or in a time: eight
// of them bring the loss down by 6 to 16 % in the first third of 850.
const (
	coolFrom       = 0.5 // of the schedule, at least
	coolIterations = 16
	coolLook       = 4 // iterations between looks on the way to a target
	coolTime       = 400 * time.Millisecond
	coolAnew       = 64 // iterations until which a fit may rather begin anew
)

// cooling is how far that has come.
type cooling struct {
	limit       time.Duration
	start, last time.Time
	stride      float64 // of x, 0 before it begins
}

// next prepares the next iteration, at x of the schedule, if there is to be one.
func (c *cooling) next(x *float64) bool {
	if c.stride == 0 {
		*x = max(*x, coolFrom)
		c.start, c.last, c.stride = time.Now(), time.Now(), (1-*x)/coolIterations
		return true
	}
	left := c.limit - time.Since(c.start)
	c.stride = max(c.stride, (1-*x)*float64(time.Since(c.last))/float64(left))
	c.last = time.Now()
	return left > 0
}

// finishing is how long what follows the iterations may take: some tens of them, but at
// most a part of the time, after which it is cut short.
func (f *fitter) finishing() time.Duration {
	const part = 3
	if f.done == 0 {
		return 0
	}
	n := finishIterations + f.RefineNets*f.refineNetsIterations() + f.Refine*f.refineIterations()
	if f.steered() {
		n += reachIterations
	}
	return min(time.Since(f.start)/time.Duration(f.done)*time.Duration(n), f.TimeLimit/part)
}
