package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/inr"
)

// TestOverfitPrior trains a prior of the overfit codec a little and uses it.
func TestOverfitPrior(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("in", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		var b bytes.Buffer
		if _, err := dataset.Write(&b, &dataset.Picture{Image: dataset.DeadLeaves(90, 70, uint64(i)), Orientation: 1}, ".png"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, "in/"+string(rune('a'+i))+".png", b.Bytes())
	}
	train := []string{"train", "overfit", "--data", "in", "--validation", "in", "--preset", "s", "--side", "64",
		"--iterations", "10", "--visits", "4", "--every", "2", "--held", "1", "--checkpoint", "c", "--out", "p.prior"}
	r := mustRun(t, nil, train...)
	if !strings.Contains(r.stderr, "visit 4 of 4; held out") || !strings.Contains(r.stdout, "prior ") {
		t.Errorf("printed %q and %q", r.stdout, r.stderr)
	}
	p, err := inr.ReadPrior(mustRead(t, "p.prior"))
	if err != nil {
		t.Fatal(err)
	}
	if r := burin(nil, train...); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("over a file: exit %d, %q", r.code, r.stderr)
	}
	if r := mustRun(t, nil, append(train, "-f")...); !strings.Contains(r.stderr, "going on after visit 4") {
		t.Errorf("printed %q", r.stderr)
	}
	again := append(slices.Clone(train), "--start", "p.prior", "--visits", "1")
	again[slices.Index(again, "--checkpoint")+1], again[slices.Index(again, "p.prior")] = "d", "q.prior"
	mustRun(t, nil, again...)
	if r := burin(nil, append(again, "--preset", "xs", "--checkpoint", "e", "-f")...); r.code != exitFailure {
		t.Errorf("from a prior of another preset: exit %d, %q", r.code, r.stderr)
	}
	for _, wrong := range [][]string{{"--side", "65"}, {"--preset", "none"}, {"--low-quality", "90"}, {"--rate", "0"}, {"extra"}} {
		if r := burin(nil, append([]string{"train", "overfit", "--data", "in", "--out", "w"}, wrong...)...); r.code != exitUsage {
			t.Errorf("%v: exit %d, %q", wrong, r.code, r.stderr)
		}
	}

	encode := func(out string, more ...string) {
		t.Helper()
		mustRun(t, nil, append([]string{"encode", "--codec", "overfit", "-e", "1", "-q", "50", "-o", out, "in/a.png"}, more...)...)
	}
	describe := func(file string) (report infoReport) {
		t.Helper()
		if err := json.Unmarshal([]byte(mustRun(t, nil, "info", "--json", file).stdout), &report); err != nil {
			t.Fatal(err)
		}
		return report
	}
	encode("named.burin", "--model", "p.prior")
	if i := describe("named.burin").Overfit; i == nil || i.Preset != "s" || len(i.Priors) != 1 || i.Priors[0] != p.ID().String() {
		t.Errorf("info: %+v", i)
	}
	if r := mustRun(t, nil, "info", "named.burin"); !strings.Contains(r.stdout, "from prior "+p.ID().String()) {
		t.Errorf("info: %q", r.stdout)
	}
	if r := burin(nil, "decode", "-o", "x.png", "named.burin"); r.code != exitFailure || !strings.Contains(r.stderr, "another trained model") {
		t.Errorf("without the prior: exit %d, %q", r.code, r.stderr)
	}
	mustRun(t, nil, "decode", "--model", "p.prior", "-o", "named.png", "named.burin")
	encode("embedded.burin", "--model", "p.prior", "--embed")
	mustRun(t, nil, "decode", "-o", "embedded.png", "embedded.burin")
	if !bytes.Equal(mustRead(t, "named.png"), mustRead(t, "embedded.png")) {
		t.Error("the pictures differ")
	}
	encode("none.burin", "--model", "none")
	if r := mustRun(t, nil, "info", "none.burin"); !strings.Contains(r.stdout, "from nothing") {
		t.Errorf("info: %q", r.stdout)
	}
}
