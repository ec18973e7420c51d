package vq

import "github.com/burin-codec/burin/transform/nn"

// NewVQGANLC returns VQGAN-LC (Zhu et al., "Scaling the Codebook Size of VQGAN to 100,000
// with a Utilization Rate of 99%", 2024): the frozen vectors are features, [K][f],
// clustered from those of another, trained network (the paper takes patch features of
// CLIP; [TrainKMeans] clusters them), and a linear layer brings them from f dimensions to
// d. See [NewProjected] for the rest.
func NewVQGANLC(features []float32, f, d int, beta, scale float64, seed uint64, pool *nn.Pool) (*Projected, error) {
	return NewProjected(features, f, d, beta, scale, seed, pool)
}

// TrainVQGANLC clusters features, [n][f], into k frozen vectors, trains [NewVQGANLC] with
// them on the vectors x, [m][d], and returns its words. Features and vectors need not be
// of the same things, only of the same kind.
func TrainVQGANLC(x []float32, d int, features []float32, f, k int, clustering *KMeansOptions, o *LearnOptions) (*Codebook, error) {
	opt, err := o.check()
	if err != nil {
		return nil, err
	}
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	c, err := TrainKMeans(features, f, k, clustering)
	if err != nil {
		return nil, err
	}
	p, err := NewVQGANLC(c.words, f, d, commitment, elementScale(x), opt.Seed, opt.Pool)
	if err != nil {
		return nil, err
	}
	opt.learn(p, x, d)
	return p.Codebook()
}
