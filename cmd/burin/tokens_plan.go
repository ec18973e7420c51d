package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"strconv"
	"strings"

	_ "image/gif" // so that image.DecodeConfig knows the formats
	_ "image/jpeg"
	_ "image/png"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v3"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/tokens"
)

// allModels is the name for every model of the table.
const allModels = "all"

// plannerFlags are of plan and fit, before those that others are.
func plannerFlags(others ...cli.Flag) []cli.Flag {
	return append(others, []cli.Flag{
		&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "`MODEL`, several separated by commas, or all"},
		&cli.BoolFlag{Name: "json", Usage: "print an array of JSON objects"},
		&cli.StringFlag{Name: "detail", Usage: "`LEVEL` of models that have some: low, high, original, auto; for Gemini 3 low, medium, high, ultra-high"},
		&cli.IntFlag{Name: "max-tiles", Usage: "most `TILES`, where a model cuts some", Validator: atLeast(1)},
		&cli.IntFlag{Name: "min-pixels", Usage: "least `PIXELS` after resizing (Qwen-VL, GLM-V)", Validator: atLeast(1)},
		&cli.IntFlag{Name: "max-pixels", Usage: "most `PIXELS` after resizing (Qwen-VL, GLM-V)", Validator: atLeast(1)},
		&cli.IntFlag{Name: "max-edge", Usage: "longest side after resizing in `PIXELS` (Pixtral, Mistral, Idefics3, SmolVLM)", Validator: atLeast(1)},
		&cli.BoolFlag{Name: "pan-and-scan", Usage: "cut elongated pictures into crops beside the whole (Gemma 3)"},
		&cli.IntFlag{Name: "frames", Usage: "`N` frames of a video that the model gets", Validator: atLeast(1)},
		&cli.FloatFlag{Name: "duration", Usage: "`SECONDS` of video, of which frames are sampled"},
		&cli.FloatFlag{Name: "fps", DefaultText: "that of the model, or 1", Usage: "`FRAMES` sampled a second"},
		&cli.IntFlag{Name: "pages", Usage: "`N` pages of a document", Validator: atLeast(1)},
		&cli.FloatFlag{Name: "dpi", Value: dataset.DefaultDPI, Usage: "pixels an inch of the pages of PDF files"},
	}...)
}

func (s *streams) tokensPlanCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "count the visual tokens of pictures, videos and documents",
		ArgsUsage: "FILE|WxH...",
		Description: "A picture is a file, of which only the size and the orientation are read, or a size in pixels\n" +
			"such as 1920x1080. With --frames or --duration a size is that of a video's frames, with --pages\n" +
			"that of a document's pages. A PDF file is a document if this build can read it.",
		Flags:  plannerFlags(),
		Action: s.tokensPlan,
	}
}

func (s *streams) tokensFitCommand() *cli.Command {
	return &cli.Command{
		Name:      "fit",
		Usage:     "find the size at which pictures keep a budget of visual tokens",
		ArgsUsage: "FILE|WxH...",
		Description: "Prints the size to which to scale each picture, and the canvas on which to put it where the\n" +
			"layout of tiles for its aspect ratio is too dear, so that the model sees as much of it as it can.\n" +
			"The budget of a video is for all of its frames, that of a document for all of its pages.",
		Flags:  plannerFlags(&cli.IntFlag{Name: "budget", Usage: "most `TOKENS` of a picture, video or document", Validator: atLeast(1)}),
		Action: s.tokensFit,
	}
}

// A tokenRow is what plan and fit print of a model and a picture.
type tokenRow struct {
	File           string            `json:"file,omitempty"`
	Model          string            `json:"model"`
	Width          int               `json:"width"`
	Height         int               `json:"height"`
	Tokens         int               `json:"tokens"`
	Confidence     tokens.Confidence `json:"confidence"`
	Visual         int               `json:"visual"`
	Separators     int               `json:"separators"`
	Wrap           int               `json:"wrap"`
	CrossAttention int               `json:"cross_attention,omitempty"`
	Low            int               `json:"low"`
	High           int               `json:"high"`
	ResizedWidth   int               `json:"resized_width"`
	ResizedHeight  int               `json:"resized_height"`
	Cols           int               `json:"cols"`
	Rows           int               `json:"rows"`
	Tiles          int               `json:"tiles"`
	Thumbnail      bool              `json:"thumbnail"`
	Frames         int               `json:"frames,omitempty"`
	Pages          int               `json:"pages,omitempty"`
	Source         string            `json:"source"`
	Note           string            `json:"note,omitempty"`
	Fit            *fitRow           `json:"fit,omitempty"`
	Error          string            `json:"error,omitempty"`
}

