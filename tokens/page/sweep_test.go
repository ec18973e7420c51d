package page

import (
	"context"
	"errors"
	"image"
	"math"
	"strings"
	"testing"

	"github.com/burin-codec/burin/tokens"
)

// words is a Counter.
func words(s string) (int, error) { return len(strings.Fields(s)), nil }

func TestSweep(t *testing.T) {
	s := strings.Repeat("some words of text that go on and on ", 1200) // 10800 words
	square := Dense()
	square.Width, square.Height, square.DPI, square.FontSize, square.CropLast = 512, 512, 72, 8, false
	small := *square
	small.FontSize = 6
	models := []*tokens.Model{lookup(t, "deepseek-ocr-tiny"), lookup(t, "qwen2.5-vl")}
	costs, err := Sweep(context.Background(), s, Plain, []*Options{square, &small}, models, words)
	if err != nil {
		t.Fatal(err)
	}
	if len(costs) != 4 {
		t.Fatalf("%d costs", len(costs))
	}
	for i, c := range costs {
		if want := models[i%2].Name; c.Model != want || c.FontSize != []float64{8, 6}[i/2] || c.TextTokens != 10800 || c.Width != 512 {
			t.Errorf("cost %d: %+v", i, c)
		}
		// As many tokens as the model takes for a picture of 512 x 512, each page.
		r, err := models[i%2].Plan(512, 512, nil)
		if err != nil || c.VisualTokens != c.Pages*r.Tokens {
			t.Errorf("cost %d: %d visual tokens of %d pages, %d a page", i, c.VisualTokens, c.Pages, r.Tokens)
		}
		if math.Abs(c.Ratio-10800/float64(c.VisualTokens)) > 1e-9 || c.Published == nil {
			t.Errorf("cost %d: %+v", i, c)
		}
	}
	if costs[2].Pages >= costs[0].Pages || costs[0].SeenEm != 8 || costs[1].SeenEm > 8 || costs[1].SeenEm < 7 {
		t.Errorf("%+v", costs)
	}
	failure := errors.New("failure")
	if _, err := Sweep(context.Background(), s, Plain, nil, nil, func(string) (int, error) { return 0, failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sweep(done, s, Plain, []*Options{square}, models, words); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPrice(t *testing.T) {
	ctx := context.Background()
	failure := errors.New("failure")
	pages := func(yield func(image.Image, error) bool) {
		_ = yield(image.NewGray(image.Rect(0, 0, 600, 800)), nil) && yield(image.NewGray(image.Rect(0, 0, 600, 400)), nil)
	}
	m := lookup(t, "qwen2.5-vl")
	costs, err := Price(ctx, pages, []*tokens.Model{m}, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.Plan(600, 800, nil)
	b, _ := m.Plan(600, 400, nil)
	if c := costs[0]; c.Pages != 2 || c.VisualTokens != a.Tokens+b.Tokens || c.Ratio != 0 || c.Published != nil {
		t.Errorf("%+v", c)
	}
	bad := func(yield func(image.Image, error) bool) { yield(nil, failure) }
	if _, err := Price(ctx, bad, []*tokens.Model{m}, 0); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if _, err := Price(ctx, func(func(image.Image, error) bool) {}, []*tokens.Model{m}, 0); err == nil {
		t.Error("no error for no pages")
	}
	// Qwen refuses what is more than 200 times as wide as high.
	wide := func(yield func(image.Image, error) bool) { yield(image.NewGray(image.Rect(0, 0, 16000, 16)), nil) }
	if costs, err = Price(ctx, wide, []*tokens.Model{m}, 100); err != nil || costs[0].Refused == "" || costs[0].VisualTokens != 0 {
		t.Errorf("%+v, error %v", costs, err)
	}
}

// TestFox checks the table for slips: what is printed as ratio is text tokens within
// the row by visual tokens.
func TestFox(t *testing.T) {
	pages := 0
	for i, r := range Fox {
		pages += r.Pages
		for c := range FoxTokens {
			if text := r.Ratio[c] * float64(FoxTokens[c]); text < float64(r.TextLow)-10 || text > float64(r.TextHigh)+10 {
				t.Errorf("row %d: ratio %v is of %.0f text tokens", i, r.Ratio[c], text)
			}
		}
		if r.Precision[0] >= r.Precision[1] {
			t.Errorf("row %d: %v", i, r.Precision)
		}
	}
	if pages != 100 {
		t.Errorf("%d pages", pages)
	}
}

func TestPublishedAt(t *testing.T) {
	for _, c := range []struct {
		model string
		ratio float64
		want  string
		same  bool
	}{
		{"deepseek-ocr-tiny", 3, ">=96.5% (7 pages)", true},
		{"deepseek-ocr-tiny", 12, "83.8-93.8% (56 pages)", true},
		{"deepseek-ocr-tiny", 25, "<=59.1% (4 pages)", true},
		{"deepseek-ocr-small", 10, "91.5-96.8% (25 pages)", true},
		{"deepseek-ocr-small", 9, "96.8% (42 pages)", true},
		{"deepseek-ocr-small", 19, "<=87.1% (4 pages)", true},
		{"gpt-4o", 19, "59.1-76.4% (12 pages)", false},
		{"gpt-4o", 2, ">=98.5% (7 pages)", false},
	} {
		p := PublishedAt(c.model, c.ratio)
		if p.String() != c.want || p.SameModel != c.same {
			t.Errorf("%s at %v: %v, want %s", c.model, c.ratio, p, c.want)
		}
	}
}
