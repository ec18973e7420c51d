package vq

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The second moments are those of Conway and Sloane, Sphere Packings, Lattices and
// Groups, table 2.3.
func TestLatticeSecondMoments(t *testing.T) {
	for _, c := range []struct {
		l      Lattice
		n      int
		moment float64
	}{
		{LatticeZ, 1, 1. / 12}, {LatticeZ, 5, 1. / 12}, {LatticeA2, 2, 0.080188},
		{LatticeD, 2, 1. / 12}, {LatticeD, 4, 0.076603}, {LatticeE8, 8, 0.071682},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		x, p := make([]float64, c.n), make([]float64, c.n)
		samples := 1 << 20 / c.n
		var sum float64
		for range samples {
			// A box of whole periods in each direction: those of Z^n, D_n and E8 are 2.
			for i := range x {
				x[i] = 2 * r.Float64()
			}
			if c.l == LatticeA2 {
				x[1] *= sqrt3
			}
			c.l.Nearest(p, x)
			for i := range x {
				sum += (x[i] - p[i]) * (x[i] - p[i])
			}
		}
		got := sum / float64(samples*c.n) / math.Pow(c.l.Volume(), 2/float64(c.n))
		if math.Abs(got/c.moment-1) > 0.003 {
			t.Errorf("%v%d: second moment %.6f, want %.6f", c.l, c.n, got, c.moment)
		}
	}
}

// Nearest is checked against all points around.
func TestLatticeNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x, p, other := make([]float64, 8), make([]float64, 8), make([]float64, 8)
	d2 := func(p, x []float64) (s float64) {
		for i, v := range x {
			s += (v - p[i]) * (v - p[i])
		}
		return s
	}
	for _, c := range []struct {
		l Lattice
		n int
	}{{LatticeZ, 3}, {LatticeA2, 2}, {LatticeD, 2}, {LatticeD, 4}, {LatticeE8, 8}} {
		x, p, other := x[:c.n], p[:c.n], other[:c.n]
		for range 200 {
			for i := range x {
				x[i] = 6 * (r.Float64() - .5)
			}
			c.l.Nearest(p, x)
			u := make([]int, c.n)
			c.l.coordinates(u, p)
			c.l.point(other, u)
			if d2(p, other) > 1e-20 {
				t.Fatalf("%v%d: point %v has coordinates %v, of %v", c.l, c.n, p, u, other)
			}
			near := d2(p, x)
			v := make([]int, c.n)
			for range 2000 {
				for i := range v {
					v[i] = u[i] + r.IntN(5) - 2
				}
				c.l.point(other, v)
				if d2(other, x) < near-1e-9 {
					t.Fatalf("%v%d: %v is nearer to %v than %v", c.l, c.n, other, x, p)
				}
			}
		}
	}
}

// Every code must be that of the vector that it decodes to, and of no other.
func TestVoronoiCodeIsOneToOne(t *testing.T) {
	for _, c := range []struct {
		l    Lattice
		n, q int
	}{
		{LatticeZ, 1, 7}, {LatticeZ, 3, 4}, {LatticeA2, 2, 2}, {LatticeA2, 2, 16}, {LatticeA2, 2, 37},
		{LatticeD, 2, 8}, {LatticeD, 4, 6}, {LatticeE8, 8, 2}, {LatticeE8, 8, 3},
	} {
		v, err := NewVoronoiCode(c.l, c.n, c.q, .5)
		if err != nil {
			t.Fatal(err)
		}
		total := 1
		for range c.n {
			total *= c.q
		}
		codes := make([]uint32, 0, total*c.n)
		for i := range total {
			for range c.n {
				codes = append(codes, uint32(i%c.q))
				i /= c.q
			}
		}
		x := make([]float32, len(codes))
		v.Decode(x, codes)
		back := make([]uint32, len(codes))
		v.Encode(back, x)
		for i := range codes {
			if codes[i] != back[i] {
				t.Fatalf("%v%d/%d: %v decodes to %v, whose codes are %v", c.l, c.n, c.q,
					codes[i/c.n*c.n:][:c.n], x[i/c.n*c.n:][:c.n], back[i/c.n*c.n:][:c.n])
			}
		}
		// And the points are those nearest to the origin: on average, by rotation
		// around it, no class has a shorter member.
		if c.l == LatticeE8 && c.q == 2 {
			var shells [5]int
			for i := range total {
				shells[int(4*norm(x[8*i:][:8])*norm(x[8*i:][:8])+.5)]++
			}
			// The cell's 256 classes: the origin, 240 roots in pairs, 15 frames.
			if shells != [5]int{0: 1, 2: 120, 4: 135} {
				t.Errorf("E8/2E8 has norms %v", shells)
			}
		}
	}
}

func TestVoronoiCodeFarOut(t *testing.T) {
	v, err := NewVoronoiCode(LatticeE8, 8, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{1e30, -1e30, 0, 0, 3e38, 1, 2, 3, 30, 30, 0, 0, 0, 0, 0, 0}
	codes, y := make([]uint32, 16), make([]float32, 16)
	v.Encode(codes, x)
	v.Decode(y, codes)
	if y[4] < 1.5 || y[8] < 1 || y[9] < 1 {
		t.Errorf("%v decodes to %v", x, y)
	}
	x[0] = float32(math.NaN())
	x[8] = float32(math.Inf(-1))
	v.Encode(codes, x)
	if err := CheckCodes(v, codes); err != nil {
		t.Error(err)
	}
}
