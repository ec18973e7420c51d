package train

import (
	"math"

	"github.com/burin-codec/burin/transform/nn"
)

// The MS-SSIM that training maximises is that of package corpus/metric (Wang, Simoncelli
// and Bovik, 2003) of luma in place of the mean over red, green and blue, for a third of
// the time, with its gradient. With means over a Gaussian window G, which is linear,
//
//	mx = Gx, my = Gy, cov = G(xy) - mx my, var x = G(xx) - mx mx
//	cs = (2 cov + C2)/(var x + var y + C2)    l = (2 mx my + C1)/(mx mx + my my + C1)
//
// the derivatives of cs and l by G(xy), G(xx) and mx are short, and the window's
// transpose brings them back to x.

// scaleWeights are the exponents of the scales, finest first.
var scaleWeights = [...]float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}

const (
	window  = 11
	minSide = (window - 1) << (len(scaleWeights) - 1) // above this there is a whole window in the last scale
	c1      = 0.01 * 255 * 0.01 * 255
	c2      = 0.03 * 255 * 0.03 * 255
)

// gaussian is the window's row, of sigma 1.5 and sum 1.
var gaussian = func() (k [window]float32) {
	var sum float64
	for i := range k {
		d := float64(i - window/2)
		sum += math.Exp(-d * d / 4.5)
	}
	for i := range k {
		d := float64(i - window/2)
		k[i] = float32(math.Exp(-d*d/4.5) / sum)
	}
	return k
}()

// lumaWeights make luma of red, green and blue.
var lumaWeights = [3]float32{0.299, 0.587, 0.114}

// plane is [h][w].
type plane struct {
	w, h int
	v    []float32
}

func newPlane(w, h int) plane { return plane{w, h, make([]float32, w*h)} }

// blur returns the means over all whole windows.
func (p plane) blur() plane {
	rows := newPlane(p.w-window+1, p.h)
	for y := range p.h {
		from, to := p.v[y*p.w:(y+1)*p.w], rows.v[y*rows.w:(y+1)*rows.w]
		for i := range to {
			var s float32
			for k, g := range gaussian {
				s += g * from[i+k]
			}
			to[i] = s
		}
	}
	out := newPlane(rows.w, p.h-window+1)
	for y := range out.h {
		to := out.v[y*out.w : (y+1)*out.w]
		for k, g := range gaussian {
			for i, v := range rows.v[(y+k)*rows.w : (y+k+1)*rows.w] {
				to[i] += g * v
			}
		}
	}
	return out
}

// spread is the transpose of blur.
func (p plane) spread() plane {
	rows := newPlane(p.w, p.h+window-1)
	for y := range p.h {
		from := p.v[y*p.w : (y+1)*p.w]
		for k, g := range gaussian {
			to := rows.v[(y+k)*rows.w : (y+k+1)*rows.w]
			for i, v := range from {
				to[i] += g * v
			}
		}
	}
	out := newPlane(p.w+window-1, rows.h)
	for y := range out.h {
		from, to := rows.v[y*rows.w:(y+1)*rows.w], out.v[y*out.w:(y+1)*out.w]
		for i, v := range from {
			for k, g := range gaussian {
				to[i+k] += g * v
			}
		}
	}
	return out
}

// halve returns the means of 2 x 2, of even sides.
func (p plane) halve() plane {
	out := newPlane(p.w/2, p.h/2)
	for i := range out.v {
		at := i/out.w*2*p.w + i%out.w*2
		out.v[i] = (p.v[at] + p.v[at+1] + p.v[at+p.w] + p.v[at+p.w+1]) / 4
	}
	return out
}

func product(a, b plane) plane {
	out := newPlane(a.w, a.h)
	for i, v := range a.v {
		out.v[i] = v * b.v[i]
	}
	return out
}

// msssim returns the MS-SSIM of x and y, and its gradient with respect to x if it is
// wanted. Sides must be multiples of 16 above minSide.
func msssim(x, y plane, wanted bool) (float64, plane) {
	n := len(scaleWeights)
	xs, ds := make([]plane, n), make([]plane, n)
	means := make([]float64, n)
	for s := range n {
		if s > 0 {
			x, y = x.halve(), y.halve()
		}
		xs[s] = x
		means[s], ds[s] = similarity(x, y, s == n-1, wanted)
	}
	p := 1.0
	for s, m := range means {
		p *= math.Pow(max(m, 1e-3), scaleWeights[s])
	}
	if !wanted {
		return p, plane{}
	}
	for s := n - 1; s >= 0; s-- {
		f := float32(0)
		if means[s] > 1e-3 {
			f = float32(p * scaleWeights[s] / means[s])
		}
		for i := range ds[s].v {
			ds[s].v[i] *= f
		}
		if s == n-1 {
			continue
		}
		for i := range ds[s].v {
			w := xs[s].w
			ds[s].v[i] += ds[s+1].v[i/w/2*(w/2)+i%w/2] / 4
		}
	}
	return p, ds[0]
}

// similarity returns the mean of cs, or of l cs, and its gradient with respect to x.
func similarity(x, y plane, luminance, wanted bool) (float64, plane) {
	mx, my := x.blur(), y.blur()
	xx, yy, xy := product(x, x).blur(), product(y, y).blur(), product(x, y).blur()
	var sum float64
	for i, a := range mx.v {
		b := my.v[i]
		b2 := xx.v[i] - a*a + yy.v[i] - b*b + c2
		cs := (2*(xy.v[i]-a*b) + c2) / b2
		l, dl := float32(1), float32(0)
		if luminance {
			b1 := a*a + b*b + c1
			l = (2*a*b + c1) / b1
			dl = 2 * (b - a*l) / b1
		}
		sum += float64(l * cs)
		// The planes become gradients.
		mx.v[i] = l*2*(a*cs-b)/b2 + cs*dl
		xx.v[i] = -l * cs / b2
		xy.v[i] = l * 2 / b2
	}
	count := float64(len(mx.v))
	if !wanted {
		return sum / count, plane{}
	}
	d, dxx, dxy := mx.spread(), xx.spread(), xy.spread()
	for i := range d.v {
		d.v[i] = (d.v[i] + 2*x.v[i]*dxx.v[i] + y.v[i]*dxy.v[i]) / float32(count)
	}
	return sum / count, d
}

// luma returns that of pixels, [h][w][3] in units of unit whose zero is zero, in 0..255.
func luma(x []float32, w, h int, unit, zero float32) plane {
	p := newPlane(w, h)
	for i := range p.v {
		p.v[i] = zero + unit*(lumaWeights[0]*x[3*i]+lumaWeights[1]*x[3*i+1]+lumaWeights[2]*x[3*i+2])
	}
	return p
}

// similarities returns the MS-SSIM of decoded and true pictures, n of them, and sets d to
// the gradients of its complement times weight[i] with respect to the decoded ones, unless
// d is nil.
func similarities(pool *nn.Pool, d, decoded, truth []float32, n, side int, unit, zero float32, weight []float32) []float64 {
	size := side * side * 3
	out := make([]float64, n)
	pool.Run(n, func(_, i int) {
		a, b := decoded[i*size:(i+1)*size], truth[i*size:(i+1)*size]
		var g plane
		out[i], g = msssim(luma(a, side, side, unit, zero), luma(b, side, side, unit, zero), d != nil)
		for k, v := range g.v {
			for c, w := range lumaWeights {
				d[i*size+3*k+c] = -weight[i] * unit * w * v
			}
		}
	})
	return out
}
