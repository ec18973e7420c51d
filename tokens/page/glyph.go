package page

import (
	"image"
	"image/draw"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Glyphs are drawn at four positions between pixels.
const subpixels = 4

// maxGlyph bounds the sides in pixels of a glyph: up to 512 package vector computes
// in integers.
const maxGlyph = 512

// A maskKey is a glyph and how far right of a pixel it is drawn.
type maskKey struct {
	glyph sfnt.GlyphIndex
	sub   uint8 // in 1/subpixels
}

// A mask is the coverage of a glyph, 0 to 255.
type mask struct {
	at     image.Point // of the upper left corner from the origin
	width  int
	pixels []byte
}

// maxMaskBytes bounds the masks that a face keeps.
const maxMaskBytes = 1 << 24

// mask returns a glyph, sub/subpixels right of a pixel.
func (f *face) mask(g sfnt.GlyphIndex, sub int) *mask {
	key := maskKey{g, uint8(sub)}
	f.mu.RLock()
	m := f.masks[key]
	f.mu.RUnlock()
	if m != nil {
		return m
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m = f.drawer.draw(f, g, fixed.Int26_6(sub*64/subpixels))
	if f.bytes += len(m.pixels) + 64; f.bytes > maxMaskBytes {
		clear(f.masks)
		f.bytes = len(m.pixels)
	}
	f.masks[key] = m
	return m
}

// maskBounds returns the pixels that bounds touch when they are moved right by x.
func maskBounds(b fixed.Rectangle26_6, x fixed.Int26_6) image.Rectangle {
	b = b.Add(fixed.Point26_6{X: x})
	return image.Rect(b.Min.X.Floor(), b.Min.Y.Floor(), b.Max.X.Ceil(), b.Max.Y.Ceil())
}

// A glyphDrawer holds what is needed to draw a glyph.
type glyphDrawer struct {
	buf  sfnt.Buffer
	rast vector.Rasterizer
}

// draw returns a glyph, moved right by x. The rasteriser gets straight lines only: it
// would compute the points of curves in float32, which CPUs with fused
// multiplications do otherwise than those without.
func (d *glyphDrawer) draw(f *face, g sfnt.GlyphIndex, x fixed.Int26_6) *mask {
	segments, err := f.font.outlines.LoadGlyph(&d.buf, g, f.ppem, nil)
	if err != nil {
		return new(mask) // which GlyphBounds would have returned, too
	}
	r := maskBounds(segments.Bounds(), x)
	if r.Empty() {
		return new(mask)
	}
	d.rast.Reset(r.Dx(), r.Dy())
	d.rast.DrawOp = draw.Src
	x -= fixed.I(r.Min.X)
	y := -fixed.I(r.Min.Y)
	var pen fixed.Point26_6
	for _, s := range segments {
		p := s.Args
		for i := range p {
			p[i] = p[i].Add(fixed.Point26_6{X: x, Y: y})
		}
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			d.rast.MoveTo(float32(p[0].X)/64, float32(p[0].Y)/64)
			pen = p[0]
		case sfnt.SegmentOpLineTo:
			d.curve(pen, p[0])
			pen = p[0]
		case sfnt.SegmentOpQuadTo:
			d.curve(pen, p[0], p[1])
			pen = p[1]
		case sfnt.SegmentOpCubeTo:
			d.curve(pen, p[0], p[1], p[2])
			pen = p[2]
		}
	}
	m := image.NewAlpha(image.Rect(0, 0, r.Dx(), r.Dy()))
	d.rast.Draw(m, m.Rect, image.Opaque, image.Point{})
	return &mask{at: r.Min, width: r.Dx(), pixels: m.Pix}
}

// curve draws the Bézier curve with the given control points, of which there are two
// to four, from the first to the last.
func (d *glyphDrawer) curve(p ...fixed.Point26_6) {
	// A curve is no farther from n chords than its second derivative over 8 n², which
	// is 2 or 6 times the largest second difference. So that is 0.15 pixels at most.
	var bend int64
	for i := 2; i < len(p); i++ {
		x := int64(p[i-2].X) - 2*int64(p[i-1].X) + int64(p[i].X)
		y := int64(p[i-2].Y) - 2*int64(p[i-1].Y) + int64(p[i].Y)
		bend = max(bend, x*x+y*y)
	}
	if len(p) == 4 {
		bend *= 3 * 3
	}
	n := int64(1)
	for n*n*n*n*64*64 < 3*bend {
		n++
	}
	// Bernstein's form, as numerators over n to the degree.
	scale := float32(64)
	for range p[1:] {
		scale *= float32(n)
	}
	for k := int64(1); k <= n; k++ {
		j := n - k
		var w [4]int64
		switch len(p) {
		case 2:
			w = [4]int64{j, k}
		case 3:
			w = [4]int64{j * j, 2 * j * k, k * k}
		case 4:
			w = [4]int64{j * j * j, 3 * j * j * k, 3 * j * k * k, k * k * k}
		}
		var x, y int64
		for i, q := range p {
			x += w[i] * int64(q.X)
			y += w[i] * int64(q.Y)
		}
		d.rast.LineTo(float32(x)/scale, float32(y)/scale)
	}
}
