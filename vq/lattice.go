package vq

import (
	"fmt"
	"math"
)

// # Nearest points
//
// The nearest point of Z^n is the vector of rounded elements. D_n has the integer
// vectors whose sum is even: if that of the rounded vector is odd, the element whose
// rounding moved it furthest goes to the other side instead. E8 is D8 and D8 moved by
// one half, A2 a rectangular lattice of 1 by sqrt(3) and the same moved by half of
// each: the nearer of two nearest points. (Conway and Sloane, Fast quantizing and
// decoding algorithms for lattice quantizers and codes, 1982.)
//
// # Codes
//
// A lattice is infinite; what has a code are the points nearest to the origin, those in
// the Voronoi cell of the origin in the same lattice q times as large: one of each of
// the q^n classes of points that differ by a point of that. With whole coordinates u
// for a point p, the code is u modulo q, and to decode it is to take any point of the
// class and subtract the nearest point of the large lattice (Conway and Sloane, A fast
// encoding method for lattice codes and quantizers, 1983; NestQuant, arXiv 2502.09720,
// has it for language models).
//
// Whole coordinates are integers for all lattices here: u = p for Z^n; the first n-1 of
// p and half the sum for D_n; twice the first, the differences from it of the next six
// and half the sum for E8; the row, and with it the half column, for A2.

// A Lattice is a set of points in n dimensions that is closed under addition.
type Lattice int

// The lattices, each with its second moment: the mean squared error a dimension of
// rounding to it, at one point for each unit of volume.
const (
	LatticeZ  Lattice = 1 + iota // Z^n, integers: 1/12 = 0.0833
	LatticeA2                    // hexagons, 2 dimensions: 0.080188
	LatticeD                     // D_n, integers of even sum, 2 dimensions and more; D4: 0.076603
	LatticeE8                    // Gosset's lattice, 8 dimensions: 0.071682
)

// String returns the lattice's name.
func (l Lattice) String() string {
	switch l {
	case LatticeZ:
		return "Z"
	case LatticeA2:
		return "A2"
	case LatticeD:
		return "D"
	case LatticeE8:
		return "E8"
	}
	return fmt.Sprintf("Lattice(%d)", int(l))
}

// MaxLatticeDim is the most dimensions of a lattice.
const MaxLatticeDim = 64

// Check returns an error that wraps [ErrOptions] unless the lattice exists in n
// dimensions.
func (l Lattice) Check(n int) error {
	ok := false
	switch l {
	case LatticeZ:
		ok = n >= 1 && n <= MaxLatticeDim
	case LatticeA2:
		ok = n == 2
	case LatticeD:
		ok = n >= 2 && n <= MaxLatticeDim
	case LatticeE8:
		ok = n == 8
	}
	if !ok {
		return fmt.Errorf("%w: lattice %v in %d dimensions", ErrOptions, l, n)
	}
	return nil
}

// Volume returns the volume that a point of the lattice has to itself.
func (l Lattice) Volume() float64 {
	switch l {
	case LatticeD:
		return 2
	case LatticeA2:
		return math.Sqrt(3) / 2
	}
	return 1
}

// Nearest sets p to the point of the lattice nearest to x, both of n elements, for
// which [Lattice.Check] has no error. Elements should be below 2^50.
func (l Lattice) Nearest(p, x []float64) {
	switch l {
	case LatticeZ:
		for i, v := range x {
			p[i] = math.RoundToEven(v)
		}
	case LatticeD:
		nearestD(p, x, 0)
	case LatticeA2:
		p[0], p[1] = nearestRect(x, 0)
		a, b := nearestRect(x, .5)
		if distance2(x, a, b) < distance2(x, p[0], p[1]) {
			p[0], p[1] = a, b
		}
	case LatticeE8:
		var other [8]float64
		a := nearestD(p[:8], x[:8], 0)
		if nearestD(other[:], x[:8], .5) < a {
			copy(p, other[:])
		}
	}
}

// nearestD sets p to the point nearest to x of D_n moved by shift in all dimensions, 0
// or one half, and returns the squared distance. The sum of n shifts must be even.
func nearestD(p, x []float64, shift float64) float64 {
	var sum, d2, most float64
	worst := 0
	for i, v := range x {
		r := math.RoundToEven(v-shift) + shift
		e := v - r
		p[i] = r
		sum += r
		d2 += float64(e * e)
		if a := math.Abs(e); a > most {
			most, worst = a, i
		}
	}
	if math.Mod(sum, 2) != 0 {
		if x[worst] >= p[worst] {
			p[worst]++
		} else {
			p[worst]--
		}
		d2 += 1 - 2*most
	}
	return d2
}

const sqrt3 = 1.7320508075688772

// nearestRect returns the point nearest to x of the rectangular half of A2, moved.
func nearestRect(x []float64, shift float64) (a, b float64) {
	a = math.RoundToEven(x[0]-shift) + shift
	b = float64((math.RoundToEven(x[1]/sqrt3-shift) + shift) * sqrt3)
	return a, b
}

