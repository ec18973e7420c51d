package vq

import (
	"fmt"
	"math"
	"sync"
)

// # Search in the plane
//
// The plane from -gridEnd to gridEnd is cut into gridCells x gridCells squares, each
// with a list of the points that are nearest to some place in it. A point is not if
// another is nearer to all of the square: if its distance from the square's middle,
// less half the diagonal, is above the least distance from the middle and half the
// diagonal. Vectors outside are compared with all points.
const (
	gridCells = 64
	gridEnd   = 4
	gridSide  = 2. * gridEnd / gridCells
)

// NormalGrid quantises vectors of 2 elements to the nearest of n points, which have the
// least mean squared error for normally distributed elements that Lloyd's iteration
// finds: log2(n)/2 bits a dimension. Encoding compares the few points that are near the
// vector's square of the plane. At
// 16, 64 and 256 points, 2, 3 and 4 bits, the mean squared error is 0.1076, 0.0297 and
// 0.0078 for deviation 1. (Pagès and Printems, Optimal quadratic quantization for
// numerics: the Gaussian case, 2003; HIGGS, arXiv 2411.17525.)
type NormalGrid struct {
	deviation float32
	points    [][2]float32 // for deviation 1
	sizes     [1]int
	cells     *gridIndex
}

// A gridIndex has the points of cell i at near[from[i]:from[i+1]].
type gridIndex struct {
	from []uint32
	near []uint8
}

// gridIndices are made once for each number of points.
var gridIndices [9]func() *gridIndex

func init() {
	for i := range gridIndices {
		gridIndices[i] = sync.OnceValue(func() *gridIndex { return newGridIndex(gridPoints(1 << i)) })
	}
}

func gridPoints(n int) [][2]float32 {
	p := make([][2]float32, n)
	for i := range p {
		p[i] = [2]float32{float32(normalGrids2[n][2*i]) / (1 << 12), float32(normalGrids2[n][2*i+1]) / (1 << 12)}
	}
	return p
}

func newGridIndex(points [][2]float32) *gridIndex {
	x := &gridIndex{from: make([]uint32, 1, gridCells*gridCells+1)}
	const reach = gridSide * math.Sqrt2 / 2 * 1.001
	d := make([]float64, len(points))
	for i := range gridCells * gridCells {
		a := (float64(i/gridCells)+.5)*gridSide - gridEnd
		b := (float64(i%gridCells)+.5)*gridSide - gridEnd
		least := math.Inf(1)
		for j, p := range points {
			d[j] = math.Hypot(float64(p[0])-a, float64(p[1])-b)
			least = min(least, d[j])
		}
		for j := range points {
			if d[j] <= least+2*reach {
				x.near = append(x.near, uint8(j))
			}
		}
		x.from = append(x.from, uint32(len(x.near)))
	}
	return x
}

// NewNormalGrid returns the quantiser with n points, a power of two from 4 to 256, for
// elements of the given standard deviation.
func NewNormalGrid(n int, deviation float32) (*NormalGrid, error) {
	if normalGrids2[n] == nil {
		return nil, fmt.Errorf("%w: %d points, want a power of two from 4 to 256", ErrOptions, n)
	}
	if !(deviation >= 1/maxMagnitude && deviation <= maxMagnitude) {
		return nil, fmt.Errorf("%w: deviation %g", ErrOptions, deviation)
	}
	return &NormalGrid{deviation, gridPoints(n), [1]int{n}, gridIndices[codeBits(n)]()}, nil
}

// Dim returns 2.
func (q *NormalGrid) Dim() int { return 2 }

// Sizes returns the number of points.
func (q *NormalGrid) Sizes() []int { return q.sizes[:] }

// Encode finds the nearest points.
func (q *NormalGrid) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	inv := 1 / q.deviation
	for i := range codes {
		a, b := x[2*i]*inv, x[2*i+1]*inv
		best, code := float32(math.Inf(1)), uint32(0)
		// The comparison is false for NaN.
		if max(a, -a, b, -b) < gridEnd {
			cell := int((a+gridEnd)*(1/gridSide))*gridCells + int((b+gridEnd)*(1/gridSide))
			cell = min(cell, gridCells*gridCells-1)
			for _, j := range q.cells.near[q.cells.from[cell]:q.cells.from[cell+1]] {
				p := &q.points[j]
				u, v := a-p[0], b-p[1]
				if d := u*u + v*v; d < best {
					best, code = d, uint32(j)
				}
			}
		} else {
			for j := range q.points {
				p := &q.points[j]
				u, v := a-p[0], b-p[1]
				if d := u*u + v*v; d < best {
					best, code = d, uint32(j)
				}
			}
		}
		codes[i] = code
	}
}

// Decode looks points up.
func (q *NormalGrid) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	for i, c := range codes {
		p := q.points[c]
		x[2*i], x[2*i+1] = p[0]*q.deviation, p[1]*q.deviation
	}
}

// MarshalBinary stores the number of points and the deviation.
func (q *NormalGrid) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *NormalGrid) kind() string { return "normalgrid" }

func (q *NormalGrid) write(w *writer) {
	w.int(len(q.points))
	w.float(q.deviation)
}

