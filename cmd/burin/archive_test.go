package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
)

// archiveFolder runs the test in an empty folder with m.model, a model for gray pictures of
// 9 x 7 with values below 64, an IDX file t-idx3-ubyte of 150 such pictures, and a folder
// set of 30. It returns the IDX file.
func archiveFolder(t *testing.T) []byte {
	t.Helper()
	model, err := filepath.Abs("../../codec/circuit/testdata/golden/v1.model")
	if err != nil {
		t.Fatal(err)
	}
	file := readFile(t, model)
	t.Chdir(t.TempDir())
	writeFile(t, "m.model", file)
	var idx bytes.Buffer
	w, err := dataset.NewIDXWriter(&idx, 150, 9, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("set/sub", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		p := image.NewGray(image.Rect(0, 0, 9, 7))
		for k := range p.Pix {
			p.Pix[k] = uint8((k*k*7 + i*(k+3)*13 + i*i) % 64)
		}
		if err := w.WritePicture(p); err != nil {
			t.Fatal(err)
		}
		if i < 30 {
			ext, name := ".png", fmt.Sprintf("set/%03d", i)
			switch i % 3 {
			case 1:
				ext = ".pgm"
			case 2:
				ext, name = ".tif", fmt.Sprintf("set/sub/picture %d", i)
			}
			var b bytes.Buffer
			if _, err := dataset.Write(&b, &dataset.Picture{Image: p, Orientation: 1}, ext); err != nil {
				t.Fatal(err)
			}
			writeFile(t, name+ext, b.Bytes())
		}
	}
	writeFile(t, "t-idx3-ubyte", idx.Bytes())
	return idx.Bytes()
}

// checksum returns the one of the pictures in a folder and their names.
func checksum(t *testing.T, name string) string {
	t.Helper()
	c, err := dataset.Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := c.Checksum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestArchiveIDX(t *testing.T) {
	idx := archiveFolder(t)
	for _, args := range [][]string{{}, {"--embed"}, {"--block", "7", "--workers", "3"}} {
		r := mustRun(t, nil, append([]string{"encode", "--codec", "circuit", "--model", "m.model", "-f", "t-idx3-ubyte"}, args...)...)
		if !strings.Contains(r.stdout, "150 pictures of 9 x 7") {
			t.Error(r.stdout)
		}
		decode := []string{"decode", "t-idx3-ubyte.burin", "-o", "again"}
		if len(args) == 0 || args[0] != "--embed" {
			if r := burin(nil, decode...); r.code != exitFailure || !strings.Contains(r.stderr, "trained model") {
				t.Errorf("without its model: %d %s", r.code, r.stderr)
			}
			decode = append(decode, "--model", "m.model")
		}
		mustRun(t, nil, decode...)
		if !bytes.Equal(readFile(t, "again"), idx) {
			t.Errorf("%q: another file", args)
		}
		// The default name is that of what was encoded.
		if r := burin(nil, "decode", "t-idx3-ubyte.burin", "--model", "m.model"); r.code != exitFailure || !strings.Contains(r.stderr, "t-idx3-ubyte exists") {
			t.Errorf("%d %s", r.code, r.stderr)
		}
		// Through pipes.
		r = mustRun(t, readFile(t, "t-idx3-ubyte.burin"), "decode", "-", "--model", "m.model", "-o", "-")
		if r.stdout != string(idx) {
			t.Error("another file on standard output")
		}
		os.Remove("again")
	}
}

func TestArchiveFolder(t *testing.T) {
	archiveFolder(t)
	want := checksum(t, "set")
	mustRun(t, nil, "encode", "--codec=circuit", "--model=m.model", "--embed", "set/")
	if err := os.Rename("set", "was"); err != nil {
		t.Fatal(err)
	}
	mustRun(t, nil, "decode", "set.burin")
	if checksum(t, "set") != want {
		t.Error("another folder")
	}
	if r := burin(nil, "decode", "set.burin"); r.code != exitFailure || !strings.Contains(r.stderr, "exists") {
		t.Errorf("over a folder: %d %s", r.code, r.stderr)
	}
	os.Remove("set/000.png")
	mustRun(t, nil, "decode", "set.burin", "-f")
	if checksum(t, "set") != want {
		t.Error("another folder")
	}
	if r := burin(nil, "decode", "set.burin", "-o", "-"); r.code != exitUsage {
		t.Errorf("a folder on standard output: %d %s", r.code, r.stderr)
	}
	// Single pictures, by name and by number.
	for i, which := range []string{"sub/picture 8.tif", "29"} {
		mustRun(t, nil, "decode", "set.burin", "--picture", which, "-o", "one.png")
		got, err := dataset.ReadFile("one.png", codec.DefaultLimits())
		want, err2 := dataset.ReadFile("was/sub/picture 8.tif", codec.DefaultLimits())
		if err != nil || err2 != nil || !looksSame(t, got.Image, want.Image) {
			t.Errorf("%d: another picture: %v %v", i, err, err2)
		}
	}
	for _, which := range []string{"30", "-1", "no such", "", "1x"} {
		if r := burin(nil, "decode", "set.burin", "--picture", which, "-o", "one.png"); r.code != exitFailure {
			t.Errorf("picture %q: %d %s", which, r.code, r.stderr)
		}
	}
	if got := folder(t); got != "m.model one.png set set.burin t-idx3-ubyte was" {
		t.Errorf("files: %s", got)
	}
}

func TestArchiveInfo(t *testing.T) {
	archiveFolder(t)
	mustRun(t, nil, "encode", "--codec=circuit", "--model=m.model", "set")
	r := mustRun(t, nil, "info", "set.burin")
	for _, want := range []string{`30 pictures "set", with names, in blocks of 64`, "not inside, ", "9 x 7, 8-bit Gray", "section BLCK"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	var report infoReport
	r = mustRun(t, readFile(t, "set.burin"), "info", "--json", "-")
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || report.Circuit == nil || report.Circuit.Pictures != 30 || report.BPP > 30 {
		t.Errorf("%v %s", err, r.stdout)
	}
	mustRun(t, nil, "encode", "--codec=circuit", "--model=m.model", "--embed", "set/000.png", "-o", "one.burin")
	if r = mustRun(t, nil, "info", "one.burin"); strings.Contains(r.stdout, "archive") || !strings.Contains(r.stdout, "inside, 1") {
		t.Error(r.stdout)
	}
	mustRun(t, nil, "decode", "one.burin", "-o", "one.png")
	r = mustRun(t, readFile(t, "one.burin"), "decode", "-")
	m, err := dataset.Read(strings.NewReader(r.stdout), codec.DefaultLimits())
	if want, err2 := dataset.ReadFile("set/000.png", codec.DefaultLimits()); err != nil || err2 != nil || !looksSame(t, m.Image, want.Image) {
		t.Error("another picture", err, err2)
	}
}

// TestArchiveSalvage damages a block: only with --salvage are the other pictures
// decoded, and the exit status tells that some are lost.
func TestArchiveSalvage(t *testing.T) {
	idx := archiveFolder(t)
	damage := func(name string) {
		file := readFile(t, name)
		file[bytes.Index(file, []byte("BLCK"))+20] ^= 1
		writeFile(t, name, file)
	}
	for _, in := range []string{"t-idx3-ubyte", "set"} {
		mustRun(t, nil, "encode", "--codec=circuit", "--model=m.model", "--block=10", in)
		damage(in + ".burin")
		before := folder(t)
		r := burin(nil, "decode", in+".burin", "--model=m.model", "-o", "again")
		if r.code != exitFailure || !strings.Contains(r.stderr, "checksum") || !strings.Contains(r.stderr, "--salvage") || folder(t) != before {
			t.Errorf("%s: %d %s: %s", in, r.code, r.stderr, folder(t))
		}
		r = burin(nil, "decode", in+".burin", "--model=m.model", "-o", "again", "--salvage")
		if r.code != exitFailure || !strings.Contains(r.stderr, fmt.Sprintf("10 of %d pictures are lost", map[string]int{"set": 30, "t-idx3-ubyte": 150}[in])) {
			t.Errorf("%s: %d %s", in, r.code, r.stderr)
		}
		if in == "set" {
			c, err := dataset.Open("again", nil)
			if err != nil || c.Len() != 20 {
				t.Errorf("%v, %v", c, err)
			}
			continue
		}
		got := readFile(t, "again")
		if len(got) != len(idx) || !bytes.Equal(got[16+10*63:], idx[16+10*63:]) || !bytes.Equal(got[16:16+10*63], make([]byte, 10*63)) {
			t.Error("another file")
		}
		os.Remove("again")
	}
}

func TestArchiveErrors(t *testing.T) {
	archiveFolder(t)
	var b bytes.Buffer
	if _, err := dataset.Write(&b, &dataset.Picture{Image: dataset.DeadLeaves(9, 7, 1), Orientation: 1}, ".png"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"mixed", "small", "empty", "nested"} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, "mixed/a.png", readFile(t, "set/000.png"))
	writeFile(t, "mixed/b.png", b.Bytes())
	writeFile(t, "small/a.pgm", []byte("P5 2 1 255 ab"))
	writeFile(t, "nested/t-idx3-ubyte", readFile(t, "t-idx3-ubyte"))
	before := folder(t)
	circuit := []string{"encode", "--codec=circuit", "--model=m.model"}
	for _, test := range []struct {
		args []string
		code int
		text string
	}{
		{append(circuit, "mixed"), exitFailure, "b.png"},
		{append(circuit, "mixed"), exitFailure, "takes only gray pictures of 9 x 7"},
		{append(circuit, "mixed/b.png"), exitFailure, "takes only gray pictures of 9 x 7"},
		{append(circuit, "small"), exitFailure, "takes only gray pictures of 9 x 7"},
		{append(circuit, "small/a.pgm"), exitFailure, "takes only gray pictures of 9 x 7"},
		{append(circuit, "empty"), exitFailure, "no pictures"},
		{append(circuit, "nested"), exitFailure, "encode it by itself"},
		{append(circuit, "no such"), exitFailure, "no such"},
		{append(circuit, "t-idx3-ubyte", "--block=5000"), exitUsage, "block"},
		{append(circuit, "t-idx3-ubyte", "--block=0"), exitUsage, "block"},
		{append(circuit, "t-idx3-ubyte", "--quality=50"), exitFailure, "quality"},
		{[]string{"encode", "--codec=circuit", "set"}, exitFailure, "9 x 7"},
		{[]string{"encode", "--codec=circuit", "set/000.png"}, exitFailure, "9 x 7"},
		{[]string{"encode", "--codec=circuit", "--model=nonsense", "set"}, exitFailure, "nonsense"},
		{[]string{"encode", "--codec=circuit", "--model=set/000.png", "set"}, exitFailure, "model"},
		{[]string{"encode", "--model=m.model", "set/000.png"}, exitUsage, "--codec circuit"},
		{[]string{"encode", "--embed", "set/000.png"}, exitUsage, "--codec circuit"},
		{[]string{"decode", "--salvage", "set/000.png"}, exitUsage, "archives"},
	} {
		r := burin(nil, test.args...)
		if r.code != test.code || !strings.Contains(r.stderr, test.text) {
			t.Errorf("%q: %d %s", test.args, r.code, r.stderr)
		}
	}
	if folder(t) != before {
		t.Errorf("files: %s", folder(t))
	}
}
