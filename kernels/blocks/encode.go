package blocks

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// Encode sets dst to the blocks for src, a whole number of them. Weights must be finite
// ([CheckFinite]), and not so large that their scale is beyond float16 or E4M3. It panics if dst has another length than [Format.Bytes] says.
//
// Q8_0, Q4_0, MXFP4, TQ1_0 and TQ2_0 give the bytes of GGUF's reference; the others search
// a few scales for the one of the least squared error.
func (f Format) Encode(dst []byte, src []float32) {
	f.mustFit(len(src), len(dst))
	l := &layouts[f]
	for len(src) > 0 {
		f.encodeBlock(dst[:l.bytes], src[:l.len])
		dst, src = dst[l.bytes:], src[l.len:]
	}
}

func (f Format) encodeBlock(dst []byte, x []float32) {
	var codes [maxBlock]uint8
	c := codes[:len(x)]
	switch f {
	case Q8_0:
		d := largest(x) / 127
		inv := inverse(d)
		putHalf(dst, d)
		for i, v := range x {
			dst[2+i] = uint8(int8(roundAway(float32(v * inv))))
		}
	case Q4_0:
		// The largest weight gets -8, whatever its sign.
		d := extreme(x) / -8
		inv := inverse(d)
		putHalf(dst, d)
		for i, v := range x {
			c[i] = uint8(min(max(int(float32(v*inv)+8.5), 0), 15))
		}
		putNibbles(dst[2:], c)
	case MXFP4:
		e := powerFor(largest(x))
		dst[0] = e
		nearest(c, x, fromPower(e), integers(&levelsFP4))
		putNibbles(dst[1:], c)
	case NVFP4:
		for g := range 4 {
			x, c := x[16*g:16*g+16], c[16*g:16*g+16]
			// The largest may be cut off a little, or get 4 and not 6.
			best, least := uint8(0), math.Inf(1)
			for _, top := range []float32{6, 5.5, 6.5, 4, 4.5} {
				s := toE4M3(largest(x) / top)
				if err := nearest(c, x, fromE4M3(s), integers(&levelsFP4)); err < least {
					best, least = s, err
				}
			}
			dst[g] = best
			nearest(c, x, fromE4M3(best), integers(&levelsFP4))
			putNibbles(dst[4+8*g:12+8*g], c)
		}
	case TQ2_0, TQ1_0:
		d := largest(x)
		inv := inverse(d)
		for i, v := range x {
			c[i] = uint8(roundAway(float32(v*inv)) + 1)
		}
		if f == TQ2_0 {
			clear(dst[:64])
			for i, v := range c {
				dst[i/128*32+i%32] |= v << (i % 128 / 32 * 2)
			}
			putHalf(dst[64:], d)
			return
		}
		number := func(at, stride, count int) uint8 {
			n := 0
			for j := range 5 {
				n *= 3
				if j < count {
					n += int(c[at+stride*j])
				}
			}
			return uint8((n*256 + 242) / 243)
		}
		for i := range 32 {
			dst[i] = number(i, 32, 5)
		}
		for i := range 16 {
			dst[32+i] = number(160+i, 16, 5)
		}
		for i := range 4 {
			dst[48+i] = number(240+i, 4, 4)
		}
		putHalf(dst[52:], d)
	case IQ4_NL, NF4:
		levels, first := integers(&levelsIQ4_NL), extreme(x)/-127
		if f == NF4 {
			levels, first = normalFloats, largest(x)
		}
		putHalf(dst, search(c, x, first, levels))
		putNibbles(dst[2:], c)
	default:
		encodeZeros(dst, c, x)
	}
}

// encodeZeros encodes a group with a zero point, from its smallest to its largest weight,
// zero among them, and a little less of that range.
func encodeZeros(dst []byte, c []uint8, x []float32) {
	lo, hi := float32(0), float32(0)
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	bestD, bestZ, least := uint16(0), 0, math.Inf(1)
	for step := range 8 {
		shrink := 1 - float32(step)*0.04
		d := toHalf((hi - lo) * shrink / 15)
		z := 0
		if s := tensorfile.FromF16(d); s != 0 {
			z = min(max(int(roundAway(-lo*shrink/s)), 0), 15)
		}
		if err := affine(c, x, tensorfile.FromF16(d), z); err < least {
			bestD, bestZ, least = d, z, err
		}
	}
	affine(c, x, tensorfile.FromF16(bestD), bestZ)
	binary.LittleEndian.PutUint16(dst, bestD)
	dst[2] = uint8(bestZ)
	putNibbles(dst[3:], c)
}

