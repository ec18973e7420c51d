package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/burin-codec/burin/corpus/anchor"
	"github.com/burin-codec/burin/corpus/bench"
	"github.com/burin-codec/burin/corpus/metric"
)

// row makes a row of a picture that is named by its hash.
func row(picture, curve, rate string, bytes int64, metrics map[string]float64) *bench.Row {
	return &bench.Row{Corpus: "test", Name: picture + ".png", Picture: strings.Repeat(picture, 64)[:64], Width: 100, Height: 80, Planes: 3, Depth: 8,
		Curve: curve, Rate: rate, Version: curve + " 1.0", Command: curve + " -q " + strings.TrimLeft(rate, "q"), Bytes: bytes, Metrics: metrics,
		Cost: bench.Cost{Runs: 1, EncodeCPU: 0.5, EncodeWall: 0.25, DecodeCPU: 0.1, DecodeWall: 0.05, EncodeMemory: 1e6 * bytes, DecodeMemory: 2e6}}
}

// quality makes the metrics of a PSNR.
func quality(psnr float64) map[string]float64 {
	mse := 255 * 255 / math.Pow(10, psnr/10)
	ms := 1 - math.Pow(10, -psnr/20)
	return map[string]float64{"mse": mse, "psnr": psnr, "mse_y": mse, "psnr_yuv": psnr + 1, "ssim": 0.9, "ms_ssim": ms, "ms_ssim_db": -10 * math.Log10(1-ms)}
}

var exact = map[string]float64{"mse": 0, "mse_y": 0, "ssim": 1, "ms_ssim": 1}

func fail(r *bench.Row, err string) *bench.Row {
	r.Bytes, r.Metrics, r.Error, r.Cost = 0, nil, err, bench.Cost{}
	return r
}

// large makes the picture of a row as large as those of sweep.
func large(r *bench.Row) *bench.Row {
	r.Width, r.Height = 1000, 800
	return r
}

