package vector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
)

const goldenModel = "v1.model"

// The golden files are pictures, and the model that they name, of which one has it inside.
// Every build decodes them to the same pictures. New files, which replace all, are
// recorded by
//
//	go test ./codec/vector -run Golden -update
//
// After a release files of older versions of the bit stream stay.
func TestGolden(t *testing.T) {
	golden := codectest.Golden{
		Files:  6,
		About:  "File, SHA-256 of the picture's. The model that most name is v1.model.",
		Sum:    goldenSum,
		Record: goldenFiles,
	}
	golden.Test(t)
}

// goldenSum sums the picture of a file.
func goldenSum(t *testing.T, file []byte) (string, error) {
	data, err := os.ReadFile(filepath.Join(codectest.GoldenDir, goldenModel))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadModel(data, 1<<24) // packs its numbers for the tier
	if err != nil {
		t.Fatal(err)
	}
	o := codectest.With(m)
	o.Conceal = true
	p, err := codectest.Decode(file, o)
	if err != nil {
		return "", err
	}
	sum, err := dataset.Hash(p)
	h := sha256.Sum256(fmt.Append(nil, sum))
	return hex.EncodeToString(h[:]), err
}

func goldenFiles(t *testing.T) map[string][]byte {
	packets := options(t, codec.TargetQuality, 60)
	packets.Packets = 7
	inPackets := codectest.Encode(t, picture("rgb", 300, 200), packets)
	embedded := options(t, codec.TargetQuality, 50)
	embedded.EmbedWeights, embedded.Effort = true, 6
	return map[string][]byte{
		goldenModel:         model(t).file,
		"v1-alpha16.burin":  codectest.Encode(t, picture("nrgba64", 70, 45), options(t, codec.TargetQuality, 80)),
		"v1-embedded.burin": codectest.Encode(t, picture("rgb", 90, 130), embedded),
		"v1-gray.burin":     codectest.Encode(t, picture("gray", 130, 67), options(t, codec.TargetQuality, 70)),
		"v1-lost.burin":     lose(t, inPackets, func(i int) bool { return i == 1 || i == 4 }),
		"v1-packets.burin":  inPackets,
		"v1-ycbcr.burin":    codectest.Encode(t, picture("ycbcr", 201, 151), options(t, codec.TargetQuality, 100)),
	}
}
