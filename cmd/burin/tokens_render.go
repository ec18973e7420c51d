package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/tiktoken-go/tokenizer/codec"
	"github.com/urfave/cli/v3"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/tokens"
	"github.com/burin-codec/burin/tokens/page"
)

// sweepSizes are the font sizes in points of a sweep that names none.
const sweepSizes = "5,6,7,8,9,10,12"

// sweepModels are the models of a sweep that names none.
var sweepModels = []string{"deepseek-ocr-tiny", "deepseek-ocr-small", "deepseek-ocr-base", "deepseek-ocr-large", "deepseek-ocr",
	"glm-4.1v", "qwen2.5-vl", "qwen3-vl", "internvl3", "gpt-4o", "claude", "gemini-2", "gemini-3"}

func (s *streams) tokensRenderCommand() *cli.Command {
	return &cli.Command{
		Name:      "render",
		Usage:     "set text on page images, and tell what they cost and what can be read",
		ArgsUsage: "FILE",
		Description: "FILE is plain text, Markdown (.md) or PDF. Its pages are written as pictures: to -o with a\n" +
			"number in it, such as page-%03d.png, or into the folder -o. With --sweep a table tells what the\n" +
			"pages cost each model at each size of font, with --ocr what the program tesseract still reads\n" +
			"of them, and nothing is written. PDF takes a build with -tags fitz.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "auto", Usage: "`FORMAT` of FILE: text, markdown, pdf, or auto by its name"},
			&cli.StringFlag{Name: "preset", Value: "readable", Usage: "`NAME` of the options to begin from: readable or dense"},
			&cli.StringFlag{Name: "size", Usage: "`SIZE` of a page: A4, letter or WIDTHxHEIGHT in pixels (default: of the preset)"},
			&cli.StringFlag{Name: "dpi", Usage: "pixels an inch; several for --sweep and --ocr, with commas (default: 96, of PDF pages 150)"},
			&cli.StringFlag{Name: "font-size", Usage: "`POINTS`; several for --sweep and --ocr, with commas (default: of the preset, " + sweepSizes + " for them)"},
			&cli.FloatFlag{Name: "leading", Usage: "distance of lines in font sizes (default: of the preset)"},
			&cli.FloatFlag{Name: "margin", Usage: "white border in `POINTS` (default: of the preset)"},
			&cli.IntFlag{Name: "columns", Value: 1, Usage: "columns of a page"},
			&cli.FloatFlag{Name: "gutter", Value: 18, Usage: "white between columns in `POINTS`"},
			&cli.FloatFlag{Name: "spacing", Usage: "white between paragraphs in font sizes (default: of the preset)"},
			&cli.StringFlag{Name: "align", Value: "left", Usage: "left, justify, centre or right"},
			&cli.StringFlag{Name: "newlines", Usage: "keep, join to paragraphs, or mark (default: of the preset) the newlines of plain text"},
			&cli.StringFlag{Name: "newline-mark", Value: "¶", Usage: "what marks a newline"},
			&cli.IntFlag{Name: "tab", Value: 8, Usage: "distance of tab stops in spaces"},
			&cli.StringFlag{Name: "crop", Value: "last", Usage: "cut off white: none, last for the foot of the last page, or all for the right of all pages, too"},
			&cli.StringSliceFlag{Name: "font", Usage: "font `FILE`, or FILE#N for the Nth of a collection, from 0; several are tried in turn", TakesFile: true},
			&cli.StringSliceFlag{Name: "font-bold", Usage: "the same for bold text", TakesFile: true},
			&cli.StringSliceFlag{Name: "font-italic", Usage: "the same for italic text", TakesFile: true},
			&cli.StringSliceFlag{Name: "font-bold-italic", Usage: "the same for bold italic text", TakesFile: true},
			&cli.StringSliceFlag{Name: "font-mono", Usage: "the same for code", TakesFile: true},
			&cli.IntFlag{Name: "max-pages", Value: page.DefaultLimits().MaxPages, Usage: "fail if there are more pages"},
			&cli.BoolFlag{Name: "sweep", Usage: "tell what pages cost"},
			&cli.BoolFlag{Name: "ocr", Usage: "tell what tesseract reads"},
			&cli.StringSliceFlag{Name: "model", Usage: "for --sweep: `NAME`s of models (default: " + strings.Join(sweepModels, ", ") + "); for --ocr: read the pages as it sees them"},
			&cli.StringFlag{Name: "language", Value: "eng", Usage: "of the text, for tesseract"},
			&cli.StringFlag{Name: "text", Usage: "`FILE` with the text of a PDF, to count its tokens in --sweep", TakesFile: true},
			&cli.BoolFlag{Name: "json", Usage: "print an array of JSON objects, for --sweep and --ocr"},
			forceFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, TakesFile: true, DefaultText: "FILE-%03d.png", Usage: "files to write, or a folder"},
		},
		Action: s.tokensRender,
	}
}

