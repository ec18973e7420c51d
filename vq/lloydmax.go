package vq

import (
	"fmt"
	"math"
	"slices"
)

// # The best levels
//
// With levels y[0] < ... < y[n-1] and the edges t[i] = (y[i]+y[i+1])/2 between them, a
// scalar quantiser has the least squared error only if each level is the mean of what
// falls between its edges,
//
//	y[i] = c(t[i-1], t[i]),  c(a, b) = (phi(a)-phi(b)) / P(a, b)
//
// for a normal distribution of density phi and probability P (Lloyd, Least squares
// quantization in PCM, 1957; Max, Quantizing for minimum distortion, 1960). Lloyd's
// iteration, means and edges in turn, takes some n^2 rounds. Newton's takes about six,
// as c has simple derivatives and the system is tridiagonal:
//
//	dc/da = phi(a)*(c-a)/P,  dc/db = phi(b)*(b-c)/P
//
// It starts at quantiles of the density phi^(1/3), the best for many levels (Panter and
// Dite, 1951): those of a normal distribution of variance 3.

// MaxLevels is the most levels of a [LloydMax].
const MaxLevels = 1 << 12

// LloydMax quantises numbers one by one to the nearest of n levels. A vector is one
// number, with one code; codes grow with the number. It takes log2(n) bits a dimension
// and log2(n) comparisons to encode. For normally distributed numbers of variance 1 the
// mean squared error at 1, 2, 3 and 4 bits is 0.3634, 0.1175, 0.03454 and 0.009497.
type LloydMax struct {
	levels []float32 // [n], not falling
	edges  []float32 // between levels, [n-1]
	keys   []int64   // of the edges; filled up to a power of two, less 1
	sizes  [1]int
}

// NewLloydMax returns the quantiser of 2..MaxLevels levels with the least squared error
// for normally distributed numbers of the given standard deviation.
func NewLloydMax(levels int, deviation float32) (*LloydMax, error) {
	if levels < 2 || levels > MaxLevels {
		return nil, fmt.Errorf("%w: %d levels, want 2..%d", ErrOptions, levels, MaxLevels)
	}
	if !(deviation > 0 && deviation <= maxMagnitude) {
		return nil, fmt.Errorf("%w: deviation %g", ErrOptions, deviation)
	}
	l := normalLevels(levels)
	for i := range l {
		l[i] *= deviation
	}
	return newLloydMax(l), nil
}

// TrainLloydMax returns the quantiser of at most the given levels, 2..MaxLevels, that
// Lloyd's iteration finds for the numbers x, from a start that is the best up to the
// width of 2048 runs of numbers. Fewer levels remain where x has fewer different
// numbers.
func TrainLloydMax(x []float32, levels int) (*LloydMax, error) {
	if levels < 2 || levels > MaxLevels {
		return nil, fmt.Errorf("%w: %d levels, want 2..%d", ErrOptions, levels, MaxLevels)
	}
	n, err := checkTraining(x, 1, 1)
	if err != nil {
		return nil, err
	}
	s := slices.Clone(x)
	slices.Sort(s)
	sums := make([]float64, n+1) // of the first numbers
	distinct := 1
	for i, v := range s {
		sums[i+1] = sums[i] + float64(v)
		if i > 0 && v != s[i-1] {
			distinct++
		}
	}
	if distinct <= levels {
		return newLloydMax(slices.Compact(s)), nil
	}
	y := startLevels(s, sums, levels)
	ends := make([]int, levels+1) // numbers up to the level's upper edge
	for range 1000 {
		same := true
		at := 0
		for i := range y {
			end := n
			if i+1 < len(y) {
				edge := float32((y[i] + y[i+1]) / 2)
				rest, _ := slices.BinarySearchFunc(s[at:], edge, func(v, t float32) int {
					if v <= t {
						return -1
					}
					return 1
				})
				end = at + rest
			}
			if ends[i+1] != end {
				ends[i+1], same = end, false
			}
			at = end
		}
		for i := range y {
			if a, b := ends[i], ends[i+1]; b > a {
				y[i] = (sums[b] - sums[a]) / float64(b-a)
			}
		}
		if same {
			break
		}
	}
	l := make([]float32, 0, levels)
	for i, v := range y {
		if ends[i+1] > ends[i] {
			l = append(l, float32(v))
		}
	}
	return newLloydMax(l), nil
}

// startLevels returns rising levels for the sorted numbers s, whose sums are given: the
// best where each run of some numbers must be on one level.
//
// With e[k][j] the least error of the first j runs on k levels,
//
//	e[k][j] = min over i of e[k-1][i] + error of runs i..j-1 on one level
//
// and the best i does not fall with j, so that of the middle j bounds those on either
// side (divide and conquer; Wu, Optimal quantization by matrix searching, 1991, has the
// monotony): some levels*runs*log2(runs) steps.
func startLevels(s []float32, sums []float64, levels int) []float64 {
	runs := min(max(2048, 4*levels), len(s))
	at := func(run int) int { return run * len(s) / runs }
	// The error of numbers from..to-1 is that of squares less what the mean saves; the
	// sum of squares is the same for all levels.
	saved := func(i, j int) float64 {
		a, b := at(i), at(j)
		if a == b {
			return 0
		}
		sum := sums[b] - sums[a]
		return sum * sum / float64(b-a)
	}
	before, now := make([]float64, runs+1), make([]float64, runs+1)
	for j := range before {
		before[j] = saved(0, j)
	}
	from := make([][]int32, levels)
	for k := 1; k < levels; k++ {
		first := make([]int32, runs+1)
		var solve func(lo, hi, least, most int)
		solve = func(lo, hi, least, most int) {
			if lo > hi {
				return
			}
			j := (lo + hi) / 2
			best, arg := math.Inf(-1), least
			for i := least; i <= min(most, j); i++ {
				if v := before[i] + saved(i, j); v > best {
					best, arg = v, i
				}
			}
			now[j], first[j] = best, int32(arg)
			solve(lo, j-1, least, arg)
			solve(j+1, hi, arg, most)
		}
		solve(0, runs, 0, runs)
		from[k] = first
		before, now = now, before
	}
	y := make([]float64, levels)
	j := runs
	for k := levels - 1; k >= 0; k-- {
		i := 0
		if k > 0 {
			i = int(from[k][j])
		}
		if a, b := at(i), at(j); b > a {
			y[k] = (sums[b] - sums[a]) / float64(b-a)
		} else if k+1 < levels {
			y[k] = y[k+1]
		}
		j = i
	}
	return y
}

