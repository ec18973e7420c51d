//go:build !amd64 || noasm

package arith

func decodeGroups(dst, in []byte, x *[groupLanes]uint32, t *DecTable) (left, used int) {
	return decodeGroupsGeneric(dst, in, x, t)
}

func encodeGroups(buf []byte, p int, src []byte, x *[groupLanes]uint32, t *InterleavedTable) int {
	return encodeGroupsGeneric(buf, p, src, x, t)
}
