package nn

import (
	"fmt"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// Padding is what lies around a picture.
type Padding uint8

const (
	PadZero      Padding = iota
	PadReplicate         // the nearest row and column
)

// A ConvConfig describes a [Conv2D] or a [ConvTranspose2D].
type ConvConfig struct {
	In, Out  int // channels
	Kernel   int // rows and columns, at most 64
	Stride   int // 0 means 1
	Groups   int // 0 means 1; In for a depthwise convolution
	Padding  Padding
	Residual bool // adds the input: In = Out, odd Kernel, Stride 1
	Act      Activation
}

func (c *ConvConfig) check(name string, transposed bool) error {
	if c.Stride == 0 {
		c.Stride = 1
	}
	if c.Groups == 0 {
		c.Groups = 1
	}
	switch {
	case c.In < 1 || c.Out < 1 || c.Kernel < 1 || c.Kernel > 64 || c.Stride < 1 || c.Stride > 64:
		return fmt.Errorf("nn: %s: %d to %d channels, kernel %d, stride %d", name, c.In, c.Out, c.Kernel, c.Stride)
	case c.Groups < 1 || c.In%c.Groups != 0 || c.Out%c.Groups != 0:
		return fmt.Errorf("nn: %s: %d to %d channels do not divide into %d groups", name, c.In, c.Out, c.Groups)
	case c.Padding > PadReplicate || c.Act > LeakyReLU:
		return fmt.Errorf("nn: %s: no such padding or activation", name)
	case c.Residual && (transposed || c.In != c.Out || c.Stride != 1 || c.Kernel%2 == 0):
		return fmt.Errorf("nn: %s: cannot be residual", name)
	case transposed && (c.Padding != PadZero || c.Kernel < c.Stride):
		return fmt.Errorf("nn: %s: a transposed convolution has zero padding and no gaps", name)
	}
	return nil
}

// A Conv2D is a convolution (strictly, a correlation): with stride s a picture of
// h x w becomes one of ceil(h/s) x ceil(w/s), output i,j being centred at the
// inputs' s*i, s*j for odd kernels of stride 1 or 2. With k x k kernels the padding
// is (k-s+1)/2 before the picture, or none if k < s, and what is missing after it.
//
// Weights are used in a packed form: after the parameters changed, call
// [Conv2D.Refresh] before the next pass.
type Conv2D struct {
	config       ConvConfig
	weight, bias *Param // [out][in/groups*k*k], [1][out]
	core         convCore
	passes       convPasses
}

// NewConv2D returns a layer whose parameters are zero, named after name.
func NewConv2D(name string, c ConvConfig, pool *Pool) (*Conv2D, error) {
	if err := c.check(name, false); err != nil {
		return nil, err
	}
	l := &Conv2D{config: c,
		weight: NewParam(name+".weight", c.Out, c.In/c.Groups*c.Kernel*c.Kernel),
		bias:   NewParam(name+".bias", 1, c.Out),
		core:   convCore{in: c.In, out: c.Out, k: c.Kernel, s: c.Stride, groups: c.Groups, replicate: c.Padding == PadReplicate},
	}
	l.passes.init(&l.core, pool, false, l.Params())
	return l, nil
}

// Params returns weight and bias.
func (l *Conv2D) Params() []*Param { return []*Param{l.weight, l.bias} }

// Init sets the weights as [MLP.Init] does, the biases to zero, and ends with
// [Conv2D.Refresh].
func (l *Conv2D) Init(r *rand.Rand) {
	initWeight(r, l.weight, l.config.Residual, l.config.Act, l.weight.Cols)
	clear(l.bias.Data)
	l.Refresh()
}

// Refresh takes over the parameters as they are now.
func (l *Conv2D) Refresh() { l.core.pack(l.weight.Data, l.bias.Data, nil, l.config.Residual) }

// Forward sets y to the output for x.
func (l *Conv2D) Forward(y, x *Tensor) {
	c := &l.core
	x.need("input of a convolution", c.in, x.H, x.W)
	c.resize(l.passes.pool, x.H, x.W)
	y.need("output of a convolution", c.out, c.oh, c.ow)
	l.passes.gather(y, source{t: x}, kernels.Epilogue{Act: l.config.Act != Linear, Slope: l.config.Act.slope()})
}

// Backward goes back from the gradient dy with respect to the output y for x. It sets
// dx to the gradient with respect to x, unless dx is nil, and adds the parameters'
// gradients to theirs if weights is true. Without an activation y may be nil.
func (l *Conv2D) Backward(dx, dy, x, y *Tensor, weights bool) {
	c := &l.core
	x.need("input of a convolution", c.in, x.H, x.W)
	c.resize(l.passes.pool, x.H, x.W)
	d := gated(dy, y, c.out, c.oh, c.ow, l.config.Act)
	if weights {
		l.passes.weights(source{t: x}, d)
	}
	if dx != nil {
		dx.need("gradient of a convolution's input", c.in, c.h, c.w)
		l.passes.scatter(dx, d, kernels.Epilogue{})
	}
}

// gated returns the gradient dy behind the activation whose output is y.
func gated(dy, y *Tensor, c, h, w int, act Activation) source {
	dy.need("gradient of a convolution's output", c, h, w)
	if act == Linear {
		return source{t: dy}
	}
	y.need("output of a convolution", c, h, w)
	return source{t: dy, gate: y, slope: act.slope()}
}

// A ConvTranspose2D is the transpose of a [Conv2D] with zero padding and Out inputs: a
// picture of h x w becomes one of s*h x s*w. Weights are [In][Out/groups][k][k].
type ConvTranspose2D struct {
	config       ConvConfig
	weight, bias *Param // [in][out/groups*k*k], [1][out]
	core         convCore
	passes       convPasses
}

// NewConvTranspose2D returns a layer whose parameters are zero, named after name.
func NewConvTranspose2D(name string, c ConvConfig, pool *Pool) (*ConvTranspose2D, error) {
	if err := c.check(name, true); err != nil {
		return nil, err
	}
	l := &ConvTranspose2D{config: c,
		weight: NewParam(name+".weight", c.In, c.Out/c.Groups*c.Kernel*c.Kernel),
		bias:   NewParam(name+".bias", 1, c.Out),
		core:   convCore{in: c.Out, out: c.In, k: c.Kernel, s: c.Stride, groups: c.Groups},
	}
	l.passes.init(&l.core, pool, true, l.Params())
	return l, nil
}

// Params returns weight and bias.
func (l *ConvTranspose2D) Params() []*Param { return []*Param{l.weight, l.bias} }

// Init sets the weights as [MLP.Init] does, the biases to zero, and ends with
// [ConvTranspose2D.Refresh].
func (l *ConvTranspose2D) Init(r *rand.Rand) {
	c := &l.config
	// Each output sees about k*k/s*s of the kernel's places.
	fanIn := max(1, c.In/c.Groups*c.Kernel*c.Kernel/(c.Stride*c.Stride))
	initWeight(r, l.weight, false, c.Act, fanIn)
	clear(l.bias.Data)
	l.Refresh()
}

// Refresh takes over the parameters as they are now.
func (l *ConvTranspose2D) Refresh() { l.core.pack(l.weight.Data, nil, l.bias.Data, false) }

// Forward sets y to the output for x.
func (l *ConvTranspose2D) Forward(y, x *Tensor) {
	c := &l.core
	x.need("input of a transposed convolution", c.out, x.H, x.W)
	c.resize(l.passes.pool, x.H*c.s, x.W*c.s)
	y.need("output of a transposed convolution", c.in, c.h, c.w)
	l.passes.scatter(y, source{t: x}, kernels.Epilogue{Act: l.config.Act != Linear, Slope: l.config.Act.slope()})
}

// Backward is like [Conv2D.Backward].
func (l *ConvTranspose2D) Backward(dx, dy, x, y *Tensor, weights bool) {
	c := &l.core
	x.need("input of a transposed convolution", c.out, x.H, x.W)
	c.resize(l.passes.pool, x.H*c.s, x.W*c.s)
	d := gated(dy, y, c.in, c.h, c.w, l.config.Act)
	if weights {
		l.passes.weights(d, source{t: x})
	}
	if dx != nil {
		dx.need("gradient of a transposed convolution's input", c.out, c.oh, c.ow)
		l.passes.gather(dx, d, kernels.Epilogue{})
	}
}

// convPasses runs a convCore on a pool. It holds the arguments of the pass that runs.
type convPasses struct {
	core     *convCore
	pool     *Pool
	partials *Partials
	pieces   int

	to       *Tensor
	from, by source
	epilogue kernels.Epilogue

	gatherTask, scatterTask, weightTask func(worker, task int)
}

func (p *convPasses) init(c *convCore, pool *Pool, transposed bool, params []*Param) {
	p.core, p.pool, p.partials = c, pool, NewPartials(params)
	p.gatherTask = func(worker, task int) { c.apply(worker, task, p.to, p.from, p.epilogue) }
	p.scatterTask = func(worker, task int) { c.scatter(worker, task, p.to, p.from, p.epilogue) }
	p.weightTask = func(worker, task int) {
		grad := p.partials.Piece(task)
		from, to := band(c.bands, p.pieces, task)
		n := len(params[0].Grad)
		if !transposed {
			c.weightGrad(worker, from, to, grad[:n], p.from, p.by, grad[n:])
			return
		}
		c.weightGrad(worker, from, to, grad[:n], p.from, p.by, nil)
		c.pictureSums(worker, from, to, grad[n:], p.from)
	}
}

func (p *convPasses) gather(to *Tensor, from source, e kernels.Epilogue) {
	p.to, p.from, p.epilogue = to, from, e
	p.pool.Run(p.core.bands, p.gatherTask)
	p.to, p.from = nil, source{}
}

func (p *convPasses) scatter(to *Tensor, from source, e kernels.Epilogue) {
	p.to, p.from, p.epilogue = to, from, e
	p.pool.Run(p.core.backBands, p.scatterTask)
	p.to, p.from = nil, source{}
}

// weights adds up the parameters' gradients, x being the picture and dy the strided
// side.
func (p *convPasses) weights(x, dy source) {
	p.from, p.by = x, dy
	p.pieces = p.core.weightPieces()
	p.partials.Resize(p.pieces)
	p.pool.Run(p.pieces, p.weightTask)
	p.partials.Reduce()
	p.from, p.by = source{}, source{}
}
