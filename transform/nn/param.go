package nn

import (
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// A Param is an array of numbers that are learned, and their gradient. As a matrix
// it is [Rows][Cols]: outputs by inputs for weights, 1 by n for biases.
type Param struct {
	Name       string
	Rows, Cols int
	Data, Grad []float32
}

// NewParam returns a parameter of zeros.
func NewParam(name string, rows, cols int) *Param {
	n := rows * cols
	return &Param{Name: name, Rows: rows, Cols: cols, Data: make([]float32, n), Grad: make([]float32, n)}
}

// SetNormal sets p to normal variates of the given standard deviation.
func (p *Param) SetNormal(r *rand.Rand, deviation float64) {
	for i := range p.Data {
		p.Data[i] = float32(deviation * r.NormFloat64())
	}
}

// SetUniform sets p to variates uniform within -bound..bound.
func (p *Param) SetUniform(r *rand.Rand, bound float64) {
	for i := range p.Data {
		p.Data[i] = float32(bound * (2*r.Float64() - 1))
	}
}

// ZeroGrad clears the gradients of params.
func ZeroGrad(params []*Param) {
	for _, p := range params {
		clear(p.Grad)
	}
}

// Partials holds sums of gradients of parameters for each of a number of pieces of
// work, so that the pieces may be computed in any order and by any worker.
type Partials struct {
	params []*Param
	size   int
	sums   []float32 // [pieces][size]
	pieces int
}

// NewPartials returns sums for the given parameters, of no pieces.
func NewPartials(params []*Param) *Partials {
	p := &Partials{params: params}
	for _, q := range params {
		p.size += len(q.Data)
	}
	return p
}

// Resize sets the number of pieces. Their sums are not defined until [Partials.Piece]
// was called for each.
func (p *Partials) Resize(pieces int) {
	if n := pieces * p.size; cap(p.sums) < n {
		p.sums = make([]float32, n)
	}
	p.sums, p.pieces = p.sums[:pieces*p.size], pieces
}

// Piece returns the sums of piece i, cleared: the gradients of all parameters, one
// after the other.
func (p *Partials) Piece(i int) []float32 {
	s := p.sums[i*p.size : (i+1)*p.size : (i+1)*p.size]
	clear(s)
	return s
}

// Reduce adds the sums of all pieces, in order, to the parameters' gradients.
func (p *Partials) Reduce() {
	for i := range p.pieces {
		s := p.sums[i*p.size:]
		for _, q := range p.params {
			n := len(q.Grad)
			kernels.AxpbyF32(q.Grad, 1, s[:n], 1)
			s = s[n:]
		}
	}
}

// An Activation is what a layer applies to its sums.
type Activation uint8

const (
	Linear    Activation = iota // none
	ReLU                        // max(x, 0)
	LeakyReLU                   // max(x, x/100)
)

// slope is the derivative below zero.
func (a Activation) slope() float32 {
	if a == LeakyReLU {
		return 0.01
	}
	return 0
}
