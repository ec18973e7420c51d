// Package vector is the codec of a few hundredths of a bit per pixel: a picture as numbers
// of words in trained codebooks. Importing it registers it with package codec; it needs a
// trained model, of burin train vector.
//
// # What it codes
//
// Gray, RGB and YCbCr pictures of 8 and 16 bits a sample, as the learned codec does:
// colours of more than 8 bits with 14 bits' precision, subsampled chroma repeated up to the
// size of luma and averaged after decoding, alpha without loss. Paletted and CMYK pictures
// are refused.
//
// # How
//
// Cells of 64 pixels get words of a codebook, from which a network predicts cells of 32,
// which get words that correct it, and so on to cells of 8, of which a last network makes
// pixels (see package network). Where a prediction is good enough there is no word, and
// where it is so for all that is in a cell, a bit says so: cells are as fine as the
// picture is there. Whether there is a word, and which, is coded with adaptive
// probabilities that go by the energy that the network expects to be missing and by the
// cells beside. Every codebook has smaller ones nested in it, see tree.go, of which a file
// may use any.
//
// # Targets
//
// Quality q from 0 to 100 is what a word must be worth: bits per pixel + lambda * the mean
// squared error of 8-bit samples is minimised, with lambda = 0.00008 * 150^(q/100). Bits
// per pixel, size and PSNR are found by trying; a size and bits per pixel are never
// exceeded, PSNR is reached, unless they are out of range.
//
// # Packets
//
// With codec.Options.Packets cells of 16 pixels, with all in them, are dealt to as many
// sections, neighbours to different ones, each of which decodes without the others. The
// larger cells are spread over all of them by an erasure code: seven tenths of the packets
// are enough for those. Where small cells are worth so much that a fifth of them missing
// would be seen, cells of 16 pixels are spread as well, and those of 8 dealt. A decoder
// that conceals makes up for what is in lost packets: from the prediction, and from what
// words the neighbours have.
//
// # Bit stream, version 1
//
//	"VECD"  the model's ID, 8 bytes; the rate, a uvarint of 0..4096; the number of
//	        packets, a uvarint, 1 for none, and if there are any the number of levels that
//	        they share, a uvarint; the sizes of the levels' codebooks, a uvarint
//	        of four bits for each, from the first: the logarithm of the largest, 0 for all
//	        words
//	"VECM"  the model's file, if it is embedded
//	"VECT"  each tile, without packets: the tokens of the levels in turn, see tokens.go
//	"VECP"  each packet, an optional section: the tile, the packet's number and the length
//	        of its piece, uvarints; its piece of the levels they share, see erasure.go; its
//	        tokens of the others
//	"VECA"  the alpha plane as a burin file of its own, if it is not opaque
//
// A picture of at most 2^23 pixels is one tile; others are cut into squares of 2048
// pixels.
//
// # Determinism and memory
//
// Everything from the bits to the samples is integer arithmetic: a file gives the same
// samples on every CPU. An encoder compares words in floats, which round differently from
// one CPU to the next: it may choose another word of nearly the same cost there.
//
// # Security
//
// The decoder takes any bytes: it returns an error or some picture of the size that the
// header announces, in a time that this size bounds. An embedded model is held to
// MaxModelBytes, and its sums are checked to fit before it runs.
package vector

import "github.com/burin-codec/burin/codec"

// Name is the codec's, as in codec.Options.
const Name = "vector"

const (
	kindHead   = "VECD"
	kindModel  = "VECM"
	kindTile   = "VECT"
	kindPacket = "VECP"
	kindAlpha  = "VECA"
)

func init() {
	codec.Register(codec.Codec{
		ID:       4,
		Name:     Name,
		Version:  1,
		Targets:  []codec.TargetKind{codec.TargetQuality, codec.TargetBPP, codec.TargetPSNR, codec.TargetSize},
		Packets:  true,
		Sections: []string{kindHead, kindModel, kindTile, kindPacket, kindAlpha},
		Encode:   encode,
		Decode:   decode,
	})
}
