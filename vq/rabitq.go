package vq

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/burin-codec/burin/kernels"
)

// # The code
//
// A vector r, less its centre and rotated, has for each element a code u of 0..2^B-1,
// which stands for g = u - (2^B-1)/2. Only the direction of g matters: codes are chosen
// for the least angle between g and r (extended RaBitQ, arXiv 2409.09913), whose cosine
// is c. Two numbers go with them,
//
//	step = <r,g> / |g|^2    so that step*g is as near to r as can be, and
//	tan  = sqrt(1-c^2) / c  of the angle
//
// from which |r| = step*|g|/c. For a query q the inner product <r,q> is estimated by
//
//	step*(1+tan^2) * <g,q>  =  |r| * <g,q> / (c*|g|)
//
// which is right on average over rotations: g's part along r is all of it, and the rest
// is as likely to be on one side as on the other. It has a length of tan*|r|, and a
// direction at random among d-1, so the error is about tan*|r|*|q'|/sqrt(d-1), q' being
// the part of q across r (RaBitQ, arXiv 2405.12497).
//
// # Search
//
// As the scale t of |r| grows, the magnitudes of g nearest to t*|r|, cut off at the
// largest, grow one by one, at t = k/|r[i]|; one of these g has the least angle of all
// the code. The cosine is computed for some t, a second time around the best of them,
// and then one by one for the g on either side of the best of those.
//
// The alternative goes over the elements and moves each code by one where that makes
// the angle smaller, until none does or adjustRounds are over (SAQ's code adjustment,
// arXiv 2509.12086). It starts from the nearest levels at the step that suits a normal
// distribution, or the range if that is less.

// A cube is the code of rotated vectors.
type cube struct {
	turn   *rotation
	bits   int
	adjust bool // rather than search
	fine   float64
}

// cubeRounds is the number of rounds of the rotation: one is not enough for a vector of
// few elements that are not 0.
const cubeRounds = 2

const adjustRounds = 8

// MaxRaBitQBits is the most bits a dimension of [RaBitQ] and [SAQ].
const MaxRaBitQBits = 9

func newCube(d, bits int, seed uint64, adjust bool) *cube {
	c := &cube{turn: newRotation(d, cubeRounds, seed), bits: bits, adjust: adjust}
	if adjust {
		c.fine = normalStep(bits)
	}
	return c
}

// sizes are the alphabets of step, tan and the elements.
func (c *cube) sizes() []int {
	s := []int{scaleSize, scaleSize}
	for range c.turn.d {
		s = append(s, 1<<c.bits)
	}
	return s
}

// encode sets codes to those of r, which it rotates. a is of the same length.
func (c *cube) encode(codes []uint32, r, a []float32) {
	c.turn.apply(r)
	u := codes[2:]
	var most, square float64
	for i, v := range r {
		u[i] = 0
		a[i] = float32(math.Abs(float64(v)))
		most = max(most, float64(a[i])) // NaN stays NaN
		square += float64(v) * float64(v)
	}
	codes[0], codes[1] = 0, scaleSize-1
	// In units of the largest nothing overflows.
	if !(most > 1e-30 && square <= math.MaxFloat32) {
		return
	}
	top := 1<<(c.bits-1) - 1 // of the magnitudes, which are 1/2 to top+1/2
	var dot, norm2 float64
	if c.adjust {
		step := max(2*most/math.Exp2(float64(c.bits)), 0)
		step = min(step, c.fine*math.Sqrt(square/float64(len(r))))
		dot, norm2 = cubeMagnitudes(u, a, 1/step, top)
		dot, norm2 = adjustMagnitudes(u, a, dot, norm2, top)
	} else {
		dot, norm2 = searchMagnitudes(u, a, most, top)
	}
	for i, v := range r {
		if v < 0 {
			u[i] = uint32(top) - u[i]
		} else {
			u[i] += uint32(top) + 1
		}
	}
	codes[0] = scaleCode(float32(dot / norm2))
	tan2 := square*norm2/(dot*dot) - 1
	codes[1] = scaleCode(float32(math.Sqrt(max(tan2, 0))))
}

