package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/kernels"
)

// A block is, for each plane from the lowest bytes to the highest, a varint of twice its
// length, plus one if it is coded, and the plane.

// ErrCorrupt is wrapped by the errors about input that no encoder wrote.
var ErrCorrupt = errors.New("tensor: corrupt input")

// Append appends to dst the coded form of data, numbers of size bytes each, little
// endian, and returns it. It is at most 5 bytes a plane longer than data while that is
// below 2 GiB. Numbers of 2, 4 and 8 bytes are taken apart into as many planes, all others
// are one. It panics if data is not a whole number of them.
//
// One table serves each plane, so numbers that differ much in scale are better coded as
// several blocks; some 100,000 numbers are enough for a table to cost nothing.
func Append(dst, data []byte, size int) []byte { return new(coder).append(dst, data, size) }

// Decode sets dst to the numbers of size bytes that in, made by [Append] for as many
// bytes, stands for. It returns an error that wraps [ErrCorrupt] if in is something else.
func Decode(dst, in []byte, size int) error { return new(coder).decode(dst, in, size) }

// A coder has the memory for planes.
type coder struct{ planes []byte }

// planesOf returns how many planes numbers of a size have.
func planesOf(size int) int {
	switch size {
	case 2, 4, 8:
		return size
	}
	return 1
}

// grow returns memory for n bytes of planes.
func (c *coder) grow(n int) []byte {
	if cap(c.planes) < n {
		c.planes = make([]byte, n)
	}
	return c.planes[:n]
}

func (c *coder) append(dst, data []byte, size int) []byte {
	if size < 1 || len(data)%size != 0 {
		panic(fmt.Sprintf("tensor: %d bytes of numbers of %d", len(data), size))
	}
	count, planes := planesOf(size), data
	if count > 1 {
		planes = c.grow(len(data))
		kernels.SplitPlanes(planes, data, size)
	}
	n := len(data) / count
	for j := range count {
		dst = appendPlane(dst, planes[j*n:(j+1)*n])
	}
	return dst
}

// appendPlane appends a plane, coded if that makes it shorter.
func appendPlane(dst, plane []byte) []byte {
	head := len(dst)
	if worthCoding(plane) {
		// The length comes first: make room for the longest it can be, and close the gap.
		var gap [binary.MaxVarintLen64]byte
		most := binary.PutUvarint(gap[:], uint64(len(plane))<<1)
		dst = arith.CompressBytes(append(dst, gap[:most]...), plane)
		if coded := len(dst) - head - most; coded < len(plane) {
			k := binary.PutUvarint(gap[:], uint64(coded)<<1|1)
			copy(dst[head:], gap[:k])
			return dst[:head+k+copy(dst[head+k:], dst[head+most:])]
		}
		dst = dst[:head]
	}
	return append(binary.AppendUvarint(dst, uint64(len(plane))<<1), plane...)
}

// sampleSize is the bytes of a plane that decide whether it is coded.
const sampleSize = 8 << 10

// worthCoding reports whether a sample of a plane shows it to have less than about 7.9
// bits of information a byte. Near the uniform distribution, the entropy is 8 bits less
// 0.72 times by how much the sum of squares of probabilities exceeds 1/256, relatively;
// the sample adds 0.03 to that of its own.
func worthCoding(plane []byte) bool {
	if len(plane) < 16 {
		return false
	}
	if len(plane) <= sampleSize {
		return true
	}
	const parts = 16
	var counts [256]uint32
	for i := range parts {
		at := (len(plane) - sampleSize/parts) / (parts - 1) * i
		for _, b := range plane[at : at+sampleSize/parts] {
			counts[b]++
		}
	}
	squares := uint64(0)
	for _, c := range counts {
		squares += uint64(c) * uint64(c)
	}
	return squares*256*100 > 117*sampleSize*sampleSize
}

func (c *coder) decode(dst, in []byte, size int) error {
	if size < 1 || len(dst)%size != 0 {
		return fmt.Errorf("%w: %d bytes of numbers of %d", ErrCorrupt, len(dst), size)
	}
	count, planes := planesOf(size), dst
	if count > 1 {
		planes = c.grow(len(dst))
	}
	n := len(dst) / count
	for j := range count {
		v, k := binary.Uvarint(in)
		if k <= 0 || v>>1 > uint64(len(in)-k) {
			return fmt.Errorf("%w: a plane is cut off", ErrCorrupt)
		}
		content := in[k : k+int(v>>1)]
		in = in[k+len(content):]
		plane := planes[j*n : (j+1)*n : (j+1)*n]
		if v&1 != 0 {
			got, err := arith.DecompressBytes(plane[:0], content, n)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			if len(got) != n {
				return fmt.Errorf("%w: a plane of %d bytes, not %d", ErrCorrupt, len(got), n)
			}
		} else if copy(plane, content) != n || len(content) != n {
			return fmt.Errorf("%w: a plane of %d bytes, not %d", ErrCorrupt, len(content), n)
		}
	}
	if len(in) != 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(in))
	}
	if count > 1 {
		kernels.JoinPlanes(dst, planes, size)
	}
	return nil
}
