package kernels

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// eachTier runs f under every tier that there is.
func eachTier(t testing.TB, f func(l Level)) {
	t.Helper()
	for _, l := range Tiers() {
		restore, err := SetTier(l)
		if err != nil {
			t.Fatal(err)
		}
		f(l)
		restore()
	}
}

func TestTier(t *testing.T) {
	if got := Tiers(); got[0] != Generic || got[len(got)-1] != best || !slices.Contains(got, Tier()) {
		t.Errorf("tiers are %v, in use %v, best %v", got, Tier(), best)
	}
	if _, err := SetTier(best + 1); err == nil {
		t.Error("SetTier accepts a level above the best")
	}
	for _, c := range []struct {
		best Level
		name string
		want Level
	}{
		{AVX512, "", AVX512}, {AVX512, "generic", Generic}, {AVX512, "avx2", AVX2}, {AVX512, "sse", AVX512},
		{AVX2, "avx512", AVX2}, {Generic, "avx512", Generic}, {AVX2, "", AVX2},
	} {
		if got := choose(c.best, c.name); got != c.want {
			t.Errorf("choose(%v, %q) = %v, want %v", c.best, c.name, got, c.want)
		}
	}
}

// extremes are the int32s where arithmetic goes wrong first.
var extremes = []int32{0, 1, -1, 2047, -2047, mixLimit, -mixLimit, math.MaxInt32, math.MinInt32, 1 << 30}

func randomInts(r *rand.Rand, n int, shift int) []int32 {
	out := make([]int32, n)
	for i := range out {
		if out[i] = int32(r.Uint32()) >> shift; r.IntN(16) == 0 {
			out[i] = extremes[r.IntN(len(extremes))]
		}
	}
	return out
}

// checkMix holds every tier's mixing kernels equal to the definition, evaluated
// element by element.
func checkMix(t *testing.T, x, w []int32, e int32, shift uint) {
	t.Helper()
	var dot int32
	trained := make([]int32, len(w))
	for i := range x {
		dot += (x[i] * w[i]) >> 10
		v := w[i] + (x[i]*e+int32(1)<<(shift-1))>>shift
		trained[i] = max(-(1<<19 - 1), min(1<<19-1, v))
	}
	eachTier(t, func(l Level) {
		if got := MixDot(x, w); got != dot {
			t.Errorf("%v: MixDot of %d is %d, want %d", l, len(x), got, dot)
		}
		got := slices.Clone(w)
		MixTrain(got, x, e, shift)
		if !slices.Equal(got, trained) {
			t.Errorf("%v: MixTrain of %d by %d>>%d differs", l, len(x), e, shift)
		}
	})
}

func TestMix(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 70 {
		checkMix(t, randomInts(r, n, 20), randomInts(r, n, 12), int32(r.IntN(4096)-2048), uint(1+r.IntN(16)))
		checkMix(t, randomInts(r, n, 0), randomInts(r, n, 0), int32(r.Uint32()), uint(1+r.IntN(31)))
	}
}

func FuzzMix(f *testing.F) {
	f.Add(uint64(1), uint8(33), int32(-700), uint8(13))
	f.Add(uint64(2), uint8(16), int32(math.MinInt32), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, e int32, shift uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		checkMix(t, randomInts(r, int(n), int(seed%21)), randomInts(r, int(n), int(seed%13)), e, uint(shift)%31+1)
	})
}

// A system is a least-squares problem: samples of the unknowns' values and of
// what they should add up to.
type system struct {
	n, stride int
	a, b      []float32
}

// newSystem builds a system of n unknowns by the kernels themselves, in the tier
// in use.
func newSystem(n, stride int, seed uint64) system {
	r := rand.New(rand.NewPCG(seed, 2))
	s := system{n: n, stride: stride, a: make([]float32, PadF32(n)*stride), b: make([]float32, stride)}
	v := make([]float32, stride)
	for range 2*n + 3 {
		common := r.NormFloat64()
		for i := range n {
			v[i] = float32(40 * (common + r.NormFloat64()))
		}
		y := float32(40 * (common + r.NormFloat64()))
		Rank1F32(s.a, v, n, stride, 0.998, 0.7)
		ScaleAddF32(s.b, v, 0.998, float32(0.7*y))
	}
	for i := range n {
		s.a[i*stride+i] += 1.5
	}
	return s
}

// same reports whether x and y are equal to the bit, and the first place where
// they are not.
func same(x, y []float32) (int, bool) {
	for i := range x {
		if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
			return i, false
		}
	}
	return 0, true
}

