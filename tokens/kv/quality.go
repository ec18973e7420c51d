package kv

import (
	"fmt"
	"math"
)

// A Distance says how far numbers are from what they should be.
type Distance struct {
	MSE      float64 // mean squared error
	Relative float64 // squared error by the sum of squares of what should be
	Cosine   float64 // mean over tokens or outputs of the cosine between both; of zeros 1 or 0
}

// A Quality says how well a cache was kept.
type Quality struct {
	Keys, Values Distance

	// Attention is about the outputs of softmax(q*k/sqrt(dim))*v for the queries,
	// zero without any.
	Attention Distance
}

// Compare compares quantised keys and values with the original ones. queries, which
// may be nil, are layers x query heads x queries x dim of the keys; query heads are a
// multiple of the heads of keys, consecutive ones of which share a head, and keys have
// as many heads as values then. kept, which may be nil, says which tokens of a layer the
// quantised cache has at all; queries see the others in the original only. There is no
// causal mask.
func Compare(keys, values, quantisedKeys, quantisedValues, queries *Tensor, kept func(layer int) []bool) (Quality, error) {
	var q Quality
	for _, p := range []struct {
		name string
		a, b *Tensor
		d    *Distance
	}{{keysName, keys, quantisedKeys, &q.Keys}, {valuesName, values, quantisedValues, &q.Values}} {
		if err := p.a.validate(p.name); err != nil {
			return q, err
		}
		if err := p.b.validate("quantised " + p.name); err != nil {
			return q, err
		}
		if p.a.Layers != p.b.Layers || p.a.Heads != p.b.Heads || p.a.Tokens != p.b.Tokens || p.a.Dim != p.b.Dim {
			return q, fmt.Errorf("%w: %s and quantised ones differ", ErrShape, p.name)
		}
		var s distanceSum
		for i := 0; i < len(p.a.Data); i += p.a.Dim {
			s.add(p.a.Data[i:i+p.a.Dim], p.b.Data[i:i+p.a.Dim])
		}
		*p.d = s.distance()
	}
	if queries == nil {
		return q, nil
	}
	if err := queries.validate("queries"); err != nil {
		return q, err
	}
	if queries.Layers != keys.Layers || queries.Dim != keys.Dim || queries.Heads%keys.Heads != 0 ||
		values.Heads != keys.Heads || values.Layers != keys.Layers || values.Tokens != keys.Tokens {
		return q, fmt.Errorf("%w: queries, keys and values do not belong together", ErrShape)
	}
	var s distanceSum
	want, got := make([]float32, values.Dim), make([]float32, values.Dim)
	weights := make([]float64, keys.Tokens)
	for l := range queries.Layers {
		var seen []bool
		if kept != nil {
			if seen = kept(l); len(seen) != keys.Tokens {
				return q, fmt.Errorf("%w: %d tokens are kept or not, of %d", ErrShape, len(seen), keys.Tokens)
			}
		}
		for h := range queries.Heads {
			g := h / (queries.Heads / keys.Heads)
			all := queries.Head(l, h)
			for i := 0; i < len(all); i += queries.Dim {
				x := all[i : i+queries.Dim]
				attend(want, weights, x, keys.Head(l, g), values.Head(l, g), nil)
				attend(got, weights, x, quantisedKeys.Head(l, g), quantisedValues.Head(l, g), seen)
				s.add(want, got)
			}
		}
	}
	q.Attention = s.distance()
	return q, nil
}

// attend sets out to the attention output of a query; weights is room for one a token.
func attend(out []float32, weights []float64, query, keys, values []float32, seen []bool) {
	softmax(weights, query, keys, seen)
	clear(out)
	for t, w := range weights {
		if w == 0 {
			continue
		}
		f := float32(w)
		for j, v := range values[t*len(out):][:len(out)] {
			out[j] += f * v
		}
	}
}

// softmax sets weights to the attention of a query to the tokens that it sees, all if
// seen is nil, or to zeros if there are none.
func softmax(weights []float64, query, keys []float32, seen []bool) {
	scale := 1 / math.Sqrt(float64(len(query)))
	most := math.Inf(-1)
	for t := range weights {
		weights[t] = math.Inf(-1)
		if seen != nil && !seen[t] {
			continue
		}
		dot := 0.0
		for j, k := range keys[t*len(query):][:len(query)] {
			dot += float64(k) * float64(query[j])
		}
		weights[t] = dot * scale
		most = max(most, weights[t])
	}
	if math.IsInf(most, -1) {
		clear(weights)
		return
	}
	total := 0.0
	for t, w := range weights {
		weights[t] = math.Exp(w - most)
		total += weights[t]
	}
	for t := range weights {
		weights[t] /= total
	}
}

// A distanceSum sums what a Distance is the mean of.
type distanceSum struct {
	errors, squares, cosines float64
	numbers, vectors         int
}

func (s *distanceSum) add(want, got []float32) {
	var dot, a, b float64
	for i, w := range want {
		w, g := float64(w), float64(got[i])
		s.errors += (w - g) * (w - g)
		dot += w * g
		a += w * w
		b += g * g
	}
	s.squares += a
	switch {
	case a > 0 && b > 0:
		s.cosines += dot / math.Sqrt(a*b)
	case a == b:
		s.cosines++
	}
	s.numbers += len(want)
	s.vectors++
}

func (s *distanceSum) distance() Distance {
	d := Distance{MSE: s.errors / float64(s.numbers), Cosine: s.cosines / float64(s.vectors)}
	if s.errors > 0 {
		d.Relative = s.errors / s.squares
	}
	return d
}
