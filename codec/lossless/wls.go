package lossless

import (
	"math"

	"github.com/burin-codec/burin/kernels"
)

// Windowed weighted least squares.
//
// At every sample the weights a of a linear prediction t = a.v are fitted to
// the samples already coded nearby, each with an influence that decays with its
// distance: by lambda a column and by rho a row, on both sides in the rows
// above. Writing D(x,y) for the weighted outer product w v v^T at a sample, the
// normal matrix is
//
//	A(x,y) = sum over x' < x of lambda^(x-x') D(x',y)
//	       + sum over y' < y of rho^(y-y') sum over x' of lambda^|x-x'| D(x',y')
//
// and likewise the right-hand side with t in place of one v. The first sum is a
// recursion along the row. The second is kept for blocks of columns and brought
// up to date once a row, from the state of the first at the blocks' ends and a
// recursion backwards over the blocks. This is the training window of
// least-squares coders (Wu, Barthel and Zhang, "Piecewise 2D autoregression for
// predictive image coding", 1998) with a soft edge, at a cost that does not
// depend on its size.
//
// The arithmetic is float32 in an order fixed by package kernels, each product
// rounded on its own: encoder and decoder get the same bits on every machine.

// wlsBlock is the number of columns that share a state of the rows above.
const wlsBlock = 8

// wlsConfig describes a predictor.
type wlsConfig struct {
	near        int     // neighbours in the plane itself, at least 2
	ref0, ref1  int     // samples around the place in the last plane coded and the one before
	lambda, rho float32 // decay a column and a row
	every       int     // columns between fits
}

// wls fits and applies one predictor.
type wls struct {
	wlsConfig
	n, stride int
	width     int       // of the plane
	size      int       // floats in a state: n rows of the matrix, then the right-hand side
	row       []float32 // state of the current row
	entry     []float32 // row at the start of the current block
	above     []float32 // states of the rows above, by block
	own       []float32 // what the current row's block itself adds, by block
	back      []float32 // state of the backward recursion
	fit       []float32 // scratch of the fit
	powers    [wlsBlock + 1]float32
	v         []float32 // the regressors of the sample, padded with zeros
	a         []float32 // fitted weights
}

func newWLS(c wlsConfig, refs, width int) *wls {
	n := c.near - 1
	if refs > 0 && c.ref0 > 0 {
		n += c.ref0
	}
	if refs > 1 && c.ref1 > 0 {
		n += c.ref1
	}
	stride := kernels.PadF32(n)
	size := (stride + 1) * stride
	blocks := (width + wlsBlock - 1) / wlsBlock
	o := &wls{
		wlsConfig: c, n: n, stride: stride, width: width, size: size,
		row: make([]float32, size), entry: make([]float32, size), back: make([]float32, size), fit: make([]float32, size),
		above: make([]float32, blocks*size), own: make([]float32, blocks*size),
		v: make([]float32, stride), a: make([]float32, stride),
	}
	o.powers[0] = 1
	for i := 1; i <= wlsBlock; i++ {
		o.powers[i] = float32(o.powers[i-1] * c.lambda)
	}
	return o
}

// The ridge that is added to the normal matrix keeps flat regions solvable.
const (
	wlsRidge      = 1
	wlsRidgeShare = 1.0005
)

// wlsTiny is a share in the normal matrix that the ridge makes meaningless.
// Regressors that have been zero for long are cleared below it, before they
// decay into the denormal numbers, on which processors are slow.
const wlsTiny = 1e-10

// settle clears the regressors of a state that have all but vanished.
func (o *wls) settle(state []float32) {
	for i := range o.n {
		if d := state[i*o.stride+i]; d >= wlsTiny || d == 0 {
			continue
		}
		clear(state[i*o.stride : i*o.stride+i+1])
		for k := i + 1; k < o.n; k++ {
			state[k*o.stride+i] = 0
		}
		state[o.stride*o.stride+i] = 0
	}
}

// beginRow forgets the state along the row.
func (o *wls) beginRow() { clear(o.row) }

// predict returns the prediction for column x from the regressors in o.v.
func (o *wls) predict(x int) float32 {
	if x%o.every == 0 {
		o.refit(x)
	}
	var p float32
	for i, v := range o.v[:o.n] {
		p += float32(v * o.a[i])
	}
	return p
}

func (o *wls) refit(x int) {
	f := o.fit
	copy(f, o.row)
	b := x / wlsBlock * o.size
	kernels.ScaleAddF32(f, o.above[b:b+o.size], 1, 1)
	for i := 0; i < o.n; i++ {
		d := &f[i*o.stride+i]
		*d = float32(*d*wlsRidgeShare) + wlsRidge
	}
	m := o.stride * o.stride
	if kernels.CholeskySolveF32(f[:m], f[m:], o.n, o.stride) {
		copy(o.a, f[m:])
	}
}

// update adds the sample at column x, whose target turned out to be t.
func (o *wls) update(x int, t float32) {
	if x%wlsBlock == 0 {
		copy(o.entry, o.row)
	}
	var energy float32
	for _, v := range o.v[:o.n] {
		energy += float32(v * v)
	}
	// Where neighbours differ much the target's variance is larger too.
	w := 1 / float32(math.Sqrt(float64(energy/float32(o.n)+4)))
	m := o.stride * o.stride
	kernels.Rank1F32(o.row[:m], o.v, o.n, o.stride, o.lambda, w)
	kernels.ScaleAddF32(o.row[m:], o.v, o.lambda, float32(w*t))
	if x%wlsBlock == wlsBlock-1 || x == o.width-1 {
		o.settle(o.row)
		b := x / wlsBlock * o.size
		kernels.ScaleAddF32(o.above[b:b+o.size], o.row, 1, 1)
		own := o.own[b : b+o.size]
		copy(own, o.row)
		kernels.ScaleAddF32(own, o.entry, 1, -o.powers[x%wlsBlock+1])
	}
}

// endRow brings the states of the rows above up to date.
func (o *wls) endRow() {
	clear(o.back)
	step := o.powers[wlsBlock]
	for b := len(o.above) - o.size; b >= 0; b -= o.size {
		kernels.ScaleAddF32(o.above[b:b+o.size], o.back, o.rho, o.rho)
		o.settle(o.above[b : b+o.size])
		kernels.ScaleAddF32(o.back, o.own[b:b+o.size], step, step)
		o.settle(o.back)
	}
}
