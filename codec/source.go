package codec

import (
	"fmt"
	"image"
	"image/color"
)

// A Source gives a codec the samples of a picture, plane by plane, whatever
// type of image they come from. It is safe for concurrent use as long as the
// image does not change.
type Source struct {
	header  Header
	planes  []Plane
	rasters []raster
}

// maxConverted is the largest picture, in pixels, that is converted.
const maxConverted = 1 << 28

// NewSource returns a Source for m, which must not be empty.
//
// The image types of package image are read where they lie, sub-images too. All
// others are converted first: to the type that matches their ColorModel if it
// is one of package color, and if not to an NRGBA, or NRGBA64 if 8 bits do not
// do, or RGBA64 if they are translucent, which loses nothing of what RGBA
// returns for their colours.
//
// A YCbCr or NYCbCrA whose bounds do not start where a chroma sample does, as a
// sub-image may, is taken as one without chroma subsampling.
func NewSource(m image.Image) (*Source, error) {
	b := m.Bounds()
	if b.Empty() {
		return nil, FormatError(fmt.Sprintf("empty picture of %d x %d", b.Dx(), b.Dy()))
	}
	if int64(b.Dx()) > MaxDimension || int64(b.Dy()) > MaxDimension {
		return nil, fmt.Errorf("%w: %d x %d pixels", ErrTooLarge, b.Dx(), b.Dy())
	}
	if rasters(m) == nil {
		var err error
		if m, err = convert(m); err != nil {
			return nil, err
		}
	}
	m = alignChroma(m)
	b = m.Bounds()

	s := &Source{header: Header{Width: b.Dx(), Height: b.Dy(), Depth: 8, Orientation: 1}}
	h := &s.header
	switch m := m.(type) {
	case *image.Gray:
		h.Model = ModelGray
	case *image.Gray16:
		h.Model, h.Depth = ModelGray, 16
	case *image.Alpha:
		h.Model = ModelAlpha
	case *image.Alpha16:
		h.Model, h.Depth = ModelAlpha, 16
	case *image.NRGBA:
		h.Model = ModelNRGBA
	case *image.NRGBA64:
		h.Model, h.Depth = ModelNRGBA, 16
	case *image.RGBA:
		h.Model = ModelRGBA
	case *image.RGBA64:
		h.Model, h.Depth = ModelRGBA, 16
	case *image.CMYK:
		h.Model = ModelCMYK
	case *image.YCbCr:
		h.Model, h.Subsample = ModelYCbCr, m.SubsampleRatio
	case *image.NYCbCrA:
		h.Model, h.Subsample = ModelNYCbCrA, m.SubsampleRatio
	case *image.Paletted:
		h.Model, h.Palette = ModelPaletted, m.Palette
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	s.planes = h.Planes()
	s.rasters = rasters(m)
	for i := range s.rasters {
		if err := s.rasters[i].check(s.planes[i]); err != nil {
			return nil, err
		}
	}
	if h.Model.hasAlpha() && m.(interface{ Opaque() bool }).Opaque() {
		h.Opaque = true
		s.planes = h.Planes()
	}
	if p, ok := m.(*image.Paletted); ok {
		for y := range h.Height {
			for _, v := range p.Pix[y*p.Stride:][:h.Width] {
				if int(v) >= len(h.Palette) {
					return nil, FormatError(fmt.Sprintf("index %d into a palette of %d", v, len(h.Palette)))
				}
			}
		}
	}
	return s, nil
}

// Header describes the picture. Its codec is that of the file being written.
func (s *Source) Header() *Header { return &s.header }

// ReadPlane copies the samples of plane p in r, whose origin is the top left of
// the plane, to dst: the sample at (x, y) goes to
// dst[(y-r.Min.Y)*stride + x-r.Min.X]. It panics if r is not within the plane
// or dst is too short.
func (s *Source) ReadPlane(p int, r image.Rectangle, dst []uint16, stride int) {
	if r.Empty() {
		return
	}
	if bounds := image.Rect(0, 0, s.planes[p].Width, s.planes[p].Height); !r.In(bounds) {
		panic(fmt.Sprintf("codec: ReadPlane: %v is outside plane %d, %v", r, p, bounds))
	}
	s.rasters[p].read(r, dst, stride)
}

// drawable is what the types of package image add to image.Image.
type drawable interface {
	image.Image
	Set(x, y int, c color.Color)
}

// convert returns a copy of m as a type of package image that loses nothing.
func convert(m image.Image) (image.Image, error) {
	b := m.Bounds()
	if int64(b.Dx())*int64(b.Dy()) > maxConverted {
		return nil, fmt.Errorf("%w: %d x %d pixels of type %T", ErrTooLarge, b.Dx(), b.Dy(), m)
	}
	r := image.Rect(0, 0, b.Dx(), b.Dy())
	var to drawable
	switch m.ColorModel() {
	case color.GrayModel:
		to = image.NewGray(r)
	case color.Gray16Model:
		to = image.NewGray16(r)
	case color.AlphaModel:
		to = image.NewAlpha(r)
	case color.Alpha16Model:
		to = image.NewAlpha16(r)
	case color.NRGBAModel:
		to = image.NewNRGBA(r)
	case color.NRGBA64Model:
		to = image.NewNRGBA64(r)
	case color.RGBAModel:
		to = image.NewRGBA(r)
	case color.RGBA64Model:
		to = image.NewRGBA64(r)
	case color.CMYKModel:
		to = image.NewCMYK(r)
	case color.YCbCrModel, color.NYCbCrAModel:
		return convertYCbCr(m), nil
	default:
		return narrow(copyTo(image.NewRGBA64(r), m)), nil
	}
	return copyTo(to, m), nil
}

func copyTo[T drawable](to T, m image.Image) T {
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			to.Set(x, y, m.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return to
}

// convertYCbCr copies an image of unknown type with colours of YCbCr or
// NYCbCrA, for which package image has no Set.
func convertYCbCr(m image.Image) image.Image {
	b := m.Bounds()
	to := image.NewNYCbCrA(image.Rect(0, 0, b.Dx(), b.Dy()), image.YCbCrSubsampleRatio444)
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.NYCbCrAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NYCbCrA)
			i := y*to.YStride + x
			to.Y[i], to.Cb[i], to.Cr[i], to.A[y*to.AStride+x] = c.Y, c.Cb, c.Cr, c.A
		}
	}
	if m.ColorModel() == color.YCbCrModel {
		return &to.YCbCr
	}
	return to
}

