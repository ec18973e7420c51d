package codec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// A section is
//
//	kind      4 bytes of printable ASCII
//	length    uvarint: bytes of payload * 2 + 1 if mandatory
//	payload
//	checksum  CRC-32C of all of the above, little-endian
//
// and the last one is an empty mandatory section of kind "END ".

const kindEnd = "END "

// A SectionInfo says what a section of a file takes.
type SectionInfo struct {
	Kind      string
	Mandatory bool
	Payload   int64 // bytes of payload
	Size      int64 // bytes in the file, framing included

	// Begin is the first bytes of the payload, at most 32, of sections that were read
	// by a Decoder: enough for a codec to say what it coded with.
	Begin string
}

// beginBytes is the length of SectionInfo.Begin.
const beginBytes = 32

// checkKind returns an error unless a codec may use the kind of section.
func checkKind(kind string) error {
	if len(kind) != 4 {
		return FormatError(fmt.Sprintf("section kind %q is not of 4 bytes", kind))
	}
	for _, c := range []byte(kind) {
		if c < ' ' || c > '~' {
			return FormatError(fmt.Sprintf("section kind %q is not printable ASCII", kind))
		}
	}
	if kind == kindEnd || slices.Contains(metadataKinds[:], kind) {
		return FormatError(fmt.Sprintf("section kind %q is reserved", kind))
	}
	return nil
}

// A SectionWriter writes the sections of a file. It is not safe for concurrent
// use: [RunOrdered] emits from one goroutine.
type SectionWriter struct {
	w        io.Writer
	known    []string
	n        int64 // bytes of the file written so far
	sections []SectionInfo
}

// Write writes a section. The kind must be among those the codec registered; a
// decoder that does not know it skips it, or refuses the file if it is
// mandatory. The payload is not kept.
func (w *SectionWriter) Write(kind string, mandatory bool, payload []byte) error {
	if !slices.Contains(w.known, kind) {
		return FormatError(fmt.Sprintf("section kind %q is not among those the codec registered", kind))
	}
	return w.write(kind, mandatory, payload)
}

