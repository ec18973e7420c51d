package inr

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

// sum adds products to b from the left, as package kernels says.
func sum32(b float32, w, x []float32) float32 {
	for i, v := range w {
		b += float32(v * x[i])
	}
	return b
}

// at returns p[y][x], the border repeated.
func at(p []float32, w, h, y, x int) float32 {
	return p[min(max(y, 0), h-1)*w+min(max(x, 0), w-1)]
}

// referenceUpsample doubles a plane of w x h by the formula, then crops.
func referenceUpsample(in []float32, w, h, outW, outH int, t []float32) []float32 {
	filter := func(i int, get func(j int) float32) float32 {
		j := i / 2
		if i%2 == 0 {
			return sum32(0, []float32{t[0], t[1], t[2], t[3]}, []float32{get(j), get(j - 1), get(j + 1), get(j - 2)})
		}
		return sum32(0, []float32{t[0], t[2], t[1], t[3]}, []float32{get(j), get(j - 1), get(j + 1), get(j + 2)})
	}
	down := make([]float32, w*outH)
	for y := range outH {
		for x := range w {
			down[y*w+x] = filter(y, func(j int) float32 { return at(in, w, h, j, x) })
		}
	}
	out := make([]float32, outW*outH)
	for y := range outH {
		for x := range outW {
			out[y*outW+x] = filter(x, func(j int) float32 { return at(down, w, outH, y, j) })
		}
	}
	return out
}

// referenceFilter filters a plane of w x h by the formula.
func referenceFilter(in []float32, w, h int, t []float32) []float32 {
	filter := func(get func(d int) float32) float32 {
		return sum32(0, []float32{t[0], t[1], t[1], t[2], t[2], t[3], t[3]},
			[]float32{get(0), get(-1), get(1), get(-2), get(2), get(-3), get(3)})
	}
	down, out := make([]float32, w*h), make([]float32, w*h)
	for i := range in {
		down[i] = filter(func(d int) float32 { return at(in, w, h, i/w+d, i%w) })
	}
	for i := range in {
		out[i] = filter(func(d int) float32 { return at(down, w, h, i/w, i%w+d) })
	}
	return out
}

// referenceSynthesis renders by the formulas on [Arch], pixel by pixel.
func referenceSynthesis(a *Arch, n *Nets, lat Latents) []float32 {
	w, h, c := lat[0].W, lat[0].H, a.Channels
	var z [][]float32
	for i, kind := range gridKinds(a) {
		if kind.hyper {
			continue
		}
		g := &lat[i]
		var p []float32
		for _, v := range g.V {
			p = append(p, float32(v))
		}
		p = referenceFilter(p, g.W, g.H, n.Tensor(a, FilterTaps)[4*len(z):])
		for j := kind.scale - 1; j >= 0; j-- {
			inW, inH := GridSize(w, h, j+1)
			outW, outH := GridSize(w, h, j)
			p = referenceUpsample(p, inW, inH, outW, outH, n.Tensor(a, Taps)[4*j:])
		}
		z = append(z, p)
	}
	row := func(id TensorID, i, cols int) []float32 { return n.Tensor(a, id)[i*cols:][:cols] }
	t := c + a.Extra
	u := make([][]float32, t)
	for i := range u {
		u[i] = make([]float32, w*h)
	}
	in := make([][]float32, w*h)
	for p := range w * h {
		for i := range z {
			in[p] = append(in[p], z[i][p])
		}
		x := make([]float32, a.Hidden)
		for i := range x {
			x[i] = max(0, sum32(n.Tensor(a, SynB1)[i], row(SynW1, i, len(z)), in[p]))
		}
		for i := range u {
			u[i][p] = sum32(n.Tensor(a, SynB2)[i], row(SynW2, i, a.Hidden), x)
		}
	}
	convolve := func(in [][]float32, id, bias TensorID, outputs int) [][]float32 {
		out := make([][]float32, outputs)
		for i := range out {
			k := slices.Clone(row(id, i, 9*t))
			k[9*i+4]++
			for y := range h {
				for x := range w {
					var around []float32
					for j := range t {
						for dy := -1; dy <= 1; dy++ {
							for dx := -1; dx <= 1; dx++ {
								around = append(around, at(in[j], w, h, y+dy, x+dx))
							}
						}
					}
					out[i] = append(out[i], sum32(n.Tensor(a, bias)[i], k, around))
				}
			}
		}
		return out
	}
	r := convolve(u, SynK1, SynBK1, t)
	for i := range r {
		for p, s := range r[i] {
			r[i][p] = max(s, 0)
		}
	}
	var out []float32
	for i, v := range convolve(r, SynK2, SynBK2, c) {
		for p, s := range v {
			out = append(out, sum32(s, row(SynWl, i, len(z)), in[p]))
		}
	}
	return out
}

