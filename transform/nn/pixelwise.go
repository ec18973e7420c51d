package nn

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
