package learned

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/transform/nn"
)

// testModel is a model of the tiny architecture that was not trained.
var testModel = sync.OnceValues(func() (*Model, error) {
	pool := nn.NewPool(1)
	defer pool.Close()
	n, err := network.New(tiny(), pool)
	if err != nil {
		return nil, err
	}
	n.Init(rand.New(rand.NewPCG(1, 2)))
	var pictures []network.Picture
	for i := range 6 {
		pictures = append(pictures, smooth(128, 128, uint64(i)))
	}
	if err := n.Start(pictures, func(rate float64) float64 { return 0.001 * math.Pow(100, rate) }); err != nil {
		return nil, err
	}
	return NewModel(n, pictures, Bits{10, 10})
})

func model(t testing.TB) *Model {
	t.Helper()
	m, err := testModel()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func options(t testing.TB, kind codec.TargetKind, value float64) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Effort = Name, 1
	o.Target = codec.Target{Kind: kind, Value: value}
	o.Weights = []codec.Weights{model(t)}
	return o
}

func encodeFile(t testing.TB, m image.Image, o *codec.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := codec.Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decodeFile(t testing.TB, file []byte) (image.Image, error) {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Weights = []codec.Weights{model(t)}
	d, err := codec.NewDecoder(bytes.NewReader(file), o)
	if err != nil {
		return nil, err
	}
	return d.Decode(context.Background())
}

// picture returns a smooth picture of a kind.
func picture(kind string, w, h int) image.Image {
	r := image.Rect(0, 0, w, h)
	at := func(x, y, c int) float64 {
		return 0.5 + 0.4*math.Sin(float64(x)*0.05+float64(c))*math.Cos(float64(y)*0.07-float64(c))
	}
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
			m.Cb[i], m.Cr[i] = to8(at(i%m.CStride, i/m.CStride, 1)/2+0.25), to8(at(i%m.CStride, i/m.CStride, 2)/2+0.25)
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

// difference returns the mean difference of opaque colours and the largest one of alpha,
// of 65535.
func difference(a, b image.Image) (colours, alpha int) {
	r := a.Bounds()
	n := 0
	far := func(x, y uint32) int { return max(int(x)-int(y), int(y)-int(x)) }
	for y := range r.Dy() {
		for x := range r.Dx() {
			p := color.NRGBA64Model.Convert(a.At(x, y)).(color.NRGBA64)
			q := color.NRGBA64Model.Convert(b.At(x, y)).(color.NRGBA64)
			alpha = max(alpha, far(uint32(p.A), uint32(q.A)))
			if p.A == 0xffff {
				colours += far(uint32(p.R), uint32(q.R)) + far(uint32(p.G), uint32(q.G)) + far(uint32(p.B), uint32(q.B))
				n += 3
			}
		}
	}
	return colours / max(n, 1), alpha
}

// TestKindsAndSizes codes pictures of all kinds and odd sizes: the type and alpha come
// back, the colours about.
func TestKindsAndSizes(t *testing.T) {
	for _, kind := range []string{"gray", "gray16", "ycbcr", "rgb", "nrgba", "nrgba64"} {
		for _, size := range []image.Point{{1, 1}, {3, 130}, {65, 64}} {
			want := picture(kind, size.X, size.Y)
			file := encodeFile(t, want, options(t, codec.TargetQuality, 90))
			got, err := decodeFile(t, file)
			if err != nil {
				t.Fatalf("%s of %v: %v", kind, size, err)
			}
			if got.ColorModel() != want.ColorModel() || got.Bounds() != want.Bounds() {
				t.Errorf("%s of %v came back as %T of %v", kind, size, got, got.Bounds())
			}
			colours, alpha := difference(want, got)
			if alpha != 0 || colours > 65535/12 {
				t.Errorf("%s of %v: colours differ by %d, alpha by %d", kind, size, colours, alpha)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	p := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
	for _, m := range []image.Image{p, image.NewCMYK(image.Rect(0, 0, 4, 4))} {
		var u codec.UnsupportedError
		if err := codec.Encode(&bytes.Buffer{}, m, options(t, codec.TargetQuality, 50)); !errors.As(err, &u) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// TestTargets checks that rates are not exceeded and PSNR is reached, and both nearly
// used up.
func TestTargets(t *testing.T) {
	m := picture("rgb", 256, 192)
	area := 256.0 * 192
	low := len(encodeFile(t, m, options(t, codec.TargetQuality, 0)))
	high := len(encodeFile(t, m, options(t, codec.TargetQuality, 100)))
	mid := float64(low+high) / 2
	if n := float64(len(encodeFile(t, m, options(t, codec.TargetSize, math.Round(mid))))); n > mid || n < 0.9*mid {
		t.Errorf("size %v for %v", n, mid)
	}
	if n := float64(len(encodeFile(t, m, options(t, codec.TargetBPP, 8*mid/area)))); n > mid+1 || n < 0.9*mid {
		t.Errorf("bits per pixel %v for %v", 8*n/area, 8*mid/area)
	}
	var u codec.UnsupportedError
	if err := codec.Encode(&bytes.Buffer{}, m, options(t, codec.TargetSize, 40)); !errors.As(err, &u) {
		t.Errorf("40 bytes: %v", err)
	}
	psnrOf := func(file []byte) float64 {
		got, err := decodeFile(t, file)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		a, b := m.(*image.NRGBA).Pix, got.(*image.NRGBA).Pix
		for i := range a {
			if i%4 != 3 {
				d := float64(a[i]) - float64(b[i])
				sum += d * d
			}
		}
		return pixels.PSNR(sum / (3 * area))
	}
	lo, hi := psnrOf(encodeFile(t, m, options(t, codec.TargetQuality, 0))), psnrOf(encodeFile(t, m, options(t, codec.TargetQuality, 100)))
	want := (lo + hi) / 2
	if got := psnrOf(encodeFile(t, m, options(t, codec.TargetPSNR, want))); got < want || got > want+0.5 {
		t.Errorf("PSNR %.2f for %.2f", got, want)
	}
}

// TestTargetsWithSearch does so at an effort that searches.
func TestTargetsWithSearch(t *testing.T) {
	m := picture("rgb", 128, 128)
	o := options(t, codec.TargetQuality, 50)
	o.Effort = 4
	size := float64(len(encodeFile(t, m, o)))
	o.Target = codec.Target{Kind: codec.TargetSize, Value: size}
	if n := float64(len(encodeFile(t, m, o))); n > size || n < 0.85*size {
		t.Errorf("size %v for %v", n, size)
	}
	o.Target = codec.Target{Kind: codec.TargetPSNR, Value: 20}
	if _, err := decodeFile(t, encodeFile(t, m, o)); err != nil {
		t.Error(err)
	}
}

// TestWorkersAndEfforts checks that files do not depend on the number of workers, and
// that the search lowers what it minimises.
func TestWorkersAndEfforts(t *testing.T) {
	m := picture("rgb", 130, 100)
	o := options(t, codec.TargetQuality, 60)
	o.Workers = 1
	one := encodeFile(t, m, o)
	o.Workers = 3
	if !bytes.Equal(one, encodeFile(t, m, o)) {
		t.Error("the file depends on the number of workers")
	}
}

// TestEmbeddedModel decodes files without and with the model they need.
func TestEmbeddedModel(t *testing.T) {
	m := picture("rgb", 70, 50)
	o := options(t, codec.TargetQuality, 60)
	file := encodeFile(t, m, o)
	if _, err := codec.Decode(bytes.NewReader(file)); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("without the model: %v", err)
	}
	o.EmbedWeights = true
	embedded := encodeFile(t, m, o)
	got, err := codec.Decode(bytes.NewReader(embedded))
	if err != nil {
		t.Fatal(err)
	}
	want, err := decodeFile(t, file)
	if err != nil {
		t.Fatal(err)
	}
	if colours, alpha := difference(want, got); colours != 0 || alpha != 0 {
		t.Error("the embedded model decodes to another picture")
	}
	d := codec.DefaultDecodeOptions()
	d.Limits.MaxModelBytes = 1000
	dec, err := codec.NewDecoder(bytes.NewReader(embedded), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Decode(context.Background()); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestModelFile(t *testing.T) {
	m := model(t)
	file, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadModel(file, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != m.Hash() || !bytes.Equal(again.marshal(), file) {
		t.Error("a model read is not the one written")
	}
	if _, err := ReadModel(file, 1<<10); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	for n := 0; n < len(file); n += max(len(file)/40, 1) {
		if _, err := ReadModel(file[:n], math.MaxInt64); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(file))
		}
	}
}

// TestExp2 compares the integer power with that of package math.
func TestExp2(t *testing.T) {
	for x := int32(minLogStep); x < maxLogStep; x += 977 {
		want := math.Exp2(float64(x)/(1<<logBits)) * (1 << stepBits)
		if got := float64(exp2(x)); math.Abs(got-want) > 0.5+2e-4*want {
			t.Fatalf("exp2(%d) is %v, not %v", x, got, want)
		}
	}
}
