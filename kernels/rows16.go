package kernels

import "math"

// Networks that decoders run at every position of a picture, in 16-bit fixed point:
// activations are rows, [positions][channels], so that what a position's layer takes lies
// together. Every product of a layer is summed up in 32 bits; an epilogue brings the sums
// back to 16 bits with a factor for each output.

// A PanelsI16 is the weights of a linear layer in 16-bit fixed point, packed for the tier
// that is in use when it is made. It may be used by several goroutines at a time.
type PanelsI16 struct {
	// w holds strips of outputs, twice the 32-bit lanes of a vector, which are [pairs of
	// inputs][even, odd outputs][lanes][2]; those past the last input or output are zero.
	// At Generic it is row-major, [out][in].
	w       []int16
	out, in int
	level   Level
}

// NewPanelsI16 packs the weights w, row-major, [out][in]. It panics if they do not fit.
func NewPanelsI16(w []int16, out, in int) *PanelsI16 {
	if out < 1 || in < 1 || len(w)/in < out {
		panic("kernels: NewPanelsI16: arguments do not fit")
	}
	p := &PanelsI16{out: out, in: in, level: tier}
	if p.level == Generic {
		p.w = append([]int16(nil), w[:out*in]...)
		return p
	}
	strip, pairs := p.strip(), p.pairs()
	p.w = make([]int16, (out+strip-1)/strip*strip*pairs*2)
	for o := range out {
		for i, v := range w[o*in : o*in+in] {
			p.w[((o/strip*pairs+i/2)*strip+evenFirst(o%strip, strip))*2+i%2] = v
		}
	}
	return p
}

// Dims returns the outputs and inputs of the layer.
func (p *PanelsI16) Dims() (out, in int) { return p.out, p.in }

// strip returns the outputs of a strip, and pairs the pairs of inputs.
func (p *PanelsI16) strip() int { return 2 * p.level.lanes32() }
func (p *PanelsI16) pairs() int { return (p.in + 1) / 2 }

// evenFirst returns the place of element i of n where the even ones come first.
func evenFirst(i, n int) int { return i/2 + i%2*(n/2) }

// An EpilogueI16 says what [PanelsI16.Rows] does with its sums.
type EpilogueI16 struct {
	Bias []int32 // added to the sums, for each output
	Mul  []int32 // the factors, for each output, in units of 2^-32
	// Add, if it is not nil, is added to the results: rows of int16s, LdAdd apart. It
	// may be the results themselves, from the same element on and with the same
	// distance, and overlaps them no other way.
	Add   []int16
	LdAdd int
	ReLU  bool // the least result is 0, not -32768
}

// Rows evaluates the layer on rows of inputs; row r starts at x[r*ldx] and y[r*ldy]:
//
//	s = e.Bias[o] + sum over i of w[o][i]*x[r*ldx+i]
//	v = (int64(s)*int64(e.Mul[o]) + 1<<31) >> 32
//	v += e.Add[r*e.LdAdd+o], if there is such
//	y[r*ldy+o] = clamp(v, -32768 or 0, 32767)
//
// s is summed up in 32 bits and wraps: the caller sees to it that it does not. y does not
// overlap x. Rows panics if the arguments do not fit.
func (p *PanelsI16) Rows(y []int16, ldy int, x []int16, ldx, rows int, e *EpilogueI16) {
	p.check("Rows", len(y), ldy, x, ldx, rows)
	if len(e.Bias) < p.out || len(e.Mul) < p.out || e.Add != nil && !holdsRows(len(e.Add), e.LdAdd, rows, p.out) {
		panic("kernels: PanelsI16.Rows: the epilogue does not fit")
	}
	if rows > 0 {
		p.rows(y, ldy, x, ldx, rows, e)
	}
}

// Sums evaluates the layer on rows of inputs and leaves the sums as they are:
//
//	y[r*ldy+o] = bias[o] + sum over i of w[o][i]*x[r*ldx+i]
//
// bias may be nil for none. It is otherwise like [PanelsI16.Rows].
func (p *PanelsI16) Sums(y []int32, ldy int, x []int16, ldx, rows int, bias []int32) {
	p.check("Sums", len(y), ldy, x, ldx, rows)
	if bias != nil && len(bias) < p.out {
		panic("kernels: PanelsI16.Sums: biases do not fit")
	}
	if rows > 0 {
		p.sums(y, ldy, x, ldx, rows, bias)
	}
}