// TestSynthesisIsExact checks pictures of many shapes against the formulas, to the
// bit, for every tier of kernels; the tall ones take several bands.
func TestSynthesisIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for i, s := range append(testSizes, [2]int{3, 200}, [2]int{600, 9}) {
		w, h := s[0], s[1]
		a := randomArch(r, w, h)
		if i%2 == 0 {
			a.Hidden = 1 + r.IntN(60)
		}
		lat := randomLatents(r, &a, w, h)
		n := randomNets(r, &a, 0.2).Nets()
		want := referenceSynthesis(&a, n, lat)
		eachTier(t, func(l kernels.Level) {
			for _, workers := range []int{1, 4} {
				got := SynthesiseFloat(&a, n, lat, workers)
				for p, v := range got {
					if v != want[p] {
						t.Fatalf("%v, %dx%d %+v: sample %d is %v, want %v", l, w, h, a, p, v, want[p])
					}
				}
				for p, v := range Synthesise(&a, n, lat, workers).Pix {
					if v != sample8(want[p]) {
						t.Fatalf("%v, %dx%d %+v: sample %d is %v, want %v", l, w, h, a, p, v, want[p])
					}
				}
			}
		})
	}
}

// TestExtremesStayFinite runs the largest parameters that a stream may hold.
func TestExtremesStayFinite(t *testing.T) {
	a := Arch{MaxChannels, MaxGrids, 2, 0, MaxHidden, MaxExtra, MaxColour}
	q := NewQuantised(&a)
	for m := range q.Ints {
		for i := range q.Ints[m] {
			q.Ints[m][i] = MaxAbs[m] << q.Step[m]
		}
	}
	if err := q.Validate(&a); err != nil {
		t.Fatal(err)
	}
	lat := NewLatents(&a, 7, 5)
	for i := range lat {
		for j := range lat[i].V {
			lat[i].V[j] = LatentMax
		}
	}
	for p, v := range SynthesiseFloat(&a, q.Nets(), lat, 1) {
		if v-v != 0 {
			t.Fatalf("sample %d is %v", p, v)
		}
	}
}

func TestSample8(t *testing.T) {
	for _, c := range []struct {
		v    float32
		want uint8
	}{{-1, 0}, {0, 0}, {0.49 / 255, 0}, {0.51 / 255, 1}, {0.5, 128}, {254.4 / 255, 254}, {1, 255}, {1e30, 255}} {
		if got := sample8(c.v); got != c.want {
			t.Errorf("%v gives %d, want %d", c.v, got, c.want)
		}
	}
}

// TestUpsamplingKeepsConstants checks that the fresh filter has a gain of one.
func TestUpsamplingKeepsConstants(t *testing.T) {
	a := Arch{1, 5, 2, 0, 1, 0, 0}
	n := NewNets(&a)
	n.Tensor(&a, SynWl)[4] = 1 // show the coarsest grid
	lat := NewLatents(&a, 37, 22)
	for i := range lat[4].V {
		lat[4].V[i] = 3
	}
	for p, v := range SynthesiseFloat(&a, n, lat, 1) {
		if v != 3 {
			t.Fatalf("sample %d is %v, want 3", p, v)
		}
	}
}
