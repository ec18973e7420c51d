package lossless

import (
	"math/bits"

	"github.com/burin-codec/burin/entropy"
)

// contextID names a context of the decisions.
type contextID int

const (
	// Where a prediction lies against the centre of the decisions, and how far
	// off it was nearby.
	ctxDist0 contextID = iota // windowed least squares
	ctxDist1
	ctxDist2
	ctxDistFixed
	ctxDistBlend
	ctxFixedPair // the first least-squares and the second fixed prediction

	// How noisy the surroundings are.
	ctxWide      // errors of the blend nearby and farther
	ctxRefScale  // errors at the place in the planes coded before
	ctxRefEnergy // the same around the place

	// The shape of the surroundings, relative to the centre.
	ctxTexture
	ctxNear
	ctxCorner
	ctxFar
	ctxFour
	ctxRefShift0
	ctxRefShift1
	ctxRefResidual

	// Exact values: histograms with gaps, colours that belong together.
	ctxCentre
	ctxRef0
	ctxRef1
	ctxColour
	ctxColourNear

	// Exact surroundings: drawings, text, screenshots.
	ctxPair
	ctxPatch
	ctxWindow

	numContexts
)

// setID names a context that selects mixing weights.
type setID int

const (
	setScale setID = iota
	setRefResidual
	setDisagreement
	setTexture
	setNear
	setWide

	numSets
)

const (
	scaleLevels  = 40 // of quantScale
	offsetLevels = 31
	distValues   = scaleLevels * offsetLevels
	refineValues = 129 // difference of the centre to the last plane coded
)

// contextValues has the number of values of the direct contexts and 0 for the
// hashed ones.
var contextValues = [numContexts]int{
	ctxDist0: distValues, ctxDist1: distValues, ctxDist2: distValues,
	ctxDistFixed: distValues, ctxDistBlend: distValues,
	ctxWide:     scaleLevels * scaleLevels,
	ctxRefScale: scaleLevels * 16, ctxRefEnergy: scaleLevels * scaleLevels,
	ctxTexture: 64 * 16, ctxNear: 11 * 11 * 4, ctxCorner: 11 * 11 * 8,
	ctxFar: 11 * 11 * 8, ctxFour: 7 * 7 * 7 * 7, ctxRefShift0: 11 * 11 * 8, ctxRefShift1: 11 * 11 * 8,
	ctxRefResidual: 11 * 11 * 4, ctxFixedPair: 25 * 25 * 10,
}

var setValues = [numSets]int{
	setScale: scaleLevels, setRefResidual: 9 * 9, setDisagreement: scaleLevels, setTexture: 64, setNear: 49, setWide: scaleLevels,
}

// pixel holds what the contexts of one sample share.
type pixel struct {
	centre int32 // the value around which the decisions are laid
	step   uint  // binary logarithm of the width of the first decisions
}

func (m *mixer) initContexts() {
	c := entropy.BlendConfig{Nodes: numNodes, Refine: refineValues, Limit: entropy.CounterLimit, Confidence: m.cfg.confidence, Rate: 40}
	hash := uint(10)
	for hash < m.cfg.hashBits && 1<<hash < m.s.w*m.s.h {
		hash++
	}
	for _, id := range m.cfg.contexts {
		c.Contexts = append(c.Contexts, entropy.ContextSize{
			Values: contextValues[id], HashBits: hash,
		})
	}
	for _, id := range m.cfg.sets {
		c.Sets = append(c.Sets, setValues[id])
	}
	m.mix = entropy.NewBlend(c)
	m.active = make([]uint32, len(m.cfg.contexts))
	m.sel = make([]int, len(m.cfg.sets))
	m.refine = make([]entropy.Counter, numRefine)
	for i := range m.refine {
		m.refine[i] = entropy.CounterInit
	}
}

// quantScale quantises a scale, in 1/16 of half a sample value, to scaleLevels
// levels, four an octave.
func quantScale(s int32) int32 {
	v := uint32(s + 4)
	n := bits.Len32(v) - 1
	return min(int32(n-2)*4+int32(v<<2>>n&3), scaleLevels-1)
}

func quant7(d int32) int32 { return int32(quant7Table[min(max(d, -16), 16)+16]) }

// quant11 quantises a difference to 0..10 and quant9 a residual to 0..8, the
// middle being none.
func quant11(d int32) int32 { return int32(quant11Table[min(max(d, -32), 32)+32]) }
func quant9(d int32) int32  { return int32(quant9Table[min(max(d, -16), 16)+16]) }

