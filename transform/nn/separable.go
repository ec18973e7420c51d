package nn

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
)

// A Separable is a symmetric filter with learned taps, the same along rows and
// columns and for every channel, over a picture whose edges repeat. It keeps the
// size, or doubles it:
//
//   - [NewSymmetricFilter]: an odd number n of taps; tap i of the (n+1)/2 parameters is
//     that at distance i.
//   - [NewUpsample2x]: an even number n of taps at half the distance of the inputs,
//     y[2i+p] = sum over j of t[|2(j-i)+1/2-p| - 1/2]*x[j], so that outputs lie a quarter
//     to the left and right of inputs; tap i of the n/2 parameters is that at distance
//     i+1/2 outputs. It is a transposed convolution of stride 2. One parameter of 1
//     repeats each input, 3/4 and 1/4 interpolate linearly.
//
// After the parameters changed, call [Separable.Refresh] before the next pass.
type Separable struct {
	pool   *Pool
	taps   *Param
	skip   bool
	phases int   // outputs for each input, along each axis
	reach  int   // inputs on either side
	index  []int // [phases][2*reach+1], of the tap, or -1

	both, first, adjoint kernels.Panels // [phases][2*reach+1], phase 0 of it, [1][phases*(2*reach+1)]
	packed               []float32

	h, w, bands               int
	xs, hs, gs, ps            int   // strides of the bands of rows in scratch
	tapsX, tapsH, tapsG, tapP []int // offsets of taps in those
	scratch                   []separableScratch
	partials                  *Partials

	x, y, dx, dy *Tensor
	weights      bool
	forward      func(worker, task int)
	backward     func(worker, task int)
}

type separableScratch struct {
	x     []float32 // rows of the input, padded
	h     []float32 // rows filtered along x
	g     []float32 // rows of the output's gradient
	gh    []float32 // the gradient of h
	p     []float32 // its phases, padded
	line  []float32
	phase []float32
	sums  []float32 // [phases][2*reach+1]
}

// NewUpsample2x returns x2 upsampling by the given even number of taps, at most 64, of
// which half are parameters, set to linear interpolation.
func NewUpsample2x(name string, taps int, pool *Pool) (*Separable, error) {
	if taps < 2 || taps > 64 || taps%2 != 0 {
		return nil, fmt.Errorf("nn: %s: upsampling by %d taps", name, taps)
	}
	s := newSeparable(name, taps/2, 2, taps/4, pool)
	for p := range 2 {
		for d := -s.reach; d <= s.reach; d++ {
			// |2d + 1/2 - p| - 1/2
			i := 2*d - p
			if i < 0 {
				i = -i - 1
			}
			s.set(p, d, i)
		}
	}
	if taps == 2 {
		s.taps.Data[0] = 1
	} else {
		s.taps.Data[0], s.taps.Data[1] = 0.75, 0.25
	}
	s.Refresh()
	return s, nil
}

// NewSymmetricFilter returns a filter of the given odd number of taps, at most 63,
// set to the identity; with skip, the input is added to its output, and it is set to
// zero.
func NewSymmetricFilter(name string, taps int, skip bool, pool *Pool) (*Separable, error) {
	if taps < 1 || taps > 63 || taps%2 != 1 {
		return nil, fmt.Errorf("nn: %s: filter of %d taps", name, taps)
	}
	s := newSeparable(name, taps/2+1, 1, taps/2, pool)
	for d := -s.reach; d <= s.reach; d++ {
		s.set(0, d, max(d, -d))
	}
	if s.skip = skip; !skip {
		s.taps.Data[0] = 1
	}
	s.Refresh()
	return s, nil
}

func newSeparable(name string, free, phases, reach int, pool *Pool) *Separable {
	s := &Separable{pool: pool, taps: NewParam(name+".taps", 1, free), phases: phases, reach: reach}
	s.index = make([]int, phases*(2*reach+1))
	s.packed = make([]float32, len(s.index))
	s.partials = NewPartials(s.Params())
	s.scratch = make([]separableScratch, pool.Workers())
	s.forward = s.forwardBand
	s.backward = s.backwardBand
	return s
}

