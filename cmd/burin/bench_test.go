package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/corpus/report"
)

// corpusFolder makes a folder "corpus" of n pictures in an empty one.
func corpusFolder(t *testing.T, n int) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("corpus", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var b bytes.Buffer
		if _, err := dataset.Write(&b, &dataset.Picture{Image: dataset.DeadLeaves(40, 30, uint64(i))}, ".png"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join("corpus", string(rune('a'+i))+".png"), b.Bytes())
	}
}

func readReport(t *testing.T, name string) *report.Report {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := new(report.Report)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBench(t *testing.T) {
	corpusFolder(t, 3)
	writeFile(t, "corpus/broken.png", []byte("\x89PNG\r\n\x1a\nno picture"))
	args := []string{"bench", "--corpus", "corpus", "--codecs", "lossless:e1,png,jpeg", "--rates", "20/60/90", "--out", "out", "--anchor", "png"}
	r := mustRun(t, nil, args...)
	for _, want := range []string{"lossless:e1", "jpeg", "q60", "index.html"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	for _, want := range []string{"left out", "broken.png", "3 pictures: 15 rows measured, 0 of them failed, 0 were there"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
	for _, name := range []string{"journal.jsonl", "index.html", "report.md", "report.csv", "report.json", "psnr.svg", "psnr.png"} {
		if info, err := os.Stat(filepath.Join("out", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat("out/tmp"); err == nil {
		t.Error("the folder for programs is left")
	}
	got := readReport(t, "out/report.json")
	if got.Pictures != 3 || len(got.Curves) != 3 || got.Anchor != "png" || len(got.Curves[0].Points) != 3 {
		t.Errorf("%+v", got)
	}

	// A journal there is not touched without being asked.
	if r := burin(nil, args...); r.code != exitFailure || !strings.Contains(r.stderr, "--resume") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
	if r := mustRun(t, nil, append(args, "--resume")...); !strings.Contains(r.stderr, "0 rows measured, 0 of them failed, 15 were there") {
		t.Error(r.stderr)
	}
	if err := os.Remove("corpus/broken.png"); err != nil {
		t.Fatal(err)
	}
	r = mustRun(t, nil, append(args, "--force", "--json", "--subset", "2")...)
	again := new(report.Report)
	if err := json.Unmarshal([]byte(r.stdout), again); err != nil || again.Pictures != 2 {
		t.Errorf("%d pictures, %v", again.Pictures, err)
	}
}

// TestBenchShards checks that the journals of shards make the report of the whole.
func TestBenchShards(t *testing.T) {
	corpusFolder(t, 4)
	run := func(out string, more ...string) {
		t.Helper()
		mustRun(t, nil, append([]string{"bench", "--corpus", "corpus", "--codecs", "png,jpeg", "--rates", "5/30/60/90", "--out", out, "--jobs", "2", "--keep", "0"}, more...)...)
	}
	run("whole")
	run("one", "--shard", "1/2")
	run("two", "--shard", "2/2")
	figures := func(out string, journals ...string) *report.Report {
		t.Helper()
		mustRun(t, nil, append([]string{"bench", "report", "--out", out}, journals...)...)
		r := readReport(t, filepath.Join(out, "report.json"))
		for i := range r.Curves {
			for j := range r.Curves[i].Points {
				p := &r.Curves[i].Points[j]
				p.EncodeWall, p.DecodeWall = 0, 0
			}
		}
		return r
	}
	whole := figures("whole", "whole/journal.jsonl")
	corpus, err := dataset.Open("corpus", nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := corpus.Checksum(t.Context()); err != nil || whole.Checksum != sum {
		t.Errorf("checksum %s, want %s, %v", whole.Checksum, sum, err)
	}
	for _, order := range [][]string{{"one/journal.jsonl", "two/journal.jsonl"}, {"two/journal.jsonl", "one/journal.jsonl"}} {
		if merged := figures("merged", order...); !reflect.DeepEqual(merged, whole) {
			t.Errorf("%v: %+v, not %+v", order, merged, whole)
		}
	}

	r := mustRun(t, nil, "bench", "bdrate", "--anchor", "jpeg", "--json", "whole/journal.jsonl")
	var list []report.BD
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Error(err)
	}
	if r := mustRun(t, nil, "bench", "bdrate", "--anchor", "jp", "whole/journal.jsonl"); !strings.Contains(r.stdout, "jpeg") {
		t.Error(r.stdout)
	}
}

// TestBenchDemonstration runs without a corpus, and without programs.
func TestBenchDemonstration(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", t.TempDir())
	r := mustRun(t, nil, "bench", "--subset", "1", "--rates", "50")
	for _, want := range []string{"webp is left out", "avif is left out", "jxl is left out"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %s", want, r.stderr)
		}
	}
	got := readReport(t, "burin-bench/report.json")
	if len(got.Curves) != 4 || got.Pictures != 1 {
		t.Errorf("%+v", got)
	}
	if r := burin(nil, "bench", "--codecs", "avif", "--out", "other"); r.code != exitFailure || !strings.Contains(r.stderr, "avifenc") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
}

// TestBenchPipe measures frames from standard input.
func TestBenchPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	r := mustRun(t, clip(t, 3, 0), "bench", "--corpus", "-", "--codecs", "png", "--json")
	got := new(report.Report)
	if err := json.Unmarshal([]byte(r.stdout), got); err != nil || got.Pictures != 3 {
		t.Errorf("%v, %v", r.stdout, err)
	}
}

func TestBenchUsage(t *testing.T) {
	corpusFolder(t, 1)
	mustRun(t, nil, "bench", "--corpus", "corpus", "--codecs", "jpeg,png", "--out", "out")
	if err := os.Mkdir("nothing", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code    int
		message string
		args    []string
	}{
		{exitUsage, "unexpected argument", []string{"bench", "corpus"}},
		{exitUsage, "no codec", []string{"bench", "--codecs", "gif"}},
		{exitUsage, "no number", []string{"bench", "--codecs", "jpeg", "--rates", "high"}},
		{exitUsage, "no metric", []string{"bench", "--metrics", "beauty"}},
		{exitUsage, "shard", []string{"bench", "--shard", "3/2"}},
		{exitUsage, "0 is less than 1", []string{"bench", "--jobs", "0"}},
		{exitUsage, "exclude", []string{"bench", "--resume", "--force"}},
		{exitUsage, "timeout", []string{"bench", "--timeout", "-1s"}},
		{exitFailure, "missing", []string{"bench", "--corpus", "missing"}},
		{exitFailure, "no picture", []string{"bench", "--corpus", "nothing", "--codecs", "png", "--out", "empty"}},
		{exitUsage, "missing journal", []string{"bench", "report"}},
		{exitFailure, "no such file", []string{"bench", "report", "missing"}},
		{exitFailure, "journal", []string{"bench", "report", "corpus/a.png"}},
		{exitUsage, "--anchor is missing", []string{"bench", "bdrate", "out/journal.jsonl"}},
		{exitUsage, `no curve "gif"`, []string{"bench", "bdrate", "--anchor", "gif", "out/journal.jsonl"}},
		{exitUsage, "nothing is published", []string{"bench", "report", "--published", "holidays", "out/journal.jsonl"}},
	} {
		r := burin(nil, c.args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.message) {
			t.Errorf("%q: exit %d, %s", c.args, r.code, r.stderr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := burinContext(ctx, nil, "bench", "--out", "interrupted"); r.code != exitFailure || !strings.Contains(r.stderr, "--resume goes on") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
}

// clip returns a y4m clip of n frames, to all samples of which d is added.
func clip(t *testing.T, n int, d uint8) []byte {
	t.Helper()
	var b bytes.Buffer
	h := dataset.Y4MHeader{Width: 16, Height: 12, RateNum: 25, RateDen: 1, Interlacing: 'p'}
	w, err := dataset.NewY4MWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewYCbCr(image.Rect(0, 0, 16, 12), h.Chroma.Ratio())
	for i := range n {
		for _, p := range [][]uint8{m.Y, m.Cb, m.Cr} {
			for k := range p {
				p[k] = uint8(60+k%100+5*i) + d
			}
		}
		if err := w.WriteFrame(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestCompare(t *testing.T) {
	inFolder(t)
	mustRun(t, nil, "encode", "in.png")
	mustRun(t, nil, "sample", "--size", "20x30", "--seed", "9", "-o", "other.png")
	compare := func(stdin []byte, args ...string) *compareReport {
		t.Helper()
		r := mustRun(t, stdin, append([]string{"compare", "--json"}, args...)...)
		c := new(compareReport)
		if err := json.Unmarshal([]byte(r.stdout), c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := compare(nil, "in.png", "in.burin"); !c.Equal || c.Metrics["mse"] != 0 || c.Bytes == 0 || c.BPP != 8*float64(c.Bytes)/600 || c.Width != 20 || c.Height != 30 {
		t.Errorf("%+v", c)
	}
	if c := compare(nil, "in.png", "other.png"); c.Equal || c.Metrics["psnr"] <= 0 || c.Metrics["psnr"] > 30 {
		t.Errorf("%+v", c)
	}
	file, err := os.ReadFile("in.burin")
	if err != nil {
		t.Fatal(err)
	}
	if c := compare(file, "in.png", "-"); !c.Equal {
		t.Errorf("%+v", c)
	}
	if r := mustRun(t, nil, "compare", "in.png", "other.png"); !strings.Contains(r.stdout, "psnr") || !strings.Contains(r.stdout, "20 x 30") {
		t.Error(r.stdout)
	}

	writeFile(t, "a.y4m", clip(t, 4, 0))
	writeFile(t, "b.y4m", clip(t, 4, 2))
	writeFile(t, "short.y4m", clip(t, 3, 0))
	if c := compare(nil, "a.y4m", "a.y4m"); !c.Equal || c.Frames != 4 {
		t.Errorf("%+v", c)
	}
	// A difference of 2 everywhere is an error of 4: 42.11 dB in all planes.
	for _, c := range []*compareReport{compare(nil, "a.y4m", "b.y4m"), compare(clip(t, 4, 2), "a.y4m", "-")} {
		if c.Equal || c.Metrics["mse_u"] != 4 || c.Metrics["psnr_yuv"] < 42.11 || c.Metrics["psnr_yuv"] > 42.12 || c.Metrics["psnr_yuv"] != c.Metrics["psnr_y"] {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range []struct {
		code    int
		message string
		args    []string
	}{
		{exitUsage, "two files", []string{"in.png"}},
		{exitUsage, "two files", []string{"in.png", "in.png", "in.png"}},
		{exitUsage, "standard input", []string{"-", "-"}},
		{exitFailure, "no such file", []string{"in.png", "missing.png"}},
		{exitFailure, "not two pictures", []string{"in.png", "a.y4m"}},
		{exitFailure, "ends after 3 frames", []string{"a.y4m", "short.y4m"}},
	} {
		r := burin(nil, append([]string{"compare"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.message) {
			t.Errorf("%q: exit %d, %s", c.args, r.code, r.stderr)
		}
	}
}
