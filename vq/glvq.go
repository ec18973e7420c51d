package vq

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// # Training a group
//
// The vectors y of a group have codes u, and z = u + 1/2 - 2^(B-1) stands for G*z, with
// the rounding of Babai, u the nearest integers for z = inverse(G)*y (On Lovász' lattice
// reduction and the nearest lattice point problem, 1986), cut off at the ends. For given
// codes the best G solves least squares,
//
//	G = sum(y z') * inverse(sum(z z'))
//
// and for given G the codes are found anew, in turns. As rounding is not the nearest
// point, the error may rise: that is the end, and the best G is kept. Starts are the axes, and the principal
// components, each times its deviation and the step that suits a normal distribution.
//
// A curve bends numbers before, y = (sqrt(1+4c|x|)-1)/(2c) with the sign of x, so that
// levels are closer around 0; back it is x = y + c*y*|y|, which takes no function that
// differs between processors, unlike the paper's logarithms. Some c are tried.
const maxGLVQDim = 32

var glvqCurves = []float64{0, .1, .3}

// GLVQ cuts vectors of d elements into groups of n, and gives each group a lattice of
// its own, of n directions G, bent by a curve, and bits of its own: an element has B
// bits, of which the whole vector has some number on average. A vector has d codes.
// Encoding and decoding take a product by a matrix of n x n for each group. (Grouped
// lattice vector quantisation, arXiv 2510.20984.)
//
// It is meant for what differs from group to group, as weights do and elements of
// tokens; independent elements of one distribution gain nothing over even levels.
type GLVQ struct {
	n      int
	groups []glvqGroup
	sizes  []int
}

type glvqGroup struct {
	bits    int
	curve   float32
	g       []float32 // [n][n]
	inverse []float32 // [n][n]
}

// TrainGLVQ returns the quantiser for vectors like those of x, [rows][d], in groups of n
// elements, 1..32, which divides d, at up to so many bits a dimension on average, 1..8.
// Groups have from 1 to 8 bits, which go where they lower the squared error most, times
// the group's weight; nil stands for weights of 1.
func TrainGLVQ(x []float32, d, n int, bitsPerDim float64, weights []float64) (*GLVQ, error) {
	rows, err := checkTraining(x, d, 1)
	if err != nil {
		return nil, err
	}
	if n < 1 || n > maxGLVQDim || d%n != 0 {
		return nil, fmt.Errorf("%w: groups of %d in %d", ErrOptions, n, d)
	}
	if rows < 2*n {
		return nil, fmt.Errorf("%w: %d vectors, need %d", ErrTraining, rows, 2*n)
	}
	if !(bitsPerDim >= 1 && bitsPerDim <= maxGLVQBits) {
		return nil, fmt.Errorf("%w: %g bits a dimension, want 1..%d", ErrOptions, bitsPerDim, maxGLVQBits)
	}
	groups := d / n
	if weights == nil {
		weights = make([]float64, groups)
		for i := range weights {
			weights[i] = 1
		}
	}
	if len(weights) != groups {
		return nil, fmt.Errorf("%w: %d weights of %d groups", ErrOptions, len(weights), groups)
	}
	parts := make([][]float32, groups)
	now, next := make([]glvqGroup, groups), make([]glvqGroup, groups)
	gain := make([]float64, groups)   // of the next bit
	errors := make([]float64, groups) // times weights
	better := func(i int) {
		gain[i] = math.Inf(-1)
		if b := now[i].bits; b < maxGLVQBits {
			var e float64
			next[i], e = trainGroup(parts[i], n, b+1)
			gain[i] = errors[i] - e*weights[i]
		}
	}
	for i := range groups {
		if !(weights[i] >= 0 && weights[i] <= maxMagnitude) {
			return nil, fmt.Errorf("%w: weight %g", ErrOptions, weights[i])
		}
		parts[i] = columns(x, d, i*n, (i+1)*n)
		now[i], errors[i] = trainGroup(parts[i], n, 1)
		errors[i] *= weights[i]
		better(i)
	}
	for left := int(bitsPerDim*float64(groups)) - groups; left > 0; left-- {
		best := 0
		for i, g := range gain {
			if g > gain[best] {
				best = i
			}
		}
		errors[best] -= gain[best]
		now[best] = next[best]
		better(best)
	}
	return newGLVQ(n, now), nil
}

const maxGLVQBits = 8

// trainGroup returns the lattice of a group and its squared error.
func trainGroup(x []float32, n, bits int) (glvqGroup, float64) {
	rows := len(x) / n
	var largest float64
	for _, v := range x {
		largest = max(largest, math.Abs(float64(v)))
	}
	best := glvqGroup{bits: bits, g: make([]float32, n*n), inverse: make([]float32, n*n)}
	bestErr := float64(norm(x) * norm(x))
	if largest == 0 {
		return best, 0
	}
	codes, back := make([]uint32, len(x)), make([]float32, len(x))
	try := func(g glvqGroup) float64 {
		for i := range rows {
			g.encode(codes[i*n:][:n], x[i*n:][:n])
			g.decode(back[i*n:][:n], codes[i*n:][:n])
		}
		e := squaredError(x, back)
		if e < bestErr {
			best, bestErr = g, e
		}
		return e
	}
	for _, c := range glvqCurves {
		// The curve is for numbers as large as the deviation.
		curve := c / (norm(x) / math.Sqrt(float64(len(x))))
		y := mat.NewDense(rows, n, nil)
		for i, v := range x {
			y.Set(i/n, i%n, bend(float64(v), curve))
		}
		var cov mat.SymDense
		cov.SymOuterK(1/float64(rows), y.T())
		axes := mat.NewDense(n, n, nil)
		for j := range n {
			axes.Set(j, j, math.Sqrt(cov.At(j, j)))
		}
		starts := []*mat.Dense{axes}
		var eigen mat.EigenSym
		if n > 1 && eigen.Factorize(&cov, true) {
			var v mat.Dense
			eigen.VectorsTo(&v)
			for j, l := range eigen.Values(nil) {
				for k := range n {
					v.Set(k, j, v.At(k, j)*math.Sqrt(max(l, 0)))
				}
			}
			starts = append(starts, &v)
		}
		for _, start := range starts {
			start.Scale(normalStep(bits), start)
			group, ok := newGLVQGroup(bits, curve, start)
			for last := math.Inf(1); ok; {
				e := try(group)
				if !(e < last*(1-2e-4)) {
					break
				}
				last = e
				z := mat.NewDense(rows, n, nil)
				for i, u := range codes {
					z.Set(i/n, i%n, float64(u)+.5-math.Exp2(float64(bits-1)))
				}
				var gt mat.Dense
				if gt.Solve(z, y) != nil {
					break
				}
				group, ok = newGLVQGroup(bits, curve, mat.DenseCopyOf(gt.T()))
			}
		}
	}
	return best, bestErr
}

