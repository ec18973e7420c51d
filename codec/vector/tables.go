package vector

import (
	"math"

	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/entropy"
)

// tables are the probabilities that streams begin with, in units of 1/32768, from how
// often things came up when the model was made: those of whether there is a word and of
// its first bits for each of several rates, the anchors.
type tables struct {
	some [][]int16 // [books][anchors * classes * neighbourKinds]
	top  [][]int16 // [books][anchors * classes * topNodes]
	deep [][]int16 // [books][words]
	open [][]int16 // [Finest][anchors * classes * stageKinds*neighbourKinds]
}

func newTables(c network.Config) *tables {
	t := &tables{}
	fill := func(n int) []int16 {
		a := make([]int16, n)
		for i := range a {
			a[i] = 1 << 14
		}
		return a
	}
	for _, level := range c.Levels {
		for range level.Stages {
			t.some = append(t.some, fill(c.Anchors*classes*neighbourKinds))
			t.top = append(t.top, fill(c.Anchors*classes*topNodes))
			t.deep = append(t.deep, fill(level.Words))
		}
	}
	for range network.Finest {
		t.open = append(t.open, fill(c.Anchors*classes*stageKinds*neighbourKinds))
	}
	return t
}

// arrays calls f for all arrays.
func (t *tables) arrays(f func(array any)) {
	for _, a := range [][][]int16{t.some, t.top, t.deep, t.open} {
		for _, b := range a {
			f(b)
		}
	}
}

// sound says whether all probabilities are some.
func (t *tables) sound() bool {
	ok := true
	t.arrays(func(array any) {
		for _, v := range array.([]int16) {
			ok = ok && v > 0
		}
	})
	return ok
}

// How often a probability of the tables counts as seen when a stream begins. Little is
// best: on photographs that training did not see, 60 and 250 for words' bits cost 1.6 %
// more than these, for pictures use some words again and again.
const (
	confidenceSome = 12
	confidenceOpen = 12
	confidenceTop  = 16
	confidenceDeep = 12
)

func counter(p int16, confidence uint32) entropy.Counter {
	return entropy.Counter(uint32(p)<<17 | confidence)
}

func counters(p []int16, confidence uint32) []entropy.Counter {
	c := make([]entropy.Counter, len(p))
	for i, v := range p {
		c[i] = counter(v, confidence)
	}
	return c
}

// at returns the part of an array over anchors that belongs to one.
func at(a []int16, anchor, anchors int) []int16 {
	n := len(a) / anchors
	return a[anchor*n : (anchor+1)*n]
}

// newStream returns a stream of a tile's tokens, or of a part's, at a rate's anchor.
func (m *Model) newStream(w coder, g *[network.Levels]grid, depths []int, anchor int, p *part) *stream {
	s := &stream{coder: w, config: m.config, depths: depths, grids: g, part: p}
	t, n := m.tables, m.config.Anchors
	for i := range t.some {
		s.book = append(s.book, bookStats{
			some: counters(at(t.some[i], anchor, n), confidenceSome),
			top:  counters(at(t.top[i], anchor, n), confidenceTop),
			deep: counters(t.deep[i], confidenceDeep),
		})
	}
	for _, a := range t.open {
		a = at(a, anchor, n)
		stats := make([]openStat, classes)
		for k := range stats {
			for j := range stats[k] {
				stats[k][j] = counter(a[k*len(stats[k])+j], confidenceOpen)
			}
		}
		s.open = append(s.open, stats)
	}
	return s
}

// A tally counts the bits that are coded with each of a stream's counters.
type tally map[*entropy.Counter]*[2]float64

func (t tally) bit(c *entropy.Counter, b int) int {
	n := t[c]
	if n == nil {
		n = new([2]float64)
		t[c] = n
	}
	n[b]++
	return b
}

// seen are the counts of tables, in their layout.
type seen struct{ some, top, deep, open [][][2]float64 }

func newSeen(t *tables) *seen {
	like := func(a [][]int16) [][][2]float64 {
		var out [][][2]float64
		for _, b := range a {
			out = append(out, make([][2]float64, len(b)))
		}
		return out
	}
	return &seen{like(t.some), like(t.top), like(t.deep), like(t.open)}
}