// A rendering is what the flags ask for.
type rendering struct {
	s       *streams
	c       *cli.Command
	name    string
	format  string         // "text", "markdown" or "pdf"
	options []page.Options // for every density
	dpi     []float64
}

func (s *streams) tokensRender(ctx context.Context, c *cli.Command) error {
	name, err := oneArg(c)
	if err != nil {
		return err
	}
	r := &rendering{s: s, c: c, name: name}
	if err := r.flags(); err != nil {
		return err
	}
	switch {
	case c.Bool("sweep"):
		err = r.sweep(ctx)
	case c.Bool("ocr"):
		err = r.ocr(ctx)
	default:
		err = r.render(ctx)
	}
	var option page.OptionError
	if errors.As(err, &option) {
		return usageError{err}
	}
	return err
}

// choose returns the value of a flag by name.
func choose[T any](c *cli.Command, flag string, names []string, values []T) (T, error) {
	for i, name := range names {
		if strings.EqualFold(c.String(flag), name) {
			return values[i], nil
		}
	}
	var none T
	return none, usagef("render: --%s %q is not %s", flag, c.String(flag), strings.Join(names, ", "))
}

// numbers returns the numbers of a flag, separated by commas, or of other if it is
// not set.
func numbers(c *cli.Command, flag, other string) ([]float64, error) {
	value := other
	if c.IsSet(flag) {
		value = c.String(flag)
	}
	var v []float64
	for field := range strings.SplitSeq(value, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil {
			return nil, usagef("render: --%s %q is not a number, or several with commas", flag, value)
		}
		v = append(v, x)
	}
	return v, nil
}

// flags reads the flags.
func (r *rendering) flags() error {
	c := r.c
	ext := strings.ToLower(filepath.Ext(r.name))
	auto := "text"
	switch ext {
	case ".md", ".markdown":
		auto = "markdown"
	case ".pdf":
		auto = "pdf"
	}
	var err error
	if r.format, err = choose(c, "format", []string{"auto", "text", "markdown", "pdf"}, []string{auto, "text", "markdown", "pdf"}); err != nil {
		return err
	}
	tables := c.Bool("sweep") || c.Bool("ocr")
	switch {
	case c.Bool("sweep") && c.Bool("ocr"):
		return usagef("render: either --sweep or --ocr")
	case tables && (c.IsSet("output") || c.Bool("force")):
		return usagef("render: --sweep and --ocr write no files")
	case !tables && (c.Bool("json") || c.IsSet("model")):
		return usagef("render: --json and --model are for --sweep and --ocr")
	case c.IsSet("text") && (r.format != "pdf" || !c.Bool("sweep")):
		return usagef("render: --text is for the --sweep of a PDF")
	case r.format == "pdf" && c.Bool("ocr"):
		return usagef("render: --ocr needs a text to compare with, which a PDF is not")
	}
	dpi, sizes := "96", ""
	if r.format == "pdf" {
		dpi = strconv.Itoa(dataset.DefaultDPI)
	}
	if r.dpi, err = numbers(c, "dpi", dpi); err != nil {
		return err
	}
	base, err := r.base()
	if err != nil {
		return err
	}
	if sizes = fmt.Sprint(base.FontSize); tables {
		sizes = sweepSizes
	}
	points, err := numbers(c, "font-size", sizes)
	if err != nil {
		return err
	}
	if !tables && (len(r.dpi) > 1 || len(points) > 1) {
		return usagef("render: several sizes of font or DPI are for --sweep and --ocr")
	}
	for _, d := range r.dpi {
		for _, p := range points {
			o := *base
			o.DPI, o.FontSize = d, p
			if err := pageSize(&o, c.String("size")); err != nil {
				return err
			}
			r.options = append(r.options, o)
		}
	}
	return nil
}

