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
