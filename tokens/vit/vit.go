// Package vit is a small vision transformer (Dosovitskiy et al., "An Image is Worth
// 16x16 Words", 2021) that is trained by transform/nn on the CPU in minutes. It exists
// to measure reducers of visual tokens on real features: [Model.Classify] runs them
// between the layers of the trained network, so that what they cost in accuracy can be
// counted on labelled pictures. The command in study trains it on Fashion-MNIST or
// MNIST and prints the tables of doc/tokens-reduce.md.
//
// It is no general implementation of vision transformers and reads no weights but its
// own.
package vit

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A Config is the shape of a [Model].
type Config struct {
	Side    int // of the pictures, which are square and of one plane
	Patch   int // side of a patch; divides Side
	Dim     int // width of a token
	Heads   int // divides Dim
	Layers  int
	Hidden  int // width of the layer between the two of a block's network
	Classes int
}

// Small is the network of the study: 49 tokens of 4x4 pixels and a class token, about
// 139,000 parameters.
var Small = Config{Side: 28, Patch: 4, Dim: 64, Heads: 4, Layers: 4, Hidden: 128, Classes: 10}

// Tokens returns the number of patches, which is that of tokens without the class
// token.
func (c Config) Tokens() int { g := c.Side / c.Patch; return g * g }

// parameters returns the number of parameters.
func (c Config) parameters() int {
	d := c.Dim
	block := 4*d + 3*d*d + 3*d + d*d + d + 2*d*c.Hidden + c.Hidden + d
	return d*(c.Patch*c.Patch+1) + d + (1+c.Tokens())*d + c.Layers*block + 2*d + c.Classes*(d+1)
}

func (c Config) validate() error {
	for _, v := range []int{c.Side, c.Patch, c.Dim, c.Heads, c.Layers, c.Hidden, c.Classes} {
		if v < 1 || v > 1<<12 {
			return fmt.Errorf("vit: %d is out of the range of sizes, 1 to 4096: %+v", v, c)
		}
	}
	if c.Side%c.Patch != 0 || c.Dim%c.Heads != 0 || c.Classes > 256 {
		return fmt.Errorf("vit: sizes do not fit one another: %+v", c)
	}
	return nil
}

// A Model is a vision transformer: linear patch embedding, a class token, learned
// positions, blocks of attention and a two-layer network, each after a layer norm and
// beside a bypass, and a linear classifier of the class token. Shapes below: n
// pictures, t tokens each with the class token first, d = Dim.
type Model struct {
	Config
	embed     *nn.Dense
	class     *nn.Param // [1][d]
	positions *nn.Param // [1+Tokens][d]
	blocks    []*block
	norm      *nn.LayerNorm
	head      *nn.Dense
	params    []*nn.Param
	pool      *nn.Pool

	// Of the last forward pass.
	patches []float32 // [n*Tokens][Patch*Patch]
	first   []float32 // [n*Tokens][d]
	in      []float32 // [n*t][d]: the first block's input
	last    []float32 // [n][d]: the class tokens
	normed  []float32
	logits  []float32 // [n][Classes]
	grad    []float32
	dlast   []float32
}

// A block is one layer of the transformer.
type block struct {
	norm1, norm2 *nn.LayerNorm
	attention    *nn.Attention
	up, down     *nn.Dense
	gelu         *nn.GELU

	// Activations of the last forward pass.
	normed1, attended  []float32 // [n*t][d]; attended is x + attention
	normed2, out       []float32 // [n*t][d]
	hidden, activation []float32 // [n*t][Hidden]
	dhidden, dx        []float32
	bias, dbias        []float32 // [n*t] of attention, or nil
}

