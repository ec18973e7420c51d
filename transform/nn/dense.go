package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// The layers of transformers work on rows: a matrix [rows][width], row-major, one
// row for each token, the tokens of a sequence after one another and the sequences
// of a batch likewise.

// rowPiece is how many rows one task takes: their activations stay in cache.
const rowPiece = 256

func rowPieces(rows int) int { return (rows + rowPiece - 1) / rowPiece }

// rowRange returns the rows of a piece.
func rowRange(piece, rows int) (from, to int) {
	return piece * rowPiece, min((piece+1)*rowPiece, rows)
}

// needRows panics unless s has rows of the given width.
func needRows(what string, s []float32, rows, width int) {
	if rows < 0 || len(s) != rows*width {
		panic(fmt.Sprintf("nn: %s has %d elements, want %d rows of %d", what, len(s), rows, width))
	}
}

// A Dense is a linear layer on rows, y = x Wᵀ + b, W being [out][in]. Its weights are
// used in a transposed form: after the parameters changed, call [Dense.Refresh]
// before the next pass.
type Dense struct {
	in, out      int
	weight, bias *Param
	transposed   []float32 // [in][out]
	pool         *Pool
	gemms        []kernels.Gemm // [workers]
	partials     *Partials

	// The pass that runs.
	y, x, dy, dx      []float32
	rows              int
	weights           bool
	forward, backward func(worker, task int)
}

// NewDense returns a layer whose parameters are zero, named after name.
func NewDense(name string, in, out int, pool *Pool) (*Dense, error) {
	if in < 1 || out < 1 {
		return nil, fmt.Errorf("nn: Dense %s has %d inputs and %d outputs", name, in, out)
	}
	l := &Dense{
		in: in, out: out, pool: pool,
		weight:     NewParam(name+".weight", out, in),
		bias:       NewParam(name+".bias", 1, out),
		transposed: make([]float32, in*out),
		gemms:      make([]kernels.Gemm, pool.Workers()),
	}
	l.partials = NewPartials(l.Params())
	l.forward, l.backward = l.forwardPiece, l.backwardPiece
	return l, nil
}

// Params returns weight and bias.
func (l *Dense) Params() []*Param { return []*Param{l.weight, l.bias} }

// Init sets the weights to uniform variates of variance 1/inputs, the biases to zero,
// and ends with [Dense.Refresh].
func (l *Dense) Init(r *rand.Rand) {
	l.weight.SetUniform(r, math.Sqrt(3/float64(l.in)))
	clear(l.bias.Data)
	l.Refresh()
}

// Refresh takes over the parameters as they are now.
func (l *Dense) Refresh() {
	for o := range l.out {
		for i, v := range l.weight.Data[o*l.in : (o+1)*l.in] {
			l.transposed[i*l.out+o] = v
		}
	}
}

// MACs returns the multiplications per row of a forward pass.
func (l *Dense) MACs() int { return l.in * l.out }

// Forward sets y, [rows][out], to the output for x, [rows][in].
func (l *Dense) Forward(y, x []float32, rows int) {
	needRows("input of a dense layer", x, rows, l.in)
	needRows("output of a dense layer", y, rows, l.out)
	l.y, l.x, l.rows = y, x, rows
	l.pool.Run(rowPieces(rows), l.forward)
	l.y, l.x = nil, nil
}

func (l *Dense) forwardPiece(worker, piece int) {
	from, to := rowRange(piece, l.rows)
	for i := from; i < to; i++ {
		copy(l.y[i*l.out:(i+1)*l.out], l.bias.Data)
	}
	l.gemms[worker].NN(l.y[from*l.out:], l.out, l.x[from*l.in:], l.in, l.transposed, l.out, to-from, l.out, l.in, true)
}

// Backward goes back from the gradient dy with respect to the output for x. It sets
// dx to the gradient with respect to x, unless dx is nil, and adds the parameters'
// gradients to theirs if weights is true.
func (l *Dense) Backward(dx, dy, x []float32, rows int, weights bool) {
	needRows("input of a dense layer", x, rows, l.in)
	needRows("gradient of a dense layer's output", dy, rows, l.out)
	if dx != nil {
		needRows("gradient of a dense layer's input", dx, rows, l.in)
	}
	l.dx, l.dy, l.x, l.rows, l.weights = dx, dy, x, rows, weights
	pieces := rowPieces(rows)
	if weights {
		l.partials.Resize(pieces)
	}
	l.pool.Run(pieces, l.backward)
	if weights {
		l.partials.Reduce()
	}
	l.dx, l.dy, l.x = nil, nil, nil
}

func (l *Dense) backwardPiece(worker, piece int) {
	from, to := rowRange(piece, l.rows)
	g, dy := &l.gemms[worker], l.dy[from*l.out:to*l.out]
	if l.dx != nil {
		g.NN(l.dx[from*l.in:], l.in, dy, l.out, l.weight.Data, l.in, to-from, l.in, l.out, false)
	}
	if !l.weights {
		return
	}
	grad := l.partials.Piece(piece)
	g.TN(grad, l.in, dy, l.out, l.x[from*l.in:], l.in, l.out, l.in, to-from, true)
	bias := grad[len(l.weight.Data):]
	for i := range to - from {
		axpy(bias, dy[i*l.out:(i+1)*l.out])
	}
}

// A GELU applies the Gaussian error linear unit in its sigmoid form, element by
// element (see [kernels.GELUF32]).
type GELU struct {
	pool *Pool
}

// geluChunk is how many elements one task takes.
const geluChunk = 1 << 14

// NewGELU returns the activation on the workers of pool.
func NewGELU(pool *Pool) *GELU { return &GELU{pool} }

// Forward sets y to the activation of x; they have one length, and may be the same.
func (g *GELU) Forward(y, x []float32) {
	needRows("output of GELU", y, len(x), 1)
	g.pool.Run((len(x)+geluChunk-1)/geluChunk, func(_, i int) {
		from, to := i*geluChunk, min((i+1)*geluChunk, len(x))
		kernels.GELUF32(y[from:to], x[from:to])
	})
}

// Backward sets dx to the gradient with respect to x, for the gradient dy with respect
// to the output. dx may be dy.
func (g *GELU) Backward(dx, dy, x []float32) {
	needRows("gradient of GELU's output", dy, len(x), 1)
	needRows("gradient of GELU's input", dx, len(x), 1)
	g.pool.Run((len(x)+geluChunk-1)/geluChunk, func(_, i int) {
		from, to := i*geluChunk, min((i+1)*geluChunk, len(x))
		kernels.GELUGradF32(dx[from:to], dy[from:to], x[from:to])
	})
}
