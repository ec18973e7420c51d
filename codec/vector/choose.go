package vector

import (
	"math"
	"slices"
	"sync"

	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// An encoder's choices minimise kappa * squared error + bits, errors being those of the
// levels' vectors, see package network. From the coarse end each cell gets the words that
// are best given what is decoded of the level before; then, from the fine end, cells are
// closed whose content does not pay for itself; and as both change what is predicted, it
// is done again.

// An effort is how much an encoder tries.
type effort struct {
	passes int  // of choosing and closing
	beam   int  // sets of words of a cell that are gone on with at each stage
	parts  int  // of a codebook, of each of which the best word is tried: a power of two up to 1<<topBits
	refine int  // iterations, see refine.go
	sizes  bool // whether smaller codebooks are tried
}

// efforts are those of the scale, from 1.
var efforts = [...]effort{
	1: {passes: 1, beam: 1, parts: 1},
	2: {passes: 1, beam: 2, parts: 2},
	3: {passes: 2, beam: 2, parts: 2},
	4: {passes: 2, beam: 3, parts: 4},
	5: {passes: 2, beam: 4, parts: 8},
	6: {passes: 2, beam: 4, parts: 8, refine: 4},
	7: {passes: 3, beam: 6, parts: 16, refine: 8, sizes: true},
	8: {passes: 3, beam: 8, parts: 32, refine: 16, sizes: true},
	9: {passes: 4, beam: 12, parts: 64, refine: 40, sizes: true},
}

// A chooser makes an encoder's choices.
type chooser struct {
	m    *Model
	b    *convnet.Buffers
	pool *nn.Pool // nil for one worker
	effort
	searches map[searchKey]*search
}

func newChooser(m *Model, pool *nn.Pool, e effort) *chooser {
	return &chooser{m: m, b: convnet.NewBuffers(pool), pool: pool, effort: e, searches: map[searchKey]*search{}}
}

// A tile is one that is being coded.
type tile struct {
	rate, anchor int
	kappa        [network.Levels]float32   // bits for one squared unit of a level's integers
	y            [network.Levels][]int16   // [cells][Dim] what the analysis says
	r            [network.Levels][]int16   // [cells][Dim] what is decoded
	class        [network.Levels][]uint8   // [cells]
	gain         [network.Levels][]float32 // [cells] bits that a cell's tokens, or it having none, are worth
	closed       [network.Levels][]bool    // [cells] nothing within is coded
	grids        *[network.Levels]grid
	depths       []int // of the books that were last decided with
}

// tile analyses pixels of h x w, both multiples of 64, to be coded at a rate.
func (e *chooser) tile(x []int16, h, w, rate int) *tile {
	m := e.m
	t := &tile{rate: rate, anchor: m.anchor(rate), grids: newGrids(m.config, h/8, w/8)}
	kappa := network.Lambda(float64(rate)/convnet.RateUnit) / 3 * network.PixelUnit * network.PixelUnit * m.weight
	for l := range t.kappa {
		t.kappa[l] = float32(kappa * m.unit[l] * m.unit[l])
	}
	y, _ := m.analysis.Forward(e.b, x, convnet.Shape{N: 1, H: h, W: w}, rate)
	e.aimAt(t, y)
	return t
}

// aimAt makes y, [cells][Dim], what is to be coded of the finest level, and of the others
// what follows from it.
func (e *chooser) aimAt(t *tile, y []int16) {
	t.y[network.Finest] = y
	s := shapeOf(&t.grids[network.Finest])
	for l := network.Finest - 1; l >= 0; l-- {
		t.y[l], s = e.m.pools[l].Forward(e.b, t.y[l+1], s, t.rate)
	}
	for l := range t.y {
		cells := t.grids[l].h * t.grids[l].w
		t.gain[l], t.closed[l] = make([]float32, cells), make([]bool, cells)
	}
}

// decide sets the tokens of t, with books of the given sizes, and all that is decoded. It
// returns the cost, of which a constant is left out.
func (e *chooser) decide(t *tile, depths []int) float64 {
	t.depths = depths
	for l := range t.closed {
		clear(t.closed[l])
	}
	for pass := range e.passes {
		for l := range network.Levels {
			e.level(t, l, depths, pass > 0)
		}
		e.close(t)
	}
	var gain float64
	for l := range network.Levels {
		e.level(t, l, depths, true)
		for i, v := range t.gain[l] {
			if l == 0 || !t.closed[l-1][t.grids[l].parent(i)] {
				gain += float64(v)
			}
		}
	}
	open(t.grids)
	for l := range network.Finest {
		for i := range t.closed[l] {
			if l == 0 || t.grids[l-1].open[t.grids[l].parent(i)] {
				gain -= float64(e.openCost(t, l, i, btoi(t.grids[l].open[i])))
			}
		}
	}
	return -gain
}

// open sets which cells are open to those that have tokens in them.
func open(g *[network.Levels]grid) {
	for l := network.Finest; l > 0; l-- {
		clear(g[l-1].open)
		for i := range g[l].h * g[l].w {
			if g[l].stages(i) > 0 || l < network.Finest && g[l].open[i] {
				g[l-1].open[g[l].parent(i)] = true
			}
		}
	}
}

// close closes cells that are not worth what is in them, from the fine end.
func (e *chooser) close(t *tile) {
	worth := append([]float32(nil), t.gain[network.Finest]...) // of a cell and all in it
	for l := network.Finest - 1; l >= 0; l-- {
		g := &t.grids[l]
		inside := make([]float32, g.h*g.w)
		for i, v := range worth {
			inside[t.grids[l+1].parent(i)] += v
		}
		worth = make([]float32, g.h*g.w)
		for i := range worth {
			opened := inside[i] - e.openCost(t, l, i, 1)
			shut := -e.openCost(t, l, i, 0)
			worth[i] = t.gain[l][i] + max(opened, shut)
			if opened <= shut {
				e.shut(t, l, i)
			}
		}
	}
}

// shut closes a cell and removes what is in it.
func (e *chooser) shut(t *tile, l, i int) {
	t.closed[l][i] = true
	if l == network.Finest {
		return
	}
	g, next := &t.grids[l], &t.grids[l+1]
	for k := range 4 {
		j := (i/g.w*2+k/2)*next.w + i%g.w*2 + k%2
		for _, tokens := range next.tokens {
			tokens[j] = 0
		}
		e.shut(t, l+1, j)
	}
}

// openCost returns the bits of whether a cell is open.
func (e *chooser) openCost(t *tile, l, i, b int) float32 {
	g, tables := &t.grids[l], e.m.tables
	p := at(tables.open[l], t.anchor, e.m.config.Anchors)
	n := 0
	for _, j := range neighboursOf(g, i) {
		n += btoi(!t.closed[l][j])
	}
	k := (int(t.class[l][i])*stageKinds+min(g.stages(i), stageKinds-1))*neighbourKinds + n
	return bitCost(p[k], b)
}

// neighboursOf returns the cells on the left and above.
func neighboursOf(g *grid, i int) []int {
	var n []int
	if i%g.w > 0 {
		n = append(n, i-1)
	}
	if i >= g.w {
		n = append(n, i-g.w)
	}
	return n
}

// A hypothesis is a choice of words for a cell.
type hypothesis struct {
	cell   int
	cost   float32 // kappa * squared error of left, and bits of the words
	tokens []int32
	left   []float32
}

// level predicts a level and chooses its words. Once neighbours have been decided on
// before, contexts are those that they make.
func (e *chooser) level(t *tile, l int, depths []int, decided bool) {
	m, g := e.m, &t.grids[l]
	d := m.config.Levels[l].Dim
	var before []int16
	if l > 0 {
		before = t.r[l-1]
	}
	t.r[l], t.class[l] = m.predict(e.b, l, t.grids, before, t.rate)
	kinds := make([][]uint8, len(g.tokens)) // of neighbours, by stage
	for s, tokens := range g.tokens {
		kinds[s] = make([]uint8, len(tokens))
		for i := range tokens {
			if kinds[s][i] = unknownNeighbours; decided {
				n := 0
				for _, j := range neighboursOf(g, i) {
					n += btoi(tokens[j] != 0)
				}
				kinds[s][i] = uint8(n)
			}
		}
	}
	var active []hypothesis
	best := make([]hypothesis, g.h*g.w)
	for i := range best {
		t.gain[l][i] = 0
		if l > 0 && t.closed[l-1][g.parent(i)] {
			continue
		}
		left := make([]float32, d)
		for j := range left {
			left[j] = float32(int32(t.y[l][i*d+j]) - int32(t.r[l][i*d+j]))
		}
		first := hypothesis{cell: i, cost: t.kappa[l] * float32(kernels.DotF32(left, left)), left: left}
		t.gain[l][i] = first.cost
		best[i].cost = float32(math.Inf(1))
		active = append(active, first)
	}
	for s := range g.tokens {
		number := stageNumber(m.config, l, s)
		p := at(m.tables.some[number], t.anchor, m.config.Anchors)
		context := func(h *hypothesis) int16 {
			return p[int(t.class[l][h.cell])*neighbourKinds+int(kinds[s][h.cell])]
		}
		for i := range active {
			h := &active[i]
			if stop := h.cost + bitCost(context(h), 0); stop < best[h.cell].cost {
				ended := *h
				ended.cost = stop
				best[h.cell] = ended
			}
		}
		found := e.search(number, t.anchor, depths[number]).find(e.pool, active, t.class[l], t.kappa[l])
		var next []hypothesis
		for i := range active {
			h := &active[i]
			some := bitCost(context(h), 1)
			for _, f := range found[i*e.parts : (i+1)*e.parts] {
				if f.word < 0 {
					continue
				}
				w := m.books[number].nested[depths[number]][int(f.word)*d : int(f.word+1)*d]
				// The error that the word leaves, without making it.
				var change float32
				for j, v := range w {
					change += float32(v) * (float32(v) - 2*h.left[j])
				}
				next = append(next, hypothesis{
					cell: h.cell, cost: h.cost + t.kappa[l]*change + some + f.bits,
					tokens: append(slices.Clip(h.tokens), f.word+1), left: h.left,
				})
			}
		}
		active = e.keep(next)
		for i := range active {
			h := &active[i]
			left := make([]float32, d)
			for j, v := range m.word(l, s, h.tokens[s], depths) {
				left[j] = h.left[j] - float32(v)
			}
			h.left = left
		}
	}
	for i := range active {
		if h := &active[i]; h.cost < best[h.cell].cost {
			best[h.cell] = *h
		}
	}
	for i, h := range best {
		for s := range g.tokens {
			g.tokens[s][i] = 0
			if s < len(h.tokens) {
				g.tokens[s][i] = h.tokens[s]
			}
		}
		if h.left != nil {
			t.gain[l][i] -= h.cost
		}
	}
	m.addWords(t.r[l], l, g, depths)
}

// keep returns the best hypotheses of each cell, as many as the beam holds. Those of a cell
// are beside each other.
func (e *chooser) keep(all []hypothesis) []hypothesis {
	kept := all[:0]
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].cell == all[0].cell {
			n++
		}
		of := all[:n]
		all = all[n:]
		slices.SortStableFunc(of, func(a, b hypothesis) int {
			switch {
			case a.cost < b.cost:
				return -1
			case a.cost > b.cost:
				return 1
			}
			return 0
		})
		kept = append(kept, of[:min(n, e.beam)]...)
	}
	return kept
}

