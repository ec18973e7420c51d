package kernels

import "math"

// Noise is a function of a key and a counter, so that it does not depend on which
// worker makes which part of it. The function is C. Wellons's 32-bit mixer of two
// multiplications ("Prospecting for Hash Functions", 2018). It is exact: all tiers
// give the same bits.
//
// A normal variate is the sum of the four 16-bit halves of two such words, less its
// mean: bell-shaped, with all odd moments zero, but of kurtosis 2.7 instead of 3, and
// never beyond 3.46 deviations. That is good for noise in training.

func mix32(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	return x ^ x>>16
}

// NormalF32 sets dst[i] to nearly normal noise of the given deviation, which depends
// on key and the number first+i, modulo 2^32, alone.
func NormalF32(dst []float32, key, first uint32, deviation float32) {
	normalF32(dst, mix32(key), first, deviation/float32(math.Sqrt((1<<32-1)/3.0)), 0)
}

// UniformF32 sets dst[i] to noise uniform from lo to below hi, but for rounding, which
// depends on key and the number first+i, modulo 2^32, alone.
func UniformF32(dst []float32, key, first uint32, lo, hi float32) {
	uniformF32(dst, mix32(key), first, (hi-lo)/(1<<24), lo)
}

func normalGeneric(dst []float32, key, first uint32, scale, offset float32) {
	for i := range dst {
		a := mix32((first + uint32(i)) ^ key)
		b := mix32(a + 0x9e3779b9)
		s := int32(a>>16+a&0xffff+b>>16+b&0xffff) - 131070
		dst[i] = float32(float32(s)*scale) + offset
	}
}

func uniformGeneric(dst []float32, key, first uint32, scale, offset float32) {
	for i := range dst {
		a := mix32((first + uint32(i)) ^ key)
		dst[i] = float32(float32(a>>8)*scale) + offset
	}
}
