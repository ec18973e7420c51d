package nn

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/burin-codec/burin/kernels"
)

// SOAP is Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., "SOAP:
// Improving and Stabilizing Shampoo using Adam", 2024). For a matrix W of m x n with
// gradient G, it keeps running means of G*Gᵀ and Gᵀ*G, whose eigenvectors are the
// columns of P and Q, and takes Adam's step on PᵀGQ instead of G:
//
//	M = β1 M + (1-β1) G                 running mean, in W's coordinates
//	V = β2 V + (1-β2) (PᵀGQ)²           running mean square, in the eigenbasis
//	W = W - rate * P (PᵀMQ / (sqrt V + ε)) Qᵀ
//
// with Adam's corrections for the first steps. Every so many steps, one round of
// orthogonal iteration brings P and Q near the eigenvectors of the new means. A side
// longer than [SOAPMaxSide] keeps its own coordinates; a parameter of one row, such
// as biases, has plain Adam.
type SOAP struct {
	Groups []Group
	every  int
	steps  int
	state  [][]soapState // [groups][params]
	gemm   kernels.Gemm
}

// SOAPMaxSide is the longest side of a matrix that SOAP finds an eigenbasis of.
const SOAPMaxSide = 128

// NewSOAP returns an optimiser of the groups, which it keeps in Groups, that follows
// the eigenvectors every given number of steps: 1 is best, 10 costs little and loses
// little.
func NewSOAP(every int, groups ...Group) (*SOAP, error) {
	if every < 1 {
		return nil, fmt.Errorf("nn: SOAP follows the eigenvectors every %d steps", every)
	}
	s := &SOAP{Groups: groups, every: every}
	for _, g := range groups {
		var st []soapState
		for _, p := range g.Params {
			n := len(p.Data)
			q := soapState{adamState: newAdamState(p)}
			if p.Rows > 1 {
				q.g, q.a, q.b = make([]float32, n), make([]float32, n), make([]float32, n)
				q.left, q.right = newSOAPSide(p.Rows), newSOAPSide(p.Cols)
			}
			st = append(st, q)
		}
		s.state = append(s.state, st)
	}
	return s, nil
}

// soapState is what is kept of one parameter; adamState.m is not used by matrices'
// [kernels.AdamF32] but by themselves.
type soapState struct {
	adamState
	left, right *soapSide // nil where a side keeps its coordinates
	g, a, b     []float32
}

// A soapSide is one side of a matrix, of n rows or columns.
type soapSide struct {
	n       int
	mean    []float32   // of the gradient's products, [n][n]
	basis   []float32   // eigenvectors in columns, [n][n]
	product []float32   // [n][n]
	columns [][]float64 // [n][n], while they are made orthogonal
	order   []int
	values  []float64
	moved   []float32 // of the mean squares, when the order changes
}

func newSOAPSide(n int) *soapSide {
	if n > SOAPMaxSide {
		return nil
	}
	s := &soapSide{n: n, mean: make([]float32, n*n), basis: make([]float32, n*n), product: make([]float32, n*n),
		order: make([]int, n), values: make([]float64, n)}
	for range n {
		s.columns = append(s.columns, make([]float64, n))
	}
	return s
}

// Step moves the parameters against their gradients, which it leaves.
func (s *SOAP) Step() {
	s.steps++
	for i := range s.Groups {
		g := &s.Groups[i]
		c := g.step(s.steps)
		for j, p := range g.Params {
			st := &s.state[i][j]
			if p.Rows == 1 {
				kernels.AdamF32(p.Data, p.Grad, st.m, st.v, &c)
				continue
			}
			s.matrix(p, st, &c)
		}
	}
}

func (s *SOAP) matrix(p *Param, t *soapState, c *kernels.AdamStep) {
	m, n := p.Rows, p.Cols
	// The gradient, clipped.
	copy(t.g, p.Grad)
	kernels.AxpbyF32(t.g, c.GradScale, t.g, 0)
	for side, q := range [2]*soapSide{t.left, t.right} {
		if q == nil {
			continue
		}
		if side == 0 {
			s.gemm.NT(q.product, m, t.g, n, t.g, n, m, m, n, false)
		} else {
			s.gemm.TN(q.product, n, t.g, n, t.g, n, n, n, m, false)
		}
		decay := c.Beta2
		if s.steps == 1 {
			decay = 0
		}
		kernels.AxpbyF32(q.mean, decay, q.product, 1-decay)
		switch {
		case s.steps == 1:
			q.eigenvectors()
		case s.steps%s.every == 0:
			s.follow(q, t.v, m, n, side)
		}
	}
	for i, v := range t.g {
		t.m[i] = flush(c.Beta1*t.m[i] + (1-c.Beta1)*v)
	}
	rotated := s.rotate(t, t.g, m, n, true)
	for i, v := range rotated {
		t.v[i] = flush(c.Beta2*t.v[i] + (1-c.Beta2)*v*v)
	}
	rotated = s.rotate(t, t.m, m, n, true)
	for i, v := range t.v {
		rotated[i] *= c.Rate / (float32(math.Sqrt(float64(c.Square*v))) + c.Epsilon)
	}
	kernels.AxpbyF32(p.Data, 1-c.Decay, s.rotate(t, rotated, m, n, false), -1)
}

