package kv

import (
	"fmt"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// FromFile returns the keys or values in a tensor of [layers, heads, tokens, dim] or of
// [heads, tokens, dim] of any type of number. Float16 and bfloat16 are widened exactly.
func FromFile(t *tensorfile.Tensor) (*Tensor, error) {
	shape := t.Shape
	if len(shape) == 3 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != 4 {
		return nil, fmt.Errorf("%w: tensor %q of %v is not [layers, heads, tokens, dim]", ErrShape, t.Name, t.Shape)
	}
	data, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	x := &Tensor{shape[0], shape[1], shape[2], shape[3], data}
	return x, x.validate(fmt.Sprintf("tensor %q", t.Name))
}

// File returns t as a tensor of [layers, heads, tokens, dim] for a file, of type F32,
// F16 or BF16. Numbers are rounded to the nearest, ties to even; it is an error that
// wraps ErrValue if they are too large, which for F16 is from 65520 on.
func (t *Tensor) File(name string, dtype tensorfile.DType) (tensorfile.Tensor, error) {
	x := tensorfile.Tensor{Name: name, DType: dtype, Shape: []int{t.Layers, t.Heads, t.Tokens, t.Dim}}
	if err := t.validate(name); err != nil {
		return x, err
	}
	if !storable(dtype) {
		return x, fmt.Errorf("%w: storage %q", ErrOption, dtype)
	}
	if !finite(t.Data) {
		return x, fmt.Errorf("%w: %s are not finite", ErrValue, name)
	}
	x.Data = make([]byte, len(t.Data)*dtype.Size())
	if !put(x.Data, t.Data, dtype) {
		return x, fmt.Errorf("%w: %s are too large for %s", ErrValue, name, dtype)
	}
	return x, nil
}

// storable reports whether numbers are stored as a type.
func storable(t tensorfile.DType) bool {
	return t == tensorfile.F32 || t == tensorfile.F16 || t == tensorfile.BF16
}
