package reduce

import (
	"math"
	"slices"
)

// relevance returns, for each token, how much the question asks for it: the mean over
// query tokens of the softmax over tokens of the cosine over the temperature, times the
// number of tokens. It needs a query.
func (t *Tokens) relevance(temperature float64) []float64 {
	out := make([]float64, t.N)
	x := rows{t.X, t.N, t.D, t.D}.normalised()
	q := rows{t.Query, t.Queries(), t.D, t.D}.normalised()
	p := make([]float64, t.N)
	eachProduct(q, x, func(_ int, dots []float32) {
		top := dots[0]
		for _, v := range dots {
			top = max(top, v)
		}
		var sum float64
		for i, v := range dots {
			p[i] = math.Exp(float64(v-top) / temperature)
			sum += p[i]
		}
		for i, v := range p {
			out[i] += v / sum * float64(t.N) / float64(q.n)
		}
	})
	return out
}

const (
	minTemperature = 1e-3
	maxTemperature = 1e3
)

// QuestionGuided keeps the tokens that a question asks for and recycles the others
// softly into them ("QG-VTC: Question-Guided Visual Token Compression in MLLMs for
// Efficient VQA", arXiv 2504.00654, 2025): each token that is not kept is divided among the
// kept ones by a softmax of their similarities, so that its content is not lost. It
// needs a query in the space of the features.
//
// The paper projects the question by a learned layer, and selects in several layers of
// the encoder one after the other: a [Chain] of stages, or calls between layers, do
// that. A token's relevance is the mean over query tokens of a softmax over tokens of
// cosine over Temperature; recycling goes by the cosine of keys over Temperature. A
// token's source is the kept one that it is most similar to, where its size counts
// whole. O(n k d).
type QuestionGuided struct {
	Temperature float64 // in 0.001..1000; 0.1 is usual
	// Recycle is the weight, in 0..1, with which what is recycled counts in the mean:
	// 0 drops it, 1 counts it by size.
	Recycle float64
}

// Reduce implements [Reducer].
func (m QuestionGuided) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if err := t.need("QuestionGuided", "query"); err != nil {
		return nil, err
	}
	if !(m.Temperature >= minTemperature && m.Temperature <= maxTemperature) {
		return nil, optionError("QuestionGuided", "Temperature", m.Temperature)
	}
	if !(m.Recycle >= 0 && m.Recycle <= 1) {
		return nil, optionError("QuestionGuided", "Recycle", m.Recycle)
	}
	kept := top(t.relevance(m.Temperature), k)
	if m.Recycle == 0 || k == t.N {
		return t.pick(kept), nil
	}
	rest := complement(kept, t.N)
	metric := t.metric().normalised()
	source := make([]int32, t.N)
	for j, i := range kept {
		source[i] = int32(j)
	}
	// Sums of weights and of weighted features, beginning with the kept ones.
	weight := make([]float64, k)
	sums := [3][]float64{make([]float64, k*t.D), nil, nil}
	inputs := [3]rows{{t.X, t.N, t.D, t.D}}
	if t.Keys != nil {
		sums[1], inputs[1] = make([]float64, k*t.KeyDim), rows{t.Keys, t.N, t.KeyDim, t.KeyDim}
	}
	if t.Values != nil {
		sums[2], inputs[2] = make([]float64, k*t.ValueDim), rows{t.Values, t.N, t.ValueDim, t.ValueDim}
	}
	add := func(j int, i int32, w float64) {
		weight[j] += w
		for s, in := range inputs {
			if in.n == 0 {
				continue
			}
			row := sums[s][j*in.d : (j+1)*in.d]
			for c, v := range in.row(int(i)) {
				row[c] += w * float64(v)
			}
		}
	}
	for j, i := range kept {
		add(j, i, float64(t.size(int(i))))
	}
	p := make([]float64, k)
	eachProduct(metric.pick(rest), metric.pick(kept), func(o int, dots []float32) {
		i := rest[o]
		best := 0
		for j, v := range dots {
			if v > dots[best] {
				best = j
			}
		}
		source[i] = int32(best)
		var sum float64
		for j, v := range dots {
			p[j] = math.Exp(float64(v-dots[best]) / m.Temperature)
			sum += p[j]
		}
		for j, v := range p {
			// What is below a millionth makes no difference but takes time.
			if v > 1e-6*sum {
				add(j, i, m.Recycle*float64(t.size(int(i)))*v/sum)
			}
		}
	})
	r := t.assemble(kept, source, false)
	for s, y := range [3][]float32{r.X, r.Keys, r.Values} {
		d := inputs[s].d
		for c := range y {
			y[c] = float32(sums[s][c] / weight[c/d])
		}
	}
	return r, nil
}

// Recycling keeps the tokens that a question asks for and recycles the better part of
// the others as clusters (Zhang et al., "SparseVLM: Visual Token Sparsification for
// Efficient Vision-Language Model Inference", 2024): of the tokens that are not kept,
// the Share with the greatest relevance are clustered around density peaks, a centre
// for each ten and one more, and merged into means by size; the rest is dropped. The
// number to keep counts both kinds. It needs a query or attention; with attention, such
// as the mean over heads and rater tokens of what text pays to vision, that is the
// relevance, as in the paper, else that of [QuestionGuided] with a temperature of 0.1.
//
// Choosing raters among text tokens, and the rank of the attention matrix as a rule for
// how much to prune, are left to the caller. O(n k d + r² d) for r recycled tokens.
type Recycling struct {
	Share float64 // of the removed tokens, in 0..1; the paper's is 0.3
}

// Reduce implements [Reducer].
func (m Recycling) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	if !(m.Share >= 0 && m.Share <= 1) {
		return nil, optionError("Recycling", "Share", m.Share)
	}
	var score []float64
	if t.Attention != nil {
		for _, v := range t.Attention {
			score = append(score, float64(v))
		}
	} else if err := t.need("Recycling without attention", "query"); err != nil {
		return nil, err
	} else {
		score = t.relevance(0.1)
	}
	// As many as possible stay as they are: the more do, the fewer are recycled, and the
	// two sum to k, as the sum falls by one or none with each that does not stay.
	dominant, recycled, n := k, 0, 0
	for ; ; dominant-- {
		if recycled = int(m.Share * float64(t.N-dominant)); recycled == 0 {
			n = 0
		} else {
			n = recycled/10 + 1
		}
		if dominant+n <= k {
			break
		}
		if dominant == 0 {
			n = k // fewer centres than a tenth
			break
		}
	}
	order := descending(score)
	kept := append([]int32(nil), order[:dominant]...)
	slices.Sort(kept)
	if n == 0 {
		return t.pick(kept), nil
	}
	pool := append([]int32(nil), order[dominant:dominant+recycled]...)
	slices.Sort(pool)
	metric := t.metric().pick(pool)
	chosen := top(peaks(metric.normalised(), 5), n)
	source := make([]int32, t.N)
	for i := range source {
		source[i] = Dropped
	}
	targets := make([]int32, n)
	for j, c := range chosen {
		targets[j] = pool[c]
	}
	all := append(append([]int32(nil), kept...), targets...)
	slices.Sort(all)
	for j, i := range all {
		source[i] = int32(j)
	}
	if rest := complement(chosen, len(pool)); len(rest) > 0 {
		index, _ := nearest(metric.pick(rest), metric.pick(chosen))
		for j, o := range rest {
			source[pool[o]] = source[targets[index[j]]]
		}
	}
	return t.assemble(all, source, true), nil
}
