package vqbench

import (
	"errors"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/burin-codec/burin/vq"
)

// photoPatches returns patches of the photographs in a folder, as many of each.
func photoPatches(t testing.TB, folder string, seed uint64, counts ...int) [][]float32 {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join("../../../shared/data", folder, "*.*g"))
	if len(files) == 0 {
		t.Skip("no photographs in ../../../shared/data/" + folder)
	}
	slices.Sort(files)
	r := rand.New(rand.NewPCG(seed, 77))
	all := make([][]float32, len(counts))
	for i, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := image.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		part := make([]int, len(counts))
		for j, n := range counts {
			part[j] = n*(i+1)/len(files) - n*i/len(files)
		}
		p, err := Patches(m, PatchSize, part, r)
		if err != nil {
			t.Fatal(err)
		}
		for j := range all {
			all[j] = append(all[j], p[j]...)
		}
	}
	return all
}

// TestOrder holds the families to the order that the literature has them in, on
// patches that were not trained on, at 24 bits for 4 x 4 pixels.
func TestOrder(t *testing.T) {
	const d, m, k = patchDim, 4, 64
	p := photoPatches(t, "photos", 1, 6000, 2000)
	train, test := p[0], p[1]
	mse := func(q vq.Quantiser, err error) float64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return vq.MSE(q, test)
	}
	pq := mse(vq.TrainPQ(train, d, m, k, nil))
	opq := mse(vq.TrainOPQ(train, d, m, k, nil))
	rq, err := vq.TrainRQ(train, d, m, k, nil)
	beam5 := mse(rq, err)
	beam1 := mse(rq.WithBeam(1))
	o := vq.DefaultLSQOptions(m)
	o.Iterations, o.Rounds = 6, 4
	lsq := mse(vq.TrainLSQ(train, d, m, k, &o))
	t.Logf("PQ %.3e, OPQ %.3e, RQ of beam 1 %.3e, of beam 5 %.3e, LSQ %.3e", pq, opq, beam1, beam5, lsq)
	for _, c := range []struct {
		name          string
		better, worse float64
	}{{"OPQ, PQ", opq, pq}, {"RQ of beam 5, PQ", beam5, pq}, {"RQ of beam 5, of beam 1", beam5, beam1}, {"LSQ, RQ", lsq, beam5}} {
		if !(c.better < c.worse) {
			t.Errorf("%s: %v, %v", c.name, c.better, c.worse)
		}
	}
}

// TestPatches: of a picture that has each value once, patches are squares of it, in no
// two places the same.
func TestPatches(t *testing.T) {
	const w, h, size = 50, 31, 4
	m := image.NewGray16(image.Rect(3, 5, 3+w, 5+h))
	for i := range w * h {
		m.SetGray16(3+i%w, 5+i/w, color.Gray16{uint16(i)})
	}
	origins := map[int]bool{}
	for seed := range uint64(20) {
		all, err := Patches(m, size, []int{40, 0, 30}, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 3 || len(all[0]) != 40*size*size || len(all[1]) != 0 || len(all[2]) != 30*size*size {
			t.Fatalf("%d, %d, %d numbers", len(all[0]), len(all[1]), len(all[2]))
		}
		seen := map[int]bool{}
		for p := range slices.Chunk(append(all[0], all[2]...), size*size) {
			first := int((p[0]+.5)*65535 + .5)
			origins[first/w%size*size+first%w%size] = true
			for i, v := range p {
				at := int((v+.5)*65535 + .5)
				if at != first+i/size*w+i%size || seen[at] {
					t.Fatalf("seed %d: element %d of the patch from %d is %d", seed, i, first, at)
				}
				seen[at] = true
			}
		}
	}
	if len(origins) < 8 {
		t.Errorf("%d origins of 16", len(origins))
	}
	for _, c := range []struct {
		size   int
		counts []int
	}{{4, []int{50, 50}}, {4, []int{-1}}, {32, nil}, {0, nil}} {
		if _, err := Patches(m, c.size, c.counts, rand.New(rand.NewPCG(1, 1))); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestLuma: white, black and a red of colours and of YCbCr are what BT.601 says.
func TestLuma(t *testing.T) {
	p := image.NewPaletted(image.Rect(0, 0, 3, 1), color.Palette{color.White, color.Black, color.NRGBA{255, 0, 0, 255}})
	p.Pix = []uint8{0, 1, 2}
	c := image.NewYCbCr(image.Rect(0, 0, 3, 1), image.YCbCrSubsampleRatio444)
	for i, v := range p.Pix {
		r, g, b, _ := p.Palette[v].RGBA()
		c.Y[i], c.Cb[i], c.Cr[i] = color.RGBToYCbCr(uint8(r>>8), uint8(g>>8), uint8(b>>8))
	}
	for _, m := range []image.Image{p, c} {
		y, w, h := luma(m)
		if w != 3 || h != 1 || max(y[0]-.5, .5-y[0], y[1]+.5, -y[1]-.5, y[2]+.201, -.201-y[2]) > .003 {
			t.Errorf("%T: %v", m, y)
		}
	}
}

// smooth returns n patches whose pixels follow their neighbours.
func smooth(n int, seed uint64) []float32 {
	x := Normals(n*patchDim, seed)
	for p := range slices.Chunk(x, patchDim) {
		for i := range p {
			p[i] *= .03
			if i%PatchSize > 0 {
				p[i] += .5 * p[i-1]
			}
			if i >= PatchSize {
				p[i] += .48 * p[i-PatchSize]
			}
		}
	}
	return x
}

// TestMeasureBooks: rows are those of the quantisers, the same in every run but for the
// times.
func TestMeasureBooks(t *testing.T) {
	train, test := smooth(MinPatches, 1), smooth(1000, 2)
	o := &BookOptions{Only: []string{"pq", "SSVQ", "EMA", "k-means"}, Seed: 3}
	var runs [2][]BookRow
	for i := range runs {
		rows, err := MeasureBooks(t.Context(), train, test, o)
		if err != nil || len(rows) != 5 {
			t.Fatal(rows, err)
		}
		for j := range rows {
			if r := &rows[j]; r.Train <= 0 || r.Encode <= 0 || r.Decode <= 0 || r.Entropy > r.Bits || r.Utilisation <= 0 || r.Utilisation > 1 {
				t.Errorf("%+v", *r)
			}
			rows[j].Train, rows[j].Encode, rows[j].Decode = 0, 0, 0
		}
		runs[i] = rows
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%+v\n%+v", runs[0], runs[1])
	}
	kmeans, ema, pq, ssvq := runs[0][0], runs[0][2], runs[0][3], runs[0][4]
	if kmeans.Bits != 10./16 || ema.Bits != kmeans.Bits || pq.Bits != 2 || ssvq.Bits != 2 || pq.PSNR < kmeans.PSNR+2 {
		t.Errorf("%+v", runs[0])
	}
	if ema.PSNR < kmeans.PSNR-.2 {
		t.Errorf("EMA %.2f dB, k-means %.2f", ema.PSNR, kmeans.PSNR)
	}
	if _, err := MeasureBooks(t.Context(), train[patchDim:], test, nil); !errors.Is(err, ErrOptions) {
		t.Error(err)
	}
}
