package tokens

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// goldenFile is what testdata/generate.py writes.
type goldenFile struct {
	Versions map[string]string
	Models   map[string]struct {
		Vectors [][]int // width, height, tokens, resized width and height, columns, rows
		Videos  [][]int // width, height, frames, tokens
	}
}

func readGolden(t *testing.T) *goldenFile {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	g := new(goldenFile)
	if err := json.Unmarshal(b, g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGolden compares every count with that of the processors' own code.
func TestGolden(t *testing.T) {
	golden := readGolden(t)
	for name, g := range golden.Models {
		t.Run(name, func(t *testing.T) {
			model, option, _ := strings.Cut(name, " ")
			o := &Options{PanAndScan: option == "PanAndScan"}
			if len(g.Vectors) < 52 {
				t.Errorf("%d vectors only", len(g.Vectors))
			}
			wrong := 0
			for _, v := range g.Vectors {
				r, err := Plan(model, v[0], v[1], o)
				if v[2] < 0 {
					if !errors.Is(err, ErrRefused) {
						t.Errorf("%d x %d: %d tokens, error %v; the processor refuses it", v[0], v[1], r.Tokens, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%d x %d: %v, want %d tokens", v[0], v[1], err, v[2])
					continue
				}
				got := []int{r.Width, r.Height, r.Cost(), r.ResizedWidth, r.ResizedHeight, r.Grid.Cols, r.Grid.Rows}
				if v[3] == 0 { // not known
					got[3], got[4] = 0, 0
				}
				for i := range got {
					if got[i] != v[i] {
						t.Errorf("got %v, want %v", got, v)
						wrong++
						break
					}
				}
				if wrong > 5 {
					t.Fatal("and so on")
				}
			}
		})
	}
}

// TestGoldenVideos compares counts of videos with those of the video processors' code.
func TestGoldenVideos(t *testing.T) {
	videos := 0
	for name, g := range readGolden(t).Models {
		for _, v := range g.Videos {
			videos++
			r, err := PlanVideo(name, Clip{Width: v[0], Height: v[1], Frames: v[2]}, nil)
			if v[3] < 0 && errors.Is(err, ErrRefused) {
				continue
			}
			if err != nil || r.Tokens != v[3] {
				t.Errorf("%s: %d frames of %d x %d: %d tokens, error %v, want %d", name, v[2], v[0], v[1], r.Tokens, err, v[3])
			}
		}
	}
	if videos < 200 {
		t.Errorf("%d videos only", videos)
	}
}

// TestExactIsChecked makes sure that no model is called exact that was not compared.
func TestExactIsChecked(t *testing.T) {
	golden := readGolden(t)
	constant := map[string]bool{"paligemma-224": true, "paligemma-448": true, "paligemma-896": true} // any picture has as many
	for _, m := range Models() {
		if _, ok := golden.Models[m.Name]; !ok && m.Confidence == Exact && !constant[m.Name] {
			t.Errorf("%s is exact without golden vectors", m.Name)
		}
	}
}
