package kernels

// A linear layer over many positions, a convolution and a matrix product are
// one loop: each output row is a combination of input rows,
//
//	y[i][t] = b[i] + w[i][0]*x[off[0]+t] + ... + w[i][k-1]*x[off[k-1]+t]
//
// where off says where each input row starts. Rows a fixed stride apart make a
// matrix product or a 1x1 convolution; rows that are shifts of each other
// inside a padded plane make a k x k convolution, without copies. The assembly
// keeps a tile of outputs in registers, up to 8 rows by 3 vectors, and goes
// through all k inputs before it stores it.

// Panels is an m x k matrix of weights with m biases, packed for the tier that
// was in use when it was packed. The zero value is empty; it may be packed
// again and again and allocates only to grow. Once packed it may be applied by
// several goroutines at a time.
type Panels struct {
	level Level
	m, k  int
	w     []float32 // blocks of rows, each [k][rows of the block]
	bias  []float32 // [m]
}

// Dims returns the rows and columns of the matrix packed last.
func (p *Panels) Dims() (m, k int) { return p.m, p.k }

// Pack packs the row-major matrix w[i*ldw+j], i < m, j < k, with one bias for
// each row; no bias means zeros. It panics if the arguments do not fit or m or k
// is not positive.
func (p *Panels) Pack(w []float32, m, k, ldw int, bias []float32) {
	checkMatrix("Pack", w, m, k, ldw)
	p.resize(m, k, bias)
	rows := p.level.combRows()
	for i, b := 0, 0; i < m; b++ {
		mr := blockSize(m, rows, b)
		d := p.w[i*k:][:mr*k]
		r := 0
		for ; r+4 <= mr; r += 4 {
			w0, w1 := w[(i+r)*ldw:][:k], w[(i+r+1)*ldw:][:k]
			w2, w3 := w[(i+r+2)*ldw:][:k], w[(i+r+3)*ldw:][:k]
			at := r
			for j, v := range w0 {
				q := d[at : at+4 : at+4]
				q[0], q[1], q[2], q[3] = v, w1[j], w2[j], w3[j]
				at += mr
			}
		}
		for ; r < mr; r++ {
			at := r
			for _, v := range w[(i+r)*ldw:][:k] {
				d[at] = v
				at += mr
			}
		}
		i += mr
	}
}

// PackT packs the transpose of the row-major matrix w[j*ldw+i], j < k, i < m;
// otherwise it is like [Panels.Pack].
func (p *Panels) PackT(w []float32, m, k, ldw int, bias []float32) {
	checkMatrix("PackT", w, k, m, ldw)
	p.resize(m, k, bias)
	rows := p.level.combRows()
	for i, b := 0, 0; i < m; b++ {
		mr := blockSize(m, rows, b)
		d := p.w[i*k:][:mr*k]
		for j := range k {
			copy(d[j*mr:][:mr], w[j*ldw+i:])
		}
		i += mr
	}
}

func (p *Panels) resize(m, k int, bias []float32) {
	if bias != nil && len(bias) < m {
		panic("kernels: Panels: too few biases")
	}
	p.level, p.m, p.k = tier, m, k
	if cap(p.w) < m*k {
		p.w = make([]float32, m*k)
	}
	p.w = p.w[:m*k]
	if cap(p.bias) < m {
		p.bias = make([]float32, m)
	}
	p.bias = p.bias[:m]
	if clear(p.bias); bias != nil {
		copy(p.bias, bias)
	}
}

// combRows is the largest number of rows that one tile has.
func (l Level) combRows() int { return [...]int{Generic: 4, AVX2: 6, AVX512: 8}[l] }

// blockSize returns the size of block b of the fewest nearly equal blocks of at
// most most that n divides into.
func blockSize(n, most, b int) int {
	blocks := (n + most - 1) / most
	size := n / blocks
	if b < n%blocks {
		size++
	}
	return size
}

func checkMatrix(name string, w []float32, m, k, ldw int) {
	if m < 1 || k < 1 || ldw < k || (m-1)*ldw+k > len(w) {
		panic("kernels: " + name + ": matrix of bad size")
	}
}

// An Epilogue is what [Panels.Apply] does with each sum v before it stores it,
// in this order. The zero value stores it as it is.
type Epilogue struct {
	Add        bool      // v += y, what was there before
	Act        bool      // v = max(v, Slope*v): ReLU, or leaky ReLU for 0 < Slope < 1
	Gate       []float32 // where Gate is not above 0, v *= Slope: the gradient of Act, Gate being its output
	GateStride int       // of the rows of Gate
	Slope      float32   // in [0, 1)
}

