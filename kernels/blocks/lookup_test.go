package blocks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// checkLookup holds looked up products equal to those of Matrix, in bits, in every tier.
func checkLookup(t *testing.T, f Format, rows, cols, n int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 57))
	data := randomBlocks(r, f, rows*cols)
	m, err := NewMatrix(f, data, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	planes, err := NewPlaneMatrix(f, data, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	x := normals(n*cols, seed)
	if seed%4 == 0 {
		for i := range x {
			x[i] = 1 // the largest sums
		}
	}
	var a Activations
	a.Quantise(f.Group(), x, n, cols, cols)
	var tables Tables
	tables.Build(&a)
	ldy := rows + r.IntN(3)
	want := make([]float32, n*ldy+1)
	for i := range want {
		want[i] = 77
	}
	m.Mul(want, ldy, &a)
	eachTier(t, func(l kernels.Level) {
		got := make([]float32, len(want))
		for i := range got {
			got[i] = 77
		}
		middle := rows / 2 / lookupRows * lookupRows
		planes.MulRows(got, ldy, &tables, middle, rows)
		planes.MulRows(got, ldy, &tables, 0, middle)
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%v, %v: %d by %d with %d vectors: element %d is %v, not %v", l, f, rows, cols, n, i, v, want[i])
			}
		}
	})
}

var planeFormats = []Format{Q4_0, TQ1_0, TQ2_0, Int4G32, Int4G64, Int4G128}

func TestLookup(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 58))
	for _, f := range planeFormats {
		for i := range 6 {
			checkLookup(t, f, r.IntN(80), r.IntN(3)*256, []int{0, 1, 2, 4, 9, 13}[i], uint64(i))
		}
		checkLookup(t, f, 32, f.BlockLen(), 1, 9)
		checkLookup(t, f, 70, 3*f.BlockLen(), 3, 10)
	}
	if _, err := NewPlaneMatrix(NF4, nil, 0, 0); err == nil {
		t.Error("NF4 is in planes")
	}
	for _, c := range [][3]int{{18, 1, 33}, {18, 2, 32}, {17, 1, 32}, {18, -1, 32}, {18, 1, 0}} {
		if _, err := NewPlaneMatrix(Q4_0, make([]byte, c[0]), c[1], c[2]); err == nil {
			t.Errorf("%d bytes are %d by %d", c[0], c[1], c[2])
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add(uint8(1), uint8(40), uint8(2), uint8(5), uint64(3))
	f.Fuzz(func(t *testing.T, format, rows, blocks, n uint8, seed uint64) {
		form := planeFormats[int(format)%len(planeFormats)]
		checkLookup(t, form, int(rows%70), int(blocks%4)*form.BlockLen(), int(n%12), seed)
	})
}

func BenchmarkLookup(b *testing.B) {
	const rows, cols = 512, 1024
	r := rand.New(rand.NewPCG(1, 59))
	x, y := normals(cols, 2), make([]float32, rows)
	for _, f := range planeFormats {
		m, err := NewPlaneMatrix(f, randomBlocks(r, f, rows*cols), rows, cols)
		if err != nil {
			b.Fatal(err)
		}
		var a Activations
		a.Quantise(f.Group(), x, 1, cols, cols)
		var t Tables
		t.Build(&a)
		b.Run(fmt.Sprintf("%v", f), func(b *testing.B) {
			report(b, m.Bytes(), rows*cols, func() { m.Mul(y, rows, &t) })
		})
	}
	b.Run("tables", func(b *testing.B) {
		var a Activations
		a.Quantise(32, x, 1, cols, cols)
		var t Tables
		report(b, cols, 0, func() { t.Build(&a) })
	})
}