// set makes input i+d weigh in phase p by the given tap, if there is such.
func (s *Separable) set(p, d, tap int) {
	if tap >= s.taps.Cols {
		tap = -1
	}
	s.index[p*(2*s.reach+1)+d+s.reach] = tap
}

// Params returns the taps.
func (s *Separable) Params() []*Param { return []*Param{s.taps} }

// Refresh takes over the parameters as they are now.
func (s *Separable) Refresh() {
	for i, tap := range s.index {
		s.packed[i] = 0
		if tap >= 0 {
			s.packed[i] = s.taps.Data[tap]
		}
	}
	n := 2*s.reach + 1
	s.both.Pack(s.packed, s.phases, n, n, nil)
	s.first.Pack(s.packed, 1, n, n, nil)
	s.adjoint.Pack(s.packed, 1, len(s.packed), len(s.packed), nil)
}

// resize prepares for inputs of h x w.
func (s *Separable) resize(h, w int) {
	if s.h == h && s.w == w {
		return
	}
	s.h, s.w = h, w
	wide := s.phases * w
	rows := max(8, s.reach+2, bandFloats/2/wide)
	s.bands = max(h/rows, min(8, h/max(8, s.reach+2)), 1)
	most := (h + s.bands - 1) / s.bands
	s.xs, s.hs, s.gs = oddLines(w+2*s.reach), oddLines(wide), oddLines(wide)
	s.ps = oddLines(w + 4*s.reach)
	s.tapsX, s.tapsH, s.tapsG, s.tapP = s.tapsX[:0], s.tapsH[:0], s.tapsG[:0], s.tapP[:0]
	for d := range 2*s.reach + 1 {
		s.tapsX = append(s.tapsX, d)
		s.tapsH = append(s.tapsH, d*s.hs)
	}
	for p := range s.phases {
		for d := range 2*s.reach + 1 {
			s.tapsG = append(s.tapsG, (s.phases*(2*s.reach-d)+p)*s.gs)
			s.tapP = append(s.tapP, p*s.ps+2*s.reach-d)
		}
	}
	padded := most + 2*s.reach
	for i := range s.scratch {
		t := &s.scratch[i]
		t.x = grow(t.x, padded*s.xs)
		t.h = grow(t.h, padded*s.hs)
		t.g = grow(t.g, (padded+2*s.reach)*s.phases*s.gs)
		t.gh = grow(t.gh, most*s.hs)
		t.p = grow(t.p, most*s.phases*s.ps)
		t.line = grow(t.line, s.xs)
		t.phase = grow(t.phase, s.phases*s.xs)
		t.sums = grow(t.sums, len(s.index))
	}
}

func (s *Separable) need(y, x *Tensor) {
	s.resize(x.H, x.W)
	if s.phases == 2 && (y.H == 2*x.H-1 || y.W == 2*x.W-1) {
		x.need("input of a filter", y.C, (y.H+1)/2, (y.W+1)/2)
		return
	}
	y.need("output of a filter", x.C, s.phases*x.H, s.phases*x.W)
}

// Forward sets y to the output for x. Doubling, y may lack the last row, or column, or
// both.
func (s *Separable) Forward(y, x *Tensor) {
	s.need(y, x)
	s.x, s.y = x, y
	s.pool.Run(x.C*s.bands, s.forward)
	s.x, s.y = nil, nil
}

// Backward goes back from the gradient dy with respect to the output for x. It sets
// dx to the gradient with respect to x, and adds the taps' gradient to theirs if
// weights is true.
func (s *Separable) Backward(dx, dy, x *Tensor, weights bool) {
	s.need(dy, x)
	dx.need("gradient of a filter's input", x.C, x.H, x.W)
	s.x, s.dx, s.dy, s.weights = x, dx, dy, weights
	if weights {
		s.partials.Resize(x.C * s.bands)
	}
	s.pool.Run(x.C*s.bands, s.backward)
	if weights {
		s.partials.Reduce()
	}
	s.x, s.dx, s.dy = nil, nil, nil
}

