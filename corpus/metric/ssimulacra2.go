package metric

import (
	"math"
	"sync"
)

// SSIMULACRA 2 (Jon Sneyers, 2022; version 2.1 of 2023, as in the tools of
// libjxl and in https://github.com/cloudinary/ssimulacra2) compares pictures in
// the colours of cones at six scales. Each scale but the first has the means of
// 2x2 pixels of the one before, in linear light. At each, in each of three
// channels, there are three maps of errors:
//
//   - structure: 1 - (1 - (mx - my)^2) cs, at least 0, where cs is that of SSIM
//   - artefacts: edges that only the copy has, and
//   - lost detail: edges that only the original has: the positive and the
//     negative part of (1 + |y - my|)/(1 + |x - mx|) - 1
//
// The mean and the 4-norm of each map make 108 numbers, of which a weighted sum
// is mapped to the score: 100 for an exact copy, 90 where experts see no
// difference, 70, 50 and 30 for high, medium and low quality; it has no lower end.
//
// Pictures are taken for sRGB. Weights, constants and the rules for borders are
// those of the reference, also that the weights move up for pictures below 113
// pixels a side, which have fewer scales.
//
// The reference computes in float32, and its recursive blur drifts. In flat bright
// areas the error of the variances nears the constant of cs, so it reads lower. On
// five Kodak pictures that was at most 0.04 for scores below 85 and 0.1 to 0.4 at
// 91, but for kodim20 with its white sky 0.1 at 45, 0.6 at 81 and 1.7 at 92, where
// fused multiplications alone are worth 1.8. Here all is float64, and scores are
// within 0.003 of a port of the reference that was changed to float64.

// minSSIMULACRA2 is the smallest side of a picture.
const minSSIMULACRA2 = 8

const ssimulacra2Scales = 6

// ssimulacra2Window is a Gaussian with sigma 1.5 by three truncated cosines
// (Charalampidis, "Recursive implementation of the Gaussian filter using
// truncated cosine functions", 2016). The reference runs the recursion; this is
// the window that it stands for. What falls outside of the picture counts as 0.
var ssimulacra2Window = window{0.2646211054881986, 0.21292859201042233, 0.1093353727774604, 0.036011114658364304, 0.009414367809653568, 0}

// ssimulacra2Weights are of the channels X, Y and B; in each of the scales, finest
// first; in each of the mean and the 4-norm; in each of structure, artefacts and
// lost detail.
var ssimulacra2Weights = [3 * ssimulacra2Scales * 2 * 3]float64{
	// X
	0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
	0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
	0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
	0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
	0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
	0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
	// Y
	0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
	0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
	225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
	176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
	0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
	0, 0, 0, 0, 0, 0,
	// B
	0, 0.0008680556573291698, 0, 0, 0, 0,
	0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
	0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
	0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
	95.1080498811086, 0.9863978034400682, 0.9834382792465353, 0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
	0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
}

// ssimulacra2 returns the score of two pictures of 8 pixels or more a side.
func ssimulacra2(p, q *samples) float64 {
	w, h := p.w, p.h
	a, b := linear(p), linear(q)
	var maps [3][][6]float64 // by channel and scale
	for scale := 1; ; scale++ {
		last := scale == ssimulacra2Scales || min(w, h) < minSSIMULACRA2
		var nextA, nextB [3][]float32
		if !last {
			nextA, nextB = halveLight(&a, w, h), halveLight(&b, w, h)
		}
		toXYB(&a)
		toXYB(&b)
		for c := range maps {
			maps[c] = append(maps[c], ssimulacra2Maps(a[c], b[c], w, h))
		}
		if last {
			break
		}
		a, b = nextA, nextB
		w, h = (w+1)/2, (h+1)/2
	}
	sum := 0.0
	i := 0
	for c := range maps {
		for _, m := range maps[c] {
			for _, v := range m {
				sum += ssimulacra2Weights[i] * v
				i++
			}
		}
	}
	sum *= 0.9562382616834844
	sum = 2.326765642916932*sum - 0.020884521182843837*sum*sum + 6.248496625763138e-5*sum*sum*sum
	if sum <= 0 {
		return 100
	}
	return 100 - 10*math.Pow(sum, 0.6276336467831387)
}

