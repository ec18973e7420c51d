package tokens

import (
	"errors"
	"strings"
	"testing"
)

// TestTable holds the counts of the families at sizes worked out by hand or published by
// the vendor.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		model      string
		w, h, want int
		o          *Options
	}{
		// Examples of OpenAI's guide.
		{"gpt-4o", 1024, 1024, 765, nil},
		{"gpt-4o", 2048, 4096, 1105, nil},
		{"gpt-4o", 4096, 8192, 85, &Options{Detail: "low"}},
		{"gpt-4.1-mini", 1024, 1024, 1659, nil},             // 1024 x 1.62
		{"gpt-4.1-mini", 1800, 2400, 2353, nil},             // 1452 x 1.62
		{"gpt-4.1", 2049, 513, 1445, nil},                   // measured, less 8 tokens of text
		{"gpt-4.1", 2050, 513, 765, nil},                    // likewise
		{"gpt-5", 1024, 1024, 630, nil},                     // 70 + 4 x 140
		{"o1", 1024, 1024, 675, nil},                        // 75 + 4 x 150
		{"gpt-4o-mini", 512, 512, 8500, nil},                // 2833 + 5667
		{"gpt-5.4", 4032, 3024, 2942, nil},                  // 57 x 43 patches
		{"gpt-5.5", 6001, 32, 226, nil},                     // 6000 pixels, 188 patches
		{"gpt-5.6", 6400, 6400, 48000, nil},                 // no limit
		{"gpt-5-nano", 1, 32 * 3000, 158, nil},              // 2048 pixels, 64 patches of 32
		{"gpt-5.5", 512, 512, 308, &Options{Detail: "low"}}, // 256 patches
		// JOHNISKING/image-token-cost.
		{"gpt-6", 256, 256, 77, nil},
		{"gpt-6", 1280, 720, 1104, nil},
		{"gpt-6", 4032, 3024, 14364, nil},
		{"gpt-6", 2560, 1440, 2931, &Options{Detail: "high"}},
		{"gpt-6", 4032, 3024, 2942, &Options{Detail: "high"}},
		{"gpt-5.5", 3840, 2160, 9792, nil},
		{"gpt-5.5", 4032, 3024, 11868, nil},
		{"claude", 1920, 1080, 2691, nil},
		{"claude", 2000, 1125, 2952, nil}, // 2992 with a note of 40 tokens
		{"claude", 2000, 1500, 3888, nil}, // 3928 with the note
		{"claude-4", 1920, 1080, 1560, nil},
		{"claude-4", 2000, 1500, 1564, nil}, // 1596 with a note of 32 tokens
		{"claude-4", 1000, 1000, 1296, nil},
		{"claude-4", 1092, 1092, 1521, nil},
		// Examples of Google's guides.
		{"gemini-2", 384, 384, 258, nil},
		{"gemini-2", 960, 540, 1548, nil},
		{"gemini-3", 4032, 3024, 1120, nil},
		{"gemini-3", 4032, 3024, 280, &Options{Detail: "low"}},
		// DeepSeek-OCR's modes, with the ends of rows.
		{"deepseek-ocr-tiny", 800, 600, 73, nil},
		{"deepseek-ocr-small", 800, 600, 111, nil},
		{"deepseek-ocr-base", 800, 600, 273, nil},
		{"deepseek-ocr-large", 800, 600, 421, nil},
		{"deepseek-ocr", 1240, 1754, 903, nil},
		{"deepseek-ocr", 1500, 1500, 1203, &Options{MaxTiles: 9}}, // 3 x 3 tiles
		// Options of models that are compared with their code without them.
		{"qwen2.5-vl", 1920, 1080, 1222, &Options{MaxPixels: 1280 * 28 * 28}},
		{"qwen2.5-vl", 56, 56, 256, &Options{MinPixels: 256 * 28 * 28}},
		{"internvl3", 1920, 1080, 770, &Options{MaxTiles: 6}}, // 2 x 1 tiles and the whole
		{"internvl3", 1920, 1080, 258, &Options{MaxTiles: 1}},
		{"gemma-3", 1920, 1080, 768, &Options{PanAndScan: true}},
		{"pixtral", 1024, 1024, 32 * 33, &Options{MaxEdge: 512}},
		{"llava-onevision", 1920, 1080, 730, &Options{Images: 2}},
		{"phi-3.5-vision", 336, 336, 5*144 + 3*12 + 1, &Options{MaxTiles: 4}},
		{"paligemma-896", 100, 900, 4096, nil},
	} {
		r, err := Plan(c.model, c.w, c.h, c.o)
		if err != nil || r.Tokens != c.want {
			t.Errorf("%s %d x %d %+v: %d tokens, error %v, want %d", c.model, c.w, c.h, c.o, r.Tokens, err, c.want)
		}
		if err == nil && r.Visual+r.Separators != r.Tokens {
			t.Errorf("%s: %d visual and %d separators are not %d tokens", c.model, r.Visual, r.Separators, r.Tokens)
		}
	}
}

