package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// guard is what lies around the arguments of the kernels under test.
const guard = 12345

// fenced returns n floats with capacity for no more, inside a larger array of
// guards, and a check that those still stand.
func fenced(n int) (part []float32, intact func() bool) {
	whole := make([]float32, n+96)
	for i := range whole {
		whole[i] = guard
	}
	return whole[48 : 48+n : 48+n], func() bool {
		for i := range 48 {
			if whole[i] != guard || whole[n+48+i] != guard {
				return false
			}
		}
		return true
	}
}

// randomFloats fills a fenced slice with normal variates. What a kernel reads
// past its end is the guard, which shows in the results.
func randomFloats(r *rand.Rand, n int) []float32 {
	f, _ := fenced(n)
	for i := range f {
		f[i] = float32(r.NormFloat64())
	}
	return f
}

// near reports whether got is within the rounding of a float32 sum of the given
// number of terms whose absolute values add up to size.
func near(got float32, want, size float64, terms int) bool {
	return math.Abs(float64(got)-want) <= 6e-8*size*(2+math.Sqrt(float64(terms)))*2
}

func checkComb(t *testing.T, m, k, n int, seed uint64, e Epilogue) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 4))
	span := n + 7 + r.IntN(3*n+9)
	x := randomFloats(r, span)
	off := make([]int, k)
	for i := range off {
		off[i] = r.IntN(span - n + 1)
	}
	w, bias := randomFloats(r, m*k+3*m), randomFloats(r, m)
	ldw := k + r.IntN(3)
	ldy := n + r.IntN(20)
	before := randomFloats(r, m*ldy)
	if e.Gate != nil {
		e.Gate, e.GateStride = randomFloats(r, m*(n+2)), n+2
	}
	eachTier(t, func(l Level) {
		var p Panels
		p.Pack(w, m, k, ldw, bias)
		y, intact := fenced((m-1)*ldy + n)
		copy(y, before)
		p.Apply(y, ldy, x, off, n, e)
		if !intact() {
			t.Fatalf("%v: m=%d k=%d n=%d: writes outside y", l, m, k, n)
		}
		for i := range m {
			for j := range ldy {
				if i == m-1 && j == n {
					break
				}
				at := i*ldy + j
				if j >= n {
					if y[at] != before[at] {
						t.Fatalf("%v: m=%d k=%d n=%d: writes between rows", l, m, k, n)
					}
					continue
				}
				sum, size := float64(bias[i]), math.Abs(float64(bias[i]))
				add := func(v float64) { sum += v; size += math.Abs(v) }
				for q, o := range off {
					add(float64(w[i*ldw+q]) * float64(x[o+j]))
				}
				if e.Add {
					add(float64(before[at]))
				}
				if e.Act {
					sum = max(sum, float64(e.Slope)*sum)
				}
				if e.Gate != nil && !(e.Gate[i*e.GateStride+j] > 0) {
					sum *= float64(e.Slope)
				}
				if !near(y[at], sum, size, k) {
					t.Fatalf("%v: m=%d k=%d n=%d %+v: y[%d][%d] is %v, want %v", l, m, k, n, e.Act, i, j, y[at], sum)
				}
			}
		}
		// Divided, transposed and in one: the same bits.
		whole := make([]float32, len(y))
		copy(whole, before)
		wt := make([]float32, k*(m+1))
		for i := range m {
			for j := range k {
				wt[j*(m+1)+i] = w[i*ldw+j]
			}
		}
		p.PackT(wt, m, k, m+1, bias)
		for j := 0; j < n; {
			step := min(1+r.IntN(40), n-j)
			f := e
			if f.Gate != nil {
				f.Gate = f.Gate[j:]
			}
			p.Apply(whole[j:], ldy, x[j:], off, step, f)
			j += step
		}
		if i, ok := same(y, whole); !ok {
			t.Fatalf("%v: m=%d k=%d n=%d: element %d depends on how n is divided", l, m, k, n, i)
		}
	})
}

var epilogues = []Epilogue{
	{}, {Add: true}, {Act: true}, {Act: true, Slope: 0.1, Add: true},
	{Gate: []float32{}}, {Gate: []float32{}, Slope: 0.25, Add: true},
}

