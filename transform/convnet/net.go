package convnet

import (
	"fmt"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A layer is an operation with its parameters. It keeps what backward needs of the
// last forward pass, its input and output among that.
type layer interface {
	// forward returns the output for x, [rows][in], of pictures at the given rates.
	forward(x []float32, s Shape, rates []float32) []float32
	// backward returns the gradient with respect to the input for that with respect to
	// the output, or nil if it is not wanted. It may destroy dy.
	backward(dy []float32, input, weights bool) []float32
	params() []*nn.Param
	refresh()
}

// A Net is a network, a list of operations.
type Net struct {
	In, Out int // channels
	Ops     []Op
	layers  []layer
}

// New returns a network on in channels whose parameters are zero, but for the
// depthwise convolutions, which are the identity. They are named after name and the
// numbers of the operations.
func New(name string, in int, ops []Op, pool *nn.Pool) (*Net, error) {
	channels, err := Channels(in, ops)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n := &Net{In: in, Out: in, Ops: ops}
	for i, op := range ops {
		of := fmt.Sprintf("%s.%d", name, i)
		var l layer
		switch op.Kind {
		case OpLinear:
			l, err = newLinear(of, n.Out, op, pool)
		case OpBlock:
			l, err = newBlock(of, n.Out, op.Hidden, pool)
		case OpDown:
			l = &shuffle{op: op, channels: n.Out, down: true, pool: pool}
		case OpUp:
			l = &shuffle{op: op, channels: channels[i], pool: pool}
		case OpRate:
			l = newRate(of, n.Out, op.Anchors)
		}
		if err != nil {
			return nil, err
		}
		n.layers = append(n.layers, l)
		n.Out = channels[i]
	}
	return n, nil
}

// Init sets the weights of linear operations and of the first product of each block
// at random (He et al., 2015), and the second product to zero: blocks begin as the
// identity. It ends with Refresh.
func (n *Net) Init(r *rand.Rand) {
	for _, l := range n.layers {
		switch l := l.(type) {
		case *linear:
			l.dense.Init(r)
		case *block:
			l.first.Init(r)
		}
	}
	n.Refresh()
}

// Params returns the parameters: weight and bias of linear operations; those of the
// depthwise convolution, [9][channels] and [channels], and of the two products of
// blocks; the anchors, [anchors][channels], of rates.
func (n *Net) Params() []*nn.Param {
	var p []*nn.Param
	for _, l := range n.layers {
		p = append(p, l.params()...)
	}
	return p
}

// Refresh takes over the parameters as they are now.
func (n *Net) Refresh() {
	for _, l := range n.layers {
		l.refresh()
	}
}

// Forward returns the output for x, [N][H][W][In], and its shape. rates has a number
// in 0..1 for each picture of the batch; it may be nil if no operation uses it. The
// output is valid until the next pass.
func (n *Net) Forward(x []float32, s Shape, rates []float32) ([]float32, Shape) {
	if len(x) != s.Rows()*n.In {
		panic(fmt.Sprintf("convnet: input has %d elements, want %d rows of %d", len(x), s.Rows(), n.In))
	}
	for i, l := range n.layers {
		x = l.forward(x, s, rates)
		s = n.Ops[i].after(s)
	}
	return x, s
}

// Backward goes back from the gradient dy with respect to the output of the last
// forward pass, and destroys it. It returns the gradient with respect to the input,
// which is valid until the next pass, or nil if input is false; and it adds the
// parameters' gradients to theirs if weights is true.
func (n *Net) Backward(dy []float32, input, weights bool) []float32 {
	for i := len(n.layers) - 1; i >= 0; i-- {
		dy = n.layers[i].backward(dy, input || i > 0, weights)
	}
	return dy
}

// sized returns s with n elements, allocating if it is too small.
func sized(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// chunk is how many elements one task takes.
const chunk = 1 << 14

func chunks(n int) int { return (n + chunk - 1) / chunk }

func chunkOf(i, n int) (from, to int) { return i * chunk, min((i+1)*chunk, n) }

// linear is OpLinear.
type linear struct {
	dense   *nn.Dense
	in, out int
	relu    bool
	pool    *nn.Pool

	x, y, dx []float32
	rows     int
}

func newLinear(name string, in int, op Op, pool *nn.Pool) (*linear, error) {
	d, err := nn.NewDense(name, in, op.Out, pool)
	return &linear{dense: d, in: in, out: op.Out, relu: op.ReLU, pool: pool}, err
}

func (l *linear) params() []*nn.Param { return l.dense.Params() }
func (l *linear) refresh()            { l.dense.Refresh() }

func (l *linear) forward(x []float32, s Shape, _ []float32) []float32 {
	l.x, l.rows = x, s.Rows()
	l.y = sized(l.y, l.rows*l.out)
	l.dense.Forward(l.y, x, l.rows)
	if l.relu {
		rectify(l.pool, l.y)
	}
	return l.y
}

func (l *linear) backward(dy []float32, input, weights bool) []float32 {
	if l.relu {
		gate(l.pool, dy, l.y)
	}
	var dx []float32
	if input {
		l.dx = sized(l.dx, l.rows*l.in)
		dx = l.dx
	}
	l.dense.Backward(dx, dy, l.x, l.rows, weights)
	return dx
}

func rectify(pool *nn.Pool, x []float32) {
	pool.Run(chunks(len(x)), func(_, i int) {
		from, to := chunkOf(i, len(x))
		kernels.LeakyF32(x[from:to], x[from:to], 0)
	})
}

// gate clears d where the rectified y is not positive.
func gate(pool *nn.Pool, d, y []float32) {
	pool.Run(chunks(len(d)), func(_, i int) {
		from, to := chunkOf(i, len(d))
		kernels.GateF32(d[from:to], d[from:to], y[from:to], 0)
	})
}

// add adds x to y.
func add(pool *nn.Pool, y, x []float32) {
	pool.Run(chunks(len(y)), func(_, i int) {
		from, to := chunkOf(i, len(y))
		kernels.AxpbyF32(y[from:to], 1, x[from:to], 1)
	})
}

// block is OpBlock.
type block struct {
	channels, hidden int
	spread, offset   *nn.Param // the depthwise convolution's [9][channels] and [1][channels]
	first, second    *nn.Dense
	partials         *nn.Partials // of the depthwise convolution, a piece for each picture
	pool             *nn.Pool

	s            Shape
	x, t, u, y   []float32 // input, convolution, rectified first product, output
	du, dt, dx   []float32
	passWeights  bool
	wantsInput   bool
	forwardTask  func(worker, task int)
	backwardTask func(worker, task int)
}

func newBlock(name string, channels, hidden int, pool *nn.Pool) (*block, error) {
	first, err := nn.NewDense(name+".first", channels, hidden, pool)
	if err != nil {
		return nil, err
	}
	second, err := nn.NewDense(name+".second", hidden, channels, pool)
	if err != nil {
		return nil, err
	}
	b := &block{
		channels: channels, hidden: hidden, pool: pool,
		spread: nn.NewParam(name+".depthwise.weight", 9, channels),
		offset: nn.NewParam(name+".depthwise.bias", 1, channels),
		first:  first, second: second,
	}
	for i := range channels {
		b.spread.Data[4*channels+i] = 1
	}
	b.partials = nn.NewPartials([]*nn.Param{b.spread, b.offset})
	b.forwardTask, b.backwardTask = b.forwardPicture, b.backwardPicture
	return b, nil
}

func (b *block) params() []*nn.Param {
	return append(append([]*nn.Param{b.spread, b.offset}, b.first.Params()...), b.second.Params()...)
}

func (b *block) refresh() {
	b.first.Refresh()
	b.second.Refresh()
}

// picture returns the part of x that belongs to picture i of the batch.
func (b *block) picture(x []float32, i int) []float32 {
	n := b.s.H * b.s.W * b.channels
	return x[i*n : (i+1)*n]
}

func (b *block) forwardPicture(_, i int) {
	kernels.DepthwiseF32(b.picture(b.t, i), b.picture(b.x, i), b.spread.Data, b.offset.Data, b.s.H, b.s.W, b.channels)
}

func (b *block) backwardPicture(_, i int) {
	var dw, db, dx []float32
	if b.passWeights {
		p := b.partials.Piece(i)
		dw, db = p[:9*b.channels], p[9*b.channels:]
	}
	if b.wantsInput {
		dx = b.picture(b.dx, i)
	}
	kernels.DepthwiseGradF32(dx, dw, db, b.picture(b.dt, i), b.picture(b.x, i), b.spread.Data, b.s.H, b.s.W, b.channels)
}

func (b *block) forward(x []float32, s Shape, _ []float32) []float32 {
	rows := s.Rows()
	b.s, b.x = s, x
	b.t, b.u, b.y = sized(b.t, rows*b.channels), sized(b.u, rows*b.hidden), sized(b.y, rows*b.channels)
	b.pool.Run(s.N, b.forwardTask)
	b.first.Forward(b.u, b.t, rows)
	rectify(b.pool, b.u)
	b.second.Forward(b.y, b.u, rows)
	add(b.pool, b.y, x)
	return b.y
}

func (b *block) backward(dy []float32, input, weights bool) []float32 {
	rows := b.s.Rows()
	b.du, b.dt = sized(b.du, rows*b.hidden), sized(b.dt, rows*b.channels)
	b.second.Backward(b.du, dy, b.u, rows, weights)
	gate(b.pool, b.du, b.u)
	b.first.Backward(b.dt, b.du, b.t, rows, weights)
	b.passWeights, b.wantsInput = weights, input
	if weights {
		b.partials.Resize(b.s.N)
	}
	if input {
		b.dx = sized(b.dx, rows*b.channels)
	}
	b.pool.Run(b.s.N, b.backwardTask)
	if weights {
		b.partials.Reduce()
	}
	if !input {
		return nil
	}
	add(b.pool, b.dx, dy)
	return b.dx
}

// shuffle is OpDown and OpUp.
type shuffle struct {
	op       Op
	channels int // of the finer grid
	down     bool
	pool     *nn.Pool

	s     Shape // of the finer grid
	y, dx []float32
}

func (l *shuffle) params() []*nn.Param { return nil }
func (l *shuffle) refresh()            {}

func (l *shuffle) forward(x []float32, s Shape, _ []float32) []float32 {
	l.y = sized(l.y, len(x))
	l.s = s
	if !l.down {
		l.s = l.op.after(s)
	}
	l.move(l.y, x, l.down)
	return l.y
}

func (l *shuffle) backward(dy []float32, input, _ bool) []float32 {
	if !input {
		return nil
	}
	l.dx = sized(l.dx, len(dy))
	l.move(l.dx, dy, !l.down)
	return l.dx
}

// move copies x to y, from the finer to the coarser grid or back.
func (l *shuffle) move(y, x []float32, down bool) {
	f, run := l.op.Factor, l.op.Factor*l.channels
	coarse := l.s.W / f
	l.pool.Run(l.s.N*l.s.H/f, func(_, task int) {
		// Row task of the coarser grid; a run of f positions of the finer grid lies in
		// one piece in both.
		for dy := range f {
			fine := (task*f + dy) * l.s.W * l.channels
			at := (task*coarse*f + dy) * run
			for j := range coarse {
				a, b := fine+j*run, at+j*f*run
				if down {
					copy(y[b:b+run], x[a:a+run])
				} else {
					copy(y[a:a+run], x[b:b+run])
				}
			}
		}
	})
}

// rate is OpRate.
type rate struct {
	channels int
	anchors  *nn.Param
	offset   []float32

	s     Shape
	rates []float32
	y     []float32
}

func newRate(name string, channels, anchors int) *rate {
	return &rate{channels: channels, anchors: nn.NewParam(name+".anchors", anchors, channels), offset: make([]float32, channels)}
}

func (l *rate) params() []*nn.Param { return []*nn.Param{l.anchors} }
func (l *rate) refresh()            {}

// At returns the anchor below a rate in 0..1 of so many anchors, and how far the rate
// is towards the next.
func At(rate float32, anchors int) (below int, towards float32) {
	if !(rate >= 0 && rate <= 1) {
		panic(fmt.Sprintf("convnet: rate %v", rate))
	}
	p := rate * float32(anchors-1)
	below = min(int(p), anchors-2)
	return below, p - float32(below)
}

func (l *rate) forward(x []float32, s Shape, rates []float32) []float32 {
	l.s, l.rates = s, rates
	l.y = sized(l.y, len(x))
	n := s.H * s.W * l.channels
	for i := range s.N {
		k, f := At(rates[i], l.anchors.Rows)
		lo, hi := l.row(k), l.row(k+1)
		for c := range l.offset {
			l.offset[c] = lo[c] + f*(hi[c]-lo[c])
		}
		for at := i * n; at < (i+1)*n; at += l.channels {
			y := l.y[at : at+l.channels]
			copy(y, x[at:at+l.channels])
			kernels.AxpbyF32(y, 1, l.offset, 1)
		}
	}
	return l.y
}

func (l *rate) row(k int) []float32 {
	return l.anchors.Data[k*l.channels : (k+1)*l.channels]
}

func (l *rate) backward(dy []float32, _, weights bool) []float32 {
	if !weights {
		return dy
	}
	n := l.s.H * l.s.W * l.channels
	for i := range l.s.N {
		clear(l.offset)
		for at := i * n; at < (i+1)*n; at += l.channels {
			kernels.AxpbyF32(l.offset, 1, dy[at:at+l.channels], 1)
		}
		k, f := At(l.rates[i], l.anchors.Rows)
		lo := l.anchors.Grad[k*l.channels : (k+1)*l.channels]
		hi := l.anchors.Grad[(k+1)*l.channels : (k+2)*l.channels]
		kernels.AxpbyF32(lo, 1, l.offset, 1-f)
		kernels.AxpbyF32(hi, 1, l.offset, f)
	}
	return dy
}