// base returns the options but for the font size, the DPI and the size of the page.
func (r *rendering) base() (*page.Options, error) {
	c := r.c
	preset, err := choose(c, "preset", []string{"readable", "dense"}, []func() *page.Options{page.Readable, page.Dense})
	if err != nil {
		return nil, err
	}
	o := preset()
	if o.Align, err = choose(c, "align", []string{"left", "justify", "centre", "right"}, []page.Align{page.Left, page.Justify, page.Centre, page.Right}); err != nil {
		return nil, err
	}
	if c.IsSet("newlines") {
		if o.Newlines, err = choose(c, "newlines", []string{"keep", "join", "mark"}, []page.Newlines{page.KeepNewlines, page.JoinNewlines, page.MarkNewlines}); err != nil {
			return nil, err
		}
	}
	crop, err := choose(c, "crop", []string{"none", "last", "all"}, []int{0, 1, 2})
	if err != nil {
		return nil, err
	}
	o.CropLast, o.CropWidth = crop > 0, crop > 1
	for flag, v := range map[string]*float64{"leading": &o.Leading, "margin": &o.Margin, "gutter": &o.Gutter, "spacing": &o.Spacing} {
		if c.IsSet(flag) {
			*v = c.Float(flag)
		}
	}
	o.Columns, o.NewlineMark, o.TabWidth, o.Limits.MaxPages = c.Int("columns"), c.String("newline-mark"), c.Int("tab"), c.Int("max-pages")
	for flag, chain := range map[string]*[]*page.Font{"font": &o.Fonts.Text, "font-bold": &o.Fonts.Bold, "font-italic": &o.Fonts.Italic,
		"font-bold-italic": &o.Fonts.BoldItalic, "font-mono": &o.Fonts.Mono} {
		for _, name := range c.StringSlice(flag) {
			f, err := openFont(name)
			if err != nil {
				return nil, err
			}
			*chain = append(*chain, f)
		}
	}
	return o, nil
}

// openFont reads a font from FILE or FILE#N.
func openFont(name string) (*page.Font, error) {
	index := 0
	if file, n, ok := strings.Cut(name, "#"); ok {
		i, err := strconv.Atoi(n)
		if err != nil {
			return nil, usagef("render: font %q: the number of a font follows #", name)
		}
		name, index = file, i
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := page.ParseFont(b, index)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// pageSize sets the size of a page with the DPI that o has.
func pageSize(o *page.Options, size string) error {
	switch strings.ToLower(size) {
	case "", "a4":
		o.Width, o.Height = page.A4(o.DPI)
	case "letter":
		o.Width, o.Height = page.Letter(o.DPI)
	default:
		w, h, _ := strings.Cut(size, "x")
		var errW, errH error
		o.Width, errW = strconv.Atoi(w)
		o.Height, errH = strconv.Atoi(h)
		if errW != nil || errH != nil {
			return usagef("render: --size %q is not A4, letter or WIDTHxHEIGHT", size)
		}
	}
	return nil
}

// readText reads a text of no more bytes than limits allow.
func (r *rendering) readText(ctx context.Context, name string) (string, error) {
	f, err := r.s.open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	most := page.DefaultLimits().MaxBytes
	b, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(f, most+1)) })
	if err != nil {
		return "", err
	}
	if int64(len(b)) > most {
		return "", fmt.Errorf("%s: %w: more than %d bytes", name, page.ErrTooLarge, most)
	}
	return string(b), nil
}

