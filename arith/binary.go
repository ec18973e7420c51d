package arith

import (
	"encoding/binary"
	"errors"
	"math"
)

// The binary coder is a range coder with a 64-bit low end and a 64-bit range
// (Martin, "Range encoding: an algorithm for removing redundancy from a
// digitised message", 1979). The range is kept at 1<<32 or above, so a 16-bit
// probability splits it with a relative error below 2^-16, and 32 bits leave at
// a time. A carry out of the low end is added to the bytes already written,
// which all lie in memory.

// ErrTruncated is the error of a decoder that needed more bytes than its input
// held.
var ErrTruncated = errors.New("arith: truncated input")

const binaryRenorm = 1 << 32

// A BinaryEncoder codes bits, each with the probability that the caller's
// model gives it. Make one with [NewBinaryEncoder].
type BinaryEncoder struct {
	low, rng uint64
	buf      []byte
	start    int // where this stream begins in buf
}

// NewBinaryEncoder returns an encoder that appends to buf, which may be nil.
func NewBinaryEncoder(buf []byte) *BinaryEncoder {
	e := new(BinaryEncoder)
	e.Reset(buf)
	return e
}

// Reset makes e start a new stream, appended to buf.
func (e *BinaryEncoder) Reset(buf []byte) {
	*e = BinaryEncoder{rng: math.MaxUint64, buf: buf, start: len(buf)}
}

// Encode codes one bit, 0 or 1. p is the probability that the bit is 1, in
// units of 1/65536, from 1 to 65535; the decoder must be given the same.
func (e *BinaryEncoder) Encode(bit int, p uint32) {
	bound := e.rng >> 16 * uint64(p)
	if bit != 0 {
		e.rng = bound
	} else {
		e.rng -= bound
		e.low += bound
		if e.low < bound {
			e.carry()
		}
	}
	if e.rng < binaryRenorm {
		e.shift()
	}
}

func (e *BinaryEncoder) shift() {
	e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(e.low>>32))
	e.low <<= 32
	e.rng <<= 32
}

// carry adds one to the bytes written. It cannot run past the start of the
// stream: the number coded is below one.
func (e *BinaryEncoder) carry() {
	for i := len(e.buf) - 1; i >= e.start; i-- {
		e.buf[i]++
		if e.buf[i] != 0 {
			return
		}
	}
}

// EncodeBits codes the low n bits of v, at most 16, high bit first, without a
// model.
func (e *BinaryEncoder) EncodeBits(v uint32, n uint) {
	for ; n > 0; n-- {
		e.Encode(int(v>>(n-1)&1), 1<<15)
	}
}

// Len returns the number of bytes written so far, which Finish will exceed by
// at most 4.
func (e *BinaryEncoder) Len() int { return len(e.buf) - e.start }

// Finish ends the stream with as few bytes as identify it, from 1 to 4, and
// returns the buffer. Only [BinaryEncoder.Reset] may follow.
func (e *BinaryEncoder) Finish() []byte {
	// The number with the most trailing zero bytes in [low, low+rng).
	for n := 1; ; n++ {
		mask := uint64(1)<<(64-8*n) - 1
		v := (e.low + mask) &^ mask
		if v-e.low < e.rng {
			if v < e.low {
				e.carry()
			}
			for i := range n {
				e.buf = append(e.buf, byte(v>>(56-8*i)))
			}
			return e.buf
		}
	}
}

// A BinaryDecoder decodes what a [BinaryEncoder] coded. Make one with
// [NewBinaryDecoder].
type BinaryDecoder struct {
	code, rng uint64
	buf       []byte
	pos       int // bytes taken, also past the end of buf, where they are 0
}

// NewBinaryDecoder returns a decoder of the stream buf, which must hold nothing
// else.
func NewBinaryDecoder(buf []byte) *BinaryDecoder {
	d := new(BinaryDecoder)
	d.Reset(buf)
	return d
}

// Reset makes d decode the stream buf.
func (d *BinaryDecoder) Reset(buf []byte) {
	*d = BinaryDecoder{rng: math.MaxUint64, buf: buf}
	d.code = uint64(d.next())<<32 | uint64(d.next())
}

// Decode returns the next bit. p is the probability that it is 1, as the
// encoder was given it.
func (d *BinaryDecoder) Decode(p uint32) int {
	bound := d.rng >> 16 * uint64(p)
	bit := 0
	if d.code < bound {
		d.rng = bound
		bit = 1
	} else {
		d.code -= bound
		d.rng -= bound
	}
	if d.rng < binaryRenorm {
		d.shift()
	}
	return bit
}

func (d *BinaryDecoder) shift() {
	d.code = d.code<<32 | uint64(d.next())
	d.rng <<= 32
}

// next returns the next four bytes, those past the end being zero.
func (d *BinaryDecoder) next() uint32 {
	var v uint32
	if i := d.pos; i >= 0 && i+4 <= len(d.buf) {
		v = binary.BigEndian.Uint32(d.buf[i:])
	} else if i < len(d.buf) {
		var tail [4]byte
		copy(tail[:], d.buf[i:])
		v = binary.BigEndian.Uint32(tail[:])
	}
	d.pos += 4
	return v
}

// DecodeBits returns n bits coded by [BinaryEncoder.EncodeBits].
func (d *BinaryDecoder) DecodeBits(n uint) uint32 {
	var v uint32
	for ; n > 0; n-- {
		v = v<<1 | uint32(d.Decode(1<<15))
	}
	return v
}

// Overrun returns how many bytes past the end of its input the decoder has
// taken. A whole stream overruns by 4 to 7 bytes, because the decoder reads
// ahead.
func (d *BinaryDecoder) Overrun() int { return max(0, d.pos-len(d.buf)) }

// Err returns [ErrTruncated] if the decoder has taken more zero bytes past the
// end of its input than a whole stream makes it take. A cut of a few bytes may
// pass unnoticed, so a container should sum its bytes as well. A decoding loop
// over untrusted input should call Err every so often, to stop early.
func (d *BinaryDecoder) Err() error {
	if d.Overrun() > 7 {
		return ErrTruncated
	}
	return nil
}
