package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// defineDense is y = x Wᵀ + b on rows.
func defineDense(x, w, b []float64, rows int) []float64 {
	out, in := len(b), len(w)/len(b)
	y := make([]float64, rows*out)
	for i := range rows {
		for o := range out {
			s := b[o]
			for k := range in {
				s += w[o*in+k] * x[i*in+k]
			}
			y[i*out+o] = s
		}
	}
	return y
}

func TestDense(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, size := range [][3]int{{1, 1, 1}, {5, 3, 7}, {300, 8, 20}} {
			rows, in, out := size[0], size[1], size[2]
			r := rand.New(rand.NewPCG(uint64(rows), 21))
			l, err := NewDense("dense", in, out, newPool(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			x, y, dx, dy := make([]float32, rows*in), make([]float32, rows*out), make([]float32, rows*in), make([]float32, rows*out)
			randomize(r, x, 1)
			randomize(r, dy, 0.1)
			randomize(r, l.weight.Data, 0.5)
			randomize(r, l.bias.Data, 0.5)
			l.Refresh()
			l.Forward(y, x, rows)
			l.Backward(dx, dy, x, rows, true)
			g := gradientCheck{
				define: func(v [][]float64) []float64 { return defineDense(v[0], v[1], v[2], rows) },
				values: [][]float32{x, l.weight.Data, l.bias.Data}, y: y, dy: dy,
				grads: [][]float32{dx, l.weight.Grad, l.bias.Grad},
			}
			g.run(t, r, fmt.Sprint("Dense ", size))
		}
	})
}

func TestLayerNorm(t *testing.T) {
	const rows, width = 270, 12
	r := rand.New(rand.NewPCG(1, 22))
	l, err := NewLayerNorm("norm", width, newPool(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	x, y, dx, dy := make([]float32, rows*width), make([]float32, rows*width), make([]float32, rows*width), make([]float32, rows*width)
	randomize(r, x, 1)
	randomize(r, dy, 0.1)
	randomize(r, l.gain.Data, 1)
	randomize(r, l.bias.Data, 1)
	l.Forward(y, x, rows)
	l.Backward(dx, dy, x, rows, true)
	g := gradientCheck{
		define: func(v [][]float64) []float64 {
			y := make([]float64, rows*width)
			for i := range rows {
				row := v[0][i*width : (i+1)*width]
				var mean, variance float64
				for _, f := range row {
					mean += f / width
				}
				for _, f := range row {
					variance += (f - mean) * (f - mean) / width
				}
				for j, f := range row {
					y[i*width+j] = (f-mean)/math.Sqrt(variance+1e-5)*v[1][j] + v[2][j]
				}
			}
			return y
		},
		values: [][]float32{x, l.gain.Data, l.bias.Data}, y: y, dy: dy,
		grads: [][]float32{dx, l.gain.Grad, l.bias.Grad},
	}
	g.run(t, r, "LayerNorm")
}

func TestGELU(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 23))
	x := make([]float32, 1000)
	randomize(r, x, 2)
	y, dx, dy := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
	randomize(r, dy, 0.1)
	l := NewGELU(newPool(t, 2))
	l.Forward(y, x)
	l.Backward(dx, dy, x)
	g := gradientCheck{
		define: func(v [][]float64) []float64 {
			y := slices.Clone(v[0])
			for i, f := range y {
				y[i] = f / (1 + math.Exp(-1.702*f))
			}
			return y
		},
		values: [][]float32{x}, y: y, dy: dy, grads: [][]float32{dx},
	}
	g.run(t, r, "GELU")
}

func TestCrossEntropy(t *testing.T) {
	const rows, classes, smoothing = 9, 5, 0.1
	r := rand.New(rand.NewPCG(1, 24))
	y, dy := make([]float32, rows*classes), make([]float32, rows*classes)
	randomize(r, y, 3)
	labels := make([]uint8, rows)
	for i := range labels {
		labels[i] = uint8(r.IntN(classes))
	}
	loss := CrossEntropy(dy, y, labels, classes, smoothing, 1)
	g := gradientCheck{
		define: func(v [][]float64) []float64 {
			var s float64
			for i, label := range labels {
				row := v[0][i*classes : (i+1)*classes]
				var sum float64
				for _, f := range row {
					sum += math.Exp(f)
				}
				for j, f := range row {
					target := smoothing / classes
					if j == int(label) {
						target += 1 - smoothing
					}
					s -= target * (f - math.Log(sum))
				}
			}
			return []float64{s}
		},
		values: [][]float32{y}, y: []float32{float32(loss)}, dy: []float32{1}, grads: [][]float32{dy},
	}
	g.run(t, r, "CrossEntropy")
}

