package inr

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// A fit that is to end with a rate or a quality comes near it by way of lambda. What is
// missing then is made up by single latents, which are rounded the other way. Where the
// real number y is near the middle between the two integers that costs next to nothing,
// as it is where the loss is least: the error of going from v to w is taken as
//
//	h/2 ((w-y)² - (v-y)²)
//
// with a curvature h of each grid, measured, and those come first that cost least for
// each bit that they change. What the contexts of others make of it shows when all is
// measured, and the next round has less to make up.
//
// To save bits so is of no use where most latents are zero: what one saves, those have more of
// it whose context it is. Decisions on all latents, as if bits cost more, then lead below the rate.

const (
	reachTries  = 6     // with decisions on all latents between them
	reachRounds = 8     // of moves of single ones, in a try
	overRounds  = 4     // if the fit is over and keeps to its rate
	reachRate   = 0.003 // what a rate may be too low by
	reachError  = 0.012 // what a squared error may be off by
	reachPart   = 0.02  // of the bits that a round may change for an error
	reachLess   = 1.1   // after a round with too many bits, besides what it had more of them
	reachSingle = 0.01  // part of the bits that single latents may save
	reachDearer = 20    // by how much more bits cost each time, for each part of the rate that they exceed it by
)

// reachIterations is about how many iterations all that takes but for decisions, which few fits need
// and the end of the time cuts short.
const reachIterations = 8

// A reacher has what moves of latents do.
type reacher struct {
	*fitter
	bits      [][]float32 // of latents, [LatentGrids][h*w]
	around    [2][][]float32
	curvature []float64 // of the grids whose latents move
	moves     []move
	effect    float64 // of moves by what was expected
}

// A move of a latent changes its bits by so many at some cost for each.
type move struct {
	cost, bits float64
	grid, at   int32
	to         int8
}

func (f *fitter) newReacher() *reacher {
	r := &reacher{fitter: f, effect: 1}
	grids := func() [][]float32 {
		var out [][]float32
		for _, z := range f.net.lat {
			out = append(out, make([]float32, z.H*z.W))
		}
		return out
	}
	r.bits = grids()
	r.around = [2][][]float32{grids(), grids()}
	return r
}

// measure sets what the latents cost, as they are and one off, and returns the mean
// squared error and the bits of the stream.
func (r *reacher) measure() (distortion, bits float64) {
	r.latentsTo()
	arm := r.net.arm
	arm.each, arm.around = r.bits, &r.around
	bits = arm.pass(0, false, false)
	arm.each, arm.around = nil, nil
	return r.net.distortion(nil), bits + r.weightBits
}

// bend measures the curvatures: some latents of a grid moved at random.
func (r *reacher) bend(distortion float64) {
	random := rand.New(rand.NewPCG(r.Seed, 3))
	for g := range r.Arch.refined() {
		z := r.net.lat[g].Data
		n := 0
		for i := range z {
			if random.IntN(8) == 0 {
				z[i] += float32(2*random.IntN(2) - 1)
				n++
			}
		}
		h := 2 * (r.net.distortion(nil) - distortion) / float64(max(n, 1))
		r.curvature = append(r.curvature, max(h, 1e-12))
		r.latentsTo()
	}
}

// propose sets the moves that add bits, or take some away, the cheapest first.
func (r *reacher) propose(add bool) {
	r.moves = r.moves[:0]
	for g, h := range r.curvature {
		for i, v := range r.latents[g].V {
			y := float64(r.lat.y[g][i])
			for k, around := range r.around {
				w := int(v) + 2*k - 1
				bits := float64(around[g][i] - r.bits[g][i])
				// More bits are worth their cost only next to y.
				if bits == 0 || (bits > 0) != add || w > LatentMax || w < -LatentMax || add && math.Abs(float64(w)-y) > 1 {
					continue
				}
				from, to := float64(v)-y, float64(w)-y
				r.moves = append(r.moves, move{h / 2 * (to*to - from*from) / math.Abs(bits), bits, int32(g), int32(i), int8(w)})
			}
		}
	}
	slices.SortFunc(r.moves, func(a, b move) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.grid, b.grid), cmp.Compare(a.at, b.at), cmp.Compare(a.to, b.to))
	})
}

