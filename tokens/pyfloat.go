package tokens

import "math"

// The processors are written in Python, and a picture's size passes through its floats.
// What differs from Go, or is easily got wrong, is here. Python's true division of ints
// is the float64 quotient of exact ints below 2^53, math.sqrt is correctly rounded in
// both, and int() truncates as a Go conversion does.

// roundHalfEven is Python's round(a / b): to the nearest integer, ties to the even one.
func roundHalfEven(a, b int) int {
	return int(math.RoundToEven(float64(a) / float64(b)))
}

// ceilDiv is ceil(a/b) of positive integers.
func ceilDiv(a, b int) int {
	return (a + b - 1) / b
}

// truncRound7 is Python's int(round(x, 7)) of a positive x. Python rounds the exact
// value of x to seven decimals; that reaches the next integer if x is less than half of
// the last decimal below it. The distance is exact, and never a tie, as 5e-8 is no sum of
// powers of two.
func truncRound7(x float64) int {
	n := math.Floor(x)
	if n+1-x < 5e-8 {
		n++
	}
	return int(n)
}

// logRatio is Python's math.log(a / b). The C library is within 0.52 units in the last
// place, which math.Log is not; a tie between two grids is decided by that place. So the
// logarithm is taken in double-double arithmetic and rounded once.
func logRatio(a, b int) float64 {
	x := float64(a) / float64(b)
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	// log m = 2 artanh s with s = (m-1)/(m+1) and |s| < 0.172, so that s^45 < 2^-114.
	s := ddDiv(ddAdd(dd{m, 0}, dd{-1, 0}), ddAdd(dd{m, 0}, dd{1, 0}))
	s2 := ddMul(s, s)
	var sum dd
	for i := 43; i >= 1; i -= 2 {
		sum = ddAdd(ddMul(sum, s2), ddDiv(dd{1, 0}, dd{float64(i), 0}))
	}
	sum = ddMul(ddMul(sum, s), dd{2, 0})
	// log 2 as the sum of two float64.
	ln2 := ddMul(dd{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}, dd{float64(k), 0})
	return ddAdd(ln2, sum).hi
}

// A dd is a number of twice the precision of a float64, hi + lo with |lo| at most half a
// unit in the last place of hi.
type dd struct{ hi, lo float64 }

func ddAdd(a, b dd) dd {
	s := a.hi + b.hi
	v := s - a.hi
	e := (a.hi - (s - v)) + (b.hi - v) + (a.lo + b.lo)
	hi := s + e
	return dd{hi, e - (hi - s)}
}

func ddMul(a, b dd) dd {
	p := float64(a.hi * b.hi)
	e := math.FMA(a.hi, b.hi, -p) + (float64(a.hi*b.lo) + float64(a.lo*b.hi))
	hi := p + e
	return dd{hi, e - (hi - p)}
}

func ddDiv(a, b dd) dd {
	q := a.hi / b.hi
	r := ddAdd(a, ddMul(dd{-q, 0}, b))
	e := r.hi / b.hi
	hi := q + e
	return dd{hi, e - (hi - q)}
}
