package vq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A stored quantiser is
//
//	4 bytes  "BVQ" and the version of the format, 1
//	1 byte   length of the name of the kind, 1..32
//	         the name, such as "pq"
//	         the fields of the kind
//	4 bytes  CRC-32C of all before, little endian
//
// Fields are unsigned varints, float32 numbers and arrays of them, little endian. A
// quantiser within another is its name and fields alone.
const formatMagic = "BVQ\x01"

// ErrTooLarge is what errors wrap when a stored quantiser exceeds the caller's limit.
var ErrTooLarge = errors.New("vq: larger than the limit")

// A FormatError says what is wrong with a stored quantiser.
type FormatError string

func (e FormatError) Error() string { return "vq: bad format: " + string(e) }

// maxNesting is how deep quantisers may hold one another.
const maxNesting = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readers has the function that reads the fields of each kind.
var readers = map[string]func(*reader) (Quantiser, error){}

// register makes a kind known; files call it from init.
func register(kind string, read func(*reader) (Quantiser, error)) { readers[kind] = read }

// stored is what every quantiser of this package has for its format.
type stored interface {
	kind() string
	write(*writer)
}

// marshal is MarshalBinary of every quantiser of this package.
func marshal(q stored) ([]byte, error) {
	w := writer{b: []byte(formatMagic)}
	w.quantiser(q)
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli)), nil
}

// Unmarshal returns the quantiser that MarshalBinary stored in data, of any kind in
// this package. What is wrong with data is a [FormatError]. It allocates at most 8 MiB
// and 100 times the length of data in all: codebooks are packed for the search, and
// what is stored as a seed and a dimension, such as [HIGGS], [LFQ] or [Trellis], takes
// megabytes made of a few bytes.
func Unmarshal(data []byte) (Quantiser, error) {
	if len(data) < len(formatMagic)+4 || string(data[:3]) != formatMagic[:3] {
		return nil, FormatError("not a stored quantiser")
	}
	if data[3] != formatMagic[3] {
		return nil, FormatError(fmt.Sprintf("version %d", data[3]))
	}
	body, sum := data[:len(data)-4], data[len(data)-4:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, FormatError("wrong checksum")
	}
	r := reader{b: body[len(formatMagic):]}
	q, err := r.quantiser()
	if err != nil {
		return nil, err
	}
	if len(r.b) > 0 {
		return nil, FormatError("bytes after the end")
	}
	return q, nil
}

// Read reads a stored quantiser of at most maxBytes bytes to its end; see [Unmarshal].
func Read(r io.Reader, maxBytes int64) (Quantiser, error) {
	if maxBytes < 0 || maxBytes == math.MaxInt64 {
		return nil, fmt.Errorf("%w: limit of %d bytes", ErrOptions, maxBytes)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("vq: %w", err)
	}
	if int64(len(data)) > maxBytes {
		return nil, fmt.Errorf("%w of %d bytes", ErrTooLarge, maxBytes)
	}
	return Unmarshal(data)
}

// A writer appends fields.
type writer struct{ b []byte }

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *writer) int(v int) { w.uint(uint64(v)) }

func (w *writer) bool(v bool) {
	if v {
		w.int(1)
	} else {
		w.int(0)
	}
}

func (w *writer) ints(v []int) {
	w.int(len(v))
	for _, n := range v {
		w.int(n)
	}
}

func (w *writer) float(v float32) {
	w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
}

// floats writes elements only: the reader knows how many.
func (w *writer) floats(v []float32) {
	for _, f := range v {
		w.float(f)
	}
}

func (w *writer) quantiser(q stored) {
	w.b = append(w.b, byte(len(q.kind())))
	w.b = append(w.b, q.kind()...)
	q.write(w)
}

// A reader takes fields off the front of b. After a field that is not there or out of
// range, err is set and all that follow are zero.
type reader struct {
	b     []byte
	err   error
	depth int
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = FormatError(fmt.Sprintf(format, args...))
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("a number is cut off or too long")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// int returns a number that must be within lo..hi; after an error it is lo.
func (r *reader) int(what string, lo, hi int) int {
	v := r.uint()
	if r.err == nil && (v > math.MaxInt64 || int64(v) < int64(lo) || int64(v) > int64(hi)) {
		r.fail("%s is %d, want %d..%d", what, v, lo, hi)
	}
	if r.err != nil {
		return lo
	}
	return int(v)
}

func (r *reader) bool(what string) bool { return r.int(what, 0, 1) == 1 }

// ints returns at most most numbers within lo..hi.
func (r *reader) ints(what string, most, lo, hi int) []int {
	n := r.int("number of "+what, 0, min(most, len(r.b)))
	v := make([]int, n)
	for i := range v {
		v[i] = r.int(what, lo, hi)
	}
	return v
}

// float returns a number that must be finite.
func (r *reader) float(what string) float32 {
	v := r.floats(what, 1)
	if r.err != nil {
		return 0
	}
	return v[0]
}

// floats returns n numbers that must be finite, or nil after an error. n may be any
// product of sizes that int returned: it is compared with the bytes that are left.
func (r *reader) floats(what string, n ...int) []float32 {
	if r.err != nil {
		return nil
	}
	total := 1
	for _, v := range n {
		if v < 0 || v > 0 && total > len(r.b)/4/v {
			r.fail("%s: cut off", what)
			return nil
		}
		total *= v
	}
	out := make([]float32, total)
	for i := range out {
		u := binary.LittleEndian.Uint32(r.b[4*i:])
		if u>>23&0xff == 0xff {
			r.fail("%s: not finite", what)
			return nil
		}
		out[i] = math.Float32frombits(u)
	}
	r.b = r.b[4*total:]
	return out
}

func (r *reader) quantiser() (Quantiser, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.depth++; r.depth > maxNesting {
		return nil, FormatError("quantisers nested too deep")
	}
	defer func() { r.depth-- }()
	n := 0
	if len(r.b) > 0 {
		n = int(r.b[0])
	}
	if n < 1 || n > 32 || n >= len(r.b) {
		return nil, FormatError("the name of the kind is cut off")
	}
	name := string(r.b[1 : 1+n])
	r.b = r.b[1+n:]
	read := readers[name]
	if read == nil {
		return nil, FormatError(fmt.Sprintf("unknown kind %q", name))
	}
	q, err := read(r)
	if r.err != nil {
		return nil, r.err
	}
	if err != nil {
		return nil, err
	}
	return q, nil
}
