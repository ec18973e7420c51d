package inr

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// randomFitter has random networks and latents that all matter.
func randomFitter(t *testing.T, a Arch, w, h int) *fitter {
	f, err := newFitter(deadLeaves(9, a.Channels, w, h), w, h, &FitOptions{Arch: a, Lambda: 1e-2, Pool: fitPool(t, 2)})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 50))
	for _, p := range f.net.params {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * r.NormFloat64())
		}
	}
	for _, y := range f.lat.y {
		for j := range y {
			y[j] = float32(2 * r.NormFloat64())
		}
	}
	f.net.refresh()
	f.lat.integers(f.latents)
	return f
}

// TestRefineSurroundings: what changes of single latents do lies wholly in their
// surroundings, so that the maps that are patched by those agree with the whole.
func TestRefineSurroundings(t *testing.T) {
	const w, h = 150, 108
	f := randomFitter(t, Arch{3, 5, 22, 6, 4, 0, 2}, w, h)
	f.latentsTo()
	r := &refiner{fitter: f, before: newFitMaps(f.net), after: newFitMaps(f.net), lambda: f.Lambda}
	d, b := r.measure(&r.before)
	loss := d + f.Lambda*b/(w*h)
	for g := range 5 {
		for _, phase := range [][2]int{{0, 0}, {7, 9}, {3, 4}} {
			r.lattice(g, phase[0], phase[1], phase[0] == 3)
			d, b := r.measure(&r.after)
			now := d + f.Lambda*b/(w*h)
			if !(now < loss) {
				t.Errorf("grid %d, %v: loss %v, %v before", g, phase, now, loss)
			}
			loss = now
			check := func(what string, got, want []float32) {
				for i, v := range got {
					if math.Abs(float64(v-want[i])) > 1e-4*(1+math.Abs(float64(v))) {
						t.Fatalf("grid %d, %v: %s %d is %v, want %v", g, phase, what, i, v, want[i])
					}
				}
			}
			check("error of pixel", r.before.errors, r.after.errors)
			for i := range r.before.bits {
				check("bits of latent", r.before.bits[i], r.after.bits[i])
			}
		}
	}
}

func TestQuantise(t *testing.T) {
	a := Arch{1, 1, 2, 0, 1, 0, 0}
	prior := NewQuantised(&a)
	prior.Step[SynthBiases] = 3
	prior.Ints[SynthBiases][0] = 5 // 0.625
	real := NewNets(&a)
	for _, c := range []struct {
		v    float32
		step uint8
		zone float64
		want int32
	}{
		{0.6, 4, 0, 10}, {0.66, 4, 0, 11}, {0.66, 4, 0.2, 10}, {0.59, 4, 0.2, 10}, {0.69, 4, 0.2, 11},
		{-1, 2, 0, -4}, {1e9, 2, 0, 3}, {float32(math.NaN()), 2, 0, 3}, {300, 2, 0, 1024},
	} {
		real.Module[SynthBiases][0] = c.v
		q := prior.Clone()
		q.quantise(SynthBiases, real, origin{prior, false}, c.step, c.zone)
		if got := q.Ints[SynthBiases][0]; got != c.want {
			t.Errorf("%v at step 2^-%d, dead zone %v: %d, want %d", c.v, c.step, c.zone, got, c.want)
		}
	}
}