func newLloydMax(levels []float32) *LloydMax {
	q := &LloydMax{levels: levels, sizes: [1]int{len(levels)}}
	full := 1
	for full < len(levels) {
		full *= 2
	}
	q.keys = make([]int64, full-1)
	for i := range q.keys {
		q.keys[i] = math.MaxInt64
		if i+1 < len(levels) {
			q.edges = append(q.edges, levels[i]/2+levels[i+1]/2)
			q.keys[i] = orderKey(q.edges[i])
		}
	}
	return q
}

// orderKey returns a number whose order is that of v.
func orderKey(v float32) int64 {
	b := int32(math.Float32bits(v))
	return int64(b ^ int32(uint32(b>>31)>>1))
}

// Levels returns a copy of what the codes stand for, in their order.
func (q *LloydMax) Levels() []float32 { return slices.Clone(q.levels) }

// Dim returns 1.
func (q *LloydMax) Dim() int { return 1 }

// Sizes returns the number of levels.
func (q *LloydMax) Sizes() []int { return q.sizes[:] }

// Encode finds the nearest levels, the lower of two.
func (q *LloydMax) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	// Binary search without branches: the sign of a difference says where to go on.
	half := (len(q.keys) + 1) / 2
	for i, v := range x {
		key, at := orderKey(v), 0
		for s := half; s > 0; s /= 2 {
			at += s & int((q.keys[at+s-1]-key)>>63)
		}
		codes[i] = uint32(at)
	}
}

// Decode looks levels up.
func (q *LloydMax) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	for i, c := range codes {
		x[i] = q.levels[c]
	}
}

// MarshalBinary stores the levels.
func (q *LloydMax) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *LloydMax) kind() string { return "lloydmax" }

func (q *LloydMax) write(w *writer) {
	w.int(len(q.levels))
	w.floats(q.levels)
}

func init() {
	register("lloydmax", func(r *reader) (Quantiser, error) {
		l := r.floats("levels", r.int("levels", 1, MaxLevels))
		if r.err != nil {
			return nil, r.err
		}
		if !slices.IsSorted(l) {
			return nil, FormatError("levels fall")
		}
		return newLloydMax(l), nil
	})
}

// normalLevels returns the n levels for a normal distribution of deviation 1, rounded
// to multiples of 2^-20: what functions of different processors' libraries differ by
// does not reach that.
func normalLevels(n int) []float32 {
	y := make([]float64, n)
	for i := range y {
		y[i] = math.Sqrt(3) * normalQuantile((float64(i)+.5)/float64(n))
	}
	low, diag, up := make([]float64, n), make([]float64, n), make([]float64, n)
	f := make([]float64, n)
	for range 50 {
		for i, v := range y {
			a, b := math.Inf(-1), math.Inf(1)
			if i > 0 {
				a = (y[i-1] + v) / 2
			}
			if i+1 < n {
				b = (v + y[i+1]) / 2
			}
			p := normalBetween(a, b)
			fa, fb := normalDensity(a), normalDensity(b)
			c := (fa - fb) / p
			var da, db float64 // halves, as edges are halves of sums
			if i > 0 {
				da = fa * (c - a) / p / 2
			}
			if i+1 < n {
				db = fb * (b - c) / p / 2
			}
			f[i] = v - c
			low[i], diag[i], up[i] = -da, 1-da-db, -db
		}
		// Thomas's elimination.
		for i := 1; i < n; i++ {
			m := low[i] / diag[i-1]
			diag[i] -= m * up[i-1]
			f[i] -= m * f[i-1]
		}
		var most float64
		for i := n - 1; i >= 0; i-- {
			if i+1 < n {
				f[i] -= up[i] * f[i+1]
			}
			f[i] /= diag[i]
			y[i] -= f[i]
			most = max(most, math.Abs(f[i]))
		}
		if most < 1e-13 {
			break
		}
	}
	l := make([]float32, n)
	for i := range l {
		// The distribution is even, and so are the levels.
		l[i] = float32(math.RoundToEven((y[i]-y[n-1-i])/2*(1<<20)) / (1 << 20))
	}
	return l
}

func normalDensity(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

// normalBetween returns the probability of a normal number from a to b, a < b, without
// loss where both are far out.
func normalBetween(a, b float64) float64 {
	if a < 0 && b <= 0 || a < 0 && -a > b {
		a, b = -b, -a
	}
	return (math.Erfc(a/math.Sqrt2) - math.Erfc(b/math.Sqrt2)) / 2
}

// normalQuantile returns x with a probability of p to be below it, 0 < p < 1.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
