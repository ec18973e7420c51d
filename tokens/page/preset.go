package page

// Readable returns options for pages that lose little.
func Readable() *Options {
	w, h := A4(96)
	return &Options{Width: w, Height: h, DPI: 96, FontSize: 12, Leading: 1.3, Margin: 36, Columns: 1, Gutter: 18,
		Spacing: 0.6, Newlines: JoinNewlines, NewlineMark: "¶", TabWidth: 8, CropLast: true, Limits: DefaultLimits()}
}

// Dense returns options for pages that hold much.
func Dense() *Options {
	o := Readable()
	o.FontSize, o.Leading, o.Margin, o.Spacing = 9, 1.1, 10, 0.2
	return o
}
