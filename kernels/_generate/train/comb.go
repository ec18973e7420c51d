package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Flags of comb; kernels/comb.go has the same.
const (
	flagAdd  = 1
	flagAct  = 2
	flagGate = 4
	flagReLU = 8
)

func combMaxRows(s isa) int {
	if s.wide() {
		return 8
	}
	return 6
}

// combVecs returns how many vectors wide the tile of mr rows is: as many as the
// registers hold beside one vector of each column and one broadcast.
func combVecs(s isa, mr int) int {
	if s.wide() {
		return [...]int{8, 6, 6, 5, 4, 4, 3, 3}[mr-1]
	}
	return [...]int{8, 5, 3, 3, 2, 2}[mr-1]
}

// comb writes mr rows of y = f(bias + sum over k of w[k][row]*x[off[k]:] (+ y)),
// n columns, k and n at least 1. Tiles of several vectors go first, single
// vectors follow, the last of them masked.
func comb(s isa, mr int, mask operand.Mem) {
	TEXT(fmt.Sprintf("comb%dF32%s", mr, s.name), NOSPLIT,
		"func(k int, w, bias, x *float32, off *int, y *float32, ldy int, gate *float32, ldg, n, flags int, slope float32)")
	Pragma("noescape")
	c := combState{isa: s, mr: mr}
	c.w = Load(Param("w"), GP64())
	c.x = Load(Param("x"), GP64())
	c.y = Load(Param("y"), GP64())
	c.ldy = Load(Param("ldy"), GP64())
	SHLQ(operand.U8(2), c.ldy)
	c.gate = Load(Param("gate"), GP64())
	n := Load(Param("n"), GP64())
	nv := combVecs(s, mr)
	advance := func(vecs int) {
		for _, p := range []reg.Register{c.x, c.y, c.gate} {
			ADDQ(operand.I32(vecs*s.bytes()), p)
		}
	}
	Label("wide")
	CMPQ(n, operand.I32(nv*s.lanes))
	JLT(ref("narrow"))
	c.tile("wide", nv, nil)
	advance(nv)
	SUBQ(operand.I32(nv*s.lanes), n)
	JMP(ref("wide"))

	Label("narrow")
	TESTQ(n, n)
	JLE(ref("done"))
	left := GP64()
	MOVQ(operand.U32(s.lanes), left)
	CMPQ(n, left)
	CMOVQLT(n, left)
	c.tile("narrow", 1, lanesBelow(s, left, mask))
	advance(1)
	SUBQ(operand.U8(s.lanes), n)
	JMP(ref("narrow"))
	Label("done")
	VZEROUPPER()
	RET()
}

// lanesBelow returns a mask register of the first m lanes, m at most s.lanes.
func lanesBelow(s isa, m reg.Register, mask operand.Mem) reg.Register {
	if s.wide() {
		ones, k := GP32(), K()
		MOVL(operand.U32(0xffff), ones)
		BZHIL(m.(reg.GPVirtual).As32(), ones, ones)
		KMOVW(ones, k)
		return k
	}
	at, p, v := GP64(), GP64(), YMM()
	LEAQ(mask, p)
	MOVQ(m, at)
	NEGQ(at)
	VMOVUPS(operand.Mem{Base: p, Index: at, Scale: 4, Disp: 32}, v)
	return v
}

// loadMasked loads the lanes of the mask and clears the others; without a mask
// it loads them all.
func (s isa) loadMasked(m operand.Mem, mask reg.Register, v operand.Op) {
	switch {
	case mask == nil:
		VMOVUPS(m, v)
	case s.wide():
		VMOVUPS_Z(m, mask, v)
	default:
		VMASKMOVPS(m, mask, v)
	}
}

func (s isa) storeMasked(v operand.Op, mask reg.Register, m operand.Mem) {
	switch {
	case mask == nil:
		VMOVUPS(v, m)
	case s.wide():
		VMOVUPS(v, mask, m)
	default:
		VMASKMOVPS(v, mask, m)
	}
}

type combState struct {
	isa
	mr           int
	w, x, y, ldy reg.Register
	gate         reg.Register
}

