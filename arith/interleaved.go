package arith

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Bulk coding of bytes with one table: rANS as in rans.go, with enough lanes to
// fill vector registers (Giesen, "Interleaved entropy coders", 2014). Symbol i
// belongs to lane i%64. The decoder takes the symbols in groups of 64; after a
// group's steps, the lanes that fell below the lower bound take a word each from
// the one stream, in lane order. That order costs a vector decoder one
// permutation and a scalar decoder nothing, so the format is the same for both.
//
// Fewer lanes would mean fewer bytes for their final states, but each step waits
// for the lane's last one, through a table look-up, a multiplication and the
// words: with 32 lanes AVX-512 waits most of the time.
//
// x is kept in [1<<15, 1<<31), one bit lower than in rans.go, so that vector
// comparisons may be signed and a 32-bit reciprocal is exact.
//
// A stream is: the final x of each lane, 4 bytes each, then the words in the
// order the decoder takes them; all little endian.

const (
	groupLanes = 64
	groupLow   = 1 << 15

	// callGroups bounds one call of assembly, which cannot be preempted, to some
	// 50 µs.
	callGroups = 1 << 10

	groupBiasBits = 13
)

// An InterleavedTable is a [ByteTable] prepared for [EncodeInterleaved]. For
// each symbol it holds a reciprocal of the frequency f, and packed into one word
// what else a step needs:
//
//	bias:13 f:12 shift:4
//
// such that x/f = x*reciprocal>>32>>shift for x < f<<19, and encoding is
// x + bias + x/f*(1<<12-f).
type InterleavedTable [256][2]uint32

// InterleavedTable prepares t for encoding.
func (t *ByteTable) InterleavedTable() *InterleavedTable {
	g := new(InterleavedTable)
	start := uint32(0)
	for s, f16 := range t.freq {
		switch f := uint32(f16); {
		case f == 1:
			// The reciprocal would not fit. This one gives x-1 for x/f, which the
			// bias makes up for.
			g[s] = [2]uint32{1<<32 - 1, start + tableTotal - 1 | 1<<groupBiasBits}
			start++
		case f > 1:
			// With 1<<n at least f, the product's error is below
			// x*f/f < 1<<19 * 1<<n, at most 1<<(31+n)/f as needed, because n is at
			// most 12.
			n := bits.Len32(f - 1)
			rcp := (uint64(1)<<(31+n) + uint64(f) - 1) / uint64(f)
			g[s] = [2]uint32{uint32(rcp), start | f<<groupBiasBits | uint32(n-1)<<(groupBiasBits+12)}
			start += f
		}
	}
	return g
}

// EncodeInterleaved appends to dst the coded form of src, made to be decoded
// fast, and returns it. It takes 256 bytes more than the symbols' cost. It
// returns [ErrSymbol] if a symbol of src is not in the table.
func EncodeInterleaved(dst, src []byte, t *InterleavedTable) ([]byte, error) {
	all := ^uint32(0)
	for _, s := range src {
		all = min(all, t[s][0])
	}
	if all == 0 {
		return dst, ErrSymbol
	}
	return encodeInterleaved(dst, src, t), nil
}

// encodeInterleaved is EncodeInterleaved for symbols known to be in the table.
func encodeInterleaved(dst, src []byte, t *InterleavedTable) []byte {
	// Each symbol gives at most one word. Write backwards from the end, then
	// close the gap. Whole groups write up to 128 bytes too low.
	const head = 4 * groupLanes
	most := head + 2*max(len(src), groupLanes)
	start := len(dst)
	dst = slices.Grow(dst, most)[:start+most]
	buf := dst[start:]
	p := len(buf)

	var x [groupLanes]uint32
	for i := range x {
		x[i] = groupLow
	}
	whole := len(src) &^ (groupLanes - 1)
	for i := len(src) - 1; i >= whole; i-- {
		word, due := x[i-whole], uint32(0)
		x[i-whole], due = encodeStep(word, &t[src[i]])
		if due != 0 {
			p -= 2
			binary.LittleEndian.PutUint16(buf[p:], uint16(word))
		}
	}
	for whole > 0 {
		n := min(whole/groupLanes, callGroups)
		p = encodeGroups(buf, p, src[whole-n*groupLanes:whole], &x, t)
		whole -= n * groupLanes
	}
	p -= head
	for i, v := range x {
		binary.LittleEndian.PutUint32(buf[p+4*i:], v)
	}
	return dst[:start+copy(buf, buf[p:])]
}

// encodeGroupsGeneric encodes whole groups, the last first, writes the words
// below buf[p], and returns where they begin.
func encodeGroupsGeneric(buf []byte, p int, src []byte, x *[groupLanes]uint32, t *InterleavedTable) int {
	for n := len(src) - groupLanes; n >= 0; n -= groupLanes {
		words := (*[2 * groupLanes]byte)(buf[p-2*groupLanes:])
		p -= encodeGroup((*[groupLanes]byte)(src[n:]), words, x, t)
	}
	return p
}

// encodeGroup encodes one group, writes the words at the end of words and
// returns how many bytes they take. A function of its own leaves the compiler
// enough registers.
func encodeGroup(src *[groupLanes]byte, words *[2 * groupLanes]byte, x *[groupLanes]uint32, t *InterleavedTable) int {
	p := uint32(2 * groupLanes)
	for i := groupLanes - 1; i >= 0; i-- {
		// The word is written in any case and kept if it was due: there is no
		// branch to predict.
		binary.LittleEndian.PutUint16(words[(p-2)&(2*groupLanes-2):], uint16(x[i]))
		var due uint32
		x[i], due = encodeStep(x[i], &t[src[i]])
		p -= 2 * due
	}
	return int(2*groupLanes - p)
}

