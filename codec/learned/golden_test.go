package learned

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/kernels"
)

// The golden files hold small pictures of all types and the model that they were coded
// with. Every build decodes them to the same samples. The encoder may change; new files,
// which replace all, are recorded by
//
//	go test ./codec/learned -run Golden -update
//
// After a release files of older versions of the bit stream stay.
func TestGolden(t *testing.T) {
	golden := codectest.Golden{
		Files: 7,
		About: "File, SHA-256 of type, bounds and samples.",
		Sum: func(t *testing.T, file []byte) (string, error) {
			m, err := codectest.Decode(file, nil)
			if err != nil {
				return "", err
			}
			return sampleSum(t, m), nil
		},
		Record: func(t *testing.T) map[string][]byte {
			files := map[string][]byte{}
			for _, kind := range []string{"gray", "gray16", "ycbcr", "rgb", "nrgba64"} {
				o := options(t, codec.TargetQuality, 80)
				o.EmbedWeights = true
				files["v1-"+kind+".burin"] = codectest.Encode(t, picture(kind, 90, 70), o)
			}
			// A joined model, at rates of either part.
			joined := join(t, rangeModel(t, 0, 0.6), rangeModel(t, 0.4, 1))
			for name, quality := range map[string]float64{"low": 20, "high": 80} {
				o := options(t, codec.TargetQuality, quality)
				o.Weights, o.EmbedWeights = []codec.Weights{joined}, true
				files["v1-joined-"+name+".burin"] = codectest.Encode(t, picture("rgb", 90, 70), o)
			}
			return files
		},
	}
	golden.Test(t)
}

// sampleSum sums type, bounds and samples of a picture.
func sampleSum(t testing.TB, m image.Image) string {
	t.Helper()
	s := sha256.New()
	fmt.Fprintf(s, "%T %v\n", m, m.Bounds())
	codectest.Planes(t, m, func(_ codec.Plane, samples []uint16) {
		binary.Write(s, binary.BigEndian, samples) // a hash takes all
	})
	return hex.EncodeToString(s.Sum(nil))
}

// TestEncoderAgreesBetweenTiers checks that efforts that do not search write the same
// file with every tier.
func TestEncoderAgreesBetweenTiers(t *testing.T) {
	var first []byte
	codectest.EachTier(t, func(tier kernels.Level) {
		// The weights are packed for the tier when a model is read.
		file, _ := model(t).MarshalBinary()
		m, err := ReadModel(file, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		o := options(t, codec.TargetQuality, 50)
		o.Weights = []codec.Weights{m}
		got := codectest.Encode(t, picture("rgb", 100, 80), o)
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Errorf("%v: another file than with %v", tier, kernels.Tiers()[0])
		}
	})
}
