package lattice

import "slices"

// Detect is in two steps. The first asks for the kind: of the colours at some
// 4096 places spread over the picture, how many have a preimage? By chance one
// in 4.23 or one in 9.35 has. This is all that an ordinary picture costs. The
// second step finds the sampling where the chroma varies most.
const (
	sites     = 8  // the picture is looked at in sites x sites places
	siteSize  = 8  // of this width and height,
	patches   = 8  // and closer in so many of them,
	patchSize = 32 // of this width and height.

	// minColours is how many different colours must be seen. The chance that
	// nine tenths of so many lie on a lattice that the picture did not come
	// from is below 10^-15.
	minColours = 40

	// A sampling may contradict one pixel in missRatio of those whose chroma
	// differs from the pixel's before. Where a wrong one comes closest, with
	// smooth chroma, it contradicts one in six; the right one, of which only
	// the triangle filters leave any, one in eighty.
	missRatio = 12

	// What an escape and a chroma sample may cost in bits, to weigh a sampling
	// that explains more against one that stores less.
	escapeBits = 24
	sampleBits = 3
)

// Detect reports whether the picture came from a lattice, and from which. It
// is deterministic, and quick to turn down a picture that did not. A grey
// picture, and one of few colours, is not on a lattice for Detect. The planes
// hold w*h samples each, 0..255; Detect panics if they are too short.
func Detect(r, g, b []uint16, w, h int) (Params, bool) {
	if w < 1 || h < 1 {
		return Params{}, false
	}
	kind, places, ok := detectKind(r, g, b, w, h)
	if !ok {
		return Params{}, false
	}
	return detectSampling(kind, places, r, g, b, w, h), true
}

// place is a site, by its top left pixel.
type place struct{ x, y int }

func allPlaces(w, h int) []place {
	places := make([]place, 0, sites*sites)
	rng := uint32(1)
	// Jitter keeps the sites off the period of a pattern.
	at := func(i, n int) int {
		free := max(0, n-siteSize)
		from, to := free*i/sites, free*(i+1)/sites
		rng = rng*1664525 + 1013904223
		return from + int(uint64(rng)*uint64(to-from+1)>>32)
	}
	for j := range sites {
		for i := range sites {
			places = append(places, place{at(i, w), at(j, h)})
		}
	}
	return places
}

// detectKind finds the kind, and the sites in order of how much their chroma
// varies.
func detectKind(r, g, b []uint16, w, h int) (Kind, []place, bool) {
	places := allPlaces(w, h)
	// seen is a hash table; a colour that finds its slot taken evicts.
	var seen [1 << 12]uint32
	var hits [numKinds]int
	colourCount := 0
	for _, p := range places {
		for y := p.y; y < min(h, p.y+siteSize); y++ {
			for x := p.x; x < min(w, p.x+siteSize); x++ {
				i := y*w + x
				if r[i]|g[i]|b[i] > 255 {
					panic(errSample)
				}
				r, g, b := uint8(r[i]), uint8(g[i]), uint8(b[i])
				// Grey is on every JFIF lattice, and says nothing.
				if r == g && g == b {
					continue
				}
				rgb := uint32(r)<<16 | uint32(g)<<8 | uint32(b)
				slot := &seen[rgb*2654435761>>20]
				if *slot == rgb {
					continue
				}
				limit := false
				for k, c := range colours {
					switch c.preimage(r, g, b) {
					case limited:
						limit = true
					case offLattice:
					default:
						hits[k]++
					}
				}
				if !limit {
					colourCount++
				}
				*slot = rgb
			}
		}
	}
	kind := Kind(0)
	for k, n := range hits {
		if n > hits[kind] {
			kind = Kind(k)
		}
	}
	if colourCount < minColours || hits[kind]*10 < colourCount*9 {
		return 0, nil, false
	}

	change := make(map[place]int)
	c := colours[kind]
	for _, p := range places {
		n := 0
		for y := p.y; y < min(h, p.y+siteSize); y++ {
			was := offLattice
			for x := p.x; x < min(w, p.x+siteSize); x++ {
				i := y*w + x
				v := c.preimage(uint8(r[i]), uint8(g[i]), uint8(b[i]))
				if v < limited && was < limited && uint16(v) != uint16(was) {
					n++
				}
				was = v
			}
		}
		change[p] = n
	}
	slices.SortStableFunc(places, func(p, q place) int { return change[q] - change[p] })
	return kind, places, true
}

