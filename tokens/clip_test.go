package tokens

import (
	"errors"
	"math"
	"testing"
)

func TestPlanVideo(t *testing.T) {
	for _, c := range []struct {
		model  string
		clip   Clip
		o      *Options
		frames int
		tokens int
	}{
		{"gemini-2", Clip{Width: 1920, Height: 1080, Seconds: 60}, nil, 60, 60 * 258},
		{"gemini-3", Clip{Width: 1920, Height: 1080, Seconds: 60}, nil, 60, 60 * 70},
		{"gemini-3", Clip{Width: 1920, Height: 1080, Seconds: 60, FPS: 2}, &Options{Detail: "high"}, 120, 120 * 280},
		{"gpt-4o", Clip{Width: 512, Height: 512, Frames: 10}, nil, 10, 2550},
		{"claude", Clip{Width: 280, Height: 280, Seconds: 3.9}, nil, 3, 300}, // one frame a second
		{"qwen2.5-vl", Clip{Width: 280, Height: 560, Seconds: 10.5}, nil, 20, 10 * 200},
		{"qwen2.5-vl", Clip{Width: 280, Height: 560, Seconds: 0.5}, nil, 4, 2 * 200},
		{"qwen2.5-vl", Clip{Width: 280, Height: 560, Seconds: 1e6}, nil, 768, 384 * 200},
		{"qwen2.5-vl", Clip{Width: 280, Height: 560, Frames: 1e6}, nil, 1e6, 5e5 * 200},
		{"qwen2.5-vl", Clip{Width: 2800, Height: 5600, Frames: 2}, &Options{MaxPixels: 50 * 784}, 2, 50},
		{"qwen3-vl", Clip{Width: 320, Height: 320, Frames: 3}, nil, 3, 200},
		{"llava-onevision", Clip{Width: 99, Height: 999, Frames: 32}, nil, 32, 32*196 + 1},
		{"internvl3", Clip{Width: 1920, Height: 1080, Frames: 8}, nil, 8, 8 * 258},
		{"minicpm-v-2.6", Clip{Width: 1920, Height: 1080, Frames: 8}, nil, 8, 8 * 66},
		{"minicpm-v-4.5", Clip{Width: 1920, Height: 1080, Frames: 13}, nil, 13, 3 * 66},
		{"smolvlm", Clip{Width: 1920, Height: 1080, Seconds: 100}, nil, 64, 64 * 84},
		{"gemma-3", Clip{Width: 1920, Height: 1080, Frames: 8}, nil, 8, 8 * 256},
		{"llama-3.2", Clip{Width: 560, Height: 560, Frames: 2}, nil, 2, 2},
	} {
		r, err := PlanVideo(c.model, c.clip, c.o)
		if err != nil || r.Frames != c.frames || r.Tokens != c.tokens || r.Visual+r.Separators != r.Tokens || r.Low > r.Tokens || r.High < r.Tokens {
			t.Errorf("%s %+v: %+v, %v; want %d frames, %d tokens", c.model, c.clip, r, err, c.frames, c.tokens)
		}
	}
	for _, c := range []Clip{
		{}, {Width: 1, Height: 1}, {Width: 1, Height: 1, Frames: -1}, {Width: 1, Height: 1, Frames: MaxFrames + 1}, {Frames: 1},
		{Width: 1, Height: 1, Seconds: math.NaN()}, {Width: 1, Height: 1, Seconds: math.Inf(1)}, {Width: 1, Height: 1, Seconds: -1},
		{Width: 1, Height: 1, Seconds: 1, FPS: math.NaN()}, {Width: 1, Height: 1, Seconds: 1, FPS: -1}, {Width: 1, Height: 1, Frames: 2, FPS: 1},
	} {
		if r, err := PlanVideo("gpt-4o", c, nil); !errors.Is(err, ErrSize) {
			t.Errorf("%+v: %+v, %v", c, r, err)
		}
	}
}

func TestPlanPages(t *testing.T) {
	a4, wide := Size{1240, 1754}, Size{1754, 1240}
	one, err := Plan("deepseek-ocr", a4.Width, a4.Height, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Plan("deepseek-ocr", wide.Width, wide.Height, nil)
	if err != nil {
		t.Fatal(err)
	}
	total, each, err := PlanPages("deepseek-ocr", []Size{a4, wide, a4}, nil)
	if err != nil || total.Frames != 3 || len(each) != 3 || each[1] != other || total.Tokens != 2*one.Tokens+other.Tokens || total.Tiles != 2*one.Tiles+other.Tiles {
		t.Errorf("%+v, %v, %v", total, each, err)
	}
	for _, c := range []struct {
		model string
		o     *Options
		want  int
	}{
		{"gemini-2", nil, 2 * 258},
		{"gemini-3", nil, 2 * 560},
		{"gemini-3", &Options{Detail: "high"}, 2 * 1120},
		{"llava-onevision", nil, 2 * 730}, // several pictures are seen whole
		{"llava-1.5", nil, 2 * 576},
	} {
		total, _, err := PlanPages(c.model, []Size{a4, wide}, c.o)
		if err != nil || total.Tokens != c.want {
			t.Errorf("%s: %d tokens, %v, want %d", c.model, total.Tokens, err, c.want)
		}
	}
	if _, _, err := PlanPages("gpt-4o", nil, nil); !errors.Is(err, ErrSize) {
		t.Errorf("no pages: %v", err)
	}
	if _, _, err := PlanPages("gemini-3", []Size{a4, {0, 1}}, nil); !errors.Is(err, ErrSize) {
		t.Errorf("page without width: %v", err)
	}
}
