//go:build fitz && cgo

package fitz

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/gen2brain/go-fitz"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

func init() { dataset.RegisterPDF(open) }

// A document is a dataset.Pages.
type document struct {
	*fitz.Document
	dpi    float64
	limits codec.Limits
}

func open(path string, dpi float64, l codec.Limits) (dataset.Pages, error) {
	d, err := fitz.New(path)
	if err != nil {
		if errors.Is(err, fitz.ErrOpenDocument) || errors.Is(err, fitz.ErrNeedsPassword) {
			d.Close()
		}
		return nil, err
	}
	return &document{d, dpi, l}, nil
}

func (d *document) Len() int { return d.NumPage() }

// Page renders a page on white.
func (d *document) Page(i int) (image.Image, error) {
	// ImageDPI allocates without asking, and copies as many bytes as an image from
	// (0, 0) has, in a 32-bit integer. Bound cuts off fractions of 1/72 inch.
	b, err := d.Bound(i)
	if err != nil {
		return nil, err
	}
	if b.Min != (image.Point{}) {
		return nil, fmt.Errorf("fitz: page with an origin at %v is not supported", b.Min)
	}
	w, h := d.pixels(b.Max.X), d.pixels(b.Max.Y)
	if w*h > float64(d.limits.MaxPixels) || 4*w*h > float64(min(d.limits.MaxBytes, math.MaxInt32)) {
		return nil, fmt.Errorf("%w: page of %.0f x %.0f pixels at %v DPI", codec.ErrTooLarge, w, h, d.dpi)
	}
	m, err := d.ImageDPI(i, d.dpi)
	if err != nil {
		return nil, err
	}
	if m.Rect.Empty() {
		return nil, errors.New("fitz: empty page")
	}
	return m, nil
}

// pixels returns no fewer than the pixels along so many whole units of 1/72 inch and
// a fraction of one.
func (d *document) pixels(units int) float64 { return math.Ceil((float64(units) + 1) * d.dpi / 72) }
