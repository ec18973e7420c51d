package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// rank1 writes the update of the lower triangle of n rows, n at least 1. Each
// row is updated up to the end of the vector that holds its diagonal.
func rank1(s isa) {
	TEXT("rank1F32"+s.name, NOSPLIT, "func(a, v *float32, n, stride int, decay, weight float32)")
	Pragma("noescape")
	a := Load(Param("a"), GP64())
	v := Load(Param("v"), GP64())
	n := Load(Param("n"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(operand.U8(2), stride)
	decay, weight := s.vec(), s.vec()
	VBROADCASTSS(operand.NewParamAddr("decay", 32), decay)
	VBROADCASTSS(operand.NewParamAddr("weight", 36), weight)
	vi, end, rows := GP64(), GP64(), GP64()
	MOVQ(v, vi) // &v[i]
	XORQ(end, end)
	Label("block") // of rows with as many vectors
	ADDQ(operand.I32(s.bytes()), end)
	MOVQ(operand.U32(s.lanes), rows)
	CMPQ(n, rows)
	CMOVQLT(n, rows)
	SUBQ(rows, n)
	Label("row")
	f := s.vec()
	VBROADCASTSS(operand.Mem{Base: vi}, f)
	VMULPS(weight, f, f)
	j := GP64()
	XORQ(j, j)
	Label("vector")
	r, p := s.vec(), s.vec()
	VMULPS(operand.Mem{Base: a, Index: j, Scale: 1}, decay, r)
	VMULPS(operand.Mem{Base: v, Index: j, Scale: 1}, f, p)
	VADDPS(p, r, r)
	VMOVUPS(r, operand.Mem{Base: a, Index: j, Scale: 1})
	ADDQ(operand.I32(s.bytes()), j)
	CMPQ(j, end)
	JL(ref("vector"))
	ADDQ(stride, a)
	ADDQ(operand.U8(4), vi)
	DECQ(rows)
	JNZ(ref("row"))
	TESTQ(n, n)
	JNZ(ref("block"))
	VZEROUPPER()
	RET()
}

// scaleAdd writes b = b*decay + s*v over n elements, n a positive multiple of
// 16.
func scaleAdd(s isa) {
	TEXT("scaleAddF32"+s.name, NOSPLIT, "func(b, v *float32, n int, decay, s float32)")
	Pragma("noescape")
	b := Load(Param("b"), GP64())
	v := Load(Param("v"), GP64())
	n := Load(Param("n"), GP64())
	decay, f := s.vec(), s.vec()
	VBROADCASTSS(operand.NewParamAddr("decay", 24), decay)
	VBROADCASTSS(operand.NewParamAddr("s", 28), f)
	Label("loop")
	for i := 0; i < 64; i += s.bytes() {
		r, p := s.vec(), s.vec()
		VMULPS(operand.Mem{Base: b, Disp: i}, decay, r)
		VMULPS(operand.Mem{Base: v, Disp: i}, f, p)
		VADDPS(p, r, r)
		VMOVUPS(r, operand.Mem{Base: b, Disp: i})
	}
	ADDQ(operand.U8(64), b)
	ADDQ(operand.U8(64), v)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}