// detectSampling tries all samplings in some patches. Most are seen to fail
// before the costly part of the solution, refine.
func detectSampling(kind Kind, places []place, r, g, b []uint16, w, h int) Params {
	var pics []*picture
	for _, p := range places[:patches] {
		// Even, so that phases are those of the picture.
		x0 := max(0, min(p.x, w-patchSize)) &^ 1
		y0 := max(0, min(p.y, h-patchSize)) &^ 1
		pw, ph := min(patchSize, w-x0), min(patchSize, h-y0)
		var part [3][]uint16
		for c, plane := range [3][]uint16{r, g, b} {
			for y := y0; y < y0+ph; y++ {
				part[c] = append(part[c], plane[y*w+x0:][:pw]...)
			}
		}
		pic := newPicture(kind, part[0], part[1], part[2], pw, ph)
		// Limited pixels say little, and would cost most of the time.
		for i, v := range pic.pre {
			if v == limited {
				pic.pre[i] = offLattice
			}
		}
		pics = append(pics, pic)
	}

	informative := 0 // pixels whose chroma differs from the pixel's before
	for _, pic := range pics {
		for i, v := range pic.pre {
			if i%pic.w > 0 && v < limited && pic.pre[i-1] < limited && uint16(v) != uint16(pic.pre[i-1]) {
				informative++
			}
		}
	}
	type trial struct {
		Params
		solvers        []*solver
		misses, pixels int
	}
	var trials []trial
	for s := range numSamplings {
		for phase := range uint8(4) {
			p := Params{kind, s, phase & 1, phase >> 1}
			if p.Check() != nil {
				continue
			}
			t := trial{Params: p}
			for _, pic := range pics {
				s := newSolver(newGrid(p), pic)
				s.start()
				misses, pixels := s.misses()
				t.misses += misses
				t.pixels += pixels
				t.solvers = append(t.solvers, s)
			}
			// Inverting a triangle filter leaves errors for refine to mend.
			if t.misses*2 <= t.pixels {
				trials = append(trials, t)
			}
		}
	}
	slices.SortStableFunc(trials, func(a, b trial) int { return a.misses*b.pixels - b.misses*a.pixels })
	best, bestCost := Params{Kind: kind}, -1
	for _, t := range trials[:min(4, len(trials))] {
		cost, total := 0, 0 // total is of misses
		for _, s := range t.solvers {
			if s.reach == 1 {
				s.untangle()
			}
			s.refine()
			misses, _ := s.misses()
			total += misses
			cost += misses*escapeBits + 2*sampleBits*s.cw*s.ch
		}
		if total*missRatio > informative {
			continue
		}
		if bestCost < 0 || cost < bestCost {
			best, bestCost = t.Params, cost
		}
	}
	return best
}

// misses counts the pixels of known chroma that the samples contradict, and
// all pixels of known chroma.
func (s *solver) misses() (misses, pixels int) {
	row1, row2 := make([]uint8, s.w), make([]uint8, s.w)
	col := make([]int32, s.cw+1)
	for y := range s.h {
		s.line(row1, s.s[0], col, s.cw, y)
		s.line(row2, s.s[1], col, s.cw, y)
		for x, v := range s.pre[y*s.w:][:s.w] {
			if v < limited {
				pixels++
				if uint16(v) != uint16(row1[x])<<8|uint16(row2[x]) {
					misses++
				}
			}
		}
	}
	return misses, pixels
}
