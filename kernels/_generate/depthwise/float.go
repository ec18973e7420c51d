package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// forwardF32 writes a row of outputs, width positions of which vecs vectors of channels
// are taken, from the given number of rows of inputs. w are the weights of the first
// row, wstep elements from one to the next. b may be nil.
//
// Each vector of channels goes along the row with its weights in registers. A column of
// inputs is added to the outputs before, at and after it, which are in three registers
// that change places.
func forwardF32(s isa, rows int) {
	TEXT(fmt.Sprintf("depthwise%dF32%s", rows, s.name), NOSPLIT,
		"func(y, x, w *float32, wstep int, b *float32, width, c, vecs int)")
	Pragma("noescape")
	y, x := Load(Param("y"), GP64()), Load(Param("x"), GP64())
	w, wstep := Load(Param("w"), GP64()), Load(Param("wstep"), GP64())
	SHLQ(operand.U8(2), wstep)
	b := Load(Param("b"), GP64())
	column := Load(Param("c"), GP64())
	SHLQ(operand.U8(2), column)
	row := Load(Param("width"), GP64())
	IMULQ(column, row)
	vecs := Load(Param("vecs"), GP64())

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
	// add adds the current column to the outputs at and after it, and to the one
	// before it if there is one.
	add := func(before, at, after reg.VecVirtual) {
		VMOVAPS(bias, after)
		for r, m := range rowsFrom(xp, row, rows) {
			v := s.vec()
			VMOVUPS(m, v)
			if before != nil {
				VFMADD231PS(v, weights[3*r+2], before)
			}
			VFMADD231PS(v, weights[3*r+1], at)
			VFMADD231PS(v, weights[3*r], after)
		}
		ADDQ(column, xp)
	}
	VMOVAPS(bias, acc[0])
	add(nil, acc[0], acc[1])
	left := Load(Param("width"), GP64())
	Label("column")
	for i := range 3 {
		DECQ(left)
		JZ(ref(fmt.Sprintf("last%d", i)))
		add(acc[i], acc[(i+1)%3], acc[(i+2)%3])
		VMOVUPS(acc[i], operand.Mem{Base: yp})
		ADDQ(column, yp)
	}
	JMP(ref("column"))
	for i := range 3 {
		Label(fmt.Sprintf("last%d", i))
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

// weightsF32 adds to dw and db what a row of dy and the given number of rows of x
// contribute to the gradients, for vecs vectors of channels. dw are the gradients of the
// first row, c elements from one to the next.
//
// As with forwardF32, each column of inputs meets the three outputs about it.
func weightsF32(s isa, rows int) {
	TEXT(fmt.Sprintf("depthwiseWeights%dF32%s", rows, s.name), NOSPLIT,
		"func(dw, db, dy, x *float32, width, c, vecs int)")
	Pragma("noescape")
	dw, db := Load(Param("dw"), GP64()), Load(Param("db"), GP64())
	dy, x := Load(Param("dy"), GP64()), Load(Param("x"), GP64())
	column := Load(Param("c"), GP64())
	SHLQ(operand.U8(2), column)
	row := Load(Param("width"), GP64())
	IMULQ(column, row)
	vecs := Load(Param("vecs"), GP64())

	Label("vector")
	sums, sum := s.vecs(3*rows), s.vec()
	for _, v := range sums {
		s.zero(v)
	}
	dyp, xp := copyOf(dy), copyOf(x)
	at := s.vecs(3)
	s.zero(at[2])
	VMOVUPS(operand.Mem{Base: dyp}, at[0])
	VMOVAPS(at[0], sum)
	left := Load(Param("width"), GP64())
	add := func(before, at, after reg.VecVirtual) {
		for r, m := range rowsFrom(xp, row, rows) {
			v := s.vec()
			VMOVUPS(m, v)
			VFMADD231PS(v, before, sums[3*r+2])
			VFMADD231PS(v, at, sums[3*r+1])
			if after != nil {
				VFMADD231PS(v, after, sums[3*r])
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
		add(at[(i+2)%3], at[i], after)
		ADDQ(column, xp)
	}
	JMP(ref("column"))
	for i := range 3 {
		Label(fmt.Sprintf("last%d", i))
		add(at[(i+2)%3], at[i], nil)
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
