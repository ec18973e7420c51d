package vq

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/burin-codec/burin/kernels"
)

// A rotation is a random orthogonal matrix that multiplies a vector in d*log(d) steps.
// It makes the elements of any vector alike: close to normally distributed, with none
// that stands out (QuIP#, arXiv 2402.04396: "incoherence").
//
// A round gives elements random signs and multiplies them by a Hadamard matrix, divided
// by the root of its size. Where d is no power of two, b being the largest below, a
// round is two such steps: on the first b elements, then on the last b.
//
// Both directions are sums, differences and products rounded in a fixed order, the
// same on every processor.
type rotation struct {
	d, b   int
	rounds int
	seed   uint64
	signs  [][]float32 // [step][b]: plus or minus the root of 1/b
}

// rotationStream is the stream of random numbers that signs are from.
const rotationStream = 0x726f74

func newRotation(d, rounds int, seed uint64) *rotation {
	b := 1 << (bits.Len(uint(d)) - 1)
	r := &rotation{d: d, b: b, rounds: rounds, seed: seed}
	steps := rounds
	if b < d {
		steps *= 2
	}
	rnd := newRand(seed, rotationStream)
	scale := float32(1 / math.Sqrt(float64(b)))
	for range steps {
		s := make([]float32, b)
		for i := range s {
			s[i] = scale
			if rnd.Uint64()>>63 != 0 {
				s[i] = -scale
			}
		}
		r.signs = append(r.signs, s)
	}
	return r
}

// part returns the elements of a vector that a step turns.
func (r *rotation) part(x []float32, step int) []float32 {
	if r.b < r.d && step&1 != 0 {
		return x[r.d-r.b : r.d]
	}
	return x[:r.b]
}

// apply rotates the vector x in place.
func (r *rotation) apply(x []float32) {
	for i, s := range r.signs {
		p := r.part(x, i)
		for j, v := range s {
			p[j] *= v
		}
		kernels.Hadamard(p, r.b)
	}
}

// undo rotates the vector x back.
func (r *rotation) undo(x []float32) {
	for i := len(r.signs) - 1; i >= 0; i-- {
		p := r.part(x, i)
		kernels.Hadamard(p, r.b)
		for j, v := range r.signs[i] {
			p[j] *= v
		}
	}
}

// checkDim returns an error unless d is a dimension.
func checkDim(d int) error {
	if d < 1 || d > MaxDim {
		return fmt.Errorf("%w: dimension %d, want 1..%d", ErrOptions, d, MaxDim)
	}
	return nil
}
