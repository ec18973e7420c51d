package vq

import (
	"flag"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateBooks = flag.Bool("update-books", false, "write testdata/books anew")

// golden returns a quantiser of each kind with words that no training made.
func golden() map[string]Quantiser {
	r := newRand(1, 81)
	book := func(k, d int, m Metric) *Codebook {
		w := make([]float32, k*d)
		for i := range w {
			w[i] = float32(r.IntN(4096)-2048) / 512
		}
		return newCodebook(w, d, m)
	}
	turn := identity(5)
	for i, v := range []float32{0.6, -0.8, 0.8, 0.6} {
		turn[i/2*3*5+i%2*3] = v // in the plane of elements 0 and 3
	}
	magnitudes := book(6, 18, Euclidean)
	for i, v := range magnitudes.words {
		magnitudes.words[i] = float32(math.Abs(float64(v)))
	}
	rq := func(d int) *RQ {
		return newRQ([]*Codebook{book(5, d, Euclidean), book(7, d, Euclidean)}, 3)
	}
	return map[string]Quantiser{
		"codebook": book(9, 4, Euclidean),
		"inner":    book(9, 4, InnerProduct),
		"pq":       newPQ([]*Codebook{book(3, 2, Euclidean), book(8, 3, Euclidean)}),
		"opq":      newOPQ(newPQ([]*Codebook{book(3, 2, Euclidean), book(8, 3, Euclidean)}), turn),
		"rq":       rq(4),
		"grvq":     newGRVQ([]*RQ{rq(3), rq(2)}),
		"mcrvq":    newMCRVQ(newPQ([]*Codebook{book(4, 2, Euclidean), book(4, 2, Euclidean)}), rq(4)),
		"lsq":      newLSQ([]*Codebook{book(4, 3, Euclidean), book(4, 3, Euclidean)}, LSQSearch{2, 4, 3, 1}, 9),
		"ssvq":     newSSVQ(magnitudes),
	}
}

// TestGolden: files of version 1 decode to the same bits for ever, and are written so.
// The numbers are checksums of the vectors.
func TestGolden(t *testing.T) {
	sums := map[string]uint32{}
	for name, q := range golden() {
		file := filepath.Join("testdata", "books", name+".vq")
		data, err := q.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if *updateBooks {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		old, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(old) != string(data) {
			t.Errorf("%s is stored differently", name)
		}
		if q, err = Unmarshal(old); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		const n = 40
		codes := make([]uint32, 0, n*len(q.Sizes()))
		for i := range n * len(q.Sizes()) {
			codes = append(codes, uint32(i*i+7*i)%uint32(q.Sizes()[i%len(q.Sizes())]))
		}
		x := make([]float32, n*q.Dim())
		q.Decode(x, codes)
		var w writer
		w.floats(x)
		sums[name] = crc32.Checksum(w.b, castagnoli)
	}
	for name, want := range goldenSums {
		if sums[name] != want {
			t.Errorf("%s decodes to %#08x, want %#08x", name, sums[name], want)
		}
		delete(sums, name)
	}
	for name, sum := range sums {
		t.Errorf("%s: no sum, it is %#08x", strings.TrimSpace(name), sum)
	}
}

var goldenSums = map[string]uint32{
	"codebook": 0x4cdbef6a,
	"grvq":     0x087577c5,
	"inner":    0x2d26e64d,
	"lsq":      0xeabfa96c,
	"mcrvq":    0x94179eab,
	"opq":      0xac40dda4,
	"pq":       0x1357efe7,
	"rq":       0xed8c7421,
	"ssvq":     0xa361bf91,
}
