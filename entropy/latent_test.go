package entropy

import (
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/arith"
)

func groups(t testing.TB, sizes []int, inner Order) Order {
	o, err := ChannelGroups(sizes, inner)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// orders returns orders for 13 channels.
func orders(t testing.TB) map[string]Order {
	return map[string]Order{
		"serial":              Serial,
		"checkerboard":        Checkerboard,
		"quadtree":            Quadtree,
		"groups":              groups(t, []int{1, 4, 8}, nil),
		"groups-checkerboard": groups(t, []int{2, 3, 8}, Checkerboard),
		"groups-quadtree":     groups(t, []int{5, 8}, Quadtree),
		"groups-groups":       groups(t, []int{5, 8}, groups(t, []int{5}, nil)), // does not fit
	}
}

func TestOrders(t *testing.T) {
	for name, o := range orders(t) {
		for _, shape := range [][2]int{{1, 1}, {1, 9}, {7, 1}, {6, 5}} {
			l, err := NewLatent(o, shape[0], shape[1], 13)
			if name == "groups-groups" {
				if !errors.Is(err, ErrOrder) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, %v: %v", name, shape, err)
			}
			n := 0
			for k := range o.Passes() {
				l.Elements(k, func(i, end, step int) {
					for ; i < end; i += step {
						l.Y[i]++
						n++
					}
				})
			}
			if n != len(l.Y) || slices.Min(l.Y) != 1 {
				t.Errorf("%s, %v: elements are missing", name, shape)
			}
		}
	}
	// Each pass of the quadtree is at every position, with all four groups around each
	// two by two positions.
	for k := range 4 {
		var seen [4]bool
		for y := range 2 {
			for x := range 2 {
				first, _, step := Quadtree.Channels(k, y, x, 8)
				seen[first] = true
				if step != 4 {
					t.Error("quadtree's step")
				}
			}
		}
		if seen != [4]bool{true, true, true, true} {
			t.Errorf("pass %d of the quadtree: %v", k, seen)
		}
	}
	for i, err := range []error{
		second(NewLatent(groups(t, []int{4, 4}, nil), 2, 2, 9)),
		second(NewLatent(groups(t, []int{4, 4}, nil), 2, 2, 7)),
		second(NewLatent(badOrder{0, 1}, 2, 2, 9)),
		second(NewLatent(badOrder{0, 0}, 2, 2, 9)),
		second(NewLatent(badOrder{-1, 1}, 2, 2, 9)),
		second(NewLatent(badOrder{1, 1}, 2, 2, 9)),
	} {
		if !errors.Is(err, ErrOrder) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for _, shape := range [][3]int{{0, 1, 1}, {1, -1, 1}, {1, 1, 1<<16 + 1}, {1 << 16, 1 << 16, 1}, {math.MaxInt, math.MaxInt, 1 << 16}} {
		if _, err := NewLatent(Serial, shape[0], shape[1], shape[2]); err == nil {
			t.Errorf("%v: no error", shape)
		}
	}
	for _, sizes := range [][]int{nil, {0}, {3, -1}} {
		if _, err := ChannelGroups(sizes, nil); err == nil {
			t.Errorf("%v: no error", sizes)
		}
	}
}

// badOrder codes in two passes from the first channel given, with a step.
type badOrder struct{ first, step int }

func (badOrder) Passes() int { return 2 }

func (o badOrder) Channels(_, _, _, c int) (first, end, step int) { return o.first, c, o.step }

// A neighbourPredictor expects the mean of the neighbours coded before, of the same
// channel and of the one before it, weighted by their number, with a scale that falls
// with it. It looks at nothing but l.Y, so a driver that shows the decoder other values
// than the encoder fails.
type neighbourPredictor struct{ coded []bool }

func (p *neighbourPredictor) Predict(k int, l *Latent) error {
	if k == 0 {
		p.coded = slices.Grow(p.coded[:0], len(l.Y))[:len(l.Y)]
		clear(p.coded)
	}
	l.Elements(k, func(i, end, step int) {
		for ; i < end; i += step {
			y, x, c := i/(l.W*l.C), i/l.C%l.W, i%l.C
			var sum, n int32
			look := func(y, x, c int) {
				if y >= 0 && y < l.H && x >= 0 && x < l.W && c >= 0 {
					if j := (y*l.W+x)*l.C + c; p.coded[j] {
						sum += l.Y[j]
						n++
					} else if l.Y[j] != 0 {
						panic("a value is known too early")
					}
				}
			}
			look(y-1, x, c)
			look(y+1, x, c)
			look(y, x-1, c)
			look(y, x+1, c)
			look(y, x, c-1)
			l.Mean[i], l.Table[i] = 0, 30
			if n > 0 {
				l.Mean[i], l.Table[i] = sum/n, uint8(22-n)
			}
		}
	})
	l.Elements(k, func(i, end, step int) {
		for ; i < end; i += step {
			p.coded[i] = true
		}
	})
	return nil
}

// smoothValues draws a tensor whose neighbours are alike, in 1/MeanUnit.
func smoothValues(h, w, c int, seed uint64) []int32 {
	r := rand.New(rand.NewPCG(seed, 6))
	v := make([]int32, h*w*c)
	for k := range c {
		a, b, p := 0.2+0.5*r.Float64(), 0.2+0.5*r.Float64(), 6*r.Float64()
		for y := range h {
			for x := range w {
				z := 6*math.Sin(a*float64(y)+p)*math.Cos(b*float64(x)+2*p) + 0.7*r.NormFloat64()
				v[(y*w+x)*c+k] = int32(math.Round(z * MeanUnit))
			}
		}
	}
	return v
}

func TestLatent(t *testing.T) {
	const h, w, c = 40, 30, 13
	tab := scaleTables(t, func(o *ScaleOptions) { o.Skip = 2 })
	values := smoothValues(h, w, c, 1)
	steps := make([]int32, c)
	for i := range steps {
		steps[i] = int32(100 + 30*i)
	}
	bits := map[string]float64{}
	for name, o := range orders(t) {
		l, err := NewLatent(o, h, w, c)
		if err != nil {
			continue
		}
		for _, coder := range []SymbolCoder{tab, NewAdaptive(tab)} {
			for _, q := range []*UniformQuantiser{{Values: values}, {Values: values, Steps: steps}} {
				reset := func() {
					if a, ok := coder.(*Adaptive); ok {
						a.Reset()
					}
				}
				reset()
				cost, err := CostLatent(l, coder, &neighbourPredictor{}, q)
				if err != nil {
					t.Fatal(err)
				}
				if coder == SymbolCoder(tab) && q.Steps == nil {
					bits[name] = cost
				}
				reset()
				e := arith.NewRangeEncoder(nil)
				if err := EncodeLatent(e, l, coder, &neighbourPredictor{}, q); err != nil {
					t.Fatal(err)
				}
				buf := e.Finish()
				if got := float64(8 * len(buf)); got < cost-16 || got > cost*1.00002+32 {
					t.Errorf("%s: %v bits were written, %.1f expected", name, got, cost)
				}
				for i, v := range values {
					s := int32(MeanUnit)
					if q.Steps != nil {
						s = steps[i%c]
					}
					if d := l.Y[i] - v; 2*d > s || 2*d < -s {
						t.Fatalf("%s: element %d is %d, was %d", name, i, l.Y[i], v)
					}
				}
				back, err := NewLatent(o, h, w, c)
				if err != nil {
					t.Fatal(err)
				}
				reset()
				d := arith.NewRangeDecoder(buf)
				if err := DecodeLatent(d, back, coder, &neighbourPredictor{}, &UniformQuantiser{Steps: q.Steps}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(back.Y, l.Y) || !slices.Equal(back.Q, l.Q) {
					t.Fatalf("%s: the decoder has another latent", name)
				}
				reset()
				if DecodeLatent(arith.NewRangeDecoder(buf[:len(buf)/2]), back, coder, &neighbourPredictor{}, &UniformQuantiser{Steps: q.Steps}) == nil {
					t.Errorf("%s: half a stream decodes", name)
				}
			}
		}
	}
	n := float64(h * w * c)
	for name, b := range bits {
		t.Logf("%s: %.3f bits a value", name, b/n)
	}
	if !(bits["checkerboard"] < 0.9*bits["serial"] && bits["groups-checkerboard"] < bits["groups"]) {
		t.Error("contexts do not help")
	}
}

// fixedPredictor gives the same means and tables in every pass.
type fixedPredictor struct {
	mean  []int32
	table []uint8
	err   error
}

func (p *fixedPredictor) Predict(_ int, l *Latent) error {
	copy(l.Mean, p.mean)
	copy(l.Table, p.table)
	return p.err
}

// TestLatentSymbols codes given symbols, without a quantiser, and symbols that a coder
// skips.
func TestLatentSymbols(t *testing.T) {
	const h, w, c = 3, 5, 7
	n := h * w * c
	p := &fixedPredictor{make([]int32, n), make([]uint8, n), nil}
	l, err := NewLatent(Quadtree, h, w, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		p.mean[i], p.table[i] = int32(i*100), uint8(i%40)
		l.Q[i] = int16(i%9 - 4)
	}
	want := slices.Clone(l.Q)
	e := arith.NewRangeEncoder(nil)
	if err := EncodeLatent(e, l, scaleTables(t, nil), p, nil); err != nil {
		t.Fatal(err)
	}
	clear(l.Q)
	if err := DecodeLatent(arith.NewRangeDecoder(e.Finish()), l, scaleTables(t, nil), p, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.Q, want) {
		t.Fatal("wrong symbols")
	}
	for i := range l.Y {
		if l.Y[i] != p.mean[i]+int32(want[i])*MeanUnit {
			t.Fatal("wrong values")
		}
	}
	for _, o := range []Order{Serial, Quadtree} {
		l, err := NewLatent(o, h, w, c)
		if err != nil {
			t.Fatal(err)
		}
		q := &UniformQuantiser{Values: make([]int32, n)}
		for i := range n {
			q.Values[i] = p.mean[i] + 3*MeanUnit
		}
		tab := scaleTables(t, func(o *ScaleOptions) { o.Skip = 10 })
		if cost, err := CostLatent(l, tab, p, q); err != nil || math.IsInf(cost, 0) {
			t.Fatal(cost, err)
		}
		for i := range n {
			if skipped := p.table[i] < 10; skipped != (l.Y[i] == p.mean[i]) || skipped != (l.Q[i] == 0) {
				t.Fatalf("element %d of table %d is %d", i, p.table[i], l.Q[i])
			}
		}
	}
	p.err = errors.New("no")
	if err := EncodeLatent(e, l, scaleTables(t, nil), p, nil); err != p.err {
		t.Error(err)
	}
}

func TestUniformQuantiser(t *testing.T) {
	l, err := NewLatent(Serial, 1, 1, 6)
	if err != nil {
		t.Fatal(err)
	}
	u := &UniformQuantiser{Values: []int32{127, 128, -128, -129, 1 << 30, -1 << 30}, Steps: []int32{256, 256, 256, 256, 1, 1}}
	u.Quantise(0, l)
	u.Dequantise(0, l)
	if !slices.Equal(l.Q, []int16{0, 1, 0, -1, 32767, -32768}) || !slices.Equal(l.Y, []int32{0, 256, 0, -256, 32767, -32768}) {
		t.Error(l.Q, l.Y)
	}
}

// TestLatentAllocations checks that passes allocate nothing.
func TestLatentAllocations(t *testing.T) {
	tab := scaleTables(t, nil)
	n := 16 * 16 * 32
	p := &fixedPredictor{make([]int32, n), make([]uint8, n), nil}
	q := &UniformQuantiser{Values: make([]int32, n)}
	var least float64
	for i, o := range []Order{Serial, groups(t, []int{4, 4, 8, 16}, Quadtree)} {
		l, err := NewLatent(o, 16, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		e := arith.NewRangeEncoder(make([]byte, 0, 1<<16))
		buf := e.Finish()
		got := testing.AllocsPerRun(5, func() {
			e.Reset(buf[:0])
			if err := EncodeLatent(e, l, tab, p, q); err != nil {
				t.Fatal(err)
			}
			if err := DecodeLatent(arith.NewRangeDecoder(e.Finish()), l, tab, p, q); err != nil {
				t.Fatal(err)
			}
		})
		if i == 0 {
			least = got
		} else if got > least {
			t.Errorf("%v allocations in 16 passes, %v in one", got, least)
		}
	}
}

// TestLatentGolden holds the stream of every order to one value for all machines.
func TestLatentGolden(t *testing.T) {
	const h, w, c = 9, 12, 13
	q, table := goldenValues(h*w*c, 40)
	values := make([]int32, len(q))
	for i := range q {
		values[i] = int32(q[i])*300 + int32(table[i])
	}
	want := map[string]uint32{
		"serial":              0xf03d986d,
		"checkerboard":        0x7ba6cddb,
		"quadtree":            0x3f8b35e9,
		"groups":              0x5eb31d01,
		"groups-checkerboard": 0xf8f31c50,
		"groups-quadtree":     0x2506b8f8,
	}
	tab := scaleTables(t, nil)
	for name, o := range orders(t) {
		l, err := NewLatent(o, h, w, c)
		if err != nil {
			continue
		}
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, tab, &neighbourPredictor{}, &UniformQuantiser{Values: values}); err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(e.Finish()); got != want[name] {
			t.Errorf("%q: %#08x,", name, got)
		}
	}
}

func FuzzDecodeLatent(f *testing.F) {
	tab := scaleTables(f, nil)
	const h, w, c = 5, 6, 13
	values := smoothValues(h, w, c, 1)
	all := orders(f)
	names := []string{"serial", "checkerboard", "quadtree", "groups-checkerboard"}
	for i, name := range names {
		l, err := NewLatent(all[name], h, w, c)
		if err != nil {
			f.Fatal(err)
		}
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, tab, &neighbourPredictor{}, &UniformQuantiser{Values: values}); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), e.Finish())
	}
	f.Fuzz(func(t *testing.T, k uint8, buf []byte) {
		l, err := NewLatent(all[names[int(k)%len(names)]], h, w, c)
		if err != nil {
			t.Fatal(err)
		}
		DecodeLatent(arith.NewRangeDecoder(buf), l, tab, &neighbourPredictor{}, &UniformQuantiser{})
	})
}

func BenchmarkLatent(b *testing.B) {
	const h, w, c = 32, 48, 192
	tab := scaleTables(b, nil)
	s := newLatentSource(DefaultScaleOptions(), h*w*c, 6, 1)
	p := &fixedPredictor{s.mean, s.table, nil}
	for _, o := range []struct {
		name string
		Order
	}{{"serial", Serial}, {"checkerboard", Checkerboard}, {"quadtree", Quadtree}, {"5groups-checkerboard", groups(b, []int{16, 16, 32, 64, 64}, Checkerboard)}} {
		l, err := NewLatent(o.Order, h, w, c)
		if err != nil {
			b.Fatal(err)
		}
		copy(l.Q, s.q)
		e := arith.NewRangeEncoder(nil)
		if err := EncodeLatent(e, l, tab, p, nil); err != nil {
			b.Fatal(err)
		}
		buf := e.Finish()
		benchSymbols(b, "decode/"+o.name, h*w*c, func() {
			if err := DecodeLatent(arith.NewRangeDecoder(buf), l, tab, p, nil); err != nil {
				b.Fatal(err)
			}
		})
	}
}
