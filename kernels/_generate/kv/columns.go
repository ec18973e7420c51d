package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

// An array is a pointer to the first of the columns at hand, of so many bytes each.
type array struct {
	at   reg.Register
	size int
}

// columns writes a loop over n columns, a positive multiple of 16, by as many vectors
// at a time as body takes. Behind it the arrays are advanced.
func columns(s isa, vectors int, arrays []array, body func()) {
	n := Load(Param("n"), GP64())
	Label("columns")
	body()
	for _, a := range arrays {
		ADDQ(operand.I32(vectors*s.lanes*a.size), a.at)
	}
	SUBQ(operand.I8(vectors*s.lanes), n)
	JNZ(ref("columns"))
	VZEROUPPER()
	RET()
}

// rows writes a loop over the rows of the columns at hand; the first register of each
// pair is advanced by the second.
func rows(count reg.GPVirtual, label string, body func(), steps ...[2]reg.Register) {
	Label(label)
	body()
	for _, s := range steps {
		ADDQ(s[1], s[0])
	}
	DECQ(count)
	JNZ(ref(label))
}

func pointer(name string) reg.Register { return Load(Param(name), GP64()) }

func copyOf(p reg.Register) reg.GPVirtual {
	q := GP64()
	MOVQ(p, q)
	return q
}

func columnStats(s isa) {
	TEXT("columnStatsF32"+s.name, NOSPLIT, "func(lo, hi, sum, sq, pivot, x *float32, ld, rows, n int)")
	Pragma("noescape")
	outs := []reg.Register{pointer("lo"), pointer("hi"), pointer("sum"), pointer("sq"), pointer("pivot")}
	x, ld := pointer("x"), pointer("ld")
	SHLQ(operand.U8(2), ld)
	arrays := []array{{x, 4}}
	for _, o := range outs {
		arrays = append(arrays, array{o, 4})
	}
	vectors := 16 / s.lanes
	columns(s, vectors, arrays, func() {
		acc := make([][5]vec, vectors) // as outs
		for j := range acc {
			a := &acc[j]
			a[4] = s.load(x, j)
			s.store(a[4], outs[4], j)
			for k := range 4 {
				a[k] = s.vec()
				if k < 2 {
					VMOVAPS(a[4], a[k])
				} else {
					s.zero(a[k])
				}
			}
		}
		p, count := copyOf(x), Load(Param("rows"), GP64()).(reg.GPVirtual)
		DECQ(count)
		JZ(ref("store"))
		ADDQ(ld, p)
		rows(count, "rows", func() {
			for j := range acc {
				a, v, d := &acc[j], s.load(p, j), s.vec()
				VMINPS(a[0], v, a[0])
				VMAXPS(a[1], v, a[1])
				VSUBPS(a[4], v, d)
				VADDPS(d, a[2], a[2])
				VMULPS(d, d, d)
				VADDPS(d, a[3], a[3])
			}
		}, [2]reg.Register{p, ld})
		Label("store")
		for j := range acc {
			for k, o := range outs[:4] {
				s.store(acc[j][k], o, j)
			}
		}
	})
}

// A grid holds the vectors of a ColumnGrid.
type grid struct {
	s                isa
	none, magic      vec
	zero, inv, level []vec
}

// place returns element v in units of levels, and the nearest level plus the magic
// number.
func (g *grid) place(v vec, j int) (t, q vec) {
	t, q = g.s.vec(), g.s.vec()
	VSUBPS(g.zero[j], v, t)
	VMULPS(g.inv[j], t, t)
	VMAXPS(g.none, t, q)
	VMINPS(g.level[j], q, q)
	VADDPS(g.magic, q, q)
	return t, q
}

// gridLoop writes a loop over the columns of x with their grids.
func gridLoop(s isa, vectors int, magic operand.Mem, x reg.Register, out array, body func(g *grid)) {
	g := &grid{s: s, none: s.vec(), magic: s.repeated(magic)}
	s.zero(g.none)
	zero, inv, top := pointer("zero"), pointer("inv"), pointer("top")
	columns(s, vectors, []array{{zero, 4}, {inv, 4}, {top, 4}, {x, 4}, out}, func() {
		g.zero, g.inv, g.level = nil, nil, nil
		for j := range vectors {
			g.zero = append(g.zero, s.load(zero, j))
			g.inv = append(g.inv, s.load(inv, j))
			g.level = append(g.level, s.load(top, j))
		}
		body(g)
	})
}

func columnCodes(s isa, magic operand.Mem) {
	TEXT("columnCodesF32"+s.name, NOSPLIT, "func(codes *uint8, ldc int, zero, inv, top, x *float32, ld, rows, n int)")
	Pragma("noescape")
	codes, ldc := pointer("codes"), pointer("ldc")
	x, ld := pointer("x"), pointer("ld")
	SHLQ(operand.U8(2), ld)
	vectors := 16 / s.lanes
	gridLoop(s, vectors, magic, x, array{codes, 1}, func(g *grid) {
		p, out := copyOf(x), copyOf(codes)
		rows(Load(Param("rows"), GP64()).(reg.GPVirtual), "rows", func() {
			q := make([]vec, vectors)
			for j := range q {
				_, q[j] = g.place(s.load(p, j), j)
			}
			if s.wide() {
				VPMOVDB(q[0], operand.Mem{Base: out})
				return
			}
			// Without the magic number the words do not saturate.
			for _, v := range q {
				VPXOR(g.magic, v, v)
			}
			VPACKUSDW(q[1], q[0], q[0])
			VPERMQ(operand.U8(0xd8), q[0], q[0])
			high := XMM()
			VEXTRACTI128(operand.U8(1), q[0], high)
			VPACKUSWB(high, q[0].AsX(), high)
			VMOVDQU(high, operand.Mem{Base: out})
		}, [2]reg.Register{p, ld}, [2]reg.Register{out, ldc})
	})
}

