package codectest

import (
	"bytes"
	"encoding"
	"errors"
	"image"
	"math"
	"testing"

	"github.com/burin-codec/burin/codec"
)

// A Model has a file.
type Model interface {
	codec.Weights
	encoding.BinaryMarshaler
}

// ModelFile checks that a model's file is read as the model, and not beyond a limit or cut
// short. marshal makes the file of a model's parts. It returns the model read.
func ModelFile[M Model](t *testing.T, m M, read func(file []byte, memory int64) (M, error), marshal func(M) []byte) M {
	t.Helper()
	file, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again, err := read(file, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != m.Hash() || !bytes.Equal(marshal(again), file) {
		t.Error("a model read is not the one written")
	}
	if _, err := read(file, 1<<10); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	for n := 0; n < len(file); n += max(len(file)/40, 1) {
		if _, err := read(file[:n], math.MaxInt64); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(file))
		}
	}
	return again
}

// FuzzModel feeds bytes to what reads models.
func FuzzModel[M Model](f *testing.F, m M, read func(file []byte, memory int64) (M, error)) {
	file, err := m.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := read(file, 1<<24)
		if err == nil && m.Hash() == ([32]byte{}) {
			t.Error("a model without a name")
		}
		if _, err := read(file, math.MaxInt16); err == nil {
			t.Error("a model beyond the limit was read")
		}
	})
}

// DecodeAny decodes any bytes within small limits, to an error or a picture.
func DecodeAny(file []byte, w codec.Weights, conceal bool) {
	o := With(w)
	o.Conceal = conceal
	o.Limits.MaxPixels, o.Limits.MaxModelBytes = 1<<16, 1<<24
	Decode(file, o)
}

// EmbeddedModel decodes files without and with the model, of more than 1000 bytes, that
// they were encoded with.
func EmbeddedModel(t *testing.T, m image.Image, o *codec.Options) {
	t.Helper()
	file := Encode(t, m, o)
	if _, err := Decode(file, nil); !errors.Is(err, codec.ErrModelMismatch) {
		t.Errorf("without the model: %v", err)
	}
	inside := *o
	inside.EmbedWeights = true
	embedded := Encode(t, m, &inside)
	if SampleSum(t, MustDecode(t, embedded, nil)) != SampleSum(t, MustDecode(t, file, With(o.Weights[0]))) {
		t.Error("the embedded model decodes to another picture")
	}
	ModelTooLarge(t, embedded)
}
