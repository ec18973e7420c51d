package lattice

// All samplings are one filter with two taps a side. A pixel's chroma is
//
//	(Σ wy[j]·wx[i]·S[row+j][column+i] + round) >> shift
//
// where, along an axis that is subsampled, position = x + ox, column =
// position/2, and position mod 2 selects the pair of weights; along one that
// is not, column = x. The constant added for rounding depends on the
// column's parity alone (libjpeg alternates it so as not to drift).
//
// For libjpeg's triangle filter (jdsample.c, h2v1_fancy_upsample and
// h2v2_fancy_upsample) the sample S[i] is nearest to pixels 2i and 2i+1, which
// reach out to S[i-1] and S[i+1]: the plane stored here starts one sample
// before, and ox is 1. libjpeg repeats the samples at the border of the
// picture; here they are ordinary samples of the plane which happen to equal
// their neighbours, so that a part of a picture works like the whole.

// shape is a Sampling as numbers.
type shape struct {
	sx, sy uint8       // 1 where the axis is subsampled
	wx, wy [2][2]int32 // weights of the two taps by parity of position
	round  [2]int32    // by parity of the column position
	shift  uint8
	// reach is added to the phase for the offset: 1 if the pixels of even
	// phase need the sample before theirs.
	reach uint8
}

var (
	unit     = [2][2]int32{{1, 0}, {1, 0}}
	midpoint = [2][2]int32{{2, 0}, {1, 1}}
	triangle = [2][2]int32{{3, 1}, {1, 3}}
)

var shapes = [numSamplings]shape{
	Full:         {wx: unit, wy: unit},
	Replicate2x1: {sx: 1, wx: unit, wy: unit},
	Replicate2x2: {sx: 1, sy: 1, wx: unit, wy: unit},
	Cosited2x2:   {sx: 1, sy: 1, wx: midpoint, wy: midpoint, round: [2]int32{2, 2}, shift: 2},
	// Position 0 is the right one of two pixels that share their nearest
	// sample, position 1 the left one of the next two.
	Fancy2x1: {sx: 1, wx: triangle, wy: unit, round: [2]int32{2, 1}, shift: 2, reach: 1},
	Fancy2x2: {sx: 1, sy: 1, wx: triangle, wy: triangle, round: [2]int32{7, 8}, shift: 4, reach: 1},
}

// grid is a shape laid at a phase.
type grid struct {
	*shape
	ox, oy int
}

// newGrid expects valid parameters.
func newGrid(p Params) grid {
	s := &shapes[p.Sampling]
	return grid{s, int((p.PhaseX ^ s.reach) & s.sx), int((p.PhaseY ^ s.reach) & s.sy)}
}

// samples returns how many samples an axis of n pixels needs.
func (g grid) samples(n int, sub uint8, o int) int {
	if sub == 0 || n == 0 {
		return n
	}
	last := n - 1 + o
	if g.wx[last&1][1] != 0 {
		return last/2 + 2
	}
	return last/2 + 1
}

// column and row return the index of the first tap of a pixel and which
// weights it takes.
func (g grid) column(x int) (i, parity int) {
	if g.sx == 0 {
		return x, 0
	}
	return (x + g.ox) >> 1, (x + g.ox) & 1
}

func (g grid) row(y int) (j, parity int) {
	if g.sy == 0 {
		return y, 0
	}
	return (y + g.oy) >> 1, (y + g.oy) & 1
}

// line writes the chroma of row y to dst. col is scratch of cw+1 or more.
func (g grid) line(dst, s []uint8, col []int32, cw, y int) {
	j, py := g.row(y)
	w0, w1 := g.wy[py][0], g.wy[py][1]
	a := s[j*cw:][:cw]
	if g.sx == 0 && w1 == 0 {
		copy(dst, a)
		return
	}
	col = col[:cw+1]
	if w1 == 0 {
		for i, v := range a {
			col[i] = w0 * int32(v)
		}
	} else {
		b := s[(j+1)*cw:][:cw]
		for i, v := range a {
			col[i] = w0*int32(v) + w1*int32(b[i])
		}
	}
	col[cw] = 0 // read with weight 0

	x := 0
	if g.ox == 1 {
		dst[0] = uint8((g.wx[1][0]*col[0] + g.wx[1][1]*col[1] + g.round[1]) >> g.shift)
		col = col[1:]
		x = 1
	}
	e0, e1, er := g.wx[0][0], g.wx[0][1], g.round[0]
	o0, o1, or := g.wx[1][0], g.wx[1][1], g.round[1]
	sh := g.shift & 31
	for ; x+1 < len(dst); x += 2 {
		a, b := col[0], col[1]
		d := dst[x : x+2 : x+2]
		d[0] = uint8((e0*a + e1*b + er) >> sh)
		d[1] = uint8((o0*a + o1*b + or) >> sh)
		col = col[1:]
	}
	if x < len(dst) {
		dst[x] = uint8((e0*col[0] + e1*col[1] + er) >> sh)
	}
}
