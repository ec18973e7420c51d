package kernels

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// randomColumns returns a matrix with columns of very different means and ranges,
// ties and zeros of both signs.
func randomColumns(r *rand.Rand, rows, ld int) []float32 {
	x := make([]float32, rows*ld)
	for j := range ld {
		mean, width := 10*r.NormFloat64(), math.Exp(4*r.NormFloat64())
		for i := range rows {
			v := float32(mean + width*r.NormFloat64())
			switch r.IntN(12) {
			case 0:
				v = float32(math.Copysign(0, float64(v)))
			case 1:
				v = float32(math.Round(float64(v))) / 2
			}
			x[i*ld+j] = v
		}
	}
	return x
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(u, v float32) bool { return math.Float32bits(u) == math.Float32bits(v) })
}

// sameSums is sameBits but for the sign of zeros.
func sameSums(a, b []float32) bool { return slices.Equal(a, b) }

// checkColumns holds every tier's kernels equal to their definitions, evaluated a
// column at a time, and what lies outside untouched.
func checkColumns(t *testing.T, r *rand.Rand, rows, ld, n, ldc int) {
	t.Helper()
	const outside = 77
	x := randomColumns(r, rows, ld)
	g := NewColumnGrid(n)
	scale, zero := make([]float32, n), make([]int32, n)
	wantStats, wantMoments := NewColumnStats(n), NewColumnMoments(n)
	wantCodes := slices.Repeat([]uint8{outside}, rows*ldc)
	wantX := slices.Repeat([]float32{outside}, rows*ld)
	for j := range n {
		g.Top[j] = []float32{1, 2, 3, 7, 15, 255}[r.IntN(6)]
		g.Zero[j] = x[r.IntN(rows)*ld+j]
		g.Inv[j] = float32(math.Exp(2 * r.NormFloat64()))
		if r.IntN(9) == 0 {
			g.Inv[j] = 0
		}
		scale[j], zero[j] = float32(r.NormFloat64()), int32(r.IntN(1<<16)-1<<15)

		first := x[j]
		lo, hi, sum, sq := first, first, float32(0), float32(0)
		var mt, mq, mqq, mqt float32
		for i := range rows {
			v := x[i*ld+j]
			if v < lo {
				lo = v
			}
			if v > hi {
				hi = v
			}
			if i > 0 {
				sum += v - first
				sq += float32((v - first) * (v - first))
			}
			u := float32((v - g.Zero[j]) * g.Inv[j])
			q := float32(math.RoundToEven(float64(min(max(u, 0), g.Top[j]))))
			mt += u
			mq += q
			mqq += float32(q * q)
			mqt += float32(q * u)
			wantCodes[i*ldc+j] = uint8(q)
			wantX[i*ld+j] = scale[j] * float32(16*int32(q)+zero[j])
		}
		wantStats.Lo[j], wantStats.Hi[j], wantStats.Sum[j], wantStats.Sq[j], wantStats.Pivot[j] = lo, hi, sum, sq, first
		wantMoments.T[j], wantMoments.Q[j], wantMoments.QQ[j], wantMoments.QT[j] = mt, mq, mqq, mqt
	}
	eachTier(t, func(l Level) {
		s, m := NewColumnStats(n), NewColumnMoments(n)
		s.Of(x, ld, rows, n)
		m.Of(&g, x, ld, rows, n)
		codes := slices.Repeat([]uint8{outside}, rows*ldc)
		g.Codes(codes, ldc, x, ld, rows, n)
		back := slices.Repeat([]float32{outside}, rows*ld)
		DequantiseColumns(back, ld, codes, ldc, scale, zero, rows, n)
		if !sameBits(s.Lo, wantStats.Lo) || !sameBits(s.Hi, wantStats.Hi) || !sameSums(s.Sum, wantStats.Sum) ||
			!sameSums(s.Sq, wantStats.Sq) || !sameBits(s.Pivot, wantStats.Pivot) {
			t.Fatalf("%v: statistics of %d x %d of %d differ", l, rows, n, ld)
		}
		if !sameSums(m.T, wantMoments.T) || !sameSums(m.Q, wantMoments.Q) || !sameSums(m.QQ, wantMoments.QQ) || !sameSums(m.QT, wantMoments.QT) {
			t.Fatalf("%v: moments of %d x %d of %d differ", l, rows, n, ld)
		}
		if !slices.Equal(codes, wantCodes) {
			t.Fatalf("%v: codes of %d x %d of %d, %d differ", l, rows, n, ld, ldc)
		}
		if !sameBits(back, wantX) {
			t.Fatalf("%v: values of %d x %d of %d, %d differ", l, rows, n, ld, ldc)
		}
	})
}

func TestColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 17))
	for n := range 70 {
		for range 3 {
			checkColumns(t, r, 1+r.IntN(40), n+r.IntN(3), n, n+r.IntN(5))
		}
	}
}

func FuzzColumns(f *testing.F) {
	f.Add(uint64(1), uint8(32), uint8(128), uint8(0))
	f.Add(uint64(2), uint8(1), uint8(17), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, rows, n, more uint8) {
		checkColumns(t, rand.New(rand.NewPCG(seed, 17)), 1+int(rows), int(n)+int(more%9), int(n), int(n)+int(more/9))
	})
}

func TestColumnsRefuse(t *testing.T) {
	x, codes := make([]float32, 31), make([]uint8, 31)
	g, s, m := NewColumnGrid(8), NewColumnStats(8), NewColumnMoments(8)
	for name, f := range map[string]func(){
		"stats":             func() { s.Of(x, 8, 4, 8) },
		"stats of no rows":  func() { s.Of(x, 8, 0, 8) },
		"stats in few":      func() { s.Of(x, 9, 1, 9) },
		"codes of few":      func() { g.Codes(make([]uint8, 40), 8, x, 8, 4, 8) },
		"codes in few":      func() { g.Codes(codes, 8, make([]float32, 40), 8, 4, 8) },
		"codes, stride":     func() { g.Codes(codes, 7, x, 8, 2, 8) },
		"moments":           func() { m.Of(&g, x, 8, 4, 8) },
		"moments, negative": func() { m.Of(&g, x, 8, 1, -1) },
		"values":            func() { DequantiseColumns(x, 8, make([]uint8, 40), 8, make([]float32, 8), make([]int32, 8), 4, 8) },
		"values, scales":    func() { DequantiseColumns(x, 8, codes, 8, make([]float32, 7), make([]int32, 8), 1, 8) },
		"transpose":         func() { TransposeF32(x, 4, make([]float32, 40), 8, 4, 8) },
		"Hadamard of 3":     func() { Hadamard(x[:30], 3) },
		"Hadamard, rest":    func() { Hadamard(x, 4) },
		"Hadamard of 0":     func() { Hadamard(x, 0) },
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

func TestMagnitudeF32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 37))
	for n := range 300 {
		x := randomColumns(r, 1, n)
		if n > 0 {
			x[r.IntN(n)] = []float32{-1e30, float32(math.Inf(-1)), float32(math.NaN()), 1e-40}[n%4]
		}
		want := uint32(0)
		for _, v := range x {
			want = max(want, math.Float32bits(float32(math.Abs(float64(v)))))
		}
		eachTier(t, func(l Level) {
			if got := MagnitudeF32(x); got != want {
				t.Fatalf("%v: magnitude of %d is %x, want %x", l, n, got, want)
			}
		})
	}
}

func TestTransposeF32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 19))
	for range 300 {
		rows, n := r.IntN(40), r.IntN(40)
		lds, ldd := n+r.IntN(3), rows+r.IntN(3)
		src := make([]float32, rows*lds)
		for i := range src {
			src[i] = float32(i + 1)
		}
		want := make([]float32, n*ldd)
		for i := range rows {
			for j := range n {
				want[j*ldd+i] = src[i*lds+j]
			}
		}
		eachTier(t, func(l Level) {
			dst := make([]float32, len(want))
			TransposeF32(dst, ldd, src, lds, rows, n)
			if !slices.Equal(dst, want) {
				t.Fatalf("%v: %d x %d, rows %d and %d apart, differ", l, rows, n, lds, ldd)
			}
		})
	}
}

