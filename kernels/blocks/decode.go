package blocks

import (
	"encoding/binary"
	"fmt"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// Decode sets dst, a whole number of blocks, to the weights in src. It panics if src has
// another length than [Format.Bytes] says.
func (f Format) Decode(dst []float32, src []byte) {
	f.mustFit(len(dst), len(src))
	l := &layouts[f]
	var b block
	for len(dst) > 0 {
		b.unpack(f, src)
		for g := range l.len / l.group {
			scale, out, codes := b.scales[g], dst[g*l.group:(g+1)*l.group], b.codes[g*l.group:(g+1)*l.group]
			switch {
			case f == NF4:
				for i, c := range codes {
					out[i] = float32(scale * normalFloats[c])
				}
			case f == Q8_0:
				for i, c := range codes {
					out[i] = float32(scale * float32(int8(c)))
				}
			case l.width == 2:
				for i, c := range codes {
					out[i] = float32(scale * float32(int8(c)-1))
				}
			default:
				table := f.table()
				for i, c := range codes {
					out[i] = float32(scale * float32(table[c]-int8(b.zero)))
				}
			}
		}
		dst, src = dst[l.len:], src[l.bytes:]
	}
}

func (f Format) mustFit(weights, bytes int) {
	if n, err := f.Bytes(weights); err != nil {
		panic(err.Error())
	} else if n != bytes {
		panic(fmt.Sprintf("blocks: %d weights of %v are %d bytes, not %d", weights, f, n, bytes))
	}
}

// A block is a block taken apart.
type block struct {
	codes  [maxBlock]uint8
	scales [maxBlock / minGroup]float32
	zero   uint8 // of Int4
}

// unpack takes the block at the start of src apart.
func (b *block) unpack(f Format, src []byte) {
	src = src[:layouts[f].bytes]
	switch f {
	case Q8_0:
		b.scales[0] = halfAt(src)
		copy(b.codes[:], src[2:])
	case Q4_0, IQ4_NL, NF4:
		b.scales[0] = halfAt(src)
		nibbles(b.codes[:], src[2:])
	case MXFP4:
		b.scales[0] = fromPower(src[0])
		nibbles(b.codes[:], src[1:])
	case NVFP4:
		for g := range 4 {
			b.scales[g] = fromE4M3(src[g])
			nibbles(b.codes[16*g:], src[4+8*g:12+8*g])
		}
	case TQ2_0:
		b.scales[0] = halfAt(src[64:])
		for i, v := range src[:64] {
			at := i/32*128 + i%32
			for j := range 4 {
				b.codes[at+32*j] = v >> (2 * j) & 3
			}
		}
	case TQ1_0:
		// A byte is ⌈256/243 n⌉ for a number n of five digits to base 3, the first
		// the highest: times 3, modulo 256, moves them up by one.
		b.scales[0] = halfAt(src[52:])
		digits := func(at, stride, count int, v uint8) {
			for j := range count {
				b.codes[at+stride*j] = uint8(uint16(v) * 3 >> 8)
				v *= 3
			}
		}
		for i, v := range src[:32] {
			digits(i, 32, 5, v)
		}
		for i, v := range src[32:48] {
			digits(160+i, 16, 5, v)
		}
		for i, v := range src[48:52] {
			digits(240+i, 4, 4, v)
		}
	case Int4G32, Int4G64, Int4G128:
		b.scales[0] = halfAt(src)
		b.zero = src[2] & 15
		nibbles(b.codes[:], src[3:])
	}
}

func halfAt(b []byte) float32 { return tensorfile.FromF16(binary.LittleEndian.Uint16(b)) }

// nibbles sets codes to the low halves of the bytes of src and then the high ones.
func nibbles(codes, src []byte) {
	lo, hi := codes[:len(src)], codes[len(src):2*len(src)]
	for i, v := range src {
		lo[i], hi[i] = v&15, v>>4
	}
}
