package page

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// small returns options for a page of 20 ems of 10 pixels, without margins.
func small() *Options {
	o := Dense()
	o.Width, o.Height, o.DPI, o.FontSize, o.Leading, o.Margin = 200, 100, 72, 10, 1.2, 0
	o.Spacing, o.CropLast = 0, false
	return o
}

func mustNew(t testing.TB, s string, f Format, o *Options) *Layout {
	t.Helper()
	l, err := New(s, f, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// allText returns the lines of all pages, pages separated by form feeds.
func allText(l *Layout) string {
	var pages []string
	for i := range l.Len() {
		pages = append(pages, l.Text(i))
	}
	return strings.Join(pages, "\f")
}

func gray(t testing.TB, l *Layout, i int) *image.Gray {
	t.Helper()
	m, err := l.Page(i)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*image.Gray)
}

func TestNewlines(t *testing.T) {
	const s = "The quick brown fox jumps\nover the lazy dog.\n\n\nAnd again.\n"
	for n, want := range map[Newlines]string{
		KeepNewlines: "The quick brown fox jumps\nover the lazy dog.\n\n\nAnd again.\n",
		JoinNewlines: "The quick brown fox jumps over the lazy\ndog.\nAnd again.\n",
		MarkNewlines: "The quick brown fox jumps¶over the lazy\ndog.¶¶¶And again.\n",
	} {
		o := small()
		o.Newlines = n
		got := strings.ReplaceAll(allText(mustNew(t, s, Plain, o)), "\u200b", "")
		if got != want {
			t.Errorf("newlines %d:\n%q, want\n%q", n, got, want)
		}
	}
}

// TestKinsoku checks what Japanese lines may not begin or end with. The Go fonts have
// no such characters: they are as wide as the em, of which the line has 20.
func TestKinsoku(t *testing.T) {
	const s = "吾輩は猫である。名前はまだ無い。「どこで生れたかとんと見当がつかぬ。」何でも薄暗いじめじめした所で（ニャーニャー）泣いていた事だけは、記憶しているっきゃ。"
	for width := 60; width <= 200; width += 10 {
		o := small()
		o.Width, o.Newlines = width, JoinNewlines
		o.FontSize = 10
		l := mustNew(t, strings.ReplaceAll(s, "。名", "。\n名"), Plain, o)
		lines := strings.Split(strings.Trim(strings.ReplaceAll(allText(l), "\f", ""), "\n"), "\n")
		if got := strings.Join(lines, ""); got != s {
			t.Fatalf("width %d: text became %q", width, got)
		}
		for i, line := range lines {
			if n := utf8.RuneCountInString(line); n > width/10 {
				t.Errorf("width %d: line of %d characters", width, n)
			}
			first, _ := utf8.DecodeRuneInString(line)
			last, _ := utf8.DecodeLastRuneInString(line)
			if i > 0 && strings.ContainsRune("。、」）っゃー", first) || strings.ContainsRune("「（", last) {
				t.Errorf("width %d: line %q", width, line)
			}
		}
	}
}

func TestLongWords(t *testing.T) {
	o := small()
	o.Newlines = JoinNewlines
	l := mustNew(t, "short "+strings.Repeat("wide", 40)+"end of it", Plain, o)
	got := strings.Split(strings.TrimSpace(allText(l)), "\n")
	if got[0] != "short" || !strings.HasSuffix(got[len(got)-1], "end of it") || l.Report().BrokenWords != 1 {
		t.Errorf("%q, %d words broken", got, l.Report().BrokenWords)
	}
	if all := strings.Join(got[1:], ""); all != strings.Repeat("wide", 40)+"end of it" {
		t.Errorf("the word became %q", all)
	}
	// Nothing reaches over the border but white space.
	for i := range l.Len() {
		for _, p := range l.pages[i].lines {
			if p.right > o.Width {
				t.Errorf("line %d wide on a page of %d", p.right, o.Width)
			}
		}
	}
	// A letter and its accents are not torn apart.
	l = mustNew(t, strings.Repeat("e\u0323\u0302\u0308", 60), Plain, o)
	for line := range strings.SplitSeq(strings.Trim(allText(l), "\n\f"), "\n") {
		if r, _ := utf8.DecodeRuneInString(strings.Trim(line, "\f")); r == '\u0308' {
			t.Errorf("line %q begins with an accent", line)
		}
	}
}

func TestTabs(t *testing.T) {
	o := small()
	o.Newlines, o.TabWidth = KeepNewlines, 10
	l := mustNew(t, "a\tb\nwide\tc\n\td\n", Plain, o)
	var at []int
	for _, p := range l.pages[0].lines {
		at = append(at, p.spans[len(p.spans)-1].x.Round())
	}
	if at[0] != at[1] || at[1] != at[2] || at[0] == 0 {
		t.Errorf("columns at %v", at)
	}
	if got := l.Text(0); got != "a b\nwide c\nd\n" {
		t.Errorf("%q", got)
	}
}

func TestReport(t *testing.T) {
	o := small()
	o.Newlines = KeepNewlines
	r := mustNew(t, "\ufeffa\r\nb\rc\x00\x1b[0m \xff\xfe é e\u0301 中中文 שלום plain text to keep the share of odd ones low", Plain, o).Report()
	if r.Controls != 2 || r.Invalid != 2 || r.Unshaped != 4 {
		t.Errorf("%d control characters, %d invalid bytes, %d unshaped", r.Controls, r.Invalid, r.Unshaped)
	}
	if len(r.Missing) != 6 || r.Missing[0] != (Missing{'中', 2}) {
		t.Errorf("missing: %v", r.Missing)
	}
	if got := allText(mustNew(t, "a\r\nb\rc\n", Plain, o)); got != "a\nb\nc\n" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "\xff\xfea\x00b\x00", strings.Repeat("\xff", 100)} {
		if _, err := New(s, Plain, o); !errors.Is(err, ErrNotText) {
			t.Errorf("%q: %v", s, err)
		}
	}
	// A missing character leaves ink.
	if m := gray(t, mustNew(t, "中", Plain, o), 0); ink(m) == 0 {
		t.Error("nothing to be seen of a missing character")
	}
}