// New returns a model whose weights are drawn from the seed. The pool may be nil.
func New(c Config, seed uint64, pool *nn.Pool) (*Model, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := &Model{Config: c, pool: pool}
	r := rand.New(rand.NewPCG(seed, 0x766974))
	var errs []error
	dense := func(name string, in, out int) *nn.Dense {
		l, err := nn.NewDense(name, in, out, pool)
		if errs = append(errs, err); err == nil {
			l.Init(r)
			m.params = append(m.params, l.Params()...)
		}
		return l
	}
	norm := func(name string) *nn.LayerNorm {
		l, err := nn.NewLayerNorm(name, c.Dim, pool)
		if errs = append(errs, err); err == nil {
			m.params = append(m.params, l.Params()...)
		}
		return l
	}
	m.embed = dense("embed", c.Patch*c.Patch, c.Dim)
	m.class = nn.NewParam("class", 1, c.Dim)
	m.class.SetNormal(r, 0.02)
	m.positions = nn.NewParam("positions", 1+c.Tokens(), c.Dim)
	m.positions.SetNormal(r, 0.02)
	m.params = append(m.params, m.class, m.positions)
	for i := range c.Layers {
		name := fmt.Sprintf("blocks.%d.", i)
		b := &block{gelu: nn.NewGELU(pool)}
		b.norm1 = norm(name + "norm1")
		var err error
		if b.attention, err = nn.NewAttention(name+"attn", c.Dim, c.Heads, pool); err != nil {
			return nil, err
		}
		b.attention.Init(r)
		m.params = append(m.params, b.attention.Params()...)
		b.norm2 = norm(name + "norm2")
		b.up = dense(name+"up", c.Dim, c.Hidden)
		b.down = dense(name+"down", c.Hidden, c.Dim)
		m.blocks = append(m.blocks, b)
	}
	m.norm = norm("norm")
	m.head = dense("head", c.Dim, c.Classes)
	return m, errors.Join(errs...)
}

// Params returns all parameters. After they were changed call [Model.Refresh].
func (m *Model) Params() []*nn.Param { return m.params }