// A fitRow is how to send the picture; the row holds what the model makes of it then.
type fitRow struct {
	Budget       int     `json:"budget"`
	Width        int     `json:"width"`
	Height       int     `json:"height"`
	CanvasWidth  int     `json:"canvas_width"`
	CanvasHeight int     `json:"canvas_height"`
	Detail       float64 `json:"detail"`
}

func newTokenRow(file string, m *tokens.Model, r *tokens.Result) tokenRow {
	return tokenRow{
		File: file, Model: m.Name, Width: r.Width, Height: r.Height, Tokens: r.Tokens, Confidence: r.Confidence,
		Visual: r.Visual, Separators: r.Separators, Wrap: r.Wrap, CrossAttention: r.CrossAttention, Low: r.Low, High: r.High,
		ResizedWidth: r.ResizedWidth, ResizedHeight: r.ResizedHeight, Cols: r.Grid.Cols, Rows: r.Grid.Rows,
		Tiles: r.Tiles, Thumbnail: r.Thumbnail, Frames: r.Frames, Source: r.Source, Note: m.Note,
	}
}

// A subject is what an argument of plan or fit names.
type subject struct {
	file  string // "" for a size
	pages []tokens.Size
	pdf   bool
}

// A plannedMedium is what the flags make of a size.
type plannedMedium struct {
	video, document bool
	clip            tokens.Clip
	pages           int // of a document that is no file, else 0
}

// plannedAs returns what the flags make of a size.
func plannedAs(c *cli.Command) (plannedMedium, error) {
	p := plannedMedium{video: c.IsSet("frames") || c.IsSet("duration"), pages: c.Int("pages")}
	p.document = p.pages > 0
	switch {
	case c.IsSet("frames") && c.IsSet("duration"):
		return p, usagef("%s: --frames and --duration exclude each other", c.Name)
	case c.IsSet("fps") && !c.IsSet("duration"):
		return p, usagef("%s: --fps is of no use without --duration", c.Name)
	case p.video && p.document:
		return p, usagef("%s: --pages is for documents, not videos", c.Name)
	case p.pages > tokens.MaxFrames:
		return p, usagef("%s: --pages above %d", c.Name, tokens.MaxFrames)
	}
	p.clip = tokens.Clip{Frames: c.Int("frames"), Seconds: c.Float("duration"), FPS: c.Float("fps")}
	return p, nil
}

// of returns the medium for an argument, with the sizes of its pages if it is a document.
func (p plannedMedium) of(arg *subject) (plannedMedium, []tokens.Size) {
	p.document = p.document || arg.pdf
	p.clip.Width, p.clip.Height = arg.pages[0].Width, arg.pages[0].Height
	sizes := arg.pages
	for len(sizes) < p.pages {
		sizes = append(sizes, arg.pages[0])
	}
	return p, sizes
}

func (s *streams) tokensPlan(ctx context.Context, c *cli.Command) error {
	flags, err := plannedAs(c)
	if err != nil {
		return err
	}
	return s.planEach(ctx, c, func(m *tokens.Model, o *tokens.Options, arg *subject) ([]tokenRow, error) {
		var r tokens.Result
		var err error
		p, sizes := flags.of(arg)
		switch {
		case p.video:
			r, err = m.PlanVideo(p.clip, o)
		case p.document:
			r, _, err = m.PlanPages(sizes, o)
		default:
			r, err = m.Plan(p.clip.Width, p.clip.Height, o)
		}
		row := newTokenRow(arg.file, m, &r)
		if p.document {
			row.Pages, row.Frames = r.Frames, 0
		}
		return []tokenRow{row}, err
	})
}

func (s *streams) tokensFit(ctx context.Context, c *cli.Command) error {
	flags, err := plannedAs(c)
	if err != nil {
		return err
	}
	budget := c.Int("budget")
	if budget == 0 {
		return usagef("fit: --budget is missing")
	}
	return s.planEach(ctx, c, func(m *tokens.Model, o *tokens.Options, arg *subject) ([]tokenRow, error) {
		p, sizes := flags.of(arg)
		if !p.document {
			var f tokens.Fitted
			var err error
			if p.video {
				f, err = m.FitVideo(budget, p.clip, o)
			} else {
				f, err = m.Fit(budget, p.clip.Width, p.clip.Height, o)
			}
			return []tokenRow{newFitRow(arg.file, m, budget, sizes[0], &f)}, err
		}
		fitted, err := m.FitPages(budget, sizes, o)
		if err != nil {
			return nil, err
		}
		var rows []tokenRow
		for i := range fitted {
			if i > 0 && fitted[i] == fitted[i-1] && sizes[i] == sizes[i-1] {
				rows[len(rows)-1].Pages++ // as the page before
				continue
			}
			row := newFitRow(arg.file, m, budget, sizes[i], &fitted[i])
			row.Pages = 1
			rows = append(rows, row)
		}
		return rows, nil
	})
}

