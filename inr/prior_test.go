package inr

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// TestPriorFile: what is written comes back, and nothing else is read.
func TestPriorFile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 20))
	for _, preset := range Presets {
		a := preset.Arch(300, 200, 3)
		n := randomNets(r, &a, 0.2).Nets()
		n.Module[SynthBiases][0] = 1e9 // brought to the limit
		p, err := NewPrior(a, n, 1e-4, 1e-2)
		if err != nil {
			t.Fatal(err)
		}
		file, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadPrior(file)
		if err != nil {
			t.Fatal(err)
		}
		low, high := got.Lambda()
		if got.Hash() != p.Hash() || got.Arch() != a || low != float64(float32(1e-4)) || high != float64(float32(1e-2)) || got.String() != p.String() {
			t.Errorf("%v came back as %v", p, got)
		}
		q, err := got.Networks(&a, 0)
		if err != nil {
			t.Fatal(err)
		}
		for m, v := range q.Nets().Module {
			for i, x := range v {
				if d := math.Abs(float64(x - n.Module[m][i])); d > math.Ldexp(0.5, -int(priorStep[m])) && x != float32(MaxAbs[m]) {
					t.Fatalf("%v %d is %v, was %v", Module(m), i, x, n.Module[m][i])
				}
			}
		}
		for _, n := range []int{0, 3, priorHead - 1, priorHead, len(file) / 2} {
			if _, err := ReadPrior(file[:n]); !errors.Is(err, ErrPrior) {
				t.Errorf("%d of %d bytes: error %v", n, len(file), err)
			}
		}
		if _, err := ReadPrior(append(bytes.Clone(file), 0)); !errors.Is(err, ErrPrior) {
			t.Errorf("a byte too many: error %v", err)
		}
		bad := bytes.Clone(file)
		bad[len(priorMagic)]++
		if _, err := ReadPrior(bad); !errors.Is(err, ErrPrior) {
			t.Errorf("another version: error %v", err)
		}
	}
}

// TestPriorWiden: a wider prior predicts and shows the same.
func TestPriorWiden(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 21))
	for i := range len(Presets) - 1 {
		a, wide := Presets[i].Arch(90, 70, 3), Presets[i+1].Arch(90, 70, 3)
		p, err := NewPrior(a, randomNets(r, &a, 0.2).Nets(), 1e-4, 1e-2)
		if err != nil {
			t.Fatal(err)
		}
		w, err := p.Widen(wide, 1)
		if err != nil {
			t.Fatal(err)
		}
		q, err := p.Networks(&a, 3)
		if err != nil {
			t.Fatal(err)
		}
		v, err := w.Networks(&wide, 3)
		if err != nil {
			t.Fatal(err)
		}
		lat := randomLatents(r, &a, 90, 70)
		// Grids that the narrow prior lacks are zero, which takes a bit each.
		all, want := NewLatents(&wide, 90, 70), slices.Repeat([]float64{1}, wide.LatentGrids())
		bits, kinds, at := Bits(&a, q, lat), gridKinds(&wide), 0
		for i, k := range gridKinds(&a) {
			for kinds[at] != k {
				at++
			}
			copy(all[at].V, lat[i].V)
			want[at] = bits[i]
			at++
		}
		if !slices.Equal(Bits(&wide, v, all), want) {
			t.Errorf("%s to %s: other bits", Presets[i].Name, Presets[i+1].Name)
		}
		if !slices.Equal(Synthesise(&a, q.Nets(), lat, 1).Pix, Synthesise(&wide, v.Nets(), all, 1).Pix) {
			t.Errorf("%s to %s: another picture", Presets[i].Name, Presets[i+1].Name)
		}
		if _, err := w.Widen(a, 1); !errors.Is(err, ErrPrior) {
			t.Errorf("%s to %s: error %v", Presets[i+1].Name, Presets[i].Name, err)
		}
	}
}

func TestPriorRefuses(t *testing.T) {
	a := Presets[0].Arch(64, 64, 1)
	n := NewNets(&a)
	for _, r := range [][2]float64{{1e-2, 1e-3}, {0, 1}, {1e-3, math.NaN()}, {1e-3, 11}} {
		if _, err := NewPrior(a, n, r[0], r[1]); !errors.Is(err, ErrPrior) {
			t.Errorf("lambda of %v: error %v", r, err)
		}
	}
	n.Module[ARMBiases][3] = float32(math.NaN())
	if _, err := NewPrior(a, n, 1e-3, 1e-2); !errors.Is(err, ErrNetworks) {
		t.Errorf("not a number: error %v", err)
	}
	if _, err := NewPrior(a, new(Nets), 1e-3, 1e-2); !errors.Is(err, ErrNetworks) {
		t.Errorf("no networks: error %v", err)
	}
}

