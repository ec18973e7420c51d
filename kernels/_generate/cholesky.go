package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const choleskyMax = 48

// cholesky writes the solution of a system of n unknowns, n in 1..48.
//
// Elements right of the diagonal take part in the row operations, up to the end
// of the vector that holds the diagonal; they are never read as results. After
// the factorisation the upper triangle takes the transpose of the lower, so that
// back substitution, too, works on rows.
func cholesky(s isa) {
	maxVecs := choleskyMax / s.lanes
	below := prefixMask()

	TEXT("choleskySolveF32"+s.name, NOSPLIT, "func(a, b *float32, n, stride int) bool")
	Pragma("noescape")
	inv := AllocLocal(4 * choleskyMax)
	a := Load(Param("a"), GP64())
	b := Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(operand.U8(2), stride)

	zero := s.vec()
	s.zero(zero)
	for i := range maxVecs {
		VMOVUPS(zero, inv.Offset(i*s.bytes()))
	}
	tiny, one := XMM(), XMM()
	t := GP32()
	MOVL(operand.U32(math.Float32bits(1e-20)), t)
	VMOVD(t, tiny)
	MOVL(operand.U32(math.Float32bits(1)), t)
	VMOVD(t, one)
	masks := GP64()
	LEAQ(below, masks)

	// Factorise and substitute forwards, from the last unknown down.
	k := GP64()
	MOVQ(n, k)
	DECQ(k)
	row := GP64() // &a[k][0]
	MOVQ(k, row)
	IMULQ(stride, row)
	ADDQ(a, row)
	s3 := GP64()
	LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, s3)
	// The pivots depend on each other, so each one is computed ahead of the rest
	// of its row, by the same operations.
	pivot := XMM()
	VMOVSS(operand.Mem{Base: row, Index: k, Scale: 4}, pivot)
	for c := maxVecs - 1; c >= 0; c-- { // k/lanes
		Label(label("pivot%d", c))
		CMPQ(k, operand.U8(c*s.lanes))
		JLT(ref(label("next%d", c)))
		pb, r := s.vec(), XMM()
		VUCOMISS(tiny, pivot)
		JLS(ref("fail")) // also if the pivot is NaN
		VDIVSS(pivot, one, r)
		VMOVSS(r, inv.Idx(k, 4))
		VBROADCASTSS(r, pb)
		{ // unknown 0 has no next one; it stands in
			next, nextRow, uk := GP64(), GP64(), XMM()
			MOVQ(row, nextRow)
			SUBQ(stride, nextRow)
			MOVQ(k, next)
			DECQ(next)
			CMOVQLT(k, next)
			CMOVQLT(row, nextRow)
			VMOVSS(operand.Mem{Base: row, Index: next, Scale: 4}, uk)
			VMULSS(uk, r, r)
			VMULSS(uk, r, r)
			VMOVSS(operand.Mem{Base: nextRow, Index: next, Scale: 4}, pivot)
			VSUBSS(r, pivot, pivot)
		}
		u := s.vecs(c + 1)
		y, m := s.vec(), s.vec()
		VBROADCASTSS(operand.Mem{Base: b, Index: k, Scale: 4}, y)
		// The last vector is masked to the lanes below k.
		negk := GP64()
		MOVQ(k, negk)
		NEGQ(negk)
		VMOVUPS(operand.Mem{Base: masks, Index: negk, Scale: 4, Disp: 4 * (16 + c*s.lanes)}, m)
		for v := range u {
			d := v * s.bytes()
			f, z := s.vec(), s.vec()
			VMOVUPS(operand.Mem{Base: row, Disp: d}, u[v])
			VMULPS(pb, u[v], f)
			VMOVUPS(f, operand.Mem{Base: row, Disp: d})
			VMULPS(y, f, f)
			if v == c {
				VANDPS(m, f, f)
			}
			VMOVUPS(operand.Mem{Base: b, Disp: d}, z)
			VSUBPS(f, z, z)
			VMOVUPS(z, operand.Mem{Base: b, Disp: d})
		}
		// Rows below k, the next pivot first.
		ri, i := GP64(), GP64()
		MOVQ(row, ri)
		MOVQ(k, i)
		for r := c; r >= 0; r-- { // i/lanes
			loop, done := label("row%d_%d", c, r), label("done%d_%d", c, r)
			// The class of k has any number of rows below k, the others all.
			rows := 4
			if r == c {
				rows = 1
				CMPQ(i, operand.U8(r*s.lanes))
				JLE(ref(done))
			}
			Label(loop)
			SUBQ(operand.U8(rows), i)
			at := []operand.Mem{{Base: ri}, {Base: ri, Index: stride, Scale: 1}, {Base: ri, Index: stride, Scale: 2}, {Base: ri, Index: s3, Scale: 1}}
			SUBQ(stride, ri)
			if rows == 4 {
				SUBQ(s3, ri)
			}
			for q := rows - 1; q >= 0; q-- {
				f := s.vec()
				VBROADCASTSS(operand.Mem{Base: row, Index: i, Scale: 4, Disp: 4 * q}, f)
				for v := range r + 1 {
					w, p := s.vec(), s.vec()
					m := at[q].Offset(v * s.bytes())
					VMOVUPS(m, w)
					VMULPS(f, u[v], p)
					VSUBPS(p, w, w)
					VMOVUPS(w, m)
				}
			}
			CMPQ(i, operand.U8(r*s.lanes))
			JGT(ref(loop))
			Label(done)
		}
		SUBQ(stride, row)
		DECQ(k)
		JMP(ref(label("pivot%d", c)))
		Label(label("next%d", c))
	}

	for i := range maxVecs {
		CMPQ(n, operand.U8(i*s.lanes))
		JLE(ref("scaled"))
		z := s.vec()
		d := i * s.bytes()
		VMOVUPS(operand.Mem{Base: b, Disp: d}, z)
		VMULPS(inv.Offset(d), z, z)
		VMOVUPS(z, operand.Mem{Base: b, Disp: d})
	}
	Label("scaled")

	transposeLower(a, n, stride)

	// Substitute back, from the first unknown up. rest is how many vectors of
	// unknowns are not yet solved; p is the row of the next unknown, from the
	// first of those vectors on.
	rest, p := GP64(), GP64()
	MOVQ(n, rest)
	ADDQ(operand.U8(s.lanes-1), rest)
	SHRQ(operand.U8(uint8(math.Log2(float64(s.lanes)))), rest)
	MOVQ(a, p)
	for r := maxVecs; r >= 1; r-- {
		Label(label("back%d", r))
		CMPQ(rest, operand.U8(r))
		JNE(ref(label("solved%d", r)))
		z := s.vecs(r)
		for v := range z {
			VMOVUPS(operand.Mem{Base: b, Disp: v * s.bytes()}, z[v])
		}
		left, lane, step := GP64(), s.vec(), s.vec()
		MOVQ(operand.U32(s.lanes), left)
		CMPQ(n, left)
		CMOVQLT(n, left)
		SUBQ(left, n)
		mp := GP64() // masks of the lanes up to the next unknown's
		LEAQ(operand.Mem{Base: masks, Disp: 4 * 15}, mp)
		s.zero(lane)
		MOVL(operand.U32(1), t)
		VMOVD(t, step.AsX())
		VPBROADCASTD(step.AsX(), step)
		Label(label("unknown%d", r))
		x := s.vec()
		VPERMPS(z[0], lane, x)
		VPADDD(step, lane, lane)
		for v := range z {
			q := s.vec()
			VMULPS(operand.Mem{Base: p, Disp: v * s.bytes()}, x, q)
			if v == 0 {
				m := s.vec()
				VMOVUPS(operand.Mem{Base: mp}, m)
				VANDNPS(q, m, q)
			}
			VSUBPS(q, z[v], z[v])
		}
		SUBQ(operand.U8(4), mp)
		ADDQ(stride, p)
		DECQ(left)
		JNZ(ref(label("unknown%d", r)))
		for v := range z {
			VMOVUPS(z[v], operand.Mem{Base: b, Disp: v * s.bytes()})
		}
		ADDQ(operand.U8(s.bytes()), b)
		ADDQ(operand.U8(s.bytes()), p)
		DECQ(rest)
		Label(label("solved%d", r))
	}
	VZEROUPPER()
	ok, _ := ReturnIndex(0).Resolve()
	MOVB(operand.U8(1), ok.Addr)
	RET()
	Label("fail")
	VZEROUPPER()
	MOVB(operand.U8(0), ok.Addr)
	RET()
}

