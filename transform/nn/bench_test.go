package nn

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/burin-codec/burin/kernels"
)

// fastest returns the time of f: the least of some runs of at least a tenth of a
// millisecond each.
func fastest(runs int, f func()) float64 {
	n := 1
	best := math.Inf(1)
	for i := 0; i < runs; {
		start := cpuTime()
		for range n {
			f()
		}
		if d := cpuTime() - start; d < 100*time.Microsecond {
			n *= 2
		} else {
			best = min(best, d.Seconds()/float64(n))
			i++
		}
	}
	return best
}

// rate reports the speed of f, in one worker, and its share of the peak: of the speed
// of [kernels.FMALoop], measured before and after.
func rate(b *testing.B, macs int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 20000
	top := func() float64 {
		return float64(kernels.FMALoop(1)) * rounds / fastest(10, func() { kernels.FMALoop(rounds) })
	}
	before := top()
	best := math.Inf(1)
	for b.Loop() {
		best = min(best, fastest(3, f))
	}
	speed := 2 * float64(macs) / best
	b.ReportMetric(speed/1e9, "GFLOP/s")
	b.ReportMetric(100*speed/max(before, top()), "%peak")
	b.ReportMetric(0, "ns/op") // it is many runs
}

// BenchmarkMLP goes over the positions of half a megapixel in blocks: the context
// and synthesis networks of overfitted codecs.
func BenchmarkMLP(b *testing.B) {
	residual := func(d int) MLPConfig {
		return MLPConfig{In: d, Layers: []MLPLayer{{d, true, ReLU}, {d, true, ReLU}, {Out: 2}}, Bypass: true}
	}
	synthesis := func(w int) MLPConfig {
		return MLPConfig{In: 7, Layers: []MLPLayer{{Out: w, Act: ReLU}, {Out: 3}}, Bypass: true}
	}
	const blocks = 50
	for _, c := range []struct {
		name   string
		config MLPConfig
	}{
		{"context8", residual(8)}, {"context14", residual(14)}, {"context20", residual(20)}, {"context26", residual(26)},
		{"synthesis8", synthesis(8)}, {"synthesis16", synthesis(16)}, {"synthesis48", synthesis(48)}, {"synthesis64", synthesis(64)},
		{"wide32", MLPConfig{In: 32, Layers: []MLPLayer{{Out: 32, Act: ReLU}, {Out: 32, Act: ReLU}, {Out: 3}}}},
	} {
		m, err := NewMLP("net", c.config)
		if err != nil {
			b.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 1))
		m.Init(r)
		block := m.NewBlock()
		for i := range m.In() {
			randomize(r, block.Input(i), 1)
		}
		for i := range m.Out() {
			randomize(r, block.OutputGrad(i), 1)
		}
		partials := NewPartials(m.Params())
		partials.Resize(1)
		grad := partials.Piece(0)
		macs := blocks * BlockSize * m.MACs()
		run := func(name string, times int, f func()) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				rate(b, times*macs, func() {
					for range blocks {
						f()
					}
				})
			})
		}
		run("forward", 1, func() { m.Forward(block, BlockSize) })
		run("backward", 2, func() { m.Backward(block, BlockSize, grad, true) })
		run("both", 3, func() {
			m.Forward(block, BlockSize)
			m.Backward(block, BlockSize, grad, true)
		})
	}
}

// BenchmarkPixelwise is the same from and to memory, where the forward pass is done
// twice.
func BenchmarkPixelwise(b *testing.B) {
	m, err := NewMLP("net", MLPConfig{In: 7, Layers: []MLPLayer{{Out: 48, Act: ReLU}, {Out: 3}}, Bypass: true})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 1))
	m.Init(r)
	p := NewPixelwise(m, nil)
	x, y, dx := randomTensor(r, 7, 512, 768), randomTensor(r, 3, 512, 768), NewTensor(7, 512, 768)
	macs := m.MACs() * 512 * 768
	b.Run("forward", func(b *testing.B) { rate(b, macs, func() { p.Forward(y, x) }) })
	b.Run("backward", func(b *testing.B) { rate(b, 3*macs, func() { p.Backward(dx, y, x, true) }) })
}

