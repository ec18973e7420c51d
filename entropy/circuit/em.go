package circuit

import (
	"math"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// Expectation maximisation. Going up the tree, with A[z] the leaf's probability of the
// value at a node in its state z,
//
//	L[z] = A[z] * product over the children of U[z]    likelihood of all at and below it
//	U[y] = sum over z of T[y][z]*L[z]                  message to its parent, in state y
//
// Going down again, with R the same for all that is not below the node, and D for
// all that is not at or below it,
//
//	D[z] = sum over y of T[y][z]*R[y]
//	R[z] of a child = D[z]*A[z] * product over the other children of U[z]
//
// and R = 1/U at the root, the probability of state z given the whole vector (its
// flow) is D[z]*L[z], and the expected number of times the node goes from y to z is
// T[y][z]*R[y]*L[z].
//
// All nodes of one depth are independent, so they are what workers share; a node does
// a whole batch of vectors at a time, as products of matrices [states][batch], and
// adds up its counts in a fixed order: results do not depend on the workers.
//
// Numbers are kept in range by powers of two, one a vector and node, by which the
// node's message is to be multiplied. The parent puts those of its first two children
// into its A, the others are put into the message, and R, at once.

// An em holds the buffers of a batch.
type em struct {
	c        *Circuit
	children [][]int
	levels   [][]int // positions by depth
	rank     []int   // of each position among its siblings
	stride   int     // the largest batch
	n        int     // columns in use: the vectors, rounded up to laneGroup

	x       []uint16    // [position][stride]
	leaf    [][]float32 // A: [states][n]; after that R of the second child
	like    [][]float32 // L: [states][n], the same memory as A without children; after that R of the first child
	message [][]float32 // U: [states of the parent][n]
	outside [][]float32 // R: [states of the parent][n], the parent's memory but for the third child on
	scale   []float32   // [position][stride]: what U is to be multiplied by
	bits    []float64   // -log2 P of each vector

	ones    []float32
	workers []emWorker
	pool    *nn.Pool
}

type emWorker struct {
	gemm   kernels.Gemm
	down   []float32 // D: [states][n]
	inside []float32 // D*A: [states][n]
	temp   []float32 // [states][n]
	trans  []float32 // counts of transitions, [states of the parent][states]
	leaf   []float32 // counts of values, [states][Cats]
	sum    []float32 // [n]
}

// newEM returns buffers for batches of at most batch vectors.
func newEM(c *Circuit, batch int, pool *nn.Pool) *em {
	stride := (batch + laneGroup - 1) / laneGroup * laneGroup
	n := len(c.States)
	e := &em{
		c: c, stride: stride, pool: pool,
		children: make([][]int, n),
		rank:     make([]int, n),
		x:        make([]uint16, n*stride),
		leaf:     make([][]float32, n),
		like:     make([][]float32, n),
		message:  make([][]float32, n),
		outside:  make([][]float32, n),
		scale:    make([]float32, n*stride),
		bits:     make([]float64, stride),
		workers:  make([]emWorker, pool.Workers()),
	}
	for i, p := range c.Parent {
		if i > 0 {
			e.rank[i] = len(e.children[p])
			e.children[p] = append(e.children[p], i)
		}
	}
	most, mostTrans := 0, 0
	for i, d := range c.depths() {
		for len(e.levels) <= d {
			e.levels = append(e.levels, nil)
		}
		e.levels[d] = append(e.levels[d], i)
		size := c.States[i] * stride
		e.leaf[i] = make([]float32, size)
		e.like[i] = e.leaf[i]
		if len(e.children[i]) > 0 {
			e.like[i] = make([]float32, size)
		}
		e.message[i] = make([]float32, c.parentStates(i)*stride)
		switch {
		case i == 0 || e.rank[i] > 1:
			e.outside[i] = make([]float32, c.parentStates(i)*stride)
		case e.rank[i] == 0:
			e.outside[i] = e.like[c.Parent[i]]
		default:
			e.outside[i] = e.leaf[c.Parent[i]]
		}
		most, mostTrans = max(most, c.States[i]), max(mostTrans, len(c.Trans[i]))
	}
	e.ones = make([]float32, most)
	for z := range e.ones {
		e.ones[z] = 1
	}
	for w := range e.workers {
		e.workers[w] = emWorker{
			down:   make([]float32, most*stride),
			inside: make([]float32, most*stride),
			temp:   make([]float32, most*stride),
			trans:  make([]float32, mostTrans),
			leaf:   make([]float32, most*c.Cats),
			sum:    make([]float32, stride),
		}
	}
	return e
}

// up goes up with the vectors of d that rows names and sets bits. Columns past the
// last vector repeat it.
func (e *em) up(d *Dataset, rows []int) {
	e.n = (len(rows) + laneGroup - 1) / laneGroup * laneGroup
	for k := range e.n {
		x := d.Row(rows[min(k, len(rows)-1)])
		for i, v := range e.c.Order {
			e.x[i*e.stride+k] = x[v]
		}
	}
	for l := len(e.levels) - 1; l >= 0; l-- {
		level := e.levels[l]
		e.pool.Run(len(level), func(worker, k int) { e.upNode(&e.workers[worker], level[k]) })
	}
	clear(e.bits)
	for i := 1; i < len(e.c.States); i++ {
		for k, s := range e.scale[i*e.stride:][:e.n] {
			e.bits[k] += float64(int(math.Float32bits(s)>>23) - 127)
		}
	}
	for k, u := range e.message[0][:e.n] {
		e.bits[k] -= math.Log2(float64(u))
	}
}

func (e *em) upNode(w *emWorker, i int) {
	c, n := e.c, e.n
	states := c.States[i]
	children := e.children[i]
	// The scales of the first two children; the others' are in their messages.
	scale := e.ones[:0]
	if len(children) > 0 {
		scale = e.scale[children[0]*e.stride:][:n]
		if len(children) > 1 {
			copy(w.sum, scale)
			scale = w.sum[:n]
			for k, s := range e.scale[children[1]*e.stride:][:n] {
				scale[k] *= s
			}
		}
	}
	gather(e.leaf[i], c.Leaf[i], e.x[i*e.stride:][:n], scale, states, c.Cats)
	if len(children) > 0 {
		from := e.leaf[i][:states*n]
		for k, child := range children {
			// The last product is to be in like.
			to := e.like[i][:states*n]
			if (len(children)-1-k)%2 == 1 {
				to = w.temp[:states*n]
			}
			product(to, from, e.message[child][:states*n])
			from = to
		}
	}
	parents := c.parentStates(i)
	u := e.message[i][:parents*n]
	w.gemm.NN(u, n, c.Trans[i], states, e.like[i], n, parents, n, states, false)
	if i == 0 {
		return
	}
	w.gemm.NN(w.sum, n, e.ones, states, e.like[i], n, 1, n, states, false)
	s := e.scale[i*e.stride:][:n]
	for k, sum := range w.sum[:n] {
		// The mean is to be about 1, within a factor of the root of 2, so that even
		// the product of many messages is in range. Scales are within 2^-60..2^60,
		// so that two of them and a leaf are.
		mean := sum * (math.Sqrt2 / float32(states))
		exponent := min(max(math.Float32bits(mean)>>23, 67), 187)
		s[k] = math.Float32frombits((254 - exponent) << 23)
	}
	e.rescale(u, i, parents)
}

// product sets y[i] = a[i]*b[i].
func product(y, a, b []float32) {
	clear(y)
	kernels.MulAddF32(y, a, b)
}

// gather sets row z of dst, len(x) numbers, to the elements x of row z of table, which
// has cats columns, times scale unless that is empty.
func gather(dst, table []float32, x []uint16, scale []float32, rows, cats int) {
	n := len(x)
	z := 0
	for ; z+4 <= rows; z += 4 {
		t0, t1, t2, t3 := table[z*cats:][:cats], table[(z+1)*cats:][:cats], table[(z+2)*cats:][:cats], table[(z+3)*cats:][:cats]
		d0, d1, d2, d3 := dst[z*n:][:n], dst[(z+1)*n:][:n], dst[(z+2)*n:][:n], dst[(z+3)*n:][:n]
		if len(scale) == 0 {
			for k, v := range x {
				d0[k], d1[k], d2[k], d3[k] = t0[v], t1[v], t2[v], t3[v]
			}
			continue
		}
		s := scale[:n]
		for k, v := range x {
			f := s[k]
			d0[k], d1[k], d2[k], d3[k] = t0[v]*f, t1[v]*f, t2[v]*f, t3[v]*f
		}
	}
	for ; z < rows; z++ {
		t, d := table[z*cats:][:cats], dst[z*n:][:n]
		for k, v := range x {
			d[k] = t[v]
		}
		for k, f := range scale {
			d[k] *= f
		}
	}
}

// scatter adds row z of src, len(x) numbers, to the elements x of row z of table.
func scatter(table, src []float32, x []uint16, rows, cats int) {
	n := len(x)
	z := 0
	for ; z+4 <= rows; z += 4 {
		t0, t1, t2, t3 := table[z*cats:][:cats], table[(z+1)*cats:][:cats], table[(z+2)*cats:][:cats], table[(z+3)*cats:][:cats]
		d0, d1, d2, d3 := src[z*n:][:n], src[(z+1)*n:][:n], src[(z+2)*n:][:n], src[(z+3)*n:][:n]
		for k, v := range x {
			t0[v] += d0[k]
			t1[v] += d1[k]
			t2[v] += d2[k]
			t3[v] += d3[k]
		}
	}
	for ; z < rows; z++ {
		t, d := table[z*cats:][:cats], src[z*n:][:n]
		for k, v := range x {
			t[v] += d[k]
		}
	}
}

// down goes down after up, with the same vectors, and calls f for every node, each
// once, with the expected counts of its transitions, without the factor T, and of its
// values. f may change the node's parameters.
func (e *em) down(vectors int, f func(i int, trans, leaf []float32)) {
	for _, level := range e.levels {
		e.pool.Run(len(level), func(worker, k int) {
			w, i := &e.workers[worker], level[k]
			e.downNode(w, i, vectors)
			f(i, w.trans[:len(e.c.Trans[i])], w.leaf[:len(e.c.Leaf[i])])
		})
	}
}

func (e *em) downNode(w *emWorker, i, vectors int) {
	c, n := e.c, e.n
	states, parents := c.States[i], c.parentStates(i)
	r := e.outside[i][:parents*n]
	if i == 0 {
		for k, u := range e.message[0][:n] {
			r[k] = 0
			if u > 0 && k < vectors {
				r[k] = 1 / u
			}
		}
	}
	size := states * n
	w.gemm.NT(w.trans, states, r, n, e.like[i], n, parents, states, n, false)
	down := w.down[:size]
	w.gemm.TN(down, n, c.Trans[i], states, r, n, states, n, parents, false)
	flow := w.temp[:size]
	product(flow, down, e.like[i][:size])
	clear(w.leaf[:states*c.Cats])
	scatter(w.leaf, flow, e.x[i*e.stride:][:n], states, c.Cats)

	children := e.children[i]
	if len(children) == 0 {
		return
	}
	inside := w.inside[:size]
	if len(children) == 1 {
		inside = e.outside[children[0]][:size]
	}
	product(inside, down, e.leaf[i][:size])
	if len(children) == 1 {
		return
	}
	for _, child := range children {
		from, left := inside, len(children)-1
		for _, other := range children {
			if other == child {
				continue
			}
			left--
			to := e.outside[child][:size]
			if left%2 == 1 {
				to = flow
			}
			product(to, from, e.message[other][:size])
			from = to
		}
		e.rescale(e.outside[child], child, states)
	}
}

// rescale multiplies rows of x by the scale of position i if that is not in the
// parent's A.
func (e *em) rescale(x []float32, i, rows int) {
	if e.rank[i] < 2 {
		return
	}
	for y := range rows {
		row := x[y*e.n:][:e.n]
		for k, s := range e.scale[i*e.stride:][:e.n] {
			row[k] *= s
		}
	}
}
