package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// checkDotsI8 holds every tier's dot products equal to the definition, and what they
// must not write as it was.
func checkDotsI8(t *testing.T, r *rand.Rand, m, n, k int, wild bool) {
	t.Helper()
	lda, ldb, ldc := k+r.IntN(3), k+r.IntN(3), n+r.IntN(3)
	a, b := make([]int8, m*lda), make([]int8, n*ldb)
	for _, s := range [][]int8{a, b} {
		for i := range s {
			if s[i] = int8(r.IntN(256) - 128); wild {
				s[i] = []int8{-128, 127, -127, 0}[r.IntN(4)]
			}
		}
	}
	want := make([]int32, m*ldc)
	for i := range want {
		want[i] = 77
	}
	for i := range m {
		for j := range n {
			var s int32
			for q := range k {
				s += int32(a[i*lda+q]) * int32(b[j*ldb+q])
			}
			want[i*ldc+j] = s
		}
	}
	eachTier(t, func(l Level) {
		var p PanelsI8
		p.Pack(b, n, k, ldb)
		got := make([]int32, len(want))
		for i := range got {
			got[i] = 77
		}
		p.Dots(got, ldc, a, lda, m)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: %d rows by %d of %d differ", l, m, n, k)
		}
	})
}

func TestDotsI8(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 31))
	for i := range 60 {
		checkDotsI8(t, r, i%19, r.IntN(110), 4*r.IntN(30), i%2 == 0)
	}
	checkDotsI8(t, r, 1, 1, MaxI8, true)
}

func FuzzDotsI8(f *testing.F) {
	f.Add(uint64(1), uint8(9), uint8(49), uint8(3), true)
	f.Fuzz(func(t *testing.T, seed uint64, m, n, quads uint8, wild bool) {
		checkDotsI8(t, rand.New(rand.NewPCG(seed, 32)), int(m%32), int(n), 4*int(quads%64), wild)
	})
}

func TestDotsI8Panics(t *testing.T) {
	var p PanelsI8
	for name, f := range map[string]func(){
		"a row of three": func() { p.Pack(make([]int8, 3), 1, 3, 3) },
		"short matrix":   func() { p.Pack(make([]int8, 7), 2, 4, 4) },
		"long rows":      func() { p.Pack(make([]int8, MaxI8+4), 1, MaxI8+4, MaxI8+4) },
		"short rows":     func() { p.Pack(make([]int8, 8), 2, 4, 4); p.Dots(make([]int32, 2), 2, make([]int8, 3), 4, 1) },
		"short result":   func() { p.Pack(make([]int8, 8), 2, 4, 4); p.Dots(make([]int32, 1), 2, make([]int8, 4), 4, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is accepted", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkDotsI8(b *testing.B) {
	const m, n, k = 64, 2048, 1024
	r := rand.New(rand.NewPCG(1, 33))
	x, a := make([]int8, n*k), make([]int8, m*k)
	for i := range x {
		x[i] = int8(r.IntN(255) - 127)
	}
	copy(a, x)
	var p PanelsI8
	p.Pack(x, n, k, k)
	c := make([]int32, m*n)
	for b.Loop() {
		p.Dots(c, n, a, k, m)
	}
	b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
}
