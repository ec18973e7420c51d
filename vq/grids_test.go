package vq

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"
)

// exactQuantisers are some of each kind, made without arithmetic that may differ
// between processors.
func exactQuantisers() map[string]Quantiser {
	ramp := make([]float32, 24)
	for i := range ramp {
		ramp[i] = float32(i)/16 - .75
	}
	basis := make([]float32, 24*24)
	for i := range basis {
		basis[i] = float32(i*7%31-15) / 64
	}
	g := glvqGroup{3, .125, basis[:16], basis[16:32]}
	grid := must(NewNormalGrid(64, 1))
	return map[string]Quantiser{
		"lloydmax":   must(NewLloydMax(11, 1.5)),
		"normalgrid": must(NewNormalGrid(256, .75)),
		"fsq":        must(NewFSQ([]int{8, 6, 5}, FSQTanh)),
		"fsqclamp":   must(NewFSQ([]int{7, 2}, FSQClamp)),
		"lfq":        must(NewLFQ(18, .3)),
		"bsq":        must(NewBSQ(36)),
		"voronoiz":   must(NewVoronoiCode(LatticeZ, 3, 5, .5)),
		"voronoia2":  must(NewVoronoiCode(LatticeA2, 2, 9, .3)),
		"voronoid4":  must(NewVoronoiCode(LatticeD, 4, 6, .7)),
		"voronoie8":  must(NewVoronoiCode(LatticeE8, 8, 4, .6)),
		"e8p2":       must(NewE8P(2, 1)),
		"e8p3":       must(NewE8P(3, 2)),
		"e8p4":       must(NewE8P(4, .1)),
		"higgs":      must(NewHIGGS(24, grid, 3)),
		"nsn":        must(newNSN(ramp, grid, 4)),
		"higgse8p":   must(NewHIGGS(32, must(NewE8P(2, 1)), 5)),
		"rabitq1":    must(NewRaBitQ(ramp, 1, 6)),
		"rabitq5":    must(NewRaBitQ(ramp, 5, 7)),
		"saq":        newSAQ(ramp, basis, []int{5, 8, 11}, []int{6, 2, 0}, 8),
		"lvq":        newLVQ(ramp, 5, 0),
		"lvq2":       newLVQ(ramp, 3, 4),
		"glvq":       newGLVQ(4, []glvqGroup{g, g}),
		"trellis":    must(NewTrellis(40, 2, 9, 1.25)),
		"trellis3":   must(NewTrellis(10, 3, 7, 1)),
	}
}

// fewCodes returns codes of n vectors; scales are near 1.
func fewCodes(q Quantiser, n int) []uint32 {
	r := rand.New(rand.NewPCG(1, 1))
	var codes []uint32
	for range n {
		for _, s := range q.Sizes() {
			c := r.Uint32N(uint32(s))
			if s == scaleSize {
				c = 127<<8 - 500 + c%1000
			} else if s == 2*lvqMiddle {
				c = lvqMiddle - 500 + c%1000
			}
			codes = append(codes, c)
		}
	}
	return codes
}

// The numbers that codes stand for must not change, nor depend on the processor.
func TestGridsDecodeGolden(t *testing.T) {
	for name, q := range exactQuantisers() {
		codes := fewCodes(q, 40)
		x := make([]float32, 40*q.Dim())
		q.Decode(x, codes)
		var b []byte
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		data := must(q.MarshalBinary())
		got := [2]uint32{crc32.ChecksumIEEE(b), crc32.ChecksumIEEE(data)}
		if got != gridsGolden[name] {
			t.Errorf("%q: {%#x, %#x},", name, got[0], got[1])
		}
	}
}