// FuzzReadPrior checks that no input makes the reader panic, and that what it reads it
// writes.
func FuzzReadPrior(f *testing.F) {
	a := Presets[0].Arch(64, 64, 1)
	p, err := FreshPrior(a, 1e-3, 1e-2, 1)
	if err != nil {
		f.Fatal(err)
	}
	file, _ := p.MarshalBinary()
	f.Add(file)
	f.Add(file[:priorHead])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := ReadPrior(file)
		if (err == nil) != (p != nil) || err != nil && !errors.Is(err, ErrPrior) {
			t.Fatalf("%v, error %v", p, err)
		}
		if err != nil {
			return
		}
		again, _ := p.MarshalBinary()
		if !bytes.Equal(file, again) {
			t.Fatal("another file came back")
		}
		if _, err := p.Networks(&p.arch, MaxGain); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGain: a gain scales what latents are multiplied with and nothing else, and fits
// with another lambda start with steps in the proportion of its root.
func TestGain(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 20))
	a := Presets[1].Arch(300, 200, 3)
	p := testPrior(t, a, randomNets(r, &a, 0.2).Nets())
	base, err := p.Networks(&a, 0)
	if err != nil {
		t.Fatal(err)
	}
	for gain := -MaxGain; gain <= MaxGain; gain++ {
		q, err := p.Networks(&a, gain)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Validate(&a); err != nil {
			t.Fatal(err)
		}
		was, is := base.Nets(), q.Nets()
		for id := range NumTensors {
			factor := 1.0
			if slices.Contains(gained[:], id) {
				factor = math.Exp2(float64(gain) / 4)
			}
			m := a.Layout()[id].Module
			v := is.Tensor(&a, id)
			for i, x := range was.Tensor(&a, id) {
				want := min(max(float64(x)*factor, -float64(MaxAbs[m])), float64(MaxAbs[m]))
				if d := math.Abs(float64(v[i]) - want); d > math.Ldexp(0.5, -int(q.Step[m]))+1e-4*math.Abs(want) {
					t.Fatalf("gain %d: tensor %d, %d is %v, want %v", gain, id, i, v[i], want)
				}
			}
		}
	}
	for _, bad := range []int{-MaxGain - 1, MaxGain + 1} {
		if _, err := p.Networks(&a, bad); !errors.Is(err, ErrNetworks) {
			t.Errorf("gain %d: error %v", bad, err)
		}
	}
	narrow, err := NewPrior(a, base.Nets(), 1e-3, 4e-3)
	if err != nil {
		t.Fatal(err)
	}
	other := a
	other.Hidden++
	misfit := testPrior(t, other, NewNets(&other))
	priors := []*Prior{misfit, p, narrow}
	for _, c := range []struct {
		lambda float64
		want   *Prior
		gain   int
	}{
		{2e-3, narrow, 0}, {1.5e-3, narrow, -1}, {4e-3, narrow, 2}, {2e-3 * math.Sqrt2, narrow, 1},
		{5e-3, p, 5}, {1e-5, p, -13},
	} {
		if s := startOf(priors, &a, c.lambda); s == nil || s.Prior != c.want || s.Gain != c.gain {
			t.Errorf("lambda %v: %+v, want gain %d", c.lambda, s, c.gain)
		}
	}
	if s := startOf([]*Prior{misfit, narrow}, &a, 5e-3); s != nil {
		t.Errorf("a prior for other lambdas: %+v", s)
	}
}

// TestDifferences: networks near a prior's take far fewer bits than from nothing, also
// where differences are coarser than the prior, which keeps its precision.
func TestDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 20))
	a := Presets[1].Arch(300, 200, 3)
	p := testPrior(t, a, randomNets(r, &a, 0.2).Nets())
	prior, err := p.Networks(&a, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := prior.Clone()
	changed := 0
	for m := range q.Ints {
		for i := range q.Ints[m] {
			if r.IntN(10) == 0 {
				q.Ints[m][i] += int32(2*r.IntN(2)-1) << (q.Step[m] - 6)
				changed++
			}
		}
	}
	near, absolute := WeightBits(&a, q, prior), WeightBits(&a, q, nil)
	if t.Logf("%d changes: %.0f bits from the prior, %.0f from nothing", changed, near, absolute); near > 8*float64(changed) || near > absolute/4 {
		t.Errorf("%.0f bits from the prior, %.0f from nothing", near, absolute)
	}
	for _, l := range kernels.Tiers() {
		restore, err := kernels.SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		lat := randomLatents(rand.New(rand.NewPCG(4, 20)), &a, 45, 31)
		buf, err := EncodeStream(&a, q, lat, &Start{p, 0})
		if err != nil {
			t.Fatal(err)
		}
		_, got, gotLat, err := DecodeLatents(buf, 45, 31, 3, priorsOf(p))
		if err != nil {
			t.Fatal(err)
		}
		if !equalNumbers(got, q) || !equalLatents(gotLat, lat) {
			t.Errorf("%v: something else came back", l)
		}
		restore()
	}
}