func build(t testing.TB, o *Options, rows ...*bench.Row) *Report {
	t.Helper()
	b := New(o)
	for _, r := range rows {
		b.Add(r)
	}
	r, err := b.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func output(t testing.TB, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sweep makes rows of a curve at five rates on pictures, all harder than the last.
func sweep(curve string, factor float64, pictures ...string) (rows []*bench.Row) {
	for i, p := range pictures {
		for k := range 5 {
			size := 1000 * math.Pow(1.5, float64(k)) * (1 + 0.3*float64(i)) * factor
			rows = append(rows, large(row(p, curve, fmt.Sprintf("q%d", 10*k+5), int64(math.Round(size*100)), quality(28+3*float64(k)-0.7*float64(i)))))
		}
	}
	return rows
}

func TestReport(t *testing.T) {
	a, b := row("a", "c", "q10", 1000, quality(30)), row("b", "c", "q10", 3000, quality(40))
	b.Width, b.Height, b.Planes = 200, 160, 1 // four times the pixels
	a.Metrics["ssimulacra2"] = 50
	b.Cost = bench.Cost{EncodeCPU: 1.5, DecodeWall: 0.1, EncodeMemory: 5}
	r := build(t, nil, row("a", "c", "q10", 1, quality(1)), b, a) // the first is overwritten
	if r.Pictures != 2 || r.Pixels != 8000+32000 || r.Title != "test" || len(r.Curves) != 1 {
		t.Fatalf("%+v", r)
	}
	c := r.Curves[0]
	if c.Name != "c" || c.Pictures != 2 || c.Uneven || c.Failed != 0 || c.Lossless || !slices.Equal(c.Versions, []string{"c 1.0"}) || len(c.Points) != 1 {
		t.Fatalf("%+v", c)
	}
	if want := map[string]int{SSIMULACRA2: 1}; !reflect.DeepEqual(c.Partial, want) {
		t.Errorf("partial: %v", c.Partial)
	}
	p := c.Points[0]
	mean := (math.Pow(10, -3) + math.Pow(10, -4)) / 2
	want := Point{
		Rate: "q10", Command: "c -q 10", Coded: 2, Bytes: 4000,
		BPP:      0.875, // (8*1000/8000 + 8*3000/32000) / 2
		TotalBPP: 0.8,   // 8*4000/40000
		BPSP:     0.57143,
		Quality: map[string]float64{PSNR: 35, PSNRMeanMSE: round(-10*math.Log10(mean), 4), PSNRYUV: 36, SSIM: 0.9, MSSSIMdB: 17.5,
			MSSSIM: round(1-(math.Pow(10, -1.5)+math.Pow(10, -2))/2, 6), SSIMULACRA2: 50},
		EncodeCPU:    0.02, // 40000 pixels in 2 s
		DecodeCPU:    0.08, // 8000 pixels in 0.1 s: the other was not measured
		EncodeWall:   0.032,
		DecodeWall:   0.2667, // 40000 pixels in 0.15 s
		EncodeMemory: 1e9, DecodeMemory: 2e6,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if n := unsafe.Sizeof(cell{}); n > 144 {
		t.Errorf("a row takes %d bytes", n)
	}
}

// TestOrder merges shards in several orders.
func TestOrder(t *testing.T) {
	var rows []*bench.Row
	names := strings.Split("0123456789abcdef", "")
	for k, curve := range []string{"base", "test", "e2", "e10"} {
		rows = append(rows, sweep(curve, 1+float64(k)/7.3, names...)...)
	}
	for i, n := range names {
		rows = append(rows, large(row(n, "exact", "", int64(3000+i*i), exact)))
	}
	fail(rows[17], "first")
	fail(rows[171], "second")
	rows[3].Version, rows[200].Command, rows[5].Cost.Machine = "base 1.1", "another", "another machine"
	twice := *rows[9] // an equal picture under another name
	twice.Name, twice.Curve = "00.png", "test"
	rows = append(rows[:len(rows):len(rows)], &twice)
	rows = slices.DeleteFunc(rows, func(r *bench.Row) bool { return r.Curve == "test" && r.Picture == twice.Picture && r != &twice })

	o := DefaultOptions()
	o.Anchor, o.Resamples = "base", 99
	all := func(rows []*bench.Row) []string {
		r := build(t, o, rows...)
		out := []string{output(t, r.Text), output(t, r.Markdown), output(t, r.CSV), output(t, r.JSON), output(t, r.HTML)}
		return append(out, output(t, func(w io.Writer) error { return r.PlotSVG(w, PSNR) }))
	}
	want := all(rows)
	if !strings.Contains(want[0], "00.png") && !strings.Contains(want[4], "00.png") {
		t.Error("the picture of two names does not go by the first")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := all(rows); !slices.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("output %d differs with the order of the rows:\n%.3000s\n---\n%.3000s", i, got[i], want[i])
				}
			}
			return
		}
	}
}

