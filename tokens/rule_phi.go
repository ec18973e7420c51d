package tokens

import "math"

// phi3 is the rule of Phi-3-vision and Phi-3.5-vision (HD_transform): the longer side is
// scaled to as many tiles as the number of crops allows and the shorter padded to whole
// ones; a view of the whole goes beside them.
type phi3 struct {
	Tile     int // side of a tile, pixels
	MaxTiles int
	Side     int // tokens along the side of a tile
}

func (p *phi3) options() optionSet { return optionTiles }

func (p *phi3) plan(w, h int, o Options, r Result) (Result, error) {
	n := p.MaxTiles
	if o.MaxTiles != 0 {
		n = o.MaxTiles
	}
	long, short := max(w, h), min(w, h)
	ratio := float64(long) / float64(short)
	scale := 1
	for scale*int(math.Ceil(float64(scale)/ratio)) <= n {
		scale++
	}
	scale--
	sw := scale * p.Tile
	sh := int(float64(sw) / ratio)
	if sh < 1 {
		return r, refuse("the shorter side of %d x %d vanishes when the longer is scaled to %d pixels", w, h, sw)
	}
	cols, rows := scale, ceilDiv(sh, p.Tile)
	if w < h {
		cols, rows, sw, sh = rows, cols, sh, sw
	}
	r.tiles(cols, rows, true)
	r.resized(sw, sh)
	// Each row of tokens ends with a newline, in the tiles and in the whole, and one
	// token stands between them.
	r.count((cols*rows+1)*p.Side*p.Side, (rows+1)*p.Side+1)
	return r, nil
}

// phi4 is the rule of Phi-4-multimodal: as many tiles as cover the picture or, if those
// are too many, InternVL's layout; the tokens of the padding are left out.
type phi4 struct {
	Tile     int // side of a tile, pixels
	Patch    int // pixels, of which two along a side are a token
	MaxTiles int
}

func (p *phi4) options() optionSet { return optionTiles }

func (p *phi4) plan(w, h int, o Options, r Result) (Result, error) {
	n := p.MaxTiles
	if o.MaxTiles != 0 {
		n = o.MaxTiles
	}
	cols, rows := ceilDiv(w, p.Tile), ceilDiv(h, p.Tile)
	if cols*rows > n {
		g := closestGrid(w, h, 1, n, p.Tile)
		cols, rows = g.cols, g.rows
	}
	tw, th := cols*p.Tile, rows*p.Tile
	rw, rh := tw, th
	if sw, sh := float64(tw)/float64(w), float64(th)/float64(h); sw < sh {
		rh = int(float64(h) * sw)
	} else {
		rw = int(float64(w) * sh)
	}
	if rw < 10 || rh < 10 {
		return r, refuse("a side of %d x %d is less than 10 pixels when the other is scaled", w, h)
	}
	side := p.Tile / p.Patch // patches along the side of a tile, an even number
	tc := ceilDiv(cols*side-(tw-rw)/p.Patch, 2)
	tr := ceilDiv(rows*side-(th-rh)/p.Patch, 2)
	r.tiles(cols, rows, true)
	r.resized(rw, rh)
	// The whole picture with the ends of its rows, the tiles with the ends of theirs,
	// and one token between them.
	r.count(side/2*(side/2)+tc*tr, side/2+tr+1)
	return r, nil
}
