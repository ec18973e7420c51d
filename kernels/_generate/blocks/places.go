package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// places writes a kernel that looks up the two bytes of codes, each in a table of 256
// numbers of 32 bits, and stores their exclusive or. The codes are a multiple of 16.
func places(suffix string, lanes int, vector func() reg.VecVirtual) {
	TEXT("places"+suffix, NOSPLIT, "func(n int, codes *uint16, patterns, signs *uint32, out *uint8)")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	codes := Load(Param("codes"), GP64())
	patterns := Load(Param("patterns"), GP64())
	signs := Load(Param("signs"), GP64())
	out := Load(Param("out"), GP64())
	low := vector()
	broadcast(0xff, low)
	Label("codes")
	PREFETCHT0(mem(codes, ahead))
	for i := range 16 / lanes {
		code, upper := vector(), vector()
		VPMOVZXWD(mem(codes, 2*lanes*i), code)
		VPSRLD(operand.U8(8), code, upper)
		a, b := vector(), vector()
		for _, t := range []struct {
			table reg.Register
			index reg.VecVirtual
			to    reg.VecVirtual
		}{{patterns, code, a}, {signs, upper, b}} {
			at := operand.Mem{Base: t.table, Index: t.index, Scale: 4}
			// What a gather does not load it keeps, which would make it wait.
			if lanes == 16 {
				if t.index == code {
					VPANDD(low, code, code)
				}
				VPXORD(t.to, t.to, t.to)
				k := K()
				KXNORW(k, k, k)
				VPGATHERDD(at, k, t.to)
				continue
			}
			if t.index == code {
				VPAND(low, code, code)
			}
			VPXOR(t.to, t.to, t.to)
			all := vector()
			VPCMPEQD(all, all, all)
			VPGATHERDD(all, at, t.to)
		}
		if lanes == 16 {
			VPXORD(a, b, b)
		} else {
			VPXOR(a, b, b)
		}
		VMOVUPS(b, mem(out, 4*lanes*i))
	}
	ADDQ(operand.I8(32), codes)
	ADDQ(operand.I8(64), out)
	SUBQ(operand.I8(16), n)
	JNZ(operand.LabelRef("codes"))
	VZEROUPPER()
	RET()
}
