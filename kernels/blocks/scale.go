package blocks

import "math"

// Scales: numbers of one or two bytes, and what they stand for.

// toHalf rounds to the nearest float16, ties to even.
func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, b := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case b > 255<<23: // NaN
		return sign | 0x7e00
	case b >= (127+16)<<23-1<<12: // rounds to 2^16 or is beyond
		return sign | 0x7c00
	case b < (127-14)<<23: // subnormal: adding 1/2 leaves 2^-24 as the last bit
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-math.Float32bits(0.5))
	}
	b += 0xfff + b>>13&1
	return sign | uint16(b>>13-112<<10)
}

// fromPower returns 2^(e-128), half of what an E8M0 stands for, as the levels of MXFP4
// are doubled.
func fromPower(e uint8) float32 {
	if e < 2 {
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

// fromE4M3 returns half of what an E4M3 without a sign stands for, as the levels of NVFP4
// are doubled. 0x7f, a NaN, stands for 0 in GGUF.
func fromE4M3(b uint8) float32 {
	exp, frac := int(b>>3&15), float32(b&7)
	switch {
	case b == 0x7f:
		return 0
	case exp == 0:
		return frac / 1024
	}
	return math.Float32frombits(uint32(exp+127-8)<<23 | uint32(b&7)<<20)
}

// toE4M3 returns the E4M3 nearest to x, not negative, for which fromE4M3 returns half.
func toE4M3(x float32) uint8 {
	best := uint8(0)
	// The codes up to 0x7e are in order.
	lo, hi := 0, 0x7e
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if 2*fromE4M3(uint8(mid)) <= x {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	best = uint8(lo)
	if lo < 0x7e && 2*fromE4M3(best+1)-x < x-2*fromE4M3(best) {
		best++
	}
	return best
}
