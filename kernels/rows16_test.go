package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// fencedI16 returns n int16s with capacity for no more, all 77, inside a larger array, and
// a check that what lies around them stands.
func fencedI16(n int) (part []int16, intact func() bool) {
	whole := slices.Repeat([]int16{77}, n+128)
	return whole[64 : 64+n : 64+n], func() bool {
		for i := range 64 {
			if whole[i] != 77 || whole[n+64+i] != 77 {
				return false
			}
		}
		return true
	}
}

func randomI32(r *rand.Rand, n int, wild bool) []int32 {
	out := make([]int32, n)
	for i := range out {
		switch out[i] = int32(r.Uint32()); {
		case !wild:
			out[i] >>= 8
		case r.IntN(4) == 0:
			out[i] = []int32{0, 1, -1, math.MaxInt32, math.MinInt32}[r.IntN(5)]
		}
	}
	return out
}

// randomFactors returns factors of sums, many of them powers of two, which make halves to
// round. Unless they are wild, results are mostly in range.
func randomFactors(r *rand.Rand, n int, wild bool) []int32 {
	out := randomI32(r, n, wild)
	for i := range out {
		switch {
		case r.IntN(3) == 0:
			out[i] = 1 << (24 + r.IntN(7))
		case !wild:
			out[i] &= 1<<27 - 1
		}
	}
	return out
}

// checkPanelsI16 holds every tier's layers equal to the definition, evaluated one output
// at a time, and what they must not write as it was. Wild arguments make sums wrap.
func checkPanelsI16(t *testing.T, r *rand.Rand, out, in, rows int, wild bool) {
	t.Helper()
	ldx, ldy, ldadd := in+r.IntN(3), out+r.IntN(3), out+r.IntN(3)
	x, w := randomI16(r, max((rows-1)*ldx+in, 0), wild), randomI16(r, out*in, wild)
	e := EpilogueI16{Bias: randomI32(r, out, wild), Mul: randomFactors(r, out, wild), LdAdd: ldadd, ReLU: r.IntN(2) == 0}
	n := max((rows-1)*ldy+out, 0)
	inPlace := r.IntN(3) == 0
	residual := randomI16(r, n, wild)
	switch {
	case inPlace:
		e.LdAdd = ldy
	case r.IntN(2) == 0:
		e.Add = randomI16(r, max((rows-1)*ldadd+out, 0), wild)
	}
	want, wantSums := make([]int16, n), make([]int32, n)
	for row := range rows {
		for o := range out {
			sum := e.Bias[o]
			for i := range in {
				sum += int32(w[o*in+i]) * int32(x[row*ldx+i])
			}
			v := (int64(sum)*int64(e.Mul[o]) + 1<<31) >> 32
			switch {
			case inPlace:
				v += int64(residual[row*ldy+o])
			case e.Add != nil:
				v += int64(e.Add[row*ldadd+o])
			}
			least := int64(math.MinInt16)
			if e.ReLU {
				least = 0
			}
			want[row*ldy+o] = int16(min(max(v, least), math.MaxInt16))
			wantSums[row*ldy+o] = sum
		}
	}
	eachTier(t, func(l Level) {
		at := fmt.Sprintf("%v: %d rows of %d from %d, residual %v in place %v, ReLU %v", l, rows, out, in, e.Add != nil, inPlace, e.ReLU)
		p := NewPanelsI16(w, out, in)
		if o, i := p.Dims(); o != out || i != in {
			t.Fatalf("%s: dimensions are %d, %d", at, o, i)
		}
		got, intact := fencedI16(n)
		e := e
		if inPlace {
			copy(got, residual)
			e.Add = got
		}
		p.Rows(got, ldy, x, ldx, rows, &e)
		if !intact() {
			t.Fatalf("%s: writes outside y", at)
		}
		sums := slices.Repeat([]int32{77}, n+64)
		p.Sums(sums[:n:n], ldy, x, ldx, rows, e.Bias)
		for i := range n {
			v, s := want[i], wantSums[i]
			if i%ldy >= out { // between rows
				if v, s = 77, 77; inPlace {
					v = residual[i]
				}
			}
			if got[i] != v {
				t.Fatalf("%s: y[%d][%d] is %d, want %d", at, i/ldy, i%ldy, got[i], v)
			}
			if sums[i] != s {
				t.Fatalf("%s: sum [%d][%d] is %d, want %d", at, i/ldy, i%ldy, sums[i], s)
			}
		}
		if slices.ContainsFunc(sums[n:], func(v int32) bool { return v != 77 }) {
			t.Fatalf("%s: writes behind the sums", at)
		}
		unbiased := make([]int32, n)
		p.Sums(unbiased, ldy, x, ldx, rows, nil)
		for i, s := range wantSums {
			if o := i % ldy; o < out && unbiased[i] != s-e.Bias[o] {
				t.Fatalf("%s: sum [%d][%d] without biases is %d, want %d", at, i/ldy, o, unbiased[i], s-e.Bias[o])
			}
		}
	})
}

func TestPanelsI16(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 61))
	for rows := range 32 {
		for _, wild := range []bool{false, true} {
			checkPanelsI16(t, r, 1+r.IntN(100), 1+r.IntN(40), rows, wild)
			checkPanelsI16(t, r, 16*(1+r.IntN(6)), 2*(1+r.IntN(20)), rows, wild)
		}
	}
	for _, s := range [][3]int{ // more than a group of strips, by outputs and by inputs
		{560, 3, 15}, {515, 2, 7}, {70, 1001, 15}, {40, 9001, 3}, {512, 512, 3},
	} {
		checkPanelsI16(t, r, s[0], s[1], s[2], false)
		checkPanelsI16(t, r, s[0], s[1], s[2], true)
	}
}

