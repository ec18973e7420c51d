// Command _generate writes the amd64 assembly of package arith: interleaved
// rANS. Run it with go generate in the package's folder.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// These agree with interleaved.go.
const (
	lanes    = 64
	low      = 1 << 15
	tableLog = 12

	biasBits = 13
	freqBits = 12
)

func main() {
	ConstraintExpr("!noasm")
	decodeAVX2()
	decodeAVX512()
	encodeAVX2()
	encodeAVX512()
	Generate()
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

// constant returns a vector register with v in every lane.
func constant(v uint32, dst reg.VecVirtual) reg.VecVirtual {
	t, x := GP32(), XMM()
	MOVL(operand.U32(v), t)
	VMOVD(t, x)
	VPBROADCASTD(x, dst)
	return dst
}

// shuffles is a table of VPERMD indices, one byte each, for every mask of 8
// lanes.
func shuffles(name string, index func(mask, lane int) int) operand.Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for mask := range 256 {
		var v uint64
		for lane := range 8 {
			v |= uint64(index(mask, lane)&7) << (8 * lane)
		}
		DATA(8*mask, operand.U64(v))
	}
	return m
}

// at returns the operand for vector i of size bytes in a group.
func at(base operand.Op, i, size int) operand.Mem {
	return operand.Mem{Base: base.(reg.Register), Disp: i * size}
}

// The decoders decode whole groups of one symbol per lane, until n groups are
// done or in is past last, where a group may still begin. They return how many
// groups are left and how many bytes of in they used.
const decodeSignature = "func(dst *byte, n int, in, last *byte, x *[64]uint32, t *uint32) (left, used int)"

func decodeAVX2() {
	const vecs, half = lanes / 8, 4
	// Lane l takes the word whose number is the count of lower lanes that take
	// one.
	perm := shuffles("takeWord", func(mask, lane int) (n int) {
		for l := range lane {
			n += mask >> l & 1
		}
		return n
	})
	TEXT("decodeGroupsAVX2", NOSPLIT, decodeSignature)
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	n := Load(Param("n"), GP64())
	in := Load(Param("in"), GP64())
	last := Load(Param("last"), GP64())
	xp := Load(Param("x"), GP64())
	t := Load(Param("t"), GP64())
	perms := GP64()
	LEAQ(perm, perms)
	x := make([]reg.VecVirtual, vecs)
	for i := range x {
		x[i] = YMM()
		VMOVDQU(at(xp, i, 32), x[i])
	}
	// Constants come from memory where registers run out.
	mask := AllocLocal(32)
	lowest := AllocLocal(32)
	{
		v := YMM()
		VMOVDQU(constant(1<<tableLog-1, v), mask)
		VMOVDQU(constant(low, v), lowest)
	}
	order := YMM()
	VMOVDQU(packOrder(), order)

	Label("loop")
	CMPQ(in, last)
	JHI(ref("done"))
	for h := 0; h < vecs; h += half {
		var e [half]reg.VecVirtual
		for i := range e {
			slot, ones, f := YMM(), YMM(), YMM()
			y := x[h+i]
			e[i] = YMM()
			VPAND(mask, y, slot)
			VPCMPEQD(slot, slot, ones)
			VPXOR(e[i], e[i], e[i])
			VPGATHERDD(ones, operand.Mem{Base: t.(reg.Register), Index: slot, Scale: 4}, e[i])
			VPSRLD(operand.U8(tableLog), y, y)
			VPSLLD(operand.U8(12), e[i], f)
			VPSRLD(operand.U8(20), f, f)
			VPMULLD(f, y, y)
			VPSRLD(operand.U8(20), e[i], f)
			VPADDD(f, y, y)
			VPSLLD(operand.U8(24), e[i], e[i])
			VPSRLD(operand.U8(24), e[i], e[i])
		}
		for i := range e {
			y := x[h+i]
			due, words, idx := YMM(), YMM(), YMM()
			VMOVDQU(lowest, due)
			VPCMPGTD(y, due, due)
			bits, cnt := GP32(), GP32()
			VMOVMSKPS(due, bits)
			VPMOVZXBD(operand.Mem{Base: perms, Index: bits, Scale: 8}, idx)
			VPMOVZXWD(operand.Mem{Base: in.(reg.Register)}, words)
			POPCNTL(bits, cnt)
			LEAQ(operand.Mem{Base: in.(reg.Register), Index: cnt, Scale: 2}, in)
			VPERMD(words, idx, words)
			VPSLLD(operand.U8(16), y, idx)
			VPOR(words, idx, words)
			VPBLENDVB(due, words, y, y)
		}
		VPACKUSDW(e[1], e[0], e[0])
		VPACKUSDW(e[3], e[2], e[2])
		VPACKUSWB(e[2], e[0], e[0])
		VPERMD(e[0], order, e[0])
		VMOVDQU(e[0], at(dst, h/half, 32))
	}
	ADDQ(operand.U8(lanes), dst)
	DECQ(n)
	JNZ(ref("loop"))
	Label("done")
	for i := range x {
		VMOVDQU(x[i], at(xp, i, 32))
	}
	VZEROUPPER()
	Store(n, Return("left"))
	SUBQ(operand.NewParamAddr("in", 16), in)
	Store(in, Return("used"))
	RET()
}

