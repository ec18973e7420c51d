package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// checkDepthwiseF32 compares every tier with the definition, evaluated in float64, and
// sees that what lies around the results stays.
func checkDepthwiseF32(t *testing.T, r *rand.Rand, h, width, c int, bias bool) {
	t.Helper()
	n := h * width * c
	x, dy, w := randomFloats(r, n), randomFloats(r, n), randomFloats(r, 9*c)
	var b []float32
	if bias {
		b = randomFloats(r, c)
	}
	type sum struct{ v, size float64 }
	add := func(s *sum, v float64) { s.v += v; s.size += math.Abs(v) }
	y, dx, dw, db := make([]sum, n), make([]sum, n), make([]sum, 9*c), make([]sum, c)
	beforeW, beforeB := randomFloats(r, 9*c), randomFloats(r, c)
	for i, v := range beforeW {
		add(&dw[i], float64(v))
	}
	for i, v := range beforeB {
		add(&db[i], float64(v))
	}
	for at := range n {
		i, j, ch := at/c/width, at/c%width, at%c
		if bias {
			add(&y[at], float64(b[ch]))
		}
		add(&db[ch], float64(dy[at]))
		for k := range 9 {
			p, q := i+k/3-1, j+k%3-1
			if p < 0 || p >= h || q < 0 || q >= width {
				continue
			}
			from := (p*width+q)*c + ch
			add(&y[at], float64(w[k*c+ch])*float64(x[from]))
			add(&dx[from], float64(w[k*c+ch])*float64(dy[at]))
			add(&dw[k*c+ch], float64(dy[at])*float64(x[from]))
		}
	}
	eachTier(t, func(l Level) {
		check := func(name string, got []float32, want []sum, intact func() bool, terms int) {
			t.Helper()
			if !intact() {
				t.Fatalf("%v: %dx%dx%d: writes outside %s", l, h, width, c, name)
			}
			for i, v := range got {
				if !near(v, want[i].v, want[i].size, terms) {
					t.Fatalf("%v: %dx%dx%d: %s[%d] is %v, want %v", l, h, width, c, name, i, v, want[i].v)
				}
			}
		}
		gotY, intact := fenced(n)
		DepthwiseF32(gotY, x, w, b, h, width, c)
		check("y", gotY, y, intact, 10)
		for parts := range 8 {
			var gotX, gotW, gotB []float32
			var intactX, intactW, intactB func() bool
			if parts&1 != 0 {
				gotX, intactX = fenced(n)
			}
			if parts&2 != 0 {
				gotW, intactW = fenced(9 * c)
				copy(gotW, beforeW)
			}
			if parts&4 != 0 {
				gotB, intactB = fenced(c)
				copy(gotB, beforeB)
			}
			DepthwiseGradF32(gotX, gotW, gotB, dy, x, w, h, width, c)
			if parts&1 != 0 {
				check("dx", gotX, dx, intactX, 9)
			}
			if parts&2 != 0 {
				check("dw", gotW, dw, intactW, h*width+1)
			}
			if parts&4 != 0 {
				check("db", gotB, db, intactB, h*width+1)
			}
		}
	})
}

func TestDepthwiseF32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 51))
	for h := 1; h <= 4; h++ {
		for width := 1; width <= 8; width++ {
			for _, c := range []int{1, 7, 8, 16, 24, 40, 48, 61} {
				checkDepthwiseF32(t, r, h, width, c, (h+width)%2 == 0)
			}
		}
	}
	// More columns and channels than a tile of the assembly has.
	for _, s := range [][3]int{{9, 97, 32}, {3, 40, 64}, {4, 19, 200}, {3, 9, 520}, {2, 1000, 16}, {1, 100, 33}} {
		checkDepthwiseF32(t, r, s[0], s[1], s[2], true)
	}
	DepthwiseF32(nil, nil, nil, nil, 0, 3, 2)
	DepthwiseGradF32(nil, nil, nil, nil, nil, nil, 3, 0, 2)
}

func FuzzDepthwiseF32(f *testing.F) {
	f.Add(uint64(1), uint8(4), uint8(9), uint8(48), true)
	f.Add(uint64(2), uint8(1), uint8(1), uint8(3), false)
	f.Fuzz(func(t *testing.T, seed uint64, h, width, c uint8, bias bool) {
		checkDepthwiseF32(t, rand.New(rand.NewPCG(seed, 52)), int(h%6)+1, int(width%100)+1, int(c%100)+1, bias)
	})
}