func columnMoments(s isa, magic operand.Mem) {
	TEXT("columnMomentsF32"+s.name, NOSPLIT, "func(t, q, qq, qt, zero, inv, top, x *float32, ld, rows, n int)")
	Pragma("noescape")
	x, ld := pointer("x"), pointer("ld")
	SHLQ(operand.U8(2), ld)
	names := [4]string{"t", "q", "qq", "qt"}
	at := GP64() // bytes from the first column
	XORQ(at, at)
	gridLoop(s, 1, magic, x, array{at, 4}, func(g *grid) {
		var a [4]vec
		for k := range a {
			a[k] = s.vec()
			s.zero(a[k])
		}
		p := copyOf(x)
		rows(Load(Param("rows"), GP64()).(reg.GPVirtual), "rows", func() {
			t, q := g.place(s.load(p, 0), 0)
			VADDPS(t, a[0], a[0])
			VSUBPS(g.magic, q, q)
			VADDPS(q, a[1], a[1])
			VMULPS(q, t, t)
			VADDPS(t, a[3], a[3])
			VMULPS(q, q, q)
			VADDPS(q, a[2], a[2])
		}, [2]reg.Register{p, ld})
		for k, name := range names {
			out := pointer(name)
			ADDQ(at, out)
			s.store(a[k], out, 0)
		}
	})
}

func dequantiseColumns(s isa) {
	TEXT("dequantiseColumnsF32"+s.name, NOSPLIT, "func(x *float32, ld int, codes *uint8, ldc int, scale *float32, zero *int32, rows, n int)")
	Pragma("noescape")
	x, ld := pointer("x"), pointer("ld")
	SHLQ(operand.U8(2), ld)
	codes, ldc := pointer("codes"), pointer("ldc")
	scale, zero := pointer("scale"), pointer("zero")
	vectors := 16 / s.lanes
	columns(s, vectors, []array{{x, 4}, {codes, 1}, {scale, 4}, {zero, 4}}, func() {
		var f, z []vec
		for j := range vectors {
			f = append(f, s.load(scale, j))
			z = append(z, s.load(zero, j))
		}
		out, p := copyOf(x), copyOf(codes)
		rows(Load(Param("rows"), GP64()).(reg.GPVirtual), "rows", func() {
			for j := range vectors {
				v := s.vec()
				VPMOVZXBD(operand.Mem{Base: p, Disp: j * s.lanes}, v)
				VPSLLD(operand.U8(4), v, v)
				VPADDD(z[j], v, v)
				VCVTDQ2PS(v, v)
				VMULPS(f[j], v, v)
				s.store(v, out, j)
			}
		}, [2]reg.Register{out, ld}, [2]reg.Register{p, ldc})
	})
}

// magnitude writes the maximum of n elements without their signs, as bits, n a positive
// multiple of 64.
func magnitude(s isa, most operand.Mem) {
	TEXT("magnitudeF32"+s.name, NOSPLIT, "func(x *float32, n int) uint32")
	Pragma("noescape")
	x, n := pointer("x"), pointer("n")
	mask := s.repeated(most)
	acc := make([]vec, 4)
	for k := range acc {
		acc[k] = s.vec()
		s.zero(acc[k])
	}
	Label("loop")
	for j := range 64 / s.lanes {
		v, a := s.vec(), acc[j%len(acc)]
		if s.wide() {
			VPANDD(operand.Mem{Base: x, Disp: j * s.bytes()}, mask, v)
		} else {
			VPAND(operand.Mem{Base: x, Disp: j * s.bytes()}, mask, v)
		}
		VPMAXUD(v, a, a)
	}
	ADDQ(operand.I32(256), x)
	SUBQ(operand.I8(64), n)
	JNZ(ref("loop"))
	VPMAXUD(acc[2], acc[0], acc[0])
	VPMAXUD(acc[3], acc[1], acc[1])
	VPMAXUD(acc[1], acc[0], acc[0])
	half := acc[0].AsY()
	if s.wide() {
		high := YMM()
		VEXTRACTI64X4(operand.U8(1), acc[0], high)
		VPMAXUD(high, half, half)
	}
	quarter, high := acc[0].AsX(), XMM()
	VEXTRACTI128(operand.U8(1), half, high)
	VPMAXUD(high, quarter, quarter)
	VPSHUFD(operand.U8(0x4e), quarter, high)
	VPMAXUD(high, quarter, quarter)
	VPSHUFD(operand.U8(0xb1), quarter, high)
	VPMAXUD(high, quarter, quarter)
	out := GP32()
	VMOVD(quarter, out)
	Store(out, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