func TestApply(t *testing.T) {
	for m := 1; m <= 20; m++ {
		for _, k := range []int{1, 2, 7, 20} {
			for i, n := range []int{1, 5, 8, 16, 47, 100, 161, 300} {
				checkComb(t, m, k, n, uint64(m*n), epilogues[(i+m)%len(epilogues)])
			}
		}
	}
	checkComb(t, 48, 27, 700, 1, epilogues[3])
	checkComb(t, 9, 300, 200, 1, epilogues[5])
}

func FuzzApply(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(9), uint16(100), uint8(0))
	f.Add(uint64(2), uint8(3), uint8(27), uint16(33), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, m, k uint8, n uint16, e uint8) {
		checkComb(t, int(m)%40+1, int(k)%50+1, int(n)%600+1, seed, epilogues[int(e)%len(epilogues)])
	})
}

func checkDots(t *testing.T, m, k, n, pieces int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	lda, stepA := r.IntN(2*n+1), r.IntN(2*n+1)
	stepX, span := r.IntN(2*n+1), r.IntN(3*n+1)
	a := randomFloats(r, (m-1)*lda+(pieces-1)*stepA+n)
	x := randomFloats(r, span+(pieces-1)*stepX+n)
	off := make([]int, k)
	for i := range off {
		off[i] = r.IntN(span + 1)
	}
	ldc := k + r.IntN(3)
	before := randomFloats(r, m*ldc)
	eachTier(t, func(l Level) {
		c, intact := fenced((m-1)*ldc + k)
		copy(c, before)
		DotsF32(c, ldc, a, lda, stepA, m, x, off, stepX, n, pieces)
		if !intact() {
			t.Fatalf("%v: m=%d k=%d n=%d pieces=%d: writes outside c", l, m, k, n, pieces)
		}
		for at := range c {
			i, j := at/ldc, at%ldc
			if j >= k {
				if c[at] != before[at] {
					t.Fatalf("%v: m=%d k=%d n=%d: writes between rows", l, m, k, n)
				}
				continue
			}
			sum, size := float64(before[at]), math.Abs(float64(before[at]))
			for p := range pieces {
				for q := range n {
					v := float64(a[i*lda+p*stepA+q]) * float64(x[off[j]+p*stepX+q])
					sum += v
					size += math.Abs(v)
				}
			}
			if !near(c[at], sum, size, n*pieces) {
				t.Fatalf("%v: m=%d k=%d n=%d pieces=%d: c[%d][%d] is %v, want %v", l, m, k, n, pieces, i, j, c[at], sum)
			}
		}
	})
}

func TestDots(t *testing.T) {
	for m := 1; m <= 13; m++ {
		for k := 1; k <= 12; k++ {
			checkDots(t, m, k, 1+(m*k*7)%90, 1+(m+k)%4, uint64(m*k))
		}
	}
	checkDots(t, 3, 7, 5000, 2, 1)
	checkDots(t, 5, 27, 97, 40, 1)
}

func FuzzDots(f *testing.F) {
	f.Add(uint64(1), uint8(8), uint8(9), uint16(100), uint8(0))
	f.Add(uint64(2), uint8(3), uint8(26), uint16(3000), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, m, k uint8, n uint16, pieces uint8) {
		checkDots(t, int(m)%20+1, int(k)%20+1, int(n)%3000+1, int(pieces)%8+1, seed)
	})
}

