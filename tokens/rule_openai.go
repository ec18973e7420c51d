package tokens

import (
	"math"
	"slices"
)

// openAITiles is the rule of GPT-4o and its contemporaries: the picture is scaled down
// into a square and then until its shorter side has Short pixels, and each tile that it
// touches adds to a base.
type openAITiles struct {
	Square int // pixels
	Short  int // of the shorter side at most, pixels
	Tile   int // pixels
	Base   int // tokens
	Tokens int // of a tile
}

var tileDetails = []string{"high", "auto", "low"}

func (t *openAITiles) options() optionSet          { return optionDetail }
func (t *openAITiles) details() []string           { return tileDetails }
func (t *openAITiles) hasDetail(level string) bool { return slices.Contains(tileDetails, level) }

func (t *openAITiles) plan(w, h int, o Options, r Result) (Result, error) {
	if o.Detail == "low" {
		// The model sees a version of 512 x 512 pixels.
		s := min(1, float64(t.Tile)/float64(max(w, h)))
		r.resized(max(1, int(math.Round(float64(w)*s))), max(1, int(math.Round(float64(h)*s))))
		r.tiles(0, 0, true)
		r.Grid = Grid{1, 1}
		r.count(t.Base, 0)
		return r, nil
	}
	// Sides are rounded to whole pixels: 2049 x 513 costs eight tiles and 2050 x 513
	// four, as measured in OpenAI's forum (community.openai.com/t/1281361).
	shrink := func(s float64) {
		if s < 1 {
			w, h = max(1, int(math.Round(float64(w)*s))), max(1, int(math.Round(float64(h)*s)))
		}
	}
	shrink(float64(t.Square) / float64(max(w, h)))
	shrink(float64(t.Short) / float64(min(w, h)))
	cols, rows := ceilDiv(w, t.Tile), ceilDiv(h, t.Tile)
	r.resized(w, h)
	r.tiles(cols, rows, true)
	r.count(t.Base+t.Tokens*cols*rows, 0)
	return r, nil
}

// openAIPatches is the rule of the smaller GPT-4.1 and GPT-5 models and of GPT-5.2 and
// later: patches of 32 pixels, scaled down to a budget, times a factor.
type openAIPatches struct {
	Patch int // pixels
	// Factor is the tokens of 100 patches.
	Factor int
	// Patches and Edge bound the patches and the longer side in pixels at high detail,
	// OriginalPatches and OriginalEdge at original detail; 0 is no bound.
	Patches, Edge                 int
	OriginalPatches, OriginalEdge int
	// Original tells that there is a level of that name.
	Original bool
	// Auto is the level that auto means, which is the default.
	Auto string
}

// lowEdge is the side of the version of a picture that is seen at low detail, in pixels.
const lowEdge = 512

var (
	patchDetails    = []string{"auto", "low", "high"}
	originalDetails = []string{"auto", "low", "high", "original"}
)

func (p *openAIPatches) options() optionSet { return optionDetail }

func (p *openAIPatches) details() []string {
	if p.Original {
		return originalDetails
	}
	return patchDetails
}

func (p *openAIPatches) hasDetail(level string) bool { return slices.Contains(p.details(), level) }

func (p *openAIPatches) plan(w, h int, o Options, r Result) (Result, error) {
	detail := o.Detail
	if detail == "" || detail == "auto" {
		detail = p.Auto
	}
	patches, edge := p.Patches, p.Edge
	switch detail {
	case "low":
		// The documents tell the size and not how many tokens are billed.
		patches, edge = 0, lowEdge
		r.Confidence = Approximate
	case "original":
		patches, edge = p.OriginalPatches, p.OriginalEdge
	}
	fw, fh := float64(w), float64(h)
	if long := max(fw, fh); edge > 0 && long > float64(edge) {
		s := float64(edge) / long
		fw, fh = max(1, float64(fw*s)), max(1, float64(fh*s))
	}
	side := float64(p.Patch)
	if cols, rows := math.Ceil(fw/side), math.Ceil(fh/side); patches > 0 && cols*rows > float64(patches) {
		s := math.Sqrt(side * side * float64(patches) / (fw * fh))
		// Both sides of the grid are to be whole numbers of patches within the budget; a
		// side of less than one patch has one.
		pw, ph := fw*s/side, fh*s/side
		a := 1.0
		if pw >= 1 {
			a = min(a, math.Floor(pw)/pw)
		}
		if ph >= 1 {
			a = min(a, math.Floor(ph)/ph)
		}
		fw, fh = float64(fw*s*a), float64(fh*s*a)
	}
	// The nearest integer is taken if it is one but for the rounding of floats.
	rw, rh := max(1, int(fw+1e-6)), max(1, int(fh+1e-6))
	cols, rows := ceilDiv(rw, p.Patch), ceilDiv(rh, p.Patch)
	n := cols * rows
	if patches > 0 {
		n = min(n, patches)
	}
	r.resized(rw, rh)
	r.Grid = Grid{cols, rows}
	r.count(ceilDiv(n*p.Factor, 100), 0)
	return r, nil
}
