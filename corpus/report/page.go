package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// pageData is what the script of the page works on, as JSON. Missing numbers are
// null.
type pageData struct {
	Curves []Curve `json:"curves"` // as in Report
	// Published are all published curves of the data set, and Shown the names of
	// those that are drawn at first.
	Published []Published   `json:"published"`
	Shown     []string      `json:"shown"`
	Metrics   []pageMetric  `json:"metrics"`
	Pictures  []pagePicture `json:"pictures"`
	// Cells are the single figures, by curve, point and picture as in Pictures.
	Cells  [][][]pageCell `json:"cells"`
	Viewer []viewed       `json:"viewer"`
}

// A pageMetric is one that the charts can show.
type pageMetric struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Unit     string `json:"unit"`
	Decimals int    `json:"decimals"`
	index    int    // into metricNames
}

type pagePicture struct {
	Name   string `json:"name"`
	ID     string `json:"id"` // first digits of the hash
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// A pageCell is bytes, encode and decode CPU seconds, and pageData.Metrics. It is
// empty for a picture that was not coded.
type pageCell []float64

// MarshalJSON writes NaN as null, and an infinite number as one that no float64
// holds, which JavaScript reads as Infinity.
func (c pageCell) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, v := range c {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case math.IsNaN(v):
			out = append(out, "null"...)
		case math.IsInf(v, 1):
			out = append(out, "1e999"...)
		default:
			out = strconv.AppendFloat(out, v, 'g', -1, 64)
		}
	}
	return append(out, ']'), nil
}

// pageMetrics are what charts and plots can show.
var pageMetrics = []pageMetric{
	{PSNR, "PSNR", "dB", 2, iPSNR},
	{MSSSIMdB, "MS-SSIM dB", "dB", 2, iMSSSIMdB},
	{SSIM, "SSIM", "", 4, iSSIM},
	{PSNRYUV, "PSNR-YUV 6:1:1", "dB", 2, iPSNRYUV},
	{SSIMULACRA2, "SSIMULACRA2", "", 1, iSSIMULACRA2},
	{Butteraugli, "Butteraugli", "less is better", 2, iButteraugli},
	{PSNRMeanMSE, "PSNR of mean MSE", "dB", 2, iPSNR}, // of one picture they are the same
}

// metrics returns those of some that the report has. The PSNR of the mean MSE is
// among them only where it is needed, which is where lossy curves have pictures
// that came back exactly and make the mean PSNR infinite.
func (r *Report) metrics(of []pageMetric) []pageMetric {
	infinite := slices.ContainsFunc(r.kind(false), func(c *Curve) bool {
		return slices.ContainsFunc(c.Points, func(p Point) bool { return p.Exact > 0 })
	})
	var out []pageMetric
	for _, m := range of {
		if r.has(m.Name) && (m.Name != PSNRMeanMSE || infinite) {
			out = append(out, m)
		}
	}
	return out
}

// errNoRows reports a page or plot of a Report that was read from JSON.
var errNoRows = errors.New("report: only a report that a Builder made has single figures")

