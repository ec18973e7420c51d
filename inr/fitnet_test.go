package inr

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/burin-codec/burin/transform/nn"
)

// own returns how many grids of a scale the synthesis sees.
func own(kinds []gridKind, scale int) (n int) {
	for _, k := range kinds {
		if k == (gridKind{scale, false}) {
			n++
		}
	}
	return n
}

// defineLoss is the loss of a fitNet in float64, as the comment of [Arch] says, with
// target [c][h][w] and the latents z of all grids.
func defineLoss(a Arch, n [NumTensors][]float64, z [][]float64, target []float64, w, h int, lambda float64) float64 {
	relu := func(v float64) float64 { return max(v, 0) }
	bits := 0.0
	d := a.Inputs()
	kinds := gridKinds(&a)
	for g := range kinds {
		scale := kinds[g].scale
		gw, gh := GridSize(w, h, scale)
		at := func(y, x int) float64 {
			if y < 0 || x < 0 || x >= gw {
				return 0
			}
			return z[g][y*gw+x]
		}
		for y := range gh {
			for x := range gw {
				in := make([]float64, 0, d)
				for _, o := range spatialOffsets[:a.Spatial] {
					in = append(in, at(y+o[0], x+o[1]))
				}
				for f := range a.Features {
					sum := 0.0
					if coarser := slices.IndexFunc(kinds, func(k gridKind) bool { return k.scale > scale }); scale < 3 && coarser >= 0 {
						sources := len(kinds) - coarser
						for k := range sources {
							up := kinds[coarser+k].scale - scale
							pw, _ := GridSize(w, h, scale+up)
							sum += n[ARMMix0+TensorID(g)][f*sources+k] * z[coarser+k][y>>up*pw+x>>up]
						}
					}
					in = append(in, sum)
				}
				layer := func(v, weight, bias []float64) []float64 {
					out := make([]float64, d)
					for i := range out {
						out[i] = v[i] + bias[i]
						for j, u := range v {
							out[i] += weight[i*d+j] * u
						}
						out[i] = relu(out[i])
					}
					return out
				}
				hidden := layer(layer(in, n[ARMW1], n[ARMB1][g*d:]), n[ARMW2], n[ARMB2])
				var o [2]float64
				for i := range o {
					o[i] = n[ARMB3][i]
					for j := range d {
						o[i] += n[ARMW3][i*d+j]*hidden[j] + n[ARMWl][i*d+j]*in[j]
					}
				}
				b := math.Exp(min(max(o[1], -5), 4))
				below := func(u float64) float64 {
					if u < 0 {
						return math.Exp(u/b) / 2
					}
					return 1 - math.Exp(-u/b)/2
				}
				e := z[g][y*gw+x] - o[0]
				bits -= math.Log2(max(below(e+0.5)-below(e-0.5), 1.0/65536))
			}
		}
	}

	// Planes of the grids from scale i on at the size of that.
	var planes [][]float64
	shown := a.Planes()
	for i := a.Grids - 1; i >= 0; i-- {
		gw, gh := GridSize(w, h, i)
		var up [][]float64
		for at, kind := range kinds {
			if kind != (gridKind{i, false}) {
				continue
			}
			p := make([]float64, gw*gh)
			taps := n[FilterTaps][4*(shown-len(planes)-own(kinds, i)+len(up)):]
			for y := range gh {
				for x := range gw {
					for dy := -3; dy <= 3; dy++ {
						for dx := -3; dx <= 3; dx++ {
							v := z[at][min(max(y+dy, 0), gh-1)*gw+min(max(x+dx, 0), gw-1)]
							p[y*gw+x] += taps[max(dy, -dy)] * taps[max(dx, -dx)] * v
						}
					}
				}
			}
			up = append(up, p)
		}
		for _, p := range planes {
			pw, ph := GridSize(w, h, i+1)
			t := n[Taps][4*i:]
			tap := func(out, in int) float64 {
				// The distance of output out from input in, in outputs, is k + 1/2.
				k := out - 2*in
				if k <= 0 {
					k = 1 - k
				}
				if k--; k > 3 {
					return 0
				}
				return t[k]
			}
			q := make([]float64, gw*gh)
			for y := range gh {
				for x := range gw {
					for py := y/2 - 3; py <= y/2+3; py++ {
						for px := x/2 - 3; px <= x/2+3; px++ {
							q[y*gw+x] += tap(y, py) * tap(x, px) * p[min(max(py, 0), ph-1)*pw+min(max(px, 0), pw-1)]
						}
					}
				}
			}
			up = append(up, q)
		}
		planes = up
	}
	c := a.Channels
	u := make([][]float64, a.trunk())
	for i := range u {
		u[i] = slices.Repeat([]float64{n[SynB2][i]}, w*h)
	}
	for p := range w * h {
		for j := range a.Hidden {
			s := n[SynB1][j]
			for g := range planes {
				s += n[SynW1][j*shown+g] * planes[g][p]
			}
			for k := range u {
				u[k][p] += n[SynW2][k*a.Hidden+j] * relu(s)
			}
		}
	}
	// The first outputs have inputs added.
	conv := func(src [][]float64, kernel, bias []float64) [][]float64 {
		out := make([][]float64, len(bias))
		for k := range out {
			out[k] = make([]float64, w*h)
			for p := range out[k] {
				s := bias[k]
				for j := range src {
					for e := range 9 {
						y, x := min(max(p/w+e/3-1, 0), h-1), min(max(p%w+e%3-1, 0), w-1)
						s += kernel[(k*len(src)+j)*9+e] * src[j][y*w+x]
					}
				}
				out[k][p] = src[k][p] + s
			}
		}
		return out
	}
	r := conv(u, n[SynK1], n[SynBK1])
	for k := range r {
		for p, s := range r[k] {
			r[k][p] = relu(s)
		}
	}
	mse := 0.0
	for k, v := range conv(r, n[SynK2], n[SynBK2]) {
		for p, s := range v {
			for g := range planes {
				s += n[SynWl][k*shown+g] * planes[g][p]
			}
			mse += (s - target[k*w*h+p]) * (s - target[k*w*h+p])
		}
	}
	return mse/float64(c*w*h) + lambda*bits/float64(w*h)
}

