package main

import (
	"encoding/json"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

func TestBenchLoss(t *testing.T) {
	t.Chdir(t.TempDir())
	f, err := os.Create("a.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, dataset.DeadLeaves(256, 192, 1)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"bench", "loss", "--effort=1", "--packets=5", "--draws=2", "--bpp=0.1,0.3"}
	var r lossReport
	if err := json.Unmarshal([]byte(mustRun(t, nil, append(args, "--json", "a.png")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Pictures != 1 || r.Lost != 1 || len(r.Rows) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, row := range r.Rows {
		if row.BPP > row.Target || row.BPP < 0.7*row.Target {
			t.Errorf("%v bpp, not %v", row.BPP, row.Target)
		}
		if row.PSNR < row.Whole-0.05 || row.Fall <= 0 || row.Worst < row.Fall || row.Whole-row.Lost < row.Fall-1e-9 || row.Picture != "a.png" {
			t.Errorf("%+v", row)
		}
	}
	if a, b := r.Rows[0], r.Rows[1]; a.Whole >= b.Whole {
		t.Errorf("%v dB at %v bpp, %v at %v", a.Whole, a.Target, b.Whole, b.Target)
	}
	// Nothing lost is nothing changed.
	if err := json.Unmarshal([]byte(mustRun(t, nil, append(args, "--json", "--lose=0", "a.png")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if row := r.Rows[0]; row.Fall != 0 || row.Worst != 0 {
		t.Errorf("%+v", row)
	}
	out := mustRun(t, nil, append(args, "a.png")...).stdout
	for _, want := range []string{"vector, effort 1: 1 pictures", "1 of 5 lost", "worst fall"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, bad := range [][]string{
		{"--lose=1", "a.png"}, {"--lose=-0.1", "a.png"}, {"--packets=1", "a.png"}, {"--codec=lossless", "a.png"}, {"--bpp=0.1", "none.png"}, {},
	} {
		if r := burin(nil, append([]string{"bench", "loss"}, bad...)...); r.code == 0 {
			t.Errorf("%v was taken", bad)
		}
	}
}
