package overfit

import (
	"image"

	"github.com/burin-codec/burin/codec"
)

// cell returns how many pixels across and down share a sample of plane p.
func cell(h *codec.Header, p int) (dx, dy int) {
	if p == 0 || p == 3 {
		return 1, 1
	}
	switch h.Subsample {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// shrunk returns the part of a plane that belongs to r, which starts at a cell's corner.
func shrunk(r image.Rectangle, dx, dy int) image.Rectangle {
	return image.Rect(r.Min.X/dx, r.Min.Y/dy, ceil(r.Max.X, dx), ceil(r.Max.Y, dy))
}

// read returns the samples of a tile as numbers in 0..1, [channels][height][width].
func read(src *codec.Source, r image.Rectangle) []float32 {
	h := src.Header()
	planes := h.Planes()
	n := r.Dx() * r.Dy()
	out := make([]float32, len(planes)*n)
	for p := range planes {
		dx, dy := cell(h, p)
		pr := shrunk(r, dx, dy)
		buf := make([]uint16, pr.Dx()*pr.Dy())
		src.ReadPlane(p, pr, buf, pr.Dx())
		scale := 1 / float32(planes[p].MaxValue)
		for y := range r.Dy() {
			row := buf[y/dy*pr.Dx():][:pr.Dx()]
			to := out[p*n+y*r.Dx():][:r.Dx()]
			for x := range to {
				to[x] = min(float32(row[x/dx])*scale, 1)
			}
		}
	}
	return out
}

// write writes the synthesised samples v of a tile, [channels][height][width].
func write(dst *codec.Sink, h *codec.Header, r image.Rectangle, v []float32) error {
	n := r.Dx() * r.Dy()
	buf := make([]uint16, n)
	for p, plane := range h.Planes() {
		from := v[p*n:][:n]
		dx, dy := cell(h, p)
		pr := shrunk(r, dx, dy)
		if dx == 1 && dy == 1 {
			for i, s := range from {
				buf[i] = sample(s, float32(plane.MaxValue))
			}
		} else {
			for i, s := range from {
				buf[i] = sample(s, 65535)
			}
			shrink(buf, r.Dx(), r.Dy(), dx, dy)
		}
		if err := dst.WritePlane(p, pr, buf, pr.Dx()); err != nil {
			return err
		}
	}
	return nil
}

// sample returns the sample of 0 to most for v, as inr.Synthesise does it: in float32, with
// the product rounded before the sum.
func sample(v, most float32) uint16 {
	if !(v > 0) {
		return 0
	}
	if v >= 1 {
		return uint16(most)
	}
	return uint16(float32(most*v) + 0.5)
}

// shrink replaces w x h 16-bit samples by the 8-bit means of cells of dx x dy, of which
// those at the right and the lower border may have fewer pixels: with the sum s of n
// samples floor((255*s + floor(65535*n/2)) / (65535*n)).
func shrink(v []uint16, w, h, dx, dy int) {
	to := 0
	for y := 0; y < h; y += dy {
		for x := 0; x < w; x += dx {
			s, n := 0, 0
			for j := y; j < min(y+dy, h); j++ {
				for _, u := range v[j*w+x : j*w+min(x+dx, w)] {
					s += int(u)
					n++
				}
			}
			v[to] = uint16((255*s + 65535*n/2) / (65535 * n))
			to++
		}
	}
}
