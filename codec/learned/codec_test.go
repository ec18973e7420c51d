package learned

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"sync"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/transform/nn"
)

// testModel is a model of the tiny architecture that was not trained.
var testModel = sync.OnceValues(func() (*Model, error) {
	pool := nn.NewPool(1)
	defer pool.Close()
	n, pictures, err := started(pool)
	if err != nil {
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

func decodeFile(t testing.TB, file []byte) (image.Image, error) {
	t.Helper()
	return codectest.Decode(file, codectest.With(model(t)))
}

// picture returns a smooth picture of a kind.
func picture(kind string, w, h int) image.Image {
	at := func(x, y, c int) float64 {
		return 0.5 + 0.4*math.Sin(float64(x)*0.05+float64(c))*math.Cos(float64(y)*0.07-float64(c))
	}
	return codectest.Picture(kind, w, h, at, func(x, y, c int) float64 { return at(x, y, c)/2 + 0.25 })
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
			file := codectest.Encode(t, want, options(t, codec.TargetQuality, 90))
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
	for _, m := range []image.Image{codectest.Paletted(), codectest.CMYK()} {
		codectest.Unsupported(t, m, options(t, codec.TargetQuality, 50))
	}
}

// TestTargets checks that rates are not exceeded and PSNR is reached, and both nearly
// used up.
func TestTargets(t *testing.T) {
	codectest.Targets(func(kind codec.TargetKind, value float64) *codec.Options {
		return options(t, kind, value)
	}).Check(t, picture("rgb", 256, 192), 0.9, 40, 0.5, codectest.With(model(t)))
}

// TestTargetsWithSearch does so at an effort that searches.
func TestTargetsWithSearch(t *testing.T) {
	m := picture("rgb", 128, 128)
	o := options(t, codec.TargetQuality, 50)
	o.Effort = 4
	size := float64(len(codectest.Encode(t, m, o)))
	o.Target = codec.Target{Kind: codec.TargetSize, Value: size}
	if n := float64(len(codectest.Encode(t, m, o))); n > size || n < 0.85*size {
		t.Errorf("size %v for %v", n, size)
	}
	o.Target = codec.Target{Kind: codec.TargetPSNR, Value: 20}
	if _, err := decodeFile(t, codectest.Encode(t, m, o)); err != nil {
		t.Error(err)
	}
}

// TestWorkersAndEfforts checks that files do not depend on the number of workers, and
// that the search lowers what it minimises.
func TestWorkersAndEfforts(t *testing.T) {
	m := picture("rgb", 130, 100)
	o := options(t, codec.TargetQuality, 60)
	o.Workers = 1
	one := codectest.Encode(t, m, o)
	o.Workers = 3
	if !bytes.Equal(one, codectest.Encode(t, m, o)) {
		t.Error("the file depends on the number of workers")
	}
}

// TestEmbeddedModel decodes files without and with the model they need.
func TestEmbeddedModel(t *testing.T) {
	codectest.EmbeddedModel(t, picture("rgb", 70, 50), options(t, codec.TargetQuality, 60))
}

func TestModelFile(t *testing.T) { codectest.ModelFile(t, model(t), ReadModel, (*Model).marshal) }

// TestExp2 compares the integer power with that of package math.
func TestExp2(t *testing.T) {
	for x := int32(minLogStep); x < maxLogStep; x += 977 {
		want := math.Exp2(float64(x)/(1<<logBits)) * (1 << stepBits)
		if got := float64(exp2(x)); math.Abs(got-want) > 0.5+2e-4*want {
			t.Fatalf("exp2(%d) is %v, not %v", x, got, want)
		}
	}
}
