package reduce

import (
	"math"
	"slices"
)

// AttentionMass keeps the tokens that draw the most attention and drops the others.
// With [Auto] it keeps the fewest whose attention sums to at least Tau of the whole:
// the dynamic ratio of ZipVL (He et al., "ZipVL: Efficient Large Vision-Language Models
// with Dynamic Token Sparsification", 2024), there chosen in each layer from scores that
// are normalised by how many queries see a key; give such scores where attention is
// causal. With a number it is plain ranking, as FastV does it (Chen et al., "An Image is
// Worth 1/2 Tokens After Layer 2", 2024). It needs attention. O(n log n).
type AttentionMass struct {
	Tau float64 // in (0, 1]; 0.975 is the paper's. Only Auto uses it.
}

// Reduce implements [Reducer].
func (m AttentionMass) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	auto := keep.kind == keepAuto
	if auto {
		keep = Share(1)
	}
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("AttentionMass", "attention"); err != nil {
		return nil, err
	}
	if !(m.Tau > 0 && m.Tau <= 1) {
		return nil, optionError("AttentionMass", "Tau", m.Tau)
	}
	if auto {
		k = m.count(t.Attention)
	}
	return t.pick(top(t.Attention, k)), nil
}

// count returns the fewest that hold Tau of the mass, at least one.
func (m AttentionMass) count(mass []float32) int {
	var sum, part float64
	for _, v := range mass {
		sum += float64(v)
	}
	for k, i := range descending(mass) {
		if part += float64(mass[i]); part >= m.Tau*sum {
			return k + 1
		}
	}
	return len(mass)
}

// DominantContextual keeps the tokens that draw the most attention as they are
// (dominant) and merges all others into a few contextual ones (Yang et al., "VisionZip:
// Longer is Better but Not Necessary in Vision Language Models", 2024): of the others,
// targets at even distances in their order, to which the rest go by the cosine of their
// keys. It needs attention.
//
// The paper adds the mean of those assigned to its target; here it is the mean of all,
// weighted by size, so that sizes mean what they do elsewhere. O(n c d) for c contextual
// tokens.
type DominantContextual struct {
	// Contextual is the share of kept tokens that are contextual, in 0..1; the paper
	// keeps 10 beside 54, which is 10.0/64. If it is above 0 at least one is.
	Contextual float64
}

// Reduce implements [Reducer].
func (m DominantContextual) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("DominantContextual", "attention"); err != nil {
		return nil, err
	}
	if !(m.Contextual >= 0 && m.Contextual <= 1) {
		return nil, optionError("DominantContextual", "Contextual", m.Contextual)
	}
	contextual := int(math.Round(m.Contextual * float64(k)))
	if contextual == 0 && m.Contextual > 0 && k > 1 {
		contextual = 1
	}
	kept := top(t.Attention, k-contextual)
	if contextual == 0 || k == t.N {
		if k == t.N {
			kept = complement(nil, t.N)
		}
		return t.pick(kept), nil
	}
	rest := complement(kept, t.N)
	targets := make([]int32, contextual)
	for j := range targets {
		targets[j] = rest[(2*j+1)*len(rest)/(2*contextual)]
	}
	return t.contextual(kept, targets), nil
}

// contextual keeps the dominant tokens and the targets, both rising and disjoint, and
// merges all others into the targets.
func (t *Tokens) contextual(dominant, targets []int32) *Reduced {
	kept := slices.Concat(dominant, targets)
	slices.Sort(kept)
	rank := make(map[int32]int32, len(kept))
	source := make([]int32, t.N)
	for j, i := range kept {
		rank[i], source[i] = int32(j), int32(j)
	}
	others := complement(kept, t.N)
	if len(others) > 0 {
		m := t.metric()
		index, _ := nearest(m.pick(others), m.pick(targets))
		for j, i := range others {
			source[i] = rank[targets[index[j]]]
		}
	}
	return t.assemble(kept, source, true)
}

