package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels/tensorfile"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(b []byte, o *Options) (*File, error) { return New(bytes.NewReader(b), int64(len(b)), o) }

// The file of the reference writer decodes to the bits of the reference decoder.
func TestDecodesAsReference(t *testing.T) {
	f, err := parse(read(t, "golden.gguf"), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, "golden.bin")
	if len(f.Tensors) != len(affine)+len(formats)+2 {
		t.Errorf("%d tensors", len(f.Tensors))
	}
	for _, tensor := range f.Tensors {
		if tensor.Name != "t."+tensor.Type.String() {
			t.Errorf("tensor %q is of type %v", tensor.Name, tensor.Type)
		}
		x, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		for _, d := range tensor.Shape {
			n *= d
		}
		if n != len(x) {
			t.Errorf("%s: %d numbers for shape %v", tensor.Name, len(x), tensor.Shape)
		}
		for i, v := range x {
			if w := math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:])); math.Float32bits(w) != math.Float32bits(v) {
				t.Errorf("%s: number %d is %v, not %v", tensor.Name, i, v, w)
				break
			}
		}
		want = want[4*len(x):]
		m, err := tensor.Matrix()
		if _, ok := formats[tensor.Type]; ok != (err == nil) {
			t.Errorf("%s: matrix %v", tensor.Name, err)
		}
		if err == nil {
			if rows, cols := m.Dims(); rows != tensor.Shape[0] || cols != tensor.Shape[1] {
				t.Errorf("%s: %d by %d", tensor.Name, rows, cols)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("%d bytes too many", len(want))
	}
	shaped, err := f.Tensor("t.F32")
	if err != nil || !slices.Equal(shaped.Shape, []int{2, 3, 5}) {
		t.Errorf("shape %v, %v", shaped.Shape, err)
	}
	if _, err := f.Tensor("none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no tensor: %v", err)
	}
	for key, want := range map[string]any{
		"general.architecture": "test", "test.number": uint32(7), "test.words": []string{"a", "ü", ""},
		"test.floats": []float32{0.5, -1.25}, "test.yes": true, "test.long": int64(-1 << 40), "none": nil,
	} {
		if got := f.Value(key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v (%T)", key, got, got)
		}
	}
}

// builder writes files.
type builder struct{ bytes.Buffer }