var (
	quant11Table = quantTable[[65]uint8](0, 2, 5, 11, 24)
	quant7Table  = quantTable[[33]uint8](1, 4, 12)
	quant9Table  = quantTable[[33]uint8](0, 1, 3, 8)
)

// quantTable returns the table of a quantiser, symmetrical to its middle, of
// which bounds are the largest magnitudes of all levels but the last.
func quantTable[T [65]uint8 | [33]uint8](bounds ...int) (t T) {
	half := len(t) / 2
	for i := range len(t) {
		a, q := max(i-half, half-i), 0
		for q < len(bounds) && a > bounds[q] {
			q++
		}
		if i < half {
			q = -q
		}
		t[i] = uint8(len(bounds) + q)
	}
	return t
}

// clampTo returns d limited to +-limit, plus limit.
func clampTo(d, limit int32) int32 { return min(max(d, -limit), limit) + limit }

func hash2(a, b int32) uint32 {
	h := uint32(a)*0x9E3779B1 + uint32(b)*0x85EBCA77
	return (h ^ h>>15) * 0xC2B2AE3D
}

func hash4(a, b, c, d int32) uint32 { return hash2(int32(hash2(a, b)), int32(hash2(c, d))) }

// prepare cancels the bias of the blend, lays the centre of the decisions and
// sets all contexts.
func (m *mixer) prepare(x, i int) {
	s, deep := m.s, m.deep
	w, n, nw, ne := s.v[i-1], s.v[i-s.stride], s.v[i-s.stride-1], s.v[i-s.stride+1]
	ww, nn := s.v[i-2], s.v[i-2*s.stride]
	rs := m.res.v
	eW, eN, eNE := rs[i-1]>>deep, rs[i-s.stride]>>deep, rs[i-s.stride+1]>>deep

	// The planes coded before: samples and residuals at the place. Where there
	// is none, neighbours stand in.
	r0, r1 := w, n
	var e0, e1, energy int32
	// What each of them gained from its neighbours W and N.
	var fromW, fromN [2]int32
	for k, r := range m.refs {
		g := r.residual.v
		e := g[i] >> deep
		if k == 0 {
			r0, e0 = r.samples.v[i], e
		} else {
			r1, e1 = r.samples.v[i], e
		}
		st := r.residual.stride
		fromW[k], fromN[k] = r.samples.v[i]-r.samples.v[i-1], r.samples.v[i]-r.samples.v[i-st]
		energy += 4*abs(e) + (2*(abs(g[i-1])+abs(g[i+1])+abs(g[i-st])+abs(g[i+st]))+
			abs(g[i-st-1])+abs(g[i-st+1])+abs(g[i+st-1])+abs(g[i+st+1]))>>deep
	}

	last := len(m.mu) - 1
	qs := quantScale(m.scale[last])

	bl := (m.blend + one16/2) / one16
	var tex int32
	for k, v := range [6]int32{w, n, nw, ne, 2*w - ww, 2*n - nn} {
		if v > bl {
			tex |= 1 << k
		}
	}
	m.cell[0] = &m.bias[0][(tex*9+quant9(e0))*3+min(qs/10, 2)]
	m.cell[1] = &m.bias[1][((quant9(eW)*9+quant9(eN))*9+quant9(eNE))*5+min(qs/8, 4)]
	m.mu[last] = m.blend + (m.cell[0].mean()+m.cell[1].mean())/2

	p := &m.pix
	p.centre = min(max((m.mu[last]+one16/2)>>4, 0), m.max)
	p.step = 0
	for v := m.scale[last] >> 5 << deep; v > 6; v >>= 1 {
		p.step++
	}
	c := p.centre

	v := &m.values
	for k := range m.wls {
		v[int(ctxDist0)+k] = m.dist(k)
	}
	v[ctxDistFixed] = m.dist(len(m.wls))
	v[ctxDistBlend] = m.dist(last)
	v[ctxFixedPair] = uint32((clampTo(m.offset(0), 12)*25+clampTo(m.offset(len(m.wls)+1), 12))*10 + qs/4)
	wide := m.wideAbove[min(x+margin+2, len(m.wideAbove)-1)] + m.wideRow[x+margin-1]
	v[ctxWide] = uint32(qs*scaleLevels + quantScale(wide>>2))
	v[ctxRefScale] = uint32(quantScale((abs(e0)+abs(e1))*16)*16 + min(qs/2, 15))
	v[ctxRefEnergy] = uint32(qs*scaleLevels + quantScale(energy*2))
	v[ctxTexture] = uint32(tex*16 + min(qs/3, 15))
	v[ctxNear] = uint32((quant11((w-c)>>deep)*11+quant11((n-c)>>deep))*4 + min(qs/8, 3))
	v[ctxCorner] = uint32((quant11((ne-c)>>deep)*11+quant11((nw-c)>>deep))*8 + min(qs/4, 7))
	v[ctxFar] = uint32((quant11((ww-c)>>deep)*11+quant11((nn-c)>>deep))*8 + min(qs/4, 7))
	v[ctxFour] = uint32(((quant7((w-c)>>deep)*7+quant7((n-c)>>deep))*7+quant7((nw-c)>>deep))*7 + quant7((ne-c)>>deep))
	v[ctxRefShift0] = uint32((quant11((w+fromW[0]-c)>>deep)*11+quant11((n+fromN[0]-c)>>deep))*8 + min(qs/4, 7))
	v[ctxRefShift1] = uint32((quant11((w+fromW[1]-c)>>deep)*11+quant11((n+fromN[1]-c)>>deep))*8 + min(qs/4, 7))
	v[ctxRefResidual] = uint32((quant11(e0)*11+quant11(e1))*4 + min(qs/8, 3))
	v[ctxCentre] = uint32(c)
	v[ctxRef0] = hash2(c, r0)
	v[ctxRef1] = hash2(c, r1)
	v[ctxColour] = hash4(c, r0, r1, 0)
	v[ctxColourNear] = hash2(clampTo(r0-c, 63), clampTo(r1-c, 63))
	pair := int32(hash4(c, w, n, 0))
	v[ctxPair] = uint32(pair)
	patch := int32(hash4(pair, nw, ne, 0))
	v[ctxPatch] = uint32(patch)
	v[ctxWindow] = hash4(patch, ww, nn, int32(hash2(r0, r1)))
	for k, id := range m.cfg.contexts {
		m.active[k] = v[id]
	}
	for k, id := range m.cfg.sets {
		switch id {
		case setScale:
			m.sel[k] = int(qs)
		case setRefResidual:
			m.sel[k] = int(quant9(e0)*9 + quant9(e1))
		case setDisagreement:
			d := abs(m.mu[0] - m.mu[len(m.wls)])
			if len(m.wls) > 1 {
				d += abs(m.mu[0] - m.mu[1])
			}
			m.sel[k] = int(quantScale(d >> deep))
		case setNear:
			m.sel[k] = int(quant7((w-c)>>deep)*7 + quant7((n-c)>>deep))
		case setWide:
			m.sel[k] = int(quantScale(wide >> 2))
		case setTexture:
			m.sel[k] = int(tex)
		}
	}
	m.mix.Begin(m.active, m.sel, int(clampTo((r0-c)>>deep, refineValues/2)))
}

