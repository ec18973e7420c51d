package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// combineVecs returns how many vectors wide the tile of mr rows is: as many as the
// registers hold, up to four.
func combineVecs(s isa, mr int) int {
	if s.wide() {
		return 4
	}
	return [...]int{4, 4, 3, 2}[mr-1]
}

// combine writes mr rows of n elements of RowsF32 from k rows, k and n at least 1.
// Rows of w are step bytes apart, those of y ldy elements. A product and a sum take an
// instruction each: fused they would round once less.
func combine(s isa, mr int, mask operand.Mem) {
	TEXT(name("combine%dF32%s", mr, s.name), NOSPLIT, "func(k int, w *float32, step int, b, x *float32, off *int, y *float32, ldy, n, relu int)")
	Pragma("noescape")
	x := Load(Param("x"), GP64())
	y := Load(Param("y"), GP64())
	ldy := Load(Param("ldy"), GP64())
	SHLQ(operand.U8(2), ldy)
	step := Load(Param("step"), GP64())
	strips(s, combineVecs(s, mr), mask, []reg.Register{x, y}, func(label string, nv int, mask reg.Register) {
		acc := make([][]reg.VecVirtual, mr)
		p := Load(Param("b"), GP64())
		for i := range acc {
			acc[i] = s.vecs(nv)
			VBROADCASTSS(operand.Mem{Base: p, Disp: 4 * i}, acc[i][0])
			for _, v := range acc[i][1:] {
				VMOVAPS(acc[i][0], v)
			}
		}
		Load(Param("w"), p)
		w := newRows(p, step, mr)
		k := Load(Param("k"), GP64())
		off := Load(Param("off"), GP64())
		Label(label + "_k")
		MOVQ(operand.Mem{Base: off}, p)
		in := s.vecs(nv)
		for j, v := range in {
			s.load(operand.Mem{Base: x, Index: p, Scale: 4, Disp: j * s.bytes()}, mask, v)
		}
		for i := range acc {
			f := s.vec()
			VBROADCASTSS(w.at(i), f)
			for j, v := range acc[i] {
				t := s.vec()
				VMULPS(in[j], f, t)
				VADDPS(t, v, v)
			}
		}
		w.next(4)
		ADDQ(operand.I8(8), off)
		DECQ(k)
		JNZ(ref(label + "_k"))

		flag := Load(Param("relu"), GP64())
		TESTQ(flag, flag)
		JZ(ref(label + "_store"))
		zero := s.vec()
		s.zero(zero)
		for i := range acc {
			for _, v := range acc[i] {
				VMAXPS(zero, v, v) // +0 for -0
			}
		}
		Label(label + "_store")
		MOVQ(y, p)
		for i := range acc {
			for j, v := range acc[i] {
				s.store(v, mask, operand.Mem{Base: p, Disp: j * s.bytes()})
			}
			ADDQ(ldy, p)
		}
	})
}
