package metric

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

// distort returns a copy of an opaque picture as a coarse quantiser leaves it:
// samples in steps, which are shifted against each other in blocks of 8x8 pixels.
func distort(m *image.NRGBA, step int) *image.NRGBA {
	out := image.NewNRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			i := y*m.Stride + 4*x
			shift := (x/8*7 + y/8*13) % step
			for c := range 3 {
				v := (int(m.Pix[i+c])+shift)/step*step - shift + step/2
				out.Pix[i+c] = uint8(min(max(v, 0), 255))
			}
			out.Pix[i+3] = 255
		}
	}
	return out
}

// convert returns m drawn on dst.
func convert(dst draw.Image, m image.Image) draw.Image {
	draw.Draw(dst, dst.Bounds(), m, m.Bounds().Min, draw.Src)
	return dst
}

// deep returns a picture of 16 bits with m in the upper ones.
func deep(m *image.NRGBA) *image.NRGBA64 {
	out := image.NewNRGBA64(m.Rect)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			c := m.NRGBAAt(x, y)
			low := uint16(x*31+y*17) & 255
			out.SetNRGBA64(x, y, color.NRGBA64{uint16(c.R)<<8 | low, uint16(c.G)<<8 | low, uint16(c.B)<<8 | low, 65535})
		}
	}
	return out
}

func inverse(m *image.NRGBA) *image.NRGBA {
	out := image.NewNRGBA(m.Rect)
	for i, v := range m.Pix {
		out.Pix[i] = v
		if i%4 != 3 {
			out.Pix[i] = 255 - v
		}
	}
	return out
}

func compare(t testing.TB, a, b image.Image, which Set) Values {
	t.Helper()
	v, err := Compare(a, b, which)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// want fails unless v has the value, up to a relative error of 1e-9, or NaN for
// none.
func (v Values) want(t testing.TB, name string, value float64) {
	t.Helper()
	got, ok := v[name]
	switch {
	case math.IsNaN(value):
		if ok {
			t.Errorf("%s = %v, want none", name, got)
		}
	case !ok || math.Abs(got-value) > 1e-9*max(1, math.Abs(value)):
		t.Errorf("%s = %v (%v), want %v", name, got, ok, value)
	}
}

var none = math.NaN()

func TestKnownErrors(t *testing.T) {
	a := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	b := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	a.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 255})
	b.SetNRGBA(0, 0, color.NRGBA{13, 18, 30, 255})
	a.SetNRGBA(1, 0, color.NRGBA{200, 100, 0, 255})
	b.SetNRGBA(1, 0, color.NRGBA{200, 100, 6, 255})
	v := compare(t, a, b, All)
	v.want(t, "mse", (9+4+36)/6.0)
	v.want(t, "psnr", 10*math.Log10(255*255*6/49.0))
	// Differences: (3, -2, 0) and (0, 0, 6).
	y0, y1 := 0.299*3-0.587*2, 0.114*6
	mean := func(a, b float64) float64 { return (a*a + b*b) / 2 }
	y := mean(y0, y1)
	cb := mean((0-y0)/1.772, (6-y1)/1.772)
	cr := mean((3-y0)/1.402, (0-y1)/1.402)
	v.want(t, "mse_y", y)
	v.want(t, "mse_u", cb)
	v.want(t, "mse_v", cr)
	db := func(mse float64) float64 { return 10 * math.Log10(255*255/mse) }
	v.want(t, "psnr_yuv", 0.75*db(y)+0.125*db(cb)+0.125*db(cr))
	for _, name := range []string{"ssim", "ms_ssim", "ms_ssim_db", "alpha_mse"} {
		v.want(t, name, none)
	}
}

func TestExactCopy(t *testing.T) {
	for _, m := range []image.Image{
		dataset.DeadLeaves(170, 165, 1),
		deep(dataset.DeadLeaves(165, 170, 2)),
		image.NewGray16(image.Rect(0, 0, 200, 200)),
	} {
		v := compare(t, m, m, All)
		for name, value := range map[string]float64{
			"mse": 0, "mse_y": 0, "mse_u": 0, "mse_v": 0, "psnr": none, "psnr_yuv": none,
			"ssim": 1, "ms_ssim": 1, "ms_ssim_db": none, "alpha_mse": none,
		} {
			v.want(t, name, value)
		}
	}
}

func TestBlackAndWhite(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {300, 1}, {176, 176}} {
		r := image.Rectangle{Max: size}
		black, white := image.NewGray16(r), image.NewRGBA64(r)
		draw.Draw(white, r, image.White, image.Point{}, draw.Src)
		v := compare(t, black, white, All)
		v.want(t, "mse", 255*255)
		v.want(t, "psnr", 0)
		v.want(t, "mse_y", 255*255)
		v.want(t, "mse_u", 0)
		v.want(t, "psnr_yuv", none)
		if size.Y > 1 {
			// Flat pictures, also at all scales, have cs = 1 and l = C1/(L^2+C1).
			l := 0.0001 / 1.0001
			v.want(t, "ssim", l)
			v.want(t, "ms_ssim", math.Pow(l, 0.1333))
		}
	}
}

