package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/burin-codec/burin/kernels/blocks"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// A Type is how a tensor's numbers are stored, by its number in GGUF files.
type Type uint32

// The types that can be decoded.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	I8     Type = 24
	I16    Type = 25
	I32    Type = 26
	I64    Type = 27
	F64    Type = 28
	BF16   Type = 30
	TQ1_0  Type = 34
	TQ2_0  Type = 35
	MXFP4  Type = 39
	NVFP4  Type = 40
)

// A layout is a type's name and the weights and bytes of a block.
type layout struct {
	name       string
	len, bytes int
}

// layouts has every type of the format, as gguf-py's GGML_QUANT_SIZES, so that files with
// tensors that cannot be decoded can be read.
var layouts = map[Type]layout{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, Q4_0: {"Q4_0", 32, 18}, Q4_1: {"Q4_1", 32, 20},
	Q5_0: {"Q5_0", 32, 22}, Q5_1: {"Q5_1", 32, 24}, Q8_0: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 40},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, Q4_K: {"Q4_K", 256, 144}, Q5_K: {"Q5_K", 256, 176},
	Q6_K: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292}, 16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74},
	18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50}, IQ4_NL: {"IQ4_NL", 32, 18}, 21: {"IQ3_S", 256, 110},
	22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136}, I8: {"I8", 1, 1}, I16: {"I16", 1, 2}, I32: {"I32", 1, 4},
	I64: {"I64", 1, 8}, F64: {"F64", 1, 8}, 29: {"IQ1_M", 256, 56}, BF16: {"BF16", 1, 2},
	TQ1_0: {"TQ1_0", 256, 54}, TQ2_0: {"TQ2_0", 256, 66}, MXFP4: {"MXFP4", 32, 17}, NVFP4: {"NVFP4", 64, 36},
	41: {"Q1_0", 128, 18},
}

// formats are the types that package blocks has.
var formats = map[Type]blocks.Format{
	Q4_0: blocks.Q4_0, Q8_0: blocks.Q8_0, IQ4_NL: blocks.IQ4_NL, MXFP4: blocks.MXFP4,
	NVFP4: blocks.NVFP4, TQ1_0: blocks.TQ1_0, TQ2_0: blocks.TQ2_0,
}

// plain are the types of one number each.
var plain = map[Type]tensorfile.DType{
	F32: tensorfile.F32, F16: tensorfile.F16, BF16: tensorfile.BF16, F64: tensorfile.F64,
	I8: tensorfile.I8, I16: tensorfile.I16, I32: tensorfile.I32, I64: tensorfile.I64,
}

// String returns the type's name in GGUF software.
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("Type(%d)", uint32(t))
}

