package lattice

import "math"

// Least squares leaves a tenth of the samples of a triangle filter one off,
// and each pixel takes four of them, so that moving one sample at a time soon
// finds no move that helps. Runs of samples along a row or a column move
// together instead: given the samples on both sides, the pixels link each
// sample of the run only with the next, and the best run is a shortest path.

const (
	// A sample may move by so much at a time.
	stray  = 2
	states = 2*stray + 1
	// A run reaches so far beyond the samples under contradicted pixels.
	beyond = 2
	// Rounds of rows, and of columns where they are mixed too.
	rounds = 8
)

// untangle moves runs of samples to contradict fewer pixels of known chroma.
func (s *solver) untangle() {
	h := axis{1, 1, s.ox, s.w, &s.wx}
	v := axis{s.cw, s.w, s.oy, s.h, &s.wy}
	dirty := [2][]bool{make([]bool, len(s.known)), make([]bool, len(s.known))}
	var run runner
	was := math.MaxInt
	for round := range rounds {
		n := s.contradicted(&dirty)
		// Not worth another round if the last won less than a fiftieth.
		if n > was-was/50 || n == 0 {
			return
		}
		was = n
		along, across, lines, length := h, v, s.ch, s.cw
		if s.sy == 0 {
			across.weights = nil
		} else if round&1 == 1 {
			along, across, lines, length = v, h, s.cw, s.ch
		}
		for c, dirty := range dirty {
			for j := range lines {
				at := func(i int) int { return j*across.sample + i*along.sample }
				for i := 0; i < length; i++ {
					if !dirty[at(i)] {
						continue
					}
					// Runs whose margins would touch are one.
					last := i
					for to := i + 1; to < length && to <= last+2*beyond; to++ {
						if dirty[at(to)] {
							last = to
						}
					}
					run.improve(s, c, along, across, j, max(0, i-beyond), min(length, last+1+beyond), length)
					i = last
				}
			}
		}
	}
}

// contradicted counts the pixels of known chroma that the samples of C1 and of
// C2 contradict, and marks the samples that they take.
func (s *solver) contradicted(dirty *[2][]bool) (n int) {
	row := make([]uint8, s.w)
	col := make([]int32, s.cw+1)
	for c, dirty := range dirty {
		clear(dirty)
		sh := 8 - 8*c
		for y := range s.h {
			s.line(row, s.s[c], col, s.cw, y)
			for x, v := range s.pre[y*s.w:][:s.w] {
				if v < limited && uint8(v>>sh) != row[x] {
					n++
					s.mark(dirty, x, y)
				}
			}
		}
	}
	return n
}

// axis is one direction, for code that works along either.
type axis struct {
	sample, pixel int // distance of neighbours in the sample and pixel planes
	o, n          int // offset and number of pixels
	weights       *[2][2]int32
}

// link is a pixel between two samples a and b of a run: its chroma is
// (wa·a + wb·b + rest) >> shift.
type link struct{ wa, wb, rest, want int32 }

// runner is scratch for improve.
type runner struct {
	links []link
	path  [][states]step
}

// step is the best way to a state of a sample.
type step struct {
	cost int32
	prev int8 // state of the sample before
}

// improve moves the samples from <= i < to of line j, of length samples along
// the axis. c is 0 for C1 and 1 for C2.
func (r *runner) improve(s *solver, c int, along, across axis, j, from, to, length int) {
	plane := s.s[c]
	line := j * across.sample
	r.path = r.path[:0]
	// The run's neighbours stay, as states of which only the middle is open.
	first, last := max(0, from-1), min(length, to+1)
	open := func(i int) (lo, hi int32) {
		if i < from || i >= to {
			return 0, 0
		}
		v := int32(plane[line+i*along.sample])
		return max(-stray, -v), min(stray, 255-v)
	}
	const closed = 1 << 30
	for i := first; i < last; i++ {
		lo, hi := open(i)
		var steps [states]step
		for k := range steps {
			steps[k].cost = closed
		}
		if i == first {
			for d := lo; d <= hi; d++ {
				steps[d+stray].cost = max(d, -d)
			}
			r.path = append(r.path, steps)
			continue
		}
		r.between(s, c, along, across, j, i-1)
		before := &r.path[len(r.path)-1]
		a0, b0 := int32(plane[line+(i-1)*along.sample]), int32(plane[line+i*along.sample])
		for d := lo; d <= hi; d++ {
			for k := range int32(states) {
				cost := before[k].cost + max(d, -d)
				if cost >= closed {
					continue
				}
				a, b := a0+k-stray, b0+d
				for i := range r.links {
					l := &r.links[i]
					if off := (l.wa*a+l.wb*b+l.rest)>>s.shift - l.want; off != 0 {
						if cost += 1<<12 + 8*max(off, -off); cost >= steps[d+stray].cost {
							break
						}
					}
				}
				if cost < steps[d+stray].cost {
					steps[d+stray] = step{cost, int8(k)}
				}
			}
		}
		r.path = append(r.path, steps)
	}
	end := r.path[len(r.path)-1]
	best := 0
	for k, st := range end {
		if st.cost < end[best].cost {
			best = k
		}
	}
	for i := last - 1; i >= first; i-- {
		plane[line+i*along.sample] += uint8(best - stray)
		best = int(r.path[i-first][best].prev)
	}
}

// between lists the pixels that take the samples i and i+1 of line j.
func (r *runner) between(s *solver, c int, along, across axis, j, i int) {
	r.links = r.links[:0]
	plane := s.s[c]
	sh := 8 - 8*c
	for p := max(0, 2*i-along.o); p < min(along.n, 2*i+2-along.o); p++ {
		wp := &along.weights[(p+along.o)&1]
		if across.weights == nil {
			if v := s.pre[j*across.pixel+p*along.pixel]; v < limited {
				r.links = append(r.links, link{wp[0], wp[1], s.round[(p+along.o)&1], int32(uint8(v >> sh))})
			}
			continue
		}
		for q := max(0, 2*j-2-across.o); q < min(across.n, 2*j+2-across.o); q++ {
			v := s.pre[q*across.pixel+p*along.pixel]
			if v >= limited {
				continue
			}
			// The pixel lies between line j and one beside it.
			at := (q + across.o) >> 1
			wq := across.weights[(q+across.o)&1]
			this, that, other := wq[0], wq[1], j+1
			if at != j {
				this, that, other = wq[1], wq[0], j-1
			}
			// Rounding goes by the column.
			px := (p + along.o) & 1
			if along.sample != 1 {
				px = (q + across.o) & 1
			}
			o := other*across.sample + i*along.sample
			r.links = append(r.links, link{
				wp[0] * this, wp[1] * this,
				that*(wp[0]*int32(plane[o])+wp[1]*int32(plane[o+along.sample])) + s.round[px],
				int32(uint8(v >> sh)),
			})
		}
	}
}
