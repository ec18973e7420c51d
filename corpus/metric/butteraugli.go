package metric

import "math"

// Butteraugli (Jyrki Alakuijala and others, Google, 2016; here the version in
// libjxl 0.7 and later, https://github.com/libjxl/libjxl) gives each pixel a
// distance in units of what is just noticeable when an expert flips between the
// pictures on a good screen, here of 80 cd/m2.
//
//   - Intensities go through the response of the cones of the eye, which adapt to
//     their neighbourhood, to channels X (red against green), Y and B.
//   - Each channel is split by Gaussian blurs into bands: low (lf), middle (mf),
//     high (hf) and ultra high (uhf) frequencies, the last two of X and Y only.
//     Small values in X are dropped, those in Y are doubled.
//   - Bands are compared by squared differences and, but for lf, by the squares of
//     sums along short lines in 16 directions ("Malta"), because errors that
//     line up are seen first. What the copy adds or loses much of costs extra.
//   - Where hf and uhf of the original are busy, errors are masked.
//
// The same is done for pictures of half the size, whose distances are added in.
// The largest distance tells whether any difference is to be seen; the 3-norm says
// more about pictures that clearly differ.
//
// Planes are float32 and all between them float64. Values are within 2e-5 of those
// of the crate butteraugli 0.9.3, relatively.

// minButteraugli is the smallest side of a picture.
const minButteraugli = 8

// butteraugli returns the largest distance and the 3-norm, which is the mean of
// the 3-, 6- and 12-norms as in the tools of libjxl.
func butteraugli(p, q *samples) (largest, norm float64) {
	w, h := p.w, p.h
	a, b := linear(p), linear(q)
	dist := distances(&a, &b, w, h)
	if w2, h2 := (w+1)/2, (h+1)/2; min(w2, h2) >= minButteraugli {
		a, b := halveLight(&a, w, h), halveLight(&b, w, h)
		half := distances(&a, &b, w2, h2)
		for i := range dist {
			dist[i] = 0.85*dist[i] + 0.5*half[i/w/2*w2+i%w/2]
		}
	}
	var sum [3]float64
	for _, d := range dist {
		d := float64(d)
		largest = max(largest, d)
		d *= d * d
		sum[0] += d
		d *= d
		sum[1] += d
		d *= d
		sum[2] += d
	}
	for i, s := range sum {
		norm += math.Pow(s/float64(len(dist)), 1/float64(int(3)<<i)) / 3
	}
	return largest, norm
}

// bands are the channels X, Y and B of a picture in bands of frequencies.
type bands struct {
	lf, mf  [3][]float32
	hf, uhf [2][]float32 // X and Y
}

// distances returns the distance of each pixel, from intensities of R, G and B.
func distances(a, b *[3][]float32, w, h int) []float32 {
	p, q := newBands(a, w, h), newBands(b, w, h)
	const (
		fineScale   = 0.39905817637
		coarseScale = 0.611612573796
	)
	n := w * h
	var diff [3][]float64 // of all bands but lf
	for c := range diff {
		diff[c] = make([]float64, n)
	}
	lineErrors(diff[0], p.uhf[0], q.uhf[0], w, h, fineLines, fineScale, 173.5, 5)
	lineErrors(diff[1], p.uhf[1], q.uhf[1], w, h, fineLines, fineScale, 1.10039032555, 71.7800275169)
	lineErrors(diff[0], p.hf[0], q.hf[0], w, h, coarseLines, coarseScale, 6923.99476109, 8051.15833247)
	lineErrors(diff[1], p.hf[1], q.hf[1], w, h, coarseLines, coarseScale, 18.7237414387, 4498534.45232)
	lineErrors(diff[0], p.mf[0], q.mf[0], w, h, coarseLines, coarseScale, 8246.75321353, 1009002.70582)
	lineErrors(diff[1], p.mf[1], q.mf[1], w, h, coarseLines, coarseScale, 37.0819870399, 130262059.556)

	activity, other := p.activity(w, h), q.activity(w, h)
	mask := erode(activity, w, h)
	dist := make([]float32, n)
	for i := range dist {
		low := 0.0
		for c, weight := range [3]float64{29.2353797994, 0.844626970982, 0.703646627719} {
			low += weight * square(float64(p.lf[c][i])-float64(q.lf[c][i]))
		}
		high := 0.0
		for c, weight := range [3]float64{2150, 10.6195433239, 16.2176043152} {
			high += diff[c][i] + weight*square(float64(p.mf[c][i])-float64(q.mf[c][i]))
		}
		for c, weight := range [2]float64{400, 1.50815703118} {
			high += 0.8 * weight * unevenError(float64(p.hf[c][i]), float64(q.hf[c][i]))
		}
		high += 10 * square(float64(activity[i])-float64(other[i]))
		m := float64(mask[i])
		dist[i] = float32(math.Sqrt(low*visibility(m, 0.505054525019, 3.87449418804, 0.20025578522) +
			high*visibility(m, 2.5485944793, 0.451936922203, 0.829591754942)))
	}
	return dist
}

