package lattice

import "math"

// Finding the chroma samples. Most pixels of a picture that lies on a lattice
// have one preimage, and so a known chroma at full resolution. Where the
// filter has a pixel that takes a single sample, that is the sample; the
// triangle filters are inverted approximately. What is left are samples under
// pixels at a limit and samples outside the picture. They are filled from
// their neighbours, and then, as all others that some pixel disagrees with,
// moved one at a time to the value that agrees with most pixels.

// solver holds the chroma planes on their way.
type solver struct {
	grid
	*picture
	cw, ch int
	s      [2][]uint8 // C1 and C2, cw*ch
	known  []bool     // samples that hold a value, cw*ch
}

func newSolver(g grid, pic *picture) *solver {
	s := &solver{grid: g, picture: pic,
		cw: g.samples(pic.w, g.sx, g.ox), ch: g.samples(pic.h, g.sy, g.oy)}
	n := s.cw * s.ch
	s.s = [2][]uint8{make([]uint8, n), make([]uint8, n)}
	s.known = make([]bool, n)
	return s
}

func (s *solver) solve() {
	s.start()
	if s.reach == 1 {
		s.untangle()
	}
	s.refine()
}

// start gives every sample a value.
func (s *solver) start() {
	if s.reach == 0 {
		s.read()
	} else {
		s.invert()
	}
	if s.sx == 0 {
		s.guess()
	}
	s.fill()
}

// read takes the samples that a pixel takes alone.
func (s *solver) read() {
	for y := range s.h {
		j, py := s.row(y)
		if s.wy[py][1] != 0 {
			continue
		}
		pre := s.pre[y*s.w:][:s.w]
		known := s.known[j*s.cw:][:s.cw]
		d1, d2 := s.s[0][j*s.cw:][:s.cw], s.s[1][j*s.cw:][:s.cw]
		for x, v := range pre {
			i, px := s.column(x)
			if v < limited && s.wx[px][1] == 0 && !known[i] {
				d1[i], d2[i], known[i] = uint8(v>>8), uint8(v), true
			}
		}
	}
}

// guess gives the pixels off the lattice the chroma that comes near, where
// each pixel has its own.
func (s *solver) guess() {
	for i, v := range s.pre {
		if v == offLattice {
			_, s.s[0][i], s.s[1][i] = s.nearest(s.r[i], s.g[i], s.b[i])
			s.known[i] = true
		}
	}
}

// fill spreads the known samples over the others, ring by ring: each takes
// the mean of its neighbours or, if that contradicts a pixel all of whose other
// samples are known, a value nearby that does not.
func (s *solver) fill() {
	var ring []int32
	queued := make([]bool, len(s.known))
	// around calls f with the four neighbours of sample k.
	around := func(k int, f func(int)) {
		i, j := k%s.cw, k/s.cw
		if i > 0 {
			f(k - 1)
		}
		if i+1 < s.cw {
			f(k + 1)
		}
		if j > 0 {
			f(k - s.cw)
		}
		if j+1 < s.ch {
			f(k + s.cw)
		}
	}
	missing := 0
	for k, known := range s.known {
		if known {
			continue
		}
		missing++
		around(k, func(m int) { queued[k] = queued[k] || s.known[m] })
		if queued[k] {
			ring = append(ring, int32(k))
		}
	}
	if missing == len(s.known) {
		for k := range s.known {
			s.s[0][k], s.s[1][k] = s.z1, s.z2
		}
		return
	}
	for len(ring) > 0 {
		var next []int32
		for _, k := range ring {
			var n, sum1, sum2 int32
			around(int(k), func(m int) {
				if s.known[m] {
					n++
					sum1 += int32(s.s[0][m])
					sum2 += int32(s.s[1][m])
				} else if !queued[m] {
					queued[m] = true
					next = append(next, int32(m))
				}
			})
			s.s[0][k], s.s[1][k] = uint8((sum1+n/2)/n), uint8((sum2+n/2)/n)
			s.known[k] = true
			s.move(int(k)%s.cw, int(k)/s.cw)
		}
		ring = next
	}
}

// passes bounds the rounds of refine. The first settles nearly all.
const passes = 3

