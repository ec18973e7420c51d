package page

import (
	"errors"
	"fmt"
	"math"
)

// An Align says where the lines of a paragraph stand.
type Align uint8

const (
	Left Align = iota
	Justify
	Centre
	Right
	alignEnd
)

// A Newlines says what becomes of the newlines of plain text.
type Newlines uint8

const (
	// KeepNewlines ends a line at each newline.
	KeepNewlines Newlines = iota
	// JoinNewlines makes paragraphs, which end at an empty line, of lines that were
	// broken to fit a width. White space within a paragraph becomes one space.
	JoinNewlines
	// MarkNewlines sets the whole text as one paragraph with [Options.NewlineMark]
	// for each newline, so that short lines cost no more than their characters.
	MarkNewlines
	newlinesEnd
)

// A Format says how to read a text.
type Format uint8

const (
	Plain Format = iota
	Markdown
	formatEnd
)

// Options say how pages look. Begin from [Readable] or [Dense]: the zero Options are
// not valid. A point is 1/72 inch, which is DPI/72 pixels.
type Options struct {
	Width, Height int     // of a page in pixels, 16 to 16384
	DPI           float64 // pixels an inch, 10 to 2400
	FontSize      float64 // height of the em in points; 3 to 128 pixels
	Leading       float64 // distance of lines in font sizes, 0.8 to 4
	Margin        float64 // white border in points, 0 or more
	Columns       int     // 1 to 16
	Gutter        float64 // white between columns in points, 0 or more
	Align         Align   // of paragraphs
	Spacing       float64 // between paragraphs in font sizes, 0 to 4

	Newlines    Newlines // of plain text
	NewlineMark string   // for MarkNewlines, 1 to 16 bytes of UTF-8
	TabWidth    int      // distance of tab stops in spaces, 1 to 64

	CropLast  bool // the last page ends below its last line
	CropWidth bool // pages end right of the longest line of all

	Fonts  Fonts
	Limits Limits
}

// Fonts are chains of fonts: a character is set in the first one that has it. Each
// chain goes on with that of Text, which ends with the Go fonts.
type Fonts struct {
	Text, Bold, Italic, BoldItalic, Mono []*Font
}

// Limits bound what a text may take. All must be more than 0.
type Limits struct {
	MaxBytes  int64 // of text
	MaxPages  int
	MaxPixels int64 // of a page
}

// DefaultLimits returns 1<<24 bytes of text, 4096 pages and 1<<26 pixels a page.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 1 << 24, MaxPages: 4096, MaxPixels: 1 << 26}
}

var (
	// ErrTooLarge reports that a text or its pages exceed the [Limits].
	ErrTooLarge = errors.New("page: limit exceeded")
	// ErrNotText reports a text that is something else, such as a picture or UTF-16.
	ErrNotText = errors.New("page: not text in UTF-8")
	// ErrFont reports a font file that cannot be used.
	ErrFont = errors.New("page: bad font")
)

// An OptionError says what is wrong with [Options].
type OptionError string

func (e OptionError) Error() string { return "page: " + string(e) }

func optionf(format string, args ...any) error { return OptionError(fmt.Sprintf(format, args...)) }

// A4 returns the pixels of an A4 page, 210 x 297 mm.
func A4(dpi float64) (width, height int) { return paper(210/25.4, 297/25.4, dpi) }

// Letter returns the pixels of a US Letter page, 8.5 x 11 inches.
func Letter(dpi float64) (width, height int) { return paper(8.5, 11, dpi) }

// paper converts inches to pixels. The caller's dpi is checked with the options.
func paper(w, h, dpi float64) (int, int) {
	if !(dpi >= 0 && dpi <= maxDPI) {
		return 0, 0
	}
	return int(math.Round(w * dpi)), int(math.Round(h * dpi))
}

const (
	minSide, maxSide = 16, 1 << 14
	minDPI, maxDPI   = 10, 2400
	minEm, maxEm     = 3, 128 // in pixels
)

// em returns the font size in pixels.
func (o *Options) em() float64 { return o.FontSize * o.DPI / 72 }

// px converts points to whole pixels.
func (o *Options) px(points float64) int { return int(math.Round(points * o.DPI / 72)) }

// check validates o. The comparisons refuse NaN, too.
func (o *Options) check() error {
	within := func(v, lo, hi float64) bool { return v >= lo && v <= hi }
	switch {
	case o.Limits.MaxBytes < 1 || o.Limits.MaxPages < 1 || o.Limits.MaxPixels < 1:
		return optionf("limits %+v: each must be more than 0", o.Limits)
	case o.Width < minSide || o.Width > maxSide || o.Height < minSide || o.Height > maxSide:
		return optionf("page of %d x %d pixels: each side must be %d to %d", o.Width, o.Height, minSide, maxSide)
	case int64(o.Width)*int64(o.Height) > o.Limits.MaxPixels:
		return fmt.Errorf("%w: page of %d x %d pixels", ErrTooLarge, o.Width, o.Height)
	case !within(o.DPI, minDPI, maxDPI):
		return optionf("DPI %v is not from %d to %d", o.DPI, minDPI, maxDPI)
	case !within(o.em(), minEm, maxEm):
		return optionf("font of %v points at %v DPI is %.4g pixels, which must be %d to %d", o.FontSize, o.DPI, o.em(), minEm, maxEm)
	case !within(o.Leading, 0.8, 4):
		return optionf("leading %v is not from 0.8 to 4", o.Leading)
	case !within(o.Margin, 0, maxSide) || !within(o.Gutter, 0, maxSide):
		return optionf("margin %v, gutter %v: each must be 0 to %d", o.Margin, o.Gutter, maxSide)
	case !within(o.Spacing, 0, 4):
		return optionf("spacing %v is not from 0 to 4", o.Spacing)
	case o.Columns < 1 || o.Columns > 16:
		return optionf("%d columns: must be 1 to 16", o.Columns)
	case o.Align >= alignEnd:
		return optionf("unknown alignment %d", o.Align)
	case o.Newlines >= newlinesEnd:
		return optionf("unknown way %d to treat newlines", o.Newlines)
	case o.Newlines == MarkNewlines && (len(o.NewlineMark) < 1 || len(o.NewlineMark) > 16):
		return optionf("newline mark %q: must be 1 to 16 bytes", o.NewlineMark)
	case o.TabWidth < 1 || o.TabWidth > 64:
		return optionf("tab width %d: must be 1 to 64", o.TabWidth)
	}
	if w, h := o.column(); float64(w) < 4*o.em() || h < o.lineHeight(1) {
		return optionf("page of %d x %d pixels leaves %d x %d for a column, too few for a font of %.4g pixels", o.Width, o.Height, w, h, o.em())
	}
	return nil
}

// column returns the size in pixels of a column.
func (o *Options) column() (w, h int) {
	m := o.px(o.Margin)
	return (o.Width - 2*m - (o.Columns-1)*o.px(o.Gutter)) / o.Columns, o.Height - 2*m
}

// lineHeight returns the distance of lines in pixels for text of scale times the font
// size.
func (o *Options) lineHeight(scale float64) int {
	return max(1, int(math.Round(o.em()*scale*o.Leading)))
}
