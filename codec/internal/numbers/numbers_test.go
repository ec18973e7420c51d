package numbers

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	a := []int16{0, 1, -1, 127, -128, math.MaxInt16, math.MinInt16}
	b := []int32{math.MaxInt32, -math.MaxInt32, 0, 5, 1 << 20}
	for k := range 31 {
		for d := int32(-1); d <= 1; d++ {
			v := int32(1)<<k + d
			b = append(b, v, -v)
			if k < 15 {
				a = append(a, int16(v), int16(-v))
			}
		}
	}
	x, y := make([]int16, len(a)), make([]int32, len(b))
	file := Append([]byte("head"), func(f func(any)) { f(a); f(b) })
	part, rest, ok := Prefixed(file[4:])
	if !ok || len(rest) != 0 {
		t.Fatal("no length")
	}
	arrays := func(f func(any)) { f(x); f(y) }
	if !Read(part, arrays) || !slices.Equal(a, x) || !slices.Equal(b, y) {
		t.Errorf("%v and %v came back as %v and %v", a, b, x, y)
	}
	for n := range len(part) - 8 {
		if Read(part[:n], arrays) && slices.Equal(a, x) && slices.Equal(b, y) {
			t.Errorf("%d of %d bytes are enough", n, len(part))
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	a := make([]int16, 1<<20)
	for i := range a {
		a[i] = int16(300 * r.NormFloat64())
	}
	part, _, _ := Prefixed(Append(nil, func(f func(any)) { f(a) }))
	b.SetBytes(int64(2 * len(a)))
	for b.Loop() {
		if !Read(part, func(f func(any)) { f(a) }) {
			b.Fatal("not read")
		}
	}
	b.ReportMetric(8*float64(len(part))/float64(len(a)), "bits/number")
}

// FuzzRead feeds any bytes: there is an answer, soon.
func FuzzRead(f *testing.F) {
	f.Add([]byte{}, 3)
	f.Add([]byte("no encoder wrote this"), 100)
	f.Fuzz(func(t *testing.T, coded []byte, n int) {
		x, y := make([]int16, n&0xfff), make([]int32, n&0xff)
		Read(coded, func(f func(any)) { f(x); f(y) })
		if part, rest, ok := Prefixed(coded); ok && len(part)+len(rest) >= len(coded) {
			t.Error("a part longer than the whole")
		}
	})
}
