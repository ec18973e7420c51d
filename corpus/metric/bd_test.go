package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// Curves with all that makes interpolation hard: steps in either direction, wide
// gaps, points that lie close.
var (
	irregularA = []Point{{0.0517, 25.31}, {0.13, 27.02}, {0.149, 28.9}, {0.41, 30.11}, {0.44, 33.75}, {1.21, 34.02}, {2.6, 39.9}}
	irregularB = []Point{{0.071, 24.8}, {0.09, 27.7}, {0.31, 30.5}, {0.62, 35.2}, {1.9, 36.1}}
)

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// The curve of one codec moved by a constant is apart by just this constant,
// whichever way it is interpolated: ln(rate) moves as a whole.
func TestBDMoved(t *testing.T) {
	for _, m := range []Interpolation{PCHIP, Cubic} {
		for _, factor := range []float64{0.5, 0.9, 1, 1.25, 3} {
			scaled := slices.Clone(irregularA)
			for i := range scaled {
				scaled[i].Rate *= factor
			}
			d, err := BDRate(irregularA, scaled, m, Range{})
			if err != nil {
				t.Fatal(err)
			}
			if want := 100 * (factor - 1); !near(d.Value, want, 1e-12) || d.Share != 1 || d.Overlap != (Range{25.31, 39.9}) {
				t.Errorf("%v, rate times %g: %+v, want %g %%", m, factor, d, want)
			}
		}
		for _, shift := range []float64{-2, 0, 0.25, 10} {
			shifted := slices.Clone(irregularA)
			for i := range shifted {
				shifted[i].Quality += shift
			}
			d, err := BDQuality(irregularA, shifted, m, Range{})
			if err != nil {
				t.Fatal(err)
			}
			if !near(d.Value, shift, 1e-12) || d.Share != 1 || !near(d.Overlap.Low, 0.0517, 1e-15) || !near(d.Overlap.High, 2.6, 1e-15) {
				t.Errorf("%v, quality plus %g: %+v", m, shift, d)
			}
		}
	}
}

// Two straight lines in ln(rate), 0 to 40 dB and 10 to 30 dB, of slopes 1/10 and
// 2/10: ln of their ratio rises from 0 at 10 dB to 2 at 30 dB.
func TestBDByHand(t *testing.T) {
	line := func(q0, q1, u0, slope float64) []Point {
		var points []Point
		for i := range 5 {
			q := q0 + (q1-q0)*float64(i)/4
			points = append(points, Point{math.Exp(u0 + slope*(q-q0)), q})
		}
		return points
	}
	a, b := line(0, 40, 0, 0.1), line(10, 30, 1, 0.2)
	for _, m := range []Interpolation{PCHIP, Cubic} {
		for _, test := range []struct {
			clip  Range
			mean  float64 // of the ln of the ratio
			share float64
		}{
			{Range{}, 1, 0.5},
			{Range{10, 20}, 0.5, 1},
			{Range{0, 20}, 0.5, 0.5},
			{Range{20, math.Inf(1)}, 1.5, 0.5},
			{Range{-100, 100}, 1, 0.5},
		} {
			d, err := BDRate(a, b, m, test.clip)
			if err != nil {
				t.Fatal(err)
			}
			if want := 100 * (math.Exp(test.mean) - 1); !near(d.Value, want, 1e-12) || !near(d.Share, test.share, 1e-12) {
				t.Errorf("%v, clip %v: %+v, want %g and a share of %g", m, test.clip, d, want, test.share)
			}
		}
		// At ln(rate) u the lines reach 10u and 5u+5 dB, for u from 1 to 4 only.
		d, err := BDQuality(a, b, m, Range{math.E, math.Exp(4)})
		if err != nil {
			t.Fatal(err)
		}
		if want := 5 - 5*2.5; !near(d.Value, want, 1e-12) || !near(d.Share, 1, 1e-12) {
			t.Errorf("%v: %+v, want %g dB", m, d, want)
		}
	}
}

