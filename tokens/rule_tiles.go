package tokens

import "math"

// aspectTiles is the rule of InternVL and of DeepSeek-OCR: the picture is stretched to
// the layout of tiles whose aspect ratio is the closest to its own, and a view of the
// whole goes beside them.
type aspectTiles struct {
	Tile               int // side of a tile, pixels
	MinTiles, MaxTiles int
	Tokens             int // of a tile
	// Whole is the tokens of the view of the whole picture, and WholeSize its side.
	Whole, WholeSize int
	// Untiled is the largest side of a picture that is not cut into tiles, 0 if it
	// depends on the aspect ratio only.
	Untiled int
	// TileRows is the number of rows of tokens of a tile if each ends with a separator
	// where the tiles do, else 0. Separators is the number of them among the tokens of
	// the whole, Marks that of those around the picture.
	TileRows, Separators, Marks int
	// First tells that the whole is no thumbnail beside tiles but what is seen of every
	// picture, padded to a square or, if Stretch, stretched.
	First, Stretch bool
}

func (t *aspectTiles) options() optionSet {
	if t.MaxTiles > 1 {
		return optionTiles
	}
	return 0
}

func (t *aspectTiles) plan(w, h int, o Options, r Result) (Result, error) {
	n := t.MaxTiles
	if o.MaxTiles != 0 {
		n = o.MaxTiles
	}
	g := tileGrid{cols: 1, rows: 1}
	tiled := n > 1 && (t.Untiled == 0 || max(w, h) > t.Untiled)
	if tiled {
		g = closestGrid(w, h, min(t.MinTiles, n), n, t.Tile)
	}
	tiled = tiled && g.cols*g.rows > 1
	switch {
	case tiled:
		r.tiles(g.cols, g.rows, true)
		r.resized(g.cols*t.Tile, g.rows*t.Tile)
		r.count(g.cols*g.rows*t.Tokens+t.Whole, g.rows*t.TileRows+t.Separators+t.Marks)
	case t.First:
		r.tiles(0, 0, true)
		r.Grid = Grid{1, 1}
		r.resized(t.WholeSize, t.WholeSize)
		if !t.Stretch {
			scale := float64(t.WholeSize) / float64(max(w, h))
			r.resized(max(1, int(math.RoundToEven(float64(w)*scale))), max(1, int(math.RoundToEven(float64(h)*scale))))
		}
		r.count(t.Whole, t.Separators+t.Marks)
	default:
		r.tiles(1, 1, false)
		r.resized(t.Tile, t.Tile)
		r.count(t.Tokens, t.Marks)
	}
	return r, nil
}

func (t *aspectTiles) tile() int { return t.Tile }

// single fills r as for a frame of a video, which is seen whole.
func (t *aspectTiles) single(r *Result) { r.resized(t.Tile, t.Tile) }

// anyRes is the rule of LLaVA-NeXT and LLaVA-OneVision: of a list of sizes the picture is
// fitted into the one that keeps the most of it, its tokens are laid out in rows without
// those that padding alone would give, and the whole picture goes before them.
type anyRes struct {
	Tile int // side of a tile, pixels
	Side int // tokens along the side of a tile
	// Sizes is the list of heights and widths, in tiles.
	Sizes [][2]int
	// MaxTiles is the number of tiles above which rows of tokens are interpolated to
	// fewer, 0 for no such limit.
	MaxTiles int
}

func (a *anyRes) options() optionSet {
	if a.MaxTiles > 0 {
		return optionTiles
	}
	return 0
}

