package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/interp"
)

// A SizeTable compares curves at equal size, see Report.AtSize.
type SizeTable struct {
	Title    string      `json:"title"`
	Pictures int         `json:"pictures"`
	Pixels   int64       `json:"pixels"`
	Checksum string      `json:"checksum"` // see Report.Checksum
	BPP      []float64   `json:"bpp"`      // the sizes, in bits per pixel
	Metrics  []string    `json:"metrics"`
	Anchor   string      `json:"anchor,omitempty"` // the curve that others are compared with
	Curves   []SizeCurve `json:"curves"`           // by name
	Notes    []string    `json:"notes,omitempty"`
}

// A SizeCurve is a curve of a SizeTable.
type SizeCurve struct {
	Name string `json:"name"`
	// Lowest is the smallest mean bpp of a rate that coded all pictures, nil if none
	// did.
	Lowest *float64 `json:"lowest,omitempty"`
	// Range is from the least to the most bpp that all pictures have files around:
	// from the largest of their smallest files to the smallest of their largest. Nil
	// if there is no such size.
	Range  *[2]float64 `json:"range,omitempty"`
	Values []SizeValue `json:"values"` // by size and metric, in the order of BPP and Metrics
}

// A SizeValue is a metric of a curve at a size. Of the pictures of the table that
// none of Pictures, Larger and Smaller counts, the metric was not measured.
type SizeValue struct {
	BPP      float64  `json:"bpp"`
	Metric   string   `json:"metric"`
	Pictures int      `json:"pictures"`          // that have a value at this size
	Larger   int      `json:"larger,omitempty"`  // whose smallest file is larger than this
	Smaller  int      `json:"smaller,omitempty"` // whose largest file is smaller than this
	Mean     *float64 `json:"mean,omitempty"`    // nil unless all pictures have a value
	// Common is how many pictures have a value here and on the anchor's curve, and
	// Difference the mean over these of this curve's value less the anchor's, nil if
	// there are none.
	Common     int      `json:"common,omitempty"`
	Difference *float64 `json:"difference,omitempty"`

	each []float64 // by picture, NaN for none
}

// SizeMetrics returns the metrics that AtSize takes.
func SizeMetrics() []string {
	return slices.DeleteFunc(slices.Clone(metricNames[:]), func(name string) bool { return name == metricMSE })
}

// AtSize compares the curves at sizes in bits per pixel, where BD-rates do not
// help since the curves share no quality, as at very low rates. Lossless curves
// are left out.
//
// The value of a picture at a size is interpolated between its files, by PCHIP
// over log(bpp) as in metric.PCHIP, SSIM and MS-SSIM as -10 log10(1-x); it passes
// through all files but those of infinite quality, and through the mean of those
// of the same size. The mean over the pictures is taken after that. Nothing is
// extrapolated: a picture with no file of at most the size, or none of at least
// the size, has no value. There is a mean only if every picture of the report has
// a value, so that all means are of the same pictures. Unlike the points of a
// Curve, a picture that failed at some of the rates is not left out.
//
// Where a curve does not go so low, or so high, it may still be compared with an anchor:
// at each size over those pictures that both have values of. The anchor is the name of a
// curve, or its start if there is but one; empty for none.
//
// The sizes must be positive, the metrics be of SizeMetrics, and none of either be
// given twice. A report that was read from JSON has no single pictures and gives
// an error.
func (r *Report) AtSize(bpp []float64, metrics []string, anchor string) (*SizeTable, error) {
	indices, err := checkSizes(bpp, metrics)
	if err != nil {
		return nil, err
	}
	if r.rows == nil {
		return nil, errors.New("report: no rows, of which alone values at a size can be made")
	}
	t := &SizeTable{Title: r.Title, Pictures: r.Pictures, Pixels: r.Pixels, Checksum: r.Checksum,
		BPP: slices.Clone(bpp), Metrics: slices.Clone(metrics), Curves: []SizeCurve{}}
	var lossless []string
	for i := range r.Curves {
		if c := &r.Curves[i]; c.Lossless {
			lossless = append(lossless, c.Name)
		} else {
			r.addSizes(t, c, indices)
		}
	}
	if anchor != "" {
		if err := t.compare(anchor); err != nil {
			return nil, err
		}
	}
	for i := range t.Curves {
		for k := range t.Curves[i].Values {
			t.Curves[i].Values[k].each = nil // it has served
		}
	}
	if len(lossless) > 0 {
		t.note("Lossless curves are left out: %s.", strings.Join(lossless, ", "))
	}
	return t, nil
}

