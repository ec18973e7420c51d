package lattice

import (
	"fmt"
	"math"
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

func TestCheck(t *testing.T) {
	// 1 phase of Full, 2 of the two 2x1, 4 of the three 2x2.
	if n := len(allParams()); n != 3*(1+2+2+4+4+4) {
		t.Errorf("%d lattices", n)
	}
	for _, p := range []Params{{Kind: numKinds}, {Sampling: numSamplings}, {Sampling: Full, PhaseX: 1},
		{Sampling: Replicate2x1, PhaseY: 1}, {Sampling: Cosited2x2, PhaseX: 2}} {
		if p.Check() == nil {
			t.Errorf("Check accepts %v", p)
		}
		if cw, ch := p.ChromaSize(5, 5); cw != 0 || ch != 0 {
			t.Errorf("ChromaSize of %v: %d, %d", p, cw, ch)
		}
	}
}

// TestNoise reverses pictures that lie on no lattice.
func TestNoise(t *testing.T) {
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

// TestSynthetic reverses pictures made on each lattice and asks for few
// escapes, and for Detect to recognise them.
func TestSynthetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range allParams() {
		for _, contrast := range []float64{25, 60} {
			if contrast > 25 && p.PhaseX != p.PhaseY {
				continue
			}
			m := newRGB(96, 75)
			if err := p.Inverse(m.r, m.g, m.b, synthetic(rng, p, m.w, m.h, contrast)); err != nil {
				t.Fatal(err)
			}
			limit := 0
			for i := range m.r {
				if colours[p.Kind].preimage(uint8(m.r[i]), uint8(m.g[i]), uint8(m.b[i])) == limited {
					limit++
				}
			}
			n := len(m.r)
			// The shares allowed are of all pixels and of those at a limit.
			allow := n/200 + limit/20
			switch p.Sampling {
			case Full:
				allow = limit / 500
			case Fancy2x1:
				allow = n/200 + limit/5
			case Fancy2x2:
				allow = n/30 + limit*2/5
			}
			if got := len(reverse(t, p, m).Escapes); got > allow {
				t.Errorf("%v, contrast %v: %d escapes of %d pixels, %d limited", p, contrast, got, n, limit)
			}
			if limit > n/2 {
				continue
			}
			if got, ok := Detect(m.r, m.g, m.b, m.w, m.h); !ok || got != p {
				t.Errorf("%v, contrast %v: detected %v, %v", p, contrast, got, ok)
			}
		}
	}
}

// TestCrop checks that a part of a picture on a lattice is on the lattice that
// Crop says.
func TestCrop(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range allParams() {
		m := newRGB(70, 60)
		if err := p.Inverse(m.r, m.g, m.b, synthetic(rng, p, m.w, m.h, 20)); err != nil {
			t.Fatal(err)
		}
		for _, at := range [][2]int{{1, 0}, {0, 1}, {7, 4}, {2, 2}} {
			part := m.crop(at[0], at[1], 51, 49)
			pl := reverse(t, p.Crop(at[0], at[1]), part)
			if n := len(part.r) / 40; len(pl.Escapes) > n {
				t.Errorf("%v at %v: %d escapes", p, at, len(pl.Escapes))
			}
		}
	}
}

// TestInverseErrors hands Inverse what Forward cannot have made.
func TestInverseErrors(t *testing.T) {
	p := Params{JFIF, Cosited2x2, 0, 1}
	m := newRGB(6, 5)
	for name, spoil := range map[string]func(*Params, *Planes){
		"kind":          func(p *Params, _ *Planes) { p.Kind = 99 },
		"phase":         func(p *Params, _ *Planes) { p.PhaseX = 2 },
		"no width":      func(_ *Params, pl *Planes) { pl.W = 0 },
		"height":        func(_ *Params, pl *Planes) { pl.H = 4 },
		"huge":          func(_ *Params, pl *Planes) { pl.W, pl.H = math.MaxInt/3, 10 },
		"chroma width":  func(_ *Params, pl *Planes) { pl.CW++ },
		"short chroma":  func(_ *Params, pl *Planes) { pl.C1 = pl.C1[1:] },
		"short luma":    func(_ *Params, pl *Planes) { pl.Y = pl.Y[1:] },
		"luma":          func(_ *Params, pl *Planes) { pl.Y[7] = 256 },
		"chroma":        func(_ *Params, pl *Planes) { pl.C2[2] = 65535 },
		"escape below":  func(_ *Params, pl *Planes) { pl.Escapes = []Escape{{Index: -1}} },
		"escape beyond": func(_ *Params, pl *Planes) { pl.Escapes = []Escape{{Index: 30}} },
		"escape order":  func(_ *Params, pl *Planes) { pl.Escapes = []Escape{{Index: 3}, {Index: 3}} },
		"escape value":  func(_ *Params, pl *Planes) { pl.Escapes = []Escape{{Index: 3, D: [3]int16{0, 256, 0}}} },
		"negative":      func(_ *Params, pl *Planes) { pl.Escapes = []Escape{{Index: 3, D: [3]int16{-32768, 0, 0}}} },
	} {
		p, pl := p, p.Forward(m.r, m.g, m.b, m.w, m.h)
		if err := p.Inverse(m.r, m.g, m.b, pl); err != nil {
			t.Fatal(err)
		}
		spoil(&p, pl)
		if p.Inverse(m.r, m.g, m.b, pl) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if p.Inverse(m.r[1:], m.g, m.b, p.Forward(m.r, m.g, m.b, m.w, m.h)) == nil {
		t.Error("short destination: no error")
	}
}

// TestKodak reverses the 24 Kodak pictures and bounds their escapes.
func TestKodak(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(dataDir(t), "kodak", "*.png"))
	if len(names) != 24 {
		t.Skip("the Kodak pictures are not there")
	}
	if testing.Short() {
		names = names[18:21]
	}
	worst, worstName := 0.0, ""
	for _, name := range names {
		m := load(t, name)
		want := Params{Kind: PhotoCD, Sampling: Cosited2x2}
		if m.h > m.w {
			want.PhaseY = 1 // turned by a quarter
		}
		name = filepath.Base(name)
		p, ok := Detect(m.r, m.g, m.b, m.w, m.h)
		if !ok || p != want {
			t.Errorf("%s: detected %v, %v", name, p, ok)
			continue
		}
		pl := reverse(t, p, m)
		share := 100 * float64(len(pl.Escapes)) / float64(len(pl.Y))
		t.Logf("%s: %v, escapes %.4f %%, Y %v C1 %v C2 %v", name, p, share, pl.YRange, pl.C1Range, pl.C2Range)
		if share > worst {
			worst, worstName = share, name
		}
	}
	t.Logf("worst: %s, %.4f %%", worstName, worst)
	if worst >= 1 {
		t.Errorf("%s: %.2f %% escapes", worstName, worst)
	}
}

// TestDecodedJPEG takes photographs decoded by image/jpeg from 4:4:4 JPEGs.
func TestDecodedJPEG(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(dataDir(t), "train", "*.jpg"))
	if len(names) == 0 {
		t.Skip("the training pictures are not there")
	}
	for i := 0; i < len(names); i += 14 {
		m := load(t, names[i])
		m = m.crop(m.w/5, m.h/5, min(m.w/2, 400), min(m.h/2, 400))
		p, ok := Detect(m.r, m.g, m.b, m.w, m.h)
		if !ok || p != (Params{Kind: JFIFGo}) {
			t.Errorf("%s: detected %v, %v", filepath.Base(names[i]), p, ok)
			continue
		}
		if pl := reverse(t, p, m); len(pl.Escapes) > 0 {
			t.Errorf("%s: %d escapes", filepath.Base(names[i]), len(pl.Escapes))
		}
	}
}

