package circuit_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy/circuit"
)

// stripes returns rows of 12 samples in which every sample is near the one before.
func stripes(n int, seed uint64) [][]uint16 {
	r := rand.New(rand.NewPCG(seed, 0))
	rows := make([][]uint16, n)
	for i := range rows {
		v := r.IntN(32)
		for range 12 {
			v = min(max(v+r.IntN(3)-1, 0), 31)
			rows[i] = append(rows[i], uint16(v))
		}
	}
	return rows
}

func Example() {
	data := &circuit.Dataset{Vars: 12, Cats: 32}
	for _, row := range stripes(2000, 1) {
		data.Values = append(data.Values, row...)
	}
	o := circuit.DefaultOptions()
	o.Epochs = 10
	c, err := circuit.Learn(context.Background(), data, o)
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Quantise(circuit.DefaultVectors)
	if err != nil {
		log.Fatal(err)
	}

	// Eight rows in one stream.
	rows := stripes(8, 2)
	coder, e := m.NewCoder(8), arith.NewBinaryEncoder(nil)
	encoders := []*arith.BinaryEncoder{e, e, e, e, e, e, e, e}
	if err := coder.Encode(encoders, rows); err != nil {
		log.Fatal(err)
	}
	stream := e.Finish()
	fmt.Println("less than half of 5 bits a sample:", len(stream) < 8*12*5/8/2)

	d, got := arith.NewBinaryDecoder(stream), make([][]uint16, 8)
	for i := range got {
		got[i] = make([]uint16, 12)
	}
	if err := coder.Decode([]*arith.BinaryDecoder{d, d, d, d, d, d, d, d}, got); err != nil {
		log.Fatal(err)
	}
	fmt.Println("equal:", fmt.Sprint(got) == fmt.Sprint(rows))
	// Output:
	// less than half of 5 bits a sample: true
	// equal: true
}

// A predictor codes a map of tokens value by value, in the order it asks for, between
// other things.
func ExamplePredictor() {
	data := &circuit.Dataset{Vars: 12, Cats: 32}
	for _, row := range stripes(500, 1) {
		data.Values = append(data.Values, row...)
	}
	o := circuit.DefaultOptions()
	o.States, o.Epochs = 8, 3
	c, err := circuit.Learn(context.Background(), data, o)
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Quantise(circuit.DefaultVectors)
	if err != nil {
		log.Fatal(err)
	}
	tokens := stripes(1, 9)[0]
	p, e := m.NewPredictor(), arith.NewBinaryEncoder(nil)
	for v := p.Variable(); v >= 0; v = p.Variable() {
		p.Encode(e, int(tokens[v]))
	}
	d, got := arith.NewBinaryDecoder(e.Finish()), make([]uint16, 12)
	p.Reset()
	for v := p.Variable(); v >= 0; v = p.Variable() {
		got[v] = uint16(p.Decode(d))
	}
	fmt.Println("equal:", fmt.Sprint(got) == fmt.Sprint(tokens))
	// Output: equal: true
}
