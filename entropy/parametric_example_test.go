package entropy_test

import (
	"fmt"
	"log"
	"slices"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
)

// Integers with a scale for each, as a hyperprior gives them.
func ExampleTables() {
	tables, err := entropy.NewScaleTables(nil)
	if err != nil {
		log.Fatal(err)
	}
	o := entropy.DefaultScaleOptions()
	q := []int16{0, 0, 1, 0, -3, 12, 0, -40}
	table := []uint8{0, 3, 12, 8, o.Level(2), o.Level(10), 0, o.Level(30)}

	e := arith.NewRangeEncoder(nil)
	tables.Encode(e, q, table)
	buf := e.Finish()
	fmt.Printf("%d bytes for %.1f bits\n", len(buf), tables.Cost(q, table))

	back := make([]int16, len(q))
	if err := tables.Decode(arith.NewRangeDecoder(buf), back, table); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back)
	// Output:
	// 3 bytes for 19.9 bits
	// [0 0 1 0 -3 12 0 -40]
}

// neighbours expects the mean of the values above and below, which the first of two passes coded.
type neighbours struct{}

func (neighbours) Predict(k int, l *entropy.Latent) error {
	o := entropy.DefaultScaleOptions()
	l.Elements(k, func(i, end, step int) {
		row := l.W * l.C
		for ; i < end; i += step {
			l.Mean[i], l.Table[i] = 0, o.Level(4)
			if k == 0 {
				continue // nothing is known
			}
			var sum, n int32
			for _, j := range []int{i - row, i + row} {
				if j >= 0 && j < len(l.Y) {
					sum += l.Y[j]
					n++
				}
			}
			if n > 0 {
				l.Mean[i], l.Table[i] = sum/n, o.Level(0.5)
			}
		}
	})
	return nil
}

// A latent coded in two passes, the second predicted from the first.
func ExampleEncodeLatent() {
	const h, w, c = 4, 6, 2
	tables, err := entropy.NewScaleTables(nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := entropy.NewLatent(entropy.Checkerboard, h, w, c)
	if err != nil {
		log.Fatal(err)
	}
	values := make([]int32, h*w*c) // in 1/256
	for i := range values {
		values[i] = int32(i/c%w-3) * 300
	}

	e := arith.NewRangeEncoder(nil)
	if err := entropy.EncodeLatent(e, l, tables, neighbours{}, &entropy.UniformQuantiser{Values: values}); err != nil {
		log.Fatal(err)
	}
	buf := e.Finish()
	coded := slices.Clone(l.Y)

	d := arith.NewRangeDecoder(buf)
	if err := entropy.DecodeLatent(d, l, tables, neighbours{}, &entropy.UniformQuantiser{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(buf), "bytes, the same values:", slices.Equal(l.Y, coded))
	// Output: 13 bytes, the same values: true
}