// packOrder puts the quarters of 32 bytes packed by VPACKUSDW and VPACKUSWB,
// which work on 128-bit halves, back in order.
func packOrder() operand.Mem {
	m := GLOBL("packOrder", RODATA|NOPTR)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, operand.U32(v))
	}
	return m
}

func decodeAVX512() {
	const vecs = lanes / 16
	TEXT("decodeGroupsAVX512", NOSPLIT, decodeSignature)
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	n := Load(Param("n"), GP64())
	in := Load(Param("in"), GP64())
	last := Load(Param("last"), GP64())
	xp := Load(Param("x"), GP64())
	t := Load(Param("t"), GP64())
	var x, e [vecs]reg.VecVirtual
	for i := range x {
		x[i], e[i] = ZMM(), ZMM()
		VMOVDQU32(at(xp, i, 64), x[i])
	}
	mask := constant(1<<tableLog-1, ZMM())
	lowest := constant(low, ZMM())
	all := K()
	Label("loop")
	CMPQ(in, last)
	JHI(ref("done"))
	for i, y := range x {
		slot, f := ZMM(), ZMM()
		VPANDD(mask, y, slot)
		KXNORW(all, all, all)
		VPXORD(e[i], e[i], e[i])
		VPGATHERDD(operand.Mem{Base: t.(reg.Register), Index: slot, Scale: 4}, all, e[i])
		VPSRLD(operand.U8(tableLog), y, y)
		VPSRLD(operand.U8(8), e[i], f)
		VPANDD(mask, f, f)
		VPMULLD(f, y, y)
		VPSRLD(operand.U8(20), e[i], f)
		VPADDD(f, y, y)
		VPMOVDB(e[i], at(dst, i, 16))
	}
	for _, y := range x {
		due, words := K(), ZMM()
		bits := GP32()
		VPCMPD(operand.U8(1), lowest, y, due) // y < lowest
		VPMOVZXWD(operand.Mem{Base: in.(reg.Register)}, words)
		VPEXPANDD_Z(words, due, words)
		VPSLLD(operand.U8(16), y, due, y)
		VPORD(words, y, y)
		KMOVW(due, bits)
		POPCNTL(bits, bits)
		LEAQ(operand.Mem{Base: in.(reg.Register), Index: bits, Scale: 2}, in)
	}
	ADDQ(operand.U8(lanes), dst)
	DECQ(n)
	JNZ(ref("loop"))
	Label("done")
	for i := range x {
		VMOVDQU32(x[i], at(xp, i, 64))
	}
	VZEROUPPER()
	Store(n, Return("left"))
	SUBQ(operand.NewParamAddr("in", 16), in)
	Store(in, Return("used"))
	RET()
}

// The encoders encode n groups, n at least 1, the last one first. The words go
// below buf[p]. They return the new p and may write up to 16 bytes below it.
const encodeSignature = "func(src *byte, n int, buf *byte, p int, x *[64]uint32, t *uint32) int"

