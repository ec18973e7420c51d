package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/corpus/anchor"
	"github.com/burin-codec/burin/corpus/metric"
)

// A side is a curve in a comparison: its points over the pictures that both sides
// coded. The curves are compared as means over pictures, as published tables are,
// and not picture by picture.
type side struct {
	bpp     [][]float64 // [point][picture]
	quality [][]float64
	// finish takes the mean quality of the pictures to that of the curve.
	finish func(mean float64) float64
	fixed  []metric.Point // of a published curve, which has no pictures
}

// points returns the curve over the pictures that index names, which may name one
// more than once. Points of infinite quality are left out.
func (s *side) points(index []int) []metric.Point {
	if s.fixed != nil {
		return s.fixed
	}
	var points []metric.Point
	for i := range s.bpp {
		var bpp, quality float64
		for _, k := range index {
			bpp += s.bpp[i][k]
			quality += s.quality[i][k]
		}
		n := float64(len(index))
		if q := s.finish(quality / n); !math.IsInf(q, 0) {
			points = append(points, metric.Point{Rate: bpp / n, Quality: q})
		}
	}
	return points
}

// side takes the points of a curve over pictures.
func (r *Report) side(c *curve, m int, pictures []int, finish func(float64) float64) *side {
	s := &side{finish: finish}
	for _, p := range c.points {
		bpp, quality := make([]float64, len(pictures)), make([]float64, len(pictures))
		for i, n := range pictures {
			bpp[i], quality[i] = r.rows.bpp(p, n), p.at(n).metrics[m]
		}
		s.bpp, s.quality = append(s.bpp, bpp), append(s.quality, quality)
	}
	return s
}

// bdMetrics are the metrics that curves are compared in.
var bdMetrics = []struct {
	name   string
	metric int
}{{PSNR, iPSNR}, {MSSSIMdB, iMSSSIMdB}}

// compareWith compares all curves with one of the journal.
func (r *Report) compareWith(reference int) {
	base := &r.curves[reference]
	if len(base.points) == 0 {
		r.note("The anchor %s has no figures: nothing is compared with it.", base.name)
		return
	}
	for i := range r.curves {
		c := &r.curves[i]
		if i == reference || len(c.points) == 0 {
			continue
		}
		common := intersect(c.shared, base.shared, len(r.rows.pictures))
		if r.Curves[i].Lossless || r.Curves[reference].Lossless {
			if r.Curves[i].Lossless && r.Curves[reference].Lossless {
				r.compareSizes(i, reference, common)
			}
			continue
		}
		if len(c.points) == 1 {
			continue
		}
		for _, m := range bdMetrics {
			pictures := measuredOf(common, m.metric, c, base)
			same := func(v float64) float64 { return v }
			r.addBD(c.name, m.name, pictures, r.side(base, m.metric, pictures, same), r.side(c, m.metric, pictures, same))
		}
	}
	if r.Curves[reference].Lossless {
		r.compareSizes(reference, reference, base.shared)
	}
}

// compareWithPublished compares all curves with a published one, of which only
// the means over all pictures of its data set are known.
func (r *Report) compareWithPublished(a *anchor.Curve) {
	for i := range r.curves {
		c := &r.curves[i]
		if len(c.points) < 2 || r.Curves[i].Lossless {
			continue
		}
		for _, m := range bdMetrics {
			fixed, from, finish := publishedPoints(a, m.metric)
			pictures := measuredOf(c.shared, from, c)
			if len(fixed) == 0 {
				continue
			}
			if len(pictures) < r.Pictures {
				r.BD = append(r.BD, BD{Curve: c.name, Metric: m.name, Pictures: len(pictures),
					Note: fmt.Sprintf("of %d of %d pictures, and the published curve is of all", len(pictures), r.Pictures)})
				continue
			}
			r.addBD(c.name, m.name, pictures, &side{fixed: fixed}, r.side(c, from, pictures, finish))
		}
	}
}