// What is stored and read again is the same quantiser, and stored again the same bytes.
func TestGridsStored(t *testing.T) {
	for name, q := range exactQuantisers() {
		data := must(q.MarshalBinary())
		p, err := Unmarshal(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := must(p.MarshalBinary()); !bytes.Equal(again, data) {
			t.Errorf("%s: other bytes when stored again", name)
		}
		x := normals(30*q.Dim(), 1)
		a, b := make([]uint32, 30*len(q.Sizes())), make([]uint32, 30*len(q.Sizes()))
		q.Encode(a, x)
		p.Encode(b, x)
		y, z := make([]float32, len(x)), make([]float32, len(x))
		q.Decode(y, a)
		p.Decode(z, b)
		for i := range y {
			if y[i] != z[i] {
				t.Fatalf("%s: element %d is %g, once read again %g", name, i, y[i], z[i])
			}
		}
		for i := range data {
			if _, err := Unmarshal(data[:i]); err == nil {
				t.Errorf("%s: no error for %d bytes of %d", name, i, len(data))
			}
		}
	}
}

// Whatever numbers are encoded, codes are valid and decode, and vectors are independent
// of what is encoded with them.
func TestGridsBadNumbers(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	bad := []float32{nan, inf, -inf, math.MaxFloat32, -math.MaxFloat32, 1e-45, 0, 1e20, -1e-20, 1}
	r := rand.New(rand.NewPCG(2, 2))
	for name, q := range exactQuantisers() {
		d, m := q.Dim(), len(q.Sizes())
		x := make([]float32, 60*d)
		for i := range x {
			if v := i / d; v < len(bad) {
				x[i] = bad[v]
			} else if v < 40 {
				x[i] = bad[r.IntN(len(bad))]
			} else {
				x[i] = float32(r.NormFloat64())
			}
		}
		codes := make([]uint32, 60*m)
		q.Encode(codes, x)
		if err := CheckCodes(q, codes); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		q.Decode(make([]float32, len(x)), codes)
		alone := make([]uint32, m)
		for i := range 60 {
			q.Encode(alone, x[i*d:][:d])
			for j, c := range alone {
				if codes[i*m+j] != c {
					t.Fatalf("%s: vector %d has another code %d alone", name, i, j)
				}
			}
		}
		for _, v := range [][]uint32{codes[:m]} {
			v := append([]uint32(nil), v...)
			v[m-1] = uint32(q.Sizes()[m-1])
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic for a code out of range", name)
					}
				}()
				q.Decode(make([]float32, d), v)
			}()
		}
	}
}

func FuzzUnmarshalGrids(f *testing.F) {
	for _, q := range exactQuantisers() {
		data := must(q.MarshalBinary())
		f.Add(data[:len(data)-4])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
		q, err := unmarshalChecked(t, data)
		if err != nil {
			return
		}
		d, m := q.Dim(), len(q.Sizes())
		if d < 1 || d > MaxDim || m < 1 || m > maxCodes {
			t.Fatalf("dimension %d, %d codes", d, m)
		}
		if d > 512 || m > 2048 {
			return
		}
		x := normals(d, 1)
		codes := make([]uint32, m)
		if tr, ok := q.(*Trellis); !ok || tr.l <= 10 {
			q.Encode(codes, x)
		}
		if err := CheckCodes(q, codes); err != nil {
			t.Fatal(err)
		}
		q.Decode(x, codes)
		if _, err := q.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestScaleCodes(t *testing.T) {
	for _, v := range []float32{0, 1, 1.5, 3e-39, 1e-30, 7.77, 1e30, math.MaxFloat32} {
		got := scaleOf(scaleCode(v))
		if e := math.Abs(float64(got)-float64(v)) / math.Max(float64(v), 1e-37); e > 1./512 {
			t.Errorf("%g becomes %g", v, got)
		}
	}
	for c := range uint32(scaleSize) {
		if got := scaleCode(scaleOf(c)); got != c {
			t.Fatalf("code %d becomes %d", c, got)
		}
	}
}

// A rotation keeps lengths, undoes itself, and spreads what is in one element.
func TestRotation(t *testing.T) {
	for _, d := range []int{1, 2, 3, 8, 24, 100, 256, 1000} {
		for rounds := 1; rounds <= 2; rounds++ {
			r := newRotation(d, rounds, uint64(d))
			x := normals(d, 3)
			y := append([]float32(nil), x...)
			r.apply(y)
			if a, b := norm(x), norm(y); math.Abs(a/b-1) > 1e-5 {
				t.Errorf("%d: norm %g becomes %g", d, a, b)
			}
			r.undo(y)
			for i := range x {
				if math.Abs(float64(x[i]-y[i])) > 1e-5 {
					t.Fatalf("%d: element %d is %g once undone, was %g", d, i, y[i], x[i])
				}
			}
			if d < 24 {
				continue
			}
			clear(y)
			y[d/2] = 1
			r.apply(y)
			for _, v := range y {
				if a := math.Abs(float64(v)) * math.Sqrt(float64(d)); a > 6 {
					t.Errorf("%d: one element is spread to %g of the mean", d, a)
				}
			}
		}
	}
}