// affine sets c to the codes of x nearest to a multiple of d above the zero point, and
// returns the squared error.
func affine(c []uint8, x []float32, d float32, zero int) (err float64) {
	inv := inverse(d)
	for i, v := range x {
		q := min(max(int(roundAway(v*inv))+zero, 0), 15)
		c[i] = uint8(q)
		e := float64(v - float32(d*float32(q-zero)))
		err += e * e
	}
	return err
}

// search tries scales around first and returns, as a float16 has it, the best, with the
// codes of x in c. Given the codes, the best scale is Σ x l / Σ l²; and it is tried, too.
func search(c []uint8, x []float32, first float32, levels [16]float32) float32 {
	best, least := float32(0), math.Inf(1)
	try := func(d float32) {
		d = tensorfile.FromF16(toHalf(d))
		if err := nearest(c, x, d, levels); err < least {
			best, least = d, err
		}
	}
	for step := -6; step <= 6; step++ {
		d := first * (1 + 0.03*float32(step))
		try(d)
		var xl, ll float64
		for i, v := range x {
			l := float64(levels[c[i]])
			xl += float64(v) * l
			ll += l * l
		}
		if ll > 0 {
			try(float32(xl / ll))
		}
	}
	nearest(c, x, best, levels)
	return best
}

// nearest sets c to the codes of the levels times d that are nearest to x, the first of
// equally near ones, and returns the squared error.
func nearest(c []uint8, x []float32, d float32, levels [16]float32) (err float64) {
	for i := range levels {
		levels[i] *= d
	}
	for i, v := range x {
		best, least := 0, float32(math.Inf(1))
		for j, l := range levels {
			if e := max(v-l, l-v); e < least {
				best, least = j, e
			}
		}
		c[i] = uint8(best)
		err += float64(least) * float64(least)
	}
	return err
}

// integers returns levels as floats.
func integers(levels *[16]int8) (f [16]float32) {
	for i, l := range levels {
		f[i] = float32(l)
	}
	return f
}

// powerFor returns the E8M0 for weights up to most in size: the power of two that takes
// most to between 4 and 8, of which the largest level is 6.
func powerFor(most float32) uint8 {
	if most == 0 {
		return 0
	}
	_, e := math.Frexp(float64(most))
	return uint8(min(max(e-1-2+127, 0), 254))
}

// largest returns the largest magnitude.
func largest(x []float32) float32 {
	m := float32(0)
	for _, v := range x {
		m = max(m, v, -v)
	}
	return m
}

// extreme returns the first number of the largest magnitude.
func extreme(x []float32) float32 {
	m := x[0]
	for _, v := range x {
		if max(v, -v) > max(m, -m) {
			m = v
		}
	}
	return m
}

// inverse returns 1/d, or 0 where that is beyond float32.
func inverse(d float32) float32 {
	if inv := 1 / d; inv-inv == 0 {
		return inv
	}
	return 0
}

// roundAway rounds to the nearest integer, halves away from zero. It returns what fits an
// int32.
func roundAway(x float32) int32 {
	return int32(math.Round(float64(min(max(x, -1<<30), 1<<30))))
}

func putHalf(dst []byte, d float32) { binary.LittleEndian.PutUint16(dst, toHalf(d)) }

// putNibbles is the inverse of nibbles.
func putNibbles(dst, codes []byte) {
	n := len(codes) / 2
	for i, lo := range codes[:n] {
		dst[i] = lo | codes[n+i]<<4
	}
}

// CheckFinite returns an error that names the first weight that is not finite.
func CheckFinite(x []float32) error {
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("blocks: weight %d is %v", i, v)
		}
	}
	return nil
}
