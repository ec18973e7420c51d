package overfit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/kernels"
)

// The golden files hold small pictures of all types. Every build decodes them to the same
// samples. The encoder may change; new files, which replace all, are recorded by
//
//	go test ./codec/overfit -run Golden -update
//
// After a release files of older versions of the bit stream stay.
var update = flag.Bool("update", false, "record the golden files")

const (
	goldenDir      = "testdata/golden"
	goldenManifest = goldenDir + "/manifest.txt"
	goldenPrefix   = "v1-"
)

// sampleSum sums type, size and samples of a picture.
func sampleSum(t testing.TB, m image.Image) string {
	t.Helper()
	src, err := codec.NewSource(m)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.New()
	fmt.Fprintf(s, "%T %v\n", m, m.Bounds())
	for i, p := range src.Header().Planes() {
		samples := make([]uint16, p.Width*p.Height)
		src.ReadPlane(i, image.Rect(0, 0, p.Width, p.Height), samples, p.Width)
		fmt.Fprintf(s, "%d %d %d\n", p.Width, p.Height, p.MaxValue)
		if err := binary.Write(s, binary.BigEndian, samples); err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(s.Sum(nil))
}

// TestGolden decodes every golden file, with every tier of kernels.
func TestGolden(t *testing.T) {
	if *update {
		recordGolden(t)
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
			m, err := codec.Decode(bytes.NewReader(file))
			restore()
			if err != nil {
				t.Errorf("%s, %v: %v", fields[0], tier, err)
			} else if got := sampleSum(t, m); got != fields[1] {
				t.Errorf("%s, %v: other samples: sum %.12s, want %.12s", fields[0], tier, got, fields[1])
			}
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
	lines := []string{}
	for name, m := range pictures(45, 38) {
		file := mustEncode(t, m, options(codec.TargetQuality, 60))
		name = goldenPrefix + strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".burin"
		if err := os.WriteFile(filepath.Join(goldenDir, name), file, 0o666); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, name+" "+sampleSum(t, mustDecode(t, file, 0))+"\n")
	}
	slices.Sort(lines)
	text := "# File, SHA-256 of type, size and samples.\n" + strings.Join(lines, "")
	if err := os.WriteFile(goldenManifest, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
