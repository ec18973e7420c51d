// Package circuit is the codec of small pictures of one kind and size: digits, glyphs,
// icons, masks. Their distribution is a probabilistic circuit, learnt from such
// pictures beforehand (package entropy/circuit), which drives an arithmetic coder.
// It is lossless. Importing the package registers the codec with package codec,
// without any model; importing codec/circuit/models adds those that burin ships.
//
// # Archives
//
// A file with a single picture spends more on its frame than on the picture, so many
// pictures go into one archive:
//
//	m, err := circuit.Named("mnist")           // or ReadModel, or Choose
//	w, err := circuit.NewArchiveWriter(file, m, nil)
//	err = w.Write(picture, "")                 // again and again
//	err = w.Close()
//
//	a, err := circuit.NewArchiveReader(file, size, nil)
//	picture, err := a.Picture(4711)
//
// Pictures are coded in blocks, 64 at a time unless told otherwise, and a block is
// decoded as a whole. Damage to a block leaves all others readable.
//
// # Single pictures
//
// codec.Encode with Options.Codec "circuit" codes one picture with the model, of those
// in Options.Weights or else those registered, that codes it smallest. codec.Decode
// finds the model by its hash, or in the file if Options.EmbedWeights was set.
//
// # What it codes
//
// Pictures of 8 bits a sample of exactly the model's size: gray ones (one channel),
// RGB (three) and RGB with straight alpha (four).
//
// # Determinism and memory
//
// Files are the same on every CPU and for any number of workers. A model takes about
// ten bytes of memory for each of its parameters, and each worker a few megabytes.
//
// # Security
//
// Reading takes any bytes: it gives an error or pictures of the size that the header
// announces. Memory is checked against the limits before it is allocated, that of a
// model in the file against MaxModelBytes. doc/circuit.md describes the bit stream,
// which is version 1.
package circuit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"

	"github.com/burin-codec/burin/codec"
)

// Name is the name of the codec.
const Name = "circuit"

// Kinds of section.
const (
	kindArchive = "ARCV" // begins an archive
	kindModel   = "MODL"
	kindPicture = "PICT" // a single one
	kindBlock   = "BLCK" // of an archive
	kindNames   = "NAME"
	kindIndex   = "INDX"
)

func init() {
	codec.Register(codec.Codec{
		ID:       5,
		Name:     Name,
		Version:  1,
		Targets:  []codec.TargetKind{codec.TargetLossless},
		Sections: []string{kindArchive, kindModel, kindPicture, kindBlock, kindNames, kindIndex},
		Encode:   encode,
		Decode:   decode,
	})
}

func encode(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
	h := src.Header()
	channels, err := channelsOf(h)
	if err != nil {
		return err
	}
	candidates, err := candidatesFor(o.Weights, h.Width, h.Height, channels)
	if err != nil {
		return err
	}
	x := make([]uint16, h.Width*h.Height*channels)
	plane := make([]uint16, h.Width*h.Height)
	for c := range channels {
		src.ReadPlane(c, h.Bounds(), plane, h.Width)
		for i, v := range plane {
			x[i*channels+c] = v
		}
	}
	m, err := choose(ctx, candidates, [][]uint16{x})
	if err == nil {
		err = m.checkValues(x)
	}
	if err != nil {
		return err
	}
	if err := w.Write(kindModel, true, modelSection(m, o.EmbedWeights)); err != nil {
		return err
	}
	data, err := newBlockCoder(m, 1).encode(nil, [][]uint16{x})
	if err != nil {
		return err
	}
	return w.Write(kindPicture, true, data)
}

func decode(_ context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
	channels, err := channelsOf(h)
	if err != nil {
		return codec.FormatError(err.Error())
	}
	payload, err := next(r, kindModel)
	if err != nil {
		return err
	}
	m, err := readModelSection(payload, h.Width, h.Height, channels, o.Weights, o.Limits)
	if err != nil {
		return err
	}
	if payload, err = next(r, kindPicture); err != nil {
		return err
	}
	if err := checkCoder(m, 1, o.Limits); err != nil {
		return err
	}
	x := make([]uint16, h.Width*h.Height*channels)
	if err := newBlockCoder(m, 1).decode(payload, [][]uint16{x}); err != nil {
		return err
	}
	plane := make([]uint16, h.Width*h.Height)
	for c := range channels {
		for i := range plane {
			plane[i] = x[i*channels+c]
		}
		if err := dst.WritePlane(c, image.Rect(0, 0, h.Width, h.Height), plane, h.Width); err != nil {
			return err
		}
	}
	return nil
}

// next returns the payload of the next section, which must be of a kind.
func next(r *codec.SectionReader, kind string) ([]byte, error) {
	got, payload, err := r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, codec.FormatError(fmt.Sprintf("circuit: no section %q", kind))
	case err != nil:
		return nil, err
	case got == kindArchive:
		return nil, codec.UnsupportedError("circuit: an archive of many pictures: see burin decode or codec/circuit.NewArchiveReader")
	case got != kind:
		return nil, codec.FormatError(fmt.Sprintf("circuit: section %q in place of %q", got, kind))
	}
	return payload, nil
}

// channelsOf returns how many channels a model must have for the pictures of h.
func channelsOf(h *codec.Header) (int, error) {
	if h.Depth == 8 {
		switch h.Model {
		case codec.ModelGray:
			return 1, nil
		case codec.ModelNRGBA, codec.ModelRGBA:
			return len(h.Planes()), nil
		}
	}
	return 0, codec.UnsupportedError(fmt.Sprintf("circuit: a picture of %d-bit %v: convert it to 8-bit gray or RGB first", h.Depth, h.Model))
}
