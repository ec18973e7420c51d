package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// BlockSize is the most positions that an [MLP] evaluates at once. A row of
// activations is 3.75 kB, a small network's some 100 kB; the number is a multiple of
// the widths of all tiles of the kernels.
const BlockSize = 960

// blockStride is the distance of rows in a block: an odd number of cache lines,
// so that rows do not compete for the same sets of a cache.
const blockStride = BlockSize + 16

// An MLPLayer is one layer of an [MLP]: y = act(W x + b), or act(x + W x + b) if it
// is residual, which is computed as (1 + W) x, with W rounded accordingly.
type MLPLayer struct {
	Out      int
	Residual bool // Out must be the number of inputs
	Act      Activation
}

// An MLPConfig describes an [MLP].
type MLPConfig struct {
	In     int
	Layers []MLPLayer
	// Bypass adds a linear layer without bias from the input to the output of the
	// last layer, which must be linear. It steadies the first steps of training. It
	// starts at zero, and rectifiers let no gradient through at zero: where inputs
	// are learned, too, they should not all start at zero.
	Bypass bool
	// Beside is how many outputs such a linear layer has of its own: they follow those of
	// the last layer. There cannot be a Bypass, too.
	Beside int
}

// An MLP is a fully connected network that is evaluated at many positions. Its
// weights are used in a packed form: after its parameters changed, call
// [MLP.Refresh] before the next pass.
type MLP struct {
	config MLPConfig
	width  int // of the widest layer or input
	layers []mlpLayer
	bypass *Param // [out][in], or nil, of the layer beside the others, too
	beside kernels.Panels
	offIn  []int // rows of the inputs
	params []*Param
	size   int // of all parameters
}

type mlpLayer struct {
	MLPLayer
	in           int
	weight, bias *Param
	// The last layer's panels have the bypass's columns beside its own, the first
	// layer's transposed panels likewise.
	forward, backward kernels.Panels
	packed            []float32 // what is packed, with the identity of residual layers
	row               int       // of the block where the outputs start
	offIn, offGrad    []int     // rows of the block that forward and backward read
	at                int       // of the weights' gradient among all; the biases' follows
}

// NewMLP returns a network whose parameters are zero, named after name. Initialise
// it with [MLP.Init] or through [MLP.Params].
func NewMLP(name string, c MLPConfig) (*MLP, error) {
	if c.In < 1 || len(c.Layers) == 0 {
		return nil, fmt.Errorf("nn: MLP %s needs inputs and layers", name)
	}
	if c.Beside < 0 || c.Beside > 0 && c.Bypass {
		return nil, fmt.Errorf("nn: MLP %s has %d outputs beside a bypass", name, c.Beside)
	}
	m := &MLP{config: c, width: c.In, layers: make([]mlpLayer, len(c.Layers))}
	m.config.Layers = append([]MLPLayer(nil), c.Layers...)
	in, row := c.In, c.In
	for i, l := range c.Layers {
		switch {
		case l.Out < 1:
			return nil, fmt.Errorf("nn: MLP %s: layer %d has no outputs", name, i)
		case l.Residual && l.Out != in:
			return nil, fmt.Errorf("nn: MLP %s: residual layer %d has %d inputs and %d outputs", name, i, in, l.Out)
		case l.Act > LeakyReLU:
			return nil, fmt.Errorf("nn: MLP %s: layer %d has no such activation", name, i)
		}
		w := NewParam(fmt.Sprintf("%s.%d.weight", name, i), l.Out, in)
		b := NewParam(fmt.Sprintf("%s.%d.bias", name, i), 1, l.Out)
		m.layers[i] = mlpLayer{MLPLayer: l, in: in, weight: w, bias: b, row: row, at: m.size}
		m.params = append(m.params, w, b)
		m.size += len(w.Data) + len(b.Data)
		in = l.Out
		row += l.Out
		m.width = max(m.width, l.Out)
	}
	if c.Bypass {
		if c.Layers[len(c.Layers)-1].Act != Linear {
			return nil, fmt.Errorf("nn: MLP %s: the last layer beside a bypass must be linear", name)
		}
		m.bypass = NewParam(name+".bypass.weight", in, c.In)
	}
	if c.Beside > 0 {
		m.bypass = NewParam(name+".beside.weight", c.Beside, c.In)
	}
	if m.bypass != nil {
		m.params = append(m.params, m.bypass)
		m.size += len(m.bypass.Data)
	}
	for j := range c.In {
		m.offIn = append(m.offIn, j*blockStride)
	}
	for i := range m.layers {
		l := &m.layers[i]
		first := l.row - l.in
		for j := range l.in {
			l.offIn = append(l.offIn, (first+j)*blockStride)
		}
		if c.Bypass && i == len(m.layers)-1 {
			l.offIn = append(l.offIn, m.offIn...)
		}
		for j := range l.Out {
			l.offGrad = append(l.offGrad, (m.gradRow(i)+j)*blockStride)
		}
		if m.bypass != nil && i == 0 {
			for j := range m.bypass.Rows {
				l.offGrad = append(l.offGrad, (m.bypassGradRow()+j)*blockStride)
			}
		}
		l.packed = make([]float32, max(l.Out*len(l.offIn), l.in*len(l.offGrad)))
	}
	return m, nil
}