func FuzzPanelsI16(f *testing.F) {
	f.Add(uint64(1), uint8(32), uint8(10), uint8(14), false)
	f.Add(uint64(2), uint8(0), uint8(0), uint8(1), true)
	f.Fuzz(func(t *testing.T, seed uint64, out, in, rows uint8, wild bool) {
		checkPanelsI16(t, rand.New(rand.NewPCG(seed, 62)), int(out)+1, int(in%100)+1, int(rows%50), wild)
	})
}

func TestPanelsI16Panics(t *testing.T) {
	s, b := make([]int16, 64), make([]int32, 64)
	p := NewPanelsI16(s, 3, 5)
	e := &EpilogueI16{Bias: b, Mul: b}
	for name, call := range map[string]func(){
		"no outputs":      func() { NewPanelsI16(s, 0, 5) },
		"no inputs":       func() { NewPanelsI16(s, 3, 0) },
		"short weights":   func() { NewPanelsI16(s[:14], 3, 5) },
		"overflow":        func() { NewPanelsI16(s, math.MaxInt/2, 4) },
		"negative rows":   func() { p.Rows(s, 3, s, 5, -1, e) },
		"short y":         func() { p.Rows(s[:5], 3, s, 5, 2, e) },
		"y stride":        func() { p.Rows(s, 2, s, 5, 2, e) },
		"short x":         func() { p.Rows(s, 3, s[:9], 5, 2, e) },
		"x stride":        func() { p.Rows(s, 3, s, 4, 2, e) },
		"many rows":       func() { p.Rows(s, 3, s, 5, math.MaxInt/2, e) },
		"short biases":    func() { p.Rows(s, 3, s, 5, 2, &EpilogueI16{Bias: b[:2], Mul: b}) },
		"short factors":   func() { p.Rows(s, 3, s, 5, 2, &EpilogueI16{Bias: b, Mul: b[:2]}) },
		"short residual":  func() { p.Rows(s, 3, s, 5, 2, &EpilogueI16{Bias: b, Mul: b, Add: s[:5], LdAdd: 3}) },
		"residual stride": func() { p.Rows(s, 3, s, 5, 2, &EpilogueI16{Bias: b, Mul: b, Add: s, LdAdd: 2}) },
		"short sums":      func() { p.Sums(b[:5], 3, s, 5, 2, nil) },
		"biases of sums":  func() { p.Sums(b, 3, s, 5, 2, b[:2]) },
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

// TestChannelsAVX2Registers sees that the AVX2 functions use neither registers nor
// instructions that only AVX-512 has.
func TestChannelsAVX2Registers(t *testing.T) {
	wide := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7]|VPDP\w+|V\w+(32|64))\b`)
	for _, file := range []string{"rows16_amd64.s", "depthwise_amd64.s"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		functions, function := 0, ""
		for line := range strings.Lines(string(src)) {
			if strings.HasPrefix(line, "TEXT") {
				if function = strings.Fields(line)[1]; strings.Contains(function, "AVX2") {
					functions++
				}
			}
			if strings.HasPrefix(line, "\t") && strings.Contains(function, "AVX2") && wide.MatchString(line) {
				t.Fatalf("%s: %s", function, line)
			}
		}
		if functions == 0 {
			t.Fatalf("%s: no functions found", file)
		}
	}
}

// rateI16 reports the speed of f, in one worker, and its share of the peak: of the speed
// of [DotLoopI16], measured before and after.
func rateI16(b *testing.B, ops int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds = 20000
	top := func() float64 { return float64(DotLoopI16(1)) * rounds / fastest(10, func() { DotLoopI16(rounds) }) }
	before := top()
	best := math.Inf(1)
	for b.Loop() {
		best = min(best, fastest(3, f))
	}
	speed, peak := float64(ops)/best, max(before, top())
	b.ReportMetric(speed/1e9, "GOP/s")
	b.ReportMetric(100*speed/peak, "%peak")
	b.ReportMetric(0, "ns/op") // it is many runs
}

func BenchmarkPanelsI16(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 63))
	for _, s := range [][3]int{
		{256, 64, 64}, {6144, 64, 64}, {1024, 96, 96}, {256, 128, 128}, {1024, 128, 512}, {1024, 512, 128},
		{1024, 192, 192}, {6144, 256, 256}, {1024, 448, 448}, {6144, 512, 512}, {6144, 64, 3}, {6144, 64, 48},
	} {
		rows, in, out := s[0], s[1], s[2]
		x, y, w := randomI16(r, rows*in, false), make([]int16, rows*out), randomI16(r, out*in, false)
		sums := make([]int32, rows*out)
		e := &EpilogueI16{Bias: randomI32(r, out, false), Mul: randomI32(r, out, false)}
		add := &EpilogueI16{Bias: e.Bias, Mul: e.Mul, Add: y, LdAdd: out, ReLU: true}
		b.Run(fmt.Sprintf("%dx%dx%d", rows, in, out), func(b *testing.B) {
			eachFastTier(b, func(b *testing.B) {
				p := NewPanelsI16(w, out, in)
				run := func(name string, f func()) {
					b.Run(name, func(b *testing.B) { rateI16(b, 2*rows*in*out, f) })
				}
				run("rows", func() { p.Rows(y, out, x, in, rows, e) })
				run("residual", func() { p.Rows(y, out, x, in, rows, add) })
				run("sums", func() { p.Sums(sums, out, x, in, rows, nil) })
			})
		})
	}
}

func BenchmarkPeakI16(b *testing.B) {
	eachFastTier(b, func(b *testing.B) { rateI16(b, DotLoopI16(1000), func() { DotLoopI16(1000) }) })
}