func (p *PanelsI16) check(name string, y, ldy int, x []int16, ldx, rows int) {
	if rows < 0 || !holdsRows(y, ldy, rows, p.out) || !holdsRows(len(x), ldx, rows, p.in) {
		panic("kernels: PanelsI16." + name + ": arguments do not fit")
	}
}

// holdsRows reports whether n elements hold rows of the given width, ld apart.
func holdsRows(n, ld, rows, width int) bool {
	return rows == 0 || ld >= width && n >= width && (n-width)/ld >= rows-1
}

func (p *PanelsI16) rowsGeneric(y []int16, ldy int, x []int16, ldx, rows int, e *EpilogueI16) {
	least := e.least()
	for r := range rows {
		in, d := x[r*ldx:][:p.in], y[r*ldy:][:p.out]
		for o := 0; o < p.out; o += 4 {
			for k, s := range p.dots4(in, o) {
				if o+k == p.out {
					break
				}
				v := rescaleI16(e.Bias[o+k]+s, e.Mul[o+k])
				if e.Add != nil {
					v += int32(e.Add[r*e.LdAdd+o+k])
				}
				d[o+k] = int16(min(max(v, least), math.MaxInt16))
			}
		}
	}
}

func (e *EpilogueI16) least() int32 {
	if e.ReLU {
		return 0
	}
	return math.MinInt16
}

// lanes32 returns the 32-bit lanes of a vector.
func (l Level) lanes32() int {
	switch l {
	case AVX512:
		return 16
	case AVX2:
		return 8
	}
	return 1
}

// rescaleI16 multiplies by mul/2^32 and rounds to the nearest, halves up.
func rescaleI16(sum, mul int32) int32 { return int32((int64(sum)*int64(mul) + 1<<31) >> 32) }

func (p *PanelsI16) sumsGeneric(y []int32, ldy int, x []int16, ldx, rows int, bias []int32) {
	for r := range rows {
		in, d := x[r*ldx:][:p.in], y[r*ldy:][:p.out]
		for o := 0; o < p.out; o += 4 {
			s := p.dots4(in, o)
			copy(d[o:], s[:])
		}
		if bias != nil {
			for o, b := range bias[:p.out] {
				d[o] += b
			}
		}
	}
}

// dots4 returns the products of x with the weights of outputs o to o+3, or those of them
// that there are.
func (p *PanelsI16) dots4(x []int16, o int) (s [4]int32) {
	n := len(x)
	if o+4 > p.out {
		for k := range p.out - o {
			for i, v := range p.w[(o+k)*n:][:n] {
				s[k] += int32(v) * int32(x[i])
			}
		}
		return s
	}
	w0, w1, w2, w3 := p.w[o*n:][:n], p.w[(o+1)*n:][:n], p.w[(o+2)*n:][:n], p.w[(o+3)*n:][:n]
	var s0, s1, s2, s3 int32
	for i, v := range x {
		v := int32(v)
		s0 += int32(w0[i]) * v
		s1 += int32(w1[i]) * v
		s2 += int32(w2[i]) * v
		s3 += int32(w3[i]) * v
	}
	return [4]int32{s0, s1, s2, s3}
}

// DotLoopI16 runs n rounds of independent dot products of pairs of int16s in registers,
// in the tier in use, and returns how many multiplications and additions those were. Its
// speed is the peak that benchmarks compare kernels with, as that of [FMALoop] is for
// float32. At Generic it is a plain loop, which is no bound.
func DotLoopI16(n int) (ops int) { return dotLoopI16(n) }

func dotLoopI16Generic(n int) (ops int) {
	var s [8]int32
	v := int16(min(n, 0)) // zero, which the compiler does not know
	for range n {
		for i := range s {
			s[i] += int32(v) * int32(v)
		}
	}
	if s[0] != 0 {
		panic("kernels: zero is not zero")
	}
	return n * len(s) * 2
}
