package lossless

import "github.com/burin-codec/burin/entropy"

// A sample is coded as a path of decisions that leads away from the centre c:
// is it at least c? Then, upwards: is it at least c+1, c+2, c+3 and so on, in
// growing strides, all of them times 2^step in noisy surroundings; downwards
// likewise from c-1. Where a stride covers several values the rest follows as
// bits of their own. Nodes 0 to 15 hold the usual decisions.

// strides are the bounds of the decisions, as distances.
var strides = [...]int32{
	0, 1, 2, 3, 4, 5, 6, 8,
	10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320,
}

const (
	numNodes = 48
	lastStep = len(strides) - 1

	refineDepth = 16 // values of the context of the bits within a stride
	refineSteps = 16 // values of step
	numRefine   = len(strides) * refineSteps * refineDepth
)

// node numbers the decision whether the distance is at least strides[j].
func node(up bool, j int) int {
	switch {
	case j < 8 && up:
		return j
	case j < 8:
		return j + 7
	case up:
		return j + 8
	default:
		return j + 24
	}
}

// codeSample codes v, or returns the sample decoded.
func (m *mixer) codeSample(v int32) int32 {
	c := m.pix.centre
	up := true
	if c > 0 {
		bit := 0
		if v >= c {
			bit = 1
		}
		up = m.decide(0, bit) != 0
	}
	if up {
		return min(c+m.codeDistance(v-c, m.max-c, true), m.max)
	}
	return max(c-1-m.codeDistance(c-1-v, c-1, false), 0)
}

// codeDistance codes a distance of at most limit.
func (m *mixer) codeDistance(d, limit int32, up bool) int32 {
	step := m.pix.step
	j := 1
	for ; j <= lastStep && strides[j]<<step <= limit; j++ {
		bit := 0
		if d >= strides[j]<<step {
			bit = 1
		}
		if m.decide(node(up, j), bit) == 0 {
			break
		}
	}
	from := strides[j-1] << step
	width := limit - from + 1
	if j <= lastStep {
		width = (strides[j] - strides[j-1]) << step
	}
	return from + m.codeWithin(d-from, width, j-1)
}

// codeWithin codes the place v within a stride of the given width.
func (m *mixer) codeWithin(v, width int32, j int) int32 {
	if width <= 1 {
		return 0
	}
	top := int32(1)
	for top<<1 < width {
		top <<= 1
	}
	row := m.refine[(j*refineSteps+min(int(m.pix.step), refineSteps-1))*refineDepth:][:refineDepth]
	ctx, out := 1, int32(0)
	for b := top; b > 0; b >>= 1 {
		bit := 0
		if v&b != 0 {
			bit = 1
		}
		k := &row[ctx]
		bit = m.bits.code(bit, min(max(k.P(), 64), 65472))
		k.Update(bit, entropy.CounterLimit)
		if bit != 0 {
			out |= b
		}
		// A tree over the first bits; the others are as good as even.
		if ctx = ctx<<1 | bit; ctx >= refineDepth {
			ctx = 0
		}
	}
	return out
}

func (m *mixer) decide(node, bit int) int {
	bit = m.bits.code(bit, m.mix.P(node))
	m.mix.Update(bit)
	return bit
}

// codePlane codes all samples of p, or decodes them into it.
func (m *mixer) codePlane(p *plane, step func(n int) error) error {
	s := m.s
	mid := (m.max + 1) / 2
	for k := range s.v[:margin*s.stride] {
		s.v[k] = mid
	}
	for y := range p.h {
		row := p.row(y)
		start := s.at(0, y)
		for k := 1; k <= margin; k++ {
			s.v[start-k] = s.v[start-s.stride]
		}
		for _, o := range m.wls {
			o.beginRow()
		}
		if m.stack != nil {
			m.stack.beginRow()
		}
		for x := range row {
			i := start + x
			m.predict(x, y, i)
			m.prepare(x, i)
			v := m.codeSample(int32(row[x]))
			row[x] = uint16(v)
			s.v[i] = v
			m.res.v[i] = v - m.pix.centre
			m.learn(x, y, i, v)
			m.widen(x, m.history[len(m.mu)-1][y%3][x+margin])
			if y == 0 {
				m.fillAbove(i, v)
			}
		}
		m.endRow(y, start)
		if err := step(len(row)); err != nil {
			return err
		}
		if err := m.bits.err(); err != nil {
			return err
		}
	}
	s.extend()
	return nil
}

// fillAbove makes the rows above the first look like a repetition of what is
// left of the next sample.
func (m *mixer) fillAbove(i int, v int32) {
	for r := 1; r <= margin; r++ {
		for d := 0; d <= margin; d++ {
			m.s.v[i-r*m.s.stride+d+1] = v
		}
	}
}

func (m *mixer) endRow(y, start int) {
	s := m.s
	end := start + s.w
	for k := range margin {
		s.v[end+k] = s.v[end-1]
	}
	for k := range m.history {
		h := m.history[k][y%3]
		for j := range margin {
			h[j] = h[margin]
			h[s.w+margin+j] = h[s.w+margin-1]
		}
	}
	for _, o := range m.wls {
		o.endRow()
	}
	if m.stack != nil {
		m.stack.endRow()
	}
	m.widenRow()
}