// The values were computed with SciPy's PchipInterpolator and its integral, and
// with NumPy's Polynomial.fit of degree 3.
func TestBDReference(t *testing.T) {
	type bd = func(anchor, test []Point, m Interpolation, clip Range) (Delta, error)
	for _, test := range []struct {
		name string
		bd   bd
		m    Interpolation
		clip Range
		want Delta
	}{
		{"rate", BDRate, PCHIP, Range{}, Delta{-27.51041509467, Range{25.31, 36.1}, 0.714569536423841}},
		{"rate", BDRate, Cubic, Range{}, Delta{-18.9042590799561, Range{25.31, 36.1}, 0.714569536423841}},
		{"rate", BDRate, PCHIP, Range{26, 32.5}, Delta{-22.422163839468, Range{26, 32.5}, 1}},
		{"rate", BDRate, Cubic, Range{26, 32.5}, Delta{-24.6206861406578, Range{26, 32.5}, 1}},
		{"quality", BDQuality, PCHIP, Range{}, Delta{1.07908661448309, Range{0.071, 1.9}, 0.838971306757961}},
		{"quality", BDQuality, Cubic, Range{}, Delta{0.630722082042713, Range{0.071, 1.9}, 0.838971306757961}},
		{"quality", BDQuality, PCHIP, Range{0.1, 1}, Delta{1.00619307410404, Range{0.1, 1}, 1}},
		{"quality", BDQuality, Cubic, Range{0.1, 1}, Delta{0.890183343572251, Range{0.1, 1}, 1}},
	} {
		// Neither the order of the points nor of the curves matters.
		a, b := slices.Clone(irregularA), slices.Clone(irregularB)
		slices.Reverse(a)
		b[0], b[1], b[3] = b[3], b[0], b[1]
		mixed := slices.Clone(b)
		got, err := test.bd(a, b, test.m, test.clip)
		if err != nil {
			t.Fatal(err)
		}
		if !near(got.Value, test.want.Value, 1e-10) || !near(got.Share, test.want.Share, 1e-10) ||
			!near(got.Overlap.Low, test.want.Overlap.Low, 1e-12) || !near(got.Overlap.High, test.want.Overlap.High, 1e-12) {
			t.Errorf("%s, %v, clip %v: %+v, want %+v", test.name, test.m, test.clip, got, test.want)
		}
		if !slices.Equal(b, mixed) {
			t.Errorf("%s: the points were moved", test.name)
		}
		back, err := test.bd(b, a, test.m, test.clip)
		if err != nil {
			t.Fatal(err)
		}
		want := -got.Value
		if test.name == "rate" {
			want = 100 * (1/(1+got.Value/100) - 1)
		}
		if !near(back.Value, want, 1e-10) {
			t.Errorf("%s: %g with the curves swapped, want %g", test.name, back.Value, want)
		}
	}
}

// PCHIP is the interpolation of SciPy's PchipInterpolator, which gave the values
// at nine places from the first x to the last, also where the slope at an end is
// set to 0 or held down.
func TestPCHIPReference(t *testing.T) {
	lnRate := func(p Point) (x, y float64) { return p.Quality, math.Log(p.Rate) }
	rate := func(p Point) (x, y float64) { return p.Quality, p.Rate }
	for _, test := range []struct {
		points []Point
		axes   func(Point) (x, y float64)
		want   []float64
	}{
		{irregularA, lnRate, []float64{-2.96229749746775, -2.0267037753767, -1.8898698869775, -0.870580858091549,
			-0.855425129938388, 0.325413667830594, 0.739214390441936, 0.917373781867669, 0.955511445027436}},
		{[]Point{{1, 0}, {1.1, 1}, {8, 4}, {8.05, 4.5}, {12, 9}}, rate, []float64{1, 1.153241243509598, 3.71840688623114,
			7.18185700439516, 8.05, 8.4281103515625, 9.2208203125, 10.4156201171875, 12}},
		{[]Point{{1, 0}, {6, 1}, {6.5, 10}}, rate, []float64{1, 6.03626541085648, 6.1918933303968, 6.30867335017082,
			6.39203818582008, 6.44742055298609, 6.48025316731039, 6.49596874443452, 6.5}},
	} {
		c, err := newCurve(test.points, PCHIP, test.axes)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range test.want {
			x := c.low() + (c.high()-c.low())*float64(i)/8
			if got := c.f.Predict(x); !near(got, want, 1e-12) {
				t.Errorf("%v at %g: %.15g, want %.15g", test.points, x, got, want)
			}
		}
	}
}

