package codec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// byteReader is what reading varints needs.
type byteReader interface {
	io.Reader
	io.ByteReader
}

func newByteReader(r io.Reader) byteReader {
	if br, ok := r.(byteReader); ok {
		return br
	}
	return bufio.NewReader(r)
}

// sumReader counts and sums what is read through it. All that is read through
// it is owed by the file, so the end of the input is an error that wraps
// io.ErrUnexpectedEOF.
type sumReader struct {
	r   byteReader
	n   int64  // bytes read
	crc uint32 // of the bytes since it was last set to 0
}

func (s *sumReader) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, truncated(err)
	}
	s.n++
	s.crc = crc32.Update(s.crc, castagnoli, []byte{b})
	return b, nil
}

// full fills p.
func (s *sumReader) full(p []byte) error {
	n, err := io.ReadFull(s.r, p)
	s.n += int64(n)
	s.crc = crc32.Update(s.crc, castagnoli, p[:n])
	return truncated(err)
}

// uvarint reads a number as encoding/binary writes it.
func (s *sumReader) uvarint() (uint64, error) {
	var v uint64
	for i := range binary.MaxVarintLen64 {
		b, err := s.ReadByte()
		if err != nil {
			return 0, err
		}
		if i == binary.MaxVarintLen64-1 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, FormatError("number of more than 64 bits")
}

// checksum reads a checksum and compares it with that of the bytes before it.
func (s *sumReader) checksum(of string) error {
	sum := s.crc
	var b [4]byte
	if err := s.full(b[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[:]) != sum {
		return fmt.Errorf("%w in the %s", ErrChecksum, of)
	}
	return nil
}

// appendChecksum appends the checksum of b to it.
func appendChecksum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// truncated turns the end of the input into io.ErrUnexpectedEOF.
func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("burin: truncated file: %w", io.ErrUnexpectedEOF)
	}
	return err
}
