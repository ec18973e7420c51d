package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tables returns what forwardI16 needs of constants: a half in each pair of lanes, and
// what picks the high lanes of the pairs of two vectors.
func tables() (half, high operand.Mem) {
	half = GLOBL("half", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(1-i%2)<<31)
	}
	high = GLOBL("high", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(i|1+i%2*16))
	}
	return half, high
}

// loadInts loads a vector of integers.
func (s isa) loadInts(m operand.Mem, v reg.VecVirtual) {
	if s.wide() {
		VMOVDQU32(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

// dot adds to acc the products of pairs of words, those of v and of w.
func (s isa) dot(w operand.Op, v, acc reg.VecVirtual) {
	if s.wide() {
		VPDPWSSD(w, v, acc)
		return
	}
	t := s.vec()
	VPMADDWD(w, v, t)
	VPADDD(t, acc, acc)
}

// hasAbove and hasBelow say that there are rows above and below the one at x.
const (
	hasAbove = 4
	hasBelow = 8
)

// forwardI16 writes a piece of a row of outputs, n positions of which vecs vectors of
// channels are taken; x is the same piece of the row of inputs, row elements from the
// ones above and below. w are the weights, [9][c], and p for each vector its biases and
// factors, [bias, factor][lo, hi][lanes], with a lane behind the last: lo are channels 0
// to 3 of each 8, hi are channels 4 to 7, as words unpack.
//
// Words of two rows, side by side, are multiplied by pairs of weights and summed up in 32
// bits: the row above goes with the one at x, and the row below with zeros. It is
// otherwise like forwardF32.
func forwardI16(s isa, half, high operand.Mem) {
	TEXT("depthwiseI16"+s.name, NOSPLIT, "func(y, x, w *int16, p *int32, n, row, c, vecs, edges int)")
	Pragma("noescape")
	y, x := Load(Param("y"), GP64()), Load(Param("x"), GP64())
	w, p := Load(Param("w"), GP64()), Load(Param("p"), GP64())
	vecs := Load(Param("vecs"), GP64())
	column := Load(Param("c"), GP64())
	SHLQ(operand.U8(1), column)
	above, below := GP64(), Load(Param("row"), GP64())
	SHLQ(operand.U8(1), below)
	MOVQ(below, above)
	NEGQ(above)
	twoBelow := GP64() // the row that the next call will need besides
	LEAQ(operand.Mem{Base: below, Index: below, Scale: 1}, twoBelow)
	// A row that is not there is the one at x, with weights of zero.
	none := GP64()
	XORQ(none, none)
	edges := Load(Param("edges"), GP64())
	TESTQ(operand.U32(hasAbove), edges)
	CMOVQEQ(none, above)
	TESTQ(operand.U32(hasBelow), edges)
	CMOVQEQ(none, below)
	var local operand.Mem
	if !s.wide() {
		local = AllocLocal(12 * s.bytes())
	}

	Label("vector")
	zero := s.vec()
	s.zero(zero)
	unpack := [2]func(ops ...operand.Op){VPUNPCKLWD, VPUNPCKHWD}
	var weights [2][3][2]operand.Op // [above and at, below][column][lo, hi]
	wp := copyOf(w)
	load := func() (v [3]reg.VecVirtual) {
		for d := range v {
			v[d] = s.vec()
			s.loadInts(operand.Mem{Base: wp}, v[d])
			ADDQ(column, wp)
		}
		return v
	}
	clearUnless := func(edge int, v [3]reg.VecVirtual) {
		there := fmt.Sprintf("there%d", edge)
		TESTQ(operand.U32(edge), edges)
		JNZ(ref(there))
		for _, v := range v {
			s.zero(v)
		}
		Label(there)
	}
	pair := func(i int, even, odd [3]reg.VecVirtual) {
		for d := range 3 {
			for part := range 2 {
				v := s.vec()
				unpack[part](odd[d], even[d], v)
				weights[i][d][part] = v
				if !s.wide() {
					m := local.Offset(((i*3+d)*2 + part) * s.bytes())
					VMOVDQU(v, m)
					weights[i][d][part] = m
				}
			}
		}
	}
	top := load()
	clearUnless(hasAbove, top)
	pair(0, top, load())
	bottom := load()
	clearUnless(hasBelow, bottom)
	pair(1, bottom, [3]reg.VecVirtual{zero, zero, zero})

	yp, xp := copyOf(y), copyOf(x)
	var acc [3][2]reg.VecVirtual
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = s.vec()
		}
	}
	param := func(i int) operand.Mem { return operand.Mem{Base: p, Disp: i * s.bytes()} }
	start := func(a [2]reg.VecVirtual) {
		for j, v := range a {
			s.loadInts(param(j), v)
		}
	}
	// add adds the current column to the outputs before, at and after it, from the first
	// that is there to the last, and goes to the next column.
	const before, at, after = 0, 1, 2
	add := func(out [3][2]reg.VecVirtual, first, last int) {
		for i, r := range [2][2]operand.Mem{
			{{Base: xp, Index: above, Scale: 1}, {Base: xp}},
			{{Base: xp, Index: below, Scale: 1}},
		} {
			even, odd := s.vec(), zero
			s.loadInts(r[0], even)
			if i == 0 {
				odd = s.vec()
				s.loadInts(r[1], odd)
			}
			for part := range 2 {
				v := s.vec()
				unpack[part](odd, even, v)
				for o := first; o <= last; o++ {
					s.dot(weights[i][2-o][part], v, out[o][part])
				}
			}
		}
		ADDQ(column, xp)
	}
	round, pick := s.vec(), s.vec()
	s.loadInts(half, round)
	if s.wide() {
		s.loadInts(high, pick)
	}
	rescale := func(v reg.VecVirtual, factor operand.Mem) reg.VecVirtual {
		// Products of the even lanes and, shifted down, of the odd lanes.
		even := s.vec()
		VPMULDQ(factor, v, even)
		VPSRLQ(operand.U8(32), v, v)
		VPMULDQ(factor.Offset(4), v, v)
		VPADDQ(round, even, even)
		VPADDQ(round, v, v)
		if s.wide() {
			VPERMT2D(v, pick, even)
		} else {
			VPSRLQ(operand.U8(32), even, even)
			VPBLENDD(operand.U8(0xaa), v, even, even)
		}
		return even
	}
	store := func(a [2]reg.VecVirtual) {
		lo, hi := rescale(a[0], param(2)), rescale(a[1], param(3))
		VPACKSSDW(hi, lo, lo)
		if s.wide() {
			VMOVDQU32(lo, operand.Mem{Base: yp})
		} else {
			VMOVDQU(lo, operand.Mem{Base: yp})
		}
		ADDQ(column, yp)
	}

	start(acc[0])
	skipUnless(hasLeft, "first")
	SUBQ(column, xp)
	add([3][2]reg.VecVirtual{after: acc[0]}, after, after)
	Label("first")
	start(acc[1])
	add([3][2]reg.VecVirtual{at: acc[0], after: acc[1]}, at, after)
	left := Load(Param("n"), GP64())
	Label("column")
	for i := range 3 {
		DECQ(left)
		JZ(ref(fmt.Sprintf("last%d", i)))
		start(acc[(i+2)%3])
		PREFETCHT0(operand.Mem{Base: xp, Index: twoBelow, Scale: 1})
		add([3][2]reg.VecVirtual{acc[i], acc[(i+1)%3], acc[(i+2)%3]}, before, after)
		store(acc[i])
	}
	JMP(ref("column"))
	for i := range 3 {
		Label(fmt.Sprintf("last%d", i))
		alone := fmt.Sprintf("alone%d", i)
		skipUnless(hasRight, alone)
		add([3][2]reg.VecVirtual{before: acc[i]}, before, before)
		Label(alone)
		store(acc[i])
		if i < 2 {
			JMP(ref("next"))
		}
	}
	Label("next")
	for _, r := range []reg.Register{y, x, w} {
		ADDQ(operand.I8(s.bytes()), r)
	}
	ADDQ(operand.I32(4*s.bytes()), p)
	DECQ(vecs)
	JNZ(ref("vector"))
	VZEROUPPER()
	RET()
}
