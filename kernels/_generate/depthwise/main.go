// Command depthwise writes the amd64 assembly of the depthwise convolutions. Run it
// with go generate in the package's folder.
package main

import (
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
		VXORPS(v, v, v)
	}
}

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

func copyOf(r reg.Register) reg.Register {
	d := GP64()
	MOVQ(r, d)
	return d
}

// rowsFrom addresses up to three rows that are step bytes apart.
func rowsFrom(p, step reg.Register, rows int) []operand.Mem {
	return []operand.Mem{{Base: p}, {Base: p, Index: step, Scale: 1}, {Base: p, Index: step, Scale: 2}}[:rows]
}

func main() {
	ConstraintExpr("!noasm")
	half, high := tables()
	for _, s := range []isa{avx2, avx512} {
		for rows := 1; rows <= 3; rows++ {
			forwardF32(s, rows)
			weightsF32(s, rows)
		}
		forwardI16(s, half, high)
	}
	Generate()
}
