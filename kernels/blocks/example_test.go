package blocks_test

import (
	"fmt"
	"log"

	"github.com/burin-codec/burin/kernels/blocks"
)

// Two rows of weights in four bits, times a vector.
func ExampleMatrix() {
	weights := make([]float32, 2*32)
	for i := range 32 {
		weights[i], weights[32+i] = -8, float32(i%8)
	}
	weights[32] = -8
	data := make([]byte, 2*blocks.Q4_0.BlockBytes())
	blocks.Q4_0.Encode(data, weights)
	m, err := blocks.NewMatrix(blocks.Q4_0, data, 2, 32)
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, 32)
	x[1], x[2], x[3] = 127, 0, -127
	var a blocks.Activations
	a.Quantise(m.Group(), x, 1, 32, 32)
	y := make([]float32, 2)
	m.Mul(y, 2, &a)
	fmt.Println(y)
	// Output: [0 -254]
}
