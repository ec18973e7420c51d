// Package dataset reads and writes picture files, reads whole corpora of pictures
// and clips, and makes pictures where there are none, for the command and for the
// benchmark.
//
// # Pictures
//
// Read takes PNG, JPEG, GIF, BMP, TIFF, WebP and Netpbm files. It keeps what
// image.Decode drops, which are the ICC, EXIF and XMP metadata and the
// orientation, and it refuses what the Go decoders are known to get wrong
// without a word, such as TIFF files with separate planes. Lossy WebP is
// converted to RGB the way libwebp does: golang.org/x/image/webp hands its
// limited-range YCbCr on as the full-range image.YCbCr (golang/go#40173), which
// costs 7 dB.
//
// What is not kept: PNG chunks that describe colour in other ways than an ICC
// profile (gAMA, cHRM, sRGB, cICP) and text other than XMP, XMP that extends
// over several JPEG segments beyond the first, EXIF in TIFF files, and all
// frames and pages but the first.
//
//	p, err := dataset.ReadFile("photo.jpg", codec.DefaultLimits())
//
// # Corpora
//
// A Corpus is a folder, an IDX file such as those of MNIST, a video, a PDF file, or
// a number of generated pictures. Its pictures are read one at a time, so that a
// large corpus takes no more memory than a small one. Hash names a picture by its
// samples.
//
//	c, err := dataset.Open("kodak", nil)
//	...
//	for e, err := range c.All(ctx) {
//		if err != nil {
//			log.Print(err) // names the picture; the next one follows
//			continue
//		}
//		use(e.Name, e.Picture)
//	}
//
// # Clips
//
// OpenClip and Y4MReader give the frames of a video with the planes that it has,
// which are of limited range for the most part, and Frame.RGB converts them. Videos
// other than y4m take a program ffmpeg, and PDF files package corpus/dataset/fitz,
// which is under another licence.
//
// # Security
//
// The limits are checked against the dimensions in a file before it is decoded, and
// the number of pictures that a file of many claims against its size. ffmpeg and
// MuPDF, to which videos and PDF files are handed, are large programs in C.
package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"slices"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/burin-codec/burin/codec"
)

// A Picture is what a picture file holds.
type Picture struct {
	Image       image.Image // not turned
	Metadata    codec.Metadata
	Orientation int    // EXIF orientation, 1 to 8; 1 is upright
	Format      string // "png", "jpeg", "gif", "bmp", "tiff", "webp" or "pnm", or in a Corpus "idx", "y4m", "video", "pdf" or "sample"
	More        bool   // the file holds more than Image, which is its first frame or page
}

// ErrFormat reports that a file is of no known format.
var ErrFormat = errors.New("dataset: unknown picture format")

// A format reads the files that start with one of some magics, in which '?'
// matches any byte.
type format struct {
	name   string
	magics []string
	config func(b []byte) (image.Config, error)
	// decode is called with a file whose config keeps the limits.
	decode func(b []byte) (*Picture, error)
}

var formats = []format{
	{"png", []string{"\x89PNG\r\n\x1a\n"}, configOf(png.DecodeConfig), decodePNG},
	{"jpeg", []string{"\xff\xd8\xff"}, configOf(jpeg.DecodeConfig), decodeJPEG},
	{"gif", []string{"GIF87a", "GIF89a"}, configOf(gif.DecodeConfig), decodeGIF},
	{"bmp", []string{"BM????\x00\x00\x00\x00"}, configOf(bmp.DecodeConfig), decodeBMP},
	{"tiff", []string{"II*\x00", "MM\x00*"}, configOf(tiff.DecodeConfig), decodeTIFF},
	{"webp", []string{"RIFF????WEBP"}, webpConfig, decodeWebP},
	{"pnm", []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7"}, pnmConfig, decodePNM},
}

// configOf adapts a DecodeConfig.
func configOf(f func(io.Reader) (image.Config, error)) func([]byte) (image.Config, error) {
	return func(b []byte) (image.Config, error) { return f(bytes.NewReader(b)) }
}

func (f *format) match(b []byte) bool {
	return slices.ContainsFunc(f.magics, func(magic string) bool { return matchMagic(magic, b) })
}

// matchMagic reports whether b begins with magic, in which '?' matches any byte.
func matchMagic(magic string, b []byte) bool {
	if len(b) < len(magic) {
		return false
	}
	for i := range magic {
		if magic[i] != '?' && magic[i] != b[i] {
			return false
		}
	}
	return true
}

// Read reads a picture file. It returns an error that wraps ErrFormat if its
// format is unknown and one that wraps codec.ErrTooLarge if it exceeds MaxPixels
// or MaxBytes.
func Read(r io.Reader, l codec.Limits) (*Picture, error) {
	b, err := io.ReadAll(io.LimitReader(r, l.MaxBytes))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) == l.MaxBytes {
		return nil, fmt.Errorf("%w: file of %d bytes or more", codec.ErrTooLarge, l.MaxBytes)
	}
	for _, f := range formats {
		if !f.match(b) {
			continue
		}
		cfg, err := f.config(b)
		if err != nil {
			return nil, err
		}
		if err := checkSize(f.name, int64(cfg.Width), int64(cfg.Height), pixelSize(cfg.ColorModel), &l); err != nil {
			return nil, err
		}
		p, err := f.decode(b)
		if err != nil {
			return nil, err
		}
		p.Format = f.name
		if p.Orientation == 0 {
			p.Orientation = exifOrientation(p.Metadata.EXIF)
		}
		return p, nil
	}
	return nil, ErrFormat
}

// pixelSize returns how many bytes a pixel takes in an image of a colour model.
func pixelSize(m color.Model) int64 {
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	return 4
}

// ReadFile is Read for a file.
func ReadFile(name string, l codec.Limits) (*Picture, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := Read(f, l)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}