// bend is the curve and unbend its inverse.
func bend(v, c float64) float64 {
	if c == 0 {
		return v
	}
	return math.Copysign((math.Sqrt(1+4*c*math.Abs(v))-1)/(2*c), v)
}

func unbend(y, c float32) float32 {
	a := y
	if a < 0 {
		a = -a
	}
	return y + float32(float32(c*y)*a)
}

// newGLVQGroup returns the group of the directions in g's columns, if they have an
// inverse.
func newGLVQGroup(bits int, curve float64, g *mat.Dense) (glvqGroup, bool) {
	n, _ := g.Dims()
	var inverse mat.Dense
	if err := inverse.Inverse(g); err != nil {
		return glvqGroup{}, false
	}
	group := glvqGroup{bits: bits, curve: float32(curve)}
	for i := range n {
		for j := range n {
			group.g = append(group.g, float32(g.At(i, j)))
			group.inverse = append(group.inverse, float32(inverse.At(i, j)))
		}
	}
	for _, v := range append(group.g, group.inverse...) {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return glvqGroup{}, false
		}
	}
	return group, true
}

// encode sets the codes of a group's elements x.
func (g *glvqGroup) encode(codes []uint32, x []float32) {
	n := len(x)
	var y [maxGLVQDim]float32
	for i, v := range x {
		y[i] = float32(bend(float64(v), float64(g.curve)))
	}
	top := float32(uint32(1)<<g.bits - 1)
	for i := range codes {
		t := float32(uint32(1)<<g.bits) / 2
		for j, v := range g.inverse[i*n:][:n] {
			t += v * y[j]
		}
		codes[i] = 0
		if t > 0 {
			codes[i] = uint32(min(t, top))
		}
	}
}

// decode sets x to what a group's codes stand for.
func (g *glvqGroup) decode(x []float32, codes []uint32) {
	n := len(x)
	middle := float32(uint32(1)<<g.bits-1) / 2
	for i := range x {
		var s float32
		for j, v := range g.g[i*n:][:n] {
			s += float32(v * (float32(codes[j]) - middle))
		}
		x[i] = unbend(s, g.curve)
	}
}

func newGLVQ(n int, groups []glvqGroup) *GLVQ {
	q := &GLVQ{n: n, groups: groups}
	for _, g := range groups {
		for range n {
			q.sizes = append(q.sizes, 1<<g.bits)
		}
	}
	return q
}

// GroupBits returns the bits a dimension of each group.
func (q *GLVQ) GroupBits() []int {
	b := make([]int, len(q.groups))
	for i, g := range q.groups {
		b[i] = g.bits
	}
	return b
}

// Dim returns d.
func (q *GLVQ) Dim() int { return q.n * len(q.groups) }

// Sizes returns two to the power of the bits of each element's group.
func (q *GLVQ) Sizes() []int { return q.sizes }

// Encode rounds each group to a point of its lattice.
func (q *GLVQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	for i := 0; i < len(x); i += q.n {
		q.groups[i/q.n%len(q.groups)].encode(codes[i:i+q.n], x[i:i+q.n])
	}
}

// Decode computes the points of the lattices.
func (q *GLVQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	for i := 0; i < len(x); i += q.n {
		g := &q.groups[i/q.n%len(q.groups)]
		checkBelow(codes[i:i+q.n], 1<<g.bits)
		g.decode(x[i:i+q.n], codes[i:i+q.n])
	}
}

// MarshalBinary stores the directions, curves and bits of the groups.
func (q *GLVQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *GLVQ) kind() string { return "glvq" }

func (q *GLVQ) write(w *writer) {
	w.int(q.n)
	w.int(len(q.groups))
	for _, g := range q.groups {
		w.int(g.bits)
		w.float(g.curve)
		w.floats(g.g)
		w.floats(g.inverse)
	}
}

func init() {
	register("glvq", func(r *reader) (Quantiser, error) {
		n := r.int("dimension of groups", 1, maxGLVQDim)
		groups := make([]glvqGroup, r.int("groups", 1, min(MaxDim/n, max(len(r.b)/(8*n*n), 1))))
		for i := range groups {
			groups[i].bits = r.int("bits", 1, maxGLVQBits)
			groups[i].curve = r.float("curve")
			groups[i].g = r.floats("directions", n, n)
			groups[i].inverse = r.floats("inverse", n, n)
		}
		if r.err != nil {
			return nil, r.err
		}
		return newGLVQ(n, groups), nil
	})
}
