//go:build !noasm

package kernels

//go:generate go -C _generate run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg kernels

// The assembly takes multiples of 16 elements; the Go functions take the rest.

func mixDot(x, w []int32) int32 {
	n := len(x) &^ 15
	if n == 0 || tier == Generic {
		return mixDotGeneric(x, w)
	}
	var s int32
	if tier == AVX512 {
		s = mixDotAVX512(&x[0], &w[0], n)
	} else {
		s = mixDotAVX2(&x[0], &w[0], n)
	}
	if n != len(x) {
		s += mixDotGeneric(x[n:], w[n:])
	}
	return s
}

func mixTrain(w, x []int32, err int32, shift uint) {
	n := len(w) &^ 15
	if n == 0 || tier == Generic {
		mixTrainGeneric(w, x, err, shift)
		return
	}
	if tier == AVX512 {
		mixTrainAVX512(&w[0], &x[0], n, err, shift)
	} else {
		mixTrainAVX2(&w[0], &x[0], n, err, shift)
	}
	if n != len(w) {
		mixTrainGeneric(w[n:], x[n:], err, shift)
	}
}

func rank1F32(a, v []float32, n, stride int, decay, weight float32) {
	switch {
	case n == 0:
	case tier == AVX512:
		rank1F32AVX512(&a[0], &v[0], n, stride, decay, weight)
	case tier == AVX2:
		rank1F32AVX2(&a[0], &v[0], n, stride, decay, weight)
	default:
		rank1F32Generic(a, v, n, stride, decay, weight)
	}
}

func scaleAddF32(b, v []float32, decay, s float32) {
	n := len(b) &^ 15
	if n == 0 || tier == Generic {
		scaleAddF32Generic(b, v, decay, s)
		return
	}
	if tier == AVX512 {
		scaleAddF32AVX512(&b[0], &v[0], n, decay, s)
	} else {
		scaleAddF32AVX2(&b[0], &v[0], n, decay, s)
	}
	if n != len(b) {
		scaleAddF32Generic(b[n:], v[n:], decay, s)
	}
}

func choleskySolveF32(a, b []float32, n, stride int) bool {
	if tier == Generic {
		return choleskySolveF32Generic(a, b, n, stride)
	}
	return choleskySolveF32AVX2(&a[0], &b[0], n, stride)
}