// cubeMagnitudes sets u to the numbers of the magnitudes nearest to t*a, and returns the
// inner product of these with a and their squared norm.
func cubeMagnitudes(u []uint32, a []float32, t float64, top int) (dot, norm2 float64) {
	scale, last := float32(t), uint32(top)
	for i, v := range a {
		k := min(uint32(v*scale), last)
		if u != nil {
			u[i] = k
		}
		g := float64(k) + .5
		dot += float64(v) * g
		norm2 += g * g
	}
	return dot, norm2
}

// searchMagnitudes finds the magnitudes of least angle.
func searchMagnitudes(u []uint32, a []float32, most float64, top int) (dot, norm2 float64) {
	if top == 0 {
		return cubeMagnitudes(u, a, 0, 0)
	}
	lo := .3 * float64(top+1) / most
	best, at, ratio := -1.0, lo, 0.0
	scan := func(from, r float64, points int) {
		ratio = r
		for i := range points {
			t := from * math.Pow(r, float64(i))
			s, n := cubeMagnitudes(nil, a, t, top)
			if f := s * s / n; f > best {
				best, at = f, t
			}
		}
	}
	scan(lo, math.Pow(10, 1./15), 16) // to ten times that
	scan(at/ratio, math.Pow(ratio, 1./8), 17)
	from, to := at/ratio, at*ratio
	dot, norm2 = cubeMagnitudes(u, a, from, top)
	type event struct {
		t float32
		i uint32
	}
	var events []event
	for i, v := range a {
		for k := int(u[i]) + 1; k <= top; k++ {
			t := float64(k) / float64(v)
			if t > to {
				break
			}
			events = append(events, event{float32(t), uint32(i)})
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.t, b.t) })
	s, n := dot, norm2
	best = s * s / n
	keep := 0
	for j, e := range events {
		s += float64(a[e.i])
		n += 2*float64(u[e.i]) + 2 // of k+3/2 against k+1/2
		u[e.i]++
		if f := s * s / n; f > best {
			best, keep, dot, norm2 = f, j+1, s, n
		}
	}
	for _, e := range events[keep:] {
		u[e.i]--
	}
	return dot, norm2
}

// adjustMagnitudes moves magnitudes by one while that makes the angle smaller.
func adjustMagnitudes(u []uint32, a []float32, dot, norm2 float64, top int) (float64, float64) {
	for range adjustRounds {
		moved := false
		for i, v := range a {
			k := int(u[i])
			g, w := float64(k)+.5, float64(v)
			if s, n := dot+w, norm2+2*g+1; k < top && s*s*norm2 > dot*dot*n {
				dot, norm2, moved = s, n, true
				u[i]++
			} else if s, n := dot-w, norm2-2*g+1; k > 0 && s*s*norm2 > dot*dot*n {
				dot, norm2, moved = s, n, true
				u[i]--
			}
		}
		if !moved {
			break
		}
	}
	return dot, norm2
}

// decode sets r to step*g, rotated back.
func (c *cube) decode(r []float32, codes []uint32) {
	checkBelow(codes[:2], scaleSize)
	checkBelow(codes[2:], 1<<c.bits)
	step := scaleOf(codes[0])
	middle := float32(uint32(1)<<c.bits-1) / 2
	for i, u := range codes[2:] {
		r[i] = (float32(u) - middle) * step
	}
	c.turn.undo(r)
}

