//go:build !noasm

package kernels

//go:generate go -C _generate run ./train -out ../train_amd64.s -stubs ../train_amd64.go -pkg kernels

func (c *combArgs) call(l Level, mr int) {
	w, bias, x, off := &c.w[0], &c.bias[0], &c.x[0], &c.off[0]
	y, gate := &c.y[0], &c.gate[0]
	if l == AVX512 {
		switch mr {
		case 1:
			comb1F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 2:
			comb2F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 3:
			comb3F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 4:
			comb4F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 5:
			comb5F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 6:
			comb6F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 7:
			comb7F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		case 8:
			comb8F32AVX512(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
		}
		return
	}
	switch mr {
	case 1:
		comb1F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	case 2:
		comb2F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	case 3:
		comb3F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	case 4:
		comb4F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	case 5:
		comb5F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	case 6:
		comb6F32AVX2(c.k, w, bias, x, off, y, c.ldy, gate, c.ldg, c.n, c.flags, c.slope)
	}
}

func (d *dotArgs) call(mr, width int) {
	a, x, off, c := &d.a[0], &d.x[0], &d.off[0], &d.c[0]
	if tier == AVX512 {
		switch 10*mr + width {
		case 13:
			dots1x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 23:
			dots2x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 33:
			dots3x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 43:
			dots4x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 53:
			dots5x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 63:
			dots6x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 73:
			dots7x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 83:
			dots8x3F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 14:
			dots1x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 24:
			dots2x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 34:
			dots3x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 44:
			dots4x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 54:
			dots5x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		case 64:
			dots6x4F32AVX512(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
		}
		return
	}
	switch 10*mr + width {
	case 13:
		dots1x3F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 23:
		dots2x3F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 33:
		dots3x3F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 43:
		dots4x3F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 14:
		dots1x4F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 24:
		dots2x4F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	case 34:
		dots3x4F32AVX2(d.n, d.pieces, a, d.lda, d.stepA, x, off, d.stepX, c, d.ldc)
	}
}

// copy48 copies rows of 48 elements, ld apart, next to each other.
func copy48(dst, src []float32, ld, rows int) {
	if rows == 0 {
		return
	}
	_, _ = dst[48*rows-1], src[(rows-1)*ld+47]
	switch tier {
	case AVX512:
		copy48F32AVX512(&dst[0], &src[0], ld, rows)
	case AVX2:
		copy48F32AVX2(&dst[0], &src[0], ld, rows)
	default:
		copy48Generic(dst, src, ld, rows)
	}
}

func fmaLoop(n int) (flops int) {
	switch tier {
	case AVX512:
		fmaLoopAVX512(n)
		return n * 12 * 16 * 2
	case AVX2:
		fmaLoopAVX2(n)
		return n * 12 * 8 * 2
	}
	return fmaLoopGeneric(n)
}

// The elementwise assembly takes multiples of 16 elements, or of 64 for sums; the
// Go functions take the rest.

func axpbyF32(y, x []float32, b, a float32) {
	n := len(y) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			axpbyF32AVX512(&y[0], &x[0], n, b, a)
		} else {
			axpbyF32AVX2(&y[0], &x[0], n, b, a)
		}
	}
	axpbyGeneric(y[n:], x[n:], b, a)
}

func mulAddF32(y, a, b []float32) {
	n := len(y) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			mulAddF32AVX512(&y[0], &a[0], &b[0], n)
		} else {
			mulAddF32AVX2(&y[0], &a[0], &b[0], n)
		}
	}
	mulAddGeneric(y[n:], a[n:], b[n:])
}

func gateF32(dst, src, by []float32, slope float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			gateF32AVX512(&dst[0], &src[0], &by[0], n, slope)
		} else {
			gateF32AVX2(&dst[0], &src[0], &by[0], n, slope)
		}
	}
	gateGeneric(dst[n:], src[n:], by[n:], slope)
}

func leakyF32(dst, src []float32, slope float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			leakyF32AVX512(&dst[0], &src[0], n, slope)
		} else {
			leakyF32AVX2(&dst[0], &src[0], n, slope)
		}
	}
	leakyGeneric(dst[n:], src[n:], slope)
}

func expF32(dst, src []float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			expF32AVX512(&dst[0], &src[0], n)
		} else {
			expF32AVX2(&dst[0], &src[0], n)
		}
	}
	expGeneric(dst[n:], src[n:])
}

func logF32(dst, src []float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			logF32AVX512(&dst[0], &src[0], n)
		} else {
			logF32AVX2(&dst[0], &src[0], n)
		}
	}
	logGeneric(dst[n:], src[n:])
}

func tanhF32(dst, src []float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			tanhF32AVX512(&dst[0], &src[0], n)
		} else {
			tanhF32AVX2(&dst[0], &src[0], n)
		}
	}
	tanhGeneric(dst[n:], src[n:])
}

