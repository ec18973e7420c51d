package entropy

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
)

// cues draws n values of scale 12, in 1/MeanUnit, and two predictors that each know them
// with an error of their own: of the given scale, where reliable is at least the share of
// places where that holds, and three times as large at others, which they do not know.
func cues(n int, scale [2]float64, reliable float64, seed uint64) (values []int32, p [2]*fixedPredictor) {
	o := DefaultScaleOptions()
	r := rand.New(rand.NewPCG(seed, 1))
	values = make([]int32, n)
	for i := range values {
		values[i] = int32(12 * MeanUnit * r.NormFloat64())
	}
	for j := range p {
		p[j] = &fixedPredictor{make([]int32, n), make([]uint8, n), nil}
		for i := range values {
			s := scale[j] * math.Exp(0.5*r.NormFloat64())
			p[j].table[i] = o.Level(s)
			if r.Float64() > reliable {
				s *= 3
			}
			p[j].mean[i] = values[i] + int32(math.Round(s*MeanUnit*r.NormFloat64()))
		}
	}
	return values, p
}

// product returns the predictor whose distributions are the products of those of p: the
// best there is where both err as they say.
func product(p [2]*fixedPredictor) *fixedPredictor {
	o := DefaultScaleOptions()
	out := &fixedPredictor{make([]int32, len(p[0].mean)), make([]uint8, len(p[0].mean)), nil}
	for i := range out.mean {
		a, b := math.Pow(o.Scale(int(p[0].table[i])), -2), math.Pow(o.Scale(int(p[1].table[i])), -2)
		out.mean[i] = int32(math.Round((a*float64(p[0].mean[i]) + b*float64(p[1].mean[i])) / (a + b)))
		out.table[i] = o.Level(1 / math.Sqrt(a+b))
	}
	return out
}

// mixtureCost returns what symbols cost with the distributions of p, in bits, where they
// are distances from the given means.
func mixtureCost(q []int16, mean []int32, p *fixedPredictor) float64 {
	o := DefaultScaleOptions()
	sum := 0.0
	for i, v := range q {
		s := int32(math.Round(LogScaleUnit * math.Log(o.Scale(int(p.table[i])))))
		sum += Mixture{Gaussian, []Component{{p.mean[i] - mean[i], s, WeightOne}}}.Cost(v)
	}
	return sum
}

// TestMix gives a mix two predictors that each know something of the values. It must
// cost less than the better one, and where both err as they say not much more than the
// product of both.
func TestMix(t *testing.T) {
	const h, w, c = 50, 50, 24
	tab := scaleTables(t, nil)
	l, err := NewLatent(Serial, h, w, c)
	if err != nil {
		t.Fatal(err)
	}
	n := float64(len(l.Q))
	for _, k := range []struct {
		name     string
		scale    [2]float64
		reliable float64
		most     float64 // of the better one's bits
	}{
		{"alike", [2]float64{1, 1}, 1, 0.77},
		{"fine and coarse", [2]float64{0.5, 2}, 1, 0.97},
		{"fine", [2]float64{0.4, 0.4}, 1, 0.67},
		{"now and then wrong", [2]float64{1, 1}, 0.8, 0.72},
	} {
		values, p := cues(len(l.Q), k.scale, k.reliable, 1)
		best := product(p)
		cost := func(c SymbolCoder, p Predictor) (bits, ideal, psnr float64) {
			bits, err := CostLatent(l, c, p, &UniformQuantiser{Values: values})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				psnr += float64(v-l.Y[i]) * float64(v-l.Y[i]) / MeanUnit / MeanUnit
			}
			return bits / n, mixtureCost(l.Q, l.Mean, best) / n, -10 * math.Log10(psnr/n)
		}
		alone, _, _ := cost(tab, p[0])
		other, _, _ := cost(tab, p[1])
		mixOf := func(combine bool, predictors ...Predictor) (bits, ideal, psnr float64) {
			m, err := NewMix(nil, predictors...)
			if err != nil {
				t.Fatal(err)
			}
			m.Combine = combine
			return cost(m, m)
		}
		one, _, onePSNR := mixOf(false, p[0])
		both, bound, bothPSNR := mixOf(false, p[0], p[1])
		combined, combinedBound, combinedPSNR := mixOf(true, p[0], p[1])
		t.Logf("%s: bits a value: tables %.4f and %.4f, a mix of the first alone %.4f (%.2f dB)", k.name, alone, other, one, onePSNR)
		t.Logf("	a mix of both %.4f (%.2f dB), %.1f %% less than the better one; the product of both %.4f", both, bothPSNR, 100*(1-both/min(alone, other)), bound)
		t.Logf("	with combined means %.4f (%.2f dB), product %.4f", combined, combinedPSNR, combinedBound)
		if least := min(alone, other); both > k.most*least || combined > k.most*least {
			t.Errorf("%s: %.1f %% of the better one's bits", k.name, 100*both/least)
		}
		if k.reliable == 1 && (both > 1.04*bound || combined > 1.04*combinedBound || one > 1.003*alone) {
			t.Errorf("%s: too far from the best", k.name)
		}
	}
}

