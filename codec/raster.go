package codec

import (
	"fmt"
	"image"
)

// A raster is one plane of samples as a standard image stores it: the sample at
// (x, y) is at pix[y*stride + x*step], in one byte or in two, the high one
// first.
type raster struct {
	pix    []byte
	stride int
	step   int // 1 or 4; 2 or 8 if deep
	deep   bool
}

// check returns an error unless pix holds a plane.
func (a *raster) check(p Plane) error {
	last := int64(p.Height-1)*int64(a.stride) + int64(p.Width-1)*int64(a.step)
	if a.deep {
		last++
	}
	if a.stride < p.Width*a.step && p.Height > 1 || last >= int64(len(a.pix)) {
		return FormatError(fmt.Sprintf("image of %d x %d with a stride of %d in %d bytes", p.Width, p.Height, a.stride, len(a.pix)))
	}
	return nil
}

// row returns the bytes from the first to the last sample of a row of r.
func (a *raster) row(r image.Rectangle, y int) []byte {
	size := 1
	if a.deep {
		size = 2
	}
	at := y*a.stride + r.Min.X*a.step
	return a.pix[at:][:(r.Dx()-1)*a.step+size]
}

// The loops below test both indices, of which the compiler makes bounds checks
// that cost nothing.

// read copies the samples of r to dst.
func (a *raster) read(r image.Rectangle, dst []uint16, stride int) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.row(r, y)
		out := dst[(y-r.Min.Y)*stride:][:r.Dx()]
		switch {
		case a.deep:
			for x, i := 0, 0; x < len(out) && i+1 < len(row); x, i = x+1, i+a.step {
				out[x] = uint16(row[i])<<8 | uint16(row[i+1])
			}
		case a.step == 1:
			for x := 0; x < len(out) && x < len(row); x++ {
				out[x] = uint16(row[x])
			}
		default:
			for x, i := 0, 0; x < len(out) && i < len(row); x, i = x+1, i+4 {
				out[x] = uint16(row[i])
			}
		}
	}
}

// write copies src to the samples of r and returns the bitwise or of all of
// them, which shows any that is too large for a mask.
func (a *raster) write(r image.Rectangle, src []uint16, stride int) (or uint16) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.row(r, y)
		in := src[(y-r.Min.Y)*stride:][:r.Dx()]
		switch {
		case a.deep:
			for x, i := 0, 0; x < len(in) && i+1 < len(row); x, i = x+1, i+a.step {
				row[i], row[i+1] = byte(in[x]>>8), byte(in[x])
			}
		case a.step == 1:
			for x := 0; x < len(in) && x < len(row); x++ {
				or |= in[x]
				row[x] = byte(in[x])
			}
		default:
			for x, i := 0, 0; x < len(in) && i < len(row); x, i = x+1, i+4 {
				or |= in[x]
				row[i] = byte(in[x])
			}
		}
	}
	return or
}

// fill sets the samples of r to the largest value.
func (a *raster) fill(r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.row(r, y)
		if a.deep {
			for i := 0; i+1 < len(row); i += a.step {
				row[i], row[i+1] = 0xff, 0xff
			}
			continue
		}
		for i := 0; i < len(row); i += a.step {
			row[i] = 0xff
		}
	}
}

// interleaved returns the rasters of n samples a pixel.
func interleaved(pix []byte, stride, n int, deep bool) []raster {
	size := 1
	if deep {
		size = 2
	}
	rs := make([]raster, n)
	for i := range rs {
		rs[i] = raster{pix[i*size:], stride, n * size, deep}
	}
	return rs
}

// rasters returns the rasters of a standard image in the order of
// Header.Planes, its alpha last also when it is opaque, or nil for other types.
// The image must not be empty.
func rasters(m image.Image) []raster {
	switch m := m.(type) {
	case *image.Gray:
		return interleaved(m.Pix, m.Stride, 1, false)
	case *image.Gray16:
		return interleaved(m.Pix, m.Stride, 1, true)
	case *image.Alpha:
		return interleaved(m.Pix, m.Stride, 1, false)
	case *image.Alpha16:
		return interleaved(m.Pix, m.Stride, 1, true)
	case *image.NRGBA:
		return interleaved(m.Pix, m.Stride, 4, false)
	case *image.NRGBA64:
		return interleaved(m.Pix, m.Stride, 4, true)
	case *image.RGBA:
		return interleaved(m.Pix, m.Stride, 4, false)
	case *image.RGBA64:
		return interleaved(m.Pix, m.Stride, 4, true)
	case *image.CMYK:
		return interleaved(m.Pix, m.Stride, 4, false)
	case *image.Paletted:
		return interleaved(m.Pix, m.Stride, 1, false)
	case *image.YCbCr:
		return []raster{{m.Y, m.YStride, 1, false}, {m.Cb, m.CStride, 1, false}, {m.Cr, m.CStride, 1, false}}
	case *image.NYCbCrA:
		return append(rasters(&m.YCbCr), raster{m.A, m.AStride, 1, false})
	}
	return nil
}
