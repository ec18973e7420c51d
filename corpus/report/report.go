// Package report makes tables, plots and a page of what package corpus/bench
// measured.
//
// A Builder takes the rows of one or several journals, in any order, and its
// Report holds what they come to: for every curve (a codec with its fixed
// options) and rate the size, quality and speed, and for every curve the
// Bjøntegaard deltas to an anchor. A Report is plain data that is written as a
// terminal table, Markdown, CSV, JSON, SVG, PNG or a self-contained HTML page.
//
//	b := report.New(nil)
//	for row := range journal {
//		b.Add(row)
//	}
//	r, err := b.Report()
//	...
//	err = r.Text(os.Stdout)
//
// # What is averaged over what
//
// A curve is reported over the pictures that all of its rates coded, so that no
// rate looks better because it failed on a difficult picture; how many that are
// is stated, and curves that lack pictures are named in the notes. A rate that
// failed on every picture is listed and left out of this. Comparisons (BD-rate,
// size relative to the anchor) are over the pictures that both sides coded. Values
// at a size (AtSize) are of all pictures of the report, or there are none. Sums run
// in the order of the pictures' names, so that the same rows give the same figures,
// bit by bit, in whatever order they come.
//
// # Memory
//
// A row takes about 150 to 200 bytes in a Builder, so that 10,000 pictures at 20
// points take less than 40 MB.
//
// # Security
//
// Names, flags and error messages are taken to be hostile: the page escapes
// them, loads nothing and forbids the browser to (Content-Security-Policy), and
// terminal tables show control characters as "�".
package report

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/burin-codec/burin/corpus/anchor"
	"github.com/burin-codec/burin/corpus/metric"
)

// Options says what a report shows. Start from DefaultOptions.
type Options struct {
	Title   string // of the page and the plots; empty: the names of the corpora
	Date    string // shown as it is; empty: none
	Machine string // what the times were taken on; empty: what the rows say

	// Anchor is the name of the curve that others are compared with: one of the
	// journal, or a published one of Dataset. Empty: nothing is compared.
	Anchor string
	// Dataset is what published curves are taken from, such as "kodak" (see
	// package corpus/anchor). Empty: none.
	Dataset string
	// Published names the published curves of Dataset that are drawn in the plots.
	// The page has all of Dataset for choosing, and shows these at first.
	Published []string

	// ClipPSNR and ClipMSSSIM are the qualities in dB over which BD-rates
	// integrate at most; a zero Range restricts nothing.
	ClipPSNR, ClipMSSSIM metric.Range
	// Resamples, at least 39, and Seed are of the bootstrap over pictures that gives
	// the 95 % intervals of BD-rates.
	Resamples int
	Seed      uint64

	// Color marks headings and failures in Text with ANSI colours.
	Color bool

	// Pictures holds the originals and the decoded pictures for the viewer of the
	// page: it is the folder of bench.Options.Pictures. Nil: no viewer.
	Pictures fs.FS
	// MaxPageBytes bounds the page: pictures that would make it larger are left
	// out, evenly, and the page says so. The figures are always in it.
	MaxPageBytes int64
	// MaxPagePictures is of how many pictures the page has single figures, at
	// least 1. From larger corpora it takes every so manieth.
	MaxPagePictures int
}

// DefaultOptions returns the options for New(nil): no anchor, no viewer, 999
// resamples, 24 MiB and 500 pictures in a page.
func DefaultOptions() *Options {
	return &Options{
		Resamples:       999,
		Seed:            1,
		MaxPageBytes:    24 << 20,
		MaxPagePictures: 500,
	}
}

func (o *Options) check() error {
	switch {
	case o.Resamples < 39: // metric.Bootstrap needs them for 95 %
		return fmt.Errorf("report: %d resamples", o.Resamples)
	case o.MaxPageBytes < 0:
		return fmt.Errorf("report: a page of %d bytes", o.MaxPageBytes)
	case o.MaxPagePictures < 1:
		return fmt.Errorf("report: %d pictures in a page", o.MaxPagePictures)
	case len(o.Published) > 0 && o.Dataset == "":
		return errors.New("report: published curves of no dataset")
	}
	return nil
}

