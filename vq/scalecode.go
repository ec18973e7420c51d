package vq

import "math"

// A scale, a number from 0 up, is stored as a code of 16 bits: the exponent of the
// float32 and 8 bits after the leading one. The relative error of rounding is at most
// 2^-9, and its mean square at most 2^-18/3: 59 dB below what is scaled, or more. Infinity has
// no code.
const scaleSize = 0xff << 8

// scaleCode returns the code nearest to v; that of a NaN or a negative number is 0.
func scaleCode(v float32) uint32 {
	if !(v > 0) {
		return 0
	}
	b := uint64(math.Float32bits(v))
	return uint32(min((b+(1<<14-1)+b>>15&1)>>15, scaleSize-1))
}

// scaleOf returns what a code stands for, exactly.
func scaleOf(code uint32) float32 { return math.Float32frombits(code << 15) }

// scaled sets dst to x divided by s, or to zeros where that is not possible.
func scaled(dst, x []float32, s float32) {
	if inv := 1 / s; s > 0 && inv <= math.MaxFloat32 {
		for i, v := range x {
			dst[i] = v * inv
		}
		return
	}
	clear(dst[:len(x)])
}

// norm returns the Euclidean norm of x; infinite and wrong numbers have a norm of 0.
func norm(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	if !(s <= math.MaxFloat64) {
		return 0
	}
	return math.Sqrt(s)
}
