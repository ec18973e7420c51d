package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func dotsMaxRows(s isa, nk int) int {
	switch {
	case s.wide():
		return 24 / nk
	case nk == 3:
		return 4
	}
	return 3
}

// dots writes c[i][j] += the dot product of row i of a with row j of x, for mr
// by nk rows that each consist of the given number of pieces of n elements, n
// and rows at least 1. Row j starts off[j] elements into x.
func dots(s isa, mr, nk int, mask operand.Mem) {
	TEXT(fmt.Sprintf("dots%dx%dF32%s", mr, nk, s.name), NOSPLIT,
		"func(n, rows int, a *float32, lda, stepa int, x *float32, off *int, stepx int, c *float32, ldc int)")
	Pragma("noescape")
	acc := make([][]reg.VecVirtual, mr)
	for i := range acc {
		acc[i] = s.vecs(nk)
		for _, v := range acc[i] {
			s.zero(v)
		}
	}
	a0 := Load(Param("a"), GP64())
	lda := Load(Param("lda"), GP64())
	SHLQ(operand.U8(2), lda)
	var a4, lda3 reg.Register
	if mr > 3 {
		lda3 = GP64()
		LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	}
	if mr > 4 {
		a4 = GP64()
		LEAQ(operand.Mem{Base: a0, Index: lda, Scale: 4}, a4)
	}
	rowA := func(i int) operand.Mem {
		base := a0
		if i > 3 {
			base = a4
		}
		switch i & 3 {
		case 0:
			return operand.Mem{Base: base}
		case 1:
			return operand.Mem{Base: base, Index: lda, Scale: 1}
		case 2:
			return operand.Mem{Base: base, Index: lda, Scale: 2}
		}
		return operand.Mem{Base: base, Index: lda3, Scale: 1}
	}
	off := Load(Param("off"), GP64())
	xp := make([]reg.Register, nk)
	x := Load(Param("x"), GP64())
	for j := range xp {
		o := GP64()
		MOVQ(operand.Mem{Base: off, Disp: 8 * j}, o)
		LEAQ(operand.Mem{Base: x, Index: o, Scale: 4}, o)
		xp[j] = o
	}
	pointers := append([]reg.Register{a0}, xp...)
	if a4 != nil {
		pointers = append(pointers, a4)
	}
	rows := Load(Param("rows"), GP64())
	Label("row")
	n := Load(Param("n"), GP64())
	SUBQ(operand.U8(s.lanes), n)
	JLT(ref("tail"))
	Label("loop")
	if mr < nk && !s.wide() { // the fewer rows stay in registers
		av := s.vecs(mr)
		for i, v := range av {
			VMOVUPS(rowA(i), v)
		}
		for j, p := range xp {
			xv := s.vec()
			VMOVUPS(operand.Mem{Base: p}, xv)
			for i := range acc {
				VFMADD231PS(av[i], xv, acc[i][j])
			}
		}
	} else {
		xv := s.vecs(nk)
		for j, v := range xv {
			VMOVUPS(operand.Mem{Base: xp[j]}, v)
		}
		for i := range acc {
			av := s.vec()
			VMOVUPS(rowA(i), av)
			for j := range xp {
				VFMADD231PS(av, xv[j], acc[i][j])
			}
		}
	}
	for _, p := range pointers {
		ADDQ(operand.U8(s.bytes()), p)
	}
	SUBQ(operand.U8(s.lanes), n)
	JGE(ref("loop"))
	Label("tail")
	ADDQ(operand.U8(s.lanes), n)
	JZ(ref("next"))
	m := lanesBelow(s, n, mask)
	for j := range xp {
		xv := s.vec()
		s.loadMasked(operand.Mem{Base: xp[j]}, m, xv)
		for i := range acc {
			av := s.vec()
			s.loadMasked(rowA(i), m, av)
			VFMADD231PS(av, xv, acc[i][j])
		}
	}
	Label("next")
	DECQ(rows)
	JZ(ref("sum"))
	// Back to the start of the piece and on to the next.
	for _, step := range []struct {
		param string
		p     []reg.Register
	}{{"stepa", pointers[:1]}, {"stepx", xp}} {
		d, whole := GP64(), GP64()
		Load(Param(step.param), d)
		Load(Param("n"), whole)
		ANDQ(operand.I8(int8(-s.lanes)), whole)
		SUBQ(whole, d)
		SHLQ(operand.U8(2), d)
		for _, p := range step.p {
			ADDQ(d, p)
		}
		if step.param == "stepa" && a4 != nil {
			ADDQ(d, a4)
		}
	}
	JMP(ref("row"))

	Label("sum")
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	SHLQ(operand.U8(2), ldc)
	var last reg.Register // masks the three columns
	if nk == 3 {
		three := GP64()
		MOVQ(operand.U32(3), three)
		last = lanesBelow(s, three, mask)
		if !s.wide() {
			last = last.(reg.VecVirtual).AsX()
		}
	}
	for i := range acc {
		pair := func(u, v reg.VecVirtual) reg.VecVirtual {
			lo, hi := s.vec(), s.vec()
			VUNPCKLPS(v, u, lo)
			VUNPCKHPS(v, u, hi)
			VADDPS(hi, lo, lo)
			return lo
		}
		p := pair(acc[i][0], acc[i][1])
		q := pair(acc[i][2], acc[i][nk-1])
		lo, hi := s.vec(), s.vec()
		VUNPCKLPD(q, p, lo)
		VUNPCKHPD(q, p, hi)
		VADDPS(hi, lo, lo)
		y := lo.AsY().(reg.VecVirtual)
		if s.wide() {
			t := YMM()
			VEXTRACTF64X4(operand.U8(1), lo, t)
			VADDPS(t, y, y)
		}
		t := XMM()
		VEXTRACTF128(operand.U8(1), y, t)
		sum := y.AsX()
		VADDPS(t, sum, sum)
		m := operand.Mem{Base: c}
		if nk == 4 {
			VADDPS(m, sum, sum)
			VMOVUPS(sum, m)
		} else {
			s.loadMasked(m, last, t)
			VADDPS(t, sum, sum)
			s.storeMasked(sum, last, m)
		}
		ADDQ(ldc, c)
	}
	VZEROUPPER()
	RET()
}
