package metric

import (
	"fmt"
	"math"
)

// PeakSNR returns the peak signal-to-noise ratio in dB of a mean squared error,
// 10 log10(peak^2/mse), where peak is the largest value of a sample: 255 for 8
// bits. It is +Inf for an error of 0.
func PeakSNR(mse, peak float64) float64 {
	return 10 * math.Log10(peak*peak/mse)
}

// YUVPSNR returns the mean of the PSNR of the planes Y, U and V with weights of
// 6:1:1, by which the video coding groups (JVET, and JCT-VC before) sum up the
// three in one number, whatever the subsampling.
func YUVPSNR(y, u, v float64) float64 {
	return (6*y + u + v) / 8
}

// MSE8 returns the mean squared error between two planes of 8 bits, on the scale
// 0..255. It fails if their lengths differ or are 0.
func MSE8(a, b []uint8) (float64, error) { return mse(a, b) }

// MSE16 returns the mean squared error between two planes of up to 16 bits, on
// the scale of the samples. It fails if their lengths differ or are 0.
func MSE16(a, b []uint16) (float64, error) { return mse(a, b) }

func mse[T uint8 | uint16](a, b []T) (float64, error) {
	if len(a) != len(b) || len(a) == 0 {
		return 0, fmt.Errorf("%w: planes of %d and %d samples", ErrSize, len(a), len(b))
	}
	return float64(sse(a, b)) / float64(len(a)), nil
}

// sse returns the sum of squared errors, which fits for up to 2^32 samples.
func sse[T uint8 | uint16](a, b []T) uint64 {
	b = b[:len(a)]
	var sum uint64
	for i, v := range a {
		d := int64(v) - int64(b[i])
		sum += uint64(d * d)
	}
	return sum
}

// comparePSNR measures what needs nothing but the differences of samples.
func comparePSNR(v Values, p, q *samples) {
	n := float64(p.w) * float64(p.h)
	const unit = 257 * 257 // of 16-bit samples in the scale 0..255
	planes := channels(p, q)
	var sum uint64
	for c := range planes {
		sum += sse(p.c[c], q.c[c])
	}
	mse := float64(sum) / (float64(planes) * n * unit)
	v.set("mse", mse)
	v.set("psnr", PeakSNR(mse, 255))

	var yuv [3]float64
	if planes == 1 {
		yuv[0] = mse
	} else {
		yuv = sseYUV(p, q)
		for i := range yuv {
			yuv[i] /= n * unit
		}
	}
	v.set("mse_y", yuv[0])
	v.set("mse_u", yuv[1])
	v.set("mse_v", yuv[2])
	v.set("psnr_yuv", YUVPSNR(PeakSNR(yuv[0], 255), PeakSNR(yuv[1], 255), PeakSNR(yuv[2], 255)))

	if p.alpha != nil || q.alpha != nil {
		pa, qa := p.alpha, q.alpha
		if pa == nil {
			pa = opaque(len(qa))
		}
		if qa == nil {
			qa = opaque(len(pa))
		}
		v.set("alpha_mse", float64(sse(pa, qa))/(n*unit))
	}
}

// sseYUV returns the sums of squared errors of Y, Cb and Cr (ITU-T T.871):
//
//	Y  = 0.299 R + 0.587 G + 0.114 B
//	Cb = (B-Y)/1.772
//	Cr = (R-Y)/1.402
//
// They are linear, so the difference of two pictures is transformed, in integers
// times 1000: equal differences in R, G and B leave Cb and Cr exactly 0.
func sseYUV(p, q *samples) [3]float64 {
	var sum [3]float64
	n := len(p.c[0])
	r0, g0, b0 := p.c[0][:n], p.c[1][:n], p.c[2][:n]
	r1, g1, b1 := q.c[0][:n], q.c[1][:n], q.c[2][:n]
	for i := range r0 {
		r := int64(r0[i]) - int64(r1[i])
		g := int64(g0[i]) - int64(g1[i])
		b := int64(b0[i]) - int64(b1[i])
		y := 299*r + 587*g + 114*b
		u := 1000*b - y
		v := 1000*r - y
		sum[0] += float64(y * y) // at most 2^52: exact
		sum[1] += float64(u * u)
		sum[2] += float64(v * v)
	}
	sum[0] /= 1000 * 1000
	sum[1] /= 1772 * 1772
	sum[2] /= 1402 * 1402
	return sum
}
