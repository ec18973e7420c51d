package vq

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// MaxSize is the largest alphabet that a code may have, and with it the most words of
// a codebook.
const MaxSize = 1 << 24

// MaxDim is the most elements that a vector may have.
const MaxDim = 1 << 16

// maxCodes is the most codes that a vector may become.
const maxCodes = 1 << 16

var (
	// ErrTraining is what the errors of trainers wrap when the data to train on are
	// of no use: too few, not a whole number of vectors, or not finite.
	ErrTraining = errors.New("vq: training data of no use")
	// ErrOptions is what errors wrap when an option is out of range.
	ErrOptions = errors.New("vq: option out of range")
	// ErrCodes is what errors wrap when codes are not those of the quantiser.
	ErrCodes = errors.New("vq: codes do not fit the quantiser")
)

// A Quantiser turns vectors into codes and back. Vectors are rows of Dim elements, one
// after another without gaps; the codes of a vector are len(Sizes()) numbers, and
// those of many vectors follow one another likewise.
//
// All methods may be called by several goroutines at a time.
type Quantiser interface {
	// Dim returns the elements of a vector, d.
	Dim() int

	// Sizes returns the alphabets of the codes of one vector: code i is in
	// 0..Sizes()[i]-1. Sizes are in 1..MaxSize. What is not an index, such as a
	// scale, is a code as well, in 16 bits or in several of 16. Entropy coders keep
	// statistics for each position. The slice must not be changed.
	Sizes() []int

	// Encode sets codes, [n][len(Sizes())], to the codes of the vectors x, [n][d].
	// Elements should be finite; others give codes that are valid and mean nothing.
	// It panics if the lengths do not fit.
	Encode(codes []uint32, x []float32)

	// Decode sets x, [n][d], to the vectors that codes, [n][len(Sizes())], stand for.
	// The same codes give the same bits on every processor. It panics if the lengths
	// do not fit or a code is not below its size; see [CheckCodes].
	Decode(x []float32, codes []uint32)

	// MarshalBinary returns the quantiser in the format that [Unmarshal] reads.
	encoding.BinaryMarshaler
}

// Bits returns the information in the codes of one vector where all are equally
// likely: the sum of the logarithms of the sizes.
func Bits(q Quantiser) float64 {
	var s float64
	for _, n := range q.Sizes() {
		s += math.Log2(float64(n))
	}
	return s
}

// BitsPerDim returns [Bits] divided by the dimension.
func BitsPerDim(q Quantiser) float64 { return Bits(q) / float64(q.Dim()) }

// PackedBits returns the bits that [Pack] takes for one vector: a whole number for each
// code.
func PackedBits(q Quantiser) int {
	s := 0
	for _, n := range q.Sizes() {
		s += codeBits(n)
	}
	return s
}

func codeBits(size int) int { return bits.Len(uint(size - 1)) }

// PackedBytes returns the length of what [Pack] makes of n vectors.
func PackedBytes(q Quantiser, n int) int {
	return int((int64(n)*int64(PackedBits(q)) + 7) / 8)
}