// ink returns the sum of the darkness of a page's pixels.
func ink(m *image.Gray) (n int) {
	for _, v := range m.Pix {
		n += 255 - int(v)
	}
	return n
}

func TestEmpty(t *testing.T) {
	for _, s := range []string{"", "\n\n\n", "   ", "\f"} {
		for f := range formatEnd {
			l := mustNew(t, s, f, small())
			if l.Len() < 1 || l.Len() > 2 || ink(gray(t, l, 0)) != 0 {
				t.Errorf("%q: %d pages", s, l.Len())
			}
		}
	}
}

func TestPages(t *testing.T) {
	o := small()
	o.Newlines = KeepNewlines
	// Eight lines of 12 pixels go on a page of 100 and one that is higher than its
	// lines are apart.
	l := mustNew(t, strings.Repeat("line\n", 20), Plain, o)
	if l.Len() != 3 || strings.Count(l.Text(0), "\n") != 8 {
		t.Errorf("%d pages, %d lines on the first", l.Len(), strings.Count(l.Text(0), "\n"))
	}
	o.Columns, o.Gutter = 2, 10
	l = mustNew(t, strings.Repeat("line\n", 20), Plain, o)
	if l.Len() != 2 || strings.Count(l.Text(0), "\n") != 16 {
		t.Errorf("columns: %d pages, %d lines on the first", l.Len(), strings.Count(l.Text(0), "\n"))
	}
	if p := l.pages[0].lines; p[8].x != 105 || p[8].y != p[0].y {
		t.Errorf("second column at (%d, %d)", p[8].x, p[8].y)
	}
	o.Columns = 1
	o.CropLast, o.CropWidth = true, true
	l = mustNew(t, strings.Repeat("line\n", 20), Plain, o)
	if w, h := l.Size(0); w > 30 || h != 100 {
		t.Errorf("first page of %d x %d", w, h)
	}
	if w, h := l.Size(2); w > 30 || h > 52 || h < 48 {
		t.Errorf("last page of %d x %d", w, h)
	}
	if _, err := l.Page(3); err == nil {
		t.Error("no error for a page that is not there")
	}
	l = mustNew(t, "one\ftwo\f", Plain, small())
	if l.Len() != 3 || l.Text(1) != "two\n" {
		t.Errorf("form feeds: %d pages, %q", l.Len(), allText(l))
	}
}

