package network

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// tiny is a small network with every part.
func tiny() Config {
	return Config{
		Levels: [Levels]Level{{6, 1, 16}, {6, 1, 16}, {6, 2, 16}, {4, 1, 16}},
		Fine:   8, Coarse: 16, Width: 8, Analysis: 1, Predictor: 1, SynthesisFine: 1, SynthesisInner: 1, Anchors: 3,
	}
}

func newTiny(t testing.TB) *Network {
	t.Helper()
	pool := nn.NewPool(1)
	t.Cleanup(pool.Close)
	n, err := New(tiny(), pool)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	var pictures []Picture
	for i := range 12 {
		pictures = append(pictures, codectest.Waves(128, 128, uint64(i)))
	}
	if err := n.Start(pictures, r); err != nil {
		t.Fatal(err)
	}
	return n
}

func batchOf(pictures ...Picture) ([]float32, convnet.Shape) {
	var x []float32
	for _, p := range pictures {
		x = append(x, p.Data...)
	}
	return x, convnet.Shape{N: len(pictures), H: pictures[0].H, W: pictures[0].W}
}

// TestStart checks that a network that was not trained spends more bits at higher rates
// and gains by them, and that the errors of its vectors are those of its pixels.
func TestStart(t *testing.T) {
	n := newTiny(t)
	x, s := batchOf(codectest.Waves(128, 128, 99))
	lastBits, lastError := 0.0, math.Inf(1)
	for _, rate := range []float32{0, 0.5, 1} {
		l, _ := n.Forward(x, s, []float32{rate}, Test)
		t.Logf("rate %v: %.0f bits, mean squared error %.1f", rate, l.Bits[0], l.SquaredError[0]/float64(len(x)))
		if l.Bits[0] < lastBits || l.SquaredError[0] > lastError*1.001 {
			t.Errorf("rate %v: %.0f bits and an error of %.0f after %.0f and %.0f", rate, l.Bits[0], l.SquaredError[0], lastBits, lastError)
		}
		lastBits, lastError = l.Bits[0], l.SquaredError[0]
	}
	if lastBits < 100 {
		t.Errorf("only %.0f bits", lastBits)
	}
	for range 80 {
		n.Forward(x, s, []float32{0.5}, Measure)
	}
	if n.Weight < 0.9 || n.Weight > 1.1 {
		t.Errorf("vectors' errors weigh %v", n.Weight)
	}
}

// TestGradients compares gradients of the decoded pictures' error with differences,
// where no cell has a word, and so nothing is rounded.
func TestGradients(t *testing.T) {
	n := newTiny(t)
	r := rand.New(rand.NewPCG(7, 8))
	for _, p := range n.Params() {
		for i := range p.Data {
			p.Data[i] += float32(r.NormFloat64() * 0.02)
		}
	}
	n.Refresh()
	for l := range Levels {
		n.Books[l] = nil
	}
	x, s := batchOf(codectest.Waves(64, 128, 3), codectest.Waves(64, 128, 4))
	rates, errs := []float32{0.3, 1}, []float32{1e-3, 2e-3}
	loss := func() float64 {
		_, pixels := n.Forward(x, s, rates, Train)
		// Sums in float64: those of the kernels' float32 would drown the differences.
		square := func(a, b []float32) float64 {
			var sum float64
			for i, v := range a {
				d := float64(v)
				if b != nil {
					d -= float64(b[i])
				}
				sum += d * d
			}
			return sum
		}
		var sum float64
		size := len(x) / len(errs)
		for i, e := range errs {
			sum += float64(e) * PixelUnit * PixelUnit * square(pixels[i*size:(i+1)*size], x[i*size:(i+1)*size])
		}
		// The predictors' own loss, whose targets stay as they are.
		for l := 1; l < Levels; l++ {
			each := n.batch.shapes[l].Rows() / 2 * n.Config.Levels[l].Dim
			for i, e := range errs {
				v := n.batch.left[l][i*each : (i+1)*each]
				sum += float64(e) * PixelUnit * PixelUnit * predictionWeight * square(v, nil)
			}
		}
		return sum
	}
	loss()
	nn.ZeroGrad(n.Params())
	n.Backward([]float32{0, 0}, errs, nil)
	checked := 0
	for _, p := range n.Params() {
		// What is before the words gets other gradients than the loss's.
		if len(p.Name) >= 8 && p.Name[:8] == "analysis" {
			continue
		}
		norm := math.Sqrt(kernels.DotF32(p.Grad, p.Grad))
		if norm < 1e-3 {
			continue
		}
		checked++
		keep := append([]float32(nil), p.Data...)
		at := func(by float64) float64 {
			for i, g := range p.Grad {
				p.Data[i] = keep[i] + float32(by*float64(g)/norm)
			}
			n.Refresh()
			return loss()
		}
		const step = 2e-3
		got := (8*(at(step)-at(-step)) - at(2*step) + at(-2*step)) / (12 * step)
		at(0)
		if math.Abs(got-norm) > 0.08*norm+1e-2 {
			t.Errorf("%s: difference %g, gradient %g", p.Name, got, norm)
		}
	}
	if checked < 20 {
		t.Errorf("only %d parameters have a gradient", checked)
	}
}

