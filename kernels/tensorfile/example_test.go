package tensorfile_test

import (
	"bytes"
	"fmt"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

func Example() {
	pixels := tensorfile.FromFloat32s("pixel_values", []float32{-1, 0, .5, 1}, 1, 2, 2)
	sizes := tensorfile.FromInt64s("image_sizes", []int64{2, 2}, 1, 2)
	var file bytes.Buffer
	if err := tensorfile.WriteSafetensors(&file, []tensorfile.Tensor{pixels, sizes}, map[string]string{"format": "pt"}); err != nil {
		fmt.Println(err)
		return
	}
	tensors, _, err := tensorfile.ReadSafetensors(&file, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range tensors {
		v, _ := t.Float32s()
		fmt.Println(t.Name, t.DType, t.Shape, v)
	}
	// Output:
	// pixel_values F32 [1 2 2] [-1 0 0.5 1]
	// image_sizes I64 [1 2] [2 2]
}
