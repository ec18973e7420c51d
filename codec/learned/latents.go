package learned

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/transform/convnet"
)

// The latents y of a picture are coded in four passes (see network.Parity). For each
// element, networks that know the hyperprior's latents and what earlier passes coded
// give a mean and the logarithm of a scale, in integers. Coded is
//
//	q = round((y - mean)/step)    and what is decoded    y' = mean + q*step
//
// q having the probabilities of one of scaleLevels tables, which the scale names and which
// follow what the tile turns out to be like (entropy.Adaptive): 0.3 to 0.6 % fewer bits
// for photographs like those of the training, more for others.

const (
	// scaleUnit is how many units the logarithm of a scale has in 1, as heads give it.
	scaleUnit = 1024
	// Scale level i stands for the scale exp(scaleMin + i/8), in steps.
	scaleMin    = -4
	scaleLevels = 81
	scaleShift  = 7 // scaleUnit/8 units

	// Steps of the quantiser have stepBits fractional bits, their logarithms to base 2
	// logBits.
	stepBits = 8
	logBits  = 16

	// hyperShift: latents of the hyperprior are the integers of its scale 1/256.
	hyperShift = 8
	maxHyper   = 127
)

// gains are what a rate makes of a model's tables.
type gains struct {
	step   []int32 // [Latents], in 1/2^stepBits units of the latents
	offset []int32 // [Latents], added to the logarithms of scales
	prior  *entropy.FactorisedPrior
}

// gainsAt returns the gains at a rate of 0..convnet.RateUnit.
func (m *Model) gainsAt(rate int) *gains {
	c := m.config
	g := &gains{step: make([]int32, c.Latents), offset: make([]int32, c.Latents)}
	convnet.Interpolate(g.step, m.logSteps, rate)
	convnet.Interpolate(g.offset, m.offsets, rate)
	for i, v := range g.step {
		g.step[i] = exp2(v)
	}
	// The prior of the nearest anchor.
	g.prior = m.priors[(rate*(c.Anchors-1)+convnet.RateUnit/2)/convnet.RateUnit]
	return g
}

// exp2 returns 2^(x/2^logBits) in units of 1/2^stepBits, within 1.5e-4 of it and at least 1,
// in integers alone.
func exp2(x int32) int32 {
	whole, f := int(x>>logBits), int64(x&(1<<logBits-1))
	// 2^f = 1 + f*(c1 + f*(c2 + f*c3)), coefficients in 1/2^30: exact at 0 and 1, and
	// within 1.5e-4 between, the least that this form can have.
	const c1, c2, c3 = 747206328, 241446902, 85088594
	v := int64(c3)
	v = c2 + v*f>>logBits
	v = c1 + v*f>>logBits
	v = 1<<30 + v*f>>logBits
	shift := 30 - stepBits - whole
	switch {
	case shift > 62:
		return 1
	case shift > 0:
		v = (v + 1<<(shift-1)) >> shift
	case shift < -20:
		return math.MaxInt32
	default:
		v <<= -shift
	}
	return int32(min(max(v, 1), math.MaxInt32))
}

// Limits of log steps, which keep exp2 in range: steps from 1/256 to 2^15.
const (
	minLogStep = -8 << logBits
	maxLogStep = 15 << logBits
)

// order is that of package network's passes. The groups lie side by side.
type order struct{}

func (order) Passes() int { return network.Groups }

func (order) Channels(k, y, x, c int) (first, end, step int) {
	group := network.Parity(k, y&1<<1|x&1)
	per := c / network.Groups
	return group * per, (group + 1) * per, 1
}

// A predictor is the context networks of a model at work on a picture. Means are in the
// integers' units of the latents.
type predictor struct {
	m        *Model
	b        *convnet.Buffers
	s        convnet.Shape
	rate     int
	gains    *gains
	features []int16 // [H][W][Context], what the hyperprior's synthesis says
	input    []int16
	known    []int16 // [H][W][Latents], zero where not known yet
	gathered []int16 // [H/2][W/2][Context]: the positions of a parity
}

