package lattice

// Inverting the triangle filters. Along one axis sample i gives 3/4 of itself
// to the pixels 2i and 2i+1 and 1/4 to 2i-1 and 2i+2: two equations for each
// sample, known up to their rounding, of which least squares makes good use.
// In units of a quarter the normal equations have 20 on the diagonal and 6
// beside it; their inverse is (-1/3)^|i-j| / 16. Rounding errs with a variance
// of 1/12, or 16/12 in those units, and leaves 16/12 · 1/16 = 1/12 in the
// samples. Two axes come to the same: a standard deviation of 0.29, so that
// rounding to integers finds nine samples in ten. untangle mends the others.
//
// With two axes the rows are solved for the sums of samples that they mix,
// then the columns of those for the samples.

// invert estimates the samples from the pixels whose chroma is known.
func (s *solver) invert() {
	w := s.w
	mid := [2]float64{float64(s.z1), float64(s.z2)}
	// v holds for each pixel row and sample column the vertical mixture.
	v := make([]float64, s.h*s.cw)
	t := make([]float64, max(w, s.h))
	use := make([]bool, max(w, s.h))
	out := make([]float64, s.ch)
	var sys system
	half := float64(int32(1)<<s.shift-1) / 2
	scale := float64(int32(1) << s.shift / 4) // the sum of the vertical weights
	for c := range 2 {
		sh := 8 - 8*c
		for y := range s.h {
			for x, p := range s.pre[y*w:][:w] {
				_, px := s.column(x)
				use[x] = p < limited
				// The middle of what rounds to the pixel, mid removed so that
				// gaps tend to grey.
				t[x] = float64(int32(uint8(p>>sh))<<s.shift-s.round[px]) + half - 4*scale*mid[c]
			}
			sys.solve(v[y*s.cw:][:s.cw], t[:w], use[:w], s.ox, s.wx)
		}
		for y := range use[:s.h] {
			use[y] = true
		}
		for i := range s.cw {
			if s.sy == 0 {
				for y := range s.h {
					s.s[c][y*s.cw+i] = round8(v[y*s.cw+i]/scale + mid[c])
				}
				continue
			}
			for y := range s.h {
				t[y] = v[y*s.cw+i]
			}
			sys.solve(out, t[:s.h], use[:s.h], s.oy, s.wy)
			for j, o := range out {
				s.s[c][j*s.cw+i] = round8(o + mid[c])
			}
		}
	}

	// A sample counts as known if the pixels nearest to it are.
	for k := range s.known {
		s.known[k] = true
	}
	for y := range s.h {
		j, py := s.row(y)
		if s.wy[py][1] > s.wy[py][0] {
			j++
		}
		for x, p := range s.pre[y*w:][:w] {
			if p >= limited {
				i, px := s.column(x)
				if s.wx[px][1] > s.wx[px][0] {
					i++
				}
				s.known[j*s.cw+i] = false
			}
		}
	}
}

func round8(v float64) uint8 { return uint8(max(0, min(255, v+0.5))) }

// system is scratch for solve.
type system struct{ diag, off, rhs []float64 }

// solve finds the samples s that make wt[p][0]·s[i] + wt[p][1]·s[i+1] come
// closest to the pixels t in use, i and p being the position's, x+o, half and
// parity. A little smoothness decides what no pixel does.
func (m *system) solve(s, t []float64, use []bool, o int, wt [2][2]int32) {
	const smooth = 1.0 / 64
	n := len(s)
	if cap(m.diag) < n {
		m.diag, m.off, m.rhs = make([]float64, n), make([]float64, n), make([]float64, n)
	}
	diag, off, rhs := m.diag[:n], m.off[:n], m.rhs[:n]
	for i := range diag {
		// The first and the last have one neighbour. A sixteenth of what
		// they lack keeps the system regular if no pixel is in use.
		diag[i], off[i], rhs[i] = 2*smooth, -smooth, 0
	}
	diag[0] -= smooth * 15 / 16
	diag[n-1] -= smooth * 15 / 16
	for x, use := range use {
		if !use {
			continue
		}
		i, w := (x+o)>>1, &wt[(x+o)&1]
		a, b := float64(w[0]), float64(w[1])
		diag[i] += a * a
		diag[i+1] += b * b
		off[i] += a * b
		rhs[i] += float64(a * t[x])
		rhs[i+1] += float64(b * t[x])
	}
	// Gaussian elimination; the conversions forbid fused multiply-adds, so
	// that every machine gives the same planes.
	for i := 1; i < n; i++ {
		f := off[i-1] / diag[i-1]
		diag[i] -= float64(f * off[i-1])
		rhs[i] -= float64(f * rhs[i-1])
	}
	s[n-1] = rhs[n-1] / diag[n-1]
	for i := n - 2; i >= 0; i-- {
		s[i] = (rhs[i] - float64(off[i]*s[i+1])) / diag[i]
	}
}
