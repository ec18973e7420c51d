package vq

import (
	"math"
	"testing"

	"github.com/burin-codec/burin/kernels/blocks"
)

// TestE8PStages: whatever the code, its stages add up to what it decodes to.
func TestE8PStages(t *testing.T) {
	for bits := 2; bits <= 4; bits++ {
		q := must(NewE8P(bits, .7))
		stages := q.Stages()
		if len(stages) != len(q.Sizes()) {
			t.Fatalf("%d stages", len(stages))
		}
		r := newRand(1, 2)
		codes, x := make([]uint32, len(stages)), make([]float32, 8)
		for i := range 1 << 16 {
			for k, n := range q.Sizes() {
				codes[k] = uint32(i % n)
				if k > 0 {
					codes[k] = r.Uint32N(uint32(n))
				}
			}
			q.Decode(x, codes)
			odd := [2]uint32{}
			for j := range x {
				var sum float64
				for k, c := range codes {
					sign := c >> (8 + j) & 1
					if j == 7 {
						sign = odd[k]
					}
					odd[k] ^= sign
					level := float64(stages[k].Table[c&255][j]) * (1 - 2*float64(sign))
					level += float64(stages[k].Shift) * (2*float64(c>>15) - 1)
					sum += float64(stages[k].Unit) * level
				}
				if math.Abs(sum-float64(x[j])) > 1e-6 {
					t.Fatalf("%d bits: element %d of %x is %g, of stages %g", bits, j, codes, x[j], sum)
				}
			}
		}
	}
}

// TestE8PMatrix multiplies codes of turned weights with turned vectors in 8 bits: the
// products are those of decoded weights, but for the rounding of the vectors.
func TestE8PMatrix(t *testing.T) {
	const rows, cols, d, n = 24, 512, 256, 3
	w, x := normals(rows*cols, 1), normals(n*cols, 2)
	for bits := 2; bits <= 4; bits++ {
		inner := must(NewE8P(bits, 1))
		q := must(NewHIGGS(d, inner, 3))
		per := len(q.Sizes())
		codes, decoded := make([]uint32, rows*cols/d*per), make([]float32, len(w))
		q.Encode(codes, w)
		q.Decode(decoded, codes)

		turned := append([]float32(nil), x...)
		q.Turn(turned)
		var a blocks.Activations
		a.Quantise(d, turned, n, cols, cols)
		got := make([]float32, n*rows)
		stages := inner.Stages()
		for k, s := range stages {
			part, scales := make([]uint16, 0, rows*cols/8), make([]float32, rows*cols/d)
			for i := range scales {
				c := codes[i*per : (i+1)*per]
				scales[i] = s.Unit * q.Scale(c[0])
				for j := 1 + k; j < per; j += len(stages) {
					part = append(part, uint16(c[j]))
				}
			}
			m := must(blocks.NewPatternMatrix(&s.Table, s.Shift, part, scales, d, rows, cols))
			y := make([]float32, n*rows)
			m.Mul(y, rows, &a)
			for i, v := range y {
				got[i] += v
			}
		}
		var e, p float64
		for v := range n {
			for i := range rows {
				var want float64
				for j := range cols {
					want += float64(decoded[i*cols+j]) * float64(x[v*cols+j])
				}
				e += (want - float64(got[v*rows+i])) * (want - float64(got[v*rows+i]))
				p += want * want
			}
		}
		// Vectors of 8 bits, up to about 3 deviations, err by 3/127/sqrt(12); scales of
		// float16 by less.
		if r := math.Sqrt(e / p); r > .012 || r == 0 {
			t.Errorf("%d bits: products err by %.4f", bits, r)
		} else {
			t.Logf("%d bits: products err by %.4f", bits, r)
		}
	}
}
