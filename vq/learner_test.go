package vq

import (
	"math"
	"slices"
	"testing"

	"github.com/burin-codec/burin/transform/nn"
)

// gaussian returns n vectors of d standard normal variates.
func gaussian(n, d int, seed uint64) []float32 {
	r := newRand(seed, 78)
	x := make([]float32, n*d)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// slopes holds the gradient in got to the differences of f where elements of x move.
func slopes(t *testing.T, what string, x, got []float32, f func() float64) {
	t.Helper()
	const h = 1e-3
	for i := 0; i < len(x); i += 1 + len(x)/40 {
		old := x[i]
		x[i] = old + h
		up := f()
		x[i] = old - h
		down := f()
		x[i] = old
		want := (up - down) / (2 * h)
		if math.Abs(want-float64(got[i])) > 2e-3*math.Abs(want)+2e-4 {
			t.Errorf("%s: slope of element %d is %v, want %v", what, i, got[i], want)
		}
	}
}

// TestProjectedGradients: with respect to the layer, of the distance from the vectors as
// they are; with respect to the vectors, of the commitment, and the decoder's as it is.
func TestProjectedGradients(t *testing.T) {
	const d, f, k, n, beta = 5, 7, 30, 20, 0.25
	p, err := NewProjected(gaussian(k, f, 1), f, d, beta, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	z, dy := gaussian(n, d, 2), gaussian(n, d, 3)
	y, dz, codes := make([]float32, n*d), make([]float32, n*d), make([]uint32, n)
	loss := p.Forward(y, codes, z)
	if want := (1 + beta) * squaredError(z, y) / (n * d); math.Abs(loss-want) > 1e-6 {
		t.Errorf("loss %v, want %v", loss, want)
	}
	p.Backward(dz, dy)
	words := slices.Clone(y)
	slopes(t, "vectors", z, dz, func() float64 {
		s := beta * squaredError(z, words) / (n * d)
		for i, v := range z {
			s += float64(v) * float64(dy[i])
		}
		return s
	})
	for _, q := range p.Params() {
		slopes(t, q.Name, q.Data, q.Grad, func() float64 {
			p.Refresh()
			for i, c := range codes { // the same words, wherever they are now
				copy(y[i*d:(i+1)*d], p.words[int(c)*d:])
			}
			return squaredError(z, y) / (n * d)
		})
	}
}

// TestIBQGradients holds them to the differences of the loss that the doc comment has,
// the choice being replaced by onehot - p + p(E, z) and what sg holds kept as it was.
func TestIBQGradients(t *testing.T) {
	const d, k, n = 4, 12, 9
	for _, o := range []IBQOptions{{0.25, 0, 1}, {0.25, 0.7, 0.5}} {
		q, err := NewIBQ(gaussian(k, d, 1), d, &o, nil)
		if err != nil {
			t.Fatal(err)
		}
		z, dy := gaussian(n, d, 2), gaussian(n, d, 3)
		y, dz, codes := make([]float32, n*d), make([]float32, n*d), make([]uint32, n)
		got := q.Forward(y, codes, z)
		q.Backward(dz, dy)

		// p returns the softmax of the inner products of vector i over a temperature.
		p := func(i int, temperature float64) []float64 {
			out := make([]float64, k)
			var sum float64
			for j := range out {
				for e := range d {
					out[j] += float64(z[i*d+e]) * float64(q.words.Data[j*d+e])
				}
				out[j] = math.Exp(out[j] / temperature)
				sum += out[j]
			}
			for j := range out {
				out[j] /= sum
			}
			return out
		}
		fixed := make([][]float64, n)
		for i := range fixed {
			fixed[i] = p(i, 1)
		}
		z0, y0 := slices.Clone(z), slices.Clone(y)
		entropy := func(p []float64) (s float64) {
			for _, v := range p {
				s -= v * math.Log(v)
			}
			return s
		}
		value := func() (loss, other float64) {
			mean := make([]float64, k)
			var each float64
			for i := range n {
				now := p(i, 1)
				for e := range d {
					var soft float64
					for j := range k {
						w := now[j] - fixed[i][j]
						if j == int(codes[i]) {
							w++
						}
						soft += w * float64(q.words.Data[j*d+e])
					}
					at := i*d + e
					word := float64(q.words.Data[int(codes[i])*d+e])
					a, b, c := soft-float64(z[at]), float64(y0[at])-float64(z[at]), word-float64(z0[at])
					loss += (a*a + b*b + o.Beta*c*c) / (n * d)
					other += soft * float64(dy[at])
				}
				sharp := p(i, o.Temperature)
				each += entropy(sharp) / n
				for j, v := range sharp {
					mean[j] += v / n
				}
			}
			return loss + o.Entropy*(each-entropy(mean)), other
		}
		if want, _ := value(); math.Abs(got-want) > 1e-4 {
			t.Errorf("loss %v, want %v", got, want)
		}
		both := func() float64 { a, b := value(); return a + b }
		slopes(t, "vectors", z, dz, both)
		slopes(t, "words", q.words.Data, q.words.Grad, both)
	}
}

// TestLearners: training brings the error down, uses most words, and does not depend on
// the workers.
func TestLearners(t *testing.T) {
	const d, k = 4, 64
	x, other := gaussian(4000, d, 4), gaussian(4000, d, 5)
	features := gaussian(4000, 6, 6)
	o := LearnOptions{Steps: 300, Batch: 256, Rate: 0.02, Seed: 1}
	for _, c := range []struct {
		name  string
		train func(o LearnOptions) (*Codebook, error)
		most  float64 // MSE
		used  float64
	}{
		// 1.5 bits a dimension leave 0.125 at best, and k-means about 0.21.
		{"SimVQ", func(o LearnOptions) (*Codebook, error) { return TrainSimVQ(x, d, k, &o) }, 0.27, 0.95},
		{"VQGAN-LC", func(o LearnOptions) (*Codebook, error) { return TrainVQGANLC(x, d, features, 6, k, nil, &o) }, 0.27, 0.95},
		{"IBQ", func(o LearnOptions) (*Codebook, error) { return TrainIBQ(x, d, k, nil, &o) }, 0.6, 0.5},
	} {
		one, err := c.train(o)
		if err != nil {
			t.Fatal(err)
		}
		codes := make([]uint32, len(other)/d)
		one.Encode(codes, other)
		u := Usages(one, codes)[0]
		mse := MSE(one, other)
		t.Logf("%s: MSE %.4f, %.0f %% used", c.name, mse, 100*u.Utilisation)
		if mse > c.most || u.Utilisation < c.used {
			t.Errorf("%s: MSE %.4f, %.0f %% used", c.name, mse, 100*u.Utilisation)
		}
		pool := nn.NewPool(3)
		short := LearnOptions{Steps: 5, Batch: 500, Rate: 0.02, Seed: 1}
		a, err := c.train(short)
		if err != nil {
			t.Fatal(err)
		}
		short.Pool = pool
		b, err := c.train(short)
		pool.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.words, b.words) {
			t.Errorf("%s depends on the workers", c.name)
		}
	}
}
