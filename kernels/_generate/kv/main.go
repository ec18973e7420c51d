// Command kv writes the amd64 assembly of the kernels that quantise caches of keys and
// values, and of the Walsh-Hadamard transform. Run it with go generate in the package's
// folder.
package main

import (
	"fmt"
	"math"

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

// zero clears v.
func (s isa) zero(v reg.VecVirtual) {
	if s.wide() {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

func (s isa) xor(m, x, dst operand.Op) {
	if s.wide() {
		VPXORD(m, x, dst)
	} else {
		VXORPS(m, x, dst)
	}
}

// load returns a vector of what lies j vectors behind p.
func (s isa) load(p reg.Register, j int) reg.VecVirtual {
	v := s.vec()
	VMOVUPS(operand.Mem{Base: p, Disp: j * s.bytes()}, v)
	return v
}

func (s isa) store(v reg.VecVirtual, p reg.Register, j int) {
	VMOVUPS(v, operand.Mem{Base: p, Disp: j * s.bytes()})
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

// data returns 16 lanes in memory.
func data(name string, lane func(i int) uint32) operand.Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, operand.U32(lane(i)))
	}
	return m
}

// repeated returns a vector of a float32 constant.
func (s isa) repeated(m operand.Mem) reg.VecVirtual {
	v := s.vec()
	VMOVUPS(m, v)
	return v
}

func main() {
	ConstraintExpr("!noasm")
	magic := data("magic", func(int) uint32 { return math.Float32bits(1 << 23) })
	most := data("most", func(int) uint32 { return 1<<31 - 1 })
	signs := make(map[int]operand.Mem)
	for h := 1; h < 16; h *= 2 {
		signs[h] = data(fmt.Sprintf("sign%d", h), func(i int) uint32 { return uint32(i/h%2) << 31 })
	}
	for _, s := range []isa{avx2, avx512} {
		columnStats(s)
		columnCodes(s, magic)
		columnMoments(s, magic)
		dequantiseColumns(s)
		magnitude(s, most)
		hadamard(s, signs)
	}
	transpose8()
	Generate()
}
