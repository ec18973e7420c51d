//go:build fitz && cgo

package fitz_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	_ "github.com/burin-codec/burin/corpus/dataset/fitz"
)

// writePDF makes a PDF file of n pages of w x h units of 1/72 inch. Page i, from 1,
// has a red square of 10 x 10 units i*10 to the right of its lower left corner.
func writePDF(t *testing.T, w, h, n int) string {
	var b strings.Builder
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), fmt.Sprintf(format, args...))
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	kids := ""
	for i := range n {
		kids += fmt.Sprintf("%d 0 R ", 3+2*i)
	}
	object("<< /Type /Pages /Kids [ %s] /Count %d >>", kids, n)
	for i := range n {
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R >>", w, h, 4+2*i)
		draw := fmt.Sprintf("1 0 0 rg %d 0 10 10 re f", 10*(i+1))
		object("<< /Length %d >>\nstream\n%s\nendstream", len(draw), draw)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	name := filepath.Join(t.TempDir(), "made.pdf")
	if err := os.WriteFile(name, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPages(t *testing.T) {
	o := dataset.DefaultOptions()
	o.DPI = 144
	c, err := dataset.Open(writePDF(t, 60, 30, 3), o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Len() != 3 {
		t.Errorf("%d pages, want 3", c.Len())
	}
	n := 0
	for e, err := range c.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if want := fmt.Sprintf("made.pdf#%d", n); e.Name != want || e.Picture.Format != "pdf" {
			t.Errorf("%s page named %s, want %s", e.Picture.Format, e.Name, want)
		}
		m := e.Picture.Image
		if m.Bounds() != image.Rect(0, 0, 120, 60) {
			t.Fatalf("page of %v at 144 DPI", m.Bounds())
		}
		for i := range 5 {
			r, g, b, a := m.At(20*i+10, 50).RGBA()
			if red := r == 0xffff && g == 0 && b == 0; red != (i == n) || r != 0xffff || a != 0xffff {
				t.Errorf("page %d, square %d: %x %x %x %x", n, i, r, g, b, a)
			}
		}
	}
	if n != 3 {
		t.Errorf("%d pages came", n)
	}
}

func TestPageLimits(t *testing.T) {
	o := dataset.DefaultOptions()
	o.DPI = 72
	for name, change := range map[string]func(){
		"pixels": func() { o.Limits.MaxPixels = 60 * 30 },
		"bytes":  func() { o.Limits.MaxBytes = 4 * 60 * 30 },
		"size":   func() { o.DPI = 2400 },
	} {
		o.Limits = codec.DefaultLimits()
		o.Limits.MaxPixels = 1 << 20
		change()
		c, err := dataset.Open(writePDF(t, 61, 31, 2), o)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range c.All(context.Background()) {
			n++
			if !errors.Is(err, codec.ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != 2 {
			t.Errorf("%s: %d errors, want one for each page", name, n)
		}
	}
}

func TestBrokenPDF(t *testing.T) {
	name := filepath.Join(t.TempDir(), "broken.pdf")
	if err := os.WriteFile(name, []byte("%PDF-1.4\nand no more"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := dataset.Open(name, nil); err == nil {
		t.Error("no error")
	}
}
