// Command rows16 writes the amd64 assembly of linear layers in 16-bit fixed point on
// rows. Run it with go generate in the package's folder.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is an instruction set to write a kernel for.
type isa struct {
	name  string
	lanes int   // 32-bit lanes of a vector
	rows  []int // of the tiles
	vec   func() reg.VecVirtual
}

var (
	avx2   = isa{"AVX2", 8, []int{1, 2, 4, 6}, func() reg.VecVirtual { return YMM() }}
	avx512 = isa{"AVX512", 16, []int{1, 2, 4, 8, 14}, func() reg.VecVirtual { return ZMM() }}
)

func (s isa) wide() bool { return s.lanes == 16 }

// bytes returns the size of a vector.
func (s isa) bytes() int { return 4 * s.lanes }

// load loads a vector, of which the lanes that mask leaves out are zero.
func (s isa) load(m operand.Mem, mask reg.Register, v reg.VecVirtual) {
	if s.wide() {
		VMOVDQU16_Z(m, mask, v)
	} else {
		VMOVDQU(m, v)
	}
}

// dot adds to acc the products of pairs of words, f and those of v.
func (s isa) dot(v operand.Op, f, acc reg.VecVirtual) {
	if s.wide() {
		VPDPWSSD(v, f, acc)
		return
	}
	t := s.vec()
	VPMADDWD(v, f, t)
	VPADDD(t, acc, acc)
}

// table returns the lanes of a vector in memory.
func table(name string, lane func(i int) uint32) operand.Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(lane(i)))
	}
	return m
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

// tables are what tiles need of constants.
type tables struct {
	half       operand.Mem // 1<<31 in each pair of lanes
	high       operand.Mem // picks the high lanes of the pairs of two vectors
	even, odd  operand.Mem // one in the even or odd words
	interleave operand.Mem // makes words 0 to 3 and 4 to 7 of each 16 bytes alternate
}

func main() {
	ConstraintExpr("!noasm")
	t := tables{
		half: table("half", func(i int) uint32 { return uint32(1-i%2) << 31 }),
		high: table("high", func(i int) uint32 { return uint32(i | 1 + i%2*16) }),
		even: table("even", func(int) uint32 { return 1 }),
		odd:  table("odd", func(int) uint32 { return 1 << 16 }),
		interleave: table("interleave", func(i int) uint32 {
			lo := uint32(i % 4 * 2)
			return lo | (lo+1)<<8 | (lo+8)<<16 | (lo+9)<<24
		}),
	}
	inOrder := [2]operand.Mem{
		table("inOrder0", func(i int) uint32 { return uint32(i/2 + i%2*16) }),
		table("inOrder1", func(i int) uint32 { return uint32(8 + i/2 + i%2*16) }),
	}
	for _, s := range []isa{avx2, avx512} {
		for _, mr := range s.rows {
			rows(s, mr, t)
			sums(s, mr, inOrder)
		}
		dotLoop(s)
	}
	Generate()
}

// ahead is how many pairs of inputs before they are needed weights are asked for.
const ahead = 16

// A tile is the sums of mr rows and two vectors of outputs, the even ones and the odd.
type tile [][2]reg.VecVirtual

