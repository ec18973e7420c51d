package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths are what elementwise kernels are tested at.
var lengths = []int{0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 200, 5000}

// checkElementwise runs f on fenced outputs of every length and compares with
// want, element by element, to the given absolute and relative tolerance. f gets
// the outputs, holding the values of inits, and the inputs.
func checkElementwise(t *testing.T, name string, inits, inputs []func(r *rand.Rand) float64, tolerance float64,
	f func(out, in [][]float32), want func(init, in []float64) []float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	for _, n := range lengths {
		in := make([][]float32, len(inputs))
		for i, gen := range inputs {
			in[i], _ = fenced(n)
			for j := range n {
				in[i][j] = float32(gen(r))
			}
		}
		start := make([][]float32, len(inits))
		for i, gen := range inits {
			start[i] = make([]float32, n)
			for j := range n {
				start[i][j] = float32(gen(r))
			}
		}
		eachTier(t, func(l Level) {
			out := make([][]float32, len(inits))
			intact := make([]func() bool, len(inits))
			for i := range out {
				out[i], intact[i] = fenced(n)
				copy(out[i], start[i])
			}
			f(out, in)
			for j := range n {
				var a, b []float64
				for i := range start {
					a = append(a, float64(start[i][j]))
				}
				for i := range in {
					b = append(b, float64(in[i][j]))
				}
				for i, w := range want(a, b) {
					if got := float64(out[i][j]); !(math.Abs(got-w) <= tolerance*(1+math.Abs(w))) {
						t.Fatalf("%s: %v: n=%d: output %d of element %d (%v, %v) is %v, want %v", name, l, n, i, j, a, b, got, w)
					}
				}
			}
			for i := range out {
				if !intact[i]() {
					t.Fatalf("%s: %v: n=%d: writes outside output %d", name, l, n, i)
				}
			}
		})
	}
}

func normal(scale float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return scale * r.NormFloat64() }
}

func uniform(lo, hi float64) func(r *rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() }
}

type generators = []func(r *rand.Rand) float64

