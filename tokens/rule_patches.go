package tokens

import "math"

// smartResize is the rule of Qwen-VL and GLM-V: both sides are rounded to a multiple of
// Factor, and the picture is scaled so that its pixels lie between Min and Max; each
// square of Factor x Factor pixels is a token.
type smartResize struct {
	Factor int // patch size times merge size, pixels
	// Min and Max bound Frames times width times height of the resized picture.
	Min, Max int
	// Frames is the temporal patch size by which GLM-V multiplies the pixels of a
	// picture, 1 for Qwen-VL.
	Frames int
	Grow   bool // sides below Factor are brought up to it first
	Wrap   int  // <|vision_start|> and <|vision_end|>
}

// maxAspect is the aspect ratio above which smart_resize raises an error.
const maxAspect = 200

func (s *smartResize) options() optionSet { return optionPixels }

func (s *smartResize) plan(w, h int, o Options, r Result) (Result, error) {
	lo, hi, err := s.bounds(&o)
	if err != nil {
		return r, err
	}
	rw, rh, err := s.size(w, h, s.Frames, s.Frames, lo, hi)
	if err != nil {
		return r, err
	}
	r.resized(rw, rh)
	r.Grid = Grid{rw / s.Factor, rh / s.Factor}
	r.count(r.Grid.Cols*r.Grid.Rows, 0)
	r.Wrap = s.Wrap
	return r, nil
}

// bounds returns Min and Max or what the options say instead.
func (s *smartResize) bounds(o *Options) (lo, hi int, err error) {
	lo, hi = s.Min, s.Max
	if o.MinPixels != 0 {
		lo = o.MinPixels
	}
	if o.MaxPixels != 0 {
		hi = o.MaxPixels
		if o.MinPixels == 0 {
			lo = min(lo, hi)
		}
	}
	if lo > hi {
		return 0, 0, optionError("MinPixels %d is above MaxPixels %d", lo, hi)
	}
	return lo, hi, nil
}

// size is smart_resize for a number of frames, of which temporal make a token.
func (s *smartResize) size(w, h, frames, temporal, lo, hi int) (rw, rh int, err error) {
	f := s.Factor
	if s.Grow && (w < f || h < f) {
		scale := max(float64(f)/float64(h), float64(f)/float64(w))
		w, h = int(float64(w)*scale), int(float64(h)*scale)
	}
	if float64(max(w, h))/float64(min(w, h)) > maxAspect {
		return 0, 0, refuse("aspect ratio of %d x %d is above %d", w, h, maxAspect)
	}
	rw, rh = roundHalfEven(w, f)*f, roundHalfEven(h, f)*f
	t := roundHalfEven(frames, temporal) * temporal
	fw, fh, ff := float64(w), float64(h), float64(f)
	switch n := t * rw * rh; {
	case n > hi:
		beta := math.Sqrt(float64(frames*w*h) / float64(hi))
		rw = max(f, int(math.Floor(fw/beta/ff))*f)
		rh = max(f, int(math.Floor(fh/beta/ff))*f)
	case n < lo:
		beta := math.Sqrt(float64(lo) / float64(frames*w*h))
		rw = int(math.Ceil(float64(fw*beta)/ff)) * f
		rh = int(math.Ceil(float64(fh*beta)/ff)) * f
	}
	return rw, rh, nil
}

// rowPatches is the rule of Pixtral and Mistral: the picture is scaled down to fit into
// Edge, and each row of patches ends with a token.
type rowPatches struct {
	Edge  int // pixels
	Patch int // patch size times merge size, pixels
}

func (p *rowPatches) options() optionSet { return optionEdge }

func (p *rowPatches) plan(w, h int, o Options, r Result) (Result, error) {
	edge := p.Edge
	if o.MaxEdge != 0 {
		edge = o.MaxEdge
	}
	if ratio := max(float64(h)/float64(edge), float64(w)/float64(edge)); ratio > 1 {
		w, h = int(math.Floor(float64(w)/ratio)), int(math.Floor(float64(h)/ratio))
	}
	if w < 1 || h < 1 {
		return r, refuse("a side vanishes when the other is scaled to %d pixels", edge)
	}
	cols, rows := ceilDiv(w, p.Patch), ceilDiv(h, p.Patch)
	r.resized(cols*p.Patch, rows*p.Patch)
	r.Grid = Grid{cols, rows}
	r.count(cols*rows, rows)
	return r, nil
}

// ceilPatches is the rule of Claude: a picture above one of the limits is scaled down to
// the largest size of its aspect ratio within both, and each square of Patch x Patch
// pixels that it touches is a token.
type ceilPatches struct {
	Patch  int // pixels
	Edge   int // of the longer side after resizing, pixels
	Tokens int // of a picture
	Refuse int // pixels of a side above which the service refuses the picture
}

func (p *ceilPatches) options() optionSet { return 0 }

func (p *ceilPatches) plan(w, h int, _ Options, r Result) (Result, error) {
	if w > p.Refuse || h > p.Refuse {
		return r, refuse("a side of %d x %d is above %d pixels", w, h, p.Refuse)
	}
	long, short := max(w, h), min(w, h)
	// other returns the shorter side when the longer one is n.
	other := func(n int) int {
		return max(1, int(math.Round(float64(n)*float64(short)/float64(long))))
	}
	fits := func(n int) bool {
		return n <= p.Edge && ceilDiv(n, p.Patch)*ceilDiv(other(n), p.Patch) <= p.Tokens
	}
	n := long
	if !fits(n) {
		lo, hi := 0, long // fits(lo) and !fits(hi)
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; fits(mid) {
				lo = mid
			} else {
				hi = mid
			}
		}
		n = lo
	}
	rw, rh := n, other(n)
	if w < h {
		rw, rh = rh, rw
	}
	r.resized(rw, rh)
	r.Grid = Grid{ceilDiv(rw, p.Patch), ceilDiv(rh, p.Patch)}
	r.count(r.Grid.Cols*r.Grid.Rows, 0)
	return r, nil
}
