package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vec = reg.VecVirtual

var constants = map[uint32]operand.Mem{}

// constBits returns a vector of a repeated constant in memory.
func constBits(b uint32) operand.Mem {
	m, ok := constants[b]
	if !ok {
		m = GLOBL(fmt.Sprintf("const%08x", b), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, operand.U32(b))
		}
		constants[b] = m
	}
	return m
}

func constant(f float64) operand.Mem { return constBits(bits(f)) }

// A streamer is a kernel that goes through arrays of n elements, n a positive
// multiple of 16.
type streamer struct {
	isa
	pointers map[string]reg.Register
	scalars  map[string]vec
	disp     int
}

// flushing is what the names of kernels end in that take numbers below the smallest
// normal one for zero: running means decay to such, for ever, and most processors
// compute with them a hundred times slower.
const flushing = "!"

// stream writes a kernel whose arrays and float32 scalars are named, separated by
// spaces.
func stream(s isa, name, arrays, scalars string, body func(e *streamer)) {
	name, flush := strings.CutSuffix(name, flushing)
	sig := "func(" + strings.ReplaceAll(arrays, " ", ", ") + " *float32, n int"
	if scalars != "" {
		sig += ", " + strings.ReplaceAll(scalars, " ", ", ") + " float32"
	}
	TEXT(name+"F32"+s.name, NOSPLIT, sig+")")
	Pragma("noescape")
	e := &streamer{isa: s, pointers: map[string]reg.Register{}, scalars: map[string]vec{}}
	names := strings.Fields(arrays)
	for _, p := range names {
		e.pointers[p] = Load(Param(p), GP64())
	}
	for _, p := range strings.Fields(scalars) {
		x := XMM()
		Load(Param(p), x)
		e.scalars[p] = s.vec()
		VBROADCASTSS(x, e.scalars[p])
	}
	n := Load(Param("n"), GP64())
	var control operand.Mem
	if flush {
		control = AllocLocal(8)
		t := GP32()
		VSTMXCSR(control)
		MOVL(control, t)
		ORL(operand.U32(1<<15|1<<6), t) // flush to zero, denormals are zeros
		MOVL(t, control.Offset(4))
		VLDMXCSR(control.Offset(4))
	}
	Label("loop")
	for e.disp = 0; e.disp < 64; e.disp += s.bytes() {
		body(e)
	}
	for _, p := range names {
		ADDQ(operand.U8(64), e.pointers[p])
	}
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	if flush {
		VLDMXCSR(control)
	}
	VZEROUPPER()
	RET()
}

func (e *streamer) at(p string) operand.Mem {
	return operand.Mem{Base: e.pointers[p], Disp: e.disp}
}

func (e *streamer) get(p string) vec {
	v := e.vec()
	VMOVUPS(e.at(p), v)
	return v
}

func (e *streamer) put(v vec, p string) { VMOVUPS(v, e.at(p)) }

func (s isa) load(m operand.Mem) vec {
	v := s.vec()
	VMOVUPS(m, v)
	return v
}

// The second operand of these may be in memory.

func (s isa) mul(a vec, b operand.Op) vec {
	r := s.vec()
	VMULPS(b, a, r)
	return r
}

func (s isa) add(a vec, b operand.Op) vec {
	r := s.vec()
	VADDPS(b, a, r)
	return r
}

func (s isa) sub(a vec, b operand.Op) vec {
	r := s.vec()
	VSUBPS(b, a, r)
	return r
}

func (s isa) div(a vec, b operand.Op) vec {
	r := s.vec()
	VDIVPS(b, a, r)
	return r
}

// The bitwise operations, by the integer instructions that every AVX-512 has.

func (s isa) and(a vec, b operand.Op) vec {
	r := s.vec()
	if s.wide() {
		VPANDD(b, a, r)
	} else {
		VPAND(b, a, r)
	}
	return r
}

func (s isa) or(a vec, b operand.Op) vec {
	r := s.vec()
	if s.wide() {
		VPORD(b, a, r)
	} else {
		VPOR(b, a, r)
	}
	return r
}