func TestCrossAttention(t *testing.T) {
	r, err := Plan("llama-3.2", 1120, 1120, nil)
	if err != nil || r.Tokens != 1 || r.CrossAttention != 6404 || r.Cost() != 6404 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4o": "gpt-4o", "GPT-4o": "gpt-4o", "gpt-4o-2024-08-06": "gpt-4o", "gpt-4o-mini-2024-07-18": "gpt-4o-mini",
		"gpt-4.1-mini-2025-04-14": "gpt-4.1-mini", "openai/gpt-5.5": "gpt-5.5", "o4-mini-2025-04-16": "o4-mini",
		"Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl", "qwen3-vl:8b": "qwen3-vl", "llava-v1.6-mistral-7b-hf": "llava-next",
		"OpenGVLab/InternVL3-8B-hf": "internvl3", "openbmb/MiniCPM-V-2_6": "minicpm-v-2.6", "MiniCPM-V-4_5": "minicpm-v-4.5",
		"google/gemma-3-27b-it": "gemma-3", "google/paligemma2-3b-pt-448": "paligemma-448", "mistralai/Pixtral-12B-2409": "pixtral",
		"mistralai/Mistral-Small-3.1-24B-Instruct-2503": "mistral-small-3", "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "smolvlm",
		"HuggingFaceTB/SmolVLM-256M-Instruct": "smolvlm-500m", "meta-llama/Llama-3.2-11B-Vision-Instruct": "llama-3.2",
		"Llama-4-Scout-17B-16E-Instruct": "llama-4", "microsoft/Phi-3.5-vision-instruct": "phi-3.5-vision",
		"Phi-4-multimodal-instruct": "phi-4-multimodal", "deepseek-ai/DeepSeek-OCR": "deepseek-ocr", "zai-org/GLM-4.5V": "glm-4.1v",
		"claude-opus-4-7": "claude", "claude-opus-4-20250514": "claude-4", "claude-haiku-4-5-20251001": "claude-4",
		"claude-3-5-sonnet-20241022": "claude-3", "claude-sonnet-4-6": "claude-4", "gemini-2.5-flash-lite": "gemini-2", "gemini-3-pro-preview": "gemini-3",
	} {
		if m, err := Lookup(name); err != nil || m.Name != want {
			t.Errorf("%s: %v, %v, want %s", name, m, err, want)
		}
	}
	for name, near := range map[string]string{"gpt4o": "gpt-4o", "internvl4": "internvl3", "qwen": "qwen2.5-vl", "pixtrl": "pixtral", "Llava": "llava-next"} {
		_, err := Lookup(name)
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), near) {
			t.Errorf("%s: %v does not suggest %s", name, err, near)
		}
	}
	for _, name := range []string{"", "-", "bert-base", "llama-3.1-8b", "qwen2.5-7b-instruct", strings.Repeat("gpt-4o", 1000)} {
		if m, err := Lookup(name); !errors.Is(err, ErrModel) {
			t.Errorf("%.20q: %v, %v", name, m, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		model string
		w, h  int
		o     *Options
		want  error
	}{
		{"nothing", 1, 1, nil, ErrModel},
		{"gpt-4o", 0, 1, nil, ErrSize},
		{"gpt-4o", 1, -1, nil, ErrSize},
		{"gpt-4o", MaxSide + 1, 1, nil, ErrSize},
		{"qwen3-vl", 2010, 10, nil, ErrRefused},
		{"claude", 8001, 1, nil, ErrRefused},
		{"gpt-4o", 1, 1, &Options{Detail: "huge"}, ErrOption},
		{"gpt-4o", 1, 1, &Options{Detail: "original"}, ErrOption},
		{"claude", 1, 1, &Options{Detail: "low"}, ErrOption},
		{"claude", 1, 1, &Options{MaxTiles: 2}, ErrOption},
		{"internvl3", 1, 1, &Options{MaxTiles: -1}, ErrOption},
		{"internvl3", 1, 1, &Options{MaxTiles: 65}, ErrOption},
		{"deepseek-ocr-tiny", 1, 1, &Options{MaxTiles: 2}, ErrOption},
		{"internvl3", 1, 1, &Options{PanAndScan: true}, ErrOption},
		{"qwen3-vl", 1, 1, &Options{MaxPixels: -1}, ErrOption},
		{"qwen3-vl", 1, 1, &Options{MinPixels: 100000, MaxPixels: 90000}, ErrOption},
		{"qwen3-vl", 1, 1, &Options{MinPixels: 17000000}, ErrOption},
		{"pixtral", 1, 1, &Options{MaxEdge: 4097}, ErrOption},
		{"llava-onevision", 1, 1, &Options{Images: -1}, ErrOption},
	} {
		if r, err := Plan(c.model, c.w, c.h, c.o); !errors.Is(err, c.want) || r != (Result{}) {
			t.Errorf("%s %d x %d %+v: %+v, %v, want %v", c.model, c.w, c.h, c.o, r, err, c.want)
		}
	}
}

// TestModels checks the table itself.
func TestModels(t *testing.T) {
	if len(TableVersion) != len("2006-01-02") {
		t.Errorf("version %q", TableVersion)
	}
	models := Models()
	if len(models) < 40 {
		t.Errorf("%d models only", len(models))
	}
	for _, m := range models {
		if m.Family == "" || m.Source == "" || len(m.Since) != len("2006-01-02") || m.Since > TableVersion {
			t.Errorf("%s: family %q, source %q, since %q", m.Name, m.Family, m.Source, m.Since)
		}
		for _, d := range m.Details() {
			if _, err := m.Plan(1000, 700, &Options{Detail: d}); err != nil {
				t.Errorf("%s: detail %s: %v", m.Name, d, err)
			}
		}
		r, err := m.Plan(1024, 768, nil)
		if err != nil || r.Tokens < 1 || r.Grid.Cols < 1 || r.Grid.Rows < 1 || r.ResizedWidth < 1 || r.ResizedHeight < 1 ||
			r.Low > r.Tokens || r.High < r.Tokens || r.Model != m.Name || r.Source != m.Source {
			t.Errorf("%s: %+v, %v", m.Name, r, err)
		}
		if r.Confidence == Exact && r.Low != r.High {
			t.Errorf("%s is exact with %d to %d tokens", m.Name, r.Low, r.High)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, s := range []string{
		`{`,
		`{"version": "x", "unknown": 1}`,
		`{"models": [{"name": "a", "rule": "nothing", "params": {}}]}`,
		`{"models": [{"name": "a", "rule": "fixed", "params": {"sise": 1}}]}`,
		`{"models": [{"name": "gpt-4o", "rule": "fixed", "params": {}}]}`,
		`{"models": [{"name": "Upper", "rule": "fixed", "params": {}}]}`,
	} {
		version := TableVersion
		if err := load([]byte(s)); err == nil {
			t.Errorf("%s is taken", s)
		}
		TableVersion = version
	}
}

func TestConfidenceText(t *testing.T) {
	for c := Exact; c <= Approximate; c++ {
		b, err := c.MarshalText()
		var d Confidence
		if err != nil || d.UnmarshalText(b) != nil || d != c || c.String() != string(b) {
			t.Errorf("%v: %q, %v, %v", c, b, d, err)
		}
	}
	if _, err := Confidence(9).MarshalText(); err == nil {
		t.Error("Confidence(9) has a text")
	}
	if new(Confidence).UnmarshalText([]byte("sure")) == nil {
		t.Error("sure is a confidence")
	}
}

func TestPlanDoesNotAllocate(t *testing.T) {
	o := &Options{}
	for _, m := range Models() {
		if n := testing.AllocsPerRun(10, func() { m.Plan(1913, 1067, o) }); n != 0 {
			t.Errorf("%s: %v allocations", m.Name, n)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Plan("qwen2.5-vl", 1913, 1067, nil) }); n != 0 {
		t.Errorf("by name: %v allocations", n)
	}
}

// FuzzPlan makes sure that nothing panics and that what is counted is bounded.
func FuzzPlan(f *testing.F) {
	f.Add(uint8(0), 1024, 768, 0, 0, 0, 0, uint8(0), false, 0, 0.0, 0.0)
	f.Add(uint8(3), 1, MaxSide, 0, 0, 64, 0, uint8(1), true, 3, 0.0, 0.0)
	f.Add(uint8(20), MaxSide, MaxSide, 1, 1<<30, 0, 4096, uint8(2), false, 0, 60.0, 2.0)
	f.Fuzz(func(t *testing.T, model uint8, w, h, lo, hi, tiles, edge int, detail uint8, pan bool, frames int, seconds, fps float64) {
		m := table[int(model)%len(table)]
		o := &Options{MinPixels: lo, MaxPixels: hi, MaxTiles: tiles, MaxEdge: edge, PanAndScan: pan}
		if d := m.Details(); detail > 0 && len(d) > 0 {
			o.Detail = d[int(detail)%len(d)]
		}
		check := func(r Result, err error, most int64) {
			if err != nil {
				for _, known := range []error{ErrSize, ErrOption, ErrRefused} {
					if errors.Is(err, known) {
						return
					}
				}
				t.Fatalf("%s: %v", m.Name, err)
			}
			if r.Tokens < 1 || int64(r.Tokens) > most || r.Visual < 0 || r.Separators < 0 || r.Visual+r.Separators != r.Tokens ||
				r.Low > r.Tokens || r.High < r.Tokens || r.Grid.Cols < 1 || r.Grid.Rows < 1 || r.ResizedWidth < 1 || r.ResizedHeight < 1 {
				t.Fatalf("%s %d x %d: %+v", m.Name, w, h, r)
			}
		}
		// A token shows a pixel at least, or there is a fixed number.
		const most = 2*MaxSide*MaxSide + 1<<20
		r, err := m.Plan(w, h, o)
		check(r, err, most)
		r, err = m.PlanVideo(Clip{Width: w, Height: h, Frames: frames, Seconds: seconds, FPS: fps}, o)
		if frames <= 1000 && seconds <= 1000 && fps <= 10 {
			check(r, err, most*10000)
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	for _, name := range []string{"qwen2.5-vl", "qwen3-vl", "llava-next", "llava-onevision", "internvl3", "minicpm-v-2.6", "gemma-3", "pixtral",
		"idefics3", "llama-3.2", "llama-4", "phi-3.5-vision", "phi-4-multimodal", "deepseek-ocr", "glm-4.1v", "gpt-4o", "gpt-5.5", "claude", "gemini-2", "gemini-3"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := Plan(name, 640+i%4000, 480+i%3001, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "plans/s")
		})
	}
}