func checkSystem(t *testing.T, n, stride int, seed uint64) {
	t.Helper()
	var want system
	var wantX []float32
	eachTier(t, func(l Level) {
		s := newSystem(n, stride, seed)
		if l == Generic {
			want = s
		}
		for i := range n {
			if j, ok := same(s.a[i*stride:][:i+1], want.a[i*stride:][:i+1]); !ok {
				t.Fatalf("%v: n=%d: Rank1F32: element %d,%d is %v, want %v", l, n, i, j, s.a[i*stride+j], want.a[i*stride+j])
			}
		}
		if j, ok := same(s.b, want.b); !ok {
			t.Fatalf("%v: n=%d: ScaleAddF32: element %d differs", l, n, j)
		}
		x := slices.Clone(s.b)
		if !CholeskySolveF32(slices.Clone(s.a), x, n, stride) {
			t.Fatalf("%v: n=%d: not solved", l, n)
		}
		if l == Generic {
			wantX = x[:n]
		}
		if j, ok := same(wantX, x); !ok {
			t.Fatalf("%v: n=%d: unknown %d is %v, want %v", l, n, j, x[j], wantX[j])
		}
	})
	// The residual is small beside the right-hand side.
	for i := range n {
		r, scale := -float64(want.b[i]), math.Abs(float64(want.b[i]))
		for j := range n {
			hi, lo := max(i, j), min(i, j)
			p := float64(want.a[hi*stride+lo]) * float64(wantX[j])
			r += p
			scale += math.Abs(p)
		}
		if math.Abs(r) > 1e-4*scale {
			t.Fatalf("n=%d: row %d is off by %v of %v", n, i, r, scale)
		}
	}
}

func TestCholesky(t *testing.T) {
	for n := 1; n <= CholeskyMax; n++ {
		checkSystem(t, n, PadF32(n), uint64(n))
	}
	checkSystem(t, 18, 48, 1)
	checkSystem(t, 3, 64, 1)
	if !CholeskySolveF32(nil, nil, 0, 0) {
		t.Error("no unknowns: not solved")
	}
}

// TestGolden holds the least-squares kernels to the bits that they gave when they
// were written, on every architecture. A change here breaks every stream that
// was made with them.
func TestGolden(t *testing.T) {
	const want uint32 = 0xf25611a2
	eachTier(t, func(l Level) {
		h := crc32.NewIEEE()
		for n := 1; n <= CholeskyMax; n++ {
			r := rand.New(rand.NewPCG(uint64(n), 3))
			stride := PadF32(n)
			a, b, v := make([]float32, stride*stride), make([]float32, stride), make([]float32, stride)
			for range n + 9 {
				common := r.IntN(256)
				for i := range n {
					v[i] = float32(common + r.IntN(64))
				}
				Rank1F32(a, v, n, stride, 0.9875, 0.3)
				ScaleAddF32(b, v, 0.9875, 0.3*float32(common+r.IntN(64)))
			}
			for i := range n {
				a[i*stride+i] += 2.75
			}
			if !CholeskySolveF32(a, b, n, stride) {
				t.Fatalf("%v: n=%d: not solved", l, n)
			}
			binary.Write(h, binary.LittleEndian, b[:n])
		}
		if got := h.Sum32(); got != want {
			t.Errorf("%v: sum of the solutions is %#x, want %#x", l, got, want)
		}
	})
}

func FuzzCholesky(f *testing.F) {
	f.Add(uint64(1), uint8(17), uint8(0))
	f.Add(uint64(2), uint8(47), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, n, pad uint8) {
		m := int(n)%CholeskyMax + 1
		checkSystem(t, m, PadF32(m)+int(pad%3)*16, seed)
	})
}

func TestCholeskySingular(t *testing.T) {
	for _, bad := range []float32{0, -1, 1e-21, float32(math.NaN())} {
		for _, n := range []int{1, 9, 20, 40} {
			for _, at := range []int{0, n / 2, n - 1} {
				eachTier(t, func(l Level) {
					s := newSystem(n, PadF32(n), 1)
					for j := range at {
						s.a[at*s.stride+j] = 0
					}
					for i := at + 1; i < n; i++ {
						s.a[i*s.stride+at] = 0
					}
					s.a[at*s.stride+at] = bad
					if CholeskySolveF32(s.a, s.b, n, s.stride) {
						t.Errorf("%v: n=%d: pivot %d of %v accepted", l, n, at, bad)
					}
				})
			}
		}
	}
}

