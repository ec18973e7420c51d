package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// prefetched is how many bytes ahead of the first pass over a row what follows is fetched.
const prefetched = 4096

// hadamard writes the transform of one row of n elements, a power of two and at least
// 16. Elements less than a vector apart are summed by shuffles, u+v beside u-v being
// the row with neighbours swapped plus the row with the sign of each v turned: every
// element is still one sum of the same two numbers. Then two stages at a time take four
// vectors each, as long as there are two. With from above 0 the elements less than from
// apart are left out: their stages have been done.
func hadamard(s isa, signs map[int]operand.Mem) {
	TEXT("hadamardF32"+s.name, NOSPLIT, "func(x *float32, n, from int)")
	Pragma("noescape")
	x := pointer("x")
	end := Load(Param("n"), GP64()).(reg.GPVirtual)
	SHLQ(operand.U8(2), end)
	length := copyOf(end)
	ADDQ(x, end)
	h := Load(Param("from"), GP64()).(reg.GPVirtual) // bytes from here on
	SHLQ(operand.U8(2), h)
	sign := make(map[int]vec)
	for h := 1; h < s.lanes; h *= 2 {
		sign[h] = s.repeated(signs[h])
	}
	p := copyOf(x)
	CMPQ(h, operand.U8(0))
	JNE(ref("stage"))
	Label("lanes")
	PREFETCHT0(operand.Mem{Base: p, Disp: prefetched})
	v := s.load(p, 0)
	for h := 1; h < s.lanes; h *= 2 {
		t := s.vec()
		switch h {
		case 1:
			VPERMILPS(operand.U8(0xb1), v, t)
		case 2:
			VPERMILPS(operand.U8(0x4e), v, t)
		case 4:
			if s.wide() {
				VSHUFF32X4(operand.U8(0xb1), v, v, t)
			} else {
				VPERM2F128(operand.U8(1), v, v, t)
			}
		case 8:
			VSHUFF32X4(operand.U8(0x4e), v, v, t)
		}
		s.xor(sign[h], v, v)
		VADDPS(t, v, v)
	}
	s.store(v, p, 0)
	ADDQ(operand.I32(s.bytes()), p)
	CMPQ(p, end)
	JNE(ref("lanes"))
	MOVQ(operand.U32(s.bytes()), h)

	// Whole vectors, h bytes apart.
	Label("stage")
	MOVQ(x, p)
	CMPQ(h, length)
	JGE(ref("done"))
	stop, h3 := GP64(), GP64()
	LEAQ(operand.Mem{Base: h, Index: h, Scale: 2}, h3)
	CMPQ(h3, length)
	JGE(ref("pair")) // one stage is left
	at := []operand.Mem{{Base: p}, {Base: p, Index: h, Scale: 1}, {Base: p, Index: h, Scale: 2}, {Base: p, Index: h3, Scale: 1}}
	Label("four")
	LEAQ(operand.Mem{Base: p, Index: h, Scale: 1}, stop)
	Label("fours")
	var in, mid [4]vec
	for i := range in {
		in[i], mid[i] = s.vec(), s.vec()
		VMOVUPS(at[i], in[i])
	}
	for i := 0; i < 4; i += 2 {
		VADDPS(in[i+1], in[i], mid[i])
		VSUBPS(in[i+1], in[i], mid[i+1])
	}
	for i := range 2 {
		VADDPS(mid[i+2], mid[i], in[i])
		VSUBPS(mid[i+2], mid[i], in[i+2])
	}
	for i := range in {
		VMOVUPS(in[i], at[i])
	}
	ADDQ(operand.I32(s.bytes()), p)
	CMPQ(p, stop)
	JNE(ref("fours"))
	ADDQ(h3, p)
	CMPQ(p, end)
	JNE(ref("four"))
	SHLQ(operand.U8(2), h)
	JMP(ref("stage"))

	Label("pair")
	LEAQ(operand.Mem{Base: p, Index: h, Scale: 1}, stop)
	Label("vectors")
	a, b, sum := s.vec(), s.vec(), s.vec()
	VMOVUPS(at[0], a)
	VMOVUPS(at[1], b)
	VADDPS(b, a, sum)
	VSUBPS(b, a, a)
	VMOVUPS(sum, at[0])
	VMOVUPS(a, at[1])
	ADDQ(operand.I32(s.bytes()), p)
	CMPQ(p, stop)
	JNE(ref("vectors"))
	ADDQ(h, p)
	CMPQ(p, end)
	JNE(ref("pair"))
	Label("done")
	VZEROUPPER()
	RET()
}

// transpose8 writes the transposition of 8 rows of n columns, a positive multiple of 8.
func transpose8() {
	s := avx2
	TEXT("transpose8F32AVX2", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds, n int)")
	Pragma("noescape")
	dst, ldd := pointer("dst"), pointer("ldd")
	src, lds := pointer("src"), pointer("lds")
	n := pointer("n")
	SHLQ(operand.U8(2), ldd)
	SHLQ(operand.U8(2), lds)
	Label("block")
	p := copyOf(src)
	var r [8]vec
	for i := range r {
		r[i] = s.load(p, 0)
		if i < 7 {
			ADDQ(lds, p)
		}
	}
	// Pairs of rows, then fours within each half, then the halves.
	var t, u [8]vec
	for i := range t {
		t[i] = s.vec()
		if a, b := r[i&^1], r[i|1]; i%2 == 0 {
			VUNPCKLPS(b, a, t[i])
		} else {
			VUNPCKHPS(b, a, t[i])
		}
	}
	for i := range u { // u[i] has columns i%4 and 4+i%4 of rows 0 to 3, or 4 to 7
		u[i] = s.vec()
		a := i&^3 + i%4/2
		VSHUFPS(operand.U8([]uint8{0x44, 0xee}[i%2]), t[a+2], t[a], u[i])
	}
	MOVQ(dst, p)
	for i := range 8 {
		v := s.vec()
		VPERM2F128(operand.U8([]uint8{0x20, 0x31}[i/4]), u[4+i%4], u[i%4], v)
		s.store(v, p, 0)
		ADDQ(ldd, p)
	}
	MOVQ(p, dst)
	ADDQ(operand.I8(32), src)
	SUBQ(operand.I8(8), n)
	JNZ(ref("block"))
	VZEROUPPER()
	RET()
}
