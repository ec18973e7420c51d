package lossless

import "github.com/burin-codec/burin/entropy"

// stackConfig describes the fit of the blend: the decays of its window.
type stackConfig struct {
	lambda, rho float32
	every       int
}

const (
	fixedPredictors = 3

	// Predictions and errors are in 1/16 of a sample value.
	one16 = 16

	maxError = 1<<12 - 1 // of the error history
)

// mixer codes one plane.
type mixer struct {
	cfg  *mixConfig
	bits *bitCoder
	max  int32
	// Errors and differences are shifted right by this much before they are
	// quantised, so that deep samples share the scale of 8-bit ones.
	deep uint

	s    *grid // the samples, those not yet coded being stale
	res  *grid // sample minus centre, as coded
	refs []codedPlane

	wls   []*wls
	stack *wls

	mu    []int32 // predictions of the sample, last the blend
	plain int32   // blend by error alone
	blend int32   // before the bias is cancelled
	// Absolute errors of each prediction, three rows in turn.
	history [][3][]int32
	scale   []int32 // of each prediction: a weighted sum of errors nearby

	bias [2][]biasCell
	cell [2]*biasCell

	// Smoothed absolute errors: of the rows above, and along the current one.
	wideAbove, wideRow []int32

	pix    pixel
	values [numContexts]uint32
	active []uint32
	sel    []int
	mix    *entropy.Blend
	refine []entropy.Counter
}

// biasCell is a running mean of errors.
type biasCell struct{ sum, n int32 }

func (c *biasCell) mean() int32 { return c.sum / (c.n + 4) }

func (c *biasCell) add(d int32) {
	c.sum += d
	c.n++
	if c.n >= 128 {
		c.sum /= 2
		c.n /= 2
	}
}

func newMixer(cfg *mixConfig, w, h int, max int32, refs []codedPlane, bits *bitCoder) *mixer {
	m := &mixer{cfg: cfg, bits: bits, max: max, s: newGrid(w, h), res: newGrid(w, h), refs: refs}
	for v := max >> 10; v > 0; v >>= 1 {
		m.deep++
	}
	for _, c := range cfg.wls {
		m.wls = append(m.wls, newWLS(c, len(refs), w))
	}
	n := len(m.wls) + fixedPredictors + 1
	m.mu = make([]int32, n)
	m.scale = make([]int32, n)
	m.history = make([][3][]int32, n)
	for k := range m.history {
		for r := range m.history[k] {
			m.history[k][r] = make([]int32, w+2*margin)
		}
	}
	if s := cfg.stack; s != nil {
		m.stack = newStack(s, n-1, w)
	}
	m.bias[0] = make([]biasCell, 64*9*3)
	m.bias[1] = make([]biasCell, 9*9*9*5)
	m.wideAbove = make([]int32, w+2*margin)
	m.wideRow = make([]int32, w+2*margin)
	m.initContexts()
	return m
}

// newStack returns the fit of the blend: its regressors are the differences of
// the predictions, and of six neighbours, to the blend by error.
func newStack(c *stackConfig, predictors, width int) *wls {
	return newWLS(wlsConfig{near: predictors + stackNear + 1, lambda: c.lambda, rho: c.rho, every: c.every}, 0, width)
}

const stackNear = 6

// neighbours in the order in which predictors take them. The first, W, is what
// the regressors are differences to.
var nearOffsets = [...]struct{ x, y int }{
	{-1, 0}, {0, -1}, {-1, -1}, {1, -1}, {-2, 0}, {0, -2}, {2, -1}, {-2, -1},
	{-1, -2}, {1, -2}, {-3, 0}, {0, -3}, {2, -2}, {-2, -2}, {3, -1}, {-3, -1},
	{-4, 0}, {1, -3}, {-1, -3}, {3, -2}, {-3, -2}, {0, -4}, {4, -1}, {-4, -1},
}

// places in a plane coded before, around that of the sample.
var refOffsets = [...]struct{ x, y int }{
	{-1, 0}, {0, -1}, {1, 0}, {0, 1}, {-1, -1}, {1, -1}, {-1, 1}, {1, 1},
	{-2, 0}, {2, 0}, {0, -2}, {0, 2},
}

