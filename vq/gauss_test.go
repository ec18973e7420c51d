package vq

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func must[Q any](q Q, err error) Q {
	if err != nil {
		panic(err)
	}
	return q
}

// A gaussCase is a quantiser for normal distributions of deviation 1 and the mean
// squared error a dimension that it has there.
type gaussCase struct {
	name string
	mse  float64
	make func() Quantiser
}

func lloydMax(levels int) func() Quantiser {
	return func() Quantiser { return must(NewLloydMax(levels, 1)) }
}

func higgs(points int) func() Quantiser {
	return func() Quantiser { return must(NewHIGGS(256, must(NewNormalGrid(points, 1)), 1)) }
}

func normalGrid(points int) func() Quantiser {
	return func() Quantiser { return must(NewNormalGrid(points, 1)) }
}

func e8pOf(bits int) func() Quantiser {
	return func() Quantiser { return must(NewE8P(bits, 1)) }
}

func voronoi(l Lattice, n, q int) func() Quantiser {
	return func() Quantiser { return must(TrainVoronoiCode(l, normals(n<<11, 9), n, q)) }
}

func rabitq(bits int) func() Quantiser {
	return func() Quantiser { return must(NewRaBitQ(make([]float32, 256), bits, 1)) }
}

func trellis(bits, states int) func() Quantiser {
	return func() Quantiser { return must(NewTrellis(256, bits, states, 1)) }
}

// oracle are the figures to be met within 1 %: Lloyd-Max from Max (1960) and closed
// form, the grids and E8P as measured with the tables that their authors publish.
var oracle = []gaussCase{
	{"Lloyd-Max", 1 - 2/math.Pi, lloydMax(2)},
	{"Lloyd-Max", .11748, lloydMax(4)},
	{"Lloyd-Max", .03454, lloydMax(8)},
	{"Lloyd-Max", .009497, lloydMax(16)},
	{"Lloyd-Max", .002499, lloydMax(32)},
	{"LFQ", 1 - 2/math.Pi, func() Quantiser { return must(NewLFQ(16, float32(math.Sqrt(2/math.Pi)))) }},
	{"grid p=2", .10750, normalGrid(16)},
	{"grid p=2", .02956, normalGrid(64)},
	{"grid p=2", .007745, normalGrid(256)},
	{"HIGGS p=2", .10750, higgs(16)},
	{"HIGGS p=2", .02956, higgs(64)},
	{"HIGGS p=2", .007745, higgs(256)},
	{"E8P", .0912, e8pOf(2)},
	{"RaBitQ", 1 - 2/math.Pi, rabitq(1)},
}

// measured are figures of this package alone, for benchmarks and against regressions.
var measured = []gaussCase{
	{"E8P", .02953, e8pOf(3)},
	{"E8P", .00834, e8pOf(4)},
	{"Voronoi A2", .1260, voronoi(LatticeA2, 2, 4)},
	{"Voronoi D4", .1173, voronoi(LatticeD, 4, 4)},
	{"Voronoi E8", .1044, voronoi(LatticeE8, 8, 4)},
	{"Voronoi E8", .0286, voronoi(LatticeE8, 8, 8)},
	{"Voronoi E8", .00814, voronoi(LatticeE8, 8, 16)},
	{"RaBitQ", .1175, rabitq(2)},
	{"RaBitQ", .0362, rabitq(3)},
	{"RaBitQ", .01064, rabitq(4)},
	{"RaBitQ", .000186, rabitq(7)},
	{"LVQ", .01212, func() Quantiser { return must(TrainLVQ(normals(256*64, 8), 256, 4, 0)) }},
	{"LVQ", .0000538, func() Quantiser { return must(TrainLVQ(normals(256*64, 8), 256, 4, 4)) }},
	{"GLVQ", .1226, func() Quantiser { return must(TrainGLVQ(normals(8*1000, 8), 8, 8, 2, nil)) }},
	{"trellis 2^8", .0805, trellis(2, 8)},
	{"trellis 2^10", .0760, trellis(2, 10)},
	{"trellis 2^12", .0714, trellis(2, 12)},
	{"trellis 2^12", .0185, trellis(3, 12)},
	{"trellis 2^12", .00485, trellis(4, 12)},
	{"trellis 2^10", .282, trellis(1, 10)},
}

