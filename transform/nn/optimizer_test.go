package nn

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/burin-codec/burin/kernels"
)

func TestPool(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		p := newPool(t, workers)
		if p.Workers() != workers {
			t.Errorf("%d workers, want %d", p.Workers(), workers)
		}
		for _, tasks := range []int{0, 1, 2, 1000} {
			done := make([]atomic.Int32, tasks)
			busy := make([]atomic.Int32, workers)
			p.Run(tasks, func(w, i int) {
				if busy[w].Add(1) != 1 {
					t.Error("two tasks of one worker at a time")
				}
				done[i].Add(1)
				busy[w].Add(-1)
			})
			for i := range done {
				if n := done[i].Load(); n != 1 {
					t.Fatalf("%d workers: task %d of %d ran %d times", workers, i, tasks, n)
				}
			}
		}
		func() {
			defer func() {
				if e := recover(); e != "no" {
					t.Errorf("%d workers: panic is %v", workers, e)
				}
			}()
			p.Run(100, func(_, i int) {
				if i == 7 {
					panic("no")
				}
			})
		}()
		n := 0
		p.Run(1, func(_, _ int) { n++ }) // it still works
		if n != 1 {
			t.Errorf("%d workers: no task after a panic", workers)
		}
	}
	var none *Pool
	n := 0
	none.Run(3, func(w, i int) { n += i + w })
	if none.Workers() != 1 || n != 3 {
		t.Errorf("nil pool: %d workers, sum %d", none.Workers(), n)
	}
}

// adam64 is the definition for one parameter.
func adam64(g Group, w, grad float64, m, v *float64, n int) float64 {
	*m = g.Beta1**m + (1-g.Beta1)*grad
	*v = g.Beta2**v + (1-g.Beta2)*grad*grad
	mean := *m / (1 - math.Pow(g.Beta1, float64(n)))
	square := *v / (1 - math.Pow(g.Beta2, float64(n)))
	return w - g.Rate*(mean/(math.Sqrt(square)+g.Epsilon)+g.WeightDecay*w)
}

func TestAdam(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	a, b := NewParam("a", 1, 40000), NewParam("b", 2, 3)
	randomize(r, a.Data, 1)
	randomize(r, b.Data, 1)
	groups := []Group{
		{Params: []*Param{a}, Rate: 0.01, Beta1: 0.9, Beta2: 0.97, Epsilon: 1e-8, WeightDecay: 0.1},
		{Params: []*Param{b}, Rate: 0.1, Beta1: 0.5, Beta2: 0.9, Epsilon: 1e-3, MaxNorm: 0.5},
	}
	opt := NewAdam(newPool(t, 3), groups...)
	want := [][]float64{nil, nil}
	m, v := [][]float64{make([]float64, 40000), make([]float64, 6)}, [][]float64{make([]float64, 40000), make([]float64, 6)}
	params := []*Param{a, b}
	for i, p := range params {
		for _, x := range p.Data {
			want[i] = append(want[i], float64(x))
		}
	}
	for n := 1; n <= 5; n++ {
		randomize(r, a.Grad, 1)
		randomize(r, b.Grad, 1)
		opt.Step()
		for i, p := range params {
			scale := 1.0
			if norm := GradNorm(p1(p)); i == 1 && norm > 0.5 {
				scale = 0.5 / norm
			}
			for j := range p.Data {
				want[i][j] = adam64(groups[i], want[i][j], scale*float64(p.Grad[j]), &m[i][j], &v[i][j], n)
				if math.Abs(float64(p.Data[j])-want[i][j]) > 1e-5 {
					t.Fatalf("step %d: %s[%d] is %v, want %v", n, p.Name, j, p.Data[j], want[i][j])
				}
			}
		}
	}
}

func p1(p *Param) []*Param { return []*Param{p} }

// TestSOAPIsAdam: without bases, and for vectors, SOAP is Adam.
func TestSOAPIsAdam(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	var groups [2]Group
	for i := range groups {
		groups[i] = Group{Rate: 0.01, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, WeightDecay: 0.1, MaxNorm: 3}
		groups[i].Params = []*Param{NewParam("large", SOAPMaxSide+1, SOAPMaxSide+2), NewParam("bias", 1, 9)}
	}
	adam := NewAdam(nil, groups[0])
	soap, err := NewSOAP(1, groups[1])
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		for j, p := range groups[0].Params {
			randomize(r, p.Grad, 1)
			copy(groups[1].Params[j].Grad, p.Grad)
		}
		adam.Step()
		soap.Step()
	}
	for j, p := range groups[0].Params {
		equal(t, p.Name, groups[1].Params[j].Data, p.Data, 1e-5)
	}
	if _, err := NewSOAP(0, groups[0]); err == nil {
		t.Error("SOAP that never follows is accepted")
	}
}

