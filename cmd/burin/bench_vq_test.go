package main

import (
	"encoding/json"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
)

func TestBenchVQ(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("pictures", 0o777); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"pictures/a.png", "pictures/b.png"} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, dataset.DeadLeaves(256, 200, uint64(i))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"bench", "vq", "--numbers=65536", "--time=1ms", "--bits=2,4", "--only=e8p,PQ,SSVQ", "--data=pictures", "--patches=4100"}
	var reports [2]vqReport
	for i := range reports {
		r := mustRun(t, nil, append(args, "--json")...)
		if err := json.Unmarshal([]byte(r.stdout), &reports[i]); err != nil {
			t.Fatal(err)
		}
		for j := range reports[i].Grids {
			g := &reports[i].Grids[j]
			g.Encode, g.Decode = 0, 0
		}
		for j := range reports[i].Books.Rows {
			b := &reports[i].Books.Rows[j]
			b.Train, b.Encode, b.Decode = 0, 0, 0
		}
	}
	if a, b := mustJSON(t, reports[0]), mustJSON(t, reports[1]); a != b {
		t.Errorf("%s\n%s", a, b)
	}
	r := reports[0]
	if len(r.Grids) != 2 || r.Grids[0].Name != "E8P" || r.Grids[0].Rate != 2 || r.Grids[1].Rate != 4 || r.Grids[0].MSE < r.Grids[1].MSE {
		t.Errorf("%+v", r.Grids)
	}
	if b := r.Books; b.TrainPatches != 4100 || b.TestPatches != 820 || len(b.Rows) != 2 || b.Rows[0].Name != "PQ" || b.Rows[1].Name != "SSVQ" || b.Rows[0].PSNR < 10 {
		t.Errorf("%+v", *b)
	}
	out := mustRun(t, nil, append(args, "--test=pictures/a.png")...).stdout
	for _, want := range []string{"E8P", "0.0912", "SSVQ", "4100 patches of pictures to train, 820 of pictures/a.png to test"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitUsage, []string{"--only=none"}},
		{exitUsage, []string{"--bits=0"}},
		{exitUsage, []string{"--bits=9"}},
		{exitUsage, []string{"--numbers=1"}},
		{exitUsage, []string{"--patches=1"}},
		{exitUsage, []string{"--test=pictures"}},
		{exitUsage, []string{"more"}},
		{exitFailure, []string{"--data=none"}},
		{exitFailure, []string{"--data=pictures", "--patches=40000"}},
	} {
		if r := burin(nil, append([]string{"bench", "vq"}, c.args...)...); r.code != c.code || r.stdout != "" {
			t.Errorf("%v: %d %s %s", c.args, r.code, r.stdout, r.stderr)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
