package page

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// A Font is an outline font. It may be used by several goroutines.
type Font struct {
	outlines *sfnt.Font
	name     string
}

// maxFontBytes is more than the largest CJK collections take.
const maxFontBytes = 1 << 28

// ParseFont reads font index of a TTF, OTF, TTC or OTC file; single fonts have index
// 0. The bytes must not change as long as the font is used. The error wraps
// [ErrFont].
func ParseFont(b []byte, index int) (*Font, error) {
	if len(b) > maxFontBytes {
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrFont, len(b), maxFontBytes)
	}
	c, err := sfnt.ParseCollection(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFont, err)
	}
	if index < 0 || index >= c.NumFonts() {
		return nil, fmt.Errorf("%w: no font %d in a file of %d", ErrFont, index, c.NumFonts())
	}
	f, err := c.Font(index)
	if err != nil {
		// Some fonts have tables at offsets that package sfnt refuses.
		aligned := alignTables(b, index)
		if f, _ = sfnt.Parse(aligned); f == nil {
			return nil, fmt.Errorf("%w: %w", ErrFont, err)
		}
	}
	name, err := f.Name(nil, sfnt.NameIDFull)
	if err != nil {
		name = "unnamed font" // a font works without
	}
	return &Font{f, name}, nil
}

// alignTables returns a file of one font of a collection, or of a file of one font,
// whose tables begin at multiples of 4 bytes, as they should. It
// returns nil if b is no such file. The format is in ISO/IEC 14496-22, 4.5.
func alignTables(b []byte, index int) []byte {
	const header, entry = 12, 16 // bytes
	at := uint32(0)
	if len(b) >= header+4*(index+1) && string(b[:4]) == "ttcf" {
		at = binary.BigEndian.Uint32(b[header+4*index:])
	}
	if uint64(at)+header > uint64(len(b)) {
		return nil
	}
	directory := b[at:]
	n := int(binary.BigEndian.Uint16(directory[4:]))
	if len(directory) < header+n*entry {
		return nil
	}
	out := append([]byte(nil), directory[:header+n*entry]...)
	for i := range n {
		e := out[header+i*entry:][:entry]
		offset, length := uint64(binary.BigEndian.Uint32(e[8:])), uint64(binary.BigEndian.Uint32(e[12:]))
		if offset+length > uint64(len(b)) || uint64(len(out))+length > maxFontBytes {
			return nil
		}
		binary.BigEndian.PutUint32(e[8:], uint32(len(out)))
		out = append(out, b[offset:offset+length]...)
		out = append(out, make([]byte, -len(out)&3)...)
	}
	return out
}

// Name returns the full name that the font gives itself.
func (f *Font) Name() string { return f.name }

// A style selects a chain of fonts.
type style uint8

const (
	text style = iota
	bold
	italic
	boldItalic
	mono
	styles
)

var goFonts = sync.OnceValue(func() (f [styles]*Font) {
	for s, b := range [styles][]byte{goregular.TTF, gobold.TTF, goitalic.TTF, gobolditalic.TTF, gomono.TTF} {
		var err error
		if f[s], err = ParseFont(b, 0); err != nil {
			panic(err) // the Go fonts are part of the program
		}
	}
	return f
})

// chain returns the fonts of a style. Where the caller's text font has no such style
// its text font comes before the Go font of the style, so that a page does not mix
// designs; but code needs a mono font.
func (f *Fonts) chain(s style) []*Font {
	own := [styles][]*Font{f.Text, f.Bold, f.Italic, f.BoldItalic, f.Mono}[s]
	c := append([]*Font(nil), own...)
	if s == mono {
		c = append(c, goFonts()[mono])
	}
	if s != text {
		c = append(c, f.Text...)
	}
	return append(c, goFonts()[s], goFonts()[text])
}

// A face is a font at a size.
type face struct {
	font *Font
	ppem fixed.Int26_6
	buf  sfnt.Buffer

	mu     sync.RWMutex
	masks  map[maskKey]*mask
	bytes  int // of masks
	drawer glyphDrawer
}

// A glyph is a character in a face.
type glyph struct {
	r       rune
	face    *face // nil if no font has it
	index   sfnt.GlyphIndex
	advance fixed.Int26_6
	hidden  bool // takes no place and leaves no ink
}

const (
	latin       = 128 // characters before this one are looked up in arrays
	unknownKern = math.MinInt32
)

