package learned

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"slices"
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

// TestWorths checks that worths are fitted, interpolated, and kept and checked in the file.
func TestWorths(t *testing.T) {
	m := *model(t)
	for _, w := range m.worths {
		if !slices.Contains(worthsToTry, w) {
			t.Errorf("worths %v", m.worths)
		}
	}
	read, err := ReadModel(m.file, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(read.worths, m.worths) {
		t.Errorf("worths %v were read as %v", m.worths, read.worths)
	}
	m.worths = []int{10, 20, 60}
	for rate, want := range map[int]float64{0: 10, 1024: 15, 2048: 20, 3072: 40, 4096: 60} {
		if got := m.stepWorth(rate); got != want {
			t.Errorf("rate %d: %v, not %v", rate, got, want)
		}
	}
	for _, bad := range [][]int{{1}, {1, 2, -3}, {1, 2, maxWorth + 1}} {
		m.worths = bad
		if _, err := ReadModel(m.marshal(), 1<<24); err == nil {
			t.Errorf("worths %v were taken", bad)
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

// rangeModel returns a model for a range of rates.
func rangeModel(t testing.TB, low, high float64) *Model {
	t.Helper()
	pool := nn.NewPool(1)
	defer pool.Close()
	n, pictures, err := startedFor(pool, low, high)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(n, pictures, Bits{10, 10})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func join(t testing.TB, models ...*Model) *Model {
	t.Helper()
	m, err := Join(models...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestJoin checks that a joined model codes each rate as the part for it does, after it was
// written and read, too, and meets targets on either side.
func TestJoin(t *testing.T) {
	low, high := rangeModel(t, 0, 0.6), rangeModel(t, 0.4, 1)
	m := join(t, low, high)
	file, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadModel(file, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if !IsModel(file) || read.Hash() != m.Hash() || read.Hash() == high.Hash() {
		t.Errorf("read as %v, was %v", read, m)
	}
	// tile returns what is in a picture's file after the model's name.
	tile := func(m *Model, kind codec.TargetKind, value float64) []byte {
		o := options(t, kind, value)
		o.Weights = []codec.Weights{m}
		file := codectest.Encode(t, picture("rgb", 90, 70), o)
		got, err := codectest.Decode(file, codectest.With(read))
		if m == read && (err != nil || got.Bounds().Dx() != 90) {
			t.Errorf("quality %v: decoded %v, %v", value, got, err)
		}
		return file[bytes.Index(file, []byte(kindTile)):]
	}
	for _, c := range []struct {
		quality float64
		of      *Model
	}{{10, low}, {49.9, low}, {50.1, high}, {100, high}} {
		if !bytes.Equal(tile(read, codec.TargetQuality, c.quality), tile(c.of, codec.TargetQuality, c.quality)) {
			t.Errorf("quality %v: not coded by the model for it", c.quality)
		}
	}
	// A model for a range alone does not go beyond it.
	o := options(t, codec.TargetQuality, 61)
	o.Weights = []codec.Weights{low}
	codectest.Unsupported(t, picture("rgb", 64, 64), o)
	o.Target = codec.Target{Kind: codec.TargetPSNR, Value: 90}
	if !bytes.Equal(codectest.Encode(t, picture("rgb", 64, 64), o)[21:], atHighest(t, low, 60)[21:]) {
		t.Error("a PSNR out of range was not coded at the highest rate")
	}
	// A size on either side is met from below.
	for _, quality := range []float64{25, 75} {
		o := options(t, codec.TargetQuality, quality)
		o.Weights = []codec.Weights{read}
		size := len(codectest.Encode(t, picture("rgb", 90, 70), o))
		o.Target = codec.Target{Kind: codec.TargetSize, Value: float64(size)}
		if n := len(codectest.Encode(t, picture("rgb", 90, 70), o)); n > size || n < size*9/10 {
			t.Errorf("%d bytes for %d", n, size)
		}
	}
	// The search takes the networks of the part, too.
	o = options(t, codec.TargetQuality, 20)
	o.Weights, o.Effort = []codec.Weights{read}, 4
	if _, err := codectest.Decode(codectest.Encode(t, picture("rgb", 64, 64), o), codectest.With(m)); err != nil {
		t.Error(err)
	}
	for i, models := range [][]*Model{
		{low}, {high, low}, {low, low}, {low, rangeModel(t, 0.7, 1)}, {rangeModel(t, 0, 0.4), rangeModel(t, 0.3, 0.9)}, {m, high}, nil,
	} {
		if _, err := Join(models...); err == nil {
			t.Errorf("case %d: joined", i)
		}
	}
}

func atHighest(t *testing.T, m *Model, quality float64) []byte {
	t.Helper()
	o := options(t, codec.TargetQuality, quality)
	o.Weights = []codec.Weights{m}
	return codectest.Encode(t, picture("rgb", 64, 64), o)
}

// TestJoinedModelFile reads damaged files of joined models.
func TestJoinedModelFile(t *testing.T) {
	m := join(t, rangeModel(t, 0, 0.6), rangeModel(t, 0.4, 1))
	codectest.ModelFile(t, m, ReadModel, (*Model).marshalParts)
	file, part := m.file, m.parts[0].file
	for name, bad := range map[string][]byte{
		"falling rates": append(joinFormat.Begin(joined{[]int{3000, 2000, 4096}}), file[len(joinFormat.Begin(joined{[]int{2048, 4096}})):]...),
		"no end":        append(joinFormat.Begin(joined{[]int{2048, 4000}}), file[len(joinFormat.Begin(joined{[]int{2048, 4096}})):]...),
		"one":           append(append(joinFormat.Begin(joined{[]int{4096}}), file[len(joinFormat.Begin(joined{[]int{2048, 4096}})):][:2]...), part...),
		"nested":        append(binary.AppendUvarint(joinFormat.Begin(joined{[]int{2048, 4096}}), uint64(len(file))), file...),
		"more":          append(bytes.Clone(file), 0),
	} {
		if _, err := ReadModel(bad, 1<<24); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if err := checkBegin(file[:8]); err == nil {
		t.Error("a cut header was taken")
	}
}