// encodeStep codes a symbol: it returns the new x and whether a word of the old
// one is due, 1 or 0.
func encodeStep(x uint32, e *[2]uint32) (y, due uint32) {
	f := e[1] >> groupBiasBits & 0xfff
	due = (f<<19 - 1 - x) >> 31
	x >>= due << 4
	q := uint32(uint64(x)*uint64(e[0])>>32) >> (e[1] >> (groupBiasBits + 12) & 31)
	return x + e[1]&(1<<groupBiasBits-1) + q*(tableTotal-f), due
}

// DecodeInterleaved decodes len(dst) symbols from in, which must hold nothing
// else. It returns [ErrTruncated] or [ErrCorrupt] if in is no stream of as many
// symbols; it finds most damage, but is no substitute for a checksum.
func DecodeInterleaved(dst, in []byte, t *DecTable) error {
	if len(in) < 4*groupLanes {
		return ErrTruncated
	}
	var x [groupLanes]uint32
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(in[4*i:])
		if x[i]-groupLow >= 1<<31-groupLow {
			return ErrCorrupt
		}
	}
	in = in[4*groupLanes:]
	for len(dst) >= groupLanes && len(in) >= 2*groupLanes {
		n := min(len(dst)/groupLanes, callGroups)
		left, used := decodeGroups(dst[:n*groupLanes], in, &x, t)
		dst = dst[(n-left)*groupLanes:]
		in = in[used:]
	}
	// What is left has too few bytes to read ahead, or is less than a group.
	for i := 0; len(dst) > 0; i = (i + 1) % groupLanes {
		e := t[x[i]&tableMask]
		dst[0] = byte(e)
		dst = dst[1:]
		y := (e>>8&0xfff)*(x[i]>>ByteTableLog) + e>>20
		if y < groupLow {
			if len(in) < 2 {
				return ErrTruncated
			}
			y = y<<16 | uint32(binary.LittleEndian.Uint16(in))
			in = in[2:]
		}
		x[i] = y
	}
	if len(in) != 0 || x != initialGroup {
		return ErrCorrupt
	}
	return nil
}

// initialGroup is where the encoder begins, and so where a decoder ends.
var initialGroup = func() (x [groupLanes]uint32) {
	for i := range x {
		x[i] = groupLow
	}
	return x
}()

// decodeGroupsGeneric decodes whole groups while in holds the words of a group
// that takes the most. It returns how many groups are left and how many bytes
// it used.
func decodeGroupsGeneric(dst, in []byte, x *[groupLanes]uint32, t *DecTable) (left, used int) {
	for len(dst) >= groupLanes && len(in)-used >= 2*groupLanes {
		used += decodeGroup((*[groupLanes]byte)(dst), (*[2 * groupLanes]byte)(in[used:]), x, t)
		dst = dst[groupLanes:]
	}
	return len(dst) / groupLanes, used
}

// decodeGroup decodes one group and returns how many bytes of words it used. A
// function of its own leaves the compiler enough registers.
func decodeGroup(dst *[groupLanes]byte, words *[2 * groupLanes]byte, x *[groupLanes]uint32, t *DecTable) int {
	p := uint32(0)
	for i := 0; i < groupLanes; i += 4 {
		// Four steps, written out. The word is read in any case; due is all ones
		// if it is taken and else 0, so there is no branch to predict.
		e := t[x[i]&tableMask]
		dst[i] = byte(e)
		y := (e>>8&0xfff)*(x[i]>>ByteTableLog) + e>>20
		z := y<<16 | uint32(binary.LittleEndian.Uint16(words[p&(2*groupLanes-2):]))
		due := uint32(int32(y-groupLow) >> 31)
		x[i] = y ^ (y^z)&due
		p -= due + due

		e = t[x[i+1]&tableMask]
		dst[i+1] = byte(e)
		y = (e>>8&0xfff)*(x[i+1]>>ByteTableLog) + e>>20
		z = y<<16 | uint32(binary.LittleEndian.Uint16(words[p&(2*groupLanes-2):]))
		due = uint32(int32(y-groupLow) >> 31)
		x[i+1] = y ^ (y^z)&due
		p -= due + due

		e = t[x[i+2]&tableMask]
		dst[i+2] = byte(e)
		y = (e>>8&0xfff)*(x[i+2]>>ByteTableLog) + e>>20
		z = y<<16 | uint32(binary.LittleEndian.Uint16(words[p&(2*groupLanes-2):]))
		due = uint32(int32(y-groupLow) >> 31)
		x[i+2] = y ^ (y^z)&due
		p -= due + due

		e = t[x[i+3]&tableMask]
		dst[i+3] = byte(e)
		y = (e>>8&0xfff)*(x[i+3]>>ByteTableLog) + e>>20
		z = y<<16 | uint32(binary.LittleEndian.Uint16(words[p&(2*groupLanes-2):]))
		due = uint32(int32(y-groupLow) >> 31)
		x[i+3] = y ^ (y^z)&due
		p -= due + due
	}
	return int(p)
}
