package page

// Readable returns options for A4 pages at 96 DPI with an em of 14 pixels, which leave
// room for a model to resize them: from 12 pixels on larger ones read no better (the
// table of errors in doc/tokens-pages.md). Lines are joined to paragraphs.
func Readable() *Options {
	w, h := A4(96)
	return &Options{Width: w, Height: h, DPI: 96, FontSize: 10.5, Leading: 1.3, Margin: 36, Columns: 1, Gutter: 18,
		Spacing: 0.6, Newlines: JoinNewlines, NewlineMark: "¶", TabWidth: 8, CropLast: true, Limits: DefaultLimits()}
}

// Dense returns options for A4 pages at 96 DPI with an em of 9.3 pixels, about the
// smallest of which an OCR engine still reads all but one character in a hundred; a
// pixel less doubles the errors. Glyph's pages are as dense. They are for models that
// see a page in its own size.
func Dense() *Options {
	o := Readable()
	o.FontSize, o.Leading, o.Margin, o.Spacing = 7, 1.1, 8, 0.2
	return o
}
