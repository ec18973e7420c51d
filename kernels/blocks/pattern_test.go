package blocks

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// randomTable returns patterns of four magnitudes with any signs, in quarters as E8P's.
func randomTable(r *rand.Rand) *[256][8]int8 {
	table := new([256][8]int8)
	for p := range table {
		for j := range table[p] {
			table[p][j] = []int8{2, -6, 10, -14, -2, 6, -10, 14}[r.IntN(8)]
		}
	}
	return table
}

// patternWeights are the weights that codes stand for, by the definition.
func patternWeights(table *[256][8]int8, shift int8, codes []uint16, scales []float32, group int) []float32 {
	w := make([]float32, 8*len(codes))
	for i, c := range codes {
		signs := uint(c >> 8 & 127)
		signs |= uint(bits.OnesCount(signs)&1) << 7
		for j, v := range table[c&255] {
			if signs>>j&1 != 0 {
				v = -v
			}
			if c>>15 != 0 {
				v += shift
			} else {
				v -= shift
			}
			w[8*i+j] = float32(v) * scales[(8*i+j)/group]
		}
	}
	return w
}

// checkPattern holds products to those of the decoded weights, closely, and to those of
// the same levels in a [Matrix] to the bit, in every tier.
func checkPattern(t *testing.T, group, rows, cols, n int, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 60))
	table, shift := randomTable(r), int8(r.IntN(3)-1)
	codes, scales := make([]uint16, rows*cols/8), make([]float32, rows*cols/group)
	for i := range codes {
		codes[i] = uint16(r.Uint32())
	}
	for i := range scales {
		scales[i] = tensorfile.FromF16(toHalf(float32(r.NormFloat64())))
	}
	m, err := NewPatternMatrix(table, shift, codes, scales, group, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	w := patternWeights(table, shift, codes, scales, group)
	x := normals(n*cols, seed)
	var a Activations
	a.Quantise(group, x, n, cols, cols)

	// The same levels in four bits.
	ones := make([]float32, len(scales))
	for i := range ones {
		ones[i] = 1
	}
	var levels [16]int8
	var known []int8
	places := make([]uint8, rows*cols)
	for i, v := range patternWeights(table, shift, codes, ones, group) {
		at := slices.Index(known, int8(v))
		if at < 0 {
			at = len(known)
			known = append(known, int8(v))
			levels[at] = int8(v)
		}
		places[i] = uint8(at)
	}
	four, err := NewLevelMatrix(&levels, places, scales, group, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	ldy := rows + r.IntN(3)
	want := make([]float32, n*ldy+1)
	for i := range want {
		want[i] = 77
	}
	four.Mul(want, ldy, &a)
	eachTier(t, func(l kernels.Level) {
		got := make([]float32, len(want))
		for i := range got {
			got[i] = 77
		}
		middle := rows / 2 / tileRows * tileRows
		m.MulRows(got, ldy, &a, middle, rows)
		m.MulRows(got, ldy, &a, 0, middle)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: groups of %d, %d by %d with %d vectors differ from those of levels", l, group, rows, cols, n)
		}
		if l == kernels.Generic {
			checkProduct(t, Int4G32, group, got, w, x, rows, cols, n, cols, ldy)
		}
	})
}

func TestPatternMatrix(t *testing.T) {
	for i, c := range [][4]int{{16, 1, 16, 1}, {48, 21, 96, 9}, {256, 17, 2048, 2}, {1024, 40, 1024, 13}, {256, 0, 256, 1}, {16, 5, 0, 3}, {32, 7, 64, 0}} {
		checkPattern(t, c[0], c[1], c[2], c[3], uint64(i))
	}
	table := randomTable(rand.New(rand.NewPCG(1, 61)))
	for name, c := range map[string]struct{ codes, scales, group, rows, cols int }{
		"groups of 8":     {8, 8, 8, 1, 64},
		"half a group":    {3, 2, 16, 1, 24},
		"a row too few":   {8, 8, 16, 2, 64},
		"a scale too few": {8, 3, 16, 1, 64},
		"rows below 0":    {0, 0, 16, -1, 64},
		"long groups":     {2 * MaxGroup / 8, 1, 2 * MaxGroup, 1, 2 * MaxGroup},
	} {
		if _, err := NewPatternMatrix(table, 1, make([]uint16, c.codes), make([]float32, c.scales), c.group, c.rows, c.cols); err == nil {
			t.Errorf("%s are accepted", name)
		}
	}
	codes, scales := make([]uint16, 2), make([]float32, 1)
	if _, err := NewPatternMatrix(table, 114, codes, scales, 16, 1, 16); err == nil {
		t.Error("a level of 128 is accepted")
	}
	table[200][3] = 1
	if _, err := NewPatternMatrix(table, 1, codes, scales, 16, 1, 16); err == nil {
		t.Error("five magnitudes are accepted")
	}
}

func FuzzPatternMatrix(f *testing.F) {
	f.Add(uint8(2), uint8(40), uint8(2), uint8(5), uint64(3))
	f.Fuzz(func(t *testing.T, group, rows, groups, n uint8, seed uint64) {
		g := (1 + int(group%16)) * 16
		checkPattern(t, g, int(rows%40), int(groups%4)*g, int(n%14), seed)
	})
}

// BenchmarkPattern is a matrix in two bits times a vector, and times 64: GB/s are of the
// weights. Beside it are its levels in four bits.
func BenchmarkPattern(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 62))
	table := randomTable(r)
	const group = 256
	for _, size := range benchSizes {
		codes, scales := make([]uint16, size.rows*size.cols/8), make([]float32, size.rows*size.cols/group)
		for i := range codes {
			codes[i] = uint16(r.Uint32())
		}
		for i := range scales {
			scales[i] = 1
		}
		m, err := NewPatternMatrix(table, 1, codes, scales, group, size.rows, size.cols)
		if err != nil {
			b.Fatal(err)
		}
		places := make([]uint8, size.rows*size.cols)
		for i := range places {
			places[i] = uint8(r.IntN(16))
		}
		four, err := NewLevelMatrix(&m.levels, places, scales, group, size.rows, size.cols)
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range []int{1, 64} {
			x, y := normals(n*size.cols, 2), make([]float32, n*size.rows)
			var a Activations
			a.Quantise(group, x, n, size.cols, size.cols)
			products := float64(n * size.rows * size.cols)
			eachTier(b, func(l kernels.Level) {
				if l == kernels.Generic && (size.name != "L2" || n > 1) || n > 1 && size.name != "L2" {
					return
				}
				b.Run(fmt.Sprintf("%s/%d/%v", size.name, n, l), func(b *testing.B) {
					report(b, m.Bytes(), products, func() { m.Mul(y, size.rows, &a) })
				})
				b.Run(fmt.Sprintf("%s/%d/%v/levels", size.name, n, l), func(b *testing.B) {
					report(b, four.Bytes(), products, func() { four.Mul(y, size.rows, &a) })
				})
			})
		}
	}
}
