package inr

import "github.com/burin-codec/burin/kernels"

// Upsampling by 2 with a symmetric filter of 8 taps, first down, then across. With
// taps t0..t3 at distances of 1/4, 3/4, 5/4 and 7/4 of a sample, and the border
// repeated,
//
//	out[2j]   = t0 in[j] + t1 in[j-1] + t2 in[j+1] + t3 in[j-2]
//	out[2j+1] = t0 in[j] + t2 in[j-1] + t1 in[j+1] + t3 in[j+2]
//
// summed from the left in float32, each product rounded.

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

// upsample sets out, the rows of n planes of w columns, to the doubled rows of in,
// planes of half the size, rounded up, which must reach upReach further to both sides
// or to the border.
func (r *renderer) upsample(out, in *planes, w int, taps []float32) {
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
			dst := out.at(p+1, y)
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
