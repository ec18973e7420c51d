package lossless

import (
	"errors"
	"fmt"
	"testing"
)

func ignore(int) error { return nil }

// TestPath checks that every value can be coded from every centre and step, by
// decisions that the tables have room for.
func TestPath(t *testing.T) {
	for j, d := range strides[1:] {
		if d <= strides[j] {
			t.Errorf("strides[%d] = %d does not grow", j+1, d)
		}
	}
	seen := make(map[int]string)
	for j := range strides {
		for _, up := range []bool{false, true} {
			if j == 0 && !up {
				continue // the first decision is the same both ways
			}
			n, name := node(up, j), fmt.Sprint(up, j)
			if n < 0 || n >= numNodes || seen[n] != "" {
				t.Errorf("node(%s) = %d, which is also that of %q", name, n, seen[n])
			}
			seen[n] = name
		}
	}
}

// TestMixExtremes codes planes that lead far from every prediction, of every
// depth.
func TestMixExtremes(t *testing.T) {
	for _, limit := range []uint16{1, 2, 3, 14, 15, 254, 255, 256, 1023, 4095, 65534, 65535} {
		for _, effort := range []int{4, 9} {
			ps := []plane{
				fill(newPlane(19, 14, limit), func(x, y int) int { return int(hash(x, y)&1) * int(limit) }),
				fill(newPlane(19, 14, limit), func(x, y int) int { return int(hash(x, y, 1) % (uint32(limit) + 1)) }),
				fill(newPlane(19, 14, limit), func(x, y int) int { return (x + y) % 2 * int(limit) }),
				fill(newPlane(19, 14, limit), func(x, y int) int { return int(limit) }),
			}
			order := planeOrder(ps, true)
			data, err := encodeMix(ps, order, effort, ignore)
			if err != nil {
				t.Fatal(err)
			}
			qs := like(ps)
			if err := decodeMix(data, qs, order, effort, ignore); err != nil {
				t.Fatalf("max %d, effort %d: %v", limit, effort, err)
			}
			for i := range ps {
				for k, v := range ps[i].pix {
					if qs[i].pix[k] != v {
						t.Fatalf("max %d, effort %d: plane %d, sample %d: %d, want %d", limit, effort, i, k, qs[i].pix[k], v)
					}
				}
			}
		}
	}
}

// TestMixStops checks that the error of step ends the work at once, both ways.
func TestMixStops(t *testing.T) {
	ps := scenePlanes(30, 20, 2, 1000, 255)
	data, err := encodeMix(ps, []int{0, 1}, 5, ignore)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	for _, rows := range []int{1, 7, 25} {
		n := 0
		step := func(samples int) error {
			if samples != 30 {
				t.Errorf("a row of %d samples", samples)
			}
			if n++; n == rows {
				return stop
			}
			return nil
		}
		if _, err := encodeMix(ps, []int{0, 1}, 5, step); err != stop || n != rows {
			t.Errorf("encode: %d rows, %v", n, err)
		}
		n = 0
		if err := decodeMix(data, like(ps), []int{0, 1}, 5, step); err != stop || n != rows {
			t.Errorf("decode: %d rows, %v", n, err)
		}
	}
}

// TestMixTruncated checks that a decoder that has run out of bytes ends soon.
func TestMixTruncated(t *testing.T) {
	ps := []plane{noise(60, 400, 255)}
	data, err := encodeMix(ps, []int{0}, 4, ignore)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = decodeMix(data[:len(data)/8], like(ps), []int{0}, 4, func(int) error { rows++; return nil })
	if err == nil || rows > 100 {
		t.Errorf("error %v after %d rows of 400 with an eighth of the data", err, rows)
	}
}

// TestMixEntropy holds the cost on noise, where nothing can be learnt, close to
// what noise takes.
func TestMixEntropy(t *testing.T) {
	for _, limit := range []uint16{3, 15, 63, 255} {
		p := noise(200, 150, limit)
		bits := 0
		for v := int(limit); v > 0; v >>= 1 {
			bits++
		}
		data, err := encodeMix([]plane{p}, []int{0}, 5, ignore)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(data)*8, bits*len(p.pix); got > want+want/20 {
			t.Errorf("noise of %d values takes %d bits, %.1f %% more than it must", limit+1, got, 100*float64(got-want)/float64(want))
		}
	}
}

// TestEscapes takes escapes through their coder.
func TestEscapes(t *testing.T) {
	ps := latticePlanes(90, 70, 0)
	if data := mustEncodeTile(t, ps, true, 1); data[0] != tileLattice {
		t.Fatalf("method %d for a picture on a lattice", data[0])
	}
	// All possible differences, which wrong pixels have.
	for i := range 30 {
		ps[i%3].pix[37*i+11] = uint16(255 * (i & 1))
	}
	data := mustEncodeTile(t, ps, true, 1)
	qs := like(ps)
	if err := testJob(qs).decodeTile(data, qs, true); err != nil {
		t.Fatal(err)
	}
	for c := range ps {
		for i, v := range ps[c].pix {
			if qs[c].pix[i] != v {
				t.Fatalf("plane %d, sample %d: %d, want %d", c, i, qs[c].pix[i], v)
			}
		}
	}
}

func BenchmarkMix(b *testing.B) {
	ps := scenePlanes(128, 96, 3, 1500, 255)
	samples := 3 * len(ps[0].pix)
	for effort := 4; effort <= 9; effort++ {
		b.Run(fmt.Sprint("effort=", effort), func(b *testing.B) {
			b.SetBytes(int64(samples))
			var data []byte
			for b.Loop() {
				var err error
				if data, err = encodeMix(ps, []int{1, 0, 2}, effort, ignore); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data)*8)/float64(samples), "bpsp")
		})
	}
}
