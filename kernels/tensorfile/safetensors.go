package tensorfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A file is an eight-byte length, that many bytes of a JSON object, and the
// tensors' bytes. The object has, by the tensor's name, its dtype, shape and
// [begin, end) in those bytes, and "__metadata__" with strings. The tensors
// cover the bytes without holes or overlap.

const (
	// maxHeader is the limit of the format's own reader.
	maxHeader   = 100 << 20
	metadataKey = "__metadata__"
)

// ReadSafetensors reads a safetensors file of at most maxBytes bytes to its
// end, and returns its tensors in the order of their bytes, and its metadata,
// nil if it has none. Peak memory is about the file's size and, while the
// larger tensors are read, that of a second copy of one.
func ReadSafetensors(r io.Reader, maxBytes int64) (tensors []Tensor, metadata map[string]string, err error) {
	_, entries, metadata, err := readHeader(r, maxBytes, false)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if e.Data, err = readN(r, e.end-e.begin); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		tensors = append(tensors, e.Tensor)
	}
	var next [1]byte
	switch _, err := io.ReadFull(r, next[:]); err {
	case io.EOF:
		return tensors, metadata, nil
	case nil:
		return nil, nil, FormatError("bytes after the last tensor")
	default:
		return nil, nil, err
	}
}

// A SafetensorsHeader is what a safetensors file says of its tensors, for programs
// that take the file as a stream or leave its numbers alone.
type SafetensorsHeader struct {
	Raw      []byte // the JSON object as it is in the file, without its length
	Tensors  []Span // in the order of their bytes, which follow without holes
	Metadata map[string]string
}

// A Span is the place of a tensor in a file. Its type may be one that this package
// does not know: then Bytes alone is right for certain.
type Span struct {
	Name  string
	DType DType
	Shape []int
	Bytes int
}

// ReadSafetensorsHeader reads the header of a safetensors file of at most maxBytes
// bytes, and nothing behind it. Types that this package does not know are allowed.
func ReadSafetensorsHeader(r io.Reader, maxBytes int64) (*SafetensorsHeader, error) {
	raw, entries, metadata, err := readHeader(r, maxBytes, true)
	if err != nil {
		return nil, err
	}
	h := &SafetensorsHeader{Raw: raw, Metadata: metadata}
	for _, e := range entries {
		h.Tensors = append(h.Tensors, Span{e.Name, e.DType, e.Shape, e.end - e.begin})
	}
	return h, nil
}

