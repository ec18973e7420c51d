package circuit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/codectest"
	"github.com/burin-codec/burin/corpus/dataset"
)

const goldenModel = "v1.model"

// The golden files are archives and single pictures, and a model that some of them
// name. Every build decodes them to the same pictures. New files, which replace all,
// are recorded by
//
//	go test ./codec/circuit -run Golden -update
//
// After a release files of older versions of the bit stream stay.
func TestGolden(t *testing.T) {
	golden := codectest.Golden{
		Files:  6,
		About:  "File, SHA-256 of the names and pictures. The model that some name is v1.model.",
		Sum:    goldenSum,
		Record: goldenFiles,
	}
	golden.Test(t)
}

// goldenSum sums the pictures of a file and their names.
func goldenSum(t *testing.T, file []byte) (string, error) {
	data, err := os.ReadFile(filepath.Join(codectest.GoldenDir, goldenModel))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadModel(data, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.New()
	add := func(name string, p image.Image) {
		h, err := dataset.Hash(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(s, "%q %s\n", name, h)
	}
	o := codectest.With(m)
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
	return hex.EncodeToString(s.Sum(nil)), err
}

func goldenFiles(t *testing.T) map[string][]byte {
	m := testModel(t, 9, 7, 1, 64, 5, 1)
	rgb, alpha := testModel(t, 5, 3, 3, 32, 4, 2), testModel(t, 3, 3, 4, 256, 3, 3)
	pictures := testPictures(m, 21, 1)
	inside := encodeOptions(alpha)
	inside.EmbedWeights = true
	return map[string][]byte{
		goldenModel:              m.file,
		"v1-alpha.burin":         archive(t, alpha, testPictures(alpha, 4, 1), &ArchiveOptions{Embed: true, CollectionName: "sprites"}),
		"v1-idx.burin":           archive(t, m, pictures, &ArchiveOptions{Collection: IDX, CollectionName: "t-idx3-ubyte"}),
		"v1-names.burin":         archive(t, m, pictures, &ArchiveOptions{Block: 8}, numberedNames(len(pictures))...),
		"v1-rgb.burin":           archive(t, rgb, testPictures(rgb, 5, 1), &ArchiveOptions{Block: 2, Embed: true}),
		"v1-single-inside.burin": codectest.Encode(t, testPictures(alpha, 1, 1)[0], inside),
		"v1-single.burin":        codectest.Encode(t, pictures[0], encodeOptions(m)),
	}
}
