package inr

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/entropy"
)

// distributions notes what a walker says of every latent of a grid.
type distributions struct {
	location []int16
	scale    []uint8
}

func (d *distributions) code(_ []int8, location []int16, scale []uint8) error {
	d.location = append(d.location, location...)
	d.scale = append(d.scale, scale...)
	return nil
}

// contextsOf returns the contexts of a latent by their definition.
func contextsOf(a *Arch, q *Quantised, lat Latents, grid, y, x int) []float64 {
	var out []float64
	g := &lat[grid]
	for _, o := range spatialOffsets[:a.Spatial] {
		v := 0.0
		if y, x := y+o[0], x+o[1]; y >= 0 && x >= 0 && x < g.W {
			v = float64(g.V[y*g.W+x])
		}
		out = append(out, v)
	}
	kinds := gridKinds(a)
	for f := range a.Features {
		sum := 0.0 // in 2^-10
		if own := kinds[grid].scale; own < 3 {
			first := slices.IndexFunc(kinds, func(k gridKind) bool { return k.scale > own })
			t := a.Layout()[ARMMix0+TensorID(grid)]
			for k := range t.Cols {
				up, g := kinds[first+k].scale-own, &lat[first+k]
				weight := math.Ldexp(float64(q.Ints[ARMMixtures][t.Offset+f*t.Cols+k]), 10-int(q.Step[ARMMixtures]))
				sum += weight * float64(g.V[y>>up*g.W+x>>up])
			}
		}
		out = append(out, min(max(math.Floor(sum/8+0.5), -32768), 32767)/128)
	}
	return out
}

// TestPredictorFollowsFloat checks the integer network against its definition in
// numbers: hidden values are rounded to 1/128 and limited to 32767/128, and the outputs
// to 1/64 and 1/16, so the error is bounded by sums of magnitudes of weights.
func TestPredictorFollowsFloat(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	saturated, latents := 0, 0
	for range 40 {
		w, h := 1+r.IntN(24), 1+r.IntN(24)
		a := randomArch(r, w, h)
		q, lat := randomNets(r, &a, 0.05), randomLatents(r, &a, w, h)
		n, d := q.Nets(), a.Inputs()
		at := func(id TensorID, i int) float64 { return float64(n.Tensor(&a, id)[i]) }
		dot := func(id TensorID, row int, x []float64) (sum, abs float64) {
			for k, v := range x {
				sum += at(id, row*d+k) * v
				abs += math.Abs(at(id, row*d+k))
			}
			return
		}
		layer := func(id, bias TensorID, row int, x []float64, err float64) ([]float64, float64) {
			out, worst := make([]float64, d), 0.0
			for i := range out {
				sum, abs := dot(id, i, x)
				out[i] = min(max(x[i]+sum+at(bias, row*d+i), 0), 32767.0/128)
				worst = max(worst, (1+abs)*err+1.0/256)
			}
			return out, worst
		}
		walk := newWalker(&a, q, lat)
		for grid := a.LatentGrids() - 1; grid >= 0; grid-- {
			g, got := &lat[grid], new(distributions)
			if err := walk.grid(grid, got); err != nil {
				t.Fatal(err)
			}
			i := 0
			for wave := range g.W + 3*g.H {
				for y := range g.H {
					x := wave - 3*y
					if x < 0 || x >= g.W {
						continue
					}
					in := contextsOf(&a, q, lat, grid, y, x)
					h1, e1 := layer(ARMW1, ARMB1, grid, in, 0)
					h2, e2 := layer(ARMW2, ARMB2, 0, h1, e1)
					for k, have := range [2]float64{
						float64(got.location[i]) / entropy.LaplaceUnit,
						float64(got.scale[i])/16 - 5,
					} {
						sum, abs := dot(ARMW3, k, h2)
						skip, _ := dot(ARMWl, k, in)
						want := sum + skip + at(ARMB3, k)
						lo, hi, step := -LatentMax*1.0, LatentMax*1.0, 1.0/entropy.LaplaceUnit
						if k == 1 {
							lo, hi, step = -5, 4, 1.0/16
						}
						if want < lo || want > hi {
							saturated++
						}
						want = min(max(want, lo), hi)
						if math.Abs(have-want) > abs*e2+step/2+1e-9 {
							t.Fatalf("%+v, grid %d of %dx%d at (%d, %d): output %d is %v, want %v within %v",
								a, grid, w, h, y, x, k, have, want, abs*e2+step/2)
						}
					}
					i++
					latents++
				}
			}
			if i != len(got.location) {
				t.Fatalf("%d distributions of %d latents", len(got.location), i)
			}
		}
	}
	if saturated == 0 || saturated > latents/2 {
		t.Errorf("%d outputs of %d latents beyond the limits", saturated, latents)
	}
}

// TestContextsOfLargeGrid checks a grid whose waves are longer than a chunk.
func TestContextsOfLargeGrid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	const w, h = 3*armChunk + 100, 2*armChunk + 30
	a := Arch{1, 1, 2, 0, 1, 0, 0}
	q := NewQuantised(&a)
	q.Step[ARMLinear] = 0
	q.Ints[ARMLinear][a.Layout()[ARMWl].Offset] = 1 // the location is the left neighbour
	lat := randomLatents(r, &a, w, h)
	for i := range lat[0].V {
		lat[0].V[i] = int8(r.IntN(7) - 3)
	}
	got := new(distributions)
	if err := newWalker(&a, q, lat).grid(0, got); err != nil {
		t.Fatal(err)
	}
	i := 0
	for wave := range w + 3*h {
		for y := range h {
			if x := wave - 3*y; x >= 0 && x < w {
				if want := contextsOf(&a, q, lat, 0, y, x)[0]; float64(got.location[i]) != entropy.LaplaceUnit*want {
					t.Fatalf("(%d, %d): %d, want %v", y, x, got.location[i], entropy.LaplaceUnit*want)
				}
				i++
			}
		}
	}
}
