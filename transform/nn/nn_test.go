package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

func eachTier(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	for _, l := range kernels.Tiers() {
		restore, err := kernels.SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(l.String(), f)
		restore()
	}
}

func newPool(t testing.TB, workers int) *Pool {
	p := NewPool(workers)
	t.Cleanup(p.Close)
	return p
}

func randomize(r *rand.Rand, s []float32, scale float64) {
	for i := range s {
		s[i] = float32(scale * r.NormFloat64())
	}
}

func randomTensor(r *rand.Rand, c, h, w int) *Tensor {
	t := NewTensor(c, h, w)
	randomize(r, t.Data, 1)
	return t
}

// A gradientCheck compares a layer with its definition in float64.
type gradientCheck struct {
	define func(v [][]float64) []float64 // the output for given inputs and parameters
	values [][]float32                   // those
	y      []float32                     // what the layer gave
	dy     []float32                     // the gradient it was given
	grads  [][]float32                   // with respect to values; nil is not looked at
}

func (g *gradientCheck) run(t *testing.T, r *rand.Rand, name string) {
	t.Helper()
	v := make([][]float64, len(g.values))
	for i, s := range g.values {
		for _, x := range s {
			v[i] = append(v[i], float64(x))
		}
	}
	want := g.define(v)
	if len(want) != len(g.y) {
		t.Fatalf("%s: %d outputs, want %d", name, len(g.y), len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(g.y[i])-w) <= 2e-5*(1+math.Abs(w))) {
			t.Fatalf("%s: output %d is %v, want %v", name, i, g.y[i], w)
		}
	}
	loss := func() float64 {
		var s float64
		for i, y := range g.define(v) {
			s += y * float64(g.dy[i])
		}
		return s
	}
	for k, grad := range g.grads {
		if grad == nil {
			continue
		}
		// All elements of small arrays, some of others.
		n := min(len(grad), 40)
		for _, i := range r.Perm(len(grad))[:n] {
			const h = 1e-6
			x := v[k][i]
			v[k][i] = x + h
			up := loss()
			v[k][i] = x - h
			down := loss()
			v[k][i] = x
			want := (up - down) / (2 * h)
			if !(math.Abs(float64(grad[i])-want) <= 1e-4*(1+math.Abs(want))) {
				t.Fatalf("%s: gradient of element %d of value %d is %v, want %v", name, i, k, grad[i], want)
			}
		}
	}
}

func activate(a Activation, v float64) float64 {
	switch {
	case a == ReLU && v < 0:
		return 0
	case a == LeakyReLU && v < 0:
		return v / 100
	}
	return v
}

// defineMLP is the network on v[0], [in][n], with parameters v[1:].
func defineMLP(c MLPConfig, n int, v [][]float64) []float64 {
	x := v[0]
	in := c.In
	for i, l := range c.Layers {
		w, b := v[1+2*i], v[2+2*i]
		y := make([]float64, l.Out*n)
		for o := range l.Out {
			for t := range n {
				s := b[o]
				for k := range in {
					s += w[o*in+k] * x[k*n+t]
				}
				if l.Residual {
					s += x[o*n+t]
				}
				if c.Bypass && i == len(c.Layers)-1 {
					for k := range c.In {
						s += v[len(v)-1][o*c.In+k] * v[0][k*n+t]
					}
				}
				y[o*n+t] = activate(l.Act, s)
			}
		}
		x, in = y, l.Out
	}
	for o := range c.Beside {
		for t := range n {
			s := 0.0
			for k := range c.In {
				s += v[len(v)-1][o*c.In+k] * v[0][k*n+t]
			}
			x = append(x, s)
		}
	}
	return x
}

