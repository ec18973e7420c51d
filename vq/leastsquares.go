package vq

import (
	"slices"

	"github.com/burin-codec/burin/transform/nn"
)

// Given the codes of n vectors, the words C, [M·K][d], that are best are a problem of
// least squares, |X - B C|², B being [n][M·K] with M ones in each row. What follows
// solves it for the change of the words, which a small λ keeps to zero where the codes
// leave it open: words that do not occur stay, and so does the constant that one codebook
// can give to another. It takes the method of conjugate gradients, preconditioned by the
// diagonal, which are the counts of the words: B is never formed, and a step costs 2·n·M·d
// additions.

// ridge is λ, in vectors; it is that of LSQ++ (Martinez et al., 2018).
const ridge = 1e-2

// conjugateSteps is enough to make the error that is left small against that of the
// codes.
const conjugateSteps = 12

// leastSquares returns codebooks whose words are best for the codes, [n][M], of vectors
// of which the present words leave left, [n][d]. It uses left up.
func (a *additive) leastSquares(pool *nn.Pool, left []float32, codes []uint32) []*Codebook {
	d, m := a.d, len(a.books)
	offset := make([]int, m+1) // of each codebook's words
	for i, b := range a.books {
		offset[i+1] = offset[i] + b.k
	}
	total := offset[m]
	diagonal := make([]float64, total)
	for i := range diagonal {
		diagonal[i] = ridge
	}
	for i, c := range codes {
		diagonal[offset[i%m]+int(c)]++
	}

	// gather adds rows of u, [n][d], into v, [M·K][d], by their codes.
	gather := func(v []float64, u []float32) {
		pool.Run(m, func(_, s int) {
			clear(v[offset[s]*d : offset[s+1]*d])
			for i := 0; i < len(u)/d; i++ {
				to := v[(offset[s]+int(codes[i*m+s]))*d:][:d]
				for j, e := range u[i*d : (i+1)*d] {
					to[j] += float64(e)
				}
			}
		})
	}
	// spread sets rows of u to the sums of those of p that their codes say.
	spread := func(u []float32, p []float64) {
		pieces(pool, len(u)/d, func(from, to int) {
			sum := make([]float64, d)
			for i := from; i < to; i++ {
				clear(sum)
				for s := range m {
					for j, e := range p[(offset[s]+int(codes[i*m+s]))*d:][:d] {
						sum[j] += e
					}
				}
				for j, e := range sum {
					u[i*d+j] = float32(e)
				}
			}
		})
	}

	change := make([]float64, total*d)
	r := make([]float64, total*d)
	gather(r, left)
	z := make([]float64, total*d)
	p := make([]float64, total*d)
	hp := make([]float64, total*d)
	u := left
	// The columns of the d elements are independent problems.
	old := make([]float64, d)
	for step := range conjugateSteps {
		dots := make([]float64, d)
		for i, v := range r {
			z[i] = v / diagonal[i/d]
			dots[i%d] += v * z[i]
		}
		for i, v := range z {
			f := 0.0
			if step > 0 && old[i%d] > 0 {
				f = dots[i%d] / old[i%d]
			}
			p[i] = v + f*p[i]
		}
		old = dots
		spread(u, p)
		gather(hp, u)
		curve := make([]float64, d)
		for i, v := range p {
			hp[i] += ridge * v
			curve[i%d] += v * hp[i]
		}
		for i, v := range p {
			if j := i % d; curve[j] > 0 {
				f := dots[j] / curve[j]
				change[i] += f * v
				r[i] -= f * hp[i]
			}
		}
	}
	books := make([]*Codebook, m)
	for s, b := range a.books {
		words := slices.Clone(b.words)
		for i := range words {
			words[i] += float32(change[offset[s]*d+i])
		}
		books[s] = newCodebook(words, d, Euclidean)
	}
	return books
}
