package metric

import "math"

// SSIM (Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from
// error visibility to structural similarity", 2004) is the mean over all windows
// of l cs, where
//
//	l  = (2 mx my + C1) / (mx^2 + my^2 + C1)
//	cs = (2 cov + C2) / (var x + var y + C2)
//
// with C1 = (0.01 L)^2 and C2 = (0.03 L)^2 for samples up to L. The window is a
// Gaussian of 11x11 with sigma 1.5, variances are those of the window (not
// multiplied by n/(n-1)) and only windows inside the picture count. There is no
// downsampling before.
//
// MS-SSIM (Wang, Simoncelli and Bovik, "Multi-scale structural similarity for
// image quality assessment", 2003) takes five scales, each half the size of the
// one before, and is the product of the mean cs of the first four and of the mean
// l cs of the last, raised to weights. Details that the paper leaves open are those
// of the pytorch-msssim that publications on learned codecs use: scales are means
// of 2x2 samples; to a picture of odd width or height a zero is added before its
// first column or row, so that the last sample counts; negative means are set to
// 0; and the products of R, G and B are averaged.

// scaleWeights are the exponents of MS-SSIM, finest scale first.
var scaleWeights = [...]float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}

// minMSSSIM is the smallest side of a picture for MS-SSIM, that leaves a whole
// window at the coarsest scale. (pytorch-msssim has the same limit.)
const minMSSSIM = (windowSize-1)<<(len(scaleWeights)-1) + 1

var gaussian = newGaussian(1.5)

// newGaussian returns the window of a Gaussian, with a sum of 1.
func newGaussian(sigma float64) window {
	var k window
	sum := 0.0
	for i := range k {
		k[i] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
		sum += k[i]
		if i > 0 {
			sum += k[i]
		}
	}
	for i := range k {
		k[i] /= sum
	}
	return k
}

// compareSSIM measures SSIM and MS-SSIM.
func compareSSIM(v Values, p, q *samples, which Set) {
	side := min(p.w, p.h)
	if side < windowSize {
		return
	}
	scales := 1
	if which&MSSSIM != 0 && side >= minMSSSIM {
		scales = len(scaleWeights)
	} else if which&SSIM == 0 {
		return
	}
	n := channels(p, q)
	var ssim, msssim float64
	for c := range n {
		s, ms := ssimPlane(p.c[c], q.c[c], p.w, p.h, scales)
		ssim += s / float64(n)
		msssim += ms / float64(n)
	}
	if which&SSIM != 0 {
		v.set("ssim", ssim)
	}
	if scales > 1 {
		v.set("ms_ssim", msssim)
		v.set("ms_ssim_db", -10*math.Log10(1-msssim))
	}
}

// ssimPlane returns the SSIM of two planes and, of several scales, the product.
func ssimPlane(a, b []uint16, w, h, scales int) (ssim, product float64) {
	ssim, cs := ssimScale(a, b, w, h)
	if scales == 1 {
		return ssim, ssim
	}
	product = math.Pow(max(cs, 0), scaleWeights[0])
	x, _, _ := halve(a, w, h)
	y, w, h := halve(b, w, h)
	for i := 1; ; i++ {
		s, cs := ssimScale(x, y, w, h)
		if i == scales-1 {
			return ssim, product * math.Pow(max(s, 0), scaleWeights[i])
		}
		product *= math.Pow(max(cs, 0), scaleWeights[i])
		x, _, _ = halve(x, w, h)
		y, w, h = halve(y, w, h)
	}
}

// ssimScale returns the means of l cs and of cs.
func ssimScale[T uint16 | float32](a, b []T, w, h int) (ssim, cs float64) {
	load := func(y int, u, v []float64) {
		a, b := a[y*w:][:w], b[y*w:][:w]
		u, v = u[:w], v[:w]
		for i := range a {
			x, y := float64(a[i]), float64(b[i])
			u[i] = x + y
			v[i] = x - y
		}
	}
	const c1 = 2 * (0.01 * maxSample) * (0.01 * maxSample)
	const c2 = 2 * (0.03 * maxSample) * (0.03 * maxSample)
	emit := func(_ int, m *moments) {
		n := len(m.u)
		v, uu, vv := m.v[:n], m.uu[:n], m.vv[:n]
		var sumSSIM, sumCS float64
		for i, u := range m.u {
			mu, mv := u*u, v[i]*v[i]
			vu, vv := uu[i]-mu, vv[i]-mv
			cs := (vu - vv + c2) / (vu + vv + c2)
			sumCS += cs
			sumSSIM += cs * (mu - mv + c1) / (mu + mv + c1)
		}
		ssim += sumSSIM
		cs += sumCS
	}
	slide(w, h, &gaussian, load, emit)
	n := float64(w-windowSize+1) * float64(h-windowSize+1)
	return ssim / n, cs / n
}

// halve returns a plane of half the size, rounded up, of the means of 2x2 samples.
// A column of zeros precedes a plane of odd width, a row one of odd height.
//
// The values are exact: after four times, samples of 16 bits have 24.
func halve[T uint16 | float32](a []T, w, h int) (half []float32, w2, h2 int) {
	w2, h2 = (w+1)/2, (h+1)/2
	half = make([]float32, w2*h2)
	for y := range h {
		dst := half[(y+h%2)/2*w2:][:w2]
		row := a[y*w:][:w]
		if w%2 == 1 {
			dst[0] += float32(row[0]) / 4
			dst, row = dst[1:], row[1:]
		}
		for i := range dst {
			dst[i] += (float32(row[2*i]) + float32(row[2*i+1])) / 4
		}
	}
	return half, w2, h2
}
