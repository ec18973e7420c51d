package page

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A Report says what became of a text.
type Report struct {
	Characters  int       // code points, newlines among them
	Lines       int       // on all pages
	BrokenWords int       // words longer than a line, broken anywhere
	Missing     []Missing // characters that no font has, the most frequent first
	Invalid     int       // bytes that are not UTF-8, set as U+FFFD
	Controls    int       // control characters, set as U+FFFD
	Unshaped    int       // characters of scripts that cannot be set right
}

// A Missing is a character that no font has, which is set as a hollow box.
type Missing struct {
	Rune  rune
	Count int
}

// unshaped are the scripts whose characters change with their neighbours or run from
// right to left.
var unshaped = []*unicode.RangeTable{
	unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Mongolian,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil,
	unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Tibetan, unicode.Myanmar,
	unicode.Khmer, unicode.Thai, unicode.Lao, unicode.Javanese, unicode.Balinese,
}

// clean returns a text with newlines of \n, in Unicode's normal form C, so that
// letters with accents are one character where there is one, and without what
// cannot be set.
func (r *Report) clean(s string) (string, error) {
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		return "", fmt.Errorf("%w: a mark of UTF-16 at its start", ErrNotText)
	}
	s = strings.TrimPrefix(s, "\ufeff")
	same := true
	for i, c := range s {
		r.Characters++
		switch {
		case c == '\n' || c == '\t' || c == '\f':
			continue
		case c == '\r':
		case c == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			r.Invalid++
		case c < ' ', c >= 0x7f && c < 0xa0 && c != '\u0085':
			r.Controls++
		case c == '\u0085':
		default:
			if c >= 0x590 && unicode.In(c, unshaped...) {
				r.Unshaped++
			}
			continue
		}
		same = false
	}
	// Nobody's text has a control character in eight.
	if r.Invalid+r.Controls > r.Characters/8 {
		return "", fmt.Errorf("%w: %d of %d characters are no characters", ErrNotText, r.Invalid+r.Controls, r.Characters)
	}
	if !same {
		var b strings.Builder
		b.Grow(len(s))
		for i, c := range s {
			switch {
			case c == '\r':
				if strings.HasPrefix(s[i:], "\r\n") {
					r.Characters--
					continue
				}
				c = '\n'
			case c == '\u0085':
				c = '\n'
			case c < ' ' && c != '\n' && c != '\t' && c != '\f', c >= 0x7f && c < 0xa0:
				c = utf8.RuneError
			}
			b.WriteRune(c)
		}
		s = b.String()
	}
	return norm.NFC.String(s), nil
}

// missing sorts the characters that no font has.
func (r *Report) missing(counts map[rune]int) {
	for c, n := range counts {
		r.Missing = append(r.Missing, Missing{c, n})
	}
	slices.SortFunc(r.Missing, func(a, b Missing) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return int(a.Rune - b.Rune)
	})
}
