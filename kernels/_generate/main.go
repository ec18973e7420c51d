// Command _generate writes the amd64 assembly of package kernels. Run it with
// go generate in the package's folder.
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
	if s.lanes == 16 {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// label returns a label that is unique within the function.
func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func ref(l string) operand.LabelRef { return operand.LabelRef(l) }

func main() {
	ConstraintExpr("!noasm")
	for _, s := range []isa{avx2, avx512} {
		mixDot(s)
		mixTrain(s)
		rank1(s)
		scaleAdd(s)
	}
	// With 512-bit vectors the solve is a tenth slower: it is bound by the chain of
	// pivots, and more of each vector lies right of the diagonal.
	cholesky(avx2)
	Generate()
}
