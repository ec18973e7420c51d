//go:build !noasm

package arith

import "github.com/burin-codec/burin/kernels"

//go:generate go -C _generate run . -out ../interleaved_asm_amd64.s -stubs ../interleaved_asm_amd64.go -pkg arith

// decodeGroups is decodeGroupsGeneric in the tier in use. dst holds at least one
// group and in the words of one.
func decodeGroups(dst, in []byte, x *[groupLanes]uint32, t *DecTable) (left, used int) {
	tier := kernels.Tier()
	if tier == kernels.Generic {
		return decodeGroupsGeneric(dst, in, x, t)
	}
	n := len(dst) / groupLanes
	last := &in[len(in)-2*groupLanes]
	if tier == kernels.AVX512 {
		return decodeGroupsAVX512(&dst[0], n, &in[0], last, x, &t[0])
	}
	return decodeGroupsAVX2(&dst[0], n, &in[0], last, x, &t[0])
}

// encodeGroups is encodeGroupsGeneric in the tier in use. src holds at least one
// group and buf has 256 bytes to spare below the words.
func encodeGroups(buf []byte, p int, src []byte, x *[groupLanes]uint32, t *InterleavedTable) int {
	tier := kernels.Tier()
	if tier == kernels.Generic {
		return encodeGroupsGeneric(buf, p, src, x, t)
	}
	n := len(src) / groupLanes
	if tier == kernels.AVX512 {
		return encodeGroupsAVX512(&src[0], n, &buf[0], p, x, &t[0][0])
	}
	return encodeGroupsAVX2(&src[0], n, &buf[0], p, x, &t[0][0])
}