const (
	flagAdd = 1 << iota
	flagAct
	flagGate
	flagReLU // what flagAct does with a slope of 0
)

// Apply computes, for i < m and t < n,
//
//	y[i*ldy+t] = f(bias[i] + sum over j < k of w[i][j]*x[off[j]+t])
//
// f being the epilogue. The products are added in the order of j, the bias
// first, fused or not as the tier likes; an output does not depend on how n is
// divided into calls. The rows of y must not overlap those of x; Gate may be the
// same memory as y where the strides agree. Apply panics if the arguments do not
// fit.
func (p *Panels) Apply(y []float32, ldy int, x []float32, off []int, n int, e Epilogue) {
	if n == 0 {
		return
	}
	if n < 0 || p.m == 0 || len(off) != p.k || ldy < n && p.m > 1 || (p.m-1)*ldy+n > len(y) {
		panic("kernels: Apply: arguments of bad size")
	}
	lo, hi := off[0], off[0]
	for _, o := range off {
		lo, hi = min(lo, o), max(hi, o)
	}
	if lo < 0 || hi+n > len(x) {
		panic("kernels: Apply: input rows outside x")
	}
	flags := 0
	if e.Add {
		flags |= flagAdd
	}
	switch {
	case e.Act && e.Slope == 0:
		flags |= flagReLU
	case e.Act:
		flags |= flagAct
	}
	if e.Gate != nil {
		flags |= flagGate
		if e.GateStride < n && p.m > 1 || (p.m-1)*e.GateStride+n > len(e.Gate) {
			panic("kernels: Apply: gate of bad size")
		}
	} else {
		e.Gate, e.GateStride = y, ldy
	}
	if !(e.Slope >= 0 && e.Slope < 1) {
		panic("kernels: Apply: slope outside [0, 1)")
	}
	// Strips of columns whose inputs stay in the first-level cache while all
	// blocks of rows use them; a single block has no second use, but a call must
	// stay short.
	rows := p.level.combRows()
	blocks := (p.m + rows - 1) / rows
	strip := 6144 / p.k
	if blocks == 1 {
		strip = 1 << 21 / (p.k * p.m)
	}
	strips := n/max(strip, 96) + 1
	strip = ((n+strips-1)/strips + 47) / 48 * 48
	size, larger := p.m/blocks, p.m%blocks
	c := combArgs{k: p.k, off: off, ldy: ldy, ldg: e.GateStride, flags: flags, slope: e.Slope}
	for t := 0; t < n; t += strip {
		c.n = min(strip, n-t)
		c.x = x[t:]
		for i, b := 0, 0; b < blocks; b++ {
			mr := size
			if b < larger {
				mr++
			}
			c.w, c.bias = p.w[i*p.k:], p.bias[i:]
			c.y, c.gate = y[i*ldy+t:], e.Gate[i*e.GateStride+t:]
			if p.level == Generic {
				c.generic(mr)
			} else {
				c.call(p.level, mr)
			}
			i += mr
		}
	}
}

// combArgs is one block of rows by one strip of columns.
type combArgs struct {
	k       int
	w, bias []float32
	x       []float32
	off     []int
	y       []float32
	ldy     int
	gate    []float32
	ldg     int
	n       int
	flags   int
	slope   float32
}

// generic is the specification of what the assembly computes.
func (c *combArgs) generic(mr int) {
	var row [512]float32
	for t := 0; t < c.n; t += len(row) {
		n := min(len(row), c.n-t)
		for i := range mr {
			acc := row[:n]
			for j := range acc {
				acc[j] = c.bias[i]
			}
			for k, o := range c.off {
				w := c.w[k*mr+i]
				x := c.x[o+t:][:len(acc)]
				for j, v := range x {
					acc[j] += w * v
				}
			}
			y := c.y[i*c.ldy+t:][:len(acc)]
			if c.flags&flagAdd != 0 {
				for j, v := range y {
					acc[j] += v
				}
			}
			if c.flags&flagReLU != 0 {
				for j, v := range acc {
					acc[j] = max(v, 0)
				}
			}
			if c.flags&flagAct != 0 {
				for j, v := range acc {
					acc[j] = max(v, c.slope*v)
				}
			}
			if c.flags&flagGate != 0 {
				for j, g := range c.gate[i*c.ldg+t:][:len(acc)] {
					if !(g > 0) {
						acc[j] *= c.slope
					}
				}
			}
			copy(y, acc)
		}
	}
}
