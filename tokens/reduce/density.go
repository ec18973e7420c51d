package reduce

import (
	"fmt"
	"math"
)

func optionError(method, field string, v any) error {
	return fmt.Errorf("reduce: %s: %s is %v: %w", method, field, v, ErrOption)
}

// DensityPeaks clusters tokens around peaks of density and merges each cluster into a
// mean weighted by size (density peaks clustering by nearest neighbours: Du, Ding and
// Jia, 2016; of tokens: Zeng et al., "Not All Tokens Are Equal: Human-centric Visual
// Analysis via Token Clustering Transformer", 2022). With x the keys (features without
// keys) scaled to length one, the density of token i is exp(-mean of the squared
// distances to its Neighbours nearest), its distance that to the nearest token of
// higher density, and the tokens with the greatest product of both are centres, to
// which the others go by distance.
//
// The paper does not scale features and adds noise against ties; here ties are broken
// by order. O(n² d) products in float32, made twice, so that memory stays at O(n).
type DensityPeaks struct {
	// Neighbours is how many a token's density counts, 5 being usual; fewer if there
	// are fewer tokens.
	Neighbours int
}

// Reduce implements [Reducer].
func (m DensityPeaks) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if m.Neighbours < 1 || m.Neighbours > 1<<10 {
		return nil, optionError("DensityPeaks", "Neighbours", m.Neighbours)
	}
	centres := top(peaks(t.metric().normalised(), m.Neighbours), k)
	return t.absorb(centres, complement(centres, t.N)), nil
}

// complement returns what is not in the rising list, of 0..n-1.
func complement(list []int32, n int) []int32 {
	out := make([]int32, 0, n-len(list))
	for i := range int32(n) {
		if len(list) > 0 && list[0] == i {
			list = list[1:]
			continue
		}
		out = append(out, i)
	}
	return out
}

// normalised returns rows of length one; those of zeros stay.
func (r rows) normalised() rows {
	out := rows{make([]float32, r.n*r.d), r.n, r.d, r.d}
	for i, n := range norms(r) {
		if n == 0 {
			continue
		}
		row := out.row(i)
		for j, v := range r.row(i) {
			row[j] = float32(float64(v) / n)
		}
	}
	return out
}

// peaks returns density times distance to higher density for rows of length one.
func peaks(r rows, neighbours int) []float64 {
	n := r.n
	density := make([]float64, n)
	neighbours = min(neighbours, n-1)
	nearestOf := make([]float32, neighbours)
	eachProduct(r, r, func(i int, dots []float32) {
		// The greatest products, which are the smallest distances, by insertion.
		for j := range nearestOf {
			nearestOf[j] = -2
		}
		for j, v := range dots {
			if j == i || neighbours == 0 || v <= nearestOf[neighbours-1] {
				continue
			}
			at := neighbours - 1
			for ; at > 0 && nearestOf[at-1] < v; at-- {
				nearestOf[at] = nearestOf[at-1]
			}
			nearestOf[at] = v
		}
		var sum float64
		for _, v := range nearestOf {
			sum += max(0, 2-2*float64(v))
		}
		density[i] = math.Exp(-sum / float64(max(1, neighbours)))
	})
	score := make([]float64, n)
	eachProduct(r, r, func(i int, dots []float32) {
		best, least := float32(-2), float32(2)
		for j, v := range dots {
			if density[j] > density[i] || density[j] == density[i] && j < i {
				best = max(best, v)
			}
			least = min(least, v)
		}
		if best == -2 { // the highest peak: its distance is the largest to any
			best = least
		}
		score[i] = density[i] * math.Sqrt(max(0, 2-2*float64(best)))
	})
	return score
}
