package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layerRows lists the numbers of outputs that a tile of a 16-bit layer may have.
func layerRows(s isa) []int {
	if s.wide() {
		return []int{2, 4, 8}
	}
	return []int{2, 4}
}

// layer writes mr outputs of a 16-bit layer at n positions, from pairs pairs of
// inputs, both at least 1. Rows of w are step bytes apart; planes of x have stride
// positions, 4 bytes each, as have the rows or planes of y.
func layer(s isa, mr int, relu bool, mask operand.Mem) {
	kind, output := "linear", "int32"
	if relu {
		kind, output = "relu", "int16"
	}
	TEXT(name("%s%dI16%s", kind, mr, s.name), NOSPLIT,
		name("func(pairs int, w *int16, step int, b *int32, x *int16, y *%s, stride, n int)", output))
	Pragma("noescape")
	x := Load(Param("x"), GP64())
	y := Load(Param("y"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(operand.U8(2), stride)
	step := Load(Param("step"), GP64())
	strips(s, 2, mask, []reg.Register{x, y}, func(label string, nv int, mask reg.Register) {
		acc := make([][]reg.VecVirtual, mr)
		p := Load(Param("b"), GP64())
		for i := range acc {
			acc[i] = s.vecs(nv)
			VPBROADCASTD(operand.Mem{Base: p, Disp: 4 * i}, acc[i][0])
			for _, v := range acc[i][1:] {
				VMOVAPS(acc[i][0], v)
			}
		}
		Load(Param("w"), p)
		w := newRows(p, step, mr)
		k := Load(Param("pairs"), GP64())
		MOVQ(x, p)
		Label(label + "_k")
		in := s.vecs(nv)
		for j, v := range in {
			s.load(operand.Mem{Base: p, Disp: j * s.bytes()}, mask, v)
		}
		for i := range acc {
			if s.wide() {
				for j, v := range acc[i] {
					VPDPWSSD_BCST(w.at(i), in[j], v)
				}
				continue
			}
			f := s.vec()
			VPBROADCASTD(w.at(i), f)
			for j, v := range acc[i] {
				t := s.vec()
				VPMADDWD(in[j], f, t)
				VPADDD(t, v, v)
			}
		}
		w.next(4)
		ADDQ(stride, p)
		DECQ(k)
		JNZ(ref(label + "_k"))

		MOVQ(y, p)
		if !relu {
			for i := range acc {
				for j, v := range acc[i] {
					s.store(v, mask, operand.Mem{Base: p, Disp: j * s.bytes()})
				}
				ADDQ(stride, p)
			}
			return
		}
		zero, most, half := s.vec(), s.vec(), s.vec()
		s.zero(zero)
		bits := GP32()
		for _, c := range []struct {
			v reg.VecVirtual
			n uint32
		}{{most, 32767}, {half, 512}} {
			MOVL(operand.U32(c.n), bits)
			VMOVD(bits, c.v.AsX())
			VPBROADCASTD(c.v.AsX(), c.v)
		}
		for i := range acc {
			for _, v := range acc[i] {
				VPADDD(half, v, v)
				VPSRAD(operand.U8(10), v, v)
				VPMAXSD(zero, v, v)
				VPMINSD(most, v, v)
			}
		}
		for i := 0; i < mr; i += 2 {
			for j, v := range acc[i] {
				odd := acc[i+1][j]
				VPSLLD(operand.U8(16), odd, odd)
				if s.wide() {
					VPORD(odd, v, v)
				} else {
					VPOR(odd, v, v)
				}
				s.store(v, mask, operand.Mem{Base: p, Disp: j * s.bytes()})
			}
			ADDQ(stride, p)
		}
	})
}

// interleave writes the interleaving of two rows of n int16s, n a positive multiple of
// the 32-bit lanes.
func interleave(s isa) {
	TEXT("interleaveI16"+s.name, NOSPLIT, "func(dst, a, b *int16, n int)")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	a := Load(Param("a"), GP64())
	b := Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	even, odd := s.vec(), s.vec()
	VPMOVZXWD(operand.Mem{Base: a}, even)
	VPMOVZXWD(operand.Mem{Base: b}, odd)
	VPSLLD(operand.U8(16), odd, odd)
	if s.wide() {
		VPORD(odd, even, even)
	} else {
		VPOR(odd, even, even)
	}
	VMOVUPS(even, operand.Mem{Base: dst})
	ADDQ(operand.I8(2*s.lanes), a)
	ADDQ(operand.I8(2*s.lanes), b)
	ADDQ(operand.I8(4*s.lanes), dst)
	SUBQ(operand.I8(s.lanes), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}
