package tokens

import "math"

// A tileGrid is a way to lay out tiles.
type tileGrid struct {
	cols, rows int
	ratio      float64 // cols / rows
	log        float64 // Python's math.log(cols / rows)
}

// grids holds all layouts of up to maxTiles tiles: those of one tile, of two and so on,
// and among those of as many tiles the ones of fewer columns first, which is the order in
// which the processors go through them. gridsEnd[n] is the end of those of n tiles.
var (
	grids    []tileGrid
	gridsEnd [maxTiles + 1]int
)

func init() {
	for n := 1; n <= maxTiles; n++ {
		for cols := 1; cols <= n; cols++ {
			if rows := n / cols; cols*rows == n {
				grids = append(grids, tileGrid{cols, rows, float64(cols) / float64(rows), logRatio(cols, rows)})
			}
		}
		gridsEnd[n] = len(grids)
	}
}

// gridsOf returns the layouts of lo to hi tiles.
func gridsOf(lo, hi int) []tileGrid {
	return grids[gridsEnd[lo-1]:gridsEnd[hi]]
}

// closestGrid returns the layout of lo to hi tiles whose aspect ratio is the closest to
// the picture's. Of equally close ones the later is taken if it does not have twice the
// area of the picture. This is InternVL's rule, which others took over; ratios are
// compared by their difference, so that the choice is not the same for a picture and the
// one turned by 90 degrees.
func closestGrid(w, h, lo, hi, tile int) tileGrid {
	ratio := float64(w) / float64(h)
	area := float64(w) * float64(h)
	best, bestDiff := tileGrid{cols: 1, rows: 1}, math.Inf(1)
	for _, g := range gridsOf(lo, hi) {
		diff := math.Abs(ratio - g.ratio)
		if diff < bestDiff {
			best, bestDiff = g, diff
		} else if diff == bestDiff && area > 0.5*float64(tile*tile*g.cols*g.rows) {
			best = g
		}
	}
	return best
}