// estimate returns the inner product of the rotated query q, of the given sum and norm,
// with what codes stand for, and the error that is to be expected.
func (c *cube) estimate(q []float32, sum, norm float64, codes []uint32) (product, deviation float64) {
	var s float32
	var whole float64
	u := codes[2:]
	for len(u) > 0 {
		n := min(len(u), 256)
		s = 0
		for i, k := range u[:n] {
			s += float32(k) * q[i]
		}
		whole += float64(s)
		u, q = u[n:], q[n:]
	}
	middle := float64(uint32(1)<<c.bits-1) / 2
	step, tan := float64(scaleOf(codes[0])), float64(scaleOf(codes[1]))
	if step == 0 {
		return 0, 0
	}
	var norm2 float64
	for _, k := range codes[2:] {
		g := float64(k) - middle
		norm2 += g * g
	}
	product = step * (1 + tan*tan) * (whole - middle*sum)
	length := step * math.Sqrt(norm2*(1+tan*tan))
	across := math.Sqrt(max(length*length*norm*norm-product*product, 0))
	deviation = tan * across / math.Sqrt(float64(max(c.turn.d-1, 1)))
	// The step is rounded as well, to within 2^-9, and rotations to some 2^-20.
	rounding := math.Abs(product)/(512*math.Sqrt(3)) + length*norm/(1<<20)
	return product, math.Hypot(deviation, rounding)
}

// RaBitQ quantises vectors of d elements at 1..9 bits a dimension so that inner
// products and distances can be estimated from the codes without bias: a vector, less a
// centre, is rotated at random, and has the code at the least angle. (RaBitQ, arXiv
// 2405.12497; extended, arXiv 2409.09913.)
//
// A vector has 2+d codes: the length and the tangent of the angle, of 16 bits each, and
// one of B bits for each element: B + 32/d bits a dimension. Nothing is stored but the
// centre. Encoding rotates, 4*log2(d) operations an element, and tries some forty
// scales; estimating a product takes 2 operations an element.
//
// Decode returns the nearest vector of the code's direction. The error relative to the
// squared length is that of even levels on a normal distribution or, as the step is the
// vector's own, less: 0.362, 0.1175, 0.0362 and 0.0106 at 1 to 4 bits for d = 256.
type RaBitQ struct {
	centre []float32
	cube   *cube
	sizes  []int
}

// NewRaBitQ returns the quantiser of vectors around a centre, [d], at 1..9 bits a
// dimension. The seed is that of the rotation.
func NewRaBitQ(centre []float32, bits int, seed uint64) (*RaBitQ, error) {
	if bits < 1 || bits > MaxRaBitQBits {
		return nil, fmt.Errorf("%w: %d bits, want 1..%d", ErrOptions, bits, MaxRaBitQBits)
	}
	d := len(centre)
	if d < 1 || d+2 > maxCodes {
		return nil, fmt.Errorf("%w: dimension %d", ErrOptions, d)
	}
	if _, err := checkTraining(centre, d, 1); err != nil {
		return nil, err
	}
	c := newCube(d, bits, seed, false)
	return &RaBitQ{slices.Clone(centre), c, c.sizes()}, nil
}

// TrainRaBitQ returns the quantiser around the mean of the vectors x, [n][d].
func TrainRaBitQ(x []float32, d, bits int, seed uint64) (*RaBitQ, error) {
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	return NewRaBitQ(means(x, d), bits, seed)
}

// Dim returns d.
func (q *RaBitQ) Dim() int { return len(q.centre) }

// Sizes returns those of the length, the tangent and the elements.
func (q *RaBitQ) Sizes() []int { return q.sizes }

// Encode finds the codes of least angle.
func (q *RaBitQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := len(q.centre)
	r, a := make([]float32, d), make([]float32, d)
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		for i, c := range q.centre {
			r[i] = x[i] - c
		}
		q.cube.encode(codes[:len(q.sizes)], r, a)
	}
}

// Decode returns the nearest vectors in the directions of the codes.
func (q *RaBitQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	d := len(q.centre)
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		q.cube.decode(x[:d], codes[:len(q.sizes)])
		for i, c := range q.centre {
			x[i] += c
		}
	}
}

