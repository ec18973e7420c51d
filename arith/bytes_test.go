package arith

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestCompressBytes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, interleavedMin - 1, interleavedMin, 100000} {
		for _, spread := range []float64{0, 0.5, 0.82, 0.9999} {
			src := residuals(n, spread, 1)
			out := CompressBytes([]byte("head"), src)
			if string(out[:4]) != "head" {
				t.Fatal("prefix overwritten")
			}
			out = out[4:]
			if len(out) > n+11 {
				t.Errorf("%d bytes become %d", n, len(out))
			}
			if h := entropy(countBytes(src)[:]) / 8; n >= 100 && float64(len(out)) > 1.003*h+700 {
				t.Errorf("%d bytes, spread %v: %d bytes, entropy %.0f", n, spread, len(out), h)
			}
			got, err := DecompressBytes([]byte("head"), out, n)
			if err != nil || string(got[:4]) != "head" || !bytes.Equal(got[4:], src) {
				t.Fatalf("%d bytes, spread %v: decoded wrongly (%v)", n, spread, err)
			}
			if n > 0 {
				if _, err := DecompressBytes(nil, out, n-1); !errors.Is(err, ErrTooLarge) {
					t.Errorf("%d bytes over the limit: error %v", n, err)
				}
			}
			for cut := 1; cut <= len(out); cut += 1 + cut/5 {
				if _, err := DecompressBytes(nil, out[:len(out)-cut], n); err == nil {
					t.Errorf("%d bytes, spread %v, %d cut: no error", n, spread, cut)
				}
			}
		}
	}
	if _, err := DecompressBytes(nil, []byte{9, 1, 1}, 10); !errors.Is(err, ErrCorrupt) {
		t.Errorf("unknown mode: error %v", err)
	}
}

func FuzzDecompressBytes(f *testing.F) {
	for _, n := range []int{0, 5, 300, interleavedMin} {
		f.Add(CompressBytes(nil, residuals(n, 0.7, 1)))
	}
	f.Add([]byte{blockRun, 200, 1, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := DecompressBytes(nil, data, 1<<16)
		if err != nil {
			return
		}
		again, err := DecompressBytes(nil, CompressBytes(nil, out), len(out))
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%d bytes do not survive (%v)", len(out), err)
		}
	})
}

func ExampleCompressBytes() {
	src := bytes.Repeat([]byte("burin engraves pictures. "), 400)
	coded := CompressBytes(nil, src)
	back, err := DecompressBytes(nil, coded, len(src))
	fmt.Println(len(src), len(coded) < len(src)/2, bytes.Equal(back, src), err)
	// Output: 10000 true true <nil>
}

// A bit coder and its model are two things.
func ExampleBinaryEncoder() {
	message := []int{1, 1, 0, 1, 1, 1, 1, 0, 1, 1}
	var model AdaptiveBit
	e := NewBinaryEncoder(nil)
	for _, bit := range message {
		e.Encode(bit, model.P())
		model.Update(bit)
	}
	coded := e.Finish()

	model = AdaptiveBit{}
	d := NewBinaryDecoder(coded)
	for range message {
		bit := d.Decode(model.P())
		model.Update(bit)
		fmt.Print(bit)
	}
	fmt.Println(" from", 8*len(coded), "bits", d.Err())
	// Output: 1101111011 from 8 bits <nil>
}