type searchKey struct{ number, anchor, depth int }

// search returns the search in a book of some size.
func (e *chooser) search(number, anchor, depth int) *search {
	k := searchKey{number, anchor, depth}
	if s := e.searches[k]; s != nil {
		return s
	}
	top, deep := e.m.wordCosts(number, anchor, depth)
	s := newSearch(e.m.books[number], depth, min(e.parts, 1<<min(depth, topBits)), top, deep)
	s.want = e.parts
	e.searches[k] = s
	return s
}

// A search finds, in each of several parts of a book, the word w of least
//
//	kappa |v - w|² + bits(w, class) = kappa |v|² - 2 kappa (w·v - |w|²/2 - bits/(2 kappa))
//
// The bits of the words' first bits depend on the class, those of the others do not. So
// vectors have one more element for each class, which is 1/(2 kappa) for theirs, and
// words have their bits there.
type search struct {
	dim, depth, first int
	want              int // results for each vector
	parts             []kernels.Nearest
	top, deep         []float32
}

func newSearch(b *book, depth, parts int, top, deep []float32) *search {
	first := min(depth, topBits)
	s := &search{dim: b.dim, depth: depth, first: first, parts: make([]kernels.Nearest, parts), top: top, deep: deep}
	n := 1 << depth / parts
	wide := b.dim + network.Classes
	packed, bias := make([]float32, n*wide), make([]float32, n)
	for p := range s.parts {
		for i := range n {
			w := p*n + i
			row := packed[i*wide : (i+1)*wide]
			var square float64
			for j, v := range b.nested[depth][w*b.dim : (w+1)*b.dim] {
				row[j] = float32(v)
				square += float64(v) * float64(v)
			}
			for k := range network.Classes {
				row[b.dim+k] = -s.bits(w, k)
			}
			bias[i] = float32(-square / 2)
		}
		s.parts[p].Pack(packed, n, wide, wide, bias)
	}
	return s
}

