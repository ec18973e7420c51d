package vq

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// The levels of Max, Quantizing for minimum distortion, 1960, table I.
func TestLloydMaxLevels(t *testing.T) {
	for n, want := range map[int][]float64{
		2: {.7980}, 3: {0, 1.224}, 4: {.4528, 1.510}, 8: {.2451, .7560, 1.344, 2.152},
		16: {.1284, .3881, .6568, .9424, 1.256, 1.618, 2.069, 2.733},
	} {
		l := must(NewLloydMax(n, 1)).Levels()
		for i, w := range want {
			if got := float64(l[n/2+i]); math.Abs(got-w) > 5e-4*math.Max(1, w) {
				t.Errorf("%d levels: %g, want %g", n, got, w)
			}
		}
	}
	// Each level is the mean of its cell, up to the most.
	for _, n := range []int{5, 256, MaxLevels} {
		q := must(NewLloydMax(n, 1))
		for i := 1; i+1 < n; i++ {
			a, b := float64(q.edges[i-1]), float64(q.edges[i])
			c := (normalDensity(a) - normalDensity(b)) / normalBetween(a, b)
			if e := math.Abs(c - float64(q.levels[i])); e > 2e-6 {
				t.Fatalf("%d levels: level %d is %g, mean %g", n, i, q.levels[i], c)
			}
		}
	}
}

func TestTrainLloydMax(t *testing.T) {
	x := normals(1<<16, 1)
	for _, n := range []int{2, 3, 8, 32} {
		trained, ideal := MSE(must(TrainLloydMax(x, n)), x), MSE(must(NewLloydMax(n, 1)), x)
		if trained > ideal*1.001 {
			t.Errorf("%d levels: %g trained, %g of the distribution", n, trained, ideal)
		}
	}
	// A few numbers have levels of their own.
	q := must(TrainLloydMax([]float32{1, 3, 3, 1, 7}, 4))
	if MSE(q, []float32{1, 3, 7}) != 0 || q.Sizes()[0] != 3 {
		t.Errorf("levels %v", q.Levels())
	}
	// Two far clusters, one of them rare.
	for i := range x {
		if i%1000 == 0 {
			x[i] += 1000
		}
	}
	if got := MSE(must(TrainLloydMax(x, 8)), x); got > .12 {
		t.Errorf("with numbers far out: %g", got)
	}
	for _, bad := range [][]float32{nil, {float32(math.NaN())}, {float32(math.Inf(1)), 1}} {
		if _, err := TrainLloydMax(bad, 4); !errors.Is(err, ErrTraining) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := TrainLloydMax(x, 1); !errors.Is(err, ErrOptions) {
		t.Errorf("one level: %v", err)
	}
}

// Rounding to levels a step apart, the outer ones half a step from the ends, has an
// error of step^2/12 on a uniform distribution.
func TestFSQClampError(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, 1<<18)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	for _, levels := range []int{2, 3, 5, 8} {
		q := must(NewFSQ([]int{levels, levels}, FSQClamp))
		step := 2 / float64(levels-1)
		if got, want := MSE(q, x), step*step/12; math.Abs(got/want-1) > .01 {
			t.Errorf("%d levels: %g, want %g", levels, got, want)
		}
	}
}

// Every code is that of the numbers that are squeezed to what it decodes to, and Bound
// agrees with it.
func TestFSQCodes(t *testing.T) {
	for _, bound := range []FSQBound{FSQTanh, FSQSymmetric} {
		for _, levels := range [][]int{FSQLevels(8), {7, 5, 5}, {2, 3, 4}} {
			q := must(NewFSQ(levels, bound))
			n, d := q.Sizes()[0], len(levels)
			codes, y := make([]uint32, n), make([]float32, n*d)
			for i := range codes {
				codes[i] = uint32(i)
			}
			q.Decode(y, codes)
			// The first element is the fastest.
			if y[0] == y[d] || d > 1 && y[1] != y[d+1] {
				t.Errorf("codes 0 and 1 stand for %v and %v", y[:d], y[d:2*d])
			}
			z := make([]float32, len(y))
			for i, v := range y {
				l := levels[i%d]
				if bound == FSQSymmetric {
					z[i] = float32(math.Atanh(float64(v) * .9999))
					continue
				}
				half, offset := float64(l-1)*1.001/2, 0.
				if l%2 == 0 {
					offset = .5
				}
				z[i] = float32(math.Atanh((float64(v)*float64(l/2)+offset)/half) - math.Atanh(offset/half))
			}
			back, b := make([]uint32, n), make([]float32, n*d)
			q.Encode(back, z)
			q.Bound(b, z)
			for i := range codes {
				if back[i] != codes[i] {
					t.Fatalf("%v: code %d, %v, comes back as %d", levels, i, y[i*d:][:d], back[i])
				}
				for j := range d {
					if math.Abs(float64(b[i*d+j]-y[i*d+j])) > 1e-3 {
						t.Fatalf("%v: code %d is %v, bounded %v", levels, i, y[i*d:][:d], b[i*d:][:d])
					}
				}
			}
		}
	}
	if _, err := NewFSQ([]int{1 << 12, 1 << 13}, FSQTanh); !errors.Is(err, ErrOptions) {
		t.Errorf("too many codes: %v", err)
	}
}

