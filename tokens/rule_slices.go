package tokens

import "math"

// slicesRule is the rule of MiniCPM-V, which is LLaVA-UHD's: a picture of more than
// Resolution x Resolution pixels is cut into as many slices as keep them about that size,
// in the layout closest to the picture's aspect ratio, beside a view of the whole.
type slicesRule struct {
	Resolution int // side of a square of as many pixels as a slice, pixels
	Patch      int // side of a patch times what of them is merged along a side, pixels
	MaxTiles   int
	// Tokens is the number of a view, 0 if each square of Patch x Patch pixels is one.
	Tokens int
	Wrap   int // <image_id>, the number and </image_id>
}

func (s *slicesRule) options() optionSet { return optionTiles }

func (s *slicesRule) plan(w, h int, o Options, r Result) (Result, error) {
	n := s.MaxTiles
	if o.MaxTiles != 0 {
		n = o.MaxTiles
	}
	g, sliced := s.grid(w, h, n)
	ww, wh := s.fit(float64(w), float64(h), !sliced)
	r.Wrap = s.Wrap
	whole := s.view(ww, wh)
	if !sliced {
		r.tiles(1, 1, false)
		r.resized(ww, wh)
		r.count(whole, 2)
		return r, nil
	}
	// Both sides are brought to a multiple of the layout's, then each slice to one of
	// patches.
	cw, ch := max(roundHalfEven(w, g.cols)*g.cols, g.cols), max(roundHalfEven(h, g.rows)*g.rows, g.rows)
	sw, sh := s.fit(float64(cw)/float64(g.cols), float64(ch)/float64(g.rows), true)
	r.tiles(g.cols, g.rows, true)
	r.resized(sw*g.cols, sh*g.rows)
	// <image></image>, <slice></slice> for each, and newlines between the rows.
	r.count(whole+g.cols*g.rows*s.view(sw, sh), 2*(1+g.cols*g.rows)+g.rows-1)
	return r, nil
}

// single fills r as for a frame of a video, which is seen whole.
func (s *slicesRule) single(r *Result) {
	r.resized(s.fit(float64(r.Width), float64(r.Height), true))
}

// view returns the tokens of a view of w x h pixels.
func (s *slicesRule) view(w, h int) int {
	if s.Tokens != 0 {
		return s.Tokens
	}
	return w / s.Patch * (h / s.Patch)
}

// grid returns the layout of the slices, or false if the picture is not cut.
func (s *slicesRule) grid(w, h, most int) (best tileGrid, sliced bool) {
	area := s.Resolution * s.Resolution
	n := min(int(math.Ceil(float64(w*h)/float64(area))), most)
	if n <= 1 {
		return best, false
	}
	best, bestDiff := tileGrid{cols: 1, rows: 1}, math.Inf(1)
	log := logRatio(w, h)
	for i := max(n-1, 2); i <= min(n+1, most); i++ {
		for _, g := range gridsOf(i, i) {
			if diff := math.Abs(log - g.log); diff < bestDiff {
				best, bestDiff = g, diff
			}
		}
	}
	return best, true
}

// fit returns the size to which a view is brought: of about Resolution x Resolution pixels
// if it has more or is to grow, and multiples of Patch.
func (s *slicesRule) fit(w, h float64, grow bool) (rw, rh int) {
	if grow || w*h > float64(s.Resolution*s.Resolution) {
		aspect := w / h
		h = math.Floor(float64(s.Resolution) / math.Sqrt(aspect))
		w = math.Floor(float64(h * aspect))
	}
	p := float64(s.Patch)
	rw = max(int(math.RoundToEven(w/p))*s.Patch, s.Patch)
	rh = max(int(math.RoundToEven(h/p))*s.Patch, s.Patch)
	return rw, rh
}
