package arith

import (
	"errors"
	"io"
	"math/bits"

	"github.com/icza/bitio"
)

// ErrRange is the error of reading a number above the limit given, or of
// writing one that its code cannot hold.
var ErrRange = errors.New("arith: number out of range")

// A HeaderWriter writes the numbers of a header bit by bit, high bit first. The
// first error sticks: later calls do nothing and Close returns it.
type HeaderWriter struct {
	w   *bitio.Writer
	err error
}

// NewHeaderWriter returns a HeaderWriter that writes to w.
func NewHeaderWriter(w io.Writer) *HeaderWriter {
	return &HeaderWriter{w: bitio.NewWriter(w)}
}

// Bits writes the low n bits of v, n at most 64. A v of more bits is an error.
func (w *HeaderWriter) Bits(v uint64, n uint) {
	if w.err != nil {
		return
	}
	if n > 64 || v>>n != 0 {
		w.err = ErrRange
		return
	}
	w.err = w.w.WriteBits(v, uint8(n))
}

// Bool writes a bit.
func (w *HeaderWriter) Bool(b bool) {
	if b {
		w.Bits(1, 1)
	} else {
		w.Bits(0, 1)
	}
}

// Bounded writes v, which is in 0..limit, in bits.Len64(limit) bits or one less
// (a truncated binary code).
func (w *HeaderWriter) Bounded(v, limit uint64) {
	if v > limit && w.err == nil {
		w.err = ErrRange
	}
	n, short := boundedCode(limit)
	switch {
	case v < short:
		w.Bits(v, n-1)
	case n < 64:
		w.Bits(v+short, n)
	default:
		w.Bits((v+short)>>1, 63)
		w.Bits((v+short)&1, 1)
	}
}

// boundedCode returns the parameters of the truncated binary code of 0..limit:
// numbers below short take n-1 bits, others n, with short added.
func boundedCode(limit uint64) (n uint, short uint64) {
	n = uint(bits.Len64(limit))
	if n == 0 {
		return 1, 1
	}
	return n, uint64(1)<<(n-1)<<1 - limit - 1
}

// ExpGolomb writes v, below 1<<63, as an Exp-Golomb code of order k, at most 32.
// It takes k+1 bits for the smallest numbers and two more for each doubling.
func (w *HeaderWriter) ExpGolomb(v uint64, k uint) {
	if (v >= 1<<63 || k > 32) && w.err == nil {
		w.err = ErrRange
	}
	x := v + 1<<k
	n := uint(bits.Len64(x))
	w.Bits(0, n-k-1)
	w.Bits(x, n)
}

// SignedExpGolomb writes v as [HeaderWriter.ExpGolomb] does the numbers
// 0, 1, 2, 3, 4 that stand for 0, -1, 1, -2, 2 and so on.
func (w *HeaderWriter) SignedExpGolomb(v int64, k uint) {
	w.ExpGolomb(uint64(v)<<1^uint64(v>>63), k)
}

// Close fills the last byte with zero bits and returns the first error. It does
// not close the underlying writer.
func (w *HeaderWriter) Close() error {
	if err := w.w.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}

// A HeaderReader reads what a [HeaderWriter] wrote. The first error sticks:
// later calls return 0 and Err returns it. Input that ends early gives
// [io.ErrUnexpectedEOF].
type HeaderReader struct {
	r   *bitio.Reader
	err error
}

// NewHeaderReader returns a HeaderReader that reads from r. It reads ahead of
// what it returns unless r is an [io.ByteReader].
func NewHeaderReader(r io.Reader) *HeaderReader {
	return &HeaderReader{r: bitio.NewReader(r)}
}

// Bits returns a number of n bits, n at most 64.
func (r *HeaderReader) Bits(n uint) uint64 {
	if r.err == nil && n > 64 {
		r.err = ErrRange
	}
	if r.err != nil || n == 0 {
		return 0
	}
	v, err := r.r.ReadBits(uint8(n))
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		r.err = err
		return 0
	}
	return v
}

// Bool reads a bit.
func (r *HeaderReader) Bool() bool { return r.Bits(1) != 0 }

// Bounded reads a number in 0..limit.
func (r *HeaderReader) Bounded(limit uint64) uint64 {
	n, short := boundedCode(limit)
	v := r.Bits(n - 1)
	if v >= short {
		v = v<<1 | r.Bits(1) - short
	}
	if r.err == nil && v > limit {
		r.err = ErrRange
	}
	if r.err != nil {
		return 0
	}
	return v
}

// ExpGolomb reads an Exp-Golomb code of order k. A number above limit is an
// error, so a length can be trusted once it is read.
func (r *HeaderReader) ExpGolomb(k uint, limit uint64) uint64 {
	if r.err == nil && k > 32 {
		r.err = ErrRange
	}
	n := k
	for r.err == nil && r.Bits(1) == 0 {
		if n++; n > 63 && r.err == nil {
			r.err = ErrRange
		}
	}
	v := uint64(1)<<n | r.Bits(n) - 1<<k
	if r.err == nil && v > limit {
		r.err = ErrRange
	}
	if r.err != nil {
		return 0
	}
	return v
}

// SignedExpGolomb reads a signed Exp-Golomb code of order k for a number from
// -limit to limit.
func (r *HeaderReader) SignedExpGolomb(k uint, limit int64) int64 {
	v := r.ExpGolomb(k, uint64(limit)<<1)
	return int64(v>>1) ^ -int64(v&1)
}

// Align skips to the next whole byte.
func (r *HeaderReader) Align() { r.r.Align() }

// Err returns the first error.
func (r *HeaderReader) Err() error { return r.err }