// tile writes one tile of nv vectors.
func (c *combState) tile(name string, nv int, mask reg.Register) {
	bias := Load(Param("bias"), GP64())
	acc := make([][]reg.VecVirtual, c.mr)
	for i := range acc {
		acc[i] = c.vecs(nv)
		VBROADCASTSS(operand.Mem{Base: bias, Disp: 4 * i}, acc[i][0])
		for _, v := range acc[i][1:] {
			VMOVAPS(acc[i][0], v)
		}
	}
	kc := Load(Param("k"), GP64())
	yp := GP64()
	if mask == nil { // a long loop leaves time to fetch the outputs
		CMPQ(kc, operand.U8(64))
		JLT(ref(name + "_fetched"))
		MOVQ(c.y, yp)
		for range acc {
			for j := 0; j < nv*c.bytes(); j += 64 {
				PREFETCHT0(operand.Mem{Base: yp, Disp: j})
			}
			ADDQ(c.ldy, yp)
		}
		Label(name + "_fetched")
	}
	off := Load(Param("off"), GP64())
	w, o := GP64(), GP64()
	MOVQ(c.w, w)
	Label(name + "_k")
	MOVQ(operand.Mem{Base: off}, o)
	at := func(j int) operand.Mem {
		return operand.Mem{Base: c.x, Index: o, Scale: 4, Disp: j * c.bytes()}
	}
	if c.mr == 1 && mask == nil {
		f := c.vec()
		VBROADCASTSS(operand.Mem{Base: w}, f)
		for j, v := range acc[0] {
			VFMADD231PS(at(j), f, v)
		}
	} else {
		xv := c.vecs(nv)
		for j, v := range xv {
			c.loadMasked(at(j), mask, v)
		}
		for i := range acc {
			f := c.vec()
			VBROADCASTSS(operand.Mem{Base: w, Disp: 4 * i}, f)
			for j, v := range acc[i] {
				VFMADD231PS(xv[j], f, v)
			}
		}
	}
	ADDQ(operand.U8(4*c.mr), w)
	ADDQ(operand.U8(8), off)
	DECQ(kc)
	JNZ(ref(name + "_k"))

	flags := Load(Param("flags"), GP64())
	TESTQ(operand.U32(flagAdd), flags)
	JZ(ref(name + "_added"))
	MOVQ(c.y, yp)
	for i := range acc {
		for j, v := range acc[i] {
			m := operand.Mem{Base: yp, Disp: j * c.bytes()}
			if mask == nil {
				VADDPS(m, v, v)
			} else {
				t := c.vec()
				c.loadMasked(m, mask, t)
				VADDPS(t, v, v)
			}
		}
		ADDQ(c.ldy, yp)
	}
	Label(name + "_added")
	TESTQ(operand.U32(flagAct|flagGate|flagReLU), flags)
	JZ(ref(name + "_store"))
	zero := c.vec()
	c.zero(zero)
	TESTQ(operand.U32(flagReLU), flags)
	JZ(ref(name + "_rectified"))
	for i := range acc {
		for _, v := range acc[i] {
			VMAXPS(zero, v, v)
		}
	}
	Label(name + "_rectified")
	TESTQ(operand.U32(flagAct|flagGate), flags)
	JZ(ref(name + "_store"))
	slope := c.vec()
	VBROADCASTSS(operand.NewParamAddr("slope", 88), slope)
	TESTQ(operand.U32(flagAct), flags)
	JZ(ref(name + "_gate"))
	for i := range acc {
		for _, v := range acc[i] {
			t := c.vec()
			VMULPS(slope, v, t)
			VMAXPS(t, v, v)
		}
	}
	Label(name + "_gate")
	TESTQ(operand.U32(flagGate), flags)
	JZ(ref(name + "_store"))
	ldg, gp := GP64(), GP64()
	MOVQ(operand.NewParamAddr("ldg", 64), ldg)
	SHLQ(operand.U8(2), ldg)
	MOVQ(c.gate, gp)
	const notBelow = 0x15 // NLT_UQ
	for i := range acc {
		for j, v := range acc[i] {
			m := operand.Mem{Base: gp, Disp: j * c.bytes()}
			var g operand.Op = m
			if mask != nil {
				t := c.vec()
				c.loadMasked(m, mask, t)
				g = t
			}
			if c.wide() {
				k := K()
				VCMPPS(operand.U8(notBelow), g, zero, k)
				VMULPS(slope, v, k, v)
			} else {
				t, u := c.vec(), c.vec()
				VCMPPS(operand.U8(notBelow), g, zero, u)
				VMULPS(slope, v, t)
				VBLENDVPS(u, t, v, v)
			}
		}
		ADDQ(ldg, gp)
	}
	Label(name + "_store")
	MOVQ(c.y, yp)
	for i := range acc {
		for j, v := range acc[i] {
			c.storeMasked(v, mask, operand.Mem{Base: yp, Disp: j * c.bytes()})
		}
		ADDQ(c.ldy, yp)
	}
}

// copyRows writes the copy of rows of 48 floats, rows at least 1.
func copyRows(s isa) {
	TEXT("copy48F32"+s.name, NOSPLIT, "func(dst, src *float32, ld, rows int)")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	ld := Load(Param("ld"), GP64())
	SHLQ(operand.U8(2), ld)
	rows := Load(Param("rows"), GP64())
	Label("loop")
	for i := 0; i < 192; i += s.bytes() {
		v := s.vec()
		VMOVUPS(operand.Mem{Base: src, Disp: i}, v)
		VMOVUPS(v, operand.Mem{Base: dst, Disp: i})
	}
	for i := 0; i < 192; i += 64 { // the next strip of the same row
		PREFETCHT1(operand.Mem{Base: src, Disp: 192 + i})
	}
	ADDQ(ld, src)
	ADDQ(operand.I32(192), dst)
	DECQ(rows)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}

// fmaLoop writes n rounds of as many independent multiply-adds as hide their
// latency, for the peak that benchmarks compare with.
func fmaLoop(s isa) {
	TEXT("fmaLoop"+s.name, NOSPLIT, "func(n int)")
	n := Load(Param("n"), GP64())
	acc := s.vecs(12)
	f := s.vec()
	s.zero(f)
	for _, v := range acc {
		s.zero(v)
	}
	Label("loop")
	for _, v := range acc {
		VFMADD231PS(f, f, v)
	}
	DECQ(n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}