// TestBookLearns gives a codebook vectors of few kinds, which its words become.
func TestBookLearns(t *testing.T) {
	b := newBook(Level{Dim: 2, Stages: 1, Words: 4}, 1)
	r := rand.New(rand.NewPCG(1, 1))
	centres := []float32{5, 0, -5, 1, 0, 6, 3, -7}
	for i := range b.Data {
		b.Data[i] = float32(r.NormFloat64())
	}
	var err float64
	for step := range 1500 {
		left := make([]float32, 0, 128)
		var cells []cell
		for i := range 64 {
			k := r.IntN(4)
			left = append(left, centres[2*k]+float32(r.NormFloat64()*0.05), centres[2*k+1]+float32(r.NormFloat64()*0.05))
			cells = append(cells, cell{Row: i, Kappa: 10})
		}
		err = 0
		for _, c := range b.choose(left, cells, true) {
			if c.word < 0 {
				t.Fatalf("step %d: no word for a vector far from zero", step)
			}
			for j := range 2 {
				d := float64(left[2*c.Row+j] - b.Data[2*c.word+j])
				err += d * d / 64
			}
		}
		b.Update(r)
	}
	if err > 0.02 {
		t.Errorf("words are %.3f from the vectors", err)
	}
}

func TestSafetensors(t *testing.T) {
	n := newTiny(t)
	var file bytes.Buffer
	if err := n.WriteSafetensors(&file); err != nil {
		t.Fatal(err)
	}
	pool := nn.NewPool(1)
	defer pool.Close()
	again, err := ReadSafetensors(bytes.NewReader(file.Bytes()), 1<<24, pool)
	if err != nil {
		t.Fatal(err)
	}
	x, s := batchOf(codectest.Waves(64, 64, 5))
	a, _ := n.Forward(x, s, []float32{0.7}, Test)
	b, _ := again.Forward(x, s, []float32{0.7}, Test)
	if a.Bits[0] != b.Bits[0] || a.SquaredError[0] != b.SquaredError[0] {
		t.Errorf("%v became %v", a, b)
	}
	if _, err := ReadSafetensors(bytes.NewReader(file.Bytes()[:file.Len()-9]), 1<<24, pool); err == nil {
		t.Error("a file that is cut off was taken")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for i, change := range []func(*Config){
		func(c *Config) { c.Fine = 0 },
		func(c *Config) { c.Levels[1].Words = 12 },
		func(c *Config) { c.Levels[0].Stages = 0 },
		func(c *Config) { c.Anchors = 1 },
		func(c *Config) { c.Levels[3].Dim = 0 },
	} {
		c := Small()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := New(c, nil); err == nil {
			t.Errorf("change %d was taken", i)
		}
	}
}
