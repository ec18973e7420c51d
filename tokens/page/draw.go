package page

import (
	"fmt"
	"image"

	"golang.org/x/image/math/fixed"
)

// Page draws page i, from 0: black text on white.
func (l *Layout) Page(i int) (image.Image, error) {
	if i < 0 || i >= len(l.pages) {
		return nil, fmt.Errorf("page: no page %d of %d", i, len(l.pages))
	}
	p := &l.pages[i]
	m := image.NewGray(image.Rect(0, 0, p.width, p.height))
	m.Pix[0] = 0xff
	for n := 1; n < len(m.Pix); n *= 2 {
		copy(m.Pix[n:], m.Pix[:n])
	}
	thin := max(1, int(l.o.em()/16))
	for _, line := range p.lines {
		if line.rule > 0 {
			y := line.y + (line.height-line.rule)/2
			fill(m, image.Rect(line.x, y, line.x+line.right, y+line.rule))
		}
		for _, x := range line.bars {
			fill(m, image.Rect(line.x+x, line.y-line.before, line.x+x+thin, line.y+line.height))
		}
		for j := range line.spans {
			s := &line.spans[j]
			x0, y := fixed.I(line.x)+s.x, line.y+line.base
			s.walk(func(g glyph, x fixed.Int26_6, _ rune) {
				switch x += x0; {
				case g.hidden:
				case g.face == nil:
					box(m, x.Round(), y, g.advance.Round(), thin)
				default:
					// To the next of the positions between pixels.
					at := (x + 64/subpixels/2) &^ (64/subpixels - 1)
					g.face.mask(g.index, int(at&63)*subpixels/64).draw(m, at.Floor(), y)
				}
			})
		}
	}
	return m, nil
}

// All draws the pages in order.
func (l *Layout) All() Pages {
	return func(yield func(image.Image, error) bool) {
		for i := range l.Len() {
			if !yield(l.Page(i)) {
				return
			}
		}
	}
}

// fill makes a rectangle black.
func fill(m *image.Gray, r image.Rectangle) {
	r = r.Intersect(m.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		o := m.PixOffset(r.Min.X, y)
		clear(m.Pix[o : o+r.Dx()])
	}
}

// box draws the hollow box of a character that no font has: one that is width wide
// with its space, on a base line.
func box(m *image.Gray, x, y, width, thin int) {
	space := max(1, width/8)
	r := image.Rect(x+space, y-max(3, width), x+max(width-space, space+3), y)
	fill(m, image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+thin))
	fill(m, image.Rect(r.Min.X, r.Max.Y-thin, r.Max.X, r.Max.Y))
	fill(m, image.Rect(r.Min.X, r.Min.Y, r.Min.X+thin, r.Max.Y))
	fill(m, image.Rect(r.Max.X-thin, r.Min.Y, r.Max.X, r.Max.Y))
}

// draw darkens m by a glyph with its origin at (x, y).
func (k *mask) draw(m *image.Gray, x, y int) {
	if k.width == 0 {
		return
	}
	at := image.Pt(x, y).Add(k.at)
	whole := image.Rectangle{at, at.Add(image.Pt(k.width, len(k.pixels)/k.width))}
	r := whole.Intersect(m.Rect)
	if r.Empty() {
		return
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		src := k.pixels[(y-at.Y)*k.width+r.Min.X-at.X:]
		o := m.PixOffset(r.Min.X, y)
		for i, d := range m.Pix[o : o+r.Dx()] {
			// Rounded division by 255.
			v := uint32(d)*uint32(255-src[i]) + 128
			m.Pix[o+i] = byte((v + v>>8) >> 8)
		}
	}
}