func (b *builder) add(v any) *builder {
	switch v := v.(type) {
	case string:
		b.add(uint64(len(v)))
		b.WriteString(v)
	default:
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return b
}

func start(version uint32, tensors, pairs uint64) *builder {
	b := new(builder)
	b.WriteString(magic)
	return b.add(version).add(tensors).add(pairs)
}

// tensor adds the header of a tensor.
func (b *builder) tensor(name string, kind uint32, offset uint64, dims ...uint64) *builder {
	return b.add(name).add(uint32(len(dims))).add(dims).add(kind).add(offset)
}

func (b *builder) data(n int) []byte {
	for b.Len()%alignment != 0 {
		b.WriteByte(0)
	}
	b.Write(make([]byte, n))
	return b.Bytes()
}

func TestRefuses(t *testing.T) {
	if _, err := parse(start(3, 1, 0).tensor("w", 0, 0, 4, 2).data(32), nil); err != nil {
		t.Fatal(err)
	}
	var format tensorfile.FormatError
	var unsupported tensorfile.UnsupportedError
	for name, c := range map[string]struct {
		file []byte
		want any
	}{
		"nothing":           {nil, &format},
		"another file":      {[]byte("GGML and more than that"), &format},
		"version 1":         {start(1, 0, 0).data(0), &unsupported},
		"big endian":        {start(3<<24, 0, 0).data(0), &unsupported},
		"many tensors":      {start(3, 1<<60, 0).data(0), &format},
		"many pairs":        {start(3, 0, 1<<60).data(0), &format},
		"a long key":        {start(3, 0, 1).add(uint64(1 << 62)).data(64), &format},
		"a long array":      {start(3, 0, 1).add("k").add(uint32(valueArray)).add(uint32(valueString)).add(uint64(1 << 61)).data(64), &format},
		"an unknown value":  {start(3, 0, 1).add("k").add(uint32(13)).data(64), &format},
		"an unknown array":  {start(3, 0, 1).add("k").add(uint32(valueArray)).add(uint32(13)).add(uint64(1)).data(64), &format},
		"a key twice":       {start(3, 0, 2).add("k").add(uint32(valueU8)).add(uint8(1)).add("k").add(uint32(valueU8)).add(uint8(1)).data(9), &format},
		"a name not UTF-8":  {start(3, 1, 0).tensor("\xff", 0, 0, 4).data(64), &format},
		"a tensor twice":    {start(3, 2, 0).tensor("w", 0, 0, 4).tensor("w", 0, 0, 4).data(64), &format},
		"five dimensions":   {start(3, 1, 0).tensor("w", 0, 0, 1, 1, 1, 1, 1).data(64), &format},
		"no whole block":    {start(3, 1, 0).tensor("w", 2, 0, 33).data(64), &format},
		"a huge tensor":     {start(3, 1, 0).tensor("w", 0, 0, 1<<40, 1<<40).data(64), &format},
		"a large tensor":    {start(3, 1, 0).tensor("w", 28, 0, 1<<61).data(64), &format},
		"past the end":      {start(3, 1, 0).tensor("w", 0, 32, 16).data(64), &format},
		"far past the end":  {start(3, 1, 0).tensor("w", 0, 1<<63, 16).data(64), &format},
		"not aligned":       {start(3, 1, 0).tensor("w", 0, 4, 4).data(64), &format},
		"an unknown type":   {start(3, 1, 0).tensor("w", 99, 0, 4).data(64), &unsupported},
		"no alignment":      {start(3, 0, 1).add("general.alignment").add(uint32(valueU32)).add(uint32(24)).data(0), &format},
		"a short alignment": {start(3, 0, 1).add("general.alignment").add(uint32(valueU8)).add(uint8(32)).data(0), &format},
	} {
		if _, err := parse(c.file, nil); err == nil || !errors.As(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nested := start(3, 0, 1).add("k").add(uint32(valueArray))
	for range maxDepth + 2 {
		nested.add(uint32(valueArray)).add(uint64(1))
	}
	if _, err := parse(nested.data(64), nil); !errors.As(err, &format) {
		t.Errorf("deep arrays: %v", err)
	}
}

func TestLimits(t *testing.T) {
	b := read(t, "golden.gguf")
	if _, err := parse(b, &Options{MaxHeader: 100}); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("a header of more than 100 bytes: %v", err)
	}
	if _, err := parse(b, &Options{MaxTensor: -1}); err == nil {
		t.Error("a negative limit")
	}
	f, err := parse(b, &Options{MaxTensor: 1000})
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := f.Tensor("t.TQ1_0") // 162 bytes, 768 numbers
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tensor.Float32s(); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("numbers of more than 1000 bytes: %v", err)
	}
	if _, err := tensor.Matrix(); err != nil {
		t.Errorf("a matrix of less than 1000 bytes: %v", err)
	}
	if tensor, err = f.Tensor("t.Q8_0"); err != nil {
		t.Fatal(err)
	}
	if _, err := tensor.Read(); !errors.Is(err, tensorfile.ErrTooLarge) {
		t.Errorf("more than 1000 bytes: %v", err)
	}
	// A file that became shorter.
	f, err = New(bytes.NewReader(b[:len(b)-200]), int64(len(b)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var format tensorfile.FormatError
	if _, err := f.Tensors[len(f.Tensors)-2].Read(); !errors.As(err, &format) {
		t.Errorf("past the end: %v", err)
	}
	undecodable, err := parse(start(3, 1, 0).tensor("w", 10, 0, 256).data(96), nil)
	if err != nil {
		t.Fatal(err)
	}
	var unsupported tensorfile.UnsupportedError
	if _, err := undecodable.Tensors[0].Float32s(); !errors.As(err, &unsupported) {
		t.Errorf("Q2_K: %v", err)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(read(f, "golden.gguf"))
	f.Add(start(3, 1, 1).add("k").add(uint32(valueArray)).add(uint32(valueU16)).add(uint64(2)).add(uint32(9)).tensor("w", 2, 0, 32, 2).data(64))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parse(b, &Options{MaxHeader: 1 << 20, MaxTensor: 1 << 20})
		if err != nil {
			return
		}
		for _, tensor := range file.Tensors[:min(len(file.Tensors), 20)] {
			if x, err := tensor.Float32s(); err == nil && len(x) > 1<<18 {
				t.Fatalf("%d numbers", len(x))
			}
			if _, err := tensor.Matrix(); err != nil && errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
	})
}
