package page

import (
	"fmt"
	"math"
)

// A FoxRow is a row of the accuracy that DeepSeek-OCR (arXiv:2510.18234, table 2)
// reached in reading 100 English pages of the Fox benchmark: those whose text takes
// TextLow to TextHigh tokens of its tokeniser.
type FoxRow struct {
	TextLow, TextHigh int
	Pages             int
	Precision         [2]float64 // with FoxTokens visual tokens a page, 0 to 1
	Ratio             [2]float64 // text tokens by visual tokens
}

// FoxTokens are the visual tokens of a page in the columns of [Fox], which are the modes
// Tiny and Small. The paper leaves out the ends of rows that the prompt has beside
// them: there are 73 and 111 tokens with those.
var FoxTokens = [2]int{64, 100}

// Fox are the pages by the length of their text. The samples are small.
var Fox = [7]FoxRow{
	{600, 700, 7, [2]float64{0.965, 0.985}, [2]float64{10.5, 6.7}},
	{700, 800, 28, [2]float64{0.938, 0.973}, [2]float64{11.8, 7.5}},
	{800, 900, 28, [2]float64{0.838, 0.968}, [2]float64{13.2, 8.5}},
	{900, 1000, 14, [2]float64{0.859, 0.968}, [2]float64{15.1, 9.7}},
	{1000, 1100, 11, [2]float64{0.793, 0.915}, [2]float64{16.5, 10.6}},
	{1100, 1200, 8, [2]float64{0.764, 0.898}, [2]float64{17.7, 11.3}},
	{1200, 1300, 4, [2]float64{0.591, 0.871}, [2]float64{19.7, 12.6}},
}

// Warning is what to know of any ratio of compression, from VTCBench (arXiv:2512.15649)
// and from users of DeepSeek-OCR.
const Warning = "Reading is not understanding: VTCBench (arXiv:2512.15649) found that models which read such pages well " +
	"still lose much of their reasoning over them and of their memory of them. Expect errors in identifiers, numbers and code first."

// A Published is what was published about reading pages at some ratio of text tokens
// to visual tokens: the rows of [Fox] with the next lower and the next higher ratio.
type Published struct {
	Low, High   float64 // precision in these rows, 0 to 1
	Pages       int     // in these rows
	SameModel   bool    // the rows are of the model and mode asked for
	BelowLowest bool    // the ratio is below that of all rows, which read at least High
	BeyondTable bool    // the ratio is above that of all rows, which read at most Low
}

// PublishedAt returns what was published at a ratio of text tokens to visual tokens,
// without the ends of rows among them. model is a name of package tokens: for
// "deepseek-ocr-tiny" and "deepseek-ocr-small" only the rows of that mode count, for
// any other model all do, and are not about it.
func PublishedAt(model string, ratio float64) Published {
	columns := [2]bool{model == "deepseek-ocr-tiny", model == "deepseek-ocr-small"}
	p := Published{SameModel: columns[0] || columns[1]}
	if !p.SameModel {
		columns = [2]bool{true, true}
	}
	type point struct {
		ratio, precision float64
		pages            int
	}
	below, above := point{ratio: math.Inf(-1)}, point{ratio: math.Inf(1)}
	for _, row := range Fox {
		for c, use := range columns {
			at := point{row.Ratio[c], row.Precision[c], row.Pages}
			switch {
			case !use:
			case at.ratio <= ratio && at.ratio > below.ratio:
				below = at
			case at.ratio > ratio && at.ratio < above.ratio:
				above = at
			}
		}
	}
	if p.BelowLowest = below.pages == 0; p.BelowLowest {
		below = above
	}
	if p.BeyondTable = above.pages == 0; p.BeyondTable {
		above = below
	}
	p.Low, p.High = min(below.precision, above.precision), max(below.precision, above.precision)
	if p.Pages = below.pages; above != below {
		p.Pages += above.pages
	}
	return p
}

// String returns the precision in per cent and the sample size, such as
// "87.1-89.8% (12 pages)".
func (p Published) String() string {
	s := fmt.Sprintf("%.1f-%.1f%%", 100*p.Low, 100*p.High)
	switch {
	case p.BelowLowest:
		s = fmt.Sprintf(">=%.1f%%", 100*p.High)
	case p.BeyondTable:
		s = fmt.Sprintf("<=%.1f%%", 100*p.Low)
	case p.Low == p.High:
		s = fmt.Sprintf("%.1f%%", 100*p.Low)
	}
	return fmt.Sprintf("%s (%d pages)", s, p.Pages)
}