func (a *anyRes) plan(w, h int, o Options, r Result) (Result, error) {
	base := a.Side * a.Side
	if a.MaxTiles > 0 && o.Images > 1 {
		r.tiles(1, 1, false)
		r.resized(a.Tile, a.Tile)
		r.count(base, 1)
		return r, nil
	}
	rows, cols := a.best(w, h)
	tw, th := cols*a.Tile, rows*a.Tile
	r.tiles(cols, rows, true)
	// What get_patch_output_size returns: the picture without the padding.
	if sw, sh := float64(tw)/float64(w), float64(th)/float64(h); sw < sh {
		r.resized(tw, min(int(math.Ceil(float64(h)*sw)), th))
	} else {
		r.resized(min(int(math.Ceil(float64(w)*sh)), tw), th)
	}
	// The tokens that padding alone would give are cut off, as many at both ends.
	ch, cw := a.Side*rows, a.Side*cols
	if float64(w)/float64(h) > float64(cw)/float64(ch) {
		nh := truncRound7(float64(h) * (float64(cw) / float64(w)))
		ch -= (ch - nh) / 2 * 2
	} else {
		nw := truncRound7(float64(w) * (float64(ch) / float64(h)))
		cw -= (cw - nw) / 2 * 2
	}
	visual, newlines := ch*cw, ch
	if n := a.MaxTiles; n > 0 {
		if o.MaxTiles != 0 {
			n = o.MaxTiles
		}
		if ratio := math.Sqrt(float64(ch*cw) / float64(n*base)); ratio > 1.1 {
			newlines = int(math.Floor(float64(ch) / ratio))
			visual = newlines * int(math.Floor(float64(cw)/ratio))
		}
	}
	r.count(visual+base, newlines)
	return r, nil
}

// single fills r as for a frame of a video, which is seen whole.
func (a *anyRes) single(r *Result) { r.resized(a.Tile, a.Tile) }

// best returns the size that keeps the most of the picture's pixels and, of those, wastes
// the least.
func (a *anyRes) best(w, h int) (rows, cols int) {
	kept, wasted := 0, math.MaxInt
	for _, s := range a.Sizes {
		th, tw := s[0]*a.Tile, s[1]*a.Tile
		scale := min(float64(tw)/float64(w), float64(th)/float64(h))
		dw, dh := int(float64(w)*scale), int(float64(h)*scale)
		k := min(dw*dh, w*h)
		if waste := tw*th - k; k > kept || k == kept && waste < wasted {
			kept, wasted = k, waste
			rows, cols = s[0], s[1]
		}
	}
	return rows, cols
}

// splitTiles is the rule of Idefics3 and SmolVLM: the longer side is always brought to
// Edge, both are brought up to multiples of Tile, and every tile and the whole picture
// are marked.
type splitTiles struct {
	Edge   int // longer side after resizing, pixels
	Tile   int // side of a tile, pixels
	Tokens int // of a view
}

func (s *splitTiles) options() optionSet { return optionEdge }

func (s *splitTiles) plan(w, h int, o Options, r Result) (Result, error) {
	edge := s.Edge
	if o.MaxEdge != 0 {
		edge = o.MaxEdge
	}
	aspect := float64(w) / float64(h)
	if w >= h {
		w = edge
		h = int(float64(w) / aspect)
		h += h % 2
	} else {
		h = edge
		w = int(float64(h) * aspect)
		w += w % 2
	}
	w, h = max(w, 1), max(h, 1)
	aspect = float64(w) / float64(h)
	if w >= h {
		w = ceilDiv(w, s.Tile) * s.Tile
		h = ceilDiv(int(float64(w)/aspect), s.Tile) * s.Tile
	} else {
		h = ceilDiv(h, s.Tile) * s.Tile
		w = ceilDiv(int(float64(h)*aspect), s.Tile) * s.Tile
	}
	r.resized(w, h)
	if w <= s.Tile && h <= s.Tile {
		// <fake_token_around_image><global-img>...<fake_token_around_image>
		r.tiles(1, 1, false)
		r.count(s.Tokens, 3)
		return r, nil
	}
	cols, rows := w/s.Tile, h/s.Tile
	r.tiles(cols, rows, true)
	// Two marks a tile, the end of a row, and as above. The newline before the whole is
	// one token with the end of the last row.
	r.count((cols*rows+1)*s.Tokens, rows*(2*cols+1)+3)
	return r, nil
}

// single fills r as for a frame of a video, which is seen whole.
func (s *splitTiles) single(r *Result) {
	r.tiles(1, 1, false)
	r.resized(s.Tile, s.Tile)
	r.count(s.Tokens, 3)
}
