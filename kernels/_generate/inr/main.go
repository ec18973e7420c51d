// Command inr writes the amd64 assembly of the exact layers of small networks. Run
// it with go generate in the package's folder.
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
	lanes int // 32-bit lanes of a vector
	vec   func() reg.VecVirtual
}

var (
	avx2   = isa{"AVX2", 8, func() reg.VecVirtual { return YMM() }}
	avx512 = isa{"AVX512", 16, func() reg.VecVirtual { return ZMM() }}
)

func (s isa) wide() bool { return s.lanes == 16 }

// bytes returns the size of a vector.
func (s isa) bytes() int { return 4 * s.lanes }

// vecs returns n vector registers.
func (s isa) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.vec()
	}
	return v
}

// zero clears v.
func (s isa) zero(v reg.VecVirtual) {
	if s.wide() {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

// laneMask returns 8 lanes of ones followed by 8 of zeros: loading from lane 8-m on
// gives an AVX2 mask of the first m lanes.
func laneMask() operand.Mem {
	m := GLOBL("laneMask", RODATA|NOPTR)
	for i := range 16 {
		v := operand.U32(0)
		if i < 8 {
			v = 1<<32 - 1
		}
		DATA(4*i, v)
	}
	return m
}

// lanesBelow returns a mask register of the first m lanes, m at most s.lanes.
func lanesBelow(s isa, m reg.GPVirtual, mask operand.Mem) reg.Register {
	if s.wide() {
		ones, k := GP32(), K()
		MOVL(operand.U32(0xffff), ones)
		BZHIL(m.As32(), ones, ones)
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

// load loads the 32-bit lanes of the mask and clears the others; without a mask it
// loads them all.
func (s isa) load(m operand.Mem, mask reg.Register, v operand.Op) {
	switch {
	case mask == nil:
		VMOVUPS(m, v)
	case s.wide():
		VMOVUPS_Z(m, mask, v)
	default:
		VMASKMOVPS(m, mask, v)
	}
}

func (s isa) store(v operand.Op, mask reg.Register, m operand.Mem) {
	switch {
	case mask == nil:
		VMOVUPS(v, m)
	case s.wide():
		VMOVUPS(v, mask, m)
	default:
		VMASKMOVPS(v, mask, m)
	}
}

// rows addresses up to 8 rows of weights by their distance.
type rows struct {
	base [3]reg.Register // of rows 0, 3 and 6
	step reg.Register    // bytes from row to row
	n    int
}

// newRows takes the rows from p on, step bytes apart.
func newRows(p, step reg.Register, n int) rows {
	r := rows{step: step, n: n}
	for i := 0; 3*i < n; i++ {
		r.base[i] = GP64()
		if i == 0 {
			MOVQ(p, r.base[0])
			continue
		}
		LEAQ(operand.Mem{Base: r.base[i-1], Index: step, Scale: 2}, r.base[i])
		ADDQ(step, r.base[i])
	}
	return r
}

// at returns the current element of row i.
func (r rows) at(i int) operand.Mem {
	switch {
	case i%3 == 0:
		return operand.Mem{Base: r.base[i/3]}
	case i == 4:
		return operand.Mem{Base: r.base[0], Index: r.step, Scale: 4}
	case i == 7:
		return operand.Mem{Base: r.base[1], Index: r.step, Scale: 4}
	}
	return operand.Mem{Base: r.base[i/3], Index: r.step, Scale: uint8(i % 3)}
}

// next goes to the next elements.
func (r rows) next(bytes int) {
	for i := 0; 3*i < r.n; i++ {
		ADDQ(operand.I8(bytes), r.base[i])
	}
}

// strips writes a loop over n columns: strips of wide vectors first, then single
// ones, the last masked. Pointers are advanced behind each.
func strips(s isa, wide int, mask operand.Mem, pointers []reg.Register, tile func(name string, nv int, mask reg.Register)) {
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	advance := func(vecs int) {
		for _, p := range pointers {
			ADDQ(operand.I32(vecs*s.bytes()), p)
		}
	}
	Label("wide")
	CMPQ(n, operand.I32(wide*s.lanes))
	JLT(ref("narrow"))
	tile("wide", wide, nil)
	advance(wide)
	SUBQ(operand.I32(wide*s.lanes), n)
	JMP(ref("wide"))

	Label("narrow")
	TESTQ(n, n)
	JLE(ref("done"))
	left := GP64().(reg.GPVirtual)
	MOVQ(operand.U32(s.lanes), left)
	CMPQ(n, left)
	CMOVQLT(n, left)
	tile("narrow", 1, lanesBelow(s, left, mask))
	advance(1)
	SUBQ(operand.U8(s.lanes), n)
	JMP(ref("narrow"))
	Label("done")
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("!noasm")
	mask := laneMask()
	for _, s := range []isa{avx2, avx512} {
		for _, mr := range layerRows(s) {
			layer(s, mr, true, mask)
			layer(s, mr, false, mask)
		}
		for mr := 1; mr <= 4; mr++ {
			combine(s, mr, mask)
		}
		interleave(s)
	}
	Generate()
}

func name(format string, args ...any) string { return fmt.Sprintf(format, args...) }
