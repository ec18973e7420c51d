package inr

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// TestIntModel codes numbers of every length.
func TestIntModel(t *testing.T) {
	var in []int32
	for e := range maxExponent + 1 {
		in = append(in, 1<<e, -1<<e, 1<<(e+1)-1, 1-1<<(e+1), 0, 0)
	}
	e := arith.NewBinaryEncoder(nil)
	m := newIntModel()
	for _, v := range in {
		if got := m.code(bitEncoder{e}, v); got != v {
			t.Fatalf("coding %d returned %d", v, got)
		}
	}
	d := arith.NewBinaryDecoder(e.Finish())
	m = newIntModel()
	for i, v := range in {
		if got := m.code(bitDecoder{d}, 0); got != v {
			t.Fatalf("number %d is %d, want %d", i, got, v)
		}
	}
}

// TestWeightBits holds the cost of parameters to what normal distributions of them
// make unavoidable, and that of none to next to nothing.
func TestWeightBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	a := Presets[3].Arch(768, 512, 3)
	params := 0
	for _, n := range a.Params() {
		params += n
	}
	fresh := NewQuantised(&a)
	perParam := WeightBits(&a, fresh, nil) / float64(params)
	t.Logf("%d parameters, no difference: %.4f bits each", params, perParam)
	if perParam > 0.04 {
		t.Errorf("a difference of 0 costs %.4f bits", perParam)
	}
	for _, sigma := range []float64{0.3, 1, 4, 16, 50} {
		q := fresh.Clone()
		count := map[int32]float64{}
		for m := range q.Ints {
			for i := range q.Ints[m] {
				v := int32(math.Round(r.NormFloat64() * sigma))
				q.Ints[m][i] += v
				count[v]++
			}
		}
		ideal := math.Log2(sigma) + 0.5*math.Log2(2*math.Pi*math.E) // of a fine quantisation
		if sigma < 2 {
			ideal = 0
			for _, n := range count {
				ideal -= n / float64(params) * math.Log2(n/float64(params))
			}
		}
		got := WeightBits(&a, q, nil) / float64(params)
		t.Logf("sigma %v: %.3f bits each, the entropy is %.3f", sigma, got, ideal)
		if got > ideal+0.25 || got < ideal-0.1 {
			t.Errorf("sigma %v: %.3f bits each, the entropy is %.3f", sigma, got, ideal)
		}
		if sigma == 50 && got > 8 {
			t.Errorf("%.3f bits each, more than 8", got)
		}
		if free := WeightBits(&a, q, q) / float64(params); free > 0.04 {
			t.Errorf("sigma %v: a difference of 0 costs %.4f bits", sigma, free)
		}
	}
}

func TestRescale(t *testing.T) {
	for _, c := range []struct {
		v        int32
		from, to uint8
		want     int32
	}{{3, 2, 2, 3}, {3, 2, 5, 24}, {-3, 2, 5, -24}, {5, 3, 2, 3}, {-5, 3, 2, -2}, {6, 4, 2, 2}, {-7, 4, 2, -2}} {
		if got := rescale(c.v, c.from, c.to); got != c.want {
			t.Errorf("%d from 2^-%d to 2^-%d is %d, want %d", c.v, c.from, c.to, got, c.want)
		}
	}
}

// TestFit checks that the networks of a subset of the grids compute the same where
// the others are zero.
func TestFit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	large, small := Arch{3, 7, 6, 2, 9, 0, 2}, Arch{3, 4, 6, 2, 9, 0, 2}
	n := small.LatentGrids()
	q := randomNets(r, &large, 0.1)
	fit, err := q.Fit(&large, &small)
	if err != nil {
		t.Fatal(err)
	}
	if err := fit.Validate(&small); err != nil {
		t.Fatal(err)
	}
	lat := NewLatents(&large, 19, 24)
	for i := range lat[:n] {
		for j := range lat[i].V {
			lat[i].V[j] = int8(r.IntN(5) - 2)
		}
	}
	want := SynthesiseFloat(&large, q.Nets(), lat, 1)
	for p, v := range SynthesiseFloat(&small, fit.Nets(), lat[:n], 1) {
		if v != want[p] {
			t.Fatalf("sample %d is %v, want %v", p, v, want[p])
		}
	}
	bits, wantBits := Bits(&small, fit, lat[:n]), Bits(&large, q, lat)
	for i := range bits {
		// The contexts from grids that are not there are zero as well.
		if bits[i] != wantBits[i] {
			t.Errorf("grid %d costs %v bits, want %v", i, bits[i], wantBits[i])
		}
	}
	back, err := fit.Fit(&small, &large)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Validate(&large); err != nil {
		t.Error(err)
	}
	other := small
	other.Hidden++
	if _, err := q.Fit(&large, &other); !errors.Is(err, ErrNetworks) {
		t.Errorf("another width: %v", err)
	}
	if _, err := q.Fit(&small, &large); !errors.Is(err, ErrNetworks) {
		t.Errorf("networks of another shape: %v", err)
	}
}
