package prepare

import (
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestColoursGolden compares conversions to RGB of PNG files with transformers'
// and Pillow's.
func TestColoursGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/colours.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]uint32
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.png")
	if err != nil || len(files) != len(want) || len(files) < 9 {
		t.Fatalf("%d files, %d golden ones, %v", len(files), len(want), err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for alpha, sum := range want[filepath.Base(name)] {
			a, err := ParseAlpha(alpha)
			if err != nil {
				t.Fatal(err)
			}
			if got := fromImage(m, a, false); crc32.ChecksumIEEE(got.bytes()) != sum {
				t.Errorf("%s (%T), alpha %s: other pixels", name, m, alpha)
			}
			// The same picture as a part of a larger one, and of a type without a loop
			// of its own.
			if got := fromImage(other{m}, a, false); filepath.Base(name) != "grey16.png" && crc32.ChecksumIEEE(got.bytes()) != sum {
				t.Errorf("%s, alpha %s: other pixels through At", name, alpha)
			}
		}
	}
}

// An other is a picture of a type that package prepare does not know.
type other struct{ image.Image }

func TestColours(t *testing.T) {
	r := image.Rect(5, 6, 9, 8)
	grey := image.NewGray16(r)
	grey.SetGray16(5, 6, color.Gray16{0x80ff})
	if p := fromImage(grey, AlphaWhite, true); p.pix[0] != 0x80 {
		t.Error("16-bit grey scaled:", p.pix[0])
	}
	if p := fromImage(grey, AlphaWhite, false); p.pix[0] != 255 {
		t.Error("16-bit grey clipped:", p.pix[0])
	}
	cmyk := image.NewCMYK(r)
	cmyk.SetCMYK(6, 7, color.CMYK{10, 128, 255, 40})
	// Pillow: Image.fromarray(np.uint8([[[10, 128, 255, 40]]]), "CMYK").convert("RGB")
	if p := fromImage(cmyk, AlphaWhite, false); !slices.Equal(p.row(1)[3:6], []uint8{207, 107, 0}) {
		t.Error("CMYK", p.row(1)[3:6])
	}
	half := image.NewRGBA(r)
	half.SetRGBA(5, 6, color.RGBA{64, 0, 0, 128}) // half of 127.5 red
	if p := fromImage(half, AlphaWhite, false); p.pix[0] < 190 || p.pix[0] > 192 || p.pix[1] != 127 {
		t.Error("premultiplied", p.pix[:3])
	}
	jpeg := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for i := range jpeg.Y {
		jpeg.Y[i] = uint8(30 * i)
	}
	rgba := image.NewRGBA(r)
	draw.Draw(rgba, r, jpeg, r.Min, draw.Src)
	if a, b := fromImage(jpeg, AlphaWhite, false), fromImage(rgba, AlphaWhite, false); !slices.Equal(a.bytes(), b.bytes()) {
		t.Error("YCbCr and its RGBA differ")
	}
}

func TestTurn(t *testing.T) {
	// a b c
	// d e f
	p := newRaster(3, 2)
	for i := range 6 {
		p.row(i / 3)[i%3*3] = uint8('a' + i)
	}
	for o, want := range map[int]string{
		1: "abc/def", 2: "cba/fed", 3: "fed/cba", 4: "def/abc",
		5: "ad/be/cf", 6: "da/eb/fc", 7: "fc/eb/da", 8: "cf/be/ad",
	} {
		q, got := p.turn(o), ""
		for y := range q.h {
			if y > 0 {
				got += "/"
			}
			for x := range q.w {
				got += string(rune(q.row(y)[3*x]))
			}
		}
		if got != want {
			t.Errorf("orientation %d: %s, want %s", o, got, want)
		}
	}
}
