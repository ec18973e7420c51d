package tensor_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/burin-codec/burin/entropy/tensor"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// A file comes back byte for byte.
func Example() {
	weights := make([]float32, 10000)
	for i := range weights {
		weights[i] = float32(i%100) / 64
	}
	var file, small, back bytes.Buffer
	list := []tensorfile.Tensor{tensorfile.FromFloat32s("w", weights, 100, 100)}
	if err := tensorfile.WriteSafetensors(&file, list, nil); err != nil {
		log.Fatal(err)
	}
	in := bytes.Clone(file.Bytes())
	info, err := tensor.Compress(context.Background(), &small, &file, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := tensor.Decompress(context.Background(), &back, &small, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Stored < info.Bytes/2, bytes.Equal(back.Bytes(), in))
	// Output: true true
}
