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

func TestSubImages(t *testing.T) {
	for name, m := range standardImages(image.Rect(-8, -4, 27, 21)) {
		for _, r := range []image.Rectangle{
			image.Rect(4, 4, 21, 13),  // chroma aligned
			image.Rect(3, 1, 20, 14),  // not
			image.Rect(-5, -3, 6, 7),  // below zero
			image.Rect(-8, -4, 27, 1), // even and below zero
			image.Rect(26, 20, 27, 21),
		} {
			t.Run(name+r.String(), func(t *testing.T) {
				sub := m.(interface {
					SubImage(image.Rectangle) image.Image
				}).SubImage(r)
				got := roundTrip(t, sub)
				if reflect.TypeOf(got) != reflect.TypeOf(m) || got.Bounds() != r.Sub(r.Min) {
					t.Errorf("%T with bounds %v came back", got, got.Bounds())
				}
				sameColors(t, got, sub)
			})
		}
	}
}

// strange is an image of a type that package codec does not know.
type strange struct {
	image.Image
	model color.Model
	at    func(x, y int) color.Color
}

func (s strange) ColorModel() color.Model { return s.model }

func (s strange) At(x, y int) color.Color {
	if s.at != nil {
		return s.at(x, y)
	}
	return s.Image.At(x, y)
}

func TestUnknownTypes(t *testing.T) {
	r := image.Rect(-3, 2, 14, 11)
	for name, m := range standardImages(r) {
		t.Run(name, func(t *testing.T) {
			got := roundTrip(t, strange{Image: m, model: m.ColorModel()})
			if _, ok := m.(*image.Paletted); !ok {
				sameColors(t, got, m)
				return
			}
			for y := range r.Dy() {
				for x := range r.Dx() {
					r0, g0, b0, a0 := got.At(x, y).RGBA()
					r1, g1, b1, a1 := m.At(r.Min.X+x, r.Min.Y+y).RGBA()
					if r0 != r1 || g0 != g1 || b0 != b1 || a0 != a1 {
						t.Fatalf("(%d, %d): %v, want %v", x, y, got.At(x, y), m.At(r.Min.X+x, r.Min.Y+y))
					}
				}
			}
		})
	}

	other := color.ModelFunc(func(c color.Color) color.Color { return c })
	for _, c := range []struct {
		pixel color.Color
		want  image.Image
	}{
		{color.RGBA{1, 2, 3, 255}, new(image.NRGBA)},
		{color.RGBA64{1, 2, 3, 0xffff}, new(image.NRGBA64)},
		{color.RGBA64{1, 2, 3, 0x8000}, new(image.RGBA64)},
	} {
		got := roundTrip(t, strange{image.NewGray(r), other, func(x, y int) color.Color { return c.pixel }})
		if reflect.TypeOf(got) != reflect.TypeOf(c.want) {
			t.Errorf("%v came back as %T, want %T", c.pixel, got, c.want)
		}
		r0, g0, b0, a0 := got.At(5, 5).RGBA()
		if r1, g1, b1, a1 := c.pixel.RGBA(); r0 != r1 || g0 != g1 || b0 != b1 || a0 != a1 {
			t.Errorf("%v came back as %v", c.pixel, got.At(5, 5))
		}
	}
}

func TestRefusedImages(t *testing.T) {
	r := image.Rect(0, 0, 4, 4)
	short := image.NewNRGBA(r)
	short.Pix = short.Pix[:len(short.Pix)-1]
	overlapping := image.NewGray16(r)
	overlapping.Stride = 7
	chroma := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	chroma.Cr = chroma.Cr[:3]
	beyond := image.NewPaletted(r, testPalette)
	beyond.Pix[7] = byte(len(testPalette))
	for name, m := range map[string]image.Image{
		"empty":         image.NewGray(image.Rectangle{}),
		"no rows":       image.NewGray(image.Rect(0, 0, 4, 0)),
		"short":         short,
		"overlapping":   overlapping,
		"short chroma":  chroma,
		"bad index":     beyond,
		"no palette":    image.NewPaletted(r, nil),
		"large palette": image.NewPaletted(r, make(color.Palette, 257)),
		"uniform":       image.NewUniform(color.White),
	} {
		if err := Encode(new(bytes.Buffer), m, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReadPlaneOfPart(t *testing.T) {
	m := image.NewNRGBA64(image.Rect(0, 0, 9, 7))
	noise(1, m.Pix)
	src, err := NewSource(m)
	if err != nil {
		t.Fatal(err)
	}
	r := image.Rect(2, 3, 8, 6)
	const stride = 11
	dst := make([]uint16, stride*r.Dy())
	src.ReadPlane(2, r, dst, stride)
	for y := range r.Dy() {
		for x := range stride {
			var want uint16
			if x < r.Dx() {
				want = m.NRGBA64At(r.Min.X+x, r.Min.Y+y).B
			}
			if got := dst[y*stride+x]; got != want {
				t.Fatalf("(%d, %d): %d, want %d", x, y, got, want)
			}
		}
	}
}

func BenchmarkPlanes(b *testing.B) {
	const w, h, strip = 1024, 1024, 16
	for name, m := range standardImages(image.Rect(0, 0, w, h)) {
		switch name {
		case "Gray", "Gray16", "NRGBA", "NRGBA opaque", "NRGBA64":
		default:
			continue
		}
		src, err := NewSource(m)
		if err != nil {
			b.Fatal(err)
		}
		dst, err := NewSink(src.Header())
		if err != nil {
			b.Fatal(err)
		}
		planes := src.Header().Planes()
		samples := make([]uint16, w*strip)
		each := func(f func(p int, r image.Rectangle)) {
			for y := 0; y < h; y += strip {
				for p := range planes {
					f(p, image.Rect(0, y, w, y+strip))
				}
			}
		}
		b.Run("Read/"+name, func(b *testing.B) {
			b.SetBytes(w * h)
			for b.Loop() {
				each(func(p int, r image.Rectangle) { src.ReadPlane(p, r, samples, w) })
			}
		})
		clear(samples)
		b.Run("Write/"+name, func(b *testing.B) {
			b.SetBytes(w * h)
			for b.Loop() {
				each(func(p int, r image.Rectangle) {
					if err := dst.WritePlane(p, r, samples, w); err != nil {
						b.Fatal(err)
					}
				})
			}
		})
	}
}