// Refresh takes over the parameters as they are now.
func (m *Model) Refresh() {
	m.embed.Refresh()
	m.head.Refresh()
	for _, b := range m.blocks {
		b.attention.Refresh()
		b.up.Refresh()
		b.down.Refresh()
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// start embeds n pictures, [n][Side*Side], as tokens, [n*(1+Tokens)][d].
func (m *Model) start(pictures []float32, n int) []float32 {
	tokens, d, p, grid := m.Tokens(), m.Dim, m.Patch, m.Side/m.Patch
	m.patches = grow(m.patches, n*tokens*p*p)
	at := 0
	for i := range n {
		picture := pictures[i*m.Side*m.Side:]
		for t := range tokens {
			for y := range p {
				from := (t/grid*p+y)*m.Side + t%grid*p
				at += copy(m.patches[at:], picture[from:from+p])
			}
		}
	}
	m.first = grow(m.first, n*tokens*d)
	m.embed.Forward(m.first, m.patches, n*tokens)
	m.in = grow(m.in, n*(1+tokens)*d)
	for i := range n {
		x := m.in[i*(1+tokens)*d : (i+1)*(1+tokens)*d]
		copy(x, m.class.Data)
		copy(x[d:], m.first[i*tokens*d:(i+1)*tokens*d])
		kernels.AxpbyF32(x, 1, m.positions.Data, 1)
	}
	return m.in
}

// attend sets b.attended to x and what attention adds to it, for n sequences of t
// tokens. bias is [n*t] or nil, see [nn.Attention].
func (b *block) attend(x, bias []float32, n, t int) {
	b.normed1 = grow(b.normed1, len(x))
	b.attended = grow(b.attended, len(x))
	b.norm1.Forward(b.normed1, x, n*t)
	b.attention.Forward(b.attended, b.normed1, bias, n, t)
	kernels.AxpbyF32(b.attended, 1, x, 1)
}

// feed sets b.out to x, the attended tokens, and what the two-layer network adds.
func (b *block) feed(x []float32, rows, hidden int) {
	b.normed2 = grow(b.normed2, len(x))
	b.out = grow(b.out, len(x))
	b.hidden = grow(b.hidden, rows*hidden)
	b.activation = grow(b.activation, rows*hidden)
	b.norm2.Forward(b.normed2, x, rows)
	b.up.Forward(b.hidden, b.normed2, rows)
	b.gelu.Forward(b.activation, b.hidden)
	b.down.Forward(b.out, b.activation, rows)
	kernels.AxpbyF32(b.out, 1, x, 1)
}

// finish returns the logits, [n][Classes], of n sequences of t tokens.
func (m *Model) finish(x []float32, n, t int) []float32 {
	m.last = grow(m.last, n*m.Dim)
	m.normed = grow(m.normed, n*m.Dim)
	m.logits = grow(m.logits, n*m.Classes)
	for i := range n {
		copy(m.last[i*m.Dim:(i+1)*m.Dim], x[i*t*m.Dim:])
	}
	m.norm.Forward(m.normed, m.last, n)
	m.head.Forward(m.logits, m.normed, n)
	return m.logits
}

// Forward returns the logits, [n][Classes], of n pictures, [n][Side*Side]. They are
// valid until the next pass.
func (m *Model) Forward(pictures []float32, n int) []float32 {
	return m.forward(pictures, n, nil)
}

// forward calls between, unless it is nil, after each block's attention: it may set
// the biases of the blocks behind.
func (m *Model) forward(pictures []float32, n int, between func(layer int)) []float32 {
	if len(pictures) != n*m.Side*m.Side {
		panic(fmt.Sprintf("vit: %d pixels for %d pictures of %dx%d", len(pictures), n, m.Side, m.Side))
	}
	t := 1 + m.Tokens()
	x := m.start(pictures, n)
	for i, b := range m.blocks {
		if between == nil {
			b.bias = nil
		}
		b.attend(x, b.bias, n, t)
		if between != nil {
			between(i)
		}
		b.feed(b.attended, n*t, m.Hidden)
		x = b.out
	}
	return m.finish(x, n, t)
}

// Cache returns what the blocks' attention sees of n pictures: queries, keys and values,
// each [Layers][Heads][n*t][Dim/Heads], as caches of them are laid out.
func (m *Model) Cache(pictures []float32, n int) (queries, keys, values []float32) {
	m.Forward(pictures, n)
	rows, dim := n*(1+m.Tokens()), m.Dim/m.Heads
	var parts [3][]float32
	for i := range parts {
		parts[i] = make([]float32, 0, m.Layers*rows*m.Dim)
		for _, b := range m.blocks {
			projected := b.attention.Projected()
			for h := range m.Heads {
				for r := range rows {
					parts[i] = append(parts[i], projected[r*3*m.Dim+i*m.Dim+h*dim:][:dim]...)
				}
			}
		}
	}
	return parts[0], parts[1], parts[2]
}

// Backward goes back from the gradient with respect to the logits of the last forward
// pass, [n][Classes], and adds those of the parameters to theirs.
func (m *Model) Backward(dlogits []float32, n int) { m.backward(dlogits, n, true) }

// backward sets dbias of the blocks whose attention had biases.
func (m *Model) backward(dlogits []float32, n int, weights bool) {
	t, d := 1+m.Tokens(), m.Dim
	m.dlast = grow(m.dlast, n*d)
	m.head.Backward(m.dlast, dlogits, m.normed, n, weights)
	m.norm.Backward(m.dlast, m.dlast, m.last, n, weights)
	m.grad = grow(m.grad, n*t*d)
	clear(m.grad)
	for i := range n {
		copy(m.grad[i*t*d:(i*t+1)*d], m.dlast[i*d:])
	}
	g := m.grad
	for i := len(m.blocks) - 1; i >= 0; i-- {
		b, x := m.blocks[i], m.in
		if i > 0 {
			x = m.blocks[i-1].out
		}
		b.dhidden = grow(b.dhidden, len(b.hidden))
		b.dx = grow(b.dx, len(g))
		b.down.Backward(b.dhidden, g, b.activation, n*t, weights)
		b.gelu.Backward(b.dhidden, b.dhidden, b.hidden)
		b.up.Backward(b.dx, b.dhidden, b.normed2, n*t, weights)
		b.norm2.Backward(b.dx, b.dx, b.attended, n*t, weights)
		kernels.AxpbyF32(g, 1, b.dx, 1)
		var dbias []float32
		if b.bias != nil {
			b.dbias = grow(b.dbias, n*t)
			dbias = b.dbias
		}
		b.attention.Backward(b.dx, dbias, g, b.normed1, weights)
		b.norm1.Backward(b.dx, b.dx, x, n*t, weights)
		kernels.AxpbyF32(g, 1, b.dx, 1)
	}
	if !weights {
		return
	}
	for i := range n {
		kernels.AxpbyF32(m.class.Grad, 1, g[i*t*d:(i*t+1)*d], 1)
		kernels.AxpbyF32(m.positions.Grad, 1, g[i*t*d:(i+1)*t*d], 1)
	}
	m.first = grow(m.first, n*(t-1)*d)
	for i := range n {
		copy(m.first[i*(t-1)*d:(i+1)*(t-1)*d], g[(i*t+1)*d:])
	}
	m.embed.Backward(nil, m.first, m.patches, n*(t-1), true)
}