func (r *rendering) textFormat() page.Format {
	if r.format == "markdown" {
		return page.Markdown
	}
	return page.Plain
}

// openPDF returns the pages of a PDF file, and their number.
func (r *rendering) openPDF(ctx context.Context, dpi float64) (page.Pages, int, error) {
	o := dataset.DefaultOptions()
	o.DPI = dpi
	o.Limits.MaxPixels = page.DefaultLimits().MaxPixels
	c, err := dataset.Open(r.name, o)
	if err != nil {
		return nil, 0, err
	}
	if c.Len() > r.c.Int("max-pages") {
		return nil, 0, fmt.Errorf("%s: %w: %d pages are more than %d", r.name, page.ErrTooLarge, c.Len(), r.c.Int("max-pages"))
	}
	return func(yield func(image.Image, error) bool) {
		for e, err := range c.All(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(e.Picture.Image, nil) {
				return
			}
		}
	}, c.Len(), nil
}

// render writes pages. All are there, or none.
func (r *rendering) render(ctx context.Context) error {
	stem := strings.TrimSuffix(r.name, filepath.Ext(r.name))
	if r.name == stdio {
		stem = "page"
	}
	out, named := stem+"-%03d.png", false
	if r.c.IsSet("output") {
		out = r.c.String("output")
		if info, err := os.Stat(out); err == nil && info.IsDir() || strings.HasSuffix(out, string(filepath.Separator)) {
			out = filepath.Join(out, filepath.Base(stem)+"-%03d.png")
		} else {
			named = true
		}
	}
	ext := strings.ToLower(filepath.Ext(out))
	if !slices.Contains(dataset.Extensions(), ext) {
		return usagef("render: cannot write %q, only %s", out, strings.Join(dataset.Extensions(), " "))
	}
	pages, n, err := r.pages(ctx)
	if err != nil {
		return err
	}
	names := make([]string, n)
	for i := range names {
		if names[i], err = pageName(out, i+1); err != nil {
			return err
		}
		if n > 1 && i > 0 && names[i] == names[0] {
			return usagef("render: %d pages need a number in the name of the output, such as page-%%03d%s", n, ext)
		}
		if _, err := os.Lstat(names[i]); !named && !r.c.Bool("force") && !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return err
			}
			return fmt.Errorf("%s exists; name it with -o or use -f to overwrite it", names[i])
		}
	}
	// Pages are written beside their place, and put there when all are complete.
	folder := filepath.Dir(names[0])
	if strings.HasSuffix(r.c.String("output"), string(filepath.Separator)) {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
	}
	temporary, err := os.MkdirTemp(folder, ".burin-pages-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	progress := newProgress(r.s.stderr, "render")
	defer progress.finish()
	i := 0
	var first image.Point
	for m, err := range pages {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.s.write(ctx, filepath.Join(temporary, filepath.Base(names[i])), func(w io.Writer) error {
				_, err := dataset.Write(w, &dataset.Picture{Image: m, Orientation: 1}, ext)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("%s: page %d: %w", r.name, i+1, err)
		}
		if i == 0 {
			first = m.Bounds().Size()
		}
		i++
		progress.report(float64(i) / float64(n))
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(temporary, filepath.Base(name)), name); err != nil {
			return err
		}
	}
	progress.finish()
	if n == 1 {
		_, err = fmt.Fprintf(r.s.stdout, "%s: %d x %d\n", names[0], first.X, first.Y)
	} else {
		_, err = fmt.Fprintf(r.s.stdout, "%s to %s: %d pages, the first of %d x %d\n", names[0], names[n-1], n, first.X, first.Y)
	}
	return err
}