var mlpConfigs = []MLPConfig{
	{In: 3, Layers: []MLPLayer{{Out: 2}}},
	{In: 5, Layers: []MLPLayer{{Out: 4, Act: ReLU}}},
	{In: 20, Layers: []MLPLayer{{Out: 20, Residual: true, Act: ReLU}, {Out: 20, Residual: true, Act: ReLU}, {Out: 2}}, Bypass: true},
	{In: 7, Layers: []MLPLayer{{Out: 48, Act: ReLU}, {Out: 3}}, Bypass: true},
	{In: 2, Layers: []MLPLayer{{Out: 9, Act: LeakyReLU}, {Out: 5}, {Out: 5, Residual: true, Act: LeakyReLU}}},
	{In: 4, Layers: []MLPLayer{{Out: 3}}, Bypass: true},
	{In: 7, Layers: []MLPLayer{{Out: 48, Act: ReLU}, {Out: 6}}, Beside: 3},
	{In: 4, Layers: []MLPLayer{{Out: 3, Act: ReLU}}, Beside: 2},
}

func TestMLP(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for ci, c := range mlpConfigs {
			r := rand.New(rand.NewPCG(uint64(ci), 1))
			m, err := NewMLP("net", c)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Params() {
				randomize(r, p.Data, 0.4)
			}
			m.Refresh()
			const n = 37
			b := m.NewBlock()
			g := gradientCheck{define: func(v [][]float64) []float64 { return defineMLP(c, n, v) }}
			var x, dx []float32
			for i := range c.In {
				randomize(r, b.Input(i), 1)
				x = append(x, b.Input(i)[:n]...)
			}
			m.Forward(b, n)
			for i := range m.Out() {
				g.y = append(g.y, b.Output(i)[:n]...)
				randomize(r, b.OutputGrad(i), 1)
				g.dy = append(g.dy, b.OutputGrad(i)[:n]...)
			}
			partials := NewPartials(m.Params())
			partials.Resize(1)
			m.Backward(b, n, partials.Piece(0), true)
			partials.Reduce()
			for i := range c.In {
				dx = append(dx, b.InputGrad(i)[:n]...)
			}
			g.values, g.grads = [][]float32{x}, [][]float32{dx}
			for _, p := range m.Params() {
				g.values = append(g.values, p.Data)
				g.grads = append(g.grads, p.Grad)
			}
			g.run(t, r, fmt.Sprint("MLP ", ci))
		}
	})
}

