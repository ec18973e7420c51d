package kernels

import (
	"math"
	"sync"
)

// The nearest of n words to a vector x is the one with the largest score
//
//	w·x - |w|²/2,  for |x - w|² = |x|² - 2 (w·x - |w|²/2),
//
// so the search is a matrix product whose rows of results shrink to their maximum. The
// assembly keeps a tile of scores, eight or four words by three vectors of queries, in
// registers and compares only the tile's largest with the best so far. It notes which
// tile that was; the word within it is found afterwards.

// A Nearest is n words of d elements each, packed for the search for the word that has
// the largest score with a vector: the dot product plus a bias. The zero value is
// empty; it may be packed again and again and allocates only to grow. Once packed it
// may be used by several goroutines at a time.
type Nearest struct {
	level Level
	n, d  int
	w     []float32 // [tiles][d][rows of a tile]
	bias  []float32 // [tiles][rows], -infinity past the last word
}

// nearestRows is the words of a tile, nearestStrip the queries of a strip.
func (l Level) nearestRows() int { return [...]int{Generic: 4, AVX2: 4, AVX512: 8}[l] }

const maxNearestStrip = 48

func (l Level) nearestStrip() int { return [...]int{Generic: 16, AVX2: 24, AVX512: maxNearestStrip}[l] }

// nearestChunk is how many elements of words one call of the assembly goes through:
// they stay in the second-level cache for all strips of queries, and a call takes some
// 50 µs.
const nearestChunk = 1 << 16

// A nearestScratch is what a search works on. Searches are often short: to allocate it
// anew would take a good part of their time.
type nearestScratch struct {
	packed []float32 // [strips][d][strip] queries
	best   []float32 // [strips][strip] largest scores
	tile   []uint32  // [strips][strip] where they were found
}

var nearestPool = sync.Pool{New: func() any { return new(nearestScratch) }}

// Pack packs the row-major matrix w[i*ldw+j], i < n, j < d, with a bias for each word,
// n and d at least 1. No biases means -|w|²/2 for each, rounded to float32, which
// makes the best word the nearest. It panics if the arguments do not fit.
func (p *Nearest) Pack(w []float32, n, d, ldw int, bias []float32) {
	checkMatrix("Nearest.Pack", w, n, d, ldw)
	if bias != nil && len(bias) < n {
		panic("kernels: Nearest.Pack: too few biases")
	}
	p.level, p.n, p.d = tier, n, d
	rows := p.level.nearestRows()
	tiles := (n + rows - 1) / rows
	p.w = grow(p.w, tiles*rows*d)
	p.bias = grow(p.bias, tiles*rows)
	for i := range tiles * rows {
		t := p.w[i/rows*rows*d+i%rows:]
		if i >= n {
			for j := range d {
				t[j*rows] = 0
			}
			p.bias[i] = float32(math.Inf(-1))
			continue
		}
		var s float64
		for j, v := range w[i*ldw : i*ldw+d] {
			t[j*rows] = v
			s += float64(float64(v) * float64(v))
		}
		if bias != nil {
			p.bias[i] = bias[i]
		} else {
			p.bias[i] = float32(-s / 2)
		}
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// Dims returns the words and the elements of a word.
func (p *Nearest) Dims() (n, d int) { return p.n, p.d }

// Search sets index[i], i < m, to the word that has the largest score with row i of x,
// which starts at x[i*ldx], the first of several that have the same; and score[i], if
// score is not nil, to that score, products and sums rounded one by one in the order
// of elements, the bias first. Where tiers round differently they may choose different
// words of nearly the same score. A row with elements that are not finite gets some
// word below n. Search panics if the arguments do not fit.
func (p *Nearest) Search(index []uint32, score, x []float32, ldx, m int) {
	if m == 0 {
		return
	}
	checkMatrix("Nearest.Search", x, m, p.d, ldx)
	if len(index) < m || score != nil && len(score) < m {
		panic("kernels: Nearest.Search: results do not fit")
	}
	// A group of strips at a time goes through each chunk of words.
	strip, rows := p.level.nearestStrip(), p.level.nearestRows()
	group := min(max(nearestChunk/(strip*p.d), 1)*strip, (m+strip-1)/strip*strip)
	scratch := nearestPool.Get().(*nearestScratch)
	defer nearestPool.Put(scratch)
	scratch.packed, scratch.best = grow(scratch.packed, group*p.d), grow(scratch.best, group)
	if cap(scratch.tile) < group {
		scratch.tile = make([]uint32, group)
	}
	packed, best, tile := scratch.packed, scratch.best, scratch.tile[:group]
	tiles := len(p.bias) / rows
	step := max(nearestChunk/(rows*p.d), 1)
	for from := 0; from < m; from += group {
		size := min(group, m-from)
		strips := (size + strip - 1) / strip
		for s := range strips {
			d := packed[s*strip*p.d : (s+1)*strip*p.d]
			n := min(strip, size-s*strip)
			if n < strip {
				clear(d)
			}
			TransposeF32(d, strip, x[(from+s*strip)*ldx:], ldx, n, p.d)
		}
		for i := range best {
			best[i], tile[i] = float32(math.Inf(-1)), 0
		}
		for t := 0; t < tiles; t += step {
			for s := range strips {
				p.scan(t, min(step, tiles-t), packed[s*strip*p.d:(s+1)*strip*p.d], best[s*strip:(s+1)*strip], tile[s*strip:(s+1)*strip])
			}
		}
		found, scores := index[from:from+size], best[:size]
		copy(found, tile)
		p.within(found, scores, x[from*ldx:], ldx)
		for i, j := range found {
			found[i] = min(j, uint32(p.n-1)) // past the last only where scores are not numbers
		}
		if score != nil {
			copy(score[from:], scores)
		}
	}
}

// withinGeneric replaces each number of a tile in index by that of the tile's best word
// for its row of x, and sets score. It is the specification, but for scores that are
// not numbers.
func (p *Nearest) withinGeneric(index []uint32, score, x []float32, ldx int) {
	rows := p.level.nearestRows()
	for i, tile := range index {
		var s [8]float32
		copy(s[:], p.bias[int(tile)*rows:][:rows])
		w := p.w[int(tile)*rows*p.d:][:rows*p.d]
		for _, v := range x[i*ldx : i*ldx+p.d] {
			for r, u := range w[:rows] {
				s[r] += float32(u * v)
			}
			w = w[rows:]
		}
		best := 0
		for r := 1; r < rows; r++ {
			if s[r] > s[best] {
				best = r
			}
		}
		index[i], score[i] = tile*uint32(rows)+uint32(best), s[best]
	}
}

// scanGeneric is the specification of what the assembly computes, which fuses the
// products with the sums.
func (p *Nearest) scanGeneric(first, tiles int, x, best []float32, tile []uint32) {
	rows, strip := p.level.nearestRows(), len(best)
	for t := first; t < first+tiles; t++ {
		for r := range rows {
			w := p.w[t*rows*p.d+r:]
			var s [maxNearestStrip]float32
			for q := range best {
				s[q] = p.bias[t*rows+r]
			}
			for j := range p.d {
				v := w[j*rows]
				for q, u := range x[j*strip : (j+1)*strip] {
					s[q] += float32(v * u)
				}
			}
			for q, v := range s[:strip] {
				if v > best[q] {
					best[q], tile[q] = v, uint32(t)
				}
			}
		}
	}
}
