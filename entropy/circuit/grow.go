package circuit

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Pruning and growing (Dang, Liu and Van den Broeck, "Sparse probabilistic circuits
// via pruning and growing", 2022), of states instead of single edges, so that products
// of matrices stay dense. The flow of a state, the expected number of vectors in which
// it is taken, bounds what the likelihood loses without it. Those with the least flow
// go, wherever they are; the others are divided in two, with a little noise in each
// copy for training to build upon. Variables with much to tell end up with more states
// than others.

// prune removes the share of all states that has the least flow. Every hidden variable
// keeps one.
func (t *Trainer) prune(share float64) {
	c := t.c
	flows := make([][]float64, len(c.States))
	var all []float64
	for i, m := range c.States {
		flows[i] = make([]float64, m)
		for k, x := range t.trans[i] {
			flows[i][k%m] += float64(x)
		}
		all = append(all, flows[i]...)
	}
	slices.Sort(all)
	least := all[min(int(share*float64(len(all))), len(all)-1)]
	keep := make([][]int, len(c.States))
	for i := range flows {
		best := 0
		for z, f := range flows[i] {
			if f >= least {
				keep[i] = append(keep[i], z)
			}
			if f > flows[i][best] {
				best = z
			}
		}
		if keep[i] == nil {
			keep[i] = []int{best}
		}
	}
	t.pick(keep, 0, nil)
}

// grow divides every state in two, as long as there are at most most, the ones with
// most flow first. Copies differ by factors exp(noise*N(0,1)).
func (t *Trainer) grow(most int, noise float64, r *rand.Rand) {
	keep := make([][]int, len(t.c.States))
	for i, m := range t.c.States {
		flows, order := make([]float64, m), make([]int, m)
		for k, x := range t.trans[i] {
			flows[k%m] += float64(x)
		}
		for z := range order {
			order[z] = z
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case flows[a] > flows[b]:
				return -1
			case flows[a] < flows[b]:
				return 1
			}
			return 0
		})
		twice := make([]bool, m)
		if m > 1 { // a variable of one state has nothing to tell
			for _, z := range order[:max(min(most-m, m), 0)] {
				twice[z] = true
			}
		}
		for z := range m {
			keep[i] = append(keep[i], z)
			if twice[z] {
				keep[i] = append(keep[i], z)
			}
		}
	}
	t.pick(keep, noise, r)
}

// pick makes t go on from a circuit whose states at position i are those of keep[i],
// in the old numbering; those that are there several times share the counts.
func (t *Trainer) pick(keep [][]int, noise float64, r *rand.Rand) {
	old, trans, leaf := t.c, t.trans, t.leaf
	c := &Circuit{Tree: old.Tree, Cats: old.Cats, States: make([]int, len(old.States)), Logistics: old.Logistics}
	times := make([][]float32, len(keep)) // 1/how many copies each old state has
	for i, k := range keep {
		c.States[i] = len(k)
		times[i] = make([]float32, old.States[i])
		for _, z := range k {
			times[i][z]++
		}
		for z, n := range times[i] {
			times[i][z] = 1 / max(n, 1)
		}
	}
	factor := func() float32 {
		if noise == 0 {
			return 1
		}
		return float32(math.Exp(noise * r.NormFloat64()))
	}
	newTrans, newLeaf := make([][]float32, len(keep)), make([][]float32, len(keep))
	for i, k := range keep {
		above, share := []int{0}, []float32{1}
		if i > 0 {
			above, share = keep[c.Parent[i]], times[c.Parent[i]]
		}
		m := old.States[i]
		for _, y := range above {
			for _, z := range k {
				newTrans[i] = append(newTrans[i], trans[i][y*m+z]*share[y]*times[i][z]*factor())
			}
		}
		for _, z := range k {
			for _, x := range leaf[i][z*c.Cats:][:c.Cats] {
				newLeaf[i] = append(newLeaf[i], x*times[i][z]*factor())
			}
		}
		c.Trans = append(c.Trans, make([]float32, len(newTrans[i])))
		c.Leaf = append(c.Leaf, make([]float32, len(newLeaf[i])))
		if c.Logistics > 0 {
			// Copies differ by their counts, which the next step fits.
			size := logisticSize(c.Logistics)
			var mix []float32
			for _, z := range k {
				mix = append(mix, old.Mix[i][z*size:][:size]...)
			}
			c.Mix = append(c.Mix, mix)
		}
	}
	t.c, t.trans, t.leaf = c, newTrans, newLeaf
	t.em = newEM(c, t.o.Batch, t.pool)
	t.maximiseAll()
}
