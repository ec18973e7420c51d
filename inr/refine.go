package inr

import (
	"context"

	"github.com/burin-codec/burin/kernels"
)

// Decisions on single latents. To change one alters the picture and the contexts of
// others within a small distance only. So a lattice of latents far enough apart is
// changed at once, the picture drawn and the bits counted, and each change is kept or
// undone by what happened in its own surroundings. That is exact but for the rounding
// of the picture and of the integer network.
//
// A latent of scale g reaches 3 of its grid to both sides by way of the filter, from l and u
// pixels 2l+3 and 2u+4 by way of each upsampling, and 2 more by way of the convolutions: in
// all 6*2^g-1 pixels to the left and 7*2^g-2 to the right. As a context it reaches 2 latents
// of its grid to the left, 4 to the right and 4 down. So those 13 apart have nothing in
// common.
const (
	refineSpacing = 13
	refinePhases  = refineSpacing * refineSpacing
)

// refineScales is how many scales, from the finest, have grids that are refined: coarser ones
// have few latents, finely stepped.
const refineScales = 3

// refineIterations returns about how many iterations a round takes.
func (f *fitter) refineIterations() int { return f.Arch.refined() * refinePhases / 4 }

// A refiner has what pixels and latents cost, before a lattice is changed and with it.
type refiner struct {
	*fitter
	before, after fitMaps
	lambda        float64
	changes       []change
}

// fitMaps are the squared errors of pixels, [h*w], and the bits of latents,
// [LatentGrids][h*w].
type fitMaps struct {
	errors []float32
	bits   [][]float32
}

// A change is of the latent at x, y of a grid.
type change struct {
	x, y int
	old  int8
}

func newFitMaps(f *fitNet) fitMaps {
	m := fitMaps{errors: make([]float32, f.w*f.h)}
	for _, z := range f.lat {
		m.bits = append(m.bits, make([]float32, z.H*z.W))
	}
	return m
}

// measure sets the maps for the latents as they are, and returns the mean squared error
// and the bits.
func (r *refiner) measure(m *fitMaps) (distortion, bits float64) {
	distortion = r.net.distortion(m.errors)
	r.net.arm.each = m.bits
	bits = r.net.arm.pass(0, false, false)
	r.net.arm.each = nil
	return distortion, bits
}

// refined returns how many grids, from the finest, have their latents decided on.
func (a *Arch) refined() int { return a.latentAt(min(refineScales, a.Grids)) }

// decide tries to bring latents nearer to zero, and in every second round to the
// integer on the other side of the real number that was rounded, with lambda for the rate.
func (f *fitter) decide(ctx context.Context, rounds int, lambda float64) {
	if rounds == 0 || f.over(ctx) {
		return
	}
	r := &refiner{fitter: f, before: newFitMaps(f.net), after: newFitMaps(f.net), lambda: lambda}
	f.latentsTo()
	n := float64(f.net.w * f.net.h)
	grids := f.Arch.refined()
	for round := range rounds {
		for g := grids - 1; g >= 0; g-- {
			// Anew, as sums of differences drift.
			distortion, bits := r.measure(&r.before)
			for phase := range refinePhases {
				if f.over(ctx) {
					return
				}
				r.lattice(g, phase%refineSpacing, phase/refineSpacing, round%2 == 1)
				distortion, bits = r.sums()
			}
			f.see(distortion, (bits+f.weightBits)/n)
			i := round*grids + grids - g
			f.tell("latents", i, rounds*grids, float64(i)/float64(rounds*grids))
		}
	}
}

// sums returns the mean squared error and the bits as the maps have them.
func (r *refiner) sums() (distortion, bits float64) {
	for _, b := range r.before.bits {
		bits += kernels.SumF32(b)
	}
	return kernels.SumF32(r.before.errors) / float64(len(r.before.errors)*r.Arch.Channels), bits
}

// proposal returns what latent i of grid g, v now, may become.
func (r *refiner) proposal(g, i int, v int8, other bool) int8 {
	switch {
	case other:
		if y := r.lat.y[g][i]; y > float32(v) {
			return min(v, LatentMax-1) + 1
		} else if y < float32(v) {
			return max(v, 1-LatentMax) - 1
		}
		return v
	case v > 0:
		return v - 1
	case v < 0:
		return v + 1
	}
	return 0
}

// lattice decides on the latents of grid g at the columns x0 and rows y0 and so on.
func (r *refiner) lattice(g, x0, y0 int, other bool) {
	grid := &r.latents[g]
	z := r.net.lat[g].Plane(0)
	r.changes = r.changes[:0]
	for y := y0; y < grid.H; y += refineSpacing {
		for x := x0; x < grid.W; x += refineSpacing {
			i := y*grid.W + x
			v := grid.V[i]
			if n := r.proposal(g, i, v, other); n != v {
				r.changes = append(r.changes, change{x, y, v})
				grid.V[i] = n
				z[i] = float32(n)
			}
		}
	}
	if len(r.changes) == 0 {
		return
	}
	r.measure(&r.after)
	for _, c := range r.changes {
		i := c.y*grid.W + c.x
		if r.gain(g, c.x, c.y) > 0 {
			r.each(g, c.x, c.y, func(before, after []float32, _ float64) { copy(before, after) })
			continue
		}
		grid.V[i] = c.old
		z[i] = float32(c.old)
	}
}

// gain returns by how much less the surroundings of a changed latent cost now.
func (r *refiner) gain(g, x, y int) float64 {
	gain := 0.0
	r.each(g, x, y, func(before, after []float32, weight float64) {
		s := 0.0
		for i, v := range before {
			s += float64(v - after[i])
		}
		gain += s * weight
	})
	return gain
}

// each calls f for the rows of both maps that latent x, y of grid g has to do with, and
// what their elements weigh in the loss.
func (r *refiner) each(g, x, y int, f func(before, after []float32, weight float64)) {
	rows := func(before, after []float32, w, h, x0, x1, y0, y1 int, weight float64) {
		x0, x1 = max(x0, 0), min(x1, w)
		if x0 >= x1 {
			return
		}
		for y := max(y0, 0); y < min(y1, h); y++ {
			f(before[y*w+x0:y*w+x1], after[y*w+x0:y*w+x1], weight)
		}
	}
	w, h := r.net.w, r.net.h
	scale, _ := r.Arch.LatentScale(g)
	left, right := 6<<scale-1, 7<<scale-2
	rows(r.before.errors, r.after.errors, w, h, x<<scale-left, x<<scale+right+1, y<<scale-left, y<<scale+right+1,
		1/float64(w*h*r.Arch.Channels))
	bit := r.lambda / float64(w*h)
	z := r.net.lat[g]
	rows(r.before.bits[g], r.after.bits[g], z.W, z.H, x-2, x+5, y, y+5, bit)
	for i := range r.Arch.latentAt(scale) {
		s, _ := r.Arch.LatentScale(i)
		z, up := r.net.lat[i], scale-s
		rows(r.before.bits[i], r.after.bits[i], z.W, z.H, x<<up, (x+1)<<up, y<<up, (y+1)<<up, bit)
	}
}