// checkDepthwiseI16 holds every tier equal to the definition, for all rows and for some,
// and what must not be written as it was. Wild arguments make sums wrap.
func checkDepthwiseI16(t *testing.T, r *rand.Rand, h, width, c int, wild bool) {
	t.Helper()
	n := h * width * c
	x, w := randomI16(r, n, wild), randomI16(r, 9*c, wild)
	bias, mul := randomI32(r, c, wild), randomFactors(r, c, wild)
	want := make([]int16, n)
	for at := range want {
		i, j, ch := at/c/width, at/c%width, at%c
		s := bias[ch]
		for k := range 9 {
			p, q := i+k/3-1, j+k%3-1
			if p >= 0 && p < h && q >= 0 && q < width {
				s += int32(w[k*c+ch]) * int32(x[(p*width+q)*c+ch])
			}
		}
		v := (int64(s)*int64(mul[ch]) + 1<<31) >> 32
		want[at] = int16(min(max(v, math.MinInt16), math.MaxInt16))
	}
	eachTier(t, func(l Level) {
		for _, rows := range [][2]int{{0, h}, {r.IntN(h), h}, {0, r.IntN(h)}} {
			from, to := rows[0], rows[1]
			got, intact := fencedI16(n)
			DepthwiseI16(got, x, w, bias, mul, h, width, c, from, to)
			if !intact() {
				t.Fatalf("%v: %dx%dx%d: writes outside y", l, h, width, c)
			}
			for at, v := range got {
				i := at / c / width
				u := want[at]
				if i < from || i >= to {
					u = 77
				}
				if v != u {
					t.Fatalf("%v: %dx%dx%d, rows %d to %d: y[%d][%d][%d] is %d, want %d", l, h, width, c, from, to, i, at/c%width, at%c, v, u)
				}
			}
		}
	})
}

func TestDepthwiseI16(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 54))
	for h := 1; h <= 4; h++ {
		for width := 1; width <= 8; width++ {
			for _, c := range []int{1, 7, 16, 24, 32, 48, 61, 80} {
				checkDepthwiseI16(t, r, h, width, c, (h+width)%2 == 0)
			}
		}
	}
	// More columns and channels than a tile of the assembly has.
	for _, s := range [][3]int{{5, 193, 32}, {3, 101, 64}, {4, 39, 200}, {3, 13, 560}, {2, 1000, 16}, {1, 100, 33}} {
		checkDepthwiseI16(t, r, s[0], s[1], s[2], false)
		checkDepthwiseI16(t, r, s[0], s[1], s[2], true)
	}
	DepthwiseI16(nil, nil, nil, nil, nil, 0, 3, 2, 0, 0)
}

func FuzzDepthwiseI16(f *testing.F) {
	f.Add(uint64(1), uint8(4), uint8(9), uint8(48), true)
	f.Add(uint64(2), uint8(1), uint8(1), uint8(3), false)
	f.Fuzz(func(t *testing.T, seed uint64, h, width, c uint8, wild bool) {
		checkDepthwiseI16(t, rand.New(rand.NewPCG(seed, 55)), int(h%6)+1, int(width%120)+1, int(c%120)+1, wild)
	})
}

