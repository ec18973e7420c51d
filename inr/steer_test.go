package inr

import (
	"bytes"
	"context"
	"math"
	"testing"
)

// TestFitTarget: rates and qualities are reached, whatever lambda is. (Shorter fits may miss by
// a little more.)
func TestFitTarget(t *testing.T) {
	const w, h = 96, 80
	pix := deadLeaves(8, 1, w, h)
	for _, o := range []FitOptions{{TargetBPP: 0.8}, {TargetBPP: 2}, {TargetPSNR: 25}, {TargetPSNR: 32}} {
		o.Arch, o.Iterations = Presets[0].Arch(w, h, 1), 300
		given := o
		f, err := Fit(context.Background(), pix, w, h, &o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%v bpp, %v dB: %.3f bpp, %.2f dB, lambda %.2g", o.TargetBPP, o.TargetPSNR, f.BPP, f.PSNR, f.Lambda)
		if o.Lambda != given.Lambda {
			t.Errorf("lambda of the options became %v", o.Lambda)
		}
		stream, err := EncodeStream(&f.Arch, f.Nets, f.Latents, nil)
		if err != nil {
			t.Fatal(err)
		}
		if bpp := 8 * float64(len(stream)) / (w * h); o.TargetBPP > 0 && !(bpp <= o.TargetBPP && bpp > 0.98*o.TargetBPP) {
			t.Errorf("%v bpp, want %v", bpp, o.TargetBPP)
		}
		if o.TargetPSNR > 0 && math.Abs(f.PSNR-o.TargetPSNR) > 0.1 {
			t.Errorf("%v dB, want %v", f.PSNR, o.TargetPSNR)
		}
	}
}

// TestNearestEnd: after two ends that are further off a fit takes the first again, as it was.
func TestNearestEnd(t *testing.T) {
	const w, h = 48, 40
	ctx := context.Background()
	o := &FitOptions{Arch: Presets[0].Arch(w, h, 1), TargetPSNR: 30, Iterations: 60}
	f, err := newFitter(deadLeaves(8, 1, w, h), w, h, o)
	if err != nil {
		t.Fatal(err)
	}
	finish := func() {
		if err := f.fit(ctx); err != nil {
			t.Fatal(err)
		}
		f.lat.integers(f.latents)
		f.quantise(ctx)
	}
	finish()
	first := f.result()
	stream, err := EncodeStream(&f.Arch, first.Nets, first.Latents, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.TargetPSNR = first.PSNR + 3
	if !f.rewind(ctx) {
		t.Fatal("3 dB too low, and the fit goes on with that")
	}
	f.from, f.end = 0, f.done+20
	f.Lambda *= 100
	finish()
	if second := f.result(); second.PSNR > first.PSNR {
		t.Fatalf("%v dB with more lambda, %v with less", second.PSNR, first.PSNR)
	}
	f.rewound = rewinds
	if f.rewind(ctx) {
		t.Error("more rewinds than there may be")
	}
	got := f.result()
	again, err := EncodeStream(&f.Arch, got.Nets, got.Latents, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, stream) || got.PSNR != first.PSNR || got.Lambda != first.Lambda || got.WeightBits != first.WeightBits {
		t.Errorf("%v dB at lambda %v, the first end had %v at %v", got.PSNR, got.Lambda, first.PSNR, first.Lambda)
	}
}

// TestReach: single latents bring a fit to rates and errors around what it has.
func TestReach(t *testing.T) {
	const w, h = 72, 60
	ctx := context.Background()
	rounded := func() *fitter {
		o := &FitOptions{Arch: Presets[0].Arch(w, h, 1), Lambda: 2e-3, Iterations: 120}
		f, err := newFitter(deadLeaves(8, 1, w, h), w, h, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.fit(ctx); err != nil {
			t.Fatal(err)
		}
		f.lat.integers(f.latents)
		f.quantise(ctx)
		return f
	}
	for _, by := range []float64{0.5, 0.9, 0.98, 1.02} {
		f := rounded()
		before := f.result()
		f.TargetBPP = f.weightBits/(w*h) + by*f.latentBits()/(w*h)
		f.reach(ctx)
		bits := f.streamBits()
		after := f.result()
		t.Logf("%v times the bits of latents: %.4f of %.4f bpp, %.2f dB, before %.4f bpp, %.2f dB", by, bits/(w*h), f.TargetBPP, after.PSNR, before.BPP, before.PSNR)
		if bits > f.TargetBPP*w*h || bits < 0.98*f.TargetBPP*w*h {
			t.Errorf("%v times the bits of latents: %v bits, want %v", by, bits, f.TargetBPP*w*h)
		}
		switch {
		case by == 0.9: // what decisions on all latents are for
			single := rounded()
			single.TargetBPP = f.TargetBPP
			single.newReacher().approach(ctx, true)
			if s := single.result(); after.PSNR < s.PSNR+0.2 {
				t.Errorf("%v times the bits of latents: %v dB, by single latents %v", by, after.PSNR, s.PSNR)
			}
		case by > 0.9 && after.PSNR < before.PSNR-1:
			t.Errorf("%v times the bits of latents: %v dB, %v before", by, after.PSNR, before.PSNR)
		}
	}
}

func TestReachedBetter(t *testing.T) {
	for _, c := range []struct {
		a, b reached
		want bool
	}{
		{reached{need: -1}, reached{need: -2}, true},
		{reached{need: -3}, reached{need: -2}, false},
		{reached{need: 5, mse: 3}, reached{need: -2, mse: 1}, true}, // too many bits are worse
		{reached{need: 1, mse: 3}, reached{need: 2, mse: 4}, true},
		{reached{need: 1, mse: 4}, reached{need: 2, mse: 4}, false}, // bits for nothing
		{reached{need: -1, mse: 3}, reached{need: 2, mse: 4}, false},
		{reached{need: 1, mse: 3}, reached{}, false},
	} {
		if got := c.a.better(c.b); got != c.want {
			t.Errorf("%+v better than %+v: %v", c.a, c.b, got)
		}
	}
}

// TestHaar: the transform is orthonormal, but for odd rows and columns and the means.
func TestHaar(t *testing.T) {
	pix := deadLeaves(3, 1, 64, 32)
	mean, want, got := 0.0, 0.0, 0.0
	for _, b := range blockMeans(pix, 64, 32, 32) {
		mean += 32 * 32 * b * b
	}
	for _, v := range pix {
		want += float64(v) * float64(v)
	}
	c := haar(append(append([]float32(nil), pix...), pix...), 2, 64, 32)
	for _, v := range c {
		got += float64(v) * float64(v)
	}
	if len(c) != 64*32-2 || math.Abs((got+mean)/want-1) > 1e-4 {
		t.Errorf("%d coefficients of energy %v, with means of %v; want %v", len(c), got, mean, want)
	}
	if c := haar([]float32{1}, 1, 1, 1); len(c) != 1 || c[0] != 0 {
		t.Errorf("of a pixel: %v", c)
	}
}

// blockMeans returns the means of blocks of n x n pixels.
func blockMeans(pix []float32, w, h, n int) []float64 {
	m := make([]float64, w/n*(h/n))
	for i, v := range pix {
		m[i/w/n*(w/n)+i%w/n] += float64(v) / float64(n*n)
	}
	return m
}

// TestEstimate: the lambda is the one that a fit begins with, and what is expected for a lambda, or for the PSNR of a fit with it, is not
// far from what a short fit takes in bits.
func TestEstimate(t *testing.T) {
	const w, h = 96, 80
	pix := deadLeaves(4, 1, w, h)
	for _, lambda := range []float64{1e-2, 1e-3} {
		o := FitOptions{Arch: Arch{1, 5, 4, 2, 8, 0, 0}, Lambda: lambda, Iterations: 150}
		f, err := Fit(t.Context(), pix, w, h, &o)
		if err != nil {
			t.Fatal(err)
		}
		same, byLambda := Estimate(pix, w, h, &o)
		near, byPSNR := Estimate(pix, w, h, &FitOptions{Arch: o.Arch, TargetPSNR: f.PSNR})
		if same != lambda || near < lambda/3 || near > lambda*3 {
			t.Errorf("lambda %v: %v and, for %.2f dB, %v", lambda, same, f.PSNR, near)
		}
		for _, got := range []float64{byLambda, byPSNR} {
			if got < f.LatentBits/2.5 || got > f.LatentBits*2.5 {
				t.Errorf("lambda %v: %.0f and, for %.2f dB, %.0f bits expected, %.0f taken", lambda, byLambda, f.PSNR, byPSNR, f.LatentBits)
			}
		}
	}
	if _, got := Estimate(pix, w, h, &FitOptions{Arch: Arch{Channels: 1}, TargetBPP: 0.5}); got != 0.5*w*h {
		t.Errorf("%v bits for 0.5 bpp", got)
	}
}