func (s isa) xor(a vec, b operand.Op) vec {
	r := s.vec()
	if s.wide() {
		VPXORD(b, a, r)
	} else {
		VPXOR(b, a, r)
	}
	return r
}

// round rounds to integers: mode 0 to the nearest, 1 down.
func (s isa) round(a operand.Op, mode int) vec {
	r := s.vec()
	if s.wide() {
		VRNDSCALEPS(operand.U8(mode), a, r)
	} else {
		VROUNDPS(operand.U8(mode), a, r)
	}
	return r
}

// limit returns a within lo and hi, NaN where a is NaN.
func (s isa) limit(a operand.Op, lo, hi operand.Op) vec {
	l, r := s.vec(), s.vec()
	VMOVUPS(lo, l)
	VMAXPS(a, l, r)
	VMOVUPS(hi, l)
	VMINPS(r, l, r)
	return r
}

// choose returns a where the comparison of x with y holds and b where it does not.
func (s isa) choose(predicate int, x vec, y operand.Op, a, b vec) vec {
	r := s.vec()
	if s.wide() {
		k := K()
		VCMPPS(operand.U8(predicate), y, x, k)
		VBLENDMPS(a, b, k, r)
	} else {
		m := s.vec()
		VCMPPS(operand.U8(predicate), y, x, m)
		VBLENDVPS(m, a, b, r)
	}
	return r
}

// Predicates of choose.
const (
	less     = 0x11 // LT_OQ
	aboveNot = 0x1a // NGT_UQ
)