// add adds what was counted in a stream at an anchor.
func (n *seen) add(s *stream, t tally, anchor, anchors int) {
	take := func(to [][2]float64, offset int, from []entropy.Counter) {
		for i := range from {
			if c := t[&from[i]]; c != nil {
				to[offset+i][0] += c[0]
				to[offset+i][1] += c[1]
			}
		}
	}
	for i := range s.book {
		b := &s.book[i]
		take(n.some[i], anchor*len(b.some), b.some)
		take(n.top[i], anchor*len(b.top), b.top)
		take(n.deep[i], 0, b.deep)
	}
	for l, stats := range s.open {
		for k := range stats {
			take(n.open[l], (anchor*classes+k)*len(stats[k]), stats[k][:])
		}
	}
}

// probabilities sets the tables to what was seen, what came up seldom being drawn towards
// what did with other neighbours, at other rates and in other classes.
func (n *seen) probabilities(t *tables, anchors int) {
	for i := range t.some {
		shrink(t.some[i], n.some[i], []int{anchors, classes, neighbourKinds})
		unknown(t.some[i], n.some[i], neighbourKinds)
		shrink(t.top[i], n.top[i], []int{anchors, classes, topNodes})
		shrinkFlat(t.deep[i], n.deep[i])
	}
	for l := range t.open {
		shrink(t.open[l], n.open[l], []int{anchors, classes, stageKinds * neighbourKinds})
		unknown(t.open[l], n.open[l], neighbourKinds)
	}
}

// shrinkage is how many times what is more general counts.
const shrinkage = 6

// shrink sets p, [anchors][classes][contexts], drawing each towards its context and
// class at any rate, those towards the context in all classes, and those to one half.
func shrink(p []int16, n [][2]float64, dims []int) {
	a, k, c := dims[0], dims[1], dims[2]
	for context := range c {
		var all [2]float64
		for i := range a * k {
			all[0] += n[i*c+context][0]
			all[1] += n[i*c+context][1]
		}
		general := (all[1] + 1) / (all[0] + all[1] + 2)
		for class := range k {
			var any [2]float64
			for anchor := range a {
				v := n[(anchor*k+class)*c+context]
				any[0] += v[0]
				any[1] += v[1]
			}
			own := (any[1] + shrinkage*general) / (any[0] + any[1] + shrinkage)
			for anchor := range a {
				i := (anchor*k+class)*c + context
				p[i] = probability((n[i][1] + shrinkage*own) / (n[i][0] + n[i][1] + shrinkage))
			}
		}
	}
}

// unknown sets the contexts of unknown neighbours, where they do not come up, to what the
// others are on average: an encoder that has not decided on neighbours asks for them.
func unknown(p []int16, n [][2]float64, kinds int) {
	for i := 0; i < len(p); i += kinds {
		if u := n[i+unknownNeighbours]; u[0]+u[1] > 0 {
			continue
		}
		var sum [2]float64
		for j := range kinds {
			w := float64(p[i+j]) / 32768
			all := n[i+j][0] + n[i+j][1] + 0.01
			sum[0] += all * (1 - w)
			sum[1] += all * w
		}
		p[i+unknownNeighbours] = probability(sum[1] / (sum[0] + sum[1]))
	}
}

// shrinkFlat sets p from what was seen and, a little, what p was.
func shrinkFlat(p []int16, n [][2]float64) {
	for i := range p {
		before := float64(p[i]) / 32768
		p[i] = probability((n[i][1] + shrinkage*before) / (n[i][0] + n[i][1] + shrinkage))
	}
}

func probability(p float64) int16 {
	return int16(min(max(math.RoundToEven(p*32768), 32), 32768-32))
}

// bitCost returns the bits that b costs where 1 has the probability p.
func bitCost(p int16, b int) float32 {
	v := float64(p) / 32768
	if b == 0 {
		v = 1 - v
	}
	return float32(-math.Log2(v))
}

// wordCosts returns the bits of each word of a book at an anchor: those of its first bits
// by class, [classes][1<<min(depth, topBits)], and of the others.
func (m *Model) wordCosts(number, anchor, depth int) (top, deep []float32) {
	first := min(depth, topBits)
	deepP := m.tables.deep[number]
	topP := at(m.tables.top[number], anchor, m.config.Anchors)
	top, deep = make([]float32, classes<<first), make([]float32, 1<<depth)
	for k := range classes {
		for w := range 1 << first {
			node := 1
			for i := range first {
				b := w >> (first - 1 - i) & 1
				top[k<<first+w] += bitCost(topP[k*topNodes+node], b)
				node = 2*node + b
			}
		}
	}
	for w := range deep {
		node := 1<<first + w>>(depth-first)
		for i := first; i < depth; i++ {
			b := w >> (depth - 1 - i) & 1
			deep[w] += bitCost(deepP[node], b)
			node = 2*node + b
		}
	}
	return top, deep
}
