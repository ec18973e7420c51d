package inr

import (
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/kernels"
)

// The context network in integers. Latents come in with 7 fractional bits, weights
// have 10 (the residual's identity included: 1024 on the diagonal), so sums have 17,
// as have the biases. A hidden layer drops 10 of them with rounding and keeps
// 0..32767, numbers below 256. Mixtures of latents are sums with 10, rounded to 7 and
// limited likewise, to both sides. Sums wrap at 32 bits, which is exact on every machine;
// the encoder measures this same network, so a wrap costs bits and never harms.

const (
	latentBits = 7
	weightBits = 10
	sumBits    = latentBits + weightBits
	armChunk   = 256 // positions evaluated at a time, which keeps them in the L1 cache
)

// The network's outputs, with 17 fractional bits, select a distribution of
// entropy.LaplaceModel: locations in 1/64, log-scales in 1/16 from -5.
const (
	locationShift = sumBits - 6
	scaleShift    = sumBits - 4
	scaleZero     = 80 // the index of a log-scale of 0
)

// A predictor is a context network ready to run.
type predictor struct {
	d      int
	w1, w2 []int16           // [d][d]
	w3     []int16           // [2][2d]: from the contexts, from the hidden layer
	b1     []int32           // [grids][d]
	b2     []int32           // [d]
	b3     []int32           // [2]
	mix    [maxMixed][]int32 // [Features][mixed], with weightBits fractional bits

	// Pairs of values, see kernels.ReLUI16: d/2 planes of contexts followed by
	// d/2 planes of the second hidden layer, [d][armChunk][2].
	x   []int16
	h   []int16 // the first hidden layer, [d/2][armChunk][2]
	out []int32 // [2][armChunk]
}

// newPredictor prepares the context network of q, which must be valid for a.
func newPredictor(a *Arch, q *Quantised) *predictor {
	d := a.Inputs()
	layout := a.Layout()
	weights := func(dst []int16, stride int, id TensorID) {
		t := layout[id]
		for i, v := range q.Ints[t.Module][t.Offset : t.Offset+t.Len()] {
			dst[i/d*stride+i%d] = int16(v << (weightBits - q.Step[t.Module]))
		}
	}
	biases := func(id TensorID) []int32 {
		t := layout[id]
		b := make([]int32, t.Len())
		for i, v := range q.Ints[t.Module][t.Offset : t.Offset+t.Len()] {
			b[i] = v << (sumBits - q.Step[t.Module])
		}
		return b
	}
	p := &predictor{
		d: d, w1: make([]int16, d*d), w2: make([]int16, d*d), w3: make([]int16, 4*d),
		b1: biases(ARMB1), b2: biases(ARMB2), b3: biases(ARMB3),
		x: make([]int16, 2*d*armChunk), h: make([]int16, d*armChunk), out: make([]int32, 2*armChunk),
	}
	weights(p.w1, d, ARMW1)
	weights(p.w2, d, ARMW2)
	weights(p.w3, 2*d, ARMWl)
	weights(p.w3[d:], 2*d, ARMW3)
	for i := range p.mix {
		t := layout[int(ARMMix0)+i]
		for _, v := range q.Ints[t.Module][t.Offset : t.Offset+t.Len()] {
			p.mix[i] = append(p.mix[i], v<<(weightBits-q.Step[t.Module]))
		}
	}
	for i := range d {
		p.w1[i*d+i] += 1 << weightBits
		p.w2[i*d+i] += 1 << weightBits
	}
	return p
}

// plane returns the pairs of contexts 2k and 2k+1.
func (p *predictor) plane(k int) []int16 { return p.x[2*k*armChunk : 2*(k+1)*armChunk] }

// run evaluates the network at the n positions, at most armChunk, whose contexts are
// in the planes, and sets the locations and scales of their distributions.
func (p *predictor) run(grid, n int, location []int16, scale []uint8) {
	d := p.d
	hidden := p.x[d*armChunk:]
	kernels.ReLUI16(p.h, p.x, p.w1, p.b1[grid*d:], d, d, armChunk, n)
	kernels.ReLUI16(hidden, p.h, p.w2, p.b2, d, d, armChunk, n)
	kernels.LinearI16(p.out, p.x, p.w3, p.b3, 2*d, 2, armChunk, n)
	mu, s := p.out[:n], p.out[armChunk:][:n]
	location, scale = location[:n], scale[:n]
	for t, v := range mu {
		const limit = LatentMax * entropy.LaplaceUnit
		location[t] = int16(min(max((v+1<<(locationShift-1))>>locationShift, -limit), limit))
		scale[t] = uint8(min(max((s[t]+1<<(scaleShift-1))>>scaleShift, -scaleZero), entropy.LaplaceScales-1-scaleZero) + scaleZero)
	}
}
