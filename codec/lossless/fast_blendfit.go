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
const blendRun = 8

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

// add moves the sample into (weight 1) or out of (weight -1) the sums.
func (s *blendSample) add(f *normalSums, weight int64) {
	var v [blendTaps]int64
	for j, t := range s.taps {
		v[j] = int64(t)
	}
	f.add(v[:], int64(s.target), weight*int64(s.weight))
}

// residuals returns the sample less its prediction by a pair of predictors, in
// 1/2^coefBits.
func (s *blendSample) residuals(w *[blendTaps]int64) (r0, r1 int64) {
	t := &s.taps
	p := w[0]*int64(t[0]) + w[1]*int64(t[1]) + w[2]*int64(t[2]) + w[3]*int64(t[3]) + w[4]*int64(t[4]) +
		w[5]*int64(t[5]) + w[6]*int64(t[6]) + w[7]*int64(t[7]) + w[8]*int64(t[8]) + w[9]*int64(t[9]) +
		w[10]*int64(t[10]) + w[11]*int64(t[11]) + w[12]*int64(t[12]) + w[13]*int64(t[13])
	p0 := int64(int32(p))
	target := int64(s.target) << coefBits
	return target - p0, target - (p-p0)>>32
}

// fitBlend finds an even number k of sets of coefficients by clustering the
// samples: each run of samples moves to the predictor that serves it best, then
// all are fitted anew.
func fitBlend(samples []blendSample, k, rounds int) []blendCoefs {
	sums := make([]*normalSums, k)
	for i := range sums {
		sums[i] = newNormalSums(blendTaps)
	}
	// The first sets are by the direction of the gradient.
	for i := range samples {
		s := &samples[i]
		h, v := abs32(s.taps[0]-s.taps[1]), abs32(s.taps[1])
		s.set = uint8(int(h) * k / int(h+v+1))
		s.add(sums[s.set], 1)
	}
	coefs := make([]blendCoefs, k)
	for ; ; rounds-- {
		for i, f := range sums {
			for j, c := range f.solve() {
				coefs[i][j] = fixedPoint(c, coefBits, -coefMax, coefMax)
			}
		}
		if rounds == 0 {
			return coefs
		}
		packed := packCoefs(coefs)
		for i := 0; i < len(samples); i += blendRun {
			run := samples[i:min(i+blendRun, len(samples))]
			var cost [maxBlend]int64
			for j := range run {
				for p := range k / 2 {
					r0, r1 := run[j].residuals(&packed[p])
					cost[2*p] += abs64(r0)
					cost[2*p+1] += abs64(r1)
				}
			}
			best := uint8(0)
			for p := range k {
				if cost[p] < cost[best] {
					best = uint8(p)
				}
			}
			for j := range run {
				if s := &run[j]; s.set != best {
					s.add(sums[s.set], -1)
					s.add(sums[best], 1)
					s.set = best
				}
			}
		}
	}
}

// fitBlends returns the coefficients of every channel.
func (t *fastTile) fitBlends(rows [][]fitRow, most, rounds int) [][]blendCoefs {
	all := make([][]blendCoefs, len(t.chans))
	for i, c := range t.chans {
		k := min(most, 2+len(rows[i])*c.w/blendPerPredictor&^1)
		if len(rows[i])*c.w < minFitSamples {
			all[i] = []blendCoefs{{blendMed: 1 << coefBits}, {0: 1 << coefBits}}
			continue
		}
		c.setShift(rows[i])
		saved := c.res
		var samples []blendSample
		for j := range rows[i] {
			t.useRow(c, rows, j)
			r1, r2 := t.references(c)
			samples = c.gather(samples, r1, r2)
		}
		all[i] = fitBlend(samples, k, rounds)
		packed := packCoefs(all[i])
		for j := range samples {
			s := &samples[j]
			r0, r1 := s.residuals(&packed[s.set/2])
			if s.set&1 != 0 {
				r0 = r1
			}
			rows[i][j/c.w].res[rowPad+j%c.w] = int32(r0 >> coefBits)
		}
		c.res = saved
	}
	return all
}

// blendPerPredictor is how many fitted samples repay one more predictor.
const blendPerPredictor = 1 << 11

// fitActivity adds the samples of a row to the fit of the activity to the
// magnitudes of the residuals, which are in c.abs, weighted by the inverse square
// of a rough activity, which also keeps the sums from overflowing.
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
		sum := int64(0)
		for _, m := range v {
			sum += m
		}
		rough := uint64(sum)>>c.shift*2/3 + 6
		f.add(v[:], int64(c.abs[x]), int64(1<<20/(rough*rough)))
	}
}