func sigmoidF32(dst, src []float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			sigmoidF32AVX512(&dst[0], &src[0], n)
		} else {
			sigmoidF32AVX2(&dst[0], &src[0], n)
		}
	}
	sigmoidGeneric(dst[n:], src[n:])
}

func geluF32(dst, src []float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			geluF32AVX512(&dst[0], &src[0], n)
		} else {
			geluF32AVX2(&dst[0], &src[0], n)
		}
	}
	geluGeneric(dst[n:], src[n:])
}

func geluGradF32(dx, dy, x []float32) {
	n := len(dx) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			geluGradF32AVX512(&dx[0], &dy[0], &x[0], n)
		} else {
			geluGradF32AVX2(&dx[0], &dy[0], &x[0], n)
		}
	}
	geluGradGeneric(dx[n:], dy[n:], x[n:])
}

func softRoundF32(dst, src []float32, inverse, half float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			softRoundF32AVX512(&dst[0], &src[0], n, inverse, half)
		} else {
			softRoundF32AVX2(&dst[0], &src[0], n, inverse, half)
		}
	}
	softRoundGeneric(dst[n:], src[n:], inverse, half)
}

func softRoundGradF32(dx, dy, x []float32, inverse, half float32) {
	n := len(dx) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			softRoundGradF32AVX512(&dx[0], &dy[0], &x[0], n, inverse, half)
		} else {
			softRoundGradF32AVX2(&dx[0], &dy[0], &x[0], n, inverse, half)
		}
	}
	softRoundGradGeneric(dx[n:], dy[n:], x[n:], inverse, half)
}

func adamF32(p, g, m, v []float32, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay float32) {
	n := len(p) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			adamF32AVX512(&p[0], &g[0], &m[0], &v[0], n, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay)
		} else {
			adamF32AVX2(&p[0], &g[0], &m[0], &v[0], n, scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay)
		}
	}
	adamGeneric(p[n:], g[n:], m[n:], v[n:], scale, b1, a1, b2, a2, rate, correction, floor, epsilon, decay)
}

func laplaceBitsF32(bits, dx, dmu, ds, x, mu, s []float32, weight, lo, hi float32) {
	n := len(bits) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			laplaceBitsF32AVX512(&bits[0], &dx[0], &dmu[0], &ds[0], &x[0], &mu[0], &s[0], n, weight, lo, hi)
		} else {
			laplaceBitsF32AVX2(&bits[0], &dx[0], &dmu[0], &ds[0], &x[0], &mu[0], &s[0], n, weight, lo, hi)
		}
	}
	laplaceBitsGeneric(bits[n:], dx[n:], dmu[n:], ds[n:], x[n:], mu[n:], s[n:], weight, lo, hi)
}

func interleaveF32(dst, a, b []float32) {
	n := len(a) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			interleaveF32AVX512(&dst[0], &a[0], &b[0], n)
		} else {
			interleaveF32AVX2(&dst[0], &a[0], &b[0], n)
		}
	}
	interleaveGeneric(dst[2*n:], a[n:], b[n:])
}

func deinterleaveF32(a, b, src []float32) {
	n := len(a) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			deinterleaveF32AVX512(&a[0], &b[0], &src[0], n)
		} else {
			deinterleaveF32AVX2(&a[0], &b[0], &src[0], n)
		}
	}
	deinterleaveGeneric(a[n:], b[n:], src[2*n:])
}

func dotF32(x, y []float32) float32 {
	n := len(x) &^ 63
	if n == 0 || tier == Generic {
		return dotGeneric(x, y)
	}
	var s float32
	if tier == AVX512 {
		s = dotF32AVX512(&x[0], &y[0], n)
	} else {
		s = dotF32AVX2(&x[0], &y[0], n)
	}
	return s + dotGeneric(x[n:], y[n:])
}

func sumF32(x []float32) float32 {
	n := len(x) &^ 63
	if n == 0 || tier == Generic {
		return sumGeneric(x)
	}
	var s float32
	if tier == AVX512 {
		s = sumF32AVX512(&x[0], n)
	} else {
		s = sumF32AVX2(&x[0], n)
	}
	return s + sumGeneric(x[n:])
}

func normalF32(dst []float32, key, first uint32, scale, offset float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			normalF32AVX512(&dst[0], n, key, first, scale, offset)
		} else {
			normalF32AVX2(&dst[0], n, key, first, scale, offset)
		}
	}
	normalGeneric(dst[n:], key, first+uint32(n), scale, offset)
}

func uniformF32(dst []float32, key, first uint32, scale, offset float32) {
	n := len(dst) &^ 15
	if tier == Generic {
		n = 0
	}
	if n > 0 {
		if tier == AVX512 {
			uniformF32AVX512(&dst[0], n, key, first, scale, offset)
		} else {
			uniformF32AVX2(&dst[0], n, key, first, scale, offset)
		}
	}
	uniformGeneric(dst[n:], key, first+uint32(n), scale, offset)
}
