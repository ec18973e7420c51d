package vqbench

import (
	"fmt"
	"image"
	"math/rand/v2"
)

// Patches returns, for each of counts, so many patches of a picture, [count][size*size]:
// size x size pixels of its luma (BT.601) in -0.5..0.5. They lie on a lattice with a
// random origin, so that no two have a pixel in common, at random places of it. It
// returns an error if the picture has fewer.
func Patches(m image.Image, size int, counts []int, r *rand.Rand) ([][]float32, error) {
	y, w, h := luma(m)
	if size < 1 || w < size || h < size {
		return nil, fmt.Errorf("%w: patches of %d x %d of a picture of %d x %d", ErrOptions, size, size, w, h)
	}
	x0, y0 := r.IntN(min(size, w-size+1)), r.IntN(min(size, h-size+1))
	across, down := (w-x0)/size, (h-y0)/size
	total := 0
	for _, n := range counts {
		if n < 0 || n > across*down-total {
			return nil, fmt.Errorf("%w: a picture of %d x %d has but %d patches of %d x %d", ErrOptions, w, h, across*down, size, size)
		}
		total += n
	}
	places := r.Perm(across * down)
	all := make([][]float32, len(counts))
	for i, n := range counts {
		x := make([]float32, 0, n*size*size)
		for _, p := range places[:n] {
			at := (y0+p/across*size)*w + x0 + p%across*size
			for j := range size {
				x = append(x, y[at+j*w:at+j*w+size]...)
			}
		}
		all[i], places = x, places[n:]
	}
	return all, nil
}

// luma returns a picture's luma, of colours times their alpha.
func luma(m image.Image) (y []float32, w, h int) {
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
			r, g, c, _ := m.At(i, j).RGBA()
			y = append(y, (0.299*float32(r)+0.587*float32(g)+0.114*float32(c))/65535-0.5)
		}
	}
	return y, w, h
}