// A polynomial of third order is fitted as it is, also far from 0 and to more
// points than it has coefficients.
func TestCubicExact(t *testing.T) {
	f := func(q float64) float64 { return 0.3*(q-1000) + 0.01*math.Pow(q-1000, 3) }
	var points []Point
	for i := range 9 {
		q := 996 + float64(i)
		points = append(points, Point{math.Exp(f(q)), q})
	}
	c, err := newCurve(points, Cubic, func(p Point) (x, y float64) { return p.Quality, math.Log(p.Rate) })
	if err != nil {
		t.Fatal(err)
	}
	for q := 996.0; q <= 1004; q += 0.37 {
		if got := c.f.Predict(q); math.Abs(got-f(q)) > 1e-11 {
			t.Errorf("at %g: %g, want %g", q, got, f(q))
		}
	}
	// The odd function has the integral 0 about its centre, and 0.15*16 + 0.0025*256
	// on one side of it.
	if got := c.integral(Range{996, 1004}); math.Abs(got) > 1e-11 {
		t.Errorf("integral %g, want 0", got)
	}
	if got, want := c.integral(Range{1000, 1004}), 0.15*16+0.0025*256; math.Abs(got-want) > 1e-11 {
		t.Errorf("integral %g, want %g", got, want)
	}
}

func TestBDErrors(t *testing.T) {
	with := func(i int, p Point) []Point {
		c := slices.Clone(irregularA)
		c[i] = p
		return c
	}
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		name   string
		points []Point
		m      Interpolation
		clip   Range
		want   error
		says   string
	}{
		{"none", nil, PCHIP, Range{}, ErrTooFewPoints, "0 of at least 2"},
		{"one", irregularA[:1], PCHIP, Range{}, ErrTooFewPoints, "1 of at least 2"},
		{"three for a cubic", irregularA[:3], Cubic, Range{}, ErrTooFewPoints, "3 of at least 4"},
		{"rate zero", with(2, Point{0, 28.9}), PCHIP, Range{}, ErrNotFinite, "rate 0, quality 28.9"},
		{"rate negative", with(2, Point{-1, 28.9}), PCHIP, Range{}, ErrNotFinite, "rate -1"},
		{"rate infinite", with(6, Point{inf, 39.9}), PCHIP, Range{}, ErrNotFinite, "rate +Inf"},
		{"rate NaN", with(2, Point{nan, 28.9}), Cubic, Range{}, ErrNotFinite, "rate NaN"},
		{"quality infinite", with(6, Point{2.6, inf}), PCHIP, Range{}, ErrNotFinite, "quality +Inf"},
		{"quality NaN", with(2, Point{0.149, nan}), PCHIP, Range{}, ErrNotFinite, "quality NaN"},
		{"quality twice", with(2, Point{0.149, 27.02}), PCHIP, Range{}, ErrNotMonotone, "rate 0.13, quality 27.02 to rate 0.149, quality 27.02"},
		{"rate twice", with(2, Point{0.13, 28.9}), Cubic, Range{}, ErrNotMonotone, "rate 0.13, quality 27.02 to rate 0.13, quality 28.9"},
		{"rate falls", with(2, Point{0.12, 28.9}), PCHIP, Range{}, ErrNotMonotone, "rate 0.13, quality 27.02 to rate 0.12, quality 28.9"},
		{"same logarithm", []Point{{1e300, 1}, {math.Nextafter(1e300, inf), 2}}, PCHIP, Range{}, ErrNotMonotone, ""},
		{"out of the clip", irregularA, PCHIP, Range{50, 60}, ErrNoOverlap, ""},
		{"empty clip", irregularA, PCHIP, Range{30, 30}, ErrNoOverlap, ""},
		{"clip of rate 1", irregularA, PCHIP, Range{1, 1}, ErrNoOverlap, ""},
		{"clip turned round", irregularA, PCHIP, Range{30, 20}, ErrNotFinite, "clip from"},
		{"clip NaN", irregularA, PCHIP, Range{nan, 20}, ErrNotFinite, "clip from"},
		{"apart", []Point{{90, 90}, {91, 91}}, PCHIP, Range{}, ErrNoOverlap, ""},
		{"touching", []Point{{2.6, 39.9}, {91, 91}}, PCHIP, Range{}, ErrNoOverlap, ""},
		{"unknown interpolation", irregularA, Interpolation(7), Range{}, nil, "unknown interpolation 7"},
	} {
		for curve := range 2 {
			for name, bd := range map[string]func(anchor, test []Point, m Interpolation, clip Range) (Delta, error){"rate": BDRate, "quality": BDQuality} {
				pair := [2][]Point{irregularA, irregularA}
				pair[curve] = test.points
				got, err := bd(pair[0], pair[1], test.m, test.clip)
				if err == nil || test.want != nil && !errors.Is(err, test.want) || got != (Delta{}) {
					t.Errorf("%s, %s: %+v and error %v, want %v", test.name, name, got, err, test.want)
				} else if !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s, %s: %v does not say %q", test.name, name, err, test.says)
				}
			}
		}
	}
	if _, err := BDQuality(irregularA, irregularB, PCHIP, Range{-1, 2}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("clip from a negative rate: %v", err)
	}
	// Finite curves whose distance is not.
	wild := []Point{{5e-324, 1}, {1e-300, 1 + 1e-15}}
	if d, err := BDRate(wild, []Point{{1e300, 1}, {1e308, 2}}, PCHIP, Range{}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("wild curves: %+v, %v", d, err)
	}
}

