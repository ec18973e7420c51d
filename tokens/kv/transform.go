package kv

import (
	"math"

	"github.com/burin-codec/burin/kernels"
)

// # Transforms
//
// Forwards, each if it is asked for: every token is divided by the root of its mean
// square, as rounded to a bfloat16; the mean of every channel over the tokens, rounded
// alike, is subtracted; every token is transformed by a Walsh-Hadamard matrix H, block
// by block where the channels are not a power of two. H is its own inverse but for a
// factor of its size, an exact division.

// minHadamard is the smallest block that is worth a rotation.
const minHadamard = 8

// hadamardBlock returns the largest power of two that divides dim.
func hadamardBlock(dim int) int { return min(dim&-dim, kernels.MaxHadamard) }

// transform transforms the tokens of a part, tokens x dim.
func (s *side) transform(p *part, x []float32) {
	n, dim := len(p.tokens), s.dim
	if s.Normalise {
		for i := range n {
			token := x[i*dim:][:dim]
			sum := 0.0
			for _, v := range token {
				sum += float64(float64(v) * float64(v))
			}
			bits := toBfloat16(float32(math.Sqrt(sum / float64(dim))))
			norm := bfloat16(bits)
			if norm < scaleMin {
				s.norm[p.norms+i] = 0
				clear(token)
				continue
			}
			s.norm[p.norms+i] = bits
			for j, v := range token {
				token[j] = v / norm
			}
		}
	}
	if s.Shift {
		const block = 256 // tokens whose sum is close enough in float32
		sums, means := make([]float64, dim), make([]float32, dim)
		stats := kernels.NewColumnStats(dim)
		for i := 0; i < n; i += block {
			rows := min(block, n-i)
			stats.Of(x[i*dim:], dim, rows, dim)
			for j := range sums {
				sums[j] += float64(stats.Sum[j]) + float64(float64(stats.Pivot[j])*float64(rows))
			}
		}
		for j, v := range sums {
			bits := toBfloat16(float32(v / float64(n)))
			s.mean[p.means+j] = bits
			means[j] = bfloat16(bits)
		}
		for i := range n {
			kernels.ScaleAddF32(x[i*dim:][:dim], means, 1, -1)
		}
	}
	if s.Rotate {
		kernels.Hadamard(x, hadamardBlock(dim))
	}
}

// restore undoes transform.
func (s *side) restore(p *part, x []float32) {
	n, dim := len(p.tokens), s.dim
	if s.Rotate {
		block := hadamardBlock(dim)
		kernels.Hadamard(x, block)
		scale := 1 / float32(block)
		for i := range x {
			x[i] *= scale
		}
	}
	if s.Shift {
		means := make([]float32, dim)
		for j, b := range s.mean[p.means:][:dim] {
			means[j] = bfloat16(b)
		}
		for i := range n {
			kernels.ScaleAddF32(x[i*dim:][:dim], means, 1, 1)
		}
	}
	if s.Normalise {
		for i := range n {
			norm := bfloat16(s.norm[p.norms+i])
			token := x[i*dim:][:dim]
			for j := range token {
				token[j] *= norm
			}
		}
	}
}
