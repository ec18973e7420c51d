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
	Phase            string  // "fit", "networks" or "latents"
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
	fit, nets, latents := float64(f.Iterations), float64(finishIterations), float64(refineIterations*f.Refine)
	done := fit * x
	switch phase {
	case "networks":
		done = fit + nets*x
	case "latents":
		done = fit + nets + latents*x
	}
	f.shown.Phase, f.shown.Iteration, f.shown.Total = phase, i, total
	f.shown.Done = max(f.shown.Done, min(done/(fit+nets+latents), 1))
	f.Progress(f.shown)
}

// over reports whether the fit is to end: it was stopped or cancelled, or its time is
// over.
func (f *fitter) over(ctx context.Context) bool {
	select {
	case <-f.Stop:
		return true
	default:
		return ctx.Err() != nil || f.TimeLimit > 0 && time.Since(f.start) > f.TimeLimit
	}
}

// finishing is how long what follows the iterations may take: some tens of them.
func (f *fitter) finishing() time.Duration {
	if f.done == 0 {
		return 0
	}
	return time.Since(f.start) / time.Duration(f.done) * time.Duration(f.finishIterations())
}

// finishIterations is about how many iterations what follows them takes.
func (f *fitter) finishIterations() int {
	n := finishIterations + refineIterations*f.Refine
	if f.steered() {
		n += reachIterations
	}
	return n
}
