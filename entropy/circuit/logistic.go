package circuit

import (
	"fmt"
	"math"
)

// Logistic leaves. The values of a state are, instead of a table of their
// probabilities, a mixture of few discretised logistics,
//
//	P(x) = F((x+1/2-mean)/scale) - F((x-1/2-mean)/scale)    F(t) = 1/(1+exp(-t))
//
// where the first and the last value take the tails (Salimans, Karpathy, Chen and
// Kingma, "PixelCNN++", 2017), and a uniform distribution, so that nothing is
// impossible. The table follows from these few numbers, the same on every machine.
//
// Training improves them by generalised expectation maximisation: given the expected
// counts of values in a state, weights are fitted by expectation maximisation over the
// components, and means and scales by steps of Fisher scoring that are halved until
// the likelihood of the counts does not fall.

const (
	// MaxLogistics is the largest number of logistics in a leaf's mixture.
	MaxLogistics = 8

	logisticSteps      = 2  // in every M-step
	firstLogisticSteps = 20 // from the first guess
	leastUniform       = 1.0 / 4 / (1 << 18)
	leastScale         = 1.0 / 32
	mostScale          = MaxCats
)

// A logisticParams is a leaf's mixture as numbers: the weight of the uniform distribution,
// then weight, mean and scale of each component. Weights sum to 1, means are within
// the values, scales from 1/32 to 4096.
type logisticParams []float32

func logisticSize(components int) int { return 1 + 3*components }

func (p logisticParams) validate(cats int) error {
	sum := float64(p[0])
	ok := p[0] > 0
	for k := 1; k < len(p); k += 3 {
		sum += float64(p[k])
		ok = ok && p[k] >= 0 && p[k+1] >= 0 && p[k+1] <= float32(cats-1) && p[k+2] >= leastScale && p[k+2] <= mostScale
	}
	if !ok || !(math.Abs(sum-1) < 1e-3) {
		return fmt.Errorf("logistic mixture %v of %d values", []float32(p), cats)
	}
	return nil
}

// expCoefficients are 1/k!, from k = 10 down to 0.
var expCoefficients = [...]float64{
	1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
}