// TestNothingCut compares pages with the same ones within a border.
func TestNothingCut(t *testing.T) {
	for _, leading := range []float64{0.8, 1, 1.2} {
		o := small()
		o.Leading, o.Newlines = leading, KeepNewlines
		m := mustNew(t, "ÁÊgjpqÅ|\nÁÊgjpqÅ|", Plain, o)
		cut := gray(t, m, 0)
		o.Margin, o.Width, o.Height = 20, o.Width+40, o.Height+40
		whole := gray(t, mustNew(t, "ÁÊgjpqÅ|\nÁÊgjpqÅ|", Plain, o), 0)
		if ink(cut) != ink(whole) {
			t.Errorf("leading %v: ink %d of %d", leading, ink(cut), ink(whole))
		}
	}
}

func TestJustify(t *testing.T) {
	o := small()
	o.Newlines, o.Align = JoinNewlines, Justify
	s := strings.Repeat("some words of text ", 20)
	l := mustNew(t, s, Plain, o)
	lines := l.pages[0].lines
	for i, p := range lines[:4] {
		if p.right < o.Width-2 || p.right > o.Width {
			t.Errorf("line %d ends at %d of %d", i, p.right, o.Width)
		}
	}
	for align, want := range map[Align][2]int{Left: {0, 5}, Centre: {90, 100}, Right: {185, 200}} {
		o.Align = align
		x := mustNew(t, "xx", Plain, o).pages[0].lines[0].spans[0].x.Round()
		if x < want[0] || x > want[1] {
			t.Errorf("alignment %d: text at %d", align, x)
		}
	}
}

func TestOptionsChecked(t *testing.T) {
	if _, err := New("text", Plain, nil); err != nil {
		t.Error(err)
	}
	nan := math.NaN()
	for name, change := range map[string]func(*Options){
		"width":    func(o *Options) { o.Width = 15 },
		"height":   func(o *Options) { o.Height = 1 << 20 },
		"dpi":      func(o *Options) { o.DPI = 0 },
		"dpi nan":  func(o *Options) { o.DPI = nan },
		"size":     func(o *Options) { o.FontSize = 1 },
		"size nan": func(o *Options) { o.FontSize = nan },
		"leading":  func(o *Options) { o.Leading = 0.5 },
		"margin":   func(o *Options) { o.Margin = -1 },
		"no room":  func(o *Options) { o.Margin = 90 },
		"columns":  func(o *Options) { o.Columns = 0 },
		"narrow":   func(o *Options) { o.Columns = 10 },
		"gutter":   func(o *Options) { o.Gutter = nan },
		"align":    func(o *Options) { o.Align = 9 },
		"spacing":  func(o *Options) { o.Spacing = -1 },
		"newlines": func(o *Options) { o.Newlines = 9 },
		"mark":     func(o *Options) { o.Newlines, o.NewlineMark = MarkNewlines, "" },
		"tab":      func(o *Options) { o.TabWidth = 0 },
		"pages":    func(o *Options) { o.Limits.MaxPages = 0 },
		"font":     func(o *Options) { o.Fonts.Text = []*Font{nil} },
	} {
		o := small()
		change(o)
		var option OptionError
		if _, err := New("text", Plain, o); !errors.As(err, &option) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var option OptionError
	if _, err := New("text", 9, small()); !errors.As(err, &option) {
		t.Errorf("format: %v", err)
	}
}

func TestLimits(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"bytes":  func(o *Options) { o.Limits.MaxBytes = 99 },
		"pages":  func(o *Options) { o.Limits.MaxPages = 2 },
		"pixels": func(o *Options) { o.Limits.MaxPixels = 200*100 - 1 },
	} {
		o := small()
		o.Newlines = KeepNewlines
		change(o)
		if _, err := New(strings.Repeat("line\n", 20), Plain, o); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(strings.Repeat("a\n", maxMarkdown), Markdown, small()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Markdown: %v", err)
	}
}

// TestGolden keeps pages as they are, on all CPUs.
func TestGolden(t *testing.T) {
	l := mustNew(t, sampleMarkdown, Markdown, Dense())
	m := gray(t, l, 0)
	const want = "(794,402) 73ae1da3281b3c73082eda909319a9cf630730b70617f3ebadd422d6d5be2a2b"
	if got := fmt.Sprintf("%v %x", m.Rect.Max, sha256.Sum256(m.Pix)); got != want {
		t.Errorf("page is %s, want %s", got, want)
	}
	// All goroutines draw the same.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			other, err := l.Page(0)
			if err != nil || string(other.(*image.Gray).Pix) != string(m.Pix) {
				t.Errorf("another page, error %v", err)
			}
		})
	}
	wg.Wait()
}

