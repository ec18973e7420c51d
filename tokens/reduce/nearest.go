package reduce

import (
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
)

// Nearest neighbours by cosine, exactly, from products in 8 bits.
//
// Let a' = s q be row a quantised to int8 with step s, and e = |a - a'| / |a| its
// relative error, likewise for b. Then by the inequality of Cauchy and Schwarz
//
//	|a·b - a'·b'| <= |a - a'| |b| + |a'| |b - b'| <= |a| |b| (e_a + (1 + e_a) e_b)
//
// so that the cosine of the quantised rows, over the norms of the true ones, is off by
// at most E_a = e_a + (1 + e_a) max e_b. The b that looks nearest has a cosine c, and
// what is nearer than that looks no further than c - E_a. Those few are compared again
// in float32, and what is left within its rounding, in float64 in a fixed order, where
// products of float32s are exact. The result is therefore that of the definition in
// float64, whatever kernels there are: the same on every processor.

// rows is a view of n rows of d numbers, stride apart.
type rows struct {
	x            []float32
	n, d, stride int
}

func (r rows) row(i int) []float32 { return r.x[i*r.stride:][:r.d:r.d] }

// pick copies rows.
func (r rows) pick(index []int32) rows {
	out := rows{make([]float32, len(index)*r.d), len(index), r.d, r.d}
	for j, i := range index {
		copy(out.row(j), r.row(int(i)))
	}
	return out
}

// even and odd return every second row.
func (r rows) even() rows { return rows{r.x, (r.n + 1) / 2, r.d, 2 * r.stride} }
func (r rows) odd() rows {
	if r.n < 2 {
		return rows{nil, 0, r.d, 2 * r.stride}
	}
	return rows{r.x[r.stride:], r.n / 2, r.d, 2 * r.stride}
}

// dot64 returns the product of two rows in float64, summed in a fixed order: the
// products of float32s are exact, so that fusing them into additions changes nothing.
func dot64(a, b []float32) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		p, q := a[i:i+4:i+4], b[i:i+4:i+4]
		s[0] += float64(p[0]) * float64(q[0])
		s[1] += float64(p[1]) * float64(q[1])
		s[2] += float64(p[2]) * float64(q[2])
		s[3] += float64(p[3]) * float64(q[3])
	}
	for ; i < len(a); i++ {
		s[0] += float64(a[i]) * float64(b[i])
	}
	return s[0] + s[1] + (s[2] + s[3])
}

// norms returns the Euclidean norms of the rows.
func norms(r rows) []float64 {
	out := make([]float64, r.n)
	for i := range out {
		out[i] = math.Sqrt(dot64(r.row(i), r.row(i)))
	}
	return out
}

// cosine returns the cosine of two rows of the given norms; that of a row of zeros is 0.
func cosine(a, b []float32, na, nb float64) float64 {
	if na == 0 || nb == 0 {
		return 0
	}
	return dot64(a, b) / (na * nb)
}

// Searches smaller than this, in products, go by the definition or float32.
const smallSearch = 1 << 14

// nearest returns, for each row of a, the row of b with the greatest cosine, the first
// of equal ones, and that cosine. b must not be empty.
func nearest(a, b rows) (index []int32, score []float64) {
	s := newSearch(a, b)
	switch {
	case a.n*b.n*a.d < smallSearch || s.extreme():
		s.reference()
	case kernels.Tier() >= kernels.AVX512 && a.d >= 32 && a.n >= 16:
		s.byI8()
	default:
		s.byF32()
	}
	return s.index, s.score
}

// searchRows is how many rows are searched at a time: their products with 2048 others
// are 512 kB.
const searchRows = 64

// f32Error returns a bound of the relative rounding of dot products of n elements in
// float32, over the product of the norms, in whatever order they are summed.
func f32Error(n int) float64 { return 1.01 * float64(n+2) * 0x1p-24 }