// newTile writes the loop that sums up a strip of outputs, from the biases at p. It
// leaves w at the weights of the next strip.
func newTile(s isa, mr int, w, p reg.Register) tile {
	acc := make(tile, mr)
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = s.vec()
			m := operand.Mem{Base: p, Disp: j * s.bytes()}
			if s.wide() {
				VMOVDQU32(m, acc[i][j])
			} else {
				VMOVDQU(m, acc[i][j])
			}
		}
	}
	// Rows 0 to 6 and 7 to 13 are multiples of one, three and five rows from two bases.
	ld := Load(Param("ldx"), GP64())
	SHLQ(operand.U8(1), ld)
	base := []reg.Register{Load(Param("x"), GP64())}
	var ld3, ld5 reg.Register
	if mr > 3 {
		ld3 = GP64()
		LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	}
	if mr > 5 {
		ld5 = GP64()
		LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 4}, ld5)
	}
	if mr > 7 {
		base = append(base, GP64())
		LEAQ(operand.Mem{Base: base[0], Index: ld3, Scale: 2}, base[1])
		ADDQ(ld, base[1])
	}
	row := func(i int) operand.Mem {
		m := operand.Mem{Base: base[i/7]}
		switch i %= 7; i {
		case 1, 2, 4:
			m.Index, m.Scale = ld, uint8(i)
		case 3, 6:
			m.Index, m.Scale = ld3, uint8(i/3)
		case 5:
			m.Index, m.Scale = ld5, 1
		}
		return m
	}
	// step adds the products of a pair of inputs, pair u of those in the loop.
	step := func(u int, broadcast func(ops ...operand.Op)) {
		var in [2]reg.VecVirtual
		for j := range in {
			in[j] = s.vec()
			m := operand.Mem{Base: w, Disp: (2*u + j) * s.bytes()}
			if s.wide() {
				VMOVDQU32(m, in[j])
			} else {
				VMOVDQU(m, in[j])
			}
		}
		for i := range acc {
			f := s.vec()
			broadcast(row(i).Offset(4*u), f)
			for j, v := range acc[i] {
				s.dot(in[j], f, v)
			}
		}
	}
	next := func(pairs int) {
		ADDQ(operand.U32(2*pairs*s.bytes()), w)
		for _, r := range base {
			ADDQ(operand.U8(4*pairs), r)
		}
	}
	pairs := Load(Param("pairs"), GP64())
	SUBQ(operand.U8(2), pairs)
	JLT(ref("rest"))
	Label("pairs")
	for u := range 2 {
		// The weights come from the second-level cache.
		for line := 0; line < 2*s.bytes(); line += 64 {
			PREFETCHT0(operand.Mem{Base: w, Disp: (ahead+u)*2*s.bytes() + line})
		}
		step(u, VPBROADCASTD)
	}
	next(2)
	SUBQ(operand.U8(2), pairs)
	JGE(ref("pairs"))
	Label("rest")
	ADDQ(operand.U8(2), pairs)
	JZ(ref("odd"))
	step(0, VPBROADCASTD)
	next(1)
	Label("odd")
	// The last of an odd number of inputs meets a weight and a zero.
	one := Load(Param("odd"), GP64())
	TESTQ(one, one)
	JZ(ref("summed"))
	step(0, VPBROADCASTW)
	next(1)
	Label("summed")
	return acc
}

// lastMask returns the mask of the words to write: all but for the last strip.
func lastMask(s isa, strips reg.Register) reg.Register {
	if !s.wide() {
		return nil
	}
	k, last := K(), GP32()
	Load(Param("last"), last)
	KXNORD(k, k, k)
	CMPQ(strips, operand.U8(1))
	JNE(ref("whole"))
	KMOVD(last, k)
	Label("whole")
	return k
}

// rows writes mr rows of strips of two vectors of outputs. w are the strips' weights,
// [pairs+odd][even, odd][lanes][2], and p their biases, factors and least results, the
// first two [even, odd][lanes], the last a word in each half of the lanes. add may be
// nil. With AVX-512, last masks the outputs of the last strip.
func rows(s isa, mr int, t tables) {
	signature := "func(y *int16, ldy int, x *int16, ldx, pairs, odd, strips int, w *int16, p *int32, add *int16, ldadd int"
	if s.wide() {
		signature += ", last uint32"
	}
	TEXT(fmt.Sprintf("rows%dI16%s", mr, s.name), NOSPLIT, signature+")")
	Pragma("noescape")
	w, p := Load(Param("w"), GP64()), Load(Param("p"), GP64())
	strips := Load(Param("strips"), GP64())
	at := GP64() // bytes from the first output
	XORQ(at, at)
	Label("strip")
	acc := newTile(s, mr, w, p)
	mask := lastMask(s, strips)
	half, high := s.vec(), s.vec()
	if s.wide() {
		VMOVDQU32(t.half, half)
		VMOVDQU32(t.high, high)
	} else {
		VMOVDQU(t.half, half)
	}
	param := func(i int) operand.Mem { return operand.Mem{Base: p, Disp: i * s.bytes()} }
	rescale := func(v reg.VecVirtual, factor operand.Mem) reg.VecVirtual {
		// Products of the even lanes and, shifted down, of the odd lanes.
		even := s.vec()
		VPMULDQ(factor, v, even)
		VPSRLQ(operand.U8(32), v, v)
		VPMULDQ(factor.Offset(4), v, v)
		VPADDQ(half, even, even)
		VPADDQ(half, v, v)
		if s.wide() {
			VPERMT2D(v, high, even)
		} else {
			VPSRLQ(operand.U8(32), even, even)
			VPBLENDD(operand.U8(0xaa), v, even, even)
		}
		return even
	}
	y, ldy := Load(Param("y"), GP64()), Load(Param("ldy"), GP64())
	ADDQ(at, y)
	SHLQ(operand.U8(1), ldy)
	add, ldadd := Load(Param("add"), GP64()), Load(Param("ldadd"), GP64())
	write := func(residual bool) {
		for _, a := range acc {
			even, odd := rescale(a[0], param(2)), rescale(a[1], param(3))
			if residual {
				s.load(operand.Mem{Base: add}, mask, a[0])
				s.dot(t.even, a[0], even)
				s.dot(t.odd, a[0], odd)
				ADDQ(ldadd, add)
			}
			VPACKSSDW(odd, even, even)
			VPSHUFB(t.interleave, even, even)
			VPMAXSW(param(4), even, even)
			if s.wide() {
				VMOVDQU16(even, mask, operand.Mem{Base: y})
			} else {
				VMOVDQU(even, operand.Mem{Base: y})
			}
			ADDQ(ldy, y)
		}
	}
	TESTQ(add, add)
	JZ(ref("alone"))
	ADDQ(at, add)
	SHLQ(operand.U8(1), ldadd)
	write(true)
	JMP(ref("next"))
	Label("alone")
	write(false)
	Label("next")
	ADDQ(operand.U8(s.bytes()), at)
	ADDQ(operand.I32(5*s.bytes()), p)
	DECQ(strips)
	JNZ(ref("strip"))
	VZEROUPPER()
	RET()
}