// pageName returns the name of page n of files of a pattern, in which at most one verb
// such as %d or %03d stands for the number and %% for %.
func pageName(pattern string, n int) (string, error) {
	dir, base := filepath.Split(pattern)
	rest := strings.ReplaceAll(base, "%%", "")
	if before, after, ok := strings.Cut(rest, "%"); ok {
		width := strings.TrimLeft(after, "0123456789")
		if len(after)-len(width) > 2 || !strings.HasPrefix(width, "d") || strings.Contains(width, "%") {
			return "", usagef("render: output %q: write %%03d for the number of a page, or %%%% for %%", before+"%"+after)
		}
		return dir + fmt.Sprintf(base, n), nil
	}
	return dir + strings.ReplaceAll(base, "%%", "%"), nil
}

// pages returns the pages, and their number.
func (r *rendering) pages(ctx context.Context) (page.Pages, int, error) {
	if r.format == "pdf" {
		return r.openPDF(ctx, r.dpi[0])
	}
	text, err := r.readText(ctx, r.name)
	if err != nil {
		return nil, 0, err
	}
	l, err := page.New(text, r.textFormat(), &r.options[0])
	if err != nil {
		return nil, 0, err
	}
	r.note(l.Report())
	return l.All(), l.Len(), nil
}

// note tells what could not be set as it is.
func (r *rendering) note(report page.Report) {
	if len(report.Missing) > 0 {
		var which []string
		n := 0
		for i, m := range report.Missing {
			if i < 8 {
				which = append(which, fmt.Sprintf("%q %d times", m.Rune, m.Count))
			}
			n += m.Count
		}
		if len(report.Missing) > len(which) {
			which = append(which, fmt.Sprintf("and %d more", len(report.Missing)-len(which)))
		}
		fmt.Fprintf(r.s.stderr, "burin: %d characters are in no font, and are boxes on the pages: %s; try --font\n", n, strings.Join(which, ", "))
	}
	if report.Unshaped > 0 {
		fmt.Fprintf(r.s.stderr, "burin: %d characters are of scripts that need shaping or run from right to left: they cannot be read on the pages\n", report.Unshaped)
	}
	if n := report.Invalid + report.Controls; n > 0 {
		fmt.Fprintf(r.s.stderr, "burin: %d bytes that are not UTF-8 and %d control characters are U+FFFD on the pages\n", report.Invalid, report.Controls)
	}
}

// countText counts the tokens of OpenAI's o200k_base, that of GPT-4o and later.
func countText(s string) (int, error) { return codec.NewO200kBase().Count(s) }

// tokenizerName says how countText counts.
const tokenizerName = "o200k_base, the tokeniser of GPT-4o; those of other models count differently"

// lookupModels returns the models that --model names.
func (r *rendering) lookupModels(other []string) ([]*tokens.Model, error) {
	names := other
	if r.c.IsSet("model") {
		names = r.c.StringSlice("model")
	}
	var models []*tokens.Model
	for _, name := range names {
		m, err := tokens.Lookup(name)
		if err != nil {
			return nil, usageError{err}
		}
		models = append(models, m)
	}
	return models, nil
}

// A sweepRow is a line of --sweep in JSON.
type sweepRow struct {
	Model        string            `json:"model"`
	FontSize     float64           `json:"font_size,omitempty"`
	DPI          float64           `json:"dpi"`
	Em           float64           `json:"em_px,omitempty"`
	SeenEm       float64           `json:"seen_em_px,omitempty"`
	Width        int               `json:"width"`
	Height       int               `json:"height"`
	Pages        int               `json:"pages"`
	TextTokens   int               `json:"text_tokens,omitempty"`
	VisualTokens int               `json:"visual_tokens"`
	Ratio        float64           `json:"ratio,omitempty"`
	Confidence   tokens.Confidence `json:"confidence"`
	Published    *publishedJSON    `json:"published,omitempty"`
	Refused      string            `json:"refused,omitempty"`
}