// Rows of a block: activations of the input and of every layer, then the gradient
// of the output, two sets of rows for the gradients of hidden layers in turn, and
// the gradient of the input.

func (m *MLP) last() *mlpLayer { return &m.layers[len(m.layers)-1] }

func (m *MLP) outGradRow() int { return m.last().row + m.Out() }

// bypassGradRow is the first row of the gradient with respect to the bypass's sums.
func (m *MLP) bypassGradRow() int {
	if m.config.Beside > 0 {
		return m.outGradRow() + m.last().Out
	}
	return m.outGradRow()
}

// gradRow is the first row of the gradient with respect to the sums of layer i.
func (m *MLP) gradRow(i int) int {
	if i == len(m.layers)-1 {
		return m.outGradRow()
	}
	return m.outGradRow() + m.Out() + i%2*m.width
}

func (m *MLP) inGradRow() int { return m.outGradRow() + m.Out() + 2*m.width }

// In and Out are the numbers of inputs and outputs.
func (m *MLP) In() int  { return m.config.In }
func (m *MLP) Out() int { return m.last().Out + m.config.Beside }

// Params returns the parameters: weight and bias of each layer, then the weight of the
// bypass or the layer beside.
func (m *MLP) Params() []*Param { return m.params }

// Init sets residual layers and the bypass to zero, and other weights to uniform
// variates that keep the variance of activations (He et al., "Delving Deep into
// Rectifiers", 2015): of variance 2/inputs before a rectifier and 1/inputs before
// none. Biases are zero. It ends with [MLP.Refresh].
func (m *MLP) Init(r *rand.Rand) {
	for i := range m.layers {
		l := &m.layers[i]
		clear(l.bias.Data)
		initWeight(r, l.weight, l.Residual, l.Act, l.in)
	}
	if m.bypass != nil {
		clear(m.bypass.Data)
	}
	m.Refresh()
}

func initWeight(r *rand.Rand, w *Param, residual bool, act Activation, fanIn int) {
	switch {
	case residual:
		clear(w.Data)
	case act == Linear:
		w.SetUniform(r, math.Sqrt(3/float64(fanIn)))
	default:
		w.SetUniform(r, math.Sqrt(6/float64(fanIn)))
	}
}

// MACs returns the multiplications per position of a forward pass.
func (m *MLP) MACs() int {
	n := 0
	for _, l := range m.layers {
		n += l.Out * len(l.offIn)
	}
	return n + m.config.Beside*m.config.In
}

// Refresh takes over the parameters as they are now. It must not run at the same
// time as a pass.
func (m *MLP) Refresh() {
	for i := range m.layers {
		l := &m.layers[i]
		identity := func(w []float32, ld int) {
			if l.Residual {
				for j := range l.Out {
					w[j*ld+j]++
				}
			}
		}
		k := len(l.offIn)
		w := l.packed[:l.Out*k]
		for j := range l.Out {
			n := copy(w[j*k:], l.weight.Data[j*l.in:][:l.in])
			if k > l.in {
				copy(w[j*k+n:], m.bypass.Data[j*m.config.In:][:m.config.In])
			}
		}
		identity(w, k)
		l.forward.Pack(w, l.Out, k, k, l.bias.Data)
		k = len(l.offGrad)
		w = l.packed[:k*l.in]
		n := copy(w, l.weight.Data)
		if k > l.Out {
			copy(w[n:], m.bypass.Data)
		}
		identity(w, l.in)
		l.backward.PackT(w, l.in, k, l.in, nil)
	}
	if n := m.config.Beside; n > 0 {
		m.beside.Pack(m.bypass.Data, n, m.config.In, m.config.In, nil)
	}
}