// horner returns c[0] + c[1]*x + ...
func (s isa) horner(x vec, c ...float64) vec {
	p := s.load(constant(c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		VFMADD213PS(constant(c[i]), x, p)
	}
	return p
}

// exp follows exp32 in elementwise.go.
func (s isa) exp(x vec) vec {
	x = s.limit(x, constant(-87), constant(88))
	n := s.round(s.mul(x, constant(1.4426950408889634)), 0)
	r := s.vec()
	VMOVAPS(x, r)
	VFNMADD231PS(constant(ln2High), n, r)
	VFNMADD231PS(constant(ln2Low), n, r)
	p := s.horner(r, 0.4999999403953552, 0.1666651964187622, 0.04166839271783829, 0.008368780836462975, 0.0013814467238262296)
	rr := s.mul(r, r)
	VFMADD213PS(r, rr, p)
	y := s.add(p, constant(1))
	VCVTPS2DQ(n, n)
	VPSLLD(operand.U8(23), n, n)
	VPADDD(n, y, y)
	return y
}

// log follows log32 in elementwise.go.
func (s isa) log(x vec) vec {
	x = s.limit(x, constant(1.17549435e-38), constant(3.4028234e38))
	e := s.vec()
	VPSUBD(constBits(sqrtHalf), x, e) // so that exponents change at sqrt(1/2)
	m := s.and(e, constBits(0x007fffff))
	VPSRAD(operand.U8(23), e, e)
	VPADDD(constBits(sqrtHalf), m, m)
	n := s.vec()
	VCVTDQ2PS(e, n)
	f := s.sub(m, constant(1))
	p := s.horner(f, -0.5, 0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122,
		0.14201757311820984, -0.13160182535648346, 0.1276157647371292, -0.07634496688842773)
	p = s.mul(p, s.mul(f, f))
	VFMADD231PS(constant(ln2Low), n, p)
	p = s.add(p, f)
	VFMADD231PS(constant(ln2High), n, p)
	return p
}

const (
	sqrtHalf = 0x3f3504f3 // the bits of sqrt(1/2)
	ln2High  = 0.693359375
	ln2Low   = -2.12194440e-4
	signBit  = 1 << 31
)

// sigmoid returns 1/(1+exp(-x)).
func (s isa) sigmoid(x vec) vec {
	y := s.add(s.exp(s.xor(x, constBits(signBit))), constant(1))
	return s.div(s.load(constant(1)), y)
}

// tanh returns 1 - 2/(exp(2x)+1).
func (s isa) tanh(x vec) vec {
	y := s.add(s.exp(s.add(x, x)), constant(1))
	return s.sub(s.load(constant(1)), s.div(s.load(constant(2)), y))
}

func elementwise(s isa) {
	stream(s, "axpby", "y x", "b a", func(e *streamer) {
		y := e.mul(e.get("y"), e.scalars["b"])
		VFMADD231PS(e.at("x"), e.scalars["a"], y)
		e.put(y, "y")
	})
	stream(s, "mulAdd", "y a b", "", func(e *streamer) {
		y := e.get("y")
		VFMADD231PS(e.at("b"), e.get("a"), y)
		e.put(y, "y")
	})
	stream(s, "gate", "dst src by", "slope", func(e *streamer) {
		x, g, zero := e.get("src"), e.get("by"), constant(0)
		e.put(e.choose(aboveNot, g, zero, e.mul(x, e.scalars["slope"]), x), "dst")
	})
	stream(s, "leaky", "dst src", "slope", func(e *streamer) {
		x := e.get("src")
		y := e.mul(x, e.scalars["slope"])
		VMAXPS(x, y, y)
		e.put(y, "dst")
	})
	stream(s, "exp", "dst src", "", func(e *streamer) { e.put(e.exp(e.get("src")), "dst") })
	stream(s, "log", "dst src", "", func(e *streamer) { e.put(e.log(e.get("src")), "dst") })
	stream(s, "tanh", "dst src", "", func(e *streamer) { e.put(e.tanh(e.get("src")), "dst") })
	stream(s, "sigmoid", "dst src", "", func(e *streamer) { e.put(e.sigmoid(e.get("src")), "dst") })
	stream(s, "gelu", "dst src", "", func(e *streamer) {
		x := e.get("src")
		e.put(e.mul(e.sigmoid(e.mul(x, constant(1.702))), x), "dst")
	})
	stream(s, "geluGrad", "dx dy x", "", func(e *streamer) {
		z := e.mul(e.get("x"), constant(1.702))
		g := e.sigmoid(z)
		h := e.sub(e.load(constant(1)), g) // g + z*g*(1-g)
		VFMADD213PS(constant(1), z, h)
		e.put(e.mul(e.mul(g, h), e.at("dy")), "dx")
	})
	// half is 1/2 over tanh(1/2/t), inverse is 1/t.
	softround := func(e *streamer, x vec) (m, t vec) {
		m = e.add(e.round(x, 1), constant(0.5))
		return m, e.tanh(e.mul(e.sub(x, m), e.scalars["inverse"]))
	}
	stream(s, "softRound", "dst src", "inverse half", func(e *streamer) {
		m, t := softround(e, e.get("src"))
		VFMADD231PS(e.scalars["half"], t, m)
		e.put(m, "dst")
	})
	stream(s, "softRoundGrad", "dx dy x", "inverse half", func(e *streamer) {
		_, t := softround(e, e.get("x"))
		g := e.load(constant(1))
		VFNMADD231PS(t, t, g)
		g = e.mul(e.mul(g, e.scalars["inverse"]), e.scalars["half"])
		e.put(e.mul(g, e.at("dy")), "dx")
	})
	stream(s, "adam"+flushing, "p grad m v", "scale b1 a1 b2 a2 rate correction floor epsilon decay", func(e *streamer) {
		c := e.scalars
		g := e.mul(c["scale"], e.at("grad"))
		m, v, p := e.mul(c["b1"], e.at("m")), e.mul(c["b2"], e.at("v")), e.get("p")
		VFMADD231PS(c["a1"], g, m)
		e.put(m, "m")
		g = e.mul(g, g)
		VFMADD231PS(c["a2"], g, v)
		e.put(v, "v")
		d := e.add(e.mul(v, c["correction"]), c["floor"])
		VSQRTPS(d, d)
		d = e.add(d, c["epsilon"])
		q := e.div(e.mul(m, c["rate"]), d)
		VFMADD231PS(p, c["decay"], q)
		e.put(e.sub(p, q), "p")
	})
	laplace(s)
	noise(s, "normal", true)
	noise(s, "uniform", false)
	interleave(s)
	deinterleave(s)
	reduce(s, "dot", "x y", func(e *streamer, acc vec) { VFMADD231PS(e.at("y"), e.get("x"), acc) })
	reduce(s, "sum", "x", func(e *streamer, acc vec) { VADDPS(e.at("x"), acc, acc) })
}

// laplace follows laplace32 in laplace.go.
func laplace(s isa) {
	stream(s, "laplaceBits"+flushing, "bits dx dmu ds x mu s", "weight lo hi", func(e *streamer) {
		d := e.sub(e.get("x"), e.at("mu"))
		sign := e.and(d, constBits(signBit))
		a := e.xor(d, sign)
		sc := e.vec()
		VMAXPS(e.at("s"), e.scalars["lo"], sc)
		VMINPS(sc, e.scalars["hi"], sc)
		inv := e.exp(e.xor(sc, constBits(signBit)))
		u := e.add(a, constant(0.5))
		w := e.sub(a, constant(0.5))
		e1 := e.exp(e.xor(e.mul(u, inv), constBits(signBit)))
		e2 := e.exp(e.or(e.mul(w, inv), constBits(signBit)))
		half := e.load(constant(0.5))
		tail := e.mul(e.sub(e2, e1), constant(0.5))
		centre := e.load(constant(1))
		VFNMADD231PS(e.add(e1, e2), half, centre)
		p := e.choose(less, w, constant(0), centre, tail)
		// g = -weight/(p ln 2), or zero where the bits are at their most.
		g := e.div(e.mul(e.scalars["weight"], constant(-1.4426950408889634)), p)
		g = e.choose(aboveNot, p, constant(1.0/65536), e.load(constant(0)), g)
		VMAXPS(p, e.load(constant(1.0/65536)), p)
		e.put(e.mul(e.log(p), constant(-1.4426950408889634)), "bits")
		g = e.mul(g, e.mul(inv, constant(0.5)))
		dx := e.xor(e.mul(e.sub(e1, e2), g), sign)
		e.put(dx, "dx")
		e.put(e.xor(dx, constBits(signBit)), "dmu")
		ds := e.mul(w, e2)
		VFNMADD231PS(e1, u, ds)
		ds = e.mul(ds, g)
		const notEqual = 0x04 // NEQ_UQ
		e.put(e.choose(notEqual, sc, e.at("s"), e.load(constant(0)), ds), "ds")
	})
}

// permutation returns a vector of lane numbers in memory.
func permutation(name string, lane func(i int) int) operand.Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(lane(i)))
	}
	return m
}

