package lossless

// A predicted tile is coded channel by channel. A sample is predicted as a
// linear combination of its neighbours
//
//	      NN
//	  NW  N  NE
//	WW W  x
//
// of the clamped gradient med(W, N, W+N-NW), and of the residuals that up to two
// channels coded earlier left at the same place; the coefficients are fitted
// by least squares and sent. Working on differences from W makes the
// prediction follow any constant that is added to the picture.
const (
	tapN = iota
	tapNW
	tapNE
	tapWW
	tapNN
	tapMed
	tapRef1
	tapRef2
	fastTaps

	coefBits = 10 // fraction bits of the coefficients
	coefMax  = 4 << coefBits
)

// A fastCoefs is a fitted linear predictor.
type fastCoefs [fastTaps]int32

// rowPad is the margin on both sides of each row buffer: it holds copies of the
// samples at the border, so that no loop tests for it.
const rowPad = 4

// A fastChannel is the state of one channel while its rows go by. In the
// buffers sample x lies at rowPad+x.
type fastChannel struct {
	w, h   int
	lo, hi int32 // range of the samples
	shift  uint  // brings magnitudes down to about those of 8-bit pictures
	refs   [2]int
	coefs  fastCoefs

	cur, n1, n2 []int32  // samples of this row and the two above
	res         []int32  // residuals of this row
	abs, absN   []int32  // their magnitudes, and those of the row above
	part        []int64  // what the rows above and the references add to the prediction
	act         []uint32 // and to the activity
}

func newFastChannel(w, h int, lo, hi int32) *fastChannel {
	n := w + 2*rowPad
	buf := make([]int32, 6*n)
	next := func() []int32 {
		b := buf[:n:n]
		buf = buf[n:]
		return b
	}
	c := &fastChannel{
		w: w, h: h, lo: lo, hi: hi,
		refs:  [2]int{-1, -1},
		coefs: fastCoefs{tapMed: 1 << coefBits},
		cur:   next(), n1: next(), n2: next(), res: next(), abs: next(), absN: next(),
		part: make([]int64, w), act: make([]uint32, w),
	}
	return c
}

// beginRow prepares the left margin for row y.
func (c *fastChannel) beginRow(y int) {
	first := c.n1[rowPad]
	if y == 0 {
		first = max(c.lo, 0)
	}
	for i := range rowPad {
		c.cur[i] = first
		c.abs[i] = c.absN[rowPad]
		c.n1[i] = first
	}
}

// endRow copies the right margin and moves on to the next row.
func (c *fastChannel) endRow(y int) {
	last := rowPad + c.w - 1
	for i := last + 1; i < len(c.cur); i++ {
		c.cur[i] = c.cur[last]
		c.abs[i] = c.abs[last]
		c.res[i] = c.res[last]
	}
	c.cur, c.n1, c.n2 = c.n2, c.cur, c.n1
	c.abs, c.absN = c.absN, c.abs
	if y == 0 {
		copy(c.n2, c.n1)
	}
}

// spread makes the rows above repeat the sample to the left of x, which turns
// the prediction into W: in the first row there is nothing better.
func (c *fastChannel) spread(x int) {
	w, a := c.cur[rowPad+x-1], c.abs[rowPad+x-1]
	for i := rowPad + x - 2; i <= rowPad+x+2; i++ {
		c.n1[i], c.n2[i], c.absN[i] = w, w, a
	}
}

// abs64 returns |v|.
func abs64(v int64) int64 {
	s := v >> 63
	return (v ^ s) - s
}

// clampedGradient returns the median of w, n and w+n-nw, which is the middle
// one of w, n and the plane through all three. It takes no branch: on noise the
// outcome cannot be predicted.
func clampedGradient(w, n, nw int64) int64 {
	d := n - w
	s := d >> 63
	lo, span := d&s, (d^s)-s // w+lo is the lesser of w and n
	t := n - nw - lo
	t &^= t >> 63
	over := t - span
	return w + lo + span + over&(over>>63)
}

// prepare sums, for the samples x0 to x1 of the next row, what the prediction
// and the activity take from the rows above and from r1 and r2, the padded
// residual rows of the references. What remains for the loop that codes the row
// is what depends on the samples to the left.
func (c *fastChannel) prepare(x0, x1 int, r1, r2 []int32) {
	n := x1 - x0
	at := rowPad + x0
	ne := c.n1[at+1:][:n]
	nn := c.n2[at:][:n]
	absNE := c.absN[at+1:][:n]
	part := c.part[x0:][:n]
	act := c.act[x0:][:n]
	r1 = r1[at:][:n]
	r2 = r2[at:][:n]
	cN, cNW, cNE, cNN := int64(c.coefs[tapN]), int64(c.coefs[tapNW]), int64(c.coefs[tapNE]), int64(c.coefs[tapNN])
	cR1, cR2 := int64(c.coefs[tapRef1]), int64(c.coefs[tapRef2])
	sNW, sN := int64(c.n1[at-1]), int64(c.n1[at])
	aNW, aN := int64(c.absN[at-1]), int64(c.absN[at])
	for x := range part {
		sNE, aNE := int64(ne[x]), int64(absNE[x])
		e1, e2 := int64(r1[x]), int64(r2[x])
		part[x] = cN*sN + cNW*sNW + cNE*sNE + cNN*int64(nn[x]) + cR1*e1 + cR2*e2
		act[x] = uint32(2*(aN+aNE+abs64(sN-sNW)+abs64(sN-sNE)) + aNW + abs64(e1) + abs64(e2))
		sNW, sN = sN, sNE
		aNW, aN = aN, aNE
	}
}

// leftCoefs returns the coefficients of W, WW and the clamped gradient.
func (c *fastChannel) leftCoefs() (cW, cWW, cMed int64) {
	cW = 1 << coefBits
	for _, v := range c.coefs[:tapRef1] {
		cW -= int64(v)
	}
	return cW, int64(c.coefs[tapWW]), int64(c.coefs[tapMed])
}

// Activity is quantised to levels of equal ratio: activitySteps an octave.
const (
	activitySteps  = 5
	activityRange  = 4096 // beyond it a coarser table serves
	activityLevels = 128  // bound on levels, a power of two
)

var activityLevel, activityLevelFar = func() (near, far [activityRange]uint8) {
	for i := range near {
		near[i] = uint8(log2(uint32(i)+4)*activitySteps>>16 - 2*activitySteps)
		far[i] = uint8(log2(uint32(max(i, 1))*256+4)*activitySteps>>16 - 2*activitySteps)
	}
	return
}()

// levelOf quantises an activity.
func levelOf(act uint32) uint32 {
	if act < activityRange {
		return uint32(activityLevel[act])
	}
	return uint32(activityLevelFar[min(act>>8, activityRange-1)])
}
