package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os/exec"
	"strings"

	"golang.org/x/image/draw"

	"github.com/burin-codec/burin/tokens"
)

// A Recogniser reads the text of a page.
type Recogniser func(ctx context.Context, m image.Image) (string, error)

// ErrNoTesseract reports that there is no program tesseract.
var ErrNoTesseract = errors.New("page: no program tesseract (on Debian: apt-get install tesseract-ocr)")

// Tesseract returns a Recogniser that runs the program tesseract, Apache-2.0, with a
// model that it has installed, such as "eng", for pages of so many columns. Its
// version comes with it.
func Tesseract(ctx context.Context, language string, columns int) (Recogniser, string, error) {
	path, err := exec.LookPath("tesseract")
	if err != nil {
		return nil, "", ErrNoTesseract
	}
	version, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("page: %s: %w", path, err)
	}
	name, _, _ := strings.Cut(string(version), "\n")
	layout := "6" // one block of text
	if columns > 1 {
		layout = "3" // look for blocks
	}
	return func(ctx context.Context, m image.Image) (string, error) {
		var in, out, errs bytes.Buffer
		if err := png.Encode(&in, m); err != nil {
			return "", err
		}
		c := exec.CommandContext(ctx, path, "stdin", "stdout", "-l", language, "--psm", layout, "--dpi", "300")
		c.Stdin, c.Stdout, c.Stderr = &in, &out, &errs
		if err := c.Run(); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("page: tesseract: %w: %s", err, strings.TrimSpace(errs.String()))
		}
		return out.String(), nil
	}, name, nil
}

// readableEm is the height in pixels of the em to which pages are enlarged before
// they are read: tesseract's models know capitals of about 20 to 40 pixels, and without it
// the figures would tell how small a picture the engine takes and not what is in it.
const readableEm = 32

// maxReadPixels bounds an enlarged page.
const maxReadPixels = 1 << 26

// An Accuracy says how much of a text was read.
type Accuracy struct {
	Characters      int // of the text
	CharacterErrors int // edits from the text to what was read
	Words           int
	WordErrors      int
}

// CER returns the character error rate: edits for each character of the text, at most
// 1 a page.
func (a Accuracy) CER() float64 { return ratio(a.CharacterErrors, a.Characters) }

// WordAccuracy returns the share of words read, which is 1 less the word error rate.
func (a Accuracy) WordAccuracy() float64 { return 1 - ratio(a.WordErrors, a.Words) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Read has all pages of l read, and compares the text with what was read. White space
// counts as one space, and typographic quotes and dashes as those of ASCII. If model is
// not nil the pages are brought to the size in which it sees them before.
func Read(ctx context.Context, l *Layout, model *tokens.Model, read Recogniser) (Accuracy, error) {
	var sum Accuracy
	for i := range l.Len() {
		m, err := l.Page(i)
		if err != nil {
			return sum, err
		}
		em := l.o.em()
		if model != nil {
			width := m.Bounds().Dx()
			if m, err = Seen(m, model); err != nil {
				return sum, err
			}
			em *= float64(m.Bounds().Dx()) / float64(width)
		}
		got, err := read(ctx, enlarge(m, readableEm/em))
		if err != nil {
			return sum, err
		}
		a := compare(l.Text(i), got)
		sum.Characters += a.Characters
		sum.CharacterErrors += a.CharacterErrors
		sum.Words += a.Words
		sum.WordErrors += a.WordErrors
	}
	return sum, nil
}

// enlarge makes a picture larger with a smooth filter, if s is more than 1.
func enlarge(m image.Image, s float64) image.Image {
	size := m.Bounds().Size()
	s = min(s, math.Sqrt(maxReadPixels/(float64(size.X)*float64(size.Y))))
	if s <= 1 {
		return m
	}
	to := image.NewGray(image.Rect(0, 0, int(float64(size.X)*s), int(float64(size.Y)*s)))
	draw.CatmullRom.Scale(to, to.Rect, m, m.Bounds(), draw.Src, nil)
	return to
}

var typography = strings.NewReplacer("‘", "'", "’", "'", "`", "'", "´", "'", "“", `"`, "”", `"`, "„", `"`,
	"''", `"`, "–", "-", "—", "-", "‐", "-", "…", "...")

// compare compares what was read with a text.
func compare(text, got string) Accuracy {
	a, b := strings.Fields(typography.Replace(text)), strings.Fields(typography.Replace(got))
	x, y := []rune(strings.Join(a, " ")), []rune(strings.Join(b, " "))
	return Accuracy{len(x), editDistance(x, y, len(x)), len(a), editDistance(a, b, len(a))}
}

// editDistance returns the least number of insertions, deletions and substitutions
// that turn a into b, or most if it is more than that. It takes time in proportion to
// len(a) times the distance (Ukkonen 1985) and memory to len(b).
func editDistance[T comparable](a, b []T, most int) int {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for band := 32; ; band *= 2 {
		band = min(band, most)
		if d := bandedDistance(a, b, band); d <= band || band == most {
			return min(d, most)
		}
	}
}

// bandedDistance returns the edit distance if it is at most band, or else a larger
// number: it looks at no more insertions or deletions than that.
func bandedDistance[T comparable](a, b []T, band int) int {
	if len(a)-len(b) > band || len(b)-len(a) > band {
		return band + 1
	}
	// row[j] is the distance from a[:i] to b[:j], for j within band of i.
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		lo, hi := max(1, i+1-band), min(len(b), i+1+band)
		diagonal := row[lo-1]
		if lo == 1 {
			row[0] = i + 1
		} else {
			row[lo-1] = band + 1
		}
		for j := lo; j <= hi; j++ {
			above := row[j]
			if j == i+1+band {
				above = band + 1 // out of the band a row before
			}
			d := diagonal
			if x != b[j-1] {
				d = 1 + min(diagonal, above, row[j-1])
			}
			row[j], diagonal = d, row[j]
		}
	}
	return row[len(b)]
}
