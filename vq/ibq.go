package vq

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// An IBQ is a codebook learned by index backpropagation (Shi et al., "Scalable Image
// Tokenization with Index Backpropagation Quantization", 2024). A vector z gets the word
// E_j with the largest inner product. Backward the choice counts as the softmax p of the
// inner products, so gradients reach every word, and z, through all of them:
//
//	y = E_j, as if y = Σ_i (onehot_i - sg(p_i) + p_i) E_i,
//	loss = |y - z|² + |sg(E_j) - z|² + Beta |E_j - sg(z)|²
//	     + Entropy (mean of H(q) - H(mean of q)),  q = softmax(z·E / Temperature),
//
// the first three means over the elements, H entropies in nats and means over the batch:
// the last term wants choices that are sure, and all words used alike. Nothing passes
// straight through.
//
// A step costs 4·K·d multiplications and 2·K exponentials for each vector, and memory for
// 2·K numbers for each; a trained codebook has [InnerProduct].
type IBQ struct {
	d, k  int
	opt   IBQOptions
	words *nn.Param // [k][d]
	pool  *nn.Pool

	transposed []float32 // [d][k]
	gemms      []kernels.Gemm

	// The pass that runs.
	z, y   []float32
	codes  []uint32
	logits []float32 // [n][k]; backward their gradients
	sharp  []float32 // [n][k]: q
	logs   []float64 // [n]: z·E/Temperature - log q
	mean   []float32 // [k]: the mean of q
	g      []float32 // [n][d]: the gradient with respect to y
}

// IBQOptions are the weights of the losses of an [IBQ].
type IBQOptions struct {
	Beta        float64 // 0..1000. Default 0.25
	Entropy     float64 // 0..1000; 0 leaves the term away. Default 0.05
	Temperature float64 // above 0. Default 0.01
}

// DefaultIBQOptions returns what nil options mean: the paper's.
func DefaultIBQOptions() IBQOptions { return IBQOptions{0.25, 0.05, 0.01} }

// NewIBQ returns a learner that starts from the given words, [K][d], which it copies.
func NewIBQ(words []float32, d int, o *IBQOptions, pool *nn.Pool) (*IBQ, error) {
	opt := DefaultIBQOptions()
	if o != nil {
		opt = *o
	}
	if err := checkBeta(opt.Beta); err != nil {
		return nil, err
	}
	if !(opt.Entropy >= 0 && opt.Entropy <= 1e3) || !(opt.Temperature > 0 && opt.Temperature <= 1e6) {
		return nil, fmt.Errorf("%w: entropy weight %v, temperature %v", ErrOptions, opt.Entropy, opt.Temperature)
	}
	k, err := checkTraining(words, d, 1)
	if err != nil {
		return nil, err
	}
	if err := checkBook(k); err != nil {
		return nil, err
	}
	q := &IBQ{
		d: d, k: k, opt: opt, words: nn.NewParam("codebook", k, d), pool: pool,
		transposed: make([]float32, k*d), gemms: make([]kernels.Gemm, pool.Workers()), mean: make([]float32, k),
	}
	copy(q.words.Data, words)
	q.Refresh()
	return q, nil
}

// Params implements [Learner]: the words, [K][d].
func (q *IBQ) Params() []*nn.Param { return []*nn.Param{q.words} }

// Refresh implements [Learner].
func (q *IBQ) Refresh() {
	kernels.TransposeF32(q.transposed, q.k, q.words.Data, q.d, q.k, q.d)
}

// Codebook implements [Learner].
func (q *IBQ) Codebook() (*Codebook, error) { return NewCodebook(q.words.Data, q.d, InnerProduct) }

// ibqRows is how many vectors, and words, one task takes.
const ibqRows = 64

func (q *IBQ) rows(n int, f func(worker, from, to int)) {
	q.pool.Run((n+ibqRows-1)/ibqRows, func(worker, i int) { f(worker, i*ibqRows, min((i+1)*ibqRows, n)) })
}

// softmax sets p to the softmax of scale*l, and returns the logarithm of its divisor:
// log p_j = scale*l_j - log.
func softmax(p, l []float32, scale float32) (log float64) {
	top := slices.Max(l)
	for j, v := range l {
		p[j] = scale * (v - top)
	}
	kernels.ExpF32(p, p)
	sum := kernels.SumF32(p)
	kernels.AxpbyF32(p, float32(1/sum), p, 0)
	return float64(scale)*float64(top) + math.Log(sum)
}

