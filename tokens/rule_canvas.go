package tokens

import "math"

// canvas is the rule of Llama 3.2 and Llama 4: of the layouts of tiles the one is taken
// that scales the picture up the least or, if all are too small, down the least, and of
// those the one of the smallest area.
type canvas struct {
	Tile     int // side of a tile, pixels
	MaxTiles int
	Tokens   int // of a tile
	// Cross tells that the tokens are attended to beside the prompt, in which they take
	// one position (Llama 3.2).
	Cross bool
	// Marks is the tokens around those of the tiles. If Whole, a view of the whole
	// picture follows the tiles of which there are several, and each tile ends with a
	// separator (Llama 4).
	Marks int
	Whole bool
}

func (c *canvas) options() optionSet { return optionTiles }

func (c *canvas) plan(w, h int, o Options, r Result) (Result, error) {
	n := c.MaxTiles
	if o.MaxTiles != 0 {
		n = o.MaxTiles
	}
	cols, rows := c.best(w, h, n)
	several := cols*rows > 1
	r.tiles(cols, rows, c.Whole && several)
	if c.Cross {
		c.size(w, h, cols*c.Tile, rows*c.Tile, &r)
		r.count(0, 1)
		r.CrossAttention = cols * rows * c.Tokens
		return r, nil
	}
	c.sizeSingle(w, h, cols*c.Tile, rows*c.Tile, &r)
	separators := c.Marks
	if several {
		separators += cols * rows
	}
	r.count(r.Tiles*c.Tokens, separators)
	return r, nil
}

// best returns the layout. Llama 4's processor compares scales in float32, Llama 3.2's in
// float64, and each goes through the layouts in an order of its own, which decides among
// those of the same scale and area.
func (c *canvas) best(w, h, n int) (cols, rows int) {
	if c.Cross {
		return c.search(w, h, n, func(g tileGrid) float64 {
			return min(float64(g.rows*c.Tile)/float64(h), float64(g.cols*c.Tile)/float64(w))
		})
	}
	return c.search(w, h, n, func(g tileGrid) float64 {
		return float64(min(float32(g.rows*c.Tile)/float32(h), float32(g.cols*c.Tile)/float32(w)))
	})
}

func (c *canvas) search(w, h, n int, scale func(tileGrid) float64) (cols, rows int) {
	up, down := math.Inf(1), 0.0
	for _, g := range gridsOf(1, n) {
		if s := scale(g); s >= 1 {
			up = min(up, s)
		} else {
			down = max(down, s)
		}
	}
	if !math.IsInf(up, 1) {
		down = up
	}
	area := math.MaxInt
	for _, g := range gridsOf(1, n) {
		// Of layouts of as many tiles, those of fewer rows come last in gridsOf and
		// first in the lists of the processors.
		if s := scale(g); s == down && g.cols*g.rows <= area {
			area, cols, rows = g.cols*g.rows, g.cols, g.rows
		}
	}
	return cols, rows
}

// size is get_image_size_fit_to_canvas of Llama 3.2.
func (c *canvas) size(w, h, cw, ch int, r *Result) {
	tw, th := min(max(w, c.Tile), cw), min(max(h, c.Tile), ch)
	sw, sh := float64(tw)/float64(w), float64(th)/float64(h)
	if sw < sh {
		r.resized(tw, min(max(int(math.Floor(float64(h)*sw)), 1), th))
	} else {
		r.resized(min(max(int(math.Floor(float64(w)*sh)), 1), tw), th)
	}
}

// sizeSingle is get_max_res_without_distortion of Llama 4, which computes in float32 with
// the sides that come from the canvas and in float64 with those of the picture.
func (c *canvas) sizeSingle(w, h, cw, ch int, r *Result) {
	scale := func(side, canvas int) (target int, single bool, s float64) {
		target = max(side, c.Tile)
		if canvas < target {
			return canvas, true, float64(float32(canvas) / float32(side))
		}
		return target, false, float64(target) / float64(side)
	}
	product := func(side int, s float64, single bool) int {
		if single {
			return int(math.Floor(float64(float32(side) * float32(s))))
		}
		return int(math.Floor(float64(side) * s))
	}
	tw, singleW, sw := scale(w, cw)
	th, singleH, sh := scale(h, ch)
	if sw < sh {
		r.resized(tw, max(1, min(product(h, sw, singleW), th)))
	} else {
		r.resized(max(1, min(product(w, sh, singleH), tw)), th)
	}
}
