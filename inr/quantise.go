package inr

import (
	"context"
	"math"
)

// What follows the iterations of a fit: networks become integers, module by module,
// and then single latents are decided again.

// finishIterations is about how many iterations the quantisation of the networks and
// the final measurement take.
const finishIterations = 15

// finestStep is the finest that modules get, and have until their turn, unless MaxStep is
// coarser. Finer ones gain nothing at any rate.
const finestStep = 12

// secondRound is from how many iterations on modules get a second turn, when the others are
// rounded: 0.4 % less, in the mean of eight fits of preset l, for the time of ten.
const secondRound = 500

// usualStep are steps that the search comes to, which streams give theirs in relation to, and
// usualZone a dead zone.
const usualZone = 0.1

var usualStep = [NumModules]int{
	ARMHidden1: 5, ARMHidden2: 5, ARMOut: 7, ARMLinear: 6, ARMMixtures: 4, ARMBiases: 4, ARMOutBiases: 6,
	UpsampleTaps: 8, FilterWeights: 8,
	SynthHidden: 6, SynthOut: 9, SynthLinear: 10, SynthConv1: 8, SynthConv2: 9, SynthHiddenBiases: 7, SynthBiases: 9,
}

// deadZones are how far from the middle between two integers the limit lies that
// rounds towards the prior.
var deadZones = [...]float64{0, 0.1, 0.2, 0.3}

// quantise sets q to integers for the networks, with the steps that cost least:
// distortion plus lambda times the bits of latents and networks, the modules one
// after the other. What is left when the fit is over gets the usual steps.
func (f *fitter) quantise(ctx context.Context) {
	real := f.net.nets.Clone()
	f.latentsTo()
	f.q = f.origin.Clone()
	for m := range NumModules {
		f.q.quantise(m, real, f.origin, min(MaxStep[m], finestStep), 0)
	}
	n := float64(f.net.w * f.net.h)
	distortion, bits := math.Inf(1), math.Inf(1)
	if !f.over(ctx) {
		distortion, bits = f.net.distortion(nil), f.net.arm.pass(0, false, false)
	}
	rounds := 1
	if f.Iterations >= secondRound {
		rounds = 2
	}
	steps := usualStep
	for i := range rounds * int(NumModules) {
		m := Module(i % int(NumModules))
		if f.over(ctx) {
			if i < int(NumModules) {
				f.q.quantise(m, real, f.origin, uint8(usualStep[m]), usualZone)
			}
			continue
		}
		cost := func() float64 {
			f.net.set(f.q.Nets())
			var c float64
			if m.arm() {
				bits = f.net.arm.pass(0, false, false)
				c = f.Lambda * bits / n
			} else {
				distortion = f.net.distortion(nil)
				c = distortion
			}
			return c + f.Lambda*f.bitsOf(f.q)/n
		}
		// With every coarser step there is one bit less for each parameter; at some
		// point the error, four times greater each, outweighs that. So the search goes from the
		// usual step down until two in a row cost more. Then it goes up as long as a step would
		// cost less if it did no more harm than the finest: what two steps do differs by
		// chance, so one that costs more says nothing about the next.
		best, bestStep, bestZone := math.Inf(1), steps[m], 0.0
		try := func(step int) {
			f.q.quantise(m, real, f.origin, uint8(step), 0)
			if c := cost(); c < best {
				best, bestStep = c, step
			}
		}
		finest := int(min(MaxStep[m], finestStep))
		f.q.quantise(m, real, f.origin, uint8(finest), 0)
		unharmed := cost() - f.Lambda*f.bitsOf(f.q)/n
		for step := steps[m]; step >= max(bestStep-2, 0); step-- {
			try(step)
		}
		for step := steps[m] + 1; step <= finest; step++ {
			f.q.quantise(m, real, f.origin, uint8(step), 0)
			if unharmed+f.Lambda*f.bitsOf(f.q)/n >= best {
				break
			}
			try(step)
		}
		for _, zone := range deadZones[1:] {
			f.q.quantise(m, real, f.origin, uint8(bestStep), zone)
			c := cost()
			if c >= best {
				break
			}
			best, bestZone = c, zone
		}
		// A prior's module may do as it is.
		if f.origin.prior {
			f.q.quantise(m, real, f.origin, uint8(bestStep), unmoved)
			if c := cost(); c < best {
				best, bestZone = c, unmoved
			}
		}
		f.q.quantise(m, real, f.origin, uint8(bestStep), bestZone)
		steps[m] = bestStep
		f.see(distortion, (bits+f.bitsOf(f.q))/n)
		f.tell("networks", i+1, rounds*int(NumModules), float64(i+1)/float64(rounds*int(NumModules)))
	}
	f.net.set(f.q.Nets())
	f.weightBits = f.bitsOf(f.q)
}

// bitsOf returns what networks take in the stream.
func (f *fitter) bitsOf(q *Quantised) float64 {
	if f.origin.prior {
		return WeightBits(&f.Arch, q, f.origin.Quantised)
	}
	return WeightBits(&f.Arch, q, nil)
}

// unmoved is the dead zone that leaves all parameters as the origin has them.
const unmoved = 1 << 30

// quantise sets a module to the numbers with differences from the origin of a step,
// rounded to the nearest, or the nearer to the origin where they are less than the dead
// zone from the middle.
func (q *Quantised) quantise(m Module, real *Nets, from origin, step uint8, zone float64) {
	q.Step[m] = from.step(m, step)
	shift := q.Step[m] - step
	scale := math.Ldexp(1, int(step))
	limit := MaxAbs[m] << q.Step[m]
	for i, v := range real.Module[m] {
		p := rescale(from.Ints[m][i], from.Step[m], q.Step[m])
		d := float64(v)*scale - math.Ldexp(float64(p), -int(shift))
		k := math.Copysign(max(math.Floor(math.Abs(d)+0.5-zone), 0), d)
		// A parameter that is no number has no meaning; the origin's has.
		if !(math.Abs(k) <= 2*float64(MaxAbs[m]<<step)) {
			k = 0
		}
		// Division truncates: what is beyond the limit by one step, at most, is not.
		n := min(max(int32(k), (-limit-p)/(1<<shift)), (limit-p)/(1<<shift))
		q.Ints[m][i] = p + n<<shift
	}
}

// latentsTo sets what the networks see to the integers.
func (f *fitter) latentsTo() {
	for i := range f.latents {
		z := f.net.lat[i].Data
		for j, v := range f.latents[i].V {
			z[j] = float32(v)
		}
	}
}
