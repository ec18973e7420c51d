package inr

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/burin-codec/burin/kernels"
)

// The picture is rendered in bands of rows, each from the rows of the latents that
// it depends on: memory does not grow with the height, bands stay in the cache and
// several are done at once. A row is computed the same way in any band.

const (
	bandPixels = 1 << 16 // of a band, more or less; a worker takes some 100 bytes for each
	synChunk   = 256     // pixels of a row that go through the hidden layer at a time
)

// A synthesis holds the parameters as the kernels take them.
type synthesis struct {
	arch          *Arch
	taps, filters []float32
	w1, b1        []float32 // [hidden][planes]
	w2, b2        []float32 // [trunk][hidden]
	k1, c1        []float32 // [trunk][9*trunk], the identity of the residual added
	k2, c2        []float32 // [channels][9*trunk+planes]: the same, then the linear branch
}

func newSynthesis(a *Arch, n *Nets) *synthesis {
	t, l := a.trunk(), a.Planes()
	s := &synthesis{
		arch: a, taps: n.Tensor(a, Taps), filters: n.Tensor(a, FilterTaps),
		w1: n.Tensor(a, SynW1), b1: n.Tensor(a, SynB1),
		w2: n.Tensor(a, SynW2), b2: n.Tensor(a, SynB2),
		k1: append([]float32(nil), n.Tensor(a, SynK1)...), c1: n.Tensor(a, SynBK1),
		c2: n.Tensor(a, SynBK2),
	}
	// Exact for the parameters of a stream, which have 16 fractional bits at most.
	for i := range t {
		s.k1[i*9*t+i*9+4]++
	}
	for i := range a.Channels {
		s.k2 = append(s.k2, n.Tensor(a, SynK2)[i*9*t:(i+1)*9*t]...)
		s.k2[i*(9*t+l)+i*9+4]++
		s.k2 = append(s.k2, n.Tensor(a, SynWl)[i*l:(i+1)*l]...)
	}
	return s
}

// A renderer renders bands; each goroutine has its own.
type renderer struct {
	*synthesis
	lat  Latents
	mem  []float32 // all planes, see planes
	used int
	line []float32 // rows of the filters
	raw  []float32 // latents around a band
}

// planes makes room for the rows lo..hi-1 of n planes w wide.
func (r *renderer) planes(n, w, lo, hi int) *planes {
	p := &planes{base: r.used + border, stride: w + 2*border, lo: lo, hi: hi, n: n}
	r.used += n * (hi - lo) * p.stride
	if r.used > len(r.mem) {
		r.mem = append(r.mem, make([]float32, r.used-len(r.mem))...)
	}
	return p
}

// stack returns the planes from scale i on, upsampled to the size of scale i, rows
// lo..hi-1, scale i first.
func (r *renderer) stack(i, lo, hi int) *planes {
	a := r.arch
	first, own := a.planesAt(i)
	grids := r.lat[a.latentAt(i):]
	out := r.planes(a.Planes()-first, grids[0].W, lo, hi)
	for k := range own {
		r.filter(out, k, &grids[k], r.filters[4*(first+k):][:4])
	}
	if i+1 < a.Grids {
		next := &r.lat[a.latentAt(i+1)]
		in := r.stack(i+1, max(0, lo/2-upReach), min(next.H, (hi-1)/2+upReach+1))
		r.upsample(out, own, in, grids[0].W, r.taps[4*i:4*i+4])
	}
	return out
}

