package prepare_test

import (
	"bytes"
	"fmt"
	"image"

	"github.com/burin-codec/burin/kernels/tensorfile"
	"github.com/burin-codec/burin/tokens/prepare"
)

func Example() {
	img := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	r, err := prepare.Prepare("Qwen/Qwen2.5-VL-7B-Instruct", img, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Plan.Tokens, "tokens")
	for _, t := range r.Tensors {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	var file bytes.Buffer // what an inference server is sent
	if err := tensorfile.WriteSafetensors(&file, r.Tensors, nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 391 tokens
	// pixel_values F32 [1564 1176]
	// image_grid_thw I64 [1 3]
}

func ExampleBatch() {
	var batch []*prepare.Result
	for _, size := range []image.Point{{640, 480}, {300, 500}} {
		r, err := prepare.Prepare("pixtral", image.NewGray(image.Rectangle{Max: size}), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		batch = append(batch, r)
	}
	r, err := prepare.Batch(batch...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Tensor("pixel_values").Shape, r.Tensor("image_sizes").Shape)
	// Output:
	// [2 3 512 640] [2 2]
}