// Forward implements [Learner].
func (q *IBQ) Forward(y []float32, codes []uint32, z []float32) float64 {
	n, d, k := len(codes), q.d, q.k
	if n == 0 || len(z) != n*d || len(y) != n*d {
		panic("vq: Forward: lengths do not fit")
	}
	q.z, q.y, q.codes = z, y, codes
	q.logits = slices.Grow(q.logits[:0], n*k)[:n*k]
	sharpen := q.opt.Entropy > 0
	if sharpen {
		q.sharp = slices.Grow(q.sharp[:0], n*k)[:n*k]
		q.logs = slices.Grow(q.logs[:0], n)[:n]
	}
	tasks := (n + ibqRows - 1) / ibqRows
	entropy := make([]float64, tasks)
	q.rows(n, func(worker, from, to int) {
		logits := q.logits[from*k : to*k]
		q.gemms[worker].NN(logits, k, z[from*d:], d, q.transposed, k, to-from, k, d, false)
		for i := from; i < to; i++ {
			row := q.logits[i*k : (i+1)*k]
			best := 0
			for j, v := range row {
				if v > row[best] {
					best = j
				}
			}
			codes[i] = uint32(best)
			copy(y[i*d:(i+1)*d], q.words.Data[best*d:])
			if sharpen {
				p := q.sharp[i*k : (i+1)*k]
				scale := float32(1 / q.opt.Temperature)
				log := softmax(p, row, scale)
				q.logs[i] = log
				// H = Σ p (log - scale*l) = log - scale * p·l
				entropy[from/ibqRows] += log - float64(scale)*kernels.DotF32(p, row)
			}
		}
	})
	loss := (2 + q.opt.Beta) * squaredError(z, y) / float64(len(z))
	if !sharpen {
		return loss
	}
	clear(q.mean)
	for i := range n {
		kernels.AxpbyF32(q.mean, 1, q.sharp[i*k:(i+1)*k], 1/float32(n))
	}
	var each, all float64
	for _, e := range entropy {
		each += e / float64(n)
	}
	for _, p := range q.mean {
		if p > 0 {
			all -= float64(p) * math.Log(float64(p))
		}
	}
	return loss + q.opt.Entropy*(each-all)
}

// Backward implements [Learner].
func (q *IBQ) Backward(dz, dy []float32) {
	n, d, k := len(q.codes), q.d, q.k
	if len(dz) != n*d || len(dy) != n*d {
		panic("vq: Backward: lengths do not fit")
	}
	f := float32(2 / float64(n*d))
	q.g = slices.Grow(q.g[:0], n*d)[:n*d]
	logMean := make([]float32, k)
	for j, p := range q.mean {
		logMean[j] = float32(math.Log(max(float64(p), 1e-30)))
	}
	scale := float32(1 / q.opt.Temperature)
	q.rows(n, func(worker, from, to int) {
		for i := from * d; i < to*d; i++ {
			e := f * (q.y[i] - q.z[i])
			q.g[i] = dy[i] + e
			dz[i] = -2 * e // the first two terms
		}
		// What each word's share in y would change.
		shares := make([]float32, (to-from)*k)
		p := make([]float32, k)
		q.gemms[worker].NN(shares, k, q.g[from*d:], d, q.transposed, k, to-from, k, d, false)
		for i := from; i < to; i++ {
			row, share := q.logits[i*k:(i+1)*k], shares[(i-from)*k:(i-from+1)*k]
			softmax(p, row, 1)
			mean := float32(kernels.DotF32(p, share))
			for j, v := range share {
				share[j] = p[j] * (v - mean)
			}
			if q.opt.Entropy > 0 {
				// With respect to q: Entropy/n (log mean - log q).
				sharp, log := q.sharp[i*k:(i+1)*k], float32(q.logs[i])
				for j, l := range row {
					p[j] = logMean[j] - (scale*l - log)
				}
				mean := float32(kernels.DotF32(sharp, p))
				w := float32(q.opt.Entropy/float64(n)) * scale
				for j, v := range p {
					share[j] += w * sharp[j] * (v - mean)
				}
			}
			copy(row, share)
		}
		q.gemms[worker].NN(dz[from*d:], d, q.logits[from*k:], k, q.words.Data, d, to-from, d, k, true)
	})
	// The gradient of the words, by ranges of words: dlogitsᵀ z.
	q.rows(k, func(worker, from, to int) {
		q.gemms[worker].TN(q.words.Grad[from*d:], d, q.logits[from:], k, q.z, d, to-from, d, n, true)
	})
	beta := float32(q.opt.Beta)
	for i, c := range q.codes {
		to := q.words.Grad[int(c)*d:][:d]
		for j := range to {
			e := f * (q.y[i*d+j] - q.z[i*d+j])
			to[j] += q.g[i*d+j] + beta*e
		}
	}
}

// TrainIBQ trains k words on the vectors x, [n][d], n >= k, starting from some of them
// drawn at random, and returns them with [InnerProduct]. IBQ is made to learn with an
// encoder; vectors that stay as they are get the word with the largest inner product,
// not the nearest, and err more than with [TrainKMeans].
func TrainIBQ(x []float32, d, k int, weights *IBQOptions, o *LearnOptions) (*Codebook, error) {
	opt, err := o.check()
	if err != nil {
		return nil, err
	}
	if err := checkBook(k); err != nil {
		return nil, err
	}
	n, err := checkTraining(x, d, k)
	if err != nil {
		return nil, err
	}
	// The choice is a softmax of inner products, whose sharpness depends on the scale:
	// train on elements of size 1. Words larger all alike are chosen alike.
	scale := float32(elementScale(x))
	unit := slices.Clone(x)
	for i := range unit {
		unit[i] /= scale
	}
	r := newRand(opt.Seed, 10)
	words := make([]float32, 0, k*d)
	for _, i := range r.Perm(n)[:k] {
		words = append(words, unit[i*d:(i+1)*d]...)
	}
	q, err := NewIBQ(words, d, weights, opt.Pool)
	if err != nil {
		return nil, err
	}
	opt.learn(q, unit, d)
	for i, v := range q.words.Data {
		words[i] = v * scale
	}
	return NewCodebook(words, d, InnerProduct)
}
