package tensorfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ramp is the array that testdata/generate.py saves.
func ramp() []float32 {
	v := make([]float32, 24)
	for i := range v {
		v[i] = float32(i)/8 - 1
	}
	return v
}

func TestReadsNumPy(t *testing.T) {
	for _, name := range []string{"f4.npy", "f4_fortran.npy", "f8_big.npy", "f2.npy", "v2.npy"} {
		a, err := ReadNPY(bytes.NewReader(read(t, name)), 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := a.Float32s()
		if err != nil || !reflect.DeepEqual(got, ramp()) || !reflect.DeepEqual(a.Shape, []int{2, 3, 4}) {
			t.Errorf("%s: %v%v %v, %v", name, a.DType, a.Shape, got, err)
		}
	}
	a, err := ReadNPY(bytes.NewReader(read(t, "i8_scalar.npy")), 1<<20)
	if err != nil || len(a.Shape) != 0 || int64(binary.LittleEndian.Uint64(a.Data)) != -7 {
		t.Errorf("scalar: %+v, %v", a, err)
	}
	a, err = ReadNPY(bytes.NewReader(read(t, "u1_empty.npy")), 1<<20)
	if err != nil || !reflect.DeepEqual(a.Shape, []int{3, 0}) || len(a.Data) != 0 {
		t.Errorf("empty: %+v, %v", a, err)
	}
	a, err = ReadNPY(bytes.NewReader(read(t, "c8.npy")), 1<<20)
	var unsupported UnsupportedError
	if _, e := a.Float32s(); err != nil || a.DType != C64 || !errors.As(e, &unsupported) {
		t.Errorf("complex: %+v, %v, %v", a, err, e)
	}
}

// TestWritesNumPy checks that what is written is what NumPy writes.
func TestWritesNumPy(t *testing.T) {
	for _, name := range []string{"f4.npy", "f2.npy", "i8_scalar.npy", "u1_empty.npy", "c8.npy"} {
		file := read(t, name)
		a, err := ReadNPY(bytes.NewReader(file), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := WriteNPY(&b, a); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), file) {
			t.Errorf("%s: %q, want %q", name, b.Bytes()[:96], file[:96])
		}
	}
	var unsupported UnsupportedError
	if err := WriteNPY(&bytes.Buffer{}, Tensor{DType: BF16, Shape: []int{1}, Data: []byte{0, 0}}); !errors.As(err, &unsupported) {
		t.Error(err)
	}
}

