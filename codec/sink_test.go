package codec

import (
	"errors"
	"image"
	"testing"
)

func TestSinkRefusesLargeSamples(t *testing.T) {
	h := &Header{Width: 2, Height: 1, Model: ModelPaletted, Depth: 8, Palette: testPalette[:6], Orientation: 1}
	s, err := NewSink(h)
	if err != nil {
		t.Fatal(err)
	}
	r := h.Bounds()
	// 5|2 is 7, which is no index, but both are.
	if err := s.WritePlane(0, r, []uint16{5, 2}, 2); err != nil {
		t.Error(err)
	}
	var fe FormatError
	if err := s.WritePlane(0, r, []uint16{5, 6}, 2); !errors.As(err, &fe) {
		t.Errorf("index 6 of 6: %v", err)
	}

	h = &Header{Width: 2, Height: 1, Model: ModelNRGBA, Depth: 8, Orientation: 1}
	if s, err = NewSink(h); err != nil {
		t.Fatal(err)
	}
	if err := s.WritePlane(3, r, []uint16{255, 256}, 2); !errors.As(err, &fe) {
		t.Errorf("sample 256: %v", err)
	}
}

func TestSinkKnowsWhatIsMissing(t *testing.T) {
	h := &Header{Width: 5, Height: 3, Model: ModelYCbCr, Depth: 8, Subsample: image.YCbCrSubsampleRatio420, Orientation: 1}
	s, err := NewSink(h)
	if err != nil {
		t.Fatal(err)
	}
	src := make([]uint16, 15)
	for p, plane := range h.Planes() {
		if s.complete() == nil {
			t.Errorf("complete before plane %d", p)
		}
		if err := s.WritePlane(p, image.Rect(0, 0, plane.Width, plane.Height), src, plane.Width); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.complete(); err != nil {
		t.Error(err)
	}
}