// newPredictor returns a predictor for latents of shape s, given the hyperprior's.
func (m *Model) newPredictor(b *convnet.Buffers, hyper []int16, s convnet.Shape, rate int, g *gains) *predictor {
	shifted := make([]int16, len(hyper))
	for i, v := range hyper {
		shifted[i] = v << hyperShift
	}
	c, n := m.config, s.Rows()
	p := &predictor{
		m: m, b: b, s: s, rate: rate, gains: g,
		input: make([]int16, n*c.Context), known: make([]int16, n*c.Latents), gathered: make([]int16, n/4*c.Context),
	}
	p.features, _ = m.hyperSynthesis.Forward(b, shifted, convnet.Shape{N: 1, H: s.H / 4, W: s.W / 4}, rate)
	return p
}

// Predict sets the means and the tables of pass k.
func (p *predictor) Predict(k int, l *entropy.Latent) error {
	c := p.m.config
	nets := &p.m.passes[k]
	if k == 0 {
		for i, v := range p.features {
			p.input[i] = max(v, 0)
		}
	} else {
		p.learn(k-1, l)
		known, _ := nets.known.Forward(p.b, p.known, p.s, p.rate)
		for i, v := range known {
			p.input[i] = int16(min(max(int32(v)+int32(p.features[i]), 0), math.MaxInt16))
		}
		p.b.Give(known)
	}
	body, _ := nets.body.Forward(p.b, p.input, p.s, p.rate)
	per, width := c.Latents/network.Groups, p.s.W/2
	for group, head := range nets.heads {
		parity := network.Parity(k, group)
		for i := range p.s.Rows() / 4 {
			copy(p.gathered[i*c.Context:(i+1)*c.Context], body[p.row(i, width, parity)*c.Context:])
		}
		out, _ := head.Forward(p.b, p.gathered, convnet.Shape{N: 1, H: p.s.H / 2, W: width}, p.rate)
		offset := p.gains.offset[group*per : (group+1)*per]
		for i := range p.s.Rows() / 4 {
			at := p.row(i, width, parity)*c.Latents + group*per
			o, mean, table := out[i*2*per:(i+1)*2*per], l.Mean[at:at+per], l.Table[at:at+per]
			for j, v := range o[:per] {
				mean[j] = int32(v)
				level := (int32(o[per+j]) + offset[j] - scaleMin*scaleUnit + 1<<(scaleShift-1)) >> scaleShift
				table[j] = uint8(min(max(level, 0), scaleLevels-1))
			}
		}
		p.b.Give(out)
	}
	p.b.Give(body)
	return nil
}

// row returns the position that is number i of a parity, of which a line has width.
func (p *predictor) row(i, width, parity int) int {
	return (i/width*2+parity/2)*p.s.W + i%width*2 + parity%2
}

// learn takes note of what pass k coded.
func (p *predictor) learn(k int, l *entropy.Latent) {
	l.Elements(k, func(i, end, _ int) {
		known := p.known[i:end]
		for j, v := range l.Y[i:end] {
			known[j] = int16(v)
		}
	})
}

// latents returns all latents, decoded, when the last pass is done.
func (p *predictor) latents(l *entropy.Latent) []int16 {
	p.learn(network.Groups-1, l)
	p.b.Give(p.features)
	return p.known
}

// A quantiser makes integers of latents and latents of integers.
type quantiser struct {
	m    *Model
	step []int32
	y    []int16 // [H][W][Latents]; nil in a decoder
	// weight is the worth of a squared step in bits, for which a smaller integer may be
	// taken instead of the nearest one; 0 takes the nearest.
	weight float64
}

