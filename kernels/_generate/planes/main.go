// Command planes writes the amd64 assembly that takes the bytes of floating-point
// numbers apart and puts them together. Run it with go generate in the package's folder.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// data returns 8 lanes in memory.
func data(name string, lane func(i int) uint32) operand.Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, operand.U32(lane(i)))
	}
	return m
}

func main() {
	ConstraintExpr("!noasm")
	low := data("low", func(int) uint32 { return 0x00ff00ff })
	// Within 16 bytes, byte j of number i goes to 4*j+i, and back.
	group := data("group", func(i int) uint32 { return 0x0c080400 + 0x01010101*uint32(i%4) })
	// Four numbers of each of four vectors lie in two halves of a vector.
	apart := data("apart", func(i int) uint32 { return uint32([]int{0, 4, 1, 5, 2, 6, 3, 7}[i]) })
	together := data("together", func(i int) uint32 { return uint32([]int{0, 2, 4, 6, 1, 3, 5, 7}[i]) })
	split2(low)
	join2()
	split4(group, apart)
	join4(group, together)
	Generate()
}

func load(p operand.Mem) reg.VecVirtual {
	v := YMM()
	VMOVDQU(p, v)
	return v
}

func mem(p reg.Register, disp int) operand.Mem { return operand.Mem{Base: p, Disp: disp} }

// split2 splits n numbers of 2 bytes into two planes, stride apart.
func split2(lowMask operand.Mem) {
	TEXT("splitPlanes2AVX2", NOSPLIT, "func(dst, src *byte, stride, n int)")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, n := Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	mask := load(lowMask)
	Label("loop")
	var lo, hi [2]reg.VecVirtual
	for i := range lo {
		v := load(mem(src, 32*i))
		a := YMM()
		VPSLLW(operand.U8(1), v, a)
		VPSRLW(operand.U8(15), v, v)
		VPOR(a, v, v)
		lo[i], hi[i] = YMM(), YMM()
		VPAND(mask, v, lo[i])
		VPSRLW(operand.U8(8), v, hi[i])
	}
	for _, p := range []struct {
		v [2]reg.VecVirtual
		m operand.Mem
	}{{lo, mem(dst, 0)}, {hi, operand.Mem{Base: dst, Index: stride, Scale: 1}}} {
		VPACKUSWB(p.v[1], p.v[0], p.v[0])
		VPERMQ(operand.U8(0xd8), p.v[0], p.v[0])
		VMOVDQU(p.v[0], p.m)
	}
	ADDQ(operand.I8(64), src)
	ADDQ(operand.I8(32), dst)
	SUBQ(operand.I8(32), n)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func join2() {
	TEXT("joinPlanes2AVX2", NOSPLIT, "func(dst, src *byte, stride, n int)")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, n := Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	Label("loop")
	lo, hi := YMM(), YMM()
	VPERMQ(operand.U8(0xd8), mem(src, 0), lo)
	VPERMQ(operand.U8(0xd8), operand.Mem{Base: src, Index: stride, Scale: 1}, hi)
	for i := range 2 {
		v, a := YMM(), YMM()
		if i == 0 {
			VPUNPCKLBW(hi, lo, v)
		} else {
			VPUNPCKHBW(hi, lo, v)
		}
		VPSRLW(operand.U8(1), v, a)
		VPSLLW(operand.U8(15), v, v)
		VPOR(a, v, v)
		VMOVDQU(v, mem(dst, 32*i))
	}
	ADDQ(operand.I8(32), src)
	ADDQ(operand.I8(64), dst)
	SUBQ(operand.I8(32), n)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// transpose4 transposes 4 by 4 lanes in each half of four vectors.
func transpose4(v *[4]reg.VecVirtual) {
	var t [4]reg.VecVirtual
	for i := range t {
		t[i] = YMM()
	}
	VPUNPCKLDQ(v[1], v[0], t[0])
	VPUNPCKHDQ(v[1], v[0], t[1])
	VPUNPCKLDQ(v[3], v[2], t[2])
	VPUNPCKHDQ(v[3], v[2], t[3])
	VPUNPCKLQDQ(t[2], t[0], v[0])
	VPUNPCKHQDQ(t[2], t[0], v[1])
	VPUNPCKLQDQ(t[3], t[1], v[2])
	VPUNPCKHQDQ(t[3], t[1], v[3])
}

// planes4 returns the addresses of four planes.
func planes4(p, stride, stride3 reg.Register) [4]operand.Mem {
	return [4]operand.Mem{
		mem(p, 0), {Base: p, Index: stride, Scale: 1},
		{Base: p, Index: stride, Scale: 2}, {Base: p, Index: stride3, Scale: 1},
	}
}

// split4 splits n numbers of 4 bytes into four planes, stride apart.
func split4(group, apart operand.Mem) {
	TEXT("splitPlanes4AVX2", NOSPLIT, "func(dst, src *byte, stride, n int)")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, n := Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	stride3 := GP64()
	LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	g, order := load(group), load(apart)
	Label("loop")
	var v [4]reg.VecVirtual
	for i := range v {
		v[i] = load(mem(src, 32*i))
		a := YMM()
		VPSLLD(operand.U8(1), v[i], a)
		VPSRLD(operand.U8(31), v[i], v[i])
		VPOR(a, v[i], v[i])
		VPSHUFB(g, v[i], v[i])
	}
	transpose4(&v)
	for i, m := range planes4(dst, stride, stride3) {
		VPERMD(v[i], order, v[i])
		VMOVDQU(v[i], m)
	}
	ADDQ(operand.I32(128), src)
	ADDQ(operand.I8(32), dst)
	SUBQ(operand.I8(32), n)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func join4(group, together operand.Mem) {
	TEXT("joinPlanes4AVX2", NOSPLIT, "func(dst, src *byte, stride, n int)")
	Pragma("noescape")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	stride, n := Load(Param("stride"), GP64()), Load(Param("n"), GP64())
	stride3 := GP64()
	LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	g, order := load(group), load(together)
	Label("loop")
	var v [4]reg.VecVirtual
	for i, m := range planes4(src, stride, stride3) {
		v[i] = YMM()
		VPERMD(m, order, v[i])
	}
	transpose4(&v)
	for i := range v {
		VPSHUFB(g, v[i], v[i])
		a := YMM()
		VPSRLD(operand.U8(1), v[i], a)
		VPSLLD(operand.U8(31), v[i], v[i])
		VPOR(a, v[i], v[i])
		VMOVDQU(v[i], mem(dst, 32*i))
	}
	ADDQ(operand.I8(32), src)
	ADDQ(operand.I32(128), dst)
	SUBQ(operand.I8(32), n)
	JNZ(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}
