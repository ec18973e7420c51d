package prepare

import (
	"image"
	"image/color"
)

// A raster is a picture of 8-bit RGB pixels, the only kind that the processors
// resize. Rows have a stride that is a multiple of eight with at least a byte to
// spare, for loops that read whole words.
type raster struct {
	w, h, stride int
	pix          []uint8 // stride × h
}

func newRaster(w, h int) *raster {
	stride := (3*w + 1 + 7) &^ 7
	return &raster{w, h, stride, make([]uint8, stride*h)}
}

// row returns the 3·w bytes of row y.
func (p *raster) row(y int) []uint8 { return p.pix[y*p.stride:][:3*p.w] }

// fill sets all pixels.
func (p *raster) fill(c [3]uint8) {
	for y := range p.h {
		row := p.row(y)
		for i := range row {
			row[i] = c[i%3]
		}
	}
}

// crop returns the w × h pixels at x, y, black where p has none.
func (p *raster) crop(x, y, w, h int) *raster {
	out := newRaster(w, h)
	out.paste(p, -x, -y)
	return out
}

// pad returns a w × h picture of a colour with p at x, y.
func (p *raster) pad(w, h, x, y int, c [3]uint8) *raster {
	if w == p.w && h == p.h && x == 0 && y == 0 {
		return p
	}
	out := newRaster(w, h)
	if c != [3]uint8{} {
		out.fill(c)
	}
	out.paste(p, x, y)
	return out
}

// paste copies what of q lies within p when its corner is at x, y.
func (p *raster) paste(q *raster, x, y int) {
	left, right := max(x, 0), min(x+q.w, p.w)
	if left >= right {
		return
	}
	for i := max(y, 0); i < min(y+q.h, p.h); i++ {
		copy(p.row(i)[3*left:3*right], q.row(i - y)[3*(left-x):])
	}
}

// tiles cuts the picture into w × h pieces, row by row. Its sides must be
// multiples of w and h.
func (p *raster) tiles(w, h int) []*raster {
	var out []*raster
	for y := 0; y < p.h; y += h {
		for x := 0; x < p.w; x += w {
			out = append(out, p.crop(x, y, w, h))
		}
	}
	return out
}

// transpose swaps rows and columns.
func (p *raster) transpose() *raster {
	out := newRaster(p.h, p.w)
	for y := range p.h {
		row := p.row(y)
		for x := range p.w {
			copy(out.pix[x*out.stride+3*y:][:3], row[3*x:])
		}
	}
	return out
}

// turn returns the picture upright: o is its EXIF orientation, 1 to 8.
func (p *raster) turn(o int) *raster {
	if o <= 1 {
		return p
	}
	out := newRaster(p.w, p.h)
	if o >= 5 {
		out = newRaster(p.h, p.w)
	}
	for y := range out.h {
		to := out.row(y)
		for x := range out.w {
			// Of a turned picture the rows are columns.
			u, v := x, y
			if o >= 5 {
				u, v = y, x
			}
			switch o {
			case 2, 3, 7, 8:
				u = p.w - 1 - u
			}
			switch o {
			case 3, 4, 6, 7:
				v = p.h - 1 - v
			}
			copy(to[3*x:3*x+3], p.pix[v*p.stride+3*u:])
		}
	}
	return out
}

// white is what transparent pixels are laid on.
var white = [3]uint8{255, 255, 255}