func TestGemm(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	g := new(Gemm)
	for _, s := range [][3]int{
		{1, 1, 1}, {3, 5, 7}, {20, 100, 20}, {64, 130, 70}, {33, 145, 400}, {40, 1024, 12}, {9, 1, 200}, {2, 3, 0},
	} {
		m, n, k := s[0], s[1], s[2]
		a, b := randomFloats(r, m*k), randomFloats(r, k*n)
		at, bt := make([]float32, m*k), make([]float32, k*n)
		want, size := make([]float64, m*n), make([]float64, m*n)
		for p := range k {
			for i := range m {
				at[p*m+i] = a[i*k+p]
				for j := range n {
					bt[j*k+p] = b[p*n+j]
					v := float64(a[i*k+p]) * float64(b[p*n+j])
					want[i*n+j] += v
					size[i*n+j] += math.Abs(v)
				}
			}
		}
		eachTier(t, func(l Level) {
			for _, add := range []bool{false, true} {
				for name, f := range map[string]func(c []float32){
					"NN": func(c []float32) { g.NN(c, n+2, a, k, b, n, m, n, k, add) },
					"TN": func(c []float32) { g.TN(c, n+2, at, m, b, n, m, n, k, add) },
					"NT": func(c []float32) { g.NT(c, n+2, a, k, bt, k, m, n, k, add) },
				} {
					c, intact := fenced((m-1)*(n+2) + n)
					f(c)
					if !intact() {
						t.Fatalf("%v: %s %v: writes outside c", l, name, s)
					}
					for i := range c {
						row, col := i/(n+2), i%(n+2)
						w, z := float64(guard), 0.0
						if col < n {
							w, z = want[row*n+col], size[row*n+col]
							if add {
								w, z = w+guard, z+guard
							}
						}
						if !near(c[i], w, z, k) {
							t.Fatalf("%v: %s %v add %v: %d,%d is %v, want %v", l, name, s, add, row, col, c[i], w)
						}
					}
				}
			}
		})
	}
}

func TestTrainPanics(t *testing.T) {
	f := make([]float32, 100)
	off := []int{0, 10}
	var p Panels
	p.Pack(f, 3, 2, 2, nil)
	var g Gemm
	for name, call := range map[string]func(){
		"Pack short":       func() { new(Panels).Pack(f, 10, 11, 11, nil) },
		"Pack empty":       func() { new(Panels).Pack(f, 0, 11, 11, nil) },
		"Pack stride":      func() { new(Panels).Pack(f, 2, 11, 10, nil) },
		"PackT short":      func() { new(Panels).PackT(f, 11, 10, 11, nil) },
		"Pack biases":      func() { new(Panels).Pack(f, 3, 2, 2, f[:2]) },
		"Apply unpacked":   func() { new(Panels).Apply(f, 10, f, nil, 10, Epilogue{}) },
		"Apply offsets":    func() { p.Apply(f, 10, f, off[:1], 10, Epilogue{}) },
		"Apply y":          func() { p.Apply(f[:29], 10, f, off, 10, Epilogue{}) },
		"Apply y stride":   func() { p.Apply(f, 9, f, off, 10, Epilogue{}) },
		"Apply x":          func() { p.Apply(f, 10, f[:19], off, 10, Epilogue{}) },
		"Apply negative x": func() { p.Apply(f, 10, f, []int{0, -1}, 10, Epilogue{}) },
		"Apply gate":       func() { p.Apply(f, 10, f, off, 10, Epilogue{Gate: f[:29], GateStride: 10}) },
		"Apply slope":      func() { p.Apply(f, 10, f, off, 10, Epilogue{Slope: 1}) },
		"Dots c":           func() { DotsF32(f[:5], 2, f, 10, 0, 3, f, off, 0, 10, 1) },
		"Dots a":           func() { DotsF32(f, 2, f[:29], 10, 0, 3, f, off, 0, 10, 1) },
		"Dots x":           func() { DotsF32(f, 2, f, 10, 0, 3, f[:29], off, 10, 10, 2) },
		"Dots negative":    func() { DotsF32(f, 2, f, 10, 0, 3, f, []int{-1}, 10, 10, 1) },
		"Gemm c":           func() { g.NN(f[:8], 3, f, 3, f, 3, 3, 3, 3, false) },
		"Gemm a":           func() { g.TN(f, 3, f[:8], 3, f, 3, 3, 3, 3, false) },
		"Gemm b":           func() { g.NT(f, 3, f, 3, f[:8], 3, 3, 3, 3, false) },
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

// TestTrainAVX2Registers sees that the AVX2 functions use no register that only
// AVX-512 has.
func TestTrainAVX2Registers(t *testing.T) {
	src, err := os.ReadFile("train_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	functions, function := 0, ""
	for line := range strings.Lines(string(src)) {
		if strings.HasPrefix(line, "TEXT") {
			function = strings.Fields(line)[1]
			functions++
		}
		if strings.Contains(function, "AVX2") && wide.MatchString(line) {
			t.Fatalf("%s: %s", function, line)
		}
	}
	if functions == 0 {
		t.Fatal("no functions found")
	}
}

// fastest returns the time of f: the least of some runs of at least a tenth of a
// millisecond each.
func fastest(runs int, f func()) float64 {
	n := 1
	best := math.Inf(1)
	for i := 0; i < runs; {
		start := cpuTime()
		for range n {
			f()
		}
		if d := cpuTime() - start; d < 100*time.Microsecond {
			n *= 2
		} else {
			best = min(best, d.Seconds()/float64(n))
			i++
		}
	}
	return best
}

// rate reports the speed of f, in one worker, and its share of the peak: of the speed
// of [FMALoop], measured before and after.
func rate(b *testing.B, flops int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 20000
	top := func() float64 { return float64(FMALoop(1)) * rounds / fastest(10, func() { FMALoop(rounds) }) }
	before := top()
	best := math.Inf(1)
	for b.Loop() {
		best = min(best, fastest(3, f))
	}
	speed := float64(flops) / best
	b.ReportMetric(speed/1e9, "GFLOP/s")
	b.ReportMetric(100*speed/max(before, top()), "%peak")
	b.ReportMetric(0, "ns/op") // it is many runs
}

func eachFastTier(b *testing.B, f func(b *testing.B)) {
	eachTier(b, func(l Level) {
		if l > Generic || best == Generic {
			b.Run(l.String(), f)
		}
	})
}

func BenchmarkPeak(b *testing.B) {
	eachFastTier(b, func(b *testing.B) { rate(b, FMALoop(1000), func() { FMALoop(1000) }) })
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 7))
	g := new(Gemm)
	for _, s := range [][3]int{{192, 4096, 192}, {20, 65536, 20}, {48, 65536, 7}, {512, 512, 512}, {64, 4096, 576}, {256, 256, 64}} {
		m, n, k := s[0], s[1], s[2]
		x, y := randomFloats(r, m*k), randomFloats(r, k*n)
		z := make([]float32, m*n)
		for name, f := range map[string]func(){
			"NN": func() { g.NN(z, n, x, k, y, n, m, n, k, false) },
			"TN": func() { g.TN(z, n, x, m, y, n, m, n, k, false) },
			// The weight gradient: n is summed over.
			"NT": func() { g.NT(x, k, z, n, y, n, m, k, n, false) },
		} {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, m, k, n), func(b *testing.B) {
				eachFastTier(b, func(b *testing.B) { rate(b, 2*m*n*k, f) })
			})
		}
	}
}

