package vq

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A Projected is a codebook whose words are a learned linear layer of frozen vectors:
// word i is W c_i + b. Each step moves W and with it all words, those that were not used
// as well, so none is left behind. The loss for vectors z and their nearest words y is
//
//	|sg(z) - y|² + Beta |z - sg(y)|²,
//
// sg being what gradients do not pass, and gradients of the decoder pass from y to z as
// they are (straight through). It is SimVQ where the frozen vectors are noise
// ([NewSimVQ]), VQGAN-LC where they are features ([NewVQGANLC]). Once trained it is a
// plain [Codebook], see [Projected.Codebook].
//
// A step costs K·f·d multiplications for the words and K·d for each vector.
type Projected struct {
	d, f, k int
	beta    float64
	frozen  []float32 // [k][f]
	layer   *nn.Dense
	words   []float32 // [k][d]
	search  kernels.Nearest
	pool    *nn.Pool

	// The pass that runs.
	z, y   []float32
	chosen []float32 // [n][f]
	dy     []float32
}

// NewProjected returns a learner of the words of d elements that a linear layer makes of
// frozen, [K][f], K in 1..[MaxSize], which it copies. beta weighs the commitment loss;
// 0.25 is usual. The layer starts with random weights that give words of the deviation
// scale.
func NewProjected(frozen []float32, f, d int, beta, scale float64, seed uint64, pool *nn.Pool) (*Projected, error) {
	if d < 1 || d > MaxDim {
		return nil, fmt.Errorf("%w: dimension %d", ErrOptions, d)
	}
	if !(scale > 0 && scale <= maxMagnitude) {
		return nil, fmt.Errorf("%w: scale %v", ErrOptions, scale)
	}
	if err := checkBeta(beta); err != nil {
		return nil, err
	}
	k, err := checkTraining(frozen, f, 1)
	if err != nil {
		return nil, err
	}
	if err := checkBook(k); err != nil {
		return nil, err
	}
	layer, err := nn.NewDense("projector", f, d, pool)
	if err != nil {
		return nil, fmt.Errorf("vq: %w", err)
	}
	layer.Init(newRand(seed, 8))
	// Weights of variance 1/f make words as large as the frozen vectors' elements.
	by := float32(scale / elementScale(frozen))
	for i := range layer.Params()[0].Data {
		layer.Params()[0].Data[i] *= by
	}
	p := &Projected{d: d, f: f, k: k, beta: beta, frozen: slices.Clone(frozen), layer: layer, words: make([]float32, k*d), pool: pool}
	p.Refresh()
	return p, nil
}

// Params implements [Learner]: W, [d][f], and b.
func (p *Projected) Params() []*nn.Param { return p.layer.Params() }

// Refresh implements [Learner].
func (p *Projected) Refresh() {
	p.layer.Refresh()
	p.layer.Forward(p.words, p.frozen, p.k)
	p.search.Pack(p.words, p.k, p.d, p.d, nil)
}

// Forward implements [Learner].
func (p *Projected) Forward(y []float32, codes []uint32, z []float32) float64 {
	n := len(codes)
	if n == 0 || len(z) != n*p.d || len(y) != n*p.d {
		panic("vq: Forward: lengths do not fit")
	}
	p.chosen = slices.Grow(p.chosen[:0], n*p.f)[:n*p.f]
	pieces(p.pool, n, func(from, to int) {
		p.search.Search(codes[from:to], nil, z[from*p.d:], p.d, to-from)
		for i := from; i < to; i++ {
			c := int(codes[i])
			copy(y[i*p.d:(i+1)*p.d], p.words[c*p.d:])
			copy(p.chosen[i*p.f:(i+1)*p.f], p.frozen[c*p.f:])
		}
	})
	p.z, p.y = z, y
	return (1 + p.beta) * squaredError(z, y) / float64(len(z))
}

// Backward implements [Learner].
func (p *Projected) Backward(dz, dy []float32) {
	if len(dz) != len(p.z) || len(dy) != len(p.z) {
		panic("vq: Backward: lengths do not fit")
	}
	p.dy = slices.Grow(p.dy[:0], len(dy))[:len(dy)]
	f := 2 / float64(len(dz))
	for i, v := range p.z {
		e := f * (float64(p.y[i]) - float64(v))
		p.dy[i] = float32(e)
		dz[i] = dy[i] - float32(p.beta*e)
	}
	p.layer.Backward(nil, p.dy, p.chosen, len(dz)/p.d, true)
}

// Codebook implements [Learner].
func (p *Projected) Codebook() (*Codebook, error) { return NewCodebook(p.words, p.d, Euclidean) }

// NewSimVQ returns SimVQ (Zhu et al., "Addressing Representation Collapse in Vector
// Quantized Models with One Linear Layer", 2024): k words of d elements, a square linear
// layer of frozen normal vectors of variance 1/d. See [NewProjected] for the rest.
func NewSimVQ(d, k int, beta, scale float64, seed uint64, pool *nn.Pool) (*Projected, error) {
	if err := checkBook(k); err != nil {
		return nil, err
	}
	if d < 1 || d > MaxDim {
		return nil, fmt.Errorf("%w: dimension %d", ErrOptions, d)
	}
	r := newRand(seed, 9)
	frozen := make([]float32, k*d)
	for i := range frozen {
		frozen[i] = float32(r.NormFloat64() / math.Sqrt(float64(d)))
	}
	return NewProjected(frozen, d, d, beta, scale, seed, pool)
}

// TrainSimVQ trains [NewSimVQ] on the vectors x, [n][d], and returns its words. On
// vectors that do not learn with it they err more than those of [TrainKMeans], their
// distribution being a normal one.
func TrainSimVQ(x []float32, d, k int, o *LearnOptions) (*Codebook, error) {
	opt, err := o.check()
	if err != nil {
		return nil, err
	}
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	p, err := NewSimVQ(d, k, commitment, elementScale(x), opt.Seed, opt.Pool)
	if err != nil {
		return nil, err
	}
	opt.learn(p, x, d)
	return p.Codebook()
}

// commitment is the weight that the papers give to the commitment loss.
const commitment = 0.25