func TestDepthwisePanics(t *testing.T) {
	f, s, b := make([]float32, 64), make([]int16, 64), make([]int32, 64)
	for name, call := range map[string]func(){
		"no channels":     func() { DepthwiseF32(f, f, f, nil, 2, 2, 0) },
		"negative height": func() { DepthwiseF32(f, f, f, nil, -1, 2, 4) },
		"overflow":        func() { DepthwiseF32(f, f, f, nil, 1<<20, 1<<20, 1<<30) },
		"short y":         func() { DepthwiseF32(f[:15], f, f, nil, 2, 2, 4) },
		"short x":         func() { DepthwiseF32(f, f[:15], f, nil, 2, 2, 4) },
		"short w":         func() { DepthwiseF32(f, f, f[:35], nil, 2, 2, 4) },
		"short b":         func() { DepthwiseF32(f, f, f, f[:3], 2, 2, 4) },
		"short dx":        func() { DepthwiseGradF32(f[:15], nil, nil, f, nil, f, 2, 2, 4) },
		"short dw":        func() { DepthwiseGradF32(nil, f[:35], nil, f, f, nil, 2, 2, 4) },
		"short db":        func() { DepthwiseGradF32(nil, nil, f[:3], f, nil, nil, 2, 2, 4) },
		"short dy":        func() { DepthwiseGradF32(nil, nil, f, f[:15], nil, nil, 2, 2, 4) },
		"dw without x":    func() { DepthwiseGradF32(nil, f, nil, f, nil, f, 2, 2, 4) },
		"dx without w":    func() { DepthwiseGradF32(f, nil, nil, f, f, nil, 2, 2, 4) },
		"rows":            func() { DepthwiseI16(s, s, s, b, b, 2, 2, 4, 0, 3) },
		"rows backwards":  func() { DepthwiseI16(s, s, s, b, b, 2, 2, 4, 2, 1) },
		"negative row":    func() { DepthwiseI16(s, s, s, b, b, 2, 2, 4, -1, 1) },
		"short I16 y":     func() { DepthwiseI16(s[:15], s, s, b, b, 2, 2, 4, 0, 2) },
		"short I16 x":     func() { DepthwiseI16(s, s[:15], s, b, b, 2, 2, 4, 0, 2) },
		"short I16 w":     func() { DepthwiseI16(s, s, s[:35], b, b, 2, 2, 4, 0, 2) },
		"short biases":    func() { DepthwiseI16(s, s, s, b[:3], b, 2, 2, 4, 0, 2) },
		"short factors":   func() { DepthwiseI16(s, s, s, b, b[:3], 2, 2, 4, 0, 2) },
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

// BenchmarkDepthwiseF32 compares with a function that reads and writes as much and
// computes next to nothing.
func BenchmarkDepthwiseF32(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 53))
	for _, s := range [][3]int{{16, 16, 64}, {32, 32, 128}, {64, 64, 96}, {64, 64, 128}, {64, 64, 512}, {128, 128, 192}} {
		h, width, c := s[0], s[1], s[2]
		n := h * width * c
		x, y, z := randomFloats(r, n), randomFloats(r, n), randomFloats(r, n)
		w, dw, bias := randomFloats(r, 9*c), randomFloats(r, 9*c), randomFloats(r, c)
		run := func(b *testing.B, name string, f func()) {
			b.Run(name, func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				best, stream := math.Inf(1), math.Inf(1)
				for b.Loop() {
					stream = min(stream, fastest(3, func() { LeakyF32(y, x, 1) }))
					best = min(best, fastest(3, f))
				}
				b.ReportMetric(18*float64(n)/best/1e9, "GFLOP/s")
				b.ReportMetric(8*float64(n)/best/1e9, "GB/s")
				b.ReportMetric(100*stream/best, "%copy")
				b.ReportMetric(0, "ns/op") // it is many runs
			})
		}
		b.Run(fmt.Sprintf("%dx%dx%d", h, width, c), func(b *testing.B) {
			eachFastTier(b, func(b *testing.B) {
				run(b, "forward", func() { DepthwiseF32(y, x, w, bias, h, width, c) })
				run(b, "input", func() { DepthwiseGradF32(y, nil, nil, x, nil, w, h, width, c) })
				run(b, "weight", func() { DepthwiseGradF32(nil, dw, bias, z, x, nil, h, width, c) })
			})
		})
	}
}

// BenchmarkDepthwiseI16 compares with a copy and with the peak of the instructions that
// layers on rows use.
func BenchmarkDepthwiseI16(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 56))
	for _, s := range [][3]int{{16, 16, 64}, {32, 32, 128}, {64, 64, 96}, {64, 64, 128}, {64, 64, 448}, {64, 64, 512}, {128, 128, 192}} {
		h, width, c := s[0], s[1], s[2]
		n := h * width * c
		x, y, w := randomI16(r, n, false), make([]int16, n), randomI16(r, 9*c, false)
		bias, mul := randomI32(r, c, false), randomI32(r, c, false)
		b.Run(fmt.Sprintf("%dx%dx%d", h, width, c), func(b *testing.B) {
			eachFastTier(b, func(b *testing.B) {
				stream := math.Inf(1)
				rateI16(b, 18*n, func() { DepthwiseI16(y, x, w, bias, mul, h, width, c, 0, h) })
				f := fastest(10, func() { DepthwiseI16(y, x, w, bias, mul, h, width, c, 0, h) })
				stream = min(stream, fastest(10, func() { copy(y, x) }))
				b.ReportMetric(100*stream/f, "%copy")
				b.ReportMetric(float64(n)/f/1e9, "Gelem/s")
			})
		})
	}
}
