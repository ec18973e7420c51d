package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/burin-codec/burin/corpus/bench"
)

// pageJSON returns the data of a page as its script reads it.
func pageJSON(t testing.TB, page string) map[string]any {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<script type="application/json" id="data">`)
	if !ok {
		t.Fatal("no data in the page")
	}
	text, _, _ := strings.Cut(rest, "</script>")
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // infinite numbers are there
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		t.Fatal(err)
	}
	return data
}

// hostile are names that would do harm if they were taken for anything else.
var hostile = []string{
	`</script><script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><b>`, "`${alert(1)}`", "<!--", "]]>", "{{.}}",
	"\x1b[31mred\x1b[2J", "a\nb\r\n| c | d |", "\u202egnp.exe", "\xff\xfe", "\x00", "C:\\", "=1+1", "日本語 ✓", "javascript:alert(1)", "&amp;",
}

func TestEscape(t *testing.T) {
	for _, s := range hostile {
		r1, r2 := row("a", s, s, 100, quality(30)), fail(row("b", s, s, 0, nil), s+" ")
		for _, r := range []*bench.Row{r1, r2} {
			r.Name, r.Corpus, r.Version, r.Command = s, s, s, s
			r.Cost.Machine = s
		}
		o := DefaultOptions()
		o.Title, o.Date, o.Machine, o.Anchor = s, s, s, s
		o.Pictures = pictureFS(t, "a", s, s)
		r := build(t, o, r1, r2, row("c", "other", "q", 100, quality(31)))
		page := output(t, r.HTML)
		if strings.Contains(page, "alert(1)</script>") || strings.Contains(page, "<img") || strings.Contains(page, "<b>") || strings.Contains(page, "href=\"javascript") {
			t.Errorf("%q is in the page as it is", s)
		}
		if n := strings.Count(page, "<script"); n != 2 {
			t.Errorf("%q: %d scripts", s, n)
		}
		want := strings.ToValidUTF8(s, "\ufffd")
		data := pageJSON(t, page)
		var names []string
		for _, p := range data["pictures"].([]any) {
			names = append(names, p.(map[string]any)["name"].(string))
		}
		// JSON has a replacement for each bad byte, ToValidUTF8 one for all.
		if !slices.ContainsFunc(names, func(n string) bool { return n == want || strings.ContainsRune(n, '\ufffd') }) {
			t.Errorf("%q became %q", s, names)
		}
		if len(data["viewer"].([]any)) != 1 {
			t.Errorf("%q: no viewer", s)
		}

		for _, out := range []string{output(t, r.Text), output(t, r.Markdown)} {
			if strings.ContainsAny(out, "\x1b\x00\r\u202e") {
				t.Errorf("%q drives a terminal in %q", s, out)
			}
		}
		md := output(t, r.Markdown)
		if strings.Contains(md, "\n| c | d |") || regexp.MustCompile(`(?m)^[^`+"`"+`\n]*[^\\`+"`"+`]<(script|img|b|!--)`).MatchString(md) {
			t.Errorf("%q is markup in\n%s", s, md)
		}
		var back Report
		if err := json.Unmarshal([]byte(output(t, r.JSON)), &back); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		for _, which := range r.Plots() {
			svg := output(t, func(w io.Writer) error { return r.PlotSVG(w, which) })
			if err := wellFormed(svg); err != nil || strings.Contains(svg, "<script") || strings.Contains(svg, "<img") {
				t.Errorf("%q: %v in\n%s", s, err, svg)
			}
		}
	}
}

func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// TestSelfContained looks for all ways in which a page may load something.
func TestSelfContained(t *testing.T) {
	o := DefaultOptions()
	o.Dataset, o.Published = "kodak", []string{"Cool-Chic v5.0"}
	o.Pictures = pictureFS(t, "a", "c", "q1", "q2", "q3")
	page := output(t, build(t, o, row("a", "c", "q1", 10, quality(30)), row("a", "c", "q2", 20, quality(35)), row("a", "c", "q3", 30, quality(38))).HTML)
	if !strings.Contains(page, `http-equiv="Content-Security-Policy" content="default-src 'none';`) {
		t.Error("the page lets the browser load what it likes")
	}
	for _, m := range regexp.MustCompile(`(?i)\b(src|href|action|srcset|poster|data|background)\s*=\s*["']?[^"'\s>]*`).FindAllString(page, -1) {
		if !regexp.MustCompile(`^(?i)href="(#|data:,)`).MatchString(m) && !strings.HasPrefix(m, "src = uri") && !strings.HasPrefix(m, "data = JSON.parse") {
			t.Errorf("the page has %q", m)
		}
	}
	for _, s := range []string{"@import", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "import(", "importScripts", "innerHTML", "eval(", "document.write"} {
		if strings.Contains(page, s) {
			t.Errorf("the page has %q", s)
		}
	}
	for _, m := range regexp.MustCompile(`url\([^)]*\)`).FindAllString(page, -1) {
		if m != "url(#${clip})" {
			t.Errorf("the page has %q", m)
		}
	}
	if len(pageJSON(t, page)["published"].([]any)) < 50 {
		t.Error("the published curves are missing")
	}
}