func square(v float64) float64 { return v * v }

// visibility returns the weight of an error in a place of the given activity.
func visibility(activity, mul, scale, offset float64) float64 {
	// The screen of 80 cd/m2 is taken relative to one of 255 on a scale of logs.
	const good = 17.83 * 0.79079917404
	return square((1 + mul/(scale*activity+offset)) / good)
}

// unevenError returns the squared error of y in place of x, and more if y is less
// than 0.4 x or more than x, or of another sign.
func unevenError(x, y float64) float64 {
	if x < 0 {
		x, y = -x, -y
	}
	extra := 0.0
	if y < 0.4*x {
		extra = 0.4*x - y
	} else if y > x {
		extra = y - x
	}
	return square(x-y) + square(extra)
}

// A line is half of the offsets from a pixel to others in a line through it, and
// how often the line counts. The other half lies opposite.
type line struct {
	weight  float64
	offsets [][2]int // x, y
}

// fineLines are of up to 9 pixels, for the highest frequencies.
var fineLines = []line{
	{1, [][2]int{{1, 0}, {2, 0}, {3, 0}, {4, 0}}},
	{1, [][2]int{{0, 1}, {0, 2}, {0, 3}, {0, 4}}},
	{1, [][2]int{{1, 1}, {2, 2}, {3, 3}}},
	{1, [][2]int{{-1, 1}, {-2, 2}, {-3, 3}}},
	{2, [][2]int{{0, 1}, {-1, 2}, {-1, 3}, {-1, 4}}},
	{2, [][2]int{{0, 1}, {1, 2}, {1, 3}, {1, 4}}},
	{2, [][2]int{{1, 0}, {2, 1}, {3, 1}, {4, 1}}},
	{2, [][2]int{{1, 0}, {2, -1}, {3, -1}, {4, -1}}},
	{1, [][2]int{{1, 1}, {1, 2}, {2, 3}}},
	{1, [][2]int{{-1, 1}, {-1, 2}, {-2, 3}}},
	{1, [][2]int{{1, 1}, {2, 1}, {3, 2}}},
	{1, [][2]int{{-1, 1}, {-2, 1}, {-3, 2}}},
}

// coarseLines are of 5 pixels with gaps.
var coarseLines = []line{
	{1, [][2]int{{2, 0}, {4, 0}}},
	{1, [][2]int{{0, 2}, {0, 4}}},
	{1, [][2]int{{2, 2}, {3, 3}}},
	{1, [][2]int{{-2, 2}, {-3, 3}}},
	{1, [][2]int{{-1, 2}, {-1, 4}}},
	{1, [][2]int{{1, 2}, {1, 4}}},
	{1, [][2]int{{2, 1}, {4, 1}}},
	{1, [][2]int{{2, -1}, {4, -1}}},
	{1, [][2]int{{1, 2}, {2, 3}}},
	{1, [][2]int{{-1, 2}, {-2, 3}}},
	{1, [][2]int{{2, 1}, {3, 2}}},
	{1, [][2]int{{-2, 1}, {-3, 2}}},
	{1, [][2]int{{-2, 1}, {-4, 2}}},
	{1, [][2]int{{2, 1}, {4, 2}}},
	{1, [][2]int{{1, 2}, {2, 4}}},
	{1, [][2]int{{-1, 2}, {-2, 4}}},
}

// lineErrors adds to sum the squares of the sums of errors along lines. Errors
// count less where values are large against norm, and more where the copy has less
// than 0.55 or more than 1.05 of the value of the original.
func lineErrors(sum []float64, a, b []float32, w, h int, lines []line, scale, weight, norm float64) {
	const border = 4 // of zeros around the errors
	stride := w + 2*border
	field := make([]float64, stride*(h+2*border))
	even := scale * math.Sqrt(0.5*weight) / 8.5 * norm
	extra := scale * math.Sqrt(0.33*weight) / 8.5 * norm
	for y := range h {
		row := field[(y+border)*stride+border:][:w]
		for i, x := range a[y*w:][:w] {
			x, y := float64(x), float64(b[y*w+i])
			sign := 1.0
			if x < 0 {
				x, y, sign = -x, -y, -1
			}
			e := even * (x - y)
			if y < 0.55*x {
				e += extra * (0.55*x - y)
			} else if y > 1.05*x {
				e -= extra * (y - 1.05*x)
			}
			row[i] = sign * e / (norm + (x+math.Abs(y))/2)
		}
	}
	along := make([]float64, w)
	for y := range h {
		at := (y+border)*stride + border
		dst := sum[y*w:][:w]
		for _, l := range lines {
			copy(along, field[at:])
			for _, o := range l.offsets {
				d := o[1]*stride + o[0]
				next, prev := field[at+d:][:w], field[at-d:][:w]
				for i := range along {
					along[i] += next[i] + prev[i]
				}
			}
			for i, s := range along {
				dst[i] += l.weight * s * s
			}
		}
	}
}

