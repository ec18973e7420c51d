package tokens

import (
	"fmt"
	"math"
)

// MaxFrames is the largest number of frames, or pages, that is planned for.
const MaxFrames = 1 << 24

// A Clip is a video as it is handed to a model: a number of frames, or a duration from
// which the frames are sampled.
type Clip struct {
	Width, Height int // of a frame, pixels
	// Frames is the number of frames that the model gets. If it is 0, frames are sampled
	// from Seconds of video, FPS of them a second (0 for what the model is released
	// with), within the limits of the model.
	Frames  int
	Seconds float64
	FPS     float64
}

// defaultFPS is the rate at which a model without one of its own is taken to be fed.
const defaultFPS = 1

// A clipRule is how a model treats frames or pages otherwise than as pictures.
type clipRule struct {
	// Group is the number of frames that are encoded as one, 1 if it is 0.
	Group int
	// Tokens is the number that a group has whatever its size, of which Separators are
	// separators, and Extra the number that a video has beside.
	Tokens, Separators, Extra int
	// Levels is what Tokens is instead at a level of detail.
	Levels map[string]int
	// Min and Max bound the pixels of smart-resize, of all the frames if Total is set,
	// else of each.
	Min, Max int
	Total    bool
	// MaxTiles overrides the option.
	MaxTiles int

	FPS                  float64
	MinFrames, MaxFrames int
	// Even tells that the number of frames sampled is cut to a multiple of Group.
	Even bool

	Confidence *Confidence // if it is not that of the model
	Source     string
}

// PlanVideo returns what a model makes of a video. Models that know no videos, and hosted
// ones that are sent frames, are taken to get each frame as a picture.
func PlanVideo(model string, c Clip, o *Options) (Result, error) {
	m, err := Lookup(model)
	if err != nil {
		return Result{}, err
	}
	return m.PlanVideo(c, o)
}

// PlanVideo is the function PlanVideo for the model.
func (m *Model) PlanVideo(c Clip, o *Options) (Result, error) {
	if err := checkSize(c.Width, c.Height); err != nil {
		return Result{}, err
	}
	n, err := m.sampled(c)
	if err != nil {
		return Result{}, err
	}
	return m.planClip(m.video, c.Width, c.Height, n, o)
}

// sampled returns how many frames the model gets.
func (m *Model) sampled(c Clip) (int, error) {
	switch {
	case c.Frames < 0 || c.Frames > MaxFrames:
		return 0, fmt.Errorf("%w: %d frames, must be 1 to %d", ErrSize, c.Frames, MaxFrames)
	case !(c.Seconds >= 0 && c.Seconds <= MaxFrames) || !(c.FPS >= 0 && c.FPS <= MaxFrames):
		return 0, fmt.Errorf("%w: %v seconds at %v frames a second", ErrSize, c.Seconds, c.FPS)
	case c.Frames > 0:
		if c.Seconds > 0 || c.FPS > 0 {
			return 0, fmt.Errorf("%w: frames are given and to be sampled", ErrSize)
		}
		return c.Frames, nil
	case c.Seconds == 0:
		return 0, fmt.Errorf("%w: neither frames nor seconds", ErrSize)
	}
	v := m.video
	if v == nil {
		v = &clipRule{}
	}
	fps := c.FPS
	if fps == 0 {
		fps = v.FPS
	}
	if fps == 0 {
		fps = defaultFPS
	}
	n := max(1, v.MinFrames, int(math.Min(math.Floor(c.Seconds*fps), MaxFrames)))
	if v.MaxFrames > 0 {
		n = min(n, v.MaxFrames)
	}
	if v.Even && n >= v.Group {
		n -= n % v.Group
	}
	return n, nil
}

