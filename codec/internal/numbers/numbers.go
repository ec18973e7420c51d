// Package numbers codes the integers of trained models: arrays of small numbers, most of
// them near zero, in about the bits that their distribution takes.
//
// An adaptive binary coder takes the number of bits of the magnitude in unary, the first
// two bits below the leading one and the sign, with statistics of their own for each array
// and each number of bits; the lower bits as they are.
package numbers

import (
	"encoding/binary"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// Arrays calls f for arrays, each an []int16 or an []int32, in a fixed order.
type Arrays func(f func(array any))

// Append appends the arrays, a uvarint of their coded length before them.
func Append(file []byte, arrays Arrays) []byte {
	e := arith.NewBinaryEncoder(nil)
	arrays(func(array any) {
		var n model
		switch a := array.(type) {
		case []int16:
			for _, v := range a {
				n.encode(e, int32(v))
			}
		case []int32:
			for _, v := range a {
				n.encode(e, v)
			}
		}
	})
	coded := e.Finish()
	return append(binary.AppendUvarint(file, uint64(len(coded))), coded...)
}

// Read sets the arrays to what Append coded, of which it wants the bytes after the
// length. It returns false if they are damaged: the arrays then hold anything.
func Read(coded []byte, arrays Arrays) bool {
	d := arith.NewBinaryDecoder(coded)
	sound := true
	arrays(func(array any) {
		var n model
		each := func(count int, set func(i int, v int32) bool) {
			for i := 0; i < count && sound; i++ {
				v, ok := n.decode(d)
				sound = ok && set(i, v)
				if i%1024 == 0 && d.Err() != nil {
					sound = false
				}
			}
		}
		switch a := array.(type) {
		case []int16:
			each(len(a), func(i int, v int32) bool { a[i] = int16(v); return int32(a[i]) == v })
		case []int32:
			each(len(a), func(i int, v int32) bool { a[i] = v; return true })
		}
	})
	return sound && d.Err() == nil
}

// Prefixed splits b after a part that a uvarint of its length comes before.
func Prefixed(b []byte) (part, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}

// model is the statistics of an array.
type model struct {
	length [33]arith.AdaptiveBit
	upper  [33][4]arith.AdaptiveBit
}

func (n *model) encode(e *arith.BinaryEncoder, v int32) {
	bit := func(a *arith.AdaptiveBit, b int) { e.Encode(b, a.P()); a.Update(b) }
	m := uint32(max(v, -v))
	length := bits.Len32(m)
	for i := range length {
		bit(&n.length[i], 1)
	}
	bit(&n.length[length], 0)
	if length == 0 {
		return
	}
	e.EncodeBits(uint32(v)>>31, 1)
	at := 1
	for i := length - 2; i >= 0; i-- {
		b := int(m >> i & 1)
		if at >= 4 {
			e.EncodeBits(uint32(b), 1)
			continue
		}
		bit(&n.upper[length][at], b)
		at = 2*at + b
	}
}

func (n *model) decode(d *arith.BinaryDecoder) (int32, bool) {
	bit := func(a *arith.AdaptiveBit) int { b := d.Decode(a.P()); a.Update(b); return b }
	length := 0
	for bit(&n.length[length]) == 1 {
		if length++; length == 32 {
			return 0, false
		}
	}
	if length == 0 {
		return 0, true
	}
	negative := d.DecodeBits(1) == 1
	m := int32(1)
	at := 1
	for range length - 1 {
		var b int
		if at >= 4 {
			b = int(d.DecodeBits(1))
		} else {
			b = bit(&n.upper[length][at])
			at = 2*at + b
		}
		m = 2*m + int32(b)
	}
	if negative {
		m = -m
	}
	return m, true
}
