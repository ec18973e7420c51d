package vq

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// directions returns n vectors of norm 1: normal, of few elements, and uniform ones.
func directions(n, d int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 5))
	x := make([]float32, n*d)
	for i := range n {
		v := x[i*d:][:d]
		for j := range v {
			switch i % 3 {
			case 0:
				v[j] = float32(r.NormFloat64())
			case 1:
				v[j] = r.Float32()
			}
		}
		if i%3 == 2 {
			v[r.IntN(d)], v[r.IntN(d)], v[r.IntN(d)] = 1, -1, 3
		}
		s := float32(1 / norm(v))
		for j := range v {
			v[j] *= s
		}
	}
	return x
}

func dot(x, y []float32) (s float64) {
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

// What the papers say of RaBitQ: the cosine of the angle at 1 bit is 0.798 on average,
// the estimate has no bias, the error has the stated deviation, and 99.9 % of errors at B
// bits are below 5.75*2^-B/sqrt(d).
func TestRaBitQProducts(t *testing.T) {
	const d, n = 128, 3000
	x, y := directions(n, d, 1), directions(n, d, 2)
	for _, bits := range []int{1, 2, 3, 4, 7} {
		var errs []float64
		var q *RaBitQ
		var bias, ratio2, cos float64
		beyond := 0
		for i := range n {
			// A rotation for each few, as there is no bias over these.
			if i%20 == 0 {
				q = must(NewRaBitQ(make([]float32, d), bits, uint64(i/20)))
			}
			codes := make([]uint32, d+2)
			q.Encode(codes, x[i*d:][:d])
			got, dev := q.Query(y[i*d:][:d]).Estimate(codes)
			e := got - dot(x[i*d:][:d], y[i*d:][:d])
			errs = append(errs, math.Abs(e))
			bias += e / n
			ratio2 += e * e / (dev * dev) / n
			if math.Abs(e) > 2*dev {
				beyond++
			}
			tan := float64(scaleOf(codes[1]))
			cos += 1 / math.Sqrt(1+tan*tan) / n
		}
		slices.Sort(errs)
		rms := math.Sqrt(dot2(errs) / n)
		t.Logf("%d bits: cosine %.4f, error %.5f rms, bias %.5f, 99.9 %% below %.2f*2^-B/sqrt(d), %.1f %% beyond two deviations",
			bits, cos, rms, bias, errs[n*999/1000]*math.Exp2(float64(bits))*math.Sqrt(d), 100*float64(beyond)/n)
		if bits == 1 && math.Abs(cos-.798) > .004 {
			t.Errorf("cosine %.4f, want 0.798", cos)
		}
		if math.Abs(bias) > 4*rms/math.Sqrt(n) {
			t.Errorf("%d bits: bias %g, error %g rms", bits, bias, rms)
		}
		if r := math.Sqrt(ratio2); r < .9 || r > 1.1 {
			t.Errorf("%d bits: errors are %.3f of the stated deviation", bits, r)
		}
		if p := float64(beyond) / n; p > .065 {
			t.Errorf("%d bits: %.3f of the errors are above twice the deviation", bits, p)
		}
		if bound := 5.75 / math.Exp2(float64(bits)) / math.Sqrt(d); errs[n*999/1000] > bound {
			t.Errorf("%d bits: 99.9 %% of errors below %g, want %g", bits, errs[n*999/1000], bound)
		}
	}
}

func dot2(x []float64) (s float64) {
	for _, v := range x {
		s += v * v
	}
	return s
}

// The search of some scales finds an angle about as small as all scales do.
func TestRaBitQSearch(t *testing.T) {
	const d = 64
	for _, bits := range []int{2, 3, 5, 8} {
		top := 1<<(bits-1) - 1
		a, u := make([]float32, d), make([]uint32, d)
		var worst, sum float64
		for i := range 20 {
			for j, v := range normals(d, uint64(i)) {
				a[j] = float32(math.Abs(float64(v)))
			}
			most := float64(slices.Max(a))
			s, n := searchMagnitudes(u, a, most, top)
			found := s / math.Sqrt(n)
			if s2, n2 := sums(a, u); math.Abs(s2/s-1) > 1e-4 || math.Abs(n2/n-1) > 1e-4 {
				t.Fatalf("%d bits: %g, %g; of the codes %g, %g", bits, s, n, s2, n2)
			}
			best := 0.
			for k := 1; k < 8000; k++ {
				s, n := cubeMagnitudes(nil, a, float64(k)/2000*float64(top+1)/most, top)
				best = max(best, s/math.Sqrt(n))
			}
			worst = max(worst, 1-found/best)
			length := norm(a)
			sum += (length*length - found*found) / (length*length - best*best) / 20
		}
		limit := 1.02
		if bits == 8 { // among many scales that are all but as good
			limit = 1.1
		}
		if worst > 2e-3 || sum > limit {
			t.Errorf("%d bits: cosine smaller by up to %g, squared error %.4f of the least", bits, worst, sum)
		}
	}
}

func sums(a []float32, u []uint32) (s, n float64) {
	for i, v := range a {
		g := float64(u[i]) + .5
		s += float64(v) * g
		n += g * g
	}
	return s, n
}

// spectrum returns vectors whose principal components have falling variances, and a
// mean, turned at random.
func spectrum(n, d int, seed uint64) []float32 {
	x := normals(n*d, seed)
	r := newRotation(d, 2, 77)
	for i := range n {
		v := x[i*d:][:d]
		for j := range v {
			v[j] = v[j]/float32(1+j) + 1
		}
		r.apply(v)
	}
	return x
}

// SAQ's claim is up to 80 % less error than extended RaBitQ at equal bits, where
// variances differ, and no bias.
func TestSAQ(t *testing.T) {
	const d, n = 96, 2000
	x := spectrum(n, d, 1)
	test := spectrum(500, d, 2)
	for _, bits := range []int{1, 2, 4} {
		r := must(TrainRaBitQ(x, d, bits, 1))
		q := must(TrainSAQ(x, d, BitsPerDim(r), 1))
		if a, b := Bits(q), Bits(r); a > b {
			t.Errorf("%d bits: takes %g, of %g", bits, a, b)
		}
		a, b := MSE(q, test), MSE(r, test)
		widths, used := q.Segments()
		t.Logf("%d bits: SAQ %.3g (segments %v of %v bits), RaBitQ %.3g", bits, a, widths, used, b)
		if a > .35*b {
			t.Errorf("%d bits: error %g, RaBitQ has %g", bits, a, b)
		}
		// Products with vectors at random.
		y := directions(500, d, 3)
		codes := make([]uint32, len(q.Sizes()))
		var sq, bias float64
		for i := range 500 {
			q.Encode(codes, test[i*d:][:d])
			got, _ := q.Query(y[i*d:][:d]).Estimate(codes)
			e := got - dot(test[i*d:][:d], y[i*d:][:d])
			bias += e / 500
			sq += e * e / 500
		}
		if math.Abs(bias) > 4*math.Sqrt(sq/500) {
			t.Errorf("%d bits: bias %g, error %g rms", bits, bias, math.Sqrt(sq))
		}
	}
	// Fewer bits than a segment needs leave the mean.
	q := must(TrainSAQ(x, d, .1, 1))
	if got := len(q.Sizes()); got != 1 || MSE(q, test) > 1 {
		t.Errorf("%d codes, error %g", got, MSE(q, test))
	}
}

// No other allotment of a small case is better.
func TestAllot(t *testing.T) {
	variances := []float64{100, 30, 1, .5, .01, 0}
	budget := 6 + 2*32 + 8
	widths, bits := allot(variances, budget)
	total := func(widths, bits []int) (e float64, cost int) {
		at := 0
		for i, w := range widths {
			d := 1.
			if bits[i] > 0 {
				d = evenLevels()[bits[i]].err
				cost += 32 + w*bits[i]
			}
			for _, v := range variances[at : at+w] {
				e += v * d
			}
			at += w
		}
		return e, cost
	}
	got, cost := total(widths, bits)
	if cost > budget {
		t.Errorf("%v of %v: %d bits, of %d", widths, bits, cost, budget)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		var w, b []int
		for left := len(variances); left > 0; {
			n := 1 + r.IntN(left)
			w, b = append(w, n), append(b, r.IntN(MaxRaBitQBits+1))
			left -= n
		}
		if e, cost := total(w, b); cost <= budget && e < got*(1-1e-9) {
			t.Fatalf("%v of %v: %g; %v of %v: %g", widths, bits, got, w, b, e)
		}
	}
}

// Groups that depend on one another inside, and differ in size, gain on even levels for
// each element; independent ones lose nothing.
func TestGLVQ(t *testing.T) {
	const d, n = 16, 600
	x := normals(n*d, 1)
	for i := range n {
		v := x[i*d:][:d]
		for g := 0; g < d; g += 4 {
			s := float32(math.Exp2(-float64(g) / 4))
			for j := 1; j < 4; j++ {
				v[g+j] = .95*v[g+j-1] + .31*v[g+j]
			}
			for j := range 4 {
				v[g+j] *= s
			}
		}
	}
	q := must(TrainGLVQ(x, d, 4, 3, nil))
	if got := BitsPerDim(q); got != 3 {
		t.Errorf("%g bits a dimension, want 3", got)
	}
	if b := q.GroupBits(); b[0] <= b[3] {
		t.Errorf("bits %v, though variances fall", b)
	}
	var even float64
	for j := range d {
		c := columns(x, d, j, j+1)
		even += MSE(must(TrainLloydMax(c, 8)), c) / d
	}
	if got := MSE(q, x); got > .5*even {
		t.Errorf("error %g, best levels for each element have %g", got, even)
	}
	// A weight takes bits from the others.
	w := must(TrainGLVQ(x, d, 4, 3, []float64{1, 1, 1, 1000}))
	if a, b := w.GroupBits()[3], q.GroupBits()[3]; a <= b {
		t.Errorf("%d bits with a weight of 1000, %d without", a, b)
	}
}

// Vectors of any length with a direction in common have the error of the inner
// quantiser on what differs.
func TestNSN(t *testing.T) {
	const d, n = 64, 2000
	x := normals(n*d, 1)
	r := rand.New(rand.NewPCG(1, 2))
	var power float64
	for i := range n {
		length := float32(math.Exp(r.NormFloat64()))
		for j, v := range x[i*d:][:d] {
			if j%16 == 0 {
				v += 12
			}
			x[i*d+j] = v * length
			power += float64(length) * float64(length) / n
		}
	}
	inner := must(NewE8P(2, 1))
	a := MSE(must(TrainNSN(x, d, inner, 1)), x) / power
	b := MSE(must(NewHIGGS(d, inner, 1)), x) / power
	if a > .0912*1.1 || b < 4*a {
		t.Errorf("error %g of what differs, %g without the mean", a, b)
	}
	if _, err := TrainNSN(x, d, must(NewFSQ([]int{3, 3, 3}, FSQClamp)), 1); err == nil {
		t.Error("no error for parts of 3 in 64")
	}
}
