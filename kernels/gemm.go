package kernels

// A Gemm multiplies float32 matrices, row-major with leading dimensions; it
// holds the packed copies that this takes. The zero value is ready. A Gemm is
// for one goroutine at a time; to use several, give each its own and a range of
// columns.
//
// Sums are in the order of k for NN and TN, in one chain for each element with a
// rounding to memory every 192, and in the order of [DotsF32] for NT: they depend
// on the tier and the sizes alone.
type Gemm struct {
	a     Panels
	strip [gemmDepth * 48]float32
	off   [gemmDepth]int
}

// gemmDepth is the most rows of b that one pass takes: a strip of 48 columns of
// them, 36 kB, stays in the first-level cache.
const gemmDepth = 192

// NN computes c = a*b, or c += a*b if add, for a of m x k, b of k x n and c of m x n.
// It panics if a matrix is too short for its leading dimension; where m, n or k is
// zero it does nothing, but clears c if k is zero and add is false.
func (g *Gemm) NN(c []float32, ldc int, a []float32, lda int, b []float32, ldb, m, n, k int, add bool) {
	if checkGemm(c, ldc, a, lda, m, k, b, ldb, k, n, m, n, k, add) {
		g.rows(c, ldc, a, lda, false, b, ldb, m, n, k, add)
	}
}

// TN computes c = aᵀ*b, or c += aᵀ*b if add, for a of k x m, b of k x n and c of
// m x n; otherwise it is like [Gemm.NN].
func (g *Gemm) TN(c []float32, ldc int, a []float32, lda int, b []float32, ldb, m, n, k int, add bool) {
	if checkGemm(c, ldc, a, lda, k, m, b, ldb, k, n, m, n, k, add) {
		g.rows(c, ldc, a, lda, true, b, ldb, m, n, k, add)
	}
}

// NT computes c = a*bᵀ, or c += a*bᵀ if add, for a of m x k, b of n x k and c of
// m x n; otherwise it is like [Gemm.NN]. It is meant for long rows: below some
// hundred elements the summing up takes a good part of the time.
func (g *Gemm) NT(c []float32, ldc int, a []float32, lda int, b []float32, ldb, m, n, k int, add bool) {
	if !checkGemm(c, ldc, a, lda, m, k, b, ldb, n, k, m, n, k, add) {
		return
	}
	if !add {
		clearMatrix(c, ldc, m, n)
	}
	for j := 0; j < n; j += gemmDepth {
		w := min(gemmDepth, n-j)
		for i := range w {
			g.off[i] = i * ldb
		}
		DotsF32(c[j:], ldc, a, lda, 0, m, b[j*ldb:], g.off[:w], 0, k, 1)
	}
}

// rows is NN and TN.
func (g *Gemm) rows(c []float32, ldc int, a []float32, lda int, transposed bool, b []float32, ldb, m, n, k int, add bool) {
	for p := 0; p < k; p += gemmDepth {
		kc := min(gemmDepth, k-p)
		if transposed {
			g.a.PackT(a[p*lda:], m, kc, lda, nil)
		} else {
			g.a.Pack(a[p:], m, kc, lda, nil)
		}
		e := Epilogue{Add: add || p > 0}
		b := b[p*ldb:]
		// Rows that many blocks use again must stay in cache: rows far apart fall
		// on few of its sets, the more so if they are a page apart.
		j := 0
		if m > 2*tier.combRows() && (kc > 48 || kc > 8 && ldb%1024 == 0) {
			for i := range kc {
				g.off[i] = i * 48
			}
			for ; j+48 <= n; j += 48 {
				copy48(g.strip[:], b[j:], ldb, kc)
				g.a.Apply(c[j:], ldc, g.strip[:], g.off[:kc], 48, e)
			}
		}
		if j < n {
			for i := range kc {
				g.off[i] = i * ldb
			}
			g.a.Apply(c[j:], ldc, b[j:], g.off[:kc], n-j, e)
		}
	}
}

func copy48Generic(dst, src []float32, ld, rows int) {
	for r := range rows {
		copy(dst[r*48:][:48], src[r*ld:])
	}
}

// checkGemm reports whether there is anything to multiply.
func checkGemm(c []float32, ldc int, a []float32, lda, ra, ca int, b []float32, ldb, rb, cb, m, n, k int, add bool) bool {
	if m < 0 || n < 0 || k < 0 {
		panic("kernels: Gemm: negative size")
	}
	if m == 0 || n == 0 {
		return false
	}
	checkMatrix("Gemm", c, m, n, ldc)
	if k == 0 {
		if !add {
			clearMatrix(c, ldc, m, n)
		}
		return false
	}
	checkMatrix("Gemm", a, ra, ca, lda)
	checkMatrix("Gemm", b, rb, cb, ldb)
	return true
}

func clearMatrix(c []float32, ldc, m, n int) {
	for i := range m {
		clear(c[i*ldc:][:n])
	}
}

// FMALoop runs n rounds of independent multiply-adds in registers, in the tier in
// use, and returns how many floating-point operations those were. Its speed is
// the peak that benchmarks compare kernels with.
func FMALoop(n int) (flops int) { return fmaLoop(n) }

// fmaLoopGeneric is the same in Go, where the multiplications and additions are
// not fused.
func fmaLoopGeneric(n int) (flops int) {
	var s [8]float32
	for range n {
		for i := range s {
			s[i] += s[0] * s[0]
		}
	}
	if s[0] != 0 {
		panic("kernels: zero is not zero")
	}
	return n * len(s) * 2
}
