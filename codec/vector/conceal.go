package vector

import (
	"slices"

	"github.com/burin-codec/burin/codec/vector/network"
)

// knownCells says of which cells of a level a decoder knows all tokens: those that it was
// sent, and those in cells that are closed.
func knownCells(g *[network.Levels]grid, l int) []bool {
	known := slices.Clone(g[l].known)
	for i := range known {
		p := g[l].parent(i)
		before := g[l-1].known == nil || g[l-1].known[p]
		known[i] = known[i] || before && !g[l-1].open[p]
	}
	return known
}

// concealWeight is the part, one in so many, of the neighbours' mean residual that a lost
// cell gets: what predictions lack is only a little alike from cell to cell.
const concealWeight = 2

// concealCells guesses what cells, [cells][dim], are that are not known, of which p has
// the predictions: neighbours that are known tell by how much predictions fail around
// here.
func concealCells(p, predicted []int16, known []bool, g *grid, dim int) {
	sum := make([]int32, dim)
	for i := range known {
		if known[i] {
			continue
		}
		count := int32(0)
		clear(sum)
		for k := range 9 {
			x, y := i%g.w+k%3-1, i/g.w+k/3-1
			if x < 0 || y < 0 || x >= g.w || y >= g.h || !known[y*g.w+x] {
				continue
			}
			at := (y*g.w + x) * dim
			for j := range sum {
				sum[j] += int32(p[at+j]) - int32(predicted[at+j])
			}
			count++
		}
		if count == 0 {
			continue
		}
		for j, s := range sum {
			n := int64(count * concealWeight)
			p[i*dim+j] = clamp16(int32(p[i*dim+j]) + int32(floorDiv(2*int64(s)+n, 2*n)))
		}
	}
}
