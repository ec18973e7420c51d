package codectest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// Update is the flag that golden files are recorded with.
var Update = flag.Bool("update", false, "record the golden files")

// GoldenDir is where they are.
const GoldenDir = "testdata/golden"

// Golden is the golden files of a package: files that every build decodes to the same
// pictures, and a manifest, manifest.txt, of lines
//
//	name of a .burin file, sum of what it decodes to
//
// in which lines that begin with # are comments.
type Golden struct {
	Files int // at least
	// About is the comment that the manifest begins with.
	About string
	// Sum returns that of what a file decodes to.
	Sum func(t *testing.T, file []byte) (string, error)
	// Record returns new files by their names: .burin files, and others that Sum reads.
	Record func(t *testing.T) map[string][]byte
}

// Test decodes every golden file, with every tier of kernels, after it has replaced them
// if the flag -update is given.
func (g *Golden) Test(t *testing.T) {
	if *Update {
		g.record(t)
	}
	manifest, err := os.ReadFile(filepath.Join(GoldenDir, "manifest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(manifest)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] == "#" {
			continue
		}
		n++
		file, err := os.ReadFile(filepath.Join(GoldenDir, fields[0]))
		if err != nil {
			t.Fatal(err)
		}
		EachTier(t, func(tier kernels.Level) {
			if got, err := g.Sum(t, file); err != nil {
				t.Errorf("%s, %v: %v", fields[0], tier, err)
			} else if got != fields[1] {
				t.Errorf("%s, %v: decoded otherwise: sum %.12s, want %.12s", fields[0], tier, got, fields[1])
			}
		})
	}
	if files, err := filepath.Glob(filepath.Join(GoldenDir, "*.burin")); err != nil || len(files) != n || n < max(g.Files, 1) {
		t.Errorf("%d files, %d in the manifest, %v", len(files), n, err)
	}
}

func (g *Golden) record(t *testing.T) {
	files := g.Record(t)
	if err := os.RemoveAll(GoldenDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(GoldenDir, 0o777); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(GoldenDir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for name, b := range files {
		write(name, b)
		if filepath.Ext(name) == ".burin" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	manifest := "# " + g.About + "\n"
	for _, name := range names {
		sum, err := g.Sum(t, files[name])
		if err != nil {
			t.Fatal(err)
		}
		manifest += fmt.Sprintln(name, sum)
	}
	write("manifest.txt", []byte(manifest))
}
