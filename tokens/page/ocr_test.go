package page

import (
	"context"
	"errors"
	"image"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/burin-codec/burin/tokens"
)

// fullDistance is the edit distance by the whole table, for comparison.
func fullDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

func TestEditDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		a, b := random(rng.IntN(150)), random(rng.IntN(150))
		if rng.IntN(2) == 0 { // like each other
			c := []byte(a)
			for range rng.IntN(10) {
				if len(c) > 0 {
					c[rng.IntN(len(c))] = 'x'
				}
			}
			b = string(c[min(len(c), rng.IntN(5)):])
		}
		most := 1 + rng.IntN(200)
		want := min(most, fullDistance(a, b))
		if got := editDistance([]byte(a), []byte(b), most); got != want {
			t.Fatalf("distance from %q to %q, at most %d, is %d, want %d", a, b, most, got, want)
		}
	}
	if d := editDistance([]string{"to", "be", "or"}, []string{"to", "or"}, 9); d != 1 {
		t.Errorf("distance of words %d", d)
	}
}

func TestCompare(t *testing.T) {
	a := compare("“Don’t” —  said\nshe", `"Don't" - said she`)
	if a.CharacterErrors != 0 || a.WordErrors != 0 || a.Words != 4 || a.Characters != 18 {
		t.Errorf("%+v", a)
	}
	a = compare("one two three four", "one tvvo three")
	if a.WordErrors != 2 || a.WordAccuracy() != 0.5 || a.CharacterErrors != 7 {
		t.Errorf("%+v", a)
	}
	if a = compare("text", strings.Repeat("noise ", 100)); a.CER() != 1 || a.WordAccuracy() != 0 {
		t.Errorf("%+v", a)
	}
	if a = compare("", "noise"); a.CER() != 0 {
		t.Errorf("%+v", a)
	}
}

func TestRead(t *testing.T) {
	o := small()
	o.Newlines = KeepNewlines
	l := mustNew(t, strings.Repeat("a line\n", 12), Plain, o)
	i := 0
	var widths []int
	reader := func(_ context.Context, m image.Image) (string, error) {
		widths = append(widths, m.Bounds().Dx())
		i++
		return l.Text((i - 1) % l.Len()), nil
	}
	a, err := Read(context.Background(), l, nil, reader)
	if err != nil || a.CharacterErrors != 0 || a.Words != 24 || i != l.Len() {
		t.Errorf("%+v after %d pages, error %v", a, i, err)
	}
	// An em of 10 pixels comes to 32, and is 25.6 in the 512 pixels of the mode Tiny.
	if _, err := Read(context.Background(), l, lookup(t, "deepseek-ocr-tiny"), reader); err != nil {
		t.Fatal(err)
	}
	if want := []int{640, 640, 640, 640}; len(widths) != 4 || widths[0] != want[0] || widths[2] < 639 || widths[2] > 641 {
		t.Errorf("pages read in widths %v, want %v", widths, want)
	}
	failure := errors.New("failure")
	if _, err := Read(context.Background(), l, nil, func(context.Context, image.Image) (string, error) { return "", failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}

// TestTesseract reads a page with the program.
func TestTesseract(t *testing.T) {
	ctx := context.Background()
	read, version, err := Tesseract(ctx, "eng", 1)
	if errors.Is(err, ErrNoTesseract) {
		t.Skip("skipped: there is no program tesseract")
	}
	if err != nil {
		t.Fatal(err)
	}
	o := Readable()
	o.Width, o.Height = 600, 300
	a, err := Read(ctx, mustNew(t, "The quick brown fox jumps over the lazy dog.\n\nIt is not amused by this at all.", Plain, o), nil, read)
	if err != nil || a.CER() > 0.05 || a.Words != 17 {
		t.Errorf("%s: %+v, error %v", version, a, err)
	}
	if read, _, err = Tesseract(ctx, "no-such-language", 1); err == nil {
		if _, err = read(ctx, image.NewGray(image.Rect(0, 0, 99, 99))); err == nil {
			t.Error("no error for a language that is not there")
		}
	}
}

func lookup(t testing.TB, name string) *tokens.Model {
	t.Helper()
	m, err := tokens.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func BenchmarkEditDistance(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]rune, 8000)
	for i := range x {
		x[i] = rune(rng.IntN(64))
	}
	y := append([]rune(nil), x...)
	for range 400 {
		y[rng.IntN(len(y))]++
	}
	for b.Loop() {
		editDistance(x, y, len(x))
	}
}
