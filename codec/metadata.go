package codec

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
)

// Metadata travels with a picture, byte for byte. An empty field is absent.
type Metadata struct {
	ICC  []byte // ICC colour profile
	EXIF []byte // EXIF from its TIFF header on, without "Exif\0\0"
	XMP  []byte // XMP packet
}

// MaxMetadata is the largest size in bytes of each field of Metadata.
const MaxMetadata = 1 << 26

// Metadata sections are optional, come before those of the codec, each kind at
// most once, and hold
//
//	method  0: stored, 1: deflate
//	size    uvarint, with method 1 only: bytes of data once inflated, at least 1
//	data
var metadataKinds = [...]string{"ICCP", "EXIF", "XMP "}

const (
	methodStored  = 0
	methodDeflate = 1
)

// fields returns the fields in the order of metadataKinds.
func (m *Metadata) fields() [len(metadataKinds)]*[]byte {
	return [...]*[]byte{&m.ICC, &m.EXIF, &m.XMP}
}

func (m *Metadata) check() error {
	for i, f := range m.fields() {
		if len(*f) > MaxMetadata {
			return fmt.Errorf("%w: %s metadata of %d bytes, at most %d", ErrTooLarge, metadataKinds[i], len(*f), MaxMetadata)
		}
	}
	return nil
}

func (m *Metadata) write(w *SectionWriter) error {
	for i, f := range m.fields() {
		if len(*f) == 0 {
			continue
		}
		if err := w.write(metadataKinds[i], false, packMetadata(*f)); err != nil {
			return err
		}
	}
	return nil
}

// packMetadata returns the payload of a metadata section.
func packMetadata(data []byte) []byte {
	var b bytes.Buffer
	b.WriteByte(methodDeflate)
	b.Write(binary.AppendUvarint(nil, uint64(len(data))))
	// Neither a valid level nor a bytes.Buffer can fail.
	fw, _ := flate.NewWriter(&b, flate.BestCompression)
	fw.Write(data)
	fw.Close()
	if b.Len() <= len(data) {
		return b.Bytes()
	}
	return append([]byte{methodStored}, data...)
}

// unpackMetadata is the inverse of packMetadata.
func unpackMetadata(payload []byte, limit int64) ([]byte, error) {
	if len(payload) < 2 {
		return nil, FormatError("empty metadata")
	}
	method, data := payload[0], payload[1:]
	switch method {
	case methodStored:
		if len(data) > MaxMetadata {
			return nil, fmt.Errorf("%w: metadata of %d bytes", ErrTooLarge, len(data))
		}
		return data, nil
	case methodDeflate:
		size, n := binary.Uvarint(data)
		if n <= 0 || size == 0 {
			return nil, FormatError("bad size of metadata")
		}
		if size > uint64(min(limit, MaxMetadata)) {
			return nil, fmt.Errorf("%w: metadata of %d bytes", ErrTooLarge, size)
		}
		// Reading one byte more than size tells data that is too long. The
		// buffer grows with what has been inflated.
		var out bytes.Buffer
		fr := flate.NewReader(bytes.NewReader(data[n:]))
		if _, err := io.Copy(&out, io.LimitReader(fr, int64(size)+1)); err != nil {
			return nil, FormatError("metadata: " + err.Error())
		}
		if uint64(out.Len()) != size {
			return nil, FormatError(fmt.Sprintf("metadata of %d bytes claims %d", out.Len(), size))
		}
		return out.Bytes(), nil
	}
	return nil, UnsupportedError(fmt.Sprintf("metadata method %d", method))
}

// readMetadata reads the metadata at the start of the sections.
func readMetadata(r *SectionReader) (*Metadata, error) {
	m := new(Metadata)
	for {
		info, err := r.peek()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return nil, err
		}
		var field *[]byte
		for i, f := range m.fields() {
			if info.Kind == metadataKinds[i] {
				field = f
			}
		}
		if field == nil {
			return m, nil
		}
		if len(*field) > 0 {
			return nil, FormatError(fmt.Sprintf("two sections of %q", info.Kind))
		}
		payload, err := r.payload()
		if err != nil {
			return nil, err
		}
		if *field, err = unpackMetadata(payload, r.limit); err != nil {
			return nil, err
		}
	}
}
