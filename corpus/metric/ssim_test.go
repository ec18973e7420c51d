package metric

import (
	"image"
	"math"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

// Values of pytorch-msssim 1.0.0 in float64 with a window computed in float64
// (its own window is of float32, which shifts values by some 4e-6), and for
// ssim, the same to 1e-14, of scikit-image 0.26's structural_similarity with
// gaussian_weights, sigma 1.5 and without use_sample_covariance.
func TestReferenceSSIM(t *testing.T) {
	pictures := testPictures()
	for name, want := range map[string]struct{ ssim, msssim float64 }{
		"coarse":   {0.69560121442507, 0.88113728278967},
		"deep":     {0.84711233247911, 0.97651754109231},
		"fine":     {0.98426978554745, 0.99868272245456},
		"gray":     {0.91430892321664, 0.98770798353453},
		"inverse":  {-0.44323753726546, 0},
		"odd":      {0.88651920080584, 0.98746369125323},
		"portrait": {0.843547694663, 0.96965219976173},
		"smallest": {0.87362758939668, 0.98461985925552},
		"strip":    {0.92782764723535, none},
		"tiny":     {0.75596656139841, none},
	} {
		t.Run(name, func(t *testing.T) {
			p := pictures[name]
			v := compare(t, p[0], p[1], SSIM|MSSSIM)
			v.want(t, "ssim", want.ssim)
			v.want(t, "ms_ssim", want.msssim)
		})
	}
}

// testPictures returns pairs of pictures, of which other programs computed values
// for the tests.
func testPictures() map[string][2]image.Image {
	pairs := map[string][2]image.Image{}
	for _, c := range []struct {
		name string
		w, h int
		step int
	}{
		{"fine", 256, 192, 6},
		{"coarse", 256, 192, 60},
		{"odd", 201, 177, 24},      // odd at the first scales
		{"smallest", 161, 161, 24}, // odd at all scales
		{"portrait", 163, 322, 24},
		{"tiny", 11, 11, 24},
		{"strip", 48, 12, 24},
	} {
		m := dataset.DeadLeaves(c.w, c.h, 11)
		pairs[c.name] = [2]image.Image{m, distort(m, c.step)}
	}
	m := dataset.DeadLeaves(240, 180, 12)
	d := distort(m, 32)
	pairs["inverse"] = [2]image.Image{m, inverse(m)} // negative covariances
	pairs["deep"] = [2]image.Image{deep(m), deep(d)}
	pairs["gray"] = [2]image.Image{convert(image.NewGray(m.Rect), m), convert(image.NewGray(m.Rect), d)}
	return pairs
}

// plane is a picture of one channel with samples of 0..255.
type plane struct {
	w, h int
	v    []float64
}

func (p plane) at(x, y int) float64 {
	if x < 0 || y < 0 {
		return 0
	}
	return p.v[y*p.w+x]
}

// half is the specification of halve.
func (p plane) half() plane {
	q := plane{w: (p.w + 1) / 2, h: (p.h + 1) / 2}
	for y := range q.h {
		for x := range q.w {
			x, y := 2*x-p.w%2, 2*y-p.h%2
			q.v = append(q.v, (p.at(x, y)+p.at(x+1, y)+p.at(x, y+1)+p.at(x+1, y+1))/4)
		}
	}
	return q
}

// specSSIM follows the papers, in the order in which they are written.
func specSSIM(x, y plane) (ssim, cs float64) {
	var window [11][11]float64
	sum := 0.0
	for i := range 11 {
		for j := range 11 {
			window[i][j] = math.Exp(-float64((i-5)*(i-5)+(j-5)*(j-5)) / (2 * 1.5 * 1.5))
			sum += window[i][j]
		}
	}
	n := 0.0
	for top := range x.h - 10 {
		for left := range x.w - 10 {
			var mx, my, xx, yy, xy float64
			for i := range 11 {
				for j := range 11 {
					w := window[i][j] / sum
					a, b := x.at(left+j, top+i), y.at(left+j, top+i)
					mx += w * a
					my += w * b
					xx += w * a * a
					yy += w * b * b
					xy += w * a * b
				}
			}
			const c1, c2 = 0.01 * 255 * 0.01 * 255, 0.03 * 255 * 0.03 * 255
			c := (2*(xy-mx*my) + c2) / (xx - mx*mx + yy - my*my + c2)
			cs += c
			ssim += c * (2*mx*my + c1) / (mx*mx + my*my + c1)
			n++
		}
	}
	return ssim / n, cs / n
}

func TestSSIMAgainstSpecification(t *testing.T) {
	for _, size := range []image.Point{{161, 163}, {164, 166}} {
		m := dataset.DeadLeaves(size.X, size.Y, 12)
		d := distort(m, 40)
		var x, y plane
		x.w, x.h = size.X, size.Y
		y.w, y.h = size.X, size.Y
		a, b := image.NewGray(m.Rect), image.NewGray(m.Rect)
		for i := range a.Pix {
			a.Pix[i], b.Pix[i] = m.Pix[4*i+1], d.Pix[4*i+1]
			x.v = append(x.v, float64(a.Pix[i]))
			y.v = append(y.v, float64(b.Pix[i]))
		}
		v := compare(t, a, b, All)
		ssim, cs := specSSIM(x, y)
		v.want(t, "ssim", ssim)
		product := 1.0
		for i, weight := range []float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333} {
			if i == 4 {
				cs = ssim
			}
			product *= math.Pow(cs, weight)
			x, y = x.half(), y.half()
			if i < 4 {
				ssim, cs = specSSIM(x, y)
			}
		}
		v.want(t, "ms_ssim", product)
		v.want(t, "ms_ssim_db", -10*math.Log10(1-product))
	}
}