// newBands splits a picture, given by the intensities of R, G and B, into bands.
func newBands(rgb *[3][]float32, w, h int) *bands {
	const (
		sigmaLow   = 7.15593339443
		sigmaHigh  = 3.22489901262
		sigmaUltra = 1.56416327805
	)
	p := &bands{}
	xyb := adaptedXYB(rgb, w, h)
	for c := range xyb {
		p.lf[c] = blur(xyb[c], w, h, sigmaLow, false)
		subtract(xyb[c], p.lf[c])
		p.mf[c] = blur(xyb[c], w, h, sigmaHigh, false)
		if c < 2 {
			p.hf[c] = xyb[c]
			subtract(p.hf[c], p.mf[c])
		}
	}
	for i := range p.mf[0] {
		p.mf[0][i] = float32(shrink(float64(p.mf[0][i]), 0.29))
		p.mf[1][i] = float32(amplify(float64(p.mf[1][i]), 0.1))

		// Red against green is seen less where brightness changes.
		const yw, s = 46, 0.653020556257
		y := float64(p.hf[1][i])
		p.hf[0][i] *= float32(s + (1-s)*yw/(y*y+yw))
	}
	for c := range p.hf {
		p.uhf[c] = p.hf[c]
		p.hf[c] = blur(p.uhf[c], w, h, sigmaUltra, false)
	}
	for i := range p.hf[0] {
		x := float64(p.hf[0][i])
		p.hf[0][i] = float32(shrink(x, 1.5))
		p.uhf[0][i] = float32(shrink(float64(p.uhf[0][i])-x, 0.04))

		y := compress(float64(p.hf[1][i]), 28.4691806922)
		p.hf[1][i] = float32(amplify(2.155*y, 0.132))
		p.uhf[1][i] = float32(2.69313763794 * compress(float64(p.uhf[1][i])-y, 5.19175294647))

		x, y, b := float64(p.lf[0][i]), float64(p.lf[1][i]), float64(p.lf[2][i])
		p.lf[0][i] = float32(33.832837186260 * x)
		p.lf[1][i] = float32(14.458268100570 * y)
		p.lf[2][i] = float32(49.87984651440 * (b - 0.362267051518*y))
	}
	return p
}

// subtract subtracts b from a.
func subtract(a, b []float32) {
	for i, v := range b {
		a[i] -= v
	}
}

// shrink moves v towards 0 by limit, and not beyond.
func shrink(v, limit float64) float64 {
	return v - min(max(v, -limit), limit)
}

// amplify moves v away from 0 by limit, and by no more than its size.
func amplify(v, limit float64) float64 {
	return v + min(max(v, -limit), limit)
}

// compress shortens what is beyond limit.
func compress(v, limit float64) float64 {
	inside := min(max(v, -limit), limit)
	return inside + 0.724216145665*(v-inside)
}

// adaptedXYB returns what the cones make of the intensities of R, G and B: the
// response to each pixel is that to the mean of its neighbourhood, scaled.
func adaptedXYB(rgb *[3][]float32, w, h int) (xyb [3][]float32) {
	const luminance = 80 // of white, in cd/m2
	mix := [3][4]float64{
		{0.29956550340058319, 0.63373087833825936, 0.077705617820981968, 1.7557483643287353},
		{0.22158691104574774, 0.69391388044116142, 0.0987313588422, 1.7557483643287353},
		{0.02, 0.02, 0.20480129041026129, 12.226454707163354},
	}
	var around [3][]float32
	for c := range around {
		around[c] = blur(rgb[c], w, h, 1.2, true)
		xyb[c] = make([]float32, w*h)
	}
	for i := range xyb[0] {
		var cone [3]float64
		for c, m := range mix {
			at := luminance*(m[0]*float64(rgb[0][i])+m[1]*float64(rgb[1][i])+m[2]*float64(rgb[2][i])) + m[3]
			mean := luminance*(m[0]*float64(around[0][i])+m[1]*float64(around[1][i])+m[2]*float64(around[2][i])) + m[3]
			response := 19.245013259874995*math.Log(mean+9.9710635769299145) - 23.16046239805755
			cone[c] = max(at*max(response/mean, 1e-4), m[3])
		}
		xyb[0][i] = float32(cone[0] - cone[1])
		xyb[1][i] = float32(cone[0] + cone[1])
		xyb[2][i] = float32(cone[2])
	}
	return xyb
}

