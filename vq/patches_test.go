package vq

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// patches returns n patches of size x size grey pixels, in -0.5..0.5, taken at random
// places of the photographs in a folder, all alike, after one another.
func patches(t testing.TB, folder string, size, n int, seed uint64) []float32 {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join("../../shared/data", folder, "*.*g"))
	if len(files) == 0 {
		t.Skip("no photographs in ../../shared/data/" + folder)
	}
	slices.Sort(files)
	r := newRand(seed, 77)
	x := make([]float32, 0, n*size*size)
	for i, f := range files {
		y, w, h := grey(t, f)
		for range n*(i+1)/len(files) - n*i/len(files) {
			at := r.IntN(h-size+1)*w + r.IntN(w-size+1)
			for j := range size {
				x = append(x, y[at+j*w:at+j*w+size]...)
			}
		}
	}
	return x
}

// grey returns a picture's luma (BT.601).
func grey(t testing.TB, file string) (y []float32, w, h int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	w, h = b.Dx(), b.Dy()
	y = make([]float32, 0, w*h)
	if p, ok := m.(*image.YCbCr); ok {
		for j := range h {
			for _, v := range p.Y[p.YOffset(b.Min.X, b.Min.Y+j):][:w] {
				y = append(y, float32(v)/255-0.5)
			}
		}
		return y, w, h
	}
	for j := b.Min.Y; j < b.Max.Y; j++ {
		for i := b.Min.X; i < b.Max.X; i++ {
			var r, g, c uint32
			if p, ok := m.(*image.RGBA); ok {
				q := p.Pix[p.PixOffset(i, j):]
				r, g, c = uint32(q[0])*257, uint32(q[1])*257, uint32(q[2])*257
			} else {
				r, g, c, _ = m.At(i, j).RGBA()
			}
			y = append(y, (0.299*float32(r)+0.587*float32(g)+0.114*float32(c))/65535-0.5)
		}
	}
	return y, w, h
}