func TestErrors(t *testing.T) {
	at := func(w, h int) image.Image { return image.NewGray(image.Rect(0, 0, w, h)) }
	for _, pair := range [][2]image.Image{
		{at(4, 5), at(5, 4)}, {at(4, 5), at(4, 6)}, {at(0, 0), at(0, 0)}, {at(3, 0), at(3, 0)},
		{image.Black, image.White}, // of 4e18 pixels
	} {
		if _, err := Compare(pair[0], pair[1], Default); !errors.Is(err, ErrSize) {
			t.Errorf("%v and %v: %v, want ErrSize", pair[0].Bounds(), pair[1].Bounds(), err)
		}
	}
	if _, err := Compare(at(1, 1), at(1, 1), All+1); err == nil {
		t.Error("an unknown set is taken")
	}
	for _, n := range []int{0, 2} {
		if _, err := MSE8(make([]uint8, 3*n), make([]uint8, n)); !errors.Is(err, ErrSize) {
			t.Errorf("planes of %d and %d samples: %v, want ErrSize", 3*n, n, err)
		}
	}
}

func TestSmallestPictures(t *testing.T) {
	for _, c := range []struct {
		w, h         int
		ssim, msssim bool
	}{
		{1, 1, false, false}, {10, 300, false, false}, {11, 11, true, false},
		{160, 400, true, false}, {400, 160, true, false}, {161, 161, true, true},
	} {
		m := dataset.DeadLeaves(c.w, c.h, 3)
		v := compare(t, m, distort(m, 9), All)
		_, ssim := v["ssim"]
		_, msssim := v["ms_ssim"]
		if ssim != c.ssim || msssim != c.msssim {
			t.Errorf("%dx%d pixels: ssim %v, ms_ssim %v; want %v, %v", c.w, c.h, ssim, msssim, c.ssim, c.msssim)
		}
	}
}

func TestSet(t *testing.T) {
	m := dataset.DeadLeaves(161, 161, 3)
	for which, names := range map[Set][]string{
		0:             nil,
		PSNR:          nil,
		SSIM:          {"ssim"},
		MSSSIM:        {"ms_ssim", "ms_ssim_db"},
		SSIM | MSSSIM: {"ssim", "ms_ssim", "ms_ssim_db"},
	} {
		v := compare(t, m, distort(m, 9), which)
		for _, name := range append(names, "mse", "psnr", "mse_y", "mse_u", "mse_v", "psnr_yuv") {
			if _, ok := v[name]; !ok {
				t.Errorf("set %d lacks %s", which, name)
			}
			delete(v, name)
		}
		if len(v) > 0 {
			t.Errorf("set %d has more than asked for: %v", which, v)
		}
	}
}

// onlyAt hides all methods but those of image.Image.
type onlyAt struct{ image.Image }

func TestImageTypes(t *testing.T) {
	m := dataset.DeadLeaves(40, 30, 4)
	other := distort(m, 20)
	r := m.Rect
	palette := color.Palette{}
	for i := range 200 {
		palette = append(palette, color.NRGBA{uint8(i), uint8(i * 7), uint8(i * 13), 255})
	}
	few := convert(image.NewPaletted(r, palette), m)
	gray := convert(image.NewGray(r), m)
	shifted := image.NewNRGBA(image.Rect(-3, -5, 60, 50))
	draw.Draw(shifted, r.Add(image.Pt(7, 9)), m, image.Point{}, draw.Src)

	ycbcr := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for i := range ycbcr.Y {
		ycbcr.Y[i] = uint8(i * 5)
	}
	for i := range ycbcr.Cb {
		ycbcr.Cb[i], ycbcr.Cr[i] = uint8(i*11), uint8(255-i*3)
	}
	ya := image.NewNYCbCrA(r, image.YCbCrSubsampleRatio420)
	ya.YCbCr = *ycbcr
	for i := range ya.A {
		ya.A[i] = 255
	}

	for _, c := range []struct {
		name string
		m    image.Image // looks like want
		want image.Image
	}{
		{"RGBA", convert(image.NewRGBA(r), m), m},
		{"NRGBA64", convert(image.NewNRGBA64(r), m), m},
		{"RGBA64", convert(image.NewRGBA64(r), m), m},
		{"only At", onlyAt{m}, m},
		{"SubImage", shifted.SubImage(r.Add(image.Pt(7, 9))), m},
		{"Paletted", few, convert(image.NewRGBA(r), few)},
		{"Gray", gray, convert(image.NewNRGBA(r), gray)},
		{"Gray16", convert(image.NewGray16(r), gray), gray},
		{"YCbCr", ycbcr, convert(image.NewRGBA(r), ycbcr)},
		{"NYCbCrA", ya, convert(image.NewRGBA(r), ycbcr)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := compare(t, c.m, c.want, Default); v["mse"] != 0 || len(v) != 4 {
				t.Errorf("is not the same picture: %v", v)
			}
			got, want := compare(t, other, c.m, All), compare(t, other, c.want, All)
			for name := range want {
				got.want(t, name, want[name])
			}
		})
	}
}

