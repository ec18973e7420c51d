package kernels

// PadF32 returns the smallest row stride, in elements, that [Rank1F32] and
// [CholeskySolveF32] accept for n unknowns: n rounded up to a multiple of 16.
func PadF32(n int) int { return (n + 15) &^ 15 }

// Rank1F32 decays a symmetric n x n matrix and adds a weighted outer product
// to it, as recursive least squares does with each new sample:
//
//	a[i*stride+j] = a[i*stride+j]*decay + (weight*v[i])*v[j]   for j <= i < n
//
// where each product is rounded to float32 before it is used.
//
// Only the lower triangle is meaningful. Elements right of the diagonal are
// scratch: their values after the call are unspecified, up to the end of each
// row. stride is a multiple of 16 not below n (see [PadF32]), a has n*stride
// elements and v has PadF32(n) elements, those from n on being of no effect. Rank1F32 panics if the arguments do not fit.
func Rank1F32(a, v []float32, n, stride int, decay, weight float32) {
	checkTriangle("Rank1F32", a, n, n, stride)
	if len(v) < PadF32(n) {
		panic("kernels: Rank1F32: vector too short")
	}
	rank1F32(a, v, n, stride, decay, weight)
}

// checkTriangle checks a matrix of n unknowns that takes the given rows.
func checkTriangle(name string, a []float32, n, rows, stride int) {
	if n < 0 || stride < n || stride%16 != 0 || stride > 1<<20 {
		panic("kernels: " + name + ": bad size or stride")
	}
	if len(a) < rows*stride {
		panic("kernels: " + name + ": matrix too short")
	}
}

func rank1F32Generic(a, v []float32, n, stride int, decay, weight float32) {
	for i := range n {
		row := a[i*stride:][:i+1]
		u := v[:len(row)]
		s := weight * v[i]
		for j, r := range row {
			row[j] = float32(r*decay) + float32(s*u[j])
		}
	}
}

// ScaleAddF32 sets b[j] = b[j]*decay + s*v[j] for every j, each product rounded
// to float32 before the addition. b and v have the same length, any; a
// multiple of 16 is fastest. ScaleAddF32 panics if the lengths differ.
func ScaleAddF32(b, v []float32, decay, s float32) {
	if len(b) != len(v) {
		panic("kernels: ScaleAddF32: lengths differ")
	}
	scaleAddF32(b, v, decay, s)
}

func scaleAddF32Generic(b, v []float32, decay, s float32) {
	v = v[:len(b)]
	for j, r := range b {
		b[j] = float32(r*decay) + float32(s*v[j])
	}
}