// byF32 compares in float32 first.
func (s *search) byF32() {
	a, b := s.a, s.b
	inverse := make([]float32, b.n) // one over the norms
	for j, n := range s.nb {
		if n > 0 {
			inverse[j] = float32(1 / n)
		}
	}
	var g kernels.Gemm
	c := make([]float32, min(searchRows, a.n)*b.n)
	e := 2*f32Error(a.d) + 0x1p-22
	for at := 0; at < a.n; at += searchRows {
		m := min(searchRows, a.n-at)
		g.NT(c, b.n, a.x[at*a.stride:], a.stride, b.x, b.stride, m, b.n, a.d, false)
		for i := range m {
			row := c[i*b.n : (i+1)*b.n]
			best := float32(math.Inf(-1))
			for j, v := range row {
				v *= inverse[j]
				row[j] = v
				if v > best {
					best = v
				}
			}
			s.candidates = s.candidates[:0]
			threshold := best - float32(e*s.na[at+i])
			for j, v := range row {
				if v >= threshold {
					s.candidates = append(s.candidates, int32(j))
				}
			}
			s.dedupe()
			s.settle(at + i)
		}
	}
}

// byI8 compares in 8 bits first.
func (s *search) byI8() {
	a, b := s.a, s.b
	k := (a.d + 3) &^ 3
	qb, sb, eb := quantise(b, s.nb, k)
	var panels kernels.PanelsI8
	panels.Pack(qb, b.n, k, k)
	worst := 0.0
	for _, e := range eb {
		worst = max(worst, e)
	}
	scale := make([]float32, b.n) // to the cosine, but for the factor of a's row
	for j := range scale {
		if s.nb[j] > 0 {
			scale[j] = float32(sb[j] / s.nb[j])
		}
	}
	m := min(searchRows, a.n)
	c := make([]int32, m*b.n)
	f := make([]float32, b.n)
	for at := 0; at < a.n; at += searchRows {
		m := min(searchRows, a.n-at)
		block := rows{a.x[at*a.stride:], m, a.d, a.stride}
		qa, sa, ea := quantise(block, s.na[at:], k)
		panels.Dots(c, b.n, qa, k, m)
		for i := range m {
			s.candidates = s.candidates[:0]
			if s.na[at+i] == 0 {
				s.candidates = append(s.candidates, 0)
				s.settle(at + i)
				continue
			}
			dots := c[i*b.n : (i+1)*b.n]
			best, likely := float32(math.Inf(-1)), 0
			for j, v := range dots {
				g := float32(v) * scale[j]
				f[j] = g
				if g > best {
					best, likely = g, j
				}
			}
			// The nearest has at least the cosine of the one that looks it; f is in
			// units of the step over the norm, and rounded.
			least := -(ea[i] + (1+ea[i])*worst + f32Error(a.d) + 0x1p-20)
			if n := s.na[at+i] * s.nb[likely]; n > 0 {
				least += kernels.DotF32(a.row(at+i), b.row(likely)) / n
			}
			threshold := float32(least * s.na[at+i] / sa[i])
			for j, v := range f {
				if v >= threshold {
					s.candidates = append(s.candidates, int32(j))
				}
			}
			s.dedupe()
			s.refine(at + i)
			s.settle(at + i)
		}
	}
}

// quantise returns rows of int8s, [n][k], their steps and the relative errors of the
// rows.
func quantise(r rows, norm []float64, k int) (q []int8, step, relative []float64) {
	q = make([]int8, r.n*k)
	step, relative = make([]float64, r.n), make([]float64, r.n)
	for i := range r.n {
		x := r.row(i)
		if norm[i] == 0 {
			step[i] = 1
			continue
		}
		var bits uint32 // of the largest magnitude
		for _, v := range x {
			bits = max(bits, math.Float32bits(v)&^(1<<31))
		}
		most := math.Float32frombits(bits)
		inverse, s := 127/most, most/127
		out := q[i*k : i*k+r.d]
		var square float64
		var part [4]float32
		for j := 0; j < len(x); {
			end := min(j+256, len(x))
			part = [4]float32{}
			for ; j+4 <= end; j += 4 {
				p, o := x[j:j+4:j+4], out[j:j+4:j+4]
				d0, d1, d2, d3 := round(p[0]*inverse), round(p[1]*inverse), round(p[2]*inverse), round(p[3]*inverse)
				o[0], o[1], o[2], o[3] = int8(d0), int8(d1), int8(d2), int8(d3)
				e0, e1, e2, e3 := p[0]-d0*s, p[1]-d1*s, p[2]-d2*s, p[3]-d3*s
				part[0] += e0 * inverse * (e0 * inverse)
				part[1] += e1 * inverse * (e1 * inverse)
				part[2] += e2 * inverse * (e2 * inverse)
				part[3] += e3 * inverse * (e3 * inverse)
			}
			for ; j < end; j++ {
				d := round(x[j] * inverse)
				out[j] = int8(d)
				e := (x[j] - d*s) * inverse
				part[0] += e * e
			}
			square += float64(part[0]) + float64(part[1]) + float64(part[2]) + float64(part[3])
		}
		step[i] = float64(s)
		// The sum in float32 is right to a few parts in 1e5.
		relative[i] = 1.0001*math.Sqrt(square)*float64(s)/norm[i] + 1e-7
	}
	return q, step, relative
}

