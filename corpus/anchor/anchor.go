// Package anchor holds rate-distortion curves of other codecs, published ones and
// some measured for burin, each with its source, so that a curve measured here can
// be set beside them.
//
// Datasets are
//
//	kodak               the 24 pictures of Kodak, 768x512
//	kodak-8             kodim 01 05 08 09 13 15 20 23 of them, for slow encoders
//	clic2020-pro-valid  the 41 pictures of the validation set of CLIC 2020, professional
//	tecnick             the 100 pictures of Tecnick, 1200x1200
//
// A curve has all quantities as means over the pictures of a dataset, of 8-bit RGB.
// Compare only what is of the same dataset, and mind how the means are taken:
//
//   - CompressAI's results for "clic2020-professional" are of other pictures than
//     the 41: its VTM needs 44 % less there at the same PSNR. They are left out.
//   - The README of Cool-Chic compares the PSNR of the mean MSE, all others the
//     mean PSNR. Of Cool-Chic there are both: 5.0 is 6.5 % better than the VTM of
//     CompressAI by the mean PSNR, its README says 3.9 %, against VTM 28.3.
//   - Curves named VTM are of different versions and configurations.
//   - The MS-SSIM of some is only known in dB, and seldom is it said whether the mean
//     was taken before or after; by Jensen's inequality it is higher after.
//
// Curves whose name begins with "peer: " are what the benchmark of package bench
// measures, to check it by.
package anchor

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/burin-codec/burin/corpus/metric"
)

// A Curve is the rate-distortion curve of a codec on a dataset.
type Curve struct {
	Name      string // unique within the dataset
	Dataset   string
	Source    string // where the figures were taken from, or how they were measured
	Reference string // the codec: a paper, or a program with its version; may be empty
	Note      string // what to mind; may be empty

	// DecoderMACs is the number of multiplications and additions that decoding takes
	// per pixel, 0 if unknown. It is the largest where it differs along the curve.
	DecoderMACs float64

	Points []Point // by rising BPP
}

// A Point is one rate of a codec, as means over pictures. What the source does not
// give is 0.
type Point struct {
	BPP    float64 // bits per pixel
	PSNR   float64 // mean of the PSNR of each picture, of R, G and B together, in dB
	MSSSIM float64 // mean of the MS-SSIM of each picture, 0 to 1

	MSSSIMdB      float64 // mean of -10 log10(1 - MS-SSIM) of each picture
	PSNROfMeanMSE float64 // PSNR of the mean of the MSE of each picture, in dB
}

// Curves returns the curves of a dataset by name, none for an unknown dataset.
func Curves(dataset string) []Curve {
	var found []Curve
	for _, c := range curves() {
		if c.Dataset == dataset {
			c.Points = slices.Clone(c.Points)
			found = append(found, c)
		}
	}
	return found
}

// Find returns the curve of that name.
func Find(name, dataset string) (Curve, bool) {
	for _, c := range curves() {
		if c.Name == name && c.Dataset == dataset {
			c.Points = slices.Clone(c.Points)
			return c, true
		}
	}
	return Curve{}, false
}

// Datasets returns the names of the datasets in order.
func Datasets() []string {
	var names []string
	for _, c := range curves() {
		names = append(names, c.Dataset)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// PSNRCurve returns the mean PSNR over the rate, nil if there is none.
func (c Curve) PSNRCurve() []metric.Point {
	return c.curve(func(p Point) (float64, bool) { return p.PSNR, p.PSNR != 0 })
}

// MSSSIMCurve returns the mean MS-SSIM over the rate as -10 log10(1 - MS-SSIM) in
// dB, nil if there is none. This is not the mean of dB, MSSSIMdB, which few give.
func (c Curve) MSSSIMCurve() []metric.Point {
	return c.curve(func(p Point) (float64, bool) { return -10 * math.Log10(1-p.MSSSIM), p.MSSSIM != 0 })
}

func (c Curve) curve(quality func(Point) (q float64, ok bool)) []metric.Point {
	var points []metric.Point
	for _, p := range c.Points {
		if q, ok := quality(p); ok {
			points = append(points, metric.Point{Rate: p.BPP, Quality: q})
		}
	}
	return points
}

// curvesJSON lists the curves by dataset and name. The columns of the points are
//
//	bpp              Point.BPP
//	psnr             Point.PSNR
//	msssim           Point.MSSSIM
//	msssim_as_db     Point.MSSSIM, brought back from dB that may be of the mean or a mean
//	msssim_mean_db   Point.MSSSIMdB
//	psnr_of_mean_mse Point.PSNROfMeanMSE
//
// with as many decimals as the source has, and at most 6 of bpp and msssim and 4
// of dB.
//
//go:embed curves.json
var curvesJSON []byte

// curves returns the shared curves, sorted by dataset and name.
var curves = sync.OnceValue(func() []Curve {
	c, err := parse(curvesJSON)
	if err != nil {
		panic("anchor: curves.json: " + err.Error()) // found by any test
	}
	return c
})

func parse(data []byte) ([]Curve, error) {
	var list []struct {
		Name        string      `json:"name"`
		Dataset     string      `json:"dataset"`
		Source      string      `json:"source"`
		Reference   string      `json:"reference"`
		Note        string      `json:"note"`
		DecoderMACs float64     `json:"decoder_macs"`
		Columns     string      `json:"columns"`
		Points      [][]float64 `json:"points"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	var curves []Curve
	for _, l := range list {
		c := Curve{l.Name, l.Dataset, l.Source, l.Reference, l.Note, l.DecoderMACs, nil}
		columns := strings.Fields(l.Columns)
		for _, row := range l.Points {
			if len(row) != len(columns) {
				return nil, fmt.Errorf("%s, %s: a point of %d numbers for the columns %q", c.Dataset, c.Name, len(row), l.Columns)
			}
			var p Point
			for i, v := range row {
				switch columns[i] {
				case "bpp":
					p.BPP = v
				case "psnr":
					p.PSNR = v
				case "msssim":
					p.MSSSIM = v
				case "msssim_as_db":
					p.MSSSIM = 1 - math.Pow(10, -v/10)
				case "msssim_mean_db":
					p.MSSSIMdB = v
				case "psnr_of_mean_mse":
					p.PSNROfMeanMSE = v
				default:
					return nil, fmt.Errorf("%s, %s: unknown column %q", c.Dataset, c.Name, columns[i])
				}
			}
			c.Points = append(c.Points, p)
		}
		curves = append(curves, c)
	}
	return curves, nil
}
