package metric

import (
	"image"
	"image/color"
)

// maxSample is white in samples.
const maxSample = 65535

// samples are the planes of a picture, in rows without padding: 16 bits, over
// black. Those of 8-bit pictures are v*257, so nothing is lost.
type samples struct {
	w, h  int
	c     [3][]uint16 // R, G, B; in a gray picture all three are the same slice
	gray  bool
	alpha []uint16 // nil in an opaque picture
}

// newSamples reads a picture.
func newSamples(m image.Image) *samples {
	b := m.Bounds()
	s := &samples{w: b.Dx(), h: b.Dy()}
	n := s.w * s.h
	s.gray = m.ColorModel() == color.GrayModel || m.ColorModel() == color.Gray16Model
	s.c[0] = make([]uint16, n)
	if s.gray {
		s.c[1], s.c[2] = s.c[0], s.c[0]
	} else {
		s.c[1], s.c[2] = make([]uint16, n), make([]uint16, n)
	}
	at := pixels(m)
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			s.c[0][i], s.c[1][i], s.c[2][i] = c.R, c.G, c.B
			if c.A != maxSample && s.alpha == nil {
				s.alpha = opaque(n)
			}
			if s.alpha != nil {
				s.alpha[i] = c.A
			}
			i++
		}
	}
	return s
}

// pixels returns a function that returns the pixels of m.
func pixels(m image.Image) func(x, y int) color.RGBA64 {
	switch m := m.(type) {
	case *image.YCbCr:
		return func(x, y int) color.RGBA64 {
			c := m.YCbCrAt(x, y)
			r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			return color.RGBA64{uint16(r) * 257, uint16(g) * 257, uint16(b) * 257, maxSample}
		}
	case *image.NYCbCrA:
		return func(x, y int) color.RGBA64 {
			c := m.NYCbCrAAt(x, y)
			r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			return rgba64(color.NRGBA{r, g, b, c.A})
		}
	case image.RGBA64Image:
		return m.RGBA64At
	}
	return func(x, y int) color.RGBA64 { return rgba64(m.At(x, y)) }
}

func rgba64(c color.Color) color.RGBA64 {
	r, g, b, a := c.RGBA()
	return color.RGBA64{uint16(r), uint16(g), uint16(b), uint16(a)}
}

// opaque returns the alpha of n opaque pixels.
func opaque(n int) []uint16 {
	a := make([]uint16, n)
	for i := range a {
		a[i] = maxSample
	}
	return a
}
