package inr

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// Decisions on single parameters of the networks. The search of quantise rounds each to what
// is nearest, and chooses no more than a step and a dead zone for all of a module. Here
// each in turn goes a step up or down if distortion plus lambda times the bits, of latents
// and networks, are less with it, and further in that direction as long as they are. As
// parameters so make up for each other's rounding, a coarser step may do, and is tried too.
//
// The gradient tells which direction to try. Its second order is the same for both, so the
// other one has nothing to gain, and neither has if to first order both lose.

// gradientLife is how many parameters go by one gradient: what has been changed since makes
// little of a difference to it.
const gradientLife = 64

// refineNetsIterations returns about how many iterations a round takes: some parameters need
// two trials, others none, and the modules of the first round get two.
func (f *fitter) refineNetsIterations() int {
	n := 0
	for _, ints := range f.origin.Ints {
		n += len(ints)
	}
	return n / 3
}

// A netRefiner has what parameters are decided by.
type netRefiner struct {
	*fitter
	random           *rand.Rand
	steps            [NumModules]uint8   // of the differences from the origin
	distortion, bits float64             // bits of the latents
	modules          [NumModules]float64 // bits of the modules
}

// refineNets runs the rounds.
func (f *fitter) refineNets(ctx context.Context) {
	if f.RefineNets == 0 || f.over(ctx) {
		return
	}
	f.latentsTo()
	r := &netRefiner{fitter: f, random: rand.New(rand.NewPCG(f.Seed, 4))}
	f.q, r.steps = f.origin.differences(f.q)
	f.net.set(f.q.Nets())
	for m := range NumModules {
		r.modules[m] = r.moduleBits(m)
	}
	r.distortion, r.bits = f.net.distortion(nil), f.net.arm.pass(0, false, false)
	defer func() { f.weightBits = f.bitsOf(f.q) }()
	for round := range f.RefineNets {
		for m := range NumModules {
			r.module(ctx, m)
			if round == 0 && r.steps[m] > 0 {
				r.coarser(ctx, m)
			}
			if f.over(ctx) {
				return
			}
			f.see(r.distortion, (r.bits+f.bitsOf(f.q))/float64(f.net.w*f.net.h))
			i, total := round*int(NumModules)+int(m)+1, f.RefineNets*int(NumModules)
			f.tell("parameters", i, total, float64(i)/float64(total))
		}
	}
}

// cost measures what a change of the module has to do with, and returns what all costs.
func (r *netRefiner) cost(m Module) float64 {
	if m.arm() {
		r.bits = r.net.arm.pass(0, false, false)
	} else {
		r.distortion = r.net.distortion(nil)
	}
	return r.distortion + r.Lambda*(r.bits+r.sumModules())/float64(r.net.w*r.net.h)
}

// moduleBits returns the bits of a module as it is.
func (r *netRefiner) moduleBits(m Module) float64 {
	c := new(bitCost)
	codeModule(c, m, r.q, r.origin, r.steps[m])
	return c.bits
}

// sumModules returns the bits of all modules.
func (r *netRefiner) sumModules() float64 {
	sum := 0.0
	for _, b := range r.modules {
		sum += b
	}
	return sum
}

// coarser tries the module with a step twice as large, begun from the real numbers.
func (r *netRefiner) coarser(ctx context.Context, m Module) {
	step, difference, ints := r.q.Step[m], r.steps[m], slices.Clone(r.q.Ints[m])
	cost := r.cost(m)
	r.steps[m]--
	r.q.quantise(m, r.best.nets, r.origin, r.steps[m], 0)
	r.apply(m)
	r.module(ctx, m)
	if r.cost(m) < cost {
		return
	}
	r.q.Step[m], r.steps[m], r.q.Ints[m] = step, difference, ints
	r.apply(m)
	r.cost(m)
}

// apply takes over the integers of a module.
func (r *netRefiner) apply(m Module) {
	scale := math.Ldexp(1, -int(r.q.Step[m]))
	for i, v := range r.q.Ints[m] {
		r.net.nets.Module[m][i] = float32(float64(v) * scale)
	}
	r.net.refresh()
	r.modules[m] = r.moduleBits(m)
}

// set changes one parameter.
func (r *netRefiner) set(m Module, i int, v int32) {
	r.q.Ints[m][i] = v
	r.net.nets.Module[m][i] = float32(math.Ldexp(float64(v), -int(r.q.Step[m])))
	r.net.refresh()
	r.modules[m] = r.moduleBits(m)
}

// module decides on the parameters of a module, in random order.
func (r *netRefiner) module(ctx context.Context, m Module) {
	ints, unit := r.q.Ints[m], int32(1)<<(r.q.Step[m]-r.steps[m])
	cost := r.cost(m)
	for k, i := range r.random.Perm(len(ints)) {
		if r.over(ctx) {
			break
		}
		if k%gradientLife == 0 {
			clearGradients(r.net.grad)
			r.net.step(r.Lambda, false)
		}
		for move := r.promising(m, i, unit); move != 0; {
			old := ints[i]
			if !r.within(m, old+move) {
				break
			}
			r.set(m, i, old+move)
			if c := r.cost(m); c < cost {
				cost = c
				continue
			}
			r.set(m, i, old)
			break
		}
	}
	r.cost(m)
}

func (r *netRefiner) within(m Module, v int32) bool {
	limit := MaxAbs[m] << r.q.Step[m]
	return -limit <= v && v <= limit
}

// promising returns the move of parameter i by a unit, up or down, that lowers the cost
// more to first order, or 0 if neither does.
func (r *netRefiner) promising(m Module, i int, unit int32) int32 {
	ints := r.q.Ints[m]
	slope := math.Ldexp(float64(r.net.grad.Module[m][i]), -int(r.q.Step[m]))
	old, best, move := ints[i], 0.0, int32(0)
	for _, d := range [2]int32{-unit, unit} {
		if !r.within(m, old+d) {
			continue
		}
		ints[i] = old + d
		c := float64(d)*slope + r.Lambda*(r.moduleBits(m)-r.modules[m])/float64(r.net.w*r.net.h)
		if c < best {
			best, move = c, d
		}
	}
	ints[i] = old
	return move
}
