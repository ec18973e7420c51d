package lossless_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"log"

	"github.com/burin-codec/burin/codec"
	_ "github.com/burin-codec/burin/codec/lossless"
)

// Importing the package is all it takes: package codec finds it, and so does
// image.Decode.
func Example() {
	m := image.NewGray16(image.Rect(0, 0, 64, 48))
	for i := range 64 * 48 {
		m.SetGray16(i%64, i/64, color.Gray16{Y: uint16(900 * (i % 64))})
	}

	o := codec.DefaultOptions()
	o.Effort = 9
	var file bytes.Buffer
	if err := codec.Encode(&file, m, o); err != nil {
		log.Fatal(err)
	}

	got, format, err := image.Decode(&file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %T of %v, the same: %t\n", format, got, got.Bounds().Size(),
		bytes.Equal(got.(*image.Gray16).Pix, m.Pix))
	// Output: burin: *image.Gray16 of (64,48), the same: true
}
