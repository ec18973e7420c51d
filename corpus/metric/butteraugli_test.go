package metric

import (
	"math"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

// Values of the crate butteraugli 0.9.3, which computes in float32.
func TestReferenceButteraugli(t *testing.T) {
	pictures := testPictures()
	for name, want := range map[string]struct{ largest, norm float64 }{
		"fine":     {0.99298054, 0.52177656},
		"coarse":   {16.721266, 7.1593926},
		"odd":      {6.7201023, 2.5548712},
		"smallest": {5.7220078, 2.6063099},
		"portrait": {5.6278949, 2.7086634},
		"tiny":     {1.7452897, 1.3200943},
		"strip":    {2.5978045, 1.4653769},
		"inverse":  {120.97754, 75.538136},
		"gray":     {9.105175, 3.6928694},
	} {
		p := pictures[name]
		v := compare(t, p[0], p[1], Butteraugli)
		for key, want := range map[string]float64{"butteraugli": want.largest, "butteraugli_3norm": want.norm} {
			if got, ok := v[key]; !ok || math.Abs(got-want) > 3e-5*want {
				t.Errorf("%s: %s = %v, want %v", name, key, got, want)
			}
		}
	}
}

func TestButteraugliLimits(t *testing.T) {
	m := dataset.DeadLeaves(40, 40, 1)
	v := compare(t, m, m, All)
	v.want(t, "butteraugli", 0)
	v.want(t, "butteraugli_3norm", 0)
	for _, c := range []struct {
		w, h int
		ok   bool
	}{{7, 100, false}, {100, 7, false}, {8, 8, true}, {9, 15, true}, {16, 15, true}} {
		m := dataset.DeadLeaves(c.w, c.h, 3)
		v := compare(t, m, distort(m, 30), All)
		if d, ok := v["butteraugli"]; ok != c.ok || ok && d <= v["butteraugli_3norm"] {
			t.Errorf("%dx%d pixels: %v", c.w, c.h, v)
		}
	}
}

// A flat plane stays flat up to its borders.
func TestBlurBorders(t *testing.T) {
	const w, h = 9, 8
	flat := make([]float32, w*h)
	for i := range flat {
		flat[i] = 0.25
	}
	for _, sigma := range []float64{0.1, 1.2, 7.2} {
		for _, mirror := range []bool{true, false} {
			if mirror && sigma > 3 {
				continue // the mirror image is as large as the picture
			}
			for i, v := range blur(flat, w, h, sigma, mirror) {
				if math.Abs(float64(v)-0.25) > 1e-7 {
					t.Fatalf("sigma %v, mirror %v: a flat plane has %v at %d", sigma, mirror, v, i)
				}
			}
		}
	}
}
