package kernels

// Logistic mixing combines the stretched probabilities x of several models
// into one by a weighted sum, and after each bit moves the weights along the
// gradient of the coding cost (Mahoney, "Adaptive Weighing of Context Models
// for Lossless Data Compression", 2005). Both steps are integer, so encoder
// and decoder stay in step on every machine.

// mixLimit bounds the weights that MixTrain leaves behind.
const mixLimit = 1<<19 - 1

// MixDot returns the sum over i of (x[i]*w[i])>>10, where the product wraps at
// 32 bits, the shift is arithmetic and applies to each product, and the sum
// wraps at 32 bits. With |x[i]| < 1<<12 and |w[i]| < 1<<19, as [MixTrain]
// leaves them, no product wraps.
//
// x and w have the same length, any; a multiple of 16 is fastest. MixDot
// panics if the lengths differ.
func MixDot(x, w []int32) int32 {
	if len(x) != len(w) {
		panic("kernels: MixDot: lengths differ")
	}
	return mixDot(x, w)
}

// MixTrain adds to every weight its share of the error and clamps it:
//
//	w[i] = clamp(w[i] + (x[i]*err + 1<<(shift-1))>>shift, -(1<<19-1), 1<<19-1)
//
// The product and both sums wrap at 32 bits; the shift is arithmetic.
//
// w and x have the same length, any; a multiple of 16 is fastest. MixTrain
// panics if the lengths differ or shift is not in 1..31.
func MixTrain(w, x []int32, err int32, shift uint) {
	if len(x) != len(w) {
		panic("kernels: MixTrain: lengths differ")
	}
	if shift-1 > 30 {
		panic("kernels: MixTrain: shift out of range")
	}
	mixTrain(w, x, err, shift)
}

func mixDotGeneric(x, w []int32) int32 {
	w = w[:len(x)]
	var s0, s1 int32
	for len(x) >= 4 && len(w) >= 4 {
		s0 += x[0]*w[0]>>10 + x[1]*w[1]>>10
		s1 += x[2]*w[2]>>10 + x[3]*w[3]>>10
		x, w = x[4:], w[4:]
	}
	for i, v := range x {
		s0 += v * w[i] >> 10
	}
	return s0 + s1
}

func mixTrainGeneric(w, x []int32, err int32, shift uint) {
	x = x[:len(w)]
	shift &= 31
	round := int32(1) << (shift - 1)
	for i, v := range w {
		v += (x[i]*err + round) >> shift
		w[i] = max(-mixLimit, min(mixLimit, v))
	}
}
