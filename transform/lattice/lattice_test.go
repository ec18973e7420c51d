package lattice

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// reverse checks that Inverse undoes Forward, and returns the planes.
func reverse(t testing.TB, p Params, m rgb) *Planes {
	t.Helper()
	pl := p.Forward(m.r, m.g, m.b, m.w, m.h)
	got := newRGB(m.w, m.h)
	if err := p.Inverse(got.r, got.g, got.b, pl); err != nil {
		t.Fatalf("%v, %dx%d: %v", p, m.w, m.h, err)
	}
	if !slices.Equal(got.r, m.r) || !slices.Equal(got.g, m.g) || !slices.Equal(got.b, m.b) {
		t.Fatalf("%v, %dx%d: Inverse(Forward) is another picture", p, m.w, m.h)
	}
	return pl
}

// allParams returns every lattice.
func allParams() (all []Params) {
	for k := range numKinds {
		for s := range numSamplings {
			for phase := range uint8(4) {
				if p := (Params{k, s, phase & 1, phase >> 1}); p.Check() == nil {
					all = append(all, p)
				}
			}
		}
	}
	return all
}

// smooth returns planes of random waves, as the lattice p stores them.
func smooth(rng *rand.Rand, p Params, w, h int, contrast float64) *Planes {
	pl := &Planes{W: w, H: h}
	pl.CW, pl.CH = p.ChromaSize(w, h)
	pl.Y = waves(rng, w, h, 128, contrast)
	pl.C1 = waves(rng, pl.CW, pl.CH, float64(colours[p.Kind].z1), contrast/4)
	pl.C2 = waves(rng, pl.CW, pl.CH, float64(colours[p.Kind].z2), contrast/4)
	return pl
}

func TestRoundTripNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range allParams() {
		for _, size := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {1, 9}, {8, 1}, {2, 2}, {3, 5}, {17, 14}} {
			m := newRGB(size[0], size[1])
			for _, c := range [][]uint16{m.r, m.g, m.b} {
				for i := range c {
					// A third of the samples at either limit.
					c[i] = uint16(max(0, min(255, rng.IntN(384)-64)))
				}
			}
			reverse(t, p, m)
		}
	}
}

func TestKodak(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(dataDir(t), "kodak", "*.png"))
	if len(names) != 24 {
		t.Skip("no Kodak pictures")
	}
	for _, name := range names {
		m := load(t, name)
		p := Params{PhotoCD, Cosited2x2, 0, 0}
		if m.h > m.w {
			p.PhaseY = 1
		}
		pl := reverse(t, p, m)
		t.Logf("%s %dx%d %v escapes %.4f%% C1 %v C2 %v Y %v", filepath.Base(name), m.w, m.h, p, 100*float64(len(pl.Escapes))/float64(len(pl.Y)), pl.C1Range, pl.C2Range, pl.YRange)
	}
}