// TestHadamard compares with the definition in integers, where nothing rounds.
func TestHadamard(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 23))
	for n := 1; n <= 1024; n *= 2 {
		rows := 1 + r.IntN(3)
		x, want := make([]float32, rows*n), make([]float32, rows*n)
		for i := range x {
			x[i] = float32(r.IntN(2001) - 1000)
		}
		for i := range x {
			for j, v := range x[i/n*n : i/n*n+n] {
				if bits.OnesCount(uint(i%n&j))%2 == 1 {
					v = -v
				}
				want[i] += v
			}
		}
		eachTier(t, func(l Level) {
			y := slices.Clone(x)
			Hadamard(y, n)
			if !sameSums(y, want) {
				t.Fatalf("%v: transform of %d differs", l, n)
			}
			Hadamard(y, n)
			for i, v := range y {
				if v != float32(n)*x[i] {
					t.Fatalf("%v: transform of %d twice gives %v for %v", l, n, v, x[i])
				}
			}
		})
	}
}

// TestHadamardTiers compares the tiers where much rounds.
func TestHadamardTiers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 29))
	for n := 1; n <= MaxHadamard; n *= 2 {
		x := randomColumns(r, 2, n)
		want := slices.Clone(x)
		hadamardGeneric(want, n)
		eachTier(t, func(l Level) {
			y := slices.Clone(x)
			Hadamard(y, n)
			if !sameSums(y, want) {
				t.Fatalf("%v: transform of %d differs", l, n)
			}
		})
	}
}

func benchTiers(b *testing.B, bytes int, f func()) {
	eachTier(b, func(l Level) {
		b.Run(l.String(), func(b *testing.B) {
			b.SetBytes(int64(bytes))
			for b.Loop() {
				f()
			}
		})
	})
}

// BenchmarkHadamard is in the first-level cache, and in memory beside a sum in place.
func BenchmarkHadamard(b *testing.B) {
	for _, n := range []int{64, 128, 1024} {
		x := make([]float32, 8192)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			benchTiers(b, 4*len(x), func() { Hadamard(x, n) })
		})
	}
	b.Run("memory", func(b *testing.B) {
		x := make([]float32, 1<<26)
		for _, n := range []int{64, 1024, 16384} {
			b.Run(strconv.Itoa(n), func(b *testing.B) {
				benchTiers(b, 4*len(x), func() { Hadamard(x, n) })
			})
		}
		b.Run("sum", func(b *testing.B) {
			benchTiers(b, 4*len(x), func() { AxpbyF32(x, 0.5, x, 0.5) })
		})
	})
}

// BenchmarkColumns takes groups of 32 of 128 columns, 16 KiB.
func BenchmarkColumns(b *testing.B) {
	const rows, n = 32, 128
	x := randomColumns(rand.New(rand.NewPCG(1, 31)), rows, n)
	g, s, m := NewColumnGrid(n), NewColumnStats(n), NewColumnMoments(n)
	for j := range n {
		g.Inv[j], g.Top[j] = 1, 3
	}
	codes, y := make([]uint8, rows*n), make([]float32, rows*n)
	scale, zero := make([]float32, n), make([]int32, n)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"stats", func() { s.Of(x, n, rows, n) }},
		{"moments", func() { m.Of(&g, x, n, rows, n) }},
		{"codes", func() { g.Codes(codes, n, x, n, rows, n) }},
		{"values", func() { DequantiseColumns(y, n, codes, n, scale, zero, rows, n) }},
		{"magnitude", func() { MagnitudeF32(x) }},
		{"transpose", func() { TransposeF32(y, rows, x, n, rows, n) }},
	} {
		b.Run(c.name, func(b *testing.B) { benchTiers(b, 4*rows*n, c.f) })
	}
}
