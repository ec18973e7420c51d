package page

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	renderhtml "github.com/yuin/goldmark/renderer/html"
	gmtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// The parser takes quadratic time for some texts that nobody writes, and up to a few
// hundred bytes of memory for a byte. These bounds keep it to seconds and to about
// a gigabyte.
const (
	maxMarkdown   = 1 << 21 // bytes
	maxNesting    = 32      // of quotations and lists; what is deeper is text
	maxDelimiters = 500     // of emphasis and links in a paragraph; more are text
	maxDefined    = 2000    // lines of a paragraph that defines links; longer ones are text
)

// nestingBound keeps a parser of containers from nesting too deep.
type nestingBound struct{ parser.BlockParser }

func (p nestingBound) Open(parent ast.Node, r gmtext.Reader, pc parser.Context) (ast.Node, parser.State) {
	depth := 0
	for n := parent; n != nil; n = n.Parent() {
		// A list is made of two nodes, of which the item always follows the list.
		if k := n.Kind(); k == ast.KindBlockquote || k == ast.KindList {
			depth++
		}
	}
	if depth >= maxNesting {
		return nil, parser.NoChildren
	}
	return p.BlockParser.Open(parent, r, pc)
}

// delimiterBound keeps a parser of inlines from seeing too many of them in a block.
type delimiterBound struct {
	parser.InlineParser
	key parser.ContextKey // of a *delimiterCount
}

type delimiterCount struct {
	block ast.Node
	n     int
}

func (p delimiterBound) Parse(parent ast.Node, r gmtext.Reader, pc parser.Context) ast.Node {
	c := pc.ComputeIfAbsent(p.key, func() any { return new(delimiterCount) }).(*delimiterCount)
	if c.block != parent {
		*c = delimiterCount{block: parent}
	}
	if c.n++; c.n > maxDelimiters {
		return nil
	}
	return p.InlineParser.Parse(parent, r, pc)
}

// CloseBlock implements parser.CloseBlocker for parsers that do.
func (p delimiterBound) CloseBlock(parent ast.Node, r gmtext.Reader, pc parser.Context) {
	if c, ok := p.InlineParser.(parser.CloseBlocker); ok {
		c.CloseBlock(parent, r, pc)
	}
}

// definitionBound keeps the parser of definitions of links from long paragraphs.
type definitionBound struct{ parser.ParagraphTransformer }

func (t definitionBound) Transform(p *ast.Paragraph, r gmtext.Reader, pc parser.Context) {
	if p.Lines().Len() <= maxDefined {
		t.ParagraphTransformer.Transform(p, r, pc)
	}
}

// tableBound keeps the parser of tables from filling up rows that have fewer cells
// than the head: a row of one byte would take a thousand cells.
type tableBound struct{ parser.ParagraphTransformer }

func (t tableBound) Transform(p *ast.Paragraph, r gmtext.Reader, pc parser.Context) {
	pipes, size := 0, 0
	for i := range p.Lines().Len() {
		line := p.Lines().At(i)
		pipes = max(pipes, bytes.Count(line.Value(r.Source()), []byte{'|'}))
		size += line.Len()
	}
	if (pipes-1)*p.Lines().Len() <= size {
		t.ParagraphTransformer.Transform(p, r, pc)
	}
}

// newMarkdown returns a parser of CommonMark with GitHub's tables.
func newMarkdown() parser.Parser {
	blocks := parser.DefaultBlockParsers()
	for i, b := range blocks {
		switch b.Priority {
		case 300, 800: // lists and quotations
			blocks[i].Value = nestingBound{b.Value.(parser.BlockParser)}
		}
	}
	key := parser.NewContextKey()
	inlines := parser.DefaultInlineParsers()
	for i, p := range inlines {
		switch p.Priority {
		case 200, 500: // links and emphasis
			inlines[i].Value = delimiterBound{p.Value.(parser.InlineParser), key}
		}
	}
	return parser.NewParser(
		parser.WithBlockParsers(blocks...),
		parser.WithInlineParsers(inlines...),
		parser.WithParagraphTransformers(
			util.Prioritized(definitionBound{parser.LinkReferenceParagraphTransformer}, 100),
			util.Prioritized(tableBound{extension.NewTableParagraphTransformer()}, 200)),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)))
}

