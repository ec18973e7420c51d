//go:build !noasm

package kernels

//go:generate go -C _generate run ./rows16 -out ../rows16_amd64.s -stubs ../rows16_amd64.go -pkg kernels

// The assembly takes a block of rows and a group of strips, whose weights stay in the
// second-level cache while block after block is taken. Each call stays short because
// assembly cannot be pre-empted.
const (
	groupStrips = 16   // the most strips of a group
	groupPairs  = 4096 // the most pairs of inputs of its strips together, unless it is one
)

// blockI16 returns the rows of the next block where so many are left.
func (l Level) blockI16(left int) int {
	switch {
	case l == AVX512 && left >= 14:
		return 14
	case l == AVX512 && left >= 8:
		return 8
	case l == AVX2 && left >= 6:
		return 6
	case left >= 4:
		return 4
	case left >= 2:
		return 2
	}
	return 1
}

// splitEven sets the first half of dst to the even elements of src and the second half to
// the odd ones.
func splitEven(dst, src []int32) {
	even, odd := dst[:len(dst)/2], dst[len(dst)/2:]
	for i := 0; i+2 <= len(src); i += 2 {
		even[i/2], odd[i/2] = src[i], src[i+1]
	}
	if n := len(src); n%2 != 0 {
		even[n/2] = src[n-1]
	}
}

// groups calls f with the outputs of each group: the first, and how many.
func (p *PanelsI16) groups(f func(o, n int)) {
	most := max(min(groupStrips, groupPairs/p.pairs()), 1) * p.strip()
	for o := 0; o < p.out; o += most {
		f(o, min(most, p.out-o))
	}
}

func (p *PanelsI16) rows(y []int16, ldy int, x []int16, ldx, rows int, e *EpilogueI16) {
	if p.level == Generic {
		p.rowsGeneric(y, ldy, x, ldx, rows, e)
		return
	}
	strip, lanes := p.strip(), p.level.lanes32()
	var params [groupStrips * 5 * 16]int32
	least := e.least() & 0xffff
	least |= least << 16
	p.groups(func(o, n int) {
		for s := 0; s*strip < n; s++ {
			d, from, to := params[s*5*lanes:][:5*lanes], o+s*strip, o+min(n, (s+1)*strip)
			splitEven(d[:strip], e.Bias[from:to])
			splitEven(d[strip:2*strip], e.Mul[from:to])
			for i := 2 * strip; i < len(d); i++ {
				d[i] = least
			}
		}
		for r := 0; r < rows; {
			mr := p.level.blockI16(rows - r)
			p.rowsBlock(mr, o, n, y[r*ldy+o:], ldy, x[r*ldx:], ldx, &params, e.Add, r*e.LdAdd+o, e.LdAdd)
			r += mr
		}
	})
}

// rowsBlock evaluates n outputs of a block of rows, from output o on.
func (p *PanelsI16) rowsBlock(mr, o, n int, y []int16, ldy int, x []int16, ldx int, params *[groupStrips * 5 * 16]int32, residual []int16, at, ldadd int) {
	pairs, odd := p.in/2, p.in%2
	strip := p.strip()
	w := p.w[o/strip*strip*p.pairs()*2:]
	var add *int16
	if residual != nil {
		add = &residual[at]
	}
	if p.level == AVX512 {
		strips := (n + strip - 1) / strip
		last := ^uint32(0) >> (strips*strip - n)
		switch mr {
		case 14:
			rows14I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], add, ldadd, last)
		case 8:
			rows8I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], add, ldadd, last)
		case 4:
			rows4I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], add, ldadd, last)
		case 2:
			rows2I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], add, ldadd, last)
		default:
			rows1I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], add, ldadd, last)
		}
		return
	}
	// The outputs that do not fill a strip take a way round.
	strips, left := n/strip, n%strip
	if strips > 0 {
		p.rowsAVX2(mr, &y[0], ldy, &x[0], ldx, strips, &w[0], &params[0], add, ldadd)
	}
	if left == 0 {
		return
	}
	var edge [6 * 16]int16
	full := strips * strip
	if residual != nil {
		for r := range mr {
			copy(edge[r*strip:][:left], residual[at+r*ldadd+full:])
		}
		add = &edge[0]
	}
	p.rowsAVX2(mr, &edge[0], strip, &x[0], ldx, 1, &w[full*p.pairs()*2], &params[strips*5*8], add, strip)
	for r := range mr {
		copy(y[r*ldy+full:][:left], edge[r*strip:])
	}
}