// interleave writes dst = a[0] b[0] a[1] b[1] ..., n elements from each.
func interleave(s isa) {
	var low, high operand.Mem
	if s.wide() {
		low = permutation("interleaveLow", func(i int) int { return i/2 + i%2*16 })
		high = permutation("interleaveHigh", func(i int) int { return 8 + i/2 + i%2*16 })
	}
	TEXT("interleaveF32"+s.name, NOSPLIT, "func(dst, a, b *float32, n int)")
	Pragma("noescape")
	dst, a, b := Load(Param("dst"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	for i := 0; i < 64; i += s.bytes() {
		u := s.load(operand.Mem{Base: a, Disp: i})
		v := s.load(operand.Mem{Base: b, Disp: i})
		lo, hi := s.vec(), s.vec()
		if s.wide() {
			VMOVUPS(low, lo)
			VMOVUPS(high, hi)
			VPERMI2PS(v, u, lo)
			VPERMI2PS(v, u, hi)
		} else {
			p, q := s.vec(), s.vec()
			VUNPCKLPS(v, u, p)
			VUNPCKHPS(v, u, q)
			VPERM2F128(operand.U8(0x20), q, p, lo)
			VPERM2F128(operand.U8(0x31), q, p, hi)
		}
		VMOVUPS(lo, operand.Mem{Base: dst, Disp: 2 * i})
		VMOVUPS(hi, operand.Mem{Base: dst, Disp: 2*i + s.bytes()})
	}
	ADDQ(operand.U8(64), a)
	ADDQ(operand.U8(64), b)
	ADDQ(operand.I32(128), dst)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}

// deinterleave undoes interleave.
func deinterleave(s isa) {
	var even, odd operand.Mem
	if s.wide() {
		even = permutation("deinterleaveEven", func(i int) int { return 2 * i })
		odd = permutation("deinterleaveOdd", func(i int) int { return 2*i + 1 })
	}
	TEXT("deinterleaveF32"+s.name, NOSPLIT, "func(a, b, src *float32, n int)")
	Pragma("noescape")
	a, b, src := Load(Param("a"), GP64()), Load(Param("b"), GP64()), Load(Param("src"), GP64())
	n := Load(Param("n"), GP64())
	Label("loop")
	for i := 0; i < 64; i += s.bytes() {
		u := s.load(operand.Mem{Base: src, Disp: 2 * i})
		v := s.load(operand.Mem{Base: src, Disp: 2*i + s.bytes()})
		p, q := s.vec(), s.vec()
		if s.wide() {
			VMOVUPS(even, p)
			VMOVUPS(odd, q)
			VPERMI2PS(v, u, p)
			VPERMI2PS(v, u, q)
		} else {
			VSHUFPS(operand.U8(0b10_00_10_00), v, u, p)
			VSHUFPS(operand.U8(0b11_01_11_01), v, u, q)
			VPERMPD(operand.U8(0b11_01_10_00), p, p)
			VPERMPD(operand.U8(0b11_01_10_00), q, q)
		}
		VMOVUPS(p, operand.Mem{Base: a, Disp: i})
		VMOVUPS(q, operand.Mem{Base: b, Disp: i})
	}
	ADDQ(operand.U8(64), a)
	ADDQ(operand.U8(64), b)
	ADDQ(operand.I32(128), src)
	SUBQ(operand.U8(16), n)
	JNZ(ref("loop"))
	VZEROUPPER()
	RET()
}

// reduce writes a sum over n elements, n a positive multiple of 64, in 64 chains.
func reduce(s isa, name, arrays string, body func(e *streamer, acc vec)) {
	TEXT(name+"F32"+s.name, NOSPLIT, "func("+strings.ReplaceAll(arrays, " ", ", ")+" *float32, n int) float32")
	Pragma("noescape")
	e := &streamer{isa: s, pointers: map[string]reg.Register{}}
	for _, p := range strings.Fields(arrays) {
		e.pointers[p] = Load(Param(p), GP64())
	}
	n := Load(Param("n"), GP64())
	acc := s.vecs(64 / s.lanes)
	for _, v := range acc {
		s.zero(v)
	}
	Label("loop")
	for i, v := range acc {
		e.disp = i * s.bytes()
		body(e, v)
	}
	for _, p := range strings.Fields(arrays) {
		ADDQ(operand.I32(256), e.pointers[p])
	}
	SUBQ(operand.U8(64), n)
	JNZ(ref("loop"))
	for k := len(acc) / 2; k > 0; k /= 2 {
		for i := range k {
			VADDPS(acc[i+k], acc[i], acc[i])
		}
	}
	y := acc[0].AsY().(reg.VecVirtual)
	if s.wide() {
		t := YMM()
		VEXTRACTF64X4(operand.U8(1), acc[0], t)
		VADDPS(t, y, y)
	}
	t := XMM()
	VEXTRACTF128(operand.U8(1), y, t)
	x := y.AsX()
	VADDPS(t, x, x)
	VPSHUFD(operand.U8(0b11_10), x, t)
	VADDPS(t, x, x)
	VPSHUFD(operand.U8(0b01), x, t)
	VADDPS(t, x, x)
	VZEROUPPER()
	Store(x, ReturnIndex(0))
	RET()
}
