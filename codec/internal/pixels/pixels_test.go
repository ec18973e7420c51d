package pixels

import (
	"image"
	"image/color"
	"slices"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// TestReadWrite checks that pictures come back from pixels as they were, but for the
// rounding of 16-bit colours and of a change of colour space.
func TestReadWrite(t *testing.T) {
	const w, h = 67, 5
	r := image.Rect(0, 0, w, h)
	gray, rgb, deep := image.NewGray(r), image.NewNRGBA(r), image.NewNRGBA64(r)
	ycbcr := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for i := range w * h {
		x, y := i%w, i/w
		gray.Pix[i] = uint8(37 * i)
		rgb.SetNRGBA(x, y, color.NRGBA{uint8(i), uint8(7 * i), uint8(11 * i), 255})
		deep.SetNRGBA64(x, y, color.NRGBA64{uint16(997 * i), uint16(77 * i), uint16(i), 65535})
		ycbcr.Y[ycbcr.YOffset(x, y)] = uint8(64 + i%128)
		c := ycbcr.COffset(x, y)
		ycbcr.Cb[c], ycbcr.Cr[c] = uint8(120+x%16), uint8(130-y%16)
	}
	for _, m := range []image.Image{gray, rgb, deep, ycbcr} {
		src, err := codec.NewSource(m)
		if err != nil {
			t.Fatal(err)
		}
		x, rows, columns := Read(src, r)
		if rows != 64 || columns != 128 || len(x) != 3*rows*columns {
			t.Fatalf("%T: %d x %d and %d values", m, rows, columns, len(x))
		}
		if last := x[3*(rows*columns-1):]; !slices.Equal(last, x[3*((h-1)*columns+w-1):][:3]) {
			t.Errorf("%T: what is added is %v", m, last)
		}
		dst, err := codec.NewSink(src.Header())
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(dst, src.Header(), r, x, columns); err != nil {
			t.Fatal(err)
		}
		got := dst.Image()
		for i := range w * h {
			a, b := color.NRGBA64Model.Convert(m.At(i%w, i/w)).(color.NRGBA64), color.NRGBA64Model.Convert(got.At(i%w, i/w)).(color.NRGBA64)
			limit := 0
			switch m.(type) {
			case *image.NRGBA64:
				limit = 2
			case *image.YCbCr:
				limit = 2 * 257
			}
			for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
				if max(d, -d) > limit {
					t.Fatalf("%T: pixel %d is %v, was %v", m, i, b, a)
				}
			}
		}
		if sum, n := SquaredError(x, x, r, columns); n != 3*w*h || sum > float64(n)*0.26 {
			t.Errorf("%T: an error of %v of %d", m, sum, n)
		}
	}
}

func TestTiles(t *testing.T) {
	for _, s := range []image.Point{{1, 1}, {4096, 2048}, {5000, 3000}} {
		n := 0
		for _, r := range Tiles(s.X, s.Y) {
			n += r.Dx() * r.Dy()
		}
		if n != s.X*s.Y {
			t.Errorf("tiles of %v have %d pixels", s, n)
		}
	}
}