func TestElementwise(t *testing.T) {
	one, two, three := generators{normal(2)}, generators{normal(2), normal(2)}, generators{normal(2), normal(2), normal(2)}
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	checkElementwise(t, "Axpby", one, one, 3e-7,
		func(out, in [][]float32) { AxpbyF32(out[0], 0.75, in[0], -3) },
		func(y, x []float64) []float64 { return []float64{0.75*y[0] - 3*x[0]} })
	checkElementwise(t, "MulAdd", one, two, 1e-6,
		func(out, in [][]float32) { MulAddF32(out[0], in[0], in[1]) },
		func(y, x []float64) []float64 { return []float64{y[0] + x[0]*x[1]} })
	checkElementwise(t, "Gate", one, two, 1e-7,
		func(out, in [][]float32) { GateF32(out[0], in[0], in[1], 0.25) },
		func(y, x []float64) []float64 {
			if x[1] > 0 {
				return []float64{x[0]}
			}
			return []float64{x[0] / 4}
		})
	checkElementwise(t, "Leaky", one, one, 1e-7,
		func(out, in [][]float32) { LeakyF32(out[0], in[0], 0.25) },
		func(y, x []float64) []float64 { return []float64{max(x[0], x[0]/4)} })
	checkElementwise(t, "Exp", one, generators{uniform(-87, 0)}, 2e-7,
		func(out, in [][]float32) { ExpF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{math.Exp(x[0])} })
	checkElementwise(t, "Exp relative", one, generators{uniform(-86.9, 88)}, 2e-7,
		func(out, in [][]float32) {
			ExpF32(out[0], in[0])
			for i, v := range in[0] {
				out[0][i] = float32(float64(out[0][i]) / math.Exp(float64(v)))
			}
		},
		func(y, x []float64) []float64 { return []float64{1} })
	checkElementwise(t, "Log", one, generators{func(r *rand.Rand) float64 { return math.Exp(uniform(-87, 88)(r)) }}, 1e-7,
		func(out, in [][]float32) { LogF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{math.Log(x[0])} })
	checkElementwise(t, "Log near 1", one, generators{uniform(0.5, 2)}, 1e-7,
		func(out, in [][]float32) { LogF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{math.Log(x[0])} })
	checkElementwise(t, "Tanh", one, one, 2e-7,
		func(out, in [][]float32) { TanhF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{math.Tanh(x[0])} })
	checkElementwise(t, "Sigmoid", one, generators{normal(10)}, 2e-7,
		func(out, in [][]float32) { SigmoidF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{sigma(x[0])} })
	checkElementwise(t, "GELU", one, one, 3e-7,
		func(out, in [][]float32) { GELUF32(out[0], in[0]) },
		func(y, x []float64) []float64 { return []float64{x[0] * sigma(1.702*x[0])} })
	checkElementwise(t, "GELUGrad", one, two, 1e-6,
		func(out, in [][]float32) { GELUGradF32(out[0], in[0], in[1]) },
		func(y, x []float64) []float64 {
			const h = 1e-5
			f := func(x float64) float64 { return x * sigma(1.702*x) }
			return []float64{x[0] * (f(x[1]+h) - f(x[1]-h)) / (2 * h)}
		})
	for _, temperature := range []float64{0.05, 0.1, 0.35, 1} {
		soft := func(x float64) float64 {
			m := math.Floor(x) + 0.5
			return m + math.Tanh((x-m)/temperature)/(2*math.Tanh(0.5/temperature))
		}
		checkElementwise(t, "SoftRound", one, generators{uniform(-4, 4)}, 1e-6,
			func(out, in [][]float32) { SoftRoundF32(out[0], in[0], float32(temperature)) },
			func(y, x []float64) []float64 { return []float64{soft(x[0])} })
		checkElementwise(t, "SoftRoundGrad", one, generators{uniform(-1, 1), uniform(-4, 4)}, 1e-5,
			func(out, in [][]float32) { SoftRoundGradF32(out[0], in[0], in[1], float32(temperature)) },
			func(y, x []float64) []float64 {
				m := math.Floor(x[1]) + 0.5
				c := math.Cosh((x[1] - m) / temperature)
				return []float64{x[0] / (c * c * 2 * temperature * math.Tanh(0.5/temperature))}
			})
	}
	step := AdamStep{GradScale: 0.5, Beta1: 0.9, Beta2: 0.97, Rate: 0.01, Square: 1.5, Floor: 0.3, Epsilon: 1e-3, Decay: 0.02}
	checkElementwise(t, "Adam", generators{normal(1), normal(1), uniform(0, 2)}, one, 1e-6,
		func(out, in [][]float32) { AdamF32(out[0], in[0], out[1], out[2], &step) },
		func(y, x []float64) []float64 {
			g := x[0] / 2
			m, v := 0.9*y[1]+0.1*g, 0.97*y[2]+0.03*g*g
			return []float64{y[0] - 0.01*m/(math.Sqrt(1.5*v+0.3)+1e-3) - 0.02*y[0], m, v}
		})
	checkElementwise(t, "Deinterleave", two, one, 0,
		func(out, in [][]float32) {
			n := len(in[0])
			both := make([]float32, 2*n)
			for i := range n {
				both[2*i], both[2*i+1] = in[0][i], float32(i)
			}
			DeinterleaveF32(out[0], out[1], both)
			for i := range n {
				out[1][i] -= float32(i)
			}
		},
		func(y, x []float64) []float64 { return []float64{x[0], 0} })
	checkElementwise(t, "Interleave", one, three, 0,
		func(out, in [][]float32) {
			n := len(in[0])
			both, intact := fenced(2 * n)
			InterleaveF32(both, in[0], in[1])
			if !intact() {
				panic("writes outside")
			}
			for i := range n {
				out[0][i] = both[2*i] - both[2*i+1]
			}
		},
		func(y, x []float64) []float64 { return []float64{float64(float32(x[0]) - float32(x[1]))} })
}