func TestSafetensors(t *testing.T) {
	tensors, metadata, err := ReadSafetensors(bytes.NewReader(read(t, "mixed.safetensors")), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(metadata, map[string]string{"format": "pt"}) {
		t.Error(metadata)
	}
	want := map[string]string{"weight": "F32[2 3 4]", "half": "F16[3 4]", "ids": "I64[1 3]", "scalar": "F64[]"}
	for _, a := range tensors {
		if s := fmt.Sprint(a.DType, a.Shape); s != want[a.Name] {
			t.Errorf("%s: %s, want %s", a.Name, s, want[a.Name])
		}
		delete(want, a.Name)
		v, err := a.Float32s()
		if err != nil {
			t.Error(err)
		}
		switch a.Name {
		case "weight":
			if !reflect.DeepEqual(v, ramp()) {
				t.Error(v)
			}
		case "half":
			if !reflect.DeepEqual(v, ramp()[:12]) {
				t.Error(v)
			}
		case "scalar":
			if v[0] != 2.5 {
				t.Error(v)
			}
		}
	}
	if len(want) > 0 {
		t.Error("missing", want)
	}
	var a, b bytes.Buffer
	if err := WriteSafetensors(&a, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	again, metadata2, err := ReadSafetensors(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil || !reflect.DeepEqual(again, tensors) || !reflect.DeepEqual(metadata, metadata2) {
		t.Error("another content after writing", err)
	}
	if err := WriteSafetensors(&b, again, metadata2); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("another file after reading", err)
	}
	if _, _, err := ReadSafetensors(bytes.NewReader(a.Bytes()), int64(a.Len())-1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if a.Len() < 8 || binary.LittleEndian.Uint64(a.Bytes())%8 != 0 {
		t.Error("tensors are not aligned")
	}
}

func TestWriteSafetensorsRefuses(t *testing.T) {
	ok := FromFloat32s("a", []float32{1}, 1)
	reserved, short, unknown, bad := ok, ok, ok, ok
	reserved.Name = "__metadata__"
	short.Data = short.Data[:3]
	unknown.DType = "F7"
	bad.Name = "\xff"
	for _, tensors := range [][]Tensor{{ok, ok}, {reserved}, {short}, {unknown}, {bad}} {
		var b bytes.Buffer
		if err := WriteSafetensors(&b, tensors, nil); err == nil || b.Len() > 0 {
			t.Errorf("%+v: %v, %d bytes", tensors, err, b.Len())
		}
	}
}

func safetensors(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestRefusesBadSafetensors(t *testing.T) {
	a := `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for what, file := range map[string][]byte{
		"nothing":          nil,
		"short length":     {1, 2},
		"huge header":      binary.LittleEndian.AppendUint64(nil, 1<<63),
		"promised header":  binary.LittleEndian.AppendUint64(nil, 90<<20),
		"list":             safetensors("[]", 0),
		"no end":           safetensors("{"+a, 4),
		"twice":            safetensors("{"+a+","+a+"}", 4),
		"a hole":           safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2),
		"an overlap":       safetensors(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3),
		"another size":     safetensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
		"an overflow":      safetensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
		"negative":         safetensors(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4),
		"no shape":         safetensors(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4),
		"one offset":       safetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, 4),
		"fraction":         safetensors(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4),
		"unknown type":     safetensors(`{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}`, 4),
		"too little":       safetensors("{"+a+"}", 3),
		"too much":         safetensors("{"+a+"}", 5),
		"more in header":   safetensors("{"+a+"} {}", 4),
		"metadata numbers": safetensors(`{"__metadata__":{"a":1}}`, 0),
		"no UTF-8":         safetensors("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0),
		"promised data":    safetensors(`{"a":{"dtype":"U8","shape":[1000000000],"data_offsets":[0,1000000000]}}`, 4),
	} {
		tensors, _, err := ReadSafetensors(bytes.NewReader(file), 1<<40)
		var format FormatError
		var unsupported UnsupportedError
		if tensors != nil || !errors.As(err, &format) && !errors.As(err, &unsupported) {
			t.Errorf("%s: %v, %v", what, tensors, err)
		}
	}
	if _, _, err := ReadSafetensors(bytes.NewReader(safetensors(`{"z":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)), 1<<20); err != nil {
		t.Error("an empty tensor at the end:", err)
	}
}

func npy(header string, data int) []byte {
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestRefusesBadNPY(t *testing.T) {
	dict := func(descr, order, shape string) string {
		return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n"
	}
	for what, file := range map[string][]byte{
		"nothing":      nil,
		"other":        []byte("PK\x03\x04aaaaaaaaaaaaaaaaaaa"),
		"version 4":    append([]byte(npyMagic), 4, 0, 1, 0, 'a'),
		"long header":  append([]byte(npyMagic), 2, 0, 255, 255, 255, 255),
		"objects":      npy(dict("'|O'", "False", "(1,)"), 8),
		"records":      npy(dict("[('a', '<f4')]", "False", "(1,)"), 4),
		"no order":     npy(dict("'f4'", "False", "(1,)"), 4),
		"wrong order":  npy(dict("'|f4'", "False", "(1,)"), 4),
		"no tuple":     npy(dict("'<f4'", "False", "(1)"), 4),
		"negative":     npy(dict("'<f4'", "False", "(-1,)"), 4),
		"not a bool":   npy(dict("'<f4'", "0", "(1,)"), 4),
		"too little":   npy(dict("'<f4'", "False", "(2,)"), 7),
		"too much":     npy(dict("'<f4'", "False", "(2,)"), 9),
		"twice":        npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4),
		"unknown key":  npy("{'a': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4),
		"missing":      npy("{'descr': '<f4', 'shape': (1,)}", 4),
		"no end":       npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4),
		"after it":     npy(dict("'<f4'", "False", "(1,)")+"1", 4),
		"dimensions":   npy(dict("'<f4'", "False", "("+strings.Repeat("1,", 65)+")"), 4),
		"no digits":    npy(dict("'<f4'", "False", "(,)"), 4),
		"two no comma": npy(dict("'<f4'", "False", "(1 1)"), 4),
	} {
		a, err := ReadNPY(bytes.NewReader(file), 1<<30)
		var format FormatError
		var unsupported UnsupportedError
		if a.Data != nil || !errors.As(err, &format) && !errors.As(err, &unsupported) {
			t.Errorf("%s: %+v, %v", what, a, err)
		}
	}
	for _, shape := range []string{"(1000,)", "(4294967296, 4294967296, 16)", "(99999999999,)"} {
		if _, err := ReadNPY(bytes.NewReader(npy(dict("'<f4'", "False", shape), 0)), 3999); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", shape, err)
		}
	}
}

// TestFloats compares with the values that the formats' definitions give.
func TestFloats(t *testing.T) {
	value := func(sign, exp, frac, bits, bias int) float64 {
		v := math.Ldexp(1+math.Ldexp(float64(frac), -bits), exp-bias)
		if exp == 0 {
			v = math.Ldexp(float64(frac), 1-bias-bits)
		}
		if sign == 1 {
			v = -v
		}
		return v
	}
	same := func(got float32, want float64) bool {
		return math.Float32bits(got) == math.Float32bits(float32(want)) || got != got && want != want
	}
	for i := range 1 << 16 {
		want := value(i>>15, i>>10&31, i&1023, 10, 15)
		if i>>10&31 == 31 {
			want = math.Inf(1 - 2*(i>>15))
			if i&1023 != 0 {
				want = math.NaN()
			}
		}
		if i == 1<<15 {
			want = math.Copysign(0, -1)
		}
		if got := FromF16(uint16(i)); !same(got, want) {
			t.Fatalf("F16 %#x: %v, want %v", i, got, want)
		}
	}
	for i := range 256 {
		want := value(i>>7, i>>3&15, i&7, 3, 7)
		if i&127 == 127 {
			want = math.NaN()
		}
		if i == 128 {
			want = math.Copysign(0, -1)
		}
		if got := fromE4M3(byte(i)); !same(got, want) {
			t.Fatalf("E4M3 %#x: %v, want %v", i, got, want)
		}
	}
}

func TestFloat32s(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		DType
		data []byte
		want float32
	}{
		{Bool, []byte{1}, 1}, {U8, []byte{200}, 200}, {I8, []byte{200}, -56},
		{U16, []byte{0, 128}, 32768}, {I16, []byte{0, 128}, -32768},
		{U32, le.AppendUint32(nil, 1<<31), 1 << 31}, {I32, le.AppendUint32(nil, 1<<31), -1 << 31},
		{U64, le.AppendUint64(nil, 1<<63), 1 << 63}, {I64, le.AppendUint64(nil, 1<<63), -1 << 63},
		{I64, le.AppendUint64(nil, 1<<24+1), 1 << 24}, // a tie goes to even
		{BF16, []byte{0x80, 0x3f}, 1}, {F16, []byte{0, 0x3c}, 1}, {F8E4M3, []byte{0x38}, 1}, {F8E5M2, []byte{0x3c}, 1},
		{F32, le.AppendUint32(nil, math.Float32bits(-.5)), -.5},
		{F64, le.AppendUint64(nil, math.Float64bits(.1)), .1},
	} {
		a := Tensor{"a", c.DType, nil, c.data}
		if v, err := a.Float32s(); err != nil || len(v) != 1 || v[0] != c.want {
			t.Errorf("%s: %v, %v; want %v", c.DType, v, err, c.want)
		}
	}
}

func FuzzReadSafetensors(f *testing.F) {
	f.Add(read(f, "mixed.safetensors"))
	f.Add(safetensors(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}  `, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, metadata, err := ReadSafetensors(bytes.NewReader(file), 1<<20)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteSafetensors(&b, tensors, metadata); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadSafetensors(&b, 1<<24)
		if err != nil || !reflect.DeepEqual(tensors, again) {
			t.Fatal("not the same after writing", err)
		}
	})
}

func FuzzReadNPY(f *testing.F) {
	for _, name := range []string{"f4.npy", "f4_fortran.npy", "f8_big.npy", "i8_scalar.npy", "u1_empty.npy", "c8.npy", "v2.npy"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		a, err := ReadNPY(bytes.NewReader(file), 1<<20)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteNPY(&b, a); err != nil {
			t.Fatal(err)
		}
		again, err := ReadNPY(&b, 1<<24)
		if err != nil || !reflect.DeepEqual(a, again) {
			t.Fatal("not the same after writing", err)
		}
	})
}
