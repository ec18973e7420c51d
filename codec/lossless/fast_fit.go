package lossless

import (
	"math"
	"math/bits"
)

// normalSums holds the normal equations of a weighted least squares fit, in
// integers: with at most maxFitSamples samples no sum overflows, and the fit is
// the same everywhere.
type normalSums struct {
	n   int
	ata []int64 // [i*n+j], j >= i
	atb []int64
}

const (
	leastFitSamples = 1 << 12
	maxFitSamples   = 1 << 16
)

func newNormalSums(n int) *normalSums {
	return &normalSums{n, make([]int64, n*n), make([]int64, n)}
}

// add adds a sample with taps v, target t and a weight.
func (f *normalSums) add(v []int64, t, weight int64) {
	v = v[:f.n]
	for i, vi := range v {
		vi *= weight
		row := f.ata[i*f.n+i:][:f.n-i]
		for j, vj := range v[i:] {
			row[j] += vi * vj
		}
		f.atb[i] += vi * t
	}
}

// solve returns the fitted coefficients, by Cholesky's decomposition. Every
// product is rounded before it is added, so that no compiler fuses the two.
func (f *normalSums) solve() []float64 {
	n := f.n
	l := make([]float64, n*n)
	y := make([]float64, n)
	trace := 0.0
	for i := range n {
		trace += float64(f.ata[i*n+i])
	}
	ridge := float64(trace*1e-5) + 1
	for i := range n {
		for j := range i + 1 {
			s := float64(f.ata[j*n+i])
			if i == j {
				s += ridge
			}
			for k := range j {
				s -= float64(l[i*n+k] * l[j*n+k])
			}
			if i == j {
				l[i*n+i] = math.Sqrt(max(s, ridge))
			} else {
				l[i*n+j] = s / l[j*n+j]
			}
		}
		s := float64(f.atb[i])
		for k := range i {
			s -= float64(l[i*n+k] * y[k])
		}
		y[i] = s / l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		s := y[i]
		for k := i + 1; k < n; k++ {
			s -= float64(l[k*n+i] * y[k])
		}
		y[i] = s / l[i*n+i]
	}
	return y
}

// fixedPoint rounds v to the given number of fraction bits, within lo and hi.
func fixedPoint(v float64, fraction uint, lo, hi int32) int32 {
	v = float64(v*float64(int(1)<<fraction)) + 0.5
	switch {
	case !(v >= float64(lo)): // also if it is no number
		return lo
	case v > float64(hi):
		return hi
	}
	return int32(math.Floor(v))
}

// fitWeight is indexed by local contrast: a sample counts in inverse proportion
// to it, since what matters is the logarithm of the residual, not its square.
var fitWeight = func() (t [1024]int64) {
	for i := range t {
		t[i] = int64(1024 / (i + 4))
	}
	return
}()

func (c *fastChannel) fitWeight(w, n, nw, ne, ww int64) int64 {
	contrast := uint64(abs64(n-nw)+abs64(w-nw)+abs64(n-ne)+abs64(w-ww)) >> c.shift
	return fitWeight[min(contrast, uint64(len(fitWeight)-1))]
}

// addRow adds the samples of the row in c.cur.
func (f *normalSums) addRow(c *fastChannel, r1, r2 []int32) {
	for x := rowPad; x < rowPad+c.w; x++ {
		sWW, sW, s := int64(c.cur[x-2]), int64(c.cur[x-1]), int64(c.cur[x])
		sNW, sN, sNE, sNN := int64(c.n1[x-1]), int64(c.n1[x]), int64(c.n1[x+1]), int64(c.n2[x])
		v := [fastTaps]int64{sN - sW, sNW - sW, sNE - sW, sWW - sW, sNN - sW, clampedGradient(sW, sN, sNW) - sW, int64(r1[x]), int64(r2[x])}
		f.add(v[:], s-sW, c.fitWeight(sW, sN, sNW, sNE, sWW))
	}
}

// minFitSamples is the size from which fitted coefficients repay what they take.
const minFitSamples = 1 << 10

// A fitRow is a sampled row of a channel with the two above it, all padded, and
// its residuals.
type fitRow struct{ cur, n1, n2, res []int32 }

// sample returns rows of every channel, one in step, but not so few of a small
// tile nor so many of a large one that the fit suffers or overflows.
func (t *fastTile) sample(step int) [][]fitRow {
	rows := make([][]fitRow, len(t.chans))
	n := 0
	for _, c := range t.chans {
		n = max(n, c.w*c.h)
	}
	step = max(min(step, n/leastFitSamples), (n+maxFitSamples-1)/maxFitSamples, 3)
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
		c.setShift(rows[i])
		f := newNormalSums(fastTaps)
		for k := range rows[i] {
			t.useRow(c, rows, k)
			r1, r2 := t.references(c)
			f.addRow(c, r1, r2)
		}
		for k, v := range f.solve() {
			c.coefs[k] = fixedPoint(v, coefBits, -coefMax, coefMax)
		}
		var hist [activityLevels * symbolStride]uint32
		out := make([]uint32, c.w)
		for k := range rows[i] {
			t.useRow(c, rows, k)
			r1, r2 := t.references(c)
			c.res = rows[i][k].res
			c.prepare(0, c.w, r1, r2)
			c.analyse(0, c.w, out, &hist)
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

// setShift chooses the shift that makes the usual step from one sample to the
// next at most about 16. A mean of logarithms, for few edges should not hide fine
// shades.
func (c *fastChannel) setShift(rows []fitRow) {
	sum := 0
	for _, r := range rows {
		for x := rowPad; x < rowPad+c.w; x++ {
			sum += bits.Len32(uint32(abs32(r.cur[x] - r.cur[x-1])))
		}
	}
	c.shift = uint(max(0, sum/(len(rows)*c.w)-4))
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

// chooseTransform sets the colour transform that codes the sampled rows best.
func (t *fastTile) chooseTransform() {
	transform := colourNone
	if t.coloured {
		var least uint64
		for i := range colourTransforms {
			t.setTransform(i)
			cost := t.fit(t.sample(100))
			if i == 0 || cost < least {
				transform, least = i, cost
			}
		}
	}
	t.setTransform(transform)
}
