package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/anchor"
	"github.com/burin-codec/burin/corpus/metric"
)

var updateREADME = flag.Bool("update", false, "write the tables of the README anew")

const readme = "../../README.md"

// measured reads a report that burin bench wrote, as it is kept for the README.
func measured(t *testing.T, name string) *Report {
	t.Helper()
	b, err := os.ReadFile("../../doc/bench/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func curveNamed(t *testing.T, r *Report, name string) *Curve {
	t.Helper()
	i := slices.IndexFunc(r.Curves, func(c Curve) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no curve %q", name)
	}
	return &r.Curves[i]
}

// TestREADME checks that the tables of the README are the figures in doc/bench.
func TestREADME(t *testing.T) {
	kodak, photos := measured(t, "kodak.json"), measured(t, "photos.json")
	lossy := latest(t, kodak, measured(t, "overfit.json"), measured(t, "overfit-e3.json"), measured(t, "learned.json"))
	checkPlot(t, kodak, lossy)
	b, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{"lossless": losslessTable(t, kodak, photos), "lossy": lossyTable(lossy)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		old, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("the README has no place for the table %q", name)
		}
		if old != table && !*updateREADME {
			t.Errorf("the README has not the figures of doc/bench; go test ./corpus/report -run README -update writes them:\n%s", table)
		}
		text = before + begin + table + end + after
	}
	if *updateREADME {
		if err := os.WriteFile(readme, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// losslessTable has the curves that both reports have.
func losslessTable(t *testing.T, kodak, photos *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | photos: bytes | to `%s` | Kodak: bits a sample | MP/s enc / dec | peak MB enc / dec |\n|---|--:|--:|--:|--:|--:|\n", photos.Anchor)
	for _, c := range photos.Curves {
		p := c.Points[0]
		name := "`" + c.Name + "`"
		if strings.HasPrefix(c.Name, "lossless") {
			name = "**burin** " + name
		}
		relative := none
		if p.Relative != nil {
			relative = fmt.Sprintf("%+.2f %%", *p.Relative)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.3f | %s / %s | %s / %s |\n", name, grouped(p.Bytes), relative,
			curveNamed(t, kodak, c.Name).Points[0].BPSP, speed(p.EncodeCPU), speed(p.DecodeCPU),
			memory(p.EncodeMemory), memory(p.DecodeMemory))
	}
	return b.String()
}

// A measurement is a lossy curve, and the report that has its BD-rates.
type measurement struct {
	r *Report
	c *Curve
}

// latest returns the lossy curves by name. Those of later reports, which must have the
// anchor and the pictures of the first, replace those of the same name.
func latest(t *testing.T, reports ...*Report) map[string]measurement {
	t.Helper()
	out := map[string]measurement{}
	first := reports[0]
	for _, r := range reports {
		if r.Anchor != first.Anchor || r.Checksum != first.Checksum {
			t.Fatalf("anchor %s on pictures %s, not %s on %s", r.Anchor, r.Checksum, first.Anchor, first.Checksum)
		}
		for i := range r.Curves {
			c := &r.Curves[i]
			if c.Name == r.Anchor && r != first {
				for j, p := range curveNamed(t, first, c.Name).Points {
					if c.Points[j].Bytes != p.Bytes {
						t.Fatalf("%s takes %d bytes at %s, not %d", c.Name, c.Points[j].Bytes, p.Rate, p.Bytes)
					}
				}
				continue
			}
			if !c.Lossless {
				out[c.Name] = measurement{r, c}
			}
		}
	}
	return out
}

// checkPlot checks that the plot of the README shows the curves as they are in doc/bench.
func checkPlot(t *testing.T, first *Report, curves map[string]measurement) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Log("the plot is not checked: coordinates of other architectures may differ in the last digit")
		return
	}
	r := &Report{Title: "kodak", Published: first.Published}
	for _, name := range []string{"avif:s6:420:ssim", "avif:s6:444:ssim", "heif:444", "jpegturbo:420", "jxl:e7", "learned:e1",
		"overfit:e1", "overfit:e3", "webp:m6", "x265:444"} {
		m, ok := curves[name]
		if !ok {
			t.Fatalf("no curve %q", name)
		}
		r.Curves = append(r.Curves, *m.c)
	}
	var b bytes.Buffer
	if err := r.PlotSVG(&b, PSNR); err != nil {
		t.Fatal(err)
	}
	const name = "../../doc/bench/psnr.svg"
	if *updateREADME {
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, b.Bytes()) {
		t.Error("psnr.svg has not the figures of doc/bench; go test ./corpus/report -run README -update draws it")
	}
}

// lossyTable has the BD-rates of the lossy curves, best first, and their median speeds.
func lossyTable(curves map[string]measurement) string {
	type line struct {
		name  string
		psnr  float64
		cells string
	}
	var lines []line
	find := func(r *Report, curve, m string) *BD {
		for i := range r.BD {
			if r.BD[i].Curve == curve && r.BD[i].Metric == m {
				return &r.BD[i]
			}
		}
		return nil
	}
	for _, m := range curves {
		r, c := m.r, m.c
		var enc, dec []float64
		for _, p := range c.Points {
			enc, dec = append(enc, p.EncodeCPU), append(dec, p.DecodeCPU)
		}
		slices.Sort(enc)
		slices.Sort(dec)
		l := line{name: c.Name}
		cell := "0"
		if d := find(r, c.Name, PSNR); d != nil && d.PCHIP != nil && d.Interval != nil {
			l.psnr = *d.PCHIP
			cell = fmt.Sprintf("%+.1f %% (%+.1f to %+.1f)", *d.PCHIP, d.Interval[0], d.Interval[1])
		}
		msssim := "0"
		if d := find(r, c.Name, MSSSIMdB); d != nil && d.PCHIP != nil {
			msssim = fmt.Sprintf("%+.1f %%", *d.PCHIP)
		}
		l.cells = fmt.Sprintf("%s | %s | %s / %s", cell, msssim, speed(enc[len(enc)/2]), speed(dec[len(dec)/2]))
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.psnr, b.psnr), cmp.Compare(a.name, b.name))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "| | BD-rate by PSNR (95 %%) | by MS-SSIM | MP/s enc / dec |\n|---|--:|--:|--:|\n")
	for _, l := range lines {
		name := "`" + l.name + "`"
		if strings.HasPrefix(l.name, "overfit") || strings.HasPrefix(l.name, "learned") {
			name = "**burin** " + name
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, l.cells)
	}
	return b.String()
}