// The mean product of a direction and its signs over sqrt(L) has a closed form,
// sqrt(L/pi)*gamma(L/2)/gamma((L+1)/2).
func TestBSQ(t *testing.T) {
	for _, l := range []int{2, 9, 18, 36} {
		q := must(NewBSQ(l))
		x := normals(l*20000, uint64(l))
		for i := 0; i < len(x); i += l {
			n := float32(norm(x[i:][:l]))
			for j := range l {
				x[i+j] /= n
			}
		}
		a, _ := math.Lgamma(float64(l) / 2)
		b, _ := math.Lgamma(float64(l+1) / 2)
		want := (2 - 2*math.Sqrt(float64(l)/math.Pi)*math.Exp(a-b)) / float64(l)
		if got := MSE(q, x); math.Abs(got/want-1) > .01 {
			t.Errorf("%d: %g, want %g", l, got, want)
		}
	}
	q := must(NewLFQ(3, 2))
	code := make([]uint32, 1)
	q.Encode(code, []float32{1, -1, 0})
	if code[0] != 4 {
		t.Errorf("signs + - 0 have code %d, want 4", code[0])
	}
	if got := must(TrainLFQ([]float32{1, -3, 2, -2}, 2)).scale; got != 2 {
		t.Errorf("scale %g, want 2", got)
	}
}

func TestEntropyLoss(t *testing.T) {
	q := must(NewLFQ(3, .5))
	z := normals(12, 4)
	loss := func() float64 { return q.EntropyLoss(nil, z, .7, 1.3) }
	dz := make([]float32, len(z))
	q.EntropyLoss(dz, z, .7, 1.3)
	for i := range z {
		const h = 1e-3
		v := z[i]
		z[i] = v + h
		up := loss()
		z[i] = v - h
		want := (up - loss()) / (2 * h)
		z[i] = v
		if math.Abs(want-float64(dz[i])) > 1e-3 {
			t.Errorf("slope %d: %g, want %g", i, dz[i], want)
		}
	}
	// Signs that are certain, and of both kinds alike, have the least there is.
	if got, want := q.EntropyLoss(nil, []float32{9, 9, 9, -9, -9, -9}, .01, 1), -3*math.Ln2; math.Abs(got-want) > 1e-6 {
		t.Errorf("loss %g, want %g", got, want)
	}
}

// No element is further off than half a step, and the error is that of uniform
// distributions.
func TestLVQ(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const d = 64
	x := make([]float32, d*2000)
	for i := range x {
		x[i] = 10 + float32(100+i/d)*(r.Float32()-.5)/100
	}
	mean := make([]float32, d)
	for i := range mean {
		mean[i] = 9 // and not 10: ranges need not be around 0
	}
	if got := must(TrainLVQ(x, d, 4, 0)).mean[3]; math.Abs(float64(got-10)) > .5 {
		t.Errorf("mean %g, want 10", got)
	}
	for _, c := range [][2]int{{4, 0}, {8, 0}, {4, 4}, {1, 3}} {
		q := newLVQ(mean, c[0], c[1])
		codes, y := make([]uint32, len(q.sizes)), make([]float32, d)
		steps := float64(int(1)<<c[0] - 1)
		if c[1] > 0 {
			steps *= float64(int(1)<<c[1] - 1)
		}
		for i := d; i < len(x); i += d {
			q.Encode(codes, x[i:][:d])
			q.Decode(y, codes)
			half := float64(100+i/d) / steps / 200
			for j, v := range y {
				if e := math.Abs(float64(v - x[i+j])); e > half*1.08+2e-6 {
					t.Fatalf("%v: element %d of vector %d is %g off, half a step is %g", c, j, i/d, e, half)
				}
			}
		}
	}
}
