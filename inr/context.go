package inr

import (
	"math"

	"github.com/burin-codec/burin/kernels"
)

// Contexts of the latent at (y, x) of grid i, in the order in which the network
// takes them.

// spatialOffsets lists the neighbours in the same grid, as (dy, dx), nearest first.
// None lies more than 2 to the right in the rows above, so with waves t = x + 3y
// all belong to earlier waves. Outside the grid the context is 0.
var spatialOffsets = [...][2]int{
	{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-2, -1}, {-2, 1},
	{-1, -2}, {-1, 2}, {-2, -2}, {-2, 2}, {0, -3}, {-3, 0}, {-3, -1}, {-3, 1},
	{-1, -3}, {-2, -3}, {0, -4}, {-3, -2}, {-3, 2}, {-4, 0},
}

// waveLag is how many waves a row starts behind the one above.
const waveLag = 3

// A waveCoder is told, or tells, the latents of a grid in the order of coding.
type waveCoder interface {
	// code takes the distributions of the next latents and takes or sets their
	// values: all have one length, at most armChunk.
	code(v []int8, location []int16, scale []uint8) error
}

const (
	ringWaves  = 16 // more than the waves back to any spatial context
	ringMargin = 8  // columns of zeros at both ends
)

// A walker runs the context network over grids, coarsest first. Inside a grid it
// goes by waves t = x + 3y, within a wave by rows: all contexts of a wave belong to
// earlier ones, so the network takes a wave at once.
//
// The waves so far are kept skewed: the latent at (y, x) in row t, column y of a
// ring. There a neighbour at (dy, dx) lies dx + 3dy rows and dy columns away, for
// all latents of a wave alike, and contexts are copied as vectors.
type walker struct {
	arch *Arch
	net  *predictor
	ring []int16 // [ringWaves][cols], latents << latentBits
	cols int

	lat Latents // of which those after the grid under way are known
	// features are what is mixed for the grid under way, [Features][h*w] of half its size,
	// rounded up, with latentBits fractional bits; nil if there is nothing to mix.
	features [][]int16
	half     int // their width

	value    [armChunk]int8
	location [armChunk]int16
	scale    [armChunk]uint8
}

// newWalker returns a walker for latents, whose coarsest grid is to be the first.
func newWalker(a *Arch, q *Quantised, lat Latents) *walker {
	return &walker{arch: a, net: newPredictor(a, q), lat: lat}
}

// grid has c code the latents of grid i, after all those behind it.
func (w *walker) grid(i int, c waveCoder) error {
	g := &w.lat[i]
	w.mix(i)
	w.cols = g.H + 2*ringMargin
	if n := ringWaves * w.cols; cap(w.ring) < n {
		w.ring = make([]int16, n)
	} else {
		w.ring = w.ring[:n]
		clear(w.ring)
	}
	for t := range g.W + waveLag*(g.H-1) {
		lo := max(0, (t-g.W+waveLag)/waveLag) // rows lo..hi have a latent in the wave
		hi := min(t/waveLag, g.H-1)
		row := w.row(t)
		// Contexts reach at most 2 beyond the wave's latents below, 4 above.
		clear(row[ringMargin+lo-5 : ringMargin+hi+6])
		for lo <= hi {
			n := min(armChunk, hi-lo+1)
			w.spatial(t, lo, n)
			w.mixtures(t, lo, n)
			w.net.run(i, n, w.location[:], w.scale[:])
			// Down a row and back by the lag.
			at, step := lo*g.W+t-waveLag*lo, g.W-waveLag
			for j := range n {
				w.value[j] = g.V[at+j*step]
			}
			if err := c.code(w.value[:n], w.location[:n], w.scale[:n]); err != nil {
				return err
			}
			for j, v := range w.value[:n] {
				g.V[at+j*step] = v
				row[ringMargin+lo+j] = int16(v) << latentBits
			}
			lo += n
		}
	}
	return nil
}

// row returns the row of the ring for wave t, which may be below 0.
func (w *walker) row(t int) []int16 {
	t &= ringWaves - 1
	return w.ring[t*w.cols : (t+1)*w.cols]
}

// spatial sets the contexts in the same grid of n latents of wave t, from row lo on.
func (w *walker) spatial(t, lo, n int) {
	src := func(c int) []int16 {
		o := spatialOffsets[c]
		return w.row(t + o[1] + waveLag*o[0])[ringMargin+lo+o[0]:][:n]
	}
	c := 0
	for ; c+2 <= w.arch.Spatial; c += 2 {
		kernels.InterleaveI16(w.net.plane(c / 2)[:2*n], src(c), src(c+1))
	}
	if c < w.arch.Spatial {
		dst := w.net.plane(c / 2)[:2*n]
		for j, v := range src(c) {
			dst[2*j] = v
		}
	}
}

// mix sets the features of grid i: at each position of half its size the sum over all
// grids of coarser scales of the latent there times the feature's weight. What coarser grids add
// is the same for all positions below one, so sums go from scale to scale.
func (w *walker) mix(i int) {
	a := w.arch
	w.features = w.features[:0]
	first, sources := a.mixed(i)
	if sources == 0 {
		return
	}
	for f := range a.Features {
		weights := w.net.mix[i][f*sources : (f+1)*sources]
		var sums []int32
		var above int // width of the sums so far
		for scale := a.Grids - 1; a.latentAt(scale) >= first; scale-- {
			k, n := a.latentsAt(scale)
			g := &w.lat[k]
			next := make([]int32, len(g.V))
			for y := range g.H {
				row := next[y*g.W:][:g.W]
				if sums != nil {
					up := sums[y/2*above:]
					for x := range row {
						row[x] = up[x/2]
					}
				}
				for j := range n {
					addWeighted(row, w.lat[k+j].V[y*g.W:], weights[k+j-first])
				}
			}
			sums, above = next, g.W
		}
		feature := make([]int16, len(sums))
		for j, v := range sums {
			feature[j] = int16(min(max((v+1<<(weightBits-latentBits-1))>>(weightBits-latentBits), math.MinInt16), math.MaxInt16))
		}
		w.features, w.half = append(w.features, feature), above
	}
}

func addWeighted(to []int32, v []int8, weight int32) {
	if weight == 0 {
		return
	}
	v = v[:len(to)]
	for x := range to {
		to[x] += weight * int32(v[x])
	}
}

// mixtures sets the contexts that are mixtures of n latents of wave t, from row lo on.
// Every other one, two rows on, lies a row of features further down.
func (w *walker) mixtures(t, lo, n int) {
	for f := range w.arch.Features {
		c := w.arch.Spatial + f
		dst := w.net.plane(c / 2)[c%2 : 2*n]
		if len(w.features) == 0 {
			for j := range n {
				dst[2*j] = 0
			}
			continue
		}
		src := w.features[f]
		for r := range min(2, n) {
			y := lo + r
			at := y/2*w.half + (t-waveLag*y)/2
			for j := 2 * r; j < len(dst); j += 4 {
				dst[j] = src[at]
				at += w.half - waveLag
			}
		}
	}
}
