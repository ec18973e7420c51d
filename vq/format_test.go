package vq

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
)

// FuzzUnmarshal: whatever the bytes, an error or a quantiser that works. The checksum is
// made to fit, so that the fields are reached.
func FuzzUnmarshal(f *testing.F) {
	for _, q := range books(f, gaussian(60, 5, 1), 5, 3, nil) {
		data, err := q.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := binary.LittleEndian.AppendUint32(body[:len(body):len(body)], crc32.Checksum(body, castagnoli))
		q, err := unmarshalChecked(t, data)
		if err != nil {
			if !errors.As(err, new(FormatError)) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		sizes := q.Sizes()
		if q.Dim() < 1 || q.Dim() > MaxDim || len(sizes) < 1 {
			t.Fatalf("%d elements, %d codes", q.Dim(), len(sizes))
		}
		for _, n := range sizes {
			if n < 1 || n > MaxSize {
				t.Fatalf("an alphabet of %d", n)
			}
		}
		x, codes := make([]float32, 2*q.Dim()), make([]uint32, 2*len(sizes))
		for i := range x {
			x[i] = float32(i%7) - 3
		}
		if s, ok := q.(stored); ok {
			if again, err := marshal(s); err != nil {
				t.Fatal(err)
			} else if _, err := Unmarshal(again); err != nil {
				t.Fatalf("stored again: %v", err)
			}
		}
		q.Encode(codes, x)
		if err := CheckCodes(q, codes); err != nil {
			t.Fatal(err)
		}
		q.Decode(x, codes)
	})
}

// FuzzUnpack: whatever the bytes, an error or codes that pack to them.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7}, uint8(4))
	q := codesOnly{3, 1, 1 << 16, 2, 200, MaxSize}
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		codes := make([]uint32, int(n)*len(q))
		if err := Unpack(codes, q, data); err != nil {
			if !errors.Is(err, ErrCodes) {
				t.Fatal(err)
			}
			return
		}
		if err := CheckCodes(q, codes); err != nil {
			t.Fatal(err)
		}
		if string(Pack(nil, q, codes)) != string(data) {
			t.Fatalf("%x became %v", data, codes)
		}
	})
}

// codesOnly is a quantiser with alphabets and nothing else.
type codesOnly []int

func (c codesOnly) Dim() int                       { return 1 }
func (c codesOnly) Sizes() []int                   { return c }
func (c codesOnly) Encode([]uint32, []float32)     {}
func (c codesOnly) Decode([]float32, []uint32)     {}
func (c codesOnly) MarshalBinary() ([]byte, error) { return nil, nil }

func TestPack(t *testing.T) {
	q := codesOnly{3, 1, 1 << 16, 2, 200, MaxSize}
	r := newRand(1, 80)
	for n := range 20 {
		codes := make([]uint32, n*len(q))
		for i := range codes {
			codes[i] = uint32(r.IntN(q[i%len(q)]))
		}
		data := Pack(nil, q, codes)
		if len(data) != PackedBytes(q, n) || PackedBits(q) != 2+0+16+1+8+24 {
			t.Fatalf("%d bytes for %d vectors of %d bits", len(data), n, PackedBits(q))
		}
		back := make([]uint32, len(codes))
		if err := Unpack(back, q, data); err != nil {
			t.Fatal(err)
		}
		for i := range codes {
			if back[i] != codes[i] {
				t.Fatalf("code %d is %d, was %d", i, back[i], codes[i])
			}
		}
	}
	one := make([]uint32, len(q))
	for name, data := range map[string][]byte{
		"short": make([]byte, 6), "long": make([]byte, 8), "3 of 3": {3, 0, 0, 0, 0, 0, 0}, "fill": {0, 0, 0, 0, 0, 0, 0x80},
	} {
		if err := Unpack(one, q, data); !errors.Is(err, ErrCodes) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
