package circuit_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"log"
	"os"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/circuit"
)

// An archive of three pictures, of which the last is read.
func Example() {
	data, err := os.ReadFile("testdata/golden/v1.model")
	if err != nil {
		log.Fatal(err)
	}
	m, err := circuit.ReadModel(data, codec.DefaultLimits().MaxModelBytes)
	if err != nil {
		log.Fatal(err)
	}

	var file bytes.Buffer
	w, err := circuit.NewArchiveWriter(&file, m, &circuit.ArchiveOptions{CollectionName: "letters"})
	if err != nil {
		log.Fatal(err)
	}
	for i, name := range []string{"a.png", "b.png", "c.png"} {
		p := image.NewGray(image.Rect(0, 0, m.Width(), m.Height()))
		p.SetGray(i, i, color.Gray{Y: 50})
		if err := w.Write(p, name); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	o := codec.DefaultDecodeOptions()
	o.Weights = []codec.Weights{m}
	a, err := circuit.NewArchiveReader(bytes.NewReader(file.Bytes()), int64(file.Len()), o)
	if err != nil {
		log.Fatal(err)
	}
	last := a.Len() - 1
	p, err := a.Picture(last)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Info().CollectionName, a.Name(last), p.Bounds(), p.At(2, 2))
	// Output: letters c.png (0,0)-(9,7) {50}
}
