package vq

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/kernels"
	"gonum.org/v1/gonum/mat"
)

// # Bits for segments
//
// Principal components are in the order of their variances. They are cut into at most
// saqBlocks blocks, and consecutive blocks make up segments, each at B bits an element,
// 0 for none. With D(B) the error of B bits on a normal distribution of variance 1, the
// sum of variance*D(B) is least, for a number of bits that segments take in all,
//
//	len*B + 32 for the two numbers of a segment, if B > 0
//
// among all ways to cut and to allot, which dynamic programming goes through: the least
// error of the blocks from i on for b bits is the least, over the end of the first
// segment and its B, of its error and the least error of the blocks from its end on for
// the bits that are left.
const saqBlocks = 32

// MaxSAQDim is the most dimensions of [SAQ]: the components are a matrix of d x d.
const MaxSAQDim = 2048

// SAQ quantises vectors of d elements at any number of bits on average: they are turned
// to their principal components, which are cut into segments with bits of their own,
// more for larger variances; each is rotated at random, and has the code at a small
// angle that adjusting the elements' codes one by one finds. Inner products are
// estimated from codes without bias, as with [RaBitQ]. (Segmented adaptive quantisation,
// arXiv 2509.12086.)
//
// Each segment has the codes of RaBitQ: two of 16 bits and one of B bits for each
// element. All count as bits of the vector. Encoding and decoding take a product by a
// matrix of d x d, which is stored with the mean.
type SAQ struct {
	mean   []float32 // [d]
	basis  []float32 // [d][d], rows are components
	widths []int     // of segments
	bits   []int
	seed   uint64
	cubes  []*cube // nil for 0 bits
	sizes  []int
}

