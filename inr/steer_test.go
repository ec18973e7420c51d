package inr

import (
	"context"
	"math"
	"testing"
)

// TestFitTarget: rates and qualities are reached from a lambda far off.
func TestFitTarget(t *testing.T) {
	const w, h = 96, 80
	pix := deadLeaves(8, 1, w, h)
	for _, o := range []FitOptions{{TargetBPP: 0.8}, {TargetBPP: 2}, {TargetPSNR: 25}, {TargetPSNR: 32}} {
		o.Arch, o.Lambda, o.Iterations = Presets[0].Arch(w, h, 1), 2e-3, 200
		given := o
		f, err := Fit(context.Background(), pix, w, h, &o)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%v bpp, %v dB: %.3f bpp, %.2f dB, lambda %.2g", o.TargetBPP, o.TargetPSNR, f.BPP, f.PSNR, f.Lambda)
		if o.Lambda != given.Lambda {
			t.Errorf("lambda of the options became %v", o.Lambda)
		}
		if o.TargetBPP > 0 && math.Abs(f.BPP/o.TargetBPP-1) > 0.04 {
			t.Errorf("%v bpp, want %v", f.BPP, o.TargetBPP)
		}
		if o.TargetPSNR > 0 && math.Abs(f.PSNR-o.TargetPSNR) > 0.3 {
			t.Errorf("%v dB, want %v", f.PSNR, o.TargetPSNR)
		}
	}
}
