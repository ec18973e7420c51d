package training

import (
	"context"
	"fmt"
	"image"
	"iter"
	"math/rand/v2"

	"golang.org/x/image/draw"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/transform/convnet"
)

// scales are the sizes at which pictures are kept. Smaller ones are sharper, and what a
// lossy codec did to a photograph before is gone from them.
var scales = []float64{1, 0.7, 0.5}

// Data is pictures to train on, in memory at several sizes: some six bytes for each of
// their pixels.
type Data struct {
	pictures []*rgb
}

// rgb is [h][w][3].
type rgb struct {
	w, h    int
	pixels  []uint8
	reduced bool // not the picture as it was
}

// Load reads all pictures of a folder. It leaves out those that cannot be read, and
// sizes smaller than a crop of the given side; warn, unless nil, is told of them.
func Load(ctx context.Context, folder string, side int, warn func(error)) (*Data, error) {
	c, err := dataset.Open(folder, nil)
	if err != nil {
		return nil, err
	}
	if warn == nil {
		warn = func(error) {}
	}
	d := &Data{}
	for e, err := range c.All(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			warn(err)
			continue
		}
		if !d.Add(e.Picture.Image, side) {
			warn(fmt.Errorf("%s is smaller than a crop of %d x %d", e.Name, side, side))
		}
	}
	if d.Empty() {
		return nil, fmt.Errorf("train: %s has no picture of %d x %d pixels or more", folder, side, side)
	}
	return d, nil
}

// Empty says that there are no pictures, or no Data.
func (d *Data) Empty() bool { return d == nil || len(d.pictures) == 0 }

// Add adds m in all sizes that hold a crop of the given side, and says whether there was
// one.
func (d *Data) Add(m image.Image, side int) bool {
	any := false
	for _, s := range scales {
		b := m.Bounds()
		w, h := int(float64(b.Dx())*s), int(float64(b.Dy())*s)
		if w < side || h < side {
			continue
		}
		to := image.NewRGBA(image.Rect(0, 0, w, h))
		if s == 1 {
			draw.Draw(to, to.Rect, m, b.Min, draw.Src)
		} else {
			draw.CatmullRom.Scale(to, to.Rect, m, b, draw.Src, nil)
		}
		p := &rgb{w, h, make([]uint8, 3*w*h), s != 1}
		for i := range w * h {
			copy(p.pixels[3*i:3*i+3], to.Pix[4*i:])
		}
		d.pictures = append(d.pictures, p)
		any = true
	}
	return any
}

// crop sets x, [side][side][3], to a random square of a random picture, turned or
// mirrored at random.
func (d *Data) crop(x []float32, side int, r *rand.Rand) {
	p := d.pictures[r.IntN(len(d.pictures))]
	y0, x0 := r.IntN(p.h-side+1), r.IntN(p.w-side+1)
	turn := r.IntN(8)
	for i := range side {
		for j := range side {
			a, b := i, j
			if turn&1 != 0 {
				a = side - 1 - a
			}
			if turn&2 != 0 {
				b = side - 1 - b
			}
			if turn&4 != 0 {
				a, b = b, a
			}
			at := ((y0+a)*p.w + x0 + b) * 3
			for c, v := range p.pixels[at : at+3] {
				x[(i*side+j)*3+c] = (float32(v) - convnet.PixelZero) / convnet.PixelUnit
			}
		}
	}
}

// Crops returns n random crops, sides of which are multiples of 64: such as the codecs'
// NewModel takes magnitudes and frequencies from.
func (d *Data) Crops(n, side int, seed uint64) []convnet.Picture {
	r := rand.New(rand.NewPCG(seed, 0))
	var pictures []convnet.Picture
	for range n {
		p := convnet.Picture{H: side, W: side, Data: make([]float32, side*side*3)}
		d.crop(p.Data, side, r)
		pictures = append(pictures, p)
	}
	return pictures
}

// Centres yields the middles of the pictures as they were, of sides up to the given one
// that are multiples of 64.
func (d *Data) Centres(side int) iter.Seq[convnet.Picture] {
	return func(yield func(convnet.Picture) bool) {
		for _, p := range d.pictures {
			if !p.reduced && !yield(p.centre(side)) {
				return
			}
		}
	}
}

func (p *rgb) centre(side int) convnet.Picture {
	h, w := min(p.h, side)&^63, min(p.w, side)&^63
	y0, x0 := (p.h-h)/2, (p.w-w)/2
	out := convnet.Picture{H: h, W: w, Data: make([]float32, h*w*3)}
	for y := range h {
		for x, v := range p.pixels[((y0+y)*p.w+x0)*3:][:w*3] {
			out.Data[y*w*3+x] = (float32(v) - convnet.PixelZero) / convnet.PixelUnit
		}
	}
	return out
}