// TestKodakAgrees checks what burin bench measured of other programs on Kodak
// against an earlier measurement of the same versions on another machine and with
// other tools.
func TestKodakAgrees(t *testing.T) {
	r := measured(t, "kodak.json")
	for name, peer := range map[string]string{
		"jpeg":             "peer: Go image/jpeg 420",
		"jpegturbo:420":    "peer: libjpeg-turbo 2.1.5 420 prog+opt",
		"jpegturbo:444":    "peer: libjpeg-turbo 2.1.5 444 prog+opt",
		"webp:m6":          "peer: WebP cwebp 1.2.4 -m6",
		"webp:m6:sharp":    "peer: WebP cwebp 1.2.4 -m6 sharp_yuv",
		"jxl:e7":           "peer: JPEG XL cjxl 0.7 e7",
		"avif:s6:444:ssim": "peer: AVIF avifenc s6 444",
		"avif:s6:444:psnr": "peer: AVIF avifenc s6 444 tune=psnr",
		"avif:s6:420:ssim": "peer: AVIF avifenc s6 420",
		"x265:444":         "peer: HEVC x265 3.5 slow intra 444 psnr",
		"x265:420":         "peer: HEVC x265 3.5 slow intra 420 psnr",
	} {
		c := curveNamed(t, r, name)
		a, ok := anchor.Find(peer, "kodak")
		if !ok {
			t.Fatalf("no curve %q", peer)
		}
		if c.Pictures != 24 || c.Failed > 0 {
			t.Errorf("%s: %d pictures, %d failed", name, c.Pictures, c.Failed)
		}
		var psnr, msssim, peerdB []metric.Point
		for _, p := range a.Points {
			peerdB = append(peerdB, metric.Point{Rate: p.BPP, Quality: p.MSSSIMdB})
		}
		worst := 0.0
		for _, p := range c.Points {
			psnr = append(psnr, metric.Point{Rate: p.BPP, Quality: p.Quality[PSNR]})
			msssim = append(msssim, metric.Point{Rate: p.BPP, Quality: p.Quality[MSSSIMdB]})
			for _, q := range a.Points {
				if math.Abs(p.BPP-q.BPP) < 0.002*q.BPP { // the same rate
					worst = max(worst, math.Abs(p.Quality[MSSSIM]-q.MSSSIM))
				}
			}
		}
		byPSNR, err := metric.BDRate(a.PSNRCurve(), psnr, metric.PCHIP, metric.Range{})
		if err != nil {
			t.Fatal(err)
		}
		byMSSSIM, err := metric.BDRate(peerdB, msssim, metric.PCHIP, metric.Range{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-17s BD-rate %+.3f %% by PSNR, %+.3f %% by MS-SSIM; MS-SSIM off by up to %.1e", name, byPSNR.Value, byMSSSIM.Value, worst)
		if math.Abs(byPSNR.Value) > 1 || math.Abs(byMSSSIM.Value) > 1 || worst > 1e-4 {
			t.Errorf("%s: too far", name)
		}
	}
}