// refine moves the samples that pixels disagree with.
func (s *solver) refine() {
	dirty := make([]bool, len(s.known))
	row1, row2 := make([]uint8, s.w), make([]uint8, s.w)
	col := make([]int32, s.cw+1)
	moved := make([]bool, len(s.known))
	for pass := range passes {
		for y := range s.h {
			s.line(row1, s.s[0], col, s.cw, y)
			s.line(row2, s.s[1], col, s.cw, y)
			for x, v := range s.pre[y*s.w:][:s.w] {
				if v < limited && uint16(v) == uint16(row1[x])<<8|uint16(row2[x]) || v == offLattice {
					continue
				}
				if v == limited && s.cost(y*s.w+x, row1[x], row2[x]) == 0 {
					continue
				}
				s.mark(dirty, x, y)
			}
		}
		// Where no neighbour has moved since, there is nothing new to find.
		was := moved
		moved = make([]bool, len(was))
		any := false
		for k, d := range dirty {
			dirty[k] = false
			if d && (pass == 0 || s.near(was, k)) {
				moved[k] = s.move(k%s.cw, k/s.cw)
				any = any || moved[k]
			}
		}
		if !any {
			return
		}
	}
}

// near reports whether a sample that shares a pixel with sample k is set.
func (s *solver) near(set []bool, k int) bool {
	i, j := k%s.cw, k/s.cw
	for y := max(0, j-1); y < min(s.ch, j+2); y++ {
		for x := max(0, i-1); x < min(s.cw, i+2); x++ {
			if set[y*s.cw+x] {
				return true
			}
		}
	}
	return false
}

// mark marks the samples that a pixel takes.
func (s *solver) mark(dirty []bool, x, y int) {
	i, px := s.column(x)
	j, py := s.row(y)
	for dj, wy := range s.wy[py] {
		for di, wx := range s.wx[px] {
			if wx*wy != 0 {
				dirty[(j+dj)*s.cw+i+di] = true
			}
		}
	}
}

// missed is what a pixel costs that is not had in one of its two chroma
// samples: more than any distance of others.
const missed = 1 << 14

// cost is 0 if pixel i can be had with the chroma, else it grows with the
// distance. A pixel off the lattice costs nothing: it is lost anyway.
func (s *solver) cost(i int, c1, c2 uint8) int32 {
	switch v := s.pre[i]; v {
	case offLattice:
		return 0
	case limited:
		if lo, hi := s.lumas(s.r[i], s.g[i], s.b[i], c1, c2); lo > hi {
			return 2*missed + lo - hi
		}
		return 0
	default:
		n := int32(0)
		if d := diff(c1, uint8(v>>8)); d > 0 {
			n = missed + d
		}
		if d := diff(c2, uint8(v)); d > 0 {
			n += missed + d
		}
		return n
	}
}

// tap is a pixel that takes a sample.
type tap struct {
	at   int      // index of the pixel
	w    int32    // weight of the sample
	rest [2]int32 // what the other taps and the rounding add up to, C1 and C2
}