// regress fills in the regressors of a predictor.
func (m *mixer) regress(o *wls, i int) {
	s := m.s
	base := s.v[i-1]
	v := o.v
	k := 0
	for _, d := range nearOffsets[1:o.near] {
		v[k] = float32(s.v[i+d.y*s.stride+d.x] - base)
		k++
	}
	for r, n := range [2]int{o.ref0, o.ref1} {
		if r >= len(m.refs) || n == 0 {
			continue
		}
		g := m.refs[r].samples
		base := g.v[i]
		for _, d := range refOffsets[:n] {
			v[k] = float32(g.v[i+d.y*g.stride+d.x] - base)
			k++
		}
	}
}

// toFixed rounds a prediction down to 1/16 and keeps it near the range of the
// samples. It takes NaN for 0.
func (m *mixer) toFixed(f float32) int32 {
	limit := float32(m.max*one16 + 8*one16)
	if !(f > -8*one16) {
		return -8 * one16
	}
	return int32(min(f, limit))
}

// predict makes all predictions for the sample at column x, index i.
func (m *mixer) predict(x, y, i int) {
	s := m.s
	w, n, nw, ne := s.v[i-1], s.v[i-s.stride], s.v[i-s.stride-1], s.v[i-s.stride+1]
	ww, nn := s.v[i-2], s.v[i-2*s.stride]
	for k, o := range m.wls {
		m.regress(o, i)
		m.mu[k] = m.toFixed(float32(float32(float32(w)+o.predict(x)) * one16))
	}
	fixed := m.mu[len(m.wls):]
	if len(m.refs) > 0 {
		r := m.refs[0].samples
		c, rw, rn, rnw := r.v[i], r.v[i-1], r.v[i-r.stride], r.v[i-r.stride-1]
		fixed[0] = (w + n + 2*c - rw - rn) * (one16 / 2)
		fixed[1] = (w + n - nw + c - rw - rn + rnw) * one16
		fixed[2] = (2*w + 2*n + ne - nw) * (one16 / 4)
	} else {
		fixed[0] = max(min(w, n), min(max(w, n), w+n-nw)) * one16
		fixed[1] = (2*w + 2*n + ne - nw) * (one16 / 4)
		fixed[2] = (w + ne + 3*n - 2*nn) * (one16 / 2)
	}
	last := len(m.mu) - 1
	for k := range m.mu {
		h := &m.history[k]
		c, a, b := h[y%3][x:], h[(y+2)%3][x:], h[(y+1)%3][x:]
		m.scale[k] = (2*c[margin-1] + 2*a[margin] + a[margin-1] + a[margin+1] + c[margin-2] + b[margin]) >> 2
	}
	var num, den float32
	for k, p := range m.mu[:last] {
		e := float32(m.scale[k] + 3)
		wgt := 1 / float32(e*e)
		if k >= len(m.wls) {
			wgt = float32(wgt * 0.1)
		}
		num += float32(wgt * float32(p))
		den += wgt
	}
	m.plain = m.toFixed(num / den)
	m.blend = m.plain
	if st := m.stack; st != nil {
		base := float32(m.plain)
		for k, p := range m.mu[:last] {
			st.v[k] = float32((float32(p) - base) * (1. / one16))
		}
		for k, p := range [stackNear]int32{w, n, ne, nw, ww, nn} {
			st.v[last+k] = float32((float32(p*one16) - base) * (1. / one16))
		}
		m.blend = m.toFixed(base + float32(st.predict(x)*one16))
	}
}

// learn tells the predictors what the sample at column x was.
func (m *mixer) learn(x, y, i int, v int32) {
	w := m.s.v[i-1]
	if st := m.stack; st != nil {
		st.update(x, float32(v)-float32(float32(m.plain)*(1./one16)))
	}
	for _, o := range m.wls {
		o.update(x, float32(v-w))
	}
	v16 := v * one16
	for k, p := range m.mu {
		m.history[k][y%3][x+margin] = min(abs(v16-p)>>m.deep, maxError)
	}
	for k := range m.cell {
		m.cell[k].add(v16 - m.blend)
	}
}

func abs(a int32) int32 {
	if a < 0 {
		return -a
	}
	return a
}