// TestBounds puts each argument at the end of a larger array and looks for
// changes outside.
func TestBounds(t *testing.T) {
	const guard = 77
	fence := func(n int) (whole, part []float32) {
		whole = make([]float32, n+64)
		for i := range whole {
			whole[i] = guard
		}
		return whole, whole[32 : 32+n : 32+n]
	}
	intact := func(whole []float32) bool {
		n := len(whole)
		for i := range 32 {
			if whole[i] != guard || whole[n-1-i] != guard {
				return false
			}
		}
		return true
	}
	eachTier(t, func(l Level) {
		for n := 1; n <= CholeskyMax; n++ {
			stride := PadF32(n)
			s := newSystem(n, stride, 3)
			wa, a := fence(stride * stride)
			wb, b := fence(stride)
			copy(a, s.a)
			copy(b, s.b)
			CholeskySolveF32(a, b, n, stride)
			if !intact(wa) || !intact(wb) {
				t.Errorf("%v: n=%d: CholeskySolveF32 writes outside its arguments", l, n)
			}
			wa, a = fence(n * stride)
			Rank1F32(a, b, n, stride, 0.5, 0.5)
			if !intact(wa) {
				t.Errorf("%v: n=%d: Rank1F32 writes outside its arguments", l, n)
			}
			wb, b = fence(n)
			ScaleAddF32(b, s.b[:n], 0.5, 0.5)
			if !intact(wb) {
				t.Errorf("%v: n=%d: ScaleAddF32 writes outside its arguments", l, n)
			}
		}
	})
}

func TestPanics(t *testing.T) {
	f := make([]float32, 256)
	w := make([]int32, 16)
	for name, call := range map[string]func(){
		"MixDot lengths":     func() { MixDot(w, w[:15]) },
		"MixTrain lengths":   func() { MixTrain(w, w[:15], 1, 10) },
		"MixTrain shift 0":   func() { MixTrain(w, w, 1, 0) },
		"MixTrain shift 32":  func() { MixTrain(w, w, 1, 32) },
		"Rank1 stride":       func() { Rank1F32(f, f, 8, 8, 1, 1) },
		"Rank1 matrix":       func() { Rank1F32(f[:127], f, 8, 16, 1, 1) },
		"Rank1 vector":       func() { Rank1F32(f, f[:15], 8, 16, 1, 1) },
		"Rank1 negative":     func() { Rank1F32(f, f, -1, 16, 1, 1) },
		"ScaleAdd lengths":   func() { ScaleAddF32(f, f[:9], 1, 1) },
		"Cholesky matrix":    func() { CholeskySolveF32(f[:255], f, 8, 16) },
		"Cholesky right":     func() { CholeskySolveF32(f, f[:15], 8, 16) },
		"Cholesky too large": func() { CholeskySolveF32(make([]float32, 64*64), f, 49, 64) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// TestAVX2Registers sees that the AVX2 functions use no register that only
// AVX-512 has: the assembler would take it without complaint.
func TestAVX2Registers(t *testing.T) {
	src, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	function := ""
	for line := range strings.Lines(string(src)) {
		if strings.HasPrefix(line, "TEXT") {
			function = strings.Fields(line)[1]
		}
		if strings.Contains(function, "AVX2") && wide.MatchString(line) {
			t.Fatalf("%s: %s", function, line)
		}
	}
	if function == "" {
		t.Fatal("no functions found")
	}
}

func BenchmarkMix(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{16, 64} {
		x, w := randomInts(r, n, 20), randomInts(r, n, 13)
		eachTier(b, func(l Level) {
			b.Run(fmt.Sprintf("Dot/%d/%v", n, l), func(b *testing.B) {
				b.SetBytes(int64(8 * n))
				for b.Loop() {
					MixDot(x, w)
				}
			})
			b.Run(fmt.Sprintf("Train/%d/%v", n, l), func(b *testing.B) {
				b.SetBytes(int64(8 * n))
				for b.Loop() {
					MixTrain(w, x, 77, 14)
				}
			})
		})
	}
}

func BenchmarkRank1(b *testing.B) {
	for _, n := range []int{18, 32} {
		v := make([]float32, PadF32(n))
		for i := range n {
			v[i] = float32(i + 1)
		}
		eachTier(b, func(l Level) {
			s := newSystem(n, PadF32(n), 1)
			b.Run(fmt.Sprintf("%d/%v", n, l), func(b *testing.B) {
				b.SetBytes(int64(4 * n * (n + 1) / 2))
				for b.Loop() {
					Rank1F32(s.a, v, n, s.stride, 0.99, 0.5)
				}
			})
		})
	}
}

func BenchmarkCholesky(b *testing.B) {
	for _, n := range []int{16, 18, 24, 32, 48} {
		eachTier(b, func(l Level) {
			s := newSystem(n, PadF32(n), 1)
			a, x := slices.Clone(s.a), slices.Clone(s.b)
			b.Run(fmt.Sprintf("%d/%v", n, l), func(b *testing.B) {
				b.SetBytes(int64(4 * n * (n + 1) / 2))
				for b.Loop() {
					copy(a, s.a)
					copy(x, s.b)
					CholeskySolveF32(a, x, n, s.stride)
				}
			})
		})
	}
}