func encodeAVX2() {
	const vecs = lanes / 8
	// The words of the lanes in the mask go to the highest lanes.
	perm := shuffles("giveWord", func(mask, lane int) int {
		var given []int
		for l := range 8 {
			if mask>>l&1 != 0 {
				given = append(given, l)
			}
		}
		return append(make([]int, 8-len(given)), given...)[lane]
	})
	TEXT("encodeGroupsAVX2", NOSPLIT, encodeSignature)
	Pragma("noescape")
	src := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	p := Load(Param("p"), GP64())
	ADDQ(operand.NewParamAddr("buf", 16), p)
	{
		size := GP64()
		MOVQ(n, size)
		IMUL3Q(operand.U32(lanes), size, size)
		ADDQ(size, src)
	}
	xp := Load(Param("x"), GP64())
	t := Load(Param("t"), GP64())
	perms := GP64()
	LEAQ(perm, perms)
	freqMask := constant((1<<freqBits-1)<<biasBits, YMM())
	biasMask := constant(1<<biasBits-1, YMM())
	total := constant(1<<tableLog, YMM())
	wordMask := constant(1<<16-1, YMM())
	Label("loop")
	SUBQ(operand.U8(lanes), src)
	for i := vecs - 1; i >= 0; i-- {
		sym, ones, rcp, op := YMM(), YMM(), YMM(), YMM()
		y, f, due := YMM(), YMM(), YMM()
		VPMOVZXBD(at(src, i, 8), sym)
		VPCMPEQD(sym, sym, ones)
		VPXOR(rcp, rcp, rcp)
		VPGATHERDD(ones, operand.Mem{Base: t.(reg.Register), Index: sym, Scale: 8}, rcp)
		VPCMPEQD(sym, sym, ones)
		VPXOR(op, op, op)
		VPGATHERDD(ones, operand.Mem{Base: t.(reg.Register), Index: sym, Scale: 8, Disp: 4}, op)
		VMOVDQU(at(xp, i, 32), y)
		// A word is due unless y < f<<19.
		VPAND(freqMask, op, f)
		VPSLLD(operand.U8(19-biasBits), f, due)
		VPCMPGTD(y, due, due)
		bits, cnt := GP32(), GP64()
		VMOVMSKPS(due, bits)
		XORL(operand.U32(255), bits)
		idx, words := YMM(), YMM()
		VPMOVZXBD(operand.Mem{Base: perms, Index: bits, Scale: 8}, idx)
		VPAND(wordMask, y, words)
		VPERMD(words, idx, words)
		VPACKUSDW(words, words, words)
		VPERMQ(operand.U8(0b1000), words, words)
		VMOVDQU(words.AsX(), operand.Mem{Base: p.(reg.Register), Disp: -16})
		POPCNTL(bits, cnt.As32())
		NEGQ(cnt)
		LEAQ(operand.Mem{Base: p.(reg.Register), Index: cnt, Scale: 2}, p)
		moved := YMM()
		VPSRLD(operand.U8(16), y, moved)
		VPBLENDVB(due, y, moved, y)
		// q = y*rcp >> 32 >> shift
		q, odd := YMM(), YMM()
		VPMULUDQ(rcp, y, q)
		VPSRLQ(operand.U8(32), q, q)
		VPSRLQ(operand.U8(32), y, odd)
		VPSRLQ(operand.U8(32), rcp, rcp)
		VPMULUDQ(rcp, odd, odd)
		VPBLENDD(operand.U8(0b10101010), odd, q, q)
		shift := YMM()
		VPSRLD(operand.U8(biasBits+freqBits), op, shift)
		VPSRLVD(shift, q, q)
		VPSRLD(operand.U8(biasBits), f, f)
		VPSUBD(f, total, f)
		VPMULLD(f, q, q)
		VPAND(biasMask, op, op)
		VPADDD(op, y, y)
		VPADDD(q, y, y)
		VMOVDQU(y, at(xp, i, 32))
	}
	DECQ(n)
	JNZ(ref("loop"))
	VZEROUPPER()
	SUBQ(operand.NewParamAddr("buf", 16), p)
	Store(p, ReturnIndex(0))
	RET()
}