func newFitRow(file string, m *tokens.Model, budget int, size tokens.Size, f *tokens.Fitted) tokenRow {
	row := newTokenRow(file, m, &f.Plan)
	row.Width, row.Height = size.Width, size.Height
	row.Fit = &fitRow{budget, f.Width, f.Height, f.CanvasWidth, f.CanvasHeight, f.Detail}
	return row
}

// planEach calls plan for every argument and model and prints the rows. Where all models
// are asked for, what is wrong with one of them is a row, too.
func (s *streams) planEach(ctx context.Context, c *cli.Command, plan func(*tokens.Model, *tokens.Options, *subject) ([]tokenRow, error)) error {
	if !c.Args().Present() {
		return usagef("%s: missing file or size", c.Name)
	}
	models, all, err := modelsOf(c)
	if err != nil {
		return err
	}
	o := &tokens.Options{
		MinPixels: c.Int("min-pixels"), MaxPixels: c.Int("max-pixels"), MaxTiles: c.Int("max-tiles"),
		MaxEdge: c.Int("max-edge"), Detail: c.String("detail"), PanAndScan: c.Bool("pan-and-scan"),
	}
	rows := []tokenRow{}
	for _, name := range c.Args().Slice() {
		arg, err := await(ctx, func() (*subject, error) { return s.subject(ctx, name, c.Float("dpi")) })
		if err != nil {
			return err
		}
		for _, m := range models {
			planned, err := plan(m, o, arg)
			if err != nil {
				if !all {
					if errors.Is(err, tokens.ErrOption) {
						return usageError{err}
					}
					return fmt.Errorf("%s: %s: %w", name, m.Name, err)
				}
				row := tokenRow{File: arg.file, Model: m.Name, Width: arg.pages[0].Width, Height: arg.pages[0].Height, Confidence: m.Confidence, Source: m.Source}
				row.Error = strings.TrimPrefix(err.Error(), "tokens: ")
				planned = []tokenRow{row}
			}
			rows = append(rows, planned...)
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(s.stdout).Encode(rows)
	}
	return printTokenRows(s.stdout, rows)
}

// modelsOf returns the models that --model names.
func modelsOf(c *cli.Command) (models []*tokens.Model, all bool, err error) {
	for _, name := range c.StringSlice("model") {
		if strings.EqualFold(name, allModels) {
			return tokens.Models(), true, nil
		}
		m, err := tokens.Lookup(name)
		if err != nil {
			return nil, false, usagef("%w; --model %s lists them", err, allModels)
		}
		models = append(models, m)
	}
	if len(models) == 0 {
		return nil, false, usagef("%s: --model is missing; %s means all models", c.Name, allModels)
	}
	return models, false, nil
}

// subject returns what an argument names: a file, if there is one of that name, or a size.
func (s *streams) subject(ctx context.Context, name string, dpi float64) (*subject, error) {
	if _, err := os.Stat(name); err != nil && name != stdio {
		if w, h, ok := parseSize(name); ok {
			return &subject{pages: []tokens.Size{{Width: w, Height: h}}}, nil
		}
		return nil, err
	}
	r, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, headerBytes)
	if b, _ := in.Peek(len(pdfMagic)); string(b) == pdfMagic && name != stdio {
		pages, err := pageSizes(ctx, name, dpi)
		return &subject{file: name, pages: pages, pdf: true}, err
	}
	w, h, err := uprightSize(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &subject{file: name, pages: []tokens.Size{{Width: w, Height: h}}}, nil
}

// parseSize reads a size such as 1920x1080.
func parseSize(s string) (w, h int, ok bool) {
	a, b, found := strings.Cut(strings.ToLower(s), "x")
	w, errW := strconv.Atoi(a)
	h, errH := strconv.Atoi(b)
	return w, h, found && errW == nil && errH == nil
}

const (
	pdfMagic    = "%PDF-"
	headerBytes = 1 << 20 // in which EXIF data are looked for
)

// uprightSize reads the size that a picture has when it is turned upright, as the
// processors see it. A picture is decoded only if it may have EXIF data.
func uprightSize(in *bufio.Reader) (w, h int, err error) {
	head, err := in.Peek(headerBytes)
	if err != nil && err != io.EOF {
		return 0, 0, err
	}
	if bytes.HasPrefix(head, []byte(codec.Magic)) {
		d, err := codec.NewDecoder(in, nil)
		if err != nil {
			return 0, 0, err
		}
		header := d.Header()
		return turned(header.Width, header.Height, header.Orientation)
	}
	cfg, _, err := image.DecodeConfig(bytes.NewReader(head))
	if err == nil && !mayHaveEXIF(head) {
		return cfg.Width, cfg.Height, nil
	}
	p, err := dataset.Read(in, codec.DefaultLimits())
	if err != nil {
		return 0, 0, err
	}
	return turned(p.Image.Bounds().Dx(), p.Image.Bounds().Dy(), p.Orientation)
}

// turned returns the size of a picture after its EXIF orientation is applied.
func turned(w, h, orientation int) (int, int, error) {
	if orientation >= 5 {
		w, h = h, w
	}
	return w, h, nil
}

// mayHaveEXIF reports whether the head of a picture file shows EXIF data, or leaves open
// whether there are some.
func mayHaveEXIF(head []byte) bool {
	if bytes.HasPrefix(head, []byte("RIFF")) && len(head) > 20 {
		const hasEXIF = 1 << 3
		return string(head[12:16]) == "VP8X" && head[20]&hasEXIF != 0
	}
	return bytes.Contains(head, []byte("Exif\x00\x00")) || bytes.Contains(head, []byte("eXIf"))
}

// pageSizes returns the sizes of the pages of a PDF file.
func pageSizes(ctx context.Context, name string, dpi float64) ([]tokens.Size, error) {
	o := dataset.DefaultOptions()
	o.DPI = dpi
	doc, err := dataset.Open(name, o)
	if err != nil {
		return nil, err
	}
	var pages []tokens.Size
	for e, err := range doc.All(ctx) {
		if err != nil {
			return nil, err
		}
		b := e.Picture.Image.Bounds()
		pages = append(pages, tokens.Size{Width: b.Dx(), Height: b.Dy()})
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("%s: no pages", name)
	}
	return pages, nil
}

func printTokenRows(w io.Writer, rows []tokenRow) error {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	fit := false
	for _, r := range rows {
		fit = fit || r.Fit != nil
	}
	header := table.Row{"picture", "model"}
	if fit {
		header = append(header, "send at", "canvas", "detail")
	}
	header = append(header, "tokens", "seen at", "grid", "views", "confidence", "")
	t.AppendHeader(header)
	var config []table.ColumnConfig
	for i, name := range header {
		if name == "tokens" || name == "views" || name == "detail" {
			config = append(config, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(config)
	size := func(w, h int) string { return fmt.Sprintf("%dx%d", w, h) }
	for _, r := range rows {
		picture := size(r.Width, r.Height)
		if r.File != "" {
			picture = r.File + " " + picture
		}
		switch {
		case r.Frames > 0:
			picture += fmt.Sprintf(", %d frames", r.Frames)
		case r.Pages > 0:
			picture += fmt.Sprintf(", pages: %d", r.Pages)
		}
		row := table.Row{picture, r.Model}
		if r.Error != "" {
			for range len(header) - len(row) - 1 {
				row = append(row, "")
			}
			t.AppendRow(append(row, r.Error))
			continue
		}
		if fit {
			canvas := ""
			if f := r.Fit; f.CanvasWidth != f.Width || f.CanvasHeight != f.Height {
				canvas = size(f.CanvasWidth, f.CanvasHeight)
			}
			row = append(row, size(r.Fit.Width, r.Fit.Height), canvas, fmt.Sprintf("%.1f %%", 100*r.Fit.Detail))
		}
		views, remark := "", ""
		if r.Tiles > 0 {
			views = strconv.Itoa(r.Tiles)
		}
		switch {
		case r.CrossAttention > 0:
			remark = fmt.Sprintf("and %d states by cross-attention", r.CrossAttention)
		case r.Low != r.High:
			remark = fmt.Sprintf("%d to %d", r.Low, r.High)
		}
		t.AppendRow(append(row, r.Tokens, size(r.ResizedWidth, r.ResizedHeight), size(r.Cols, r.Rows), views, r.Confidence.String(), remark))
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
