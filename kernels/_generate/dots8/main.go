// Command dots8 writes the amd64 assembly of the dot products of int8 rows. Run it
// with go generate in the package's folder.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!noasm")
	for _, mr := range []int{1, 4, 8} {
		dots(mr)
	}
	Generate()
}

// dots writes c[i][j] = bias[i] + the dot product of row i of a, signed bytes, with
// column j of b, unsigned bytes, for mr rows and 48 columns, of quads times four bytes
// each, quads at least 1. b has four bytes of each column after one another.
func dots(mr int) {
	const vecs = 3
	TEXT(fmt.Sprintf("dots%dI8AVX512", mr), NOSPLIT, "func(quads int, a *int8, lda int, b *uint8, bias, c *int32, ldc int)")
	Pragma("noescape")
	quads := Load(Param("quads"), GP64())
	lda := Load(Param("lda"), GP64())
	b := Load(Param("b"), GP64())
	p := Load(Param("bias"), GP64())
	acc := make([][vecs]reg.VecVirtual, mr)
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = ZMM()
			if j == 0 {
				VPBROADCASTD(operand.Mem{Base: p, Disp: 4 * i}, acc[i][0])
			} else {
				VMOVDQA32(acc[i][0], acc[i][j])
			}
		}
	}
	base := []reg.Register{Load(Param("a"), GP64())}
	var lda3 reg.Register
	if mr > 1 {
		lda3 = GP64()
		LEAQ(operand.Mem{Base: lda, Index: lda, Scale: 2}, lda3)
	}
	if mr > 4 {
		base = append(base, GP64())
		LEAQ(operand.Mem{Base: base[0], Index: lda, Scale: 4}, base[1])
	}
	row := func(i int) operand.Mem {
		m := operand.Mem{Base: base[i/4]}
		switch i % 4 {
		case 1, 2:
			m.Index, m.Scale = lda, uint8(i%4)
		case 3:
			m.Index, m.Scale = lda3, 1
		}
		return m
	}
	Label("quad")
	var in [vecs]reg.VecVirtual
	for j := range in {
		in[j] = ZMM()
		VMOVDQU32(operand.Mem{Base: b, Disp: 64 * j}, in[j])
	}
	for i := range acc {
		f := ZMM()
		VPBROADCASTD(row(i), f)
		for j, v := range acc[i] {
			VPDPBUSD(f, in[j], v)
		}
	}
	for _, r := range base {
		ADDQ(operand.I8(4), r)
	}
	ADDQ(operand.I32(64*vecs), b)
	DECQ(quads)
	JNZ(operand.LabelRef("quad"))
	c := Load(Param("c"), GP64())
	ldc := Load(Param("ldc"), GP64())
	SHLQ(operand.U8(2), ldc)
	for i := range acc {
		for j, v := range acc[i] {
			VMOVDQU32(v, operand.Mem{Base: c, Disp: 64 * j})
		}
		if i+1 < mr {
			ADDQ(ldc, c)
		}
	}
	VZEROUPPER()
	RET()
}
