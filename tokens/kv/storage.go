package kv

import (
	"encoding/binary"
	"math"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// put stores x as storage says. It reports whether all of it fits: a float16 holds
// numbers below 65520.
func put(dst []byte, x []float32, storage tensorfile.DType) bool {
	ok := true
	for i, v := range x {
		switch storage {
		case tensorfile.F16:
			h := toFloat16(v)
			ok = ok && h&^(1<<15) < 0x7c00
			binary.LittleEndian.PutUint16(dst[2*i:], h)
		case tensorfile.BF16:
			binary.LittleEndian.PutUint16(dst[2*i:], toBfloat16(v))
		default:
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	}
	return ok
}

// get loads n numbers.
func get(src []byte, n int, storage tensorfile.DType) ([]float32, error) {
	t := tensorfile.Tensor{DType: storage, Shape: []int{n}, Data: src[:n*storage.Size()]}
	return t.Float32s()
}

// toFloat16 returns a finite v as a float16, to the nearest, ties to even, or as
// infinity.
func toFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & (1 << 15))
	b &^= 1 << 31
	const smallest, bias = 127 - 14, 127 - 15
	switch {
	case b < smallest<<23:
		// One half has steps of the smallest float16 above it.
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	case b >= (127+16)<<23:
		return sign | 0x7c00
	}
	return sign | uint16((b-bias<<23+0xfff+b>>13&1)>>13)
}

// bfloat16 returns the number that a bfloat16 stands for.
func bfloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// toBfloat16 returns a finite v as a bfloat16, to the nearest, ties to even.
func toBfloat16(v float32) uint16 {
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
