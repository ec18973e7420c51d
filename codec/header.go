package codec

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
)

// A Model says what the samples of a picture mean. The values are those of the
// file format.
type Model uint8

const (
	ModelGray     Model = 1 + iota // image.Gray, image.Gray16
	ModelAlpha                     // image.Alpha, image.Alpha16
	ModelNRGBA                     // image.NRGBA, image.NRGBA64
	ModelRGBA                      // image.RGBA, image.RGBA64: premultiplied
	ModelYCbCr                     // image.YCbCr: full range, as in JPEG
	ModelNYCbCrA                   // image.NYCbCrA: the same with alpha
	ModelCMYK                      // image.CMYK
	ModelPaletted                  // image.Paletted
)

var modelNames = [...]string{
	ModelGray:     "Gray",
	ModelAlpha:    "Alpha",
	ModelNRGBA:    "NRGBA",
	ModelRGBA:     "RGBA",
	ModelYCbCr:    "YCbCr",
	ModelNYCbCrA:  "NYCbCrA",
	ModelCMYK:     "CMYK",
	ModelPaletted: "Paletted",
}

func (m Model) String() string {
	if m.valid() {
		return modelNames[m]
	}
	return "Model(" + strconv.Itoa(int(m)) + ")"
}

func (m Model) valid() bool { return m >= ModelGray && m <= ModelPaletted }

// hasAlpha reports whether the model has an alpha plane beside its colours.
func (m Model) hasAlpha() bool {
	return m == ModelNRGBA || m == ModelRGBA || m == ModelNYCbCrA
}

// deep reports whether there is a standard image type of the model with 16 bits
// a sample.
func (m Model) deep() bool { return m >= ModelGray && m <= ModelRGBA }

func (m Model) subsampled() bool { return m == ModelYCbCr || m == ModelNYCbCrA }

// MaxDimension is the largest width or height of a picture.
const MaxDimension = 1<<28 - 1

// A Header describes the picture in a file and how it is coded.
type Header struct {
	Width, Height int // 1 to MaxDimension

	Model Model
	Depth int // bits per sample: 8, or 16 for Gray, Alpha, NRGBA and RGBA

	// Opaque says that the model has an alpha plane and that every sample of it
	// is maximal, so that it is not coded.
	Opaque bool

	// Subsample is the chroma subsampling of YCbCr and NYCbCrA and zero for
	// the other models.
	Subsample image.YCbCrSubsampleRatio

	// Palette holds the 1 to 256 colours of a Paletted picture.
	Palette color.Palette

	// Orientation is the EXIF orientation, 1 to 8: how to turn the picture,
	// whose samples are stored unturned, for show. 1 is upright.
	Orientation int

	Codec        string // empty when no codec with CodecID is registered
	CodecID      uint8  // 1 to 255
	CodecVersion int    // 1 or more: version of the codec's bit stream
}

// A Plane describes one plane of samples.
type Plane struct {
	Width, Height int
	Depth         int    // bits per sample: 8 or 16
	MaxValue      uint16 // largest sample: 1<<Depth - 1, or the last palette index
}

// Planes returns the planes to be coded, in the order gray, or alpha, or
// R, G, B[, A], or Y, Cb, Cr[, A], or C, M, Y, K, or index. There is no A plane
// in an opaque picture.
func (h *Header) Planes() []Plane {
	full := Plane{Width: h.Width, Height: h.Height, Depth: h.Depth, MaxValue: uint16(1<<h.Depth - 1)}
	switch h.Model {
	case ModelGray, ModelAlpha:
		return []Plane{full}
	case ModelPaletted:
		full.MaxValue = uint16(len(h.Palette) - 1)
		return []Plane{full}
	case ModelCMYK:
		return []Plane{full, full, full, full}
	}
	second := full
	if h.Model.subsampled() {
		second.Width, second.Height = chromaSize(h.Width, h.Height, h.Subsample)
	}
	planes := []Plane{full, second, second}
	if h.Model.hasAlpha() && !h.Opaque {
		planes = append(planes, full)
	}
	return planes
}

// Bounds returns the bounds of the decoded picture.
func (h *Header) Bounds() image.Rectangle { return image.Rect(0, 0, h.Width, h.Height) }

