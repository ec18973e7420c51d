//go:build !noasm

package blocks

import "github.com/burin-codec/burin/kernels"

//go:generate go -C ../_generate run ./blocks -out ../blocks/matrix_amd64.s -stubs ../blocks/matrix_amd64.go -pkg blocks

// A mulFunc is assembly that adds products of a tile to acc.
type mulFunc func(groups, vectors int, codes *uint8, scales *uint16, zeros *uint8, act *int8, actScales *float32, negSums *int32, table *int8, acc *float32)

// mulFuncs are for 1, 4 and 8 vectors. With AVX2, those for 4 and 8 do 8 rows and the
// first four vectors.
type mulFuncs struct{ one, four, eight mulFunc }

// The kinds of kernel.
const (
	kindQ8 = iota
	kindTable
	kindTableUpper
	kindZeros
	kindTernary
)

var mulAVX512 = [...]mulFuncs{
	kindQ8:         {mulQ8x1AVX512, mulQ8x4AVX512, mulQ8x8AVX512},
	kindTable:      {mulTablex1AVX512, mulTablex4AVX512, mulTablex8AVX512},
	kindTableUpper: {mulTableUpperx1AVX512, mulTableUpperx4AVX512, mulTableUpperx8AVX512},
	kindZeros:      {mulZerosx1AVX512, mulZerosx4AVX512, mulZerosx8AVX512},
	kindTernary:    {mulTernaryx1AVX512, mulTernaryx4AVX512, mulTernaryx8AVX512},
}

var mulAVX2 = [...]mulFuncs{
	kindQ8:         {one: mulQ8x1AVX2, four: mulQ8x4AVX2, eight: mulQ8x4of8AVX2},
	kindTable:      {one: mulTablex1AVX2, four: mulTablex4AVX2, eight: mulTablex4of8AVX2},
	kindTableUpper: {one: mulTableUpperx1AVX2, four: mulTableUpperx4AVX2, eight: mulTableUpperx4of8AVX2},
	kindZeros:      {one: mulZerosx1AVX2, four: mulZerosx4AVX2, eight: mulZerosx4of8AVX2},
	kindTernary:    {one: mulTernaryx1AVX2, four: mulTernaryx4AVX2, eight: mulTernaryx4of8AVX2},
}

func (m *Matrix) kind() int {
	switch {
	case m.zeros != nil:
		return kindZeros
	case m.upper:
		return kindTableUpper
	case m.width == 8:
		return kindQ8
	case m.width == 2:
		return kindTernary
	}
	return kindTable
}

// callWeights bounds the weights of a call, which cannot be pre-empted, to some 50 µs.
const callWeights = 1 << 20

// mulTile is mulTileGeneric in the tier in use. The AVX2 tier converts float16 by F16C,
// which every processor with AVX2 has.
func (m *Matrix) mulTile(s []float32, tile int, a *Activations, j, n int) {
	tier := kernels.Tier()
	if tier == kernels.Generic {
		m.mulTileGeneric(s, tile, a, j, n)
		return
	}
	funcs, rowStep, vectorStep := &mulAVX512[m.kind()], tileRows, n
	if tier == kernels.AVX2 && n > 1 {
		rowStep, vectorStep = 8, 4
	}
	if tier == kernels.AVX2 {
		funcs = &mulAVX2[m.kind()]
	}
	f := funcs.one
	switch n {
	case 8:
		f = funcs.eight
	case 4:
		f = funcs.four
	}
	groups := m.groups()
	vectors := m.group * m.width / 32
	codes, act := m.codes[tile*m.tileCodes():], a.codes[j*a.k:]
	most := max(1, callWeights/(tileRows*m.group*n))
	for g := 0; g < groups; g += most {
		count := min(most, groups-g)
		at := (tile*groups + g) * tileRows
		k := j*groups + g*n
		c := g * vectors * 64
		for h := 0; h < tileRows; h += rowStep {
			var zeros *uint8
			if m.zeros != nil {
				zeros = &m.zeros[at+h]
			}
			for v := 0; v < n; v += vectorStep {
				f(count, vectors, &codes[c+4*h], &m.scales[at+h], zeros, &act[g*m.group*n+4*v],
					&a.scales[k+v], &a.negSums[k+v], &m.levels[0], &s[v*tileRows+h])
			}
		}
	}
}

// lookTile is lookTileGeneric in the tier in use: AVX2 has all that it needs.
func (m *PlaneMatrix) lookTile(s *[lookupRows]float32, tile int, t *Tables, j int) {
	if kernels.Tier() == kernels.Generic {
		m.lookTileGeneric(s, tile, t, j)
		return
	}
	f := lookup4AVX2
	if m.planes == 2 {
		f = lookup2AVX2
	}
	groups, quads := m.groups(), m.group/4
	most := max(1, callWeights/(lookupRows*m.group))
	for g := 0; g < groups; g += most {
		at := (tile*groups + g) * lookupRows
		zeros, step := &m.zeros[0], 0
		if len(m.zeros) > lookupRows || len(m.scales) == lookupRows {
			zeros, step = &m.zeros[at], lookupRows
		}
		f(min(most, groups-g), quads, &m.codes[tile*m.tileCodes()+g*quads*m.planes*16], &t.sums[8*j*t.k+32*g*quads],
			&m.scales[at], zeros, step, &t.scales[j*groups+g], &t.negSums[j*groups+g], &s[0])
	}
}

// callCodes bounds the codes of a call, likewise.
const callCodes = 1 << 14

// places is placesGeneric in the tier in use.
func (m *PatternMatrix) places(places []uint8, codes []uint16) {
	f := placesAVX512
	switch kernels.Tier() {
	case kernels.Generic:
		m.placesGeneric(places, codes)
		return
	case kernels.AVX2:
		f = placesAVX2
	}
	for at := 0; at < len(codes); at += callCodes {
		n := min(callCodes, len(codes)-at)
		f(n, &codes[at], &m.patterns[0], &m.signs[0], &places[4*at])
	}
}
