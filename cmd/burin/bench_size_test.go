package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/burin-codec/burin/corpus/report"
)

func TestBenchAtSize(t *testing.T) {
	corpusFolder(t, 2)
	mustRun(t, nil, "bench", "--corpus", "corpus", "--codecs", "jpeg,png", "--rates", "jpeg=10/50/95", "--keep", "0", "--out", "out")
	const journal = "out/journal.jsonl"
	lowest := readReport(t, "out/report.json").Curves[0].Points[0].BPP
	r := mustRun(t, nil, "bench", "atsize", "--bpp", "0.01,9", "--metrics", "psnr,psnr_yuv", "--json", journal)
	table := new(report.SizeTable)
	if err := json.Unmarshal([]byte(r.stdout), table); err != nil {
		t.Fatal(err)
	}
	if len(table.Curves) != 1 || len(table.Curves[0].Values) != 4 || *table.Curves[0].Lowest != lowest {
		t.Fatalf("%s, lowest %v", r.stdout, lowest)
	}
	if v := table.Curves[0].Values[0]; v.BPP != 0.01 || v.Metric != report.PSNR || v.Pictures != 0 || v.Larger != 2 || v.Mean != nil {
		t.Errorf("%+v", v)
	}
	if v := table.Curves[0].Values[3]; v.BPP != 9 || v.Metric != report.PSNRYUV || v.Pictures != 2 || v.Mean == nil || *v.Mean < 20 || *v.Mean > 60 {
		t.Errorf("%+v", v)
	}
	// The defaults are lists, too.
	r = mustRun(t, nil, "bench", "atsize", journal)
	for _, want := range []string{"jpeg", "0.03 bpp", "0.15 bpp", "PSNR", "MS-SSIM", "0/2"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	for _, c := range []struct {
		code    int
		message string
		args    []string
	}{
		{exitUsage, "missing journal", nil},
		{exitUsage, "a size of 0", []string{"--bpp", "0", journal}},
		{exitUsage, "invalid value", []string{"--bpp", "small", journal}},
		{exitUsage, `no metric "beauty"`, []string{"--metrics", "beauty", journal}},
		{exitFailure, "no such file", []string{"missing"}},
	} {
		r := burin(nil, append([]string{"bench", "atsize"}, c.args...)...)
		if r.code != c.code || r.stdout != "" || !strings.Contains(r.stderr, c.message) {
			t.Errorf("%q: exit %d, %s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
}