// pictureFS makes the pictures of one picture.
func pictureFS(t testing.TB, picture, curve string, rates ...string) fstest.MapFS {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 100, 80))); err != nil {
		t.Fatal(err)
	}
	dir := strings.Repeat(picture, 16)
	f := fstest.MapFS{dir + "/" + bench.OriginalFile: {Data: b.Bytes()}}
	for _, r := range rates {
		f[dir+"/"+bench.PictureFile(curve, r)] = &fstest.MapFile{Data: b.Bytes()}
	}
	return f
}

func TestPictures(t *testing.T) {
	files := fstest.MapFS{}
	var rows []*bench.Row
	const pictures = "0123456789ab"
	rates := []string{"q1", "q2", "q3", "q4", "q5", "q6"}
	for i, p := range strings.Split(pictures, "") {
		for name, f := range pictureFS(t, p, "c", rates...) {
			// Padded to 30000 bytes, as the page does not look past the signature.
			files[name] = &fstest.MapFile{Data: append(f.Data, make([]byte, 30000-len(f.Data))...)}
		}
		for k, r := range rates {
			rows = append(rows, row(p, "c", r, int64(1000*(k+1)+i), quality(30+float64(k))))
		}
		rows = append(rows, row(p, "exact", "", 20000, exact)) // which has no picture of its own
	}
	show := func(max int64) (got string, page string) {
		o := DefaultOptions()
		o.Pictures, o.MaxPageBytes = files, max
		r := build(t, o, rows...)
		page = output(t, r.HTML)
		if int64(len(page)) > max && max > 200000 {
			t.Errorf("a page of %d bytes, of at most %d", len(page), max)
		}
		viewer, _ := pageJSON(t, page)["viewer"].([]any)
		for _, v := range viewer {
			v := v.(map[string]any)
			got += fmt.Sprint(v["picture"], ":")
			for _, w := range v["versions"].([]any) {
				got += fmt.Sprint(w.(map[string]any)["point"])
			}
			got += " "
		}
		return got, page
	}
	all := strings.Repeat("0:012345 ", 12)
	if got, page := show(10 << 20); strings.Map(digitsToZero, got) != strings.Map(digitsToZero, all+"00") || strings.Contains(page, "To keep the page small") {
		t.Errorf("with room for all: %q", got)
	}
	// Seven versions of a picture take 281 kB, the original and three 161 kB.
	got, page := show(2200000)
	if want := "0:025 "; !strings.HasPrefix(got, want) || strings.Count(got, ":025 ") != 12 {
		t.Errorf("with room for three rates each: %q", got)
	}
	if want := "it holds 12 of 12 pictures, and 48 of their 84 versions."; !strings.Contains(page, want) {
		t.Errorf("no %q", want)
	}
	if got, _ := show(750000); got != "0:025 2:025 5:025 11:025 " {
		t.Errorf("with room for four pictures: %q", got)
	}
	if got, _ := show(235000); got != "5:2 " && got != "5:02 " {
		t.Errorf("with room for little: %q", got)
	}
	if got, page := show(50000); got != "" || !strings.Contains(page, "it holds 0 of 12 pictures") || strings.Contains(page, `id="viewer"`) {
		t.Errorf("with no room: %q", got)
	}

	o := DefaultOptions()
	if page := output(t, build(t, o, rows...).HTML); strings.Contains(page, `id="viewer"`) {
		t.Error("a viewer without pictures")
	}
	o.Pictures = fstest.MapFS{strings.Repeat("0", 16) + "/" + bench.OriginalFile: {Data: []byte("GIF")}, strings.Repeat("0", 16) + "/" + bench.PictureFile("c", "q1"): {Data: []byte("GIF")}}
	if err := build(t, o, rows...).HTML(io.Discard); err == nil {
		t.Error("a picture that is no PNG was taken")
	}
	// A hash that is none must not lead out of the folder.
	bad := row("0", "c", "q1", 10, quality(30))
	bad.Picture = "../../../../etc/passwd"
	o.Pictures = os.DirFS(t.TempDir())
	output(t, build(t, o, bad).HTML)
	if p := (&picture{id: bad.Picture}); p.folder() != "" {
		t.Errorf("folder %q", p.folder())
	}
}

func digitsToZero(r rune) rune {
	if '0' <= r && r <= '9' {
		return -1
	}
	return r
}

