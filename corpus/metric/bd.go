package metric

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/interp"
	"gonum.org/v1/gonum/mat"
)

// The Bjontegaard delta of two rate-distortion curves is the mean distance
// between them: horizontally in ln(rate) over the qualities that both reach
// (the rate saved at equal quality), or vertically in quality over the ln(rate)
// that both span (the quality gained at equal rate).
//
//	BDRate    = 100 (exp(1/(q1-q0) ∫ ln r_test(q) - ln r_anchor(q) dq) - 1)  over [q0, q1]
//	BDQuality = 1/(u1-u0) ∫ q_test(u) - q_anchor(u) du,  u = ln(rate),       over [u0, u1]
//
// G. Bjontegaard, "Calculation of average PSNR differences between RD-curves",
// ITU-T SG16 Q.6, VCEG-M33, 2001, fits a polynomial of third order; his
// "Improvements of the BD-PSNR model", VCEG-AI11, 2008, and the test conditions
// of HEVC (JCTVC-L1100) and VVC (JVET-T2010) go over to piecewise cubics. Herglotz
// et al., "The Bjøntegaard Bible", arXiv:2304.12852, measure how far the variants
// err; Barman et al., "Bjøntegaard Delta (BD): A Tutorial Overview of the Metric,
// Evolution, Challenges, and Recommendations", 2024, tell where they mislead.

// A Point is a point of a rate-distortion curve.
type Point struct {
	Rate    float64 // > 0, such as bits per pixel
	Quality float64 // rises with the rate, such as dB
}

// An Interpolation says how a curve runs between its points.
type Interpolation int

const (
	// PCHIP goes through all points by monotone cubic pieces (Fritsch and Butland,
	// SIAM J. Sci. Stat. Comput. 5(2), 1984), as the common test conditions of HEVC
	// and VVC do. It needs 2 points and suits curves of any shape and length.
	PCHIP Interpolation = iota

	// Cubic is the one polynomial of third order of VCEG-M33: through 4 points, the
	// least squares fit to more. It needs 4 points; on curves with many points or
	// of wide range it strays from them.
	Cubic
)

// String returns the name of m.
func (m Interpolation) String() string {
	switch m {
	case PCHIP:
		return "PCHIP"
	case Cubic:
		return "cubic"
	}
	return fmt.Sprintf("Interpolation(%d)", int(m))
}

// A Range is closed. As a restriction, its zero value and infinite ends restrict
// nothing.
type Range struct{ Low, High float64 }

// A Delta is the mean distance of two curves.
type Delta struct {
	Value   float64 // percent of rate (BDRate) or units of quality (BDQuality)
	Overlap Range   // of quality (BDRate) or of rate (BDQuality), over which the mean was taken

	// Share is the part that the overlap has of all that the two curves span
	// together within the clip, above 0 and at most 1; BDQuality measures it in
	// ln(rate). A small share makes the value doubtful.
	Share float64
}

var (
	// ErrNoOverlap says that the two curves and the clip have no range in common.
	ErrNoOverlap = errors.New("metric: the curves do not overlap")

	// ErrTooFewPoints says that a curve has fewer points than its interpolation needs.
	ErrTooFewPoints = errors.New("metric: too few points")

	// ErrNotMonotone says that more rate does not buy more quality all along a curve.
	ErrNotMonotone = errors.New("metric: the rate does not rise with the quality")

	// ErrNotFinite says that a rate or quality is infinite, NaN or out of range, or
	// that the distance of the curves is beyond what a float64 holds.
	ErrNotFinite = errors.New("metric: not a finite number in range")
)

// BDRate returns by how many percent the rate of test exceeds that of anchor at
// equal quality, on the (geometric) mean over the qualities within clip that both
// curves reach: -10 says that test needs a tenth less. The points may come in any
// order.
//
// It returns an error that wraps ErrTooFewPoints, ErrNotFinite (also for rates
// that are not positive), ErrNotMonotone or ErrNoOverlap.
func BDRate(anchor, test []Point, m Interpolation, clip Range) (Delta, error) {
	d, err := delta(anchor, test, m, clip, "quality", func(p Point) (x, y float64) {
		return p.Quality, math.Log(p.Rate)
	})
	d.Value = 100 * math.Expm1(d.Value)
	return finite(d, err)
}

// BDQuality returns by how much the quality of test exceeds that of anchor at
// equal rate, on the mean over the ln(rate) within clip, a range of rates, that
// both curves span. The points may come in any order. The errors are those of
// BDRate.
func BDQuality(anchor, test []Point, m Interpolation, clip Range) (Delta, error) {
	if clip.Low < 0 || clip.High < 0 {
		return Delta{}, fmt.Errorf("%w: clip from %g to %g of the rate", ErrNotFinite, clip.Low, clip.High)
	}
	if clip != (Range{}) {
		clip = Range{math.Log(clip.Low), math.Log(clip.High)}
		if clip == (Range{}) { // from rate 1 to rate 1
			return Delta{}, ErrNoOverlap
		}
	}
	d, err := delta(anchor, test, m, clip, "ln(rate)", func(p Point) (x, y float64) {
		return math.Log(p.Rate), p.Quality
	})
	d.Overlap = Range{math.Exp(d.Overlap.Low), math.Exp(d.Overlap.High)}
	return finite(d, err)
}

// finite refuses the deltas of curves with extreme slopes or distances.
func finite(d Delta, err error) (Delta, error) {
	if err == nil && !isFinite(d.Value, d.Share, d.Overlap.Low, d.Overlap.High) {
		err = fmt.Errorf("%w: the distance of the curves", ErrNotFinite)
	}
	if err != nil {
		return Delta{}, err
	}
	return d, nil
}

