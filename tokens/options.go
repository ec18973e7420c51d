package tokens

import (
	"errors"
	"fmt"
)

// MaxSide is the largest width and height, in pixels, that is planned for.
const MaxSide = 1 << 20

var (
	// ErrSize reports a width or height that is not between 1 and MaxSide.
	ErrSize = errors.New("tokens: invalid size")
	// ErrRefused reports a picture that the model's own processor or service refuses,
	// for its aspect ratio or its size.
	ErrRefused = errors.New("tokens: the model refuses the picture")
	// ErrOption reports an option that is out of range or that the model does not have.
	ErrOption = errors.New("tokens: invalid option")
	// ErrModel reports a name that is no model's.
	ErrModel = errors.New("tokens: unknown model")
	// ErrBudget reports a budget that no size of a picture keeps.
	ErrBudget = errors.New("tokens: budget too small")
)

// Options override what a model is released with. Zero values leave it as it is. An
// option that the model does not have is refused with an error that wraps ErrOption.
type Options struct {
	// MinPixels and MaxPixels bound the pixels of the resized picture (Qwen-VL,
	// GLM-V), in the unit of the model's configuration, which for GLM-V is pixels times
	// temporal patch size.
	MinPixels, MaxPixels int
	// MaxTiles is the largest number of tiles, without the thumbnail (InternVL,
	// MiniCPM-V, LLaVA-OneVision, DeepSeek-OCR, Llama, Phi): 1 to 64.
	MaxTiles int
	// MaxEdge is the longest side after resizing, in pixels (Pixtral, Mistral,
	// Idefics3, SmolVLM): 1 to 4096.
	MaxEdge int
	// Detail is "low", "high", "original" or "auto" for models of OpenAI and "low",
	// "medium", "high" or "ultra-high" for Gemini 3.
	Detail string
	// PanAndScan cuts elongated pictures into crops beside the whole (Gemma 3).
	PanAndScan bool
	// Images is the number of pictures in the prompt, if more than one: LLaVA-OneVision
	// sees each of several pictures whole only.
	Images int
}

// optionSet says which options a rule has.
type optionSet uint8

const (
	optionPixels optionSet = 1 << iota
	optionTiles
	optionEdge
	optionDetail
	optionPanAndScan
)

const (
	maxTiles = 64
	maxEdge  = 4096
)

// validate returns an error unless the options are within range and the model, whose
// rule has the options in set, has them.
func (o *Options) validate(m *Model) error {
	if *o == (Options{}) {
		return nil
	}
	has := m.rule.options()
	for _, c := range []struct {
		name  string
		set   bool
		valid bool
		bit   optionSet
	}{
		{"MinPixels", o.MinPixels != 0, o.MinPixels >= 1 && int64(o.MinPixels) <= MaxSide*MaxSide, optionPixels},
		{"MaxPixels", o.MaxPixels != 0, o.MaxPixels >= 1 && int64(o.MaxPixels) <= MaxSide*MaxSide, optionPixels},
		{"MaxTiles", o.MaxTiles != 0, o.MaxTiles >= 1 && o.MaxTiles <= maxTiles, optionTiles},
		{"MaxEdge", o.MaxEdge != 0, o.MaxEdge >= 1 && o.MaxEdge <= maxEdge, optionEdge},
		{"Detail", o.Detail != "", true, optionDetail},
		{"PanAndScan", o.PanAndScan, true, optionPanAndScan},
		{"Images", o.Images != 0, o.Images >= 1, 0},
	} {
		switch {
		case !c.set:
		case c.bit != 0 && has&c.bit == 0:
			return optionError("%s has no option %s", m.Name, c.name)
		case !c.valid:
			return optionError("%s out of range", c.name)
		}
	}
	if o.Detail != "" {
		d, ok := m.rule.(detailed)
		if !ok || !d.hasDetail(o.Detail) {
			return optionError("%s has no detail %q", m.Name, o.Detail)
		}
	}
	return nil
}

// detailed is a rule with levels of detail.
type detailed interface {
	hasDetail(level string) bool
	details() []string
}

// Details returns the levels of detail that the model has, the default one first, or nil.
func (m *Model) Details() []string {
	if d, ok := m.rule.(detailed); ok {
		return d.details()
	}
	return nil
}

func checkSize(w, h int) error {
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return fmt.Errorf("%w: %d x %d pixels, sides must be 1 to %d", ErrSize, w, h, MaxSide)
	}
	return nil
}

// refuse returns an error that wraps ErrRefused.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// optionError returns an error that wraps ErrOption.
func optionError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOption, fmt.Sprintf(format, args...))
}