// TestMixRoundTrip codes with passes, steps, means and levels at their ends.
func TestMixRoundTrip(t *testing.T) {
	const h, w, c = 20, 15, 13
	for name, o := range orders(t) {
		l, err := NewLatent(o, h, w, c)
		if err != nil {
			continue
		}
		values, p := cues(len(l.Q), [2]float64{1, 2}, 0.9, 3)
		for i := 0; i < len(values); i += 50 {
			values[i] = int32(i%7-3) << 20
			p[1].mean[i] = int32(i%5-2) << 30
			p[0].table[i], p[1].table[i] = uint8(i%2*63), uint8(i%3/2*63)
		}
		steps := make([]int32, c)
		for i := range steps {
			steps[i] = int32(150 + 40*i)
		}
		m, err := NewMix(nil, &neighbourPredictor{}, p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		m.Steps, m.Combine = steps, name != "groups"
		q := &UniformQuantiser{Values: values, Steps: steps}
		bits, err := CostLatent(l, m, m, q)
		if err != nil {
			t.Fatal(err)
		}
		m.Reset()
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, m, m, q); err != nil {
			t.Fatal(err)
		}
		buf := e.Finish()
		if got := float64(8 * len(buf)); got < bits-16 || got > bits*1.0001+32 {
			t.Errorf("%s: %v bits were written, %.1f expected", name, got, bits)
		}
		m.Reset()
		back, err := NewLatent(o, h, w, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeLatent(arith.NewRangeDecoder(buf), back, m, m, &UniformQuantiser{Steps: steps}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(back.Q, l.Q) || !slices.Equal(back.Y, l.Y) {
			t.Fatalf("%s: the decoder has another latent", name)
		}
		m.Reset()
		if DecodeLatent(arith.NewRangeDecoder(buf[:len(buf)/2]), back, m, m, &UniformQuantiser{Steps: steps}) == nil {
			t.Errorf("%s: half a stream decodes", name)
		}
	}
}

// TestMixValues codes every kind of value.
func TestMixValues(t *testing.T) {
	l, err := NewLatent(Serial, 1, 1, 3000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range l.Q {
		l.Q[i] = int16(i - 1500)
	}
	for i, v := range []int16{math.MinInt16, math.MinInt16 + 1, math.MaxInt16, -16384, -16385, 16384, 16385} {
		l.Q[400*i] = v
	}
	want := slices.Clone(l.Q)
	_, p := cues(len(l.Q), [2]float64{5, 5}, 1, 3)
	m, err := NewMix(nil, p[0], p[1])
	if err != nil {
		t.Fatal(err)
	}
	e := arith.NewRangeEncoder(nil)
	if err := EncodeLatent(e, l, m, m, nil); err != nil {
		t.Fatal(err)
	}
	m.Reset()
	if err := DecodeLatent(arith.NewRangeDecoder(e.Finish()), l, m, m, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Q, want) {
		t.Fatal("wrong symbols")
	}
}

func TestMixErrors(t *testing.T) {
	p := &fixedPredictor{}
	bad := DefaultScaleOptions()
	bad.Offsets = 2
	for i, err := range []error{
		second(NewMix(nil)),
		second(NewMix(nil, p, p, p, p, p, p, p, p, p)),
		second(NewMix(&bad, p)),
		second(NewMix(new(ScaleOptions), p)),
	} {
		if err == nil {
			t.Errorf("case %d: no error", i)
		}
	}
	l, err := NewLatent(Checkerboard, 2, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	high := &fixedPredictor{table: []uint8{64, 0, 0, 0, 0, 0, 0, 0}} // position 0 is in pass 0
	for _, ps := range [][]Predictor{{p, high}, {high, p}} {
		m, err := NewMix(nil, ps...)
		if err != nil {
			t.Fatal(err)
		}
		if err := DecodeLatent(arith.NewRangeDecoder(nil), l, m, m, nil); !errors.Is(err, ErrTables) {
			t.Errorf("level 64 of 64: %v", err)
		}
	}
	high.err = errors.New("no")
	clear(l.Table)
	m, err := NewMix(nil, p, high)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Predict(0, l); err != high.err {
		t.Error(err)
	}
}

func TestLnOf(t *testing.T) {
	for x := uint64(1); x < 1<<62; x += x/177 + 1 {
		if got, want := float64(lnOf(x)), 4096*math.Log(float64(x)); math.Abs(got-want) > 9 {
			t.Fatalf("ln %d = %v/4096, want %v", x, got, want)
		}
	}
}

// TestMixGolden holds the bytes to one value for all machines.
func TestMixGolden(t *testing.T) {
	const h, w, c = 20, 20, 8
	l, err := NewLatent(Checkerboard, h, w, c)
	if err != nil {
		t.Fatal(err)
	}
	q, table := goldenValues(h*w*c, 40)
	q2, table2 := goldenValues(2*h*w*c, 40)
	p := [2]*fixedPredictor{{make([]int32, len(q)), table, nil}, {make([]int32, len(q)), table2[h*w*c:], nil}}
	values := make([]int32, len(q))
	for i := range q {
		values[i] = int32(q[i]) * 300
		p[0].mean[i] = values[i] + int32(q2[h*w*c+i])*200
		p[1].mean[i] = values[i] + int32(q[i])*100
	}
	for i, want := range []uint32{0x09f890e0, 0xb666f2e7} {
		m, err := NewMix(nil, p[0], p[1], &neighbourPredictor{})
		if err != nil {
			t.Fatal(err)
		}
		m.Combine = i == 1
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, m, m, &UniformQuantiser{Values: values}); err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(e.Finish()); got != want {
			t.Errorf("Combine %v: the stream's checksum is %#08x", m.Combine, got)
		}
	}
}

func FuzzMixDecode(f *testing.F) {
	const h, w, c = 5, 6, 8
	l, err := NewLatent(Checkerboard, h, w, c)
	if err != nil {
		f.Fatal(err)
	}
	values, p := cues(len(l.Q), [2]float64{1, 2}, 0.9, 3)
	m, err := NewMix(nil, p[0], p[1], &neighbourPredictor{})
	if err != nil {
		f.Fatal(err)
	}
	e := arith.NewRangeEncoder(nil)
	if err := EncodeLatent(e, l, m, m, &UniformQuantiser{Values: values}); err != nil {
		f.Fatal(err)
	}
	f.Add(e.Finish())
	f.Fuzz(func(t *testing.T, buf []byte) {
		m.Reset()
		DecodeLatent(arith.NewRangeDecoder(buf), l, m, m, &UniformQuantiser{})
	})
}

func BenchmarkMix(b *testing.B) {
	const h, w, c = 20, 20, 64
	l, err := NewLatent(Serial, h, w, c)
	if err != nil {
		b.Fatal(err)
	}
	for _, scale := range []float64{0.2, 1} {
		values, p := cues(len(l.Q), [2]float64{scale, scale}, 1, 3)
		m, err := NewMix(nil, p[0], p[1])
		if err != nil {
			b.Fatal(err)
		}
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, m, m, &UniformQuantiser{Values: values}); err != nil {
			b.Fatal(err)
		}
		buf := e.Finish()
		benchSymbols(b, fmt.Sprintf("decode/%.2fbits", float64(8*len(buf))/(h*w*c)), h*w*c, func() {
			m.Reset()
			if err := DecodeLatent(arith.NewRangeDecoder(buf), l, m, m, &UniformQuantiser{}); err != nil {
				b.Fatal(err)
			}
		})
	}
}
