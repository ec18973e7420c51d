package page

import (
	"github.com/rivo/uniseg"
	"golang.org/x/image/math/fixed"
)

// tableGap is between the columns of a table, in font sizes.
const tableGap = 0.9

// table sets a table: columns as wide as their text if there is room, or else no
// narrower than their longest words if there is room for that. put is called with
// its lines.
func (b *builder) table(blk *block, indent int, put func(*line) error) error {
	t := blk.table
	em := fixed.Int26_6(b.o.em() * 64)
	gap := fixed.Int26_6(b.o.em() * 64 * tableGap)
	columns := len(t.align)
	room := fixed.I(b.width-indent) - gap*fixed.Int26_6(columns-1)
	if room < 2*em*fixed.Int26_6(columns) {
		return b.flatTable(blk)
	}
	cells := make([][]*paragraph, len(t.rows))
	natural := make([]fixed.Int26_6, columns)
	least := make([]fixed.Int26_6, columns)
	for i, row := range t.rows {
		cells[i] = make([]*paragraph, columns)
		for j := range min(columns, len(row)) {
			p, err := b.paragraph(row[j], 1)
			if err != nil {
				return err
			}
			cells[i][j] = p
			n, w := p.extent()
			natural[j], least[j] = max(natural[j], n), max(least[j], w)
		}
	}
	widths := shareWidth(natural, least, room, em)

	h := b.o.lineHeight(1)
	set, err := b.set(text, 1)
	if err != nil {
		return err
	}
	right := indent
	for _, w := range widths {
		right += (w + gap).Ceil()
	}
	right = min(right, b.width)
	rule := func() *line {
		return &line{height: max(3, h/3), rule: b.hairline(), right: right}
	}
	for i, row := range cells {
		var lines []*line
		x := fixed.I(indent)
		for j, p := range row {
			if p != nil {
				p.width, p.align = widths[j], t.align[j]
				n := 0
				err := p.lines(func(spans []span, width fixed.Int26_6) error {
					if n == len(lines) {
						lines = append(lines, &line{height: h, base: baseline(set, h)})
					}
					for k := range spans {
						spans[k].x += x
						spans[k].apart = spans[k].apart || k == 0
					}
					lines[n].spans = append(lines[n].spans, spans...)
					lines[n].right = max(lines[n].right, (x + width).Ceil())
					n++
					return nil
				})
				if err != nil {
					return err
				}
			}
			x += widths[j] + gap
		}
		for _, l := range lines {
			l.keep = i == 0
			if err := put(l); err != nil {
				return err
			}
		}
		if i == 0 {
			l := rule()
			l.keep = true
			if err := put(l); err != nil {
				return err
			}
		} else if len(lines) > 1 && i < len(cells)-1 {
			// Rows of several lines would run together.
			if err := put(rule()); err != nil {
				return err
			}
		}
	}
	return put(rule())
}

// extent returns the width of the longest line that a paragraph has by itself, and of
// its longest word.
func (p *paragraph) extent() (natural, word fixed.Int26_6) {
	var at pen
	i, state := 0, -1
	for rest := p.text; rest != ""; {
		var segment string
		var must bool
		segment, rest, must, state = uniseg.FirstLineSegmentInString(rest, state)
		start := at.x
		ink := p.advance(&at, i, i+len(segment))
		natural, word = max(natural, ink), max(word, ink-start)
		if i += len(segment); must {
			at = pen{run: at.run}
		}
	}
	return natural, word
}

// shareWidth shares room among columns.
func shareWidth(natural, least []fixed.Int26_6, room, em fixed.Int26_6) []fixed.Int26_6 {
	sum := func(v []fixed.Int26_6) (s int64) {
		for _, x := range v {
			s += int64(x)
		}
		return s
	}
	widths := append([]fixed.Int26_6(nil), natural...)
	if sum(natural) <= int64(room) {
		return widths
	}
	base := append([]fixed.Int26_6(nil), least...)
	if sum(base) > int64(room) {
		// Not even the words fit: the wide columns break theirs.
		fair := room / fixed.Int26_6(len(base))
		for i := range base {
			base[i] = min(base[i], max(2*em, fair))
		}
		for excess := sum(base) - int64(room); excess > 0; excess = sum(base) - int64(room) {
			widest := 0
			for i := range base {
				if base[i] > base[widest] {
					widest = i
				}
			}
			base[widest] -= fixed.Int26_6(min(excess, int64(base[widest]-2*em)))
		}
	}
	// The rest goes to those who lack it.
	free, lack := int64(room)-sum(base), sum(natural)-sum(base)
	for i := range widths {
		widths[i] = base[i]
		if more := int64(max(0, natural[i]-base[i])); lack > 0 && free > 0 {
			widths[i] += fixed.Int26_6(min(more, free*more/lack))
		}
	}
	return widths
}

// flatTable sets a table of too many columns for the page as lines of cells with
// bars between them.
func (b *builder) flatTable(blk *block) error {
	for i, row := range blk.table.rows {
		var runs []run
		for j, cell := range row {
			if j > 0 {
				runs = append(runs, run{text, " | "})
			}
			runs = append(runs, cell...)
		}
		flat := *blk
		if flat.table, flat.runs = nil, runs; i > 0 {
			flat.space, flat.marker = 0, ""
		}
		if err := b.block(&flat); err != nil {
			return err
		}
	}
	return nil
}
