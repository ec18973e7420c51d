package metric

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func mean(v []float64, index []int) float64 {
	sum := 0.0
	for _, i := range index {
		sum += v[i]
	}
	return sum / float64(len(index))
}

// Intervals of the mean of 50 normal values hold the true mean about as often as
// they say. The percentile interval of a mean has half a width of
// z sqrt((n-1)/n) s/sqrt(n), so its true coverage is that of Student's t with 49
// degrees of freedom at z sqrt(49/50): 0.8901 for 0.9 and 0.9419 for 0.95, up to
// what the resampling adds. Four standard deviations of the binomial count are
// allowed about it; an interval off by a rank or one-sided lies far outside.
func TestBootstrapCoverage(t *testing.T) {
	const trials, n = 2000, 50
	rng := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ confidence, coverage float64 }{{0.9, 0.8901}, {0.95, 0.9419}} {
		low, high := 0, 0 // how often the interval lies all below or all above
		for seed := range uint64(trials) {
			v := make([]float64, n)
			for i := range v {
				v[i] = 3 + 2*rng.NormFloat64()
			}
			interval, err := Bootstrap(n, 399, seed, test.confidence, func(index []int) float64 { return mean(v, index) })
			if err != nil {
				t.Fatal(err)
			}
			if interval.High < 3 {
				low++
			}
			if interval.Low > 3 {
				high++
			}
		}
		// Each side misses with half the rest.
		p := (1 - test.coverage) / 2
		tolerance := 4 * math.Sqrt(trials*p*(1-p))
		t.Logf("confidence %g: below in %d, above in %d of %d, expected %.1f ± %.1f", test.confidence, low, high, trials, trials*p, tolerance)
		if math.Abs(float64(low)-trials*p) > tolerance || math.Abs(float64(high)-trials*p) > tolerance {
			t.Errorf("confidence %g: below in %d, above in %d of %d, want %.1f ± %.1f", test.confidence, low, high, trials, trials*p, tolerance)
		}
	}
}

// The ends are order statistics of the values, here the numbers of the calls.
func TestBootstrapRanks(t *testing.T) {
	for _, test := range []struct {
		resamples  int
		confidence float64
		low, high  float64
	}{
		{999, 0.95, 25, 975},
		{999, 0.9, 50, 950}, // not 49 and 951 though 1-0.9 < 0.1
		{999, 0.99, 5, 995},
		{1000, 0.95, 25, 976},
		{39, 0.95, 1, 39},
		{3, 0.5, 1, 3},
	} {
		call := 0.0
		got, err := Bootstrap(7, test.resamples, 0, test.confidence, func([]int) float64 { call++; return call })
		if err != nil {
			t.Fatal(err)
		}
		if want := (Interval{test.low, test.high, 0}); got != want {
			t.Errorf("%d resamples, confidence %g: %+v, want %+v", test.resamples, test.confidence, got, want)
		}
	}
}

// A seed gives the same interval for ever, another seed another one, and the
// pictures are drawn evenly.
func TestBootstrapSeed(t *testing.T) {
	v := []float64{31.2, 28.7, 35.1, 30.3, 26.9, 33.8, 29.5, 32.2}
	drawn := make([]int, len(v))
	stat := func(index []int) float64 {
		if len(index) != len(v) {
			t.Fatalf("%d pictures drawn, want %d", len(index), len(v))
		}
		for _, i := range index {
			drawn[i]++
		}
		return mean(v, index)
	}
	const resamples = 4000
	first, err := Bootstrap(len(v), resamples, 42, 0.95, stat)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range drawn { // each is binomial, of 8*4000 draws at 1/8
		if want, sd := float64(resamples), math.Sqrt(resamples*7/8); math.Abs(float64(n)-want) > 5*sd {
			t.Errorf("picture %d drawn %d times, want %g ± %g", i, n, want, 5*sd)
		}
	}
	again, err := Bootstrap(len(v), resamples, 42, 0.95, stat)
	if err != nil {
		t.Fatal(err)
	}
	if first != again {
		t.Errorf("seed 42 gave %+v, then %+v", first, again)
	}
	other, err := Bootstrap(len(v), resamples, 43, 0.95, stat)
	if err != nil {
		t.Fatal(err)
	}
	if other == first {
		t.Errorf("seeds 42 and 43 both gave %+v", first)
	}
	golden, err := Bootstrap(10, 199, 7, 0.9, func(index []int) float64 {
		sum := 0
		for k, i := range index {
			sum += (k + 1) * (k + 1) * i
		}
		return float64(sum)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Interval{973, 2527, 0}); golden != want {
		t.Errorf("seed 7 gave %+v, want %+v: published intervals change", golden, want)
	}
}

func TestBootstrapBDRate(t *testing.T) {
	// Two codecs on 6 pictures that differ much among each other; the second codec
	// spends 10 % less on each. All pairs of mean curves are then 10 % apart.
	const n = 6
	curveOf := func(index []int, factor float64) []Point {
		points := slices.Clone(irregularA)
		for j := range points {
			rate := 0.0
			for _, i := range index {
				rate += points[j].Rate * float64(1+i) * factor
			}
			points[j].Rate = rate / n
		}
		return points
	}
	got, err := Bootstrap(n, 199, 1, 0.95, func(index []int) float64 {
		d, err := BDRate(curveOf(index, 1), curveOf(index, 0.9), PCHIP, Range{})
		if err != nil {
			return math.NaN()
		}
		return d.Value
	})
	if err != nil {
		t.Fatal(err)
	}
	if !near(got.Low, -10, 1e-12) || !near(got.High, -10, 1e-12) || got.Dropped != 0 {
		t.Errorf("%+v, want -10 %% at both ends: the pictures are drawn in pairs", got)
	}
}

func TestBootstrapErrors(t *testing.T) {
	one := func([]int) float64 { return 1 }
	for _, test := range []struct {
		n, resamples int
		confidence   float64
	}{
		{0, 100, 0.95}, {-1, 100, 0.95},
		{5, 38, 0.95}, {5, 0, 0.95}, {5, -3, 0.95},
		{5, 100, 0}, {5, 100, 1}, {5, 100, -0.5}, {5, 100, 1.5}, {5, 100, math.NaN()},
	} {
		if got, err := Bootstrap(test.n, test.resamples, 0, test.confidence, one); err == nil || got != (Interval{}) {
			t.Errorf("%+v: %+v and error %v", test, got, err)
		}
	}
	// Every tenth value NaN is left out, more is an error.
	for _, test := range []struct {
		nan  int
		want error
	}{{20, nil}, {21, ErrUnstable}, {200, ErrUnstable}} {
		call := 0
		got, err := Bootstrap(5, 200, 0, 0.9, func([]int) float64 {
			call++
			if call <= test.nan {
				return math.NaN()
			}
			return float64(call)
		})
		if !errors.Is(err, test.want) {
			t.Errorf("%d NaN: error %v, want %v", test.nan, err, test.want)
		}
		// Of the 180 values 21 to 200 the 9th and the 172nd.
		if want := (Interval{29, 192, 20}); err == nil && got != want {
			t.Errorf("%d NaN: %+v, want %+v", test.nan, got, want)
		}
	}
	// 41 resamples are enough for 0.95, the 37 that are left are not.
	call := 0
	if _, err := Bootstrap(5, 41, 0, 0.95, func([]int) float64 {
		if call++; call <= 4 {
			return math.NaN()
		}
		return 1
	}); !errors.Is(err, ErrUnstable) {
		t.Errorf("too few left: %v", err)
	}
}