func (w *SectionWriter) write(kind string, mandatory bool, payload []byte) error {
	head := sectionHead(kind, mandatory, int64(len(payload)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
	before := w.n
	for _, b := range [...][]byte{head, payload, binary.LittleEndian.AppendUint32(nil, sum)} {
		if err := w.raw(b); err != nil {
			return err
		}
	}
	w.sections = append(w.sections, SectionInfo{Kind: kind, Mandatory: mandatory, Payload: int64(len(payload)), Size: w.n - before})
	return nil
}

func (w *SectionWriter) raw(b []byte) error {
	n, err := w.w.Write(b)
	w.n += int64(n)
	return err
}

// Written returns how many bytes of the file have been written, the header and
// the metadata included.
func (w *SectionWriter) Written() int64 { return w.n }

// SectionSize returns how many bytes of a file a section with a payload of n
// bytes takes.
func SectionSize(n int) int { return len(sectionHead(kindEnd, true, int64(n))) + n + crc32.Size }

// EndSize is how many bytes follow the last section of a codec.
const EndSize = 4 + 1 + crc32.Size

func sectionHead(kind string, mandatory bool, n int64) []byte {
	length := uint64(n) << 1
	if mandatory {
		length |= 1
	}
	return binary.AppendUvarint([]byte(kind), length)
}

// A SectionReader reads the sections of a file. It is not safe for concurrent
// use: [RunFed] reads from one goroutine.
type SectionReader struct {
	s        *sumReader
	limit    int64 // bytes of the file that may be read
	known    []string
	sections []SectionInfo
	head     *SectionInfo // the one whose payload comes next, if it has been read
	conceal  bool         // passes over damaged optional sections
	ended    bool
}

// Next returns the next section of a kind the codec registered, or io.EOF after
// the last one. The payload has passed its checksum and is the caller's. An optional
// section that does not pass is left out if the decoder conceals, and a file that is cut
// off then ends there.
func (r *SectionReader) Next() (kind string, payload []byte, err error) {
	kind, payload, err = r.next()
	if r.conceal && errors.Is(err, io.ErrUnexpectedEOF) {
		r.ended, err = true, io.EOF
	}
	return kind, payload, err
}

func (r *SectionReader) next() (kind string, payload []byte, err error) {
	for {
		info, err := r.peek()
		if err != nil {
			return "", nil, err
		}
		if slices.Contains(r.known, info.Kind) {
			payload, err := r.payload()
			if r.conceal && !info.Mandatory && errors.Is(err, ErrChecksum) {
				r.head = nil
				continue
			}
			if err != nil {
				return "", nil, err
			}
			return info.Kind, payload, nil
		}
		if slices.Contains(metadataKinds[:], info.Kind) {
			return "", nil, FormatError(fmt.Sprintf("metadata section %q after others", info.Kind))
		}
		if info.Mandatory {
			return "", nil, UnsupportedError(fmt.Sprintf("unknown mandatory section %q", info.Kind))
		}
		if err := r.skip(); err != nil {
			return "", nil, err
		}
	}
}

// peek reads what comes before the payload of the next section. It returns
// io.EOF when that is the end of the file.
func (r *SectionReader) peek() (*SectionInfo, error) {
	if r.ended {
		return nil, io.EOF
	}
	if r.head != nil {
		return r.head, nil
	}
	before := r.s.n
	r.s.crc = 0
	var kind [4]byte
	if err := r.s.full(kind[:]); err != nil {
		return nil, err
	}
	length, err := r.s.uvarint()
	if err != nil {
		return nil, err
	}
	info := &SectionInfo{Kind: string(kind[:]), Mandatory: length&1 != 0, Payload: int64(length >> 1)}
	if info.Payload > min(r.limit-r.s.n, math.MaxInt) {
		return nil, fmt.Errorf("%w: section %q of %d bytes, MaxBytes is %d", ErrTooLarge, kind, info.Payload, r.limit)
	}
	info.Size = r.s.n - before + info.Payload + crc32.Size
	if info.Kind != kindEnd {
		r.head = info
		return info, nil
	}
	if info.Payload != 0 || !info.Mandatory {
		return nil, FormatError("malformed end")
	}
	if err := r.s.checksum("end"); err != nil {
		return nil, err
	}
	r.sections = append(r.sections, *info)
	r.ended = true
	return nil, io.EOF
}

// firstChunk is how much is allocated for a payload before any of it has been
// read. From there on, no more is allocated than has been read.
const firstChunk = 1 << 16

// payload reads the payload of the section that peek has returned.
func (r *SectionReader) payload() ([]byte, error) {
	size := int(r.head.Payload)
	p := make([]byte, min(size, firstChunk))
	for got := 0; ; {
		if err := r.s.full(p[got:]); err != nil {
			return nil, err
		}
		if got = len(p); got == size {
			break
		}
		p = append(make([]byte, 0, min(size, 2*got)), p...)
		p = p[:cap(p)]
	}
	r.head.Begin = string(p[:min(size, beginBytes)])
	return p, r.closeSection()
}

// skip reads past the payload of the section that peek has returned.
func (r *SectionReader) skip() error {
	var chunk [4096]byte
	for left := r.head.Payload; left > 0; {
		n := min(left, int64(len(chunk)))
		if err := r.s.full(chunk[:n]); err != nil {
			return err
		}
		if left == r.head.Payload {
			r.head.Begin = string(chunk[:min(n, beginBytes)])
		}
		left -= n
	}
	return r.closeSection()
}

func (r *SectionReader) closeSection() error {
	if err := r.s.checksum(fmt.Sprintf("section %q", r.head.Kind)); err != nil {
		return err
	}
	r.sections = append(r.sections, *r.head)
	r.head = nil
	return nil
}

// drain skips all sections up to the end.
func (r *SectionReader) drain(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.peek(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
}
