package lossless

// Efforts 2 and 3 predict each sample as a blend of several fitted linear
// predictions, each weighted by the inverse square of the error it made around:
// as many sets of coefficients as the tile has kinds of texture, which are found
// by clustering. What error remains on average in a context of texture is then
// cancelled, and the activity is a fitted combination as well.
//
// The taps, again as differences from W:
//
//	     NNW NN NNE
//	NWW  NW  N  NE  NEE
//	WW   W   x
//
// the clamped gradient, and the residuals of up to two references at the same
// place and to the right of it.
const (
	blendAbove = 12 // taps known before the row: 8 samples, 4 residuals
	blendTaps  = blendAbove + 2
	blendWW    = blendAbove
	blendMed   = blendAbove + 1
	maxBlend   = 8
	blendRefs  = 8 // first tap that is a residual
)

type blendCoefs [blendTaps]int32

// Features of the activity: magnitudes of residuals and of gradients.
const (
	actAbove    = 10 // known before the row
	actFeatures = actAbove + 4
	actBits     = 3 // fraction bits of their sum
)

// A blender is the state of one channel of a blended prediction. It shares the
// row buffers of its fastChannel.
//
// Predictors go in pairs: one 64-bit product serves two, the coefficients of the
// second being packed 32 bits above those of the first. Their errors go in fours,
// 16 bits each.
type blender struct {
	c      *fastChannel
	coefs  []blendCoefs
	packed [maxBlend / 2][blendTaps]int64
	left   [maxBlend / 2]int64 // packed coefficients of W
	pairs  int
	fours  int

	part  []int64  // [x*pairs+i]: what the predictors of pair i take from above
	near  []uint64 // [x*fours+i]: errors above of the predictors of four i
	errs  [3][]uint64
	bias  [blendCells]blendCell
	drift [driftSteps * driftSteps * driftSteps]blendCell
	act   [actFeatures]int32 // weights of the activity
	absNN []int32            // magnitudes of the residuals two rows above, padded
}

// Errors of predictors are in 1/8 of a sample, or coarser where samples have more
// than 8 bits, and are capped so that their weighted sums index blendWeight.
const (
	blendErrBits = 3
	blendErrMax  = 1 << 10
)

// blendWeight is indexed by the weighted sum of the errors around, divided by 4.
var blendWeight = func() (t [4096]uint32) {
	for i := range t {
		t[i] = 1<<24/uint32((i+3)*(i+3)) + 1
	}
	return
}()

// A blendCell averages the error left in one context: the sum of the last few
// dozen errors in 1/16 of a sample, and their number.
type blendCell struct{ sum, n int16 }

const (
	blendFraction = 4
	blendErrLimit = 5 << blendFraction
	blendCells    = 256 * 8 * 3
	blendWindow   = 128
)

// blendReciprocal is 2^16/(n+20).
var blendReciprocal = func() (t [blendWindow]int64) {
	for n := range t {
		t[n] = int64(1<<16) / int64(n+20)
	}
	return
}()

// newBlender returns the state for an even number of predictors.
func newBlender(c *fastChannel, coefs []blendCoefs) *blender {
	b := &blender{c: c, coefs: coefs, pairs: len(coefs) / 2, fours: (len(coefs) + 3) / 4}
	for i := range coefs {
		w := int64(1 << coefBits)
		for t, v := range coefs[i] {
			if t < blendRefs || t >= blendAbove {
				w -= int64(v)
			}
		}
		b.left[i/2] += w << (32 * (i & 1))
	}
	b.packed = packCoefs(coefs)
	b.part = make([]int64, c.w*b.pairs)
	b.near = make([]uint64, c.w*b.fours)
	b.absNN = make([]int32, c.w+2*rowPad)
	for i := range b.errs {
		b.errs[i] = make([]uint64, (c.w+2*rowPad)*b.fours)
	}
	return b
}

// packCoefs packs the coefficients of predictors in pairs.
func packCoefs(coefs []blendCoefs) (packed [maxBlend / 2][blendTaps]int64) {
	for i := range coefs {
		for t, v := range coefs[i] {
			packed[i/2][t] += int64(v) << (32 * (i & 1))
		}
	}
	return packed
}

