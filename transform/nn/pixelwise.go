package nn

import "fmt"

// A Pixelwise applies an [MLP] at every position of a tensor. It keeps no
// activations: Backward computes each block's again, which costs less than to
// fetch them from memory.
type Pixelwise struct {
	mlp      *MLP
	pool     *Pool
	blocks   []*MLPBlock // [workers]
	partials *Partials
	x, y     *Tensor
	dx, dy   *Tensor
	weights  bool
	forward  func(worker, task int)
	backward func(worker, task int)
}

// NewPixelwise returns m on the workers of pool.
func NewPixelwise(m *MLP, pool *Pool) *Pixelwise {
	p := &Pixelwise{mlp: m, pool: pool, partials: NewPartials(m.Params())}
	for range pool.Workers() {
		p.blocks = append(p.blocks, m.NewBlock())
	}
	p.forward = p.forwardPiece
	p.backward = p.backwardPiece
	return p
}

// Positions are divided into at most maxPieces pieces of whole blocks.
const maxPieces = 64

// pieceSize returns the positions of a piece of n.
func pieceSize(n int) int {
	blocks := (n + BlockSize - 1) / BlockSize
	return (blocks + maxPieces - 1) / maxPieces * BlockSize
}

func pieceCount(n int) int {
	size := pieceSize(n)
	if size == 0 {
		return 0
	}
	return (n + size - 1) / size
}

// Forward sets y to the network's outputs for the inputs x, [In][H][W] to [Out][H][W].
func (p *Pixelwise) Forward(y, x *Tensor) {
	x.need("input of an MLP", p.mlp.In(), x.H, x.W)
	y.need("output of an MLP", p.mlp.Out(), x.H, x.W)
	p.x, p.y = x, y
	p.pool.Run(pieceCount(x.H*x.W), p.forward)
	p.x, p.y = nil, nil
}

// eachBlock calls f for the blocks of a piece.
func eachBlock(n, piece int, f func(at, n int)) {
	size := pieceSize(n)
	end := min(n, (piece+1)*size)
	for at := piece * size; at < end; at += BlockSize {
		f(at, min(BlockSize, end-at))
	}
}

func (p *Pixelwise) load(b *MLPBlock, at, n int) {
	for i := range p.mlp.In() {
		copy(b.Input(i), p.x.Plane(i)[at:at+n])
	}
	p.mlp.Forward(b, n)
}

func (p *Pixelwise) forwardPiece(worker, piece int) {
	b := p.blocks[worker]
	eachBlock(p.x.H*p.x.W, piece, func(at, n int) {
		p.load(b, at, n)
		for i := range p.mlp.Out() {
			copy(p.y.Plane(i)[at:at+n], b.Output(i))
		}
	})
}

// Backward goes back from the gradient dy with respect to the outputs for x. It sets
// dx to the gradient with respect to x, unless dx is nil, and adds the parameters'
// gradients to theirs if weights is true. dx may be x, which is then lost.
func (p *Pixelwise) Backward(dx, dy, x *Tensor, weights bool) {
	x.need("input of an MLP", p.mlp.In(), x.H, x.W)
	dy.need("gradient of an MLP's output", p.mlp.Out(), x.H, x.W)
	if dx != nil {
		dx.need("gradient of an MLP's input", x.C, x.H, x.W)
	}
	p.x, p.dx, p.dy, p.weights = x, dx, dy, weights
	pieces := pieceCount(x.H * x.W)
	if weights {
		p.partials.Resize(pieces)
	}
	p.pool.Run(pieces, p.backward)
	if weights {
		p.partials.Reduce()
	}
	p.x, p.dx, p.dy = nil, nil, nil
}

func (p *Pixelwise) backwardPiece(worker, piece int) {
	b := p.blocks[worker]
	var grad []float32
	if p.weights {
		grad = p.partials.Piece(piece)
	}
	eachBlock(p.x.H*p.x.W, piece, func(at, n int) {
		p.load(b, at, n)
		for i := range p.mlp.Out() {
			copy(b.OutputGrad(i), p.dy.Plane(i)[at:at+n])
		}
		p.mlp.Backward(b, n, grad, p.dx != nil)
		if p.dx != nil {
			for i := range p.mlp.In() {
				copy(p.dx.Plane(i)[at:at+n], b.InputGrad(i))
			}
		}
	})
}

// An Offset is a place relative to a position: rows down and columns right.
type Offset struct{ DY, DX int }

