package overfit

import (
	"bytes"
	"errors"
	"image"
	"slices"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/inr"
	"github.com/burin-codec/burin/kernels"
)

var learntPriors = map[int]*inr.Prior{}

// learnt returns a prior of preset xs for the qualities from 30 up, learnt on one scene.
func learnt(t testing.TB, channels int) *inr.Prior {
	t.Helper()
	if p := learntPriors[channels]; p != nil {
		return p
	}
	a := inr.Presets[0].Arch(1024, 1024, channels)
	p, err := inr.FreshPrior(a, Lambda(100), Lambda(30), 1)
	if err != nil {
		t.Fatal(err)
	}
	const side = 32
	m := dataset.DeadLeaves(side, side, 9)
	src, err := codec.NewSource(m)
	if err != nil {
		t.Fatal(err)
	}
	pix := read(src, image.Rect(0, 0, side, side))
	if channels == 1 {
		pix = pix[:side*side]
	}
	q, err := p.Networks(&a, 0)
	if err != nil {
		t.Fatal(err)
	}
	nets := q.Nets()
	for i := range 4 {
		moved, err := inr.Learn(t.Context(), pix, side, side, &inr.FitOptions{Arch: a, Lambda: Lambda(50), Iterations: 40, Priors: []*inr.Prior{p}, Seed: uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		for m, v := range moved.Module {
			for j, d := range v {
				nets.Module[m][j] += 0.6 * d
			}
		}
		if p, err = inr.NewPrior(a, nets, Lambda(100), Lambda(30)); err != nil {
			t.Fatal(err)
		}
	}
	learntPriors[channels] = p
	return p
}

func describe(t *testing.T, file []byte) Info {
	t.Helper()
	h, sections := codectest.Scan(t, file)
	info, ok := Describe(&h, sections)
	if !ok {
		t.Fatal("not described")
	}
	return info
}

func decodeWith(file []byte, w ...codec.Weights) (image.Image, error) {
	o := codec.DefaultDecodeOptions()
	o.Weights = w
	return codectest.Decode(file, o)
}

// TestPrior codes a picture from a prior: the file names the prior, decodes to the same
// samples with all kernels, and not without the prior.
func TestPrior(t *testing.T) {
	p := learnt(t, 3)
	m := dataset.DeadLeaves(45, 38, 3)
	file := func(w codec.Weights, quality float64, embed bool) []byte {
		t.Helper()
		o := options(codec.TargetQuality, quality)
		o.Weights, o.EmbedWeights = []codec.Weights{w}, embed
		return codectest.Encode(t, m, o)
	}
	fresh, named, embedded := file(WithoutPrior, 50, false), file(p, 50, false), file(p, 50, true)
	if i := describe(t, fresh); i.Preset != "xs" || i.Fresh != 1 || len(i.Priors) != 0 {
		t.Errorf("from nothing: %+v", i)
	}
	for _, f := range [][]byte{named, embedded} {
		if i := describe(t, f); i.Preset != "xs" || i.Fresh != 0 || !slices.Equal(i.Priors, []inr.PriorID{p.ID()}) {
			t.Errorf("from a prior: %+v", i)
		}
	}
	if i := describe(t, file(p, 20, false)); i.Fresh != 1 {
		t.Errorf("at a quality that the prior is not for: %+v", i)
	}
	own, _ := p.MarshalBinary()
	if d := len(embedded) - len(named) - codec.SectionSize(len(own)); d != 0 {
		t.Errorf("%d bytes more than those of the prior", d)
	}

	if _, err := decodeWith(named); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("without the prior: error %v", err)
	}
	if _, err := decodeWith(named, learnt(t, 1)); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("with another prior: error %v", err)
	}
	want, err := decodeWith(embedded)
	if err != nil {
		t.Fatal(err)
	}
	codectest.EachTier(t, func(tier kernels.Level) {
		got, err := decodeWith(named, p)
		if err != nil {
			t.Fatal(err)
		}
		if codectest.SampleSum(t, got) != codectest.SampleSum(t, want) {
			t.Errorf("%v: other samples than with the prior in the file", tier)
		}
	})

	// Limits hold for priors too, and one that is cut off is found.
	o := codec.DefaultDecodeOptions()
	o.Limits.MaxModelBytes = 1000
	if _, err := codectest.Decode(embedded, o); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("a large prior: error %v", err)
	}
	if _, err := readPrior(own[:len(own)-9], 1<<20); !errors.As(err, new(codec.FormatError)) {
		t.Errorf("a prior cut off: error %v", err)
	}
}

