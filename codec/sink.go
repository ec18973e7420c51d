package codec

import (
	"fmt"
	"image"
	"sync/atomic"
)

// A Sink takes the samples that a codec decodes, plane by plane, and makes an
// image of them. Writes to rectangles that do not overlap may run at once.
type Sink struct {
	header  Header
	planes  []Plane
	rasters []raster
	image   image.Image
	written []atomic.Int64 // samples, per plane
}

// NewSink allocates the picture that h describes. It applies no limits: a
// Decoder does so before.
func NewSink(h *Header) (*Sink, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	s := &Sink{header: *h, planes: h.Planes(), image: newImage(h)}
	s.rasters = rasters(s.image)
	s.written = make([]atomic.Int64, len(s.planes))
	return s, nil
}

func newImage(h *Header) image.Image {
	r := h.Bounds()
	deep := h.Depth == 16
	switch h.Model {
	case ModelGray:
		if deep {
			return image.NewGray16(r)
		}
		return image.NewGray(r)
	case ModelAlpha:
		if deep {
			return image.NewAlpha16(r)
		}
		return image.NewAlpha(r)
	case ModelNRGBA:
		if deep {
			return image.NewNRGBA64(r)
		}
		return image.NewNRGBA(r)
	case ModelRGBA:
		if deep {
			return image.NewRGBA64(r)
		}
		return image.NewRGBA(r)
	case ModelYCbCr:
		return image.NewYCbCr(r, h.Subsample)
	case ModelNYCbCrA:
		return image.NewNYCbCrA(r, h.Subsample)
	case ModelCMYK:
		return image.NewCMYK(r)
	}
	return image.NewPaletted(r, h.Palette)
}

// Header describes the picture.
func (s *Sink) Header() *Header { return &s.header }

// WritePlane copies src to the samples of plane p in r, laid out as in
// [Source.ReadPlane]. It panics if r is not within the plane or src is too
// short, and returns a FormatError if a sample exceeds the MaxValue of the
// plane.
func (s *Sink) WritePlane(p int, r image.Rectangle, src []uint16, stride int) error {
	if r.Empty() {
		return nil
	}
	plane := &s.planes[p]
	if bounds := image.Rect(0, 0, plane.Width, plane.Height); !r.In(bounds) {
		panic(fmt.Sprintf("codec: WritePlane: %v is outside plane %d, %v", r, p, bounds))
	}
	or := s.rasters[p].write(r, src, stride)
	if s.header.Model == ModelPaletted && or > plane.MaxValue {
		// The or of valid indices may itself be none.
		or = maxSample(r, src, stride)
	}
	if or > plane.MaxValue {
		return FormatError(fmt.Sprintf("sample of plane %d exceeds %d", p, plane.MaxValue))
	}
	if p == 0 && s.header.Opaque {
		s.rasters[len(s.rasters)-1].fill(r)
	}
	s.written[p].Add(int64(r.Dx()) * int64(r.Dy()))
	return nil
}

func maxSample(r image.Rectangle, src []uint16, stride int) (most uint16) {
	for y := range r.Dy() {
		for _, v := range src[y*stride:][:r.Dx()] {
			most = max(most, v)
		}
	}
	return most
}

// Image returns the picture, an image type of package image with bounds that
// start at (0, 0).
func (s *Sink) Image() image.Image { return s.image }

// complete returns an error if less has been written than the planes hold.
func (s *Sink) complete() error {
	for i, p := range s.planes {
		if n := int64(p.Width) * int64(p.Height); s.written[i].Load() < n {
			return FormatError(fmt.Sprintf("%d of %d samples of plane %d are missing", n-s.written[i].Load(), n, i))
		}
	}
	return nil
}
