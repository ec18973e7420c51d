package learned

import (
	"bytes"
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
	"github.com/burin-codec/burin/kernels"
)

// The golden files hold small pictures of all types and the model that they were coded
// with. Every build decodes them to the same samples. The encoder may change; new files,
// which replace all, are recorded by
//
//	go test ./codec/learned -run Golden -update
//
// After a release files of older versions of the bit stream stay.
var update = flag.Bool("update", false, "record the golden files")

const goldenDir = "testdata/golden"

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
		for _, v := range samples {
			s.Write([]byte{byte(v >> 8), byte(v)})
		}
	}
	return hex.EncodeToString(s.Sum(nil))
}

// TestGolden decodes every golden file, with every tier of kernels.
func TestGolden(t *testing.T) {
	if *update {
		recordGolden(t)
	}
	manifest, err := os.ReadFile(filepath.Join(goldenDir, "manifest.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(manifest)) {
		name, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
		file, err := os.ReadFile(filepath.Join(goldenDir, name))
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, tier := range kernels.Tiers() {
			restore, err := kernels.SetTier(tier)
			if err != nil {
				t.Fatal(err)
			}
			m, err := codec.Decode(bytes.NewReader(file))
			restore()
			if err != nil {
				t.Errorf("%s, %v: %v", name, tier, err)
				continue
			}
			if got := sampleSum(t, m); got != sum {
				t.Errorf("%s, %v: samples have sum %s, not %s", name, tier, got, sum)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d golden files", n)
	}
}

func recordGolden(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(goldenDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(goldenDir, 0o777); err != nil {
		t.Fatal(err)
	}
	var manifest strings.Builder
	for _, kind := range []string{"gray", "gray16", "ycbcr", "rgb", "nrgba64"} {
		o := options(t, codec.TargetQuality, 80)
		o.EmbedWeights = true
		file := encodeFile(t, picture(kind, 90, 70), o)
		m, err := codec.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		name := "v1-" + kind + ".burin"
		if err := os.WriteFile(filepath.Join(goldenDir, name), file, 0o666); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&manifest, "%s %s\n", name, sampleSum(t, m))
	}
	if err := os.WriteFile(filepath.Join(goldenDir, "manifest.txt"), []byte(manifest.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestEncoderAgreesBetweenTiers checks that efforts that do not search write the same
// file with every tier.
func TestEncoderAgreesBetweenTiers(t *testing.T) {
	var first []byte
	for _, tier := range kernels.Tiers() {
		restore, err := kernels.SetTier(tier)
		if err != nil {
			t.Fatal(err)
		}
		// The weights are packed for the tier when a model is read.
		file, _ := model(t).MarshalBinary()
		m, err := ReadModel(file, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		o := options(t, codec.TargetQuality, 50)
		o.Weights = []codec.Weights{m}
		got := encodeFile(t, picture("rgb", 100, 80), o)
		restore()
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Errorf("%v: another file than with %v", tier, kernels.Tiers()[0])
		}
	}
}