// endRow moves on to the next row. It goes before fastChannel.endRow.
func (b *blender) endRow() {
	copy(b.absNN, b.c.absN)
	k := b.fours
	cur := b.errs[0]
	last := (rowPad + b.c.w - 1) * k
	for i := last + k; i < len(cur); i++ {
		cur[i] = cur[i-k]
	}
	for i := rowPad*k - 1; i >= 0; i-- {
		cur[i] = cur[i+k]
	}
	b.errs[0], b.errs[1], b.errs[2] = b.errs[2], b.errs[0], b.errs[1]
}

// prepare does for the blended prediction what fastChannel.prepare does for the
// plain one, for the whole row.
func (b *blender) prepare(x0, x1 int, r1, r2 []int32) {
	c := b.c
	n := x1 - x0
	at := rowPad + x0
	k := b.fours
	near := b.near[x0*k:][:n*k]
	f0 := b.errs[1][(at-1)*k:][:n*k]
	f1 := b.errs[1][at*k:][:n*k]
	f2 := b.errs[1][(at+1)*k:][:n*k]
	g := b.errs[2][at*k:][:n*k]
	for i := range near {
		near[i] = 2*f0[i] + 4*f1[i] + 3*f2[i] + g[i]
	}

	n1 := c.n1[at-2:][:n+4]
	n2 := c.n2[at-1:][:n+2]
	r1 = r1[at:][:n+1]
	r2 = r2[at:][:n+1]
	part := b.part[x0*b.pairs:][:n*b.pairs]
	packed := b.packed[:b.pairs]
	i := 0
	for x := range n {
		nww, nw, no, ne, nee := int64(n1[x]), int64(n1[x+1]), int64(n1[x+2]), int64(n1[x+3]), int64(n1[x+4])
		nnw, nn, nne := int64(n2[x]), int64(n2[x+1]), int64(n2[x+2])
		a, a1, d, d1 := int64(r1[x]), int64(r1[x+1]), int64(r2[x]), int64(r2[x+1])
		for j := range packed {
			w := &packed[j]
			part[i] = w[0]*no + w[1]*nw + w[2]*ne + w[3]*nn + w[4]*nne + w[5]*nnw +
				w[6]*nee + w[7]*nww + w[8]*a + w[9]*a1 + w[10]*d + w[11]*d1
			i++
		}
	}
}

// blend returns the prediction of the sample at x in 1/2^blendFraction and, in
// ps, those of the predictors, for learn.
func (b *blender) blend(x int, sW, sWW, med int64, eW, eWW []uint64, ps *[maxBlend]int64) int64 {
	part := b.part[x*b.pairs:][:b.pairs]
	near := b.near[x*b.fours:][:b.fours]
	eW, eWW = eW[:len(near)], eWW[:len(near)]
	var sum, weights int64
	var s uint64
	for i := range part {
		i &= maxBlend/2 - 1
		if i&1 == 0 {
			s = near[i/2] + 4*eW[i/2] + eWW[i/2]
		}
		w := &b.packed[i]
		p := part[i] + b.left[i]*sW + w[blendWW]*sWW + w[blendMed]*med
		p0 := int64(int32(p))
		p1 := (p - p0) >> (32 + coefBits - blendFraction)
		p0 >>= coefBits - blendFraction
		ps[2*i], ps[2*i+1] = p0, p1
		q0 := int64(blendWeight[s>>2&uint64(len(blendWeight)-1)])
		q1 := int64(blendWeight[s>>18&uint64(len(blendWeight)-1)])
		s >>= 32
		sum += q0*p0 + q1*p1
		weights += q0 + q1
	}
	return sum / weights
}

// learn returns the errors of four predictors.
func (b *blender) learn(s int64, ps []int64) uint64 {
	shift := (blendFraction - blendErrBits + b.c.shift) & 63
	s <<= blendFraction
	var e uint64
	for i, p := range ps {
		e |= min(uint64(abs64(p-s))>>shift, blendErrMax-1) << (16 * i & 63)
	}
	return e
}

// cell returns the bias context of a prediction p from what surrounds it.
func (b *blender) cell(p, w, n, nw, ne, ww, nn int64, aW, aN int32, e1 int64) *blendCell {
	const f = blendFraction
	t := uint64(n<<f-p)>>63 | uint64(w<<f-p)>>63<<1 | uint64(nw<<f-p)>>63<<2 | uint64(ne<<f-p)>>63<<3 |
		uint64(ww<<f-p)>>63<<4 | uint64(nn<<f-p)>>63<<5 | uint64((2*n-nn)<<f-p)>>63<<6 | uint64((2*w-ww)<<f-p)>>63<<7
	a := (uint64(aW+aN) + uint64(abs64(w-nw)+abs64(n-nw))) >> (b.c.shift & 63)
	q := uint64(blendLevel[min(a, uint64(len(blendLevel)-1))])
	r := uint64(1)
	if e1 > 1 {
		r = 2
	} else if e1 < -1 {
		r = 0
	}
	return &b.bias[(t<<3|q)*3+r]
}

