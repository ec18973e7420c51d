package vector

import (
	"math"
	"sort"
)

// A codebook of 2^n words has smaller ones nested in it: its words are the leaves of a
// balanced binary tree, in which near words are near, and a book of 2^d of them, d at
// least topBits, has the mean of the words below each node of that depth. (Extreme Image
// Compression Using Fine-tuned VQGANs, Mao et al., 2023, have codebooks of several sizes by
// clustering a large one.) The number of a word is the way to it from the root, so that
// the bits of a number have probabilities that go with what they say.

// A book is the words of a stage in the integers of its level.
type book struct {
	dim, bits int
	words     []int16         // [1<<bits][dim]
	nested    map[int][]int16 // [1<<depth][dim], by depth; words among them
}

// depths returns the sizes, as their logarithm, that a book of 2^bits words has.
func depths(bits int) []int {
	var d []int
	for k := topBits; k < bits; k += 2 {
		d = append(d, k)
	}
	return append(d, bits)
}

// nest makes the nested codebooks. deep are the probabilities of the tree's nodes, of
// 1<<15, from topBits bits on.
func (b *book) nest(deep []int16) {
	n := 1 << b.bits
	b.nested = map[int][]int16{b.bits: b.words}
	for _, depth := range depths(b.bits) {
		if depth == b.bits {
			continue
		}
		words := make([]int16, b.dim<<depth)
		weight := make([]int64, 2*n)
		for k := range 1 << depth {
			root := 1<<depth + k
			weight[root] = 1 << 30
			sums := make([]int64, b.dim)
			var total int64
			first, last := root, root // nodes of a depth below the root
			for first < n {
				for i := first; i <= last; i++ {
					right := weight[i] * int64(deep[i]) >> 15
					weight[2*i], weight[2*i+1] = max(weight[i]-right, 1), max(right, 1)
				}
				first, last = 2*first, 2*last+1
			}
			for i := first; i <= last; i++ {
				total += weight[i]
				for j, v := range b.words[(i-n)*b.dim : (i-n+1)*b.dim] {
					sums[j] += weight[i] * int64(v)
				}
			}
			for j, s := range sums {
				words[k*b.dim+j] = int16(floorDiv(2*s+total, 2*total)) // the nearest, halves up
			}
		}
		b.nested[depth] = words
	}
}

// floorDiv returns a/b rounded down, for b above 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// treeOrder returns the order in which words, [k][d], k a power of two, are the leaves of
// a tree: at each node those to one side of the middle along the direction in which they
// differ most, counted as often as they are used.
func treeOrder(words, use []float32, d int) []int {
	order := make([]int, len(use))
	for i := range order {
		order[i] = i
	}
	split(order, words, use, d)
	return order
}

func split(order []int, words, use []float32, d int) {
	if len(order) < 2 {
		return
	}
	mean, total := make([]float64, d), 0.0
	for _, k := range order {
		u := float64(use[k]) + 1e-9
		total += u
		for j, v := range words[k*d : (k+1)*d] {
			mean[j] += u * float64(v)
		}
	}
	for j := range mean {
		mean[j] /= total
	}
	// The principal direction, by the power method from one that sees all elements.
	direction := make([]float64, d)
	for j := range direction {
		direction[j] = 1 + 0.1*float64(j%7)
	}
	project := func(k int) float64 {
		var s float64
		for j, v := range words[k*d : (k+1)*d] {
			s += (float64(v) - mean[j]) * direction[j]
		}
		return s
	}
	for range 12 {
		next := make([]float64, d)
		for _, k := range order {
			s := project(k) * (float64(use[k]) + 1e-9)
			for j, v := range words[k*d : (k+1)*d] {
				next[j] += s * (float64(v) - mean[j])
			}
		}
		var norm float64
		for _, v := range next {
			norm += v * v
		}
		if norm == 0 {
			break // all the same
		}
		for j, v := range next {
			direction[j] = v / math.Sqrt(norm)
		}
	}
	at := make(map[int]float64, len(order))
	for _, k := range order {
		at[k] = project(k)
	}
	sort.SliceStable(order, func(i, j int) bool { return at[order[i]] < at[order[j]] })
	half := len(order) / 2
	split(order[:half], words, use, d)
	split(order[half:], words, use, d)
}