func encodeAVX512() {
	const vecs = lanes / 16
	TEXT("encodeGroupsAVX512", NOSPLIT, encodeSignature)
	Pragma("noescape")
	src := Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	p := Load(Param("p"), GP64())
	ADDQ(operand.NewParamAddr("buf", 16), p)
	{
		size := GP64()
		MOVQ(n, size)
		IMUL3Q(operand.U32(lanes), size, size)
		ADDQ(size, src)
	}
	xp := Load(Param("x"), GP64())
	t := Load(Param("t"), GP64())
	freqMask := constant((1<<freqBits-1)<<biasBits, ZMM())
	biasMask := constant(1<<biasBits-1, ZMM())
	total := constant(1<<tableLog, ZMM())
	var x [vecs]reg.VecVirtual
	for i := range x {
		x[i] = ZMM()
		VMOVDQU32(at(xp, i, 64), x[i])
	}
	odds := K()
	{
		t := GP32()
		MOVL(operand.U32(0xaaaa), t)
		KMOVW(t, odds)
	}
	ones := GP32()
	MOVL(operand.U32(1<<32-1), ones)
	all := K()
	Label("loop")
	SUBQ(operand.U8(lanes), src)
	for i := vecs - 1; i >= 0; i-- {
		y := x[i]
		sym, rcp, op, f := ZMM(), ZMM(), ZMM(), ZMM()
		VPMOVZXBD(at(src, i, 16), sym)
		KXNORW(all, all, all)
		VPXORD(rcp, rcp, rcp)
		VPGATHERDD(operand.Mem{Base: t.(reg.Register), Index: sym, Scale: 8}, all, rcp)
		KXNORW(all, all, all)
		VPXORD(op, op, op)
		VPGATHERDD(operand.Mem{Base: t.(reg.Register), Index: sym, Scale: 8, Disp: 4}, all, op)
		VPANDD(freqMask, op, f)
		limit, words := ZMM(), ZMM()
		due := K()
		VPSLLD(operand.U8(19-biasBits), f, limit)
		VPCMPD(operand.U8(5), limit, y, due) // y >= limit
		VPCOMPRESSD_Z(y, due, words)
		VPMOVDW(words, words.AsY())
		bits, cnt, keep := GP32(), GP64(), GP32()
		KMOVW(due, bits)
		POPCNTL(bits, cnt.As32())
		BZHIL(cnt.As32(), ones, keep)
		kk := K()
		KMOVD(keep, kk)
		NEGQ(cnt)
		LEAQ(operand.Mem{Base: p.(reg.Register), Index: cnt, Scale: 2}, p)
		VMOVDQU16(words.AsY(), kk, operand.Mem{Base: p.(reg.Register)})
		VPSRLD(operand.U8(16), y, due, y)
		q, odd := ZMM(), ZMM()
		VPMULUDQ(rcp, y, q)
		VPSRLQ(operand.U8(32), q, q)
		VPSRLQ(operand.U8(32), y, odd)
		VPSRLQ(operand.U8(32), rcp, rcp)
		VPMULUDQ(rcp, odd, odd)
		VMOVDQA32(odd, odds, q)
		shift := ZMM()
		VPSRLD(operand.U8(biasBits+freqBits), op, shift)
		VPSRLVD(shift, q, q)
		VPSRLD(operand.U8(biasBits), f, f)
		VPSUBD(f, total, f)
		VPMULLD(f, q, q)
		VPANDD(biasMask, op, op)
		VPADDD(op, y, y)
		VPADDD(q, y, y)
	}
	DECQ(n)
	JNZ(ref("loop"))
	for i := range x {
		VMOVDQU32(x[i], at(xp, i, 64))
	}
	VZEROUPPER()
	SUBQ(operand.NewParamAddr("buf", 16), p)
	Store(p, ReturnIndex(0))
	RET()
}