// A fontSet is a chain of fonts at a size.
type fontSet struct {
	faces []*face
	em    fixed.Int26_6
	space fixed.Int26_6 // width of a space
	// ascent and descent are those of the first face.
	ascent, descent fixed.Int26_6
	// What is known of characters and of pairs of them. A page needs only what its
	// layout has looked up, so that pages may be drawn by several goroutines.
	latinGlyphs [latin]glyph
	otherGlyphs map[rune]glyph
	latinKerns  [latin * latin]fixed.Int26_6 // or unknownKern
	otherKerns  map[[2]rune]fixed.Int26_6
}

func newFontSet(chain []*Font, em float64) (*fontSet, error) {
	s := &fontSet{em: fixed.Int26_6(math.Round(em * 64)), otherGlyphs: make(map[rune]glyph), otherKerns: make(map[[2]rune]fixed.Int26_6)}
	for i := range s.latinKerns {
		s.latinKerns[i] = unknownKern
	}
	for _, f := range chain {
		if f == nil {
			return nil, OptionError("a font is nil")
		}
		s.faces = append(s.faces, &face{font: f, ppem: s.em, masks: make(map[maskKey]*mask)})
	}
	first := s.faces[0]
	metrics, err := first.font.outlines.Metrics(&first.buf, s.em, font.HintingNone)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFont, first.font.name, err)
	}
	s.ascent, s.descent = metrics.Ascent, metrics.Descent
	for r := range rune(latin) {
		s.latinGlyphs[r] = s.find(r)
	}
	s.space = s.latinGlyphs[' '].advance
	return s, nil
}

// glyph returns r in the first face that has it.
func (s *fontSet) glyph(r rune) glyph {
	if uint32(r) < latin {
		return s.latinGlyphs[r]
	}
	g, ok := s.otherGlyphs[r]
	if !ok {
		g = s.find(r)
		s.otherGlyphs[r] = g
	}
	return g
}

// firstWide is the first character of Chinese, Japanese and Korean, which are as wide
// as high. Not all after it are.
const firstWide = '\u2e80'

func (s *fontSet) find(r rune) glyph {
	if r < ' ' || ignorable(r) {
		return glyph{r: r, hidden: true}
	}
	for _, f := range s.faces {
		index, err := f.font.outlines.GlyphIndex(&f.buf, r)
		if err != nil || index == 0 {
			continue
		}
		bounds, advance, err := f.font.outlines.GlyphBounds(&f.buf, index, f.ppem, font.HintingNone)
		// Glyphs that are too large to be drawn count as missing; no real font has any.
		if size := maskBounds(bounds, 0).Inset(-1).Size(); err != nil || advance < 0 || advance > fixed.I(maxGlyph) ||
			size.X > maxGlyph || size.Y > maxGlyph {
			continue
		}
		return glyph{r: r, face: f, index: index, advance: advance}
	}
	if space := unicode.Is(unicode.Zs, r); space && r != ' ' {
		// Spaces of other widths need no glyph.
		g := glyph{r: r, advance: s.glyph(' ').advance, hidden: true}
		if r == '\u3000' {
			g.advance = s.em
		}
		return g
	}
	if r >= firstWide {
		return glyph{r: r, advance: s.em}
	}
	return glyph{r: r, advance: s.em * 5 / 8}
}

// ignorable reports whether nothing is to be seen of r. These are Unicode's default
// ignorable code points, of which package unicode has no table, but for those of
// letters of Korean.
func ignorable(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r >= 0x180b && r <= 0x180f, r >= 0x200b && r <= 0x200f,
		r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// kern returns what to add between two glyphs.
func (s *fontSet) kern(a, b glyph) fixed.Int26_6 {
	if a.face == nil || a.face != b.face || a.hidden || b.hidden {
		return 0
	}
	if a.r < latin && b.r < latin {
		k := &s.latinKerns[a.r*latin+b.r]
		if *k == unknownKern {
			*k = a.face.kern(a.index, b.index)
		}
		return *k
	}
	pair := [2]rune{a.r, b.r}
	k, ok := s.otherKerns[pair]
	if !ok {
		k = a.face.kern(a.index, b.index)
		s.otherKerns[pair] = k
	}
	return k
}

// kern returns what to add between two glyphs. opentype.Face.Kern would return it in
// font units instead of pixels.
func (f *face) kern(a, b sfnt.GlyphIndex) fixed.Int26_6 {
	k, err := f.font.outlines.Kern(&f.buf, a, b, f.ppem, font.HintingNone)
	if err != nil || k < -f.ppem || k > f.ppem {
		return 0 // as in most fonts
	}
	return k
}
