package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// extremeI16 are the int16s where arithmetic goes wrong first.
var extremeI16 = []int16{0, 1, -1, math.MaxInt16, math.MinInt16, 1 << 10}

func randomI16(r *rand.Rand, n int, wild bool) []int16 {
	out := make([]int16, n)
	for i := range out {
		switch out[i] = int16(r.IntN(1 << 16)); {
		case !wild:
			out[i] >>= 5
		case r.IntN(4) == 0:
			out[i] = extremeI16[r.IntN(len(extremeI16))]
		}
	}
	return out
}

// checkLayersI16 holds every tier's integer layers equal to the definition, evaluated
// one output at a time, and what they must not write as it was.
func checkLayersI16(t *testing.T, r *rand.Rand, in, out, stride, n int, wild bool) {
	t.Helper()
	x, w := randomI16(r, in*stride, wild), randomI16(r, in*out, wild)
	b := make([]int32, out)
	for i := range b {
		if b[i] = int32(r.Uint32()); !wild {
			b[i] >>= 8
		}
	}
	want := make([]int32, out*stride)
	wantY := make([]int16, (out+out%2)*stride)
	for i := range want {
		want[i] = 77
	}
	for i := range wantY {
		wantY[i] = 77
	}
	for o := range out {
		for p := range n {
			s := b[o]
			for k := range in {
				s += int32(w[o*in+k]) * int32(x[(k/2*stride+p)*2+k%2])
			}
			want[o*stride+p] = s
			wantY[(o/2*stride+p)*2+o%2] = int16(min(max((s+512)>>10, 0), 32767))
		}
	}
	eachTier(t, func(l Level) {
		got := make([]int32, len(want))
		for i := range got {
			got[i] = 77
		}
		LinearI16(got, x, w, b, in, out, stride, n)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: LinearI16 of %d to %d at %d of %d differs", l, in, out, n, stride)
		}
		if out%2 != 0 {
			return
		}
		y := make([]int16, len(wantY))
		for i := range y {
			y[i] = 77
		}
		ReLUI16(y, x, w, b, in, out, stride, n)
		if !slices.Equal(y, wantY) {
			t.Fatalf("%v: ReLUI16 of %d to %d at %d of %d differs", l, in, out, n, stride)
		}
	})
}

func TestLayersI16(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 11))
	for n := range 70 {
		for _, wild := range []bool{false, true} {
			checkLayersI16(t, r, 2+2*r.IntN(24), r.IntN(25), n+r.IntN(3), n, wild)
		}
	}
}

func FuzzLayersI16(f *testing.F) {
	f.Add(uint64(1), uint8(10), uint8(20), uint16(256), false)
	f.Add(uint64(2), uint8(0), uint8(1), uint16(1), true)
	f.Fuzz(func(t *testing.T, seed uint64, in, out uint8, n uint16, wild bool) {
		r := rand.New(rand.NewPCG(seed, 11))
		m := int(n) % 300
		checkLayersI16(t, r, 2+2*int(in%32), int(out%64), m+r.IntN(4), m, wild)
	})
}

func TestInterleaveI16(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	for n := range 70 {
		a, b := randomI16(r, n, true), randomI16(r, n, true)
		eachTier(t, func(l Level) {
			got := make([]int16, 2*n)
			InterleaveI16(got, a, b)
			for i, v := range got {
				if want := [][]int16{a, b}[i%2][i/2]; v != want {
					t.Fatalf("%v: element %d of %d is %d, want %d", l, i, 2*n, v, want)
				}
			}
		})
	}
}

// checkRowsF32 holds every tier's RowsF32 equal to the definition to the bit.
func checkRowsF32(t *testing.T, r *rand.Rand, m, k, n int, relu bool) {
	t.Helper()
	ldy := n + r.IntN(3)
	x := make([]float32, 3*n+50)
	number := func() float32 {
		if r.IntN(16) == 0 {
			return []float32{0, 1, -1, 1e30, -1e30, 1e-38, -1e-40}[r.IntN(7)]
		}
		return float32(r.NormFloat64())
	}
	for i := range x {
		x[i] = number()
	}
	w, b, off := make([]float32, m*k), make([]float32, m), make([]int, k)
	for i := range w {
		w[i] = number()
	}
	for i := range b {
		b[i] = number()
	}
	for i := range off {
		off[i] = r.IntN(len(x) - n + 1)
	}
	want := make([]float32, m*ldy)
	for i := range want {
		want[i] = 77
	}
	for i := range m {
		for p := range n {
			s := b[i]
			for j := range k {
				s += float32(w[i*k+j] * x[off[j]+p])
			}
			if relu && !(s > 0) {
				s = 0
			}
			want[i*ldy+p] = s
		}
	}
	eachTier(t, func(l Level) {
		got := make([]float32, len(want))
		for i := range got {
			got[i] = 77
		}
		RowsF32(got, ldy, w, b, x, off, m, n, relu)
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) && (v == v || want[i] == want[i]) {
				t.Fatalf("%v: RowsF32 of %d rows of %d from %d: element %d is %v, want %v", l, m, n, k, i, v, want[i])
			}
		}
	})
}

