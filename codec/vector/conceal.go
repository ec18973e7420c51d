package vector

import (
	"slices"

	"github.com/burin-codec/burin/codec/vector/network"
)

// knownCells says of which cells of a level a decoder knows all tokens: those that it was
// sent, and those in cells that are known to be closed. before is what it returned for the
// level before.
func knownCells(g *[network.Levels]grid, l int, before []bool) []bool {
	known := slices.Clone(g[l].known)
	for i := range known {
		if l > 0 {
			p := g[l].parent(i)
			known[i] = known[i] && (before[p] || l == 1) || before[p] && !g[l-1].open[p]
		}
	}
	return known
}

// concealCells guesses what cells are that are not known, [cells][dim], of which p has the
// predictions: neighbours that are known tell by how much predictions fail around here.
// Of the first level nothing is predicted: cells become the mean of their neighbours,
// from the known ones inwards.
func concealCells(p, predicted []int16, known []bool, g *grid, dim int, first bool) {
	if !slices.Contains(known, false) {
		return
	}
	// Half of a mean is best where neighbours have little to do with each other, and not
	// far from it where they have more.
	weight := int32(2)
	if first {
		weight = 1
	}
	known = slices.Clone(known)
	sum := make([]int32, dim)
	for {
		var filled []int
		for i := range known {
			if known[i] {
				continue
			}
			count := int32(0)
			clear(sum)
			x, y := i%g.w, i/g.w
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					a, b := x+dx, y+dy
					if a < 0 || b < 0 || a >= g.w || b >= g.h || !known[b*g.w+a] {
						continue
					}
					at := (b*g.w + a) * dim
					for j := range sum {
						sum[j] += int32(p[at+j]) - int32(predicted[at+j])
					}
					count++
				}
			}
			if count == 0 {
				continue
			}
			for j, s := range sum {
				p[i*dim+j] = clamp16(int32(p[i*dim+j]) + int32(floorDiv(int64(2*s+count*weight), int64(2*count*weight))))
			}
			filled = append(filled, i)
		}
		if !first || len(filled) == 0 {
			return
		}
		for _, i := range filled {
			known[i] = true
		}
	}
}
