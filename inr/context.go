package inr

import "github.com/burin-codec/burin/kernels"

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

// parentOffsets lists the contexts in coarser grids: in grid i+up the latent at
// (y>>up + dy*sy, x>>up + dx*sx), clamped to the grid, where sy = 1 for odd y and
// -1 for even y, the side of the parent on which the child lies, and sx likewise.
// Where there is no such grid the context is 0.
var parentOffsets = [MaxParents]struct{ up, dy, dx int }{
	{1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {1, 1, 1}, {2, 0, 0}, {3, 0, 0},
}

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

	// coarse has the grids finished last, the one just before first: latents <<
	// latentBits with a repeated border of one on each side, (h+2) x (w+2). It is nil
	// for a grid that is not there, or all zero.
	coarse [3][]int16
	width  [3]int // w+2 of each

	value    [armChunk]int8
	location [armChunk]int16
	scale    [armChunk]uint8
}

// newWalker returns a walker for latents that begin with the coarsest grid.
func newWalker(a *Arch, q *Quantised) *walker {
	return &walker{arch: a, net: newPredictor(a, q)}
}

// skip takes note of a grid all of whose latents are zero and not coded.
func (w *walker) skip() { w.push(nil, 0) }

// grid has c code the latents of grid i.
func (w *walker) grid(i int, g *Grid, c waveCoder) error {
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
			w.parents(t, lo, n)
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
	if i > 0 {
		w.finish(g)
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

// parents sets the contexts in coarser grids. Among the rows of one remainder modulo
// 2^up, the latents of a wave lie on the same side of their ancestors, which move
// down by a row and back by the lag as they do.
func (w *walker) parents(t, lo, n int) {
	for f, o := range parentOffsets[:w.arch.Parents] {
		c := w.arch.Spatial + f
		dst := w.net.plane(c / 2)[c%2 : 2*n]
		src, width := w.coarse[o.up-1], w.width[o.up-1]
		if src == nil {
			for j := range n {
				dst[2*j] = 0
			}
			continue
		}
		for r := range min(1<<o.up, n) {
			y := lo + r
			x := t - waveLag*y
			py := y>>o.up + 1 + o.dy*(2*(y&1)-1)
			px := x>>o.up + 1 + o.dx*(2*(x&1)-1)
			at := py*width + px
			for j := 2 * r; j < len(dst); j += 2 << o.up {
				dst[j] = src[at]
				at += width - waveLag
			}
		}
	}
}

// finish takes note of a grid for the contexts of the finer ones.
func (w *walker) finish(g *Grid) {
	width := g.W + 2
	p := make([]int16, width*(g.H+2))
	for y := range g.H {
		row := p[(y+1)*width:][:width]
		for x, v := range g.V[y*g.W:][:g.W] {
			row[x+1] = int16(v) << latentBits
		}
		row[0], row[width-1] = row[1], row[width-2]
	}
	copy(p, p[width:2*width])
	copy(p[(g.H+1)*width:], p[g.H*width:][:width])
	w.push(p, width)
}

func (w *walker) push(p []int16, width int) {
	w.coarse = [3][]int16{p, w.coarse[0], w.coarse[1]}
	w.width = [3]int{width, w.width[0], w.width[1]}
}