// alongX filters rows from-reach..to+reach of channel c of the input along x, with
// the edges repeated.
func (s *Separable) alongX(t *separableScratch, c, from, to int) {
	n, r := s.w, s.reach
	for i := range to - from + 2*r {
		row := s.x.row(c, min(max(from+i-r, 0), s.h-1))
		x := t.x[i*s.xs:][:n+2*r]
		fill(x[:r], row[0])
		copy(x[r:], row)
		fill(x[r+n:], row[n-1])
		if s.phases == 1 {
			s.both.Apply(t.h[i*s.hs:], n, x, s.tapsX, n, kernels.Epilogue{})
			continue
		}
		s.both.Apply(t.phase, s.xs, x, s.tapsX, n, kernels.Epilogue{})
		kernels.InterleaveF32(t.h[i*s.hs:][:2*n], t.phase[:n], t.phase[s.xs:][:n])
	}
}

func (s *Separable) forwardBand(worker, task int) {
	t := &s.scratch[worker]
	c := task / s.bands
	from, to := band(s.h, s.bands, task%s.bands)
	s.alongX(t, c, from, to)
	for i := from; i < to; i++ {
		at := (c*s.y.H + s.phases*i) * s.y.W
		p := &s.both
		if s.phases*i+s.phases > s.y.H {
			p = &s.first
		}
		p.Apply(s.y.Data[at:], s.y.W, t.h[(i-from)*s.hs:], s.tapsH, s.y.W, kernels.Epilogue{})
		if s.skip {
			axpy(s.y.Data[at:][:s.w], s.x.row(c, i))
		}
	}
}

func (s *Separable) backwardBand(worker, task int) {
	t := &s.scratch[worker]
	c := task / s.bands
	from, to := band(s.h, s.bands, task%s.bands)
	r, n, wide := s.reach, s.w, s.phases*s.w
	// Rows outside the picture, which are filtered like others, belong to the edges.
	first, last := from, to
	if from == 0 {
		first = -r
	}
	if to == s.h {
		last = s.h + r
	}
	for i := range s.phases * (last - first + 2*r) {
		g := t.g[i*s.gs:][:wide]
		y := s.phases*(first-r) + i
		if y < 0 || y >= s.dy.H {
			clear(g)
			continue
		}
		clear(g[copy(g, s.dy.row(c, y)):])
	}
	for i := first; i < last; i++ {
		gh := t.gh[(min(max(i, 0), s.h-1)-from)*s.hs:][:wide]
		set := i == first || i >= 1 && i < s.h
		s.adjoint.Apply(gh, wide, t.g[s.phases*(i-first)*s.gs:], s.tapsG, wide, kernels.Epilogue{Add: !set})
	}
	for i := from; i < to; i++ {
		gh := t.gh[(i-from)*s.hs:][:wide]
		p := t.p[(i-from)*s.phases*s.ps:]
		for q := range s.phases {
			clear(p[q*s.ps:][:2*r])
			clear(p[q*s.ps+2*r+n:][:2*r])
		}
		if s.phases == 1 {
			copy(p[2*r:], gh)
		} else {
			kernels.DeinterleaveF32(p[2*r:][:n], p[s.ps+2*r:][:n], gh)
		}
		s.adjoint.Apply(t.line, n+2*r, p, s.tapP, n+2*r, kernels.Epilogue{})
		dx := s.dx.row(c, i)
		copy(dx, t.line[r:])
		for _, v := range t.line[:r] {
			dx[0] += v
		}
		for _, v := range t.line[r+n:][:r] {
			dx[n-1] += v
		}
		if s.skip {
			axpy(dx, s.dy.row(c, i))
		}
	}
	if !s.weights {
		return
	}
	s.alongX(t, c, from, to)
	clear(t.sums)
	g := t.g[s.phases*(from-first+r)*s.gs:]
	kernels.DotsF32(t.sums, 2*r+1, g, s.gs, s.phases*s.gs, s.phases, t.h, s.tapsH, s.hs, wide, to-from)
	kernels.DotsF32(t.sums, 2*r+1, t.p[2*r:], s.ps, s.phases*s.ps, s.phases, t.x[r*s.xs:], s.tapsX, s.xs, n, to-from)
	grad := s.partials.Piece(task)
	for i, tap := range s.index {
		if tap >= 0 {
			grad[tap] += t.sums[i]
		}
	}
}