// HTML writes the report as one page that needs no other file. Its charts work on
// data in the page; of pictures it has those of Options.Pictures that
// Options.MaxPageBytes allows.
func (r *Report) HTML(w io.Writer) error {
	if r.rows == nil {
		return errNoRows
	}
	d := pageData{Curves: r.Curves, Published: append([]Published{}, r.every...), Shown: []string{}, Metrics: []pageMetric{},
		Pictures: []pagePicture{}, Cells: [][][]pageCell{}, Viewer: []viewed{}} // the script takes no null
	for _, p := range r.Published {
		d.Shown = append(d.Shown, p.Name)
	}
	d.Metrics = append(d.Metrics, r.metrics(pageMetrics)...)

	// The pictures with single figures, evenly from all.
	n := min(len(r.order), r.o.MaxPagePictures)
	var chosen []int
	for i := range n {
		p := r.order[i*len(r.order)/n]
		chosen = append(chosen, p)
		q := &r.rows.pictures[p]
		d.Pictures = append(d.Pictures, pagePicture{q.name, q.id[:min(len(q.id), 8)], q.width, q.height})
	}
	var notes []string
	if n < len(r.order) {
		notes = append(notes, fmt.Sprintf("To keep the page small, single figures are of %d of the %d pictures, evenly chosen; all means are of all.", n, len(r.order)))
	}
	for i := range r.curves {
		points := make([][]pageCell, len(r.curves[i].points))
		for j, s := range r.curves[i].points {
			points[j] = make([]pageCell, n)
			for k, p := range chosen {
				points[j][k] = pageCellOf(s.at(p), d.Metrics)
			}
		}
		d.Cells = append(d.Cells, points)
	}

	size, err := json.Marshal(d)
	if err != nil {
		return err
	}
	// The rest of the page is about the size of the tables in it.
	budget := r.o.MaxPageBytes - int64(len(size)) - int64(len(pageHTML)+len(pageCSS)+len(pageJS)) - 1000*int64(r.rowsOfTables())
	viewer, note, err := r.embedPictures(chosen, budget)
	if err != nil {
		return err
	}
	d.Viewer = append(d.Viewer, viewer...)

	conventions := r.conventions()
	if len(d.Viewer) == 0 && note != "" {
		conventions = append(conventions, note)
	}
	var b bytes.Buffer
	err = pageTemplate.Execute(&b, map[string]any{
		"R": r, "Headline": r.headline(), "CSS": template.CSS(pageCSS), "JS": template.JS(pageJS), "Data": d,
		"Lossy": r.kind(false), "Lossless": r.kind(true), "Metrics": r.metrics(tableMetrics), "Conventions": conventions,
		"Notes": notes, "ViewerNote": note,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

func pageCellOf(c *cell, metrics []pageMetric) pageCell {
	if c.state != coded {
		return pageCell{}
	}
	out := pageCell{float64(c.bytes), round(c.times[0], 4), round(c.times[2], 4)}
	for _, m := range metrics {
		out = append(out, round(c.metrics[m.index], m.Decimals+1))
	}
	return out
}

// rowsOfTables returns how many rows the tables of the page have.
func (r *Report) rowsOfTables() int {
	n := len(r.BD) + len(r.Failures) + len(r.Notes) + len(r.Curves) + 20
	for i := range r.Curves {
		n += len(r.Curves[i].Points)
	}
	return n
}

// tableMetrics are the metrics that the tables of the page have columns for.
var tableMetrics = []pageMetric{
	{PSNR, "PSNR", "dB", 2, iPSNR}, {PSNRMeanMSE, "PSNR of mean MSE", "dB", 2, iPSNR}, {PSNRYUV, "PSNR-YUV", "dB", 2, iPSNRYUV},
	{SSIM, "SSIM", "", 4, iSSIM}, {MSSSIM, "MS-SSIM", "", 5, iMSSSIM}, {MSSSIMdB, "MS-SSIM dB", "dB", 2, iMSSSIMdB},
	{SSIMULACRA2, "SSIMULACRA2", "", 1, iSSIMULACRA2}, {Butteraugli, "Butteraugli", "", 2, iButteraugli},
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"grouped": grouped, "speed": speed, "memory": memory, "percent": percent, "interval": interval, "title": metricTitle, "count": count,
	"quality": func(p Point, m pageMetric) string { return p.quality(m.Name, m.Decimals) },
	"fixed":   func(v float64, decimals int) string { return strconv.FormatFloat(v, 'f', decimals, 64) },
	"overlap": func(b BD) string { return b.overlap() },
	"rate":    func(p Point) string { return p.rate() },
	"covers":  func(r *Report, c Curve) string { return r.covers(&c) },
	"groups":  func(c Curve) []commandGroup { return c.commandGroups() },
	// number is what a cell is sorted by; missing values sort last.
	"number": func(v any) string {
		switch v := v.(type) {
		case *float64:
			if v != nil {
				return strconv.FormatFloat(*v, 'g', -1, 64)
			}
		case float64:
			if v != 0 {
				return strconv.FormatFloat(v, 'g', -1, 64)
			}
		}
		return ""
	},
	"value": func(p Point, m pageMetric) string {
		if v, ok := p.Quality[m.Name]; ok {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return ""
	},
}).Parse(pageHTML))
