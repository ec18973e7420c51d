// Package tensorfile reads and writes tensors in the two formats that
// language-model software exchanges them in: safetensors, a set of named
// tensors with a JSON header, and .npy, one NumPy array.
//
//	t := tensorfile.FromFloat32s("pixel_values", pixels, 1, 3, 336, 336)
//	err := tensorfile.WriteSafetensors(w, []tensorfile.Tensor{t}, nil)
//
// Both readers are for files from anywhere: every size is checked against the
// caller's limit and against the other sizes before it is used, and memory
// grows with the bytes that arrive, never with the bytes that a header
// promises. What is wrong with a file is a [FormatError], what is valid and not
// supported an [UnsupportedError], and a file beyond the limit wraps
// [ErrTooLarge].
//
// Sources: the safetensors format as its README and reader define it
// (github.com/huggingface/safetensors), NumPy enhancement proposal 1 and
// numpy.lib.format for .npy versions 1.0 to 3.0.
package tensorfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// A DType is the type of a tensor's elements, by its name in safetensors.
type DType string

// The types that both formats can hold, but for BF16, F8_E4M3 and F8_E5M2, for
// which NumPy has no name and [WriteNPY] fails, and C64.
const (
	Bool   DType = "BOOL" // one byte, 0 or 1
	U8     DType = "U8"
	I8     DType = "I8"
	U16    DType = "U16"
	I16    DType = "I16"
	U32    DType = "U32"
	I32    DType = "I32"
	U64    DType = "U64"
	I64    DType = "I64"
	F8E4M3 DType = "F8_E4M3" // no infinities, the variant of ML called "fn"
	F8E5M2 DType = "F8_E5M2"
	F16    DType = "F16"
	BF16   DType = "BF16"
	F32    DType = "F32"
	F64    DType = "F64"
	C64    DType = "C64" // two F32, real and imaginary
)

// Size returns the bytes of an element, or 0 if the type is not one of those
// above.
func (d DType) Size() int {
	switch d {
	case Bool, U8, I8, F8E4M3, F8E5M2:
		return 1
	case U16, I16, F16, BF16:
		return 2
	case U32, I32, F32:
		return 4
	case U64, I64, F64, C64:
		return 8
	}
	return 0
}

// A Tensor is an array of numbers. A scalar has an empty shape and one element.
type Tensor struct {
	Name  string
	DType DType
	Shape []int  // the last dimension varies fastest
	Data  []byte // row-major, little endian, Elements × DType.Size bytes
}

// ErrTooLarge is what the readers' errors wrap when a file exceeds the limit.
var ErrTooLarge = errors.New("tensorfile: larger than the limit")

// A FormatError says what is wrong with a file.
type FormatError string

func (e FormatError) Error() string { return "tensorfile: invalid file: " + string(e) }

// An UnsupportedError names what a valid file or tensor has that is not
// supported.
type UnsupportedError string

func (e UnsupportedError) Error() string { return "tensorfile: unsupported: " + string(e) }

// maxDims bounds the dimensions of a tensor; NumPy has at most 64.
const maxDims = 64

// sizeOf returns the elements of a shape and their bytes, and whether they fit
// an int.
func sizeOf(shape []int, size int) (elements, bytes int, ok bool) {
	elements = 1
	zero := false
	for _, n := range shape {
		if n < 0 {
			return 0, 0, false
		}
		if n == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(uint64(elements), uint64(n))
		if hi != 0 || lo > math.MaxInt {
			return 0, 0, false
		}
		elements = int(lo)
	}
	if zero {
		return 0, 0, true
	}
	hi, lo := bits.Mul64(uint64(elements), uint64(size))
	if hi != 0 || lo > math.MaxInt {
		return 0, 0, false
	}
	return elements, int(lo), true
}

// Check returns an error if the type is unknown, the shape has a negative
// dimension or too many, or Data has another length than they say.
func (t *Tensor) Check() error {
	size := t.DType.Size()
	if size == 0 {
		return UnsupportedError(fmt.Sprintf("elements of type %q in tensor %q", t.DType, t.Name))
	}
	if len(t.Shape) > maxDims {
		return FormatError(fmt.Sprintf("tensor %q has %d dimensions, at most %d can be", t.Name, len(t.Shape), maxDims))
	}
	if _, n, ok := sizeOf(t.Shape, size); !ok || n != len(t.Data) {
		return FormatError(fmt.Sprintf("tensor %q of %s%v does not take %d bytes", t.Name, t.DType, t.Shape, len(t.Data)))
	}
	return nil
}

