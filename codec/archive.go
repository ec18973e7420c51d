package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A codec may write files that are more than the one picture that an Encoder codes,
// such as archives of many pictures with the same header. NewSectionWriter writes
// the frame of such a file, and a SectionFile reads its sections in any order.

// NewSectionWriter writes the header of a file, and metadata unless m is nil, and
// returns a SectionWriter for the sections of h.Codec, which must be registered. The
// codec's version is filled in. [SectionWriter.End] ends the file.
//
// Pictures go through an [Encoder]; this is for codecs whose files hold more.
func NewSectionWriter(w io.Writer, h *Header, m *Metadata) (*SectionWriter, error) {
	head := *h
	for _, c := range Codecs() {
		if c.Name == h.Codec {
			head.CodecID, head.CodecVersion = c.ID, c.Version
			s := &SectionWriter{w: w, known: c.Sections}
			if err := head.check(); err != nil {
				return nil, err
			}
			if err := s.raw(appendHeader(nil, &head)); err != nil {
				return nil, err
			}
			if m == nil {
				return s, nil
			}
			if err := m.check(); err != nil {
				return nil, err
			}
			return s, m.write(s)
		}
	}
	return nil, UnsupportedError(fmt.Sprintf("codec %q is not registered", h.Codec))
}

// End ends a file begun by [NewSectionWriter].
func (w *SectionWriter) End() error { return w.write(kindEnd, true, nil) }

// A SectionFile reads the sections of a file in any order, each with its checksum, so
// that damage to one leaves the others readable. It is safe for concurrent use if its
// io.ReaderAt is.
type SectionFile struct {
	r        io.ReaderAt
	size     int64
	header   *Header
	metadata *Metadata
	first    int64
}

// OpenSections reads the header and the metadata of a file of size bytes and checks
// them against the limits. A nil o means [DefaultDecodeOptions].
func OpenSections(r io.ReaderAt, size int64, o *DecodeOptions) (*SectionFile, error) {
	d, err := NewDecoder(io.NewSectionReader(r, 0, size), o)
	if err != nil {
		return nil, err
	}
	if size > d.o.Limits.MaxBytes {
		return nil, fmt.Errorf("%w: file of %d bytes, MaxBytes is %d", ErrTooLarge, size, d.o.Limits.MaxBytes)
	}
	f := &SectionFile{r: r, size: size, header: d.header, metadata: d.metadata, first: d.Size()}
	// The head of the section after the metadata has been read.
	if h := d.r.head; h != nil {
		f.first -= h.Size - h.Payload - crc32.Size
	} else {
		f.first -= EndSize
	}
	return f, nil
}

// Header describes the pictures.
func (f *SectionFile) Header() Header { return *f.header }

// Metadata returns what is stored beside the pictures. It is never nil.
func (f *SectionFile) Metadata() *Metadata { return f.metadata }

// First returns where the first section after the metadata begins, in bytes from the
// start of the file.
func (f *SectionFile) First() int64 { return f.first }

// Size returns the size of the file.
func (f *SectionFile) Size() int64 { return f.size }

// ReadAt fills p from an offset, with no regard to sections.
func (f *SectionFile) ReadAt(p []byte, at int64) error {
	n, err := f.r.ReadAt(p, at)
	if n == len(p) {
		return nil // a reader may say io.EOF with the last bytes
	}
	return truncated(err)
}

// maxSectionHead is the most that comes before a payload.
const maxSectionHead = 4 + binary.MaxVarintLen64

// Head returns what the section that begins at an offset says of itself, which no
// checksum has confirmed; the next one begins info.Size bytes later. At the end of
// the file it returns io.EOF.
func (f *SectionFile) Head(at int64) (info SectionInfo, err error) {
	if at < f.first || at >= f.size {
		return info, FormatError(fmt.Sprintf("no section at %d of %d bytes", at, f.size))
	}
	head := make([]byte, min(maxSectionHead, f.size-at))
	if err := f.ReadAt(head, at); err != nil {
		return info, err
	}
	s := &sumReader{r: bytes.NewReader(head)}
	var kind [4]byte
	if err := s.full(kind[:]); err != nil {
		return info, err
	}
	length, err := s.uvarint()
	if err != nil {
		return info, err
	}
	info = SectionInfo{Kind: string(kind[:]), Mandatory: length&1 != 0, Payload: int64(length >> 1)}
	if info.Payload > min(f.size-at-s.n-crc32.Size, math.MaxInt) {
		return info, fmt.Errorf("burin: truncated file: section %q of %d bytes: %w", kind, info.Payload, io.ErrUnexpectedEOF)
	}
	info.Size = s.n + info.Payload + crc32.Size
	if info.Kind == kindEnd {
		if info.Payload != 0 || !info.Mandatory {
			return info, FormatError("malformed end")
		}
		return info, io.EOF
	}
	return info, nil
}

// Section returns the section that begins at an offset. The payload has passed its
// checksum and is the caller's.
func (f *SectionFile) Section(at int64) (info SectionInfo, payload []byte, err error) {
	if info, err = f.Head(at); err != nil {
		return info, nil, err
	}
	b := make([]byte, info.Size)
	if err := f.ReadAt(b, at); err != nil {
		return info, nil, err
	}
	body := b[:len(b)-crc32.Size]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return info, nil, fmt.Errorf("%w in the section %q", ErrChecksum, info.Kind)
	}
	return info, body[int64(len(body))-info.Payload:], nil
}