// band renders the rows lo..hi-1 and hands each row of each channel to sink.
func (r *renderer) band(lo, hi int, sink func(c, y int, row []float32)) {
	c, t, h, l := r.arch.Channels, r.arch.trunk(), r.arch.Hidden, r.arch.Planes()
	w, height := r.lat[0].W, r.lat[0].H
	r.used = 0
	// Every 3x3 convolution needs a row more to both sides.
	z := r.stack(0, max(0, lo-2), min(height, hi+2))
	u := r.planes(t, w, z.lo, z.hi)
	relu := r.planes(t, w, max(0, lo-1), min(height, hi+1))
	v := r.planes(c, w, 0, 1)
	hidden := r.planes(h, synChunk, 0, 1)

	off, grids := make([]int, h), make([]int, l)
	for i := range h {
		off[i] = hidden.at(i, 0)
	}
	for y := z.lo; y < z.hi; y++ {
		for x := 0; x < w; x += synChunk {
			n := min(synChunk, w-x)
			for i := range l {
				grids[i] = z.at(i, y) + x
			}
			kernels.RowsF32(r.mem[hidden.base:], hidden.stride, r.w1, r.b1, r.mem, grids, h, n, true)
			kernels.RowsF32(r.mem[u.at(0, y)+x:], u.at(1, y)-u.at(0, y), r.w2, r.b2, r.mem, off, t, n, false)
		}
		for i := range t {
			repeatBorder(r.mem[u.at(i, y)-border:], w)
		}
	}
	taps := make([]int, 9*t+l)
	for y := relu.lo; y < relu.hi; y++ {
		r.around(taps, u, y)
		kernels.RowsF32(r.mem[relu.at(0, y):], relu.at(1, y)-relu.at(0, y), r.k1, r.c1, r.mem, taps[:9*t], t, w, true)
		for i := range t {
			repeatBorder(r.mem[relu.at(i, y)-border:], w)
		}
	}
	for y := lo; y < hi; y++ {
		r.around(taps, relu, y)
		for i := range l {
			taps[9*t+i] = z.at(i, y)
		}
		kernels.RowsF32(r.mem[v.base:], v.stride, r.k2, r.c2, r.mem, taps, c, w, false)
		for i := range c {
			sink(i, y, r.mem[v.at(i, 0):][:w])
		}
	}
}

// around sets the offsets of the 3x3 neighbourhoods in all planes of p at row y, the
// border repeated above and below.
func (r *renderer) around(off []int, p *planes, y int) {
	for i := range p.n {
		for k := range 9 {
			off[9*i+k] = p.at(i, y+k/3-1) + k%3 - 1
		}
	}
}

// render renders the whole picture with the given number of goroutines.
func render(a *Arch, n *Nets, lat Latents, workers int, sink func(c, y int, row []float32)) {
	w, height := lat[0].W, lat[0].H
	rows := min(max(bandPixels/w, 16), 64)
	bands := (height + rows - 1) / rows
	s := newSynthesis(a, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(max(workers, 1), bands) {
		wg.Go(func() {
			r := &renderer{synthesis: s, lat: lat, line: make([]float32, 2*w+4*border+8)}
			for {
				lo := (int(next.Add(1)) - 1) * rows
				if lo >= height {
					return
				}
				r.band(lo, min(lo+rows, height), sink)
			}
		})
	}
	wg.Wait()
}

// A Picture has its samples by channel, then by row: the one at (x, y) of channel c
// is Pix[(c*Height+y)*Width+x].
type Picture struct {
	Width, Height, Channels int
	Pix                     []uint8
}

// Synthesise renders latents to the picture that a decoder shows: the same on
// every machine, for any number of workers; 0 workers means GOMAXPROCS. The latents
// must be valid for a, and n be the networks of valid quantised ones: for others the
// result may differ between machines by rounding.
func Synthesise(a *Arch, n *Nets, lat Latents, workers int) *Picture {
	p := &Picture{lat[0].W, lat[0].H, a.Channels, make([]uint8, lat[0].W*lat[0].H*a.Channels)}
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	render(a, n, lat, workers, func(c, y int, row []float32) {
		dst := p.Pix[(c*p.Height+y)*p.Width:][:len(row)]
		for x, v := range row {
			dst[x] = sample8(v)
		}
	})
	return p
}

// SynthesiseFloat is like Synthesise, but returns the samples before they are
// rounded and limited: 0..1 is the range of the picture.
func SynthesiseFloat(a *Arch, n *Nets, lat Latents, workers int) []float32 {
	out := make([]float32, lat[0].W*lat[0].H*a.Channels)
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	render(a, n, lat, workers, func(c, y int, row []float32) {
		copy(out[(c*lat[0].H+y)*lat[0].W:], row)
	})
	return out
}

// sample8 rounds 255*v to 0..255.
func sample8(v float32) uint8 {
	if !(v > 0) {
		return 0
	}
	if v >= 1 {
		return 255
	}
	return uint8(float32(255*v) + 0.5)
}