// Elements returns the number of elements that the shape says. The shape must
// be valid.
func (t *Tensor) Elements() int {
	n, _, _ := sizeOf(t.Shape, 1)
	return n
}

// FromFloat32s returns a tensor of type F32 with a copy of data. It panics if
// the shape has not len(data) elements.
func FromFloat32s(name string, data []float32, shape ...int) Tensor {
	mustHave(name, len(data), shape)
	b := make([]byte, 4*len(data))
	for i, v := range data {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return Tensor{name, F32, append([]int{}, shape...), b}
}

// FromInt64s returns a tensor of type I64 with a copy of data. It panics if the
// shape has not len(data) elements.
func FromInt64s(name string, data []int64, shape ...int) Tensor {
	mustHave(name, len(data), shape)
	b := make([]byte, 8*len(data))
	for i, v := range data {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(v))
	}
	return Tensor{name, I64, append([]int{}, shape...), b}
}

func mustHave(name string, n int, shape []int) {
	if elements, _, ok := sizeOf(shape, 1); !ok || elements != n {
		panic(fmt.Sprintf("tensorfile: tensor %q of shape %v has not %d elements", name, shape, n))
	}
}

// Float32s returns the elements as float32: F16, BF16 and the 8-bit floats
// widened exactly, F64 and integers rounded to nearest even, Bool as 0 or 1.
// Complex numbers are an [UnsupportedError].
func (t *Tensor) Float32s() ([]float32, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.DType == C64 {
		return nil, UnsupportedError(fmt.Sprintf("complex tensor %q as real numbers", t.Name))
	}
	v := make([]float32, t.Elements())
	b, le := t.Data, binary.LittleEndian
	switch t.DType {
	case F32:
		for i := range v {
			v[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
	case F16:
		for i := range v {
			v[i] = FromF16(le.Uint16(b[2*i:]))
		}
	case BF16:
		for i := range v {
			v[i] = math.Float32frombits(uint32(le.Uint16(b[2*i:])) << 16)
		}
	case F64:
		for i := range v {
			v[i] = float32(math.Float64frombits(le.Uint64(b[8*i:])))
		}
	case F8E4M3:
		for i := range v {
			v[i] = fromE4M3(b[i])
		}
	case F8E5M2:
		for i := range v {
			v[i] = FromF16(uint16(b[i]) << 8) // E5M2 is the upper half of F16
		}
	case U8, Bool:
		for i := range v {
			v[i] = float32(b[i])
		}
	case I8:
		for i := range v {
			v[i] = float32(int8(b[i]))
		}
	case U16:
		for i := range v {
			v[i] = float32(le.Uint16(b[2*i:]))
		}
	case I16:
		for i := range v {
			v[i] = float32(int16(le.Uint16(b[2*i:])))
		}
	case U32:
		for i := range v {
			v[i] = float32(le.Uint32(b[4*i:]))
		}
	case I32:
		for i := range v {
			v[i] = float32(int32(le.Uint32(b[4*i:])))
		}
	case U64:
		for i := range v {
			v[i] = float32(le.Uint64(b[8*i:]))
		}
	case I64:
		for i := range v {
			v[i] = float32(int64(le.Uint64(b[8*i:])))
		}
	}
	return v, nil
}

// FromF16 widens an IEEE 754 half: sign, 5 exponent bits of bias 15, 10 of
// fraction.
func FromF16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 31: // infinity, NaN
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case 0: // zero, subnormal: frac × 2^-24, exact in float32
		v := float32(frac) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}

// fromE4M3 widens sign, 4 exponent bits of bias 7, 3 of fraction, where only
// all ones is a NaN (OCP 8-bit floating point, 2023).
func fromE4M3(b byte) float32 {
	sign := uint32(b>>7) << 31
	exp, frac := uint32(b>>3&15), uint32(b&7)
	switch {
	case exp == 15 && frac == 7:
		return math.Float32frombits(sign | 0x7fc00000)
	case exp == 0: // frac × 2^-9
		return math.Float32frombits(sign | math.Float32bits(float32(frac)/512))
	}
	return math.Float32frombits(sign | (exp+127-7)<<23 | frac<<20)
}

// readN reads n bytes, growing as they arrive.
func readN(r io.Reader, n int) ([]byte, error) {
	const first = 1 << 20
	b := make([]byte, min(n, first))
	for done := 0; ; {
		k, err := io.ReadFull(r, b[done:])
		done += k
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil, FormatError(fmt.Sprintf("%d bytes where %d are due", done, n))
			}
			return nil, err
		}
		if done == n {
			return b, nil
		}
		grown := make([]byte, min(n, 2*len(b)))
		copy(grown, b)
		b = grown
	}
}
