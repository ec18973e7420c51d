package vq

import (
	"fmt"
	"math"
)

// LVQ subtracts a mean and quantises each vector of d elements evenly between its own
// smallest and largest number, at B bits a dimension, and if asked for what that
// leaves, whose range is one step, at R further bits: those may be kept apart and read
// only for the vectors that matter. (Locally-adaptive vector quantisation, arXiv
// 2304.04759.)
//
// A vector has 2+d codes: the lower end, in sixteenths of a step, and the step, of 16 bits each, and a level for
// each element; with a second stage d more levels follow. That is B+R+32/d bits a
// dimension, and two passes to encode. The error is that of a step of the range over
// 2^B-1, squared, over 12.
type LVQ struct {
	mean           []float32 // [d]
	bits, residual int
	sizes          []int
}

// TrainLVQ returns the quantiser for vectors like those of x, [n][d], at 1..12 bits and
// 0..12 more for a second stage.
func TrainLVQ(x []float32, d, bits, residual int) (*LVQ, error) {
	if bits < 1 || bits > 12 || residual < 0 || residual > 12 {
		return nil, fmt.Errorf("%w: %d and %d bits, want 1..12 and 0..12", ErrOptions, bits, residual)
	}
	if 2+2*d > maxCodes {
		return nil, fmt.Errorf("%w: dimension %d", ErrOptions, d)
	}
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	return newLVQ(means(x, d), bits, residual), nil
}

// means returns the mean of the vectors x.
func means(x []float32, d int) []float32 {
	sums := make([]float64, d)
	for i, v := range x {
		sums[i%d] += float64(v)
	}
	m := make([]float32, d)
	for j, s := range sums {
		m[j] = float32(s / float64(len(x)/d))
	}
	return m
}

// The lower end of a range is a multiple of 1/16 of the step; codes are from the middle.
const (
	lvqSubsteps = 16
	lvqMiddle   = 1 << 15
)

func newLVQ(mean []float32, bits, residual int) *LVQ {
	q := &LVQ{mean: mean, bits: bits, residual: residual, sizes: []int{2 * lvqMiddle, scaleSize}}
	for range mean {
		q.sizes = append(q.sizes, 1<<bits)
	}
	if residual > 0 {
		for range mean {
			q.sizes = append(q.sizes, 1<<residual)
		}
	}
	return q
}

// Dim returns d.
func (q *LVQ) Dim() int { return len(q.mean) }

// Sizes returns those of the lower end, the step and the levels.
func (q *LVQ) Sizes() []int { return q.sizes }

// Encode fits the range of each vector and rounds to the nearest levels.
func (q *LVQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	for ; len(codes) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
		for j, v := range x[:d] {
			v -= q.mean[j]
			lo, hi = min(lo, v), max(hi, v)
		}
		top := float32(uint32(1)<<q.bits - 1)
		// The lower end is rounded down by up to a substep.
		step := max((hi-lo)/(top-1./lvqSubsteps), max(lo, -lo)/(lvqMiddle/lvqSubsteps-1))
		stepCode := scaleCode(step)
		if scaleOf(stepCode) < step { // so that the largest number is in the range
			stepCode = min(stepCode+1, scaleSize-1)
		}
		step = scaleOf(stepCode)
		low := float32(math.Floor(float64(lo) / float64(step) * lvqSubsteps))
		if !(max(low, -low) < lvqMiddle) {
			low = 0
		}
		codes[0], codes[1] = uint32(low+lvqMiddle), stepCode
		low *= step / lvqSubsteps
		for j, v := range x[:d] {
			v -= q.mean[j]
			c := level((v-low)/step, top)
			codes[2+j] = c
			if q.residual > 0 {
				rest := v - (low + float32(c)*step)
				most := float32(uint32(1)<<q.residual - 1)
				codes[2+d+j] = level((rest/step+.5)*most, most)
			}
		}
	}
}

// level rounds t to 0..top; NaN is 0.
func level(t, top float32) uint32 {
	if !(t > 0) {
		return 0
	}
	return uint32(min(t, top) + .5)
}

// Decode returns the levels' numbers.
func (q *LVQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	inv := 1 / float32(uint32(1)<<max(q.residual, 1)-1)
	for ; len(codes) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		checkBelow(codes[:1], 2*lvqMiddle)
		checkBelow(codes[1:2], scaleSize)
		checkBelow(codes[2:2+d], 1<<q.bits)
		step := scaleOf(codes[1])
		low := float32((float32(codes[0]) - lvqMiddle) * (step / lvqSubsteps))
		for j, c := range codes[2 : 2+d] {
			x[j] = low + float32(float32(c)*step)
		}
		if q.residual > 0 {
			checkBelow(codes[2+d:][:d], 1<<q.residual)
			for j, c := range codes[2+d:][:d] {
				x[j] += float32((float32(float32(c)*inv) - .5) * step)
			}
		}
		for j, m := range q.mean {
			x[j] += m
		}
	}
}

// MarshalBinary stores the mean and the bits.
func (q *LVQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *LVQ) kind() string { return "lvq" }

func (q *LVQ) write(w *writer) {
	w.int(q.bits)
	w.int(q.residual)
	w.int(len(q.mean))
	w.floats(q.mean)
}

func init() {
	register("lvq", func(r *reader) (Quantiser, error) {
		bits, residual := r.int("bits", 1, 12), r.int("further bits", 0, 12)
		mean := r.floats("mean", r.int("dimension", 1, maxCodes/2-1))
		if r.err != nil {
			return nil, r.err
		}
		return newLVQ(mean, bits, residual), nil
	})
}
