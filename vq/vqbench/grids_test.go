package vqbench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/vq"
)

// measured are mean squared errors of grids by their names, for 1, 2, ... bits, against
// regressions; 0 where none was taken down.
var measured = map[string][]float64{
	"E8P":          {2: .02953, 3: .00834},
	"Voronoi A2":   {1: .1260},
	"Voronoi D4":   {1: .1173},
	"Voronoi E8":   {1: .1044, 2: .0286, 3: .00814},
	"RaBitQ":       {1: .1175, 2: .0362, 3: .01064, 6: .000186},
	"LVQ":          {3: .01212},
	"LVQ 4+4":      {7: .0000538},
	"GLVQ":         {1: .1226},
	"trellis 2^8":  {1: .0805},
	"trellis 2^10": {0: .282, 1: .0760},
	"trellis 2^12": {1: .0714, 2: .0185, 3: .00485},
}

// TestPublished: with 2^20 numbers the sampling error at 4 bits is 0.4 %.
func TestPublished(t *testing.T) {
	x := Normals(1<<20, 5)
	n := 0
	for bits := 1; bits <= MaxGridBits; bits++ {
		for _, g := range Grids(bits) {
			if g.Published == 0 {
				continue
			}
			n++
			q, err := g.New(1)
			if err != nil {
				t.Fatalf("%s: %v", g.Name, err)
			}
			if got := vq.MSE(q, x); math.Abs(got/g.Published-1) > .01 {
				t.Errorf("%s at %.2f bits: %.6f, want %.6f within 1 %%", g.Name, vq.BitsPerDim(q), got, g.Published)
			}
		}
	}
	if n != 14 {
		t.Errorf("%d figures", n)
	}
}

// TestMeasured makes every grid, and compares those that there are figures of.
func TestMeasured(t *testing.T) {
	x := Normals(1<<17, 5)
	for bits := 1; bits <= MaxGridBits; bits++ {
		for _, g := range Grids(bits) {
			q, err := g.New(8)
			if err != nil {
				t.Fatalf("%s of %d bits: %v", g.Name, bits, err)
			}
			if b := vq.BitsPerDim(q); b < float64(bits)-.1 || b > float64(bits)+.26 {
				t.Errorf("%s of %d bits has %.3f", g.Name, bits, b)
			}
			want := figure(measured[g.Name], bits)
			if want == 0 || testing.Short() && g.Slow > 1 {
				continue
			}
			x := x
			if g.Slow > 1 {
				x = x[:1<<13]
			}
			if got := vq.MSE(q, x); math.Abs(got/want-1) > .03 {
				t.Errorf("%s of %d bits: %.6f, want %.6f within 3 %%", g.Name, bits, got, want)
			}
		}
	}
}

// The trellis is to be below E8P at the same bits.
func TestTrellisBelowE8P(t *testing.T) {
	rows, err := MeasureGrids(t.Context(), &GridOptions{Bits: []int{2}, Only: []string{"E8P", "Trellis 2^8"}, Numbers: 1 << 16, Seed: 2})
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	if a, b := rows[1].MSE, rows[0].MSE; !(a < b && a < .0912) {
		t.Errorf("trellis %.5f, E8P %.5f", a, b)
	}
}

// TestMeasureGrids: the same rows but for the times, others for another seed.
func TestMeasureGrids(t *testing.T) {
	var told []GridRow
	o := &GridOptions{Bits: []int{3}, Only: []string{"lloyd-max", "HIGGS p=2", "RaBitQ", "LVQ"}, Numbers: 1 << 16, Seed: 7, Time: 1,
		Report: func(r GridRow, done float64) {
			told = append(told, r)
			if done != float64(len(told))/4 {
				t.Errorf("%v done after %d", done, len(told))
			}
		}}
	var runs [3][]GridRow
	for i := range runs {
		if i == 2 {
			o.Seed++
		}
		told = nil
		rows, err := MeasureGrids(t.Context(), o)
		if err != nil || len(rows) != 4 || !slices.Equal(rows, told) {
			t.Fatal(rows, told, err)
		}
		for j := range rows {
			if rows[j].Encode <= 0 || rows[j].Decode <= 0 {
				t.Errorf("%+v", rows[j])
			}
			rows[j].Encode, rows[j].Decode = 0, 0
		}
		runs[i] = rows
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%+v\n%+v", runs[0], runs[1])
	}
	if slices.Equal(runs[0], runs[2]) {
		t.Error("no other rows for another seed")
	}
	if r := runs[0][0]; r.Name != "Lloyd-Max" || r.Rate != 3 || r.Bits != 3 || r.Numbers != 1<<16 || r.Published != .03454 ||
		math.Abs(r.Deviation-100*(r.MSE/.03454-1)) > 1e-9 || math.Abs(r.Gap-10*math.Log10(64*r.MSE)) > 1e-9 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []GridOptions{{Bits: []int{0}, Numbers: 1 << 16}, {Bits: []int{9}, Numbers: 1 << 16}, {Bits: []int{2}, Numbers: 100}} {
		if _, err := MeasureGrids(t.Context(), &bad); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := MeasureGrids(ctx, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cancel") {
		t.Error(err)
	}
}
