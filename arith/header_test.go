package arith

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	numbers := []uint64{0, 1, 2, 3, 7, 8, 100, 1<<16 - 1, 1 << 32, 1<<63 - 1, 1 << 63, math.MaxUint64}
	var buf bytes.Buffer
	w := NewHeaderWriter(&buf)
	for _, v := range numbers {
		w.Bool(v&1 != 0)
		w.Bits(v, 64)
		for _, limit := range numbers {
			if v <= limit {
				w.Bounded(v, limit)
			}
		}
		for _, k := range []uint{0, 1, 5, 32} {
			if v < 1<<63 && v+1<<k > v {
				w.ExpGolomb(v, k)
			}
			if v < 1<<62 {
				w.SignedExpGolomb(int64(v), k)
				w.SignedExpGolomb(-int64(v), k)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := NewHeaderReader(&buf)
	check := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Fatalf("%s: got %d, want %d (%v)", what, got, want, r.Err())
		}
	}
	for _, v := range numbers {
		if r.Bool() != (v&1 != 0) {
			t.Fatal("Bool differs")
		}
		check("Bits", r.Bits(64), v)
		for _, limit := range numbers {
			if v <= limit {
				check("Bounded", r.Bounded(limit), v)
			}
		}
		for _, k := range []uint{0, 1, 5, 32} {
			if v < 1<<63 && v+1<<k > v {
				check("ExpGolomb", r.ExpGolomb(k, math.MaxUint64), v)
			}
			if v < 1<<62 {
				check("SignedExpGolomb", uint64(r.SignedExpGolomb(k, 1<<62)), v)
				check("SignedExpGolomb", uint64(-r.SignedExpGolomb(k, 1<<62)), v)
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestHeaderSizes(t *testing.T) {
	size := func(f func(*HeaderWriter)) int {
		var buf bytes.Buffer
		w := NewHeaderWriter(&buf)
		for range 8 {
			f(w)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Len()
	}
	for _, c := range []struct {
		what string
		want int
		f    func(*HeaderWriter)
	}{
		{"Bounded(0, 0)", 0, func(w *HeaderWriter) { w.Bounded(0, 0) }},
		{"Bounded(0, 2)", 1, func(w *HeaderWriter) { w.Bounded(0, 2) }},
		{"Bounded(2, 2)", 2, func(w *HeaderWriter) { w.Bounded(2, 2) }},
		{"ExpGolomb(0, 0)", 1, func(w *HeaderWriter) { w.ExpGolomb(0, 0) }},
		{"ExpGolomb(2, 0)", 3, func(w *HeaderWriter) { w.ExpGolomb(2, 0) }},
		{"ExpGolomb(7, 3)", 4, func(w *HeaderWriter) { w.ExpGolomb(7, 3) }},
	} {
		if got := size(c.f); got != c.want {
			t.Errorf("%s takes %d bits, want %d", c.what, got, c.want)
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	for what, f := range map[string]func(*HeaderWriter){
		"Bits too wide":      func(w *HeaderWriter) { w.Bits(8, 3) },
		"Bits of 65":         func(w *HeaderWriter) { w.Bits(0, 65) },
		"Bounded":            func(w *HeaderWriter) { w.Bounded(5, 4) },
		"ExpGolomb":          func(w *HeaderWriter) { w.ExpGolomb(1<<63, 0) },
		"ExpGolomb order 33": func(w *HeaderWriter) { w.ExpGolomb(1, 33) },
	} {
		w := NewHeaderWriter(io.Discard)
		f(w)
		w.Bool(true)
		if err := w.Close(); !errors.Is(err, ErrRange) {
			t.Errorf("writing %s: error %v", what, err)
		}
	}
	for what, f := range map[string]func(*HeaderReader){
		"Bits of 65":           func(r *HeaderReader) { r.Bits(65) },
		"ExpGolomb over limit": func(r *HeaderReader) { r.ExpGolomb(0, 6) }, // the code is of 7
		"ExpGolomb order 33":   func(r *HeaderReader) { r.ExpGolomb(33, 6) },
		"signed over limit":    func(r *HeaderReader) { r.SignedExpGolomb(0, 3) },
	} {
		r := NewHeaderReader(bytes.NewReader([]byte{0b00010000, 0, 0}))
		f(r)
		if r.Bits(8) != 0 || !errors.Is(r.Err(), ErrRange) {
			t.Errorf("reading %s: error %v", what, r.Err())
		}
	}
	r := NewHeaderReader(bytes.NewReader(make([]byte, 30)))
	r.ExpGolomb(0, math.MaxUint64)
	if !errors.Is(r.Err(), ErrRange) {
		t.Errorf("endless zeros: error %v", r.Err())
	}
	r = NewHeaderReader(bytes.NewReader([]byte{1}))
	if r.Bits(9); r.Err() != io.ErrUnexpectedEOF {
		t.Errorf("short input: error %v", r.Err())
	}
}

func FuzzHeaderReader(f *testing.F) {
	f.Add([]byte{0, 0x40, 3, 255, 255}, uint64(100), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, limit uint64, k uint8) {
		r := NewHeaderReader(bytes.NewReader(data))
		for r.Err() == nil {
			if v := r.Bounded(limit); v > limit {
				t.Fatalf("Bounded(%d) gives %d", limit, v)
			}
			if v := r.ExpGolomb(uint(k), limit); v > limit {
				t.Fatalf("ExpGolomb gives %d over %d", v, limit)
			}
		}
	})
}
