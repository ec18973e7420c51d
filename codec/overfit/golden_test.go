package overfit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
)

// The golden files hold small pictures of all types, and two with a prior. Every build decodes them to the same
// samples. The encoder may change; new files, which replace all, are recorded by
//
//	go test ./codec/overfit -run Golden -update
//
// After a release files of older versions of the bit stream stay.
func TestGolden(t *testing.T) {
	golden := codectest.Golden{
		Files: 17,
		About: "File, SHA-256 of type, size and samples.",
		Sum: func(t *testing.T, file []byte) (string, error) {
			m, err := codectest.Decode(file, nil)
			if err != nil {
				return "", err
			}
			return codectest.SampleSum(t, m), nil
		},
		Record: func(t *testing.T) map[string][]byte {
			files := map[string][]byte{}
			for name, m := range pictures(45, 38) {
				name = "v1-" + strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".burin"
				files[name] = codectest.Encode(t, m, options(codec.TargetQuality, 60))
			}
			// Of the two gains one is above nothing and one below, see inr.Prior.
			for _, quality := range []float64{45, 85} {
				o := options(codec.TargetQuality, quality)
				o.Weights, o.EmbedWeights = []codec.Weights{learnt(t, 3)}, true
				files[fmt.Sprintf("v1-prior-%v.burin", quality)] = codectest.Encode(t, dataset.DeadLeaves(45, 38, 3), o)
			}
			return files
		},
	}
	golden.Test(t)
}