// TestQuantiseFromPrior: parameters stay as the prior has them, or move by multiples of
// the step that is coded.
func TestQuantiseFromPrior(t *testing.T) {
	a := Arch{1, 1, 2, 0, 1, 0, 0}
	prior := NewQuantised(&a)
	prior.Step[SynthBiases] = 5
	prior.Ints[SynthBiases][0] = 21 // 0.65625
	real := NewNets(&a)
	for _, c := range []struct {
		v    float32
		step uint8
		zone float64
		want int32 // in 1/32
	}{
		{0.66, 2, 0, 21}, {0.8, 2, 0, 29}, {0.8, 2, 0.2, 21}, {0.5, 2, 0, 13}, {-1, 1, 0, -27}, {0.8, 2, unmoved, 21},
		{300, 2, 0, 8189}, {-300, 2, 0, -8187}, {float32(math.NaN()), 2, 0, 21},
	} {
		real.Module[SynthBiases][0] = c.v
		q := prior.Clone()
		q.quantise(SynthBiases, real, origin{prior, true}, c.step, c.zone)
		if got := q.Ints[SynthBiases][0]; got != c.want || q.Step[SynthBiases] != 5 {
			t.Errorf("%v at step 2^-%d, dead zone %v: %d/2^%d, want %d/32", c.v, c.step, c.zone, got, q.Step[SynthBiases], c.want)
		}
		if err := q.Validate(&a); err != nil {
			t.Errorf("%v: %v", c.v, err)
		}
	}
}

// TestLearn: steps of Reptile on one picture make short fits of it better, and at another
// lambda too.
func TestLearn(t *testing.T) {
	const w, h, low, high = 56, 48, 1e-3, 1.6e-2
	a := Presets[0].Arch(w, h, 1)
	p, err := FreshPrior(a, low, high, 1)
	if err != nil {
		t.Fatal(err)
	}
	pix := deadLeaves(4, 1, w, h)
	cost := func(lambda float64) float64 {
		f, err := Fit(context.Background(), pix, w, h, &FitOptions{Arch: a, Lambda: lambda, Iterations: 30, Priors: []*Prior{p}})
		if err != nil {
			t.Fatal(err)
		}
		if f.Start == nil || f.Start.Prior != p {
			t.Fatalf("started from %v", f.Start)
		}
		return f.Loss
	}
	lambdas := []float64{low, high}
	var before []float64
	for _, l := range lambdas {
		before = append(before, cost(l))
	}
	q, err := p.Networks(&a, 0)
	if err != nil {
		t.Fatal(err)
	}
	nets := q.Nets()
	for i := range 8 {
		o := &FitOptions{Arch: a, Lambda: lambdas[i%2], Iterations: 30, Priors: []*Prior{p}, Seed: uint64(i)}
		moved, err := Learn(context.Background(), pix, w, h, o)
		if err != nil {
			t.Fatal(err)
		}
		for m, v := range moved.Module {
			for j, d := range v {
				nets.Module[m][j] += 0.5 * d
			}
		}
		if p, err = NewPrior(a, nets, low, high); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range lambdas {
		after := cost(l)
		if t.Logf("lambda %v: loss %v, before %v", l, after, before[i]); after > 0.97*before[i] {
			t.Errorf("lambda %v: loss %v, before %v", l, after, before[i])
		}
	}
	if _, err := Learn(context.Background(), pix, w, h, &FitOptions{Arch: a, Lambda: 1e-5, Iterations: 1, Priors: []*Prior{p}}); !errors.Is(err, ErrFit) {
		t.Errorf("a lambda out of the range: error %v", err)
	}
	if _, err := Learn(context.Background(), pix, w, h, &FitOptions{Arch: a, TargetBPP: 1, Iterations: 1, Priors: []*Prior{p}}); !errors.Is(err, ErrFit) {
		t.Errorf("a target: error %v", err)
	}
}