func TestExtremes(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := slices.Repeat([]float32{inf, -inf, 1000, -1000, 0, nan, 1e-40, -1}, 4)
	y := make([]float32, len(x))
	finite := func(name string, l Level, i int, lo, hi float32) {
		t.Helper()
		for ; i < len(x); i += 8 {
			if !(y[i] >= lo && y[i] <= hi) {
				t.Errorf("%v: %s(%v) is %v", l, name, x[i], y[i])
			}
		}
	}
	eachTier(t, func(l Level) {
		ExpF32(y, x)
		finite("exp", l, 0, 1.6e38, 1.8e38)
		finite("exp", l, 2, 1.6e38, 1.8e38)
		finite("exp", l, 1, 1e-38, 2e-38)
		finite("exp", l, 3, 1e-38, 2e-38)
		finite("exp", l, 4, 1, 1)
		if y[5] == y[5] || y[13] == y[13] {
			t.Errorf("%v: exp(NaN) is %v", l, y[5])
		}
		TanhF32(y, x)
		finite("tanh", l, 0, 1, 1)
		finite("tanh", l, 1, -1, -1)
		if y[5] == y[5] {
			t.Errorf("%v: tanh(NaN) is %v", l, y[5])
		}
		LogF32(y, x)
		finite("log", l, 0, 88.7, 88.8)
		finite("log", l, 4, -87.4, -87.3)
		finite("log", l, 6, -87.4, -87.3)
		finite("log", l, 7, -87.4, -87.3)
	})
}

// TestAdamFlushes: means without gradients come to zero, and the processor computes
// with small numbers again afterwards.
func TestAdamFlushes(t *testing.T) {
	eachTier(t, func(l Level) {
		const n = 37
		p, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range m {
			m[i], v[i] = 1, 1
		}
		for range 1000 {
			AdamF32(p, g, m, v, &AdamStep{GradScale: 1, Beta1: 0.9, Beta2: 0.9, Rate: 0.1, Square: 1, Epsilon: 1e-8})
		}
		for i := range m {
			if m[i] != 0 || v[i] != 0 {
				t.Fatalf("%v: means of element %d are %v and %v", l, i, m[i], v[i])
			}
		}
		tiny := []float32{1e-39}
		if tiny[0] *= 0.5; tiny[0] == 0 {
			t.Errorf("%v: small numbers are lost", l)
		}
	})
}

func TestReduce(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	for _, n := range lengths {
		x, y := randomFloats(r, n), randomFloats(r, n)
		var sum, dot, absSum, absDot float64
		for i := range x {
			sum += float64(x[i])
			absSum += math.Abs(float64(x[i]))
			p := float64(x[i]) * float64(y[i])
			dot += p
			absDot += math.Abs(p)
		}
		eachTier(t, func(l Level) {
			if got := SumF32(x); math.Abs(got-sum) > 1e-6*absSum {
				t.Errorf("%v: sum of %d is %v, want %v", l, n, got, sum)
			}
			if got := DotF32(x, y); math.Abs(got-dot) > 1e-6*absDot {
				t.Errorf("%v: dot product of %d is %v, want %v", l, n, got, dot)
			}
		})
	}
}

// laplace64 is the definition.
func laplace64(x, mu, s float64) (bits float64) {
	b := math.Exp(min(max(s, -5), 5))
	a := math.Abs(x - mu)
	tail := func(u float64) float64 { return 0.5 * math.Exp(-u/b) } // mass above u >= 0
	var p float64
	if a >= 0.5 {
		p = tail(a-0.5) * -math.Expm1(-1/b)
	} else {
		p = 1 - tail(a+0.5) - tail(0.5-a)
	}
	return -math.Log2(max(p, 1.0/65536))
}

