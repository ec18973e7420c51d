package dataset

import "image"

// VP8 codes BT.601 YCbCr in limited range, 4:2:0, with each chroma sample in
// the middle of four pixels. What a WebP file looks like is what libwebp makes
// of it, so the arithmetic is libwebp's to the bit.
//
// Chroma is interpolated between the four nearest samples with the weights 9, 3,
// 3 and 1 of 16. For a the nearest sample, b and c the next two and d the
// farthest, libwebp computes
//
//	((a + b + c + d + 8 + 2*(b + c)) >> 3 + a) >> 1
//
// which rounds twice. At the left and right edges, where there are two samples,
// it is (3*a + b + 2) >> 2. The top and bottom rows use their chroma row twice.

// limitedToRGB converts m, whose bounds start at (0, 0), to opaque RGB.
func limitedToRGB(m *image.YCbCr) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	cw, ch := (w+1)/2, (h+1)/2
	u, v := make([]byte, w), make([]byte, w)
	for y := range h {
		near := y / 2
		far := near - 1 + 2*(y%2) // above for even rows, below for odd ones
		far = min(max(far, 0), ch-1)
		upsampleRow(u, m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw])
		upsampleRow(v, m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw])
		row := to.Pix[y*to.Stride:]
		for x, luma := range m.Y[y*m.YStride:][:w] {
			r, g, b := limitedRGB(int(luma), int(u[x]), int(v[x]))
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = r, g, b, 0xff
		}
	}
	return to
}

// upsampleRow interpolates a row of pixels from the nearest chroma row and the
// one on its other side.
func upsampleRow(dst, near, far []byte) {
	for x := range dst {
		i := x / 2
		j := i - 1 + 2*(x%2) // left for even pixels, right for odd ones
		a, c := int(near[i]), int(far[i])
		if j < 0 || j >= len(near) {
			dst[x] = byte((3*a + c + 2) >> 2)
			continue
		}
		b, d := int(near[j]), int(far[j])
		dst[x] = byte(((a+b+c+d+8+2*(b+c))>>3 + a) >> 1)
	}
}

// limitedRGB converts a colour with the 14-bit coefficients of libwebp, which
// leave 6 bits of fraction.
func limitedRGB(y, u, v int) (r, g, b byte) {
	l := y * 19077 >> 8
	return clip6(l + v*26149>>8 - 14234),
		clip6(l - u*6419>>8 - v*13320>>8 + 8708),
		clip6(l + u*33050>>8 - 17685)
}

// clip6 drops 6 bits of fraction and clips to a byte.
func clip6(v int) byte {
	return byte(min(max(v>>6, 0), 255))
}
