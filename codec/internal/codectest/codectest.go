// Package codectest is what the tests of several codecs have in common.
package codectest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/metric"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
)

// Encode returns the file of a picture.
func Encode(t testing.TB, m image.Image, o *codec.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := codec.Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Decode returns the picture of a file.
func Decode(file []byte, o *codec.DecodeOptions) (image.Image, error) {
	d, err := codec.NewDecoder(bytes.NewReader(file), o)
	if err != nil {
		return nil, err
	}
	return d.Decode(context.Background())
}

// MustDecode returns the picture of a file that is sound.
func MustDecode(t testing.TB, file []byte, o *codec.DecodeOptions) image.Image {
	t.Helper()
	m, err := Decode(file, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// With returns options to decode with a model.
func With(w codec.Weights) *codec.DecodeOptions {
	o := codec.DefaultDecodeOptions()
	o.Weights = []codec.Weights{w}
	return o
}

// PSNR returns that of 8-bit RGB samples.
func PSNR(t testing.TB, a, b image.Image) float64 {
	t.Helper()
	v, err := metric.Compare(a, b, metric.PSNR)
	if err != nil {
		t.Fatal(err)
	}
	return v["psnr"]
}

// EachTier calls f with every tier of kernels in use.
func EachTier(t testing.TB, f func(tier kernels.Level)) {
	t.Helper()
	for _, tier := range kernels.Tiers() {
		OnTier(t, tier, func() { f(tier) })
	}
}

// OnTier calls f with a tier of kernels in use.
func OnTier(t testing.TB, tier kernels.Level, f func()) {
	t.Helper()
	restore, err := kernels.SetTier(tier)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	f()
}

// Planes calls f with the samples of each plane of a picture.
func Planes(t testing.TB, m image.Image, f func(p codec.Plane, samples []uint16)) {
	t.Helper()
	src, err := codec.NewSource(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range src.Header().Planes() {
		samples := make([]uint16, p.Width*p.Height)
		src.ReadPlane(i, image.Rect(0, 0, p.Width, p.Height), samples, p.Width)
		f(p, samples)
	}
}

// SampleSum sums type, size, palette and samples of a picture.
func SampleSum(t testing.TB, m image.Image) string {
	t.Helper()
	s := sha256.New()
	fmt.Fprintf(s, "%T %v\n", m, m.Bounds())
	if p, ok := m.(*image.Paletted); ok {
		for _, c := range p.Palette {
			fmt.Fprintf(s, "%T %v\n", c, c)
		}
	}
	Planes(t, m, func(p codec.Plane, samples []uint16) {
		fmt.Fprintf(s, "%d %d %d\n", p.Width, p.Height, p.MaxValue)
		binary.Write(s, binary.BigEndian, samples) // a hash takes all
	})
	return hex.EncodeToString(s.Sum(nil))
}

// Picture returns a picture of a kind: "gray", "gray16", "ycbcr" (4:2:0), "rgb", "nrgba" or
// "nrgba64". at gives its colours, of 0 to 1; chroma gives samples 1 and 2 of a place of
// the smaller planes.
func Picture(kind string, w, h int, at, chroma func(x, y, c int) float64) image.Image {
	r := image.Rect(0, 0, w, h)
	to8 := func(v float64) uint8 { return uint8(v * 255) }
	to16 := func(v float64) uint16 { return uint16(v * 65535) }
	switch kind {
	case "gray":
		m := image.NewGray(r)
		for i := range m.Pix {
			m.Pix[i] = to8(at(i%w, i/w, 0))
		}
		return m
	case "gray16":
		m := image.NewGray16(r)
		for i := range w * h {
			m.SetGray16(i%w, i/w, color.Gray16{Y: to16(at(i%w, i/w, 0))})
		}
		return m
	case "ycbcr":
		m := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
		for i := range m.Y {
			m.Y[i] = to8(at(i%m.YStride, i/m.YStride, 0))
		}
		for i := range m.Cb {
			x, y := i%m.CStride, i/m.CStride
			m.Cb[i], m.Cr[i] = to8(chroma(x, y, 1)), to8(chroma(x, y, 2))
		}
		return m
	case "nrgba64":
		m := image.NewNRGBA64(r)
		for i := range w * h {
			x, y := i%w, i/w
			m.SetNRGBA64(x, y, color.NRGBA64{R: to16(at(x, y, 0)), G: to16(at(x, y, 1)), B: to16(at(x, y, 2)), A: uint16(i * 977)})
		}
		return m
	}
	m := image.NewNRGBA(r)
	for i := range w * h {
		x, y := i%w, i/w
		a := uint8(255)
		if kind == "nrgba" {
			a = uint8(x * y)
		}
		m.SetNRGBA(x, y, color.NRGBA{to8(at(x, y, 0)), to8(at(x, y, 1)), to8(at(x, y, 2)), a})
	}
	return m
}

// Waves returns a picture of some waves, and noise.
func Waves(h, w int, seed uint64) convnet.Picture {
	r := rand.New(rand.NewPCG(seed, 1))
	p := convnet.Picture{H: h, W: w, Data: make([]float32, h*w*3)}
	var fx, fy, phase [3]float64
	for c := range 3 {
		fx[c], fy[c], phase[c] = r.Float64()*0.2, r.Float64()*0.2, r.Float64()*6
	}
	for y := range h {
		for x := range w {
			for c := range 3 {
				v := 90*math.Sin(fx[c]*float64(x)+fy[c]*float64(y)+phase[c]) + r.NormFloat64()*3
				p.Data[(y*w+x)*3+c] = float32(math.Round(v)) / convnet.PixelUnit
			}
		}
	}
	return p
}

// Scan returns the header and the sections of a file.
func Scan(t testing.TB, file []byte) (codec.Header, []codec.SectionInfo) {
	t.Helper()
	d, err := codec.NewDecoder(bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.Header(), d.Sections()
}

// Unsupported checks that a picture is refused with a codec.UnsupportedError.
func Unsupported(t testing.TB, m image.Image, o *codec.Options) {
	t.Helper()
	var u codec.UnsupportedError
	if err := codec.Encode(new(bytes.Buffer), m, o); !errors.As(err, &u) {
		t.Errorf("%T, %v of %v: %v", m, o.Target.Kind, o.Target.Value, err)
	}
}

// Paletted and CMYK return pictures that most codecs refuse.
func Paletted() image.Image {
	return image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
}
func CMYK() image.Image { return image.NewCMYK(image.Rect(0, 0, 4, 4)) }

// ModelTooLarge checks that a file whose decoding takes a model of more than 1000 bytes is
// refused when no more are allowed.
func ModelTooLarge(t testing.TB, file []byte) {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Limits.MaxModelBytes = 1000
	if _, err := Decode(file, o); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

// Targets are the options for a codec's targets.
type Targets func(kind codec.TargetKind, value float64) *codec.Options

// Check checks that sizes and rates of an opaque RGB picture are not exceeded but used up
// to a share, that a size too small is refused, and that PSNR is reached but not exceeded
// by more than some dB.
func (options Targets) Check(t *testing.T, m image.Image, share, tooSmall, dB float64, o *codec.DecodeOptions) {
	t.Helper()
	pixels := float64(m.Bounds().Dx() * m.Bounds().Dy())
	file := func(kind codec.TargetKind, value float64) []byte { return Encode(t, m, options(kind, value)) }
	low, high := file(codec.TargetQuality, 0), file(codec.TargetQuality, 100)
	if len(high) < len(low)+100 {
		t.Fatalf("%d to %d bytes", len(low), len(high))
	}
	mid := math.Round(float64(len(low)+len(high)) / 2)
	if n := float64(len(file(codec.TargetSize, mid))); n > mid || n < share*mid {
		t.Errorf("size %v for %v", n, mid)
	}
	if n := float64(len(file(codec.TargetBPP, 8*mid/pixels))); n > mid+1 || n < share*mid {
		t.Errorf("bits per pixel %v for %v", 8*n/pixels, 8*mid/pixels)
	}
	Unsupported(t, m, options(codec.TargetSize, tooSmall))
	psnr := func(file []byte) float64 { return PSNR(t, m, MustDecode(t, file, o)) }
	lo, hi := psnr(low), psnr(high)
	want := (lo + hi) / 2
	if got := psnr(file(codec.TargetPSNR, want)); got < want || got > want+dB {
		t.Errorf("PSNR %.2f for %.2f, of %.2f to %.2f", got, want, lo, hi)
	}
}