func TestLaplaceBits(t *testing.T) {
	mixed := func(r *rand.Rand) float64 { return math.Exp(uniform(-6, 3)(r)) * r.NormFloat64() }
	for _, whole := range []bool{false, true} {
		value := mixed
		if whole {
			value = func(r *rand.Rand) float64 { return math.Round(mixed(r)) }
		}
		const weight = 0.25
		outputs := generators{normal(1), normal(1), normal(1), normal(1)}
		checkElementwise(t, "LaplaceBits", outputs, generators{value, mixed, uniform(-5.5, 5.5)}, 2e-4,
			func(out, in [][]float32) {
				LaplaceBitsF32(out[0], out[1], out[2], out[3], in[0], in[1], in[2], weight, -5, 5)
			},
			func(y, v []float64) []float64 {
				x, mu, s := v[0], v[1], v[2]
				bits := laplace64(x, mu, s)
				const h = 1e-6
				dx := (laplace64(x+h, mu, s) - laplace64(x-h, mu, s)) / (2 * h)
				ds := (laplace64(x, mu, s+h) - laplace64(x, mu, s-h)) / (2 * h)
				return []float64{bits, weight * dx, -weight * dx, weight * ds}
			})
	}
}

func TestElementwisePanics(t *testing.T) {
	f, g := make([]float32, 20), make([]float32, 19)
	for name, call := range map[string]func(){
		"Axpby":        func() { AxpbyF32(f, 1, g, 1) },
		"MulAdd":       func() { MulAddF32(f, f, g) },
		"Gate":         func() { GateF32(f, g, f, 0) },
		"Exp":          func() { ExpF32(g, f) },
		"SoftRound":    func() { SoftRoundF32(f, f, 0) },
		"Dot":          func() { DotF32(f, g) },
		"Interleave":   func() { InterleaveF32(f, g[:10], g[:9]) },
		"Deinterleave": func() { DeinterleaveF32(g[:10], g[:9], f) },
		"Adam":         func() { AdamF32(f, f, f, g, &AdamStep{}) },
		"Laplace":      func() { LaplaceBitsF32(f, f, f, f, f, f, g, 1, -5, 5) },
		"Laplace hi":   func() { LaplaceBitsF32(f, f, f, f, f, f, f, 1, -5, 21) },
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

func BenchmarkElementwise(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 11))
	const n = 4096
	x, y, z := randomFloats(r, n), randomFloats(r, n), randomFloats(r, n)
	o, p, q := make([]float32, n), make([]float32, n), make([]float32, n)
	for name, f := range map[string]func(){
		"Axpby":         func() { AxpbyF32(o, 0.5, x, 1) },
		"Gate":          func() { GateF32(o, x, y, 0) },
		"Exp":           func() { ExpF32(o, x) },
		"Log":           func() { LogF32(o, x) },
		"Tanh":          func() { TanhF32(o, x) },
		"GELU":          func() { GELUF32(o, x) },
		"SoftRound":     func() { SoftRoundF32(o, x, 0.3) },
		"SoftRoundGrad": func() { SoftRoundGradF32(o, y, x, 0.3) },
		"LaplaceBits":   func() { LaplaceBitsF32(o, p, q, q, x, y, z, 1, -5, 5) },
		"Normal":        func() { NormalF32(o, 1, 1, 1) },
		"Sum":           func() { SumF32(x) },
		"Dot":           func() { DotF32(x, y) },
		"Adam":          func() { AdamF32(o, x, p, q, &AdamStep{1, 0.9, 0.99, 0, 1, 0, 1e-8, 0}) },
		"Interleave":    func() { InterleaveF32(o, x[:n/2], y[:n/2]) },
	} {
		eachTier(b, func(l Level) {
			clear(p)
			clear(q)
			b.Run(fmt.Sprintf("%s/%v", name, l), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		})
	}
}
