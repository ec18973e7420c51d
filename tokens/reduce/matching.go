package reduce

import "slices"

// BipartiteMatching merges similar tokens (Bolya et al., "Token Merging: Your ViT But
// Faster", 2023, from the mathematics in the paper). Of the tokens in order, the even
// ones are set A and the odd ones set B; each of A proposes to the one of B with the
// greatest cosine of keys (features without keys), and the most similar pairs merge
// into means weighted by size, at B's place. A round removes at most the half that A
// is; to keep fewer, rounds follow on what is left.
//
// In the paper a round merges up to r tokens in each layer of a network, keys are the
// mean over heads, and a class token takes no part: leave it out of the tokens. There
// the similarities are rounded as the hardware does it; here the pairs are those of
// float64, on every processor.
//
// O(n² d / 4) int8 or float32 products for the first round of n tokens of d features.
type BipartiteMatching struct{}

// Reduce implements [Reducer].
func (BipartiteMatching) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	var sum *Reduced
	in := t
	for sum == nil || sum.N > k {
		r := in.matchOnce(max(k, in.N-(in.N+1)/2))
		if in.N == 1 {
			r = in.pick([]int32{0})
		}
		if sum != nil {
			for j, i := range r.Kept {
				r.Kept[j] = sum.Kept[i]
			}
			r.Source = compose(sum.Source, r.Source)
		}
		sum, in = r, &r.Tokens
	}
	return sum, nil
}

// matchOnce merges to k tokens, which are at least as many as B has.
func (t *Tokens) matchOnce(k int) *Reduced {
	merges := t.N - k
	group := make([]int32, t.N) // the token that each merges into
	for i := range group {
		group[i] = int32(i)
	}
	if merges > 0 {
		m := t.metric()
		index, score := nearest(m.even(), m.odd())
		for _, a := range descending(score)[:merges] {
			group[2*a] = 2*index[a] + 1
		}
	}
	kept := make([]int32, 0, k)
	rank := make([]int32, t.N)
	for i, g := range group {
		if int(g) == i {
			rank[i] = int32(len(kept))
			kept = append(kept, int32(i))
		}
	}
	for i, g := range group {
		group[i] = rank[g]
	}
	return t.assemble(kept, group, true)
}

// PruneMerge drops the tokens that draw the least attention, and merges the next least
// into the most similar of those that are kept, in means weighted by size: the step of
// DiffRate (Chen et al., "DiffRate: Differentiable Compression Rate for Efficient
// Vision Transformers", 2023) at a layer whose number to keep was learned, as
// tokens/vit learns them. It needs attention.
//
// The paper learns how many to drop and how many to merge one by one; here Merged is
// the share of the removed tokens that merge. O(n k d) for k kept of n.
type PruneMerge struct {
	Merged float64 // in 0..1: 0 drops all
}

// Reduce implements [Reducer].
func (m PruneMerge) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("PruneMerge", "attention"); err != nil {
		return nil, err
	}
	if !(m.Merged >= 0 && m.Merged <= 1) {
		return nil, optionError("PruneMerge", "Merged", m.Merged)
	}
	order := descending(t.Attention)
	kept := slices.Clone(order[:k])
	slices.Sort(kept)
	merged := slices.Clone(order[k : k+int(m.Merged*float64(t.N-k)+0.5)])
	return t.absorb(kept, merged), nil
}

// absorb keeps tokens, merges others into the most similar of them, and drops the rest.
func (t *Tokens) absorb(kept, merged []int32) *Reduced {
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	for j, i := range kept {
		source[i] = int32(j)
	}
	if len(merged) > 0 {
		metric := t.metric()
		index, _ := nearest(metric.pick(merged), metric.pick(kept))
		for j, i := range merged {
			source[i] = index[j]
		}
	}
	return t.assemble(kept, source, true)
}
