package vq

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"gonum.org/v1/gonum/mat"
)

// MaxOPQDim is the largest dimension of an [OPQ]: its training takes time in
// proportion to the cube.
const MaxOPQDim = 2048

// An OPQ is a product quantiser of rotated vectors (Ge, He, Ke and Sun, "Optimized
// Product Quantization", 2014): an orthogonal matrix, learned with the codebooks, turns
// a vector before [PQ], so that the parts are less dependent and equally hard. Codes and
// bits a dimension are those of PQ; encoding and decoding cost d² multiplications a
// vector more.
type OPQ struct {
	pq *PQ
	// rotation is R, [d][d]: y = R x is what pq quantises, x = Rᵀ y.
	rotation, transposed []float32
}

func init() { register("opq", readOPQ) }

// OPQOptions are the options of [TrainOPQ].
type OPQOptions struct {
	KMeansOptions     // of the product quantisers
	Rounds        int // of turning and moving words, 0 or more. Default 20
}

// DefaultOPQOptions returns what nil options mean.
func DefaultOPQOptions() OPQOptions { return OPQOptions{DefaultKMeansOptions(), 20} }

// TrainOPQ finds a rotation and m codebooks of k words for the vectors x, [n][d], n >= k
// and d at most [MaxOPQDim].
//
// Two starts are tried, and the better of the results on x taken: no rotation, and the
// principal axes dealt out to the parts so that the products of their variances are
// alike (the paper's parametric solution). From each, the rotation that is best for the
// codes (orthogonal Procrustes, by a singular value decomposition) and a round of
// k-means alternate. Neither increases the error, so the result is never worse on x
// than [TrainPQ] with the same options. Weights are not taken.
func TrainOPQ(x []float32, d, m, k int, o *OPQOptions) (*OPQ, error) {
	opt := DefaultOPQOptions()
	if o != nil {
		opt = *o
	}
	km, err := checkTrainer(x, d, k, &opt.KMeansOptions)
	if err != nil {
		return nil, err
	}
	if err := checkParts(d, m); err != nil {
		return nil, err
	}
	if d > MaxOPQDim || opt.Rounds < 0 || opt.Weights != nil {
		return nil, fmt.Errorf("%w: dimension %d, %d rounds", ErrOptions, d, opt.Rounds)
	}
	var best *OPQ
	least := math.Inf(1)
	for _, start := range []func() ([]float32, error){
		func() ([]float32, error) { return identity(d), nil },
		func() ([]float32, error) { return balancedAxes(x, d, m) },
	} {
		rotation, err := start()
		if err != nil {
			return nil, err
		}
		y := make([]float32, len(x))
		rotateRows(km, y, x, rotation, d)
		q := newOPQ(trainPQ(y, d, m, k, km), rotation)
		if e := q.squaredErrors(km, x); e < least {
			best, least = q, e
		}
		for range opt.Rounds {
			if q, err = q.improve(km, x); err != nil {
				return nil, err
			}
			if e := q.squaredErrors(km, x); e < least {
				best, least = q, e
			}
		}
	}
	return best, nil
}

func identity(d int) []float32 {
	r := make([]float32, d*d)
	for i := range d {
		r[i*d+i] = 1
	}
	return r
}

