package lossless

// A blendSample is a sample to fit the predictors of a blend to.
type blendSample struct {
	taps   [blendTaps]int32 // those that are samples less W
	target int32            // less W
	weight int32
	set    uint8 // the predictor it belongs to
}

// blendRun is the number of neighbouring samples that change predictors as one,
// so that predictors come to stand for textures and not for noise.
const blendRun = 6

// blendRounds is how often the predictors are fitted before the last time.
const blendRounds = 4

// gather returns the samples of the row in c.cur.
func (c *fastChannel) gather(dst []blendSample, r1, r2 []int32) []blendSample {
	for x := rowPad; x < rowPad+c.w; x++ {
		w, n, nw, ne := c.cur[x-1], c.n1[x], c.n1[x-1], c.n1[x+1]
		med := int32(clampedGradient(int64(w), int64(n), int64(nw)))
		dst = append(dst, blendSample{
			taps: [blendTaps]int32{
				n - w, nw - w, ne - w, c.n2[x] - w, c.n2[x+1] - w, c.n2[x-1] - w, c.n1[x+2] - w, c.n1[x-2] - w,
				r1[x], r1[x+1], r2[x], r2[x+1], c.cur[x-2] - w, med - w,
			},
			target: c.cur[x] - w,
			weight: int32(c.fitWeight(int64(w), int64(n), int64(nw), int64(ne), int64(c.cur[x-2]))),
		})
	}
	return dst
}

// residual returns the sample less its prediction by p, in 1/2^coefBits.
func (s *blendSample) residual(p *blendCoefs) int64 {
	r := int64(s.target) << coefBits
	for i, v := range s.taps {
		r -= int64(v) * int64(p[i])
	}
	return r
}

// fitBlend finds k sets of coefficients by clustering the samples: each run of
// samples moves to the predictor that serves it best, then all are fitted anew.
func fitBlend(samples []blendSample, k int) []blendCoefs {
	// The first sets are by the direction of the gradient.
	for i := range samples {
		s := &samples[i]
		h, v := abs32(s.taps[0]-s.taps[1]), abs32(s.taps[1])
		s.set = uint8(int(h) * k / int(h+v+1))
	}
	coefs := make([]blendCoefs, k)
	for round := 0; ; round++ {
		sums := make([]*normalSums, k)
		for i := range sums {
			sums[i] = newNormalSums(blendTaps)
		}
		var v [blendTaps]int64
		for i := range samples {
			s := &samples[i]
			for j, t := range s.taps {
				v[j] = int64(t)
			}
			sums[s.set].add(v[:], int64(s.target), int64(s.weight))
		}
		for i, f := range sums {
			for j, c := range f.solve() {
				coefs[i][j] = fixedPoint(c, coefBits, -coefMax, coefMax)
			}
		}
		if k == 1 || round == blendRounds {
			return coefs
		}
		for i := 0; i < len(samples); i += blendRun {
			run := samples[i:min(i+blendRun, len(samples))]
			best, least := 0, int64(-1)
			for p := range coefs {
				sum := int64(0)
				for j := range run {
					sum += abs64(run[j].residual(&coefs[p]))
				}
				if least < 0 || sum < least {
					best, least = p, sum
				}
			}
			for j := range run {
				run[j].set = uint8(best)
			}
		}
	}
}

// fitBlends returns the coefficients of every channel.
func (t *fastTile) fitBlends(rows [][]fitRow, most int) [][]blendCoefs {
	all := make([][]blendCoefs, len(t.chans))
	for i, c := range t.chans {
		k := min(most, 1+len(rows[i])*c.w/blendPerPredictor)
		if len(rows[i])*c.w < minFitSamples {
			all[i] = []blendCoefs{{blendMed: 1 << coefBits}}
			continue
		}
		saved := c.res
		var samples []blendSample
		for j := range rows[i] {
			t.useRow(c, rows, j)
			r1, r2 := t.references(c)
			samples = c.gather(samples, r1, r2)
		}
		all[i] = fitBlend(samples, k)
		for j := range samples {
			s := &samples[j]
			row := rows[i][j/c.w].res
			row[rowPad+j%c.w] = int32(s.residual(&all[i][s.set]) >> coefBits)
		}
		c.res = saved
	}
	return all
}

// blendPerPredictor is how many fitted samples repay one more predictor.
const blendPerPredictor = 1 << 11

// fitActivity adds the samples of a row to the fit of the activity to the
// magnitudes of the residuals, which are in c.abs, weighted by the inverse square
// of a rough activity.
func (b *blender) fitActivity(f *normalSums, r1, r2 []int32) {
	c := b.c
	for x := rowPad; x < rowPad+c.w; x++ {
		w, n, nw, ne := c.cur[x-1], c.n1[x], c.n1[x-1], c.n1[x+1]
		v := [actFeatures]int64{
			int64(c.absN[x]), int64(c.absN[x+1]), int64(c.absN[x-1]), int64(b.absNN[x]),
			int64(abs32(n - nw)), int64(abs32(n - ne)),
			int64(abs32(r1[x])), int64(abs32(r1[x+1])), int64(abs32(r2[x])), int64(abs32(r2[x+1])),
			int64(c.abs[x-1]), int64(c.abs[x-2]), int64(abs32(w - nw)), 1 << c.shift,
		}
		rough := uint64(v[0]+v[1]+v[4]+v[5]+2*v[10]+v[11]+v[12])>>c.shift + 6
		f.add(v[:], int64(c.abs[x]), int64(1<<20/(rough*rough)))
	}
}
