package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestBenchSmall(t *testing.T) {
	archiveFolder(t)
	// Without the programs, which may be on the PATH or not.
	t.Setenv("PATH", "")
	r := mustRun(t, nil, "bench", "small", "--model=m.model", "--json", "--subset=40", "--singles=30", "--effort=1", "t-idx3-ubyte")
	var report smallReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Pictures != 40 || report.Singles != 30 || report.Width != 9 || report.Height != 7 || report.Bytes == 0 || report.Ideal < 1 || len(report.Rows) != 3 {
		t.Fatalf("%+v", report)
	}
	for _, row := range report.Rows {
		together := row.Tall + row.Archive
		if row.SingleBP <= row.TallBP+row.ArchBP || together == 0 {
			t.Errorf("%+v", row)
		}
	}
	if last := report.Rows[2]; last.Method != "circuit" || last.ArchBP < report.Ideal {
		t.Errorf("%+v", last)
	}
	if !strings.Contains(r.stderr, "webp is left out") {
		t.Error(r.stderr)
	}
	r = mustRun(t, nil, "bench", "small", "--model=m.model", "--only-archive", "t-idx3-ubyte")
	if !strings.Contains(r.stdout, "150 pictures of 9 x 7") || strings.Contains(r.stdout, "png") {
		t.Error(r.stdout)
	}
	for _, in := range []string{"no such", "m.model"} {
		if r := burin(nil, "bench", "small", "--model=m.model", in); r.code != exitFailure {
			t.Errorf("%s: %d %s", in, r.code, r.stderr)
		}
	}
	if err := os.Mkdir("empty", 0o777); err != nil {
		t.Fatal(err)
	}
	if r := burin(nil, "bench", "small", "empty"); r.code != exitFailure || !strings.Contains(r.stderr, "no pictures") {
		t.Errorf("%d %s", r.code, r.stderr)
	}
}

// TestTallPictures cuts pictures into pieces with as many rows as are allowed.
func TestTallPictures(t *testing.T) {
	archiveFolder(t)
	corpus, _, err := openCollection(t.Context(), "t-idx3-ubyte")
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := grayPictures(t.Context(), corpus)
	if err != nil {
		t.Fatal(err)
	}
	for rows, want := range map[int]int{0: 1, 7: 150, 70: 15, 76: 15, 77: 14, 100000: 1} {
		tall := tallPictures(pictures, rows)
		n := 0
		for _, m := range tall {
			if h := m.Bounds().Dy(); rows > 0 && h > rows || m.Bounds().Dx() != 9 {
				t.Errorf("%d rows: %v", rows, m.Bounds())
			}
			for y := 0; y < m.Bounds().Dy(); y += 7 {
				if m.GrayAt(3, y) != pictures[n].At(3, 0) || m.GrayAt(8, y+6) != pictures[n].At(8, 6) {
					t.Fatalf("%d rows: another picture %d", rows, n)
				}
				n++
			}
		}
		if len(tall) != want || n != len(pictures) {
			t.Errorf("%d rows: %d pieces, %d pictures", rows, len(tall), n)
		}
	}
}