// headingScales are the sizes of headings of level 1 to 6 by the font size.
var headingScales = [6]float64{1.8, 1.5, 1.25, 1.1, 1, 1}

// markdownBlocks calls emit with the blocks of a clean Markdown text.
func markdownBlocks(s string, o *Options, emit func(*block) error) error {
	if len(s) > maxMarkdown {
		return fmt.Errorf("%w: %d bytes of Markdown are more than %d", ErrTooLarge, len(s), maxMarkdown)
	}
	source := []byte(s)
	w := &markdownWriter{source: source, o: o, emit: emit}
	return w.blocks(newMarkdown().Parse(gmtext.NewReader(source)), o.Spacing)
}

// A markdownWriter walks a syntax tree.
type markdownWriter struct {
	source []byte
	o      *Options
	emit   func(*block) error

	indent int
	quotes uint64
	marker string // of the item that begins
	any    bool   // a block came
}

// put emits a block below space, which the first one does not need.
func (w *markdownWriter) put(b *block, space float64) error {
	if b.scale == 0 {
		b.scale = 1
	}
	b.indent, b.quotes, b.marker = b.indent+w.indent, w.quotes, w.marker
	w.marker = ""
	if w.any {
		b.space = space
	}
	w.any = true
	return w.emit(b)
}

// blocks writes the children of a container, with space between them.
func (w *markdownWriter) blocks(parent ast.Node, space float64) error {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if err := w.block(n, space); err != nil {
			return err
		}
	}
	return nil
}

func (w *markdownWriter) block(n ast.Node, space float64) error {
	switch n := n.(type) {
	case *ast.Heading:
		b := &block{scale: headingScales[n.Level-1], heading: true, runs: w.inlines(n, bold)}
		return w.put(b, 1.5*w.o.Spacing)
	case *ast.Paragraph, *ast.TextBlock:
		b := &block{align: w.o.Align, runs: w.inlines(n, text)}
		if len(b.runs) == 0 { // definitions of links leave such
			return nil
		}
		return w.put(b, space)
	case *ast.FencedCodeBlock, *ast.CodeBlock, *ast.HTMLBlock:
		var code strings.Builder
		code.Write(n.Lines().Value(w.source))
		if h, ok := n.(*ast.HTMLBlock); ok && h.HasClosure() {
			code.Write(h.ClosureLine.Value(w.source))
		}
		b := &block{runs: []run{{mono, strings.TrimRight(code.String(), "\n")}}}
		b.indent = 1
		return w.put(b, space)
	case *ast.Blockquote:
		defer func(indent int, quotes uint64) { w.indent, w.quotes = indent, quotes }(w.indent, w.quotes)
		w.quotes |= 1 << min(w.indent, 63)
		w.indent++
		return w.blocks(n, space)
	case *ast.List:
		return w.list(n, space)
	case *ast.ThematicBreak:
		return w.put(&block{rule: true}, space)
	case *extast.Table:
		return w.put(&block{table: w.table(n)}, space)
	}
	return w.blocks(n, space)
}

// bullets mark items of nested lists.
var bullets = [3]string{"•", "◦", "▪"}

func (w *markdownWriter) list(l *ast.List, space float64) error {
	depth := 0
	for n := l.Parent(); n != nil; n = n.Parent() {
		if n.Kind() == ast.KindList {
			depth++
		}
	}
	defer func(indent int) { w.indent = indent }(w.indent)
	// A level has room for two digits, two levels for five.
	digits := len(strconv.Itoa(l.Start + l.ChildCount()))
	if w.indent++; l.IsOrdered() && digits > 2 {
		w.indent += (digits - 1) / 3
	}
	within := space
	if l.IsTight {
		within = 0
	}
	number := l.Start
	for n := l.FirstChild(); n != nil; n = n.NextSibling() {
		w.marker = bullets[depth%len(bullets)]
		if l.IsOrdered() {
			w.marker = fmt.Sprintf("%d%c", number, l.Marker)
			number++
		}
		if n.FirstChild() == nil {
			if err := w.put(&block{runs: []run{{text, ""}}}, space); err != nil {
				return err
			}
		}
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if err := w.block(c, space); err != nil {
				return err
			}
			space = within
		}
		w.marker = "" // that of an item of nothing to see
		space = within
	}
	return nil
}

