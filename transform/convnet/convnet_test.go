package convnet

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/transform/nn"
)

// ops is a network with every operation.
var ops = []Op{Down(2), Linear(12), Rate(3), Block(20), Rectified(8), Block(4), Linear(16), Up(2)}

func newNet(t testing.TB, workers int) *Net {
	t.Helper()
	pool := nn.NewPool(workers)
	t.Cleanup(pool.Close)
	n, err := New("net", 3, ops, pool)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	n.Init(r)
	for _, p := range n.Params() {
		for i := range p.Data {
			p.Data[i] += float32(r.NormFloat64() * 0.2)
		}
	}
	n.Refresh()
	return n
}

func noise(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestBackward compares gradients with differences of a weighted sum of the output.
func TestBackward(t *testing.T) {
	n := newNet(t, 2)
	s := Shape{2, 6, 10}
	x, rates := noise(s.Rows()*3, 5), []float32{0.3, 1}
	y, _ := n.Forward(x, s, rates)
	weight := noise(len(y), 6)
	loss := func() float64 {
		n.Refresh()
		y, _ := n.Forward(x, s, rates)
		var sum float64
		for i, v := range y {
			sum += float64(v) * float64(weight[i])
		}
		return sum
	}
	nn.ZeroGrad(n.Params())
	loss()
	dx := append([]float32(nil), n.Backward(append([]float32(nil), weight...), true, true)...)
	check := func(name string, at []float32, grad []float32) {
		t.Helper()
		var norm float64
		for _, g := range grad {
			norm += float64(g) * float64(g)
		}
		norm = math.Sqrt(norm)
		keep := append([]float32(nil), at...)
		move := func(by float64) float64 {
			for i, g := range grad {
				at[i] = keep[i] + float32(by*float64(g)/norm)
			}
			return loss()
		}
		const step = 2e-3
		got := (move(step) - move(-step)) / (2 * step)
		copy(at, keep)
		if math.Abs(got-norm) > 0.02*norm {
			t.Errorf("%s: difference %g along the gradient of norm %g", name, got, norm)
		}
	}
	for _, p := range n.Params() {
		check(p.Name, p.Data, append([]float32(nil), p.Grad...))
	}
	check("input", x, dx)
}

// TestIntegerFollowsNet compares a network with its integers, for several workers.
func TestIntegerFollowsNet(t *testing.T) {
	n := newNet(t, 1)
	s := Shape{1, 32, 40}
	x := noise(s.Rows()*3, 7)
	const rate = 1000
	y, ys := n.Forward(x, s, []float32{rate / float32(RateUnit)})
	r := n.NewRanges()
	n.Observe(r)
	in := Scales{1.0 / 4096, 1.0 / 4096, 1.0 / 4096}
	for _, bits := range []int{8, 12, 16} {
		z, scales, err := n.Quantise(r, Quantisation{In: in, Bits: bits, Margin: 1.5})
		if err != nil {
			t.Fatal(err)
		}
		if err := z.Prepare(); err != nil {
			t.Fatal(err)
		}
		q := make([]int16, len(x))
		for i, v := range x {
			q[i] = int16(math.RoundToEven(float64(v) * 4096))
		}
		got, gs := z.Forward(NewBuffers(nil), q, s, rate)
		if gs != ys {
			t.Fatalf("shape %v, not %v", gs, ys)
		}
		var err2, power float64
		for i, v := range got {
			d := float64(v)*scales[i%n.Out] - float64(y[i])
			err2 += d * d
			power += float64(y[i]) * float64(y[i])
		}
		ratio := 10 * math.Log10(power/err2)
		t.Logf("%d bits: %.1f dB above the error", bits, ratio)
		if want := map[int]float64{8: 30, 12: 50, 16: 55}[bits]; ratio < want {
			t.Errorf("%d bits: %.1f dB above the error, not %v", bits, ratio, want)
		}
		pool := nn.NewPool(3)
		b := NewBuffers(pool)
		again, _ := z.Forward(b, q, s, rate)
		pool.Close()
		for i := range again {
			if again[i] != got[i] {
				t.Fatalf("element %d is %d with several workers, %d with one", i, again[i], got[i])
			}
		}
	}
}

// TestQuantiseSilentChannels has hidden channels that are never above zero, in a block
// whose inputs are large, and channels that Up brings together.
func TestQuantiseSilentChannels(t *testing.T) {
	n, err := New("net", 4, []Op{Linear(16), Block(8), Up(2), Block(6), Linear(2)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Init(rand.New(rand.NewPCG(4, 5)))
	params := n.Params()
	for _, p := range params {
		if p.Name == "net.1.first.bias" {
			for i := range p.Data {
				p.Data[i] = -1e6
			}
		}
	}
	n.Refresh()
	s := Shape{1, 4, 4}
	x := noise(s.Rows()*4, 9)
	for i := range x {
		x[i] *= 5000
	}
	y, _ := n.Forward(x, s, nil)
	r := n.NewRanges()
	n.Observe(r)
	z, scales, err := n.Quantise(r, Quantisation{In: Scales{1, 1, 1, 1}, Bits: 12, Margin: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Prepare(); err != nil {
		t.Fatal(err)
	}
	q := make([]int16, len(x))
	for i, v := range x {
		q[i] = int16(math.RoundToEven(float64(v)))
	}
	got, _ := z.Forward(NewBuffers(nil), q, s, 0)
	for i, v := range got {
		if d := math.Abs(float64(v)*scales[i%2] - float64(y[i])); d > 100 {
			t.Errorf("element %d is %v, not %v", i, float64(v)*scales[i%2], y[i])
		}
	}
}

// TestRealFollowsInteger checks the parameters that Real gives.
func TestRealFollowsInteger(t *testing.T) {
	n := newNet(t, 1)
	s := Shape{1, 8, 8}
	x := noise(s.Rows()*3, 8)
	n.Forward(x, s, []float32{0.5})
	r := n.NewRanges()
	n.Observe(r)
	z, _, err := n.Quantise(r, Quantisation{In: Scales{1.0 / 256, 1.0 / 256, 1.0 / 256}, Bits: 12, Margin: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Prepare(); err != nil {
		t.Fatal(err)
	}
	real := newNet(t, 1)
	params := real.Params()
	i := 0
	z.Real(func(op int, name string, rows, cols int, values []float64) {
		p := params[i]
		i++
		if len(p.Data) != len(values) || rows*cols != len(values) {
			t.Fatalf("%d %s: %d x %d, not %s of %d", op, name, rows, cols, p.Name, len(p.Data))
		}
		for j, v := range values {
			p.Data[j] = float32(v)
		}
	})
	if i != len(params) {
		t.Fatalf("%d parameters, not %d", i, len(params))
	}
	real.Refresh()
	q, xi := make([]int16, len(x)), make([]float32, len(x))
	for j, v := range x {
		q[j] = int16(v * 256)
		xi[j] = float32(q[j])
	}
	got, _ := z.Forward(NewBuffers(nil), q, s, RateUnit/2)
	want, _ := real.Forward(xi, s, []float32{0.5})
	for j, v := range got {
		if d := math.Abs(float64(v) - float64(want[j])); d > 40 {
			t.Fatalf("element %d is %d in integers, %v in floats", j, v, want[j])
		}
	}
}

// TestPrepareRefusesOverflow checks that weights whose sums overflow are found.
func TestPrepareRefusesOverflow(t *testing.T) {
	z, err := NewInteger(4, []Op{Linear(2)})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Prepare(); err != nil {
		t.Fatal(err)
	}
	z.Numbers(func(_ int, name string, _, _ int, numbers any) {
		if name == "weight" {
			for i := range numbers.([]int16) {
				numbers.([]int16)[i] = 32767
			}
		}
	})
	if z.Prepare() == nil {
		t.Error("sums of 4 * 32767 * 32768 were taken")
	}
}

func TestChannelsRefuses(t *testing.T) {
	for _, bad := range [][]Op{
		{{Kind: "other"}}, {Linear(0)}, {Linear(5000)}, {Block(0)}, {Up(2)}, {Down(1)}, {Rate(1)}, {Down(16), Down(16)},
	} {
		if _, err := Channels(3, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
