package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"

	"github.com/burin-codec/burin/codec"
)

// Hash returns the SHA-256, in hex, of the samples of a picture and of what they
// mean, whichever file the picture comes from. Metadata and orientation are not in
// it. An RGBA picture that is opaque has the hash of the NRGBA picture with the same
// samples; other than that, pictures of different models or depths have different
// hashes even where they look the same. m must not be empty.
//
// What is hashed is the line
//
//	MODEL WIDTH HEIGHT DEPTH opaque=BOOL SUBSAMPLING
//
// in the terms of codec.Header, such as "NRGBA 768 512 8 opaque=true
// YCbCrSubsampleRatio444"; the palette, if any, each colour as four big-endian
// uint16 of what its RGBA method returns; and the planes of codec.Source one after
// the other, row by row, a sample taking one byte, or two, the high one first, if
// the depth is 16.
func Hash(m image.Image) (string, error) {
	src, err := codec.NewSource(m)
	if err != nil {
		return "", err
	}
	h := src.Header()
	model := h.Model
	if model == codec.ModelRGBA && h.Opaque {
		model = codec.ModelNRGBA
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%v %d %d %d opaque=%t %v\n", model, h.Width, h.Height, h.Depth, h.Opaque, h.Subsample)
	for _, c := range h.Palette {
		r, g, b, a := c.RGBA()
		var e [8]byte
		for i, v := range [...]uint32{r, g, b, a} {
			binary.BigEndian.PutUint16(e[2*i:], uint16(v))
		}
		sum.Write(e[:])
	}
	samples, bytes := make([]uint16, h.Width), make([]byte, 0, 2*h.Width)
	for i, plane := range h.Planes() {
		for y := range plane.Height {
			row := samples[:plane.Width]
			src.ReadPlane(i, image.Rect(0, y, plane.Width, y+1), row, plane.Width)
			bytes = bytes[:0]
			for _, v := range row {
				if plane.Depth == 16 {
					bytes = append(bytes, byte(v>>8))
				}
				bytes = append(bytes, byte(v))
			}
			sum.Write(bytes)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Checksum returns the SHA-256, in hex, of the names and the pictures of the corpus:
// of a line of Hash, two spaces and the name for each picture, in order. A picture
// that cannot be read is an error.
func (c *Corpus) Checksum(ctx context.Context) (string, error) {
	sum := sha256.New()
	for e, err := range c.All(ctx) {
		if err != nil {
			return "", err
		}
		hash, err := Hash(e.Picture.Image)
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.Name, err)
		}
		fmt.Fprintf(sum, "%s  %s\n", hash, e.Name)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
