// Package vqbench measures the quantisers of package vq beside one another: their error,
// the bits they take and their speed, on normally distributed numbers ([Grids]) and on
// patches of pictures ([Books]). The command burin bench vq prints its tables.
//
// For one seed and one tier of package kernels all but the times are the same in every
// run. Times are those of the processor, on one goroutine.
package vqbench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/burin-codec/burin/vq"
)

// ErrOptions is what errors wrap when an option is out of range.
var ErrOptions = errors.New("vqbench: option out of range")

// pieceNumbers is about how many numbers are encoded and then decoded at a time: with
// their codes they stay in the second cache.
const pieceNumbers = 1 << 16

// DefaultTime is how long the options that nil stands for measure speeds for.
const DefaultTime = 200 * time.Millisecond

// A coded is what became of vectors.
type coded struct {
	codes          []uint32 // [n][len(Sizes())]
	mse            float64
	encode, decode float64 // millions of numbers a second of processor time
}

// code encodes and decodes the vectors x, and then again until each has taken the least
// time or more.
func code(ctx context.Context, q vq.Quantiser, x []float32, least time.Duration) (c coded, err error) {
	d, m := q.Dim(), len(q.Sizes())
	rows := max(pieceNumbers/d, 1)
	c.codes = make([]uint32, len(x)/d*m)
	y := make([]float32, min(rows*d, len(x)))
	for at := 0; at < len(x); at += rows * d {
		part := x[at:min(at+rows*d, len(x))]
		codes := c.codes[at/d*m:][:len(part)/d*m]
		q.Encode(codes, part)
		q.Decode(y[:len(part)], codes)
		for i, v := range part {
			e := float64(v) - float64(y[i])
			c.mse += e * e / float64(len(x))
		}
		if err := ctx.Err(); err != nil {
			return c, err
		}
	}
	speed := func(f func(codes []uint32, part []float32)) float64 {
		start, numbers := cpuTime(), 0
		for {
			for at := 0; at < len(x); at += rows * d {
				part := x[at:min(at+rows*d, len(x))]
				f(c.codes[at/d*m:][:len(part)/d*m], part)
				numbers += len(part)
				if t := cpuTime() - start; t >= least || ctx.Err() != nil {
					return float64(numbers) / t.Seconds() / 1e6
				}
			}
		}
	}
	codes := make([]uint32, len(y)/d*m)
	c.encode = speed(func(_ []uint32, part []float32) { q.Encode(codes[:len(part)/d*m], part) })
	c.decode = speed(func(codes []uint32, part []float32) { q.Decode(y[:len(part)], codes) })
	return c, ctx.Err()
}

// gap returns by how many dB an error on normally distributed numbers of deviation 1 is
// above the least that there could be at so many bits a number, 2^-2R.
func gap(mse, bits float64) float64 { return 10*math.Log10(mse) + 20*math.Log10(2)*bits }

// quantiser makes an interface of what a trainer returns, nil with an error.
func quantiser[Q vq.Quantiser](q Q, err error) (vq.Quantiser, error) {
	if err != nil {
		return nil, err
	}
	return q, nil
}

// chosen says whether a list names something, in upper or lower case; an empty one names
// all.
func chosen(only []string, name string) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(s string) bool { return strings.EqualFold(s, name) })
}