func FuzzNew(f *testing.F) {
	for _, s := range []string{sampleMarkdown, "", "a\tb\x00\xff\f\r\n", strings.Repeat("*a_", 600), strings.Repeat("> - ", 80),
		"|a|b|\n|-|-|\n|c", "中文「。」" + strings.Repeat("é\u0301", 40)} {
		for i := range uint8(6) {
			f.Add(s, i, uint16(200), uint16(100))
		}
	}
	f.Fuzz(func(t *testing.T, s string, how uint8, w, h uint16) {
		o := small()
		o.Width, o.Height = int(w)%300, int(h)%300
		o.Newlines = Newlines(how / 2 % 3)
		o.Align = Align(how / 8 % 4)
		o.Columns = 1 + int(how/64)
		o.Limits.MaxPages = 50
		l, err := New(s, Format(how%2), o)
		if err != nil {
			return
		}
		again := mustNew(t, s, Format(how%2), o)
		for i := range l.Len() {
			m := gray(t, l, i)
			if pw, ph := l.Size(i); m.Rect != image.Rect(0, 0, pw, ph) || pw > o.Width || ph > o.Height {
				t.Fatalf("page %d of %v", i, m.Rect)
			}
			if string(gray(t, again, i).Pix) != string(m.Pix) {
				t.Fatalf("page %d is not the same twice", i)
			}
			for _, p := range l.pages[i].lines {
				if p.y < 0 || p.y+p.height > o.Height {
					t.Fatalf("line at %d of %d pixels", p.y, p.height)
				}
			}
		}
		if how%2 == 0 && o.Newlines == KeepNewlines {
			// What is set is what was there, but for white space.
			var r Report
			clean, err := r.clean(s)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(strings.Fields(allText(l)), ""), strings.Join(strings.Fields(clean), ""); got != want {
				t.Fatalf("text became %q, want %q", got, want)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	s := strings.Repeat(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 10)+"\n\n", 100)
	o := Dense()
	b.SetBytes(int64(len(s)))
	pages := 0
	for b.Loop() {
		pages += mustNew(b, s, Plain, o).Len()
	}
	b.ReportMetric(float64(pages)/b.Elapsed().Seconds(), "pages/s")
}

func BenchmarkPage(b *testing.B) {
	s := strings.Repeat(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 10)+"\n\n", 20)
	l := mustNew(b, s, Plain, Dense())
	w, h := l.Size(0)
	b.SetBytes(int64(w * h))
	for b.Loop() {
		gray(b, l, 0)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}
