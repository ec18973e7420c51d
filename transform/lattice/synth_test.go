package lattice

import (
	"math"
	"math/rand/v2"
	"testing"
)

// synthetic returns the planes of a picture of random waves and some grain.
func synthetic(rng *rand.Rand, p Params, w, h int, contrast float64) *Planes {
	pl := &Planes{W: w, H: h}
	pl.CW, pl.CH = p.ChromaSize(w, h)
	pl.Y = waves(rng, w, h, 100, contrast)
	pl.C1 = waves(rng, pl.CW, pl.CH, float64(colours[p.Kind].z1), contrast/4)
	pl.C2 = waves(rng, pl.CW, pl.CH, float64(colours[p.Kind].z2), contrast/4)
	return pl
}

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
			v := mid + rng.Float64()*2 - 1
			for _, k := range ws {
				v += k.amp * math.Sin(k.fx*float64(x)+k.fy*float64(y)+k.phase)
			}
			s[y*w+x] = uint16(max(0, min(255, math.Round(v))))
		}
	}
	return s
}

var benchParams = []Params{
	{PhotoCD, Cosited2x2, 0, 0},
	{JFIF, Full, 0, 0},
	{JFIFGo, Replicate2x2, 0, 0},
	{JFIF, Fancy2x2, 0, 0},
}

func benchPicture(p Params) (rgb, *Planes) {
	m := newRGB(512, 512)
	pl := synthetic(rand.New(rand.NewPCG(9, 9)), p, m.w, m.h, 30)
	if err := p.Inverse(m.r, m.g, m.b, pl); err != nil {
		panic(err)
	}
	return m, pl
}

func BenchmarkInverse(b *testing.B) {
	for _, p := range benchParams {
		b.Run(p.String(), func(b *testing.B) {
			m, pl := benchPicture(p)
			b.SetBytes(int64(3 * len(m.r)))
			for b.Loop() {
				if err := p.Inverse(m.r, m.g, m.b, pl); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForward(b *testing.B) {
	for _, p := range benchParams {
		b.Run(p.String(), func(b *testing.B) {
			m, _ := benchPicture(p)
			b.SetBytes(int64(3 * len(m.r)))
			for b.Loop() {
				p.Forward(m.r, m.g, m.b, m.w, m.h)
			}
		})
	}
}

// BenchmarkDetect measures a picture on a lattice, and one that is not.
func BenchmarkDetect(b *testing.B) {
	m, _ := benchPicture(benchParams[0])
	run := func(b *testing.B) {
		b.SetBytes(int64(3 * len(m.r)))
		for b.Loop() {
			Detect(m.r, m.g, m.b, m.w, m.h)
		}
	}
	b.Run("PhotoCD", run)
	for i := range m.r {
		m.r[i] ^= uint16(i*7>>3) & 3
		m.g[i] ^= uint16(i*5>>2) & 3
	}
	b.Run("ordinary", run)
}
