// Package codec encodes and decodes pictures in the burin file format and is
// the frame that the codecs in its sub-packages plug into.
//
// # What it does
//
// A burin file holds one picture, coded by one codec, from a few hundredths of
// a bit per pixel to lossless. This package owns all that the codecs share:
// the container, the metadata, the limits, access to the samples of any
// image.Image and the order in which parallel work is written. A codec turns
// planes of samples into sections of bytes and back, and nothing else.
//
// The codecs register themselves, as image/png does with package image.
// Importing this package links none of them:
//
//	import (
//		"github.com/burin-codec/burin/codec"
//		_ "github.com/burin-codec/burin/codec/lossless"
//	)
//
//	err := codec.Encode(w, m, nil) // nil: lossless, effort 5
//	m, err := codec.Decode(r)
//
// What Encode and Decode cannot carry, which is a context, metadata, limits
// and progress, goes through [Encoder] and [Decoder].
//
// # What comes back
//
// Decode gives back the concrete type that was encoded: an *image.Gray16 comes
// back as an *image.Gray16, an *image.YCbCr with its own subsampling, an
// *image.Paletted with its own palette. Only the bounds move: they always start
// at (0, 0). Colour hidden under a zero alpha is picture like any other and a
// lossless codec keeps it. [NewSource] says what becomes of other types.
//
// Orientation is a field of the header and never applied to the pixels.
//
// # Format version
//
// This package writes format version 1 and reads all versions up to it. The
// layout is described in doc/format.md.
//
// # Security
//
// Files may come from anyone. The limits of [DecodeOptions] are finite unless
// raised and are checked before any allocation that the file asks for, and the
// memory spent on a section never runs ahead of the bytes that have really been
// read. [Decode] uses the default limits, by which a file of some tens of bytes
// can still ask for a picture of 1 GiB; a service should set its own. Checksums
// catch accidents. They are no defence against someone who means harm.
package codec

import (
	"context"
	"image"
	"io"
)

// Magic is the first eight bytes of every burin file. As in PNG, a byte beyond
// ASCII, both kinds of line ending and a Control-Z make a transfer that mangles
// text show at once.
const Magic = "\x89BUR\r\n\x1a\n"

// FormatVersion is the version of the container that this package writes.
const FormatVersion = 1

func init() {
	image.RegisterFormat("burin", Magic, Decode, DecodeConfig)
}

// Encode writes m to w as a burin file. A nil o means [DefaultOptions]. When it
// fails, an incomplete file may have been written.
func Encode(w io.Writer, m image.Image, o *Options) error {
	e, err := NewEncoder(w, o)
	if err != nil {
		return err
	}
	return e.Encode(context.Background(), m)
}

// Decode reads a burin file under the default limits. What follows the end of
// the file in r is ignored; it stays unread where r is an io.ByteReader.
func Decode(r io.Reader) (image.Image, error) {
	d, err := NewDecoder(r, nil)
	if err != nil {
		return nil, err
	}
	return d.Decode(context.Background())
}

// DecodeConfig returns the colour model and the dimensions of a burin file from
// its header alone, which is less than 3 kB. The codec that decodes the file
// need not be registered and no limit is applied.
func DecodeConfig(r io.Reader) (image.Config, error) {
	h, err := readHeader(newByteReader(r))
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{ColorModel: h.ColorModel(), Width: h.Width, Height: h.Height}, nil
}
