package dataset

import (
	"bytes"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
)

func TestPNM(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []color.Color // of a picture of 2 x 1
	}{
		"P1":            {"P1\n# a comment\n2 1\n10", []color.Color{color.Gray{0}, color.Gray{255}}},
		"P2":            {"P2 2 1 255 7 # seven\n 255\n", []color.Color{color.Gray{7}, color.Gray{255}}},
		"P2 up to 4":    {"P2 2 1 4 1 4", []color.Color{color.Gray{64}, color.Gray{255}}},
		"P2 up to 1000": {"P2 2 1 1000 500 1000", []color.Color{color.Gray16{32768}, color.Gray16{65535}}},
		"P3":            {"P3 2 1 255 1 2 3 4 5 6", []color.Color{color.NRGBA{1, 2, 3, 255}, color.NRGBA{4, 5, 6, 255}}},
		"P4":            {"P4 2 1\n\x80", []color.Color{color.Gray{0}, color.Gray{255}}},
		"P5":            {"P5 2 1 255\n\x07\xff", []color.Color{color.Gray{7}, color.Gray{255}}},
		"P5 deep":       {"P5 2 1 65535\n\x01\x02\xff\xfe", []color.Color{color.Gray16{0x102}, color.Gray16{0xfffe}}},
		"P6":            {"P6 2 1 255\nabcdef", []color.Color{color.NRGBA{'a', 'b', 'c', 255}, color.NRGBA{'d', 'e', 'f', 255}}},
		"P6 deep":       {"P6 2 1 65535 aabbccddeeff", []color.Color{color.NRGBA64{0x6161, 0x6262, 0x6363, 65535}, color.NRGBA64{0x6464, 0x6565, 0x6666, 65535}}},
		"bitmap PAM":    {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\x00\x01", []color.Color{color.Gray{0}, color.Gray{255}}},
		"grey PAM":      {"P7\nWIDTH 2\nHEIGHT 1\n# comment\nDEPTH 2\nMAXVAL 255\nENDHDR\nabcd", []color.Color{color.NRGBA{'a', 'a', 'a', 'b'}, color.NRGBA{'c', 'c', 'c', 'd'}}},
		"PAM":           {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\nabcdefgh", []color.Color{color.NRGBA{'a', 'b', 'c', 'd'}, color.NRGBA{'e', 'f', 'g', 'h'}}},
		"CMYK PAM":      {"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\nabcdefgh", []color.Color{color.CMYK{'a', 'b', 'c', 'd'}, color.CMYK{'e', 'f', 'g', 'h'}}},
	} {
		p, err := Read(strings.NewReader(c.file), codec.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for x, want := range c.want {
			if got := p.Image.At(x, 0); got != want {
				t.Errorf("%s: pixel %d is %v, want %v", name, x, got, want)
			}
		}
	}
}

func TestBadPNM(t *testing.T) {
	for name, file := range map[string]string{
		"no size":          "P5",
		"no width":         "P5 0 1 255 ",
		"negative":         "P5 -1 1 255 x",
		"overflow":         "P5 99999999999999999999 1 255 x",
		"huge":             "P5 100000 100000 255 x",
		"no samples":       "P5 2 1 255",
		"short":            "P6 2 1 255 abcde",
		"short and deep":   "P5 2 1 256 abc",
		"largest 0":        "P5 2 1 0 ab",
		"largest 65536":    "P5 2 1 65536 abcd",
		"too large":        "P5 2 1 9 \x09\x0a",
		"large in decimal": "P2 2 1 9 9 10",
		"short in decimal": "P2 2 1 9 9 ",
		"digit":            "P1 2 1 12",
		"no type":          "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\nabcdefghij",
		"wrong channels":   "P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\nabcdef",
		"no end of header": "P7\nWIDTH 2\nHEIGHT 1\n",
	} {
		if _, err := Read(strings.NewReader(file), codec.DefaultLimits()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// opaque64 returns a 16-bit picture.
func opaque64(alpha uint16) *image.NRGBA64 {
	m := image.NewNRGBA64(image.Rect(0, 0, 5, 3))
	for i := range 15 {
		m.SetNRGBA64(i%5, i/5, color.NRGBA64{uint16(i * 4001), uint16(i * 777), uint16(65535 - i), alpha})
	}
	return m
}

// TestWrite writes pictures in all formats and reads them back: what Write does
// not refuse or note comes back exactly.
func TestWrite(t *testing.T) {
	r := image.Rect(0, 0, 7, 5)
	fill := func(pix []byte) {
		for i := range pix {
			pix[i] = byte(i*i*7 + 3)
		}
	}
	gray, gray16, nrgba, nrgba64 := image.NewGray(r), image.NewGray16(r), image.NewNRGBA(r), image.NewNRGBA64(r)
	alpha, alpha16, cmyk := image.NewAlpha(r), image.NewAlpha16(r), image.NewCMYK(r)
	for _, pix := range [][]byte{gray.Pix, gray16.Pix, nrgba.Pix, nrgba64.Pix, alpha.Pix, alpha16.Pix, cmyk.Pix} {
		fill(pix)
	}
	paletted := image.NewPaletted(r, color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{7, 7, 9, 255}})
	paletted.Pix[3] = 1
	clear := image.NewPaletted(r, color.Palette{color.RGBA{1, 2, 3, 255}, color.NRGBA{7, 7, 9, 100}})
	clear.Pix[3] = 1
	premultiplied := image.NewRGBA(r)
	premultiplied.Set(1, 1, color.NRGBA{200, 100, 50, 77})
	const refused, noted, exact = "refused", "noted", "exact"
	for name, c := range map[string]struct {
		m                        image.Image
		png, tif, bmp, pnm, pgmm string // pgmm: .pgm or .ppm
	}{
		"gray":          {gray, exact, exact, exact, exact, exact},
		"gray16":        {gray16, exact, exact, refused, exact, exact},
		"opaque":        {DeadLeaves(7, 5, 1), exact, exact, exact, exact, exact},
		"nrgba":         {nrgba, exact, exact, refused, exact, refused},
		"opaque64":      {opaque64(65535), exact, exact, refused, exact, exact},
		"nrgba64":       {nrgba64, exact, exact, refused, exact, refused},
		"alpha":         {alpha, exact, exact, refused, exact, refused},
		"alpha16":       {alpha16, exact, exact, refused, exact, refused},
		"cmyk":          {cmyk, refused, refused, refused, exact, refused},
		"paletted":      {paletted, exact, exact, exact, exact, exact},
		"clear":         {clear, exact, exact, refused, exact, refused},
		"premultiplied": {premultiplied, noted, noted, refused, noted, refused},
		"ycbcr":         {image.NewYCbCr(r, image.YCbCrSubsampleRatio420), noted, noted, noted, noted, noted},
	} {
		narrow := ".ppm"
		if strings.HasPrefix(name, "gray") {
			narrow = ".pgm"
		}
		for ext, want := range map[string]string{".png": c.png, ".tif": c.tif, ".bmp": c.bmp, ".pnm": c.pnm, ".pam": c.pnm, narrow: c.pgmm} {
			var b bytes.Buffer
			notes, err := Write(&b, &Picture{Image: c.m, Orientation: 1}, ext)
			got := exact
			if err != nil {
				got = refused
			} else if len(notes) > 0 {
				got = noted
			}
			if got != want {
				t.Errorf("%s%s: %s, want %s: %v %v", name, ext, got, want, notes, err)
			}
			if err != nil {
				continue
			}
			p, err := Read(&b, codec.DefaultLimits())
			if err != nil {
				t.Errorf("%s%s: %v", name, ext, err)
				continue
			}
			if want != exact {
				continue
			}
			for y := range c.m.Bounds().Dy() {
				for x := range c.m.Bounds().Dx() {
					model := color.NRGBA64Model
					if c.m.ColorModel() == color.CMYKModel {
						model = color.CMYKModel
					}
					if g, w := model.Convert(p.Image.At(x, y)), model.Convert(c.m.At(x, y)); g != w {
						t.Fatalf("%s%s: (%d, %d) is %v, want %v", name, ext, x, y, g, w)
					}
				}
			}
		}
	}
	if _, err := Write(new(bytes.Buffer), &Picture{Image: gray}, ".jpg"); err == nil {
		t.Error(".jpg: no error")
	}
	notes, err := Write(new(bytes.Buffer), &Picture{Image: gray, Orientation: 6}, ".ppm")
	if err == nil {
		t.Errorf("gray .ppm: %v", notes)
	}
	if notes, err := Write(new(bytes.Buffer), &Picture{Image: gray, Orientation: 6}, ".pgm"); err != nil || len(notes) != 1 {
		t.Errorf("a lost orientation is not noted: %v %v", notes, err)
	}
}