// A publishedJSON is a page.Published and what keeps it from being about the row.
type publishedJSON struct {
	Low         float64 `json:"low"`
	High        float64 `json:"high"`
	Pages       int     `json:"pages"`
	SameModel   bool    `json:"same_model"`
	BelowLowest bool    `json:"below_lowest,omitempty"`
	BeyondTable bool    `json:"beyond_table,omitempty"`
	Unmeasured  bool    `json:"other_page_length,omitempty"`
}

// sweep prints what the pages cost.
func (r *rendering) sweep(ctx context.Context) error {
	models, err := r.lookupModels(sweepModels)
	if err != nil {
		return err
	}
	var rows []page.Cost
	if r.format == "pdf" {
		n := 0
		if name := r.c.String("text"); name != "" {
			text, err := r.readText(ctx, name)
			if err != nil {
				return err
			}
			if n, err = countText(text); err != nil {
				return err
			}
		}
		for _, dpi := range r.dpi {
			pages, _, err := r.openPDF(ctx, dpi)
			if err != nil {
				return err
			}
			costs, err := page.Price(ctx, pages, models, n)
			if err != nil {
				return err
			}
			for i := range costs {
				costs[i].DPI = dpi
			}
			rows = append(rows, costs...)
		}
	} else {
		text, err := r.readText(ctx, r.name)
		if err != nil {
			return err
		}
		var options []*page.Options
		for i := range r.options {
			options = append(options, &r.options[i])
		}
		if rows, err = page.Sweep(ctx, text, r.textFormat(), options, models, countText); err != nil {
			return err
		}
	}
	if r.c.Bool("json") {
		return r.sweepJSON(rows)
	}
	return r.sweepTable(rows)
}

func (r *rendering) sweepJSON(rows []page.Cost) error {
	all := []sweepRow{}
	for _, c := range rows {
		row := sweepRow{c.Model, c.FontSize, c.DPI, c.Em, c.SeenEm, c.Width, c.Height, c.Pages, c.TextTokens, c.VisualTokens, c.Ratio, c.Confidence, nil, c.Refused}
		if p := c.Published; p != nil {
			row.Published = &publishedJSON{p.Low, p.High, p.Pages, p.SameModel, p.BelowLowest, p.BeyondTable, c.Unmeasured}
		}
		all = append(all, row)
	}
	return json.NewEncoder(r.s.stdout).Encode(all)
}

