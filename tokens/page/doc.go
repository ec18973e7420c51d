// Package page turns text into page images for vision-language models, which may
// read a page for fewer tokens than its text takes: the optical compression of
// DeepSeek-OCR (arXiv:2510.18234) and Glyph (arXiv:2510.17800).
//
//	l, err := page.New("# Report\n\nSome *text*.", page.Markdown, page.Dense())
//	...
//	for i := range l.Len() {
//		m, err := l.Page(i) // a white page with black text
//		...
//	}
//
// # Layout
//
// Plain text has its newlines kept, joined to paragraphs, or replaced by a mark, as
// Glyph does. Of Markdown there are CommonMark's blocks and inlines and GitHub's
// tables; links and images keep their addresses in angle brackets, since a page
// cannot be clicked. Code is set in a mono font and never reflowed. Lines are broken
// by the Unicode line breaking algorithm (UAX #14), whose classes hold the rules of
// Japanese and Chinese for what may not begin or end a line. Form feeds begin pages.
//
// The fonts are the Go fonts unless others are given, which come before them: a
// character is set in the first font of a chain that has it. One that no font has
// becomes a hollow box and is counted in the [Report], as are bytes that are not
// UTF-8, control characters, and characters of scripts that take a shaping engine
// (Arabic, Hebrew, those of India), which are set one by one from left to right and
// so cannot be read.
//
// # How far to trust it
//
// What a model still reads at some density is a property of the model. [Sweep] says
// what a text costs at several densities beside what was published about
// DeepSeek-OCR, and [Read] what an OCR engine reads of the same pages. Neither says
// what a model understands: see [Warning].
//
// # Determinism
//
// The same text, options and fonts give the same pixels on every CPU, for any number
// of goroutines: lines, positions and the points of curves are computed in integers.
//
// # Security
//
// Text may come from strangers: all work is bounded by [Limits], and by the bounds on
// Markdown in markdown.go. Fonts should not: golang.org/x/image/font/sfnt checks
// what it reads, but its authors do not promise that it withstands hostile files.
package page
