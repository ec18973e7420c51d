package inr

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// benchPicture returns networks and latents of a 768x512 picture such as a fit at
// about 0.6 bit per pixel leaves: sparse fine grids, busy coarse ones.
func benchPicture(preset int) (Arch, *Quantised, Latents) {
	r := rand.New(rand.NewPCG(1, 8))
	a := Presets[preset].Arch(768, 512, 3)
	q := randomNets(r, &a, 0.02)
	// A scale of about exp(-2), which suits the finest grid.
	s := q.Ints[ARMOutBiases][a.Layout()[ARMB3].Offset:]
	s[1] = -2 << q.Step[ARMOutBiases]
	lat := NewLatents(&a, 768, 512)
	for i := range lat {
		scale, _ := a.LatentScale(i)
		for j := range lat[i].V {
			v := math.Log(1-r.Float64()) * 0.11 * math.Exp2(float64(scale))
			if r.IntN(2) == 0 {
				v = -v
			}
			lat[i].V[j] = int8(math.Round(min(max(v, -LatentMax), LatentMax)))
		}
	}
	return a, q, lat
}

func megapixels(b *testing.B) {
	b.ReportMetric(768*512/1e6*float64(b.N)/b.Elapsed().Seconds(), "MP/s")
}

func BenchmarkDecode(b *testing.B) {
	for i, p := range Presets {
		a, q, lat := benchPicture(i)
		buf, err := EncodeStream(&a, q, lat, nil)
		if err != nil {
			b.Fatal(err)
		}
		eachTier(b, func(l kernels.Level) {
			b.Run(p.Name+"/"+l.String(), func(b *testing.B) {
				for b.Loop() {
					if _, err := DecodeStream(buf, 768, 512, 3, nil, 0); err != nil {
						b.Fatal(err)
					}
				}
				megapixels(b)
				b.ReportMetric(float64(8*len(buf))/(768*512), "bpp")
			})
		})
	}
}

// nothing codes nothing, so that a walk takes the time of contexts and network.
type nothing struct{}

func (nothing) code([]int8, []int16, []uint8) error { return nil }

// BenchmarkStages takes the stages of decoding apart, for preset l and on one core.
func BenchmarkStages(b *testing.B) {
	a, q, lat := benchPicture(3)
	buf, err := EncodeStream(&a, q, lat, nil)
	if err != nil {
		b.Fatal(err)
	}
	walk := func(b *testing.B, a *Arch, q *Quantised) {
		for b.Loop() {
			w := newWalker(a, q, lat)
			for i := a.LatentGrids() - 1; i >= 0; i-- {
				_ = w.grid(i, nothing{})
			}
		}
		megapixels(b)
	}
	n := q.Nets()
	for _, s := range []struct {
		name string
		run  func(b *testing.B)
	}{
		{"contexts+network", func(b *testing.B) { walk(b, &a, q) }},
		{"latents", func(b *testing.B) {
			for b.Loop() {
				if _, _, _, err := DecodeLatents(buf, 768, 512, 3, nil); err != nil {
					b.Fatal(err)
				}
			}
			megapixels(b)
		}},
		{"upsampling", func(b *testing.B) {
			for b.Loop() {
				r := &renderer{synthesis: newSynthesis(&a, n), lat: lat, line: make([]float32, 2*768+4*border+8)}
				for y := 0; y < 512; y += 32 {
					r.used = 0
					r.stack(0, max(0, y-2), min(512, y+34))
				}
			}
			megapixels(b)
		}},
		{"picture", func(b *testing.B) {
			for b.Loop() {
				Synthesise(&a, n, lat, 1)
			}
			megapixels(b)
		}},
	} {
		b.Run(s.name, s.run)
	}
}

func BenchmarkBits(b *testing.B) {
	a, q, lat := benchPicture(3)
	for b.Loop() {
		Bits(&a, q, lat)
	}
	megapixels(b)
}
