// Package gguf reads tensors from GGUF files, in which language-model software keeps
// quantised weights.
//
//	f, err := gguf.New(file, size, nil)
//	t, err := f.Tensor("blk.0.attn_q.weight")
//	weights, err := t.Float32s() // as the reference decodes them, to the bit
//	m, err := t.Matrix()         // or for products in the bits they have
//
// Files are checked before memory is taken: nothing is believed that the file is too short
// for, and what is held is limited ([Options]). What is wrong with a file is a
// [tensorfile.FormatError], what is valid and not supported a
// [tensorfile.UnsupportedError], and what is beyond a limit wraps
// [tensorfile.ErrTooLarge].
//
// Source: the GGUF specification and the reader of the gguf Python package
// (github.com/ggml-org/ggml, MIT licence), versions 2 and 3, little endian.
package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

// ErrNotFound is wrapped by the error about a tensor that a file does not have.
var ErrNotFound = errors.New("gguf: no such tensor")

// Options are the limits of a reader. Nil and zeros mean the defaults.
type Options struct {
	// MaxHeader bounds the bytes of metadata and of tensors' names and shapes; 0 means
	// [DefaultMaxHeader]. They take about four times as much memory.
	MaxHeader int64

	// MaxTensor bounds the bytes of a tensor that is read, in the file and as float32;
	// 0 means [DefaultMaxTensor].
	MaxTensor int64
}

// The defaults: vocabularies take some 10 MB, the largest tensors of today some 8 GB.
const (
	DefaultMaxHeader = 256 << 20
	DefaultMaxTensor = 16 << 30
)

// A File is an open GGUF file.
type File struct {
	Version  uint32
	Metadata []KeyValue // in the order of the file
	Tensors  []*Tensor  // likewise
}

// A KeyValue is an entry of the metadata. Value is a bool, string, integer or float of
// the type in the file, or a slice of one of them; arrays of arrays are []any.
type KeyValue struct {
	Key   string
	Value any
}

// A Tensor is a tensor of a File. It may be read by several goroutines at a time if the
// file's reader allows it.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int // the last dimension varies fastest; its blocks are whole
	Offset int64 // in the file
	Bytes  int64

	r         io.ReaderAt
	maxTensor int64
}

const (
	magic     = "GGUF"
	maxDims   = 4 // GGML_MAX_DIMS
	alignment = 32
	// maxDepth bounds arrays of arrays.
	maxDepth = 4
)

// New reads the header of the GGUF file of so many bytes in r, which must stay open while
// tensors are read.
func New(r io.ReaderAt, size int64, options *Options) (*File, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.MaxHeader < 0 || o.MaxTensor < 0 {
		return nil, fmt.Errorf("gguf: limits of %d and %d bytes", o.MaxHeader, o.MaxTensor)
	}
	if o.MaxHeader == 0 {
		o.MaxHeader = DefaultMaxHeader
	}
	if o.MaxTensor == 0 {
		o.MaxTensor = DefaultMaxTensor
	}
	h := &header{
		r:     bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<16),
		left:  min(size, o.MaxHeader),
		limit: size > o.MaxHeader,
	}
	f, err := h.file()
	if h.err != nil {
		err = h.err
	}
	if err != nil {
		return nil, err
	}
	align := int64(alignment)
	for _, kv := range f.Metadata {
		if kv.Key == "general.alignment" {
			v, ok := kv.Value.(uint32)
			if !ok || v == 0 || v&(v-1) != 0 {
				return nil, tensorfile.FormatError(fmt.Sprintf("alignment of %v", kv.Value))
			}
			align = int64(v)
		}
	}
	// Offsets in the file count from the first aligned byte behind the header.
	start := (h.read + align - 1) / align * align
	seen := map[string]bool{}
	for _, t := range f.Tensors {
		if seen[t.Name] {
			return nil, tensorfile.FormatError(fmt.Sprintf("two tensors are called %q", t.Name))
		}
		seen[t.Name] = true
		if t.Offset%align != 0 || t.Offset < 0 || t.Offset > size-start || t.Bytes > size-start-t.Offset {
			return nil, tensorfile.FormatError(fmt.Sprintf("tensor %q of %d bytes at %d of %d", t.Name, t.Bytes, t.Offset, size-start))
		}
		t.Offset += start
		t.r, t.maxTensor = r, o.MaxTensor
	}
	return f, nil
}