// A ProductQuery estimates inner products of one vector with others from their codes.
type ProductQuery struct {
	cubes  []*cube
	turned [][]float32
	sums   []float64
	norms  []float64
	centre float64 // the product with the centre
	codes  int
}

func (p *ProductQuery) add(c *cube, q []float32) {
	t := slices.Clone(q)
	c.turn.apply(t)
	p.cubes = append(p.cubes, c)
	p.turned = append(p.turned, t)
	p.sums = append(p.sums, kernels.SumF32(t))
	p.norms = append(p.norms, norm(t))
	p.codes += 2 + len(t)
}

// Query prepares the estimation of inner products with y, [d]. It panics if y has
// another length.
func (q *RaBitQ) Query(y []float32) *ProductQuery {
	if len(y) != len(q.centre) {
		panic(fmt.Sprintf("vq: query of %d elements, want %d", len(y), len(q.centre)))
	}
	p := &ProductQuery{centre: kernels.DotF32(q.centre, y)}
	p.add(q.cube, y)
	return p
}

// Estimate returns the inner product of the query with the vector that had these codes,
// and the standard deviation of the error. Over random rotations there is no bias, and
// 19 errors of 20 are below twice the deviation. It panics if the codes are not as many
// as those of one vector.
func (p *ProductQuery) Estimate(codes []uint32) (product, deviation float64) {
	if len(codes) != p.codes {
		panic(fmt.Sprintf("vq: %d codes of a vector, want %d", len(codes), p.codes))
	}
	product = p.centre
	var variance float64
	for i, c := range p.cubes {
		n := 2 + c.turn.d
		s, e := c.estimate(p.turned[i], p.sums[i], p.norms[i], codes[:n])
		product += s
		variance += e * e
		codes = codes[n:]
	}
	return product, math.Sqrt(variance)
}

// MarshalBinary stores the centre, the bits and the rotation's seed.
func (q *RaBitQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *RaBitQ) kind() string { return "rabitq" }

func (q *RaBitQ) write(w *writer) {
	w.int(q.cube.bits)
	w.uint(q.cube.turn.seed)
	w.int(len(q.centre))
	w.floats(q.centre)
}

func init() {
	register("rabitq", func(r *reader) (Quantiser, error) {
		bits := r.int("bits", 1, MaxRaBitQBits)
		seed := r.uint()
		centre := r.floats("centre", r.int("dimension", 1, maxCodes))
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewRaBitQ(centre, bits, seed))
	})
}

// evenError returns the mean squared error of 2^bits evenly spaced levels around 0 on a
// normal distribution of deviation 1.
func evenError(bits int, step float64) float64 {
	n := 1 << bits
	var e float64
	for i := n / 2; i < n; i++ {
		a, b := float64(i-n/2)*step, math.Inf(1)
		m := a + step/2
		if i < n-1 {
			b = a + step
		}
		// The integral of (x-m)^2 phi(x) from a to b; x*phi(x) is 0 at infinity.
		p, fa, fb := normalBetween(a, b), normalDensity(a), normalDensity(b)
		second := p + a*fa
		if i < n-1 {
			second -= b * fb
		}
		e += second - 2*m*(fa-fb) + m*m*p
	}
	return 2 * e
}

// evenLevels has, for each number of bits, the step of least error and that error.
var evenLevels = sync.OnceValue(func() (l [MaxRaBitQBits + 1]struct{ step, err float64 }) {
	l[0].err = 1
	for b := 1; b < len(l); b++ {
		n := math.Exp2(float64(b))
		l[b].step = bestScale(.5/n, 20/n, func(s float64) float64 { return evenError(b, s) })
		l[b].err = evenError(b, l[b].step)
	}
	return l
})

// normalStep returns the step of least error on a normal distribution of deviation 1.
func normalStep(bits int) float64 { return evenLevels()[bits].step }