// drifting returns the second bias context, by the residuals to the left and of
// the references.
func (b *blender) drifting(eW, e1, e2 int32) *blendCell {
	return &b.drift[(b.step(eW)*driftSteps+b.step(e1))*driftSteps+b.step(e2)]
}

// step quantises a residual to 0..driftSteps-1.
func (b *blender) step(e int32) int {
	return int(driftStep[max(min(e>>(b.c.shift&31), 7), -8)&15])
}

// driftStep is indexed by a residual in -8..7, modulo 16.
var driftStep = [16]uint8{3, 4, 4, 5, 5, 5, 6, 6, 0, 0, 0, 1, 1, 1, 2, 2}

const driftSteps = 7

// correction returns what to add to a prediction, in 1/2^blendFraction of the
// step that the shift leaves.
func (c *blendCell) correction() int64 {
	return int64(c.sum) * blendReciprocal[c.n&(blendWindow-1)] >> 16
}

// learn takes note of an error, which counts only so far: an edge tells nothing
// of what follows.
func (c *blendCell) learn(d int64) {
	c.sum += int16(max(min(d, blendErrLimit), -blendErrLimit))
	c.n++
	if c.n == blendWindow {
		c.sum /= 2
		c.n /= 2
	}
}

// blendLevel quantises the activity for bias contexts to 8 levels.
var blendLevel = func() (t [256]uint8) {
	for i := range t {
		t[i] = uint8(min(7, log2(uint32(i+1))*13/10>>16))
	}
	return
}()

// activity sums what the rows above and the references add to the activity of
// the samples x0 to x1.
func (b *blender) activity(x0, x1 int, r1, r2 []int32) {
	c := b.c
	n := x1 - x0
	at := rowPad + x0
	n1 := c.n1[at-1:][:n+2]
	aN := c.absN[at-1:][:n+2]
	aNN := b.absNN[at:][:n]
	r1 = r1[at:][:n+1]
	r2 = r2[at:][:n+1]
	act := c.act[x0:][:n]
	w := &b.act
	for x := range act {
		sNW, sN, sNE := n1[x], n1[x+1], n1[x+2]
		act[x] = uint32(w[0]*aN[x+1] + w[1]*aN[x+2] + w[2]*aN[x] + w[3]*aNN[x] +
			w[4]*abs32(sN-sNW) + w[5]*abs32(sN-sNE) +
			w[6]*abs32(r1[x]) + w[7]*abs32(r1[x+1]) + w[8]*abs32(r2[x]) + w[9]*abs32(r2[x+1]) + w[actFeatures-1])
	}
}

func abs32(v int32) int32 {
	s := v >> 31
	return (v ^ s) - s
}

