package lossless

import "math"

// The normal equations of a weighted least squares fit, in integers: with at
// most maxFitSamples samples no sum overflows, and the fit is the same
// everywhere. A sample counts in inverse proportion to the local contrast, since
// what matters is the logarithm of the residual, not its square.
type fitSums struct {
	ata [fastTaps * fastTaps]int64 // upper triangle
	atb [fastTaps]int64
}

const maxFitSamples = 1 << 16

// fitWeight is indexed by local contrast.
var fitWeight = func() (t [1024]int64) {
	for i := range t {
		t[i] = int64(1024 / (i + 4))
	}
	return
}()

// add adds the samples of the row in c.cur.
func (f *fitSums) add(c *fastChannel, r1, r2 []int32) {
	n := c.w
	at := rowPad
	cur := c.cur[at:][:n]
	ne := c.n1[at+1:][:n]
	nn := c.n2[at:][:n]
	r1 = r1[at:][:n]
	r2 = r2[at:][:n]
	sWW, sW := int64(c.cur[at-2]), int64(c.cur[at-1])
	sNW, sN := int64(c.n1[at-1]), int64(c.n1[at])
	for x := range cur {
		s, sNE := int64(cur[x]), int64(ne[x])
		med := max(min(sW, sN), min(sW+sN-sNW, max(sW, sN)))
		v := [fastTaps]int64{sN - sW, sNW - sW, sNE - sW, sWW - sW, int64(nn[x]) - sW, med - sW, int64(r1[x]), int64(r2[x])}
		contrast := uint64(abs64(sN-sNW)+abs64(sW-sNW)+abs64(sN-sNE)+abs64(sW-sWW)) >> c.shift
		weight := fitWeight[min(contrast, uint64(len(fitWeight)-1))]
		t := s - sW
		for i := range v {
			vi := v[i] * weight
			for j := i; j < fastTaps; j++ {
				f.ata[i*fastTaps+j] += vi * v[j]
			}
			f.atb[i] += vi * t
		}
		sWW, sW, sNW, sN = sW, s, sN, sNE
	}
}

// solve returns the fitted coefficients, by Cholesky's decomposition. Every
// product is rounded before it is added, so that no compiler fuses the two.
func (f *fitSums) solve() (coefs fastCoefs) {
	var l [fastTaps][fastTaps]float64
	var y [fastTaps]float64
	trace := 0.0
	for i := range fastTaps {
		trace += float64(f.ata[i*fastTaps+i])
	}
	ridge := float64(trace*1e-5) + 1
	for i := range fastTaps {
		for j := range i + 1 {
			s := float64(f.ata[j*fastTaps+i])
			if i == j {
				s += ridge
			}
			for k := range j {
				s -= float64(l[i][k] * l[j][k])
			}
			if i == j {
				l[i][i] = math.Sqrt(max(s, ridge))
			} else {
				l[i][j] = s / l[j][j]
			}
		}
		s := float64(f.atb[i])
		for k := range i {
			s -= float64(l[i][k] * y[k])
		}
		y[i] = s / l[i][i]
	}
	for i := fastTaps - 1; i >= 0; i-- {
		s := y[i]
		for k := i + 1; k < fastTaps; k++ {
			s -= float64(l[k][i] * y[k])
		}
		y[i] = s / l[i][i]
		coefs[i] = int32(math.Floor(min(max(float64(y[i]*(1<<coefBits))+0.5, -coefMax), coefMax)))
	}
	return coefs
}

// minFitSamples is the size from which fitted coefficients repay what they take.
const minFitSamples = 1 << 10

// A fitRow is a sampled row of a channel with the two above it, all padded, and
// its residuals.
type fitRow struct{ cur, n1, n2, res []int32 }

// sample returns rows of every channel, as many as make up about limit samples.
func (t *fastTile) sample(limit int) [][]fitRow {
	rows := make([][]fitRow, len(t.chans))
	n := 0
	for _, c := range t.chans {
		n = max(n, c.w*c.h)
	}
	step := max(3, (n+limit-1)/limit)
	for y0 := 0; y0 < t.height; y0 += step {
		for y := y0; y < y0+3; y++ {
			t.load(y)
			for i, c := range t.chans {
				if y0+3 > c.h {
					continue
				}
				c.beginRow(y)
				c.endRow(y)
				if y == y0+2 {
					buf := make([]int32, 0, 4*len(c.cur))
					buf = append(append(append(buf, c.n1...), c.n2...), c.cur...)
					buf = buf[:cap(buf)]
					n := len(c.cur)
					rows[i] = append(rows[i], fitRow{buf[:n], buf[n : 2*n], buf[2*n : 3*n], buf[3*n:]})
				}
			}
		}
	}
	return rows
}

// fit fits the coefficients of all channels to the sampled rows and returns
// what coding them took, in 1/65536 bit.
func (t *fastTile) fit(rows [][]fitRow) (cost uint64) {
	saved := make([][]int32, len(t.chans))
	for i, c := range t.chans {
		saved[i] = c.res
		if len(rows[i])*c.w < minFitSamples {
			continue
		}
		var f fitSums
		for k := range rows[i] {
			t.useRow(c, rows, k)
			r1, r2 := t.references(c)
			f.add(c, r1, r2)
		}
		c.coefs = f.solve()
		var hist [activityLevels * symbolStride]uint32
		out := make([]uint32, c.w)
		for k := range rows[i] {
			t.useRow(c, rows, k)
			r1, r2 := t.references(c)
			c.res = rows[i][k].res
			c.analyse(0, c.w, r1, r2, out, &hist)
		}
		for l := range activityLevels {
			e, _ := entropyOf(hist[l*symbolStride:][:fastSymbols])
			cost += e
		}
	}
	for i, c := range t.chans {
		c.res = saved[i]
	}
	return cost
}

// useRow makes the k-th sampled row current in c and its references.
func (t *fastTile) useRow(c *fastChannel, rows [][]fitRow, k int) {
	for j, d := range t.chans {
		if d == c {
			d.cur, d.n1, d.n2 = rows[j][k].cur, rows[j][k].n1, rows[j][k].n2
		}
	}
	for _, r := range c.refs {
		if r >= 0 {
			t.chans[r].res = rows[r][k].res
		}
	}
}

// choose sets the colour transform that codes the sampled rows best, and fits
// the predictors.
func (t *fastTile) choose() {
	transform := colourNone
	if t.coloured {
		var least uint64
		for i := range colourTransforms {
			t.setTransform(i)
			cost := t.fit(t.sample(maxFitSamples / 8))
			if i == 0 || cost < least {
				transform, least = i, cost
			}
		}
	}
	t.setTransform(transform)
	t.fit(t.sample(maxFitSamples))
	fitted := t.chans
	t.setTransform(transform)
	for i, c := range t.chans {
		c.coefs = fitted[i].coefs
	}
}
