package dataset

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"os"
	"reflect"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// FuzzPNM checks that what is read is written and read again as it is.
func FuzzPNM(f *testing.F) {
	for _, s := range []string{
		"P1\n# a comment\n2 1\n10", "P2 2 1 1000 500 1000", "P3 1 1 255 1 2 3", "P4 2 1\n\x80", "P5 2 1 255\n\x07\xff",
		"P6 2 1 65535 aabbccddeeff", "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\nabcdefgh",
	} {
		f.Add([]byte(s))
	}
	limits := codec.DefaultLimits()
	limits.MaxPixels, limits.MaxBytes = 1<<14, 1<<16
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 1 || b[0] != 'P' {
			return
		}
		p, err := Read(bytes.NewReader(b), limits)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if notes, err := Write(&again, p, ".pam"); err != nil || len(notes) > 0 {
			t.Fatal(notes, err)
		}
		q, err := Read(&again, codec.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(p.Image, q.Image) {
			t.Error("another picture came back")
		}
	})
}

// FuzzRead looks for inputs that the metadata and WebP parsers trip over.
func FuzzRead(f *testing.F) {
	for _, ext := range []string{".png", ".tif", ".bmp"} {
		var b bytes.Buffer
		p := &Picture{Image: DeadLeaves(3, 2, 1), Orientation: 6}
		if ext == ".png" {
			p.Metadata = codec.Metadata{ICC: []byte("profile"), XMP: []byte("xmp")}
		}
		if _, err := Write(&b, p, ext); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, DeadLeaves(3, 2, 1), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte("\xff\xd8\xff\xe1\x00\x22"+prefixEXIF+string(orientationEXIF(3))), b.Bytes()[2:]...))
	b.Reset()
	frame := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	for _, name := range []string{"2x2-alpha.webp", "2x2-lossless.webp", "2x2-lossy.webp"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	limits := codec.DefaultLimits()
	limits.MaxPixels, limits.MaxBytes = 1<<14, 1<<16
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(bytes.NewReader(b), limits)
		if err == nil && (p.Orientation < 1 || p.Orientation > 8) {
			t.Errorf("orientation %d", p.Orientation)
		}
		exifOrientation(b)
		gifFrames(b, 10)
	})
}