func isFinite(v ...float64) bool {
	for _, x := range v {
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return false
		}
	}
	return true
}

// delta returns the mean of y_test(x) - y_anchor(x) over the x of clip that both
// curves span, where axes gives the x and y of a point and x is named for errors.
func delta(anchor, test []Point, m Interpolation, clip Range, name string, axes func(Point) (x, y float64)) (Delta, error) {
	if clip == (Range{}) {
		clip = Range{math.Inf(-1), math.Inf(1)}
	}
	if !(clip.Low <= clip.High) {
		return Delta{}, fmt.Errorf("%w: clip from %s %g to %g", ErrNotFinite, name, clip.Low, clip.High)
	}
	a, err := newCurve(anchor, m, axes)
	if err != nil {
		return Delta{}, fmt.Errorf("%w (anchor)", err)
	}
	t, err := newCurve(test, m, axes)
	if err != nil {
		return Delta{}, fmt.Errorf("%w (test)", err)
	}
	overlap := Range{max(a.low(), t.low(), clip.Low), min(a.high(), t.high(), clip.High)}
	union := Range{max(min(a.low(), t.low()), clip.Low), min(max(a.high(), t.high()), clip.High)}
	if overlap.Low >= overlap.High {
		return Delta{}, fmt.Errorf("%w: anchor from %s %g to %g, test from %g to %g, clip from %g to %g",
			ErrNoOverlap, name, a.low(), a.high(), t.low(), t.high(), clip.Low, clip.High)
	}
	width := overlap.High - overlap.Low
	return Delta{
		Value:   (t.integral(overlap) - a.integral(overlap)) / width,
		Overlap: overlap,
		Share:   width / (union.High - union.Low),
	}, nil
}

// A curve is piecewise cubic with a piece from each x to the next.
type curve struct {
	x []float64 // rises strictly
	f interp.Predictor
}

func newCurve(points []Point, m Interpolation, axes func(Point) (x, y float64)) (*curve, error) {
	need := 2
	switch m {
	case PCHIP:
	case Cubic:
		need = 4
	default:
		return nil, fmt.Errorf("metric: unknown interpolation %d", int(m))
	}
	if len(points) < need {
		return nil, fmt.Errorf("%w: %d of at least %d", ErrTooFewPoints, len(points), need)
	}
	for _, p := range points {
		if !(p.Rate > 0) || !isFinite(p.Rate, p.Quality) {
			return nil, fmt.Errorf("%w: rate %g, quality %g", ErrNotFinite, p.Rate, p.Quality)
		}
	}
	points = slices.Clone(points)
	slices.SortFunc(points, func(p, q Point) int { return cmp.Compare(p.Quality, q.Quality) })
	x, y := make([]float64, len(points)), make([]float64, len(points))
	for i, p := range points {
		x[i], y[i] = axes(p)
		// Compared are x and y, as distinct rates may have the same logarithm.
		if i > 0 && (x[i] <= x[i-1] || y[i] <= y[i-1]) {
			q := points[i-1]
			return nil, fmt.Errorf("%w: from rate %g, quality %g to rate %g, quality %g",
				ErrNotMonotone, q.Rate, q.Quality, p.Rate, p.Quality)
		}
	}
	if m == Cubic {
		f, err := fitPolynomial(x, y)
		if err != nil {
			return nil, err
		}
		return &curve{x, f}, nil
	}
	var f interp.FritschButland
	if err := f.Fit(x, y); err != nil {
		return nil, err
	}
	return &curve{x, &f}, nil
}

func (c *curve) low() float64  { return c.x[0] }
func (c *curve) high() float64 { return c.x[len(c.x)-1] }

// integral returns the integral over r, which lies within the curve. The rule of
// Gauss and Legendre with 2 nodes is exact on each cubic piece.
func (c *curve) integral(r Range) float64 {
	sum := 0.0
	for i := range len(c.x) - 1 {
		low, high := max(c.x[i], r.Low), min(c.x[i+1], r.High)
		if low < high {
			sum += quad.Fixed(c.f.Predict, low, high, 2, quad.Legendre{}, 0)
		}
	}
	return sum
}

// A polynomial of third order in t = (x-centre)/scale.
type polynomial struct {
	centre, scale float64
	c             [4]float64 // of t^0 to t^3
}

// fitPolynomial returns the least squares fit. It brings x, which rises, to
// [-1, 1], where the columns of the system are far from parallel, and solves it
// by QR rather than by its normal equations, which would square its condition.
func fitPolynomial(x, y []float64) (*polynomial, error) {
	n := len(x)
	p := &polynomial{centre: x[0] + (x[n-1]-x[0])/2, scale: (x[n-1] - x[0]) / 2}
	a := mat.NewDense(n, 4, nil)
	for i, v := range x {
		t := (v - p.centre) / p.scale
		a.SetRow(i, []float64{1, t, t * t, t * t * t})
	}
	var qr mat.QR
	qr.Factorize(a)
	c := mat.NewVecDense(4, p.c[:])
	if err := qr.SolveVecTo(c, false, mat.NewVecDense(n, y)); err != nil {
		return nil, fmt.Errorf("%w: the points lie too close for a cubic: %w", ErrNotFinite, err)
	}
	return p, nil
}

// Predict returns the value at x.
func (p *polynomial) Predict(x float64) float64 {
	t := (x - p.centre) / p.scale
	return p.c[0] + t*(p.c[1]+t*(p.c[2]+t*p.c[3]))
}