// Read returns the bytes of t as they are in the file.
func (t *Tensor) Read() ([]byte, error) {
	if t.Bytes > min(t.maxTensor, math.MaxInt) {
		return nil, fmt.Errorf("%w: tensor %q has %d bytes", tensorfile.ErrTooLarge, t.Name, t.Bytes)
	}
	b := make([]byte, t.Bytes)
	if n, err := t.r.ReadAt(b, t.Offset); n < len(b) {
		if err == io.EOF {
			err = tensorfile.FormatError("the file ends within a tensor")
		}
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return b, nil
}

// Float32s returns the numbers of t, rows one after another, with the bits that the
// reference decoder gives. Types that it cannot decode are a
// [tensorfile.UnsupportedError].
func (t *Tensor) Float32s() ([]float32, error) {
	l := layouts[t.Type]
	n := t.Bytes / int64(l.bytes) * int64(l.len)
	if n > t.maxTensor/4 {
		return nil, fmt.Errorf("%w: tensor %q has %d weights", tensorfile.ErrTooLarge, t.Name, n)
	}
	format, isBlocks := formats[t.Type]
	dtype, isPlain := plain[t.Type]
	affine := affine[t.Type]
	if !isBlocks && !isPlain && affine == nil {
		return nil, tensorfile.UnsupportedError(fmt.Sprintf("weights of type %v in tensor %q", t.Type, t.Name))
	}
	b, err := t.Read()
	if err != nil {
		return nil, err
	}
	if isPlain {
		tensor := tensorfile.Tensor{Name: t.Name, DType: dtype, Shape: t.Shape, Data: b}
		return tensor.Float32s()
	}
	x := make([]float32, n)
	if isBlocks {
		format.Decode(x, b)
		return x, nil
	}
	for at := 0; at < len(x); at += l.len {
		affine(x[at:at+l.len], b[at/l.len*l.bytes:])
	}
	return x, nil
}

// Matrix returns t, of two dimensions and a type that package blocks has, for products.
// Other types are a [tensorfile.UnsupportedError].
func (t *Tensor) Matrix() (*blocks.Matrix, error) {
	format, ok := formats[t.Type]
	if !ok || len(t.Shape) != 2 {
		return nil, tensorfile.UnsupportedError(fmt.Sprintf("products with tensor %q of %v%v", t.Name, t.Type, t.Shape))
	}
	b, err := t.Read()
	if err != nil {
		return nil, err
	}
	return blocks.NewMatrix(format, b, t.Shape[0], t.Shape[1])
}

// affine decodes a block of the types whose weights are a code times a scale less a
// minimum, or have six bits.
var affine = map[Type]func(x []float32, b []byte){
	Q4_1: func(x []float32, b []byte) {
		d, m := half(b), half(b[2:])
		for i, v := range b[4:20] {
			x[i] = float32(d*float32(v&15)) + m
			x[16+i] = float32(d*float32(v>>4)) + m
		}
	},
	Q5_0: func(x []float32, b []byte) {
		d, high := half(b), binary.LittleEndian.Uint32(b[2:])
		for i, v := range b[6:22] {
			x[i] = float32(d * float32(int32(v&15)|int32(high>>i&1)<<4-16))
			x[16+i] = float32(d * float32(int32(v>>4)|int32(high>>(16+i)&1)<<4-16))
		}
	},
	Q5_1: func(x []float32, b []byte) {
		d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
		for i, v := range b[8:24] {
			x[i] = float32(d*float32(uint32(v&15)|high>>i&1<<4)) + m
			x[16+i] = float32(d*float32(uint32(v>>4)|high>>(16+i)&1<<4)) + m
		}
	},
	Q4_K: func(x []float32, b []byte) {
		d, low := half(b), half(b[2:])
		for j := range 8 {
			scale, least := sixBits(b[4:16], j)
			scale, least = float32(d*scale), float32(low*least)
			for i, v := range b[16+j/2*32:][:32] {
				x[32*j+i] = float32(scale*float32(v>>(j%2*4)&15)) - least
			}
		}
	},
	Q5_K: func(x []float32, b []byte) {
		d, low := half(b), half(b[2:])
		for j := range 8 {
			scale, least := sixBits(b[4:16], j)
			scale, least = float32(d*scale), float32(low*least)
			for i, v := range b[48+j/2*32:][:32] {
				x[32*j+i] = float32(scale*float32(v>>(j%2*4)&15|b[16+i]>>j&1<<4)) - least
			}
		}
	},
	Q6_K: func(x []float32, b []byte) {
		d := half(b[208:])
		for j := range 16 {
			scale := float32(d * float32(int8(b[192+j])))
			for i := range 16 {
				// Each half of the block: 64 bytes of low bits, then 32 of high ones.
				at := 16*j + i
				part, in := at/128, at%128
				low := b[part*64+in%64] >> (in / 64 * 4) & 15
				high := b[128+part*32+in%32] >> (in / 32 * 2) & 3
				x[at] = float32(scale * float32(int32(low|high<<4)-32))
			}
		}
	},
}

// sixBits returns scale and minimum j, of 6 bits each, from the 12 bytes of eight.
func sixBits(b []byte, j int) (scale, least float32) {
	if j < 4 {
		return float32(b[j] & 63), float32(b[4+j] & 63)
	}
	return float32(b[4+j]&15 | b[j-4]>>6<<4), float32(b[4+j]>>4 | b[j]>>6<<4)
}

func half(b []byte) float32 { return tensorfile.FromF16(binary.LittleEndian.Uint16(b)) }