// BenchmarkNarrow is a layer on a block of positions that stays in cache.
func BenchmarkNarrow(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 8))
	const n, ld = 960, 976
	for _, s := range [][2]int{{20, 20}, {14, 14}, {48, 7}, {3, 48}, {2, 20}, {32, 32}, {64, 64}, {16, 7}, {8, 7}, {3, 16}} {
		m, k := s[0], s[1]
		w, bias := randomFloats(r, m*k), randomFloats(r, m)
		x, y := randomFloats(r, max(m, k)*ld), randomFloats(r, max(m, k)*ld)
		off := make([]int, max(m, k))
		for i := range off {
			off[i] = i * ld
		}
		b.Run(fmt.Sprintf("%dx%d", m, k), func(b *testing.B) {
			eachFastTier(b, func(b *testing.B) {
				var p, q Panels
				p.Pack(w, m, k, k, bias)
				q.PackT(w, k, m, k, nil)
				run := func(name string, f func()) {
					b.Run(name, func(b *testing.B) { rate(b, 2*m*k*n, f) })
				}
				run("forward", func() { p.Apply(y, ld, x, off[:k], n, Epilogue{Act: true}) })
				run("input", func() { q.Apply(x, ld, y, off[:m], n, Epilogue{Gate: x, GateStride: ld}) })
				run("weight", func() { DotsF32(w, k, y, ld, 0, m, x, off[:k], 0, n, 1) })
			})
		})
	}
}
