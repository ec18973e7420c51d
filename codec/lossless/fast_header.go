package lossless

import (
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// A headerCoder writes or reads the parameters of a tile with an adaptive
// binary coder. Every method takes a value and returns it when writing, and
// ignores it and returns the one read when reading, so that what one side does
// the other cannot but do as well.
type headerCoder struct {
	enc *arith.BinaryEncoder // nil when reading
	dec *arith.BinaryDecoder
}

func (h *headerCoder) bit(b int, m *arith.AdaptiveBit) int {
	if h.enc != nil {
		h.enc.Encode(b, m.P())
	} else {
		b = h.dec.Decode(m.P())
	}
	m.Update(b)
	return b
}

func (h *headerCoder) bits(v uint32, n uint) uint32 {
	if h.enc != nil {
		h.enc.EncodeBits(v, n)
		return v
	}
	return h.dec.DecodeBits(n)
}

// A numberModel models numbers below 2^30: their length in unary, and the bit
// after the leading one.
type numberModel struct {
	length [33]arith.AdaptiveBit
	second [33]arith.AdaptiveBit
}

func (h *headerCoder) number(v uint32, m *numberModel) uint32 {
	want := bits.Len32(v)
	n := 0
	for n < 30 {
		more := 0
		if n < want {
			more = 1
		}
		if h.bit(more, &m.length[n]) == 0 {
			break
		}
		n++
	}
	if n < 2 {
		return uint32(n)
	}
	rest := uint(n - 2)
	u := 2 | uint32(h.bit(int(v>>rest&1), &m.second[n]))
	return u<<rest | h.bits(v&(1<<rest-1), rest)
}

func (h *headerCoder) signed(v int32, m *numberModel) int32 {
	u := h.number(uint32(v<<1^v>>31), m)
	return int32(u>>1) ^ -int32(u&1)
}

// A tableModel models frequency tables.
type tableModel struct {
	symbols numberModel
	freq    [16]numberModel
	split   [2]arith.AdaptiveBit
}

// freqs codes a table, or returns nil for one that is not valid. The table
// before, which stands for a similar activity, and the two symbols before tell
// about how large each frequency will be.
func (h *headerCoder) freqs(t, before *arith.ByteTable, m *tableModel) *arith.ByteTable {
	n := 0
	if t != nil {
		for n = fastSymbols; t.Freq(uint8(n-1)) == 0; {
			n--
		}
	}
	n = int(h.number(uint32(n), &m.symbols))
	if n < 2 || n > fastSymbols {
		return nil
	}
	var freqs [256]uint32
	left := uint32(ransTotal)
	for i := range n - 1 {
		var expect uint32
		if before != nil {
			expect = 2 * uint32(before.Freq(uint8(i)))
		}
		if i > 0 {
			expect += freqs[i-1]
		}
		if i > 1 {
			expect += freqs[i-2]
		}
		var f uint32
		if t != nil {
			f = uint32(t.Freq(uint8(i)))
		}
		f = h.number(f, &m.freq[bits.Len32((expect+2)>>2)])
		if f >= left {
			return nil
		}
		freqs[i] = f
		left -= f
	}
	freqs[n-1] = left
	if left == ransTotal {
		return nil // no table gives all to one symbol
	}
	if t == nil {
		t = arith.NewByteTable(&freqs) // sums to ransTotal already: kept as it is
	}
	return t
}

// A levelTables holds the frequency tables of one channel, and which serves
// each activity level.
type levelTables struct {
	of    [activityLevels]uint8
	freqs []*arith.ByteTable
}

// tables codes the tables of a channel.
func (h *headerCoder) tables(t *levelTables, m *tableModel) bool {
	k := 0
	for i := 1; i < activityLevels; i++ {
		k += h.bit(int(t.of[i]-t.of[i-1]), &m.split[min(1, k)])
		t.of[i] = uint8(k)
	}
	if h.enc == nil {
		t.freqs = make([]*arith.ByteTable, k+1)
	}
	var before *arith.ByteTable
	for i, f := range t.freqs {
		before = h.freqs(f, before, m)
		if before == nil {
			return false
		}
		t.freqs[i] = before
	}
	return true
}
