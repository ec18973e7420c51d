package kernels

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Planes of floating-point numbers. A coder of numbers' bytes wants the exponent in a
// byte of its own, but a float32 or bfloat16 has it across two. Turned left by one bit,
//
//	bfloat16  eeeeeeee mmmmmmms
//	float32   eeeeeeee mmmmmmmm mmmmmmmm mmmmmmms
//	float16   eeeeemmm mmmmmmms
//
// the top byte is the exponent, which a few values take most of, and the others are
// close to noise.

// SplitPlanes takes numbers of size bytes each, 2, 4 or 8, little endian, apart: turned
// left by one bit, their lowest bytes go to dst[:n], where n = len(src)/size, the next
// to dst[n:2*n], and so on. It panics if the arguments do not fit: dst is as long as
// src, a multiple of size.
func SplitPlanes(dst, src []byte, size int) {
	n := planeSize(dst, src, size)
	done := splitPlanes(dst, src, n, size)
	splitPlanesGeneric(dst, src, done, n, size)
}

// JoinPlanes is the inverse of [SplitPlanes]. It panics if the arguments do not fit.
func JoinPlanes(dst, src []byte, size int) {
	n := planeSize(dst, src, size)
	done := joinPlanes(dst, src, n, size)
	joinPlanesGeneric(dst, src, done, n, size)
}

// planeSize returns the numbers in src.
func planeSize(dst, src []byte, size int) int {
	if size != 2 && size != 4 && size != 8 || len(src)%size != 0 || len(dst) != len(src) {
		panic(fmt.Sprintf("kernels: planes of %d bytes in numbers of %d to %d bytes", len(src), size, len(dst)))
	}
	return len(src) / size
}

// splitPlanesGeneric splits numbers from to n.
func splitPlanesGeneric(dst, src []byte, from, n, size int) {
	switch size {
	case 2:
		lo, hi := dst[:n], dst[n:2*n]
		for i := from; i < n; i++ {
			v := bits.RotateLeft16(binary.LittleEndian.Uint16(src[2*i:]), 1)
			lo[i], hi[i] = byte(v), byte(v>>8)
		}
	case 4:
		p0, p1, p2, p3 := dst[:n], dst[n:2*n], dst[2*n:3*n], dst[3*n:4*n]
		for i := from; i < n; i++ {
			v := bits.RotateLeft32(binary.LittleEndian.Uint32(src[4*i:]), 1)
			p0[i], p1[i], p2[i], p3[i] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		}
	default:
		for i := from; i < n; i++ {
			v := bits.RotateLeft64(binary.LittleEndian.Uint64(src[8*i:]), 1)
			for j := range 8 {
				dst[j*n+i] = byte(v >> (8 * j))
			}
		}
	}
}

// joinPlanesGeneric joins numbers from to n.
func joinPlanesGeneric(dst, src []byte, from, n, size int) {
	switch size {
	case 2:
		lo, hi := src[:n], src[n:2*n]
		for i := from; i < n; i++ {
			v := uint16(lo[i]) | uint16(hi[i])<<8
			binary.LittleEndian.PutUint16(dst[2*i:], bits.RotateLeft16(v, -1))
		}
	case 4:
		p0, p1, p2, p3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := from; i < n; i++ {
			v := uint32(p0[i]) | uint32(p1[i])<<8 | uint32(p2[i])<<16 | uint32(p3[i])<<24
			binary.LittleEndian.PutUint32(dst[4*i:], bits.RotateLeft32(v, -1))
		}
	default:
		for i := from; i < n; i++ {
			var v uint64
			for j := range 8 {
				v |= uint64(src[j*n+i]) << (8 * j)
			}
			binary.LittleEndian.PutUint64(dst[8*i:], bits.RotateLeft64(v, -1))
		}
	}
}
