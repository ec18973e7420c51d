// Package learned is the codec of trained networks: one model codes all pictures at all
// rates, in a fraction of a second. Importing it registers it with package codec; the
// weights come from a package of their own:
//
//	import (
//		_ "github.com/burin-codec/burin/codec/learned"
//		_ "github.com/burin-codec/burin/codec/learned/weights"
//	)
//
// # What it codes
//
// Gray, RGB and YCbCr pictures of 8 and 16 bits a sample. Colours of more than 8 bits are
// coded with 14 bits' precision, which is more than the networks' error leaves. Subsampled
// chroma is repeated up to the size of luma, and averaged after decoding. Alpha is coded
// without loss. Paletted and CMYK pictures are refused.
//
// # Targets
//
// Quality q from 0 to 100 is the rate of the network, see package network: what training
// minimised is bits per pixel + lambda * the mean squared error of 8-bit RGB samples, with
// lambda = 0.0004 * 1250^(q/100). Bits per pixel, size and PSNR are found by trying rates;
// a size and bits per pixel are never exceeded, PSNR is reached, unless they are out of
// range.
//
// # Bit stream, version 1
//
//	"LRND"  the model's ID, 8 bytes; the rate, a uvarint of 0..4096
//	"LRNM"  the model's file, if it is embedded
//	"LRNT"  each tile: range coded, the hyperprior's latents, then the latents of each
//	        pass and group, see latents.go
//	"LRNA"  the alpha plane as a burin file of its own, if it is not opaque
//
// A picture of at most 2^23 pixels is one tile; others are cut into squares of 2048
// pixels.
//
// # Determinism and memory
//
// Everything from the bits to the samples is integer arithmetic: a file gives the same
// samples on every CPU, and at efforts below 4 a picture the same file.
//
// # Security
//
// The decoder takes any bytes: it returns an error or some picture of the size that the
// header announces, in a time that this size bounds. An embedded model is held to
// MaxModelBytes, and its sums are checked to fit before it runs.
package learned

import "github.com/burin-codec/burin/codec"

// Name is the codec's, as in codec.Options.
const Name = "learned"

const (
	kindHead  = "LRND"
	kindModel = "LRNM"
	kindTile  = "LRNT"
	kindAlpha = "LRNA"
)

func init() {
	codec.Register(codec.Codec{
		ID:       3,
		Name:     Name,
		Version:  1,
		Targets:  []codec.TargetKind{codec.TargetQuality, codec.TargetBPP, codec.TargetPSNR, codec.TargetSize},
		Sections: []string{kindHead, kindModel, kindTile, kindAlpha},
		Encode:   encode,
		Decode:   decode,
	})
}
