package dataset

import "image"

// The colours of a clip. With Y', Pb and Pr the samples brought to 0...1 and
// -1/2...1/2,
//
//	limited range: Y' = (Y - 16)/219, Pb = (Cb - 128)/224, Pr = (Cr - 128)/224
//	full range:    Y' = Y/255,        Pb = (Cb - 128)/255, Pr = (Cr - 128)/255
//
// the luma Y' = Kr R + Kg G + Kb B, Pb = (B - Y')/(2 - 2 Kb) and
// Pr = (R - Y')/(2 - 2 Kr) solve to
//
//	R = Y' + (2 - 2 Kr) Pr
//	G = Y' - Kb/Kg (2 - 2 Kb) Pb - Kr/Kg (2 - 2 Kr) Pr
//	B = Y' + (2 - 2 Kb) Pb
//
// which are multiplied by 255, rounded half up and clipped to 0...255. Kr and Kb are
// 0.299 and 0.114 in BT.601, 0.2126 and 0.0722 in BT.709, and Kg is the rest.
//
// Chroma is interpolated linearly along each axis between the two samples around a
// pixel, or taken from the nearest beyond the outermost. All sitings put a pixel at
// a quarter between two samples, so that two axes make sixteenths, which are kept as
// they are up to the one rounding at the end. The matrix has fixedBits bits of
// fraction, which makes an error of less than 255/2^15.

const (
	fixedBits  = 20
	chromaBits = 4 // of fraction, from the interpolation
)

// A yuvMatrix converts Y and sixteenths of Cb and Cr to 1/2^fixedBits.
type yuvMatrix struct {
	black          int // Y of black
	y              int
	rv, gu, gv, bu int
}

func newYUVMatrix(kr, kb float64, full bool) yuvMatrix {
	black, luma, chroma := 16, 219.0, 224.0
	if full {
		black, luma, chroma = 0, 255, 255
	}
	kg := 1 - kr - kb
	y := 255 / luma * (1 << fixedBits)
	c := 255 / chroma * (1 << (fixedBits - chromaBits))
	round := func(v float64) int { return int(v + 0.5) }
	return yuvMatrix{
		black: black,
		y:     round(y),
		rv:    round((2 - 2*kr) * c),
		gu:    round(kb / kg * (2 - 2*kb) * c),
		gv:    round(kr / kg * (2 - 2*kr) * c),
		bu:    round((2 - 2*kb) * c),
	}
}

// matrixOf returns the matrix of a clip. Its header does not name one.
func matrixOf(h *Y4MHeader) yuvMatrix {
	if h.Height < 720 {
		return newYUVMatrix(0.299, 0.114, h.FullRange)
	}
	return newYUVMatrix(0.2126, 0.0722, h.FullRange)
}

// A tap says what a luma position takes of the chroma samples along an axis: four
// minus f quarters of sample i and f quarters of sample j.
type tap struct{ i, j, f int }

// chromaTaps returns the taps of n luma positions for chroma samples of which step
// luma positions share one, the first lying half a luma position times first in.
func chromaTaps(n, step, first int) []tap {
	last := (n+step-1)/step - 1
	taps := make([]tap, n)
	for x := range taps {
		quarters := (4*x - 2*first) / step // exact, as step divides 4 and 2*first
		i := quarters >> 2
		taps[x] = tap{max(i, 0), min(i+1, last), quarters & 3}
	}
	return taps
}

// RGB converts a frame to opaque RGB.
//
// Since y4m does not say which matrix a clip was made with, it is BT.601 if the
// clip has fewer than 720 rows and BT.709 otherwise, as players have it. The range
// is limited unless the header says that it is full, mono clips included. Chroma is
// interpolated bilinearly from where the header puts it; the frame is taken to be
// progressive. For Kr = 0.299, Kb = 0.114, or Kr = 0.2126, Kb = 0.0722 in BT.709,
// Kg = 1 - Kr - Kb, and limited range,
//
//	R = 255/219 (Y-16) + 255/224 (2-2Kr) (Cr-128)
//	G = 255/219 (Y-16) - 255/224 (2-2Kb) Kb/Kg (Cb-128) - 255/224 (2-2Kr) Kr/Kg (Cr-128)
//	B = 255/219 (Y-16) + 255/224 (2-2Kb) (Cb-128)
//
// rounded once, half up, and clipped to 0 to 255. In full range 219 and 224 are 255
// and the 16 is 0.
//
// The frame must be as Y4MReader makes it: with the size and the subsampling of its
// header, and bounds that start at (0, 0).
func (f *Frame) RGB() *image.NRGBA {
	h, m := &f.Header, f.YCbCr
	c := &chromas[h.Chroma]
	matrix := matrixOf(h)
	cw, _ := h.chromaSize()
	across := chromaTaps(h.Width, c.stepX, c.left)
	downB, downR := chromaTaps(h.Height, c.stepY, c.topB), chromaTaps(h.Height, c.stepY, c.topR)
	// One row of chroma, in quarters.
	cb, cr := make([]int, cw), make([]int, cw)
	to := image.NewNRGBA(image.Rect(0, 0, h.Width, h.Height))
	for y := range h.Height {
		blendRows(cb, m.Cb, m.CStride, downB[y])
		blendRows(cr, m.Cr, m.CStride, downR[y])
		row := to.Pix[y*to.Stride:][:4*h.Width]
		for x, luma := range m.Y[y*m.YStride:][:h.Width] {
			t := across[x]
			u := (4-t.f)*cb[t.i] + t.f*cb[t.j] - 128<<chromaBits
			v := (4-t.f)*cr[t.i] + t.f*cr[t.j] - 128<<chromaBits
			l := (int(luma)-matrix.black)*matrix.y + 1<<(fixedBits-1)
			out := row[4*x:][:4]
			out[0] = clipFixed(l + matrix.rv*v)
			out[1] = clipFixed(l - matrix.gu*u - matrix.gv*v)
			out[2] = clipFixed(l + matrix.bu*u)
			out[3] = 0xff
		}
	}
	return to
}

// blendRows interpolates between two rows of a plane, in quarters.
func blendRows(dst []int, plane []byte, stride int, t tap) {
	a, b := plane[t.i*stride:][:len(dst)], plane[t.j*stride:][:len(dst)]
	for x := range dst {
		dst[x] = (4-t.f)*int(a[x]) + t.f*int(b[x])
	}
}

// clipFixed drops the fraction and clips to a byte.
func clipFixed(v int) byte { return byte(min(max(v>>fixedBits, 0), 255)) }
