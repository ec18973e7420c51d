package kv

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/kernels/tensorfile"
)

// someCache returns keys with a few channels far larger than the others and off
// centre, and values without, neighbouring tokens being alike.
func someCache(seed uint64, layers, heads, tokens, dim int) (keys, values Tensor) {
	r := rand.New(rand.NewPCG(seed, 3))
	keys, values = NewTensor(layers, heads, tokens, dim), NewTensor(layers, heads, tokens, dim)
	for _, t := range []*Tensor{&keys, &values} {
		for l := range layers {
			for h := range heads {
				head := t.Head(l, h)
				for j := range dim {
					mean, width := 0.0, math.Exp(r.NormFloat64()/2)
					if t == &keys && r.IntN(16) == 0 {
						mean, width = 10*r.NormFloat64(), 5*width
					}
					v := r.NormFloat64()
					for i := range tokens {
						v = 0.6*v + 0.8*r.NormFloat64()
						head[i*dim+j] = float32(mean + width*v)
					}
				}
			}
		}
	}
	return keys, values
}

func mustQuantise(t testing.TB, keys, values *Tensor, o *Options) *Cache {
	t.Helper()
	c, err := Quantise(keys, values, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustDequantise(t testing.TB, c *Cache) (keys, values *Tensor) {
	t.Helper()
	keys, values, err := c.Dequantise()
	if err != nil {
		t.Fatal(err)
	}
	return keys, values
}

func quality(t testing.TB, keys, values *Tensor, o *Options) Quality {
	t.Helper()
	c := mustQuantise(t, keys, values, o)
	k, v := mustDequantise(t, c)
	q, err := Compare(keys, values, k, v, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// options returns the defaults in one format.
func options(f Format) *Options {
	o := Defaults()
	o.Classes = []Class{{f, f}}
	o.Workers = 1
	return o
}

// TestNormal holds the errors on normally distributed numbers against those of the best
// evenly spaced levels.
func TestNormal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	x := NewTensor(1, 1, 2048, 64)
	for i := range x.Data {
		x.Data[i] = float32(3 + 2*r.NormFloat64())
	}
	wide := NewTensor(1, 1, 64, 2048)
	kernels.TransposeF32(wide.Data, 2048, x.Data, 64, 2048, 64)
	// Max's table II; 1 bit is 1-2/pi.
	for f, want := range map[Format]float64{Bits1: 0.3634, Ternary: 0.1902, Bits2: 0.1188, Bits3: 0.03744, Bits4: 0.01154} {
		for _, axis := range []Axis{PerChannel, PerToken} {
			o, y := options(f), &x
			if axis == PerToken {
				y = &wide
			}
			o.Keys = Side{Axis: axis, Group: 2048, Fit: LeastSquares}
			got := quality(t, y, y, o).Keys.MSE / 4
			if got > 1.02*want || got < 0.97*want {
				t.Errorf("%v bits per %v: squared error %.4f, want %.4f", f, axis, got, want)
			}
			o.Keys.Fit = Unbiased
			// As much larger as the variance is above that of the levels.
			if unbiased := quality(t, y, y, o).Keys.MSE / 4; math.Abs(unbiased*(1-got)/got-1) > 0.05 {
				t.Errorf("%v bits per %v: squared error %.4f without bias, %.4f with", f, axis, unbiased, got)
			}
			o.Keys.Fit = MinMax
			if minmax := quality(t, y, y, o).Keys.MSE / 4; minmax < 1.5*got {
				t.Errorf("%v bits per %v: squared error %.4f between the extremes, %.4f fitted", f, axis, minmax, got)
			}
		}
	}
}

// TestUnbiased checks that numbers decode to themselves on average, which the mean of
// those of either sign shows, and that least squares shrinks them.
func TestUnbiased(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	x := NewTensor(1, 1, 4096, 32)
	for i := range x.Data {
		x.Data[i] = float32(r.NormFloat64())
	}
	for _, f := range []Format{Bits1, Ternary, Bits2, Bits3, Bits4} {
		var slope [2]float64
		for i, fit := range []Fit{LeastSquares, Unbiased} {
			o := options(f)
			o.Keys = Side{Axis: PerChannel, Group: 64, Fit: fit}
			got, _ := mustDequantise(t, mustQuantise(t, &x, &x, o))
			var xy, xx float64
			for j, v := range x.Data {
				xy += float64(v) * float64(got.Data[j])
				xx += float64(v) * float64(v)
			}
			slope[i] = xy / xx
		}
		if math.Abs(slope[1]-1) > 0.01 || slope[0] > 1-0.3*distortion(f) {
			t.Errorf("%v bits: numbers decode to %.3f of themselves without bias, %.3f with", f, slope[1], slope[0])
		}
	}
}

// distortion returns the squared error on normally distributed numbers.
func distortion(f Format) float64 {
	if f == Ternary {
		return 0.1902
	}
	for _, d := range distortions {
		if d.format == f {
			return d.error
		}
	}
	return 0
}

// TestMixed checks that 1.5 bits lie between 1 and 2 and that the channels of larger
// range have 4 levels.
func TestMixed(t *testing.T) {
	k, v := someCache(3, 1, 1, 96, 24)
	o := options(Mixed)
	o.Values.Axis = PerChannel
	o.Values.Shift = false
	c := mustQuantise(t, &k, &v, o)
	high := c.keys.highColumns(&c.keys.parts[0], 24)
	if len(high) != 12 {
		t.Fatalf("%d of 24 channels have 4 levels", len(high))
	}
	least, most := math.Inf(1), 0.0
	for j := range 24 {
		lo, hi := math.Inf(1), math.Inf(-1)
		for i := range 96 {
			lo, hi = min(lo, float64(k.Data[i*24+j])), max(hi, float64(k.Data[i*24+j]))
		}
		if slices.Contains(high, int32(j)) {
			least = min(least, hi-lo)
		} else {
			most = max(most, hi-lo)
		}
	}
	if least < most {
		t.Errorf("a channel of range %v has 4 levels, one of %v has 2", least, most)
	}
	one, two := options(Bits1), options(Bits2)
	a, b, d := quality(t, &k, &v, one).Keys.MSE, quality(t, &k, &v, o).Keys.MSE, quality(t, &k, &v, two).Keys.MSE
	if !(a > 2*b && b > d) {
		t.Errorf("squared errors of 1, 1.5 and 2 bits are %v, %v, %v", a, b, d)
	}
}

// TestOutliers checks what the parts of the design are for: keys with large channels
// suffer from groups per token, and a rotation takes most of the harm from those.
func TestOutliers(t *testing.T) {
	k, v := someCache(5, 2, 2, 256, 64)
	error := func(s Side) float64 {
		o := options(Bits2)
		s.Group, s.Fit = 64, LeastSquares
		o.Keys = s
		return quality(t, &k, &v, o).Keys.MSE
	}
	channel := error(Side{Axis: PerChannel})
	token := error(Side{Axis: PerToken})
	rotated := error(Side{Axis: PerToken, Shift: true, Rotate: true})
	if !(channel < 0.5*token && rotated < 0.5*token) {
		t.Errorf("squared error %v per channel, %v per token, rotated %v", channel, token, rotated)
	}
}

func TestConstants(t *testing.T) {
	for _, x := range []float32{0, 1, -3.7, 1e-30, 12345.678, MaxMagnitude, -MaxMagnitude} {
		k := NewTensor(1, 1, 40, 8)
		for i := range k.Data {
			k.Data[i] = x
		}
		for _, f := range []Format{Bits1, Mixed, Ternary, Bits2, Bits3, Bits4} {
			o := options(f)
			o.Keys = Side{Axis: PerChannel, Group: 16, Fit: LeastSquares}
			o.Values = Side{Axis: PerChannel, Group: 16, Fit: MinMax, Shift: true}
			got, values := mustDequantise(t, mustQuantise(t, &k, &k, o))
			for i, v := range append(slices.Clone(got.Data), values.Data...) {
				if math.Abs(float64(v-x)) > 1e-4*math.Abs(float64(x)) {
					t.Fatalf("%v bits: number %d is %v, want %v", f, i, v, x)
				}
			}
		}
	}
	// Groups that are nearly constant, far from zero, and such that underflow.
	k := NewTensor(1, 1, 64, 3)
	for i := range 64 {
		k.Data[3*i] = 1e4 + float32(i%4)/64
		k.Data[3*i+1] = float32(i) * 1e-42
		k.Data[3*i+2] = float32(i%2) * MaxMagnitude
	}
	got, _ := mustDequantise(t, mustQuantise(t, &k, &k, options(Bits2)))
	for i, v := range got.Data {
		if limit := []float64{1, 1e-38, MaxMagnitude / 50}[i%3]; math.Abs(float64(v-k.Data[i])) > limit {
			t.Errorf("number %d is %v, want %v", i, v, k.Data[i])
		}
	}
}

// TestFull checks that what is kept is kept exactly, and where.
func TestFull(t *testing.T) {
	k, v := someCache(7, 2, 2, 70, 16)
	for _, storage := range []tensorfile.DType{tensorfile.F32, tensorfile.F16, tensorfile.BF16} {
		for _, x := range []*Tensor{&k, &v} {
			for i, f := range x.Data {
				switch storage {
				case tensorfile.F16:
					x.Data[i] = float32(math.Round(float64(f)*64) / 64)
				case tensorfile.BF16:
					x.Data[i] = bfloat16(toBfloat16(f))
				}
			}
		}
		o := options(Bits1)
		o.Classes = append(o.Classes, Class{Full, Bits4}, Class{Dropped, Dropped})
		o.Assign = make([]uint8, 2*70)
		for i := range o.Assign {
			o.Assign[i] = uint8(i % 3)
		}
		o.Residual = 9
		o.Storage = storage
		c := mustQuantise(t, &k, &v, o)
		k2, v2 := mustDequantise(t, c)
		for i := range k.Data {
			token, layer := i/16%70, i/16/70/2
			class := o.Assign[layer*70+token]
			if token >= 61 {
				class = 3
			}
			exact, zero := k.Data[i] == k2.Data[i], k2.Data[i] == 0 && v2.Data[i] == 0
			switch {
			case (class == 1 || class == 3) && !exact:
				t.Fatalf("%v: key %d of class %d is %v, want %v", storage, i, class, k2.Data[i], k.Data[i])
			case class == 3 && v.Data[i] != v2.Data[i]:
				t.Fatalf("%v: value %d at the end is %v, want %v", storage, i, v2.Data[i], v.Data[i])
			case class == 2 != zero:
				t.Fatalf("%v: key %d of class %d is %v", storage, i, class, k2.Data[i])
			}
			if c.Kept(layer)[token] != (class != 2) {
				t.Fatalf("token %d of class %d: Kept says otherwise", token, class)
			}
		}
	}
	k.Data[16*69] = 65520
	o := options(Bits2)
	o.Residual, o.Storage = 1, tensorfile.F16
	if _, err := Quantise(&k, &v, o); !errors.Is(err, ErrValue) {
		t.Errorf("65520 as a float16: %v", err)
	}
}

func TestFloat16(t *testing.T) {
	for b := range 1 << 16 {
		if b&0x7c00 == 0x7c00 {
			continue
		}
		data := []byte{byte(b), byte(b >> 8)}
		x, err := get(data, 1, tensorfile.F16)
		if err != nil {
			t.Fatal(err)
		}
		if got := toFloat16(x[0]); got != uint16(b) {
			t.Fatalf("%v is %#x, want %#x", x[0], got, b)
		}
		// Halfway to the next goes to the even one.
		next, err := get([]byte{byte(b + 1), byte((b + 1) >> 8)}, 1, tensorfile.F16)
		if err != nil {
			t.Fatal(err)
		}
		if (b+1)&0x7c00 != 0x7c00 {
			if got, want := toFloat16((x[0]+next[0])/2), uint16(b+b&1); got != want {
				t.Fatalf("between %v and %v is %#x, want %#x", x[0], next[0], got, want)
			}
		}
	}
	for x, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, -1e30: 0xfc00, 1e-9: 0, 1 << 16: 0x7c00} {
		if got := toFloat16(x); got != want {
			t.Errorf("%v is %#x, want %#x", x, got, want)
		}
	}
}

// TestQuantiseRefuses checks what is not quantised, and that the error says why.
func TestQuantiseRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name string
		f    func(k, v *Tensor, o *Options)
		err  error
		says string
	}{
		{"NaN", func(k, _ *Tensor, _ *Options) { k.Head(1, 0)[3*8+2] = nan }, ErrValue, "keys of layer 1, head 0, token 3, channel 2: NaN"},
		{"infinity", func(_, v *Tensor, _ *Options) { v.Head(0, 1)[39*8] = inf }, ErrValue, "values of layer 0, head 1, token 39, channel 0: -Inf"},
		{"too large", func(k, _ *Tensor, _ *Options) { k.Data[0] = 2 * MaxMagnitude }, ErrValue, "channel 0"},
		{"NaN, per token", func(k, _ *Tensor, o *Options) { o.Keys.Axis = PerToken; k.Data[7] = nan }, ErrValue, "channel 7"},
		{"NaN, rotated", func(k, _ *Tensor, o *Options) { o.Keys.Rotate = true; k.Data[7] = nan }, ErrValue, "channel 7"},
		{"NaN, 1.5", func(k, _ *Tensor, o *Options) { o.Classes[0].Keys = Mixed; k.Data[7] = nan }, ErrValue, "channel 7"},
		{"NaN, kept", func(k, _ *Tensor, o *Options) { o.Residual = 40; k.Data[7] = nan }, ErrValue, "channel 7"},
		{"no tokens", func(k, v *Tensor, _ *Options) { k.Tokens, v.Tokens = 0, 0 }, ErrShape, "0"},
		{"short", func(k, _ *Tensor, _ *Options) { k.Data = k.Data[1:] }, ErrShape, "have"},
		{"huge", func(k, _ *Tensor, _ *Options) { k.Layers, k.Tokens, k.Dim = 1<<24, 1<<24, 1<<24 }, ErrShape, "16777216"},
		{"other tokens", func(k, _ *Tensor, _ *Options) { k.Tokens, k.Dim = 80, 4 }, ErrShape, "80"},
		{"group 0", func(_, _ *Tensor, o *Options) { o.Values.Group = 0 }, ErrOption, "values: groups of 0"},
		{"no axis", func(_, _ *Tensor, o *Options) { o.Keys.Axis = 0 }, ErrOption, "axis"},
		{"no fit", func(_, _ *Tensor, o *Options) { o.Keys.Fit = 0 }, ErrOption, "Fit(0)"},
		{"no class", func(_, _ *Tensor, o *Options) { o.Classes = nil }, ErrOption, "0 classes"},
		{"bad class", func(_, _ *Tensor, o *Options) { o.Classes[0].Keys = 99 }, ErrOption, "Format(99)"},
		{"half dropped", func(_, _ *Tensor, o *Options) { o.Classes[0].Keys = Dropped }, ErrOption, "not both"},
		{"1.5 per token", func(_, _ *Tensor, o *Options) { o.Classes[0].Values = Mixed }, ErrOption, "1.5"},
		{"few assigned", func(_, _ *Tensor, o *Options) { o.Assign = make([]uint8, 79) }, ErrOption, "79"},
		{"no such class", func(_, _ *Tensor, o *Options) { o.Assign = make([]uint8, 80); o.Assign[41] = 1 }, ErrOption, "token 1 of layer 1"},
		{"residual", func(_, _ *Tensor, o *Options) { o.Residual = -1 }, ErrOption, "-1"},
		{"storage", func(_, _ *Tensor, o *Options) { o.Storage = "F64" }, ErrOption, "F64"},
		{"coding", func(_, _ *Tensor, o *Options) { o.Coding = 0 }, ErrOption, "Coding(0)"},
		{"row", func(_, _ *Tensor, o *Options) { o.Row = 1 }, ErrOption, "rows of 1"},
		{"workers", func(_, _ *Tensor, o *Options) { o.Workers = 0 }, ErrOption, "0 workers"},
	} {
		k, v := someCache(1, 2, 2, 40, 8)
		o := options(Bits2)
		o.Workers = 2
		c.f(&k, &v, o)
		_, err := Quantise(&k, &v, o)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	k, v := someCache(1, 1, 1, 8, 12)
	o := options(Bits2)
	o.Keys.Rotate = true
	if _, err := Quantise(&k, &v, o); !errors.Is(err, ErrOption) {
		t.Errorf("rotation of 12 channels: %v", err)
	}
}

// benchmark measures f on bytes of float32 input. Besides the time that passes it
// reports that of the processor, which other programs disturb less.
func benchmark(b *testing.B, name string, bytes int, f func(b *testing.B)) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(bytes))
		start := cpuTime()
		for b.Loop() {
			f(b)
		}
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
	})
}

