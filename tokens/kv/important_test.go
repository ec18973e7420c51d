package kv

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestImportant(t *testing.T) {
	weights := []float64{
		1, 5, 2, 2,
		0, 0, 0, 0,
		3, 3, 3, 3,
	}
	for _, c := range []struct {
		share float64
		want  []uint8
	}{
		{0, []uint8{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{0.5, []uint8{0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0}},
		{0.6, []uint8{0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0}},
		{1, []uint8{1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1}},
	} {
		got, err := Important(weights, 4, c.share)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("share %v: %v, %v, want %v", c.share, got, err, c.want)
		}
	}
	for _, share := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := Important(weights, 4, share); !errors.Is(err, ErrOption) {
			t.Errorf("share %v: %v", share, err)
		}
	}
	for _, n := range []int{0, 5} {
		if _, err := Important(weights, n, 0.5); !errors.Is(err, ErrShape) {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	for _, w := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := Important([]float64{1, w}, 2, 0.5); !errors.Is(err, ErrValue) {
			t.Errorf("weight %v: %v", w, err)
		}
	}
}

// TestImportantHelps checks that more bits for the tokens with most attention are worth
// more than for others as many.
func TestImportantHelps(t *testing.T) {
	k, v := someCache(21, 2, 2, 128, 32)
	q, _ := someCache(22, 2, 4, 16, 32)
	attention, err := Attention(&k, &q)
	if err != nil {
		t.Fatal(err)
	}
	for l := range 2 {
		sum := 0.0
		for _, w := range attention[l*128 : (l+1)*128] {
			sum += w
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("the attention of layer %d sums to %v", l, sum)
		}
	}
	important, err := Important(attention, 128, 0.7)
	if err != nil {
		t.Fatal(err)
	}
	var errs [2]float64
	for i := range errs {
		o := options(Bits1)
		o.Keys.Fit = Unbiased
		o.Classes = append(o.Classes, Class{Bits4, Bits4})
		o.Assign = important
		if i == 1 {
			o.Assign = slices.Clone(important)
			r := rand.New(rand.NewPCG(1, 1))
			for l := range 2 {
				a := o.Assign[l*128 : (l+1)*128]
				r.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
			}
		}
		c := mustQuantise(t, &k, &v, o)
		k2, v2 := mustDequantise(t, c)
		quality, err := Compare(&k, &v, k2, v2, &q, c.Kept)
		if err != nil {
			t.Fatal(err)
		}
		errs[i] = quality.Attention.Relative
	}
	if errs[0] > 0.5*errs[1] {
		t.Errorf("attention error %v with important tokens, %v with others", errs[0], errs[1])
	}
}

func TestValueNorms(t *testing.T) {
	v := NewTensor(1, 2, 2, 2)
	copy(v.Data, []float32{3, 4, 0, 0, 6, 8, 0, -2})
	got, err := ValueNorms(&v)
	if err != nil || !slices.Equal(got, []float64{7.5, 1}) {
		t.Errorf("norms are %v, %v", got, err)
	}
}

// TestScaleBudgets compares with all ways to spend the bits, where the greedy ones end
// exactly at the budget, and checks the order.
func TestScaleBudgets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 43))
	for range 30 {
		scales := []int{2, 2}
		weights := make([]float64, 2*4)
		for i := range weights {
			weights[i] = math.Exp(3 * r.NormFloat64())
		}
		budget := float64(r.IntN(17)) / 4
		classes, assign, err := ScaleBudgets(weights, scales, budget)
		if err != nil {
			t.Fatal(err)
		}
		cost := func(levels []int) (bits, errs float64) {
			for i, l := range levels {
				bits += 2 * distortions[l].bits
				errs += (weights[2*i] + weights[2*i+1]) * distortions[l].error
			}
			return bits, errs
		}
		got := make([]int, 4)
		for i := range got {
			if assign[2*i] != assign[2*i+1] {
				t.Fatal("a scale has two formats")
			}
			if got[i] = int(assign[2*i]); classes[got[i]].Keys != distortions[got[i]].format {
				t.Fatalf("class %d is %v", got[i], classes[got[i]])
			}
		}
		bits, errs := cost(got)
		if bits != budget*8 {
			t.Fatalf("%v bits of %v are spent", bits, budget*8)
		}
		for i := range 625 {
			b, e := cost([]int{i % 5, i / 5 % 5, i / 25 % 5, i / 125})
			if b <= budget*8 && e < errs*(1-1e-12) {
				t.Fatalf("%v bits: error %v, but %v is possible", budget, errs, e)
			}
		}
	}
	for name, f := range map[string]func() error{
		"bits":    func() error { _, _, err := ScaleBudgets([]float64{1}, []int{1}, 5); return err },
		"NaN":     func() error { _, _, err := ScaleBudgets([]float64{1}, []int{1}, math.NaN()); return err },
		"scale":   func() error { _, _, err := ScaleBudgets([]float64{1}, []int{0, 1}, 1); return err },
		"weights": func() error { _, _, err := ScaleBudgets([]float64{1, 1, 1}, []int{2}, 1); return err },
		"none":    func() error { _, _, err := ScaleBudgets(nil, nil, 1); return err },
		"weight":  func() error { _, _, err := ScaleBudgets([]float64{1, -1}, []int{2}, 1); return err },
	} {
		if err := f(); !errors.Is(err, ErrOption) && !errors.Is(err, ErrShape) && !errors.Is(err, ErrValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScaleBudgetsHelp checks budgets by scale against the same bits for all.
func TestScaleBudgetsHelp(t *testing.T) {
	scales := []int{4, 16, 64, 44}
	k, v := someCache(23, 3, 2, 128, 32)
	q, _ := someCache(24, 3, 2, 16, 32)
	// Layers look at different scales.
	for l := range 3 {
		for h := range 2 {
			keys, queries := k.Head(l, h), q.Head(l, h)
			for i := range q.Tokens {
				queries[i*32] = 20
			}
			at := 0
			for s, n := range scales {
				for i := range n {
					keys[(at+i)*32] = float32(2 * (s + l) % 5)
				}
				at += n
			}
		}
	}
	attention, err := Attention(&k, &q)
	if err != nil {
		t.Fatal(err)
	}
	classes, assign, err := ScaleBudgets(attention, scales, 2)
	if err != nil {
		t.Fatal(err)
	}
	relative := func(o *Options) float64 {
		c := mustQuantise(t, &k, &v, o)
		k2, v2 := mustDequantise(t, c)
		quality, err := Compare(&k, &v, k2, v2, &q, c.Kept)
		if err != nil {
			t.Fatal(err)
		}
		return quality.Attention.Relative
	}
	all := options(Bits2)
	budget := options(Bits2)
	budget.Classes, budget.Assign = classes, assign
	if a, b := relative(all), relative(budget); b > 0.5*a {
		t.Errorf("attention error %v at 2 bits, %v with budgets by scale", a, b)
	}
}

func TestCompare(t *testing.T) {
	k, v := NewTensor(1, 1, 2, 1), NewTensor(1, 1, 2, 2)
	copy(k.Data, []float32{0, 1})
	copy(v.Data, []float32{1, 0, 0, 1})
	k2, v2 := NewTensor(1, 1, 2, 1), NewTensor(1, 1, 2, 2)
	copy(k2.Data, []float32{0, 0.5})
	copy(v2.Data, []float32{1, 1, 0, 1})
	q := NewTensor(1, 2, 1, 1) // two query heads share the head
	copy(q.Data, []float32{2, 2})
	got, err := Compare(&k, &v, &k2, &v2, &q, nil)
	if err != nil {
		t.Fatal(err)
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	a, b := sigmoid(2), sigmoid(1) // attention to the second token
	want := Quality{
		Keys:   Distance{0.125, 0.25, 1},
		Values: Distance{0.25, 0.5, (1/math.Sqrt2 + 1) / 2},
		Attention: Distance{
			((a-b)*(a-b) + (1-a)*(1-a)) / 2,
			((a-b)*(a-b) + (1-a)*(1-a)) / ((1-a)*(1-a) + a*a),
			((1-a)*(1-b) + a) / math.Sqrt(((1-a)*(1-a)+a*a)*((1-b)*(1-b)+1)),
		},
	}
	for _, c := range [][2]Distance{{got.Keys, want.Keys}, {got.Values, want.Values}, {got.Attention, want.Attention}} {
		for i, x := range []float64{c[0].MSE, c[0].Relative, c[0].Cosine} {
			if y := []float64{c[1].MSE, c[1].Relative, c[1].Cosine}[i]; math.Abs(x-y) > 1e-6 {
				t.Errorf("distances are %+v, want %+v", c[0], c[1])
				break
			}
		}
	}
	// A token that is gone takes no part.
	got, err = Compare(&k, &v, &k, &v, &q, func(int) []bool { return []bool{false, true} })
	if want := (1 - a) * (1 - a); err != nil || math.Abs(got.Attention.MSE-want) > 1e-6 {
		t.Errorf("error without the first token is %v, want %v: %v", got.Attention.MSE, want, err)
	}
	other := NewTensor(1, 1, 3, 1)
	if _, err := Compare(&k, &v, &other, &v2, nil, nil); !errors.Is(err, ErrShape) {
		t.Errorf("other keys: %v", err)
	}
	if _, err := Compare(&k, &v, &k2, &v2, &v, nil); !errors.Is(err, ErrShape) {
		t.Errorf("other queries: %v", err)
	}
	if _, err := Attention(&k, &v); !errors.Is(err, ErrShape) {
		t.Errorf("attention of other queries: %v", err)
	}
}