// TestNoNull checks that the script, which iterates over all of them, finds arrays.
func TestNoNull(t *testing.T) {
	for name, rows := range map[string][]*bench.Row{
		"empty":    nil,
		"lossless": {row("a", "c", "", 100, exact)},
		"failed":   {fail(row("a", "c", "", 0, nil), "error")},
		"bare":     {row("a", "c", "q1", 100, nil)},
	} {
		data := pageJSON(t, output(t, build(t, nil, rows...).HTML))
		if len(data) != 7 {
			t.Errorf("%s: %d members", name, len(data))
		}
		for k, v := range data {
			if _, ok := v.([]any); !ok {
				t.Errorf("%s: %s is %v", name, k, v)
			}
		}
		for _, c := range data["curves"].([]any) {
			if points, ok := c.(map[string]any)["points"].([]any); !ok || name != "failed" && len(points) != 1 {
				t.Errorf("%s: a curve without points", name)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	for n := range 70 {
		got := spread(n)
		if sorted := slices.Sorted(slices.Values(got)); len(got) != n || n > 0 && (sorted[0] != 0 || sorted[n-1] != n-1 || len(slices.Compact(sorted)) != n) {
			t.Fatalf("%d: %v", n, got)
		}
		// No gap of a beginning is more than twice as large as it could be.
		for k := 3; k <= n; k++ {
			s := slices.Sorted(slices.Values(got[:k]))
			for i := 1; i < k; i++ {
				if float64(s[i]-s[i-1]) > 2*float64(n-1)/float64(k-1)+1 {
					t.Fatalf("%d of %d: %v", k, n, s)
				}
			}
		}
	}
}

func TestPagePictures(t *testing.T) {
	var rows []*bench.Row
	for i := range 50 {
		r := row("a", "c", "q1", int64(100+i), quality(30))
		r.Picture, r.Name = fmt.Sprintf("%064x", 1000-i), fmt.Sprintf("%d.png", i)
		rows = append(rows, r)
	}
	rows = append(rows, row("e", "c", "q1", 77, exact))
	o := DefaultOptions()
	o.MaxPagePictures = 5
	r := build(t, o, rows...)
	page := output(t, r.HTML)
	data := pageJSON(t, page)
	var names []string
	for _, p := range data["pictures"].([]any) {
		names = append(names, p.(map[string]any)["name"].(string))
	}
	if want := []string{"0.png", "10.png", "20.png", "30.png", "40.png"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if !strings.Contains(page, "single figures are of 5 of the 51 pictures") {
		t.Error("the page does not say what it left out")
	}
	cell := data["cells"].([]any)[0].([]any)[0].([]any)[1].([]any)
	if got := fmt.Sprint(cell); got != "[110 0.5 0.1 0.9 30]" {
		t.Errorf("cell %s", got)
	}
	o.MaxPagePictures = 500
	page = output(t, build(t, o, rows...).HTML)
	cells := pageJSON(t, page)["cells"].([]any)[0].([]any)[0].([]any)
	if got := fmt.Sprint(cells[50]); got != "[77 0.5 0.1 1 1e999]" {
		t.Errorf("cell of an exact picture %s", got)
	}
}

func TestPlots(t *testing.T) {
	o := DefaultOptions()
	o.Dataset, o.Published = "kodak", []string{"Cool-Chic v5.0"}
	rows := slices.Concat(sweep("base", 1, "a"), sweep("test & more", 0.9, "a"))
	for _, r := range rows {
		r.Metrics["butteraugli"] = 3
	}
	r := build(t, o, append(rows, large(row("a", "exact", "", 100000, exact)))...)
	if got, want := r.Plots(), []string{PSNR, MSSSIMdB, SSIM, PSNRYUV, Butteraugli}; !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	for _, which := range r.Plots() {
		svg := output(t, func(w io.Writer) error { return r.PlotSVG(w, which) })
		if err := wellFormed(svg); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"base</text>", "test &amp; more</text>", "bits per pixel", metricTitle(which), "font-family:Liberation Sans,Arimo"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s: no %q", which, want)
			}
		}
		if got, want := strings.Contains(svg, "Cool-Chic v5.0</text>"), which == PSNR; got != want {
			t.Errorf("%s: published curve: %v", which, got)
		}
		if strings.Contains(svg, "exact</text>") {
			t.Errorf("%s: a lossless curve", which)
		}
	}
	m, err := png.Decode(strings.NewReader(output(t, func(w io.Writer) error { return r.PlotPNG(w, PSNR) })))
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Bounds(); b.Dx() < 1200 || b.Dy() < 800 {
		t.Errorf("%v", b)
	}
	for _, which := range []string{SSIMULACRA2, MSSSIM, "", "none"} {
		if r.PlotSVG(io.Discard, which) == nil || r.PlotPNG(io.Discard, which) == nil {
			t.Errorf("a plot of %q", which)
		}
	}
	if r := build(t, nil, row("a", "exact", "", 100, exact)); len(r.Plots()) != 0 || r.PlotSVG(io.Discard, PSNR) == nil {
		t.Error("a plot of a lossless curve")
	}
	// One point, whose range is empty.
	one := build(t, nil, row("a", "c", "", 100, quality(30)))
	output(t, func(w io.Writer) error { return one.PlotPNG(w, PSNR) })
}

// TestScript has the script parsed.
func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("SKIPPED: no node on the PATH: the script of the page is not parsed")
	}
	file := filepath.Join(t.TempDir(), "page.js")
	if err := os.WriteFile(file, []byte(pageJS), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(node, "--check", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