// reach makes up what is missing for the target.
func (f *fitter) reach(ctx context.Context) {
	if !f.steered() {
		return
	}
	r := f.newReacher()
	lambda := f.Lambda
	for try := range reachTries {
		last := try == reachTries-1
		need := r.approach(ctx, last)
		if f.TargetBPP == 0 || need >= 0 || last || f.over(ctx) {
			return
		}
		over := -need / (f.TargetBPP * float64(f.net.w*f.net.h))
		lambda *= 1 + reachDearer*over
		f.decide(ctx, 1, lambda)
	}
}

// approach moves latents until the target is reached, or until it is no use: bits that do
// not make the picture better are not spent. It returns by how many the bits are to change then.
// Many that are to be saved are left to decisions, but for the last time.
func (r *reacher) approach(ctx context.Context, last bool) (need float64) {
	r.effect = 1
	rate := r.TargetBPP > 0
	var before, best reached
	nearest := NewLatents(&r.Arch, r.net.w, r.net.h)
rounds:
	for round := range reachRounds {
		distortion, _ := r.measure()
		if r.curvature == nil {
			r.bend(distortion)
		}
		now := r.reached()
		if round == 0 || now.better(best) {
			best = now
			nearest.set(r.latents)
		}
		switch over := r.over(ctx); {
		case now.need == 0, round == reachRounds-1, ctx.Err() != nil,
			over && round >= overRounds && !(rate && now.need < 0):
			break rounds
		case rate && best.need > 0 && now.need < 0 && now.mse < best.mse:
			// Too many: fewer from where they were not enough.
			r.latents.set(nearest)
			r.measure()
			r.effect *= reachLess * (best.need - now.need) / best.need
			now = best
		case rate && now.need < -reachSingle*now.bits && !last && !over,
			before.need > 0 && now.mse >= before.mse,
			rate && before.need < 0 && now.need <= before.need:
			break rounds
		case round > 0:
			// So much of what was asked for has come.
			r.effect = min(max(r.effect*(1-now.need/before.need), 0.2), 5)
		}
		before = now
		r.move(now.need)
	}
	r.latents.set(nearest)
	return best.need
}

// better reports whether a is nearer to the target than b: a rate is not to be exceeded,
// and bits are not to be spent on a worse picture.
func (a reached) better(b reached) bool {
	switch {
	case b.need > 0:
		return a.need >= 0 && a.need < b.need && a.mse < b.mse
	case b.need < 0:
		return a.need > b.need
	}
	return false
}

// A reached is what a fit has come to, and by how many bits it is to change.
type reached struct{ bits, mse, need float64 }

// reached codes and decodes the fit.
func (r *reacher) reached() reached {
	n := float64(r.net.w * r.net.h)
	now := reached{bits: r.streamBits(), mse: r.shownError()}
	if r.TargetBPP > 0 {
		if miss := now.bits/n/r.TargetBPP - 1; miss > 0 || miss < -reachRate {
			now.need = r.TargetBPP*n*(1-reachRate/2) - now.bits
		}
		return now
	}
	// A change of error changes the bits by so many along the curve of both.
	want := math.Pow(10, -r.TargetPSNR/10)
	if math.Abs(now.mse/want-1) > reachError {
		now.need = (now.mse - want) / r.Lambda * n
		now.need = min(max(now.need, -reachPart*now.bits), reachPart*now.bits)
	}
	return now
}

// streamBits returns the bits of the stream as it would be written.
func (f *fitter) streamBits() float64 {
	stream, err := EncodeStream(&f.Arch, f.q, f.latents, f.begun)
	if err != nil {
		panic("inr: a fit that cannot be coded: " + err.Error())
	}
	return 8 * float64(len(stream))
}

// move makes the cheapest moves that come to so many bits.
func (r *reacher) move(need float64) {
	r.propose(need > 0)
	sum := 0.0
	for _, m := range r.moves {
		if math.Abs(sum) >= math.Abs(need)/r.effect {
			break
		}
		r.latents[m.grid].V[m.at] = m.to
		sum += m.bits
	}
}