func (w *markdownWriter) table(n *extast.Table) *table {
	t := new(table)
	for _, a := range n.Alignments {
		t.align = append(t.align, map[extast.Alignment]Align{
			extast.AlignNone: Left, extast.AlignLeft: Left, extast.AlignCenter: Centre, extast.AlignRight: Right}[a])
	}
	for r := n.FirstChild(); r != nil; r = r.NextSibling() {
		s := text
		if r.Kind() == extast.KindTableHeader {
			s = bold
		}
		var row [][]run
		for c := r.FirstChild(); c != nil; c = c.NextSibling() {
			row = append(row, w.inlines(c, s))
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// inlines returns the text below a node, in s where it has no style of its own.
func (w *markdownWriter) inlines(parent ast.Node, s style) []run {
	var r runWriter
	w.children(parent, s, &r)
	r.flush()
	return r.runs
}

// A runWriter joins text of the same style.
type runWriter struct {
	runs  []run
	style style
	text  strings.Builder
}

func (r *runWriter) add(s style, t string) {
	if s != r.style {
		r.flush()
		r.style = s
	}
	r.text.WriteString(t)
}

func (r *runWriter) flush() {
	if r.text.Len() > 0 {
		r.runs = append(r.runs, run{r.style, r.text.String()})
		r.text.Reset()
	}
}

// children writes the text below a node.
func (w *markdownWriter) children(parent ast.Node, s style, r *runWriter) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			t := n.Segment.Value(w.source)
			if s == mono || n.IsRaw() {
				r.add(s, string(t))
			} else {
				r.add(s, plainText(t))
			}
			if n.HardLineBreak() {
				r.add(s, "\n")
			} else if n.SoftLineBreak() {
				next, _ := n.NextSibling().(*ast.Text)
				if next == nil || !joins(string(t), string(next.Segment.Value(w.source))) {
					r.add(s, " ")
				}
			}
		case *ast.String:
			r.add(s, string(n.Value))
		case *ast.CodeSpan:
			w.children(n, mono, r)
		case *ast.Emphasis:
			w.children(n, emphasised(s, n.Level), r)
		case *ast.Link:
			w.children(n, s, r)
			if len(n.Destination) > 0 {
				r.add(s, address(n.Destination))
			}
		case *ast.Image:
			r.add(s, "[")
			w.children(n, s, r)
			r.add(s, "]"+address(n.Destination))
		case *ast.AutoLink:
			r.add(s, string(n.Label(w.source)))
		case *ast.RawHTML:
			r.add(s, string(n.Segments.Value(w.source)))
		default:
			w.children(n, s, r)
		}
	}
}

// address returns what is set of the address of a link or an image, without what
// pictures in the address itself consist of.
func address(dest []byte) string {
	d := string(dest)
	if strings.HasPrefix(d, "data:") && len(d) > 32 {
		d = d[:32] + "…"
	}
	return " <" + d + ">"
}

// emphasised returns a style within emphasis of level 1, italic, or 2, bold.
func emphasised(s style, level int) style {
	switch {
	case s == mono || s == boldItalic:
		return s
	case level == 1 && s == bold, level == 2 && s == italic:
		return boldItalic
	case level == 1:
		return italic
	}
	return bold
}

// plainText resolves backslashes and entities.
func plainText(t []byte) string {
	if !bytes.ContainsAny(t, `\&`) {
		return string(t)
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	renderhtml.DefaultWriter.Write(w, t)
	w.Flush()
	return html.UnescapeString(b.String())
}