// prefixMask returns 16 lanes of ones followed by 16 of zeros: loading from lane
// 16-m on gives a mask of the first m lanes.
func prefixMask() operand.Mem {
	m := GLOBL("prefixMask", RODATA|NOPTR)
	for i := range 32 {
		v := operand.U32(0)
		if i < 16 {
			v = 1<<32 - 1
		}
		DATA(4*i, v)
	}
	return m
}

// transposeLower copies the lower triangle of a to the upper, in blocks of 8x8.
// The blocks on the diagonal are transposed as a whole.
func transposeLower(a, n, stride reg.Register) {
	// from goes along the blocks of a row of blocks, to down their column.
	from, to, left, blocks, count := GP64(), GP64(), GP64(), GP64(), GP64()
	rows, col := GP64(), GP64()
	s3 := GP64()
	LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, s3)
	MOVQ(a, rows)
	MOVQ(a, col)
	XORQ(blocks, blocks)
	MOVQ(n, left)
	at := func(p reg.Register, i int) operand.Mem {
		switch i {
		case 0:
			return operand.Mem{Base: p}
		case 1:
			return operand.Mem{Base: p, Index: stride, Scale: 1}
		case 2:
			return operand.Mem{Base: p, Index: stride, Scale: 2}
		}
		return operand.Mem{Base: p, Index: s3, Scale: 1}
	}
	Label("transpose")
	INCQ(blocks)
	MOVQ(blocks, count)
	MOVQ(rows, from)
	MOVQ(col, to)
	Label("block")
	from4, to4 := GP64(), GP64()
	LEAQ(operand.Mem{Base: from, Index: stride, Scale: 4}, from4)
	LEAQ(operand.Mem{Base: to, Index: stride, Scale: 4}, to4)
	// Row i of the left half beside row i+4 of it; then the same for the right.
	var r [8]reg.VecVirtual
	for i := range r {
		r[i] = YMM()
		m, m4 := at(from, i&3), at(from4, i&3)
		m.Disp, m4.Disp = i/4*16, i/4*16
		VBROADCASTF128(m, r[i])
		VINSERTF128(operand.U8(1), m4, r[i], r[i])
	}
	for h := 0; h < 8; h += 4 {
		q, out := r[h:h+4], to
		if h == 4 {
			out = to4
		}
		lo0, hi0, lo1, hi1 := YMM(), YMM(), YMM(), YMM()
		VUNPCKLPS(q[1], q[0], lo0)
		VUNPCKHPS(q[1], q[0], hi0)
		VUNPCKLPS(q[3], q[2], lo1)
		VUNPCKHPS(q[3], q[2], hi1)
		VUNPCKLPD(lo1, lo0, q[0])
		VUNPCKHPD(lo1, lo0, q[1])
		VUNPCKLPD(hi1, hi0, q[2])
		VUNPCKHPD(hi1, hi0, q[3])
		for i := range q {
			VMOVUPS(q[i], at(out, i))
		}
	}
	ADDQ(operand.U8(32), from)
	LEAQ(operand.Mem{Base: to, Index: stride, Scale: 8}, to)
	DECQ(count)
	JNZ(ref("block"))
	LEAQ(operand.Mem{Base: rows, Index: stride, Scale: 8}, rows)
	ADDQ(operand.U8(32), col)
	SUBQ(operand.U8(8), left)
	JG(ref("transpose"))
}
