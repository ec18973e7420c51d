package main

import (
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/gomono"

	"github.com/burin-codec/burin/tokens/page"
)

const renderText = "# Head\n\nSome *text* of a paragraph.\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n"

func TestTokensRender(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "doc.md", []byte(renderText))
	writeFile(t, "long.txt", []byte(strings.Repeat("A line of text.\n\n", 200)))

	r := mustRun(t, nil, "tokens", "render", "doc.md", "-o", "a.png", "--size", "400x300")
	if !strings.HasPrefix(r.stdout, "a.png: 400 x ") || r.stderr != "" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
	f, err := os.Open("a.png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if m, err := png.DecodeConfig(f); err != nil || m.Width != 400 || m.Height > 300 {
		t.Errorf("%+v, error %v", m, err)
	}
	os.Remove("a.png")

	// Several pages: a pattern, a folder, one that is made, and beside the file.
	for _, c := range []struct{ out, first string }{
		{"p%d.png", "p1.png"}, {"p%03d.pgm", "p001.pgm"}, {"50%%-%02d.png", "50%-01.png"}, {".", "long-001.png"}, {"made/", "made/long-001.png"},
	} {
		mustRun(t, nil, "tokens", "render", "long.txt", "--preset", "dense", "--size", "letter", "-o", c.out)
		names, _ := filepath.Glob(filepath.Join(filepath.Dir(c.first), "*-*"))
		if _, err := os.Stat(c.first); err != nil {
			t.Errorf("-o %s: %v, there are %v", c.out, err, names)
		}
	}
	if got := folder(t); strings.Contains(got, ".burin") {
		t.Errorf("files left: %s", got)
	}
	// The folder has them already.
	if r := burin(nil, "tokens", "render", "long.txt"); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	mustRun(t, nil, "tokens", "render", "long.txt", "-f")
	// Standard input, and other fonts.
	writeFile(t, "mono.ttf", gomono.TTF)
	mustRun(t, []byte(renderText), "tokens", "render", "-", "--format", "markdown", "--font", "mono.ttf#0", "-o", "stdin.png")
	if string(readFile(t, "stdin.png")) == "" {
		t.Error("no page of standard input")
	}
	// The same text and options make the same files.
	mustRun(t, nil, "tokens", "render", "doc.md", "-o", "b.png")
	mustRun(t, nil, "tokens", "render", "doc.md", "-o", "c.png")
	if string(readFile(t, "b.png")) != string(readFile(t, "c.png")) {
		t.Error("two files of the same text differ")
	}
}

func TestTokensRenderReports(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "odd.txt", []byte("中文中 שלום \x00 and enough text for a text file, all in all"))
	r := mustRun(t, nil, "tokens", "render", "odd.txt", "-o", "odd.png")
	for _, want := range []string{"7 characters are in no font", "'中' 2 times", "4 characters are of scripts", "1 control character"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %s", want, r.stderr)
		}
	}
}

func TestTokensRenderErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "in.txt", []byte(strings.Repeat("text\n\n", 500)))
	writeFile(t, "in.bin", []byte("\x00\x01\x02\x03"))
	writeFile(t, "in.pdf", []byte("%PDF-1.4\nand no more"))
	before := folder(t)
	for _, c := range []struct {
		code int
		args string
	}{
		{exitUsage, ""},
		{exitUsage, "in.txt in.txt"},
		{exitUsage, "in.txt --format word"},
		{exitUsage, "in.txt --preset tiny"},
		{exitUsage, "in.txt --size A5"},
		{exitUsage, "in.txt --size 10x10"},
		{exitUsage, "in.txt --size 100000x100"},
		{exitUsage, "in.txt --font-size x"},
		{exitUsage, "in.txt --font-size 8,9"},
		{exitUsage, "in.txt --font-size 0.1"},
		{exitUsage, "in.txt --dpi nan"},
		{exitUsage, "in.txt --leading 0"},
		{exitUsage, "in.txt --columns 0"},
		{exitUsage, "in.txt --align up"},
		{exitUsage, "in.txt --newlines drop"},
		{exitUsage, "in.txt --crop some"},
		{exitUsage, "in.txt --max-pages 0"},
		{exitUsage, "in.txt -o out.jpg"},
		{exitUsage, "in.txt -o out.png"},
		{exitUsage, "in.txt -o out%s.png"},
		{exitUsage, "in.txt -o out%d-%d.png"},
		{exitUsage, "in.txt -o out%99999d.png"},
		{exitUsage, "in.txt --sweep --ocr"},
		{exitUsage, "in.txt --sweep -o out.png"},
		{exitUsage, "in.txt --sweep --model no-such-model"},
		{exitUsage, "in.txt --json"},
		{exitUsage, "in.txt --text in.txt"},
		{exitUsage, "in.pdf --ocr"},
		{exitFailure, "none.txt"},
		{exitFailure, "in.bin"},
		{exitFailure, "in.pdf"},
		{exitFailure, "in.txt --max-pages 1"},
		{exitFailure, "in.txt --font none.ttf"},
		{exitFailure, "in.txt --font in.bin"},
		{exitFailure, "in.txt -o none/p%d.png"},
	} {
		r := burin(nil, append([]string{"tokens", "render"}, strings.Fields(c.args)...)...)
		if r.code != c.code || r.stdout != "" || !strings.HasPrefix(r.stderr, "burin: ") {
			t.Errorf("%q: exit %d, want %d\nstdout: %s\nstderr: %s", c.args, r.code, c.code, r.stdout, r.stderr)
		}
		if got := folder(t); got != before {
			t.Fatalf("%q: files left: %s", c.args, got)
		}
	}
}

