package inr

import (
	"context"
	"math"
	"slices"
)

// Steering: a fit that is to reach a rate or a quality moves its lambda on the way.
// Figures of rounded latents midway differ from those at the end in a known manner:
// the rate is higher, the more so the lower it is, and the quality lower. Late in the
// schedule latents hardly move any more. So lambda then stays, and what is missing at
// the end tells by how much this picture differs from that manner, with which the last
// part of the schedule runs again, from another lambda. Where lambda was far off at the first
// step, all of it does. The little that is missing then single latents make up, see reach.
const (
	rateExcess   = 0.25 // logarithm of the rate at the start by that at the end, of 1 bpp
	rateExcessTo = 0.75 // likewise at the lowest rates; it falls with the rate
	qualityLack  = 4.5  // dB, falling off with the square of what is left
	rateSlope    = 0.5  // by how much the logarithm of the rate falls for one of lambda, at low rates
	rateFlat     = 0.4  // by which that falls for each bit per pixel
	qualitySlope = 2.1  // dB that quality falls for one of the logarithm of lambda
	steerGain    = 0.25 // the part of what is missing that a step makes up, twice that at the end
	steerAhead   = 6    // steps by which the trend is drawn on
	steerLimit   = 0.7  // of a step of the logarithm of lambda
	steerStart   = 0.2  // of the schedule: what is before means little
	steerEnd     = 0.9
	steerFar     = 0.25 // what may be missing at the first step, as a logarithm of lambda
	restartPart  = 0.7  // of what is missing there
	restarts     = 1    // at most
	steerNear    = 0.03 // what may be missing at the end, as a logarithm of lambda
	steerOff     = 0.2  // likewise for an earlier end, fitted less, to be taken that was nearer
	stoppedNear  = 0.2  // likewise if the fit was stopped, after which it is cooled down once more
	rewindTo     = 0.75 // of the schedule
	rewinds      = 2    // at most
)

// steered reports whether the fit has a target.
func (o *FitOptions) steered() bool { return o.TargetBPP > 0 || o.TargetPSNR > 0 }

// missing returns by how much the logarithm of lambda is too low for the target, going
// by what the end will be like, with the given part of the schedule left.
func (f *fitter) missing(distortion, bpp, left float64) float64 {
	if f.TargetBPP > 0 {
		excess := min(rateExcess/f.TargetBPP, rateExcessTo)
		return (math.Log(bpp/f.TargetBPP) - excess*left) * (1 + rateFlat*f.TargetBPP) / rateSlope
	}
	return (psnr(distortion) + qualityLack*left*left - f.TargetPSNR) / qualitySlope
}

// steer moves lambda after a look at the fit, whose rate bpp is that of latents alone.
func (f *fitter) steer(distortion, bpp, x float64) {
	if !f.steered() || x < steerStart || x > steerEnd {
		return
	}
	bpp += f.netBits() / float64(f.net.w*f.net.h)
	m := f.missing(distortion, bpp, 1-x) + f.bias
	if x < rewindTo {
		f.expected = m
	}
	if !f.followed && f.rewound == 0 && f.restarts < restarts && (x < coolFrom || f.done < coolAnew) && math.Abs(m) > steerFar && f.TimeLimit == 0 {
		f.far = m
		return
	}
	// Latents follow lambda after some time. Where they are on their way, it goes on.
	f.trend += ((m - f.lately) - f.trend) / 2
	if !f.followed {
		f.followed, f.trend = true, 0
	}
	f.lately = m
	d := min(max(steerGain*(1+x)*(m+steerAhead*f.trend), -steerLimit), steerLimit)
	f.Lambda = min(max(f.Lambda*math.Exp(d), MinLambda), MaxLambda)
}

// restart begins the fit anew if its first lambda turned out to be far off: networks and
// latents are made for it, and follow another one too slowly. It reports whether it did.
func (f *fitter) restart() (bool, error) {
	if f.far == 0 {
		return false, nil
	}
	f.Lambda = min(max(f.Lambda*math.Exp(restartPart*f.far), MinLambda), MaxLambda)
	f.far = 0
	f.restarts++
	f.end = f.done + f.Iterations
	return true, f.begin()
}

// An end is what a fit with a target came to, and what was missing, as a logarithm of lambda.
type end struct {
	missing, lambda float64
	q               *Quantised
	weightBits      float64 // of q
	latents         Latents
	y               [][]float32 // real, [LatentGrids][h*w]
}

// keep notes the end that the fit has come to.
func (f *fitter) keep(missing float64) {
	f.nearest = end{missing, f.Lambda, f.q.Clone(), f.weightBits, NewLatents(&f.Arch, f.net.w, f.net.h), nil}
	f.nearest.latents.set(f.latents)
	for _, y := range f.lat.y {
		f.nearest.y = append(f.nearest.y, slices.Clone(y))
	}
}

// back sets the fit to the end that was nearest.
func (f *fitter) back() {
	e := &f.nearest
	f.Lambda, f.q, f.weightBits, f.latents = e.lambda, e.q, e.weightBits, e.latents
	for i, y := range e.y {
		copy(f.lat.y[i], y)
	}
	f.net.set(f.q.Nets())
}

