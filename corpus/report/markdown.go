package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// markdownColumns are like textColumns, and say more.
func markdownColumns(lossless bool) []column {
	columns := []column{
		{"rate", true, func(p *Point) string { return markdown(p.rate()) }},
		{"bytes", false, func(p *Point) string { return grouped(p.Bytes) }},
		{"bpp", false, func(p *Point) string { return fmt.Sprintf("%.4f", p.BPP) }},
	}
	if lossless {
		columns = append(columns,
			column{"bits per sample", false, func(p *Point) string { return fmt.Sprintf("%.4f", p.BPSP) }},
			column{"to anchor", false, func(p *Point) string { return percent(p.Relative) }})
	} else {
		columns = append(columns,
			metricColumn("PSNR", PSNR, 2), metricColumn("PSNR-YUV", PSNRYUV, 2), metricColumn("SSIM", SSIM, 4), metricColumn("MS-SSIM", MSSSIM, 5),
			metricColumn("MS-SSIM dB", MSSSIMdB, 2), metricColumn("SSIMULACRA2", SSIMULACRA2, 2), metricColumn("Butteraugli", Butteraugli, 2))
	}
	both := func(f func(p *Point) (a, b string)) func(p *Point) string {
		return func(p *Point) string {
			a, b := f(p)
			if a == none && b == none {
				return none
			}
			return a + " / " + b
		}
	}
	return append(columns,
		column{"MP/s enc / dec, CPU", false, both(func(p *Point) (a, b string) { return speed(p.EncodeCPU), speed(p.DecodeCPU) })},
		column{"MP/s enc / dec, wall", false, both(func(p *Point) (a, b string) { return speed(p.EncodeWall), speed(p.DecodeWall) })},
		column{"peak MB enc / dec", false, both(func(p *Point) (a, b string) { return memory(p.EncodeMemory), memory(p.DecodeMemory) })},
		column{"failed", false, func(p *Point) string {
			if p.Failed == 0 {
				return none
			}
			return strconv.Itoa(p.Failed)
		}})
}

// Markdown writes the report as tables in GitHub's Markdown.
func (r *Report) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s: %s\n", markdown(r.Title), markdown(r.headline()))
	for _, lossless := range []bool{false, true} {
		curves := r.kind(lossless)
		if len(curves) == 0 {
			continue
		}
		columns := filled(markdownColumns(lossless), curves, 3)
		header, rule := "| curve | n |", "|---|--:|"
		for _, col := range columns {
			header += " " + col.title + " |"
			if col.left {
				rule += "---|"
			} else {
				rule += "--:|"
			}
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", header, rule)
		for _, c := range curves {
			for i := range c.Points {
				fmt.Fprintf(&b, "| %s | %d |", markdown(c.Name), c.Pictures)
				for _, col := range columns {
					fmt.Fprintf(&b, " %s |", col.value(&c.Points[i]))
				}
				b.WriteByte('\n')
			}
		}
	}
	if len(r.BD) > 0 {
		fmt.Fprintf(&b, "\n| BD-rate to %s | metric | n | PCHIP | 95 %% | cubic | overlap |\n|---|---|--:|--:|--:|--:|---|\n", markdown(r.Anchor))
		for _, d := range r.BD {
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s |\n", markdown(d.Curve), metricTitle(d.Metric), d.Pictures,
				percent(d.PCHIP), interval(d.Interval), percent(d.Cubic), d.overlap())
		}
	}
	b.WriteByte('\n')
	for _, s := range r.footnotes(markdown, markdownCode) {
		fmt.Fprintf(&b, "- %s\n", s)
	}
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "\n| failed | rate | picture | error |\n|---|---|---|---|\n")
		for i, f := range r.Failures {
			if i == maxListed {
				fmt.Fprintf(&b, "\nAnd %d more.\n", len(r.Failures)-i)
				break
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", markdown(f.Curve), markdown(f.Rate), markdown(f.Name), markdown(f.Error))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// markdown escapes what Markdown and the HTML in it take for markup.
func markdown(s string) string {
	var b strings.Builder
	for _, c := range printable(s) {
		if strings.ContainsRune("\\`*_[]<>&|~#$", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// markdownCode writes a code span. What is in it is not escaped, so its fence is
// longer than any run of backticks in it.
func markdownCode(s string) string {
	s = printable(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + s + fence
}
