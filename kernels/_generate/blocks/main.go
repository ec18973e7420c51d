// Command blocks writes the amd64 assembly of the products of block-quantised weights
// with 8-bit activations. Run it with go generate in the folder of package blocks.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A kernel is what to write one for.
type kernel struct {
	name  string
	width int  // bits of a code
	table bool // codes are places in a table of signed levels
	zeros bool // groups have zero points
	upper bool // scales are upper halves of float32, not float16
}

var kernels = []kernel{
	{name: "mulQ8", width: 8},
	{name: "mulTable", width: 4, table: true},
	{name: "mulTableUpper", width: 4, table: true, upper: true},
	{name: "mulZeros", width: 4, zeros: true},
	{name: "mulTernary", width: 2},
}

func main() {
	ConstraintExpr("!noasm")
	for _, k := range kernels {
		for _, n := range []int{1, 4, 8} {
			k.avx512(fmt.Sprintf("x%dAVX512", n), n)
		}
		k.avx2("x1AVX2", 1, 1)
		k.avx2("x4AVX2", 4, 4)
		k.avx2("x4of8AVX2", 4, 8)
	}
	for _, planes := range []int{2, 4} {
		lookup(planes)
	}
	places("AVX512", 16, func() reg.VecVirtual { return ZMM() })
	places("AVX2", 8, func() reg.VecVirtual { return YMM() })
	Generate()
}

// args are the parameters in registers. The weights of a group are vectors times 64 bytes
// of codes, 16 scales and as many zero points. n vectors of activations lie side by side,
// in quads of 4 columns, and so do their scales and their sums, negative, of a group.
type args struct {
	groups, vectors, codes, scales, zeros, act, actScales, negSums, acc reg.Register
}

const signature = "func(groups, vectors int, codes *uint8, scales *uint16, zeros *uint8, act *int8, actScales *float32, negSums *int32, table *int8, acc *float32)"

func (k kernel) begin(suffix string) (a args) {
	TEXT(k.name+suffix, NOSPLIT, signature)
	Pragma("noescape")
	a.groups = Load(Param("groups"), GP64())
	a.vectors = Load(Param("vectors"), GP64())
	a.codes = Load(Param("codes"), GP64())
	a.scales = Load(Param("scales"), GP64())
	if k.zeros {
		a.zeros = Load(Param("zeros"), GP64())
	}
	a.act = Load(Param("act"), GP64())
	a.actScales = Load(Param("actScales"), GP64())
	a.negSums = Load(Param("negSums"), GP64())
	a.acc = Load(Param("acc"), GP64())
	return a
}

// ahead is how many bytes before their use codes are asked for: one tile lies behind the
// other, so the next ones are in order even at its end.
const ahead = 2048

func mem(p reg.Register, disp int) operand.Mem { return operand.Mem{Base: p, Disp: disp} }

// parts returns the quads of columns in a vector of codes.
func (k kernel) parts() int { return 8 / k.width }

// avx512 writes a kernel that adds to acc, [n][16], the products of 16 rows with n
// vectors, by VPDPBUSD, of unsigned codes and signed activations: levels are 128 too high
// where they are signed, and ternary codes 1.
func (k kernel) avx512(suffix string, n int) {
	a := k.begin(suffix)
	acc := make([]reg.VecVirtual, n)
	for j := range acc {
		acc[j] = ZMM()
		VMOVUPS(mem(a.acc, 64*j), acc[j])
	}
	var table, mask reg.VecVirtual
	if k.table {
		table = ZMM()
		VBROADCASTI32X4(mem(Load(Param("table"), GP64()), 0), table)
		bias := ZMM()
		broadcast(0x80808080, bias)
		VPXORD(bias, table, table)
	}
	if k.width < 8 {
		mask = ZMM()
		broadcast(uint32(0x01010101)*(1<<k.width-1), mask)
	}
	Label("group")
	sums := make([]reg.VecVirtual, n)
	var zero reg.VecVirtual
	if k.zeros {
		zero = ZMM()
		VPMOVZXBD(mem(a.zeros, 0), zero)
	}
	for j := range sums {
		sums[j] = ZMM()
		if k.zeros {
			VPMULLD_BCST(mem(a.negSums, 4*j), zero, sums[j])
			continue
		}
		VPBROADCASTD(mem(a.negSums, 4*j), sums[j])
		if k.width > 2 {
			VPSLLD(operand.U8(7), sums[j], sums[j])
		}
	}
	// A sum waits five cycles for itself, so one vector has one for each part of the codes.
	chains := [][]reg.VecVirtual{sums}
	for n == 1 && len(chains) < k.parts() {
		s := ZMM()
		VPXORD(s, s, s)
		chains = append(chains, []reg.VecVirtual{s})
	}
	left := GP64()
	MOVQ(a.vectors, left)
	Label("vector")
	v := ZMM()
	VMOVDQU32(mem(a.codes, 0), v)
	PREFETCHT0(mem(a.codes, ahead))
	for p := range k.parts() {
		w := v
		if k.width < 8 {
			w = ZMM()
			if p == 0 {
				VPANDD(mask, v, w)
			} else {
				VPSRLW(operand.U8(p*k.width), v, w)
				VPANDD(mask, w, w)
			}
		}
		if k.table {
			VPSHUFB(w, table, w)
		}
		for j := range sums {
			VPDPBUSD_BCST(mem(a.act, 4*(p*n+j)), w, chains[p%len(chains)][j])
		}
	}
	ADDQ(operand.I32(64), a.codes)
	ADDQ(operand.I32(4*n*k.parts()), a.act)
	DECQ(left)
	JNZ(operand.LabelRef("vector"))
	for _, c := range chains[1:] {
		VPADDD(c[0], sums[0], sums[0])
	}
	scale := ZMM()
	if k.upper {
		VPMOVZXWD(mem(a.scales, 0), scale)
		VPSLLD(operand.U8(16), scale, scale)
	} else {
		VCVTPH2PS(mem(a.scales, 0), scale)
	}
	for j := range sums {
		s := ZMM()
		VMULPS_BCST(mem(a.actScales, 4*j), scale, s)
		VCVTDQ2PS(sums[j], sums[j])
		VMULPS(s, sums[j], sums[j])
		VADDPS(sums[j], acc[j], acc[j])
	}
	k.advance(a, n)
	for j := range acc {
		VMOVUPS(acc[j], mem(a.acc, 64*j))
	}
	VZEROUPPER()
	RET()
}