// An MLPBlock is the memory of one worker that evaluates an [MLP].
type MLPBlock struct {
	m    *MLP
	rows []float32 // [rows][blockStride]
}

// NewBlock returns a block for m.
func (m *MLP) NewBlock() *MLPBlock {
	return &MLPBlock{m: m, rows: make([]float32, (m.inGradRow()+m.config.In)*blockStride)}
}

func (b *MLPBlock) row(i int) []float32 {
	return b.rows[i*blockStride:][:BlockSize:BlockSize]
}

// Input returns the values of input i, one for each position: fill it before
// [MLP.Forward].
func (b *MLPBlock) Input(i int) []float32 { return b.row(i) }

// Output returns the values of output i, which Forward has set.
func (b *MLPBlock) Output(i int) []float32 { return b.row(b.m.last().row + i) }

// OutputGrad returns the gradient with respect to output i: fill it before
// [MLP.Backward], which destroys it where the last layer has an activation.
func (b *MLPBlock) OutputGrad(i int) []float32 { return b.row(b.m.outGradRow() + i) }

// InputGrad returns the gradient with respect to input i, which Backward has set.
func (b *MLPBlock) InputGrad(i int) []float32 { return b.row(b.m.inGradRow() + i) }

// Forward evaluates the network at the first n positions of b, n at most
// [BlockSize]. Several goroutines may do so at a time, each with a block of its
// own.
func (m *MLP) Forward(b *MLPBlock, n int) {
	for i := range m.layers {
		l := &m.layers[i]
		// The inputs end where the outputs begin.
		x, y := b.rows[:l.row*blockStride], b.rows[l.row*blockStride:]
		l.forward.Apply(y, blockStride, x, l.offIn, n, kernels.Epilogue{Act: l.Act != Linear, Slope: l.Act.slope()})
	}
	if m.config.Beside > 0 {
		y := b.rows[(m.last().row+m.last().Out)*blockStride:]
		m.beside.Apply(y, blockStride, b.rows[:m.config.In*blockStride], m.offIn, n, kernels.Epilogue{})
	}
}

// Backward goes back from OutputGrad of the first n positions of b, on which
// Forward must have run before, with the same parameters. It adds the gradients of
// the parameters to grad, in the order of [MLP.Params] as [Partials.Piece] has them,
// unless grad is nil, and sets InputGrad if input is true.
func (m *MLP) Backward(b *MLPBlock, n int, grad []float32, input bool) {
	for i := len(m.layers) - 1; i >= 0; i-- {
		l := &m.layers[i]
		dz := b.rows[m.gradRow(i)*blockStride:]
		if i == len(m.layers)-1 && l.Act != Linear {
			for j := range l.Out {
				d := dz[j*blockStride:][:n]
				kernels.GateF32(d, d, b.row(l.row + j)[:n], l.Act.slope())
			}
		}
		if grad != nil {
			w := l.Out * l.in
			kernels.DotsF32(grad[l.at:], l.in, dz, blockStride, 0, l.Out, b.rows, l.offIn[:l.in], 0, n, 1)
			for j := range l.Out {
				grad[l.at+w+j] += float32(kernels.SumF32(dz[j*blockStride:][:n]))
			}
			if i == 0 && m.bypass != nil {
				dz := b.rows[m.bypassGradRow()*blockStride:]
				kernels.DotsF32(grad[m.size-len(m.bypass.Data):], m.config.In, dz, blockStride, 0, m.bypass.Rows, b.rows, m.offIn, 0, n, 1)
			}
		}
		if i == 0 {
			if input {
				y := b.rows[m.inGradRow()*blockStride:]
				l.backward.Apply(y, blockStride, b.rows[:m.inGradRow()*blockStride], l.offGrad, n, kernels.Epilogue{})
			}
			return
		}
		e := kernels.Epilogue{}
		if before := &m.layers[i-1]; before.Act != Linear {
			e = kernels.Epilogue{Gate: b.rows[before.row*blockStride:], GateStride: blockStride, Slope: before.Act.slope()}
		}
		l.backward.Apply(b.rows[m.gradRow(i-1)*blockStride:], blockStride, b.rows, l.offGrad, n, e)
	}
}
