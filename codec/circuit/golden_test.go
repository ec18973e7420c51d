package circuit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels"
)

// The golden files are archives and single pictures, and a model that some of them
// name. Every build decodes them to the same pictures. New files, which replace all,
// are recorded by
//
//	go test ./codec/circuit -run Golden -update
//
// After a release files of older versions of the bit stream stay.
var update = flag.Bool("update", false, "record the golden files")

const (
	goldenDir      = "testdata/golden"
	goldenManifest = goldenDir + "/manifest.txt"
	goldenModel    = goldenDir + "/v1.model"
)

// goldenSum sums the pictures of a file and their names.
func goldenSum(t *testing.T, file []byte, m *Model) string {
	t.Helper()
	s := sha256.New()
	add := func(name string, p image.Image) {
		h, err := dataset.Hash(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(s, "%q %s\n", name, h)
	}
	o := codec.DefaultDecodeOptions()
	o.Weights = []codec.Weights{m}
	a, err := NewArchiveReader(bytes.NewReader(file), int64(len(file)), o)
	if err == nil {
		err = a.All(context.Background(), func(i int, p image.Image, err error) error {
			if err == nil {
				add(a.Name(i), p)
			}
			return err
		})
	} else if d, e := codec.NewDecoder(bytes.NewReader(file), o); e == nil {
		var p image.Image
		if p, err = d.Decode(t.Context()); err == nil {
			add("", p)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(s.Sum(nil))
}

// TestGolden decodes every golden file, with every tier of kernels.
func TestGolden(t *testing.T) {
	if *update {
		recordGolden(t)
	}
	data, err := os.ReadFile(goldenModel)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadModel(data, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(goldenManifest)
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
		file, err := os.ReadFile(filepath.Join(goldenDir, fields[0]))
		if err != nil {
			t.Fatal(err)
		}
		for _, tier := range kernels.Tiers() {
			restore, err := kernels.SetTier(tier)
			if err != nil {
				t.Fatal(err)
			}
			if got := goldenSum(t, file, m); got != fields[1] {
				t.Errorf("%s, %v: other pictures: sum %.12s, want %.12s", fields[0], tier, got, fields[1])
			}
			restore()
		}
	}
	if files, err := filepath.Glob(filepath.Join(goldenDir, "*.burin")); err != nil || len(files) != n || n == 0 {
		t.Errorf("%d files, %d in the manifest, %v", len(files), n, err)
	}
}

func recordGolden(t *testing.T) {
	if err := os.RemoveAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(goldenDir, 0o777); err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m := testModel(t, 9, 7, 1, 64, 5, 1)
	write(goldenModel, m.file)
	rgb, alpha := testModel(t, 5, 3, 3, 32, 4, 2), testModel(t, 3, 3, 4, 256, 3, 3)
	pictures := testPictures(m, 21, 1)
	var single, inside bytes.Buffer
	o := encodeOptions(m)
	if err := codec.Encode(&single, pictures[0], o); err != nil {
		t.Fatal(err)
	}
	o = encodeOptions(alpha)
	o.EmbedWeights = true
	if err := codec.Encode(&inside, testPictures(alpha, 1, 1)[0], o); err != nil {
		t.Fatal(err)
	}
	lines := "# File, SHA-256 of the names and pictures. The model that some name is v1.model.\n"
	for _, g := range []struct {
		name string
		file []byte
	}{
		{"v1-alpha.burin", archive(t, alpha, testPictures(alpha, 4, 1), &ArchiveOptions{Embed: true, CollectionName: "sprites"})},
		{"v1-idx.burin", archive(t, m, pictures, &ArchiveOptions{Collection: IDX, CollectionName: "t-idx3-ubyte"})},
		{"v1-names.burin", archive(t, m, pictures, &ArchiveOptions{Block: 8}, numberedNames(len(pictures))...)},
		{"v1-rgb.burin", archive(t, rgb, testPictures(rgb, 5, 1), &ArchiveOptions{Block: 2, Embed: true})},
		{"v1-single-inside.burin", inside.Bytes()},
		{"v1-single.burin", single.Bytes()},
	} {
		write(filepath.Join(goldenDir, g.name), g.file)
		lines += g.name + " " + goldenSum(t, g.file, m) + "\n"
	}
	write(goldenManifest, []byte(lines))
}
