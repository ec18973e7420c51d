// Package overfit is the codec that fits a small network to each picture, on package
// inr. Importing it registers it with package codec, importing codec/overfit/priors the priors
// that are shipped as well, which files of the command start from:
//
//	import _ "github.com/burin-codec/burin/codec/overfit/priors"
//
// It is for low and middle rates and for time to encode: seconds at effort 1, many
// minutes at effort 9. Decoding takes tens of milliseconds.
//
// # What it codes
//
// All pictures but paletted ones, whose indices are no magnitudes. Every channel is
// fitted with the same weight, alpha too. Subsampled chroma is repeated up to the size
// of luma before the fit, and averaged after decoding.
//
// # Targets
//
// Quality q from 0 to 100 sets the weight of the rate, lambda = 0.03 * 1000^(-q/100):
// what is minimised is the mean squared error of samples in 0..1 plus lambda times
// the bits per pixel. Bits per pixel, PSNR and size are reached by changing lambda
// during the fit: rates within 1%, not exceeded, unless the networks alone take more or
// the fit has no use for so much; PSNR, that of all coded channels, 8-bit, chroma as
// repeated, within 0.1 dB unless it is out of reach. A size is never exceeded.
//
// The codec keeps to a time limit and can be stopped (see codec.Options). A file then
// depends on the time. doc/overfit.md says how all this is done.
//
// # Priors
//
// A fit may start from a prior, networks learnt over many pictures (see inr.Prior), of
// which the file holds but the name, 4 bytes a tile, and the differences. It then comes as
// far in fewer iterations, and its networks take fewer bits. Priors are those that
// [Register] made known or, if there are any, those of codec.Options.Weights; a fit takes
// one that is for its preset, its channels and its lambda, and starts from nothing if
// there is none, or if the picture is CMYK or YCbCr. A decoder needs the same prior: it is
// in the file if codec.Options.EmbedWeights was set, and looked for in
// codec.DecodeOptions.Weights and among those registered otherwise; the error that it is
// nowhere wraps codec.ErrModelMismatch.
//
// # Bit stream, version 1
//
// A picture of at most 2^21 pixels is one tile, a larger one a grid of tiles of about
// 2^20 (see tilesOf). A section "FITT" holds the stream of each, row by row, as
// inr/stream.go describes it, with as many channels as the picture has planes. A prior
// that a tile names may be in a section "PRIO" before that tile, as inr/prior.go describes
// it.
//
// A sample is floor(m*v + 0.5), limited to 0..m, of the synthesis' float32 v, with
// m 255 or 65535, the product and the sum each rounded to float32. A subsampled one is
// the mean of its pixels' 16-bit samples, in integers, see shrink.
//
// # Determinism and memory
//
// A file gives the same samples on every CPU. Without a time limit or a stop the encoder
// writes the same file for any number of workers, but another, as good, on CPUs with other
// vector instructions.
//
// Encoding takes some 280 bytes for each pixel of a tile, so 590 MB at most, beside the
// picture; decoding some 25 bytes for each pixel of the tiles that are decoded at a time,
// of which there are as many as workers.
//
// # Security
//
// The decoder takes any bytes: it returns an error or some picture of the size that the
// header announces, in a time that this size bounds.
package overfit

import (
	"image"

	"github.com/burin-codec/burin/codec"
)

// Name is the codec's.
const Name = "overfit"

const (
	kindTile  = "FITT"
	kindPrior = "PRIO"
)

func init() {
	codec.Register(codec.Codec{
		ID:       2,
		Name:     Name,
		Version:  1,
		Targets:  []codec.TargetKind{codec.TargetQuality, codec.TargetBPP, codec.TargetPSNR, codec.TargetSize},
		Sections: []string{kindTile, kindPrior},
		Anytime:  true,
		Encode:   encode,
		Decode:   decode,
	})
}

const (
	maxWhole   = 1 << 21 // pixels of a picture that is one tile
	tilePixels = 1 << 20
	tileHeight = 1 << 10
	tileAlign  = 16 // tiles start at multiples of it, and so of all subsamplings
)

// tiles is a grid of tiles over a picture.
type tiles struct {
	bounds        image.Rectangle
	width, height int // of a tile, but for the last ones
}

// tilesOf returns the tiles of a picture: one, or rows of about tileHeight, equally high
// but for the alignment, of tiles equally wide of about tilePixels.
func tilesOf(w, h int) tiles {
	t := tiles{image.Rect(0, 0, w, h), w, h}
	if int64(w)*int64(h) <= maxWhole {
		return t
	}
	part := func(n, parts int) int { return min(align(ceil(n, parts)), n) }
	t.height = part(h, ceil(h, tileHeight))
	t.width = part(w, int((int64(w)*int64(t.height)+tilePixels-1)/tilePixels))
	return t
}

func ceil(n, by int) int { return (n + by - 1) / by }
func align(n int) int    { return ceil(n, tileAlign) * tileAlign }

func (t tiles) count() int {
	return ceil(t.bounds.Dx(), t.width) * ceil(t.bounds.Dy(), t.height)
}

// rect returns tile i.
func (t tiles) rect(i int) image.Rectangle {
	columns := ceil(t.bounds.Dx(), t.width)
	x, y := i%columns*t.width, i/columns*t.height
	return image.Rect(x, y, x+t.width, y+t.height).Intersect(t.bounds)
}
