package kv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Important returns, for layers of so many tokens, the class of every token for
// Options.Assign: class 1 for the fewest that hold the given share of the sum of their
// layer's weights, 0 for the others (ZipVL, arXiv 2410.08584, keeps the fewest tokens
// that hold 0.975 or so of the attention). weights has one for every token of every
// layer, layers x tokens, finite and not negative: the attention that each receives,
// say, or [ValueNorms]. In a layer without any weight no token is important.
func Important(weights []float64, tokens int, share float64) ([]uint8, error) {
	if tokens < 1 || len(weights)%tokens != 0 {
		return nil, fmt.Errorf("%w: %d weights for layers of %d tokens", ErrShape, len(weights), tokens)
	}
	if !(share >= 0 && share <= 1) {
		return nil, fmt.Errorf("%w: share %v is not within 0 and 1", ErrOption, share)
	}
	classes := make([]uint8, len(weights))
	order := make([]int, tokens)
	for at := 0; at < len(weights); at += tokens {
		layer := weights[at:][:tokens]
		total := 0.0
		for i, w := range layer {
			if !(w >= 0) || math.IsInf(w, 1) {
				return nil, fmt.Errorf("%w: weight of token %d of layer %d: %v", ErrValue, i, at/tokens, w)
			}
			order[i] = i
			total += w
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(layer[b], layer[a]) })
		sum := 0.0
		for _, i := range order {
			if sum >= share*total {
				break
			}
			sum += layer[i]
			classes[at+i] = 1
		}
	}
	return classes, nil
}

// ValueNorms returns the norm of every token's values, layers x tokens, the mean over
// heads: what InfiniPot-V (arXiv 2506.15745) takes for the importance of a token where
// the attention is not known.
func ValueNorms(values *Tensor) ([]float64, error) {
	if err := values.validate(valuesName); err != nil {
		return nil, err
	}
	norms := make([]float64, values.Layers*values.Tokens)
	for l := range values.Layers {
		for h := range values.Heads {
			head := values.Head(l, h)
			for t := range values.Tokens {
				sum := 0.0
				for _, v := range head[t*values.Dim:][:values.Dim] {
					sum += float64(float64(v) * float64(v))
				}
				norms[l*values.Tokens+t] += math.Sqrt(sum) / float64(values.Heads)
			}
		}
	}
	return norms, nil
}

// Attention returns the attention that every token receives, layers x tokens: the mean
// over queries and heads of softmax(q*k/sqrt(dim)). Shapes are as for [Compare].
func Attention(keys, queries *Tensor) ([]float64, error) {
	if err := keys.validate(keysName); err != nil {
		return nil, err
	}
	if err := queries.validate("queries"); err != nil {
		return nil, err
	}
	if queries.Layers != keys.Layers || queries.Dim != keys.Dim || queries.Heads%keys.Heads != 0 {
		return nil, fmt.Errorf("%w: queries and keys do not belong together", ErrShape)
	}
	mass := make([]float64, keys.Layers*keys.Tokens)
	weights := make([]float64, keys.Tokens)
	for l := range queries.Layers {
		layer := mass[l*keys.Tokens:][:keys.Tokens]
		for h := range queries.Heads {
			head := keys.Head(l, h/(queries.Heads/keys.Heads))
			all := queries.Head(l, h)
			for i := 0; i < len(all); i += queries.Dim {
				softmax(weights, all[i:i+queries.Dim], head, nil)
				for t, w := range weights {
					layer[t] += w / float64(queries.Heads*queries.Tokens)
				}
			}
		}
	}
	return mass, nil
}