// TestPriorTargets: a size is not exceeded with a prior in the file, and a rate that is
// met in one go has a prior as well.
func TestPriorTargets(t *testing.T) {
	p := learnt(t, 3)
	m := dataset.DeadLeaves(45, 38, 3)
	for _, embed := range []bool{false, true} {
		size := 600
		if embed {
			size += int((&encoder{o: &codec.Options{EmbedWeights: true}, priors: []*inr.Prior{p}}).largestPrior())
		}
		o := options(codec.TargetSize, float64(size))
		o.Weights, o.EmbedWeights = []codec.Weights{p}, embed
		file := codectest.Encode(t, m, o)
		if n := len(file); n > size || n < size-60 {
			t.Errorf("embedded %v: %d bytes of %d", embed, n, size)
		}
		if i := describe(t, file); len(i.Priors) != 1 {
			t.Errorf("embedded %v: %+v", embed, i)
		}
		if _, err := decodeWith(file, p); err != nil {
			t.Error(err)
		}
	}
}

// TestPriorChoice: pictures that priors are not trained on are fitted without, and
// weights of another kind are refused.
func TestPriorChoice(t *testing.T) {
	color, gray := learnt(t, 3), learnt(t, 1)
	o := options(codec.TargetQuality, 50)
	o.Weights = []codec.Weights{color, gray}
	for name, m := range pictures(23, 18) {
		if name == "Paletted" {
			continue
		}
		file := codectest.Encode(t, m, o)
		want := []inr.PriorID(nil)
		switch m.(type) {
		case *image.Gray, *image.Gray16, *image.Alpha, *image.Alpha16:
			want = []inr.PriorID{gray.ID()}
		case *image.NRGBA, *image.NRGBA64, *image.RGBA, *image.RGBA64:
			if m.(interface{ Opaque() bool }).Opaque() {
				want = []inr.PriorID{color.ID()}
			}
		}
		if i := describe(t, file); !slices.Equal(i.Priors, want) {
			t.Errorf("%s: priors %v, want %v", name, i.Priors, want)
		}
	}
	o.Weights = []codec.Weights{other{}}
	if err := codec.Encode(&bytes.Buffer{}, dataset.DeadLeaves(8, 8, 1), o); !errors.As(err, new(codec.OptionError)) {
		t.Errorf("weights of another codec: error %v", err)
	}
}

// TestPriorRange: a prior serves the lambdas that it was made for, with its own networks
// however small the picture; at others a file is the one that there is without the prior.
func TestPriorRange(t *testing.T) {
	const side, low, high = 48, 40, 60
	m := dataset.DeadLeaves(side, side, 2)
	small, own := inr.Presets[0].Name, inr.Presets[efforts[0].preset]
	p, err := inr.FreshPrior(own.Arch(1024, 1024, 3), Lambda(high), Lambda(low), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target   codec.Target
		preset   string
		withThat bool
	}{
		{codec.Target{Kind: codec.TargetQuality, Value: 50}, own.Name, true},
		{codec.Target{Kind: codec.TargetQuality, Value: 20}, small, false},
		{codec.Target{Kind: codec.TargetPSNR, Value: 20}, small, false},
	} {
		o := options(c.target.Kind, c.target.Value)
		o.Weights = []codec.Weights{p}
		with := codectest.Encode(t, m, o)
		o.Weights = []codec.Weights{WithoutPrior}
		without := codectest.Encode(t, m, o)
		if i := describe(t, with); i.Preset != c.preset || (len(i.Priors) == 1) != c.withThat {
			t.Errorf("%v: preset %s, priors %v", c.target, i.Preset, i.Priors)
		}
		if bytes.Equal(with, without) == c.withThat {
			t.Errorf("%v: the prior used: %v", c.target, !c.withThat)
		}
	}
}

type other struct{}

func (other) Hash() (h [32]byte) { return h }

// TestRegister: registered priors are what pictures are fitted from, unless the options
// say otherwise.
func TestRegister(t *testing.T) {
	p := learnt(t, 3)
	file, _ := p.MarshalBinary()
	before := registry
	defer func() { registry = before }()
	registry = newRegistry()
	Register(file)
	m := dataset.DeadLeaves(30, 20, 3)
	o := options(codec.TargetQuality, 50)
	got := codectest.Encode(t, m, o)
	if i := describe(t, got); !slices.Equal(i.Priors, []inr.PriorID{p.ID()}) {
		t.Errorf("%+v", i)
	}
	codectest.MustDecode(t, got, nil)
	o.Weights = []codec.Weights{WithoutPrior}
	if i := describe(t, codectest.Encode(t, m, o)); i.Fresh != 1 {
		t.Errorf("without: %+v", i)
	}
	defer func() {
		if recover() == nil {
			t.Error("a file of nothing was registered")
		}
	}()
	Register([]byte("nothing"))
}