// ssimulacra2Maps returns the means and then the 4-norms of the maps of structure,
// artefacts and lost detail.
func ssimulacra2Maps(a, b []float32, w, h int) (m [6]float64) {
	load := func(y int, u, v []float64) {
		clear(u)
		clear(v)
		y -= windowRadius
		if y < 0 || y >= h {
			return
		}
		u, v = u[windowRadius:][:w], v[windowRadius:][:w]
		a, b := a[y*w:][:w], b[y*w:][:w]
		for i := range a {
			u[i] = float64(a[i]) + float64(b[i])
			v[i] = float64(a[i]) - float64(b[i])
		}
	}
	emit := func(y int, mo *moments) {
		a, b := a[y*w:][:w], b[y*w:][:w]
		u, v, uu, vv := mo.u[:w], mo.v[:w], mo.uu[:w], mo.vv[:w]
		var row [6]float64
		for i := range a {
			const c2 = 2 * 0.0009
			vu, vv := uu[i]-u[i]*u[i], vv[i]-v[i]*v[i]
			d := max(0, 1-(1-v[i]*v[i])*(vu-vv+c2)/(vu+vv+c2))
			row[0] += d
			d *= d
			row[3] += d * d

			x := math.Abs(float64(a[i]) - (u[i]+v[i])/2)
			y := math.Abs(float64(b[i]) - (u[i]-v[i])/2)
			e := (1+y)/(1+x) - 1
			e4 := e * e
			e4 *= e4
			if e > 0 {
				row[1] += e
				row[4] += e4
			} else {
				row[2] -= e
				row[5] += e4
			}
		}
		for i, v := range row {
			m[i] += v
		}
	}
	slide(w+2*windowRadius, h+2*windowRadius, &ssimulacra2Window, load, emit)
	n := float64(w) * float64(h)
	for i := range m {
		m[i] /= n
		if i >= 3 {
			m[i] = math.Sqrt(math.Sqrt(m[i]))
		}
	}
	return m
}

// light returns the intensity, 0 to 1, of samples of sRGB (IEC 61966-2-1).
var light = sync.OnceValue(func() *[maxSample + 1]float32 {
	t := new([maxSample + 1]float32)
	for i := range t {
		v := float64(i) / maxSample
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		t[i] = float32(v)
	}
	return t
})

// linear returns the intensities of R, G and B.
func linear(s *samples) (rgb [3][]float32) {
	light := light()
	for c := range rgb {
		rgb[c] = make([]float32, len(s.c[c]))
		for i, v := range s.c[c] {
			rgb[c][i] = light[v]
		}
	}
	return rgb
}

// halveLight returns planes of half the size, rounded up, of the means of 2x2
// samples. The last row and the last column count twice where they are odd.
func halveLight(rgb *[3][]float32, w, h int) (half [3][]float32) {
	w2, h2 := (w+1)/2, (h+1)/2
	for c, plane := range rgb {
		half[c] = make([]float32, w2*h2)
		for y := range h2 {
			dst := half[c][y*w2:][:w2]
			top := plane[2*y*w:][:w]
			bottom := plane[min(2*y+1, h-1)*w:][:w]
			for x := range w / 2 {
				dst[x] = (top[2*x] + top[2*x+1] + bottom[2*x] + bottom[2*x+1]) / 4
			}
			if w%2 == 1 {
				dst[w2-1] = (top[w-1] + bottom[w-1]) / 2
			}
		}
	}
	return half
}

// toXYB turns intensities of R, G and B into the XYB of JPEG XL, in place: cube
// roots of what cones of long, medium and short wavelengths L, M and S absorb, as
// (L-M)/2, (L+M)/2 and S, here shifted and scaled to 0..1 with S taken relative to
// (L+M)/2.
func toXYB(rgb *[3][]float32) {
	const (
		bias = 0.0037930732552754493
		l0   = 0.30
		l2   = 0.078
		m0   = 0.23
		m2   = 0.078
		s0   = 0.24342268924547819
		s1   = 0.20476744424496821
	)
	shift := math.Cbrt(bias)
	n := len(rgb[0])
	x, y, z := rgb[0], rgb[1][:n], rgb[2][:n]
	for i := range x {
		r, g, b := float64(x[i]), float64(y[i]), float64(z[i])
		l := math.Cbrt(l0*r+(1-l0-l2)*g+l2*b+bias) - shift
		m := math.Cbrt(m0*r+(1-m0-m2)*g+m2*b+bias) - shift
		s := math.Cbrt(s0*r+s1*g+(1-s0-s1)*b+bias) - shift
		x[i] = float32((l-m)/2*14 + 0.42)
		y[i] = float32((l+m)/2 + 0.01)
		z[i] = float32(s - (l+m)/2 + 0.55)
	}
}
