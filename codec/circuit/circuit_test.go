package circuit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/entropy/circuit"
	"github.com/burin-codec/burin/kernels"
)

// testModel returns a model with parameters at random.
func testModel(t testing.TB, width, height, channels, cats, states int, seed uint64) *Model {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	vars := width * height * channels
	c := &circuit.Circuit{Cats: cats}
	c.Order = r.Perm(vars)
	row := func(n int) []float32 {
		p, sum := make([]float32, n), float32(0)
		for i := range p {
			p[i] = 0.001 + r.Float32()*r.Float32()*r.Float32()
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	rows := func(m, n int) (p []float32) {
		for range m {
			p = append(p, row(n)...)
		}
		return p
	}
	for i := range vars {
		parent, above := i-1, states
		for parent > 0 && r.IntN(3) == 0 {
			parent = c.Parent[parent]
		}
		if i == 0 {
			above = 1
		}
		c.Parent = append(c.Parent, parent)
		c.States = append(c.States, states)
		c.Trans = append(c.Trans, rows(above, states))
		c.Leaf = append(c.Leaf, rows(states, cats))
	}
	q, err := c.Quantise(0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(q, width, height, channels)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// testPictures returns pictures that a model takes, at random.
func testPictures(m *Model, n int, seed uint64) (pictures []image.Image) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range n {
		x := make([]uint16, m.circuit.Vars())
		for i := range x {
			x[i] = uint16(r.IntN(m.circuit.Cats()))
		}
		pictures = append(pictures, m.picture(x))
	}
	return pictures
}

// samePicture reports whether two pictures have the same type and samples.
func samePicture(a, b image.Image) bool {
	switch a := a.(type) {
	case *image.Gray:
		b, ok := b.(*image.Gray)
		return ok && a.Rect == b.Rect && bytes.Equal(a.Pix, b.Pix)
	case *image.NRGBA:
		b, ok := b.(*image.NRGBA)
		return ok && a.Rect == b.Rect && bytes.Equal(a.Pix, b.Pix)
	}
	return false
}

func encodeOptions(weights ...codec.Weights) *codec.Options {
	o := codec.DefaultOptions()
	o.Codec, o.Weights = Name, weights
	return o
}

func TestSinglePicture(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		t.Run(fmt.Sprint(channels), func(t *testing.T) {
			m, other := testModel(t, 5, 4, channels, 256, 3, 1), testModel(t, 5, 4, channels, 256, 3, 2)
			for i, p := range testPictures(m, 10, 3) {
				for _, embed := range []bool{false, true} {
					o := encodeOptions(m, other)
					o.EmbedWeights = embed
					file := codectest.Encode(t, p, o)
					got, err := codectest.Decode(file, &codec.DecodeOptions{Limits: codec.DefaultLimits(), Weights: []codec.Weights{other, m}})
					if err != nil || !samePicture(p, got) {
						t.Errorf("picture %d: %v", i, err)
					}
					// Without the model at hand.
					got, err = codectest.Decode(file, nil)
					if embed {
						if err != nil || !samePicture(p, got) {
							t.Errorf("picture %d, with its model: %v", i, err)
						}
					} else if !errors.Is(err, codec.ErrModelMismatch) {
						t.Errorf("picture %d, without its model: %v", i, err)
					}
				}
			}
		})
	}
}

// TestSmallestModel checks that of several models the one that takes least is used.
func TestSmallestModel(t *testing.T) {
	models := []*Model{testModel(t, 5, 4, 1, 256, 3, 1), testModel(t, 5, 4, 1, 256, 3, 2), testModel(t, 5, 4, 1, 256, 2, 3), testModel(t, 5, 4, 1, 16, 2, 4)}
	used := make(map[[32]byte]int)
	for _, p := range testPictures(models[0], 20, 3) {
		least, best := 0, (*Model)(nil)
		for _, m := range models[:3] {
			var b bytes.Buffer
			if err := codec.Encode(&b, p, encodeOptions(m)); err != nil {
				t.Fatal(err)
			}
			if best == nil || b.Len() < least {
				least, best = b.Len(), m
			}
		}
		var b bytes.Buffer
		// The last does not have all values.
		if err := codec.Encode(&b, p, encodeOptions(models[0], models[1], models[2], models[3])); err != nil {
			t.Fatal(err)
		}
		// The choice is by bits, and may be another where the bytes are as many.
		if b.Len() > least {
			t.Errorf("%d bytes, but %d with one", b.Len(), least)
		}
		m, err := Choose(t.Context(), models, []image.Image{p})
		if err != nil {
			t.Fatal(err)
		}
		used[m.Hash()]++
	}
	if len(used) < 2 || used[models[3].Hash()] > 0 {
		t.Errorf("%d models used", len(used))
	}
	if err := codec.Encode(io.Discard, testPictures(models[0], 1, 5)[0], encodeOptions(models[3])); !errors.As(err, new(codec.UnsupportedError)) {
		t.Errorf("values that the model does not have: %v", err)
	}
}

func TestUnsuitablePictures(t *testing.T) {
	gray, rgb := testModel(t, 5, 4, 1, 256, 2, 1), testModel(t, 5, 4, 3, 256, 2, 1)
	r := image.Rect(0, 0, 5, 4)
	coloured, deep := image.NewNRGBA(r), image.NewGray16(r)
	coloured.SetNRGBA(1, 2, color.NRGBA{1, 2, 3, 255})
	for _, test := range []struct {
		m    *Model
		p    image.Image
		text string // in the error
	}{
		{gray, image.NewGray(image.Rect(0, 0, 4, 5)), "takes only gray pictures of 5 x 4"},
		{gray, coloured, "takes only gray pictures of 5 x 4"},
		{rgb, image.NewGray(r), "takes only RGB pictures of 5 x 4"},
		{gray, deep, "16-bit"},
		{gray, image.NewPaletted(r, color.Palette{color.White}), "Paletted"},
		{rgb, image.NewYCbCr(r, image.YCbCrSubsampleRatio444), "YCbCr"},
	} {
		err := codec.Encode(io.Discard, test.p, encodeOptions(test.m))
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%T of %v for %v: %v", test.p, test.p.Bounds(), test.m, err)
		}
	}
	if err := codec.Encode(io.Discard, image.NewGray(image.Rect(0, 0, 3, 3)), encodeOptions()); !errors.As(err, new(codec.UnsupportedError)) {
		t.Errorf("no model: %v", err)
	}
	if err := codec.Encode(io.Discard, image.NewGray(r), encodeOptions(otherWeights{})); !errors.As(err, new(codec.OptionError)) {
		t.Errorf("weights of another codec: %v", err)
	}
}

type otherWeights struct{}

func (otherWeights) Hash() (h [32]byte) { return }

// TestVector checks which pictures are taken for the same.
func TestVector(t *testing.T) {
	gray, rgb, alpha := testModel(t, 2, 2, 1, 256, 2, 1), testModel(t, 2, 2, 3, 256, 2, 1), testModel(t, 2, 2, 4, 256, 2, 1)
	r := image.Rect(7, 3, 9, 5)
	g, n, p, d := image.NewGray(r), image.NewNRGBA(r), image.NewPaletted(r, color.Palette{color.RGBA{9, 9, 9, 255}, color.RGBA{1, 2, 3, 255}}), image.NewRGBA64(r)
	for i := range 4 {
		x, y := 7+i%2, 3+i/2
		g.SetGray(x, y, color.Gray{9})
		n.SetNRGBA(x, y, color.NRGBA{9, 9, 9, 255})
		d.SetRGBA64(x, y, color.RGBA64{0x0909, 0x0909, 0x0909, 0xffff})
	}
	for _, m := range []*Model{gray, rgb, alpha} {
		for _, image := range []image.Image{g, n, p, d} {
			x, err := m.vector(image)
			want := slices.Repeat([]uint16{9}, 4*m.channels)
			for i := 3; i < len(want) && m.channels == 4; i += 4 {
				want[i] = 255
			}
			if err != nil || !slices.Equal(x, want) {
				t.Errorf("%T, %v: %v %v", image, m, x, err)
			}
		}
	}
	p.SetColorIndex(8, 4, 1)
	if x, err := rgb.vector(p); err != nil || !slices.Equal(x[9:], []uint16{1, 2, 3}) {
		t.Error(x, err)
	}
	n.SetNRGBA(7, 3, color.NRGBA{9, 9, 9, 254})
	d.SetRGBA64(7, 3, color.RGBA64{0x0909, 0x0909, 0x0908, 0xffff})
	yuv := image.NewYCbCr(r, image.YCbCrSubsampleRatio444)
	for i := range yuv.Y {
		yuv.Y[i], yuv.Cb[i], yuv.Cr[i] = 100, 140, 90
	}
	for i, bad := range []struct {
		m *Model
		p image.Image
	}{{gray, p}, {gray, n}, {rgb, n}, {rgb, d}, {alpha, d}, {alpha, yuv}} {
		if _, err := bad.m.vector(bad.p); !errors.As(err, new(codec.UnsupportedError)) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestModelFile(t *testing.T) {
	m := testModel(t, 5, 4, 3, 20, 3, 1)
	file, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadModel(file, m.circuit.Memory()+1<<20)
	if err != nil || again.Hash() != m.Hash() || again.Size() != len(file) || again.Width() != 5 || again.Height() != 4 || again.Channels() != 3 {
		t.Fatal(again, err)
	}
	if _, err := ReadModel(file, m.circuit.Memory()/2); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("limit: %v", err)
	}
	for n := 0; n < len(file); n += 1 + n/50 {
		if _, err := ReadModel(file[:n], 1<<20); err == nil {
			t.Errorf("%d bytes of %d are a model", n, len(file))
		}
		damaged := bytes.Clone(file)
		damaged[n] ^= 4
		if _, err := ReadModel(damaged, 1<<20); err == nil {
			t.Errorf("a model with byte %d damaged", n)
		}
	}
	for _, s := range [][3]int{{4, 5, 4}, {5, 4, 1}, {20, 3, 1}, {-5, -4, 3}, {60, 1, 1}} {
		_, err := NewModel(m.circuit, s[0], s[1], s[2])
		if (err == nil) != (s == [3]int{20, 3, 1} || s == [3]int{60, 1, 1}) {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// TestTiers checks that files are the same whatever the CPU and the number of workers.
func TestTiers(t *testing.T) {
	m := testModel(t, 6, 5, 1, 256, 19, 1)
	pictures := testPictures(m, 70, 1)
	var want []byte
	codectest.EachTier(t, func(tier kernels.Level) {
		for _, workers := range []int{1, 3} {
			file := archive(t, m, pictures, &ArchiveOptions{Block: 17, Workers: workers})
			if want == nil {
				want = file
			}
			if !bytes.Equal(file, want) {
				t.Errorf("%v, %d workers: another file", tier, workers)
			}
			checkArchive(t, file, pictures, m)
		}
	})
}

func TestRegister(t *testing.T) {
	m := testModel(t, 3, 2, 1, 256, 2, 77)
	file, _ := m.MarshalBinary()
	Register("test", file)
	if got, err := Named("test"); err != nil || got.Hash() != m.Hash() {
		t.Fatal(err)
	}
	if NameOf(m.ID()) != "test" || NameOf(ID{}) != "" || !slices.Contains(Names(), "test") {
		t.Error(NameOf(m.ID()), Names())
	}
	if _, err := Named("no such"); !errors.As(err, new(codec.OptionError)) || !strings.Contains(err.Error(), "test") {
		t.Error(err)
	}
	p := testPictures(m, 1, 1)[0]
	var b bytes.Buffer
	if err := codec.Encode(&b, p, encodeOptions()); err != nil {
		t.Fatal(err)
	}
	if got, err := codec.Decode(&b); err != nil || !samePicture(p, got) {
		t.Error(err)
	}
	for _, f := range []func(){func() { Register("test", file) }, func() { Register("other", file[1:]) }, func() { Register("", file) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}

// archive returns the archive of pictures without names.
func archive(t testing.TB, m *Model, pictures []image.Image, o *ArchiveOptions, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewArchiveWriter(&b, m, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pictures {
		name := ""
		if names != nil {
			name = names[i]
		}
		if err := w.Write(p, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Written() != int64(b.Len()) || w.Len() != len(pictures) {
		t.Errorf("%d bytes of %d, %d pictures", w.Written(), b.Len(), w.Len())
	}
	return b.Bytes()
}

func openArchive(t testing.TB, file []byte, weights ...codec.Weights) *ArchiveReader {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Weights = weights
	a, err := NewArchiveReader(bytes.NewReader(file), int64(len(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// checkArchive checks that an archive holds pictures, read in order and out of it.
func checkArchive(t testing.TB, file []byte, pictures []image.Image, weights ...codec.Weights) {
	t.Helper()
	a := openArchive(t, file, weights...)
	if a.Err() != nil || a.Len() != len(pictures) {
		t.Fatalf("%d pictures of %d, %v", a.Len(), len(pictures), a.Err())
	}
	n := 0
	err := a.All(context.Background(), func(i int, p image.Image, err error) error {
		if i != n || err != nil || !samePicture(p, pictures[i]) {
			t.Fatalf("picture %d: %d %v", n, i, err)
		}
		n++
		return nil
	})
	if err != nil || n != len(pictures) {
		t.Fatal(n, err)
	}
	for k := range min(len(pictures), 30) {
		i := k * 37 % len(pictures)
		if p, err := a.Picture(i); err != nil || !samePicture(p, pictures[i]) {
			t.Fatalf("picture %d: %v", i, err)
		}
	}
}