// readHeader reads the length and the header of a file of at most maxBytes bytes. The
// entries it returns follow one another. With anyType, types may be unknown.
func readHeader(r io.Reader, maxBytes int64, anyType bool) (raw []byte, entries []entry, metadata map[string]string, err error) {
	fail := func(err error) ([]byte, []entry, map[string]string, error) { return nil, nil, nil, err }
	head, err := readN(r, 8)
	if err != nil {
		return fail(err)
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxHeader {
		return fail(FormatError(fmt.Sprintf("a header of %d bytes, at most %d can be", n, maxHeader)))
	}
	if maxBytes < 8 || n > uint64(maxBytes-8) {
		return fail(fmt.Errorf("%w of %d bytes", ErrTooLarge, maxBytes))
	}
	if raw, err = readN(r, int(n)); err != nil {
		return fail(err)
	}
	if entries, metadata, err = parseHeader(raw, anyType); err != nil {
		return fail(err)
	}
	left := maxBytes - 8 - int64(n)
	at := 0
	for _, e := range entries {
		if e.begin != at {
			return fail(FormatError(fmt.Sprintf("tensor %q begins at byte %d, %d is the next", e.Name, e.begin, at)))
		}
		at = e.end
	}
	if int64(at) > left {
		return fail(fmt.Errorf("%w of %d bytes", ErrTooLarge, maxBytes))
	}
	return raw, entries, metadata, nil
}

// An entry is a tensor in the header.
type entry struct {
	Tensor
	begin, end int
}

// parseHeader returns the tensors in the order of their bytes. With anyType, types may
// be unknown.
func parseHeader(header []byte, anyType bool) ([]entry, map[string]string, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, FormatError("the header is not a JSON object")
	}
	if !utf8.Valid(header) {
		return nil, nil, FormatError("the header is not UTF-8")
	}
	// A decoder of tokens and not of a map, which would hide that a name is
	// there twice.
	d := json.NewDecoder(bytes.NewReader(header))
	if _, err := d.Token(); err != nil {
		return nil, nil, FormatError("header: " + err.Error())
	}
	var entries []entry
	var metadata map[string]string
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, nil, FormatError("header: " + err.Error())
		}
		name, ok := token.(string)
		if !ok {
			return nil, nil, FormatError("header: a name that is not a string")
		}
		if seen[name] {
			return nil, nil, FormatError(fmt.Sprintf("%q is there twice", name))
		}
		seen[name] = true
		if name == metadataKey {
			if err := d.Decode(&metadata); err != nil {
				return nil, nil, FormatError("metadata: " + err.Error())
			}
			continue
		}
		var info struct {
			DType   DType  `json:"dtype"`
			Shape   *[]int `json:"shape"`
			Offsets *[]int `json:"data_offsets"`
		}
		if err := d.Decode(&info); err != nil {
			return nil, nil, FormatError(fmt.Sprintf("tensor %q: %v", name, err))
		}
		if info.Shape == nil || info.Offsets == nil || len(*info.Offsets) != 2 {
			return nil, nil, FormatError(fmt.Sprintf("tensor %q has no shape or no data_offsets", name))
		}
		e := entry{Tensor{Name: name, DType: info.DType, Shape: *info.Shape}, (*info.Offsets)[0], (*info.Offsets)[1]}
		size := e.DType.Size()
		if size == 0 && !anyType {
			return nil, nil, UnsupportedError(fmt.Sprintf("elements of type %q in tensor %q", e.DType, name))
		}
		_, n, ok := sizeOf(e.Shape, size)
		if size == 0 {
			n = e.end - e.begin
		}
		if !ok || len(e.Shape) > maxDims || e.begin < 0 || e.end < e.begin || e.end-e.begin != n {
			return nil, nil, FormatError(fmt.Sprintf("tensor %q of %s%v has bytes %d to %d", name, e.DType, e.Shape, e.begin, e.end))
		}
		entries = append(entries, e)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, FormatError("header: " + err.Error())
	}
	// Writers align the tensors by spaces after the object.
	if rest := header[d.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) != 0 {
		return nil, nil, FormatError("the header goes on after its object")
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		if a.begin != b.begin {
			return a.begin - b.begin
		}
		return a.end - b.end // an empty tensor comes before one that begins there
	})
	return entries, metadata, nil
}

// WriteSafetensors writes tensors in the given order, with metadata unless it is
// empty. The same tensors and metadata give the same bytes. Names must differ,
// be UTF-8 and not be "__metadata__".
func WriteSafetensors(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	var h bytes.Buffer
	h.WriteByte('{')
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return FormatError(fmt.Sprintf("metadata %q: %q is not UTF-8", k, v))
			}
		}
		writeString(&h, metadataKey)
		h.WriteByte(':')
		b, err := json.Marshal(metadata) // in the order of the keys
		if err != nil {
			return err
		}
		h.Write(b)
	}
	seen := map[string]bool{metadataKey: true}
	at := 0
	for i := range tensors {
		t := &tensors[i]
		if err := t.Check(); err != nil {
			return err
		}
		if seen[t.Name] || !utf8.ValidString(t.Name) {
			return FormatError(fmt.Sprintf("tensor name %q is there twice, reserved or not UTF-8", t.Name))
		}
		seen[t.Name] = true
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		writeString(&h, t.Name)
		shape := make([]string, len(t.Shape))
		for i, n := range t.Shape {
			shape[i] = strconv.Itoa(n)
		}
		fmt.Fprintf(&h, `:{"dtype":%q,"shape":[%s],"data_offsets":[%d,%d]}`,
			string(t.DType), strings.Join(shape, ","), at, at+len(t.Data))
		at += len(t.Data)
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	if h.Len() > maxHeader {
		return UnsupportedError(fmt.Sprintf("a header of %d bytes, at most %d can be", h.Len(), maxHeader))
	}
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(h.Len()))
	if _, err := w.Write(length[:]); err != nil {
		return err
	}
	if _, err := w.Write(h.Bytes()); err != nil {
		return err
	}
	for i := range tensors {
		if _, err := w.Write(tensors[i].Data); err != nil {
			return err
		}
	}
	return nil
}

func writeString(h *bytes.Buffer, s string) {
	b, _ := json.Marshal(s) // a string cannot fail
	h.Write(b)
}
