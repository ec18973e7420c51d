package dataset

import (
	"errors"
	"image"
	"sync"

	"github.com/burin-codec/burin/codec"
)

// Pages renders the pages of an open document.
type Pages interface {
	Len() int
	// Page renders page i, from 0. It may be called again after an error.
	Page(i int) (image.Image, error)
	Close() error
}

// A PDFOpener opens a PDF file to render its pages with so many pixels an inch. A
// page that exceeds the limits must be refused before its pixels are allocated.
type PDFOpener func(path string, dpi float64, l codec.Limits) (Pages, error)

var pdf struct {
	sync.Mutex
	open PDFOpener
}

// RegisterPDF has PDF files opened by open. Package corpus/dataset/fitz calls it in
// a build with the tag fitz.
func RegisterPDF(open PDFOpener) {
	pdf.Lock()
	defer pdf.Unlock()
	pdf.open = open
}

// ErrNoPDF reports a PDF file in a program that has nothing to read it with.
var ErrNoPDF = errors.New("dataset: PDF needs a build with -tags fitz (links MuPDF, AGPL-3.0)")

func openPDF(path string, o *Options) (Pages, error) {
	pdf.Lock()
	open := pdf.open
	pdf.Unlock()
	if open == nil {
		return nil, ErrNoPDF
	}
	return open(path, o.DPI, o.Limits)
}

// A pdfReader reads the pages of a PDF file in order.
type pdfReader struct {
	Pages
	next int
}

func (d *pdfReader) Next() (*Picture, error) {
	if d.next == d.Len() {
		return nil, errPicturesGone
	}
	d.next++
	m, err := d.Page(d.next - 1)
	if err != nil {
		return nil, err
	}
	return &Picture{Image: m, Orientation: 1, Format: "pdf"}, nil
}

func (d *pdfReader) Skip() error {
	d.next++
	return nil
}