// compare sets the differences from an anchor.
func (t *SizeTable) compare(anchor string) error {
	base := -1
	for i := range t.Curves {
		switch name := t.Curves[i].Name; {
		case name == anchor:
			base = i
		case strings.HasPrefix(name, anchor) && base < 0:
			base = i
		case strings.HasPrefix(name, anchor) && t.Curves[base].Name != anchor:
			return fmt.Errorf("report: several curves begin with %q", anchor)
		}
	}
	if base < 0 {
		return fmt.Errorf("report: no curve %q at a size", anchor)
	}
	t.Anchor = t.Curves[base].Name
	for i := range t.Curves {
		if i == base {
			continue
		}
		for k := range t.Curves[i].Values {
			v, sum := &t.Curves[i].Values[k], 0.0
			for p, own := range v.each {
				if d := own - t.Curves[base].Values[k].each[p]; !math.IsNaN(d) {
					v.Common++
					sum += d
				}
			}
			if mean := sum / float64(v.Common); v.Common > 0 && !math.IsInf(mean, 0) {
				v.Difference = pointer(round(mean, decimals(v.Metric)))
			}
		}
	}
	return nil
}

// checkSizes checks the arguments of AtSize and returns the indices of the metrics.
func checkSizes(bpp []float64, metrics []string) ([]int, error) {
	if len(bpp) == 0 || len(metrics) == 0 {
		return nil, fmt.Errorf("report: %s and %s to compare at", count(len(bpp), "size"), count(len(metrics), "metric"))
	}
	for i, v := range bpp {
		if !(v > 0) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("report: a size of %v bits per pixel", v)
		}
		if slices.Contains(bpp[:i], v) {
			return nil, fmt.Errorf("report: the size %v is given twice", v)
		}
	}
	var indices []int
	for _, name := range metrics {
		m := slices.Index(metricNames[:], name)
		if m < 0 || m == iMSE {
			return nil, fmt.Errorf("report: no metric %q at a size, only %s", name, strings.Join(SizeMetrics(), ", "))
		}
		if slices.Contains(indices, m) {
			return nil, fmt.Errorf("report: the metric %s is given twice", name)
		}
		indices = append(indices, m)
	}
	return indices, nil
}

// addSizes adds a curve and notes what is wrong with it.
func (r *Report) addSizes(t *SizeTable, c *Curve, metrics []int) {
	var points []*series
	for i := range r.rows.series {
		if s := &r.rows.series[i]; s.curve == c.Name {
			points = append(points, s)
		}
	}
	out := SizeCurve{Name: c.Name, Values: make([]SizeValue, 0, len(t.BPP)*len(metrics))}
	for _, s := range points {
		if mean, ok := r.meanBPP(s); ok && (out.Lowest == nil || mean < *out.Lowest) {
			out.Lowest = pointer(mean)
		}
	}
	if out.Lowest != nil {
		*out.Lowest = round(*out.Lowest, 5)
	}

	low, high := 0.0, math.Inf(1)
	files, pictures := 0, 0
	for _, p := range r.order {
		least, most := math.Inf(1), 0.0
		for _, s := range points {
			if s.at(p).state == coded {
				v := r.rows.bpp(s, p)
				least, most = min(least, v), max(most, v)
				files++
			}
		}
		if most > 0 {
			pictures++
		}
		low, high = max(low, least), min(high, most)
	}
	if pictures == r.Pictures && low <= high {
		out.Range = &[2]float64{round(low, 5), round(high, 5)}
	}
	if pictures < r.Pictures {
		t.note("%s has files of %d of %s: it has no means.", c.Name, pictures, count(r.Pictures, "picture"))
	}
	if c.Failed > 0 {
		t.note("%s failed %s.", c.Name, count(c.Failed, "time"))
	}
	if len(c.Versions) > 1 {
		t.note(severalVersions, c.Name, strings.Join(c.Versions, "; "))
	}

	byMetric := make([][]SizeValue, len(metrics))
	for i, m := range metrics {
		var unknown, infinite int
		byMetric[i], unknown, infinite = r.valuesAt(t.BPP, points, m)
		if unknown > 0 {
			t.note("%s has no %s of %d of its %s.", c.Name, metricTitle(metricNames[m]), unknown, count(files, "file"))
		}
		if infinite > 0 {
			t.note("%s has an infinite %s in %d of its %s, which are left out.", c.Name, metricTitle(metricNames[m]), infinite, count(files, "file"))
		}
	}
	for k := range t.BPP {
		for i := range metrics {
			out.Values = append(out.Values, byMetric[i][k])
		}
	}
	t.Curves = append(t.Curves, out)
}

