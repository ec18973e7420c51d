package vq

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/transform/nn"
)

// A Learner is a codebook that learns by gradients, alone or between an encoder and a
// decoder that learn with it. A step is Forward, then the decoder forward and back,
// Backward, an optimiser's step on Params, and Refresh. It is for one goroutine at a
// time.
type Learner interface {
	// Params returns what is learned.
	Params() []*nn.Param

	// Refresh takes over the parameters as they are now.
	Refresh()

	// Forward sets y, [n][d], to the words of the vectors z, [n][d], and codes, [n], to
	// their numbers. It returns the learner's own loss, a mean over n and d. z must stay
	// as it is until Backward.
	Forward(y []float32, codes []uint32, z []float32) float64

	// Backward sets dz, [n][d], to the gradient with respect to z of the learner's loss
	// and of another whose gradient with respect to y is dy, and adds those of the
	// parameters to theirs. It must follow a Forward.
	Backward(dz, dy []float32)

	// Codebook returns the words as they are now.
	Codebook() (*Codebook, error)
}

// LearnOptions are the options of trainers that run a [Learner] on vectors.
type LearnOptions struct {
	Steps int     // of the optimiser, 1 or more. Default 2000
	Batch int     // vectors of a step, drawn at random, 1 or more. Default 1024
	Rate  float64 // learning rate of Adam, above 0; it falls along half a cosine. Default 0.01
	// Seed of the generator of the start and of the batches. Default 1.
	Seed uint64
	// Pool has the workers; nil is one. The result does not depend on how many.
	Pool *nn.Pool
}

// DefaultLearnOptions returns what nil options mean.
func DefaultLearnOptions() LearnOptions {
	return LearnOptions{Steps: 2000, Batch: 1024, Rate: 0.01, Seed: 1}
}

func (o *LearnOptions) check() (LearnOptions, error) {
	if o == nil {
		return DefaultLearnOptions(), nil
	}
	if o.Steps < 1 || o.Steps > 1<<30 || o.Batch < 1 || o.Batch > 1<<20 || !(o.Rate > 0 && o.Rate <= 1) {
		return *o, fmt.Errorf("%w: %d steps of %d vectors, rate %v", ErrOptions, o.Steps, o.Batch, o.Rate)
	}
	return *o, nil
}

// learn trains l on the vectors x.
func (o *LearnOptions) learn(l Learner, x []float32, d int) {
	r := newRand(o.Seed, 7)
	n := len(x) / d
	z, y := make([]float32, o.Batch*d), make([]float32, o.Batch*d)
	none, dz := make([]float32, o.Batch*d), make([]float32, o.Batch*d)
	codes := make([]uint32, o.Batch)
	adam := nn.NewAdam(o.Pool, nn.Group{Params: l.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-12})
	for step := range o.Steps {
		for i := range o.Batch {
			at := r.IntN(n)
			copy(z[i*d:(i+1)*d], x[at*d:(at+1)*d])
		}
		nn.ZeroGrad(l.Params())
		l.Forward(y, codes, z)
		l.Backward(dz, none)
		adam.Groups[0].Rate = nn.Cosine(o.Rate, o.Rate/100, step, o.Steps)
		adam.Step()
		l.Refresh()
	}
}

// checkBeta returns an error unless b is a weight of a commitment loss.
func checkBeta(b float64) error {
	if !(b >= 0 && b <= 1e3) {
		return fmt.Errorf("%w: commitment weight %v", ErrOptions, b)
	}
	return nil
}

// elementScale returns the root of the mean square of x, or 1 if that is 0.
func elementScale(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	if s == 0 {
		return 1
	}
	return math.Sqrt(s / float64(len(x)))
}