func TestFailures(t *testing.T) {
	rows := slices.Concat(sweep("base", 1, "a", "b", "c"), sweep("test", 0.9, "a", "b", "c"))
	fail(rows[15+5], "b fails at the lowest rate")
	for i, p := range []string{"a", "b", "c"} {
		rows = append(rows, fail(large(row(p, "test", "q99", 0, nil)), fmt.Sprintf("no such rate, %d", i)))
	}
	rows = append(rows, fail(large(row("a", "broken", "", 0, nil)), "does not run"))
	o := DefaultOptions()
	o.Anchor = "base"
	r := build(t, o, rows...)
	if len(r.Failures) != 5 || r.Failures[0] != (Failure{"broken", "", "a.png", rows[0].Picture, "does not run"}) {
		t.Errorf("%+v", r.Failures)
	}
	c := r.Curves[r.find("test")]
	if !c.Uneven || c.Pictures != 2 || c.Failed != 4 || len(c.Points) != 5 {
		t.Errorf("%+v", c)
	}
	if p := c.Points[0]; p.Coded != 2 || p.Failed != 1 || p.Bytes != 90000+144000 {
		t.Errorf("%+v", p)
	}
	if p := c.Points[1]; p.Coded != 3 || p.Failed != 0 || p.Bytes != 135000+216000 {
		t.Errorf("%+v", p)
	}
	if c := r.Curves[r.find("broken")]; len(c.Points) != 0 || c.Failed != 1 {
		t.Errorf("%+v", c)
	}
	if len(r.BD) != 2 || r.BD[0].Curve != "test" || r.BD[0].Pictures != 2 || r.BD[0].PCHIP == nil || math.Abs(*r.BD[0].PCHIP+10) > 0.01 {
		t.Errorf("%+v", r.BD)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{
		`test at rate "q99" failed on each of 3 pictures.`,
		"test has rates that cover different pictures (2 to 3 of 3): its figures are of the 2 that all of them coded.",
		`broken at rate "" failed on each of 1 picture.`,
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q lacks %q", notes, want)
		}
	}
	for _, f := range []func(io.Writer) error{r.Text, r.Markdown, r.HTML, r.JSON} {
		if s := output(t, f); !strings.Contains(s, "b fails at the lowest rate") || !strings.Contains(s, "no such rate, 2") {
			t.Errorf("a failure is missing in\n%s", s)
		}
	}

	// No picture that all rates coded.
	r = build(t, nil, row("a", "c", "q1", 10, quality(30)), row("b", "c", "q2", 20, quality(31)))
	if c := r.Curves[0]; !c.Uneven || c.Pictures != 0 || len(c.Points) != 0 || len(r.Notes) != 1 {
		t.Errorf("%+v, %q", c, r.Notes)
	}
	output(t, r.HTML)

	// More than are listed.
	rows = nil
	for i := range 30 {
		rows = append(rows, fail(row("a", "c", fmt.Sprint(i), 0, nil), "none"))
	}
	r = build(t, nil, rows...)
	if s := output(t, r.Text); !strings.Contains(s, "30 failed rows:") || !strings.Contains(s, "and 10 more") {
		t.Error(s)
	}
	if s := output(t, r.Markdown); !strings.Contains(s, "And 10 more.") {
		t.Error(s)
	}
}

func TestLossless(t *testing.T) {
	rows := []*bench.Row{
		row("a", "png", "", 20000, exact), row("b", "png", "", 4000, exact), row("c", "png", "", 1000, exact),
		row("a", "new", "e1", 10000, exact), row("b", "new", "e1", 3000, exact),
		row("a", "new", "e10", 5000, exact), row("b", "new", "e10", 1000, exact),
		row("a", "near", "", 900, exact), row("b", "near", "", 100, quality(60)), row("c", "near", "", 100, quality(70)),
	}
	for _, r := range rows {
		if strings.HasPrefix(r.Picture, "b") {
			r.Planes = 1
		}
	}
	o := DefaultOptions()
	o.Anchor = "png"
	r := build(t, o, rows...)
	png, n, near := r.Curves[r.find("png")], r.Curves[r.find("new")], r.Curves[r.find("near")]
	if !png.Lossless || !n.Lossless || near.Lossless {
		t.Fatalf("%+v", r.Curves)
	}
	if p := png.Points[0]; *p.Relative != 0 || p.Exact != 3 || p.BPSP != round(8*25000.0/(24000+8000+24000), 5) || len(p.Quality) != 2 {
		t.Errorf("%+v", p)
	}
	// 13000 and 6000 against the 24000 of the same two pictures, in the order of efforts.
	if p := n.Points[0]; p.Rate != "e1" || *p.Relative != -45.833 || p.BPSP != 3.25 {
		t.Errorf("%+v, %v", p, *p.Relative)
	}
	if p := n.Points[1]; p.Rate != "e10" || *p.Relative != -75 {
		t.Errorf("%+v, %v", p, *p.Relative)
	}
	if p := near.Points[0]; p.Exact != 1 || p.Relative != nil || p.quality(PSNR, 2) != "∞" || p.quality(SSIM, 2) != "0.93" || p.quality(Butteraugli, 1) != none {
		t.Errorf("%+v", p)
	}
	if len(r.BD) != 0 {
		t.Errorf("%+v", r.BD)
	}
	if s := output(t, r.Text); !strings.Contains(s, "-75.00 %") || !strings.Contains(s, "bits/sample") {
		t.Error(s)
	}
}