// planClip plans n frames of w x h pixels by a rule, or as pictures if it is nil.
func (m *Model) planClip(v *clipRule, w, h, n int, o *Options) (Result, error) {
	var options Options
	if o != nil {
		options = *o
	}
	if v == nil {
		options.Images = max(options.Images, n)
		r, err := m.Plan(w, h, &options)
		if err != nil {
			return Result{}, err
		}
		r.times(n)
		return r, nil
	}
	if err := options.validate(m); err != nil {
		return Result{}, err
	}
	r := m.result(w, h)
	if v.Confidence != nil {
		r.Confidence = *v.Confidence
	}
	if v.Source != "" {
		r.Source = v.Source
	}
	groups := ceilDiv(n, max(1, v.Group))
	switch rule := m.rule.(type) {
	case *smartResize:
		lo, hi, err := (&smartResize{Min: v.Min, Max: v.Max}).bounds(&options)
		if err != nil {
			return Result{}, err
		}
		frames, temporal := 1, 1
		if v.Total {
			if frames, temporal = n, v.Group; n < v.Group {
				return Result{}, refuse("a video of less than %d frames", v.Group)
			}
		}
		rw, rh, err := rule.size(w, h, frames, temporal, lo, hi)
		if err != nil {
			return Result{}, err
		}
		r.resized(rw, rh)
		r.Grid = Grid{rw / rule.Factor, rh / rule.Factor}
		r.count(r.Grid.Cols*r.Grid.Rows, 0)
		r.Wrap = rule.Wrap
		r.times(groups)
	default:
		if v.Tokens == 0 {
			options.MaxTiles = v.MaxTiles
			var err error
			if r, err = rule.plan(w, h, options, r); err != nil {
				return Result{}, err
			}
		} else {
			r.Grid = Grid{1, 1}
			r.resized(w, h)
			if s, ok := rule.(interface{ single(*Result) }); ok {
				s.single(&r)
			}
			n := v.Tokens
			if l, ok := v.Levels[options.Detail]; ok {
				n = l
			}
			r.count(n-v.Separators, v.Separators)
		}
		r.times(groups)
		r.Separators += v.Extra
		r.Tokens += v.Extra
		r.Low, r.High = r.Low+v.Extra, r.High+v.Extra
	}
	r.Frames = n
	return r, nil
}

// times makes the result of a frame that of n.
func (r *Result) times(n int) {
	for _, p := range []*int{&r.Tokens, &r.Visual, &r.Separators, &r.Wrap, &r.CrossAttention, &r.Low, &r.High, &r.Tiles} {
		*p *= n
	}
	r.Frames = n
}

// A Size is the width and height of a page, in pixels.
type Size struct{ Width, Height int }

// PlanPages returns what a model makes of the pages of a document that are sent to it as
// pictures: the sum, and each page.
func PlanPages(model string, pages []Size, o *Options) (total Result, each []Result, err error) {
	m, err := Lookup(model)
	if err != nil {
		return Result{}, nil, err
	}
	return m.PlanPages(pages, o)
}

// PlanPages is the function PlanPages for the model.
func (m *Model) PlanPages(pages []Size, o *Options) (total Result, each []Result, err error) {
	return m.planPages(o, len(pages), pages...)
}

// planPages plans some pages of a document of n.
func (m *Model) planPages(o *Options, n int, pages ...Size) (total Result, each []Result, err error) {
	if n == 0 || n > MaxFrames {
		return Result{}, nil, fmt.Errorf("%w: %d pages, must be 1 to %d", ErrSize, n, MaxFrames)
	}
	var options Options
	if o != nil {
		options = *o
	}
	options.Images = max(options.Images, n)
	each = make([]Result, len(pages))
	for i, p := range pages {
		if m.page != nil {
			if err = checkSize(p.Width, p.Height); err == nil {
				each[i], err = m.planClip(m.page, p.Width, p.Height, 1, &options)
				each[i].Frames = 0
			}
		} else {
			each[i], err = m.Plan(p.Width, p.Height, &options)
		}
		if err != nil {
			return Result{}, nil, fmt.Errorf("page %d: %w", i+1, err)
		}
		if i == 0 {
			total = each[0]
			continue
		}
		r := &each[i]
		for _, s := range [][2]*int{
			{&total.Tokens, &r.Tokens}, {&total.Visual, &r.Visual}, {&total.Separators, &r.Separators},
			{&total.Wrap, &r.Wrap}, {&total.CrossAttention, &r.CrossAttention},
			{&total.Low, &r.Low}, {&total.High, &r.High}, {&total.Tiles, &r.Tiles},
		} {
			*s[0] += *s[1]
		}
		total.Confidence = max(total.Confidence, r.Confidence)
	}
	total.Frames = len(pages)
	return total, each, nil
}
