package models

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/numbers"
)

// A Format is how the files of a codec's models begin: a magic string, a version, and a
// header in JSON with a uvarint of its length before it.
type Format struct {
	Codec   string // its name
	Magic   string
	Version byte
}

// maxHeader is bytes of JSON.
const maxHeader = 4096

// Is says whether a file begins like a model's.
func (f Format) Is(data []byte) bool {
	return len(data) > len(f.Magic) && string(data[:len(f.Magic)]) == f.Magic
}

// Begin returns the beginning of a file. It panics if the header cannot be JSON.
func (f Format) Begin(header any) []byte {
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	file := append([]byte(f.Magic), f.Version)
	return append(binary.AppendUvarint(file, uint64(len(text))), text...)
}

// Read sets the header, a pointer, to that of a file, and returns what is after it.
func (f Format) Read(data []byte, header any) (rest []byte, err error) {
	if !f.Is(data) {
		return nil, codec.FormatError(fmt.Sprintf("%s: not a model of the %s codec", f.Codec, f.Codec))
	}
	if v := data[len(f.Magic)]; v != f.Version {
		return nil, codec.UnsupportedError(fmt.Sprintf("%s: version %d of model files", f.Codec, v))
	}
	text, rest, ok := numbers.Prefixed(data[len(f.Magic)+1:])
	if !ok || len(text) > maxHeader {
		return nil, codec.FormatError(f.Codec + ": model without a header")
	}
	if err := json.Unmarshal(text, header); err != nil {
		return nil, codec.FormatError(f.Codec + ": model's header: " + err.Error())
	}
	return rest, nil
}

// Head returns the payload of the first section of a file, which must be of a kind.
func (r *Registry[M]) Head(in *codec.SectionReader, kind string) ([]byte, error) {
	got, payload, err := in.Next()
	if err == io.EOF || err == nil && got != kind {
		return nil, codec.FormatError(r.name + ": no head")
	}
	return payload, err
}

// Open returns the model of an ID that the head names: the one that the next section holds
// if that is of the kind for it, or else what Of returns. It returns the section after as
// well, as SectionReader.Next does.
func (r *Registry[M]) Open(id ID, in *codec.SectionReader, embedded string, o *codec.DecodeOptions) (m M, kind string, payload []byte, next, err error) {
	m, err = r.Of(id, o.Weights)
	if kind, payload, next = in.Next(); next != nil || kind != embedded {
		return m, kind, payload, next, err
	}
	if m, err = r.read(payload, o.Limits.MaxModelBytes); err != nil {
		return m, "", nil, nil, err
	}
	if IDOf(m.Hash()) != id {
		return m, "", nil, nil, codec.FormatError(r.name + ": the embedded model is not the one that is named")
	}
	kind, payload, next = in.Next()
	return m, kind, payload, next, nil
}
