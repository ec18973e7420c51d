package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lookup writes a kernel that adds to acc the products of 32 rows, whose codes have so
// many planes, with one vector, whose sums of four columns are in tables. A group has at
// most 64 quads of columns: their sums fit 16 bits.
func lookup(planes int) {
	shifts := GLOBL(fmt.Sprintf("shifts%d", planes), RODATA|NOPTR)
	for i := range 4 {
		DATA(8*i, operand.U64(i/2*4))
	}
	TEXT(fmt.Sprintf("lookup%dAVX2", planes), NOSPLIT, "func(groups, quads int, codes, tables *uint8, scales *uint16, zeros *uint8, zeroStep int, actScales *float32, negSums *int32, acc *float32)")
	Pragma("noescape")
	groups := Load(Param("groups"), GP64())
	quads := Load(Param("quads"), GP64())
	codes := Load(Param("codes"), GP64())
	tables := Load(Param("tables"), GP64())
	scales := Load(Param("scales"), GP64())
	zeros := Load(Param("zeros"), GP64())
	zeroStep := Load(Param("zeroStep"), GP64())
	actScales := Load(Param("actScales"), GP64())
	negSums := Load(Param("negSums"), GP64())
	acc := Load(Param("acc"), GP64())
	mask := YMM()
	broadcast(0x0f0f0f0f, mask)
	shift := YMM()
	VMOVDQU(shifts, shift)
	Label("group")
	// Of a plane: sums of rows 0 to 7 and 16 to 23, and of the others.
	var sums [4][2]reg.VecVirtual
	for p := range planes {
		for h := range sums[p] {
			sums[p][h] = YMM()
			VPXOR(sums[p][h], sums[p][h], sums[p][h])
		}
	}
	left := GP64()
	MOVQ(quads, left)
	Label("quad")
	PREFETCHT0(mem(codes, ahead))
	lo, hi := YMM(), YMM()
	VBROADCASTI128(mem(tables, 0), lo)
	VBROADCASTI128(mem(tables, 16), hi)
	for p := range planes {
		// Low halves of the bytes for the lower 16 rows, high ones for the upper.
		i := YMM()
		VBROADCASTI128(mem(codes, 16*p), i)
		VPSRLVQ(shift, i, i)
		VPAND(mask, i, i)
		a, b := YMM(), YMM()
		VPSHUFB(i, lo, a)
		VPSHUFB(i, hi, b)
		v := YMM()
		VPUNPCKLBW(b, a, v)
		VPADDW(v, sums[p][0], sums[p][0])
		VPUNPCKHBW(b, a, a)
		VPADDW(a, sums[p][1], sums[p][1])
	}
	ADDQ(operand.I8(32), tables)
	ADDQ(operand.I8(int8(16*planes)), codes)
	DECQ(left)
	JNZ(operand.LabelRef("quad"))
	for part := range 4 { // rows 8*part on
		h, upper := part%2, part >= 2
		total := YMM()
		VPBROADCASTD(mem(negSums, 0), total)
		zero := YMM()
		VPMOVZXBD(mem(zeros, 8*part), zero)
		VPMULLD(zero, total, total)
		for p := range planes {
			x := sums[p][h].AsX()
			if upper {
				x = XMM()
				VEXTRACTI128(operand.U8(1), sums[p][h], x)
			}
			v := YMM()
			VPMOVSXWD(x, v)
			if p > 0 {
				VPSLLD(operand.U8(p), v, v)
			}
			VPADDD(v, total, total)
		}
		scale, s := YMM(), YMM()
		VCVTPH2PS(mem(scales, 16*part), scale)
		VBROADCASTSS(mem(actScales, 0), s)
		VMULPS(scale, s, s)
		VCVTDQ2PS(total, total)
		VMULPS(s, total, total)
		VADDPS(mem(acc, 32*part), total, total)
		VMOVUPS(total, mem(acc, 32*part))
	}
	ADDQ(operand.I8(64), scales)
	ADDQ(zeroStep, zeros)
	ADDQ(operand.I8(4), actScales)
	ADDQ(operand.I8(4), negSums)
	DECQ(groups)
	JNZ(operand.LabelRef("group"))
	VZEROUPPER()
	RET()
}