// analyse predicts a row, leaves the residuals in c.res and c.abs, and stores
// them folded in out.
func (b *blender) analyse(x0, x1 int, r1, r2 []int32, out []uint32) {
	c := b.c
	n := x1 - x0
	at := rowPad + x0
	k := b.fours
	cur := c.cur[at:][:n]
	above := c.n1[at:][:n+1]
	twice := c.n2[at:][:n]
	absN := c.absN[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	r1 = r1[at:][:n]
	out = out[:n]
	errs := b.errs[0][(at-2)*k:]
	lo, hi := int64(c.lo), int64(c.hi)
	shift := c.shift & 63
	sWW, sW, sNW := int64(c.cur[at-2]), int64(c.cur[at-1]), int64(c.n1[at-1])
	aW := c.abs[at-1]
	var ps [maxBlend]int64
	eLeft := c.res[at-1]
	r2 = r2[at:][:n]
	for x := range cur {
		sN, sNE := int64(above[x]), int64(above[x+1])
		p := b.blend(x0+x, sW, sWW, clampedGradient(sW, sN, sNW), errs[(x+1)*k:], errs[x*k:], &ps)
		cell := b.cell(p, sW, sN, sNW, sNE, sWW, int64(twice[x]), aW, absN[x], int64(r1[x]))
		drift := b.drifting(eLeft, r1[x], r2[x])
		q := p + (cell.correction()+drift.correction())<<shift*3>>2
		half := q >> (blendFraction - 1)
		pred := min(max((half+1)>>1, lo), hi)

		s := int64(cur[x])
		e := int32(s - pred)
		d := (s<<blendFraction - p) >> shift
		cell.learn(d)
		drift.learn(d)
		eLeft = e
		for i := range k {
			errs[(x+2)*k+i] = b.learn(s, ps[4*i:min(4*i+4, 2*b.pairs)])
		}
		a := abs32(e)
		res[x] = e
		abs[x] = a
		flip := int32(half)&1 - 1
		g := (e ^ flip) - flip
		out[x] = uint32(g<<1 ^ g>>31)
		sWW, sW, sNW = sW, s, sN
		aW = a
	}
}

// levels adds the activity levels to the folded residuals of a row, and counts
// the symbols.
func (b *blender) levels(x0, x1 int, out []uint32, hist *[activityLevels * symbolStride]uint32) {
	c := b.c
	n := x1 - x0
	at := rowPad + x0
	cur := c.cur[at-1:][:n]
	above := c.n1[at-1:][:n]
	abs := c.abs[at-2:][:n+1]
	acts := c.act[x0:][:n]
	out = out[:n]
	wW, wWW, wG := b.act[actAbove], b.act[actAbove+1], b.act[actAbove+2]
	for x, z := range out {
		act := acts[x] + uint32(wW*abs[x+1]+wWW*abs[x]+wG*abs32(cur[x]-above[x]))
		level := levelOf(act >> actBits)
		out[x] = level<<18 | z
		var sym uint32
		if z < uint32(len(smallSymbols)) {
			sym = uint32(smallSymbols[z])
		} else {
			sym, _ = symbolOf(z)
		}
		hist[level&(activityLevels-1)*symbolStride|sym&(symbolStride-1)]++
	}
}

// decode decodes a row. It mirrors analyse and levels.
func (b *blender) decode(x0, x1 int, r1, r2 []int32, in *fastStream) {
	c := b.c
	n := x1 - x0
	at := rowPad + x0
	k := b.fours
	cur := c.cur[at:][:n]
	above := c.n1[at:][:n+1]
	twice := c.n2[at:][:n]
	absN := c.absN[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	acts := c.act[x0:][:n]
	r1 = r1[at:][:n]
	errs := b.errs[0][(at-2)*k:]
	lo, hi := int64(c.lo), int64(c.hi)
	shift := c.shift & 63
	wW, wWW, wG := b.act[actAbove], b.act[actAbove+1], b.act[actAbove+2]
	sWW, sW, sNW := int64(c.cur[at-2]), int64(c.cur[at-1]), int64(c.n1[at-1])
	aWW, aW := c.abs[at-2], c.abs[at-1]
	var ps [maxBlend]int64
	eLeft := c.res[at-1]
	r2 = r2[at:][:n]
	for x := range cur {
		act := acts[x] + uint32(wW*aW+wWW*aWW+wG*abs32(int32(sW-sNW)))
		z := in.residual(levelOf(act >> actBits))

		sN, sNE := int64(above[x]), int64(above[x+1])
		p := b.blend(x0+x, sW, sWW, clampedGradient(sW, sN, sNW), errs[(x+1)*k:], errs[x*k:], &ps)
		cell := b.cell(p, sW, sN, sNW, sNE, sWW, int64(twice[x]), aW, absN[x], int64(r1[x]))
		drift := b.drifting(eLeft, r1[x], r2[x])
		q := p + (cell.correction()+drift.correction())<<shift*3>>2
		half := q >> (blendFraction - 1)
		pred := min(max((half+1)>>1, lo), hi)

		g := int32(z>>1) ^ -int32(z&1)
		flip := int32(half)&1 - 1
		e := (g ^ flip) - flip
		s := pred + int64(e)
		d := (s<<blendFraction - p) >> shift
		cell.learn(d)
		drift.learn(d)
		eLeft = e
		for i := range k {
			errs[(x+2)*k+i] = b.learn(s, ps[4*i:min(4*i+4, 2*b.pairs)])
		}
		a := abs32(e)
		cur[x] = int32(s)
		res[x] = e
		abs[x] = a
		sWW, sW, sNW = sW, s, sN
		aWW, aW = aW, a
	}
}
