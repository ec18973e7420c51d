package convnet

import (
	"fmt"
	"strings"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// RateUnit is the number of steps of a rate in integer networks: rates go from 0 to
// RateUnit.
const RateUnit = 1 << 12

// An Integer is a network in 16-bit fixed point, which gives the same output on every
// CPU. It keeps no state: several goroutines may use it, each with buffers of its own.
type Integer struct {
	In, Out int // channels
	Ops     []Op
	layers  []integerLayer
}

// An integerLayer is an operation. Activations are [H][W][channels] of one picture.
type integerLayer interface {
	forward(b *Buffers, x []int16, s Shape, rate int) []int16
	// prepare packs the numbers for the kernels and checks that sums cannot overflow.
	prepare() error
	// numbers calls f for all numbers of the layer, to be saved or set.
	numbers(in int, f func(name string, rows, cols int, n any))
}

// Buffers is the memory of a forward pass. Its zero value is ready.
type Buffers struct {
	free [][]int16
	pool *nn.Pool
}

// NewBuffers returns buffers whose passes run on a pool: nil for one worker.
func NewBuffers(pool *nn.Pool) *Buffers { return &Buffers{pool: pool} }

func (b *Buffers) each(n int, task func(int)) {
	b.pool.Run(n, func(_, i int) { task(i) })
}

// take returns n elements, whose values are not defined.
func (b *Buffers) take(n int) []int16 {
	for i, s := range b.free {
		if cap(s) >= n {
			b.free[i] = b.free[len(b.free)-1]
			b.free = b.free[:len(b.free)-1]
			return s[:n]
		}
	}
	return make([]int16, n)
}

// Give returns what a pass returned, to be used by others.
func (b *Buffers) Give(s []int16) { b.free = append(b.free, s) }

// Prepare packs a network's numbers for the kernels. It returns an error if for some
// input sums might overflow: networks that are read from files need not be ones that
// Quantise made.
func (z *Integer) Prepare() error {
	for i, l := range z.layers {
		if err := l.prepare(); err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return nil
}

// NewInteger returns a network of zeros, whose numbers Numbers sets.
func NewInteger(in int, ops []Op) (*Integer, error) {
	channels, err := Channels(in, ops)
	if err != nil {
		return nil, err
	}
	z := &Integer{In: in, Out: in, Ops: ops}
	for i, op := range ops {
		c := z.Out
		switch op.Kind {
		case OpLinear:
			z.layers = append(z.layers, &integerLinear{relu: op.ReLU, product: newProduct(op.Out, c)})
		case OpBlock:
			z.layers = append(z.layers, &integerBlock{
				channels: c, hidden: op.Hidden,
				spread: newProduct(c, 9), first: newProduct(op.Hidden, c), second: newProduct(c, op.Hidden),
			})
		case OpDown:
			z.layers = append(z.layers, &integerShuffle{factor: op.Factor, channels: c, down: true})
		case OpUp:
			z.layers = append(z.layers, &integerShuffle{factor: op.Factor, channels: channels[i]})
		case OpRate:
			z.layers = append(z.layers, &integerRate{channels: c, anchors: make([]int16, op.Anchors*c)})
		}
		z.Out = channels[i]
	}
	return z, nil
}

func newProduct(out, in int) product {
	return product{make([]int16, out*in), make([]int32, out), make([]int32, out)}
}

// Numbers calls f for each array of the network's numbers, []int16 or []int32, with the
// number of its operation and a name, in a fixed order: to write them, or to set them
// before Prepare.
func (z *Integer) Numbers(f func(op int, name string, rows, cols int, numbers any)) {
	in := z.In
	channels, err := Channels(z.In, z.Ops)
	if err != nil {
		panic(err) // checked when it was made
	}
	for i, l := range z.layers {
		l.numbers(in, func(name string, rows, cols int, n any) { f(i, name, rows, cols, n) })
		in = channels[i]
	}
}

// Real calls f for the parameters, as those of a Net are named, of the network that z
// rounds, in the units of its integers.
func (z *Integer) Real(f func(op int, name string, rows, cols int, values []float64)) {
	type part struct {
		rows, cols int
		weights    []int16
	}
	var weights part
	var bias []int32
	z.Numbers(func(op int, name string, rows, cols int, numbers any) {
		// Numbers come as weight, bias and factor of each product, and as anchors.
		switch n := numbers.(type) {
		case []int16:
			weights = part{rows, cols, n}
			if name == "anchors" {
				v := make([]float64, len(n))
				for i, a := range n {
					v[i] = float64(a)
				}
				f(op, name, rows, cols, v)
			}
		case []int32:
			prefix, last := cutLast(name)
			if last == "bias" {
				bias = n
				return
			}
			// The outputs of a depthwise convolution are columns.
			depthwise := prefix == "depthwise."
			w, b := make([]float64, len(weights.weights)), make([]float64, len(bias))
			for i, v := range weights.weights {
				o := i / weights.cols
				if depthwise {
					o = i % weights.cols
				}
				w[i] = float64(v) * float64(n[o]) / (1 << 32)
			}
			for i, v := range bias {
				b[i] = float64(v) * float64(n[i]) / (1 << 32)
			}
			f(op, prefix+"weight", weights.rows, weights.cols, w)
			f(op, prefix+"bias", 1, len(b), b)
		}
	})
}

// cutLast divides a name after its last dot.
func cutLast(name string) (prefix, last string) {
	i := strings.LastIndexByte(name, '.') + 1
	return name[:i], name[i:]
}

// Forward returns the output for x, [H][W][In], and its shape, of N = 1; the rate is of
// 0..RateUnit. The output is the caller's, who may Give it back. x is left alone.
func (z *Integer) Forward(b *Buffers, x []int16, s Shape, rate int) ([]int16, Shape) {
	if s.N != 1 || len(x) != s.Rows()*z.In || rate < 0 || rate > RateUnit {
		panic(fmt.Sprintf("convnet: input of %d elements for %v rows of %d at rate %d", len(x), s, z.In, rate))
	}
	given := x
	for i, l := range z.layers {
		y := l.forward(b, x, s, rate)
		if i > 0 && &y[0] != &x[0] {
			b.Give(x)
		}
		x = y
		s = z.Ops[i].after(s)
	}
	if len(z.layers) == 0 {
		x = append(b.take(len(given))[:0], given...)
	}
	return x, s
}

// strip is how many rows of positions one task takes, at least.
const strip = 256

// rows calls f for ranges of rows.
func (b *Buffers) rows(n int, f func(from, to int)) {
	b.each((n+strip-1)/strip, func(i int) { f(i*strip, min((i+1)*strip, n)) })
}

type integerLinear struct {
	product
	relu   bool
	panels *kernels.PanelsI16
}

func (p *product) pack() *kernels.PanelsI16 {
	return kernels.NewPanelsI16(p.weights, len(p.bias), len(p.weights)/len(p.bias))
}

// checkRows is check for weights [out][in].
func (p *product) checkRows() error {
	in := len(p.weights) / len(p.bias)
	return p.check(in, func(o, i int) int { return o*in + i })
}

func (p *product) list(prefix string, cols int, f func(name string, rows, cols int, n any)) {
	f(prefix+"weight", len(p.weights)/cols, cols, p.weights)
	f(prefix+"bias", 1, len(p.bias), p.bias)
	f(prefix+"mul", 1, len(p.mul), p.mul)
}

func (l *integerLinear) prepare() error {
	l.panels = l.pack()
	return l.checkRows()
}

func (l *integerLinear) numbers(in int, f func(string, int, int, any)) { l.list("", in, f) }

func (l *integerLinear) forward(b *Buffers, x []int16, s Shape, _ int) []int16 {
	n, out := s.Rows(), len(l.bias)
	in := len(l.weights) / out
	y := b.take(n * out)
	b.rows(n, func(from, to int) {
		l.panels.Rows(y[from*out:to*out], out, x[from*in:to*in], in, to-from, &kernels.EpilogueI16{Bias: l.bias, Mul: l.mul, ReLU: l.relu})
	})
	return y
}

type integerBlock struct {
	channels, hidden      int
	spread, first, second product
	panels                [2]*kernels.PanelsI16
}

func (l *integerBlock) prepare() error {
	l.panels = [2]*kernels.PanelsI16{l.first.pack(), l.second.pack()}
	if err := l.spread.check(9, func(o, i int) int { return i*l.channels + o }); err != nil {
		return err
	}
	if err := l.first.checkRows(); err != nil {
		return err
	}
	return l.second.checkRows()
}

func (l *integerBlock) numbers(_ int, f func(string, int, int, any)) {
	l.spread.list("depthwise.", l.channels, f)
	l.first.list("first.", l.channels, f)
	l.second.list("second.", l.hidden, f)
}

func (l *integerBlock) forward(b *Buffers, x []int16, s Shape, _ int) []int16 {
	n, c := s.Rows(), l.channels
	y := b.take(n * c)
	lines := max(strip/s.W, 1)
	b.each((s.H+lines-1)/lines, func(i int) {
		// The convolution, both products and the sum for some lines at a time, which
		// stay in cache.
		top, bottom := i*lines, min((i+1)*lines, s.H)
		from, to := top*s.W, bottom*s.W
		// The convolution sees a line more above and below, and needs room for them.
		above, below := max(top-1, 0), min(bottom+1, s.H)
		room := (below - above) * s.W * c
		work := getScratch(room + (to-from)*l.hidden)
		t, u := work.data[:room], work.data[room:room+(to-from)*l.hidden]
		kernels.DepthwiseI16(t, x[above*s.W*c:below*s.W*c], l.spread.weights, l.spread.bias, l.spread.mul, below-above, s.W, c, top-above, bottom-above)
		t = t[(top-above)*s.W*c:][:(to-from)*c]
		l.panels[0].Rows(u, l.hidden, t, c, to-from, &kernels.EpilogueI16{Bias: l.first.bias, Mul: l.first.mul, ReLU: true})
		l.panels[1].Rows(y[from*c:to*c], c, u, l.hidden, to-from, &kernels.EpilogueI16{
			Bias: l.second.bias, Mul: l.second.mul, Add: x[from*c : to*c], LdAdd: c,
		})
		putScratch(work)
	})
	return y
}

type integerShuffle struct {
	factor, channels int // channels of the finer grid
	down             bool
}

func (l *integerShuffle) prepare() error                           { return nil }
func (l *integerShuffle) numbers(int, func(string, int, int, any)) {}

func (l *integerShuffle) forward(b *Buffers, x []int16, s Shape, _ int) []int16 {
	f, run := l.factor, l.factor*l.channels
	if l.down && (s.H%f != 0 || s.W%f != 0) {
		panic(fmt.Sprintf("convnet: a grid of %d x %d does not divide by %d", s.H, s.W, f))
	}
	if !l.down {
		s = Shape{1, s.H * f, s.W * f}
	}
	y := b.take(len(x))
	coarse := s.W / f
	b.each(s.H/f, func(row int) {
		for dy := range f {
			fine := (row*f + dy) * s.W * l.channels
			at := (row*coarse*f + dy) * run
			for j := range coarse {
				p, q := fine+j*run, at+j*f*run
				if l.down {
					copy(y[q:q+run], x[p:p+run])
				} else {
					copy(y[p:p+run], x[q:q+run])
				}
			}
		}
	})
	return y
}

type integerRate struct {
	channels int
	anchors  []int16 // [anchors][channels]
}

func (l *integerRate) prepare() error { return nil }

func (l *integerRate) numbers(_ int, f func(string, int, int, any)) {
	f("anchors", len(l.anchors)/l.channels, l.channels, l.anchors)
}

// Interpolate sets y to the numbers between anchors at a rate of 0..RateUnit, rounded
// to the nearest, halves up. anchors is [n][len(y)].
func Interpolate[T int16 | int32](y, anchors []T, rate int) {
	n := len(anchors) / len(y)
	at := rate * (n - 1)
	k := min(at/RateUnit, n-2)
	f := int64(at - k*RateUnit)
	lo, hi := anchors[k*len(y):], anchors[(k+1)*len(y):]
	for c := range y {
		y[c] = T((int64(lo[c])*(RateUnit-f) + int64(hi[c])*f + RateUnit/2) >> 12)
	}
}

func (l *integerRate) forward(b *Buffers, x []int16, s Shape, rate int) []int16 {
	y := b.take(len(x))
	offset := make([]int16, l.channels)
	Interpolate(offset, l.anchors, rate)
	b.rows(s.Rows(), func(from, to int) {
		for at := from * l.channels; at < to*l.channels; at += l.channels {
			in, out := x[at:at+l.channels], y[at:at+l.channels]
			for c, v := range offset {
				out[c] = clamp16(int32(in[c]) + int32(v))
			}
		}
	})
	return y
}

func clamp16(v int32) int16 { return int16(min(max(v, -32768), 32767)) }
