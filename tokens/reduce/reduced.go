package reduce

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
)

// Dropped is the source of a token that no kept one stands for.
const Dropped = -1

// Reduced is what a reducer kept, and how to undo it.
type Reduced struct {
	// Tokens are the kept ones, in the order of Kept, with all that the input had:
	// keys and values are averaged as the features are, attention is summed, frame
	// and position are those of the input token at Kept. Size is always there: the sum
	// of the sizes of the inputs whose Source is this token.
	Tokens
	// Source gives, for each input token, the index of the kept token that stands for
	// it, or Dropped.
	Source []int32
	// Kept gives, for each kept token, the input token in whose place it is: rising,
	// and Source[Kept[j]] is j.
	Kept []int32
}

// LogSizes returns the logarithms of the kept tokens' sizes: what proportional
// attention adds to the logits of its keys, so that a token that stands for s others
// draws the attention of s (Bolya et al., "Token Merging: Your ViT But Faster", 2023).
func (r *Reduced) LogSizes() []float32 {
	out := make([]float32, len(r.Size))
	for i, s := range r.Size {
		out[i] = float32(math.Log(float64(s)))
	}
	return out
}

// Unmerge brings rows of kept tokens, such as a network's output [kept][width], back to
// the tokens of the input, [len(source)][width]: each gets the row of the token that
// stands for it, and zeros if it was dropped (see [Reduced.Nearest]).
func Unmerge(source []int32, rows []float32, width int) ([]float32, error) {
	if width < 1 || len(rows)%width != 0 {
		return nil, fmt.Errorf("reduce: %d numbers for rows of %d: %w", len(rows), width, ErrShape)
	}
	kept := len(rows) / width
	out := make([]float32, len(source)*width)
	for i, s := range source {
		if s == Dropped {
			continue
		}
		if s < 0 || int(s) >= kept {
			return nil, fmt.Errorf("reduce: source %d of token %d with %d tokens kept: %w", s, i, kept, ErrShape)
		}
		copy(out[i*width:(i+1)*width], rows[int(s)*width:])
	}
	return out, nil
}

// Nearest returns the sources with each dropped token given to the kept one that is
// most similar to it (greatest cosine of keys, or features without keys). in is the
// input of the reduction.
func (r *Reduced) Nearest(in *Tokens) ([]int32, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if len(r.Source) != in.N {
		return nil, fmt.Errorf("reduce: %d sources for %d tokens: %w", len(r.Source), in.N, ErrShape)
	}
	source := slices.Clone(r.Source)
	var dropped []int32
	for i, s := range source {
		if s == Dropped {
			dropped = append(dropped, int32(i))
		}
	}
	if len(dropped) == 0 {
		return source, nil
	}
	m := in.metric()
	index, _ := nearest(m.pick(dropped), m.pick(r.Kept))
	for i, d := range dropped {
		source[d] = index[i]
	}
	return source, nil
}

// compose returns sources through two reductions.
func compose(first, second []int32) []int32 {
	out := make([]int32, len(first))
	for i, s := range first {
		if out[i] = Dropped; s != Dropped {
			out[i] = second[s]
		}
	}
	return out
}

// pick keeps the given tokens, rising, and drops the others.
func (t *Tokens) pick(kept []int32) *Reduced {
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	for j, i := range kept {
		source[i] = int32(j)
	}
	return t.assemble(kept, source, false)
}

// assemble makes the result of kept tokens, rising, and sources: with merge, features
// are the means of the sources weighted by their sizes, else those of the kept token.
func (t *Tokens) assemble(kept, source []int32, merge bool) *Reduced {
	k := len(kept)
	r := &Reduced{Source: source, Kept: kept}
	r.N, r.D, r.Query, r.Audio = k, t.D, t.Query, t.Audio
	r.Size = make([]float32, k)
	members := make([]int32, k)
	for i, s := range source {
		if s != Dropped {
			r.Size[s] += t.size(i)
			members[s]++
		}
	}
	mean := func(x []float32, d int) []float32 {
		if x == nil {
			return nil
		}
		y := make([]float32, k*d)
		for j, i := range kept {
			row := y[j*d : (j+1)*d]
			copy(row, x[int(i)*d:])
			if merge && members[j] > 1 {
				w := t.size(int(i)) / r.Size[j]
				kernels.AxpbyF32(row, w, row, 0)
			}
		}
		if !merge {
			return y
		}
		for i, s := range source {
			if s == Dropped || kept[s] == int32(i) {
				continue
			}
			kernels.AxpbyF32(y[int(s)*d:(int(s)+1)*d], 1, x[i*d:(i+1)*d], t.size(i)/r.Size[s])
		}
		return y
	}
	r.X = mean(t.X, t.D)
	r.Keys, r.KeyDim = mean(t.Keys, t.KeyDim), t.KeyDim
	r.Values, r.ValueDim = mean(t.Values, t.ValueDim), t.ValueDim
	if t.Attention != nil {
		r.Attention = make([]float32, k)
		for i, s := range source {
			if s != Dropped {
				r.Attention[s] += t.Attention[i]
			}
		}
	}
	if t.Frame != nil {
		r.Frame = make([]int32, k)
		for j, i := range kept {
			r.Frame[j] = t.Frame[i]
		}
	}
	if t.Pos != nil {
		r.Pos = make([]Position, k)
		for j, i := range kept {
			r.Pos[j] = t.Pos[i]
		}
	}
	return r
}

// group merges tokens by group, [N], of which there are k, none empty: each kept token
// stands at the place that place gives for its group, or at its group's first token.
func (t *Tokens) group(group []int32, k int, place []int32) *Reduced {
	if place == nil {
		place = make([]int32, k)
		for g := range place {
			place[g] = -1
		}
		for i, g := range group {
			if place[g] < 0 {
				place[g] = int32(i)
			}
		}
	}
	order := make([]int32, k)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return int(place[a]) - int(place[b]) })
	rank, kept := make([]int32, k), make([]int32, k)
	for j, g := range order {
		rank[g], kept[j] = int32(j), place[g]
	}
	source := make([]int32, t.N)
	for i, g := range group {
		if source[i] = Dropped; g >= 0 {
			source[i] = rank[g]
		}
	}
	return t.assemble(kept, source, true)
}

// subset returns the tokens at the given indices.
func (t *Tokens) subset(index []int32) *Tokens {
	s := t.pick(index).Tokens
	if t.Size == nil {
		s.Size = nil
	}
	return &s
}

// top returns the indices of the k greatest scores, rising; of equal ones the first.
func top[T float32 | float64](score []T, k int) []int32 {
	order := descending(score)
	order = order[:k]
	slices.Sort(order)
	return order
}

// descending returns the indices by falling score; equal ones in their order.
func descending[T float32 | float64](score []T) []int32 {
	order := make([]int32, len(score))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch x, y := score[a], score[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return order
}

// frames returns the ranges of tokens of each frame; without frames all are one.
func (t *Tokens) frames() [][2]int {
	if t.Frame == nil {
		return [][2]int{{0, t.N}}
	}
	var out [][2]int
	for from := 0; from < t.N; {
		to := from + 1
		for to < t.N && t.Frame[to] == t.Frame[from] {
			to++
		}
		out = append(out, [2]int{from, to})
		from = to
	}
	return out
}