func (r *rendering) sweepTable(rows []page.Cost) error {
	w := tabwriter.NewWriter(r.s.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "pt\tdpi\tpx\tseen px\tpage\tpages\tmodel\ttext tokens\tvisual tokens\tratio\tpublished reading\t")
	other, unmeasured := false, false
	for _, c := range rows {
		points, em, seen, text, ratio, published := "-", "-", "-", "-", "-", "-"
		if c.Em > 0 {
			points, em, seen = fmt.Sprintf("%g", c.FontSize), fmt.Sprintf("%.1f", c.Em), fmt.Sprintf("%.1f", c.SeenEm)
		}
		if c.TextTokens > 0 {
			text = strconv.Itoa(c.TextTokens)
		}
		if p := c.Published; p != nil {
			ratio, published = fmt.Sprintf("%.2f", c.Ratio), p.String()
			if !p.SameModel {
				published, other = published+"*", true
			}
			if c.Unmeasured {
				published, unmeasured = published+"+", true
			}
		}
		visual := strconv.Itoa(c.VisualTokens)
		if c.Refused != "" {
			visual, ratio, published = "-", "-", c.Refused
		}
		if c.Confidence == tokens.Approximate && c.Refused == "" {
			visual = "~" + visual
		}
		fmt.Fprintf(w, "%s\t%g\t%s\t%s\t%dx%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", points, c.DPI, em, seen, c.Width, c.Height, c.Pages, c.Model, text, visual, ratio, published)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	notes := []string{"px is the height of the em on the page, seen px after the model has resized it. Text tokens are counted with " + tokenizerName + "."}
	if len(rows) > 0 && rows[0].TextTokens == 0 {
		notes[0] = "The text of a PDF is not read: name it with --text for the ratio."
	} else {
		notes = append(notes, "Published reading: precision of DeepSeek-OCR on 100 English pages of Fox at the next lower and higher ratio (arXiv:2510.18234, table 2), by visual tokens without ends of rows.")
	}
	if other {
		notes = append(notes, "* not of this model and mode, of which nothing was published.")
	}
	if unmeasured {
		notes = append(notes, "+ pages of other lengths than the 600 to 1300 text tokens of that table.")
	}
	if len(rows) > 0 && rows[0].TextTokens > 0 {
		notes = append(notes, page.Warning)
	}
	_, err := fmt.Fprintf(r.s.stdout, "\n%s\n", strings.Join(notes, "\n"))
	return err
}

// An ocrRow is a line of --ocr.
type ocrRow struct {
	Model              string  `json:"model,omitempty"`
	FontSize           float64 `json:"font_size"`
	DPI                float64 `json:"dpi"`
	Em                 float64 `json:"em_px"`
	Pages              int     `json:"pages"`
	Characters         int     `json:"characters"`
	CharactersPerPixel float64 `json:"characters_per_1000_px"`
	CER                float64 `json:"cer"`
	Words              int     `json:"words"`
	WordAccuracy       float64 `json:"word_accuracy"`
}

// ocr prints what tesseract reads.
func (r *rendering) ocr(ctx context.Context) error {
	models, err := r.lookupModels(nil)
	if err != nil {
		return err
	}
	if len(models) == 0 {
		models = []*tokens.Model{nil} // as the pages are
	}
	read, version, err := page.Tesseract(ctx, r.c.String("language"), r.c.Int("columns"))
	if err != nil {
		return err
	}
	text, err := r.readText(ctx, r.name)
	if err != nil {
		return err
	}
	progress := newProgress(r.s.stderr, "read")
	defer progress.finish()
	rows := []ocrRow{}
	for i := range r.options {
		o := &r.options[i]
		l, err := page.New(text, r.textFormat(), o)
		if err != nil {
			return err
		}
		if i == 0 {
			r.note(l.Report())
		}
		pixels := 0
		for j := range l.Len() {
			w, h := l.Size(j)
			pixels += w * h
		}
		for j, m := range models {
			a, err := page.Read(ctx, l, m, read)
			if err != nil {
				return err
			}
			row := ocrRow{"", o.FontSize, o.DPI, o.FontSize * o.DPI / 72, l.Len(), a.Characters, 1000 * float64(a.Characters) / float64(pixels), a.CER(), a.Words, a.WordAccuracy()}
			if m != nil {
				row.Model = m.Name
			}
			rows = append(rows, row)
			progress.report(float64(i*len(models)+j+1) / float64(len(r.options)*len(models)))
		}
	}
	progress.finish()
	if r.c.Bool("json") {
		return json.NewEncoder(r.s.stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(r.s.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "pt\tdpi\tpx\tseen by\tpages\tcharacters\ta 1000 px\tcharacter errors\twords read\t")
	for _, row := range rows {
		if row.Model == "" {
			row.Model = "-"
		}
		fmt.Fprintf(w, "%g\t%g\t%.1f\t%s\t%d\t%d\t%.1f\t%.2f%%\t%.2f%%\t\n", row.FontSize, row.DPI, row.Em, row.Model, row.Pages, row.Characters,
			row.CharactersPerPixel, 100*row.CER, 100*row.WordAccuracy)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.s.stdout, "\nRead by %s, model %s, from pages enlarged to an em of 32 pixels. White space counts as one space.\n", version, r.c.String("language"))
	return err
}