// dist returns the context of prediction k: its scale and its distance to the
// centre.
func (m *mixer) dist(k int) uint32 {
	return uint32(quantScale(m.scale[k])*offsetLevels + clampTo(m.offset(k), offsetLevels/2))
}

// offset returns the distance of prediction k to the centre, in quarters of a
// sample value or coarser.
func (m *mixer) offset(k int) int32 {
	return (m.mu[k] - m.pix.centre*one16) >> (2 + m.pix.step)
}

// widen adds the error of the blend at column x to the smoothed errors.
func (m *mixer) widen(x int, e int32) {
	m.wideRow[x+margin] = (m.wideRow[x+margin-1]*13 + e*8) >> 4
}

// widenRow adds a finished row to the smoothed errors of the rows above: both
// ways along the row, and decaying from row to row.
func (m *mixer) widenRow() {
	row, above := m.wideRow, m.wideAbove
	var back int32
	for x := m.s.w - 1 + margin; x >= margin; x-- {
		own := max(row[x]-row[x-1]*13>>4, 0)
		t := row[x] + back*13>>4
		back = back*13>>4 + own
		above[x] = (above[x]*13 + t*3) >> 4
	}
	for i := range margin {
		above[m.s.w+margin+i] = above[m.s.w+margin-1]
	}
}
