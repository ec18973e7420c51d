package inr

import "math"

// Steering: a fit that is to reach a rate or a quality moves its lambda on the way.
// Figures of rounded latents midway differ from those at the end in a known manner:
// the rate is higher, the quality lower, both about in proportion to what is left of
// the schedule. Steps are damped, as latents take their time to follow; what is still
// missing at the end the decisions on single latents make up, with a lambda that is
// moved after each lattice.
const (
	rateExcess    = 0.4  // logarithm of the rate at the start by that at the end
	qualityLack   = 1.4  // dB
	rateSlope     = 0.6  // by how much the logarithm of the rate falls for one of lambda
	qualitySlope  = 2.3  // dB that quality falls for one of the logarithm of lambda
	steerGain     = 0.2  // the part of what is missing that a step makes up, twice that at the end
	steerLimit    = 0.7  // of a step of the logarithm of lambda
	steerStart    = 0.15 // of the schedule: what is before means little
	steerNear     = 0.01 // what may be missing at the end
	steerRounds   = 4    // of decisions on latents at most, until it is
	steerLattices = 12   // gain of their lambda
)

// steered reports whether the fit has a target.
func (o *FitOptions) steered() bool { return o.TargetBPP > 0 || o.TargetPSNR > 0 }

// missing returns by how much the logarithm of lambda is too low for the target, going
// by what the end will be like, with the given part of the schedule left.
func (f *fitter) missing(distortion, bpp, left float64) float64 {
	if f.TargetBPP > 0 {
		return (math.Log(bpp/f.TargetBPP) - rateExcess*left) / rateSlope
	}
	return (psnr(distortion) + qualityLack*left - f.TargetPSNR) / qualitySlope
}

// steer moves lambda after a look at the fit, whose rate bpp is that of latents alone.
func (f *fitter) steer(distortion, bpp, x float64) {
	if !f.steered() || x < steerStart {
		return
	}
	bpp += f.netBits() / float64(f.net.w*f.net.h)
	d := min(max(steerGain*(1+x)*f.missing(distortion, bpp, 1-x), -steerLimit), steerLimit)
	f.Lambda = min(max(f.Lambda*math.Exp(d), MinLambda), MaxLambda)
}

// netBits estimates what the networks will cost.
func (f *fitter) netBits() float64 {
	fresh := NewQuantised(&f.Arch)
	if f.Prior != nil {
		fresh = f.Prior
	}
	q := fresh.Clone()
	for m := range NumModules {
		q.quantise(m, f.net.nets, fresh, uint8(usualStep[m]), 0.1)
	}
	return WeightBits(&f.Arch, q, f.Prior)
}