// activity returns how much is going on in the high frequencies around a pixel.
func (p *bands) activity(w, h int) []float32 {
	const mul, bias = 6.19424080439, 6.19424080439 * 12.61050594197
	a := make([]float32, w*h)
	for i := range a {
		x := 2.5 * (float64(p.uhf[0][i]) + float64(p.hf[0][i]))
		y := 0.4 * (float64(p.uhf[1][i]) + float64(p.hf[1][i]))
		a[i] = float32(math.Sqrt(mul*math.Sqrt(x*x+y*y)+bias) - math.Sqrt(bias))
	}
	return blur(a, w, h, 2.7, false)
}

// erode returns a mean of the three smallest of a value, of which twice the value
// may be two, and of its 8 neighbours at a distance of 3: next to something
// smooth little is masked.
func erode(a []float32, w, h int) []float32 {
	const step = 3
	out := make([]float32, len(a))
	for y := range h {
		for x := range w {
			v := a[y*w+x]
			m0, m1, m2 := v, 2*v, 2*v
			for ny := y - step; ny <= y+step; ny += step {
				for nx := x - step; nx <= x+step; nx += step {
					if ny < 0 || ny >= h || nx < 0 || nx >= w || nx == x && ny == y {
						continue
					}
					v := a[ny*w+nx]
					m2 = min(m2, max(m1, v))
					m1 = min(m1, max(m0, v))
					m0 = min(m0, v)
				}
			}
			out[y*w+x] = 0.45*m0 + 0.3*m1 + 0.25*m2
		}
	}
	return out
}

// blur returns a plane filtered by a Gaussian that is cut off at 2.25 sigma. At the
// borders either the picture is mirrored, or only the weights inside count.
func blur(a []float32, w, h int, sigma float64, mirror bool) []float32 {
	k := make([]float64, max(1, int(2.25*sigma))+1)
	for i := range k {
		k[i] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
	}
	r := len(k) - 1
	across := make([]float32, len(a))
	padded := make([]float64, w+2*r)
	sum := make([]float64, w)
	norm := norms(k, w, mirror)
	for y := range h {
		for i, v := range a[y*w:][:w] {
			padded[r+i] = float64(v)
		}
		if mirror {
			for i := range r {
				padded[r-1-i] = padded[r+i]
				padded[r+w+i] = padded[r+w-1-i]
			}
		}
		for i, v := range padded[r:][:w] {
			sum[i] = k[0] * v
		}
		for j := 1; j <= r; j++ {
			prev, next := padded[r-j:][:w], padded[r+j:][:w]
			for i := range sum {
				sum[i] += k[j] * (prev[i] + next[i])
			}
		}
		for i, v := range sum {
			across[y*w+i] = float32(v * norm[i])
		}
	}

	zeros := make([]float32, w)
	row := func(y int) []float32 {
		if mirror && y < 0 {
			y = -1 - y
		} else if mirror && y >= h {
			y = 2*h - 1 - y
		}
		if y < 0 || y >= h {
			return zeros
		}
		return across[y*w:][:w]
	}
	out := make([]float32, len(a))
	norm = norms(k, h, mirror)
	for y := range h {
		for i, v := range row(y) {
			sum[i] = k[0] * float64(v)
		}
		for j := 1; j <= r; j++ {
			prev, next := row(y - j)[:w], row(y + j)[:w]
			for i := range sum {
				sum[i] += k[j] * (float64(prev[i]) + float64(next[i]))
			}
		}
		for i, v := range sum {
			out[y*w+i] = float32(v * norm[y])
		}
	}
	return out
}

// norms returns for each of n places the reciprocal of the sum of the weights of a
// window, without those that lie outside unless the picture is mirrored.
func norms(k []float64, n int, mirror bool) []float64 {
	norm := make([]float64, n)
	for i := range norm {
		sum := k[0]
		for j := 1; j < len(k); j++ {
			if mirror || i-j >= 0 {
				sum += k[j]
			}
			if mirror || i+j < n {
				sum += k[j]
			}
		}
		norm[i] = 1 / sum
	}
	return norm
}