func TestMLPRefuses(t *testing.T) {
	for _, c := range []MLPConfig{
		{},
		{In: 3},
		{In: 3, Layers: []MLPLayer{{Out: 0}}},
		{In: 3, Layers: []MLPLayer{{Out: 2, Residual: true}}},
		{In: 3, Layers: []MLPLayer{{Out: 2, Act: 9}}},
		{In: 3, Layers: []MLPLayer{{Out: 2, Act: ReLU}}, Bypass: true},
		{In: 3, Layers: []MLPLayer{{Out: 2}}, Bypass: true, Beside: 1},
		{In: 3, Layers: []MLPLayer{{Out: 2}}, Beside: -1},
	} {
		if _, err := NewMLP("net", c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestPixelwise compares with the blocks that it consists of.
func TestPixelwise(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	m, err := NewMLP("net", mlpConfigs[3])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Params() {
		randomize(r, p.Data, 0.3)
	}
	m.Refresh()
	pool := newPool(t, 3)
	p := NewPixelwise(m, pool)
	for _, size := range [][2]int{{1, 1}, {1, 960}, {70, 41}, {300, 301}} {
		h, w := size[0], size[1]
		x, y, dy, dx := randomTensor(r, 7, h, w), NewTensor(3, h, w), randomTensor(r, 3, h, w), NewTensor(7, h, w)
		p.Forward(y, x)
		ZeroGrad(m.Params())
		p.Backward(dx, dy, x, true)
		b := m.NewBlock()
		grad := NewPartials(m.Params())
		grad.Resize(1)
		g := grad.Piece(0)
		for at := 0; at < h*w; at += 501 {
			n := min(501, h*w-at)
			for i := range 7 {
				copy(b.Input(i), x.Plane(i)[at:at+n])
			}
			for i := range 3 {
				copy(b.OutputGrad(i), dy.Plane(i)[at:at+n])
			}
			m.Forward(b, n)
			m.Backward(b, n, g, true)
			for i := range 3 {
				equal(t, fmt.Sprint("output ", i, " of ", size), y.Plane(i)[at:at+n], b.Output(i)[:n], 0)
			}
			for i := range 7 {
				equal(t, fmt.Sprint("gradient ", i, " of ", size), dx.Plane(i)[at:at+n], b.InputGrad(i)[:n], 0)
			}
		}
		for _, q := range m.Params() {
			equal(t, q.Name, q.Grad, g[:len(q.Grad)], 1e-4)
			g = g[len(q.Grad):]
		}
	}
}

// equal compares x and y to a tolerance relative to the largest of y.
func equal(t *testing.T, what string, x, y []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, v := range y {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range x {
		if !(math.Abs(float64(v-y[i])) <= tolerance*largest) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, v, y[i])
		}
	}
}

var causal = []Offset{{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-4, 3}, {-2, -4}, {1, 2}}

func TestContext(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, size := range [][2]int{{1, 1}, {5, 3}, {70, 41}, {2, 3000}, {257, 300}} {
		h, w := size[0], size[1]
		c, err := NewContext(h, w, causal)
		if err != nil {
			t.Fatal(err)
		}
		plane := make([]float32, h*w)
		randomize(r, plane, 1)
		c.Load(plane)
		u := make([][]float32, len(causal))
		for k := range u {
			u[k] = make([]float32, h*w)
			randomize(r, u[k], 1)
		}
		net, err := NewMLP("net", MLPConfig{In: len(causal) + 1, Layers: []MLPLayer{{Out: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		b := net.NewBlock()
		seen := 0
		for piece := c.Pieces() - 1; piece >= 0; piece-- { // any order
			c.StartPiece(piece)
			c.Blocks(piece, func(at, n int) {
				c.Gather(b, at, n)
				for k, o := range causal {
					for i := range n {
						y, x := (at+i)/w+o.DY, (at+i)%w+o.DX
						var want float32
						if y >= 0 && y < h && x >= 0 && x < w {
							want = plane[y*w+x]
						}
						if got := b.Input(k)[i]; got != want {
							t.Fatalf("%v: offset %v of position %d is %v, want %v", size, o, at+i, got, want)
						}
					}
					copy(b.InputGrad(k), u[k][at:at+n])
				}
				c.Scatter(piece, b, at, n)
				seen += n
			})
		}
		if seen != h*w {
			t.Fatalf("%v: %d positions in blocks", size, seen)
		}
		want, got := make([]float32, h*w), make([]float32, h*w)
		for i := range want {
			want[i], got[i] = 1, 1
		}
		c.AddGradient(got)
		for k, o := range causal {
			for i := range h * w {
				if y, x := i/w+o.DY, i%w+o.DX; y >= 0 && y < h && x >= 0 && x < w {
					want[y*w+x] += u[k][i]
				}
			}
		}
		equal(t, fmt.Sprint("gradient ", size), got, want, 1e-6)
	}
	for _, bad := range [][2]int{{0, 1}, {1, 0}} {
		if _, err := NewContext(bad[0], bad[1], causal); err == nil {
			t.Errorf("a plane of %v is accepted", bad)
		}
	}
	if _, err := NewContext(1, 1, []Offset{{0, 5000}}); err == nil {
		t.Error("a far offset is accepted")
	}
}

// defineConv is the convolution of v[0], [in][h][w], by v[1] with biases v[2].
func defineConv(c ConvConfig, h, w int, v [][]float64) []float64 {
	s, k := c.Stride, c.Kernel
	oh, ow := (h+s-1)/s, (w+s-1)/s
	pad := max(k-s+1, 0) / 2
	inGroup, outGroup := c.In/c.Groups, c.Out/c.Groups
	y := make([]float64, c.Out*oh*ow)
	for co := range c.Out {
		for i := range oh {
			for j := range ow {
				sum := v[2][co]
				for ci := range inGroup {
					plane := v[0][(co/outGroup*inGroup+ci)*h*w:][:h*w]
					for ky := range k {
						for kx := range k {
							yy, xx := s*i+ky-pad, s*j+kx-pad
							if c.Padding == PadReplicate {
								yy, xx = min(max(yy, 0), h-1), min(max(xx, 0), w-1)
							}
							if yy >= 0 && yy < h && xx >= 0 && xx < w {
								sum += v[1][((co*inGroup+ci)*k+ky)*k+kx] * plane[yy*w+xx]
							}
						}
					}
				}
				if c.Residual {
					sum += v[0][(co*h+i)*w+j]
				}
				y[(co*oh+i)*ow+j] = activate(c.Act, sum)
			}
		}
	}
	return y
}

func TestConv2D(t *testing.T) {
	pool := newPool(t, 2)
	eachTier(t, func(t *testing.T) {
		for ci, c := range []ConvConfig{
			{In: 3, Out: 3, Kernel: 3, Padding: PadReplicate, Residual: true, Act: ReLU},
			{In: 3, Out: 3, Kernel: 3},
			{In: 2, Out: 10, Kernel: 5, Act: LeakyReLU},
			{In: 9, Out: 1, Kernel: 1, Act: ReLU},
			{In: 6, Out: 6, Kernel: 3, Groups: 6, Padding: PadReplicate},
			{In: 4, Out: 8, Kernel: 3, Groups: 2, Stride: 2},
			{In: 2, Out: 3, Kernel: 5, Stride: 2, Padding: PadReplicate, Act: ReLU},
			{In: 2, Out: 3, Kernel: 4, Stride: 2, Padding: PadReplicate},
			{In: 1, Out: 2, Kernel: 7, Stride: 3},
			{In: 2, Out: 2, Kernel: 1, Stride: 2},
			{In: 2, Out: 2, Kernel: 2, Stride: 3, Padding: PadReplicate},
			{In: 2, Out: 2, Kernel: 4, Stride: 4},
			{In: 1, Out: 1, Kernel: 2, Padding: PadReplicate},
		} {
			r := rand.New(rand.NewPCG(uint64(ci), 4))
			l, err := NewConv2D("conv", c, pool)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range l.Params() {
				randomize(r, p.Data, 0.4)
			}
			l.Refresh()
			if c.Stride == 0 {
				c.Stride = 1
			}
			if c.Groups == 0 {
				c.Groups = 1
			}
			for _, size := range [][2]int{{1, 1}, {2, 3}, {9, 20}, {50, 7}} {
				h, w := size[0], size[1]
				oh, ow := (h+c.Stride-1)/c.Stride, (w+c.Stride-1)/c.Stride
				x, y := randomTensor(r, c.In, h, w), NewTensor(c.Out, oh, ow)
				dy, dx := randomTensor(r, c.Out, oh, ow), randomTensor(r, c.In, h, w)
				l.Forward(y, x)
				ZeroGrad(l.Params())
				l.Backward(dx, dy, x, y, true)
				g := gradientCheck{
					define: func(v [][]float64) []float64 { return defineConv(c, h, w, v) },
					values: [][]float32{x.Data, l.weight.Data, l.bias.Data}, y: y.Data, dy: dy.Data,
					grads: [][]float32{dx.Data, l.weight.Grad, l.bias.Grad},
				}
				g.run(t, r, fmt.Sprintf("convolution %d of %d x %d", ci, w, h))
			}
		}
	})
}

// defineTranspose is the transpose of defineConv for [in][h][w].
func defineTranspose(c ConvConfig, h, w int, v [][]float64) []float64 {
	s, k := c.Stride, c.Kernel
	pad := max(k-s+1, 0) / 2
	inGroup, outGroup := c.In/c.Groups, c.Out/c.Groups
	y := make([]float64, c.Out*h*s*w*s)
	for co := range c.Out {
		for i := range h * s * w * s {
			y[co*h*s*w*s+i] = v[2][co]
		}
	}
	for ci := range c.In {
		for co := range outGroup {
			out := y[(ci/inGroup*outGroup+co)*h*s*w*s:]
			for i := range h {
				for j := range w {
					for ky := range k {
						for kx := range k {
							if yy, xx := s*i+ky-pad, s*j+kx-pad; yy >= 0 && yy < h*s && xx >= 0 && xx < w*s {
								out[yy*w*s+xx] += v[1][((ci*outGroup+co)*k+ky)*k+kx] * v[0][(ci*h+i)*w+j]
							}
						}
					}
				}
			}
		}
	}
	for i := range y {
		y[i] = activate(c.Act, y[i])
	}
	return y
}

func TestConvTranspose2D(t *testing.T) {
	pool := newPool(t, 2)
	eachTier(t, func(t *testing.T) {
		for ci, c := range []ConvConfig{
			{In: 3, Out: 2, Kernel: 3, Stride: 1, Groups: 1, Act: ReLU},
			{In: 3, Out: 4, Kernel: 5, Stride: 2, Groups: 1, Act: LeakyReLU},
			{In: 2, Out: 3, Kernel: 13, Stride: 8, Groups: 1},
			{In: 4, Out: 2, Kernel: 4, Stride: 2, Groups: 2},
			{In: 2, Out: 1, Kernel: 3, Stride: 3, Groups: 1, Act: ReLU},
		} {
			r := rand.New(rand.NewPCG(uint64(ci), 5))
			l, err := NewConvTranspose2D("up", c, pool)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range l.Params() {
				randomize(r, p.Data, 0.4)
			}
			l.Refresh()
			for _, size := range [][2]int{{1, 1}, {4, 3}, {30, 5}} {
				h, w := size[0], size[1]
				x, y := randomTensor(r, c.In, h, w), NewTensor(c.Out, h*c.Stride, w*c.Stride)
				dy, dx := randomTensor(r, c.Out, y.H, y.W), randomTensor(r, c.In, h, w)
				l.Forward(y, x)
				ZeroGrad(l.Params())
				l.Backward(dx, dy, x, y, true)
				g := gradientCheck{
					define: func(v [][]float64) []float64 { return defineTranspose(c, h, w, v) },
					values: [][]float32{x.Data, l.weight.Data, l.bias.Data}, y: y.Data, dy: dy.Data,
					grads: [][]float32{dx.Data, l.weight.Grad, l.bias.Grad},
				}
				g.run(t, r, fmt.Sprintf("transposed convolution %d of %d x %d", ci, w, h))
			}
		}
	})
}

func TestConvRefuses(t *testing.T) {
	for _, c := range []ConvConfig{
		{}, {In: 1, Out: 1}, {In: 1, Out: 1, Kernel: 65}, {In: 3, Out: 2, Kernel: 3, Groups: 3},
		{In: 1, Out: 1, Kernel: 3, Padding: 2}, {In: 1, Out: 1, Kernel: 3, Act: 7}, {In: 1, Out: 1, Kernel: 3, Stride: -1},
		{In: 1, Out: 2, Kernel: 3, Residual: true}, {In: 2, Out: 2, Kernel: 2, Residual: true}, {In: 2, Out: 2, Kernel: 3, Stride: 2, Residual: true},
	} {
		if _, err := NewConv2D("conv", c, nil); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	for _, c := range []ConvConfig{
		{In: 1, Out: 1, Kernel: 3, Padding: PadReplicate}, {In: 1, Out: 1, Kernel: 3, Stride: 4}, {In: 1, Out: 1, Kernel: 3, Residual: true},
	} {
		if _, err := NewConvTranspose2D("conv", c, nil); err == nil {
			t.Errorf("transposed: %+v is accepted", c)
		}
	}
}

// defineSeparable filters one plane of v[0], [h][w], by taps v[1] along both axes, and
// crops to oh x ow.
func defineSeparable(upsample, skip bool, c, h, w, oh, ow int, v [][]float64) []float64 {
	along := func(x []float64) []float64 {
		at := func(i int) float64 { return x[min(max(i, 0), len(x)-1)] }
		if !upsample {
			y := make([]float64, len(x))
			for i := range y {
				for d, tap := range v[1] {
					y[i] += tap * at(i+d)
					if d > 0 {
						y[i] += tap * at(i-d)
					}
				}
			}
			return y
		}
		// Outputs lie at i/2-1/4, in steps of inputs; tap i is for a distance of
		// i/2+1/4.
		y := make([]float64, 2*len(x))
		for i := range y {
			for j := -40; j < len(x)+40; j++ {
				d := math.Abs(float64(i)-0.5-2*float64(j)) - 0.5
				if int(d) < len(v[1]) {
					y[i] += v[1][int(d)] * at(j)
				}
			}
		}
		return y
	}
	var out []float64
	for p := range c {
		var rows [][]float64
		for i := range h {
			rows = append(rows, along(v[0][(p*h+i)*w:][:w]))
		}
		y := make([]float64, oh*ow)
		for j := range ow {
			var column []float64
			for _, r := range rows {
				column = append(column, r[j])
			}
			column = along(column)
			for i := range oh {
				y[i*ow+j] = column[i]
				if skip {
					y[i*ow+j] += v[0][(p*h+i)*w+j]
				}
			}
		}
		out = append(out, y...)
	}
	return out
}

func TestSeparable(t *testing.T) {
	pool := newPool(t, 2)
	eachTier(t, func(t *testing.T) {
		for _, c := range []struct {
			up, skip bool
			taps     int
		}{{true, false, 8}, {true, false, 2}, {true, false, 4}, {true, false, 6}, {false, true, 7}, {false, false, 3}, {false, false, 1}} {
			var l *Separable
			var err error
			if c.up {
				l, err = NewUpsample2x("filter", c.taps, pool)
			} else {
				l, err = NewSymmetricFilter("filter", c.taps, c.skip, pool)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(uint64(c.taps), 6))
			randomize(r, l.taps.Data, 0.5)
			l.Refresh()
			for i, size := range [][2]int{{1, 1}, {2, 3}, {40, 9}, {5, 30}} {
				h, w := size[0], size[1]
				oh, ow := h, w
				if c.up {
					oh, ow = 2*h-i%2, 2*w-i/2
				}
				x, y := randomTensor(r, 2, h, w), NewTensor(2, oh, ow)
				dy, dx := randomTensor(r, 2, oh, ow), randomTensor(r, 2, h, w)
				l.Forward(y, x)
				ZeroGrad(l.Params())
				l.Backward(dx, dy, x, true)
				g := gradientCheck{
					define: func(v [][]float64) []float64 { return defineSeparable(c.up, c.skip, 2, h, w, oh, ow, v) },
					values: [][]float32{x.Data, l.taps.Data}, y: y.Data, dy: dy.Data,
					grads: [][]float32{dx.Data, l.taps.Grad},
				}
				g.run(t, r, fmt.Sprintf("%+v of %d x %d", c, w, h))
			}
		}
	})
	for _, taps := range []int{0, 3, 66} {
		if _, err := NewUpsample2x("up", taps, nil); err == nil {
			t.Errorf("upsampling by %d taps is accepted", taps)
		}
	}
	for _, taps := range []int{-1, 2, 65} {
		if _, err := NewSymmetricFilter("filter", taps, false, nil); err == nil {
			t.Errorf("a filter of %d taps is accepted", taps)
		}
	}
}
