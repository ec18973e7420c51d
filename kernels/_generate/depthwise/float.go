package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The edges of a piece of a row that have columns beyond them.
const (
	hasLeft  = 1
	hasRight = 2
)

// skipUnless jumps to label unless the piece has columns beyond the edge.
func skipUnless(edge int, label string) {
	TESTQ(operand.U32(edge), Load(Param("edges"), GP64()))
	JZ(ref(label))
}

// rowBelow returns the distance of the row that the next call will need besides.
func rowBelow(row reg.Register) reg.Register {
	d := GP64()
	LEAQ(operand.Mem{Base: row, Index: row, Scale: 2}, d)
	return d
}

// forwardF32 writes a piece of a row of outputs, n positions of which vecs vectors of
// channels are taken, from the given number of rows of inputs, row elements apart. w are
// the weights of the first row, wstep elements from one to the next. b may be nil.
//
// Each vector of channels goes along the row with its weights in registers. A column of
// inputs is added to the outputs before, at and after it, which are in three registers
// that change places.
func forwardF32(s isa, rows int) {
	TEXT(fmt.Sprintf("depthwise%dF32%s", rows, s.name), NOSPLIT,
		"func(y, x, w *float32, wstep int, b *float32, n, row, c, vecs, edges int)")
	Pragma("noescape")
	y, x := Load(Param("y"), GP64()), Load(Param("x"), GP64())
	w, wstep := Load(Param("w"), GP64()), Load(Param("wstep"), GP64())
	SHLQ(operand.U8(2), wstep)
	b := Load(Param("b"), GP64())
	column, row := Load(Param("c"), GP64()), Load(Param("row"), GP64())
	SHLQ(operand.U8(2), column)
	SHLQ(operand.U8(2), row)
	vecs := Load(Param("vecs"), GP64())
	below := rowBelow(row)

	Label("vector")
	bias := s.vec()
	s.zero(bias)
	TESTQ(b, b)
	JZ(ref("unbiased"))
	VMOVUPS(operand.Mem{Base: b}, bias)
	ADDQ(operand.I8(s.bytes()), b)
	Label("unbiased")
	weights := s.vecs(3 * rows)
	wp := copyOf(w)
	for i, v := range weights {
		if i > 0 {
			ADDQ(wstep, wp)
		}
		VMOVUPS(operand.Mem{Base: wp}, v)
	}
	yp, xp := copyOf(y), copyOf(x)
	acc := s.vecs(3)
	// add adds the current column to the outputs before, at and after it, as there are,
	// and goes to the next.
	add := func(out ...reg.VecVirtual) {
		for r, m := range rowsFrom(xp, row, rows) {
			v := s.vec()
			VMOVUPS(m, v)
			for i, o := range out {
				if o != nil {
					VFMADD231PS(v, weights[3*r+2-i], o)
				}
			}
		}
		ADDQ(column, xp)
	}
	VMOVAPS(bias, acc[0])
	skipUnless(hasLeft, "first")
	SUBQ(column, xp)
	add(nil, nil, acc[0])
	Label("first")
	VMOVAPS(bias, acc[1])
	add(nil, acc[0], acc[1])
	left := Load(Param("n"), GP64())
	Label("column")
	for i := range 3 {
		DECQ(left)
		JZ(ref(fmt.Sprintf("last%d", i)))
		VMOVAPS(bias, acc[(i+2)%3])
		PREFETCHT0(operand.Mem{Base: xp, Index: below, Scale: 1})
		add(acc[i], acc[(i+1)%3], acc[(i+2)%3])
		VMOVUPS(acc[i], operand.Mem{Base: yp})
		ADDQ(column, yp)
	}
	JMP(ref("column"))
	for i := range 3 {
		Label(fmt.Sprintf("last%d", i))
		store := fmt.Sprintf("store%d", i)
		skipUnless(hasRight, store)
		add(acc[i], nil, nil)
		Label(store)
		VMOVUPS(acc[i], operand.Mem{Base: yp})
		if i < 2 {
			JMP(ref("next"))
		}
	}
	Label("next")
	for _, p := range []reg.Register{y, x, w} {
		ADDQ(operand.I8(s.bytes()), p)
	}
	DECQ(vecs)
	JNZ(ref("vector"))
	VZEROUPPER()
	RET()
}

