package metric

// SSIM and its kin compare two pictures by means, variances and the covariance
// under a small window w that slides over both:
//
//	mean of x   = sum w x
//	var of x    = sum w x^2 - mean^2
//	covariance  = sum w x y - mean mean
//
// They only need the sum of the two variances. With u = x+y and v = x-y,
//
//	2 (var x + var y) = var u + var v     2 (mx^2 + my^2) = mu^2 + mv^2
//	4 cov             = var u - var v     4 mx my         = mu^2 - mv^2
//
// so the windowed means of u, v, u^2 and v^2 are all there is to compute. That is
// a map less than x, y, x^2, y^2 and xy take, and where pictures hardly differ
// nothing is lost by cancellation, because v is small.
//
// The window is separable. Rows are filtered horizontally as they come, into a
// ring of 11, and vertically from there, so that all stays in the cache.

const (
	windowRadius = 5
	windowSize   = 2*windowRadius + 1
)

// A window holds the weights of a symmetric window: of its centre, then of the
// rows or columns at distance 1 to windowRadius.
type window [windowRadius + 1]float64

// moments are the windowed means of a row.
type moments struct {
	u, v, uu, vv []float64
}

// slide calls emit with the windowed means of each row of two pictures, from the
// first to the last; emit must not keep m. The means are of the windows that lie
// inside of w x h samples, so there are w-10 in h-10 rows, which must be positive.
// load stores the sums and differences of the samples of row y in u and v, which
// hold w samples.
func slide(w, h int, k *window, load func(y int, u, v []float64), emit func(y int, m *moments)) {
	out := w - 2*windowRadius
	var rows [4][]float64 // u, v, u^2, v^2
	var ring [4][windowSize][]float64
	var means [4][]float64
	for i := range rows {
		rows[i] = make([]float64, w)
		for j := range ring[i] {
			ring[i][j] = make([]float64, out)
		}
		means[i] = make([]float64, out)
	}
	m := &moments{means[0], means[1], means[2], means[3]}
	for y := range h {
		u, v := rows[0], rows[1]
		load(y, u, v)
		uu, vv := rows[2][:len(u)], rows[3][:len(u)]
		v = v[:len(u)]
		for i, s := range u {
			d := v[i]
			uu[i] = s * s
			vv[i] = d * d
		}
		for i, row := range rows {
			var taps [windowSize][]float64
			for j := range taps {
				taps[j] = row[j:]
			}
			filter(ring[i][y%windowSize], &taps, k)
		}
		if y < windowSize-1 {
			continue
		}
		for i := range ring {
			var taps [windowSize][]float64
			for j := range taps {
				taps[j] = ring[i][(y+1+j)%windowSize]
			}
			filter(means[i], &taps, k)
		}
		emit(y-(windowSize-1), m)
	}
}

// filter computes dst[i] as the sum over j of the weight of j times taps[j][i].
func filter(dst []float64, taps *[windowSize][]float64, k *window) {
	n := len(dst)
	t0, t1, t2, t3, t4 := taps[0][:n], taps[1][:n], taps[2][:n], taps[3][:n], taps[4][:n]
	t5 := taps[5][:n]
	t6, t7, t8, t9, t10 := taps[6][:n], taps[7][:n], taps[8][:n], taps[9][:n], taps[10][:n]
	k0, k1, k2, k3, k4, k5 := k[0], k[1], k[2], k[3], k[4], k[5]
	for i := range dst {
		dst[i] = (k0*t5[i] + k1*(t4[i]+t6[i])) + (k2*(t3[i]+t7[i]) + k3*(t2[i]+t8[i])) +
			(k4*(t1[i]+t9[i]) + k5*(t0[i]+t10[i]))
	}
}
