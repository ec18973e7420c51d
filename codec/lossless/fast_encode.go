package lossless

// analyse predicts the samples x0 to x1 of the row in c.cur, leaves their
// residuals in c.res and c.abs, stores the folded residuals and their activity
// levels (level<<18 | folded) in out, and counts the symbols of each level.
func (c *fastChannel) analyse(x0, x1 int, out []uint32, hist *[activityLevels * symbolStride]uint32) {
	n := x1 - x0
	at := rowPad + x0
	cur := c.cur[at:][:n]
	above := c.n1[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	part := c.part[x0:][:n]
	acts := c.act[x0:][:n]
	out = out[:n]
	cW, cWW, cMed := c.leftCoefs()
	lo, hi := int64(c.lo), int64(c.hi)
	sWW, sW, sNW := int64(c.cur[at-2]), int64(c.cur[at-1]), int64(c.n1[at-1])
	aWW, aW := c.abs[at-2], c.abs[at-1]
	for x := range cur {
		sN := int64(above[x])
		med := clampedGradient(sW, sN, sNW)
		half := (part[x] + cW*sW + cWW*sWW + cMed*med) >> (coefBits - 1)
		pred := min(max((half+1)>>1, lo), hi)
		act := acts[x] + uint32(3*aW+2*aWW) + 2*uint32(abs64(sW-sNW))
		level := levelOf(act)

		s := int64(cur[x])
		e := int32(s - pred)
		sign := e >> 31
		a := (e ^ sign) - sign
		res[x] = e
		abs[x] = a

		flip := int32(half)&1 - 1
		g := (e ^ flip) - flip
		z := uint32(g<<1 ^ g>>31)
		out[x] = level<<18 | z
		var sym uint32
		if z < uint32(len(smallSymbols)) {
			sym = uint32(smallSymbols[z])
		} else {
			sym, _ = symbolOf(z)
		}
		hist[level&(activityLevels-1)*symbolStride|sym&(symbolStride-1)]++

		sWW, sW, sNW = sW, s, sN
		aWW, aW = aW, a
	}
}
