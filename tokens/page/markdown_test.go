package page

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/math/fixed"
)

const sampleMarkdown = `# The visual token report

A paragraph of *reflowed* text with **bold**, ***both***, ` + "`" + `inline code` + "`" + `, a [link](https://example.com/path),
an ![image](pic.png "t"), AT&amp;T, \*escaped\*, and <https://auto.link>. To Wave AV. "Quotes" — dash… and a
hard  
break. The quick brown fox jumps over the lazy dog, again and again, until the line is surely broken somewhere.

## Lists

- one item that is long enough to be wrapped onto the next line so that the hanging indent can be looked at by a person
- two
  - nested *item*
    1. deep
    2. deeper
- three

10. ten
11. eleven

    with a paragraph

> A quotation with a bar. It goes on for a while so that it takes two lines at least, or perhaps even three of them here.
>
> > nested quote

` + "```" + `go
func main() {
	if x := 1; x > 0 {
		fmt.Println("tabs are kept", x) // and a long line that must be wrapped as it does not fit the width of page
	}
}
` + "```" + `

| model | tokens | remark |
|:------|-------:|:------:|
| DeepSeek-OCR Tiny | 73 | the smallest |
| Gundam | 1,893 | ` + "`" + `n × 640` + "`" + ` + 1024 |
| x | 1 | *c* |

---

### Wide table

| a | description | b |
|---|---|---|
| 1 | A cell with a great deal of text, more than would fit the line so that the column must be narrower and the text wraps around. | short |
| 2 | Another one of those, with averyveryverylongwordthatdoesnotendandgoesonandonandonandonandonandon it seems. | also longer text in this one that wraps |

<div>html block</div>

Missing: 中文 and 한국어, emoji 😀; café NFD: café. Ελληνικά Русский.
`

func TestMarkdown(t *testing.T) {
	o := small()
	o.Width, o.Height = 400, 2000
	for _, c := range []struct{ in, want string }{
		{"# A *b*\n\ntext\nmore", "A b\ntext more\n"},
		{"a\\\nb", "a\nb\n"},
		{"- a\n- b\n  - c\n\n9. d\n10. e", "• a\n• b\n◦ c\n9. d\n10. e\n"},
		{"-\n- a", "•\n• a\n"},
		{"```go\n\tif  x {\n\n}\n```", " if  x {\n\n}\n"},
		{"    code\n      more", "code\n  more\n"},
		{"> a\n>> b", "a\nb\n"},
		{"[t](http://u) ![i](v) <http://w>", "t <http://u> [i] <v> http://w\n"},
		{"[t]: http://u\n\n[t]", "t <http://u>\n"},
		{"![x](data:image/png;base64," + strings.Repeat("A", 99) + ")", "[x] <data:image/png;base64,AAAAAAAAAA…>\n"},
		{"a &amp; b \\* c &copy; `\\*&amp;`", "a & b * c © \\*&amp;\n"},
		{"<b>x</b>\n\n<div>\ny\n</div>", "<b>x</b>\n<div>\ny\n</div>\n"},
		{"| a | b |\n|---|--:|\n| c | d \\| e |\n| f |", "a b\nc d | e\nf\n"},
		{"a\n***\nb", "a\nb\n"},
		{"中文\n中文 x\ny", "中文中文 x y\n"},
	} {
		got := allText(mustNew(t, c.in, Markdown, o))
		if strings.HasPrefix(c.want, " ") {
			got = " " + strings.TrimLeft(got, " ") // the indent of a tab
		}
		if got != c.want {
			t.Errorf("%q became\n%q, want\n%q", c.in, got, c.want)
		}
	}
}

// TestTable checks that columns stand in line.
func TestTable(t *testing.T) {
	o := small()
	o.Width, o.Height = 300, 500
	l := mustNew(t, "|left|right|centre|\n|:--|--:|:-:|\n|a|1|x|\n|bbb|1000|xxx|\n", Markdown, o)
	type ends struct{ left, right int }
	var at [][]ends
	for _, p := range l.pages[0].lines {
		if p.rule > 0 {
			continue
		}
		var row []ends
		for _, s := range p.spans {
			w := s.walk(func(glyph, fixed.Int26_6, rune) {})
			row = append(row, ends{s.x.Round(), (s.x + w).Round()})
		}
		at = append(at, row)
	}
	if len(at) != 3 {
		t.Fatalf("%d rows", len(at))
	}
	for _, row := range at[1:] {
		if len(row) != 3 || row[0].left != at[0][0].left || row[1].right != at[0][1].right {
			t.Errorf("%v under %v", row, at[0])
		}
		if d := row[2].left + row[2].right - at[0][2].left - at[0][2].right; d < -2 || d > 2 {
			t.Errorf("%v under %v: not in the middle", row, at[0])
		}
	}
	// Too wide: the text is all there, and within the page.
	word := strings.Repeat("word ", 30)
	for columns := 1; columns < 40; columns++ {
		row := strings.Repeat("|"+word, columns) + "|\n"
		l := mustNew(t, row+strings.Repeat("|--", columns)+"|\n"+row, Markdown, o)
		if n := strings.Count(allText(l), "w"); n != 60*columns {
			t.Errorf("%d columns: %d of %d words", columns, n, 60*columns)
		}
		for i := range l.Len() {
			for _, p := range l.pages[i].lines {
				if p.right > o.Width {
					t.Errorf("%d columns: line of %d pixels", columns, p.right)
				}
			}
		}
	}
}

// TestHeadingsStay checks that a heading does not stand at the foot of a page.
func TestHeadingsStay(t *testing.T) {
	for n := range 12 {
		l := mustNew(t, strings.Repeat("line\n\n", n)+"# Head\n\n## Second\n\ntext", Markdown, small())
		for i := range l.Len() {
			if strings.HasSuffix(l.Text(i), "Head\n") || strings.HasSuffix(l.Text(i), "Second\n") {
				t.Errorf("%d lines: page ends in %q", n, l.Text(i))
			}
		}
	}
}

// TestHostileMarkdown has texts that parsers choke on.
func TestHostileMarkdown(t *testing.T) {
	const n = 50000
	o := small()
	o.Limits.MaxPages = 100
	var nested strings.Builder
	for i := range 400 {
		nested.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	for name, s := range map[string]string{
		"quotations":  strings.Repeat(">", n),
		"lists":       nested.String(),
		"one line":    strings.Repeat("- ", n),
		"both":        strings.Repeat("> 1. ", n),
		"emphasis":    strings.Repeat("*a_", n),
		"stars":       strings.Repeat("*a **b ", n),
		"links":       strings.Repeat("[a](", n),
		"brackets":    strings.Repeat("[", n) + strings.Repeat("]", n),
		"definitions": strings.Repeat("[a]: b\n", n),
		"images":      strings.Repeat("![a](", n),
		"wide table":  strings.Repeat("|a", 1000) + "|\n" + strings.Repeat("|-", 1000) + "|\n" + strings.Repeat("x\n", n),
		"heading":     "# " + strings.Repeat("*a_", n),
		"cell":        "|a|\n|-|\n|" + strings.Repeat("*a_", n) + "|",
	} {
		start := time.Now()
		if _, err := New(s, Markdown, o); err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d bytes in %v", name, len(s), time.Since(start).Round(time.Millisecond))
	}
}
