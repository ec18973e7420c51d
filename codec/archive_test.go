package codec

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// archiveFile returns a file of sections "test" with the given payloads.
func archiveFile(t *testing.T, payloads ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	h := &Header{Width: 3, Height: 2, Model: ModelGray, Depth: 8, Orientation: 1, Codec: "raw"}
	w, err := NewSectionWriter(&b, h, &Metadata{XMP: []byte("about all of them")})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payloads {
		if err := w.Write("RAWS", true, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != w.Written() {
		t.Errorf("%d bytes, %d said to be written", b.Len(), w.Written())
	}
	return b.Bytes()
}

func TestSectionFile(t *testing.T) {
	payloads := []string{"first", "", "third, which is damaged below", "fourth"}
	file := archiveFile(t, payloads...)
	for _, damaged := range []bool{false, true} {
		if damaged {
			file[bytes.Index(file, []byte("third"))] ^= 1
		}
		f, err := OpenSections(bytes.NewReader(file), int64(len(file)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if h := f.Header(); h.Codec != "raw" || h.CodecVersion == 0 || h.Width != 3 || string(f.Metadata().XMP) != "about all of them" {
			t.Errorf("%+v, %+v", h, f.Metadata())
		}
		at := f.First()
		for i, want := range payloads {
			info, p, err := f.Section(at)
			if damaged && i == 2 {
				if !errors.Is(err, ErrChecksum) {
					t.Errorf("damaged section: %v", err)
				}
			} else if err != nil || string(p) != want || info.Kind != "RAWS" {
				t.Errorf("section %d: %+v %q %v", i, info, p, err)
			}
			at += info.Size
		}
		if info, err := f.Head(at); err != io.EOF || at+info.Size != f.Size() {
			t.Errorf("end at %d of %d: %v", at+info.Size, f.Size(), err)
		}
		for _, at := range []int64{-1, 0, f.First() - 1, f.Size(), 1 << 60} {
			if _, _, err := f.Section(at); err == nil {
				t.Errorf("a section at %d", at)
			}
		}
	}
	// Whatever is cut off, there is an error before the end.
	for n := range file {
		f, err := OpenSections(bytes.NewReader(file[:n]), int64(n), nil)
		if err != nil {
			continue
		}
		at := f.First()
		for err == nil {
			var info SectionInfo
			info, err = f.Head(at)
			at += info.Size
		}
		if err == io.EOF && n < len(file) {
			t.Errorf("%d bytes of %d have an end", n, len(file))
		}
	}
}

func TestOpenSectionsLimits(t *testing.T) {
	file := archiveFile(t, "one")
	o := DefaultDecodeOptions()
	o.Limits.MaxBytes = int64(len(file)) - 1
	if _, err := OpenSections(bytes.NewReader(file), int64(len(file)), o); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	o = DefaultDecodeOptions()
	o.Limits.MaxPixels = 5
	if _, err := OpenSections(bytes.NewReader(file), int64(len(file)), o); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := NewSectionWriter(io.Discard, &Header{Codec: "no such"}, nil); err == nil {
		t.Error("a file of a codec that is not registered")
	}
	if _, err := NewSectionWriter(io.Discard, &Header{Codec: "raw"}, nil); err == nil {
		t.Error("a file of no pictures")
	}
}