// No points, however odd, make a panic or a value that is not finite.
func FuzzBD(f *testing.F) {
	f.Add(0.1, 20.0, 0.2, 25.0, 0.4, 30.0, 0.8, 35.0, 20.0, 40.0)
	f.Add(5e-324, 1.0, 1e-300, 1+1e-15, 1.0, 1e308, 1e308, 1.7e308, 0.0, 0.0)
	f.Add(1e300, 1.0, 1.0000000000000001e300, 2.0, math.NaN(), -1.0, 0.0, 3.0, 0.0, 1.0)
	f.Add(1.0, 5e-324, 2.0, 1e-323, 3.0, 1.5e-323, 4.0, 2e-323, math.Inf(-1), math.Inf(1))
	f.Fuzz(func(t *testing.T, r0, q0, r1, q1, r2, q2, r3, q3, low, high float64) {
		points := []Point{{r0, q0}, {r1, q1}, {r2, q2}, {r3, q3}}
		for _, m := range []Interpolation{PCHIP, Cubic} {
			for _, anchor := range [][]Point{irregularA, points} {
				for _, bd := range []func(anchor, test []Point, m Interpolation, clip Range) (Delta, error){BDRate, BDQuality} {
					d, err := bd(anchor, points, m, Range{low, high})
					if err == nil && (!isFinite(d.Value, d.Overlap.Low, d.Overlap.High) || !(d.Share >= 0 && d.Share <= 1)) {
						t.Errorf("%v, %v to %v: %+v", m, anchor, points, d)
					}
				}
			}
		}
	})
}

func ExampleBDRate() {
	anchor := []Point{{0.2, 28}, {0.4, 31}, {0.8, 34}, {1.6, 37}}
	test := []Point{{0.15, 28}, {0.3, 31}, {0.6, 34}, {1.2, 37}}
	d, err := BDRate(anchor, test, PCHIP, Range{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+.1f %% from %g to %g dB\n", d.Value, d.Overlap.Low, d.Overlap.High)
	// Output: -25.0 % from 28 to 37 dB
}
