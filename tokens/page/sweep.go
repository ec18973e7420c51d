package page

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"

	"golang.org/x/image/draw"

	"github.com/burin-codec/burin/tokens"
)

// Pages are the pages of a document in order: of a [Layout], or of a PDF file that a
// program opens by other means. They end with the first error.
type Pages = iter.Seq2[image.Image, error]

// A Cost is what a model takes for a text on pages.
type Cost struct {
	Model        string
	FontSize     float64 // in points; 0 for Pages
	DPI          float64 // 0 for Pages
	Em           float64 // font size in pixels, 0 for Pages
	SeenEm       float64 // the same after the model has resized the first page, 0 for Pages
	Width        int     // of the first page, in pixels
	Height       int
	Pages        int
	TextTokens   int // of the text; 0 if that is not known
	VisualTokens int // of the pages, ends of rows and the like among them
	// Ratio is TextTokens by VisualTokens, 0 if the text is not known. It is what a
	// service pays less.
	Ratio float64
	// Published is what was published at TextTokens by the embeddings of the pages
	// alone, which is how papers count. It is nil if the text is not known.
	Published *Published
	// Unmeasured reports that a page has fewer or more text tokens than those of [Fox].
	Unmeasured bool
	Confidence tokens.Confidence // of VisualTokens
	Refused    string            // why the model does not take the pages, if it does not
}

// A Counter counts the tokens that a language model makes of a text.
type Counter func(s string) (int, error)

// Sweep tells what a text costs as pages: for all options and models, in this order.
// Options that the text does not fit end it with an error; models that refuse a page do
// not.
func Sweep(ctx context.Context, s string, f Format, options []*Options, models []*tokens.Model, count Counter) ([]Cost, error) {
	n, err := count(s)
	if err != nil {
		return nil, fmt.Errorf("page: counting text tokens: %w", err)
	}
	var costs []Cost
	for _, o := range options {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l, err := New(s, f, o)
		if err != nil {
			return nil, err
		}
		sizes := make([]image.Point, l.Len())
		for i := range sizes {
			sizes[i].X, sizes[i].Y = l.Size(i)
		}
		for _, m := range models {
			c, err := price(m, sizes, n)
			if err != nil {
				return nil, err
			}
			c.FontSize, c.DPI, c.Em = l.o.FontSize, l.o.DPI, l.o.em()
			c.SeenEm *= c.Em
			costs = append(costs, c)
		}
	}
	return costs, nil
}

// Price tells what the pages of a document cost. textTokens is what their text takes, 0
// if that is not known.
func Price(ctx context.Context, pages Pages, models []*tokens.Model, textTokens int) ([]Cost, error) {
	var sizes []image.Point
	for m, err := range pages {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", len(sizes)+1, err)
		}
		sizes = append(sizes, m.Bounds().Size())
	}
	if len(sizes) == 0 {
		return nil, errors.New("page: a document of no pages")
	}
	var costs []Cost
	for _, m := range models {
		c, err := price(m, sizes, textTokens)
		if err != nil {
			return nil, err
		}
		c.SeenEm = 0
		costs = append(costs, c)
	}
	return costs, nil
}

// price plans pages, of which there is one at least. SeenEm is how many times larger
// the model sees the first.
func price(m *tokens.Model, sizes []image.Point, textTokens int) (Cost, error) {
	c := Cost{Model: m.Name, Width: sizes[0].X, Height: sizes[0].Y, Pages: len(sizes), TextTokens: textTokens, Confidence: m.Confidence}
	embeddings := 0
	for i, size := range sizes {
		r, err := m.Plan(size.X, size.Y, nil)
		if errors.Is(err, tokens.ErrRefused) {
			c.Refused, c.VisualTokens = fmt.Sprintf("page %d: %v", i+1, err), 0
			return c, nil
		}
		if err != nil {
			return c, err
		}
		c.VisualTokens += r.Cost()
		embeddings += r.Cost() - r.Separators
		if i == 0 {
			c.SeenEm = min(float64(r.ResizedWidth)/float64(size.X), float64(r.ResizedHeight)/float64(size.Y))
		}
	}
	if textTokens > 0 && embeddings > 0 {
		c.Ratio = float64(textTokens) / float64(c.VisualTokens)
		p := PublishedAt(m.Name, float64(textTokens)/float64(embeddings))
		c.Published = &p
		perPage := textTokens / len(sizes)
		c.Unmeasured = perPage < Fox[0].TextLow || perPage > Fox[len(Fox)-1].TextHigh
	}
	return c, nil
}

// Seen returns a page in the size to which a model brings it, without the padding.
func Seen(m image.Image, model *tokens.Model) (image.Image, error) {
	size := m.Bounds().Size()
	r, err := model.Plan(size.X, size.Y, nil)
	if err != nil {
		return nil, err
	}
	if r.ResizedWidth == size.X && r.ResizedHeight == size.Y {
		return m, nil
	}
	if int64(r.ResizedWidth)*int64(r.ResizedHeight) > maxReadPixels {
		return nil, fmt.Errorf("%w: %d x %d pixels", ErrTooLarge, r.ResizedWidth, r.ResizedHeight)
	}
	to := image.NewGray(image.Rect(0, 0, r.ResizedWidth, r.ResizedHeight))
	draw.CatmullRom.Scale(to, to.Rect, m, m.Bounds(), draw.Src, nil)
	return to, nil
}
