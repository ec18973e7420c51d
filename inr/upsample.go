package inr

import "github.com/burin-codec/burin/kernels"

// A grid is first filtered by a symmetric filter of 7 taps, first down, then across. With
// taps t0..t3 at distances of 0..3, and the border repeated,
//
//	out[j] = t0 in[j] + t1 in[j-1] + t1 in[j+1] + t2 in[j-2] + t2 in[j+2] + t3 in[j-3] + t3 in[j+3]
//
// summed from the left in float32, each product rounded. Upsampling is by 2 with a symmetric filter of 8 taps, first down, then across. With
// taps t0..t3 at distances of 1/4, 3/4, 5/4 and 7/4 of a sample, and the border
// repeated,
//
//	out[2j]   = t0 in[j] + t1 in[j-1] + t2 in[j+1] + t3 in[j-2]
//	out[2j+1] = t0 in[j] + t2 in[j-1] + t1 in[j+1] + t3 in[j+2]
//
// summed likewise.

const upReach = 2 // how far the filter reaches to both sides

// A plane set of the rows lo..hi-1 of some planes in the memory of a renderer, with
// border columns to both sides of each row.
type planes struct {
	base, stride int // of row lo of plane 0, column 0; from row to row
	lo, hi       int
	n            int // number of planes
}

const border = 2 // columns repeated on both sides of a row

// at returns the offset of column 0 of row y, clamped to the rows there are.
func (p *planes) at(plane, y int) int {
	y = min(max(y, p.lo), p.hi-1)
	return p.base + (plane*(p.hi-p.lo)+y-p.lo)*p.stride
}

const (
	filterTaps  = 7
	filterReach = filterTaps / 2
)

// filter sets a plane of out to the filtered latents of its rows.
func (r *renderer) filter(out *planes, plane int, g *Grid, t []float32) {
	if t[0] == 1 && t[1] == 0 && t[2] == 0 && t[3] == 0 {
		for y := out.lo; y < out.hi; y++ {
			dst := r.mem[out.at(plane, y):]
			for x, v := range g.V[y*g.W : (y+1)*g.W] {
				dst[x] = float32(v)
			}
			repeatBorder(r.mem[out.at(plane, y)-border:], g.W)
		}
		return
	}
	weights := [filterTaps]float32{t[0], t[1], t[1], t[2], t[2], t[3], t[3]}
	distance := [filterTaps]int{0, -1, 1, -2, 2, -3, 3}
	var zero [1]float32
	// The rows of latents around those of the band, as floats.
	lo, hi := max(0, out.lo-filterReach), min(g.H, out.hi+filterReach)
	if n := (hi - lo) * g.W; len(r.raw) < n {
		r.raw = make([]float32, n)
	}
	for i, v := range g.V[lo*g.W : hi*g.W] {
		r.raw[i] = float32(v)
	}
	row := r.line[:g.W+2*filterReach]
	var down, across [filterTaps]int
	for k, d := range distance {
		across[k] = filterReach + d
	}
	for y := out.lo; y < out.hi; y++ {
		for k, d := range distance {
			down[k] = (min(max(y+d, 0), g.H-1) - lo) * g.W
		}
		kernels.RowsF32(row[filterReach:], g.W, weights[:], zero[:], r.raw, down[:], 1, g.W, false)
		for k := range filterReach {
			row[k], row[g.W+filterReach+k] = row[filterReach], row[g.W+filterReach-1]
		}
		kernels.RowsF32(r.mem[out.at(plane, y):], g.W, weights[:], zero[:], row, across[:], 1, g.W, false)
		repeatBorder(r.mem[out.at(plane, y)-border:], g.W)
	}
}

// upsample sets the planes of out from first on, rows of w columns, to the doubled rows of in,
// planes of half the size, rounded up, which must reach upReach further to both sides
// or to the border.
func (r *renderer) upsample(out *planes, first int, in *planes, w int, taps []float32) {
	half := (w + 1) / 2
	t0, t1, t2, t3 := taps[0], taps[1], taps[2], taps[3]
	down := [4]float32{t0, t1, t2, t3}
	across := [10]float32{
		t0, t1, t2, t3, 0,
		t0, t2, t1, 0, t3,
	}
	var zero [2]float32
	row := r.line[border : border+half] // the row after the step down, with its border
	pairs := r.line[half+2*border:]     // even and odd columns
	for p := range in.n {
		for y := out.lo; y < out.hi; y++ {
			j := y / 2
			off := [4]int{in.at(p, j), in.at(p, j-1), in.at(p, j+1), in.at(p, j-2)}
			if y%2 == 1 {
				off = [4]int{in.at(p, j), in.at(p, j-1), in.at(p, j+1), in.at(p, j+2)}
				down[1], down[2] = t2, t1
			} else {
				down[1], down[2] = t1, t2
			}
			kernels.RowsF32(row, half, down[:], zero[:], r.mem, off[:], 1, half, false)
			repeatBorder(r.line, half)
			kernels.RowsF32(pairs, half, across[:], zero[:], r.line,
				[]int{border, border - 1, border + 1, border - 2, border + 2}, 2, half, false)
			dst := out.at(first+p, y)
			kernels.InterleaveF32(r.mem[dst:dst+w&^1], pairs[:w/2], pairs[half:half+w/2])
			if w%2 == 1 {
				r.mem[dst+w-1] = pairs[half-1]
			}
			repeatBorder(r.mem[dst-border:], w)
		}
	}
}

// repeatBorder fills the border columns around the n of a row that starts with them.
func repeatBorder(row []float32, n int) {
	for i := range border {
		row[i] = row[border]
		row[border+n+i] = row[border+n-1]
	}
}