// broadcast sets all lanes of v to a number.
func broadcast(x uint32, v reg.VecVirtual) {
	r := GP32()
	MOVL(operand.U32(x), r)
	t := XMM()
	VMOVD(r, t)
	VPBROADCASTD(t, v)
}

// advance goes on to the next group.
func (k kernel) advance(a args, n int) {
	ADDQ(operand.I8(32), a.scales)
	if k.zeros {
		ADDQ(operand.I8(16), a.zeros)
	}
	ADDQ(operand.I8(int8(4*n)), a.actScales)
	ADDQ(operand.I8(int8(4*n)), a.negSums)
	DECQ(a.groups)
	JNZ(operand.LabelRef("group"))
}

// avx2 writes a kernel for 16 rows and one vector, or for 8 rows, every other 32 bytes of
// codes, and n vectors of a tile of so many: 16 registers hold no more. VPMADDUBSW multiplies unsigned by signed
// bytes and adds pairs, which would not fit 16 bits for all of them; magnitudes of levels
// of at most 128, times activations of at most 127 with the levels' signs, do.
func (k kernel) avx2(suffix string, n, of int) {
	halves := 2
	if n > 1 {
		halves = 1
	}
	a := k.begin(suffix)
	type perHalf [2]reg.VecVirtual
	acc, sums := make([]perHalf, n), make([]perHalf, n)
	for j := range acc {
		for h := range halves {
			acc[j][h] = YMM()
			VMOVUPS(mem(a.acc, 64*j+32*h), acc[j][h])
		}
	}
	var table, mask reg.VecVirtual
	signed := k.width == 8 || k.table
	if k.table {
		table = YMM()
		VBROADCASTI128(mem(Load(Param("table"), GP64()), 0), table)
	}
	mask = YMM() // of codes, or what makes codes of 8 bits signed
	if k.width == 8 {
		broadcast(0x80808080, mask)
	} else {
		broadcast(uint32(0x01010101)*(1<<k.width-1), mask)
	}
	ones := YMM()
	broadcast(0x00010001, ones)
	Label("group")
	for h := range halves {
		var zero reg.VecVirtual
		if k.zeros {
			zero = YMM()
			VPMOVZXBD(mem(a.zeros, 8*h), zero)
		}
		for j := range sums {
			s := YMM()
			sums[j][h] = s
			if signed {
				VPXOR(s, s, s)
				continue
			}
			VPBROADCASTD(mem(a.negSums, 4*j), s)
			if k.zeros {
				VPMULLD(zero, s, s)
			}
		}
	}
	left := GP64()
	MOVQ(a.vectors, left)
	Label("vector")
	PREFETCHT0(mem(a.codes, ahead))
	for h := range halves {
		for p := range k.parts() {
			w := YMM()
			VMOVDQU(mem(a.codes, 32*h), w)
			if p > 0 {
				VPSRLW(operand.U8(p*k.width), w, w)
			}
			if k.width == 8 {
				VPXOR(mask, w, w)
			} else {
				VPAND(mask, w, w)
			}
			if k.table {
				VPSHUFB(w, table, w)
			}
			size := w
			if signed {
				size = YMM()
				VPABSB(w, size)
			}
			for j := range sums {
				t := YMM()
				VPBROADCASTD(mem(a.act, 4*(p*of+j)), t)
				if signed {
					VPSIGNB(w, t, t)
				}
				VPMADDUBSW(t, size, t)
				VPMADDWD(ones, t, t)
				VPADDD(t, sums[j][h], sums[j][h])
			}
		}
	}
	ADDQ(operand.I32(64), a.codes)
	ADDQ(operand.I32(4*of*k.parts()), a.act)
	DECQ(left)
	JNZ(operand.LabelRef("vector"))
	for h := range halves {
		scale := YMM()
		if k.upper {
			VPMOVZXWD(mem(a.scales, 16*h), scale)
			VPSLLD(operand.U8(16), scale, scale)
		} else {
			VCVTPH2PS(mem(a.scales, 16*h), scale)
		}
		for j := range sums {
			s := YMM()
			VBROADCASTSS(mem(a.actScales, 4*j), s)
			VMULPS(scale, s, s)
			VCVTDQ2PS(sums[j][h], sums[j][h])
			VMULPS(s, sums[j][h], sums[j][h])
			VADDPS(sums[j][h], acc[j][h], acc[j][h])
		}
	}
	k.advance(a, of)
	for j := range acc {
		for h := range halves {
			VMOVUPS(acc[j][h], mem(a.acc, 64*j+32*h))
		}
	}
	VZEROUPPER()
	RET()
}
