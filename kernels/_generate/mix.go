package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func load(s isa, m operand.Mem, v operand.Op) {
	if s.lanes == 16 {
		VMOVDQU32(m, v)
	} else {
		VMOVDQU(m, v)
	}
}

func store(s isa, v operand.Op, m operand.Mem) {
	if s.lanes == 16 {
		VMOVDQU32(v, m)
	} else {
		VMOVDQU(v, m)
	}
}

// mixDot writes the dot product of n elements, n a positive multiple of 16.
func mixDot(s isa) {
	TEXT("mixDot"+s.name, NOSPLIT, "func(x, w *int32, n int) int32")
	Pragma("noescape")
	x := Load(Param("x"), GP64())
	w := Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	// 16 elements a round, in one or two accumulators.
	acc := s.vecs(16 / s.lanes)
	for _, v := range acc {
		s.zero(v)
	}
	Label("loop")
	for i, v := range acc {
		p := s.vec()
		load(s, operand.Mem{Base: x, Disp: i * s.bytes()}, p)
		VPMULLD(operand.Mem{Base: w, Disp: i * s.bytes()}, p, p)
		VPSRAD(operand.U8(10), p, p)
		VPADDD(p, v, v)
	}
	ADDQ(operand.U8(64), x)
	ADDQ(operand.U8(64), w)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	y := acc[0].AsY().(reg.VecVirtual)
	t := YMM()
	if s.lanes == 16 {
		VEXTRACTI64X4(operand.U8(1), acc[0], t)
		VPADDD(t, y, y)
	} else {
		VPADDD(acc[1], acc[0], acc[0])
	}
	VEXTRACTI128(operand.U8(1), y, t.AsX())
	sum, u := y.AsX(), t.AsX()
	VPADDD(u, sum, sum)
	VPSHUFD(operand.U8(0b01_00_11_10), sum, u)
	VPADDD(u, sum, sum)
	VPSHUFD(operand.U8(0b10_11_00_01), sum, u)
	VPADDD(u, sum, sum)
	r := GP32()
	VMOVD(sum, r)
	VZEROUPPER()
	Store(r, ReturnIndex(0))
	RET()
}

// mixTrain writes the update of n weights, n a positive multiple of 16.
func mixTrain(s isa) {
	TEXT("mixTrain"+s.name, NOSPLIT, "func(w, x *int32, n int, err int32, shift uint)")
	Pragma("noescape")
	w := Load(Param("w"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	e, round, lo, hi := s.vec(), s.vec(), s.vec(), s.vec()
	t := Load(Param("err"), GP32())
	x0 := XMM()
	VMOVD(t, x0)
	VPBROADCASTD(x0, e)
	shift := Load(Param("shift"), GP64())
	count := XMM()
	VMOVQ(shift, count)
	// round = 1<<(shift-1)
	one := XMM()
	MOVL(operand.U32(1), t)
	VMOVD(t, one)
	VPSLLD(count, one, one)
	VPSRLD(operand.U8(1), one, one)
	VPBROADCASTD(one, round)
	for _, c := range []struct {
		limit uint32
		dst   operand.Op
	}{{1<<19 - 1, hi}, {-(1<<19 - 1) & (1<<32 - 1), lo}} {
		l := XMM()
		MOVL(operand.U32(c.limit), t)
		VMOVD(t, l)
		VPBROADCASTD(l, c.dst)
	}
	Label("loop")
	for i := 0; i < 64; i += s.bytes() {
		p := s.vec()
		VPMULLD(operand.Mem{Base: x, Disp: i}, e, p)
		VPADDD(round, p, p)
		VPSRAD(count, p, p)
		VPADDD(operand.Mem{Base: w, Disp: i}, p, p)
		VPMAXSD(lo, p, p)
		VPMINSD(hi, p, p)
		store(s, p, operand.Mem{Base: w, Disp: i})
	}
	ADDQ(operand.U8(64), x)
	ADDQ(operand.U8(64), w)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}