// Tensor returns the tensor of a name.
func (f *File) Tensor(name string) (*Tensor, error) {
	i := slices.IndexFunc(f.Tensors, func(t *Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	return f.Tensors[i], nil
}

// Value returns the metadata of a key, nil if there is none.
func (f *File) Value(key string) any {
	for _, kv := range f.Metadata {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// A header reads the part before the tensors. After an error it returns zeros.
type header struct {
	r     *bufio.Reader
	read  int64
	left  int64 // bytes that may be read
	limit bool  // left is less than the file has
	err   error
}

func (h *header) fail(format string, args ...any) {
	if h.err == nil {
		h.err = tensorfile.FormatError(fmt.Sprintf(format, args...))
	}
}

// need reports whether n things of so many bytes each can follow.
func (h *header) need(n uint64, size int64) bool {
	if h.err != nil {
		return false
	}
	if n > uint64(h.left/size) {
		if h.limit {
			h.err = fmt.Errorf("%w for a header", tensorfile.ErrTooLarge)
		} else {
			h.fail("the header is cut off")
		}
		return false
	}
	return true
}

func (h *header) bytes(n uint64) []byte {
	if !h.need(n, 1) {
		return nil
	}
	// The file is at least as long, so the memory is less than its size.
	b := make([]byte, n)
	if _, err := io.ReadFull(h.r, b); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			h.fail("the header is cut off")
		} else {
			h.err = err
		}
		return nil
	}
	h.read += int64(n)
	h.left -= int64(n)
	return b
}

func (h *header) uint(bytes uint64) uint64 {
	var b [8]byte
	copy(b[:], h.bytes(bytes))
	return binary.LittleEndian.Uint64(b[:])
}

func (h *header) string() string { return string(h.bytes(h.uint(8))) }

// name reads a string that must be UTF-8. Others may not be: vocabularies hold pieces of
// characters.
func (h *header) name() string {
	s := h.string()
	if !utf8.ValidString(s) {
		h.fail("a name that is not UTF-8: %q", s)
	}
	return s
}

func (h *header) file() (*File, error) {
	if string(h.bytes(4)) != magic {
		h.fail("no GGUF file")
		return nil, h.err
	}
	f := &File{Version: uint32(h.uint(4))}
	switch {
	case h.err != nil:
		return nil, h.err
	case f.Version != 0 && f.Version&0xffff == 0:
		return nil, tensorfile.UnsupportedError("a GGUF file of big endian numbers")
	case f.Version != 2 && f.Version != 3:
		return nil, tensorfile.UnsupportedError(fmt.Sprintf("GGUF version %d", f.Version))
	}
	tensors, pairs := h.uint(8), h.uint(8)
	// A pair takes at least 13 bytes, a tensor 24.
	if !h.need(pairs, 13) || !h.need(tensors, 24) {
		return nil, h.err
	}
	keys := map[string]bool{}
	for range pairs {
		key := h.name()
		value := h.value(uint32(h.uint(4)), 0)
		if h.err == nil && keys[key] {
			h.fail("key %q is there twice", key)
		}
		if h.err != nil {
			return nil, h.err
		}
		keys[key] = true
		f.Metadata = append(f.Metadata, KeyValue{key, value})
	}
	for range tensors {
		t := &Tensor{Name: h.name()}
		dims := h.uint(4)
		if dims > maxDims {
			h.fail("tensor %q has %d dimensions, at most %d can be", t.Name, dims, maxDims)
			return nil, h.err
		}
		n := uint64(1)
		for range dims {
			d := h.uint(8)
			if d > math.MaxInt || d != 0 && n > math.MaxInt/d {
				h.fail("tensor %q is too large to be one", t.Name)
				return nil, h.err
			}
			n *= d
			t.Shape = append(t.Shape, int(d))
		}
		slices.Reverse(t.Shape) // the file has the fastest first
		t.Type = Type(h.uint(4))
		t.Offset = int64(h.uint(8))
		if h.err != nil {
			return nil, h.err
		}
		layout, ok := layouts[t.Type]
		if !ok {
			return nil, tensorfile.UnsupportedError(fmt.Sprintf("type %d of tensor %q", t.Type, t.Name))
		}
		row := 1
		if len(t.Shape) > 0 {
			row = t.Shape[len(t.Shape)-1]
		}
		if row%layout.len != 0 {
			return nil, tensorfile.FormatError(fmt.Sprintf("tensor %q has rows of %d weights in blocks of %d", t.Name, row, layout.len))
		}
		if n/uint64(layout.len) > math.MaxInt64/uint64(layout.bytes) {
			return nil, tensorfile.FormatError(fmt.Sprintf("tensor %q is too large to be one", t.Name))
		}
		t.Bytes = int64(n) / int64(layout.len) * int64(layout.bytes)
		f.Tensors = append(f.Tensors, t)
	}
	return f, nil
}

// The types of metadata.
const (
	valueU8 = iota
	valueI8
	valueU16
	valueI16
	valueU32
	valueI32
	valueF32
	valueBool
	valueString
	valueArray
	valueU64
	valueI64
	valueF64
)

func (h *header) value(kind uint32, depth int) any {
	switch kind {
	case valueU8:
		return uint8(h.uint(1))
	case valueI8:
		return int8(h.uint(1))
	case valueU16:
		return uint16(h.uint(2))
	case valueI16:
		return int16(h.uint(2))
	case valueU32:
		return uint32(h.uint(4))
	case valueI32:
		return int32(h.uint(4))
	case valueF32:
		return math.Float32frombits(uint32(h.uint(4)))
	case valueBool:
		return h.uint(1) != 0
	case valueString:
		return h.string()
	case valueArray:
		return h.array(depth)
	case valueU64:
		return h.uint(8)
	case valueI64:
		return int64(h.uint(8))
	case valueF64:
		return math.Float64frombits(h.uint(8))
	}
	h.fail("metadata of type %d", kind)
	return nil
}

func (h *header) array(depth int) any {
	kind, n := uint32(h.uint(4)), h.uint(8)
	switch kind {
	case valueU8:
		return h.bytes(n)
	case valueI8:
		return list(h, n, 1, func() int8 { return int8(h.uint(1)) })
	case valueU16:
		return list(h, n, 2, func() uint16 { return uint16(h.uint(2)) })
	case valueI16:
		return list(h, n, 2, func() int16 { return int16(h.uint(2)) })
	case valueU32:
		return list(h, n, 4, func() uint32 { return uint32(h.uint(4)) })
	case valueI32:
		return list(h, n, 4, func() int32 { return int32(h.uint(4)) })
	case valueF32:
		return list(h, n, 4, func() float32 { return math.Float32frombits(uint32(h.uint(4))) })
	case valueBool:
		return list(h, n, 1, func() bool { return h.uint(1) != 0 })
	case valueString:
		return list(h, n, 8, h.string)
	case valueU64:
		return list(h, n, 8, func() uint64 { return h.uint(8) })
	case valueI64:
		return list(h, n, 8, func() int64 { return int64(h.uint(8)) })
	case valueF64:
		return list(h, n, 8, func() float64 { return math.Float64frombits(h.uint(8)) })
	case valueArray:
		if depth == maxDepth {
			h.fail("arrays within arrays, more than %d deep", maxDepth)
			return nil
		}
		return list(h, n, 12, func() any { return h.array(depth + 1) })
	}
	h.fail("an array of type %d", kind)
	return nil
}

// list reads n things of at least so many bytes each.
func list[T any](h *header, n uint64, size int64, one func() T) []T {
	if !h.need(n, size) {
		return nil
	}
	all := make([]T, 0, n)
	for range n {
		all = append(all, one())
		if h.err != nil {
			return nil
		}
	}
	return all
}