// weightsF32 adds to dw what a piece of a row of dy contributes to the gradients of the
// weights by the given number of rows of x, row elements apart, at n positions of x, and
// to db what it contributes at those positions, for vecs vectors of channels. dw are the
// gradients of the first row, c elements from one to the next.
//
// As with forwardF32, each column of inputs meets the three outputs about it.
func weightsF32(s isa, rows int) {
	TEXT(fmt.Sprintf("depthwiseWeights%dF32%s", rows, s.name), NOSPLIT,
		"func(dw, db, dy, x *float32, n, row, c, vecs, edges int)")
	Pragma("noescape")
	dw, db := Load(Param("dw"), GP64()), Load(Param("db"), GP64())
	dy, x := Load(Param("dy"), GP64()), Load(Param("x"), GP64())
	column, row := Load(Param("c"), GP64()), Load(Param("row"), GP64())
	SHLQ(operand.U8(2), column)
	SHLQ(operand.U8(2), row)
	vecs := Load(Param("vecs"), GP64())
	below := rowBelow(row)

	Label("vector")
	sums, sum := s.vecs(3*rows), s.vec()
	for _, v := range sums {
		s.zero(v)
	}
	dyp, xp := copyOf(dy), copyOf(x)
	at := s.vecs(3)
	s.zero(at[2])
	skipUnless(hasLeft, "first")
	SUBQ(column, dyp)
	VMOVUPS(operand.Mem{Base: dyp}, at[2])
	ADDQ(column, dyp)
	Label("first")
	VMOVUPS(operand.Mem{Base: dyp}, at[0])
	VMOVAPS(at[0], sum)
	left := Load(Param("n"), GP64())
	// add adds the products of the current column with the outputs after, at and before it;
	// at[i] is the one at it.
	add := func(i int) {
		for r, m := range rowsFrom(xp, row, rows) {
			v := s.vec()
			VMOVUPS(m, v)
			for k := range 3 {
				VFMADD231PS(v, at[(i+4-k)%3], sums[3*r+k])
			}
		}
	}
	Label("column")
	for i := range 3 {
		DECQ(left)
		JZ(ref(fmt.Sprintf("last%d", i)))
		ADDQ(column, dyp)
		after := at[(i+1)%3]
		VMOVUPS(operand.Mem{Base: dyp}, after)
		VADDPS(after, sum, sum)
		PREFETCHT0(operand.Mem{Base: xp, Index: below, Scale: 1})
		add(i)
		ADDQ(column, xp)
	}
	JMP(ref("column"))
	for i := range 3 {
		Label(fmt.Sprintf("last%d", i))
		none := fmt.Sprintf("none%d", i)
		s.zero(at[(i+1)%3])
		skipUnless(hasRight, none)
		ADDQ(column, dyp)
		VMOVUPS(operand.Mem{Base: dyp}, at[(i+1)%3])
		Label(none)
		add(i)
		if i < 2 {
			JMP(ref("next"))
		}
	}
	Label("next")
	p := copyOf(dw)
	for i, v := range sums {
		if i > 0 {
			ADDQ(column, p)
		}
		VADDPS(operand.Mem{Base: p}, v, v)
		VMOVUPS(v, operand.Mem{Base: p})
	}
	VADDPS(operand.Mem{Base: db}, sum, sum)
	VMOVUPS(sum, operand.Mem{Base: db})
	for _, p := range []reg.Register{dw, db, dy, x} {
		ADDQ(operand.I8(s.bytes()), p)
	}
	DECQ(vecs)
	JNZ(ref("vector"))
	VZEROUPPER()
	RET()
}
