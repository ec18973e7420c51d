package lossless

// abs64 returns |v|.
func abs64(v int64) int64 {
	s := v >> 63
	return (v ^ s) - s
}

// analyse predicts the samples x0 to x1 of the row in c.cur, leaves their
// residuals in c.res and c.abs, stores the folded residuals and their activity
// levels (level<<18 | folded) in out, and counts the symbols of each level.
// r1 and r2 are the padded residual rows of the reference channels.
func (c *fastChannel) analyse(x0, x1 int, r1, r2 []int32, out []uint32, hist *[activityLevels * symbolStride]uint32) {
	n := x1 - x0
	at := rowPad + x0
	cur := c.cur[at:][:n]
	ne := c.n1[at+1:][:n]
	nn := c.n2[at:][:n]
	res := c.res[at:][:n]
	abs := c.abs[at:][:n]
	absNE := c.absN[at+1:][:n]
	r1 = r1[at:][:n+1]
	r2 = r2[at:][:n+1]
	out = out[:n]

	c0, c1, c2, c3 := int64(c.coefs[0]), int64(c.coefs[1]), int64(c.coefs[2]), int64(c.coefs[3])
	c4, c5, c6, c7 := int64(c.coefs[4]), int64(c.coefs[5]), int64(c.coefs[6]), int64(c.coefs[7])
	lo, hi, shift := int64(c.lo), int64(c.hi), c.shift&31

	sWW, sW := int64(c.cur[at-2]), int64(c.cur[at-1])
	sNW, sN := int64(c.n1[at-1]), int64(c.n1[at])
	aWW, aW := int64(c.abs[at-2]), int64(c.abs[at-1])
	aNW, aN := int64(c.absN[at-1]), int64(c.absN[at])
	e1, e2 := int64(r1[0]), int64(r2[0])
	for x := range cur {
		sNE, aNE := int64(ne[x]), int64(absNE[x])
		f1, f2 := int64(r1[x+1]), int64(r2[x+1])

		med := max(min(sW, sN), min(sW+sN-sNW, max(sW, sN)))
		p := c0*(sN-sW) + c1*(sNW-sW) + c2*(sNE-sW) + c3*(sWW-sW) + c4*(int64(nn[x])-sW) + c5*(med-sW) + c6*e1 + c7*e2
		half := sW<<1 + p>>(coefBits-1) // twice the prediction, rounded down
		pred := min(max((half+1)>>1, lo), hi)

		act := 4*aW + 3*aN + 2*aNE + 2*aNW + aWW + 3*abs64(e1) + 3*abs64(e2) +
			abs64(f1) + abs64(f2) + abs64(sN-sNW) + abs64(sW-sNW) + abs64(sN-sNE)
		level := levelOf(uint64(act) >> shift)

		s := int64(cur[x])
		e := s - pred
		res[x] = int32(e)
		a := abs64(e)
		abs[x] = int32(a)

		flip := half&1 - 1
		g := (e ^ flip) - flip
		z := uint32(g<<1 ^ g>>63)
		out[x] = level<<18 | z
		var sym uint32
		if z < uint32(len(smallSymbols)) {
			sym = uint32(smallSymbols[z])
		} else {
			sym, _ = symbolOf(z)
		}
		hist[level&(activityLevels-1)*symbolStride|sym&(symbolStride-1)]++

		sWW, sW, sNW, sN = sW, s, sN, sNE
		aWW, aW, aNW, aN = aW, a, aN, aNE
		e1, e2 = f1, f2
	}
}