// BenchmarkQuantise takes 8 heads of 1024 tokens of 128 channels on one core; bytes are
// those of the float32 input.
func BenchmarkQuantise(b *testing.B) {
	keys, _ := someCache(1, 1, 8, 1024, 128)
	empty := NewTensor(1, 1, 1024, 8)
	channel := Side{Axis: PerChannel, Group: 64, Fit: Unbiased}
	token := Side{Axis: PerToken, Group: 64, Fit: Unbiased}
	with := func(s Side, f func(s *Side)) Side { f(&s); return s }
	for _, c := range []struct {
		name string
		f    Format
		side Side
	}{
		{"keys/1", Bits1, channel},
		{"keys/1.5", Mixed, channel},
		{"keys/1.58", Ternary, channel},
		{"keys/2", Bits2, channel},
		{"keys/3", Bits3, channel},
		{"keys/4", Bits4, channel},
		{"keys/2, groups of 32", Bits2, with(channel, func(s *Side) { s.Group = 32 })},
		{"keys/2, groups of 128", Bits2, with(channel, func(s *Side) { s.Group = 128 })},
		{"keys/2, lsq", Bits2, with(channel, func(s *Side) { s.Fit = LeastSquares })},
		{"keys/2, minmax", Bits2, with(channel, func(s *Side) { s.Fit = MinMax })},
		{"values/2", Bits2, token},
		{"values/2, shift", Bits2, with(token, func(s *Side) { s.Shift = true })},
		{"values/2, minmax", Bits2, with(token, func(s *Side) { s.Fit = MinMax })},
		{"values/2, shift, rotate", Bits2, with(token, func(s *Side) { s.Shift, s.Rotate = true, true })},
		{"values/2, normalise, shift, rotate", Bits2, with(token, func(s *Side) { s.Normalise, s.Shift, s.Rotate = true, true, true })},
	} {
		o := options(c.f)
		o.Keys = c.side
		o.Values = Side{Axis: PerChannel, Group: 1024, Fit: MinMax}
		o.Classes[0].Values = Bits1
		var cache *Cache
		benchmark(b, c.name, 4*len(keys.Data), func(b *testing.B) { cache = mustQuantise(b, &keys, &empty, o) })
		benchmark(b, c.name+"/back", 4*len(keys.Data), func(b *testing.B) { mustDequantise(b, cache) })
	}
}

// BenchmarkWriteTo takes the levels of 8 heads of 1024 tokens of 128 channels; bytes are
// those of the float32 input.
func BenchmarkWriteTo(b *testing.B) {
	keys, _ := someCache(1, 1, 8, 1024, 128)
	empty := NewTensor(1, 1, 1024, 8)
	for _, f := range []Format{Bits1, Ternary, Bits2, Bits4} {
		o := options(f)
		o.Classes[0].Values = Bits1
		c := mustQuantise(b, &keys, &empty, o)
		var file bytes.Buffer
		benchmark(b, f.String(), 4*len(keys.Data), func(b *testing.B) {
			file.Reset()
			if _, err := c.WriteTo(&file); err != nil {
				b.Fatal(err)
			}
		})
		read := DefaultReadOptions()
		read.Workers = 1
		benchmark(b, f.String()+"/read", 4*len(keys.Data), func(b *testing.B) {
			if _, err := Read(bytes.NewReader(file.Bytes()), read); err != nil {
				b.Fatal(err)
			}
		})
	}
}
