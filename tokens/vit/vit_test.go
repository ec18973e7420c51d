package vit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/burin-codec/burin/tokens/reduce"
	"github.com/burin-codec/burin/transform/nn"
)

var tiny = Config{Side: 12, Patch: 3, Dim: 16, Heads: 2, Layers: 2, Hidden: 24, Classes: 4}

// shapes returns pictures of one of four shapes at a random place, in noise.
func shapes(seed uint64, side, n int) *Set {
	r := rand.New(rand.NewPCG(seed, 3))
	s := &Set{Side: side}
	for range n {
		p := make([]byte, side*side)
		for i := range p {
			p[i] = byte(r.IntN(60))
		}
		label := r.IntN(4)
		y, x := 2+r.IntN(side-6), 2+r.IntN(side-6)
		for k := range 4 {
			dy, dx := []int{0, k, k, k}[label], []int{k, 0, k, 3 - k}[label]
			p[(y+dy)*side+x+dx] = 255
		}
		s.Pixels, s.Labels = append(s.Pixels, p...), append(s.Labels, uint8(label))
	}
	return s
}

func newModel(t testing.TB, c Config, seed uint64) *Model {
	t.Helper()
	m, err := New(c, seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The gradients of the whole network are those of the loss.
func TestBackward(t *testing.T) {
	m := newModel(t, tiny, 1)
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range m.Params() {
		for i := range p.Data {
			p.Data[i] += 0.1 * float32(r.NormFloat64())
		}
	}
	const n = 3
	pictures := make([]float32, n*144)
	for i := range pictures {
		pictures[i] = float32(r.NormFloat64())
	}
	labels := []uint8{0, 3, 1}
	dlogits := make([]float32, n*4)
	loss := func() float64 {
		m.Refresh()
		return nn.CrossEntropy(dlogits, m.Forward(pictures, n), labels, 4, 0.1, 1)
	}
	loss()
	nn.ZeroGrad(m.Params())
	m.Backward(dlogits, n)
	for _, p := range m.Params() {
		grad := slices.Clone(p.Grad)
		for range 4 {
			i := r.IntN(len(p.Data))
			const h = 1e-2
			v := p.Data[i]
			p.Data[i] = v + h
			up := loss()
			p.Data[i] = v - h
			down := loss()
			p.Data[i] = v
			if want := (up - down) / (2 * h); math.Abs(want-float64(grad[i])) > 2e-3+0.02*math.Abs(want) {
				t.Errorf("%s: gradient of element %d is %v, want %v", p.Name, i, grad[i], want)
			}
		}
	}
}

func trained(t testing.TB) *Model {
	m := newModel(t, tiny, 1)
	if err := m.Train(context.Background(), shapes(1, 12, 2000), TrainConfig{Epochs: 5, Batch: 20, Rate: 3e-3, Decay: 0.01, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTrain(t *testing.T) {
	m, test := trained(t), shapes(2, 12, 400)
	accuracy := m.Accuracy(test)
	if accuracy < 0.9 {
		t.Errorf("%.3f of the shapes are found", accuracy)
	}
	// The same seed gives the same weights; a file of them, nearly the same.
	again := trained(t)
	for i, p := range m.Params() {
		if !slices.Equal(p.Data, again.Params()[i].Data) {
			t.Fatalf("%s differs the second time", p.Name)
		}
	}
	var file bytes.Buffer
	if err := m.Save(&file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(bytes.NewReader(file.Bytes()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params() {
		for j, v := range p.Data {
			if w := loaded.Params()[i].Data[j]; math.Abs(float64(v-w)) > math.Abs(float64(v))/256 {
				t.Fatalf("%s: %v is read as %v", p.Name, v, w)
			}
		}
	}
	if _, err := Load(bytes.NewReader(file.Bytes()[:file.Len()-1]), nil); err == nil {
		t.Error("a file that is cut short is read")
	}
	big := bytes.Replace(file.Bytes(), []byte(`\"Dim\":16`), []byte(`\"Dim\":96`), 1)
	if _, err := Load(bytes.NewReader(big), nil); err == nil || bytes.Equal(big, file.Bytes()) {
		t.Error("a file that claims another size is read")
	}

	clock := func() time.Duration { return 0 }
	one := func(proportional bool, steps ...Step) (*Tally, error) {
		t, err := m.Classify(test, []Plan{{steps, proportional}}, clock)
		if err != nil {
			return nil, err
		}
		return &t[0], nil
	}
	all, err := one(true)
	if err != nil || float64(all.Right) != accuracy*400 || all.Kept != 400*16 || all.MACs != 400*int64(m.cost(nil)) {
		t.Errorf("%+v without steps, %v", all, err)
	}
	// To keep all changes nothing; to keep half costs less and classifies most right.
	whole, err := one(true, Step{0, reduce.BipartiteMatching{}, reduce.Share(1)})
	if err != nil || whole.Right != all.Right {
		t.Errorf("%+v keeping all, %v", whole, err)
	}
	// Half of the keeps of two layers; and a number that differs from picture to picture.
	for _, steps := range [][]Step{
		{{0, reduce.PruneMerge{Merged: 1}, reduce.Count(12)}, {1, reduce.PruneMerge{Merged: 1}, reduce.Count(8)}},
		{{0, reduce.AttentionMass{Tau: 0.9}, reduce.Auto()}},
	} {
		got, err := one(true, steps...)
		if err != nil {
			t.Fatal(err)
		}
		if got.Right < all.Right*7/10 || got.MACs >= all.MACs || got.Kept >= all.Kept {
			t.Errorf("%+v, of %+v", got, all)
		}
	}
	// Plans that share their front do not disturb one another.
	later := Plan{Steps: []Step{{1, reduce.DensityPeaks{Neighbours: 3}, reduce.Count(5)}}}
	both, err := m.Classify(test, []Plan{later, {}, {Steps: []Step{{1, reduce.Random{}, reduce.Count(3)}}}, {}, later}, clock)
	if err != nil || both[0] != both[4] || both[1] != *all || both[3] != *all {
		t.Errorf("%+v, %v", both, err)
	}
	counts, err := m.LearnRates(context.Background(), test, RateConfig{MACs: 0.7, Steps: 60, Batch: 20, Rate: 0.3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if cost := m.cost(counts) / m.cost(nil); math.Abs(cost-0.7) > 0.05 || counts[0] < counts[1] || counts[1] < 1 {
		t.Errorf("counts %v cost %.3f, want 0.7", counts, cost)
	}
	if float64(all.Right) != m.Accuracy(test)*400 {
		t.Error("learning rates left something behind")
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []Config{{}, {Side: 10, Patch: 3, Dim: 8, Heads: 2, Layers: 1, Hidden: 8, Classes: 2}, {Side: 9, Patch: 3, Dim: 8, Heads: 3, Layers: 1, Hidden: 8, Classes: 2}, {Side: 9, Patch: 3, Dim: 8, Heads: 2, Layers: 1 << 20, Hidden: 8, Classes: 2}} {
		if _, err := New(c, 1, nil); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	m, set := newModel(t, tiny, 1), shapes(1, 12, 10)
	clock := func() time.Duration { return 0 }
	for name, f := range map[string]func() error{
		"a step in no layer": func() error {
			_, err := m.Classify(set, []Plan{{Steps: []Step{{2, reduce.Uniform{}, reduce.Count(3)}}}}, clock)
			return err
		},
		"too many kept": func() error {
			_, err := m.Classify(set, []Plan{{Steps: []Step{{0, reduce.Uniform{}, reduce.Count(17)}}}}, clock)
			return err
		},
		"another size":          func() error { _, err := m.Classify(shapes(1, 15, 3), nil, clock); return err },
		"training without data": func() error { return m.Train(context.Background(), set, TrainConfig{Epochs: 1, Batch: 11}) },
		"a label out of range": func() error {
			s := shapes(1, 12, 10)
			s.Labels[3] = 4
			return m.Train(context.Background(), s, TrainConfig{Epochs: 1, Batch: 2})
		},
		"rates of nothing": func() error { _, err := m.LearnRates(context.Background(), set, RateConfig{}); return err },
	} {
		if f() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Train(ctx, set, TrainConfig{Epochs: 1, Batch: 2, Rate: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReadSet(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, b []byte) {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(b)
		w.Close()
		if err := os.WriteFile(filepath.Join(folder, name), z.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pictures := append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2}, 1, 2, 3, 4, 5, 6, 7, 8)
	write("train-images-idx3-ubyte.gz", pictures)
	write("train-labels-idx1-ubyte.gz", []byte{0, 0, 8, 1, 0, 0, 0, 2, 1, 3})
	s, err := ReadSet(folder, "train")
	if err != nil || s.Len() != 2 || s.Side != 2 || s.Pixels[7] != 8 || s.Labels[1] != 3 {
		t.Error(s, err)
	}
	for _, b := range [][]byte{nil, {0, 0, 8}, pictures[:20], append(slices.Clone(pictures), 9), {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}} {
		write("train-images-idx3-ubyte.gz", b)
		if _, err := ReadSet(folder, "train"); err == nil {
			t.Errorf("%v is read", b)
		}
	}
	if _, err := ReadSet(folder, "t10k"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
