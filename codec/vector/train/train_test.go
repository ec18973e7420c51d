package train

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/codec/training"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/corpus/metric"
	"github.com/burin-codec/burin/transform/nn"
)

func noise(w, h int, seed uint64, centre, spread float64) plane {
	r := rand.New(rand.NewPCG(seed, 1))
	p := newPlane(w, h)
	for i := range p.v {
		p.v[i] = float32(centre + 40*math.Sin(float64(i%w)/9) + spread*r.NormFloat64())
	}
	return p
}

// TestMSSSIMGradient compares the gradient with differences.
func TestMSSSIMGradient(t *testing.T) {
	x, y := noise(176, 192, 1, 120, 20), noise(176, 192, 2, 110, 20)
	_, d := msssim(x, y, true)
	var norm float64
	for _, v := range d.v {
		norm += float64(v) * float64(v)
	}
	norm = math.Sqrt(norm)
	at := func(by float64) float64 {
		moved := newPlane(x.w, x.h)
		for i, v := range x.v {
			moved.v[i] = v + float32(by*float64(d.v[i])/norm)
		}
		m, _ := msssim(moved, y, false)
		return m
	}
	const step = 20
	if got := (at(step) - at(-step)) / (2 * step); math.Abs(got-norm) > 0.01*norm {
		t.Errorf("difference %g along a gradient of norm %g", got, norm)
	}
}

// TestMSSSIMIsTheMetric compares with package metric on gray pictures.
func TestMSSSIMIsTheMetric(t *testing.T) {
	a, b := image.NewGray(image.Rect(0, 0, 192, 176)), image.NewGray(image.Rect(0, 0, 192, 176))
	x, y := noise(192, 176, 3, 128, 10), noise(192, 176, 3, 128, 10)
	for i := range x.v {
		a.Pix[i] = uint8(min(max(x.v[i], 0), 255))
		b.Pix[i] = uint8(min(max(y.v[i]+float32(i%7)*3, 0), 255))
		x.v[i], y.v[i] = float32(a.Pix[i]), float32(b.Pix[i])
	}
	v, err := metric.Compare(a, b, metric.MSSSIM)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := msssim(x, y, false); math.Abs(got-v["ms_ssim"]) > 1e-4 {
		t.Errorf("%v, not %v", got, v["ms_ssim"])
	}
}

// folder writes pictures of waves.
func folder(t *testing.T, n, side int) string {
	t.Helper()
	dir := t.TempDir()
	for k := range n {
		m := image.NewNRGBA(image.Rect(0, 0, side, side))
		for i := range side * side {
			x, y := float64(i%side), float64(i/side)
			v := 128 + 60*math.Sin(x*0.05*float64(k+1)) + 50*math.Cos(y*0.03*float64(k+2)+x*0.02)
			copy(m.Pix[4*i:], []uint8{uint8(v), uint8(v*0.8 + 20), uint8(255 - v), 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+k))+".png"), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func tinyOptions() Options {
	o := DefaultOptions()
	o.Config = network.Config{
		Levels: [network.Levels]network.Level{{Dim: 8, Stages: 1, Words: 16}, {Dim: 8, Stages: 1, Words: 16}, {Dim: 8, Stages: 1, Words: 32}, {Dim: 6, Stages: 1, Words: 16}},
		Fine:   16, Coarse: 24, Width: 8, Analysis: 1, Predictor: 1, SynthesisFine: 1, SynthesisInner: 1, Anchors: 3,
	}
	o.Steps, o.Batch, o.Side, o.Start, o.Every, o.Warm, o.Rate, o.Average = 40, 2, 64, 40, 20, 5, 1e-3, 0.9
	return o
}

// TestTraining trains a little: the score falls, and training that was interrupted ends
// where the other one does.
func TestTraining(t *testing.T) {
	o := tinyOptions()
	data, err := training.Load(context.Background(), folder(t, 4, 160), o.Side, nil)
	if err != nil {
		t.Fatal(err)
	}
	var scores []float64
	o.Every = 10
	o.Progress = func(p Progress) { scores = append(scores, p.Score) }
	whole, err := New(data, data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	_, first := whole.validate()
	if err := whole.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if last := scores[len(scores)-1]; !(last < 0.98*first) {
		t.Errorf("the score went from %v to %v", first, last)
	}

	o.Progress = nil
	half, err := New(data, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var saved bytes.Buffer
	half.o.Checkpoint = func(t *Trainer) error {
		if saved.Len() == 0 && t.Step() == 20 {
			cancel()
			_, err := t.WriteTo(&saved)
			return err
		}
		return nil
	}
	if err := half.Run(ctx); err != context.Canceled {
		t.Fatal(err)
	}
	again, err := Resume(bytes.NewReader(saved.Bytes()), data, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Step() != 20 {
		t.Errorf("goes on after step %d", again.Step())
	}
	if err := again.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	a, b := whole.Network().Tensors(), again.Network().Tensors()
	for i := range a {
		if !bytes.Equal(a[i].Data, b[i].Data) {
			t.Fatalf("%s differs after an interruption", a[i].Name)
		}
	}
	if _, err := Resume(bytes.NewReader(saved.Bytes()[:saved.Len()/2]), data, nil, o); err == nil {
		t.Error("half a checkpoint was taken")
	}
}

// TestMSSSIMIsTrained checks that the further term reaches the parameters.
func TestMSSSIMIsTrained(t *testing.T) {
	o := tinyOptions()
	o.Side, o.Steps, o.Batch, o.Start = 192, 1, 1, 8
	data, err := training.Load(context.Background(), folder(t, 2, 200), o.Side, nil)
	if err != nil {
		t.Fatal(err)
	}
	grads := func(weight float64) []float32 {
		o.MSSSIM = weight
		tr, err := New(data, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		if err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		var g []float32
		for _, p := range tr.net.Params() {
			g = append(g, p.Grad...)
		}
		return g
	}
	a, b := grads(0), grads(1000)
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			differ++
		}
	}
	if differ < len(a)/10 {
		t.Errorf("%d of %d gradients differ", differ, len(a))
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for i, change := range []func(*Options){
		func(o *Options) { o.Side = 100 },
		func(o *Options) { o.Steps = 0 },
		func(o *Options) { o.Rate = math.NaN() },
		func(o *Options) { o.MSSSIM, o.Side = 1, 128 },
		func(o *Options) { o.Config.Fine = 0 },
	} {
		o := DefaultOptions()
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		change(&o)
		if o.Check() == nil {
			t.Errorf("change %d was taken", i)
		}
	}
}

// BenchmarkStep is a step of training without the optimiser's, on one core.
func BenchmarkStep(b *testing.B) {
	pool := nn.NewPool(1)
	defer pool.Close()
	x, y := noise(256, 256, 1, 120, 20), noise(256, 256, 2, 110, 20)
	b.Run("MSSSIM", func(b *testing.B) {
		for b.Loop() {
			msssim(x, y, true)
		}
	})
}