// sigmoid returns 1/(1+exp(-t)) within 1e-12: every product is rounded, so that it is
// the same on every machine, as with math.Exp it would not be.
func sigmoid(t float64) float64 {
	const (
		far   = 40 // where it is 0 or 1 but for 2^-57
		ln2Hi = 6.93147180369123816490e-01
		ln2Lo = 1.90821492927058770002e-10
	)
	a := -math.Abs(t)
	e := 0.0
	if a > -far {
		n := math.Floor(float64(a*math.Log2E) + 0.5)
		r := a - float64(n*ln2Hi)
		r -= float64(n * ln2Lo)
		for _, c := range expCoefficients {
			e = float64(e*r) + c
		}
		e = float64(e * math.Float64frombits(uint64(1023+int(n))<<52))
	}
	if t < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// logistic sets p to the probabilities of a discretised logistic.
func logistic(p []float64, mean, scale float64) {
	below := 0.0
	for x := range p[:len(p)-1] {
		f := sigmoid((float64(x) + 0.5 - mean) / scale)
		p[x] = max(f-below, 0)
		below = f
	}
	p[len(p)-1] = 1 - below
}

// mixture sets row to the probabilities of a mixture, whose weights need not sum to 1.
// temp is as long.
func mixture(row []float32, weights, means, scales []float64, temp []float64) {
	// weights[0] is that of the uniform distribution.
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	total := make([]float64, len(row))
	for x := range total {
		total[x] = weights[0] / float64(len(row))
	}
	for k, w := range weights[1:] {
		logistic(temp, means[k], scales[k])
		for x, p := range temp {
			total[x] += float64(w * p)
		}
	}
	for x, p := range total {
		row[x] = float32(p / sum)
	}
}

// A logisticFit fits mixtures to counts.
type logisticFit struct {
	cats, components       int
	counts, sum, ratio     []float64   // [cats]
	p                      [][]float64 // [components][cats]: probabilities
	byMean, byScale        []float64   // [cats]: derivatives of a component's, the latter by the logarithm
	next                   []float64   // [cats]
	weights, means, scales []float64
}

func newLogisticFit(cats, components int) *logisticFit {
	f := &logisticFit{cats: cats, components: components, p: make([][]float64, components)}
	for _, s := range []*[]float64{&f.counts, &f.sum, &f.ratio, &f.byMean, &f.byScale, &f.next} {
		*s = make([]float64, cats)
	}
	for k := range f.p {
		f.p[k] = make([]float64, cats)
	}
	f.weights, f.means, f.scales = make([]float64, components+1), make([]float64, components), make([]float64, components)
	return f
}

// load takes the mixture p.
func (f *logisticFit) load(p logisticParams) {
	f.weights[0] = float64(p[0])
	for k := range f.components {
		f.weights[k+1], f.means[k], f.scales[k] = float64(p[1+3*k]), float64(p[2+3*k]), float64(p[3+3*k])
	}
}

// store sets p to the mixture and row to its probabilities.
func (f *logisticFit) store(p logisticParams, row []float32) {
	p[0] = float32(f.weights[0])
	for k := range f.components {
		p[1+3*k], p[2+3*k], p[3+3*k] = float32(f.weights[k+1]), float32(f.means[k]), float32(f.scales[k])
	}
	f.load(p)
	mixture(row, f.weights, f.means, f.scales, f.next)
}

// setCounts sets the counts to fit: those given, and prior more, spread as given.
func (f *logisticFit) setCounts(counts, spread []float32, prior float32) {
	for x, n := range counts {
		f.counts[x] = float64(n) + float64(prior)*float64(spread[x])
	}
}

// guess is a first mixture for the counts: components side by side, of equal weight.
func (f *logisticFit) guess() {
	total, mean, square := 0.0, 0.0, 0.0
	for x, n := range f.counts {
		total += n
		mean += n * float64(x)
		square += n * float64(x) * float64(x)
	}
	mean /= total
	// A logistic's deviation is pi/sqrt(3) of its scale.
	scale := math.Sqrt(max(square/total-mean*mean, 0)) * math.Sqrt(3) / math.Pi / float64(f.components)
	f.weights[0] = 0.01
	x, below := 0, f.counts[0]
	for k := range f.components {
		for at := (float64(k) + 0.5) / float64(f.components) * total; below < at && x < f.cats-1; {
			x++
			below += f.counts[x]
		}
		f.weights[k+1] = 0.99 / float64(f.components)
		f.means[k] = float64(x)
		// Scales differ, so that components with one mean do.
		f.scales[k] = min(max(scale*float64(1+k), 0.5), mostScale)
	}
}

// improve does so many steps. The likelihood of the counts does not fall.
func (f *logisticFit) improve(steps int) {
	for k := range f.p {
		logistic(f.p[k], f.means[k], f.scales[k])
	}
	for range steps {
		total, uniform := 0.0, f.weights[0]/float64(f.cats)
		for x := range f.sum {
			f.sum[x] = uniform
		}
		for k, p := range f.p {
			for x, q := range p {
				f.sum[x] += f.weights[k+1] * q
			}
		}
		weight := 0.0
		for x, n := range f.counts {
			f.ratio[x] = n / f.sum[x]
			weight += uniform * f.ratio[x]
			total += n
		}
		if !(total > 0) {
			return
		}
		f.weights[0] = max(weight/total, leastUniform)
		all := f.weights[0]
		for k, p := range f.p {
			weight := 0.0
			for x, q := range p {
				weight += q * f.ratio[x]
			}
			w := f.weights[k+1]
			f.weights[k+1] = w * weight / total
			all += f.weights[k+1]
			if w*weight > 1e-9*total {
				f.move(k, w)
			}
		}
		for k := range f.weights {
			f.weights[k] /= all
		}
	}
}

// move improves mean and scale of component k, whose weight was w, by one step.
func (f *logisticFit) move(k int, w float64) {
	p, mean, scale := f.p[k], f.means[k], f.scales[k]
	// With f = F(1-F) at both edges of a value,
	//
	//	dP/dmean = (f(lower)-f(upper))/scale    dP/dlog(scale) = lower*f(lower)-upper*f(upper)
	slope, moment := 0.0, 0.0
	cumulative := 0.0
	for x := range p {
		s, m := 0.0, 0.0
		if x < f.cats-1 {
			cumulative += p[x]
			s = cumulative * (1 - cumulative)
			m = s * ((float64(x) + 0.5 - mean) / scale)
		}
		f.byMean[x], f.byScale[x] = (slope-s)/scale, moment-m
		slope, moment = s, m
	}
	var g [2]float64    // gradient of the likelihood of the component's share of the counts
	var info [3]float64 // Fisher information: mean, both, scale
	n, before := 0.0, 0.0
	for x, q := range p {
		a, b, r := f.byMean[x], f.byScale[x], w*f.ratio[x]
		g[0] += r * a
		g[1] += r * b
		if q > 1e-12 {
			info[0] += a * a / q
			info[1] += a * b / q
			info[2] += b * b / q
			n += r * q
			before += r * q * math.Log(q)
		}
	}
	// A little more, as where all is in one value there is no information.
	info[0] += 1e-3 / (scale * scale)
	info[2] += 1e-3
	d := n * (info[0]*info[2] - info[1]*info[1])
	if !(d > 0) {
		return
	}
	byMean := min(max((g[0]*info[2]-g[1]*info[1])/d, -4*scale), 4*scale)
	byMean = min(max(mean+byMean, 0), float64(f.cats-1)) - mean
	// Given that step of the mean, which a bound may have shortened.
	byScale := min(max((g[1]/n-info[1]*byMean)/info[2], -1), 1)
	for range 5 {
		m := min(max(mean+byMean, 0), float64(f.cats-1))
		s := min(max(scale*math.Exp(byScale), leastScale), min(mostScale, float64(f.cats)))
		logistic(f.next, m, s)
		after := 0.0
		for x, q := range p {
			if r := w * f.ratio[x] * q; q > 1e-12 && r > 0 {
				after += r * math.Log(max(f.next[x], 1e-300))
			}
		}
		if after >= before {
			f.means[k], f.scales[k] = m, s
			f.p[k], f.next = f.next, f.p[k]
			return
		}
		byMean, byScale = byMean/2, byScale/2
	}
}
