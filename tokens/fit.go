package tokens

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Fitted is how to send a picture within a budget.
type Fitted struct {
	// Width and Height are the size to which to scale the picture, in pixels. They are
	// those of the picture if it fits as it is, and never more.
	Width, Height int
	// CanvasWidth and CanvasHeight are the size of the canvas on which to put it, with
	// padding around, if the layout of tiles that the aspect ratio of the picture asks
	// for is too dear; else they are Width and Height.
	CanvasWidth, CanvasHeight int
	// Detail is the share of the picture's pixels that the model sees, 0 to 1: the
	// pixels of the picture after what the model itself does to it, over those before.
	Detail float64
	Plan   Result // of the canvas
}

// Fit returns the size at which to send a picture of w x h pixels so that its cost
// (Result.Cost) stays within a budget of tokens and the model sees as much of it as can
// be. The picture is scaled down only and keeps its aspect ratio to the rounding of its
// sides. Every size is tried, so that one pixel beyond the border of a tile is not paid
// for; of sizes of which the model sees as much, the cheapest is taken, and then the
// largest. If no size keeps the budget, the error wraps ErrBudget and tells what the
// least is.
func Fit(model string, budget, w, h int, o *Options) (Fitted, error) {
	m, err := Lookup(model)
	if err != nil {
		return Fitted{}, err
	}
	return m.Fit(budget, w, h, o)
}

// Fit is the function Fit for the model.
func (m *Model) Fit(budget, w, h int, o *Options) (Fitted, error) {
	return m.fit(budget, w, h, func(w, h int) (Result, error) { return m.Plan(w, h, o) })
}

// FitVideo is Fit for the frames of a video: the size to which to scale them so that the
// whole video keeps the budget. The number of frames is as PlanVideo has it.
func (m *Model) FitVideo(budget int, c Clip, o *Options) (Fitted, error) {
	return m.fit(budget, c.Width, c.Height, func(w, h int) (Result, error) {
		c.Width, c.Height = w, h
		return m.PlanVideo(c, o)
	})
}

// FitPages is Fit for the pages of a document: the size to which to scale each so that
// all keep the budget. Each gets an equal share of it, and what pages leave of theirs is
// shared by the dearer ones.
func (m *Model) FitPages(budget int, pages []Size, o *Options) ([]Fitted, error) {
	_, each, err := m.PlanPages(pages, o)
	if err != nil && !errors.Is(err, ErrRefused) {
		return nil, err
	}
	order := make([]int, len(pages))
	for i := range order {
		order[i] = i
	}
	if err == nil { // else some page has to be reduced to be planned at all
		slices.SortStableFunc(order, func(i, j int) int { return each[i].Cost() - each[j].Cost() })
	}
	fitted := make([]Fitted, len(pages))
	for done, i := range order {
		p := pages[i]
		f, err := m.fit(budget/(len(pages)-done), p.Width, p.Height, func(w, h int) (Result, error) {
			_, each, err := m.planPages(o, len(pages), Size{w, h})
			if err != nil {
				return Result{}, err
			}
			return each[0], nil
		})
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", i+1, err)
		}
		fitted[i] = f
		budget -= f.Plan.Cost()
	}
	return fitted, nil
}

// fit is Fit with what plans a size.
func (m *Model) fit(budget, w, h int, plan func(w, h int) (Result, error)) (Fitted, error) {
	if err := checkSize(w, h); err != nil {
		return Fitted{}, err
	}
	if budget < 1 {
		return Fitted{}, fmt.Errorf("%w: %d tokens", ErrBudget, budget)
	}
	r, err := plan(w, h)
	if err == nil && r.Cost() <= budget {
		return fitted(w, h, w, h, w, h, r), nil
	}
	if err != nil && !errors.Is(err, ErrRefused) {
		return Fitted{}, err
	}
	s := search{plan: plan, budget: budget, w: w, h: h, least: math.MaxInt}
	s.scaled()
	if t, ok := m.rule.(tiler); ok {
		s.canvases(t.tile())
	}
	switch {
	case s.best.Width > 0:
		return s.best, nil
	case s.least < math.MaxInt:
		return Fitted{}, fmt.Errorf("%w: %s takes %d tokens or more for %d x %d pixels, not %d", ErrBudget, m.Name, s.least, w, h, budget)
	}
	return Fitted{}, err
}

// tiler is a rule that chooses a layout of tiles by the aspect ratio.
type tiler interface{ tile() int }

// maxFitSide is the longest side that is tried; no model of a finite number of tokens
// sees more.
const maxFitSide = 1 << 14

// search is the state of Fit.
type search struct {
	plan   func(w, h int) (Result, error)
	budget int
	w, h   int
	best   Fitted
	least  int // cost of any size
}

// scaled tries the picture at every length of its longer side.
func (s *search) scaled() {
	long := max(s.w, s.h)
	for n := min(long, maxFitSide); n >= 1 && s.faithful(n); n-- {
		w, h := scaledTo(s.w, s.h, n)
		s.try(w, h, w, h)
	}
}

// canvases tries the picture on canvases of the size of every layout of tiles.
func (s *search) canvases(tile int) {
	for _, g := range grids {
		cw, ch := g.cols*tile, g.rows*tile
		// The longest side with which the picture fits into the canvas. The scale is a
		// float, and the shorter side is rounded.
		long := float64(max(s.w, s.h))
		n := int(math.Ceil(min(long, maxFitSide, long*min(float64(cw)/float64(s.w), float64(ch)/float64(s.h)))))
		for n > 0 {
			if w, h := scaledTo(s.w, s.h, n); w <= cw && h <= ch {
				break
			}
			n--
		}
		if n >= 1 && s.faithful(n) {
			w, h := scaledTo(s.w, s.h, n)
			s.try(w, h, cw, ch)
		}
	}
}

// faithful reports whether the shorter side does not vanish when the longer one is scaled
// to n pixels.
func (s *search) faithful(n int) bool {
	return 2*n*min(s.w, s.h) >= max(s.w, s.h)
}

// scaledTo returns the size of a picture whose longer side is scaled to n pixels.
func scaledTo(w, h, n int) (int, int) {
	if w >= h {
		return n, max(1, int(math.Round(float64(n)*float64(h)/float64(w))))
	}
	return max(1, int(math.Round(float64(n)*float64(w)/float64(h)))), n
}

// try takes a size if it is better than the best so far.
func (s *search) try(w, h, cw, ch int) {
	r, err := s.plan(cw, ch)
	if err != nil {
		return
	}
	cost := r.Cost()
	s.least = min(s.least, cost)
	if cost > s.budget {
		return
	}
	f := fitted(s.w, s.h, w, h, cw, ch, r)
	better := f.Detail > s.best.Detail ||
		f.Detail == s.best.Detail && (cost < s.best.Plan.Cost() ||
			cost == s.best.Plan.Cost() && w*h > s.best.Width*s.best.Height)
	if s.best.Width == 0 || better {
		s.best = f
	}
}

// fitted returns what is seen of a picture of w0 x h0 pixels that is scaled to w x h and
// put on a canvas of cw x ch.
func fitted(w0, h0, w, h, cw, ch int, r Result) Fitted {
	// What the model enlarges shows no more, and what it reduces shows less.
	sw := min(1, float64(r.ResizedWidth)/float64(cw)) * float64(w)
	sh := min(1, float64(r.ResizedHeight)/float64(ch)) * float64(h)
	return Fitted{
		Width: w, Height: h, CanvasWidth: cw, CanvasHeight: ch,
		Detail: min(1, sw*sh/(float64(w0)*float64(h0))),
		Plan:   r,
	}
}