// fromImage converts a picture to RGB as Pillow's convert("RGB") does after it
// read the same samples, transparent pixels laid on white before or, with
// AlphaDrop, their colours kept:
//
//   - 16-bit colour keeps its upper bytes, as Pillow's PNG reader does;
//   - 16-bit grey is clipped at 255, as Pillow's conversion from I;16 does, or
//     keeps its upper byte with scaleGrey16;
//   - CMYK is multiplied out in bytes.
//
// JPEG's YCbCr is converted by image/color, whose results differ from libjpeg's
// by rounding.
func fromImage(m image.Image, alpha Alpha, scaleGrey16 bool) *raster {
	r := m.Bounds()
	p := newRaster(r.Dx(), r.Dy())
	drop := alpha == AlphaDrop
	switch m := m.(type) {
	case *image.NRGBA:
		for y := range p.h {
			from, to := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y):], p.row(y)
			for x := range p.w {
				put(to[3*x:3*x+3], from[4*x], from[4*x+1], from[4*x+2], from[4*x+3], drop)
			}
		}
	case *image.Gray:
		for y := range p.h {
			from, to := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y):], p.row(y)
			for x := range p.w {
				to[3*x], to[3*x+1], to[3*x+2] = from[x], from[x], from[x]
			}
		}
	case *image.Gray16:
		for y := range p.h {
			to := p.row(y)
			for x := range p.w {
				v := m.Gray16At(r.Min.X+x, r.Min.Y+y).Y
				if scaleGrey16 {
					v >>= 8
				}
				g := uint8(min(v, 255))
				to[3*x], to[3*x+1], to[3*x+2] = g, g, g
			}
		}
	case *image.CMYK:
		for y := range p.h {
			from, to := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y):], p.row(y)
			for x := range p.w {
				light := 255 - from[4*x+3]
				for c := range 3 {
					to[3*x+c] = light - mulDiv255(from[4*x+c], light)
				}
			}
		}
	case *image.RGBA:
		if m.Opaque() {
			for y := range p.h {
				from, to := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y):], p.row(y)
				for x := range p.w {
					copy(to[3*x:3*x+3], from[4*x:])
				}
			}
			break
		}
		p.fromAny(m, drop)
	case *image.Paletted:
		colours := make([][4]uint8, len(m.Palette))
		for i, c := range m.Palette {
			n := straight(c)
			colours[i] = [4]uint8{n.R, n.G, n.B, n.A}
		}
		for y := range p.h {
			from, to := m.Pix[m.PixOffset(r.Min.X, r.Min.Y+y):], p.row(y)
			for x := range p.w {
				var c [4]uint8 // an index beyond the palette is transparent black
				if i := int(from[x]); i < len(colours) {
					c = colours[i]
				}
				put(to[3*x:3*x+3], c[0], c[1], c[2], c[3], drop)
			}
		}
	case *image.YCbCr:
		for y := range p.h {
			to := p.row(y)
			for x := range p.w {
				i, j := m.YOffset(r.Min.X+x, r.Min.Y+y), m.COffset(r.Min.X+x, r.Min.Y+y)
				to[3*x], to[3*x+1], to[3*x+2] = color.YCbCrToRGB(m.Y[i], m.Cb[j], m.Cr[j])
			}
		}
	default:
		p.fromAny(m, drop)
	}
	return p
}

// fromAny converts a picture pixel by pixel.
func (p *raster) fromAny(m image.Image, drop bool) {
	r := m.Bounds()
	for y := range p.h {
		to := p.row(y)
		for x := range p.w {
			c := straight(m.At(r.Min.X+x, r.Min.Y+y))
			put(to[3*x:3*x+3], c.R, c.G, c.B, c.A, drop)
		}
	}
}

// straight returns a colour that is not multiplied by its alpha, in the upper
// bytes of its samples.
func straight(c color.Color) color.NRGBA {
	switch c := c.(type) {
	case color.NRGBA:
		return c
	case color.NRGBA64:
		return color.NRGBA{uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8), uint8(c.A >> 8)}
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return color.NRGBA{uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8), uint8(n.A >> 8)}
}

// put stores a pixel, laid on white in Pillow's fixed point unless drop.
func put(to []uint8, r, g, b, a uint8, drop bool) {
	switch {
	case drop || a == 255:
		to[0], to[1], to[2] = r, g, b
	case a == 0:
		to[0], to[1], to[2] = 255, 255, 255
	default:
		to[0], to[1], to[2] = onWhite(r, a), onWhite(g, a), onWhite(b, a)
	}
}

// onWhite lays a sample of opacity a on white, with seven fractional bits as
// Pillow's alpha_composite has.
func onWhite(v, a uint8) uint8 {
	cover := uint32(a) << 7
	t := uint32(v)*cover + 255*(255<<7-cover) + 0x80<<7
	return uint8((t>>8 + t) >> 8 >> 7)
}

// mulDiv255 returns a·b/255, rounded, as Pillow computes it.
func mulDiv255(a, b uint8) uint8 {
	t := uint32(a)*uint32(b) + 128
	return uint8((t>>8 + t) >> 8)
}