// Pack appends to dst the codes of some vectors, each in the fewest whole bits that
// hold its alphabet, the first in the lowest bits of the first byte, without gaps
// between codes or vectors; the last byte is filled up with zeros. It panics if a code
// is not below its size.
func Pack(dst []byte, q Quantiser, codes []uint32) []byte {
	sizes := q.Sizes()
	checkMultiple("codes", len(codes), len(sizes))
	var acc uint64
	var have int
	for i, at := 0, 0; i < len(codes); i++ {
		c := codes[i]
		if int64(c) >= int64(sizes[at]) {
			panic(fmt.Sprintf("vq: code %d of an alphabet of %d", c, sizes[at]))
		}
		acc |= uint64(c) << have
		for have += codeBits(sizes[at]); have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
		if at++; at == len(sizes) {
			at = 0
		}
	}
	if have > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// Unpack sets codes, [n][len(Sizes())], to what [Pack] wrote. Data of another length, a
// code that is not below its size, and bits set in the fill are errors that wrap
// [ErrCodes].
func Unpack(codes []uint32, q Quantiser, data []byte) error {
	sizes := q.Sizes()
	checkMultiple("codes", len(codes), len(sizes))
	if want := PackedBytes(q, len(codes)/len(sizes)); len(data) != want {
		return fmt.Errorf("%w: %d bytes, want %d", ErrCodes, len(data), want)
	}
	var acc uint64
	var have int
	for i, at := 0, 0; i < len(codes); i++ {
		n := codeBits(sizes[at])
		for ; have < n; have += 8 {
			acc |= uint64(data[0]) << have
			data = data[1:]
		}
		c := uint32(acc & (1<<n - 1))
		acc >>= n
		have -= n
		if int64(c) >= int64(sizes[at]) {
			return fmt.Errorf("%w: code %d of vector %d is %d of %d", ErrCodes, at, i/len(sizes), c, sizes[at])
		}
		codes[i] = c
		if at++; at == len(sizes) {
			at = 0
		}
	}
	if acc != 0 {
		return fmt.Errorf("%w: bits after the last code", ErrCodes)
	}
	return nil
}

// CheckCodes returns an error that wraps [ErrCodes] unless codes are a whole number of
// vectors and each is below its size, as Decode requires.
func CheckCodes(q Quantiser, codes []uint32) error {
	sizes := q.Sizes()
	if len(codes)%len(sizes) != 0 {
		return fmt.Errorf("%w: %d codes, %d a vector", ErrCodes, len(codes), len(sizes))
	}
	for i, c := range codes {
		if n := sizes[i%len(sizes)]; int64(c) >= int64(n) {
			return fmt.Errorf("%w: code %d of vector %d is %d of %d", ErrCodes, i%len(sizes), i/len(sizes), c, n)
		}
	}
	return nil
}

// encodeRows is how many vectors one task of [EncodePool] takes.
const encodeRows = 1024

// EncodePool is Encode on the workers of pool; the codes are the same.
func EncodePool(pool *nn.Pool, q Quantiser, codes []uint32, x []float32) {
	d, m := q.Dim(), len(q.Sizes())
	n := checkRows(q, codes, x)
	pool.Run((n+encodeRows-1)/encodeRows, func(_, i int) {
		from, to := i*encodeRows, min((i+1)*encodeRows, n)
		q.Encode(codes[from*m:to*m], x[from*d:to*d])
	})
}

// MSE returns the mean over the elements of x, [n][d], of the squared difference from
// what they decode to, and NaN if there are none.
func MSE(q Quantiser, x []float32) float64 {
	d, m := q.Dim(), len(q.Sizes())
	checkMultiple("elements", len(x), d)
	var s float64
	codes := make([]uint32, encodeRows*m)
	y := make([]float32, encodeRows*d)
	for at := 0; at < len(x); at += len(y) {
		part := x[at:min(at+len(y), len(x))]
		c := codes[:len(part)/d*m]
		q.Encode(c, part)
		q.Decode(y[:len(part)], c)
		s += squaredError(part, y)
	}
	return s / float64(len(x))
}

// squaredError returns the sum of the squared differences of x and the start of y.
func squaredError(x, y []float32) float64 {
	var s float64
	for i, v := range x {
		e := float64(v) - float64(y[i])
		s += e * e
	}
	return s
}

// A Usage says how the words of an alphabet are used.
type Usage struct {
	Counts      []int   // [size]: how often each code occurs
	Used        int     // codes that occur
	Utilisation float64 // Used / size
	Entropy     float64 // bits a code, of the empirical distribution
}

// Perplexity returns 2 to the power of the entropy: the number of equally likely codes
// that would carry as much.
func (u Usage) Perplexity() float64 { return math.Exp2(u.Entropy) }

// Usages returns the usage of each position of codes, [n][len(Sizes())]. It panics if
// codes do not fit.
func Usages(q Quantiser, codes []uint32) []Usage {
	sizes := q.Sizes()
	checkMultiple("codes", len(codes), len(sizes))
	us := make([]Usage, len(sizes))
	for i := range us {
		us[i].Counts = make([]int, sizes[i])
	}
	for i, c := range codes {
		us[i%len(sizes)].Counts[c]++
	}
	total := float64(len(codes) / len(sizes))
	for i := range us {
		u := &us[i]
		for _, n := range u.Counts {
			if n > 0 {
				u.Used++
				p := float64(n) / total
				u.Entropy -= p * math.Log2(p)
			}
		}
		u.Utilisation = float64(u.Used) / float64(sizes[i])
	}
	return us
}

// checkRows panics unless codes and x are of the same number of vectors, which it
// returns.
func checkRows(q Quantiser, codes []uint32, x []float32) int {
	d, m := q.Dim(), len(q.Sizes())
	n := len(x) / d
	if len(x) != n*d || len(codes) != n*m {
		panic(fmt.Sprintf("vq: %d elements and %d codes, for %d and %d a vector", len(x), len(codes), d, m))
	}
	return n
}

func checkMultiple(what string, n, of int) {
	if n%of != 0 {
		panic(fmt.Sprintf("vq: %d %s, %d a vector", n, what, of))
	}
}

// checkTraining returns how many vectors of d elements x holds, or an error unless
// they are at least least, and finite.
func checkTraining(x []float32, d, least int) (int, error) {
	if d < 1 || d > MaxDim {
		return 0, fmt.Errorf("%w: dimension %d, want 1..%d", ErrOptions, d, MaxDim)
	}
	n := len(x) / d
	if len(x) != n*d {
		return 0, fmt.Errorf("%w: %d elements are not a whole number of vectors of %d", ErrTraining, len(x), d)
	}
	if n < least {
		return 0, fmt.Errorf("%w: %d vectors, need %d", ErrTraining, n, least)
	}
	// The exponent of what is not finite is the highest; sums of squares must not
	// overflow either.
	if m := math.Float32frombits(kernels.MagnitudeF32(x)); !(m <= maxMagnitude) {
		return 0, fmt.Errorf("%w: elements not finite, or above %g", ErrTraining, float64(maxMagnitude))
	}
	return n, nil
}

// maxMagnitude is the largest element that trainers take: squares and their sums over a
// vector stay within float32.
const maxMagnitude = 1e15

// newRand returns the generator of a seed; stream separates the uses of one seed.
func newRand(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}