// PruMerge keeps the tokens whose attention is an outlier, above the third quartile by
// 1.5 times the distance of the quartiles, and merges into each the Neighbours most
// similar tokens, weighted by attention (Shang et al., "LLaVA-PruMerge: Adaptive Token
// Reduction for Efficient Large Multimodal Models", 2024). With [Auto] the outliers are
// as many as there are, at least one; with a number, the greatest attention decides.
// Spread adds tokens at even distances, of the same number again for 1 ("PruMerge+"):
// with Auto they come on top, with a number they are part of it. It needs attention.
//
// The paper's code sums attention times neighbour without normalising, and adds one
// token for all that are dropped; here a kept token is the mean of itself and its
// neighbours weighted by attention and size, and those that are no one's neighbours are
// dropped. A token may be the neighbour of several kept ones: its source is the most
// similar, where its size counts. O(n k d).
type PruMerge struct {
	Neighbours int     // 32 in the paper; 0 merges nothing
	Spread     float64 // in 0..4: 0 is PruMerge
}

// Reduce implements [Reducer].
func (m PruMerge) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	auto := keep.kind == keepAuto
	if auto {
		keep = Share(1)
	}
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("PruMerge", "attention"); err != nil {
		return nil, err
	}
	if m.Neighbours < 0 || m.Neighbours > 1<<10 {
		return nil, optionError("PruMerge", "Neighbours", m.Neighbours)
	}
	if !(m.Spread >= 0 && m.Spread <= 4) {
		return nil, optionError("PruMerge", "Spread", m.Spread)
	}
	salient := k
	if auto {
		salient = outliers(t.Attention)
		k = min(t.N, salient+int(m.Spread*float64(salient)+0.5))
	} else {
		salient = max(1, int(math.Round(float64(k)/(1+m.Spread))))
	}
	kept := top(t.Attention, salient)
	if extra := k - salient; extra > 0 {
		rest := complement(kept, t.N)
		for j := range extra {
			kept = append(kept, rest[(2*j+1)*len(rest)/(2*extra)])
		}
		slices.Sort(kept)
	}
	return m.merge(t, kept), nil
}

// outliers returns how many values are above the third quartile by more than 1.5 times
// the distance of the quartiles, at least one.
func outliers(v []float32) int {
	s := slices.Clone(v)
	slices.Sort(s)
	quartile := func(p float64) float64 { // interpolated between order statistics
		at := p * float64(len(s)-1)
		i := int(at)
		j := min(i+1, len(s)-1)
		return float64(s[i]) + (at-float64(i))*(float64(s[j])-float64(s[i]))
	}
	q1, q3 := quartile(0.25), quartile(0.75)
	n := 0
	for _, f := range s {
		if float64(f) > q3+1.5*(q3-q1) {
			n++
		}
	}
	return max(1, n)
}

func (m PruMerge) merge(t *Tokens, kept []int32) *Reduced {
	rest := complement(kept, t.N)
	neighbours := min(m.Neighbours, len(rest))
	if neighbours == 0 {
		return t.pick(kept)
	}
	metric := t.metric().normalised()
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	best := make([]float32, t.N)
	members := make([][]int32, len(kept))
	others := metric.pick(rest)
	eachProduct(metric.pick(kept), others, func(j int, dots []float32) {
		source[kept[j]] = int32(j)
		for _, o := range descending(dots)[:neighbours] {
			i := rest[o]
			members[j] = append(members[j], i)
			if source[i] == Dropped || dots[o] > best[i] {
				source[i], best[i] = int32(j), dots[o]
			}
		}
	})
	r := t.assemble(kept, source, false)
	mean := func(y, x []float32, d int) {
		if x == nil {
			return
		}
		for j, i := range kept {
			row := make([]float64, d)
			var sum float64
			for _, o := range append(members[j], i) {
				// A mass of zero everywhere still makes a mean.
				w := (float64(t.Attention[o]) + 1e-12) * float64(t.size(int(o)))
				sum += w
				for c, v := range x[int(o)*d : (int(o)+1)*d] {
					row[c] += w * float64(v)
				}
			}
			for c, v := range row {
				y[j*d+c] = float32(v / sum)
			}
		}
	}
	mean(r.X, t.X, t.D)
	mean(r.Keys, t.Keys, t.KeyDim)
	mean(r.Values, t.Values, t.ValueDim)
	return r
}
