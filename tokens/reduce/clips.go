package reduce

import (
	"fmt"
	"math"
	"slices"
)

// RetrieveClips finds the clips of a video that a question is about, and compresses
// them less than the rest. It divides the video into clips of Frames frames, scores each
// by the mean over query tokens of the greatest cosine to one of its tokens, and
// reduces the best Clips by Within to what the rest leaves: every other clip becomes
// Memory tokens, pooled (see [Pool]), or is dropped where Memory is 0. It needs frames
// and a query.
//
// Retrieval before compression is that of MARC ("MARC: Memory-Augmented RL Token
// Compression for Efficient Video Understanding", arXiv 2510.07915, 2025), the memory of
// what was not retrieved that of VidCompress ("VidCompress: Memory-Enhanced Temporal
// Compression for Video Understanding in Large Language Models", arXiv 2410.11417, 2024). Both papers
// train networks for it; this is their rule without training. Cost: O(q n d) for q query
// tokens, and that of Within on the retrieved clips.
type RetrieveClips struct {
	Frames int     // of a clip, from 1 on
	Clips  int     // how many to retrieve, from 1 on
	Memory int     // tokens for each other clip, from 0 on
	Within Reducer // reduces the retrieved clips together; nil means BipartiteMatching
}

// Reduce implements [Reducer].
func (m RetrieveClips) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("RetrieveClips", "frames", "query"); err != nil {
		return nil, err
	}
	for _, o := range []struct {
		name     string
		v, least int
	}{{"Frames", m.Frames, 1}, {"Clips", m.Clips, 1}, {"Memory", m.Memory, 0}} {
		if o.v < o.least || o.v > MaxTokens {
			return nil, optionError("RetrieveClips", o.name, o.v)
		}
	}
	within := m.Within
	if within == nil {
		within = BipartiteMatching{}
	}
	frames := t.frames()
	var clips [][2]int
	for f := 0; f < len(frames); f += m.Frames {
		clips = append(clips, [2]int{frames[f][0], frames[min(f+m.Frames, len(frames))-1][1]})
	}
	best := top(t.clipScores(clips), min(m.Clips, len(clips)))
	var chosen []int32
	for _, c := range best {
		for i := clips[c][0]; i < clips[c][1]; i++ {
			chosen = append(chosen, int32(i))
		}
	}
	// What the memory takes first.
	var parts []*Reduced
	var index [][]int32
	left := k
	for _, c := range complement(best, len(clips)) {
		n := min(m.Memory, clips[c][1]-clips[c][0])
		if n == 0 {
			continue
		}
		var of []int32
		for i := clips[c][0]; i < clips[c][1]; i++ {
			of = append(of, int32(i))
		}
		r, err := Pool{}.Reduce(t.subset(of), Count(n))
		if err != nil {
			return nil, err
		}
		parts, index = append(parts, r), append(index, of)
		left -= n
	}
	left = min(left, len(chosen))
	if left < 1 {
		return nil, fmt.Errorf("reduce: RetrieveClips: to keep %d, of which %d are memory: %w", k, k-left, ErrKeep)
	}
	r, err := within.Reduce(t.subset(chosen), Count(left))
	if err != nil {
		return nil, fmt.Errorf("reduce: RetrieveClips: %w", err)
	}
	return t.join(append(parts, r), append(index, chosen)), nil
}

// clipScores returns the mean over query tokens of the greatest cosine in each clip.
func (t *Tokens) clipScores(clips [][2]int) []float64 {
	out := make([]float64, len(clips))
	x := rows{t.X, t.N, t.D, t.D}.normalised()
	q := rows{t.Query, t.Queries(), t.D, t.D}.normalised()
	eachProduct(q, x, func(_ int, dots []float32) {
		for c, r := range clips {
			best := float32(math.Inf(-1))
			for _, v := range dots[r[0]:r[1]] {
				best = max(best, v)
			}
			out[c] += float64(best) / float64(q.n)
		}
	})
	return out
}

// join puts reductions of disjoint parts of the tokens together, given the indices of
// the parts' tokens.
func (t *Tokens) join(parts []*Reduced, index [][]int32) *Reduced {
	type token struct{ kept, part, at int32 }
	var order []token
	for p, r := range parts {
		for j, i := range r.Kept {
			order = append(order, token{index[p][i], int32(p), int32(j)})
		}
	}
	slices.SortFunc(order, func(a, b token) int { return int(a.kept) - int(b.kept) })
	kept := make([]int32, len(order))
	rank := make([][]int32, len(parts))
	for p, r := range parts {
		rank[p] = make([]int32, r.N)
	}
	for j, o := range order {
		kept[j], rank[o.part][o.at] = o.kept, int32(j)
	}
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	for p, r := range parts {
		for i, s := range r.Source {
			if s != Dropped {
				source[index[p][i]] = rank[p][s]
			}
		}
	}
	out := t.assemble(kept, source, false)
	for j, o := range order {
		r := parts[o.part]
		copy(out.X[j*t.D:(j+1)*t.D], r.row(int(o.at)))
		if t.Keys != nil {
			copy(out.Keys[j*t.KeyDim:(j+1)*t.KeyDim], r.Keys[int(o.at)*t.KeyDim:])
		}
		if t.Values != nil {
			copy(out.Values[j*t.ValueDim:(j+1)*t.ValueDim], r.Values[int(o.at)*t.ValueDim:])
		}
		if t.Attention != nil {
			out.Attention[j] = r.Attention[o.at]
		}
	}
	return out
}