func distance2(x []float64, a, b float64) float64 {
	a -= x[0]
	b -= x[1]
	return float64(a*a) + float64(b*b)
}

// coordinates sets u to the whole coordinates of the point p.
func (l Lattice) coordinates(u []int, p []float64) {
	switch l {
	case LatticeZ:
		for i, v := range p {
			u[i] = int(v)
		}
	case LatticeA2:
		row := int(math.RoundToEven(p[1] / (sqrt3 / 2)))
		u[0], u[1] = int(math.RoundToEven(p[0]-float64(row)/2)), row
	case LatticeD:
		sum := 0
		for i, v := range p {
			u[i] = int(v)
			sum += u[i]
		}
		u[len(p)-1] = sum / 2
	case LatticeE8:
		var sum float64
		for i, v := range p {
			u[i] = int(v - p[0])
			sum += v
		}
		u[0] = int(2 * p[0])
		u[7] = int(sum / 2)
	}
}

// point sets p to the point with the whole coordinates u.
func (l Lattice) point(p []float64, u []int) {
	switch l {
	case LatticeZ:
		for i, v := range u {
			p[i] = float64(v)
		}
	case LatticeA2:
		p[0] = float64(u[0]) + float64(u[1])/2
		p[1] = float64(float64(u[1]) * (sqrt3 / 2))
	case LatticeD:
		last := len(u) - 1
		sum := 0
		for i, v := range u[:last] {
			p[i] = float64(v)
			sum += v
		}
		p[last] = float64(2*u[last] - sum)
	case LatticeE8:
		p[0] = float64(u[0]) / 2
		sum := p[0]
		for i := 1; i < 7; i++ {
			p[i] = float64(u[i]) + p[0]
			sum += p[i]
		}
		p[7] = float64(2*u[7]) - sum
	}
}

// MaxLatticeSize is the largest factor between the lattices of a [VoronoiCode].
const MaxLatticeSize = 1 << 12

// A VoronoiCode quantises vectors of n elements to points of a lattice near the origin,
// times a scale. A vector has n codes, each below q: log2(q) bits a dimension, with no
// table to store. Encoding and decoding take time in proportion to n.
//
// A vector too far out is moved towards the origin, along the line to it, until it has
// a code. At 2 bits a dimension (q = 4) and the best scale the mean squared error for
// normally distributed numbers of variance 1 is 0.105 with E8, where [LloydMax] has
// 0.117; at 4 bits it is 0.0081 and 0.0095. Below 3 bits D4 and A2 gain nothing on
// LloydMax, as what is far out costs more than the shape of cells saves.
type VoronoiCode struct {
	lattice Lattice
	n, q    int
	scale   float32
	sizes   []int
}

// NewVoronoiCode returns the code of a lattice in n dimensions and the same q times as
// large, 2..MaxLatticeSize, for points at distances in proportion to scale.
func NewVoronoiCode(l Lattice, n, q int, scale float32) (*VoronoiCode, error) {
	if err := l.Check(n); err != nil {
		return nil, err
	}
	if q < 2 || q > MaxLatticeSize {
		return nil, fmt.Errorf("%w: lattices of factor %d, want 2..%d", ErrOptions, q, MaxLatticeSize)
	}
	if !(scale >= 1/maxMagnitude && scale <= maxMagnitude) {
		return nil, fmt.Errorf("%w: scale %g", ErrOptions, scale)
	}
	v := &VoronoiCode{l, n, q, scale, make([]int, n)}
	for i := range v.sizes {
		v.sizes[i] = q
	}
	return v, nil
}

// TrainVoronoiCode returns the code with the scale of least squared error for the
// vectors x, [rows][n]: too small a scale has no code for vectors far out, too large a
// one has codes far apart.
func TrainVoronoiCode(l Lattice, x []float32, n, q int) (*VoronoiCode, error) {
	if _, err := NewVoronoiCode(l, n, q, 1); err != nil {
		return nil, err
	}
	rows, err := checkTraining(x, n, 1)
	if err != nil {
		return nil, err
	}
	deviation := norm(x) / math.Sqrt(float64(rows*n))
	if deviation < 1e-12 {
		return nil, fmt.Errorf("%w: nothing but zeros", ErrTraining)
	}
	code := func(scale float64) *VoronoiCode {
		v, err := NewVoronoiCode(l, n, q, float32(scale))
		if err != nil {
			panic(err)
		}
		return v
	}
	// The cell's width is q*scale; a few deviations should fit.
	at := bestScale(deviation/float64(q), 8*deviation/float64(q), func(s float64) float64 {
		return MSE(code(s), x)
	})
	return code(at), nil
}