func TestFitAllocations(t *testing.T) {
	for _, workers := range []int{1, 2} {
		const w, h = 64, 51
		f, err := newFitter(deadLeaves(6, 3, w, h), w, h, &FitOptions{Arch: Presets[0].Arch(w, h, 3), Lambda: 1e-3, Pool: fitPool(t, workers)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			f.iterate(paceAt(0.1, 1e-3, i, 1e-3, false))
		}
		if n := testing.AllocsPerRun(20, func() { f.iterate(paceAt(0.5, 1e-4, 50, 1e-3, false)) }); n != 0 {
			t.Errorf("%d workers: %v allocations each iteration", workers, n)
		}
	}
}

// iterated returns a fit after its iterations, with latents as integers.
func iterated(t *testing.T, pix []float32, w, h int, o *FitOptions) *fitter {
	t.Helper()
	f, err := newFitter(pix, w, h, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.fit(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.lat.integers(f.latents)
	return f
}

// TestQuantiseScales: networks that compute the same with other scales of a layer and the next
// are rounded to the same cost, though one of them needs steps far finer than usual.
func TestQuantiseScales(t *testing.T) {
	const w, h = 60, 47
	a := Arch{3, 4, 8, 6, 4, 0, 1}
	f := iterated(t, deadLeaves(9, 3, w, h), w, h, &FitOptions{Arch: a, Lambda: 1e-4, Iterations: 200, Pool: fitPool(t, 2)})
	real := f.net.nets.Clone()
	cost := func(scale float32) float64 {
		n := real.Clone()
		for _, m := range []Module{SynthHidden, SynthHiddenBiases} {
			for i := range n.Module[m] {
				n.Module[m][i] /= scale
			}
		}
		for i := range n.Module[SynthOut] {
			n.Module[SynthOut][i] *= scale
		}
		f.net.set(n)
		f.quantise(context.Background())
		return f.net.distortion(nil) + f.Lambda*(f.net.arm.pass(0, false, false)+f.bitsOf(f.q))/(w*h)
	}
	usual, other := cost(1), cost(16)
	t.Logf("cost %v, with other scales %v", usual, other)
	if !(other < 1.002*usual) {
		t.Errorf("cost %v, with other scales %v", usual, other)
	}
}

// TestRefineNets: decisions on parameters lower the cost, measured anew, from nothing and
// from a prior, and leave networks that are valid and what the fit goes on with.
func TestRefineNets(t *testing.T) {
	const w, h = 60, 47
	a := Arch{3, 4, 8, 6, 4, 0, 1}
	pix := deadLeaves(9, 3, w, h)
	for _, from := range []string{"nothing", "a prior"} {
		o := &FitOptions{Arch: a, Lambda: 1e-3, Iterations: 60, RefineNets: 2, Pool: fitPool(t, 2)}
		if from == "a prior" {
			p, err := FreshPrior(a, 1e-4, 1e-2, 1)
			if err != nil {
				t.Fatal(err)
			}
			o.Priors = []*Prior{p}
		}
		f, ctx := iterated(t, pix, w, h, o), context.Background()
		f.quantise(ctx)
		cost := func() float64 {
			f.latentsTo()
			f.net.set(f.q.Nets())
			return f.net.distortion(nil) + f.Lambda*(f.net.arm.pass(0, false, false)+f.bitsOf(f.q))/(w*h)
		}
		before, seen := cost(), 0
		f.Progress = func(p FitProgress) {
			if seen++; p.Phase != "parameters" || p.Iteration != seen {
				t.Errorf("from %s: progress %+v", from, p)
			}
		}
		f.refineNets(ctx)
		nets := f.net.nets.Clone()
		after := cost()
		if t.Logf("from %s: cost %v, before %v", from, after, before); !(after < 0.995*before) {
			t.Errorf("from %s: cost %v, before %v", from, after, before)
		}
		if !reflect.DeepEqual(nets, f.net.nets) || f.weightBits != f.bitsOf(f.q) {
			t.Errorf("from %s: networks and integers differ", from)
		}
		if err := f.q.Validate(&a); err != nil {
			t.Errorf("from %s: %v", from, err)
		}
		if math.Abs(f.shown.Loss/after-1) > 1e-6 || seen != 2*int(NumModules) {
			t.Errorf("from %s: progress ends with %v after %d reports, the cost is %v", from, f.shown.Loss, seen, after)
		}
	}
}

// TestRefineNetsCut: decisions end when the fit is over, with networks that are whole.
func TestRefineNetsCut(t *testing.T) {
	const w, h = 40, 31
	stop := make(chan struct{})
	o := &FitOptions{Arch: Arch{1, 4, 8, 6, 4, 0, 0}, Lambda: 1e-3, Iterations: 20, RefineNets: 100, Stop: stop, Progress: func(p FitProgress) {
		if p.Phase == "parameters" && p.Iteration == 2 {
			close(stop)
		} else if p.Phase == "parameters" && p.Iteration > 2 {
			t.Errorf("%+v after the stop", p)
		}
	}}
	f, err := Fit(context.Background(), deadLeaves(3, 1, w, h), w, h, o)
	if err != nil {
		t.Fatal(err)
	}
	if bits := WeightBits(&f.Arch, f.Nets, nil); bits != f.WeightBits {
		t.Errorf("networks take %v bits, reported %v", bits, f.WeightBits)
	}
}
