package kernels

// The factorisation runs from the last unknown to the first, because the lower
// triangle is stored by rows: row k then holds, contiguous, everything that
// eliminating unknown k needs. With a the matrix (only j <= i used), b the
// right-hand side, and every product rounded before it is subtracted,
//
//	u[k][j] = a[k][j] - u[n-1][j]*f[n-1][k] - ... - u[k+1][j]*f[k+1][k]    j <= k
//	r[k]    = 1 / u[k][k]
//	f[k][j] = u[k][j] * r[k]
//	y[k]    = b[k] - f[n-1][k]*y[n-1] - ... - f[k+1][k]*y[k+1]
//	z[k]    = y[k] * r[k]
//	x[k]    = z[k] - f[k][0]*x[0] - ... - f[k][k-1]*x[k-1]
//
// subtracting from left to right. This is the square-root-free Cholesky
// factorisation A = F^T D F (Golub and Van Loan, "Matrix Computations", 4.1).
// The order is fixed for each element on its own, so a tier may take the
// elements in any order, several pivots at a time, or many lanes at once, and
// still return the same bits.

// cholTiny is the smallest pivot that CholeskySolveF32 divides by.
const cholTiny = 1e-20

// CholeskyMax is the largest system that [CholeskySolveF32] solves.
const CholeskyMax = 48

// CholeskySolveF32 solves the symmetric positive definite system A*x = b in
// place: b is replaced by x. It returns false, leaving b unspecified, if a
// pivot is not above 1e-20 (which includes NaN).
//
// A is given by its lower triangle, a[i*stride+j] for j <= i < n, and is
// destroyed, as is everything right of it and the rows past it. n is at most
// [CholeskyMax]; stride is a multiple of 16 not below n (see [PadF32]); a has
// PadF32(n)*stride elements and b has PadF32(n), those from n on being
// unspecified after the call. CholeskySolveF32 panics if the arguments do not
// fit.
func CholeskySolveF32(a, b []float32, n, stride int) (ok bool) {
	checkTriangle("CholeskySolveF32", a, n, PadF32(n), stride)
	if n > CholeskyMax {
		panic("kernels: CholeskySolveF32: too many unknowns")
	}
	if len(b) < PadF32(n) {
		panic("kernels: CholeskySolveF32: right-hand side too short")
	}
	if n == 0 {
		return true
	}
	return choleskySolveF32(a, b, n, stride)
}

func choleskySolveF32Generic(a, b []float32, n, stride int) bool {
	// Two pivots a round, so that the rest of the matrix is read and written half
	// as often.
	var u, v, inv [CholeskyMax]float32
	k := n - 1
	for ; k > 0; k -= 2 {
		f := a[k*stride:][:k+1]
		if !(f[k] > cholTiny) {
			return false
		}
		inv[k] = choleskyPivot(f, u[:], b)
		g := a[(k-1)*stride:][:k]
		for j, w := range g {
			g[j] = w - float32(f[k-1]*u[j])
		}
		if !(g[k-1] > cholTiny) {
			return false
		}
		inv[k-1] = choleskyPivot(g, v[:], b)
		f, g = f[:k-1], g[:k-1]
		for i := range g {
			fi, gi := f[i], g[i]
			row := a[i*stride:][:i+1]
			u, v := u[:len(row)], v[:len(row)]
			for j, w := range row {
				w -= float32(fi * u[j])
				row[j] = w - float32(gi*v[j])
			}
		}
	}
	if k == 0 {
		if !(a[0] > cholTiny) {
			return false
		}
		inv[0] = 1 / a[0]
	}
	x := b[:n]
	for k := range x {
		z := x[k] * inv[k]
		for j, fj := range a[k*stride:][:k] {
			z -= float32(fj * x[j])
		}
		x[k] = z
	}
	return true
}

// choleskyPivot divides a row, whose last element is the pivot, by the pivot,
// takes it off the right-hand side, and returns the pivot's reciprocal and, in
// u, the row as it was.
func choleskyPivot(row, u, b []float32) float32 {
	k := len(row) - 1
	r := 1 / row[k]
	y := b[k]
	copy(u, row)
	b = b[:len(row)]
	for j, w := range row[:k] {
		f := w * r
		row[j] = f
		b[j] -= float32(f * y)
	}
	return r
}
