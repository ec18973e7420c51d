package vector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/corpus/dataset"
	"github.com/burin-codec/burin/kernels"
)

// The golden files are pictures, and the model that they name, of which one has it inside.
// Every build decodes them to the same pictures. New files, which replace all, are
// recorded by
//
//	go test ./codec/vector -run Golden -update
//
// After a release files of older versions of the bit stream stay.
var update = flag.Bool("update", false, "record the golden files")

const (
	goldenDir      = "testdata/golden"
	goldenManifest = goldenDir + "/manifest.txt"
	goldenModel    = goldenDir + "/v1.model"
)

// goldenSum sums the picture of a file.
func goldenSum(t *testing.T, file []byte, m *Model) string {
	t.Helper()
	o := codec.DefaultDecodeOptions()
	o.Weights, o.Conceal = []codec.Weights{m}, true
	d, err := codec.NewDecoder(bytes.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Decode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum, err := dataset.Hash(p)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256(fmt.Append(nil, sum))
	return hex.EncodeToString(h[:])
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
			m, err := ReadModel(data, 1<<24) // packs its numbers for the tier
			if err != nil {
				t.Fatal(err)
			}
			if got := goldenSum(t, file, m); got != fields[1] {
				t.Errorf("%s, %v: another picture: sum %.12s, want %.12s", fields[0], tier, got, fields[1])
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
		if err := os.WriteFile(filepath.Join(goldenDir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m := model(t)
	write("v1.model", m.file)
	packets := options(t, codec.TargetQuality, 60)
	packets.Packets = 7
	inPackets := encodeFile(t, picture("rgb", 300, 200), packets)
	embedded := options(t, codec.TargetQuality, 50)
	embedded.EmbedWeights, embedded.Effort = true, 6
	lines := "# File, SHA-256 of the picture's. The model that most name is v1.model.\n"
	for _, g := range []struct {
		name string
		file []byte
	}{
		{"v1-alpha16.burin", encodeFile(t, picture("nrgba64", 70, 45), options(t, codec.TargetQuality, 80))},
		{"v1-embedded.burin", encodeFile(t, picture("rgb", 90, 130), embedded)},
		{"v1-gray.burin", encodeFile(t, picture("gray", 130, 67), options(t, codec.TargetQuality, 70))},
		{"v1-lost.burin", lose(t, inPackets, func(i int) bool { return i == 1 || i == 4 })},
		{"v1-packets.burin", inPackets},
		{"v1-ycbcr.burin", encodeFile(t, picture("ycbcr", 201, 151), options(t, codec.TargetQuality, 100))},
	} {
		write(g.name, g.file)
		lines += g.name + " " + goldenSum(t, g.file, m) + "\n"
	}
	write("manifest.txt", []byte(lines))
}