// HIGGS makes vectors of d elements normally distributed and quantises them as such: a
// vector is multiplied by random signs and a Hadamard matrix, divided by the root of
// its mean square, and its elements go to a quantiser for deviation 1, some at a time.
// The root of the mean square is a code of 16 bits. That is the bits of the inner quantiser and 16/d more a dimension; the
// rotation adds log2(d) operations an element both ways.
//
// The squared error relative to that of the vectors is that of the inner quantiser on a
// normal distribution, whatever the vectors are. What a language model loses is in
// proportion to it (HIGGS, arXiv 2411.17525, whose grids are [NormalGrid] and
// [LloydMax], and whose groups have 64 to 1024 elements; with [E8P] it is the rotation
// and code of QuIP#, arXiv 2402.04396).
type HIGGS struct {
	turn  *rotation
	inner normalPart
	sizes []int
}

// NewHIGGS returns the quantiser of vectors of d elements with an inner quantiser for
// normal distributions of deviation 1, such as [NormalGrid], whose dimension divides d.
// The seed is that of the random signs.
func NewHIGGS(d int, inner Quantiser, seed uint64) (*HIGGS, error) {
	if err := checkDim(d); err != nil {
		return nil, err
	}
	part, err := newNormalPart(d, inner, 1)
	if err != nil {
		return nil, err
	}
	return &HIGGS{newRotation(d, 1, seed), part, append([]int{scaleSize}, part.sizes...)}, nil
}

// A normalPart applies a quantiser to consecutive parts of a vector.
type normalPart struct {
	q      Quantiser
	stored stored
	d      int
	sizes  []int
}

// newNormalPart returns the quantiser of vectors of d elements by q, along with a
// number of other codes.
func newNormalPart(d int, q Quantiser, others int) (normalPart, error) {
	s, ok := q.(stored)
	if !ok {
		return normalPart{}, fmt.Errorf("%w: inner quantiser %T", ErrOptions, q)
	}
	if d%q.Dim() != 0 {
		return normalPart{}, fmt.Errorf("%w: dimension %d, not a multiple of %d", ErrOptions, d, q.Dim())
	}
	each := q.Sizes()
	if d/q.Dim()*len(each)+others > maxCodes {
		return normalPart{}, fmt.Errorf("%w: more than %d codes a vector", ErrOptions, maxCodes)
	}
	p := normalPart{q: q, stored: s, d: d}
	for range d / q.Dim() {
		p.sizes = append(p.sizes, each...)
	}
	return p, nil
}

// Dim returns d.
func (q *HIGGS) Dim() int { return q.turn.d }

// Sizes returns that of the scale, then those of the inner quantiser for each part.
func (q *HIGGS) Sizes() []int { return q.sizes }

// Encode rotates, scales and encodes the parts.
func (q *HIGGS) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := q.turn.d
	y := make([]float32, d)
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		copy(y, x)
		q.turn.apply(y)
		codes[0] = rmsCode(y)
		scaled(y, y, scaleOf(codes[0]))
		q.inner.q.Encode(codes[1:len(q.sizes)], y)
	}
}

// Turn turns the vectors x, [n][d], as Encode does before it scales them. Products of
// turned vectors are those of the vectors, so what is to be multiplied with the codes of a
// vector, without undoing its turn, is turned likewise. It panics if the length does not
// fit.
func (q *HIGGS) Turn(x []float32) {
	checkMultiple("elements", len(x), q.turn.d)
	for ; len(x) > 0; x = x[q.turn.d:] {
		q.turn.apply(x[:q.turn.d])
	}
}

// Scale returns what a code of the first position stands for: by so much the vectors of
// the inner quantiser are multiplied.
func (q *HIGGS) Scale(code uint32) float32 {
	checkBelow([]uint32{code}, scaleSize)
	return scaleOf(code)
}

// rmsCode returns the code of the root of the mean square of y.
func rmsCode(y []float32) uint32 {
	return scaleCode(float32(norm(y) / math.Sqrt(float64(len(y)))))
}

// Decode decodes the parts, scales and rotates back.
func (q *HIGGS) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	d := q.turn.d
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		checkBelow(codes[:1], scaleSize)
		s := scaleOf(codes[0])
		y := x[:d]
		q.inner.q.Decode(y, codes[1:len(q.sizes)])
		for i := range y {
			y[i] *= s
		}
		q.turn.undo(y)
	}
}

// MarshalBinary stores the rotation's seed and the inner quantiser.
func (q *HIGGS) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *HIGGS) kind() string { return "higgs" }

func (q *HIGGS) write(w *writer) {
	w.int(q.turn.d)
	w.uint(q.turn.seed)
	w.quantiser(q.inner.stored)
}

func init() {
	register("normalgrid", func(r *reader) (Quantiser, error) {
		n := r.int("points", 1, 256)
		deviation := r.float("deviation")
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewNormalGrid(n, deviation))
	})
	register("higgs", func(r *reader) (Quantiser, error) {
		d := r.int("dimension", 1, MaxDim)
		seed := r.uint()
		inner, err := r.quantiser()
		if err != nil {
			return nil, err
		}
		return formatted(NewHIGGS(d, inner, seed))
	})
}
