package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/tokens"
)

// tokenRows runs a command that prints JSON.
func tokenRows(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	r := mustRun(t, nil, append([]string{"tokens"}, args...)...)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil {
		t.Fatalf("%v in %q", err, r.stdout)
	}
	return rows
}

func TestTokensPlan(t *testing.T) {
	rows := tokenRows(t, "plan", "--model", "gpt-4o,Qwen/Qwen2.5-VL-7B-Instruct", "--json", "1920x1080", "336x336")
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, want := range []struct {
		model, confidence string
		width, tokens     float64
	}{{"gpt-4o", "vendor-doc", 1920, 1105}, {"qwen2.5-vl", "exact", 1920, 2691}, {"gpt-4o", "vendor-doc", 336, 255}, {"qwen2.5-vl", "exact", 336, 144}} {
		r := rows[i]
		if r["model"] != want.model || r["confidence"] != want.confidence || r["width"] != want.width || r["tokens"] != want.tokens || r["source"] == "" {
			t.Errorf("row %d: %v", i, r)
		}
	}
	if rows := tokenRows(t, "plan", "--json", "1000x5", "--model", "all"); len(rows) != len(tokens.Models()) {
		t.Errorf("%d rows of all models", len(rows))
	}
	for _, c := range []struct {
		args []string
		key  string
		want float64
	}{
		{[]string{"-m", "gpt-4o", "--detail", "low", "1000x1000"}, "tokens", 85},
		{[]string{"-m", "internvl3", "--max-tiles", "1", "1000x1000"}, "tokens", 258},
		{[]string{"-m", "gemma-3", "--pan-and-scan", "1920x1080"}, "tokens", 768},
		{[]string{"-m", "qwen2.5-vl", "--max-pixels", "1003520", "1920x1080"}, "tokens", 1222},
		{[]string{"-m", "qwen2.5-vl", "--min-pixels", "200704", "56x56"}, "tokens", 256},
		{[]string{"-m", "pixtral", "--max-edge", "512", "1024x1024"}, "tokens", 32 * 33},
		{[]string{"-m", "gemini-2", "--duration", "60", "1920x1080"}, "tokens", 60 * 258},
		{[]string{"-m", "gemini-2", "--duration", "60", "--fps", "0.5", "1920x1080"}, "frames", 30},
		{[]string{"-m", "claude", "--frames", "3", "280x280"}, "tokens", 300},
		{[]string{"-m", "deepseek-ocr", "--pages", "3", "1240x1754"}, "tokens", 3 * 903},
		{[]string{"-m", "deepseek-ocr", "--pages", "3", "1240x1754"}, "pages", 3},
		{[]string{"-m", "llama-3.2", "1120x1120"}, "cross_attention", 6404},
	} {
		rows := tokenRows(t, append([]string{"plan", "--json"}, c.args...)...)
		if len(rows) != 1 || rows[0][c.key] != c.want {
			t.Errorf("%q: %v, want %v", c.args, rows, c.want)
		}
	}
	r := mustRun(t, nil, "tokens", "plan", "-m", "all", "1000x5")
	for _, want := range []string{"picture", "gpt-4o", "vendor-doc", "less than 10 pixels"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
}

// TestTokensPlanFiles reads sizes from files, upright.
func TestTokensPlanFiles(t *testing.T) {
	inFolder(t) // with in.png
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 32)), nil); err != nil {
		t.Fatal(err)
	}
	plain := b.Bytes()
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	turned := append([]byte("\xff\xd8\xff\xe1\x00"+string(rune(len(exif)+2))+exif), plain[2:]...)
	mustRun(t, nil, "encode", "in.png", "-o", "in.burin")
	for name, data := range map[string][]byte{"plain.jpg": plain, "turned.jpg": turned, "text.txt": []byte("no picture"), "cut.jpg": plain[:20]} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][2]float64{"plain.jpg": {64, 32}, "turned.jpg": {32, 64}} {
		rows := tokenRows(t, "plan", "-m", "gpt-4o", "--json", name)
		if len(rows) != 1 || rows[0]["file"] != name || rows[0]["width"] != want[0] || rows[0]["height"] != want[1] {
			t.Errorf("%s: %v", name, rows)
		}
	}
	png, burinFile := tokenRows(t, "plan", "-m", "gpt-4o", "--json", "in.png"), tokenRows(t, "plan", "-m", "gpt-4o", "--json", "in.burin")
	if png[0]["width"] != burinFile[0]["width"] || png[0]["height"] != burinFile[0]["height"] {
		t.Errorf("%v and %v", png, burinFile)
	}
	if r := burin(turned, "tokens", "plan", "-m", "gpt-4o", "-"); r.code != exitOK || !strings.Contains(r.stdout, "32x64") {
		t.Errorf("standard input: %+v", r)
	}
	for _, name := range []string{"text.txt", "cut.jpg", "missing.png", "axb", "."} {
		if r := burin(nil, "tokens", "plan", "-m", "gpt-4o", name); r.code != exitFailure || r.stdout != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if err := os.WriteFile("doc.pdf", []byte("%PDF-1.4\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if r := burin(nil, "tokens", "plan", "-m", "gpt-4o", "doc.pdf"); r.code != exitFailure {
		t.Errorf("doc.pdf: %+v", r)
	}
}

func TestTokensFit(t *testing.T) {
	rows := tokenRows(t, "fit", "--budget", "800", "-m", "internvl3", "--json", "640x480")
	fit, _ := rows[0]["fit"].(map[string]any)
	if len(rows) != 1 || rows[0]["tokens"] != 770.0 || rows[0]["width"] != 640.0 || fit["canvas_width"] != 896.0 || fit["width"] != 597.0 {
		t.Errorf("%v", rows)
	}
	if r := mustRun(t, nil, "tokens", "fit", "--budget", "800", "-m", "internvl3", "640x480"); !strings.Contains(r.stdout, "597x448") || !strings.Contains(r.stdout, "896x448") {
		t.Error(r.stdout)
	}
	for _, c := range []struct {
		args     []string
		rows     int
		key      string
		want     float64
		maxTotal float64
	}{
		{[]string{"--budget", "6000", "-m", "claude", "--frames", "10", "1920x1080"}, 1, "frames", 10, 6000},
		{[]string{"--budget", "5000", "-m", "claude", "--pages", "5", "1240x1754"}, 1, "pages", 5, 1000},
	} {
		rows := tokenRows(t, append([]string{"fit", "--json"}, c.args...)...)
		if len(rows) != c.rows || rows[0][c.key] != c.want || rows[0]["tokens"].(float64) > c.maxTotal || rows[0]["tokens"].(float64) < 0.9*c.maxTotal {
			t.Errorf("%q: %v", c.args, rows)
		}
	}
	if rows := tokenRows(t, "fit", "--budget", "300", "-m", "all", "--json", "640x480"); len(rows) != len(tokens.Models()) {
		t.Errorf("%d rows", len(rows))
	}
	if r := burin(nil, "tokens", "fit", "--budget", "100", "-m", "llava-1.5", "640x480"); r.code != exitFailure || !strings.Contains(r.stderr, "576") {
		t.Errorf("%+v", r)
	}
}

func TestTokensUsage(t *testing.T) {
	for _, args := range []string{
		"", "plan", "plan 10x10", "plan -m gpt-4o", "plan -m gpt-5o 10x10", "plan -m claude --detail low 10x10",
		"plan -m claude --frames 2 --duration 3 10x10", "plan -m claude --fps 2 10x10", "plan -m claude --frames 2 --pages 2 10x10",
		"plan -m claude --frames 0 10x10", "plan -m claude --pages 100000000 10x10", "fit -m claude 10x10", "fit --budget 10 --fps 1 -m claude 10x10", "fit --budget 0 -m claude 10x10", "nothing",
	} {
		if r := burin(nil, append([]string{"tokens"}, strings.Fields(args)...)...); r.code != exitUsage || r.stdout != "" {
			t.Errorf("tokens %s: %+v", args, r)
		}
	}
	if r := burin(nil, "tokens", "plan", "-m", "gpt4o", "10x10"); !strings.Contains(r.stderr, "gpt-4o") {
		t.Errorf("no suggestion: %+v", r)
	}
	for _, args := range []string{"plan -m claude 0x10", "plan -m claude 10x9999999", "plan -m claude --duration -1 10x10", "plan -m qwen3-vl 1000x2"} {
		if r := burin(nil, append([]string{"tokens"}, strings.Fields(args)...)...); r.code != exitFailure || r.stdout != "" {
			t.Errorf("tokens %s: %+v", args, r)
		}
	}
}
