package circuit

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/entropy/circuit"
)

// A block holds several pictures in one stream of an arith.BinaryEncoder: the first
// variable, in the order of coding, of all of them, then the second and so on. So the
// circuit is evaluated for all at once, and there is one stream to end. See
// entropy/circuit for the decisions that a value takes and their probabilities.

// A blockCoder codes blocks. It is for one goroutine at a time.
type blockCoder struct {
	m *Model
	c *circuit.Coder
	e []*arith.BinaryEncoder
	d []*arith.BinaryDecoder
}

// newBlockCoder returns a coder of blocks of up to so many pictures.
func newBlockCoder(m *Model, pictures int) *blockCoder {
	return &blockCoder{m, m.circuit.NewCoder(pictures), make([]*arith.BinaryEncoder, pictures), make([]*arith.BinaryDecoder, pictures)}
}

// coderMemory returns the most that a coder of blocks of so many pictures takes, with
// the pictures, for whatever tree the model has.
func coderMemory(m *Model, pictures int) int64 {
	vars, lanes := int64(m.circuit.Vars()), (int64(pictures)+15)/16*16
	return vars * lanes * (8*int64(m.circuit.States()) + 2)
}

func checkCoder(m *Model, pictures int, l codec.Limits) error {
	if need := coderMemory(m, pictures); need > l.MaxBytes {
		return fmt.Errorf("%w: blocks of %d pictures may take %d bytes, MaxBytes is %d", codec.ErrTooLarge, pictures, need, l.MaxBytes)
	}
	return nil
}

// encode appends the stream of the vectors x to buf.
func (b *blockCoder) encode(buf []byte, x [][]uint16) ([]byte, error) {
	e := arith.NewBinaryEncoder(buf)
	for i := range x {
		b.e[i] = e
	}
	if err := b.c.Encode(b.e[:len(x)], x); err != nil {
		return nil, codec.UnsupportedError(err.Error())
	}
	return e.Finish(), nil
}

// decode fills the vectors x from a stream.
func (b *blockCoder) decode(stream []byte, x [][]uint16) error {
	d := arith.NewBinaryDecoder(stream)
	for i := range x {
		b.d[i] = d
	}
	if err := b.c.Decode(b.d[:len(x)], x); err != nil {
		return codec.FormatError(err.Error())
	}
	return nil
}

// choose returns the model that takes the fewest bits for the vectors, the first of
// those that take the same.
func choose(ctx context.Context, models []*Model, x [][]uint16) (*Model, error) {
	if len(models) == 1 {
		return models[0], nil
	}
	const lanes = 16
	best, least := models[0], math.Inf(1)
	for _, m := range models {
		if cost, err := costOf(ctx, m, x, lanes); err != nil {
			return nil, err
		} else if cost < least {
			best, least = m, cost
		}
	}
	if math.IsInf(least, 1) {
		return nil, codec.UnsupportedError(fmt.Sprintf("circuit: samples that none of %d models has", len(models)))
	}
	return best, nil
}

// Cost returns how many bits a model takes for pictures: their negative log-likelihood,
// with the rounding of the coder's probabilities but without the bytes that frame and
// end streams.
func Cost(ctx context.Context, m *Model, pictures []image.Image) (float64, error) {
	x := make([][]uint16, len(pictures))
	for i, p := range pictures {
		var err error
		if x[i], err = m.vector(p); err == nil {
			err = m.checkValues(x[i])
		}
		if err != nil {
			return 0, fmt.Errorf("picture %d: %w", i, err)
		}
	}
	return costOf(ctx, m, x, DefaultBlock)
}

// costOf returns how many bits a model takes for the vectors, infinitely many if it
// does not have one of their values.
func costOf(ctx context.Context, m *Model, x [][]uint16, lanes int) (float64, error) {
	for _, x := range x {
		if m.checkValues(x) != nil {
			return math.Inf(1), nil
		}
	}
	c := m.circuit.NewCoder(min(lanes, len(x)))
	bits := make([]float64, lanes)
	sum := 0.0
	for at := 0; at < len(x); at += lanes {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		part := x[at:min(at+lanes, len(x))]
		if err := c.Cost(bits[:len(part)], part); err != nil {
			return 0, err
		}
		for _, b := range bits[:len(part)] {
			sum += b
		}
	}
	return sum, nil
}
