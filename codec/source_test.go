package codec

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"reflect"
	"testing"
)

// noise fills bytes with a fixed sequence.
func noise(seed uint64, bs ...[]byte) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, b := range bs {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
}

var ratios = []image.YCbCrSubsampleRatio{
	image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
	image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
}

var testPalette = color.Palette{
	color.NRGBA{1, 2, 3, 4}, color.NRGBA{255, 0, 0, 0}, color.RGBA{9, 8, 7, 255},
	color.RGBA{1, 1, 1, 2}, color.RGBA64{1, 2, 3, 0xffff}, color.RGBA{5, 5, 5, 255},
}

// standardImages returns one noisy image of every type of package image, by
// name.
func standardImages(r image.Rectangle) map[string]image.Image {
	ms := map[string]image.Image{
		"Gray": image.NewGray(r), "Gray16": image.NewGray16(r),
		"Alpha": image.NewAlpha(r), "Alpha16": image.NewAlpha16(r),
		"NRGBA": image.NewNRGBA(r), "NRGBA64": image.NewNRGBA64(r),
		"RGBA": image.NewRGBA(r), "RGBA64": image.NewRGBA64(r),
		"CMYK": image.NewCMYK(r),
	}
	for _, m := range ms {
		noise(1, reflect.ValueOf(m).Elem().FieldByName("Pix").Bytes())
	}
	opaque := image.NewNRGBA(r)
	noise(2, opaque.Pix)
	for i := 3; i < len(opaque.Pix); i += 4 {
		opaque.Pix[i] = 0xff
	}
	opaque64 := image.NewRGBA64(r)
	noise(2, opaque64.Pix)
	for i := 6; i < len(opaque64.Pix); i += 8 {
		opaque64.Pix[i], opaque64.Pix[i+1] = 0xff, 0xff
	}
	ms["NRGBA opaque"], ms["RGBA64 opaque"] = opaque, opaque64
	paletted := image.NewPaletted(r, testPalette)
	noise(3, paletted.Pix)
	for i := range paletted.Pix {
		paletted.Pix[i] %= byte(len(testPalette))
	}
	ms["Paletted"] = paletted
	for _, ratio := range ratios {
		y := image.NewYCbCr(r, ratio)
		noise(4, y.Y, y.Cb, y.Cr)
		ms[ratio.String()] = y
		n := image.NewNYCbCrA(r, ratio)
		noise(5, n.Y, n.Cb, n.Cr, n.A)
		ms[ratio.String()+" A"] = n
	}
	return ms
}

func roundTrip(t *testing.T, m image.Image) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// sameColors compares two images of one size, wherever their bounds start.
func sameColors(t *testing.T, got, want image.Image) {
	t.Helper()
	g, w := got.Bounds(), want.Bounds()
	if g.Size() != w.Size() {
		t.Fatalf("size %v, want %v", g.Size(), w.Size())
	}
	for y := range w.Dy() {
		for x := range w.Dx() {
			c, d := got.At(g.Min.X+x, g.Min.Y+y), want.At(w.Min.X+x, w.Min.Y+y)
			if c != d {
				t.Fatalf("(%d, %d): %v, want %v", x, y, c, d)
			}
		}
	}
}

func TestStandardTypesComeBack(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {17, 9}, {2, 33}} {
		for name, m := range standardImages(image.Rectangle{Max: size}) {
			t.Run(name, func(t *testing.T) {
				if got := roundTrip(t, m); !reflect.DeepEqual(got, m) {
					t.Errorf("%v: another %T came back", size, got)
				}
			})
		}
	}
}