// published returns the published curves of the data set, and of them those to
// draw.
func (o *Options) published() (all, drawn []anchor.Curve, err error) {
	if o.Dataset == "" {
		return nil, nil, nil
	}
	all = anchor.Curves(o.Dataset)
	for _, name := range o.Published {
		c := findPublished(all, name)
		if c == nil {
			return nil, nil, fmt.Errorf("report: no published curve %q of %q", name, o.Dataset)
		}
		drawn = append(drawn, *c)
	}
	return all, drawn, nil
}

func findPublished(curves []anchor.Curve, name string) *anchor.Curve {
	for i := range curves {
		if curves[i].Name == name {
			return &curves[i]
		}
	}
	return nil
}

// The metrics of Point.Quality, by their names in Row.Metrics. All but PSNRMeanMSE
// are means over pictures.
const (
	PSNR         = "psnr"          // of R, G and B, dB
	PSNRMeanMSE  = "psnr_mean_mse" // PSNR of the mean squared error over all pictures, dB
	PSNRYUV      = "psnr_yuv"      // weighted 6:1:1, dB
	SSIM         = "ssim"          // 0 to 1
	MSSSIM       = "ms_ssim"       // 0 to 1
	MSSSIMdB     = "ms_ssim_db"    // mean of -10 log10(1 - MS-SSIM) of the pictures
	SSIMULACRA2  = "ssimulacra2"   // up to 100
	Butteraugli  = "butteraugli"   // 0 and up, less is better
	metricMSE    = "mse"           // of R, G and B, for samples of 8 bits
	metricYOfMSE = "mse_y"
)

// A Report is what rows come to. Figures are rounded to what is worth printing:
// dB to 4 decimals, bits per pixel to 5, per cents to 3, and speeds to 4 digits.
type Report struct {
	Title    string   `json:"title"`
	Date     string   `json:"date,omitempty"`
	Machine  string   `json:"machine,omitempty"`
	Corpora  []string `json:"corpora"`
	Pictures int      `json:"pictures"` // of all curves together
	Pixels   int64    `json:"pixels"`   // of these
	// Checksum tells whether two reports are of the same pictures: it is the SHA-256,
	// in hex, of a line of hash, two blanks and name for each, in the order of names.
	// For a folder of RGB or gray pictures it is dataset.Corpus.Checksum.
	Checksum string `json:"checksum"`

	Anchor string  `json:"anchor,omitempty"`
	Curves []Curve `json:"curves"` // by name
	// Published are the curves of Options.Published and a published anchor.
	Published []Published `json:"published,omitempty"`
	BD        []BD        `json:"bd,omitempty"` // by curve and metric
	Failures  []Failure   `json:"failures,omitempty"`
	Notes     []string    `json:"notes,omitempty"` // what a reader must know to compare

	o      *Options // nil, as are all below, in a report that was read from JSON
	rows   *Builder
	order  []int       // the pictures, by name
	curves []curve     // as in Curves
	every  []Published // of the data set
}

// A Curve is a codec with fixed options.
type Curve struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"` // of the codec; one, unless rows are of several
	// Machines are those that the times were taken on, if the report has several.
	Machines []string `json:"machines,omitempty"`
	Pictures int      `json:"pictures"` // that every rate coded, and that the figures are of
	Failed   int      `json:"failed,omitempty"`
	// Uneven says that the rates coded different pictures.
	Uneven   bool `json:"uneven,omitempty"`
	Lossless bool `json:"lossless,omitempty"` // every picture came back exactly
	// Partial has the metrics that are of fewer pictures, and of how many.
	Partial map[string]int `json:"partial,omitempty"`
	Points  []Point        `json:"points"` // by bits per pixel, lossless ones by the name of the rate
}