func (q *quantiser) Quantise(k int, l *entropy.Latent) {
	l.Elements(k, func(i, end, _ int) {
		for ; i < end; i++ {
			r := float64(int32(q.y[i])-l.Mean[i]) * (1 << stepBits) / float64(q.step[i%l.C])
			l.Q[i] = q.m.choose(r, l.Table[i], q.weight)
		}
	})
}

func (q *quantiser) Dequantise(k int, l *entropy.Latent) {
	l.Elements(k, func(i, end, _ int) {
		first := i % l.C
		for j, v := range l.Q[i:end] {
			y := int64(l.Mean[i+j]) + (int64(v)*int64(q.step[first+j])+1<<(stepBits-1))>>stepBits
			l.Y[i+j] = int32(min(max(y, math.MinInt16), math.MaxInt16))
		}
	})
}

// decodeLatents decodes the latents of a grid from d.
func (m *Model) decodeLatents(b *convnet.Buffers, d *arith.RangeDecoder, s convnet.Shape, rate int) ([]int16, error) {
	g := m.gainsAt(rate)
	hyper := make([]int16, s.Rows()/16*m.config.Hyper)
	if err := g.prior.Decode(d, hyper); err != nil {
		return nil, err
	}
	for _, v := range hyper {
		if v < -maxHyper || v > maxHyper {
			return nil, fmt.Errorf("hyperlatent %d is out of range", v)
		}
	}
	l, err := entropy.NewLatent(order{}, s.H, s.W, m.config.Latents)
	if err != nil {
		return nil, err
	}
	p := m.newPredictor(b, hyper, s, rate, g)
	if err := entropy.DecodeLatent(d, l, entropy.NewAdaptive(m.tables), p, &quantiser{m: m, step: g.step}); err != nil {
		return nil, err
	}
	return p.latents(l), nil
}

// hyperOf returns the integers of the hyperprior for latents y.
func (m *Model) hyperOf(b *convnet.Buffers, y []int16, s convnet.Shape, rate int) []int16 {
	z, _ := m.hyperAnalysis.Forward(b, y, s, rate)
	hyper := make([]int16, len(z))
	for i, v := range z {
		hyper[i] = int16(min(max((int32(v)+1<<(hyperShift-1))>>hyperShift, -maxHyper), maxHyper))
	}
	b.Give(z)
	return hyper
}

// encodeLatents codes the latents y, [H][W][Latents], with the hyperprior's, see
// quantiser. It returns the symbols and what a decoder makes of them.
func (m *Model) encodeLatents(b *convnet.Buffers, w *arith.RangeEncoder, y, hyper []int16, s convnet.Shape, rate int, weight float64) (*entropy.Latent, []int16) {
	g := m.gainsAt(rate)
	g.prior.Encode(w, hyper)
	l, err := entropy.NewLatent(order{}, s.H, s.W, m.config.Latents)
	if err != nil {
		panic(err) // the order codes every latent once
	}
	p := m.newPredictor(b, hyper, s, rate, g)
	if err := entropy.EncodeLatent(w, l, entropy.NewAdaptive(m.tables), p, &quantiser{m, g.step, y, weight}); err != nil {
		panic(err) // a predictor has none
	}
	return l, p.latents(l)
}

// choose returns the integer for r: the nearest one, or the next towards zero where its
// bits and its error together cost less.
func (m *Model) choose(r float64, table uint8, weight float64) int16 {
	q := math.RoundToEven(min(max(r, -maxSymbol), maxSymbol))
	if q == 0 || weight == 0 {
		return int16(q)
	}
	less := q - math.Copysign(1, q)
	cost := func(v float64) float64 {
		d := r - v
		// Products rounded on their own: a file is not to depend on the CPU.
		return m.cost(table, int(v)) + float64(weight*float64(d*d))
	}
	if cost(less) < cost(q) {
		q = less
	}
	return int16(q)
}

// maxSymbol bounds what is coded: larger differences become it.
const maxSymbol = 1<<14 - 1
