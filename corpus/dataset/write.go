package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"slices"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Extensions lists the file name extensions that Write knows.
func Extensions() []string {
	return []string{".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".pnm", ".pam"}
}

// Write writes a picture in the format of a file name extension, such as
// ".png". It returns notes on what the file does not hold exactly as p does:
// colours that had to be converted, or metadata that it has no place for.
//
// It does not convert where that would lose depth, alpha or ink: it returns an
// error that names a format which keeps them.
func Write(w io.Writer, p *Picture, ext string) (notes []string, err error) {
	ext = strings.ToLower(ext)
	if !slices.Contains(Extensions(), ext) {
		return nil, fmt.Errorf("dataset: cannot write %q files, only %s", ext, strings.Join(Extensions(), " "))
	}
	m, notes := plain(p.Image, ext)
	if m.ColorModel() == color.CMYKModel && ext != ".pam" && ext != ".pnm" {
		return nil, fmt.Errorf("dataset: %s cannot hold CMYK; .pam can", ext)
	}
	meta := p.Metadata
	if p.Orientation > 1 && len(meta.EXIF) == 0 {
		meta.EXIF = orientationEXIF(p.Orientation)
	}
	if ext != ".png" {
		if len(meta.ICC) > 0 || len(meta.EXIF) > 0 || len(meta.XMP) > 0 {
			notes = append(notes, fmt.Sprintf("%s holds no metadata: profile, EXIF, XMP and orientation are left out", ext))
		}
	}

	b := bufio.NewWriter(w)
	switch ext {
	case ".png":
		err = writePNG(b, m, &meta)
	case ".tif", ".tiff":
		err = tiff.Encode(b, m, &tiff.Options{Compression: tiff.Deflate})
	case ".bmp":
		if err := fitsBMP(m); err != nil {
			return nil, err
		}
		err = bmp.Encode(b, m)
	default:
		err = writePNM(b, m, ext)
	}
	if err != nil {
		return nil, err
	}
	return notes, b.Flush()
}

// fitsBMP returns an error unless BMP as package bmp writes it can hold m.
func fitsBMP(m image.Image) error {
	switch m := m.(type) {
	case *image.Gray, *image.Paletted:
		return nil
	case *image.NRGBA:
		if m.Opaque() {
			return nil
		}
		return errors.New("dataset: .bmp cannot hold alpha; .png and .tif can")
	}
	return errors.New("dataset: .bmp cannot hold 16-bit samples; .png and .tif can")
}

// plain returns m as a type that the writers take as it is: Gray, Gray16,
// NRGBA, NRGBA64, Paletted or CMYK. The notes tell of what is not exact.
func plain(m image.Image, ext string) (image.Image, []string) {
	switch m := m.(type) {
	case *image.YCbCr, *image.NYCbCrA:
		return convertTo(image.NewNRGBA(m.Bounds()), m), []string{"YCbCr is converted to RGB, which rounds"}
	case *image.Alpha:
		return convertTo(image.NewNRGBA(m.Bounds()), m), nil
	case *image.Alpha16:
		return convertTo(image.NewNRGBA64(m.Bounds()), m), nil
	case *image.RGBA:
		if m.Opaque() {
			return &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}, nil
		}
		return convertTo(image.NewNRGBA(m.Bounds()), m), []string{"premultiplied alpha is converted to straight alpha, which rounds"}
	case *image.RGBA64:
		if m.Opaque() {
			return &image.NRGBA64{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}, nil
		}
		return convertTo(image.NewNRGBA64(m.Bounds()), m), []string{"premultiplied alpha is converted to straight alpha, which rounds"}
	case *image.Paletted:
		if ext == ".png" || ext != ".pam" && ext != ".pnm" && ext != ".ppm" && ext != ".pgm" && m.Opaque() {
			return m, nil
		}
		return convertTo(image.NewNRGBA(m.Bounds()), m), nil
	}
	return m, nil
}

// convertTo copies m to an image with the same bounds by way of its colours.
func convertTo[T interface {
	image.Image
	Set(x, y int, c color.Color)
}](to T, m image.Image) T {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			to.Set(x, y, m.At(x, y))
		}
	}
	return to
}