// A Context gathers, for every position of a plane, the values at fixed offsets
// from it, zero outside the plane, as the inputs of an [MLP] that predicts each
// value from its neighbours; and it adds the gradients of those inputs up to the
// gradient of the plane.
//
// Work is divided into pieces of whole rows. Pieces may be done in any order and by
// any worker, as in
//
//	c.Load(plane)
//	pool.Run(c.Pieces(), func(worker, piece int) {
//		c.StartPiece(piece)
//		c.Blocks(piece, func(at, n int) {
//			rows, stride := b[worker].Inputs()
//			c.Gather(rows, stride, at, n)
//			... Forward, loss, Backward ...
//			rows, stride = b[worker].InputGrads()
//			c.Scatter(piece, rows, stride, at, n)
//		})
//	})
//	c.AddGradient(grad)
type Context struct {
	h, w                     int
	offsets                  []Offset
	top, bottom, left, right int // rows and columns around the plane that offsets reach
	stride                   int // of padded rows
	padded                   []float32
	rows                     int         // of a piece
	sums                     [][]float32 // of each piece, its rows and those around it
}

// NewContext returns a context for planes of h rows and w columns.
func NewContext(h, w int, offsets []Offset) (*Context, error) {
	if h < 1 || w < 1 || len(offsets) == 0 {
		return nil, fmt.Errorf("nn: context of %d offsets in a plane of %d x %d", len(offsets), w, h)
	}
	c := &Context{h: h, w: w, offsets: append([]Offset(nil), offsets...)}
	for _, o := range offsets {
		if max(o.DX, -o.DX, o.DY, -o.DY) > 1<<10 {
			return nil, fmt.Errorf("nn: context offset %d,%d is too far", o.DX, o.DY)
		}
		c.top, c.bottom = max(c.top, -o.DY), max(c.bottom, o.DY)
		c.left, c.right = max(c.left, -o.DX), max(c.right, o.DX)
	}
	c.stride = w + c.left + c.right
	c.padded = make([]float32, (h+c.top+c.bottom)*c.stride)
	c.rows = max(1, (pieceSize(h*w)+w-1)/w)
	c.sums = make([][]float32, (h+c.rows-1)/c.rows)
	for i := range c.sums {
		rows := min(c.rows, h-i*c.rows)
		c.sums[i] = make([]float32, (rows+c.top+c.bottom)*c.stride)
	}
	return c, nil
}

// Load takes the values of a plane, [h][w].
func (c *Context) Load(plane []float32) {
	if len(plane) != c.h*c.w {
		panic("nn: Context: plane of another size")
	}
	for y := range c.h {
		copy(c.padded[(y+c.top)*c.stride+c.left:], plane[y*c.w:][:c.w])
	}
}

// Pieces returns how many pieces the plane divides into.
func (c *Context) Pieces() int { return len(c.sums) }

// StartPiece clears the gradients of a piece: call it before the first Scatter.
func (c *Context) StartPiece(piece int) { clear(c.sums[piece]) }

// Blocks calls f for ranges of at most [BlockSize] positions that make up a piece, at
// being the first, y*w+x.
func (c *Context) Blocks(piece int, f func(at, n int)) {
	end := min(c.h, (piece+1)*c.rows) * c.w
	for at := piece * c.rows * c.w; at < end; at += BlockSize {
		f(at, min(BlockSize, end-at))
	}
}

// segments calls f for the parts of rows that n positions from at on make up.
func (c *Context) segments(at, n int, f func(y, x, i, n int)) {
	y, x := at/c.w, at%c.w
	for i := 0; i < n; y, x = y+1, 0 {
		m := min(c.w-x, n-i)
		f(y, x, i, m)
		i += m
	}
}

// Gather sets dst[k*stride+i] to the value at offset k from position at+i, i < n.
func (c *Context) Gather(dst []float32, stride, at, n int) {
	c.segments(at, n, func(y, x, i, n int) {
		for k, o := range c.offsets {
			copy(dst[k*stride+i:][:n], c.padded[(y+o.DY+c.top)*c.stride+x+o.DX+c.left:])
		}
	})
}

// Scatter adds src[k*stride+i] to the gradient at offset k from position at+i, i < n,
// which must lie in the given piece.
func (c *Context) Scatter(piece int, src []float32, stride, at, n int) {
	sums := c.sums[piece]
	c.segments(at, n, func(y, x, i, n int) {
		y -= piece * c.rows
		for k, o := range c.offsets {
			d := sums[(y+o.DY+c.top)*c.stride+x+o.DX+c.left:][:n]
			axpy(d, src[k*stride+i:][:n])
		}
	})
}

// AddGradient adds the gradients that Scatter was given to grad, [h][w].
func (c *Context) AddGradient(grad []float32) {
	if len(grad) != c.h*c.w {
		panic("nn: Context: plane of another size")
	}
	for i, sums := range c.sums {
		for r := 0; r*c.stride < len(sums); r++ {
			if y := i*c.rows + r - c.top; y >= 0 && y < c.h {
				axpy(grad[y*c.w:][:c.w], sums[r*c.stride+c.left:][:c.w])
			}
		}
	}
}
