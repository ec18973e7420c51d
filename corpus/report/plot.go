package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette is that of M. Okabe and K. Ito, "Color Universal Design", 2008, which
// colour-blind people can tell apart, with its yellow and black, which a white
// page and text hide, replaced. page.css has the same, and lighter ones.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x88, 0x22, 0x55, 0xff}, {0x66, 0x66, 0x66, 0xff},
}

// glyphs and palette have no common divisor, so that 40 curves look different.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.CrossGlyph{}}

// Plots returns the names of the metrics that PlotSVG and PlotPNG can draw.
func (r *Report) Plots() []string {
	var out []string
	for _, m := range r.metrics(pageMetrics) {
		if slices.ContainsFunc(r.lines(m.Name), func(l line) bool { return !l.published }) {
			out = append(out, m.Name)
		}
	}
	return out
}

// PlotSVG draws a metric, one of Plots, over the bits per pixel. Its text is in
// Liberation Sans or what is as wide, such as Helvetica and Arial.
func (r *Report) PlotSVG(w io.Writer, which string) error {
	f, err := r.figure(which)
	if err != nil {
		return err
	}
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	const family = "font-family:Liberation Sans"
	_, err = w.Write(bytes.ReplaceAll(b.Bytes(), []byte(family+";"), []byte(family+",Arimo,Helvetica,Arial,sans-serif;")))
	return err
}

// PlotPNG is PlotSVG for a PNG of 192 dots per inch.
func (r *Report) PlotPNG(w io.Writer, which string) error {
	f, err := r.figure(which)
	if err != nil {
		return err
	}
	c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(192), vgimg.UseBackgroundColor(color.White))
	f.draw(draw.New(c))
	_, err = vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// A line is a curve in a plot.
type line struct {
	name      string
	points    plotter.XYs
	published bool
}

// lines returns the curves that have a metric, those of the journal first.
func (r *Report) lines(metric string) []line {
	var out []line
	for _, c := range r.kind(false) {
		l := line{name: c.Name}
		for _, p := range c.Points {
			if v, ok := p.Quality[metric]; ok && p.BPP > 0 {
				l.points = append(l.points, plotter.XY{X: p.BPP, Y: v})
			}
		}
		if len(l.points) > 0 {
			out = append(out, l)
		}
	}
	for _, c := range r.Published {
		l := line{name: c.Name, published: true}
		for _, p := range c.Points {
			v := map[string]float64{PSNR: p.PSNR, MSSSIMdB: p.MSSSIMdB}[metric]
			if v > 0 && p.BPP > 0 {
				l.points = append(l.points, plotter.XY{X: p.BPP, Y: v})
			}
		}
		if len(l.points) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// A figure is a plot with its legend to the right of it, where it covers nothing.
type figure struct {
	plot          *plot.Plot
	legend        plot.Legend
	width, height vg.Length
	legendWidth   vg.Length
}

func (r *Report) figure(metric string) (*figure, error) {
	lines := r.lines(metric)
	if !slices.Contains(r.Plots(), metric) {
		return nil, fmt.Errorf("report: no curve with the metric %q to plot", metric)
	}
	sans := plotfont.Font{Typeface: "Liberation", Variant: "Sans"}
	bold := sans
	bold.Weight = font.WeightBold
	p := plot.New()
	p.Title.Text = printable(r.Title)
	p.Title.TextStyle.Font = plotfont.From(bold, 12)
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "bits per pixel"
	p.Y.Label.Text = metricTitle(metric)
	for _, m := range pageMetrics {
		if m.Name == metric && m.Unit != "" && metric != MSSSIMdB {
			p.Y.Label.Text += " (" + m.Unit + ")"
		}
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = plotfont.From(sans, 11)
		a.Tick.Label.Font = plotfont.From(sans, 10)
		a.Color, a.Tick.Color = color.Gray{0x55}, color.Gray{0x55}
		a.Padding = 0
	}
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.TickerFunc(logTicks)
	p.Y.Tick.Marker = plot.TickerFunc(roundTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe4}, color.Gray{0xe4}
	p.Add(grid)

	f := &figure{plot: p, legend: plot.NewLegend()}
	f.legend.TextStyle.Font = plotfont.From(sans, 9.5)
	f.legend.Top, f.legend.Left = true, true
	f.legend.Padding = vg.Points(3)
	f.legend.ThumbnailWidth = vg.Points(26)
	f.legend.YPosition = draw.PosCenter

	// The axes span the curves of the journal, and what published ones have there.
	left, right, low, high := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, q := range l.points {
			if !l.published {
				left, right = min(left, q.X), max(right, q.X)
			}
		}
	}
	for _, l := range lines {
		for _, q := range l.points {
			if left <= q.X && q.X <= right {
				low, high = min(low, q.Y), max(high, q.Y)
			}
		}
	}
	for i, l := range lines {
		curve, points, err := plotter.NewLinePoints(l.points)
		if err != nil {
			return nil, err
		}
		colour := palette[i%len(palette)]
		curve.Color, points.Color = colour, colour
		curve.Width = vg.Points(1.4)
		points.Shape = glyphs[i%len(glyphs)]
		points.Radius = vg.Points(2.6)
		if l.published {
			curve.Dashes = []vg.Length{vg.Points(4), vg.Points(2.5)}
			curve.Width = vg.Points(1.1)
			points.Radius = vg.Points(1.8)
		}
		p.Add(curve, points)
		name := short(printable(l.name), 40)
		f.legend.Add(name, curve, points)
		// An SVG may be shown in a wider font.
		f.legendWidth = max(f.legendWidth, f.legend.TextStyle.Width(name)*1.18)
	}
	// Plot.Add has widened the axes to all that published curves have.
	margin := max((high-low)/30, 1e-6)
	p.Y.Min, p.Y.Max = low-margin, high+margin
	widen := math.Pow(right/left, 1.0/30) * 1.02
	p.X.Min, p.X.Max = left/widen, right*widen

	f.legendWidth += f.legend.ThumbnailWidth + vg.Points(24)
	f.width = vg.Points(470) + f.legendWidth
	f.height = max(vg.Points(370), vg.Length(len(lines))*(f.legend.TextStyle.Rectangle("Ag").Size().Y+f.legend.Padding)+vg.Points(60))
	return f, nil
}

func (f *figure) draw(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	f.plot.Draw(draw.Crop(c, vg.Points(8), -f.legendWidth, vg.Points(8), -vg.Points(10)))
	f.legend.Draw(draw.Crop(c, f.width-f.legendWidth+vg.Points(12), 0, 0, -vg.Points(32)))
}

// logTicks labels 1, 2 and 5 times the powers of ten.
func logTicks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for m := 1; m <= 9; m++ {
			v := float64(m) * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			label := ""
			if m == 1 || m == 2 || m == 5 {
				label = strconv.FormatFloat(v, 'g', 3, 64)
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// roundTicks labels about seven multiples of 1, 2 or 5 times a power of ten.
func roundTicks(low, high float64) []plot.Tick {
	raw := (high - low) / 7
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := power
	for _, m := range []float64{2, 5, 10} {
		if step < raw {
			step = m * power
		}
	}
	var ticks []plot.Tick
	for k := math.Ceil(low / step); k*step <= high; k++ {
		ticks = append(ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step, 'f', max(0, int(-math.Floor(math.Log10(step)+1e-9))), 64)})
	}
	return ticks
}
