package vector

import (
	"context"
	"image"
	"io"
	"runtime"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/nn"
)

// A TokenMap is the tokens of a picture's cells of one size.
type TokenMap struct {
	Cell   int // pixels a side
	H, W   int // cells: the picture is rounded up to multiples of 64 pixels
	Stages int // tokens of a cell
	Words  int // of the codebook of each stage
	// Tokens is [H][W][Stages]: 0 for none, after which there are none, or the number of
	// the word, from 1 to Words.
	Tokens []int32
}

// Tokens returns what the codec would code of a picture, from the largest cells: what an
// encoder with the options o, whose codec must be this one, decides on. Its words have
// the numbers that all files have whose codebooks are not reduced, as encoders from
// effort 7 on may do: the numbers in a map are then those of as many words, by their
// first bits, as Words says.
func Tokens(ctx context.Context, m image.Image, o *codec.Options) ([]TokenMap, error) {
	enc, err := codec.NewEncoder(io.Discard, o)
	if err != nil {
		return nil, err
	}
	if enc.Codec() != Name {
		return nil, codec.OptionError("vector: tokens of codec " + enc.Codec())
	}
	src, err := codec.NewSource(m)
	if err != nil {
		return nil, err
	}
	with := *o
	if with.Workers == 0 {
		with.Workers = runtime.GOMAXPROCS(0)
	}
	if with.Progress == nil {
		with.Progress = func(float64) {}
	}
	pool := nn.NewPool(with.Workers)
	defer pool.Close()
	e, err := newEncoder(ctx, src, &with, pool)
	if err != nil {
		return nil, err
	}
	t, err := e.aim(0)
	if err != nil {
		return nil, err
	}
	var maps []TokenMap
	depths := e.m.depths(t.head.sizes)
	h := src.Header()
	for l, level := range e.m.config.Levels {
		cell := network.Cell(l)
		side := func(n int) int { return (n + 63) / 64 * 64 / cell }
		p := TokenMap{Cell: cell, H: side(h.Height), W: side(h.Width), Stages: level.Stages}
		if level.Stages > 0 {
			p.Words = 1 << depths[stageNumber(e.m.config, l, 0)]
		}
		p.Tokens = make([]int32, p.H*p.W*p.Stages)
		for k, r := range e.tiles {
			g := &t.grids[k][l]
			for i := range g.h * g.w {
				at := (r.Min.Y/cell+i/g.w)*p.W + r.Min.X/cell + i%g.w
				for s := range g.tokens {
					p.Tokens[at*p.Stages+s] = g.tokens[s][i]
				}
			}
		}
		maps = append(maps, p)
	}
	return maps, nil
}
