package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// mix follows mix32 in noise.go.
func (s isa) mix(x vec) {
	t := s.vec()
	shift := func(n uint8) {
		VPSRLD(operand.U8(n), x, t)
		if s.wide() {
			VPXORD(t, x, x)
		} else {
			VPXOR(t, x, x)
		}
	}
	shift(16)
	VPMULLD(constBits(0x7feb352d), x, x)
	shift(15)
	VPMULLD(constBits(0x846ca68b), x, x)
	shift(16)
}

// noise writes n numbers of a random sequence, n a positive multiple of 16, uniform
// or nearly normal.
func noise(s isa, name string, normal bool) {
	iota16 := permutation(name+"Lanes"+s.name, func(i int) int { return i })
	TEXT(name+"F32"+s.name, NOSPLIT, "func(dst *float32, n int, key, first uint32, scale, offset float32)")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	n := Load(Param("n"), GP64())
	broadcast := func(param string) vec {
		x, v := XMM(), s.vec()
		r := Load(Param(param), GP32())
		VMOVD(r, x)
		VPBROADCASTD(x, v)
		return v
	}
	key, counter := broadcast("key"), broadcast("first")
	VPADDD(iota16, counter, counter)
	scale, offset := s.vec(), s.vec()
	x := XMM()
	Load(Param("scale"), x)
	VBROADCASTSS(x, scale)
	Load(Param("offset"), x)
	VBROADCASTSS(x, offset)
	Label("loop")
	for i := 0; i < 64; i += s.bytes() {
		a := s.xor(counter, key)
		s.mix(a)
		sum := s.vec()
		if normal {
			b, t := s.vec(), s.vec()
			VPADDD(constBits(0x9e3779b9), a, b)
			s.mix(b)
			VPSRLD(operand.U8(16), a, sum)
			VPADDD(s.and(a, constBits(0xffff)), sum, sum)
			VPSRLD(operand.U8(16), b, t)
			VPADDD(t, sum, sum)
			VPADDD(s.and(b, constBits(0xffff)), sum, sum)
			VPSUBD(constBits(131070), sum, sum)
		} else {
			VPSRLD(operand.U8(8), a, sum)
		}
		VCVTDQ2PS(sum, sum)
		VMULPS(scale, sum, sum)
		VADDPS(offset, sum, sum)
		VMOVUPS(sum, operand.Mem{Base: dst, Disp: i})
		VPADDD(constBits(uint32(s.lanes)), counter, counter)
	}
	ADDQ(operand.U8(64), dst)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}