// flush returns zero for numbers that means without gradients decay to, which are slow
// to compute with.
func flush(x float32) float32 {
	if math.Abs(float64(x)) < 1e-36 {
		return 0
	}
	return x
}

// rotate returns PᵀXQ, or PXQᵀ if not forward, in memory that the next call uses
// again, other than that of x if it is what this returned.
func (s *SOAP) rotate(t *soapState, x []float32, m, n int, forward bool) []float32 {
	// x may be t.b, the result of a rotation on both sides.
	if q := t.left; q != nil {
		if forward {
			s.gemm.TN(t.a, n, q.basis, m, x, n, m, n, m, false)
		} else {
			s.gemm.NN(t.a, n, q.basis, m, x, n, m, n, m, false)
		}
	} else {
		copy(t.a, x)
	}
	if q := t.right; q != nil {
		if forward {
			s.gemm.NN(t.b, n, t.a, n, q.basis, n, m, n, n, false)
		} else {
			s.gemm.NT(t.b, n, t.a, n, q.basis, n, m, n, n, false)
		}
	} else {
		copy(t.b, t.a)
	}
	return t.b
}

// eigenvectors sets the basis to the eigenvectors of the mean, greatest eigenvalue
// first. It falls back on the present coordinates where they cannot be found, which
// is so if the gradient is not finite.
func (q *soapSide) eigenvectors() {
	n := q.n
	clear(q.basis)
	for i := range n {
		q.basis[i*n+i] = 1
	}
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i + 1 {
			v := float64(q.mean[i*n+j])
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
			a.SetSym(i, j, v)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(a, true) {
		return
	}
	var v mat.Dense
	e.VectorsTo(&v)
	for i := range n {
		for j := range n {
			q.basis[i*n+j] = float32(v.At(i, n-1-j))
		}
	}
}

// follow makes a round of orthogonal iteration: the basis becomes the columns of
// mean*basis, made orthogonal in the order of falling eigenvalues. The mean squares
// v, [m][n], are put into the same order.
func (s *SOAP) follow(q *soapSide, v []float32, m, n, side int) {
	k := q.n
	s.gemm.NN(q.product, k, q.mean, k, q.basis, k, k, k, k, false)
	for j := range k {
		q.order[j], q.values[j] = j, 0
		for i := range k {
			q.values[j] += float64(q.basis[i*k+j]) * float64(q.product[i*k+j])
		}
		if math.IsNaN(q.values[j]) || math.IsInf(q.values[j], 0) {
			return
		}
	}
	slices.SortStableFunc(q.order, func(a, b int) int {
		switch {
		case q.values[a] > q.values[b]:
			return -1
		case q.values[a] < q.values[b]:
			return 1
		}
		return 0
	})
	if !slices.IsSorted(q.order) {
		q.moved = append(q.moved[:0], v...)
		for i := range m {
			for j := range n {
				if side == 0 {
					v[i*n+j] = q.moved[q.order[i]*n+j]
				} else {
					v[i*n+j] = q.moved[i*n+q.order[j]]
				}
			}
		}
	}
	for j, from := range q.order {
		u := q.columns[j]
		for i := range k {
			u[i] = float64(q.product[i*k+from])
		}
		if !orthogonalise(u, q.columns[:j]) {
			// The mean has no more directions: keep the old one, or any other.
			for i := range k {
				u[i] = float64(q.basis[i*k+from])
			}
			for e := 0; !orthogonalise(u, q.columns[:j]) && e < k; e++ {
				clear(u)
				u[e] = 1
			}
		}
	}
	for j, u := range q.columns {
		for i := range k {
			q.basis[i*k+j] = float32(u[i])
		}
	}
}

// orthogonalise makes u orthogonal to the given unit vectors and of unit length, and
// reports whether there was enough of it left for that.
func orthogonalise(u []float64, to [][]float64) bool {
	before := math.Sqrt(dot(u, u))
	for range 2 { // once more for the rounding of the first time
		for _, w := range to {
			p := dot(u, w)
			for i, v := range w {
				u[i] -= p * v
			}
		}
	}
	after := math.Sqrt(dot(u, u))
	if !(after > 1e-6*before) || after < 1e-150 {
		return false
	}
	for i := range u {
		u[i] /= after
	}
	return true
}

func dot(x, y []float64) float64 {
	var s float64
	for i, v := range x {
		s += v * y[i]
	}
	return s
}
