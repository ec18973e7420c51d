package metric

import (
	"image"
	"math"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

// Values of the crate ssimulacra2 0.5.1 with its blur and its maps changed from
// float32 to float64. Unchanged it is up to 0.02 lower on these pictures (see
// ssimulacra2.go).
func TestReferenceSSIMULACRA2(t *testing.T) {
	pictures := testPictures()
	for name, want := range map[string]float64{
		"fine":     92.48305631,
		"coarse":   -25.42397403,
		"odd":      65.48914734,
		"smallest": 60.22887652,
		"portrait": 42.97459003,
		"tiny":     87.08867533, // two scales
		"strip":    90.07717328,
		"inverse":  -4418.14937197,
		"deep":     51.27841832,
		"gray":     60.87036616,
	} {
		p := pictures[name]
		v := compare(t, p[0], p[1], SSIMULACRA2)
		got, ok := v["ssimulacra2"]
		if !ok || math.Abs(got-want) > 0.005+1e-5*math.Abs(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestSSIMULACRA2Limits(t *testing.T) {
	m := dataset.DeadLeaves(64, 64, 1)
	compare(t, m, m, All).want(t, "ssimulacra2", 100)
	for _, c := range []struct {
		w, h int
		ok   bool
	}{{7, 100, false}, {100, 7, false}, {8, 8, true}} {
		m := dataset.DeadLeaves(c.w, c.h, 3)
		if _, ok := compare(t, m, distort(m, 9), All)["ssimulacra2"]; ok != c.ok {
			t.Errorf("%dx%d pixels: ssimulacra2 %v, want %v", c.w, c.h, ok, c.ok)
		}
	}
	// Colours of invisible pixels do not count.
	a, b := image.NewNRGBA(m.Rect), image.NewNRGBA(m.Rect)
	for i := range a.Pix {
		if i%4 != 3 {
			a.Pix[i] = uint8(i)
		}
	}
	compare(t, a, b, All).want(t, "ssimulacra2", 100)
}

// The window is the sum of cosines of 1, 3 and 5 quarter periods over 5 samples
// whose amplitudes are those of a Gaussian, exp(-(sigma w)^2/2)/5, moved as little
// as gives it a sum of 1 and a variance of sigma^2.
func TestSSIMULACRA2Window(t *testing.T) {
	const sigma, n = 1.5, 5
	var omega, rho, sum, square [3]float64
	for k := range omega {
		omega[k] = float64(2*k+1) * math.Pi / (2 * n)
		rho[k] = math.Exp(-sigma*sigma*omega[k]*omega[k]/2) / n
		for i := -n; i <= n; i++ {
			c := math.Cos(omega[k] * float64(i))
			sum[k] += c
			square[k] += float64(i*i) * c
		}
	}
	// The amplitudes are rho + x sum + y square, where two conditions give x and y.
	dot := func(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
	a, b, d := dot(sum, sum), dot(sum, square), dot(square, square)
	e, f := 1-dot(sum, rho), sigma*sigma-dot(square, rho)
	x, y := (e*d-f*b)/(a*d-b*b), (f*a-e*b)/(a*d-b*b)
	for i, got := range ssimulacra2Window {
		want := 0.0
		for k := range omega {
			want += (rho[k] + x*sum[k] + y*square[k]) * math.Cos(omega[k]*float64(i))
		}
		if math.Abs(got-want) > 1e-15 {
			t.Errorf("weight %d is %v, want %v", i, got, want)
		}
	}
}
