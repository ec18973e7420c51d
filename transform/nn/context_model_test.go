package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// A contextModel predicts each value of a plane from its neighbours by a network that
// gives the mean and the logarithm of the scale of a Laplace distribution, as the
// autoregressive model of an overfitted codec does.
type contextModel struct {
	pool     *Pool
	context  *Context
	net      *MLP
	blocks   []*MLPBlock
	scratch  [][2][]float32 // [workers], bits and gradient of the values of a block
	partials *Partials
	bits     []float64 // [pieces]
	plane    []float32
	grad     []float32
	task     func(worker, piece int)
}

func newContextModel(t *testing.T, workers, h, w int, offsets []Offset) *contextModel {
	m := &contextModel{pool: newPool(t, workers), grad: make([]float32, h*w)}
	var err error
	if m.context, err = NewContext(h, w, offsets); err != nil {
		t.Fatal(err)
	}
	d := len(offsets)
	m.net, err = NewMLP("context", MLPConfig{In: d, Layers: []MLPLayer{{d, true, ReLU}, {d, true, ReLU}, {Out: 2}}, Bypass: true})
	if err != nil {
		t.Fatal(err)
	}
	m.net.Init(rand.New(rand.NewPCG(1, 20)))
	for range workers {
		m.blocks = append(m.blocks, m.net.NewBlock())
		m.scratch = append(m.scratch, [2][]float32{make([]float32, BlockSize), make([]float32, BlockSize)})
	}
	m.partials = NewPartials(m.net.Params())
	m.partials.Resize(m.context.Pieces())
	m.bits = make([]float64, m.context.Pieces())
	m.task = func(worker, piece int) {
		b, bits, dx := m.blocks[worker], m.scratch[worker][0], m.scratch[worker][1]
		grad := m.partials.Piece(piece)
		m.context.StartPiece(piece)
		m.bits[piece] = 0
		m.context.Blocks(piece, func(at, n int) {
			m.context.Gather(b, at, n)
			m.net.Forward(b, n)
			kernels.LaplaceBitsF32(bits[:n], dx[:n], b.OutputGrad(0)[:n], b.OutputGrad(1)[:n],
				m.plane[at:at+n], b.Output(0)[:n], b.Output(1)[:n], 1, -5, 5)
			m.bits[piece] += kernels.SumF32(bits[:n])
			m.net.Backward(b, n, grad, true)
			m.context.Scatter(piece, b, at, n)
			copy(m.grad[at:at+n], dx)
		})
	}
	return m
}

// pass returns the bits of the plane, and leaves the gradients.
func (m *contextModel) pass(plane []float32) float64 {
	m.plane = plane
	m.context.Load(plane)
	m.pool.Run(m.context.Pieces(), m.task)
	m.partials.Reduce()
	m.context.AddGradient(m.grad)
	total := 0.0
	for _, b := range m.bits {
		total += b
	}
	return total
}

var neighbours = []Offset{{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}}

// TestContextModelGradient compares with the whole model in float64.
func TestContextModelGradient(t *testing.T) {
	const h, w = 9, 7
	m := newContextModel(t, 2, h, w, neighbours)
	r := rand.New(rand.NewPCG(2, 20))
	for _, p := range m.net.Params() {
		randomize(r, p.Data, 0.3)
	}
	m.net.Refresh()
	plane := make([]float32, h*w)
	randomize(r, plane, 2)
	bits := m.pass(plane)
	g := gradientCheck{
		define: func(v [][]float64) []float64 {
			x := make([]float64, 0, len(neighbours)*h*w)
			for _, o := range neighbours {
				for i := range h * w {
					y, xx := i/w+o.DY, i%w+o.DX
					if y >= 0 && xx >= 0 && xx < w {
						x = append(x, v[0][y*w+xx])
					} else {
						x = append(x, 0)
					}
				}
			}
			out := defineMLP(m.net.config, h*w, append([][]float64{x}, v[1:]...))
			total := 0.0
			for i, value := range v[0] {
				b := math.Exp(min(max(out[h*w+i], -5), 5))
				below := func(u float64) float64 {
					if u < 0 {
						return math.Exp(u/b) / 2
					}
					return 1 - math.Exp(-u/b)/2
				}
				d := value - out[i]
				total -= math.Log2(max(below(d+0.5)-below(d-0.5), 1.0/65536))
			}
			return []float64{total}
		},
		values: [][]float32{plane}, y: []float32{float32(bits)}, dy: []float32{1}, grads: [][]float32{m.grad},
	}
	for _, p := range m.net.Params() {
		g.values = append(g.values, p.Data)
		g.grads = append(g.grads, p.Grad)
	}
	g.run(t, r, "context model")
}

// TestContextModelLearns trains on a plane of integers that a linear predictor
// describes, and comes near the entropy of what that leaves.
func TestContextModelLearns(t *testing.T) {
	const h, w, steps = 60, 70, 400
	r := rand.New(rand.NewPCG(3, 20))
	plane := make([]float32, h*w)
	at := func(y, x int) float64 {
		if y < 0 || x < 0 {
			return 0
		}
		return float64(plane[y*w+x])
	}
	ideal := 0.0
	for y := range h {
		for x := range w {
			// Noise of a rounded Laplace distribution of scale 1.
			e := math.Round(r.ExpFloat64() * float64(2*r.IntN(2)-1))
			if e == 0 {
				ideal -= math.Log2(1 - math.Exp(-0.5))
			} else {
				ideal -= math.Log2(math.Exp(-math.Abs(e)) * math.Sinh(0.5))
			}
			plane[y*w+x] = float32(math.Round(0.9*at(y, x-1)+0.9*at(y-1, x)-0.85*at(y-1, x-1)) + e)
		}
	}
	m := newContextModel(t, 2, h, w, neighbours)
	opt, err := NewSOAP(10, Group{Params: m.net.Params(), Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8})
	if err != nil {
		t.Fatal(err)
	}
	bits := 0.0
	for i := range steps {
		ZeroGrad(m.net.Params())
		bits = m.pass(plane)
		opt.Groups[0].Rate = Cosine(0.01, 1e-4, i, steps)
		opt.Step()
		m.net.Refresh()
	}
	t.Logf("%.3f bits a value after %d steps, %.3f are needed", bits/(h*w), steps, ideal/(h*w))
	if bits > 1.05*ideal {
		t.Errorf("%.3f bits a value, want %.3f", bits/(h*w), ideal/(h*w))
	}
}
