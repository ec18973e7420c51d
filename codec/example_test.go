package codec_test

import (
	"context"
	"fmt"
	"image"
	"image/color"

	"github.com/burin-codec/burin/codec"
)

// A Source gives the samples of any image, here of a paletted one.
func ExampleNewSource() {
	m := image.NewPaletted(image.Rect(0, 0, 4, 2), color.Palette{color.Black, color.White})
	m.SetColorIndex(1, 1, 1)

	src, err := codec.NewSource(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	h := src.Header()
	fmt.Println(h.Width, h.Height, h.Model, h.Depth)
	for i, p := range h.Planes() {
		samples := make([]uint16, p.Width*p.Height)
		src.ReadPlane(i, image.Rect(0, 0, p.Width, p.Height), samples, p.Width)
		fmt.Println(samples, "up to", p.MaxValue)
	}
	// Output:
	// 4 2 Paletted 8
	// [0 0 0 0 0 1 0 0] up to 1
}

// Work runs on several goroutines; results come in order.
func ExampleRunOrdered() {
	square := func(ctx context.Context, i int) (int, error) { return i * i, nil }
	print := func(i, result int) error {
		fmt.Println(i, result)
		return nil
	}
	if err := codec.RunOrdered(context.Background(), 4, 2, square, print); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 0
	// 1 1
	// 2 4
	// 3 9
}