// ColorModel returns the colour model of the decoded picture.
func (h *Header) ColorModel() color.Model {
	deep := h.Depth == 16
	switch h.Model {
	case ModelGray:
		if deep {
			return color.Gray16Model
		}
		return color.GrayModel
	case ModelAlpha:
		if deep {
			return color.Alpha16Model
		}
		return color.AlphaModel
	case ModelNRGBA:
		if deep {
			return color.NRGBA64Model
		}
		return color.NRGBAModel
	case ModelRGBA:
		if deep {
			return color.RGBA64Model
		}
		return color.RGBAModel
	case ModelYCbCr:
		return color.YCbCrModel
	case ModelNYCbCrA:
		return color.NYCbCrAModel
	case ModelCMYK:
		return color.CMYKModel
	default:
		return h.Palette
	}
}

// check returns an error unless the header can describe a picture. It says
// nothing of the codec.
func (h *Header) check() error {
	switch {
	case h.Width < 1 || h.Height < 1:
		return FormatError(fmt.Sprintf("empty picture of %d x %d", h.Width, h.Height))
	case h.Width > MaxDimension || h.Height > MaxDimension:
		return fmt.Errorf("%w: %d x %d pixels", ErrTooLarge, h.Width, h.Height)
	case !h.Model.valid():
		return FormatError("unknown colour model " + strconv.Itoa(int(h.Model)))
	case h.Depth != 8 && (h.Depth != 16 || !h.Model.deep()):
		return FormatError(fmt.Sprintf("%d-bit %v", h.Depth, h.Model))
	case h.Opaque && !h.Model.hasAlpha():
		return FormatError(fmt.Sprintf("opaque %v", h.Model))
	case h.Subsample < image.YCbCrSubsampleRatio444 || h.Subsample > image.YCbCrSubsampleRatio410,
		h.Subsample != image.YCbCrSubsampleRatio444 && !h.Model.subsampled():
		return FormatError(fmt.Sprintf("%v with %v", h.Model, h.Subsample))
	case (h.Model == ModelPaletted) != (len(h.Palette) > 0) || len(h.Palette) > maxPalette:
		return FormatError(fmt.Sprintf("%v with a palette of %d", h.Model, len(h.Palette)))
	case h.Orientation < 1 || h.Orientation > 8:
		return FormatError("orientation " + strconv.Itoa(h.Orientation))
	}
	return nil
}

// memory returns the size in bytes of the decoded picture. MaxDimension keeps
// it from overflowing.
func (h *Header) memory() int64 {
	pixels := int64(h.Width) * int64(h.Height)
	switch h.Model {
	case ModelNRGBA, ModelRGBA, ModelCMYK:
		return pixels * 4 * int64(h.Depth/8)
	case ModelYCbCr, ModelNYCbCrA:
		cw, ch := chromaSize(h.Width, h.Height, h.Subsample)
		n := pixels + 2*int64(cw)*int64(ch)
		if h.Model == ModelNYCbCrA {
			n += pixels
		}
		return n
	}
	return pixels * int64(h.Depth/8)
}

// checkLimits refuses a picture that is larger than the limits.
func (h *Header) checkLimits(l *Limits) error {
	if pixels := int64(h.Width) * int64(h.Height); pixels > l.MaxPixels {
		return fmt.Errorf("%w: %d x %d pixels, MaxPixels is %d", ErrTooLarge, h.Width, h.Height, l.MaxPixels)
	}
	if n := h.memory(); n > l.MaxBytes || n > math.MaxInt {
		return fmt.Errorf("%w: picture of %d bytes, MaxBytes is %d", ErrTooLarge, n, l.MaxBytes)
	}
	return nil
}

// chromaSize returns the size of a chroma plane for a picture whose bounds
// start at (0, 0).
func chromaSize(w, h int, ratio image.YCbCrSubsampleRatio) (cw, ch int) {
	dx, dy := chromaStep(ratio)
	return (w + dx - 1) / dx, (h + dy - 1) / dy
}

// chromaStep returns how many pixels across and down share a chroma sample.
func chromaStep(ratio image.YCbCrSubsampleRatio) (dx, dy int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}
