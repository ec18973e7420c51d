package dataset

import (
	"bytes"
	"errors"
	"image"
	"io"
	"math"
	"strconv"
	"testing"
)

// TestIDXWriter writes IDX files again from what was read of them.
func TestIDXWriter(t *testing.T) {
	for name, file := range map[string][]byte{"gray": makeIDX(4, 2, 3), "rgb": makeIDX(2, 4, 3, 3), "one": makeIDX(1, 1, 1)} {
		c, err := Open(writeFile(t, name, file), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		var w *IDXWriter
		for e, err := range c.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			m := e.Picture.Image
			if w == nil {
				channels := 3
				if _, ok := m.(*image.Gray); ok {
					channels = 1
				}
				if w, err = NewIDXWriter(&b, c.Len(), m.Bounds().Dx(), m.Bounds().Dy(), channels); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.WritePicture(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), file) {
			t.Errorf("%s: %v, % x, want % x", name, err, b.Bytes(), file)
		}
	}
}

func TestIDXWriterErrors(t *testing.T) {
	wrong := [][4]int{{1, 2, 3, 2}, {-1, 2, 3, 1}}
	if strconv.IntSize > 32 {
		wrong = append(wrong, [4]int{math.MaxInt, 2, 3, 1})
	}
	for _, dims := range wrong {
		if _, err := NewIDXWriter(io.Discard, dims[0], dims[1], dims[2], dims[3]); err == nil {
			t.Errorf("%v: no error", dims)
		}
	}
	if _, err := NewIDXWriter(brokenWriter{}, 1, 2, 2, 1); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	r := image.Rect(0, 0, 3, 2)
	gray, rgb := image.NewGray(r), image.NewNRGBA(r)
	for i := 3; i < len(rgb.Pix); i += 4 {
		rgb.Pix[i] = 255
	}
	for channels, good := range map[int]image.Image{1: gray, 3: rgb} {
		for _, m := range []image.Image{gray, rgb, image.NewNRGBA(r), image.NewGray16(r), image.NewGray(image.Rect(0, 0, 2, 3))} {
			w, err := NewIDXWriter(io.Discard, 1, 3, 2, channels)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.WritePicture(m); (err == nil) != (m == good) {
				t.Errorf("%d channels, %T: %v", channels, m, err)
			}
		}
		w, _ := NewIDXWriter(io.Discard, 1, 3, 2, channels)
		if w.Close() == nil {
			t.Error("no error for a missing picture")
		}
		if w.WritePicture(good) != nil || w.Close() != nil || w.WritePicture(good) == nil {
			t.Error("a picture too many, or one that was")
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
