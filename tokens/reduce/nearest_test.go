package reduce

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

func eachTier(t testing.TB, f func(l kernels.Level)) {
	t.Helper()
	for _, l := range kernels.Tiers() {
		restore, err := kernels.SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		f(l)
		restore()
	}
}

// definition is the search as one would write it down: the greatest cosine in float64.
func definition(a, b rows) (index []int32, score []float64) {
	for i := range a.n {
		best, at := math.Inf(-1), 0
		for j := range b.n {
			var dot, na, nb float64
			for c, v := range a.row(i) {
				w := b.row(j)[c]
				dot += float64(v) * float64(w)
				na += float64(v) * float64(v)
				nb += float64(w) * float64(w)
			}
			c := 0.0
			if na > 0 && nb > 0 {
				c = dot / math.Sqrt(na) / math.Sqrt(nb)
			}
			if c > best {
				best, at = c, j
			}
		}
		index, score = append(index, int32(at)), append(score, best)
	}
	return index, score
}

// Every tier finds the same neighbours with the same cosines to the bit, and they are
// those of the definition, but for neighbours that are equally near to its rounding.
func TestNearest(t *testing.T) {
	cases := map[string]func(r *rand.Rand, row, col int) float64{
		"normal":   func(r *rand.Rand, _, _ int) float64 { return r.NormFloat64() },
		"outliers": func(r *rand.Rand, _, col int) float64 { return r.NormFloat64() * math.Pow(10, float64(col%7)) },
		"similar":  func(r *rand.Rand, _, col int) float64 { return 10*math.Sin(float64(col)) + 1e-3*r.NormFloat64() },
		"same":     func(_ *rand.Rand, row, col int) float64 { return math.Sin(float64(col + row%3)) },
		"zeros":    func(r *rand.Rand, row, _ int) float64 { return float64(row%2) * r.NormFloat64() },
		"negative": func(r *rand.Rand, row, col int) float64 { return math.Sin(float64(col)) * float64(1-2*(row%2)) },
		"sparse":   func(r *rand.Rand, _, _ int) float64 { return float64(r.IntN(30) / 29) },
		"scales":   func(r *rand.Rand, row, _ int) float64 { return r.NormFloat64() * math.Pow(10, float64(row%21-10)) },
		"huge":     func(r *rand.Rand, _, _ int) float64 { return 1e14 * r.NormFloat64() },
		"tiny":     func(r *rand.Rand, _, _ int) float64 { return 1e-25 * r.NormFloat64() },
	}
	for name, f := range cases {
		for _, size := range [][2]int{{200, 67}, {75, 128}, {3, 300}} {
			n, d := size[0], size[1]
			r := rand.New(rand.NewPCG(uint64(n), 5))
			x := rows{make([]float32, n*d), n, d, d}
			for i := range x.x {
				x.x[i] = float32(f(r, i/d, i%d))
			}
			a, b := x.even(), x.odd()
			index, score := definition(a, b)
			var first []int32
			var firstScore []float64
			eachTier(t, func(l kernels.Level) {
				gotIndex, got := nearest(a, b)
				if first == nil {
					first, firstScore = gotIndex, got
				}
				if !slices.Equal(gotIndex, first) || !slices.Equal(got, firstScore) {
					t.Fatalf("%s %v: %v differs from %v", name, size, l, kernels.Tiers()[0])
				}
				for i, j := range gotIndex {
					if j != index[i] && math.Abs(score[i]-got[i]) > 1e-14 || math.Abs(score[i]-got[i]) > 1e-13 {
						t.Fatalf("%s %v: %v: row %d is nearest to %d at %v, want %d at %v", name, size, l, i, j, got[i], index[i], score[i])
					}
				}
			})
		}
	}
}

// The bound of the error in 8 bits holds, and is not far above what happens.
func TestQuantise(t *testing.T) {
	const n, d = 40, 100
	r := rand.New(rand.NewPCG(1, 6))
	x := rows{make([]float32, n*d), n, d, d}
	for i := range x.x {
		x.x[i] = float32(r.NormFloat64() * math.Pow(10, float64(i/d%9-4)))
	}
	q, step, relative := quantise(x, norms(x), d)
	for i := range n {
		var square, whole float64
		for c, v := range x.row(i) {
			e := float64(v) - step[i]*float64(q[i*d+c])
			square += e * e
			whole += float64(v) * float64(v)
			if q[i*d+c] == -128 {
				t.Fatal("a value below -127")
			}
		}
		true := math.Sqrt(square / whole)
		if true > relative[i] || relative[i] > 1.01*true+1e-6 {
			t.Fatalf("row %d: a relative error of %v for %v", i, relative[i], true)
		}
	}
}