func TestTokensRenderSweep(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, "in.txt", []byte(strings.Repeat("Some text that goes on and on. ", 500)))
	r := mustRun(t, nil, "tokens", "render", "in.txt", "--sweep", "--json", "--font-size", "7,9", "--model", "deepseek-ocr-small,gpt-4o")
	var rows []sweepRow
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 || rows[0].Model != "deepseek-ocr-small" || rows[0].FontSize != 7 || !rows[0].Published.SameModel || rows[3].Published.SameModel {
		t.Fatalf("%+v", rows)
	}
	// The tokeniser makes a token of each word and of the full stop.
	if n := rows[0].TextTokens; n != 4001 && n != 4000 {
		t.Errorf("%d text tokens", n)
	}
	if c := rows[0]; c.VisualTokens != 111*c.Pages {
		t.Errorf("%d visual tokens of %d pages", c.VisualTokens, c.Pages)
	}
	r = mustRun(t, nil, "tokens", "render", "in.txt", "--sweep")
	if n := strings.Count(r.stdout, "internvl3"); n != len(strings.Split(sweepSizes, ",")) || !strings.Contains(r.stdout, page.Warning) {
		t.Errorf("%d rows of a model\n%s", n, r.stdout)
	}
}

func TestTokensRenderOCR(t *testing.T) {
	if _, _, err := page.Tesseract(t.Context(), "eng", 1); errors.Is(err, page.ErrNoTesseract) {
		t.Skip("skipped: there is no program tesseract")
	}
	t.Chdir(t.TempDir())
	writeFile(t, "in.txt", []byte("The quick brown fox jumps over the lazy dog. Some more words of text follow it."))
	r := mustRun(t, nil, "tokens", "render", "in.txt", "--ocr", "--json", "--font-size", "10")
	var rows []ocrRow
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Words != 16 || rows[0].CER > 0.1 || rows[0].WordAccuracy < 0.8 {
		t.Errorf("%+v", rows)
	}
}

// TestTokensRenderPDF renders PDF files, in a build that can.
func TestTokensRenderPDF(t *testing.T) {
	const documents = "../../../shared/data/documents"
	names, err := filepath.Glob(filepath.Join(documents, "*.pdf"))
	if err != nil || len(names) == 0 {
		t.Skipf("skipped: no PDF files in %s", documents)
	}
	for i := range names {
		if names[i], err = filepath.Abs(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(t.TempDir())
	if r := burin(nil, "tokens", "render", names[0], "-o", "."); strings.Contains(r.stderr, "-tags fitz") {
		t.Skip("skipped: built without the tag fitz")
	}
	for i, name := range names {
		r := burin(nil, "tokens", "render", name, "-o", "p%02d.png", "--dpi", "50")
		if r.code != exitOK {
			t.Errorf("%s: %s", name, r.stderr)
			continue
		}
		if _, err := os.Stat("p01.png"); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: no pages", name)
		}
		before := folder(t)
		if r := burin(nil, "tokens", "render", name, "-o", "huge%02d.png", "--dpi", "2000"); r.code != exitFailure || !strings.Contains(r.stderr, "page 1") {
			t.Errorf("%s: huge pages: exit %d, %s", name, r.code, r.stderr)
		}
		if got := folder(t); got != before {
			t.Errorf("files left: %s", got)
		}
		if i > 0 {
			continue
		}
		r = mustRun(t, nil, "tokens", "render", name, "--sweep", "--json", "--dpi", "50", "--model", "qwen2.5-vl")
		var rows []sweepRow
		if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil || len(rows) != 1 || rows[0].VisualTokens == 0 || rows[0].TextTokens != 0 {
			t.Errorf("%s: %s, error %v", name, r.stdout, err)
		}
	}
	writeFile(t, "broken.pdf", []byte("%PDF-1.4\nand no more"))
	if r := burin(nil, "tokens", "render", "broken.pdf"); r.code != exitFailure {
		t.Errorf("broken file: exit %d, %s", r.code, r.stderr)
	}
}
