package entropy

import "fmt"

// An Order says in which passes the elements of a latent of shape [h][w][c] are coded.
// What a pass codes may be predicted from everything that earlier passes coded, so all
// its elements can be predicted at once: an Order trades how much is known for how
// often a network runs. Methods may be called by several goroutines.
type Order interface {
	// Passes returns the number of passes, at least 1.
	Passes() int

	// Channels returns which of the c channels at row y and column x pass k codes: first,
	// first+step and so on, below end. None if first is not below end. Over all passes,
	// every channel occurs once.
	Channels(k, y, x, c int) (first, end, step int)
}

// Serial is the order of one pass: nothing but side information, a hyperprior, is known
// to predict from.
var Serial Order = serial{}

type serial struct{}

func (serial) Passes() int { return 1 }

func (serial) Channels(_, _, _, c int) (first, end, step int) { return 0, c, 1 }

// Checkerboard codes the positions whose row and column sum to an even number, then
// the others, which have all four neighbours to predict from (He et al., "Checkerboard
// context model for efficient learned image compression", 2021).
var Checkerboard Order = checkerboard{}

type checkerboard struct{}

func (checkerboard) Passes() int { return 2 }

func (checkerboard) Channels(k, y, x, c int) (first, end, step int) {
	if (y+x)&1 != k {
		return 0, 0, 1
	}
	return 0, c, 1
}

// Quadtree codes in four passes one of four interleaved groups of channels at every
// position: pass k codes the channels c with c%4 = k^p at positions of parity
// p = 2(y%2) + x%2. Every pass thus sees channels of the same position and of all
// neighbours (Li et al., "Neural video compression with diverse contexts", 2023, with
// that paper's groups side by side).
var Quadtree Order = quadtree{}

type quadtree struct{}

func (quadtree) Passes() int { return 4 }

func (quadtree) Channels(k, y, x, c int) (first, end, step int) {
	return k ^ (y&1<<1 | x&1), c, 4
}

// ChannelGroups codes groups of channels one after the other, of the given sizes, each
// in the passes of the order inner; nil means [Serial] (Minnen and Singh, "Channel-wise
// autoregressive entropy models for learned image compression", 2020; with Checkerboard
// and growing sizes He et al., "ELIC", 2022). It returns an error if there is no group
// or an empty one.
func ChannelGroups(sizes []int, inner Order) (Order, error) {
	if inner == nil {
		inner = Serial
	}
	g := channelGroups{start: make([]int, 1, len(sizes)+1), inner: inner, passes: inner.Passes()}
	for _, n := range sizes {
		if n < 1 {
			return nil, fmt.Errorf("entropy: a group of %d channels", n)
		}
		g.start = append(g.start, g.start[len(g.start)-1]+n)
	}
	if len(sizes) == 0 || g.passes < 1 {
		return nil, fmt.Errorf("entropy: %d groups of channels in %d passes each", len(sizes), g.passes)
	}
	return &g, nil
}

type channelGroups struct {
	start  []int // of each group, and the end of the last
	inner  Order
	passes int // of inner
}

func (g *channelGroups) Passes() int { return (len(g.start) - 1) * g.passes }

func (g *channelGroups) Channels(k, y, x, _ int) (first, end, step int) {
	group := k / g.passes
	at := g.start[group]
	first, end, step = g.inner.Channels(k%g.passes, y, x, g.start[group+1]-at)
	return first + at, end + at, step
}