func BenchmarkConv2D(b *testing.B) {
	for _, c := range []struct {
		name   string
		config ConvConfig
		h, w   int
	}{
		{"3to3", ConvConfig{In: 3, Out: 3, Kernel: 3, Padding: PadReplicate, Residual: true, Act: ReLU}, 512, 768},
		{"16to16", ConvConfig{In: 16, Out: 16, Kernel: 3, Act: ReLU}, 256, 384},
		{"32to32", ConvConfig{In: 32, Out: 32, Kernel: 3}, 256, 256},
		{"64to64", ConvConfig{In: 64, Out: 64, Kernel: 3}, 128, 192},
		{"192to192", ConvConfig{In: 192, Out: 192, Kernel: 3}, 32, 48},
		{"5x5stride2", ConvConfig{In: 64, Out: 64, Kernel: 5, Stride: 2}, 128, 192},
		{"depthwise32", ConvConfig{In: 32, Out: 32, Kernel: 3, Groups: 32}, 256, 256},
	} {
		l, err := NewConv2D("conv", c.config, nil)
		if err != nil {
			b.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 1))
		l.Init(r)
		s := max(1, c.config.Stride)
		oh, ow := (c.h+s-1)/s, (c.w+s-1)/s
		x, y := randomTensor(r, c.config.In, c.h, c.w), NewTensor(c.config.Out, oh, ow)
		dx, dy := NewTensor(c.config.In, c.h, c.w), randomTensor(r, c.config.Out, oh, ow)
		macs := len(l.weight.Data) * oh * ow
		l.Forward(y, x) // so that the size is known
		b.Run(c.name+"/forward", func(b *testing.B) { rate(b, macs, func() { l.Forward(y, x) }) })
		d := gated(dy, y, c.config.Out, oh, ow, c.config.Act)
		b.Run(c.name+"/input", func(b *testing.B) {
			rate(b, macs, func() { l.passes.scatter(dx, d, kernels.Epilogue{}) })
		})
		b.Run(c.name+"/weight", func(b *testing.B) { rate(b, macs, func() { l.passes.weights(source{t: x}, d) }) })
	}
}

func BenchmarkConvTranspose2D(b *testing.B) {
	l, err := NewConvTranspose2D("up", ConvConfig{In: 64, Out: 64, Kernel: 5, Stride: 2}, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, 1))
	l.Init(r)
	x, y, dx := randomTensor(r, 64, 64, 96), randomTensor(r, 64, 128, 192), NewTensor(64, 64, 96)
	macs := len(l.weight.Data) * 64 * 96
	b.Run("forward", func(b *testing.B) { rate(b, macs, func() { l.Forward(y, x) }) })
	b.Run("backward", func(b *testing.B) { rate(b, 2*macs, func() { l.Backward(dx, y, x, nil, true) }) })
}

func BenchmarkSeparable(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 1))
	up, err := NewUpsample2x("up", 8, nil)
	if err != nil {
		b.Fatal(err)
	}
	filter, err := NewSymmetricFilter("filter", 7, true, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		l    *Separable
		h, w int
		macs int // per output, of both axes
	}{{"upsample8", up, 256, 384, 4 + 2}, {"filter7", filter, 512, 768, 14}} {
		x, y := randomTensor(r, 1, c.h, c.w), NewTensor(1, 512, 768)
		dx := NewTensor(1, c.h, c.w)
		macs := c.macs * 512 * 768
		b.Run(c.name+"/forward", func(b *testing.B) { rate(b, macs, func() { c.l.Forward(y, x) }) })
		b.Run(c.name+"/backward", func(b *testing.B) { rate(b, 2*macs, func() { c.l.Backward(dx, y, x, true) }) })
	}
}

// BenchmarkContext gathers and scatters 14 neighbours.
func BenchmarkContext(b *testing.B) {
	const h, w = 512, 768
	offsets := []Offset{{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-1, -2}, {-1, 2}, {-2, -1}, {-2, 1}, {0, -3}, {-3, 0}, {-2, 2}, {-2, -2}}
	c, err := NewContext(h, w, offsets)
	if err != nil {
		b.Fatal(err)
	}
	plane := make([]float32, h*w)
	c.Load(plane)
	net, err := NewMLP("net", MLPConfig{In: len(offsets), Layers: []MLPLayer{{Out: 1}}})
	if err != nil {
		b.Fatal(err)
	}
	block := net.NewBlock()
	for b.Loop() {
		for i := range c.Pieces() {
			c.StartPiece(i)
			c.Blocks(i, func(at, n int) {
				c.Gather(block, at, n)
				c.Scatter(i, block, at, n)
			})
		}
		c.AddGradient(plane)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(h*w), "ns/position")
}

func BenchmarkSOAP(b *testing.B) {
	m, err := NewMLP("net", MLPConfig{In: 20, Layers: []MLPLayer{{20, true, ReLU}, {20, true, ReLU}, {Out: 2}}, Bypass: true})
	if err != nil {
		b.Fatal(err)
	}
	n, err := NewMLP("net", MLPConfig{In: 7, Layers: []MLPLayer{{Out: 48, Act: ReLU}, {Out: 3}}, Bypass: true})
	if err != nil {
		b.Fatal(err)
	}
	params := append(append([]*Param(nil), m.Params()...), n.Params()...)
	r := rand.New(rand.NewPCG(6, 1))
	for _, every := range []int{1, 10} {
		s, err := NewSOAP(every, Group{Params: params, Rate: 0.001, Beta1: 0.95, Beta2: 0.95, Epsilon: 1e-8})
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range params {
			randomize(r, p.Grad, 1)
		}
		b.Run(map[int]string{1: "every1", 10: "every10"}[every], func(b *testing.B) {
			for b.Loop() {
				s.Step()
			}
		})
	}
}

// BenchmarkFit is one step of the small fitted picture of TestFit, at 768 x 512.
func BenchmarkFit(b *testing.B) {
	f := newFitter(b, 1, painting(512, 768))
	f.step()
	for b.Loop() {
		f.step()
	}
}
