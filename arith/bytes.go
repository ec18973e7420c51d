package arith

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Self-contained blocks of bytes: a mode, the length, and by mode the bytes
// themselves, the one symbol they consist of, or a table and a stream.

// The modes of a block.
const (
	blockRaw         = iota // the bytes
	blockRun                // one byte, repeated
	blockRANS               // a ByteTable and the stream of a RANSEncoder of 1 lane
	blockInterleaved        // a ByteTable and the stream of EncodeInterleaved
)

// interleavedMin is the size from which the states of all lanes are cheap beside
// the content.
const interleavedMin = 8 << 10

// ErrTooLarge is the error of input that wants to decode to more than the limit.
var ErrTooLarge = errors.New("arith: output exceeds the limit")

// CompressBytes appends to dst a block that holds src, coded with its own static
// frequencies, and returns it. A block is at most 11 bytes larger than src.
func CompressBytes(dst, src []byte) []byte {
	counts := histogram(src)
	head := len(dst)
	mode := blockInterleaved
	switch {
	case len(src) == 0:
		mode = blockRaw
	case counts[src[0]] == uint32(len(src)):
		mode = blockRun
	case len(src) < interleavedMin:
		mode = blockRANS
	}
	begin := func(mode int) []byte {
		return binary.AppendUvarint(append(dst[:head], byte(mode)), uint64(len(src)))
	}
	dst = begin(mode)
	switch mode {
	case blockRun:
		return append(dst, src[0])
	case blockRANS, blockInterleaved:
		tab := NewByteTable(counts)
		buf := bytes.NewBuffer(dst)
		w := NewHeaderWriter(buf)
		tab.Write(w)
		w.Close() // writing to a buffer does not fail
		dst = buf.Bytes()
		if mode == blockInterleaved {
			dst = encodeInterleaved(dst, src, tab.InterleavedTable())
		} else {
			e, t := NewRANSEncoder(1), tab.EncTable()
			for _, s := range src {
				e.Put(0, t, s)
			}
			dst, _ = e.Finish(dst) // every symbol was counted
		}
		if len(dst)-head < len(src)+2 {
			return dst
		}
		dst = begin(blockRaw)
	}
	return append(dst, src...)
}

// histogram counts the bytes of src.
func histogram(src []byte) *[256]uint32 {
	// Four sets of counters: equal bytes in a row would otherwise wait for each
	// other.
	var c [4][256]uint32
	for ; len(src) >= 8; src = src[8:] {
		v := binary.LittleEndian.Uint64(src)
		c[0][byte(v)]++
		c[1][byte(v>>8)]++
		c[2][byte(v>>16)]++
		c[3][byte(v>>24)]++
		c[0][byte(v>>32)]++
		c[1][byte(v>>40)]++
		c[2][byte(v>>48)]++
		c[3][byte(v>>56)]++
	}
	for _, s := range src {
		c[0][s]++
	}
	for i := range c[0] {
		c[0][i] += c[1][i] + c[2][i] + c[3][i]
	}
	return &c[0]
}

// DecompressBytes appends to dst what the block in, which must hold nothing
// else, was made from. It returns [ErrTooLarge], before it allocates, if that is
// more than limit bytes; and [ErrTruncated], [ErrCorrupt] or another error, with
// dst unchanged, if in is no block.
func DecompressBytes(dst, in []byte, limit int) ([]byte, error) {
	if len(in) == 0 {
		return dst, ErrTruncated
	}
	mode, in := in[0], in[1:]
	size, k := binary.Uvarint(in)
	if k <= 0 {
		return dst, ErrTruncated
	}
	in = in[k:]
	if size > uint64(max(0, limit)) {
		return dst, ErrTooLarge
	}
	n := int(size)
	if mode == blockRaw {
		if n != len(in) {
			return dst, ErrCorrupt
		}
		return append(dst, in...), nil
	}
	head := len(dst)
	out := append(dst, make([]byte, n)...)
	content := out[head:]
	var err error
	switch mode {
	case blockRun:
		if len(in) != 1 {
			return dst, ErrCorrupt
		}
		for i := range content {
			content[i] = in[0]
		}
	case blockRANS, blockInterleaved:
		r := bytes.NewReader(in)
		tab, tabErr := ReadByteTable(NewHeaderReader(r))
		if tabErr != nil {
			return dst, tabErr
		}
		in = in[len(in)-r.Len():]
		if mode == blockInterleaved {
			err = DecodeInterleaved(content, in, tab.DecTable())
		} else {
			err = decodeRANS(content, in, tab.DecTable())
		}
	default:
		err = ErrCorrupt
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

func decodeRANS(dst, in []byte, t *DecTable) error {
	d, err := NewRANSDecoder(in, 1)
	if err != nil {
		return err
	}
	for i := range dst {
		if i&1023 == 1023 && d.Err() != nil {
			break
		}
		dst[i] = d.Decode(0, t)
	}
	return d.Close()
}