// A Point is a curve at a rate.
type Point struct {
	Rate    string `json:"rate"`
	Command string `json:"command"`
	// Commands is how many different commands there were, if not one.
	Commands int `json:"commands,omitempty"`
	Coded    int `json:"coded"` // pictures, of which the curve's are a part
	Failed   int `json:"failed,omitempty"`
	Exact    int `json:"exact,omitempty"` // of the curve's pictures, those that came back exactly

	Bytes    int64   `json:"bytes"`
	BPP      float64 `json:"bpp"`       // mean of the pictures' bits per pixel
	TotalBPP float64 `json:"total_bpp"` // all bits to all pixels
	BPSP     float64 `json:"bpsp"`      // all bits to all samples

	// Quality has the metrics by name, see PSNR and so on. What was not measured and
	// what is infinite, such as the PSNR where a picture came back exactly, is
	// absent.
	Quality map[string]float64 `json:"quality"`

	// Speeds in 10^6 pixels a second: all pixels to the time of all pictures, of the
	// CPU and on the clock. Those that were not measured are 0.
	EncodeCPU  float64 `json:"encode_cpu,omitempty"`
	DecodeCPU  float64 `json:"decode_cpu,omitempty"`
	EncodeWall float64 `json:"encode_wall,omitempty"`
	DecodeWall float64 `json:"decode_wall,omitempty"`
	// Peak resident bytes over the pictures, 0 if not measured.
	EncodeMemory int64 `json:"encode_memory,omitempty"`
	DecodeMemory int64 `json:"decode_memory,omitempty"`

	// Relative is how much larger than the anchor, in per cent, a lossless point is
	// on their common pictures: than the smallest of the anchor's points. Nil if
	// either is not lossless.
	Relative *float64 `json:"relative,omitempty"`
}

// A BD compares a curve with the anchor.
type BD struct {
	Curve    string `json:"curve"`
	Metric   string `json:"metric"`             // PSNR or MSSSIMdB
	Pictures int    `json:"pictures,omitempty"` // common to both
	// PCHIP and Cubic are the BD-rates in per cent by the two interpolations,
	// negative if the curve needs fewer bits than the anchor. Nil where the points
	// do not allow one.
	PCHIP *float64 `json:"pchip,omitempty"`
	Cubic *float64 `json:"cubic,omitempty"`
	// Interval is the 95 % bootstrap interval of PCHIP over pictures. To a published
	// curve there is none, as its single pictures are not known.
	Interval *[2]float64 `json:"interval,omitempty"`
	Overlap  *[2]float64 `json:"overlap,omitempty"` // the qualities that were compared, in dB
	Share    float64     `json:"share,omitempty"`   // of the union of both ranges, 0 to 1
	Note     string      `json:"note,omitempty"`    // why something is absent
}

// A Published curve is one that somebody else measured, or that was measured
// before.
type Published struct {
	Name        string           `json:"name"`
	Source      string           `json:"source"`
	Reference   string           `json:"reference,omitempty"` // the codec
	Note        string           `json:"note,omitempty"`
	DecoderMACs float64          `json:"decoder_macs,omitempty"` // per pixel, 0 if unknown
	Points      []PublishedPoint `json:"points"`
}

// A PublishedPoint holds 0 for what was not published.
type PublishedPoint struct {
	BPP      float64 `json:"bpp"`
	PSNR     float64 `json:"psnr,omitempty"`
	MSSSIM   float64 `json:"ms_ssim,omitempty"`
	MSSSIMdB float64 `json:"ms_ssim_db,omitempty"`
	// DBOfMean says that MSSSIMdB is that of the mean MS-SSIM, which is less than the
	// mean of the pictures' dB, for want of the latter.
	DBOfMean bool `json:"db_of_mean,omitempty"`
}

// A Failure is a row with an error.
type Failure struct {
	Curve   string `json:"curve"`
	Rate    string `json:"rate"`
	Name    string `json:"name"` // of the picture
	Picture string `json:"picture"`
	Error   string `json:"error"`
}
