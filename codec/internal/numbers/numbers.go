// Package numbers codes the integers of trained models: arrays of small numbers, most of
// them near zero, in about the bits that their distribution takes, and such that reading
// millions of them takes some tens of milliseconds.
//
// A number becomes a byte, its token, of the sign and the number of bits of the magnitude and
// the upper ones of these, and the lower bits as they are. An array is
//
//	its tokens, as arith.CompressBytes codes them, a uvarint of their coded length before
//	the lower bits of all its numbers, the first in the lowest bits of the first byte, a
//	    uvarint of the bytes before
package numbers

import (
	"encoding/binary"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// Arrays calls f for arrays, each an []int16 or an []int32 without math.MinInt32, in a fixed
// order.
type Arrays func(f func(array any))

// Magnitudes below small are tokens of their own. Of longer ones a token has upper bits
// below the leading one, which is always set.
const (
	smallBits = 3
	small     = 1 << smallBits
	upperBits = 2
	// lengths is the number of different lengths of magnitudes that are not small.
	lengths = 31 - smallBits
	tokens  = 2*small + lengths<<(upperBits+1)
)

// split returns the token of a number, and the lower bits of its magnitude and their number.
func split(v int32) (token uint8, lower uint32, n int) {
	m, negative := uint32(max(v, -v)), uint32(v)>>31
	if m < small {
		return uint8(negative<<smallBits | m), 0, 0
	}
	n = bits.Len32(m) - 1 - upperBits
	upper := m >> n & (1<<upperBits - 1)
	longer := uint32(bits.Len32(m) - smallBits - 1)
	return uint8(2*small + longer<<(upperBits+1) + negative<<upperBits + upper), m & (1<<n - 1), n
}

// A class is what a token says: the number is what is here plus, or minus if sign is -1, the n
// lower bits.
type class struct {
	base, sign int32
	n          uint8
}

var classes = func() (c [tokens]class) {
	for m := range int32(small) {
		c[m], c[small+m] = class{m, 1, 0}, class{-m, -1, 0}
	}
	for i := range int32(lengths) {
		n := i + smallBits - upperBits
		for upper := range int32(1 << upperBits) {
			at := 2*small + i<<(upperBits+1) + upper
			m := (1<<upperBits + upper) << n
			c[at], c[at+1<<upperBits] = class{m, 1, uint8(n)}, class{-m, -1, uint8(n)}
		}
	}
	return c
}()

// Append appends the arrays, a uvarint of their coded length before them.
func Append(file []byte, arrays Arrays) []byte {
	var coded, token, lower []byte
	arrays(func(array any) {
		token, lower = token[:0], lower[:0]
		var have uint64
		held := 0
		put := func(v int32) {
			t, low, n := split(v)
			token = append(token, t)
			have |= uint64(low) << held
			for held += n; held >= 8; held -= 8 {
				lower = append(lower, byte(have))
				have >>= 8
			}
		}
		switch a := array.(type) {
		case []int16:
			for _, v := range a {
				put(int32(v))
			}
		case []int32:
			for _, v := range a {
				put(v)
			}
		}
		if held > 0 {
			lower = append(lower, byte(have))
		}
		for _, part := range [][]byte{arith.CompressBytes(nil, token), lower} {
			coded = append(binary.AppendUvarint(coded, uint64(len(part))), part...)
		}
	})
	return append(binary.AppendUvarint(file, uint64(len(coded))), coded...)
}

// Read sets the arrays to what Append coded, of which it wants the bytes after the
// length. It returns false if they are damaged: the arrays then hold anything.
func Read(coded []byte, arrays Arrays) bool {
	sound := true
	var token []byte
	arrays(func(array any) {
		if !sound {
			return
		}
		var compressed, lower []byte
		if compressed, coded, sound = Prefixed(coded); !sound {
			return
		}
		if lower, coded, sound = Prefixed(coded); !sound {
			return
		}
		count := 0
		switch a := array.(type) {
		case []int16:
			count = len(a)
		case []int32:
			count = len(a)
		}
		var err error
		if token, err = arith.DecompressBytes(token[:0], compressed, count); err != nil || len(token) != count {
			sound = false
			return
		}
		r := reader{lower: lower}
		switch a := array.(type) {
		case []int16:
			for i, t := range token {
				v := r.number(t)
				if v != int32(int16(v)) {
					sound = false
				}
				a[i] = int16(v)
			}
		case []int32:
			for i, t := range token {
				a[i] = r.number(t)
			}
		}
		sound = sound && r.ended()
	})
	return sound && len(coded) == 0
}

// A reader reads lower bits, zeros beyond the end.
type reader struct {
	lower []byte
	have  uint64
	held  int
	wrong bool // a token that there is not, or bits beyond the end
}

func (r *reader) number(token uint8) int32 {
	if token >= tokens {
		r.wrong = true
		return 0
	}
	c := &classes[token]
	n := int(c.n)
	if r.held < n {
		if len(r.lower) >= 8 {
			r.have |= binary.LittleEndian.Uint64(r.lower) << r.held
			took := (63 - r.held) / 8
			r.lower = r.lower[took:]
			r.held += 8 * took
		} else {
			for ; r.held < n && len(r.lower) > 0; r.held += 8 {
				r.have |= uint64(r.lower[0]) << r.held
				r.lower = r.lower[1:]
			}
			if r.held < n {
				r.wrong = true
				return 0
			}
		}
	}
	low := int32(r.have & (1<<n - 1))
	r.have >>= n
	r.held -= n
	return c.base + c.sign*low
}

// ended reports whether all bits were read, and those that filled the last byte are zero.
func (r *reader) ended() bool {
	return !r.wrong && len(r.lower) == 0 && r.held < 8 && r.have&(1<<r.held-1) == 0
}

// Prefixed splits b after a part that a uvarint of its length comes before.
func Prefixed(b []byte) (part, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}
