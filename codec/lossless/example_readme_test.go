package lossless_test

import (
	"context"
	"fmt"
	"image"
	"io"
	"log"
	"os"

	"github.com/burin-codec/burin/codec"
	_ "github.com/burin-codec/burin/codec/lossless" // registers itself
)

func save(name string, m image.Image) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return codec.Encode(f, m, nil) // nil: lossless, effort 5
}

func load(ctx context.Context, r io.Reader) (image.Image, error) {
	o := codec.DefaultDecodeOptions()
	o.Limits.MaxPixels = 50_000_000 // refuse larger pictures before allocating
	d, err := codec.NewDecoder(r, o)
	if err != nil {
		return nil, err
	}
	return d.Decode(ctx) // or image.Decode(r), which knows burin too
}

func Example_service() {
	dir, err := os.MkdirTemp("", "burin")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := dir + "/picture.burin"
	if err := save(name, image.NewRGBA(image.Rect(0, 0, 640, 480))); err != nil {
		log.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := load(context.Background(), f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Bounds().Size())
	// Output: (640,480)
}
