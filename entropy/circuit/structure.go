package circuit

import (
	"math"
	"slices"

	"github.com/burin-codec/burin/transform/nn"
)

const (
	// coarseLevels is how many levels of a variable the structure is learnt from.
	coarseLevels = 16
	// structureRows is how many vectors it is learnt from, at most: more change the
	// tree little.
	structureRows = 20000
)

// coarse returns the values of at most structureRows vectors, spread evenly, in
// coarseLevels levels: [Vars][rows]. Levels are intervals of ordered values; otherwise
// the most frequent values have one each and the others share the last.
func coarse(d *Dataset, ordered bool) (levels []uint8, rows int) {
	rows = min(d.Len(), structureRows)
	levels = make([]uint8, d.Vars*rows)
	index := make([]uint8, d.Cats)
	for v := range d.Vars {
		if ordered || d.Cats <= coarseLevels {
			for x := range index {
				index[x] = uint8(x * min(coarseLevels, d.Cats) / d.Cats)
			}
		} else {
			counts, byCount := make([]int, d.Cats), make([]int, d.Cats)
			for i := range d.Len() {
				counts[d.Row(i)[v]]++
			}
			for x := range byCount {
				byCount[x] = x
			}
			slices.SortStableFunc(byCount, func(a, b int) int { return counts[b] - counts[a] })
			for rank, x := range byCount {
				index[x] = uint8(min(rank, coarseLevels-1))
			}
		}
		for i := range rows {
			levels[v*rows+i] = index[d.Row(i * d.Len() / rows)[v]]
		}
	}
	return levels, rows
}

// MutualInformation returns the mutual information, in nats, of every two variables,
// [Vars][Vars], and on the diagonal their entropies: all estimated from at most
// 20,000 vectors, with values in 16 levels. ordered says that near values are alike,
// as those of pixels are.
func MutualInformation(d *Dataset, ordered bool, pool *nn.Pool) []float64 {
	levels, rows := coarse(d, ordered)
	info := make([]float64, d.Vars*d.Vars)
	// n*log(n) for all counts.
	table := make([]float64, rows+1)
	for n := range table[1:] {
		table[n+1] = float64(n+1) * math.Log(float64(n+1))
	}
	entropy := make([]float64, d.Vars) // times rows
	for v := range d.Vars {
		var counts [coarseLevels]int
		for _, l := range levels[v*rows:][:rows] {
			counts[l]++
		}
		entropy[v] = table[rows]
		for _, n := range counts {
			entropy[v] -= table[n]
		}
	}
	pool.Run(d.Vars, func(_, v int) {
		info[v*d.Vars+v] = entropy[v] / float64(rows)
		a := levels[v*rows:][:rows]
		for w := range v {
			if entropy[v] == 0 || entropy[w] == 0 {
				continue
			}
			b := levels[w*rows:][:rows]
			// Two tables, so that runs of equal values do not wait for each other.
			var even, odd [coarseLevels * coarseLevels]int32
			i := 0
			for ; i+1 < rows; i += 2 {
				even[a[i]<<4|b[i]&15]++
				odd[a[i+1]<<4|b[i+1]&15]++
			}
			if i < rows {
				even[a[i]<<4|b[i]&15]++
			}
			joint := table[rows]
			for k, n := range even {
				joint -= table[n+odd[k]]
			}
			g := (entropy[v] + entropy[w] - joint) / float64(rows)
			info[v*d.Vars+w], info[w*d.Vars+v] = g, g
		}
	})
	return info
}