func TestAttention(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, size := range [][4]int{{1, 1, 4, 1}, {2, 7, 12, 3}, {3, 18, 8, 2}} {
			seqs, n, width, heads := size[0], size[1], size[2], size[3]
			r := rand.New(rand.NewPCG(uint64(n), 25))
			l, err := NewAttention("attention", width, heads, newPool(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			rows := seqs * n
			x, y, dx, dy := make([]float32, rows*width), make([]float32, rows*width), make([]float32, rows*width), make([]float32, rows*width)
			bias, dbias := make([]float32, rows), make([]float32, rows)
			randomize(r, x, 1)
			randomize(r, dy, 0.3)
			randomize(r, bias, 0.5)
			for _, p := range l.Params() {
				randomize(r, p.Data, 0.4)
			}
			l.Refresh()
			l.Forward(y, x, bias, seqs, n)
			l.Backward(dx, dbias, dy, x, true)
			w := width / heads
			g := gradientCheck{
				define: func(v [][]float64) []float64 {
					qkv := defineDense(v[0], v[2], v[3], rows)
					mixed := make([]float64, rows*width)
					for s := range seqs {
						for h := range heads {
							for i := range n {
								q := qkv[(s*n+i)*3*width+h*w:][:w]
								p, sum := make([]float64, n), 0.0
								for j := range n {
									k := qkv[(s*n+j)*3*width+width+h*w:][:w]
									for c := range w {
										p[j] += q[c] * k[c] / math.Sqrt(float64(w))
									}
									p[j] = math.Exp(p[j] + v[1][s*n+j])
									sum += p[j]
								}
								for j := range n {
									for c := range w {
										mixed[(s*n+i)*width+h*w+c] += p[j] / sum * qkv[(s*n+j)*3*width+2*width+h*w+c]
									}
								}
							}
						}
					}
					return defineDense(mixed, v[4], v[5], rows)
				},
				values: [][]float32{x, bias}, y: y, dy: dy, grads: [][]float32{dx, dbias},
			}
			for _, p := range l.Params() {
				g.values = append(g.values, p.Data)
				g.grads = append(g.grads, p.Grad)
			}
			g.run(t, r, fmt.Sprint("Attention ", size))
			for h := range heads {
				var sum float64
				for _, p := range l.Probabilities(0, h)[:n] {
					sum += float64(p)
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Fatalf("probabilities sum to %v", sum)
				}
			}
			// A token that is hidden does not matter.
			if n > 1 {
				bias[1] = -1000
				l.Forward(y, x, bias, seqs, n)
				before := slices.Clone(y[:width])
				randomize(r, x[width:2*width], 1)
				l.Forward(y, x, bias, seqs, n)
				if !slices.Equal(before, y[:width]) {
					t.Fatal("a hidden token changes others")
				}
			}
		}
	})
}

// The gradients are the same for any number of workers.
func TestRowsWorkers(t *testing.T) {
	const seqs, n, width = 30, 20, 16
	var want []float32
	for _, workers := range []int{1, 3} {
		r := rand.New(rand.NewPCG(1, 26))
		l, err := NewAttention("attention", width, 4, newPool(t, workers))
		if err != nil {
			t.Fatal(err)
		}
		l.Init(r)
		x, y := make([]float32, seqs*n*width), make([]float32, seqs*n*width)
		randomize(r, x, 1)
		l.Forward(y, x, nil, seqs, n)
		l.Backward(x, nil, y, x, true)
		got := slices.Concat(l.qkv.weight.Grad, l.project.weight.Grad, x, y)
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Fatalf("%d workers differ from one", workers)
		}
	}
}

func TestRowsRefuse(t *testing.T) {
	if _, err := NewDense("d", 0, 3, nil); err == nil {
		t.Error("a dense layer without inputs")
	}
	if _, err := NewLayerNorm("n", 0, nil); err == nil {
		t.Error("a norm without width")
	}
	if _, err := NewAttention("a", 10, 3, nil); err == nil {
		t.Error("heads that do not divide the width")
	}
}