// TestSOAPBasis feeds gradients A*N*B of white noise N, whose products have the known
// eigenvectors of A*Aᵀ and Bᵀ*B.
func TestSOAPBasis(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	const m, n = 12, 9
	p := NewParam("w", m, n)
	soap, err := NewSOAP(3, Group{Params: p1(p), Rate: 0, Beta1: 0.9, Beta2: 0.995, Epsilon: 1e-8})
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]float32, m*m), make([]float32, n*n)
	randomize(r, a, 1)
	randomize(r, b, 1)
	noise, half := make([]float32, m*n), make([]float32, m*n)
	var g kernels.Gemm
	for range 600 {
		randomize(r, noise, 1)
		g.NN(half, n, a, m, noise, n, m, n, m, false)
		g.NN(p.Grad, n, half, n, b, n, m, n, n, false)
		soap.Step()
	}
	for name, q := range map[string]*soapSide{"left": soap.state[0][0].left, "right": soap.state[0][0].right} {
		k := q.n
		gram, d, e := make([]float32, k*k), make([]float32, k*k), make([]float32, k*k)
		g.TN(gram, k, q.basis, k, q.basis, k, k, k, k, false)
		g.NN(d, k, q.mean, k, q.basis, k, k, k, k, false)
		g.TN(e, k, q.basis, k, d, k, k, k, k, false)
		off, trace := 0.0, 0.0
		for i := range k {
			for j := range k {
				one := 0.0
				if i == j {
					one = 1
					trace += float64(e[i*k+j]) * float64(e[i*k+j])
				} else {
					off += float64(e[i*k+j]) * float64(e[i*k+j])
				}
				if math.Abs(float64(gram[i*k+j])-one) > 1e-5 {
					t.Errorf("%s: vectors %d and %d: product %v", name, i, j, gram[i*k+j])
				}
			}
		}
		if off > 0.01*trace {
			t.Errorf("%s: the basis leaves %v of %v off the diagonal", name, off, trace)
		}
	}
}

// TestSOAPDegenerate: gradients without some directions, or none, or not finite, leave
// the basis orthogonal.
func TestSOAPDegenerate(t *testing.T) {
	p := NewParam("w", 5, 4)
	soap, err := NewSOAP(1, Group{Params: p1(p), Rate: 0.01, Beta1: 0.9, Beta2: 0.9, Epsilon: 1e-8})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		clear(p.Grad)
		switch {
		case i == 30:
			p.Grad[3] = float32(math.Inf(1))
		case i > 10:
			p.Grad[0], p.Grad[1] = 1, float32(i)
		}
		soap.Step()
		for side, q := range []*soapSide{soap.state[0][0].left, soap.state[0][0].right} {
			for a := range q.n {
				for b := range q.n {
					s, one := 0.0, 0.0
					for j := range q.n {
						s += float64(q.basis[j*q.n+a]) * float64(q.basis[j*q.n+b])
					}
					if a == b {
						one = 1
					}
					if !(math.Abs(s-one) < 1e-5) {
						t.Fatalf("step %d, side %d: vectors %d and %d: product %v", i, side, a, b, s)
					}
				}
			}
		}
	}
}

// TestSOAPFaster: on a badly conditioned quadratic whose axes are not those of the
// parameters, SOAP gets further than Adam, which is what it is for.
func TestSOAPFaster(t *testing.T) {
	const m, n, steps = 10, 8, 300
	r := rand.New(rand.NewPCG(4, 7))
	rotation := func(k int) []float32 {
		q := newSOAPSide(k)
		randomize(r, q.basis, 1)
		for i := range q.mean {
			q.mean[i] = q.basis[i/k*k+i%k] + q.basis[i%k*k+i/k]
		}
		q.eigenvectors()
		return q.basis
	}
	a, b := rotation(m), rotation(n)
	loss := func(useSOAP bool) float64 {
		p := NewParam("w", m, n)
		r := rand.New(rand.NewPCG(5, 7))
		randomize(r, p.Data, 1)
		group := Group{Params: p1(p), Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8}
		soap, err := NewSOAP(5, group)
		if err != nil {
			t.Fatal(err)
		}
		adam := NewAdam(nil, group)
		var g kernels.Gemm
		x, y := make([]float32, m*n), make([]float32, m*n)
		total := 0.0
		for i := range steps {
			// y = aᵀWb scaled; loss = |y|²/2.
			g.TN(x, n, a, m, p.Data, n, m, n, m, false)
			g.NN(y, n, x, n, b, n, m, n, n, false)
			total = 0
			for j := range y {
				s := math.Pow(10, -float64(j/n)/3-float64(j%n)/3)
				total += s * s * float64(y[j]) * float64(y[j]) / 2
				y[j] *= float32(s * s)
			}
			g.NN(x, n, a, m, y, n, m, n, m, false)
			g.NT(p.Grad, n, x, n, b, n, m, n, n, false)
			rate := Cosine(0.05, 0, i, steps)
			if useSOAP {
				soap.Groups[0].Rate = rate
				soap.Step()
			} else {
				adam.Groups[0].Rate = rate
				adam.Step()
			}
		}
		return total
	}
	if s, a := loss(true), loss(false); !(s < a/2) {
		t.Errorf("loss %v with SOAP, %v with Adam", s, a)
	}
}

func TestCosine(t *testing.T) {
	for _, c := range []struct {
		step int
		want float64
	}{{0, 3}, {25, 1 + (1 + math.Sqrt2/2)}, {50, 2}, {100, 1}, {150, 1}} {
		if got := Cosine(3, 1, c.step, 100); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", c.step, got, c.want)
		}
	}
}

func TestAverage(t *testing.T) {
	p := NewParam("p", 1, 20)
	a := NewAverage(p1(p), 0.75)
	var sum, weight float64
	for i := range 6 {
		fill(p.Data, float32(i*i))
		a.Update()
		sum = 0.75*sum + float64(i*i)
		weight = 0.75*weight + 1
	}
	a.Swap()
	if got := float64(p.Data[19]); math.Abs(got-sum/weight) > 1e-5 {
		t.Errorf("average is %v, want %v", got, sum/weight)
	}
	a.Swap()
	if p.Data[19] != 25 {
		t.Errorf("after the second swap it is %v", p.Data[19])
	}
}

func TestTrapezoid(t *testing.T) {
	for step, want := range map[int]float64{0: 0.5, 1: 1, 2: 1.5, 3: 2, 9: 2, 12: 2, 14: 1, 15: 0.5, 16: 0} {
		if got := Trapezoid(2, step, 16, 4, 0.25); got != want {
			t.Errorf("step %d: %v, not %v", step, got, want)
		}
	}
}
