package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// metricTitles are how metrics are called for people.
var metricTitles = map[string]string{
	PSNR: "PSNR", PSNRMeanMSE: "PSNR of mean MSE", PSNRYUV: "PSNR-YUV", SSIM: "SSIM", MSSSIM: "MS-SSIM",
	MSSSIMdB: "MS-SSIM dB", SSIMULACRA2: "SSIMULACRA2", Butteraugli: "Butteraugli", metricMSE: "MSE",
}

func metricTitle(name string) string { return metricTitles[name] }

// none stands for what was not measured.
const none = "–"

// quality writes a metric of a point.
func (p *Point) quality(name string, decimals int) string {
	v, ok := p.Quality[name]
	switch {
	case ok:
		return strconv.FormatFloat(v, 'f', decimals, 64)
	case p.Exact > 0 && (name == PSNR || name == PSNRYUV || name == MSSSIMdB):
		return "∞"
	}
	return none
}

// speed writes 10^6 pixels a second to three digits.
func speed(v float64) string {
	switch {
	case v == 0:
		return none
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	case v >= 0.001:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.1e", v)
}

// memory writes bytes as 10^6 bytes.
func memory(bytes int64) string {
	if bytes == 0 {
		return none
	}
	return fmt.Sprintf("%.0f", float64(bytes)/1e6)
}

// percent writes a difference in per cent.
func percent(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%+.2f %%", *v+0)
}

// interval writes a range of per cents.
func interval(v *[2]float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%+.1f to %+.1f", v[0], v[1])
}

// overlap writes what a BD-rate was taken over.
func (b *BD) overlap() string {
	if b.Overlap == nil {
		return none
	}
	return fmt.Sprintf("%.1f–%.1f dB (%.0f %%)", b.Overlap[0], b.Overlap[1], 100*b.Share)
}

// grouped writes an integer with commas.
func grouped(v int64) string {
	s := strconv.FormatInt(v, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// has reports whether a point has a metric.
func (r *Report) has(metric string) bool {
	for i := range r.Curves {
		for _, p := range r.Curves[i].Points {
			if _, ok := p.Quality[metric]; ok {
				return true
			}
		}
	}
	return false
}

// kind returns the curves with points that are lossless, or those that are not.
func (r *Report) kind(lossless bool) []*Curve {
	var out []*Curve
	for i := range r.Curves {
		if c := &r.Curves[i]; len(c.Points) > 0 && c.Lossless == lossless {
			out = append(out, c)
		}
	}
	return out
}

// rate names a point in a table.
func (p *Point) rate() string {
	if p.Rate == "" {
		return none
	}
	return p.Rate
}

// covers writes what the figures of a curve are of, as part of what there is.
func (r *Report) covers(c *Curve) string {
	s := count(c.Pictures, "picture")
	if c.Pictures != r.Pictures {
		s = fmt.Sprintf("%d of %s", c.Pictures, count(r.Pictures, "picture"))
	}
	if c.Failed > 0 {
		s += ", " + count(c.Failed, "failure")
	}
	return s
}

// headline says what the report is of.
func (r *Report) headline() string {
	s := fmt.Sprintf("%s, %.2f Mpixel", count(r.Pictures, "picture"), float64(r.Pixels)/1e6)
	if r.Date != "" {
		s += ", " + r.Date
	}
	return s
}

// conventions says how figures are meant, for under the tables.
func (r *Report) conventions() []string {
	lines := []string{
		"bpp (of whole files), PSNR, SSIM and MS-SSIM are means of the pictures' values; speeds are all pixels to all time.",
	}
	if len(r.kind(true)) > 0 {
		lines = append(lines, "Lossless: every picture came back exactly; bits per sample are 8 · bytes / (width · height · planes), over all pictures.")
	}
	if r.find(r.Anchor) >= 0 && r.Curves[r.find(r.Anchor)].Lossless {
		lines = append(lines, fmt.Sprintf("Sizes in per cent: to the smallest of %s, over the pictures that both coded.", r.Anchor))
	}
	if len(r.BD) > 0 {
		if r.find(r.Anchor) >= 0 {
			lines = append(lines, fmt.Sprintf("BD-rate: how many more bits than %s at equal quality, of the mean curves over the pictures that both coded. "+
				"Intervals: 95 %%, bootstrap over pictures.", r.Anchor))
		} else {
			lines = append(lines, fmt.Sprintf("BD-rate: how many more bits than %s, as published, at equal quality, of the mean curves. "+
				"No intervals: its single pictures are not known.", r.Anchor))
		}
		lines = append(lines, "Overlap: the qualities that both reach, and their share of all that either reaches.")
	}
	return lines
}

// printable keeps a terminal or a line of text from being driven by a name:
// control characters, line ends included, become U+FFFD.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError || unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || unicode.Is(unicode.Bidi_Control, c) {
			return utf8.RuneError
		}
		return c
	}, s)
}