func TestBD(t *testing.T) {
	o := DefaultOptions()
	o.Anchor = "base"
	rows := slices.Concat(sweep("base", 1, "a", "b", "c", "d"), sweep("test", 0.8, "b", "c", "d", "e"))
	r := build(t, o, rows...)
	if len(r.BD) != 2 {
		t.Fatalf("%+v", r.BD)
	}
	for i, d := range r.BD {
		// On the common b, c and d the sizes are 0.8 times those of a, b and c there.
		if d.Curve != "test" || d.Pictures != 3 || d.Metric != bdMetrics[i].name || d.PCHIP == nil || d.Cubic == nil || d.Interval == nil || d.Overlap == nil {
			t.Fatalf("%+v", d)
		}
		if d.Interval[0] > *d.PCHIP || d.Interval[1] < *d.PCHIP || d.Interval[0] == d.Interval[1] {
			t.Errorf("%v does not lie within %v", *d.PCHIP, *d.Interval)
		}
	}

	// The same curve scaled: every resample gives the same.
	r = build(t, o, slices.Concat(sweep("base", 1, "a", "b", "c"), sweep("test", 0.8, "a", "b", "c"))...)
	for _, d := range r.BD {
		if math.Abs(*d.PCHIP+20) > 0.01 || math.Abs(*d.Cubic+20) > 0.01 || math.Abs(d.Interval[0]+20) > 0.01 || math.Abs(d.Interval[1]+20) > 0.01 || d.Share != 1 {
			t.Errorf("%+v: %v, %v, %v", d, *d.PCHIP, *d.Cubic, *d.Interval)
		}
	}
	if d := r.BD[0]; d.Overlap[0] != 27.3 || d.Overlap[1] != 39.3 { // means of 28, 27.3 and 26.6, and 12 more
		t.Errorf("overlap %v", *d.Overlap)
	}

	o.ClipPSNR.Low, o.ClipPSNR.High = 30, 33
	r = build(t, o, slices.Concat(sweep("base", 1, "a"), sweep("test", 0.8, "a"))...)
	if d := r.BD[0]; *d.Overlap != [2]float64{30, 33} || d.Interval != nil { // one picture: no interval
		t.Errorf("%+v", d)
	}

	// A point with an exact picture has no place on the curve.
	rows = slices.Concat(sweep("base", 1, "a", "b"), sweep("test", 0.8, "a", "b"))
	rows[len(rows)-1].Metrics = exact
	o.ClipPSNR = metric.Range{}
	r = build(t, o, rows...)
	if d := r.BD[0]; d.Note != "1 point of infinite quality left out" || math.Abs(*d.PCHIP+20) > 0.01 || d.Overlap[1] != 36.65 {
		t.Errorf("%+v", d)
	}

	// Points that cannot be compared say so.
	bad := sweep("test", 0.8, "a", "b")
	for _, r := range bad {
		r.Metrics = quality(30)
	}
	r = build(t, o, append(sweep("base", 1, "a", "b"), bad...)...)
	if d := r.BD[0]; d.PCHIP != nil || d.Note == "" || !strings.Contains(output(t, r.Markdown), "not rise") {
		t.Errorf("%+v", d)
	}
	r = build(t, o, append(sweep("base", 1, "a", "b"), sweep("test", 1, "c")...)...)
	if d := r.BD[0]; d.PCHIP != nil || d.Note != "no picture in common" {
		t.Errorf("%+v", d)
	}
}