// balancedAxes returns the principal axes of x as rows, those of the largest variance
// first, each given to the part with the smallest product of variances that has room.
func balancedAxes(x []float32, d, m int) ([]float32, error) {
	n := len(x) / d
	mean := make([]float64, d)
	for i, v := range x {
		mean[i%d] += float64(v) / float64(n)
	}
	cov := mat.NewSymDense(d, nil)
	centred := slices.Clone(x)
	for i := range centred {
		centred[i] -= float32(mean[i%d])
	}
	prod := make([]float32, d*d)
	outer(prod, centred, centred, d)
	for i := range d {
		for j := i; j < d; j++ {
			cov.SetSym(i, j, float64(prod[i*d+j])/float64(n))
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(cov, true) {
		return nil, fmt.Errorf("%w: principal axes not found", ErrTraining)
	}
	var vectors mat.Dense
	eig.VectorsTo(&vectors)
	values := eig.Values(nil) // ascending
	starts := parts(d, m)
	logs, used := make([]float64, m), make([]int, m)
	rotation := make([]float32, d*d)
	floor := max(values[d-1], 0)*1e-9 + 1e-300
	for a := d - 1; a >= 0; a-- {
		to := -1
		for p := range m {
			if used[p] < starts[p+1]-starts[p] && (to < 0 || logs[p] < logs[to]) {
				to = p
			}
		}
		row := rotation[(starts[to]+used[to])*d:][:d]
		for i := range row {
			row[i] = float32(vectors.At(i, a))
		}
		// In units of the smallest variance, so that a part with more is ahead.
		logs[to] += math.Log(max(values[a], floor) / floor)
		used[to]++
	}
	return rotation, nil
}

// outer adds to c, [d][d], the sum over rows of x and y, [n][d], of the outer products.
func outer(c, x, y []float32, d int) {
	var g kernels.Gemm
	const rows = 1 << 12
	for at := 0; at < len(x); at += rows * d {
		n := min(rows, (len(x)-at)/d)
		g.TN(c, d, x[at:], d, y[at:], d, d, d, n, true)
	}
}

// rotateRows sets y to the rows of x turned.
func rotateRows(o KMeansOptions, y, x, rotation []float32, d int) {
	t := make([]float32, d*d)
	kernels.TransposeF32(t, d, rotation, d, d, d)
	pieces(o.Pool, len(x)/d, func(from, to int) {
		var g kernels.Gemm
		g.NN(y[from*d:], d, x[from*d:], d, t, d, to-from, d, d, false)
	})
}

func newOPQ(pq *PQ, rotation []float32) *OPQ {
	d := pq.d
	q := &OPQ{pq: pq, rotation: rotation, transposed: make([]float32, d*d)}
	kernels.TransposeF32(q.transposed, d, rotation, d, d, d)
	return q
}

// squaredErrors returns the sum over x.
func (q *OPQ) squaredErrors(o KMeansOptions, x []float32) float64 {
	d, m := q.Dim(), len(q.pq.books)
	n := len(x) / d
	sums := make([]float64, (n+piece-1)/piece)
	pieces(o.Pool, n, func(from, to int) {
		codes, y := make([]uint32, (to-from)*m), make([]float32, (to-from)*d)
		q.Encode(codes, x[from*d:to*d])
		q.Decode(y, codes)
		sums[from/piece] = squaredError(x[from*d:to*d], y)
	})
	var s float64
	for _, v := range sums {
		s += v
	}
	return s
}

// improve returns the quantiser with the rotation that is best for the codes of x, and
// each word moved to the mean of its turned parts of vectors.
func (q *OPQ) improve(o KMeansOptions, x []float32) (*OPQ, error) {
	d, m := q.Dim(), len(q.pq.books)
	n := len(x) / d
	codes := make([]uint32, n*m)
	EncodePool(o.Pool, q, codes, x)
	y := make([]float32, len(x))
	q.pq.Decode(y, codes)
	// The largest trace of R·Σ x yᵀ is at R = V Uᵀ, for Σ x yᵀ = U S Vᵀ.
	prod := make([]float32, d*d)
	outer(prod, x, y, d)
	wide := make([]float64, d*d)
	for i, v := range prod {
		wide[i] = float64(v)
	}
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(d, d, wide), mat.SVDFull) {
		return nil, fmt.Errorf("%w: no singular value decomposition", ErrTraining)
	}
	var u, v, r mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	r.Mul(&v, u.T())
	rotation := make([]float32, d*d)
	for i := range d {
		for j := range d {
			rotation[i*d+j] = float32(r.At(i, j))
		}
	}
	rotateRows(o, y, x, rotation, d)
	starts := q.pq.starts
	books := make([]*Codebook, m)
	for i, b := range q.pq.books {
		l := newLloyd(columns(y, d, starts[i], starts[i+1]), b.d, b.k, o)
		l.words = slices.Clone(b.words)
		l.assign()
		l.move()
		books[i] = newCodebook(l.words, b.d, Euclidean)
	}
	return newOPQ(newPQ(books), rotation), nil
}

// Dim returns the elements of a vector, d.
func (q *OPQ) Dim() int { return q.pq.d }

// Sizes returns the words of each of the M codebooks.
func (q *OPQ) Sizes() []int { return q.pq.sizes }

// Rotation returns R, [d][d], which must not be changed.
func (q *OPQ) Rotation() []float32 { return q.rotation }

// PQ returns the quantiser of turned vectors.
func (q *OPQ) PQ() *PQ { return q.pq }

// Encode implements [Quantiser].
func (q *OPQ) Encode(codes []uint32, x []float32) {
	d, n := q.Dim(), checkRows(q, codes, x)
	m := len(q.pq.books)
	y := make([]float32, min(n, encodeRows)*d)
	var g kernels.Gemm
	for from := 0; from < n; from += encodeRows {
		to := min(from+encodeRows, n)
		g.NN(y, d, x[from*d:], d, q.transposed, d, to-from, d, d, false)
		q.pq.Encode(codes[from*m:to*m], y[:(to-from)*d])
	}
}

// Decode implements [Quantiser].
func (q *OPQ) Decode(x []float32, codes []uint32) {
	d, n := q.Dim(), checkRows(q, codes, x)
	m := len(q.pq.books)
	const rows = 192
	y, t := make([]float32, rows*d), make([]float32, 2*rows*d)
	off, zero := make([]int, d), make([]float32, d)
	for i := range off {
		off[i] = i * rows
	}
	for from := 0; from < n; from += rows {
		k := min(rows, n-from)
		q.pq.Decode(y[:k*d], codes[from*m:(from+k)*m])
		in, out := t[:rows*d], t[rows*d:]
		kernels.TransposeF32(in, rows, y, d, k, d)
		kernels.RowsF32(out, rows, q.transposed, zero, in, off, d, k, false)
		kernels.TransposeF32(x[from*d:], d, out, rows, d, k)
	}
}

// MarshalBinary implements [Quantiser].
func (q *OPQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *OPQ) kind() string { return "opq" }

func (q *OPQ) write(w *writer) {
	w.books(q.pq.books)
	w.floats(q.rotation)
}

func readOPQ(r *reader) (Quantiser, error) {
	books := r.books(MaxOPQDim, 0)
	if r.err != nil {
		return nil, r.err
	}
	pq := newPQ(books)
	if pq.d > MaxOPQDim {
		r.fail("dimension %d", pq.d)
	}
	rotation := r.floats("rotation", pq.d, pq.d)
	for _, v := range rotation {
		if v < -2 || v > 2 {
			r.fail("a rotation with an element of %g", v)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return newOPQ(pq, rotation), nil
}
