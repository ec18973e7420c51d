package tokens

import "fmt"

// A Confidence says where a count of tokens comes from.
type Confidence uint8

const (
	// Exact is a count that equals the one of the processor's own code, which was run
	// on the sizes in testdata.
	Exact Confidence = iota
	// VendorDocumented is a count by a rule that the vendor documents, or that was read
	// in code the vendor published, and that was not compared with that code run.
	VendorDocumented
	// Measured is a count by a rule that fits what others measured of the service.
	Measured
	// Approximate is a count by a rule that is not settled. Low and High of the Result
	// bound what is known.
	Approximate
)

var confidenceNames = [...]string{"exact", "vendor-doc", "measured", "approximate"}

// String returns "exact", "vendor-doc", "measured" or "approximate".
func (c Confidence) String() string {
	if int(c) < len(confidenceNames) {
		return confidenceNames[c]
	}
	return fmt.Sprintf("Confidence(%d)", uint8(c))
}

// MarshalText returns what String does.
func (c Confidence) MarshalText() ([]byte, error) {
	if int(c) >= len(confidenceNames) {
		return nil, fmt.Errorf("tokens: no confidence %d", uint8(c))
	}
	return []byte(confidenceNames[c]), nil
}

// UnmarshalText reads what MarshalText returns.
func (c *Confidence) UnmarshalText(b []byte) error {
	for i, name := range confidenceNames {
		if string(b) == name {
			*c = Confidence(i)
			return nil
		}
	}
	return fmt.Errorf("tokens: unknown confidence %q", b)
}

// A Grid is a number of columns and rows.
type Grid struct {
	Cols, Rows int
}

// A Result is what a model makes of a picture, or of a number of frames or pages.
type Result struct {
	Model  string // its name in the table
	Width  int    // of the picture, in pixels
	Height int

	// Tokens is the number of positions that the picture takes in the prompt, as the
	// processor counts them, or of the tokens billed. It is Visual + Separators.
	Tokens     int
	Visual     int // embeddings of parts of the picture
	Separators int // ends of rows, marks of tiles and other tokens among them
	Wrap       int // tokens around the picture that Tokens leaves out
	// CrossAttention is the number of visual states that the layers of the language
	// model attend to beside the prompt (Llama 3.2), which services bill; else 0.
	CrossAttention int
	// Low and High bound the tokens where Confidence is Approximate; else both are
	// Tokens.
	Low, High int

	// ResizedWidth and ResizedHeight are the size, in pixels, to which the picture is
	// brought before it is cut up, without padding: what the model sees of it at most.
	ResizedWidth, ResizedHeight int
	// Grid is how the picture is cut: into tiles if Tiles is not 0, else into tokens,
	// or {1, 1} for a picture seen whole.
	Grid Grid
	// Tiles is the number of views that are encoded, the thumbnail among them, or 0 for
	// a model that cuts no tiles.
	Tiles     int
	Thumbnail bool // one of the views is the whole picture
	// Frames is the number of frames or pages, 0 for a picture. Of a video the numbers
	// above are totals, but for the resized size, Grid and Thumbnail, which are those of
	// each frame or, of pages, of the first.
	Frames int

	Confidence Confidence
	Source     string // of the rule
}

// Cost is what counts against a budget: the tokens, and beside them the visual states
// that are attended to without being tokens of the prompt.
func (r *Result) Cost() int {
	return max(r.Tokens, r.CrossAttention)
}

// count fills the numbers of tokens.
func (r *Result) count(visual, separators int) {
	r.Visual, r.Separators = visual, separators
	r.Tokens = visual + separators
	r.Low, r.High = r.Tokens, r.Tokens
}

// resized fills the resized size.
func (r *Result) resized(w, h int) {
	r.ResizedWidth, r.ResizedHeight = w, h
}

// tiles fills the grid of a picture in tiles, with a thumbnail beside them or without.
func (r *Result) tiles(cols, rows int, thumbnail bool) {
	r.Grid, r.Tiles, r.Thumbnail = Grid{cols, rows}, cols*rows, thumbnail
	if thumbnail {
		r.Tiles++
	}
}