// publishedPoints returns a published curve in a metric, and from what and how the
// same is to be made of measured ones.
func publishedPoints(a *anchor.Curve, m int) (points []metric.Point, from int, finish func(float64) float64) {
	same := func(v float64) float64 { return v }
	if m == iPSNR {
		return a.PSNRCurve(), iPSNR, same
	}
	for _, p := range a.Points {
		if p.MSSSIMdB > 0 {
			points = append(points, metric.Point{Rate: p.BPP, Quality: p.MSSSIMdB})
		}
	}
	if len(points) >= 2 {
		return points, iMSSSIMdB, same
	}
	// Mostly only the mean of MS-SSIM is known, not that of its dB.
	return a.MSSSIMCurve(), iMSSSIM, decibels
}

// measuredOf returns the pictures of which all points of all curves have a metric.
func measuredOf(pictures []int, m int, curves ...*curve) []int {
	var out []int
	for _, p := range pictures {
		if !slices.ContainsFunc(curves, func(c *curve) bool {
			return slices.ContainsFunc(c.points, func(s *series) bool { return math.IsNaN(s.at(p).metrics[m]) })
		}) {
			out = append(out, p)
		}
	}
	return out
}

// intersect returns what a and b share, in the order of a. All are below n.
func intersect(a, b []int, n int) []int {
	in := make([]bool, n)
	for _, v := range b {
		in[v] = true
	}
	var out []int
	for _, v := range a {
		if in[v] {
			out = append(out, v)
		}
	}
	return out
}

// addBD compares two sides.
func (r *Report) addBD(name, metricName string, pictures []int, base, test *side) {
	bd := BD{Curve: name, Metric: metricName, Pictures: len(pictures)}
	defer func() { r.BD = append(r.BD, bd) }()
	if len(pictures) == 0 {
		bd.Note = "no picture in common"
		return
	}
	clip := r.o.ClipPSNR
	if metricName == MSSSIMdB {
		clip = r.o.ClipMSSSIM
	}
	index := make([]int, len(pictures))
	for i := range index {
		index[i] = i
	}
	a, t := base.points(index), test.points(index)
	infinite := len(test.bpp) - len(t)
	if base.fixed == nil {
		infinite += len(base.bpp) - len(a)
	}
	if infinite > 0 {
		bd.Note = count(infinite, "point") + " of infinite quality left out"
	}
	d, err := metric.BDRate(a, t, metric.PCHIP, clip)
	if err != nil {
		bd.Note = err.Error()
		return
	}
	bd.PCHIP = pointer(round(d.Value, 3))
	bd.Overlap = &[2]float64{round(d.Overlap.Low, 3), round(d.Overlap.High, 3)}
	bd.Share = round(d.Share, 3)
	if d, err := metric.BDRate(a, t, metric.Cubic, clip); err != nil {
		bd.Note = err.Error()
	} else {
		bd.Cubic = pointer(round(d.Value, 3))
	}
	// To resample the pictures of one side alone would be wrong: how hard a picture
	// is moves both curves, and cancels out.
	if len(pictures) == 1 || base.fixed != nil {
		return
	}
	interval, err := metric.Bootstrap(len(pictures), r.o.Resamples, r.o.Seed, 0.95, func(index []int) float64 {
		d, err := metric.BDRate(base.points(index), test.points(index), metric.PCHIP, clip)
		if err != nil {
			return math.NaN()
		}
		return d.Value
	})
	if err != nil {
		bd.Note = err.Error()
		return
	}
	bd.Interval = &[2]float64{round(interval.Low, 3), round(interval.High, 3)}
}

// compareSizes compares lossless curves in size on their common pictures.
func (r *Report) compareSizes(test, reference int, common []int) {
	if len(common) == 0 {
		return
	}
	total := func(s *series) (sum int64) {
		for _, p := range common {
			sum += s.at(p).bytes
		}
		return sum
	}
	least := int64(math.MaxInt64)
	for _, s := range r.curves[reference].points {
		least = min(least, total(s))
	}
	for i, s := range r.curves[test].points {
		r.Curves[test].Points[i].Relative = pointer(round(100*(float64(total(s))/float64(least)-1), 3))
	}
}

func pointer(v float64) *float64 { return &v }
