package lossless

import "math/bits"

// Residuals are folded to z >= 0 and split into a symbol and raw bits: below
// directSymbols the symbol is z itself, above there are four symbols an octave
// and the remaining bits go raw.
const (
	directBits    = 5
	directSymbols = 1 << directBits
	maxResidual   = 1<<18 - 1 // bounds z
	fastSymbols   = directSymbols + 4*(18-directBits)
	symbolStride  = 128 // of histograms, at least fastSymbols, a power of two
)

// symbolOf returns the symbol of z and its number of raw bits, the low bits of z.
func symbolOf(z uint32) (sym uint32, raw uint) {
	if z < directSymbols {
		return z, 0
	}
	n := uint(bits.Len32(z)) - 1
	return directSymbols + uint32(n-directBits)<<2 + z>>(n-2)&3, n - 2
}

// rawBits returns the number of raw bits that follow a symbol not below
// directSymbols, and the z that they are added to.
func rawBits(sym uint32) (base uint32, raw uint) {
	s := sym - directSymbols
	raw = uint(s>>2) + directBits - 2
	return (4 + s&3) << raw, raw
}

// smallSymbols holds symbolOf's symbol for small z.
var smallSymbols = func() (t [1024]uint8) {
	for z := range t {
		s, _ := symbolOf(uint32(z))
		t[z] = uint8(s)
	}
	return
}()

// log2Table holds 2^16*log2(1+i/1024) rounded down, found by repeated squaring so that
// it is the same everywhere.
var log2Table = func() (t [1024]uint32) {
	for i := range t {
		x := uint64(1024+i) << 21 // 1.31 fixed point
		for range 16 {
			x = x * x >> 31
			t[i] <<= 1
			if x >= 1<<32 {
				x >>= 1
				t[i]++
			}
		}
	}
	return
}()

// log2 returns 2^16*log2(v) of v > 0, a little low.
func log2(v uint32) uint64 {
	n := bits.Len32(v) - 1
	return uint64(n)<<16 + uint64(log2Table[uint64(v)<<10>>n&1023])
}
