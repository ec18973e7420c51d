package entropy

import (
	"fmt"
	"math"
)

// A Family is a shape of distributions of real numbers, which a mean and a scale
// place. The integer q takes the mass between q-1/2 and q+1/2. All are symmetric, so
// each is given by its upper tail, the mass above x scales from the mean, x >= 0:
//
//	Gaussian   erfc(x/sqrt(2))/2     the scale is the standard deviation
//	Laplace    exp(-x)/2             the scale is the mean distance from the mean
//	Logistic   1/(1+exp(x))          the scale is 0.551 standard deviations
//
// Tails are computed with + and / on float64, and products that are rounded before
// anything is added to them, and without package math: they are the same bits on
// every machine. Their relative error is below 1e-11 for x up to 20.
type Family uint8

// The families of distributions.
const (
	Gaussian Family = iota
	Laplace
	Logistic
	families
)

// String returns the family's name.
func (f Family) String() string {
	switch f {
	case Gaussian:
		return "Gaussian"
	case Laplace:
		return "Laplace"
	case Logistic:
		return "logistic"
	}
	return fmt.Sprintf("Family(%d)", uint8(f))
}

// tailEnd is where tails are taken to be empty: 1e-26 for the longest.
const tailEnd = 60

// upper returns the mass above x scales from the mean, for x >= 0.
func (f Family) upper(x float64) float64 {
	if x > tailEnd {
		return 0
	}
	switch f {
	case Laplace:
		return expNeg(x) / 2
	case Logistic:
		e := expNeg(x)
		return e / (1 + e)
	}
	const sqrtTwoPi = 2.506628274631000502415765284811
	xx := float64(x * x)
	density := expNeg(xx/2) / sqrtTwoPi
	if x < 3 {
		// The series density * (x + x^3/3 + x^5/(3*5) + ...) of the mass between 0
		// and x: all terms positive, 48 of them leave less than 1e-18.
		sum, term := x, x
		for k := 3.0; k < 99; k += 2 {
			term = float64(term*xx) / k
			sum += term
		}
		return 0.5 - float64(density*sum)
	}
	// Laplace's continued fraction, density / (x + 1/(x + 2/(x + 3/(x + ...)))), from
	// the far end.
	t := x
	for k := 40.0; k > 0; k-- {
		t = x + k/t
	}
	return density / t
}

// mass returns the mass between lo and hi scales from the mean, lo < hi.
func (f Family) mass(lo, hi float64) float64 {
	switch {
	case lo >= 0:
		return f.upper(lo) - f.upper(hi)
	case hi <= 0:
		return f.upper(-hi) - f.upper(-lo)
	}
	return 1 - f.upper(-lo) - f.upper(hi)
}

// expOf returns exp(x), the same on every machine, for |x| up to 200.
func expOf(x float64) float64 {
	if x > 0 {
		return 1 / expNeg(x)
	}
	return expNeg(-x)
}

// logOf returns the natural logarithm of x > 0, the same on every machine. Its
// error is below 1e-14 and 1e-15 of the value.
func logOf(x float64) float64 {
	const ln2 = 0.693147180559945309417232121458
	m, e := math.Frexp(x) // exact
	if m < 0.7071 {
		m *= 2
		e--
	}
	// ln m = 2 atanh t = 2 (t + t^3/3 + t^5/5 + ...), |t| < 0.172
	t := (m - 1) / (m + 1)
	tt := float64(t * t)
	sum := 0.0
	for k := 25.0; k > 0; k -= 2 {
		sum = 1/k + float64(sum*tt)
	}
	return float64(float64(e)*ln2) + float64(2*float64(t*sum))
}
