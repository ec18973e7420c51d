package inr

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestArchLimits(t *testing.T) {
	good := Arch{3, 7, 14, 6, 48, 3, 2}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Arch{
		{0, 7, 14, 6, 48, 3, 0}, {5, 7, 14, 6, 48, 3, 0}, {3, 0, 14, 6, 48, 3, 0}, {3, 10, 14, 6, 48, 3, 0}, {3, 7, 0, 6, 48, 3, 0},
		{3, 7, MaxSpatial + 2, 6, 48, 3, 0}, {3, 7, 13, 7, 48, 3, 0}, {3, 7, 13, 6, 48, 3, 0}, {3, 7, 14, 6, 0, 3, 0}, {3, 7, 14, 6, 257, 3, 0},
		{3, 7, 14, 6, 48, -1, 0}, {3, 7, 14, 6, 48, MaxExtra + 1, 0}, {3, 7, 14, 6, 48, 3, -1}, {3, 7, 14, 6, 48, 3, MaxColour + 1},
	} {
		if err := a.Validate(); !errors.Is(err, ErrArch) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestPresets(t *testing.T) {
	want := []float64{456, 857, 1491, 2748, 3878} // as the comment on Presets says
	for i, p := range Presets {
		a := p.Arch(768, 512, 3)
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		arm, up, syn := a.MACs()
		t.Logf("%-2s MAC/pixel: context network %.0f, upsampling %.1f, synthesis %.0f; parameters %v", p.Name, arm, up, syn, a.Params())
		if got := math.Round(arm + up + syn); got != want[i] {
			t.Errorf("%s takes %v multiplications, want %v", p.Name, got, want[i])
		}
	}
}

func TestLayoutCoversModules(t *testing.T) {
	for _, a := range []Arch{{1, 1, 1, 1, 1, 0, 0}, {3, 7, 14, 6, 48, 3, 2}, {3, 3, 14, 6, 48, 3, 1}} {
		var end [NumModules]int
		for id, tensor := range a.Layout() {
			if tensor.Offset != end[tensor.Module] {
				t.Errorf("tensor %d starts at %d, the one before ends at %d", id, tensor.Offset, end[tensor.Module])
			}
			end[tensor.Module] += tensor.Len()
		}
		if end != a.Params() {
			t.Errorf("tensors end at %v, want %v", end, a.Params())
		}
	}
}

// A gridKind is what a grid of latents is.
type gridKind struct {
	scale int
	hyper bool
}

// gridKinds lists the grids of latents as the comment of [Arch] says.
func gridKinds(a *Arch) (list []gridKind) {
	for scale := range a.Grids {
		list = append(list, gridKind{scale, false})
		if scale == 2 || scale == 3 {
			list = append(list, slices.Repeat([]gridKind{{scale, false}}, a.Colour)...)
		}
		if scale >= 4 {
			list = append(list, gridKind{scale, true})
		}
	}
	return list
}

func TestLatentScale(t *testing.T) {
	for grids := 1; grids <= MaxGrids; grids++ {
		for colour := range MaxColour + 1 {
			a := Arch{3, grids, 2, 2, 1, 0, colour}
			want := gridKinds(&a)
			if n := a.LatentGrids(); n != len(want) {
				t.Fatalf("%+v: %d grids, want %d", a, n, len(want))
			}
			planes := 0
			for i, k := range want {
				if scale, hyper := a.LatentScale(i); (gridKind{scale, hyper}) != k {
					t.Errorf("%+v: grid %d is of scale %d, %v, want %v", a, i, scale, hyper, k)
				}
				if !k.hyper {
					planes++
				}
			}
			if n := a.Planes(); n != planes {
				t.Errorf("%+v: %d planes, want %d", a, n, planes)
			}
		}
	}
}

func TestGridsFor(t *testing.T) {
	for _, c := range []struct{ w, h, want int }{
		{1, 1, 1}, {2, 1, 1}, {3, 1, 2}, {1, 33, 6}, {32, 32, 5}, {64, 2, 6}, {65, 2, 7}, {768, 512, 7}, {20000, 1, 7},
	} {
		if got := GridsFor(c.w, c.h); got != c.want {
			t.Errorf("%dx%d: %d grids, want %d", c.w, c.h, got, c.want)
		}
	}
}

// TestContextsAreCausal checks that every context belongs to an earlier wave.
func TestContextsAreCausal(t *testing.T) {
	seen := map[[2]int]bool{}
	for _, o := range spatialOffsets {
		if o[1]+waveLag*o[0] >= 0 || seen[o] {
			t.Errorf("offset %v", o)
		}
		seen[o] = true
	}
}

func TestQuantisedNetsAreExact(t *testing.T) {
	a := Arch{3, 7, 14, 6, 48, 0, 1}
	q := NewQuantised(&a)
	q.Step = MaxStep
	for m := range q.Ints {
		for i := range q.Ints[m] {
			limit := MaxAbs[m] << q.Step[m]
			q.Ints[m][i] = limit - int32(i)*7919%(2*limit+1)
		}
	}
	if err := q.Validate(&a); err != nil {
		t.Fatal(err)
	}
	n := q.Nets()
	for m := range q.Ints {
		for i, v := range q.Ints[m] {
			if got := math.Ldexp(float64(n.Module[m][i]), int(q.Step[m])); got != float64(v) {
				t.Fatalf("%v %d is %v, want %d", Module(m), i, got, v)
			}
		}
	}
	fresh := NewQuantised(&a).Nets()
	for m, v := range NewNets(&a).Module {
		for i := range v {
			if fresh.Module[m][i] != v[i] {
				t.Fatalf("a fresh %v %d is %v and %v", Module(m), i, fresh.Module[m][i], v[i])
			}
		}
	}
}

func TestValidateNetworks(t *testing.T) {
	a := Arch{1, 2, 3, 1, 4, 0, 0}
	for name, spoil := range map[string]func(q *Quantised){
		"short":      func(q *Quantised) { q.Ints[SynthOut] = q.Ints[SynthOut][1:] },
		"step":       func(q *Quantised) { q.Step[ARMHidden1] = 11 },
		"large":      func(q *Quantised) { q.Ints[UpsampleTaps][0] = 4<<originStep + 1 },
		"very small": func(q *Quantised) { q.Ints[ARMHidden1][2] = math.MinInt32 },
	} {
		q := NewQuantised(&a)
		if err := q.Validate(&a); err != nil {
			t.Fatal(err)
		}
		if spoil(q); !errors.Is(q.Validate(&a), ErrNetworks) {
			t.Errorf("%s: %v", name, q.Validate(&a))
		}
	}
}

func TestValidateLatents(t *testing.T) {
	a := Arch{1, 3, 3, 1, 4, 0, 0}
	for name, spoil := range map[string]func(l Latents) Latents{
		"fewer":   func(l Latents) Latents { return l[:2] },
		"size":    func(l Latents) Latents { l[1].W++; return l },
		"short":   func(l Latents) Latents { l[0].V = l[0].V[1:]; return l },
		"empty":   func(l Latents) Latents { l[0] = Grid{}; return l },
		"symbol":  func(l Latents) Latents { l[2].V[0] = -128; return l },
		"swapped": func(l Latents) Latents { l[0], l[1] = l[1], l[0]; return l },
	} {
		l := NewLatents(&a, 7, 5)
		if err := l.Validate(&a); err != nil {
			t.Fatal(err)
		}
		if err := spoil(l).Validate(&a); !errors.Is(err, ErrLatents) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