// TestPristine takes photographs that came through no lattice.
func TestPristine(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(dataDir(t), "photos", "*.png"))
	if len(names) == 0 {
		t.Skip("the pristine photographs are not there")
	}
	for _, name := range names {
		m := load(t, name)
		if p, ok := Detect(m.r, m.g, m.b, m.w, m.h); ok {
			t.Errorf("%s: detected %v", filepath.Base(name), p)
		}
	}
}

// TestLibjpeg takes one drawing that cjpeg wrote and djpeg (libjpeg-turbo)
// read with each sampling, with and without -nosmooth.
func TestLibjpeg(t *testing.T) {
	for name, want := range map[string]Params{
		"444":          {Kind: JFIF},
		"422-nosmooth": {Kind: JFIF, Sampling: Replicate2x1},
		"420-nosmooth": {Kind: JFIF, Sampling: Replicate2x2},
		"422-fancy":    {Kind: JFIF, Sampling: Fancy2x1},
		"420-fancy":    {Kind: JFIF, Sampling: Fancy2x2},
	} {
		m := load(t, filepath.Join("testdata", name+".png"))
		p, ok := Detect(m.r, m.g, m.b, m.w, m.h)
		if !ok || p != want {
			t.Errorf("%s: detected %v, %v", name, p, ok)
			continue
		}
		pl := reverse(t, p, m)
		allow := 0
		switch p.Sampling {
		case Fancy2x1:
			allow = len(pl.Y) / 400
		case Fancy2x2:
			allow = len(pl.Y) / 50
		}
		if len(pl.Escapes) > allow {
			t.Errorf("%s: %d escapes of %d", name, len(pl.Escapes), len(pl.Y))
		}
	}
}