// bestScale returns the number from lo to hi, both above 0, where f is least: the best
// of nine in a geometric row, then golden sections around that to one part in 1000.
func bestScale(lo, hi float64, f func(float64) float64) float64 {
	const points = 9
	ratio := math.Pow(hi/lo, 1./(points-1))
	best, at := math.Inf(1), lo
	for i := range points {
		s := lo * math.Pow(ratio, float64(i))
		if e := f(s); e < best {
			best, at = e, s
		}
	}
	const golden = 0.6180339887498949
	a, b := math.Log(at/ratio), math.Log(at*ratio)
	u, v := b-golden*(b-a), a+golden*(b-a)
	fu, fv := f(math.Exp(u)), f(math.Exp(v))
	for b-a > 1e-3 {
		if fu < fv {
			b, v, fv = v, u, fu
			u = b - golden*(b-a)
			fu = f(math.Exp(u))
		} else {
			a, u, fu = u, v, fv
			v = a + golden*(b-a)
			fv = f(math.Exp(v))
		}
	}
	return math.Exp((a + b) / 2)
}

// Dim returns n.
func (v *VoronoiCode) Dim() int { return v.n }

// Sizes returns q, n times.
func (v *VoronoiCode) Sizes() []int { return v.sizes }

// Scale returns the scale.
func (v *VoronoiCode) Scale() float32 { return v.scale }

// Encode finds the nearest points of the lattice; see [VoronoiCode] for vectors too far
// out.
func (v *VoronoiCode) Encode(codes []uint32, x []float32) {
	rows := checkRows(v, codes, x)
	var b latticeBuffers
	for i := range rows {
		v.encode(codes[i*v.n:][:v.n], x[i*v.n:][:v.n], &b)
	}
}

type latticeBuffers struct {
	x, near, p, t [MaxLatticeDim]float64
	u             [MaxLatticeDim]int
}

func (v *VoronoiCode) encode(codes []uint32, x []float32, b *latticeBuffers) {
	far := 0.0
	for i, f := range x {
		b.x[i] = float64(f) / float64(v.scale)
		far = max(far, math.Abs(b.x[i])) // NaN stays NaN
	}
	if !(far <= math.MaxFloat64) {
		clear(codes)
		return
	}
	try := func(shrink float64) bool {
		t := b.t[:v.n]
		for i := range t {
			t[i] = b.x[i] * shrink
		}
		v.lattice.Nearest(b.near[:v.n], t)
		v.lattice.coordinates(b.u[:v.n], b.near[:v.n])
		for i := range codes {
			codes[i] = uint32(((b.u[i] % v.q) + v.q) % v.q)
		}
		v.decode(b, codes)
		for i, p := range b.p[:v.n] {
			if math.Abs(p-b.near[i]) > .25 {
				return false
			}
		}
		return true
	}
	// No point with a code is further from the origin in any dimension than q times
	// the radius of the cell, which is below sqrt(n): what is further off still starts
	// from there.
	lo, hi := 0.0, 1.0
	if limit := 2 * float64(v.q) * math.Sqrt(float64(v.n)); far > limit {
		hi = limit / far
	}
	if try(hi) {
		return
	}
	for range 10 {
		if mid := (lo + hi) / 2; try(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	try(lo)
}

// decode sets b.p to the point of the codes, before scaling.
func (v *VoronoiCode) decode(b *latticeBuffers, codes []uint32) {
	for i, c := range codes {
		b.u[i] = int(c)
	}
	p, t := b.p[:v.n], b.t[:v.n]
	v.lattice.point(p, b.u[:v.n])
	q := float64(v.q)
	var large [MaxLatticeDim]float64
	for i, f := range p {
		t[i] = f / q
	}
	v.lattice.Nearest(large[:v.n], t)
	for i := range p {
		p[i] -= float64(q * large[i])
	}
}

// Decode computes the points of the codes.
func (v *VoronoiCode) Decode(x []float32, codes []uint32) {
	rows := checkRows(v, codes, x)
	var b latticeBuffers
	for i := range rows {
		c := codes[i*v.n:][:v.n]
		checkBelow(c, v.q)
		v.decode(&b, c)
		for j, p := range b.p[:v.n] {
			x[i*v.n+j] = float32(p) * v.scale
		}
	}
}

// checkBelow panics unless all codes are below size.
func checkBelow(codes []uint32, size int) {
	for _, c := range codes {
		if int64(c) >= int64(size) {
			panic(fmt.Sprintf("vq: code %d of an alphabet of %d", c, size))
		}
	}
}

// MarshalBinary stores the lattice, its dimension, q and the scale.
func (v *VoronoiCode) MarshalBinary() ([]byte, error) { return marshal(v) }

func (v *VoronoiCode) kind() string { return "voronoi" }

func (v *VoronoiCode) write(w *writer) {
	w.int(int(v.lattice))
	w.int(v.n)
	w.int(v.q)
	w.float(v.scale)
}

func init() {
	register("voronoi", func(r *reader) (Quantiser, error) {
		l := Lattice(r.int("lattice", 1, int(LatticeE8)))
		n := r.int("dimension", 1, MaxLatticeDim)
		q := r.int("factor of lattices", 2, MaxLatticeSize)
		scale := r.float("scale")
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewVoronoiCode(l, n, q, scale))
	})
}

// formatted returns what a constructor does, its error as one of the format.
func formatted[Q Quantiser](q Q, err error) (Quantiser, error) {
	if err != nil {
		return nil, FormatError(err.Error())
	}
	return q, nil
}
