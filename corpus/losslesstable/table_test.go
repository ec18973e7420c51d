package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

func TestTable(t *testing.T) {
	table := table{
		title: "folder", pictures: 2, pixels: 1_000_000,
		coders: []coder{
			{name: "burin", flags: "--effort 5", version: "abc"},
			{name: "burin", flags: "--effort 9", version: "abc"},
			{name: "cjxl", flags: "-e 9 -d 0", version: "cjxl v0"},
		},
		sums: []result{{950_000, 0.5, 10}, {900_000, 300, 0.012}, {1_000_000, 20, 0}},
	}
	var b strings.Builder
	table.write(&b)
	for _, line := range []string{
		"## folder: 2 pictures, 1.00 Mpixel",
		"| codec | bytes | bits per sub-pixel | to cjxl -e 9 | encode MB/s | decode MB/s |",
		"| burin `--effort 5` | 950000 | 2.5333 | -5.00 % | 6.00 | 0.300 |",
		"| burin `--effort 9` | 900000 | 2.4000 | -10.00 % | 0.010 | 250 |",
		"| cjxl `-e 9 -d 0` | 1000000 | 2.6667 | +0.00 % | 0.150 | – |",
		"- cjxl: cjxl v0",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, b.String())
		}
	}
	if n := strings.Count(b.String(), "- burin: abc"); n != 1 {
		t.Errorf("the version of burin stands %d times", n)
	}
}

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	k, r := key{"file", "codec", "flags", "version"}, result{7, 0.25, 0.5}
	j, err := openJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.add(k, "a.png", r); err != nil {
		t.Fatal(err)
	}
	// Half a line, as a killed run leaves it.
	j.f.WriteString(`{"File":"file","Codec":"other","By`)
	j.close()
	for range 2 {
		j, err := openJournal(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(j.results) == 0 || j.results[k] != r {
			t.Fatalf("journal holds %v", j.results)
		}
		second := key{"file 2", "codec", "flags", "version"}
		if err := j.add(second, "b.png", r); err != nil {
			t.Fatal(err)
		}
		j.close()
		if j, err = openJournal(name); err != nil || j.results[second] != r || len(j.results) != 2 {
			t.Fatalf("journal holds %v, %v", j.results, err)
		}
		j.close()
	}
}

// TestMeasure measures a small picture, then finds it in the journal.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	m := dataset.DeadLeaves(40, 30, 1)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "a.png"), b.Bytes(), 0o666)
	os.WriteFile(filepath.Join(dir, "no picture"), []byte("text"), 0o666)
	coders, err := burinCoders("1, 4", 1)
	if err != nil {
		t.Fatal(err)
	}
	j, _ := openJournal("")
	first := table{coders: append(coders, pngCoder())}
	if err := measure(&first, j, dir); err != nil {
		t.Fatal(err)
	}
	if first.pictures != 1 || first.pixels != 1200 || len(j.results) != 3 || first.sums[0].Bytes == 0 || first.sums[2].Bytes == 0 {
		t.Errorf("%+v", first)
	}
	again := table{coders: first.coders}
	for i := range again.coders {
		again.coders[i].measure = nil // must not be called
	}
	if err := measure(&again, j, dir); err != nil || again.sums[1] != first.sums[1] {
		t.Errorf("%v, %v after %v", err, again.sums, first.sums)
	}
	for _, efforts := range []string{"", "0", "10", "x", "1,,2"} {
		if _, err := burinCoders(efforts, 1); err == nil {
			t.Errorf("no error for efforts %q", efforts)
		}
	}
}

// TestSame checks that a difference of one sample is found.
func TestSame(t *testing.T) {
	a, b := dataset.DeadLeaves(9, 8, 1), dataset.DeadLeaves(9, 8, 1)
	if err := same(a, b); err != nil {
		t.Error(err)
	}
	b.Pix[100] ^= 1
	if same(a, b) == nil || same(a, dataset.DeadLeaves(8, 9, 1)) == nil {
		t.Error("no error for another picture")
	}
}
