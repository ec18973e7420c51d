package codec

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"strconv"
)

// Bits of the first byte of traits.
const (
	traitModel  = 0x0f
	traitOpaque = 0x10
	traitDeep   = 0x20
)

// Bits of the second byte of traits.
const (
	traitOrientation = 0x07 // less 1
	traitSubsample   = 0x38
	subsampleShift   = 3
)

// maxPalette is what an image.Paletted can address.
const maxPalette = 256

// Kinds of palette entry. A palette is stored in runs of one kind, so that the
// concrete colour types come back too.
const (
	entryRGB    = iota // opaque color.RGBA, 3 bytes
	entryRGBA          // color.RGBA, 4 bytes
	entryNRGBA         // color.NRGBA, 4 bytes
	entryRGBA64        // color.RGBA64, 8 bytes; also what other types become
)

var entrySizes = [...]int{entryRGB: 3, entryRGBA: 4, entryNRGBA: 4, entryRGBA64: 8}

// appendHeader appends the header, magic and checksum included.
func appendHeader(b []byte, h *Header) []byte {
	b = append(b, Magic...)
	b = append(b, FormatVersion, h.CodecID)
	b = binary.AppendUvarint(b, uint64(h.CodecVersion))
	traits := byte(h.Model)
	if h.Opaque {
		traits |= traitOpaque
	}
	if h.Depth == 16 {
		traits |= traitDeep
	}
	b = append(b, traits, byte(h.Orientation-1)|byte(h.Subsample)<<subsampleShift)
	b = binary.AppendUvarint(b, uint64(h.Width))
	b = binary.AppendUvarint(b, uint64(h.Height))
	if h.Model == ModelPaletted {
		b = appendPalette(b, h.Palette)
	}
	return appendChecksum(b)
}

// readHeader reads what appendHeader writes. The header it returns has passed
// check, but no limit.
func readHeader(r byteReader) (*Header, error) {
	return (&sumReader{r: r}).header()
}

func (s *sumReader) header() (*Header, error) {
	var magic [len(Magic)]byte
	if err := s.full(magic[:]); err != nil {
		return nil, err
	}
	if string(magic[:]) != Magic {
		if string(magic[1:4]) == Magic[1:4] {
			return nil, FormatError("bad magic: damaged by a transfer in text mode")
		}
		return nil, FormatError("not a burin file")
	}
	version, err := s.ReadByte()
	if err != nil {
		return nil, err
	}
	// A later version may have another layout, its checksum elsewhere.
	if version > FormatVersion {
		return nil, UnsupportedError(fmt.Sprintf("format version %d, newer than %d", version, FormatVersion))
	}
	if version == 0 {
		return nil, FormatError("format version 0")
	}

	codecID, err := s.ReadByte()
	if err != nil {
		return nil, err
	}
	codecVersion, err := s.uvarint()
	if err != nil {
		return nil, err
	}
	var traits [2]byte
	if err := s.full(traits[:]); err != nil {
		return nil, err
	}
	width, err := s.uvarint()
	if err != nil {
		return nil, err
	}
	height, err := s.uvarint()
	if err != nil {
		return nil, err
	}
	h := &Header{
		Width:       int(min(width, MaxDimension+1)),
		Height:      int(min(height, MaxDimension+1)),
		Model:       Model(traits[0] & traitModel),
		Depth:       8,
		Opaque:      traits[0]&traitOpaque != 0,
		Subsample:   image.YCbCrSubsampleRatio(traits[1] & traitSubsample >> subsampleShift),
		Orientation: int(traits[1]&traitOrientation) + 1,
		CodecID:     codecID,
	}
	if traits[0]&traitDeep != 0 {
		h.Depth = 16
	}
	if h.Model == ModelPaletted {
		if h.Palette, err = s.palette(); err != nil {
			return nil, err
		}
	}
	if err := s.checksum("header"); err != nil {
		return nil, err
	}

	if traits[0]&^(traitModel|traitOpaque|traitDeep) != 0 || traits[1]&^(traitOrientation|traitSubsample) != 0 {
		return nil, FormatError("reserved bits are set")
	}
	if h.CodecID == 0 || codecVersion == 0 || codecVersion > 1<<16 {
		return nil, FormatError(fmt.Sprintf("codec %d version %d", h.CodecID, codecVersion))
	}
	h.CodecVersion = int(codecVersion)
	if c := codecByID(h.CodecID); c != nil {
		h.Codec = c.Name
	}
	return h, h.check()
}

func entryKind(c color.Color) int {
	switch c := c.(type) {
	case color.RGBA:
		if c.A == 0xff {
			return entryRGB
		}
		return entryRGBA
	case color.NRGBA:
		return entryNRGBA
	}
	return entryRGBA64
}

// appendPalette appends the number of entries and runs of them.
func appendPalette(b []byte, p color.Palette) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	for i := 0; i < len(p); {
		kind, n := entryKind(p[i]), 1
		for i+n < len(p) && entryKind(p[i+n]) == kind {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n)<<2|uint64(kind))
		for _, c := range p[i : i+n] {
			switch c := c.(type) {
			case color.RGBA:
				b = append(b, c.R, c.G, c.B)
				if kind == entryRGBA {
					b = append(b, c.A)
				}
			case color.NRGBA:
				b = append(b, c.R, c.G, c.B, c.A)
			default:
				r, g, bl, a := c.RGBA()
				for _, v := range [...]uint32{r, g, bl, a} {
					b = binary.BigEndian.AppendUint16(b, uint16(v))
				}
			}
		}
		i += n
	}
	return b
}

func (s *sumReader) palette() (color.Palette, error) {
	count, err := s.uvarint()
	if err != nil {
		return nil, err
	}
	if count > maxPalette {
		return nil, FormatError("palette of " + strconv.FormatUint(count, 10))
	}
	p := make(color.Palette, 0, count)
	for len(p) < int(count) {
		run, err := s.uvarint()
		if err != nil {
			return nil, err
		}
		kind, n := run&3, run>>2
		if n == 0 || n > count-uint64(len(p)) {
			return nil, FormatError("palette run of " + strconv.FormatUint(n, 10))
		}
		for range n {
			var e [8]byte
			if err := s.full(e[:entrySizes[kind]]); err != nil {
				return nil, err
			}
			var c color.Color
			switch kind {
			case entryRGB:
				c = color.RGBA{e[0], e[1], e[2], 0xff}
			case entryRGBA:
				c = color.RGBA{e[0], e[1], e[2], e[3]}
			case entryNRGBA:
				c = color.NRGBA{e[0], e[1], e[2], e[3]}
			case entryRGBA64:
				c = color.RGBA64{
					binary.BigEndian.Uint16(e[0:]), binary.BigEndian.Uint16(e[2:]),
					binary.BigEndian.Uint16(e[4:]), binary.BigEndian.Uint16(e[6:]),
				}
			}
			p = append(p, c)
		}
	}
	return p, nil
}
