package kv

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/kernels"
)

// A Tensor holds the keys or the values of a cache: layers x heads x tokens x dim
// numbers, the last index running fastest.
type Tensor struct {
	Layers, Heads, Tokens, Dim int
	Data                       []float32
}

// NewTensor returns a tensor of zeros. It panics if a size is below 1.
func NewTensor(layers, heads, tokens, dim int) Tensor {
	return Tensor{layers, heads, tokens, dim, make([]float32, layers*heads*tokens*dim)}
}

// Head returns the tokens x dim numbers of a head, which are not copied.
func (t *Tensor) Head(layer, head int) []float32 {
	n := t.Tokens * t.Dim
	return t.Data[(layer*t.Heads+head)*n:][:n:n]
}

// Limits of a tensor, so that sizes computed from them fit.
const (
	maxSize   = 1 << 24
	maxHeads  = 1 << 20 // of all layers
	maxValues = min(1<<40, math.MaxInt/16)
)

// size returns how many numbers a tensor of t's sizes has.
func (t *Tensor) size(name string) (int, error) {
	n := 1
	for _, s := range []int{t.Layers, t.Heads, t.Tokens, t.Dim} {
		if s < 1 || s > maxSize || n > maxValues/s {
			return 0, fmt.Errorf("%w: %s of %d x %d x %d x %d", ErrShape, name, t.Layers, t.Heads, t.Tokens, t.Dim)
		}
		n *= s
	}
	if t.Layers*t.Heads > maxHeads {
		return 0, fmt.Errorf("%w: %s of %d layers of %d heads", ErrShape, name, t.Layers, t.Heads)
	}
	return n, nil
}

func (t *Tensor) validate(name string) error {
	n, err := t.size(name)
	if err == nil && len(t.Data) != n {
		err = fmt.Errorf("%w: %s of %d x %d x %d x %d have %d numbers", ErrShape, name, t.Layers, t.Heads, t.Tokens, t.Dim, len(t.Data))
	}
	return err
}

// MaxMagnitude is how large the numbers of a cache may be.
const MaxMagnitude = 1 << 60

// suitable reports whether all of x is finite and at most MaxMagnitude.
func suitable(x []float32) bool { return kernels.MagnitudeF32(x) <= (127+60)<<23 }

// finite reports whether all of x is.
func finite(x []float32) bool { return kernels.MagnitudeF32(x) < 255<<23 }

// unsuitable returns the error about the first number of a head that is not suitable.
func unsuitable(name string, layer, head, dim int, x []float32) error {
	for i, v := range x {
		if !suitable(x[i : i+1]) {
			return fmt.Errorf("%w: %s of layer %d, head %d, token %d, channel %d: %v", ErrValue, name, layer, head, i/dim, i%dim, v)
		}
	}
	return nil
}
