package lattice

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
	if s.reach == 0 {
		s.read()
	} else {
		s.invert()
	}
	if s.sx == 0 {
		s.guess()
	}
	s.fill()
	s.refine()
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

// invert estimates the samples of the triangle filters. With one axis, a and b
// neighbouring samples and p, q the two pixels between them,
//
//	4p ≈ 3a + b, 4q ≈ a + 3b, so a ≈ (3p - q) / 2
//
// and with two the same twice: of the four pixels between four samples,
// a ≈ (9p - 3q - 3r + s) / 4, p the nearest. A sample takes the mean over the
// pairs or squares around it whose pixels are all known.
func (s *solver) invert() {
	rows := 1 + int(s.sy)
	n := make([]int32, s.cw*s.ch) // pairs or squares summed
	sum := [2][]int32{make([]int32, len(n)), make([]int32, len(n))}
	// y and x start where the first pair or square does, at position 0.
	for y := s.oy; y+rows <= s.h; y += rows {
		j, _ := s.row(y)
		for x := s.ox; x+1 < s.w; x += 2 {
			i, _ := s.column(x)
			at := y*s.w + x
			p := [4]uint32{s.pre[at], s.pre[at+1]}
			if rows == 2 {
				p[2], p[3] = s.pre[at+s.w], s.pre[at+s.w+1]
			}
			if (p[0]|p[1]|p[2]|p[3])>>24 != 0 {
				continue
			}
			for k := range 2 * rows {
				to := (j+k>>1)*s.cw + i + k&1
				n[to]++
				for c := range 2 {
					sh := 8 - 8*c
					f := func(m int) int32 { return int32(uint8(p[k^m] >> sh)) }
					v := 3*f(0) - f(1)
					if rows == 2 {
						v = 3*v - 3*f(2) + f(3)
					}
					sum[c][to] += v
				}
			}
		}
	}
	for i, n := range n {
		if n > 0 {
			n *= int32(2 * rows)
			for c := range 2 {
				s.s[c][i] = uint8(max(0, min(255, (sum[c][i]+n/2)/n)))
			}
			s.known[i] = true
		}
	}
}

// fill spreads the known samples over the others, ring by ring.
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
		}
		for _, k := range ring {
			s.known[k] = true
		}
		ring = next
	}
}

// passes bounds the rounds of refine. Two settle nearly all.
const passes = 4

// refine moves the samples that pixels disagree with.
func (s *solver) refine() {
	dirty := make([]bool, len(s.known))
	row1, row2 := make([]uint8, s.w), make([]uint8, s.w)
	col := make([]int32, s.cw+1)
	for range passes {
		for y := range s.h {
			s.line(row1, s.s[0], col, s.cw, y)
			s.line(row2, s.s[1], col, s.cw, y)
			j, py := s.row(y)
			for x, v := range s.pre[y*s.w:][:s.w] {
				if v < limited && uint16(v) == uint16(row1[x])<<8|uint16(row2[x]) || v == offLattice {
					continue
				}
				if v == limited && s.cost(x, y, row1[x], row2[x]) == 0 {
					continue
				}
				i, px := s.column(x)
				for dj, wy := range s.wy[py] {
					for di, wx := range s.wx[px] {
						if wx*wy != 0 {
							dirty[(j+dj)*s.cw+i+di] = true
						}
					}
				}
			}
		}
		moved := false
		for k, d := range dirty {
			if d {
				dirty[k] = false
				moved = s.move(k%s.cw, k/s.cw) || moved
			}
		}
		if !moved {
			return
		}
	}
}

// cost is 0 if the pixel can be had with the chroma, else it grows with the
// distance from it. A pixel off the lattice costs nothing: it is lost anyway.
func (s *solver) cost(x, y int, c1, c2 uint8) int32 {
	const missed = 8 // one pixel less is worth more than any distance
	i := y*s.w + x
	switch v := s.pre[i]; v {
	case offLattice:
		return 0
	case limited:
		if lo, hi := s.lumas(s.r[i], s.g[i], s.b[i], c1, c2); lo > hi {
			return 2*missed + min(lo-hi, missed-1)
		}
		return 0
	default:
		n := int32(0)
		if d := diff(c1, uint8(v>>8)); d > 0 {
			n = missed + min(d, missed/2-1)
		}
		if d := diff(c2, uint8(v)); d > 0 {
			n += missed + min(d, missed/2-1)
		}
		return n
	}
}

// tap is a pixel that takes a sample.
type tap struct {
	x, y int
	w    int32    // weight of the sample
	rest [2]int32 // what the other taps and the rounding add up to, C1 and C2
}

// move tries other values for a sample, and reports whether one was better.
func (s *solver) move(i, j int) bool {
	// The pixels at the positions 2i-2..2i+1 can take sample i, or only i.
	var buf [16]tap
	taps := buf[:0]
	x0, x1 := s.span(i, s.sx, s.ox, s.w)
	y0, y1 := s.span(j, s.sy, s.oy, s.h)
	k := j*s.cw + i
	cur := [2]int32{int32(s.s[0][k]), int32(s.s[1][k])}
	for y := y0; y < y1; y++ {
		jy, py := s.row(y)
		for x := x0; x < x1; x++ {
			ix, px := s.column(x)
			t := tap{x: x, y: y, w: s.wx[px][i-ix] * s.wy[py][j-jy]}
			if t.w == 0 || s.pre[y*s.w+x] == offLattice {
				continue
			}
			for dj, wy := range s.wy[py] {
				for di, wx := range s.wx[px] {
					if m := (jy+dj)*s.cw + ix + di; wx*wy != 0 && m != k {
						t.rest[0] += wx * wy * int32(s.s[0][m])
						t.rest[1] += wx * wy * int32(s.s[1][m])
					}
				}
			}
			t.rest[0] += s.round[px]
			t.rest[1] += s.round[px]
			taps = append(taps, t)
		}
	}
	total := func(v [2]int32) (n int32) {
		for _, t := range taps {
			n += s.cost(t.x, t.y, uint8((t.w*v[0]+t.rest[0])>>s.shift), uint8((t.w*v[1]+t.rest[1])>>s.shift))
		}
		return n
	}
	first := total(cur)
	best, was := first, cur
	for c := range 2 {
		if best == 0 {
			break
		}
		sh := 8 - 8*c
		var tried [256 / 32]uint32
		try := func(v int32) {
			if v < 0 || v > 255 || tried[v>>5]>>(v&31)&1 != 0 {
				return
			}
			tried[v>>5] |= 1 << (v & 31)
			at := was
			at[c] = v
			if n := total(at); n < best {
				best, was = n, at
			}
		}
		for d := int32(1); d <= 2; d++ {
			try(cur[c] - d)
			try(cur[c] + d)
		}
		for _, t := range taps {
			if v := s.pre[t.y*s.w+t.x]; v < limited {
				// w·sample + rest lies in [f<<shift, f<<shift + 1<<shift - 1].
				f := int32(uint8(v>>sh)) << s.shift
				hi := (f + 1<<s.shift - 1 - t.rest[c]) / t.w
				for v := (f - t.rest[c]) / t.w; v <= hi; v++ {
					try(v)
				}
			}
		}
	}
	if best == first {
		return false
	}
	s.s[0][k], s.s[1][k] = uint8(was[0]), uint8(was[1])
	return true
}

// span returns the pixels that may take sample i along an axis.
func (s *solver) span(i int, sub uint8, o, n int) (from, to int) {
	if sub == 0 {
		return i, i + 1
	}
	return max(0, 2*i-2-o), min(n, 2*i+2-o)
}