// TestDetectNot takes pictures on no lattice, and those too poor to say.
func TestDetectNot(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const w, h = 160, 120
	leaves := newRGB(w, h)
	for range 400 {
		// Dead leaves: discs over each other, with a little grain.
		x, y, r := rng.IntN(w), rng.IntN(h), rng.IntN(30)
		c := [3]int{rng.IntN(256), rng.IntN(256), rng.IntN(256)}
		for j := max(0, y-r); j < min(h, y+r); j++ {
			for i := max(0, x-r); i < min(w, x+r); i++ {
				if (i-x)*(i-x)+(j-y)*(j-y) < r*r {
					for k, p := range [][]uint16{leaves.r, leaves.g, leaves.b} {
						p[j*w+i] = uint16(max(0, min(255, c[k]+rng.IntN(5)-2)))
					}
				}
			}
		}
	}
	noise, grey, few := newRGB(w, h), newRGB(w, h), newRGB(w, h)
	for i := range noise.r {
		noise.r[i], noise.g[i], noise.b[i] = uint16(rng.IntN(256)), uint16(rng.IntN(256)), uint16(rng.IntN(256))
		v := uint16(rng.IntN(256))
		grey.r[i], grey.g[i], grey.b[i] = v, v, v
		few.r[i], few.g[i], few.b[i] = 10*v, 20, 30
		few.r[i] = min(few.r[i], 200)
	}
	for name, m := range map[string]rgb{
		"leaves": leaves, "noise": noise, "grey": grey, "few": few, "one": few.crop(0, 0, 1, 1), "zero": {},
	} {
		if p, ok := Detect(m.r, m.g, m.b, m.w, m.h); ok {
			t.Errorf("%s: detected %v", name, p)
		}
	}
}

func Example() {
	// A 4x2 picture as a decoder of 4:2:0 JPEGs might write it.
	p := Params{Kind: JFIFGo, Sampling: Replicate2x2}
	r := []uint16{193, 183, 107, 97, 173, 163, 87, 77}
	g := []uint16{96, 86, 116, 106, 76, 66, 96, 86}
	b := []uint16{53, 43, 157, 147, 33, 23, 137, 127}
	planes := p.Forward(r, g, b, 4, 2)
	fmt.Println(planes.Y, planes.C1, planes.C2, len(planes.Escapes))
	err := p.Inverse(r, g, b, planes)
	fmt.Println(r, err)
	// Output:
	// [120 110 118 108 100 90 98 88] [90 150] [180 120] 0
	// [193 183 107 97 173 163 87 77] <nil>
}
