package metric

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// An Interval is a confidence interval.
type Interval struct {
	Low, High float64
	Dropped   int // resamples that did not count as their statistic was NaN
}

// ErrUnstable says that the statistic is undefined for so many resamples that
// the rest would mislead.
var ErrUnstable = errors.New("metric: the statistic is NaN for more than a tenth of the resamples")

// Bootstrap returns the percentile interval of a statistic over n pictures, such
// as a mean or the BD-rate of two codecs: it draws n pictures with replacement,
// resamples times, and leaves out (1-confidence)/2 of the values of stat at either
// end. stat gets the drawn pictures as indices from 0 to n-1, the same for all the
// codecs that it compares, so that what they share cancels out. It must not keep
// the slice, and returns NaN where it is not defined. The result depends on
// nothing but the arguments.
//
// Of N values in order the ends are the k-th and the (N+1-k)-th with
// k = floor((N+1)(1-confidence)/2); 999 resamples suit confidences of 0.9, 0.95
// and 0.99. The interval knows of no pictures but the n: with few of them, as with
// the 24 of Kodak, it comes out somewhat narrow.
//
// It is an error if n is not positive, confidence is not between 0 and 1, k is 0
// (fewer than 39 resamples for 0.95), or, as ErrUnstable, more than a tenth of the
// values are NaN.
//
// B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter
// 13; the rank k is that of section 12.5.
func Bootstrap(n, resamples int, seed uint64, confidence float64, stat func(index []int) float64) (Interval, error) {
	if n <= 0 {
		return Interval{}, fmt.Errorf("metric: a bootstrap over %d pictures", n)
	}
	if !(confidence > 0 && confidence < 1) {
		return Interval{}, fmt.Errorf("metric: confidence of %g is not between 0 and 1", confidence)
	}
	if rank(resamples, confidence) < 1 {
		return Interval{}, fmt.Errorf("metric: %d resamples are too few for a confidence of %g", resamples, confidence)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	index := make([]int, n)
	var values []float64
	for range resamples {
		for i := range index {
			index[i] = rng.IntN(n)
		}
		if v := stat(index); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	dropped := resamples - len(values)
	k := rank(len(values), confidence)
	if dropped > resamples/10 || k < 1 {
		return Interval{}, fmt.Errorf("%w: %d of %d", ErrUnstable, dropped, resamples)
	}
	slices.Sort(values)
	return Interval{values[k-1], values[len(values)-k], dropped}, nil
}

// rank returns the k of Bootstrap for n values. What is added makes up for
// confidences such as 0.9, whose difference to 1 is rounded down.
func rank(n int, confidence float64) int {
	return int(math.Floor((float64(n)+1)*(1-confidence)/2 + 1e-9))
}
