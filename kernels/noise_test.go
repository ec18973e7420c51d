package kernels

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"testing"
)

func TestNoise(t *testing.T) {
	const n = 200000
	x, want := make([]float32, n), make([]float32, n)
	for name, c := range map[string]struct {
		f                        func(dst []float32, key, first uint32)
		mean, variance, kurtosis float64
		least, most              float32
	}{
		"normal": {func(dst []float32, key, first uint32) { NormalF32(dst, key, first, 2) },
			0, 4, 2.7, -2 * 3.47, 2 * 3.47},
		"uniform": {func(dst []float32, key, first uint32) { UniformF32(dst, key, first, -0.5, 1.5) },
			0.5, 4.0 / 12, 1.8, -0.5, 1.5},
	} {
		eachTier(t, func(l Level) {
			c.f(x, 7, math.MaxUint32-1000) // across the counter's end
			if l == Generic {
				copy(want, x)
			} else if i, ok := same(want, x); !ok {
				t.Fatalf("%v: %s: element %d is %v, want %v", l, name, i, x[i], want[i])
			}
		})
		var m1, m2, m4, lag float64
		for _, v := range x {
			m1 += float64(v)
		}
		m1 /= n
		for i, v := range x {
			d := float64(v) - m1
			m2 += d * d
			m4 += d * d * d * d
			if i > 0 {
				lag += d * (float64(x[i-1]) - m1)
			}
		}
		m2 /= n
		m4 /= n * m2 * m2
		lag /= n * m2
		// Five standard errors.
		if e := 5 * math.Sqrt(c.variance/n); math.Abs(m1-c.mean) > e || math.Abs(m2/c.variance-1) > 5*math.Sqrt(2.0/n) ||
			math.Abs(m4-c.kurtosis) > 0.05 || math.Abs(lag) > 5/math.Sqrt(n) {
			t.Errorf("%s: mean %v, variance %v, kurtosis %v, correlation %v", name, m1, m2, m4, lag)
		}
		if slices.Min(x) < c.least || slices.Max(x) > c.most {
			t.Errorf("%s: from %v to %v", name, slices.Min(x), slices.Max(x))
		}
		// A part of the sequence is the same wherever it is made, and another key
		// gives another.
		for _, at := range []int{1, 17, 1000} {
			eachTier(t, func(l Level) {
				part, intact := fenced(133)
				c.f(part, 7, math.MaxUint32-1000+uint32(at))
				if i, ok := same(part, want[at:]); !ok || !intact() {
					t.Fatalf("%v: %s: element %d from %d on differs, or it writes outside", l, name, i, at)
				}
			})
		}
		c.f(x[:100], 8, math.MaxUint32-1000)
		equal := 0
		for i, v := range x[:100] {
			if v == want[i] {
				equal++
			}
		}
		if equal > 2 {
			t.Errorf("%s: two keys agree in %d of 100 numbers", name, equal)
		}
	}
}

// TestNoiseGolden holds the sequences to what they were when they were made.
func TestNoiseGolden(t *testing.T) {
	x := make([]float32, 200)
	NormalF32(x[:100], 1, 2, 1)
	UniformF32(x[100:], 3, 4, 0, 1)
	h := crc32.NewIEEE()
	binary.Write(h, binary.LittleEndian, x)
	if got, want := h.Sum32(), uint32(0xf95859fe); got != want {
		t.Errorf("sum is %#x, want %#x", got, want)
	}
}