// severalVersions is the note on curves of which rows are of several versions.
const severalVersions = "%s was run in several versions: %s."

func (t *SizeTable) note(format string, a ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, a...))
}

// bpp is the size of a picture that a series coded.
func (b *Builder) bpp(s *series, picture int) float64 {
	return 8 * float64(s.at(picture).bytes) / float64(b.pictures[picture].pixels())
}

// meanBPP returns the mean size of all pictures, if a series coded them all.
func (r *Report) meanBPP(s *series) (mean float64, ok bool) {
	var sum float64
	for _, p := range r.order {
		if s.at(p).state != coded {
			return 0, false
		}
		sum += r.rows.bpp(s, p)
	}
	return sum / float64(len(r.order)), true
}

// valuesAt returns a metric of a curve at the sizes, and of how many files it is
// unknown and infinite.
func (r *Report) valuesAt(bpp []float64, points []*series, m int) (values []SizeValue, unknown, infinite int) {
	values = make([]SizeValue, len(bpp))
	sums := make([]float64, len(bpp))
	for k, v := range bpp {
		values[k] = SizeValue{BPP: v, Metric: metricNames[m], each: make([]float64, len(r.order))}
		for i := range values[k].each {
			values[k].each[i] = math.NaN()
		}
	}
	scale, back := sizeScale(m)
	for i, p := range r.order {
		var c sizeCurve
		for _, s := range points {
			if s.at(p).state != coded {
				continue
			}
			switch y := scale(s.at(p).metrics[m]); {
			case math.IsNaN(y):
				unknown++
			case math.IsInf(y, 0):
				infinite++
			default:
				c.points = append(c.points, sizePoint{math.Log(r.rows.bpp(s, p)), y})
			}
		}
		if len(c.points) == 0 {
			continue
		}
		c.fit()
		for k, size := range bpp {
			v := &values[k]
			switch x := math.Log(size); {
			case x < c.points[0].x:
				v.Larger++
			case x > c.points[len(c.points)-1].x:
				v.Smaller++
			default:
				v.Pictures++
				v.each[i] = back(c.at(x))
				sums[k] += v.each[i]
			}
		}
	}
	for k := range values {
		mean := sums[k] / float64(r.Pictures)
		// Only absurd rows overflow.
		if v := &values[k]; v.Pictures == r.Pictures && !math.IsNaN(mean) && !math.IsInf(mean, 0) {
			v.Mean = pointer(round(mean, decimals(v.Metric)))
		}
	}
	return values, unknown, infinite
}

// sizeScale returns the scale on which a metric is interpolated, and the way back.
func sizeScale(m int) (scale, back func(float64) float64) {
	if m == iSSIM || m == iMSSSIM {
		return decibels, func(dB float64) float64 { return 1 - math.Pow(10, -dB/10) }
	}
	same := func(v float64) float64 { return v }
	return same, same
}

// A sizeCurve is a metric of one picture over the size.
type sizeCurve struct {
	points []sizePoint // at least 1; after fit, of x that rise strictly
	f      interp.FritschButland
}

type sizePoint struct{ x, y float64 } // ln(bpp) and the metric on its scale

// fit sorts the points and takes the mean of those of equal size. A file that is
// worse than a smaller one stays: what a codec does at a size is not what it might
// have done with the better of its files.
func (c *sizeCurve) fit() {
	slices.SortFunc(c.points, func(a, b sizePoint) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	var x, y []float64
	for i := 0; i < len(c.points); {
		first, sum := i, 0.0
		for ; i < len(c.points) && c.points[i].x == c.points[first].x; i++ {
			sum += c.points[i].y
		}
		x, y = append(x, c.points[first].x), append(y, sum/float64(i-first))
	}
	c.points = c.points[:len(x)]
	for i := range x {
		c.points[i] = sizePoint{x[i], y[i]}
	}
	if len(x) > 1 {
		c.f.Fit(x, y) // never returns an error
	}
}

// at returns the value at x, which lies within the points.
func (c *sizeCurve) at(x float64) float64 {
	if i, ok := slices.BinarySearchFunc(c.points, x, func(p sizePoint, x float64) int { return cmp.Compare(p.x, x) }); ok {
		return c.points[i].y
	}
	return c.f.Predict(x)
}
