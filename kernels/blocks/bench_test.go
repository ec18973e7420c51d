package blocks

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// The sizes of the benchmarks: a matrix within the second cache, and one beyond it.
var benchSizes = []struct {
	name       string
	rows, cols int
}{{"L2", 512, 1024}, {"memory", 8192, 8192}}

// report runs f and reports, by processor time, GB/s of bytes and GOP/s of products, a
// multiplication and an addition each.
func report(b *testing.B, bytes int, products float64, f func()) {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	f() // caches and pages
	b.SetBytes(int64(bytes))
	start := cpuTime()
	for b.Loop() {
		f()
	}
	seconds := (cpuTime() - start).Seconds() / float64(b.N)
	b.ReportMetric(float64(bytes)/seconds/1e9, "cpu-GB/s")
	b.ReportMetric(2*products/seconds/1e9, "cpu-GOP/s")
}

// BenchmarkVector is a matrix times a vector: GB/s are of the weights.
func BenchmarkVector(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 54))
	for _, size := range benchSizes {
		x, y := normals(size.cols, 2), make([]float32, size.rows)
		for _, f := range Formats() {
			m, err := NewMatrix(f, randomBlocks(r, f, size.rows*size.cols), size.rows, size.cols)
			if err != nil {
				b.Fatal(err)
			}
			var a Activations
			a.Quantise(f.Group(), x, 1, size.cols, size.cols)
			eachTier(b, func(l kernels.Level) {
				if l == kernels.Generic && (size.name != "L2" || testing.Short()) {
					return
				}
				b.Run(fmt.Sprintf("%s/%v/%v", size.name, f, l), func(b *testing.B) {
					report(b, m.Bytes(), float64(size.rows*size.cols), func() { m.Mul(y, size.rows, &a) })
				})
			})
		}
		b.Run(size.name+"/float32", func(b *testing.B) {
			w := normals(size.rows*size.cols, 3)
			report(b, 4*len(w), float64(len(w)), func() {
				for i := range y {
					y[i] = float32(kernels.DotF32(w[i*size.cols:(i+1)*size.cols], x))
				}
			})
		})
		b.Run(size.name+"/int8", func(b *testing.B) {
			w, c := make([]int8, size.rows*size.cols), make([]int32, size.rows)
			var p kernels.PanelsI8
			p.Pack(w, size.rows, size.cols, size.cols)
			report(b, len(w), float64(len(w)), func() { p.Dots(c, size.rows, w[:size.cols], size.cols, 1) })
		})
	}
}

// BenchmarkMatrix is a matrix times 64 vectors, beside the same in plain int8.
func BenchmarkMatrix(b *testing.B) {
	const rows, cols, n = 512, 1024, 64
	r := rand.New(rand.NewPCG(1, 55))
	x, y := normals(n*cols, 2), make([]float32, n*rows)
	for _, f := range Formats() {
		m, err := NewMatrix(f, randomBlocks(r, f, rows*cols), rows, cols)
		if err != nil {
			b.Fatal(err)
		}
		var a Activations
		a.Quantise(f.Group(), x, n, cols, cols)
		eachTier(b, func(l kernels.Level) {
			if l == kernels.Generic {
				return
			}
			b.Run(fmt.Sprintf("%v/%v", f, l), func(b *testing.B) {
				report(b, m.Bytes(), rows*cols*n, func() { m.Mul(y, rows, &a) })
			})
		})
	}
	b.Run("int8", func(b *testing.B) {
		w, c := make([]int8, rows*cols), make([]int32, n*rows)
		var p kernels.PanelsI8
		p.Pack(w, rows, cols, cols)
		report(b, len(w), rows*cols*n, func() { p.Dots(c, rows, w[:n*cols], cols, n) })
	})
}

// BenchmarkQuantise is what activations cost.
func BenchmarkQuantise(b *testing.B) {
	x := normals(8192, 2)
	var a Activations
	report(b, 4*len(x), 0, func() { a.Quantise(Q4_0.Group(), x, 1, len(x), len(x)) })
}

// BenchmarkDecode is GB/s of blocks.
func BenchmarkDecode(b *testing.B) {
	const n = 1 << 16
	x := normals(n, 4)
	for _, f := range Formats() {
		size, err := f.Bytes(n)
		if err != nil {
			b.Fatal(err)
		}
		data := make([]byte, size)
		b.Run("encode/"+f.String(), func(b *testing.B) { report(b, size, 0, func() { f.Encode(data, x) }) })
		b.Run("decode/"+f.String(), func(b *testing.B) { report(b, size, 0, func() { f.Decode(x, data) }) })
	}
}