func widen(s []float32) []float64 {
	out := make([]float64, len(s))
	for i, v := range s {
		out[i] = float64(v)
	}
	return out
}

// TestFitGradient compares the loss and all its gradients with the definition in
// float64 and its central differences.
func TestFitGradient(t *testing.T) {
	const w, h, lambda = 15, 10, 0.02
	for _, a := range []Arch{{3, 4, 8, 6, 5, 3, 2}, {1, 1, 2, 0, 3, 0, 0}, {2, 3, 3, 5, 2, 1, 1}, {1, 6, 3, 3, 2, 0, 0}, {3, 6, 3, 3, 2, 0, 1}} {
		r := rand.New(rand.NewPCG(1, uint64(a.Grids)))
		pool := nn.NewPool(2)
		defer pool.Close()
		target := nn.NewTensor(a.Channels, h, w)
		for i := range target.Data {
			target.Data[i] = r.Float32()
		}
		f, err := newFitNet(a, target, pool)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.params {
			if p != nil {
				for i := range p.Data {
					p.Data[i] += float32(0.15 * r.NormFloat64())
				}
			}
		}
		f.refresh()
		var z [][]float64
		for _, g := range f.lat {
			for i := range g.H * g.W {
				g.Data[i] = float32(2 * r.NormFloat64())
			}
			z = append(z, widen(g.Plane(0)))
		}
		var n [NumTensors][]float64
		for id := range n {
			n[id] = widen(f.nets.Tensor(&a, TensorID(id)))
		}
		wide := widen(target.Data)
		loss := func() float64 { return defineLoss(a, n, z, wide, w, h, lambda) }

		d, bits := f.step(lambda, true)
		if got, want := d+lambda*bits/(w*h), loss(); math.Abs(got-want) > 1e-5*want {
			t.Errorf("%+v: loss %v, want %v", a, got, want)
		}
		check := func(what string, got []float32, of []float64) {
			// Differences over kinks are wrong: judge the whole by the norm of the error.
			var bad, norm float64
			for try := 0; try < 30 && try < len(of); try++ {
				i := try
				if len(of) > 30 {
					i = r.IntN(len(of))
				}
				const e = 1e-6
				old := of[i]
				of[i] = old + e
				up := loss()
				of[i] = old - e
				down := loss()
				of[i] = old
				want := (up - down) / (2 * e)
				bad += (want - float64(got[i])) * (want - float64(got[i]))
				norm += want * want
			}
			if !(bad <= 1e-6*norm) {
				t.Errorf("%+v: gradient of %s: relative error %.2g", a, what, math.Sqrt(bad/norm))
			}
		}
		for i := range z {
			check("latents", f.dlat[i].Plane(0), z[i])
		}
		for id, p := range f.params {
			if p != nil {
				check(p.Name, p.Grad, n[id])
			}
		}
	}
}
