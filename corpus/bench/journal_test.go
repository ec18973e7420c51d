package bench

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func sampleRow(picture, rate string) *Row {
	return &Row{
		Corpus: "corpus", Name: picture + ".png", Picture: picture, Width: 20, Height: 10, Planes: 3, Depth: 8,
		Curve: "codec:e5", Rate: rate, Version: "1", Command: "codec -e 5",
		Bytes: 100, Metrics: map[string]float64{"mse": 6.5025},
		Cost: Cost{Machine: "a machine", Runs: 1, EncodeWall: 0.5, EncodeMemory: 1 << 40},
	}
}

func TestRow(t *testing.T) {
	r := sampleRow("a", "q5")
	if got := r.BPP(); got != 4 {
		t.Errorf("%v bpp", got)
	}
	if got := r.PSNR(); got < 39.999 || got > 40.001 {
		t.Errorf("%v dB", got)
	}
	r.Metrics = nil
	if got := r.PSNR(); got == got {
		t.Errorf("%v dB of a row that failed", got)
	}
}

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal.jsonl")
	open := func() *journal {
		t.Helper()
		j, err := openJournal(name)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	a, b := sampleRow("a", "q5"), sampleRow("b", "q5")
	b.Error, b.Bytes, b.Metrics = "failed", 0, nil
	j := open()
	if found, _ := j.claim(a.Key(), a.Version, false); found {
		t.Error("a row is there at the start")
	}
	for _, r := range []*Row{a, b} {
		if err := j.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openJournal(name); !errors.Is(err, ErrBusy) && runtime.GOOS == "linux" {
		t.Errorf("a second run may write the journal: %v", err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// Half a line, as a killed run leaves it.
	if _, err := j.f.WriteString(`{"corpus":"corpus","na`); err != nil {
		t.Fatal(err)
	}
	j.close()

	var rows []*Row
	keep := func(r *Row) error {
		rows = append(rows, r)
		return nil
	}
	if err := ReadJournals([]string{name, name}, keep); err != nil || len(rows) != 4 || !reflect.DeepEqual(rows[2], a) || !reflect.DeepEqual(rows[3], b) {
		t.Errorf("%d rows, %v", len(rows), err)
	}

	j = open()
	for _, c := range []struct {
		row           *Row
		version       string
		retry         bool
		found, failed bool
	}{
		{a, "1", false, true, false},
		{a, "1", true, true, false},
		{a, "2", false, false, false}, // another version
		{a, "2", false, true, false},  // is claimed
		{b, "1", false, true, true},
		{b, "1", true, false, true}, // to be tried again
		{b, "1", true, true, false}, // once
	} {
		if found, failed := j.claim(c.row.Key(), c.version, c.retry); found != c.found || failed != c.failed {
			t.Errorf("%+v: found %v, failed %v", c, found, failed)
		}
	}
	j.close()
	if got, _ := os.ReadFile(name); string(got) != string(whole) {
		t.Errorf("journal is %q after half a line was cut off", got)
	}
}

func TestReadJournalRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":       "text\n",
		"other JSON":    `{"corpus":1}` + "\n",
		"unknown field": `{"corpus":"a","surprise":1}` + "\n",
		"no picture":    `{"corpus":"a"}` + "\n",
		"endless line":  strings.Repeat("x", maxLine+1),
	} {
		if err := ReadJournal(strings.NewReader(text), func(*Row) error { return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := ReadJournals([]string{"missing"}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"corpus":"c","name":"n","picture":"p","width":1,"height":2,"planes":3,"depth":8,"curve":"x","rate":"q1","bytes":7,"metrics":{"mse":1}}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ReadJournal(strings.NewReader(string(b)), func(r *Row) error {
			if r.Pixels() < 0 || r.Key().Picture == "" {
				t.Errorf("row %+v", r)
			}
			r.BPP()
			r.PSNR()
			return nil
		})
	})
}
