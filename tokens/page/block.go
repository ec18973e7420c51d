package page

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A run is a part of a paragraph in one style.
type run struct {
	style style
	text  string
}

// A block is a paragraph, a line of a table or a rule.
type block struct {
	runs    []run
	scale   float64 // of the font size
	indent  int     // in levels
	quotes  uint64  // bit i has level i marked as a quotation
	marker  string  // of a list's item, left of the first line
	space   float64 // above, in font sizes
	heading bool    // stays with what follows
	align   Align
	table   *table
	rule    bool
	newPage bool // begins a page; nothing else is set
}

// A table has rows of cells of runs.
type table struct {
	align []Align
	rows  [][][]run // the first row is the head
}

// plainBlocks calls emit with the blocks of a clean plain text.
func plainBlocks(s string, o *Options, emit func(*block) error) error {
	for first := true; first || s != ""; first = false {
		var sheet string
		var more bool
		if sheet, s, more = strings.Cut(s, "\f"); sheet != "" {
			if err := plainSheet(sheet, o, emit); err != nil {
				return err
			}
		}
		if more {
			if err := emit(&block{newPage: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainSheet is plainBlocks without form feeds.
func plainSheet(s string, o *Options, emit func(*block) error) error {
	s = strings.TrimRight(s, "\n")
	paragraph := func(s string, space float64) error {
		return emit(&block{runs: []run{{text, s}}, scale: 1, align: o.Align, space: space})
	}
	switch o.Newlines {
	case MarkNewlines:
		// A line may be broken after the mark.
		return paragraph(strings.ReplaceAll(s, "\n", o.NewlineMark+"\u200b"), 0)
	case JoinNewlines:
		space := 0.
		for s != "" {
			var p strings.Builder
			for s != "" {
				var line string
				line, s, _ = strings.Cut(s, "\n")
				words := strings.FieldsSeq(line)
				empty := true
				for w := range words {
					if p.Len() > 0 && !(empty && joins(p.String(), w)) {
						p.WriteByte(' ')
					}
					p.WriteString(w)
					empty = false
				}
				if empty {
					break
				}
			}
			if p.Len() == 0 {
				continue
			}
			if err := paragraph(p.String(), space); err != nil {
				return err
			}
			space = o.Spacing
		}
		return nil
	}
	for line := range strings.SplitSeq(s, "\n") {
		if err := paragraph(line, 0); err != nil {
			return err
		}
	}
	return nil
}

// joins reports whether two lines are joined without a space, as in Chinese and
// Japanese.
func joins(a, b string) bool {
	x, _ := utf8.DecodeLastRuneInString(a)
	y, _ := utf8.DecodeRuneInString(b)
	return spaceless(x) && spaceless(y)
}

// spaceless reports whether r is of a script without spaces between words. Korean
// has them.
func spaceless(r rune) bool {
	return r >= firstWide && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) ||
		r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff65)
}
