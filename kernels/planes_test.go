package kernels

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// checkPlanes holds every tier's planes equal to the definition, and joins them again.
func checkPlanes(t *testing.T, src []byte, size int) {
	t.Helper()
	n := len(src) / size
	want := make([]byte, len(src))
	for i := range n {
		var number [8]byte
		copy(number[:], src[i*size:(i+1)*size])
		v := binary.LittleEndian.Uint64(number[:])
		top := v >> (8*size - 1)
		v = v<<1 | top
		for j := range size {
			want[j*n+i] = byte(v >> (8 * j))
		}
	}
	eachTier(t, func(l Level) {
		got, back := make([]byte, len(src)), make([]byte, len(src))
		SplitPlanes(got, src, size)
		if !bytes.Equal(got, want) {
			t.Fatalf("%v: planes of %d numbers of %d bytes differ", l, n, size)
		}
		JoinPlanes(back, got, size)
		if !bytes.Equal(back, src) {
			t.Fatalf("%v: %d numbers of %d bytes joined differ", l, n, size)
		}
	})
}

func TestPlanes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 41))
	for _, n := range []int{0, 1, 31, 32, 33, 63, 64, 95, 100, 1000, planesTestLong} {
		for _, size := range []int{2, 4, 8} {
			src := make([]byte, n*size)
			for i := range src {
				src[i] = byte(r.Uint32())
			}
			checkPlanes(t, src, size)
		}
	}
}

// planesTestLong takes more than one call of the assembly.
const planesTestLong = 1<<17 + 77

func FuzzPlanes(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint8(1))
	f.Fuzz(func(t *testing.T, src []byte, log uint8) {
		size := 2 << (log % 3)
		checkPlanes(t, src[:len(src)/size*size], size)
	})
}

func TestPlanesPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"numbers of 3 bytes": func() { SplitPlanes(make([]byte, 6), make([]byte, 6), 3) },
		"half a number":      func() { JoinPlanes(make([]byte, 6), make([]byte, 6), 4) },
		"short result":       func() { SplitPlanes(make([]byte, 6), make([]byte, 8), 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s are accepted", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkPlanes(b *testing.B) {
	const size = 1 << 19
	src, dst := make([]byte, size), make([]byte, size)
	run := func(b *testing.B, name string, f func(dst, src []byte, number int), number int) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			start := cpuTime()
			for b.Loop() {
				f(dst, src, number)
			}
			b.ReportMetric(size*float64(b.N)/(cpuTime()-start).Seconds()/1e9, "cpu-GB/s")
		})
	}
	eachTier(b, func(l Level) {
		for _, number := range []int{2, 4, 8} {
			if number == 8 && l != Generic {
				continue
			}
			name := l.String() + "/" + bitsName(number)
			run(b, "split/"+name, SplitPlanes, number)
			run(b, "join/"+name, JoinPlanes, number)
		}
	})
}

func bitsName(size int) string {
	return []string{"16", "32", "64"}[bits.Len(uint(size))-2]
}