// narrow returns m as an NRGBA or NRGBA64 if that loses nothing.
func narrow(m *image.RGBA64) image.Image {
	if !m.Opaque() {
		return m
	}
	to := image.NewNRGBA(m.Rect)
	for i := range to.Pix {
		if m.Pix[2*i] != m.Pix[2*i+1] {
			// Without translucency, premultiplied and straight are the same.
			return &image.NRGBA64{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
		}
		to.Pix[i] = m.Pix[2*i]
	}
	return to
}

// alignChroma returns m, or if m is a YCbCr or NYCbCrA whose first chroma
// samples are only partly within its bounds, a copy of it with a chroma sample
// for each pixel: with the bounds moved to (0, 0) the samples it has would fall
// on other pixels.
func alignChroma(m image.Image) image.Image {
	switch m := m.(type) {
	case *image.YCbCr:
		if !chromaAligned(m) {
			return spreadChroma(m)
		}
	case *image.NYCbCrA:
		if !chromaAligned(&m.YCbCr) {
			return &image.NYCbCrA{YCbCr: *spreadChroma(&m.YCbCr), A: m.A, AStride: m.AStride}
		}
	}
	return m
}

func chromaAligned(m *image.YCbCr) bool {
	dx, dy := chromaStep(m.SubsampleRatio)
	// The grid of samples is mirrored at 0.
	return (dx == 1 || m.Rect.Min.X >= 0 && m.Rect.Min.X%dx == 0) &&
		(dy == 1 || m.Rect.Min.Y >= 0 && m.Rect.Min.Y%dy == 0)
}

func spreadChroma(m *image.YCbCr) *image.YCbCr {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	to := &image.YCbCr{
		Y: m.Y, YStride: m.YStride,
		Cb: make([]byte, w*h), Cr: make([]byte, w*h), CStride: w,
		SubsampleRatio: image.YCbCrSubsampleRatio444,
		Rect:           image.Rect(0, 0, w, h),
	}
	for y := range h {
		for x := range w {
			from := m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			to.Cb[y*w+x], to.Cr[y*w+x] = m.Cb[from], m.Cr[from]
		}
	}
	return to
}
