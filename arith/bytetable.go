package arith

import (
	"errors"
	"math"
	"math/bits"
)

const (
	// ByteTableLog is the base-2 logarithm of the sum of the frequencies of a
	// [ByteTable].
	ByteTableLog = 12

	tableTotal = 1 << ByteTableLog
	tableMask  = tableTotal - 1
)

// ErrCorrupt is the error of a decoder whose input no encoder could have
// written.
var ErrCorrupt = errors.New("arith: corrupt input")

// ErrSymbol is the error of coding a symbol that its table gives no
// probability.
var ErrSymbol = errors.New("arith: symbol not in the table")

// A ByteTable holds the static frequencies of byte symbols for the rANS coders.
// The frequencies sum to 1<<12 and none exceeds 1<<12-1, so that each fits 12
// bits; a source of one symbol therefore costs 0.00035 bit a symbol.
type ByteTable struct {
	freq [256]uint16
}

// NewByteTable returns the table for symbols seen counts times each, which gives
// every counted symbol a probability above zero. If nothing was counted, the
// table has some symbol nonetheless.
func NewByteTable(counts *[256]uint32) *ByteTable {
	var c [256]uint64
	used, last := 0, 0
	for i, v := range counts {
		if v != 0 {
			c[i] = uint64(v)
			used++
			last = i
		}
	}
	for ; used < 2; used++ {
		// A second symbol brings the first below 1<<12.
		if c[last] != 0 {
			last ^= 1
		}
		c[last] = 1
	}
	t := new(ByteTable)
	quantize(t.freq[:], c[:], tableTotal, tableTotal-1)
	return t
}

// Freq returns the frequency of s, out of 1<<12.
func (t *ByteTable) Freq(s uint8) int { return int(t.freq[s]) }

// Cost returns what coding s costs, in bits: infinity if it cannot be coded.
func (t *ByteTable) Cost(s uint8) float64 {
	return ByteTableLog - math.Log2(float64(t.freq[s]))
}

// Write writes t in a compact form.
//
// Frequencies follow in symbol order until they sum to 1<<12. Each is an
// Exp-Golomb code of the order that suits the last one above zero; a zero is
// followed by the number of further zeros.
func (t *ByteTable) Write(w *HeaderWriter) {
	left, prev := tableTotal, 1
	for s := 0; left > 0; s++ {
		f := int(t.freq[s])
		w.ExpGolomb(uint64(f), tableOrder(prev))
		if f == 0 {
			run := s + 1
			for t.freq[run] == 0 {
				run++
			}
			w.ExpGolomb(uint64(run-s-1), zeroRunOrder)
			s = run - 1
			continue
		}
		left -= f
		prev = f
	}
}

const zeroRunOrder = 2

// tableOrder returns the order of the code for the frequency after prev.
func tableOrder(prev int) uint { return uint(max(0, bits.Len(uint(prev))-2)) }

// ReadByteTable reads what [ByteTable.Write] wrote. It returns [ErrCorrupt] if
// that is no table.
func ReadByteTable(r *HeaderReader) (*ByteTable, error) {
	t := new(ByteTable)
	left, prev := tableTotal, 1
	for s := 0; left > 0; s++ {
		f := int(r.ExpGolomb(tableOrder(prev), tableTotal-1))
		if f == 0 {
			s += int(r.ExpGolomb(zeroRunOrder, 255))
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
		// The last symbol cannot be zero: the sum would not be reached.
		if f > left || s > 255 || s == 255 && f != left {
			return nil, ErrCorrupt
		}
		if f != 0 {
			t.freq[s] = uint16(f)
			left -= f
			prev = f
		}
	}
	return t, nil
}

// An EncTable is a [ByteTable] prepared for encoding: for each symbol the start
// of its slots in the low 12 bits and its frequency in the next 12.
type EncTable [256]uint32

// EncTable prepares t for encoding.
func (t *ByteTable) EncTable() *EncTable {
	e := new(EncTable)
	start := uint32(0)
	for s, f := range t.freq {
		if f != 0 {
			e[s] = start | uint32(f)<<12
			start += uint32(f)
		}
	}
	return e
}

// A DecTable is a [ByteTable] prepared for decoding. Each of its 1<<12 slots
// holds the symbol in the low 8 bits, its frequency in the next 12 and the
// distance to the symbol's first slot in the top 12.
type DecTable [tableTotal]uint32

// DecTable prepares t for decoding.
func (t *ByteTable) DecTable() *DecTable {
	d := new(DecTable)
	slots := d[:]
	for s, f := range t.freq {
		e := uint32(s) | uint32(f)<<8
		for i := range slots[:f] {
			slots[i] = e | uint32(i)<<20
		}
		slots = slots[f:]
	}
	return d
}
