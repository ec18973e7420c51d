package lattice

import (
	"math"
	"math/rand/v2"
)

// waves returns a plane of a few random sine waves around mid, rounded and
// kept within 0..255.
func waves(rng *rand.Rand, w, h int, mid, contrast float64) []uint16 {
	type wave struct{ fx, fy, phase, amp float64 }
	var ws [6]wave
	for i := range ws {
		f := 0.02 * math.Pow(2, float64(i))
		a := rng.Float64() * 2 * math.Pi
		ws[i] = wave{f * math.Cos(a), f * math.Sin(a), rng.Float64() * 7, contrast / float64(i+1)}
	}
	s := make([]uint16, w*h)
	for y := range h {
		for x := range w {
			v := mid
			for _, k := range ws {
				v += k.amp * math.Sin(k.fx*float64(x)+k.fy*float64(y)+k.phase)
			}
			s[y*w+x] = uint16(max(0, min(255, math.Round(v+rng.Float64()*2))))
		}
	}
	return s
}
