package kv

import (
	"image"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	xdraw "golang.org/x/image/draw"
)

// photos is where photographs for measurements lie, outside the module.
const photos = "../../../shared/data/photos"

// standIn makes keys, values and queries of a stand-in for a vision encoder from
// photographs, one layer each: patches of 14x14 pixels of a picture scaled to
// 448x448 are projected by random matrices to an embedding, to which sinusoidal
// positions are added, normalised, and projected again to heads. Real keys have channels that
// are larger and off centre: one in 16 of these gets 6 times the range and a mean of
// as much again. Queries are of the same tokens. Nothing is trained: neighbouring tokens are
// more alike than a trained encoder's.
func standIn(t testing.TB, pictures, heads, dim int) (keys, values, queries Tensor) {
	files, _ := filepath.Glob(filepath.Join(photos, "*.png"))
	if len(files) < pictures {
		t.Skipf("%d photographs in %s, want %d", len(files), photos, pictures)
	}
	const side, patch, width = 32, 14, 256
	r := rand.New(rand.NewPCG(7, 7))
	normal := func(n int, scale float64) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = scale * r.NormFloat64()
		}
		return w
	}
	const in = 3 * patch * patch
	embed := normal(in*width, 1/math.Sqrt(in))
	const tokens = side * side
	project := [3][]float64{}
	gain, mean := [3][]float64{}, [3][]float64{}
	for k := range project {
		project[k] = normal(width*heads*dim, 1/math.Sqrt(width))
		gain[k], mean[k] = make([]float64, heads*dim), make([]float64, heads*dim)
		for j := range gain[k] {
			gain[k][j] = math.Exp(0.4 * r.NormFloat64())
			mean[k][j] = 0.3 * gain[k][j] * r.NormFloat64()
			if k == 0 && r.IntN(16) == 0 {
				gain[k][j] *= 6
				mean[k][j] = gain[k][j] * (1 - 2*float64(r.IntN(2)))
			}
		}
	}
	out := [3]Tensor{NewTensor(pictures, heads, tokens, dim), NewTensor(pictures, heads, tokens, dim), NewTensor(pictures, heads, tokens, dim)}
	for p, name := range files[:pictures] {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		small := image.NewRGBA(image.Rect(0, 0, side*patch, side*patch))
		xdraw.CatmullRom.Scale(small, small.Bounds(), m, m.Bounds(), draw.Src, nil)
		for tok := range tokens {
			x := make([]float64, width)
			for i := range in {
				px, py := tok%side*patch+i/3%patch, tok/side*patch+i/3/patch
				v := (float64(small.Pix[py*small.Stride+4*px+i%3]) - 118) / 70
				for j := range x {
					x[j] += v * embed[i*width+j]
				}
			}
			for j := range x {
				pos := float64([2]int{tok % side, tok / side}[j/2%2])
				x[j] += 0.5 * math.Sin(pos*math.Pow(100, -float64(j/4)/(width/4))+math.Pi/2*float64(j%2))
			}
			var sum, sq float64
			for _, v := range x {
				sum += v
				sq += v * v
			}
			mu := sum / width
			sd := math.Sqrt(sq/width - mu*mu)
			for k := range out {
				y := make([]float64, heads*dim)
				for j, v := range x {
					v = (v - mu) / sd
					for i, w := range project[k][j*heads*dim:][:heads*dim] {
						y[i] += v * w
					}
				}
				for h := range heads {
					dst := out[k].Head(p, h)[tok*dim:][:dim]
					for j := range dst {
						dst[j] = float32(mean[k][h*dim+j] + gain[k][h*dim+j]*y[h*dim+j])
					}
				}
			}
		}
	}
	return out[0], out[1], out[2]
}