func (p *PanelsI16) rowsAVX2(mr int, y *int16, ldy int, x *int16, ldx, strips int, w *int16, params *int32, add *int16, ldadd int) {
	pairs, odd := p.in/2, p.in%2
	switch mr {
	case 6:
		rows6I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params, add, ldadd)
	case 4:
		rows4I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params, add, ldadd)
	case 2:
		rows2I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params, add, ldadd)
	default:
		rows1I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params, add, ldadd)
	}
}

func (p *PanelsI16) sums(y []int32, ldy int, x []int16, ldx, rows int, bias []int32) {
	if p.level == Generic {
		p.sumsGeneric(y, ldy, x, ldx, rows, bias)
		return
	}
	strip := p.strip()
	var params [groupStrips * 2 * 16]int32
	p.groups(func(o, n int) {
		if bias != nil {
			for s := 0; s*strip < n; s++ {
				splitEven(params[s*strip:][:strip], bias[o+s*strip:o+min(n, (s+1)*strip)])
			}
		}
		for r := 0; r < rows; {
			mr := p.level.blockI16(rows - r)
			p.sumsBlock(mr, o, n, y[r*ldy+o:], ldy, x[r*ldx:], ldx, &params)
			r += mr
		}
	})
}

// sumsBlock sums up n outputs of a block of rows, from output o on.
func (p *PanelsI16) sumsBlock(mr, o, n int, y []int32, ldy int, x []int16, ldx int, params *[groupStrips * 2 * 16]int32) {
	pairs, odd := p.in/2, p.in%2
	strip := p.strip()
	w := p.w[o/strip*strip*p.pairs()*2:]
	if p.level == AVX512 {
		strips := (n + strip - 1) / strip
		last := ^uint32(0) >> (strips*strip - n)
		switch mr {
		case 14:
			sums14I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], last)
		case 8:
			sums8I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], last)
		case 4:
			sums4I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], last)
		case 2:
			sums2I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], last)
		default:
			sums1I16AVX512(&y[0], ldy, &x[0], ldx, pairs, odd, strips, &w[0], &params[0], last)
		}
		return
	}
	strips, left := n/strip, n%strip
	if strips > 0 {
		p.sumsAVX2(mr, &y[0], ldy, &x[0], ldx, strips, &w[0], &params[0])
	}
	if left == 0 {
		return
	}
	var edge [6 * 16]int32
	full := strips * strip
	p.sumsAVX2(mr, &edge[0], strip, &x[0], ldx, 1, &w[full*p.pairs()*2], &params[full])
	for r := range mr {
		copy(y[r*ldy+full:][:left], edge[r*strip:])
	}
}

func (p *PanelsI16) sumsAVX2(mr int, y *int32, ldy int, x *int16, ldx, strips int, w *int16, params *int32) {
	pairs, odd := p.in/2, p.in%2
	switch mr {
	case 6:
		sums6I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params)
	case 4:
		sums4I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params)
	case 2:
		sums2I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params)
	default:
		sums1I16AVX2(y, ldy, x, ldx, pairs, odd, strips, w, params)
	}
}

func dotLoopI16(n int) (ops int) {
	switch tier {
	case AVX512:
		dotLoopI16AVX512(n)
		return n * 24 * 32 * 2
	case AVX2:
		dotLoopI16AVX2(n)
		return n * 12 * 16 * 2
	}
	return dotLoopI16Generic(n)
}
