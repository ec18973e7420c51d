package overfit

import (
	"strings"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
)

// The golden files hold small pictures of all types. Every build decodes them to the same
// samples. The encoder may change; new files, which replace all, are recorded by
//
//	go test ./codec/overfit -run Golden -update
//
// After a release files of older versions of the bit stream stay.
func TestGolden(t *testing.T) {
	golden := codectest.Golden{
		Files: 15,
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
			return files
		},
	}
	golden.Test(t)
}
