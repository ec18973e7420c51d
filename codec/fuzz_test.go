package codec

import (
	"bytes"
	"context"
	"image"
	"reflect"
	"testing"
)

// fuzzLimits keep a fuzzer from spending its time on memory.
func fuzzLimits() *DecodeOptions {
	o := DefaultDecodeOptions()
	o.Limits.MaxPixels, o.Limits.MaxBytes = 1<<16, 1<<20
	return o
}

func addFiles(f *testing.F) {
	for _, file := range []func(testing.TB) ([]byte, image.Image){testFile, plainFile} {
		b, _ := file(f)
		f.Add(b)
	}
	for _, m := range standardImages(image.Rect(0, 0, 3, 2)) {
		var b bytes.Buffer
		if err := Encode(&b, m, nil); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
}

// FuzzDecode checks that what decodes also encodes, to a file that decodes to
// the same.
func FuzzDecode(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := NewDecoder(bytes.NewReader(b), fuzzLimits())
		if err != nil {
			return
		}
		m, err := d.Decode(context.Background())
		if err != nil {
			return
		}
		if got := roundTrip(t, m); !reflect.DeepEqual(got, m) {
			t.Errorf("another %T came back", m)
		}
	})
}

// FuzzHeader gives each input the checksum it lacks, so that what lies behind
// the checksum is reached, and checks that a header is written as it was read.
func FuzzHeader(f *testing.F) {
	for _, m := range standardImages(image.Rect(0, 0, 300, 2)) {
		src, err := NewSource(m)
		if err != nil {
			f.Fatal(err)
		}
		h := src.Header()
		h.CodecID, h.CodecVersion = 255, 1
		b := appendHeader(nil, h)
		f.Add(b[len(Magic) : len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytes.NewReader(appendChecksum(append([]byte(Magic), b...))))
		if err != nil {
			return
		}
		again, err := readHeader(bytes.NewReader(appendHeader(nil, h)))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%+v came back as %+v, %v", h, again, err)
		}
	})
}

// FuzzSections frames each input as sections with valid checksums: a byte of
// kind, one of length, then the payload.
func FuzzSections(f *testing.F) {
	f.Add([]byte("\x00\x09\x00profile \x03\x06123456"))
	f.Add([]byte("\x01\x03\x01\x01\x00\x04\x0812345678"))
	f.Add([]byte("\x05\x01a\x06\x01b\x07\x01c"))
	h := &Header{Width: 3, Height: 2, Model: ModelGray, Depth: 8, Orientation: 1, CodecID: 255, CodecVersion: 2}
	kinds := []string{"ICCP", "EXIF", "XMP ", "RAWS", "RAWN", "ABCD", "END "}
	f.Fuzz(func(t *testing.T, b []byte) {
		var file bytes.Buffer
		file.Write(appendHeader(nil, h))
		w := &SectionWriter{w: &file}
		for len(b) >= 2 {
			n := min(int(b[1]), len(b)-2)
			if err := w.write(kinds[int(b[0]&0x7f)%len(kinds)], b[0] >= 0x80, b[2:2+n]); err != nil {
				t.Fatal(err)
			}
			b = b[2+n:]
		}
		d, err := NewDecoder(&file, fuzzLimits())
		if err != nil {
			return
		}
		if m, err := d.Decode(context.Background()); err == nil && m.Bounds() != h.Bounds() {
			t.Errorf("bounds %v", m.Bounds())
		}
	})
}
