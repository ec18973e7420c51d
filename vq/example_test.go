package vq_test

import (
	"fmt"

	"github.com/burin-codec/burin/vq"
)

func ExampleTrainKMeans() {
	// Six vectors of two elements, around (0, 0) and (9, 9).
	x := []float32{0, 0, 9, 9, 1, 0, 9, 8, 0, 1, 8, 9}
	c, err := vq.TrainKMeans(x, 2, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	codes := make([]uint32, 6)
	c.Encode(codes, x)
	packed := vq.Pack(nil, c, codes)
	fmt.Println(len(packed), "byte for", len(codes), "vectors")
	fmt.Println(codes[0] == codes[2], codes[0] == codes[1])
	fmt.Printf("%.2f\n", vq.MSE(c, x))
	// Output:
	// 1 byte for 6 vectors
	// true false
	// 0.22
}
