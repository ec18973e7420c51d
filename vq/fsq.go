package vq

import (
	"fmt"
	"math"
	"slices"
)

// FSQBound says how an [FSQ] brings elements into the range of its levels.
type FSQBound int

const (
	// FSQTanh is the paper's: tanh, moved for an even number of levels so that 0 stays
	// 0; level l of L decodes to (l - floor(L/2)) / floor(L/2).
	FSQTanh FSQBound = iota
	// FSQSymmetric is tanh with the outer levels at -1 and 1 and the others evenly
	// between, so that an even number of them has none at 0.
	FSQSymmetric
	// FSQClamp has the levels of FSQSymmetric and cuts elements off at -1 and 1.
	FSQClamp
)

// FSQ rounds each of d elements to one of a few fixed levels from -1 to 1, after
// squeezing it into that range. There is nothing to train or to store but the numbers
// of levels: the network in front learns to use them. A vector has one code, below the
// product of the levels, the first element's level its lowest digit; encoding and
// decoding take a few operations an element. (Finite Scalar Quantization, arXiv
// 2309.15505.)
//
// What Decode returns approximates what [FSQ.Bound] makes of a vector, which is the
// vector itself for [FSQClamp] from -1 to 1 only.
type FSQ struct {
	levels []int
	bound  FSQBound
	sizes  [1]int
}

// FSQLevels returns the paper's levels for about 2^bits codes, for bits of 8, 10, 12, 14
// and 16, or nil.
func FSQLevels(bits int) []int {
	switch bits {
	case 8:
		return []int{8, 6, 5}
	case 10:
		return []int{8, 5, 5, 5}
	case 12:
		return []int{7, 5, 5, 5, 5}
	case 14:
		return []int{8, 8, 8, 6, 5}
	case 16:
		return []int{8, 8, 8, 5, 5, 5}
	}
	return nil
}

// NewFSQ returns the quantiser of len(levels) dimensions, each of 2 levels or more, with
// a product of at most MaxSize.
func NewFSQ(levels []int, bound FSQBound) (*FSQ, error) {
	if len(levels) == 0 {
		return nil, fmt.Errorf("%w: no levels", ErrOptions)
	}
	if bound < FSQTanh || bound > FSQClamp {
		return nil, fmt.Errorf("%w: bound %d", ErrOptions, bound)
	}
	total := 1
	for _, n := range levels {
		if n < 2 || n > MaxSize/total {
			return nil, fmt.Errorf("%w: levels %v, want 2 and more, product up to %d", ErrOptions, levels, MaxSize)
		}
		total *= n
	}
	return &FSQ{slices.Clone(levels), bound, [1]int{total}}, nil
}

// Levels returns a copy of the numbers of levels.
func (q *FSQ) Levels() []int { return slices.Clone(q.levels) }

// Dim returns the number of dimensions.
func (q *FSQ) Dim() int { return len(q.levels) }

// Sizes returns the product of the levels.
func (q *FSQ) Sizes() []int { return q.sizes[:] }

// position returns where v is among n levels, 0 to n-1, before rounding.
func (q *FSQ) position(v float32, n int) float64 {
	z := float64(v)
	if q.bound != FSQTanh {
		if q.bound == FSQSymmetric {
			z = math.Tanh(z)
		}
		return (min(max(z, -1), 1) + 1) / 2 * float64(n-1)
	}
	half := float64(n-1) * (1 + 1e-3) / 2
	offset := 0.0
	if n%2 == 0 {
		offset = .5
	}
	return math.Tanh(z+math.Atanh(offset/half))*half - offset + float64(n/2)
}

// value returns the number at a position.
func (q *FSQ) value(position float32, n int) float32 {
	if q.bound == FSQTanh {
		return (position - float32(n/2)) / float32(n/2)
	}
	return (2*position - float32(n-1)) / float32(n-1)
}

// Bound sets y, [n][d], to what x becomes before rounding. A network is trained through
// it, with the rounding that follows taken for the identity.
func (q *FSQ) Bound(y, x []float32) {
	checkMultiple("elements", len(x), len(q.levels))
	for i, v := range x {
		n := q.levels[i%len(q.levels)]
		y[i] = q.value(float32(q.position(v, n)), n)
	}
}

// Encode bounds elements and rounds them to the nearest level.
func (q *FSQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := len(q.levels)
	for i := range codes {
		code, base := 0, 1
		for j, n := range q.levels {
			at := math.RoundToEven(q.position(x[i*d+j], n))
			if q.bound != FSQTanh {
				at = math.Floor(q.position(x[i*d+j], n) + .5)
			}
			if at > 0 { // false for NaN
				code += min(int(at), n-1) * base
			}
			base *= n
		}
		codes[i] = uint32(code)
	}
}

// Decode returns the levels as numbers from -1 to 1.
func (q *FSQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	checkBelow(codes, q.sizes[0])
	d := len(q.levels)
	for i, c := range codes {
		for j, n := range q.levels {
			x[i*d+j] = q.value(float32(int(c)%n), n)
			c /= uint32(n)
		}
	}
}

// MarshalBinary stores the numbers of levels and the bound.
func (q *FSQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *FSQ) kind() string { return "fsq" }

func (q *FSQ) write(w *writer) {
	w.ints(q.levels)
	w.int(int(q.bound))
}

func init() {
	register("fsq", func(r *reader) (Quantiser, error) {
		levels := r.ints("levels", 24, 2, MaxSize)
		bound := FSQBound(r.int("bound", 0, int(FSQClamp)))
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewFSQ(levels, bound))
	})
}