// With 2^20 numbers the sampling error at 4 bits is 0.4 %.
func TestGaussianOracle(t *testing.T) {
	x := normals(1<<20, 5)
	for _, c := range oracle {
		q := c.make()
		if got := MSE(q, x); math.Abs(got/c.mse-1) > .01 {
			t.Errorf("%s at %.2f bits: %.6f, want %.6f within 1 %%", c.name, BitsPerDim(q), got, c.mse)
		}
	}
}

func TestGaussianMeasured(t *testing.T) {
	x := normals(1<<17, 5)
	for _, c := range measured {
		if testing.Short() && strings.HasPrefix(c.name, "trellis") {
			continue
		}
		q := c.make()
		x := x
		if _, ok := q.(*Trellis); ok {
			x = x[:1<<13]
		}
		if got := MSE(q, x); math.Abs(got/c.mse-1) > .03 {
			t.Errorf("%s at %.2f bits: %.6f, want %.6f within 3 %%", c.name, BitsPerDim(q), got, c.mse)
		}
	}
}

// The trellis is to be below E8P at the same bits.
func TestTrellisBelowE8P(t *testing.T) {
	x := normals(256*64, 6)
	a, b := MSE(trellis(2, 8)(), x), MSE(e8pOf(2)(), x)
	if !(a < b && a < .0912) {
		t.Errorf("trellis %.5f, E8P %.5f", a, b)
	}
}

// Trained on numbers of another distribution, a trellis is better on these.
func TestTrainTrellis(t *testing.T) {
	x := normals(64*300, 6)
	for i, v := range x {
		x[i] = 3 * v * v * v
	}
	plain, err := NewTrellis(64, 2, 7, float32(norm(x)/math.Sqrt(float64(len(x)))))
	if err != nil {
		t.Fatal(err)
	}
	trained := must(TrainTrellis(x[:64*200], 64, 2, 7, 8))
	if a, b := MSE(trained, x[64*200:]), MSE(plain, x[64*200:]); a > .8*b {
		t.Errorf("trained %.5f, before %.5f", a, b)
	}
	again := must(Unmarshal(must(trained.MarshalBinary())))
	if a, b := MSE(again, x), MSE(trained, x); a != b {
		t.Errorf("error %g once read again, %g before", a, b)
	}
}

// BenchmarkGaussian prints, for each quantiser, the mean squared error a dimension on a
// normal distribution of deviation 1, its distance from the least there could be at
// the bits of the codes (Shannon), and millions of numbers that it encodes and decodes a
// second.
func BenchmarkGaussian(b *testing.B) {
	x := normals(1<<20, 5)
	for _, c := range append(append([]gaussCase(nil), oracle...), measured...) {
		q := c.make()
		x := x[:1<<19]
		if _, ok := q.(*Trellis); ok {
			x = x[:1<<14]
		}
		b.Run(fmt.Sprintf("%s/%.2fbits", strings.ReplaceAll(c.name, " ", "-"), BitsPerDim(q)), func(b *testing.B) {
			n := len(x) / q.Dim()
			codes, y := make([]uint32, n*len(q.Sizes())), make([]float32, len(x))
			var encode, decode time.Duration
			for b.Loop() {
				start := cpuTime()
				q.Encode(codes, x)
				middle := cpuTime()
				q.Decode(y, codes)
				encode += middle - start
				decode += cpuTime() - middle
			}
			mse := squaredError(x, y) / float64(len(x))
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(mse, "MSE")
			b.ReportMetric(10*math.Log10(mse)+20*math.Log10(2)*BitsPerDim(q), "dB-gap")
			b.ReportMetric(float64(len(x))*float64(b.N)/encode.Seconds()/1e6, "Menc/s")
			b.ReportMetric(float64(len(x))*float64(b.N)/decode.Seconds()/1e6, "Mdec/s")
		})
	}
}