// round rounds to the nearest integer, for magnitudes below 2^22.
func round(v float32) float32 {
	const shift = 3 << 22 // its unit in the last place is 1
	return float32(float32(v+shift) - shift)
}

// A search is that for the nearest rows of b.
type search struct {
	a, b       rows
	na, nb     []float64
	index      []int32
	score      []float64
	candidates []int32 // rising
	values     []float64
	first      []int32 // for each row of b the first that is the same; nil until needed
}

func newSearch(a, b rows) *search {
	return &search{a: a, b: b, na: norms(a), nb: norms(b), index: make([]int32, a.n), score: make([]float64, a.n)}
}

// refine leaves the candidates of row i of a that float32 cannot tell from the best.
func (s *search) refine(i int) {
	if len(s.candidates) < 2 {
		return
	}
	x := s.a.row(i)
	s.values = s.values[:0]
	best := math.Inf(-1)
	for _, j := range s.candidates {
		v := 0.0
		if s.nb[j] > 0 {
			v = kernels.DotF32(x, s.b.row(int(j))) / s.nb[j]
		}
		s.values = append(s.values, v)
		best = max(best, v)
	}
	threshold := best - 2*f32Error(s.a.d)*s.na[i]
	n := 0
	for k, v := range s.values {
		if v >= threshold {
			s.candidates[n] = s.candidates[k]
			n++
		}
	}
	s.candidates = s.candidates[:n]
}

// manyCandidates is when it pays to look for rows of b that are the same: blank patches
// of a page would all have to be compared with one another.
const manyCandidates = 32

// dedupe leaves the first of candidates that are the same.
func (s *search) dedupe() {
	if len(s.candidates) < manyCandidates {
		return
	}
	if s.first == nil {
		s.first = make([]int32, s.b.n)
		byNorm := map[float64][]int32{} // of rows that differ
		for j := range s.first {
			s.first[j] = int32(j)
			norm := s.nb[j]
			same := slices.IndexFunc(byNorm[norm], func(i int32) bool { return slices.Equal(s.b.row(int(i)), s.b.row(j)) })
			if same >= 0 {
				s.first[j] = byNorm[norm][same]
			} else if len(byNorm[norm]) < manyCandidates {
				byNorm[norm] = append(byNorm[norm], int32(j))
			}
		}
	}
	n := 0
	for _, j := range s.candidates {
		// The first is as near, and so is a candidate.
		if s.first[j] == j {
			s.candidates[n] = j
			n++
		}
	}
	s.candidates = s.candidates[:n]
}

// settle finds the best of the candidates of row i of a by the definition.
func (s *search) settle(i int) {
	s.score[i] = math.Inf(-1)
	for _, j := range s.candidates {
		if c := cosine(s.a.row(i), s.b.row(int(j)), s.na[i], s.nb[j]); c > s.score[i] {
			s.score[i], s.index[i] = c, j
		}
	}
}

// reference is the definition: it compares all rows in float64.
func (s *search) reference() {
	all := make([]int32, s.b.n)
	for j := range all {
		all[j] = int32(j)
	}
	for i := range s.a.n {
		s.candidates = all
		s.settle(i)
	}
	s.candidates = nil
}

// extreme reports whether there are norms whose products float32 may not hold.
func (s *search) extreme() bool {
	for _, norms := range [][]float64{s.na, s.nb} {
		for _, n := range norms {
			if n != 0 && (n < 1e-12 || n > 1e17) {
				return true
			}
		}
	}
	return false
}

// eachProduct calls f with the products of each row of a with all rows of b, in
// float32, in the order of the rows.
func eachProduct(a, b rows, f func(i int, dots []float32)) {
	var g kernels.Gemm
	c := make([]float32, min(searchRows, a.n)*b.n)
	for at := 0; at < a.n; at += searchRows {
		m := min(searchRows, a.n-at)
		g.NT(c, b.n, a.x[at*a.stride:], a.stride, b.x, b.stride, m, b.n, a.d, false)
		for i := range m {
			f(at+i, c[i*b.n:(i+1)*b.n])
		}
	}
}