// TestPublished makes a journal out of a published curve.
func TestPublished(t *testing.T) {
	const dataset, name = "kodak", "VTM (H.266 intra, CompressAI cfg, 4:4:4 8-bit YCbCr)"
	c, ok := anchor.Find(name, dataset)
	if !ok {
		t.Fatal("no such curve")
	}
	var rows []*bench.Row
	for i, p := range c.Points {
		r := row("a", "same", fmt.Sprintf("q%d", i), int64(math.Round(1.1*p.BPP*4e6/8)),
			map[string]float64{"mse": 1, "psnr": p.PSNR, "ms_ssim": p.MSSSIM, "ms_ssim_db": decibels(p.MSSSIM) + 1})
		r.Width, r.Height = 2000, 2000
		rows = append(rows, r)
	}
	o := DefaultOptions()
	o.Dataset, o.Anchor, o.Published = dataset, name, []string{"Cool-Chic v5.0"}
	r := build(t, o, rows...)
	if len(r.BD) != 2 || len(r.Published) != 2 || r.Published[0].Name != name {
		t.Fatalf("%+v, %+v", r.BD, r.Published)
	}
	for _, d := range r.BD { // MS-SSIM as dB of the mean, as only that is known of the curve
		if d.PCHIP == nil || math.Abs(*d.PCHIP-10) > 0.01 || d.Interval != nil || d.Share < 0.9999 {
			t.Errorf("%+v", d)
		}
	}
	if p := r.Published[0].Points[0]; !p.DBOfMean || p.MSSSIMdB != round(decibels(c.Points[0].MSSSIM), 4) || p.PSNR != round(c.Points[0].PSNR, 4) {
		t.Errorf("%+v", p)
	}
	if s := output(t, r.Text); !strings.Contains(s, c.Source) {
		t.Errorf("no source in\n%s", s)
	}

	// A part of the pictures does not compare with a mean of all.
	r = build(t, o, append(rows, row("b", "one", "q1", 10, quality(30)))...)
	if d := r.BD[0]; d.PCHIP != nil || d.Note != "of 1 of 2 pictures, and the published curve is of all" {
		t.Errorf("%+v", d)
	}

	for _, o := range []*Options{
		{Resamples: 99, MaxPagePictures: 1, Anchor: "none"},
		{Resamples: 99, MaxPagePictures: 1, Published: []string{name}},
		{Resamples: 99, MaxPagePictures: 1, Dataset: dataset, Published: []string{"none"}},
		{Resamples: 38, MaxPagePictures: 1},
		{Resamples: 99},
		{Resamples: 99, MaxPagePictures: 1, MaxPageBytes: -1},
	} {
		b := New(o)
		b.Add(rows[0])
		if _, err := b.Report(); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestBadRows(t *testing.T) {
	for name, change := range map[string]func(r *bench.Row){
		"no hash":      func(r *bench.Row) { r.Picture = "" },
		"no curve":     func(r *bench.Row) { r.Curve = "" },
		"no width":     func(r *bench.Row) { r.Width = 0 },
		"many pixels":  func(r *bench.Row) { r.Width, r.Height = 1<<27, 1<<27 },
		"planes":       func(r *bench.Row) { r.Planes = 5 },
		"bytes":        func(r *bench.Row) { r.Bytes = -1 },
		"empty":        func(r *bench.Row) { r.Bytes = 0 },
		"NaN":          func(r *bench.Row) { r.Metrics = map[string]float64{"psnr": math.NaN()} },
		"negative mse": func(r *bench.Row) { r.Metrics = map[string]float64{"mse": -1} },
		"time":         func(r *bench.Row) { r.Cost.DecodeCPU = -1 },
		"endless":      func(r *bench.Row) { r.Cost.EncodeWall = math.Inf(1) },
		"memory":       func(r *bench.Row) { r.Cost.EncodeMemory = -1 },
		"another size": func(r *bench.Row) { r.Width = 7 },
	} {
		b := New(nil)
		b.Add(row("a", "c", "q1", 100, quality(30)))
		r := row("a", "c", "q2", 100, quality(30))
		change(r)
		b.Add(r)
		if _, err := b.Report(); err == nil || !strings.HasPrefix(err.Error(), "report: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing at all is no error.
	r := build(t, nil)
	for _, f := range []func(io.Writer) error{r.Text, r.Markdown, r.CSV, r.JSON, r.HTML} {
		output(t, f)
	}
}

func TestText(t *testing.T) {
	o := DefaultOptions()
	o.Anchor, o.Date, o.Machine = "base", "2026-01-02", "a machine"
	r := build(t, o, slices.Concat(sweep("base", 1, "a", "b"), sweep("test", 0.9, "a", "b"))...)
	s := output(t, r.Text)
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, " ") && len([]rune(line)) > 101 {
			t.Errorf("%d characters: %s", len([]rune(line)), line)
		}
	}
	for _, want := range []string{
		"test: 2 pictures, 1.60 Mpixel, 2026-01-02\n",
		"base  (2 pictures)\n  q5      230,000  1.1500  27.65  28.65  0.9000  13.82  1.60  8.00  130000\n",
		"base: base 1.0; base -q RATE\n",
		"Machine: a machine\n",
		"BD-rate to base\n",
		"  test   PSNR        2  -10.00 %  -10.0 to -10.0  -10.00 %  27.6–39.6 dB (100 %)\n",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}

	// With all columns, and long numbers.
	rows := sweep("base", 1, "a", "b")
	for i, r := range rows {
		r.Bytes *= 10
		r.Metrics["ssimulacra2"], r.Metrics["butteraugli"], r.Cost.EncodeMemory, r.Cost.EncodeCPU = -100.5, 12.345, 12345e6, 1234
		if i < 3 {
			fail(r, "error")
		}
	}
	s = output(t, build(t, o, rows...).Text)
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "  ") && len([]rune(line)) > 101 {
			t.Errorf("%d characters: %s", len([]rune(line)), line)
		}
	}
	if !strings.Contains(s, "  -100.5") || !strings.Contains(s, "  fail\n") || !strings.Contains(s, "12345") {
		t.Errorf("a column is missing in\n%s", s)
	}
	if strings.ContainsRune(s, '\x1b') {
		t.Error("colours that nobody asked for")
	}
	o.Color = true
	if s := output(t, build(t, o, sweep("base", 1, "a")...).Text); !strings.Contains(s, "\x1b[1mbase\x1b[0m") {
		t.Errorf("no colours:\n%q", s)
	}
}

