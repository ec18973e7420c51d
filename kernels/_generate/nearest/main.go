// Command nearest writes the amd64 assembly of the search for the nearest codeword.
// Run it with go generate in the package's folder.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("!noasm")
	search(true)
	search(false)
	within(true)
	within(false)
	Generate()
}

// search goes through tiles of rows words, w being [tiles][k][rows], k at least 1, and
// bias [tiles][rows]; x is a strip of three vectors of queries, [k][3*lanes]. Where the
// largest score of a tile, bias + w·x, is above best, it becomes best and the number
// of the tile, counted from first, goes to tile.
func search(wide bool) {
	const vecs = 3
	name, rows, lanes := "nearestAVX2", 4, 8
	vector := func() reg.VecVirtual { return YMM() }
	if wide {
		name, rows, lanes = "nearestAVX512", 8, 16
		vector = func() reg.VecVirtual { return ZMM() }
	}
	TEXT(name, NOSPLIT, "func(tiles, k int, w, bias, x, best *float32, tile *uint32, first uint32)")
	Pragma("noescape")
	tiles := Load(Param("tiles"), GP64())
	w := Load(Param("w"), GP64())
	bias := Load(Param("bias"), GP64())
	best := Load(Param("best"), GP64())
	tile := Load(Param("tile"), GP64())
	number := Load(Param("first"), GP32())
	k, x := GP64(), GP64()
	at := func(base reg.Register, i int) operand.Mem { return operand.Mem{Base: base, Disp: i * lanes * 4} }
	var kept [vecs]reg.VecVirtual
	if wide {
		for j := range kept {
			kept[j] = vector()
			VMOVUPS(at(best, j), kept[j])
		}
	}

	Label("tile")
	Load(Param("k"), k)
	Load(Param("x"), x)
	acc := make([][vecs]reg.VecVirtual, rows)
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = vector()
			if j == 0 {
				VBROADCASTSS(operand.Mem{Base: bias, Disp: 4 * i}, acc[i][0])
			} else {
				VMOVAPS(acc[i][0], acc[i][j])
			}
		}
	}
	Label("element")
	var in [vecs]reg.VecVirtual
	for j := range in {
		in[j] = vector()
		VMOVUPS(at(x, j), in[j])
	}
	for i := range acc {
		f := vector()
		VBROADCASTSS(operand.Mem{Base: w, Disp: 4 * i}, f)
		for j, v := range acc[i] {
			VFMADD231PS(in[j], f, v)
		}
	}
	ADDQ(operand.Imm(uint64(4*rows)), w)
	ADDQ(operand.Imm(uint64(4*lanes*vecs)), x)
	DECQ(k)
	JNZ(operand.LabelRef("element"))

	for n := rows / 2; n > 0; n /= 2 {
		for i := range n {
			for j := range vecs {
				VMAXPS(acc[i+n][j], acc[i][j], acc[i][j])
			}
		}
	}
	const greater = 0x1e // ordered, quiet
	if wide {
		for j := range vecs {
			m := K()
			skip := "next" + string(rune('0'+j))
			VCMPPS(operand.Imm(greater), kept[j], acc[0][j], m)
			KORTESTW(m, m)
			JZ(operand.LabelRef(skip))
			VMAXPS(kept[j], acc[0][j], kept[j])
			n := vector()
			VPBROADCASTD(number, n)
			VMOVDQU32(n, m, at(tile, j))
			Label(skip)
		}
	} else {
		for j := range vecs {
			m, old, n := YMM(), YMM(), XMM()
			bits := GP32()
			skip := "next" + string(rune('0'+j))
			VMOVUPS(at(best, j), old)
			VCMPPS(operand.Imm(greater), old, acc[0][j], m)
			VMOVMSKPS(m, bits)
			TESTL(bits, bits)
			JZ(operand.LabelRef(skip))
			VBLENDVPS(m, acc[0][j], old, old)
			VMOVUPS(old, at(best, j))
			VMOVD(number, n)
			wideN := YMM()
			VPBROADCASTD(n, wideN)
			VMASKMOVPS(wideN, m, at(tile, j))
			Label(skip)
		}
	}
	ADDQ(operand.Imm(uint64(4*rows)), bias)
	INCL(number)
	DECQ(tiles)
	JNZ(operand.LabelRef("tile"))
	if wide {
		for j := range kept {
			VMOVUPS(kept[j], at(best, j))
		}
	}
	VZEROUPPER()
	RET()
}

// within finds for each of n rows of x, ldx elements apart, the word of its tile that
// has the largest score, every product and every sum being rounded; index is on entry
// the number of the tile, afterwards that of the word. No score that equals the largest
// gives the first word of the tile.
func within(wide bool) {
	name, rows, shift := "withinAVX2", 4, uint64(2)
	vector := func() reg.VecVirtual { return XMM() }
	if wide {
		name, rows, shift = "withinAVX512", 8, 3
		vector = func() reg.VecVirtual { return YMM() }
	}
	TEXT(name, NOSPLIT, "func(n, k int, w, bias, x *float32, ldx int, index *uint32, score *float32)")
	Pragma("noescape")
	n := Load(Param("n"), GP64())
	k := Load(Param("k"), GP64())
	w := Load(Param("w"), GP64())
	bias := Load(Param("bias"), GP64())
	x := Load(Param("x"), GP64())
	ldx := Load(Param("ldx"), GP64())
	index := Load(Param("index"), GP64())
	score := Load(Param("score"), GP64())
	SHLQ(operand.U8(2), ldx)
	size := GP64()
	MOVQ(k, size)
	SHLQ(operand.U8(2+shift), size) // bytes of a tile

	Label("row")
	first, at, left, from := GP64(), GP64(), GP64(), GP64()
	MOVL(operand.Mem{Base: index}, first.As32())
	MOVQ(first, at)
	IMULQ(size, at)
	ADDQ(w, at)
	SHLQ(operand.U8(shift), first)
	acc := vector()
	VMOVUPS(operand.Mem{Base: bias, Index: first, Scale: 4}, acc)
	MOVQ(k, left)
	MOVQ(x, from)
	Label("element")
	f := vector()
	VBROADCASTSS(operand.Mem{Base: from}, f)
	VMULPS(operand.Mem{Base: at}, f, f)
	VADDPS(f, acc, acc)
	ADDQ(operand.Imm(uint64(4*rows)), at)
	ADDQ(operand.Imm(4), from)
	DECQ(left)
	JNZ(operand.LabelRef("element"))

	most, other := vector(), vector()
	VPERMILPS(operand.Imm(0xb1), acc, most)
	VMAXPS(acc, most, most)
	VPERMILPS(operand.Imm(0x4e), most, other)
	VMAXPS(other, most, most)
	if wide {
		VPERM2F128(operand.Imm(1), most, most, other)
		VMAXPS(other, most, most)
	}
	VMOVSS(most.AsX(), operand.Mem{Base: score})
	VCMPPS(operand.Imm(0), acc, most, other)
	bits := GP32()
	VMOVMSKPS(other, bits)
	TZCNTL(bits, bits) // 32 where none is set
	ANDL(operand.Imm(uint64(rows-1)), bits)
	ADDL(bits, first.As32())
	MOVL(first.As32(), operand.Mem{Base: index})
	ADDQ(ldx, x)
	ADDQ(operand.Imm(4), index)
	ADDQ(operand.Imm(4), score)
	DECQ(n)
	JNZ(operand.LabelRef("row"))
	VZEROUPPER()
	RET()
}
