package reduce

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// Random keeps tokens drawn at random, and drops the others: the baseline that every
// method has to beat. O(n) for n tokens, but for copying.
type Random struct {
	Seed uint64
}

// Reduce implements [Reducer].
func (m Random) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(m.Seed, 0x72656475))
	kept := make([]int32, 0, k)
	for i := range t.N { // each set of k with the same probability
		if r.IntN(t.N-i) < k-len(kept) {
			kept = append(kept, int32(i))
		}
	}
	return t.pick(kept), nil
}

// Uniform keeps tokens at even distances in the order that they have, and drops the
// others. O(n), but for copying.
type Uniform struct{}

// Reduce implements [Reducer].
func (Uniform) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	kept := make([]int32, k)
	for j := range kept {
		kept[j] = int32((2*j + 1) * t.N / (2 * k))
	}
	return t.pick(kept), nil
}

// Pool averages cells of neighbours. With positions, cells are rectangles that divide
// the frame as evenly as their number allows: rows of cells, each of as many tokens
// for a cell, as in a packed R-tree; where the grid divides evenly that is pooling by
// a x b. Frames share the kept tokens by their numbers of tokens, and where fewer are
// kept than there are frames, frames merge with those before them. Without positions
// cells are runs of tokens. Each cell stands at its token nearest to the middle, by
// position. O(n log n).
type Pool struct{}

// Reduce implements [Reducer].
func (Pool) Reduce(t *Tokens, keep Keep) (*Reduced, error) {
	k, err := begin(t, keep)
	if err != nil {
		return nil, err
	}
	group := make([]int32, t.N)
	frames := t.frames()
	if len(frames) > k || t.Pos == nil {
		for i := range group {
			group[i] = int32(i * k / t.N)
		}
		return t.group(group, k, t.middles(group, k)), nil
	}
	first := 0
	for f, n := range apportion(frames, k) {
		from, to := frames[f][0], frames[f][1]
		t.cells(group, from, to, first, n)
		first += n
	}
	return t.group(group, k, t.middles(group, k)), nil
}

// apportion divides k among ranges by their lengths, at least one for each, and no
// more than the range has; k is at least their number.
func apportion(ranges [][2]int, k int) []int {
	weights := make([]float64, len(ranges))
	room := make([]int, len(ranges))
	for i, r := range ranges {
		room[i] = r[1] - r[0]
		weights[i] = float64(room[i])
	}
	return divide(weights, room, k, 1)
}

// divide divides k by weights, which are not negative, with at least least (or the
// room, if that is smaller) and at most room for each: one by one to that with the
// greatest weight over what it has and a half (the method of Webster), of equal ones
// the first. k must be within the sums of those bounds.
func divide(weights []float64, room []int, k, least int) []int {
	h := &quotients{weights: weights, got: make([]int, len(weights))}
	for i := range weights {
		h.got[i] = min(least, room[i])
		k -= h.got[i]
		if h.got[i] < room[i] {
			h.order = append(h.order, i)
		}
	}
	heap.Init(h)
	for ; k > 0; k-- {
		i := h.order[0]
		if h.got[i]++; h.got[i] == room[i] {
			heap.Pop(h)
		} else {
			heap.Fix(h, 0)
		}
	}
	return h.got
}

// quotients is a heap of indices, the greatest quotient first.
type quotients struct {
	weights []float64
	got     []int
	order   []int
}

func (h *quotients) Len() int      { return len(h.order) }
func (h *quotients) Swap(i, j int) { h.order[i], h.order[j] = h.order[j], h.order[i] }
func (h *quotients) Push(x any)    { h.order = append(h.order, x.(int)) }
func (h *quotients) Pop() any {
	n := len(h.order) - 1
	i := h.order[n]
	h.order = h.order[:n]
	return i
}

func (h *quotients) Less(i, j int) bool {
	i, j = h.order[i], h.order[j]
	p, q := h.weights[i]*(float64(h.got[j])+0.5), h.weights[j]*(float64(h.got[i])+0.5)
	if p != q {
		return p > q
	}
	return h.got[i] < h.got[j] || h.got[i] == h.got[j] && i < j
}

// cells divides the tokens from..to-1 into n groups, numbered from first.
func (t *Tokens) cells(group []int32, from, to, first, n int) {
	order := make([]int32, to-from)
	left, top, right, bottom := t.Pos[from].X, t.Pos[from].Y, t.Pos[from].X, t.Pos[from].Y
	for i := range order {
		p := t.Pos[from+i]
		order[i] = int32(from + i)
		left, right = min(left, p.X), max(right, p.X)
		top, bottom = min(top, p.Y), max(bottom, p.Y)
	}
	width, height := float64(right)-float64(left)+1, float64(bottom)-float64(top)+1
	bands := min(max(int(math.Round(math.Sqrt(float64(n)*height/width))), 1), n)
	slices.SortStableFunc(order, func(a, b int32) int {
		p, q := t.Pos[a], t.Pos[b]
		return compare(p.Y, q.Y, p.X, q.X)
	})
	for b := range bands {
		cell, end := b*n/bands, (b+1)*n/bands
		band := order[cell*len(order)/n : end*len(order)/n]
		slices.SortStableFunc(band, func(a, b int32) int {
			p, q := t.Pos[a], t.Pos[b]
			return compare(p.X, q.X, p.Y, q.Y)
		})
		for j, i := range band {
			group[i] = int32(first + cell + j*(end-cell)/len(band))
		}
	}
}

func compare(a, b, c, d int32) int {
	if a == b {
		a, b = c, d
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// middles returns, for each group, its token nearest to the mean of their positions,
// or without positions the middle one.
func (t *Tokens) middles(group []int32, k int) []int32 {
	place := make([]int32, k)
	count := make([]float64, k)
	x, y := make([]float64, k), make([]float64, k)
	at := func(i int) (float64, float64) {
		if t.Pos == nil {
			return float64(i), 0
		}
		return float64(t.Pos[i].X), float64(t.Pos[i].Y)
	}
	for i, g := range group {
		px, py := at(i)
		count[g]++
		x[g] += px
		y[g] += py
	}
	best := make([]float64, k)
	for g := range best {
		best[g] = math.Inf(1)
	}
	for i, g := range group {
		px, py := at(i)
		dx, dy := px-x[g]/count[g], py-y[g]/count[g]
		if d := dx*dx + dy*dy; d < best[g] {
			best[g], place[g] = d, int32(i)
		}
	}
	return place
}