func TestBDText(t *testing.T) {
	o := DefaultOptions()
	o.Anchor = "base"
	r := build(t, o, slices.Concat(sweep("base", 1, "a", "b"), sweep("test", 0.9, "a", "b"), sweep("far", 1, "c"))...)
	s := output(t, r.BDText)
	for _, want := range []string{
		"BD-rate to base: 3 pictures, 2.40 Mpixel\n",
		"  test   PSNR        2  -10.00 %  -10.0 to -10.0  -10.00 %  27.6–39.6 dB (100 %)\n",
		"Note: BD-rate of far, PSNR: no picture in common.\n",
		"Note: far is of 1 of 3 pictures only",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	if strings.Contains(s, "MS dB") {
		t.Errorf("the whole report:\n%s", s)
	}
	var back []BD
	if err := json.Unmarshal([]byte(output(t, r.BDJSON)), &back); err != nil || !reflect.DeepEqual(back, r.BD) {
		t.Errorf("%+v became %+v: %v", r.BD, back, err)
	}
	alone := build(t, o, sweep("base", 1, "a")...)
	if s := output(t, alone.BDJSON); s != "[]\n" {
		t.Errorf("%q", s)
	}
	if s := output(t, alone.BDText); !strings.Contains(s, "Nothing to compare.") {
		t.Errorf("%q", s)
	}
}

func TestMarkdown(t *testing.T) {
	r := build(t, nil, row("a", "c|d", "q1", 1000, quality(30)), row("a", "exact", "", 12000, exact))
	s := output(t, r.Markdown)
	for _, want := range []string{
		"## test: 1 picture, 0.01 Mpixel\n",
		"| curve | n | rate | bytes | bpp | PSNR | PSNR-YUV | SSIM | MS-SSIM | MS-SSIM dB | MP/s enc / dec, CPU | MP/s enc / dec, wall | peak MB enc / dec |\n",
		"| c\\|d | 1 | q1 | 1,000 | 1.0000 | 30.00 | 31.00 | 0.9000 | 0.96838 | 15.00 | 0.016 / 0.080 | 0.032 / 0.160 | 1000 / 2 |\n",
		"| exact | 1 | – | 12,000 | 12.0000 | 4.0000 |",
		"- c\\|d: c\\|d 1.0; `c|d -q 1`\n",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
}

func TestCSV(t *testing.T) {
	r := build(t, nil, row("a", "c, d", "q1", 1000, quality(30)), row("a", "exact", "", 12000, exact))
	lines, err := csv.NewReader(strings.NewReader(output(t, r.CSV))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 {
		t.Fatal(lines)
	}
	want := "c, d;q1;c, d 1.0;c, d -q 1;1;1;0;0;false;1000;1;1;0.33333;;30;30;31;0.9;0.968377;15;;;0.016;0.08;0.032;0.16;1000000000;2000000"
	if got := strings.Join(lines[1], ";"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := lines[2][slices.Index(lines[0], "bpsp")]; got != "4" {
		t.Errorf("bpsp %s", got)
	}
	if got := lines[2][slices.Index(lines[0], "psnr")]; got != "" {
		t.Errorf("psnr %s", got)
	}
}

func TestJSON(t *testing.T) {
	o := DefaultOptions()
	o.Anchor = "base"
	rows := slices.Concat(sweep("base", 1, "a", "b"), sweep("test", 0.9, "a", "b"))
	rows[12].Command = `a "quoted\" [{ command`
	rows = append(rows, fail(row("c", "test", "q5", 0, nil), "error"))
	r := build(t, o, rows...)
	s := output(t, r.JSON)
	var back Report
	if err := json.Unmarshal([]byte(s), &back); err != nil {
		t.Fatal(err)
	}
	if got := output(t, back.JSON); got != s {
		t.Errorf("got\n%s\nwant\n%s", got, s)
	}
	if got, want := output(t, back.Markdown), output(t, r.Markdown); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	output(t, back.Text)
	if err := back.HTML(io.Discard); err != errNoRows {
		t.Errorf("page of a report without rows: %v", err)
	}
	if n := strings.Count(s, "\n    {\"rate\":"); n != 10 {
		t.Errorf("%d lines of points in\n%s", n, s)
	}
	if n := strings.Count(s, "\n  {\"curve\":\"test\",\"metric\":"); n != 2 {
		t.Errorf("%d lines of comparisons in\n%s", n, s)
	}
}

func TestCompareNatural(t *testing.T) {
	want := []string{"", "0", "00", "01", "1", "2", "10", "a", "a01", "a1", "a1x", "a2", "a10", "a10b2", "a10b10", "ab", "b"}
	for range 20 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		if slices.SortFunc(got, compareNatural); !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
	}
}

func TestCommands(t *testing.T) {
	c := Curve{Points: []Point{
		{Rate: "q5", Command: "enc -q 5 -s 6 --min=5 in"}, {Rate: "q30", Command: "enc -q 30 -s 6 --min=30 in"}, {Rate: "q80", Command: "enc -q 80 -s 6 --x in", Commands: 3},
	}}
	want := []string{"enc -q RATE -s 6 --min=RATE in", "enc -q RATE -s 6 --x in (and 2 more)"}
	var got []string
	for _, g := range c.commandGroups() {
		got = append(got, g.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzBreakLines(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":[1,2,{"c":"[{\"}"}]},{}],"d":{"e":[]},"f":[]}`))
	f.Add([]byte(`[{"\\":"\\\""}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var compact bytes.Buffer
		if json.Compact(&compact, b) != nil {
			t.Skip()
		}
		var back bytes.Buffer
		if err := json.Compact(&back, breakLines(compact.Bytes())); err != nil || !bytes.Equal(back.Bytes(), compact.Bytes()) {
			t.Errorf("%q became %q: %v", compact.Bytes(), back.Bytes(), err)
		}
	})
}
