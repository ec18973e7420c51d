package codec

import (
	"encoding/binary"
	"fmt"
	"image"
)

// A raster is one plane of samples as a standard image stores it: the sample at
// (x, y) is at pix[y*stride + x*step], in one byte or in two, the high one
// first.
type raster struct {
	pix    []byte
	stride int
	step   int // 1 to 8
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

// read copies the samples of r to dst.
func (a *raster) read(r image.Rectangle, dst []uint16, stride int) {
	w := r.Dx()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.pix[y*a.stride+r.Min.X*a.step:]
		out := dst[(y-r.Min.Y)*stride:][:w]
		switch {
		case a.deep && a.step == 2:
			for x := range out {
				out[x] = binary.BigEndian.Uint16(row[2*x:])
			}
		case a.deep:
			for x := range out {
				out[x] = binary.BigEndian.Uint16(row[8*x:])
			}
		case a.step == 1:
			for x, v := range row[:w] {
				out[x] = uint16(v)
			}
		default:
			for x := range out {
				out[x] = uint16(row[4*x])
			}
		}
	}
}

// write copies src to the samples of r and returns the bitwise or of all of
// them, which shows any that is too large for a mask.
func (a *raster) write(r image.Rectangle, src []uint16, stride int) (or uint16) {
	w := r.Dx()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.pix[y*a.stride+r.Min.X*a.step:]
		in := src[(y-r.Min.Y)*stride:][:w]
		switch {
		case a.deep && a.step == 2:
			for x, v := range in {
				binary.BigEndian.PutUint16(row[2*x:], v)
			}
		case a.deep:
			for x, v := range in {
				binary.BigEndian.PutUint16(row[8*x:], v)
			}
		case a.step == 1:
			row = row[:w]
			for x, v := range in {
				or |= v
				row[x] = byte(v)
			}
		default:
			for x, v := range in {
				or |= v
				row[4*x] = byte(v)
			}
		}
	}
	return or
}

// fill sets the samples of r to the largest value.
func (a *raster) fill(r image.Rectangle) {
	size := 1
	if a.deep {
		size = 2
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := a.pix[y*a.stride+r.Min.X*a.step:]
		for x := range r.Dx() {
			for i := range size {
				row[x*a.step+i] = 0xff
			}
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
