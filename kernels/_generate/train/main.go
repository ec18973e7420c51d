// Command train writes the amd64 assembly of the float32 kernels that train
// networks. Run it with go generate in the package's folder.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is an instruction set to write a kernel for.
type isa struct {
	name  string
	lanes int // float32 lanes of a vector
	regs  int // vector registers
	vec   func() reg.VecVirtual
}

var (
	avx2   = isa{"AVX2", 8, 16, func() reg.VecVirtual { return YMM() }}
	avx512 = isa{"AVX512", 16, 32, func() reg.VecVirtual { return ZMM() }}
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
		VXORPS(v, v, v)
	}
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

// bits returns the bit pattern of a float32.
func bits(f float64) uint32 { return math.Float32bits(float32(f)) }

// laneMask returns 8 lanes of ones followed by 8 of zeros: loading from lane
// 8-m on gives an AVX2 mask of the first m lanes.
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

func main() {
	ConstraintExpr("!noasm")
	mask := laneMask()
	for _, s := range []isa{avx2, avx512} {
		for mr := 1; mr <= combMaxRows(s); mr++ {
			comb(s, mr, mask)
		}
		for _, nk := range []int{3, 4} {
			for mr := 1; mr <= dotsMaxRows(s, nk); mr++ {
				dots(s, mr, nk, mask)
			}
		}
		copyRows(s)
		fmaLoop(s)
		elementwise(s)
	}
	Generate()
}
