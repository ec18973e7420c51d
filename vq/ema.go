package vq

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/burin-codec/burin/transform/nn"
)

// EMAOptions are the options of [NewEMA].
type EMAOptions struct {
	// Decay is the part of the running sums that each update keeps, in 0..1 without 1.
	// Default 0.99.
	Decay float64
	// Epsilon smooths the running counts, by Laplace's rule. Default 1e-5.
	Epsilon float64
	// Dead is the running count below which a word is replaced by a vector of the
	// batch, drawn at random; 0 replaces none. Default 1.
	Dead float64
	// Seed of the generator that draws them. Default 1.
	Seed uint64
	// Pool has the workers; nil is one.
	Pool *nn.Pool
}

// DefaultEMAOptions returns what nil options mean.
func DefaultEMAOptions() EMAOptions {
	return EMAOptions{Decay: 0.99, Epsilon: 1e-5, Dead: 1, Seed: 1}
}

// An EMA learns a codebook online, from batches of vectors that change while it does, as
// the latents of a network in training: each word follows the exponentially decaying
// mean of the vectors assigned to it (van den Oord et al., "Neural Discrete
// Representation Learning", 2017, appendix A.1). Words that are hardly used are moved to
// vectors of the batch. An update costs what encoding the batch does.
type EMA struct {
	opt   EMAOptions
	book  *Codebook
	count []float64 // [k] running number of vectors of each word
	sum   []float64 // [k][d] running sum of them
	rand  *rand.Rand
}

// NewEMA returns a learner that starts from the words of c, such as those of
// [TrainKMeans] on the first batch; c is [Euclidean] or [Cosine].
func NewEMA(c *Codebook, o *EMAOptions) (*EMA, error) {
	opt := DefaultEMAOptions()
	if o != nil {
		opt = *o
	}
	if !(opt.Decay >= 0 && opt.Decay < 1) || !(opt.Epsilon >= 0 && opt.Epsilon < 1) || !(opt.Dead >= 0 && opt.Dead < 1e9) {
		return nil, fmt.Errorf("%w: decay %v, epsilon %v, dead below %v", ErrOptions, opt.Decay, opt.Epsilon, opt.Dead)
	}
	if c.metric == InnerProduct {
		return nil, fmt.Errorf("%w: running means by inner product", ErrOptions)
	}
	e := &EMA{
		opt: opt, book: newCodebook(slices.Clone(c.words), c.d, c.metric),
		count: make([]float64, c.k), sum: make([]float64, len(c.words)), rand: newRand(opt.Seed, 2),
	}
	for i, v := range c.words {
		e.sum[i] = float64(v)
	}
	for j := range e.count {
		e.count[j] = 1
	}
	return e, nil
}

// Codebook returns the codebook as it is now; later updates make new ones.
func (e *EMA) Codebook() *Codebook { return e.book }

// Update learns from the vectors x, [n][d], n at least 1. What is wrong with them is an
// error that wraps [ErrTraining], and changes nothing.
func (e *EMA) Update(x []float32) error {
	d, k := e.book.d, e.book.k
	n, err := checkTraining(x, d, 1)
	if err != nil {
		return err
	}
	if e.book.metric == Cosine {
		x = slices.Clone(x)
		normaliseRows(x, d)
	}
	l := newLloyd(x, d, k, KMeansOptions{Pool: e.opt.Pool})
	EncodePool(e.opt.Pool, e.book, l.index, x)
	l.sort()
	words := make([]float32, len(e.book.words))
	var total float64
	for j := range k {
		e.count[j] = e.opt.Decay*e.count[j] + (1-e.opt.Decay)*float64(l.starts[j+1]-l.starts[j])
		total += e.count[j]
	}
	for j := range k {
		sum := e.sum[j*d : (j+1)*d]
		for i := range sum {
			sum[i] *= e.opt.Decay
		}
		for _, i := range l.order[l.starts[j]:l.starts[j+1]] {
			for c, v := range l.row(int(i)) {
				sum[c] += (1 - e.opt.Decay) * float64(v)
			}
		}
		if e.count[j] < e.opt.Dead {
			row := l.row(e.rand.IntN(n))
			for c, v := range row {
				sum[c] = float64(v) * e.opt.Dead
			}
			e.count[j] = e.opt.Dead
			copy(words[j*d:], row)
			continue
		}
		smooth := (e.count[j] + e.opt.Epsilon) / (total + float64(k)*e.opt.Epsilon) * total
		for c, v := range sum {
			words[j*d+c] = float32(v / smooth)
		}
	}
	e.book = newCodebook(words, d, e.book.metric)
	return nil
}
