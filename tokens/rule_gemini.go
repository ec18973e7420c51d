package tokens

import (
	"math"
	"slices"
)

// geminiTiles is the rule of Gemini 1.5 to 2.5: a small picture is one tile, a larger one
// is cut into tiles of two thirds of its shorter side.
//
// Google's documents give two rules, which contradict each other: tiles of 768 x 768
// pixels, and a "rough formula" by a crop unit of two thirds of the shorter side, of
// which an older text says that it lies between 256 and 768 pixels. Tokens follows the
// crop unit within these bounds; Low and High are the least and the most of the two
// rules, and of a further view of the whole, which some bills suggest.
type geminiTiles struct {
	Small            int // side up to which a picture is one tile, pixels
	MinUnit, MaxUnit int // of a tile, pixels
	Tokens           int // of a tile
}

func (g *geminiTiles) options() optionSet { return 0 }

func (g *geminiTiles) plan(w, h int, _ Options, r Result) (Result, error) {
	r.resized(w, h)
	if w <= g.Small && h <= g.Small {
		r.tiles(1, 1, false)
		r.count(g.Tokens, 0)
		return r, nil
	}
	unit := min(max(int(math.Floor(float64(min(w, h))/1.5)), g.MinUnit), g.MaxUnit)
	cols, rows := ceilDiv(w, unit), ceilDiv(h, unit)
	plain := ceilDiv(w, g.MaxUnit) * ceilDiv(h, g.MaxUnit)
	r.tiles(cols, rows, false)
	r.count(g.Tokens*cols*rows, 0)
	r.Low = min(r.Tokens, g.Tokens*plain)
	r.High = r.Tokens + g.Tokens
	return r, nil
}

// geminiLevels is the rule of Gemini 3: a number of tokens at most for each level of
// resolution, whatever the size. What is billed is somewhat less, by the aspect ratio.
type geminiLevels struct {
	Levels  map[string]int // tokens
	Default string
	// Least is the share of a level, in percent, of the smallest bill that was measured.
	Least int

	names []string
}

func (g *geminiLevels) options() optionSet          { return optionDetail }
func (g *geminiLevels) details() []string           { return g.names }
func (g *geminiLevels) hasDetail(level string) bool { return slices.Contains(g.names, level) }

// prepare sorts the names of the levels, the default one first.
func (g *geminiLevels) prepare() {
	for name := range g.Levels {
		g.names = append(g.names, name)
	}
	slices.SortFunc(g.names, func(a, b string) int {
		switch {
		case a == g.Default:
			return -1
		case b == g.Default:
			return 1
		}
		return g.Levels[a] - g.Levels[b]
	})
}

func (g *geminiLevels) plan(w, h int, o Options, r Result) (Result, error) {
	level := o.Detail
	if level == "" {
		level = g.Default
	}
	r.resized(w, h)
	r.Grid = Grid{1, 1}
	r.count(g.Levels[level], 0)
	r.Low = r.Tokens * g.Least / 100
	return r, nil
}
