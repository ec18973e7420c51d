package page

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
	"golang.org/x/image/math/fixed"
)

// A Layout is a text on pages. Its methods may be called by several goroutines.
type Layout struct {
	o      Options
	pages  []sheet
	report Report
}

// A sheet is a page.
type sheet struct {
	width, height int // in pixels
	lines         []placed
}

// A placed line stands on a page with its upper left corner at (x, y).
type placed struct {
	x, y int
	*line
}

// A line is set in one column.
type line struct {
	before int // pixels above, but not at the top of a column
	height int // pixels
	base   int // pixels from the top to the base line
	right  int // pixels from the left to the end of the last span
	spans  []span
	bars   []int // where vertical lines mark quotations, in pixels from the left
	rule   int   // thickness of a line across the column at the top, in pixels
	keep   bool  // stays with the next line
}

// A span is text in one style.
type span struct {
	x     fixed.Int26_6 // from the left of the line
	set   *fontSet
	text  string
	extra fixed.Int26_6 // added to each space
	apart bool          // does not continue the span before it
}

// New sets a text. o may be nil, which means [Readable]. The errors wrap
// [ErrTooLarge], [ErrNotText] or [ErrFont], or are an [OptionError].
func New(s string, f Format, o *Options) (*Layout, error) {
	if o == nil {
		o = Readable()
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if f >= formatEnd {
		return nil, optionf("unknown format %d", f)
	}
	if int64(len(s)) > o.Limits.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes of text", ErrTooLarge, len(s))
	}
	l := &Layout{o: *o}
	s, err := l.report.clean(s)
	if err != nil {
		return nil, err
	}
	b := &builder{Layout: l, sets: make(map[setKey]*fontSet), missing: make(map[rune]int)}
	b.width, b.height = o.column()
	set, err := b.set(text, 1)
	if err != nil {
		return nil, err
	}
	// Lines closer than the font is high need some room above the first and below the
	// last.
	h := o.lineHeight(1)
	base := baseline(set, h)
	m := o.px(o.Margin)
	b.top = max(m, set.ascent.Ceil()-base)
	b.height = o.Height - b.top - max(m, set.descent.Ceil()-(h-base))
	if b.height < h {
		return nil, optionf("page of %d pixels is too low for a line", o.Height)
	}
	blocks := plainBlocks
	if f == Markdown {
		blocks = markdownBlocks
	}
	if err := b.newSheet(); err != nil {
		return nil, err
	}
	if err := blocks(s, o, b.block); err != nil {
		return nil, err
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	b.crop()
	l.report.missing(b.missing)
	return l, nil
}

// Len returns the number of pages, at least 1.
func (l *Layout) Len() int { return len(l.pages) }

// Size returns the size in pixels of page i, from 0.
func (l *Layout) Size(i int) (width, height int) { return l.pages[i].width, l.pages[i].height }

// Report says what became of the text.
func (l *Layout) Report() Report { return l.report }

// Text returns the text of page i, from 0, line by line as it is set.
func (l *Layout) Text(i int) string {
	var b strings.Builder
	for _, p := range l.pages[i].lines {
		if p.rule > 0 {
			continue
		}
		for j, s := range p.spans {
			if j > 0 && s.apart {
				b.WriteByte(' ')
			}
			b.WriteString(s.text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type setKey struct {
	style style
	scale float64
}

// A builder sets blocks one after the other.
type builder struct {
	*Layout
	sets          map[setKey]*fontSet
	missing       map[rune]int
	width, height int // of a column
	top           int // of the columns
	column        int // that is filled
	y             int // of the next line in it
	kept          []*line
}

func (b *builder) set(s style, scale float64) (*fontSet, error) {
	key := setKey{s, scale}
	if set := b.sets[key]; set != nil {
		return set, nil
	}
	set, err := newFontSet(b.o.Fonts.chain(s), b.o.em()*scale)
	if err != nil {
		return nil, err
	}
	b.sets[key] = set
	return set, nil
}

// baseline returns where the base line is in a line of some height.
func baseline(s *fontSet, height int) int {
	return ((fixed.I(height) - s.ascent - s.descent) / 2).Round() + s.ascent.Round()
}

func (b *builder) newSheet() error {
	if len(b.pages) == b.o.Limits.MaxPages {
		return fmt.Errorf("%w: more than %d pages", ErrTooLarge, b.o.Limits.MaxPages)
	}
	b.pages = append(b.pages, sheet{width: b.o.Width, height: b.o.Height})
	b.column, b.y = 0, 0
	return nil
}

func (b *builder) nextColumn() error {
	if b.column++; b.column == b.o.Columns {
		return b.newSheet()
	}
	b.y = 0
	return nil
}

// maxKept is how many lines may stay with the one after them.
const maxKept = 6

// add places a line.
func (b *builder) add(l *line) error {
	b.kept = append(b.kept, l)
	if l.keep && len(b.kept) < maxKept {
		return nil
	}
	return b.flush()
}

// flush places the lines that wait for the next one.
func (b *builder) flush() error {
	total := 0
	for _, l := range b.kept {
		total += l.before + l.height
	}
	if b.y > 0 && b.y+total > b.height && total <= b.height {
		if err := b.nextColumn(); err != nil {
			return err
		}
	}
	for _, l := range b.kept {
		if b.y > 0 && b.y+l.before+l.height > b.height {
			if err := b.nextColumn(); err != nil {
				return err
			}
		}
		if b.y > 0 {
			b.y += l.before
		}
		x := b.o.px(b.o.Margin) + b.column*(b.width+b.o.px(b.o.Gutter))
		p := &b.pages[len(b.pages)-1]
		p.lines = append(p.lines, placed{x, b.top + b.y, l})
		b.y += l.height
		if l.rule == 0 {
			b.report.Lines++
		}
	}
	clear(b.kept)
	b.kept = b.kept[:0]
	return nil
}

// crop makes pages smaller.
func (b *builder) crop() {
	m := b.o.px(b.o.Margin)
	right := 1
	for i := range b.pages {
		bottom := b.top + 1
		for _, p := range b.pages[i].lines {
			bottom = max(bottom, p.y+p.height)
			right = max(right, p.x+p.right)
		}
		if b.o.CropLast && i == len(b.pages)-1 {
			b.pages[i].height = max(minSide, min(b.o.Height, bottom+b.o.Height-b.top-b.height))
		}
	}
	if b.o.CropWidth {
		for i := range b.pages {
			b.pages[i].width = max(minSide, min(b.o.Width, right+m))
		}
	}
}

// block sets a block.
func (b *builder) block(blk *block) error {
	if blk.newPage {
		if err := b.flush(); err != nil {
			return err
		}
		return b.newSheet()
	}
	em := b.o.em()
	before := int(blk.space*em + 0.5)
	// However deep a text is nested, half of the column is for text.
	level := min(int(2*em), b.width/2/max(blk.indent, 1))
	indent := level * blk.indent
	var bars []int
	for q := blk.quotes; q != 0; q &= q - 1 {
		bars = append(bars, min(bits.TrailingZeros64(q), blk.indent)*level+level/4)
	}
	put := func(l *line) error {
		l.before, l.bars, before = before, bars, 0
		return b.add(l)
	}
	switch {
	case blk.rule:
		h := b.o.lineHeight(1)
		return put(&line{height: h, rule: b.hairline(), right: b.width})
	case blk.table != nil:
		return b.table(blk, indent, put)
	}
	scale := blk.scale
	if b.o.lineHeight(scale) > b.height {
		scale = 1 // a heading higher than the page
	}
	h := b.o.lineHeight(scale)
	base, err := b.set(text, scale)
	if err != nil {
		return err
	}
	p, err := b.paragraph(blk.runs, scale)
	if err != nil {
		return err
	}
	p.width, p.align = fixed.I(b.width-indent), blk.align
	first := true
	return p.lines(func(spans []span, width fixed.Int26_6) error {
		l := &line{height: h, base: baseline(base, h), keep: blk.heading}
		for i := range spans {
			spans[i].x += fixed.I(indent)
		}
		if first && blk.marker != "" {
			m := span{set: base, text: blk.marker, apart: true}
			m.x = max(0, fixed.I(indent)-base.em*2/5-b.count(m))
			l.spans = append(l.spans, m)
			if len(spans) > 0 {
				spans[0].apart = true
			}
		}
		first = false
		l.spans = append(l.spans, spans...)
		l.right = (fixed.I(indent) + width).Ceil()
		return put(l)
	})
}

// hairline returns the thickness of rules in pixels.
func (b *builder) hairline() int { return max(1, int(b.o.em()/16)) }

// count counts the characters of a span that no font has and returns its width.
func (b *builder) count(s span) fixed.Int26_6 {
	return s.walk(func(g glyph, _ fixed.Int26_6, r rune) {
		if g.face == nil && !g.hidden {
			b.missing[r]++
		}
	})
}

// walk calls f with the glyphs of a span and where they stand from its left, and
// returns its width.
func (s *span) walk(f func(g glyph, x fixed.Int26_6, r rune)) fixed.Int26_6 {
	var x fixed.Int26_6
	var last glyph
	for _, r := range s.text {
		g := s.set.glyph(r)
		x += s.set.kern(last, g)
		f(g, x, r)
		x += g.advance
		if r == ' ' {
			x += s.extra
		}
		last = g
	}
	return x
}

// A paragraph is text to be broken into lines.
type paragraph struct {
	b     *builder
	text  string
	sets  []*fontSet // of the runs
	ends  []int      // of the runs in text
	width fixed.Int26_6
	align Align
}

func (b *builder) paragraph(runs []run, scale float64) (*paragraph, error) {
	p := &paragraph{b: b}
	if len(runs) == 1 {
		p.text = runs[0].text
	} else {
		var all strings.Builder
		for _, r := range runs {
			all.WriteString(r.text)
		}
		p.text = all.String()
	}
	end := 0
	for _, r := range runs {
		set, err := b.set(r.style, scale)
		if err != nil {
			return nil, err
		}
		end += len(r.text)
		p.sets, p.ends = append(p.sets, set), append(p.ends, end)
	}
	return p, nil
}

// A pen is a place in a line.
type pen struct {
	x    fixed.Int26_6
	last glyph
	run  int // of the paragraph
}

// advance moves a pen over text[from:to] and returns how far ink may reach, which
// white space at the end does not count for.
func (p *paragraph) advance(at *pen, from, to int) (ink fixed.Int26_6) {
	ink = at.x
	for i, r := range p.text[from:to] {
		for from+i >= p.ends[at.run] {
			at.run++
			at.last = glyph{}
		}
		set := p.sets[at.run]
		if r == '\t' {
			at.x, at.last = p.tab(at.x, set), glyph{}
			continue
		}
		g := set.glyph(r)
		at.x += set.kern(at.last, g) + g.advance
		at.last = g
		if !unicode.IsSpace(r) {
			ink = at.x
		}
	}
	return ink
}

// tab returns the tab stop after x.
func (p *paragraph) tab(x fixed.Int26_6, set *fontSet) fixed.Int26_6 {
	stop := max(1, set.space*fixed.Int26_6(p.b.o.TabWidth))
	return (x/stop + 1) * stop
}

// lines calls emit with each line and its width. It gets the spans for its own.
func (p *paragraph) lines(emit func([]span, fixed.Int26_6) error) error {
	if p.text == "" {
		return emit(nil, 0)
	}
	var at pen
	from, i, state := 0, 0, -1 // of the line, of the segment
	for rest := p.text; rest != ""; {
		var segment string
		var must bool
		segment, rest, must, state = uniseg.FirstLineSegmentInString(rest, state)
		to := i + len(segment)
		before := at
		ink := p.advance(&at, i, to)
		if ink > p.width && i > from {
			if err := p.emit(from, i, false, emit); err != nil {
				return err
			}
			from, before = i, pen{run: before.run}
			at = before
			ink = p.advance(&at, i, to)
		}
		if ink > p.width {
			p.b.report.BrokenWords++
			var err error
			if from, at, err = p.anywhere(before, from, to, emit); err != nil {
				return err
			}
		}
		if i = to; must { // so it is at the end
			if err := p.emit(from, i, true, emit); err != nil {
				return err
			}
			from, at = i, pen{run: at.run}
		}
	}
	return nil
}

// anywhere breaks text[from:to], which begins a line, where it fills the width. It
// returns the start of the last line, which it does not emit, and the pen at its end.
func (p *paragraph) anywhere(at pen, from, to int, emit func([]span, fixed.Int26_6) error) (int, pen, error) {
	for i := from; i < to; {
		cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(p.text[i:to], -1)
		end := i + len(cluster)
		before := at
		if p.advance(&at, i, end) > p.width && i > from {
			if err := p.emit(from, i, false, emit); err != nil {
				return 0, at, err
			}
			from, at = i, pen{run: before.run}
			p.advance(&at, i, end)
		}
		i = end
	}
	return from, at, nil
}

// emit makes spans of text[from:to], which is the last line of its paragraph or of a
// part that ends in a newline, or is not.
func (p *paragraph) emit(from, to int, last bool, emit func([]span, fixed.Int26_6) error) error {
	to = from + len(strings.TrimRightFunc(p.text[from:to], unicode.IsSpace))
	var spans []span
	var x fixed.Int26_6
	spaces := 0 // after the last tab
	first := 0  // span after the last tab
	apart := false
	for i, run := from, p.run(from); i < to; run++ {
		set := p.sets[run]
		for end := min(p.ends[run], to); i < end; {
			part := p.text[i:end]
			tab := strings.IndexByte(part, '\t')
			if tab >= 0 {
				part = part[:tab]
			}
			if part != "" {
				s := span{x: x, set: set, text: part, apart: apart}
				x += p.b.count(s)
				spans = append(spans, s)
				spaces += strings.Count(part, " ")
				apart = false
			}
			i += len(part)
			if tab >= 0 {
				x = p.tab(x, set)
				spaces, first, apart = 0, len(spans), true
				i++
			}
		}
	}
	free := p.width - x
	switch {
	case free <= 0:
	case p.align == Justify && !last && spaces > 0 && free < p.width/3:
		extra := free / fixed.Int26_6(spaces)
		spaces = 0
		for i := first; i < len(spans); i++ {
			spans[i].extra = extra
			spans[i].x += extra * fixed.Int26_6(spaces)
			spaces += strings.Count(spans[i].text, " ")
		}
		x += extra * fixed.Int26_6(spaces)
	case p.align == Centre || p.align == Right:
		if p.align == Centre {
			free /= 2
		}
		for i := range spans {
			spans[i].x += free
		}
		x += free
	}
	return emit(spans, x)
}

// run returns the run that text[i] belongs to.
func (p *paragraph) run(i int) int {
	r, _ := slices.BinarySearch(p.ends, i+1)
	return r
}
