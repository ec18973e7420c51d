package kv_test

import (
	"bytes"
	"fmt"
	"log"
	"math"

	"github.com/burin-codec/burin/tokens/kv"
)

// A service keeps the keys and values of the pictures that it has seen, for the next
// question about them.
func Example() {
	const layers, heads, tokens, dim = 2, 2, 256, 64
	keys, values := kv.NewTensor(layers, heads, tokens, dim), kv.NewTensor(layers, heads, tokens, dim)
	for i := range keys.Data { // what the model computed
		keys.Data[i] = float32(math.Sin(float64(i) * 0.7))
		values.Data[i] = float32(math.Cos(float64(i) * 1.3))
	}

	o := kv.Defaults()
	o.Classes = []kv.Class{
		{Keys: kv.Bits2, Values: kv.Ternary},
		{Keys: kv.Bits4, Values: kv.Bits4}, // for the tokens that matter
	}
	norms, err := kv.ValueNorms(&values) // or the attention that tokens received
	if err != nil {
		log.Fatal(err)
	}
	if o.Assign, err = kv.Important(norms, tokens, 0.1); err != nil {
		log.Fatal(err)
	}
	o.Residual = 16 // the last ones stay as they are
	o.Row = 16      // tokens in a row of the picture
	cache, err := kv.Quantise(&keys, &values, o)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := cache.WriteTo(&file); err != nil {
		log.Fatal(err)
	}

	back, err := kv.Read(&file, nil)
	if err != nil {
		log.Fatal(err)
	}
	k, v, err := back.Dequantise()
	if err != nil {
		log.Fatal(err)
	}
	q, err := kv.Compare(&keys, &values, k, v, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	info := back.Info()
	fmt.Println(info.Tokens, "tokens,", info.Classes[1].Tokens, "of both layers important")
	fmt.Println("below a third of float16:", info.Bytes < info.Numbers*2/3, "cosine above 0.9:", q.Keys.Cosine > 0.9 && q.Values.Cosine > 0.9)
	// Output:
	// 256 tokens, 52 of both layers important
	// below a third of float16: true cosine above 0.9: true
}