// move tries other values for a sample, and reports whether one was better. It
// heeds only pixels whose other samples are known.
func (s *solver) move(i, j int) bool {
	// The pixels at the positions 2i-2..2i+1 can take sample i, or only i.
	var buf [16]tap
	taps := buf[:0]
	known, anyLimited := 0, false
	x0, x1 := s.span(i, s.sx, s.ox, s.w)
	y0, y1 := s.span(j, s.sy, s.oy, s.h)
	k := j*s.cw + i
	for y := y0; y < y1; y++ {
		jy, py := s.row(y)
		for x := x0; x < x1; x++ {
			ix, px := s.column(x)
			t := tap{at: y*s.w + x, w: s.wx[px][i-ix] * s.wy[py][j-jy]}
			if t.w == 0 || s.pre[t.at] == offLattice {
				continue
			}
			whole := true
			for dj, wy := range s.wy[py] {
				for di, wx := range s.wx[px] {
					if m := (jy+dj)*s.cw + ix + di; wx*wy != 0 && m != k {
						whole = whole && s.known[m]
						t.rest[0] += wx * wy * int32(s.s[0][m])
						t.rest[1] += wx * wy * int32(s.s[1][m])
					}
				}
			}
			if !whole {
				continue
			}
			t.rest[0] += s.round[px]
			t.rest[1] += s.round[px]
			taps = append(taps, t)
			if s.pre[t.at] == limited {
				anyLimited = true
			} else {
				// To the front: it is quick to tell and rules out most values.
				taps[known], taps[len(taps)-1] = t, taps[known]
				known++
			}
		}
	}

	cur := [2]int32{int32(s.s[0][k]), int32(s.s[1][k])}
	at := cur
	if !anyLimited {
		// C1 and C2 are then independent.
		at[0] = s.vote(taps, 0, cur[0])
		at[1] = s.vote(taps, 1, cur[1])
		s.s[0][k], s.s[1][k] = uint8(at[0]), uint8(at[1])
		return at != cur
	}
	best := int32(math.MaxInt32)
	try := func(v1, v2 int32) bool {
		if uint32(v1|v2) > 255 {
			return false
		}
		n := int32(0)
		for i := range taps {
			t := &taps[i]
			n += s.cost(t.at, uint8((t.w*v1+t.rest[0])>>s.shift), uint8((t.w*v2+t.rest[1])>>s.shift))
			if n >= best {
				return false
			}
		}
		best, at = n, [2]int32{v1, v2}
		return n == 0
	}
	done := try(cur[0], cur[1]) || try(s.vote(taps, 0, cur[0]), s.vote(taps, 1, cur[1]))
	steps := spiral
	if s.reach == 1 {
		steps = steps[:24] // sixteen pixels make a step costly
	}
	for _, d := range steps {
		if done {
			break
		}
		done = try(cur[0]+int32(d[0]), cur[1]+int32(d[1]))
	}
	for i := range taps {
		t := &taps[i]
		if done || s.pre[t.at] != limited {
			continue
		}
		// The colour that comes near, wherever that leads: the middle of the
		// interval that w·sample + rest must lie in.
		_, c1, c2 := s.nearest(s.r[t.at], s.g[t.at], s.b[t.at])
		half := int32(1) << s.shift >> 1
		done = try((int32(c1)<<s.shift+half-t.rest[0])/t.w, (int32(c2)<<s.shift+half-t.rest[1])/t.w)
	}
	s.s[0][k], s.s[1][k] = uint8(at[0]), uint8(at[1])
	return at != cur
}

// vote returns the value of a sample that agrees best with the pixels of known
// chroma, for C1 (c = 0) or C2 (c = 1); cur if none is better.
func (s *solver) vote(taps []tap, c int, cur int32) int32 {
	sh := 8 - 8*c
	const reach = 3
	try := func(v int32) (cost int32) {
		for i := range taps {
			t := &taps[i]
			if p := s.pre[t.at]; p < limited {
				if d := (t.w*v+t.rest[c])>>s.shift - int32(uint8(p>>sh)); d != 0 {
					cost += missed + max(d, -d)
				}
			}
		}
		return cost
	}
	best, bestCost := cur, try(cur)
	see := func(v int32) {
		if uint32(v) <= 255 && bestCost > 0 {
			if cost := try(v); cost < bestCost {
				best, bestCost = v, cost
			}
		}
	}
	for d := int32(1); d <= reach; d++ {
		see(cur - d)
		see(cur + d)
	}
	for i := range taps {
		// What the pixel asks for, if that is far away.
		t := &taps[i]
		if p := s.pre[t.at]; p < limited && bestCost > 0 {
			lo := (int32(uint8(p>>sh))<<s.shift - t.rest[c] + t.w - 1) / t.w
			if lo < cur-reach || lo > cur+reach {
				see(lo)
				see(lo + 1)
			}
		}
	}
	return best
}

// spiral holds the steps around a value, nearest first.
var spiral = func() (steps [][2]int8) {
	const reach = 5
	for d := 1; d <= 2*reach*reach; d++ {
		for y := -reach; y <= reach; y++ {
			for x := -reach; x <= reach; x++ {
				if x*x+y*y == d {
					steps = append(steps, [2]int8{int8(x), int8(y)})
				}
			}
		}
	}
	return steps
}()

// span returns the pixels that may take sample i along an axis.
func (s *solver) span(i int, sub uint8, o, n int) (from, to int) {
	if sub == 0 {
		return i, i + 1
	}
	return max(0, 2*i-2-o), min(n, 2*i+2-o)
}
