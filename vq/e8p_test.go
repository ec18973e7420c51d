package vq

import (
	"math"
	"math/rand/v2"
	"testing"
)

func normals(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 99))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// The 2^16 points must be different and of E8 moved by a quarter, with the norms that
// make 227 and 29 patterns.
func TestE8PPoints(t *testing.T) {
	seen := map[[8]float32]bool{}
	norms := map[float64]int{}
	l, e := make([]float64, 8), make([]float64, 8)
	for code := range uint32(1 << 16) {
		var p [8]float32
		e8p.decode(&p, code)
		if seen[p] {
			t.Fatalf("%v twice", p)
		}
		seen[p] = true
		var square float64
		for j, v := range p {
			shift := .25
			if code>>15 == 0 {
				shift = -.25
			}
			// E8 has all of D8 moved by one half.
			e[j] = float64(v) - shift
			square += e[j] * e[j]
		}
		LatticeE8.Nearest(l, e)
		for j := range e {
			if l[j] != e[j] || e[j] == math.Floor(e[j]) {
				t.Fatalf("code %d: %v is not in E8's half", code, e)
			}
		}
		norms[square]++
	}
	for i, want := range []int{1, 8, 28, 56 + 8, 70 + 56, 29} {
		if got := norms[float64(2+2*i)]; got != 256*want {
			t.Errorf("squared norm %d: %d points, want %d", 2+2*i, got, 256*want)
		}
	}
}

// The search of few candidates finds a point as near as that among all.
func TestE8PNearest(t *testing.T) {
	points := make([][8]float32, 1<<16)
	for code := range points {
		e8p.decode(&points[code], uint32(code))
	}
	for i, scale := range []float32{.3, 1, 1.5, 4} {
		x := normals(8*60, uint64(i))
		for ; len(x) > 0; x = x[8:] {
			var y [8]float32
			for j := range y {
				y[j] = x[j] * scale
			}
			d2 := func(p *[8]float32) (s float64) {
				for j, v := range y {
					s += float64(v-p[j]) * float64(v-p[j])
				}
				return s
			}
			best := math.Inf(1)
			for c := range points {
				best = min(best, d2(&points[c]))
			}
			if got := d2(&points[e8p.nearest(&y)]); got > best+1e-4 {
				t.Fatalf("%v: squared distance %g, least is %g", y, got, best)
			}
		}
	}
}

// The 256 points of one bit are E8's shortest, and the search of few candidates finds
// one as near as that among all.
func TestE8Nearest(t *testing.T) {
	points := make([][8]float32, 256)
	norms := map[float64]int{}
	seen := map[[8]float32]bool{}
	e, l := make([]float64, 8), make([]float64, 8)
	for code := range points {
		p := &points[code]
		decodeE8(p, uint32(code))
		seen[*p] = true
		var square float64
		for j, v := range p {
			e[j] = float64(v)
			square += e[j] * e[j]
		}
		LatticeE8.Nearest(l, e)
		for j := range e {
			if l[j] != e[j] {
				t.Fatalf("code %d: %v is not in E8", code, e)
			}
		}
		norms[square]++
	}
	if len(seen) != 256 || norms[0] != 1 || norms[2] != 240 || norms[4] != 15 {
		t.Errorf("%d points of norms %v", len(seen), norms)
	}
	x := normals(8*2000, 7)
	for ; len(x) > 0; x = x[8:] {
		y := [8]float32(x)
		d2 := func(p *[8]float32) (s float64) {
			for j, v := range y {
				s += float64(v-p[j]) * float64(v-p[j])
			}
			return s
		}
		best := math.Inf(1)
		for c := range points {
			best = min(best, d2(&points[c]))
		}
		code := nearestE8(&y)
		if got := d2(&points[code]); got > best+1e-4 {
			// The one vector of norm 4 without a code.
			t.Fatalf("%v: squared distance %g, least is %g", y, got, best)
		}
	}
}
