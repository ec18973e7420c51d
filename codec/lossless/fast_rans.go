package lossless

import (
	"encoding/binary"
	"math/bits"

	"github.com/burin-codec/burin/arith"
)

// The fast family codes its symbols with a static range asymmetric numeral
// system (Duda, arXiv 1311.2540) on the tables of package arith, but with loops
// of its own: the table changes with every symbol and depends on the sample just
// decoded, so the loop over samples holds the state in a register; raw bits pass
// through the same state; and a 64-bit state in [ransLow, 2^63), renormalised by
// 32-bit words, meets the unpredictable branch once in about nine samples.
const (
	ransBits  = arith.ByteTableLog
	ransTotal = 1 << ransBits
	ransLow   = 1 << 31
)

// A ransSymbol is what the encoder needs to know of a symbol: division by its
// frequency is a multiplication by its reciprocal (Granlund and Montgomery).
type ransSymbol struct {
	rcp   uint64
	limit uint64 // the state must be below to be coded without renormalising
	bias  uint32
	freq  uint16 // ransTotal less the frequency
	shift uint8
}

func newRansSymbol(start, freq uint32) ransSymbol {
	s := ransSymbol{
		limit: uint64(freq) << (63 - ransBits),
		freq:  uint16(ransTotal - freq),
	}
	if freq < 2 {
		// x/1 needs a reciprocal of 2^64: take 2^64-1, which yields x-1, and
		// mend it in the bias.
		s.rcp = 1<<64 - 1
		s.bias = start + ransTotal - 1
		return s
	}
	shift := uint(bits.Len32(freq - 1)) // ceil(log2(freq))
	s.rcp, _ = bits.Div64(1<<(shift-1), uint64(freq)-1, uint64(freq))
	s.shift = uint8(shift - 1)
	s.bias = start
	return s
}

// A ransEncoder writes from the end of buf towards its start, since the decoder
// meets the symbols in the opposite order.
type ransEncoder struct {
	state uint64
	buf   []byte
	pos   int
}

func (e *ransEncoder) reset(buf []byte) {
	e.state, e.buf, e.pos = ransLow, buf, len(buf)
}

func (e *ransEncoder) word() {
	e.pos -= 4
	binary.LittleEndian.PutUint32(e.buf[e.pos:], uint32(e.state))
	e.state >>= 32
}

// raw codes the low n bits of v, n at most 31.
func (e *ransEncoder) raw(v uint32, n uint) {
	if e.state >= 1<<(63-n) {
		e.word()
	}
	e.state = e.state<<n | uint64(v&(1<<n-1))
}

// finish returns the stream.
func (e *ransEncoder) finish() []byte {
	e.word()
	e.word()
	return e.buf[e.pos:]
}

// next returns the state after coding s.
func (s *ransSymbol) next(state uint64) uint64 {
	q, _ := bits.Mul64(state, s.rcp)
	return state + uint64(s.bias) + q>>s.shift*uint64(s.freq)
}
