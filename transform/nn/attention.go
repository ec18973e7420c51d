package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// An Attention is multi-head self-attention on sequences of rows (Vaswani et al.,
// "Attention Is All You Need", 2017): for each head h of width w,
//
//	p = softmax over keys j of (q_i · k_j / sqrt(w) + bias_j),  o_i = sum p_ij v_j
//
// and y is a linear layer of all heads' o. The biases, one for each token, are not
// learned: they weigh tokens that stand for several (the logarithm of their size:
// proportional attention), and hide others (a bias of -100 or below).
//
// It keeps what [Attention.Backward] needs of the last forward pass.
type Attention struct {
	width, heads int
	qkv, project *Dense // width to 3*width (queries, keys, values), width to width
	pool         *Pool
	gemms        []kernels.Gemm
	scratch      [][]float32 // [workers]

	// Of the last forward pass.
	sequences, length int
	projected         []float32 // [rows][3*width]
	mixed             []float32 // [rows][width]: the heads' outputs
	probabilities     []float32 // [sequences][heads][length][length]
	dprojected        []float32
	dmixed            []float32
}

// NewAttention returns a layer whose parameters are zero, named after name; heads
// must divide width.
func NewAttention(name string, width, heads int, pool *Pool) (*Attention, error) {
	if width < 1 || heads < 1 || width%heads != 0 {
		return nil, fmt.Errorf("nn: Attention %s has %d heads for a width of %d", name, heads, width)
	}
	a := &Attention{width: width, heads: heads, pool: pool, gemms: make([]kernels.Gemm, pool.Workers()), scratch: make([][]float32, pool.Workers())}
	var err error
	if a.qkv, err = NewDense(name+".qkv", width, 3*width, pool); err != nil {
		return nil, err
	}
	if a.project, err = NewDense(name+".proj", width, width, pool); err != nil {
		return nil, err
	}
	return a, nil
}

// Params returns weights and biases of queries, keys and values, and of the last
// linear layer.
func (a *Attention) Params() []*Param { return append(a.qkv.Params(), a.project.Params()...) }

// Init initialises the linear layers, see [Dense.Init].
func (a *Attention) Init(r *rand.Rand) {
	a.qkv.Init(r)
	a.project.Init(r)
}

// Refresh takes over the parameters as they are now.
func (a *Attention) Refresh() {
	a.qkv.Refresh()
	a.project.Refresh()
}

// MACs returns the multiplications of a forward pass of one sequence.
func (a *Attention) MACs(length int) int {
	return length*(a.qkv.MACs()+a.project.MACs()) + 2*length*length*a.width
}

// Forward sets y to the output for x, both [sequences*length][width]. bias is
// [sequences*length], or nil for zeros.
func (a *Attention) Forward(y, x, bias []float32, sequences, length int) {
	rows := sequences * length
	if bias != nil {
		needRows("biases of attention", bias, rows, 1)
	}
	a.sequences, a.length = sequences, length
	a.projected = grow(a.projected, rows*3*a.width)
	a.mixed = grow(a.mixed, rows*a.width)
	a.probabilities = grow(a.probabilities, a.heads*rows*length)
	a.qkv.Forward(a.projected, x, rows)
	w, stride := a.width/a.heads, 3*a.width
	scale := float32(1 / math.Sqrt(float64(w)))
	a.pool.Run(sequences, func(worker, s int) {
		g := &a.gemms[worker]
		keys := grow(a.scratch[worker], w*length) // [w][length]: long rows are faster
		a.scratch[worker] = keys
		for h := range a.heads {
			q := a.projected[s*length*stride+h*w:]
			k, v := q[a.width:], q[2*a.width:]
			for j := range length {
				for c, f := range k[j*stride : j*stride+w] {
					keys[c*length+j] = f
				}
			}
			p := a.Probabilities(s, h)
			g.NN(p, length, q, stride, keys, length, length, length, w, false)
			kernels.AxpbyF32(p, scale, p, 0)
			if bias != nil {
				for i := range length {
					axpy(p[i*length:(i+1)*length], bias[s*length:(s+1)*length])
				}
			}
			softmaxRows(p, length)
			g.NN(a.mixed[s*length*a.width+h*w:], a.width, p, length, v, stride, length, w, length, false)
		}
	})
	a.project.Forward(y, a.mixed, rows)
}