// sums writes the sums of mr rows; p are the biases alone, [even, odd][lanes] for each
// strip. It is otherwise like rows.
func sums(s isa, mr int, inOrder [2]operand.Mem) {
	signature := "func(y *int32, ldy int, x *int16, ldx, pairs, odd, strips int, w *int16, p *int32"
	if s.wide() {
		signature += ", last uint32"
	}
	TEXT(fmt.Sprintf("sums%dI16%s", mr, s.name), NOSPLIT, signature+")")
	Pragma("noescape")
	w, p := Load(Param("w"), GP64()), Load(Param("p"), GP64())
	strips := Load(Param("strips"), GP64())
	at := GP64()
	XORQ(at, at)
	Label("strip")
	acc := newTile(s, mr, w, p)
	mask := [2]reg.Register{lastMask(s, strips)}
	if s.wide() {
		mask[1] = K()
		KSHIFTRD(operand.U8(16), mask[0], mask[1])
	}
	y, ldy := Load(Param("y"), GP64()), Load(Param("ldy"), GP64())
	ADDQ(at, y)
	SHLQ(operand.U8(2), ldy)
	for _, a := range acc {
		for j := range 2 {
			v, m := s.vec(), operand.Mem{Base: y, Disp: j * s.bytes()}
			if s.wide() {
				VMOVDQU32(inOrder[j], v)
				VPERMI2D(a[1], a[0], v)
				VMOVDQU32(v, mask[j], m)
				continue
			}
			hi := s.vec()
			VPUNPCKLDQ(a[1], a[0], v)
			VPUNPCKHDQ(a[1], a[0], hi)
			VPERM2I128(operand.U8(0x20+0x11*j), hi, v, v)
			VMOVDQU(v, m)
		}
		ADDQ(ldy, y)
	}
	ADDQ(operand.U8(2*s.bytes()), at)
	ADDQ(operand.U8(2*s.bytes()), p)
	DECQ(strips)
	JNZ(ref("strip"))
	VZEROUPPER()
	RET()
}

// dotLoop writes n rounds of independent dot products of pairs: as many as it takes to
// hide their latency, in the registers there are.
func dotLoop(s isa) {
	TEXT("dotLoopI16"+s.name, NOSPLIT, "func(n int)")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	chains := 24
	if !s.wide() {
		chains = 12
	}
	zero := func() reg.VecVirtual {
		v := s.vec()
		if s.wide() {
			VPXORD(v, v, v)
		} else {
			VPXOR(v, v, v)
		}
		return v
	}
	v, acc := zero(), make([]reg.VecVirtual, chains)
	for i := range acc {
		acc[i] = zero()
	}
	Label("round")
	for _, a := range acc {
		s.dot(v, v, a)
	}
	DECQ(n)
	JNZ(ref("round"))
	VZEROUPPER()
	RET()
}