// TrainSAQ returns the quantiser for vectors like those of x, [n][d], at up to so many
// bits a dimension, above 0 and up to 9, with all that belongs to a vector. The seed is
// that of the rotations.
func TrainSAQ(x []float32, d int, bitsPerDim float64, seed uint64) (*SAQ, error) {
	if d < 1 || d > MaxSAQDim {
		return nil, fmt.Errorf("%w: dimension %d, want 1..%d", ErrOptions, d, MaxSAQDim)
	}
	if !(bitsPerDim > 0 && bitsPerDim <= MaxRaBitQBits) {
		return nil, fmt.Errorf("%w: %g bits a dimension, want up to %d", ErrOptions, bitsPerDim, MaxRaBitQBits)
	}
	n, err := checkTraining(x, d, 2)
	if err != nil {
		return nil, err
	}
	mean := means(x, d)
	covariance := make([]float64, d*d)
	r := make([]float64, d)
	for i := range n {
		for j, m := range mean {
			r[j] = float64(x[i*d+j]) - float64(m)
		}
		for j, v := range r {
			row := covariance[j*d:][:j+1]
			for k, w := range r[:j+1] {
				row[k] += v * w
			}
		}
	}
	s := mat.NewSymDense(d, nil)
	for j := range d {
		for k := range j + 1 {
			s.SetSym(j, k, covariance[j*d+k]/float64(n))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(s, true) {
		return nil, fmt.Errorf("%w: principal components not found", ErrTraining)
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil) // rising
	basis, variances := make([]float32, d*d), make([]float64, d)
	for j := range d {
		variances[j] = max(values[d-1-j], 0)
		for k := range d {
			basis[j*d+k] = float32(vectors.At(k, d-1-j))
		}
	}
	widths, bits := allot(variances, int(bitsPerDim*float64(d)))
	return newSAQ(mean, basis, widths, bits, seed), nil
}

// allot cuts the components of the given variances into segments of the least error for
// a number of bits.
func allot(variances []float64, budget int) (widths, bits []int) {
	d := len(variances)
	blocks := min(saqBlocks, d)
	ends := make([]int, blocks+1) // elements before each block
	sums := make([]float64, d+1)
	for i := range ends {
		ends[i] = i * d / blocks
	}
	for i, v := range variances {
		sums[i+1] = sums[i] + v
	}
	levels := evenLevels()
	type choice struct {
		err  float64
		end  uint8
		bits uint8
	}
	best := make([][]choice, blocks+1) // [first block][bits left]
	best[blocks] = make([]choice, budget+1)
	for i := blocks - 1; i >= 0; i-- {
		best[i] = make([]choice, budget+1)
		for left := range best[i] {
			c := choice{err: math.Inf(1)}
			for end := i + 1; end <= blocks; end++ {
				width := ends[end] - ends[i]
				variance := sums[ends[end]] - sums[ends[i]]
				for b, l := range levels {
					cost := width * b
					if b > 0 {
						cost += 32
					}
					if cost > left {
						break
					}
					if e := l.err*variance + best[end][left-cost].err; e < c.err {
						c = choice{e, uint8(end), uint8(b)}
					}
				}
			}
			best[i][left] = c
		}
	}
	for i, left := 0, budget; i < blocks; {
		c := best[i][left]
		width := ends[c.end] - ends[i]
		widths, bits = append(widths, width), append(bits, int(c.bits))
		if c.bits > 0 {
			left -= width*int(c.bits) + 32
		}
		i = int(c.end)
	}
	return widths, bits
}

func newSAQ(mean, basis []float32, widths, bits []int, seed uint64) *SAQ {
	q := &SAQ{mean: mean, basis: basis, widths: widths, bits: bits, seed: seed}
	for i, n := range widths {
		var c *cube
		if bits[i] > 0 {
			c = newCube(n, bits[i], seed+uint64(i), true)
			q.sizes = append(q.sizes, c.sizes()...)
		}
		q.cubes = append(q.cubes, c)
	}
	if len(q.sizes) == 0 {
		q.sizes = []int{1} // a vector has a code at least
	}
	return q
}

// Segments returns the widths of the segments, in the order of falling variances, and
// their bits.
func (q *SAQ) Segments() (widths, bits []int) {
	return append([]int(nil), q.widths...), append([]int(nil), q.bits...)
}

// Dim returns d.
func (q *SAQ) Dim() int { return len(q.mean) }

// Sizes returns, for each segment with bits, those of [RaBitQ].
func (q *SAQ) Sizes() []int { return q.sizes }

// Encode turns vectors to their components and finds codes for the segments.
func (q *SAQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	r, y, a := make([]float32, d), make([]float32, d), make([]float32, d)
	for ; len(x) > 0; x = x[d:] {
		for i, m := range q.mean {
			r[i] = x[i] - m
		}
		for j := range y {
			y[j] = float32(kernels.DotF32(q.basis[j*d:][:d], r))
		}
		if len(q.sizes) == 1 {
			codes[0], codes = 0, codes[1:]
		}
		at := 0
		for i, c := range q.cubes {
			n := q.widths[i]
			if c != nil {
				c.encode(codes[:2+n], y[at:at+n], a[:n])
				codes = codes[2+n:]
			}
			at += n
		}
	}
}

// Decode decodes the segments and turns the components back.
func (q *SAQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	y := make([]float32, d)
	for ; len(x) > 0; x = x[d:] {
		copy(x, q.mean)
		if len(q.sizes) == 1 {
			checkBelow(codes[:1], 1)
			codes = codes[1:]
		}
		at := 0
		for i, c := range q.cubes {
			n := q.widths[i]
			if c != nil {
				c.decode(y[at:at+n], codes[:2+n])
				codes = codes[2+n:]
				for j, v := range y[at : at+n] {
					kernels.ScaleAddF32(x[:d], q.basis[(at+j)*d:][:d], 1, v)
				}
			}
			at += n
		}
	}
}

// Query prepares the estimation of inner products with y, [d]. What components without
// bits add to the error is not in the deviations. It panics if y has another length, or
// if there are no bits at all.
func (q *SAQ) Query(y []float32) *ProductQuery {
	d := len(q.mean)
	if len(y) != d || len(q.sizes) == 1 {
		panic(fmt.Sprintf("vq: query of %d elements, want %d, for %d codes", len(y), d, len(q.sizes)))
	}
	t := make([]float32, d)
	for j := range t {
		t[j] = float32(kernels.DotF32(q.basis[j*d:][:d], y))
	}
	p := &ProductQuery{centre: kernels.DotF32(q.mean, y)}
	at := 0
	for i, c := range q.cubes {
		if c != nil {
			p.add(c, t[at:at+q.widths[i]])
		}
		at += q.widths[i]
	}
	return p
}

// MarshalBinary stores the mean, the components, the segments and the seed.
func (q *SAQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *SAQ) kind() string { return "saq" }

func (q *SAQ) write(w *writer) {
	w.uint(q.seed)
	w.int(len(q.mean))
	w.ints(q.widths)
	w.ints(q.bits)
	w.floats(q.mean)
	w.floats(q.basis)
}

func init() {
	register("saq", func(r *reader) (Quantiser, error) {
		seed := r.uint()
		d := r.int("dimension", 1, MaxSAQDim)
		widths := r.ints("widths", saqBlocks, 1, d)
		bits := r.ints("bits", saqBlocks, 0, MaxRaBitQBits)
		mean, basis := r.floats("mean", d), r.floats("components", d, d)
		if r.err != nil {
			return nil, r.err
		}
		sum := 0
		for _, n := range widths {
			sum += n
		}
		if sum != d || len(bits) != len(widths) {
			return nil, FormatError("segments do not make up the dimension")
		}
		return newSAQ(mean, basis, widths, bits, seed), nil
	})
}