// rewind sets the fit back if its end misses the target, and reports whether it has. The last
// time it rather takes an earlier end that was nearer. A fit whose time is limited ends where
// it ends.
func (f *fitter) rewind(ctx context.Context) bool {
	if !f.steered() || f.TimeLimit > 0 || f.Iterations == 0 || ctx.Err() != nil {
		return false
	}
	near := steerNear
	if f.stopped() {
		near = stoppedNear
	}
	f.latentsTo()
	distortion := f.net.distortion(nil)
	bpp := (f.net.arm.pass(0, false, false) + f.weightBits) / float64(f.net.w*f.net.h)
	m := f.missing(distortion, bpp, 0)
	if math.Abs(m) < near {
		return false
	}
	nearer := f.rewound == 0 || math.Abs(m) < math.Abs(f.nearest.missing)
	if f.rewound == rewinds {
		if !nearer && math.Abs(m) > steerOff {
			f.back()
		}
		return false
	}
	if nearer {
		f.keep(m)
	}
	f.bias += m - f.expected
	f.followed = false
	f.rewound++
	f.Lambda = min(max(f.Lambda*math.Exp(min(max(m, -1), 1)), MinLambda), MaxLambda)
	f.net.set(f.best.nets)
	f.from = rewindTo
	f.end = f.done + int(math.Ceil((1-rewindTo)*float64(f.Iterations)))
	return true
}

// The start: the coefficients of an orthonormal Haar transform of the channels' mean,
// quantised with a step D, take about nonzeroBits and the logarithm of their size each, but
// for those that are zero, smaller than nonzeroFrom*D. (That most of the rate goes by how
// many are not zero is of He and Mitra, "A unified rate-distortion analysis framework for
// transform coding", 2001.) The slope of
// distortion by rate is then -2 ln 2 D²/12; for a quality, of which a fit makes more than
// a Haar transform, that is a little too much. Flat pictures would seem to allow for far
// too much; so half of what is usual is the least: photographs of 0.5 bits per pixel have
// an error of about 6e-4 at a lambda of 1e-3, which falls by the power 1.16 of the rate.
const (
	nonzeroBits = 3
	nonzeroFrom = 0.6
	qualityPart = 0.6
	haarLevels  = 5
)

// startLambda returns about the lambda of the target of a picture of n pixels with the
// given coefficients, sorted.
func (o *FitOptions) startLambda(c []float32, n float64) float64 {
	var step float64
	part, usual := 1.0, 1e-3*math.Pow(o.TargetBPP/0.5, -2.16)
	if o.TargetBPP > 0 {
		logs, bits := 0.0, o.TargetBPP*n // sum of log2 of those above the limit
		for i, v := range slices.Backward(c) {
			if v == 0 {
				break
			}
			k, l := float64(len(c)-i), math.Log2(float64(v))
			logs += l
			step = float64(v) / nonzeroFrom
			if k*(nonzeroBits-l)+logs > bits {
				break
			}
		}
	} else {
		want := n * math.Pow(10, -o.TargetPSNR/10)
		part, usual = qualityPart, 1e-3*math.Pow(want/n/6e-4, 1.86)
		sum := 0.0 // of squares of those below the limit
		for i, v := range c {
			step = float64(v) / nonzeroFrom
			sum += float64(v) * float64(v)
			if sum+float64(len(c)-i)*step*step/12 > want {
				break
			}
		}
	}
	return min(max(part*2*math.Ln2*step*step/12, usual/2, 1e-6), 0.1)
}

// Estimate returns the lambda that a fit begins with, the options' or one for their target,
// and about the bits that its latents will take: those of the target, or what a Haar
// transform has at that lambda. Of the options it takes these and the number of channels; pix
// is as [Fit] takes it. The bits are good for a factor of two; it takes as long as half an
// iteration.
func Estimate(pix []float32, width, height int, o *FitOptions) (lambda, bits float64) {
	c := haar(pix, o.Arch.Channels, width, height)
	lambda = o.Lambda
	if o.steered() {
		slices.Sort(c)
		lambda = o.startLambda(c, float64(width*height))
	}
	if o.TargetBPP > 0 {
		return lambda, o.TargetBPP * float64(width*height)
	}
	step := math.Sqrt(lambda * 12 / (2 * math.Ln2))
	for _, v := range c {
		if v := float64(v) / step; v > nonzeroFrom {
			bits += nonzeroBits + math.Log2(v)
		}
	}
	return lambda, bits
}

// haar returns the magnitudes of the coefficients but for the means.
func haar(pix []float32, channels, w, h int) []float32 {
	n := w * h
	v := make([]float32, n)
	for c := range channels {
		for i, s := range pix[c*n : (c+1)*n] {
			v[i] += s / float32(channels)
		}
	}
	var out []float32
	size := func(v float32) { out = append(out, max(v, -v)) }
	for level := 0; level < haarLevels && w > 1 && h > 1; level++ {
		half, rows := w/2, h/2
		for y := range rows {
			for x := range half {
				a, b := v[2*y*w+2*x], v[2*y*w+2*x+1]
				c, d := v[(2*y+1)*w+2*x], v[(2*y+1)*w+2*x+1]
				size((a - b + c - d) / 2)
				size((a + b - c - d) / 2)
				size((a - b - c + d) / 2)
				v[y*half+x] = (a + b + c + d) / 2
			}
		}
		w, h = half, rows
	}
	if out == nil {
		out = []float32{0}
	}
	return out
}

// netBits estimates what the networks will cost.
func (f *fitter) netBits() float64 {
	q := f.origin.Clone()
	for m := range NumModules {
		q.quantise(m, f.net.nets, f.origin, uint8(usualStep[m]), usualZone)
	}
	return f.bitsOf(q)
}