// Of 16 bits the lower ones count.
func TestDeep(t *testing.T) {
	a, b := image.NewGray16(image.Rect(0, 0, 1, 1)), image.NewGray16(image.Rect(0, 0, 1, 1))
	a.SetGray16(0, 0, color.Gray16{1000})
	b.SetGray16(0, 0, color.Gray16{1003})
	compare(t, a, b, PSNR).want(t, "mse", 9*255.0*255/(65535.0*65535))
}

// A gray picture measures as one of three equal channels.
func TestGray(t *testing.T) {
	m := dataset.DeadLeaves(180, 170, 5)
	ga, gb := convert(image.NewGray(m.Rect), m), convert(image.NewGray(m.Rect), distort(m, 16))
	want := compare(t, convert(image.NewNRGBA(m.Rect), ga), convert(image.NewNRGBA(m.Rect), gb), All)
	got := compare(t, ga, gb, All)
	if len(got) != len(want) || got["mse_u"] != 0 {
		t.Errorf("got %v, want %v", got, want)
	}
	for name := range want {
		got.want(t, name, want[name])
	}
}

func TestAlpha(t *testing.T) {
	pixel := func(c color.Color) image.Image {
		m := image.NewNRGBA(image.Rect(0, 0, 1, 1))
		m.Set(0, 0, c)
		return m
	}
	for _, c := range []struct {
		a, b       color.NRGBA
		mse, alpha float64
	}{
		{color.NRGBA{1, 2, 3, 0}, color.NRGBA{200, 100, 50, 0}, 0, 0}, // invisible
		{color.NRGBA{100, 100, 100, 255}, color.NRGBA{100, 100, 100, 51}, 80 * 80, 204 * 204},
		{color.NRGBA{100, 100, 100, 51}, color.NRGBA{110, 110, 110, 51}, 4, 0},
		{color.NRGBA{0, 0, 0, 5}, color.NRGBA{0, 0, 0, 255}, 0, 250 * 250},
	} {
		v := compare(t, pixel(c.a), pixel(c.b), PSNR)
		v.want(t, "mse", c.mse)
		v.want(t, "alpha_mse", c.alpha)
	}
	// A picture that turns transparent only later.
	m := dataset.DeadLeaves(20, 20, 6)
	n := convert(image.NewNRGBA(m.Rect), m).(*image.NRGBA)
	n.SetNRGBA(7, 9, color.NRGBA{0, 0, 0, 55})
	compare(t, m, n, PSNR).want(t, "alpha_mse", 200*200/400.0)
	compare(t, n, m, PSNR).want(t, "alpha_mse", 200*200/400.0)
}

func TestPlanes(t *testing.T) {
	got, err := MSE8([]uint8{0, 255, 7}, []uint8{255, 0, 10})
	if want := (2*255*255 + 9) / 3.0; err != nil || got != want {
		t.Errorf("MSE8 = %v (%v), want %v", got, err, want)
	}
	got, err = MSE16([]uint16{0, 65535}, []uint16{65535, 65533})
	if want := (65535*65535 + 4) / 2.0; err != nil || got != want {
		t.Errorf("MSE16 = %v (%v), want %v", got, err, want)
	}
	if got := PeakSNR(1023*1023/1000.0, 1023); math.Abs(got-30) > 1e-12 {
		t.Errorf("PeakSNR = %v, want 30", got)
	}
	if got := PeakSNR(0, 255); !math.IsInf(got, 1) {
		t.Errorf("PeakSNR of no error = %v, want +Inf", got)
	}
	if got := YUVPSNR(40, 44, 36); got != 40 {
		t.Errorf("YUVPSNR = %v, want 40", got)
	}
}

func ExampleCompare() {
	original := image.NewGray(image.Rect(0, 0, 4, 4))
	decoded := image.NewGray(original.Rect)
	for i := range decoded.Pix {
		decoded.Pix[i] = original.Pix[i] + 2
	}
	v, err := Compare(original, decoded, Default)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f dB\n", v["psnr"])
	// Output: 42.11 dB
}

func BenchmarkCompare(b *testing.B) {
	p := dataset.DeadLeaves(768, 512, 1)
	q := distort(p, 8)
	for _, set := range []struct {
		name  string
		which Set
	}{{"psnr", PSNR}, {"ssim", SSIM}, {"msssim", MSSSIM}, {"ssimulacra2", SSIMULACRA2}, {"butteraugli", Butteraugli}} {
		b.Run(set.name, func(b *testing.B) {
			b.SetBytes(768 * 512 * 3)
			for b.Loop() {
				compare(b, p, q, set.which)
			}
		})
	}
}
