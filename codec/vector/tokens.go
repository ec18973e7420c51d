package vector

import (
	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/entropy"
)

// A grid is the tokens of a level of a tile.
type grid struct {
	h, w   int       // cells
	tokens [][]int32 // [stages][h*w]: 0 for none, or the number of the word and 1
	// open says that some of the four cells within one, of the next level, may have
	// tokens: what those of others are is not coded, it is nothing.
	open []bool
	// known says that a decoder has the cell's tokens; nil for all.
	known []bool
}

// newGrids returns grids without tokens for a tile whose finest level has h x w cells.
func newGrids(c network.Config, h, w int) *[network.Levels]grid {
	var g [network.Levels]grid
	for l, level := range c.Levels {
		g[l].h, g[l].w = h>>(network.Finest-l), w>>(network.Finest-l)
		n := g[l].h * g[l].w
		for range level.Stages {
			g[l].tokens = append(g[l].tokens, make([]int32, n))
		}
		g[l].open = make([]bool, n)
	}
	return &g
}

// stages returns how many tokens a cell has.
func (g *grid) stages(i int) int {
	n := 0
	for _, t := range g.tokens {
		if t[i] == 0 {
			break
		}
		n++
	}
	return n
}

// parent returns the cell of the level before that cell i is in.
func (g *grid) parent(i int) int { return i/g.w/2*(g.w/2) + i%g.w/2 }

// Contexts beside a cell's class. What is known of neighbours is how many of those on the
// left and above have a token, or are open; unknownNeighbours is for packets, whose cells
// are apart.
const (
	neighbourKinds    = 4
	unknownNeighbours = 3
	// In packets, where no network can be asked that knows the cells around, the class of
	// cells within a part's is how many tokens the one they are in has, up to 2.
	packetClasses = 3
	classes       = network.Classes + packetClasses
	stageKinds    = 3 // no, one and more tokens, for whether a cell is open
)

// A coder codes bits, or counts what they would cost.
type coder interface {
	// bit codes b with the probability of c, which learns from it. A decoder's ignores
	// b and returns the bit that it finds.
	bit(c *entropy.Counter, b int) int
}

type bitEncoder struct{ e *arith.BinaryEncoder }

func (w bitEncoder) bit(c *entropy.Counter, b int) int {
	w.e.Encode(b, codable(*c))
	c.Update(b, entropy.CounterLimit)
	return b
}

type bitDecoder struct{ d *arith.BinaryDecoder }

func (r bitDecoder) bit(c *entropy.Counter, _ int) int {
	b := r.d.Decode(codable(*c))
	c.Update(b, entropy.CounterLimit)
	return b
}

// codable returns the probability that a coder takes.
func codable(c entropy.Counter) uint32 { return min(max(c.P(), 32), 65536-32) }

// A stream codes the tokens of a tile, or those of a part, level by level, with probabilities that begin as the model has them and follow what is coded.
type stream struct {
	coder
	config network.Config
	book   []bookStats  // of each level's stages in turn
	open   [][]openStat // [Finest][..]
	depths []int        // of each book: its words are those of so many bits
	grids  *[network.Levels]grid
	part   *part // nil for the whole tile
}

// A bookStats is the adaptive state of a book at one rate.
type bookStats struct {
	some []entropy.Counter // [classes][neighbourKinds]: is there a word?
	top  []entropy.Counter // [classes][topNodes]: the first topBits bits of its number
	deep []entropy.Counter // [words]: the others, by node
}

// openStat is the adaptive state of whether cells are open: [stageKinds][neighbourKinds],
// by class.
type openStat [stageKinds * neighbourKinds]entropy.Counter

// stage returns the number of a stage's book among all.
func stageNumber(c network.Config, l, s int) int {
	n := 0
	for _, level := range c.Levels[:l] {
		n += level.Stages
	}
	return n + s
}

// words codes the word of a book.
func (s *stream) word(b *bookStats, number, class int, word int32) int32 {
	depth := s.depths[number]
	node := int32(1)
	for i := range depth {
		var c *entropy.Counter
		if i < topBits {
			c = &b.top[class*topNodes+int(node)]
		} else {
			c = &b.deep[node]
		}
		node = 2*node + int32(s.bit(c, int(word>>(depth-1-i))&1))
	}
	return node - 1<<depth
}

// topBits is how many bits of a word's number have statistics by class. Words are
// ordered so that the first bits tell most, see tree.go.
const (
	topBits  = 6
	topNodes = 1 << topBits
)

// level codes the tokens of level l, whose cells have the given classes. Parts have the
// levels from their first on.
func (s *stream) level(l int, class []uint8) {
	g := &s.grids[l]
	finest := l == network.Finest
	for i := range g.h * g.w {
		if s.part != nil && !s.part.has(l, i%g.w, i/g.w) {
			continue
		}
		if g.known != nil {
			g.known[i] = true
		}
		if l > 0 && !s.grids[l-1].open[g.parent(i)] {
			continue
		}
		k := s.class(l, i, class)
		n := 0
		for stage, t := range g.tokens {
			number := stageNumber(s.config, l, stage)
			b := &s.book[number]
			some := s.bit(&b.some[k*neighbourKinds+s.neighbours(g, i, func(j int) bool { return t[j] != 0 })], btoi(t[i] != 0))
			if some == 0 {
				t[i] = 0
				break
			}
			t[i] = s.word(b, number, k, t[i]-1) + 1
			n++
		}
		if !finest {
			c := &s.open[l][k][min(n, stageKinds-1)*neighbourKinds+s.neighbours(g, i, func(j int) bool { return g.open[j] })]
			g.open[i] = s.bit(c, btoi(g.open[i])) == 1
		}
	}
}

// class returns the class that contexts of cell i go by.
func (s *stream) class(l, i int, class []uint8) int {
	if s.part == nil || l == s.part.first {
		return int(class[i])
	}
	return network.Classes + min(s.grids[l-1].stages(s.grids[l].parent(i)), packetClasses-1)
}

// neighbours returns how many of the cells on the left and above are so.
func (s *stream) neighbours(g *grid, i int, is func(int) bool) int {
	if s.part != nil {
		return unknownNeighbours
	}
	n := 0
	if i%g.w > 0 && is(i-1) {
		n++
	}
	if i >= g.w && is(i-g.w) {
		n++
	}
	return n
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A part is what a packet has of a tile beside its piece of what packets share: cells of
// level first with all in them, spread so that the neighbours of a cell are in other
// packets. The levels before are coded as without packets, see erasure.go.
type part struct{ number, of, first int }

// Packets share the first two levels, or three.
const (
	minShared = 2
	maxShared = 3
)

// has says whether the part has the cell at x, y of level l, first or after it.
func (p *part) has(l, x, y int) bool {
	x, y = x>>(l-p.first), y>>(l-p.first)
	return (x+y*p.stride())%p.of == p.number
}

// stride is how many packets lie between vertical neighbours: near the golden section of
// their number, and never the same packet or those of horizontal neighbours where there
// are enough of them.
func (p *part) stride() int { return max(p.of*382/1000, min(2, p.of-1)) }