// bits returns those of a word's number in a class.
func (s *search) bits(w, class int) float32 {
	return s.deep[w] + s.top[class<<s.first+w>>(s.depth-s.first)]
}

// A finding is a word and its bits; the word is -1 if there is none.
type finding struct {
	word int32
	bits float32
}

// searchPiece is how many vectors a task takes.
const searchPiece = 256

// find returns the findings for each hypothesis, want of them.
func (s *search) find(pool *nn.Pool, h []hypothesis, class []uint8, kappa float32) []finding {
	out := make([]finding, len(h)*s.want)
	wide := s.dim + network.Classes
	task := func(_, piece int) {
		from, to := piece*searchPiece, min((piece+1)*searchPiece, len(h))
		b := scratch.Get().(*searchScratch)
		defer scratch.Put(b)
		x := append(b.x[:0], make([]float32, (to-from)*wide)...)
		b.x = x
		for i, c := range h[from:to] {
			row := x[i*wide : (i+1)*wide]
			copy(row, c.left)
			row[s.dim+int(class[c.cell])] = 1 / (2 * kappa)
		}
		index := append(b.index[:0], make([]uint32, to-from)...)
		b.index = index
		for i := from * s.want; i < to*s.want; i++ {
			out[i].word = -1
		}
		for p := range s.parts {
			n, _ := s.parts[p].Dims()
			s.parts[p].Search(index, nil, x, wide, to-from)
			for i, k := range index {
				w := p*n + int(k)
				out[(from+i)*s.want+p] = finding{int32(w), s.bits(w, int(class[h[from+i].cell]))}
			}
		}
	}
	pieces := (len(h) + searchPiece - 1) / searchPiece
	if pool == nil {
		for i := range pieces {
			task(0, i)
		}
		return out
	}
	pool.Run(pieces, task)
	return out
}

type searchScratch struct {
	x     []float32
	index []uint32
}

var scratch = sync.Pool{New: func() any { return new(searchScratch) }}