// softmaxRows makes probabilities of the logits of each row of length n.
func softmaxRows(p []float32, n int) {
	for at := 0; at < len(p); at += n {
		row := p[at : at+n]
		top := row[0]
		for _, v := range row {
			if v > top {
				top = v
			}
		}
		for i, v := range row {
			row[i] = v - top
		}
	}
	kernels.ExpF32(p, p)
	for at := 0; at < len(p); at += n {
		row := p[at : at+n]
		var s [4]float32 // in four chains, not to wait for each addition
		i := 0
		for ; i+4 <= n; i += 4 {
			s[0] += row[i]
			s[1] += row[i+1]
			s[2] += row[i+2]
			s[3] += row[i+3]
		}
		for ; i < n; i++ {
			s[0] += row[i]
		}
		inverse := 1 / (s[0] + s[1] + (s[2] + s[3]))
		for i := range row {
			row[i] *= inverse
		}
	}
}

// Probabilities returns [length][length], queries by keys, of a head of a sequence in
// the last forward pass.
func (a *Attention) Probabilities(sequence, head int) []float32 {
	n := a.length * a.length
	at := (sequence*a.heads + head) * n
	return a.probabilities[at : at+n : at+n]
}

// Projected returns the queries, keys and values of the last forward pass:
// [sequences*length][3*width], the heads after one another in each.
func (a *Attention) Projected() []float32 { return a.projected }

// Backward goes back from the gradient dy with respect to the output for x, on which
// Forward must have run last. It sets dx to the gradient with respect to x, and
// dbias, unless it is nil, to that with respect to the biases; and it adds the
// parameters' gradients to theirs if weights is true.
func (a *Attention) Backward(dx, dbias, dy, x []float32, weights bool) {
	sequences, length := a.sequences, a.length
	rows := sequences * length
	if dbias != nil {
		needRows("gradient of attention's biases", dbias, rows, 1)
	}
	a.dmixed = grow(a.dmixed, rows*a.width)
	a.dprojected = grow(a.dprojected, rows*3*a.width)
	a.project.Backward(a.dmixed, dy, a.mixed, rows, weights)
	w, stride := a.width/a.heads, 3*a.width
	scale := float32(1 / math.Sqrt(float64(w)))
	a.pool.Run(sequences, func(worker, s int) {
		g := &a.gemms[worker]
		buf := grow(a.scratch[worker], w*length+length*length)
		a.scratch[worker] = buf
		values, dp := buf[:w*length], buf[w*length:]
		if dbias != nil {
			clear(dbias[s*length : (s+1)*length])
		}
		for h := range a.heads {
			at := s*length*stride + h*w
			q, dq := a.projected[at:], a.dprojected[at:]
			k, v, dk, dv := q[a.width:], q[2*a.width:], dq[a.width:], dq[2*a.width:]
			dmixed := a.dmixed[s*length*a.width+h*w:]
			p := a.Probabilities(s, h)
			for j := range length {
				for c, f := range v[j*stride : j*stride+w] {
					values[c*length+j] = f
				}
			}
			g.NN(dp, length, dmixed, a.width, values, length, length, length, w, false)
			g.TN(dv, stride, p, length, dmixed, a.width, length, w, length, false)
			// Through the softmax: ds = p (dp - sum p dp).
			for i := range length {
				row, d := p[i*length:(i+1)*length], dp[i*length:(i+1)*length]
				dot := float32(kernels.DotF32(row, d))
				for j, f := range row {
					d[j] = f * (d[j] - dot)
				}
				if dbias != nil {
					axpy(dbias[s*length:(s+1)*length], d)
				}
			}
			kernels.AxpbyF32(dp, scale, dp, 0)
			g.NN(dq, stride, dp, length, k, stride, length, w, length, false)
			g.TN(dk, stride, dp, length, q, stride, length, w, length, false)
		}
	})
	a.qkv.Backward(dx, a.dprojected, x, rows, weights)
}