func TestRowsF32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 12))
	for n := range 70 {
		checkRowsF32(t, r, r.IntN(20), r.IntN(20), n, n%2 == 0)
	}
	checkRowsF32(t, r, 48, 7, 777, true)
	checkRowsF32(t, r, 3, 55, 777, false)
}

func FuzzRowsF32(f *testing.F) {
	f.Add(uint64(1), uint8(48), uint8(7), uint16(256), true)
	f.Add(uint64(2), uint8(3), uint8(0), uint16(1), false)
	f.Fuzz(func(t *testing.T, seed uint64, m, k uint8, n uint16, relu bool) {
		checkRowsF32(t, rand.New(rand.NewPCG(seed, 12)), int(m%70), int(k%70), int(n%600), relu)
	})
}

func TestLayersRefuse(t *testing.T) {
	i16, i32, f32 := make([]int16, 64), make([]int32, 64), make([]float32, 64)
	for name, f := range map[string]func(){
		"odd inputs":    func() { LinearI16(i32, i16, i16, i32, 3, 1, 4, 4) },
		"odd outputs":   func() { ReLUI16(i16, i16, i16, i32, 2, 1, 4, 4) },
		"stride":        func() { LinearI16(i32, i16, i16, i32, 2, 1, 3, 4) },
		"short inputs":  func() { LinearI16(i32, i16[:7], i16, i32, 2, 1, 4, 4) },
		"short outputs": func() { LinearI16(i32[:3], i16, i16, i32, 2, 1, 4, 4) },
		"short pairs":   func() { ReLUI16(i16[:7], i16, i16, i32, 2, 2, 4, 4) },
		"short weights": func() { LinearI16(i32, i16, i16[:3], i32, 2, 2, 4, 4) },
		"short biases":  func() { LinearI16(i32, i16, i16, i32[:1], 2, 2, 4, 4) },
		"interleaved":   func() { InterleaveI16(i16[:6], i16[:4], i16[:4]) },
		"one shorter":   func() { InterleaveI16(i16[:8], i16[:4], i16[:3]) },
		"offset":        func() { RowsF32(f32, 4, f32, f32, f32, []int{61}, 1, 4, false) },
		"below zero":    func() { RowsF32(f32, 4, f32, f32, f32, []int{-1}, 1, 4, false) },
		"short rows":    func() { RowsF32(f32[:7], 4, f32, f32, f32, []int{0}, 2, 4, false) },
		"stride of y":   func() { RowsF32(f32, 3, f32, f32, f32, []int{0}, 2, 4, false) },
		"few weights":   func() { RowsF32(f32, 4, f32[:1], f32, f32, []int{0}, 2, 4, false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkRowsF32(b *testing.B) {
	const n = 256
	x, y, w := make([]float32, 64*n), make([]float32, 64*n), make([]float32, 64*64)
	for _, s := range [][2]int{{48, 7}, {3, 55}, {3, 27}, {1, 4}} {
		m, k := s[0], s[1]
		off := make([]int, k)
		for i := range off {
			off[i] = i * n
		}
		eachTier(b, func(l Level) {
			b.Run(fmt.Sprintf("%dx%d/%v", m, k, l), func(b *testing.B) {
				for b.Loop() {
					RowsF32(y, n, w, w, x, off, m, n, true)
				}
				b.ReportMetric(float64(m*k*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		})
	}
}

func BenchmarkReLUI16(b *testing.B) {
	const n = 256
	for _, d := range []int{12, 20, 26} {
		x, y, w := make([]int16, d*n), make([]int16, d*n), make([]int16, d*d)
		bias := make([]int32, d)
		eachTier(b, func(l Level) {
			b.Run(fmt.Sprintf("%d/%v", d, l), func(b *testing.B) {
				for b.Loop() {
					ReLUI16(y, x, w, bias, d, d, n, n)
				}
				b.ReportMetric(float64(d*d*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		})
	}
}
