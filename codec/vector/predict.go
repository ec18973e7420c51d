package vector

import (
	"math"

	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
)

// shapeOf returns the grid of a level of a tile.
func shapeOf(g *grid) convnet.Shape { return convnet.Shape{N: 1, H: g.h, W: g.w} }

// predict returns the prediction of level l, [cells][Dim], from the decoded level before,
// and the classes of its cells. Nothing is known of the first level.
func (m *Model) predict(b *convnet.Buffers, l int, g *[network.Levels]grid, before []int16, rate int) (p []int16, class []uint8) {
	d, cells := m.config.Levels[l].Dim, g[l].h*g[l].w
	p, class = make([]int16, cells*d), make([]uint8, cells)
	if l == 0 {
		return p, class
	}
	out, _ := m.predictors[l].Forward(b, before, shapeOf(&g[l-1]), rate)
	for i := range cells {
		copy(p[i*d:(i+1)*d], out[i*(d+1):])
		class[i] = m.class(l, out[i*(d+1)+d])
	}
	b.Give(out)
	return p, class
}

// addWords adds to p, [cells][Dim], the words of the level's tokens.
func (m *Model) addWords(p []int16, l int, g *grid, depths []int) {
	d := m.config.Levels[l].Dim
	sum := make([]int32, d)
	for i := range g.h * g.w {
		n := g.stages(i)
		if n == 0 {
			continue
		}
		to := p[i*d : (i+1)*d]
		for j, v := range to {
			sum[j] = int32(v)
		}
		for s := range n {
			for j, v := range m.word(l, s, g.tokens[s][i], depths) {
				sum[j] += int32(v)
			}
		}
		for j, v := range sum {
			to[j] = clamp16(v)
		}
	}
}

// word returns the word that a token of a stage stands for.
func (m *Model) word(l, s int, token int32, depths []int) []int16 {
	number := stageNumber(m.config, l, s)
	b := m.books[number]
	k := int(token - 1)
	return b.nested[depths[number]][k*b.dim : (k+1)*b.dim]
}

func clamp16(v int32) int16 { return int16(min(max(v, math.MinInt16), math.MaxInt16)) }
