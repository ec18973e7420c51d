package convnet

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/transform/nn"
)

// Integer networks have activations of 16 bits: that of channel c is its real value
// divided by a scale s[c]. Each channel has a scale of its own, for it costs nothing: a
// linear operation of weights w and scales s before and t after is
//
//	y[o] = sum over i of w[o][i]*s[i]/t[o] * x[i] + b[o]/t[o]
//
// whose weights are divided by a step d[o] of their output and rounded, so that
//
//	y[o] = (sum of W[o][i]*x[i] + B[o]) * m[o] / 2^32    with    m[o] = 2^32 d[o]
//
// Sums are of 32 bits and never overflow, whatever comes in: d is such that
//
//	sum over i of |W[o][i]| * 32768 + |B[o]| + 2^15 < 2^31
//
// Activations that do not fit are clamped. Channels that are added to one another, in
// a block, have one scale.

// maxSum bounds the sums; the rest up to 2^31 is for the rounding of weights.
const maxSum = 1<<31 - 1<<23

// Scales are what one unit of each channel of an integer network stands for.
type Scales []float64

// Quantisation is how a network is made one of integers.
type Quantisation struct {
	In Scales // of the input
	// Out, unless nil, are the scales that the output is to have, where the last
	// operation is linear, or that and a shuffling.
	Out Scales
	// Bits of weights, 2 to 16, with their sign.
	Bits int
	// Margin is how many times the observed magnitude a channel can hold: at least 1.
	Margin float64
}

// Quantise returns the network in integers, and the scales of its output.
func (n *Net) Quantise(r *Ranges, q Quantisation) (*Integer, Scales, error) {
	if len(q.In) != n.In || q.Bits < 2 || q.Bits > 16 || !(q.Margin >= 1) {
		return nil, nil, fmt.Errorf("convnet: quantisation of %d bits, margin %v and %d scales", q.Bits, q.Margin, len(q.In))
	}
	need := n.needs(r)
	z := &Integer{In: n.In, Out: n.Out, Ops: n.Ops}
	s := q.In
	for i, l := range n.layers {
		var err error
		var made integerLayer
		switch l := l.(type) {
		case *linear:
			p := l.dense.Params()
			t := scalesFor(need[i], q.Margin)
			if q.Out != nil && n.lastLinear(i) {
				t = n.before(i, q.Out)
			} else {
				t.widen(p[0].Data, p[1].Data, s)
				n.share(i, t)
			}
			made = &integerLinear{relu: l.relu, product: quantiseProduct(p[0].Data, p[1].Data, s, t, q.Bits)}
			s = t
		case *block:
			made = l.quantise(s, scalesFor(r.spread[i], q.Margin), scalesFor(r.hidden[i], q.Margin), q.Bits)
		case *shuffle:
			made = &integerShuffle{factor: l.op.Factor, channels: l.channels, down: l.down}
			s = l.scales(s)
		case *rate:
			made, err = l.quantise(s)
		}
		if err != nil {
			return nil, nil, err
		}
		z.layers = append(z.layers, made)
	}
	if q.Out != nil {
		for c := range q.Out {
			if len(s) != len(q.Out) || s[c] != q.Out[c] {
				return nil, nil, fmt.Errorf("convnet: the output's scales cannot be chosen")
			}
		}
	}
	return z, s, nil
}

// QuantiseLinear returns the linear layer d, between scales s and t, as a network of
// integers of one operation.
func QuantiseLinear(d *nn.Dense, s, t Scales, bits int) (*Integer, error) {
	p := d.Params()
	if len(s) != p[0].Cols || len(t) != p[0].Rows || bits < 2 || bits > 16 {
		return nil, fmt.Errorf("convnet: quantisation of %s to %d bits between %d and %d scales", p[0].Name, bits, len(s), len(t))
	}
	return &Integer{
		In: p[0].Cols, Out: p[0].Rows, Ops: []Op{Linear(p[0].Rows)},
		layers: []integerLayer{&integerLinear{product: quantiseProduct(p[0].Data, p[1].Data, s, t, bits)}},
	}, nil
}

// ScalesFor returns scales at which channels hold the given magnitudes, times a margin.
func ScalesFor(magnitudes []float32, margin float64) Scales { return scalesFor(magnitudes, margin) }

// needs returns the magnitudes that the outputs of each operation must hold, channels
// that share a scale having the same.
func (n *Net) needs(r *Ranges) [][]float32 {
	need := make([][]float32, len(n.Ops))
	for i := range need {
		need[i] = append([]float32(nil), r.outputs[i]...)
	}
	for i := len(n.Ops) - 1; i > 0; i-- {
		before, after := need[i-1], need[i]
		switch l := n.layers[i].(type) {
		case *block, *rate:
			for c, v := range after {
				before[c] = max(before[c], v)
			}
		case *shuffle:
			if l.down {
				for c, v := range after {
					before[c%l.channels] = max(before[c%l.channels], v)
				}
				continue
			}
			shared := append([]float32(nil), after...)
			for c, v := range before {
				shared[c%l.channels] = max(shared[c%l.channels], v)
			}
			for c := range before {
				before[c] = shared[c%l.channels]
			}
		}
	}
	return need
}

// share makes scales t after operation i equal where a later OpUp brings channels
// together before another linear operation gives new ones.
func (n *Net) share(i int, t Scales) {
	for _, op := range n.Ops[i+1:] {
		switch op.Kind {
		case OpLinear, OpDown:
			return
		case OpUp:
			c := len(t) / (op.Factor * op.Factor)
			for j := range t {
				t[j%c] = max(t[j%c], t[j])
			}
			for j := range t {
				t[j] = t[j%c]
			}
			t = t[:c]
		}
	}
}

// lastLinear says whether operation i is the last but for shuffling.
func (n *Net) lastLinear(i int) bool {
	for _, l := range n.layers[i+1:] {
		if _, ok := l.(*shuffle); !ok {
			return false
		}
	}
	return true
}

// before returns the scales after operation i that become s at the output.
func (n *Net) before(i int, s Scales) Scales {
	for j := len(n.layers) - 1; j > i; j-- {
		l := n.layers[j].(*shuffle)
		f := l.op.Factor * l.op.Factor
		var t Scales
		if l.down {
			t = s[:l.channels]
		} else {
			for range f {
				t = append(t, s...)
			}
		}
		s = t
	}
	return s
}

// scales returns the scales after the shuffling.
func (l *shuffle) scales(s Scales) Scales {
	if !l.down {
		return s[:l.channels]
	}
	var t Scales
	for range l.op.Factor * l.op.Factor {
		t = append(t, s...)
	}
	return t
}

// scalesFor returns scales at which the given magnitudes, times the margin, fit. A
// channel that was never used gets a small part of the largest one's.
func scalesFor(magnitudes []float32, margin float64) Scales {
	var top float64
	for _, v := range magnitudes {
		top = max(top, float64(v))
	}
	if top == 0 {
		top = 1
	}
	s := make(Scales, len(magnitudes))
	for c, v := range magnitudes {
		s[c] = max(float64(v), top/128) * margin / math.MaxInt16
	}
	return s
}

// widen makes the scales t of the outputs of weights, [out][in], and biases, from inputs of
// scales s so large that the factors of outputs stay below a half, as they must. Only outputs
// that are next to nothing beside what could come in need it, such as those of hidden
// channels whose rectifier lets nothing through.
func (t Scales) widen(weights, bias []float32, s Scales) {
	for o := range t {
		sum := math.Abs(float64(bias[o])) / 32768
		for i, w := range weights[o*len(s) : (o+1)*len(s)] {
			sum += math.Abs(float64(w)) * s[i]
		}
		t[o] = max(t[o], sum*32768/(0.45*maxSum))
	}
}

// A product is the numbers of a linear operation in integers.
type product struct {
	weights []int16 // [out][in]
	bias    []int32 // [out]
	mul     []int32 // [out], in units of 2^-32
}

// quantiseProduct rounds weights, [out][in], and biases between scales s and t.
func quantiseProduct(weights, bias []float32, s, t Scales, bits int) product {
	in := len(s)
	p := product{make([]int16, len(weights)), make([]int32, len(t)), make([]int32, len(t))}
	row := make([]float64, in)
	for o := range t {
		for i := range row {
			row[i] = float64(weights[o*in+i]) * s[i] / t[o]
		}
		p.bias[o], p.mul[o] = quantiseRow(p.weights[o*in:(o+1)*in], row, float64(bias[o])/t[o], bits)
	}
	return p
}

// quantiseRow rounds the weights of one output.
func quantiseRow(to []int16, row []float64, bias float64, bits int) (b, mul int32) {
	var sum, top float64
	for _, v := range row {
		sum += math.Abs(v)
		top = max(top, math.Abs(v))
	}
	// The least step that keeps the sums in bounds, and the weights in their bits.
	step := max((sum*32768+math.Abs(bias))/(maxSum-float64(len(row))*16384), top/float64(int(1)<<(bits-1)-1))
	// m is an integer below 2^31, and the step what it stands for.
	m := math.Ceil(step * (1 << 32))
	m = min(max(m, 1), 1<<31-1)
	step = m / (1 << 32)
	for i, v := range row {
		to[i] = int16(min(max(math.RoundToEven(v/step), math.MinInt16), math.MaxInt16))
	}
	limit := float64(1 << 30)
	return int32(min(max(math.RoundToEven(bias/step), -limit), limit)), int32(m)
}

func (b *block) quantise(s, t, u Scales, bits int) integerLayer {
	z := &integerBlock{channels: b.channels, hidden: b.hidden}
	for c := range t {
		sum := math.Abs(float64(b.offset.Data[c])) / 32768
		for k := range 9 {
			sum += math.Abs(float64(b.spread.Data[k*b.channels+c])) * s[c]
		}
		t[c] = max(t[c], sum*32768/(0.45*maxSum))
	}
	z.spread = product{make([]int16, 9*b.channels), make([]int32, b.channels), make([]int32, b.channels)}
	row, to := make([]float64, 9), make([]int16, 9)
	for c := range b.channels {
		for k := range row {
			row[k] = float64(b.spread.Data[k*b.channels+c]) * s[c] / t[c]
		}
		z.spread.bias[c], z.spread.mul[c] = quantiseRow(to, row, float64(b.offset.Data[c])/t[c], 16)
		for k, v := range to {
			z.spread.weights[k*b.channels+c] = v
		}
	}
	first, second := b.first.Params(), b.second.Params()
	u.widen(first[0].Data, first[1].Data, t)
	z.first = quantiseProduct(first[0].Data, first[1].Data, t, u, bits)
	z.second = quantiseProduct(second[0].Data, second[1].Data, u, s, bits)
	return z
}

func (l *rate) quantise(s Scales) (integerLayer, error) {
	z := &integerRate{channels: l.channels, anchors: make([]int16, len(l.anchors.Data))}
	for i, v := range l.anchors.Data {
		x := math.RoundToEven(float64(v) / s[i%l.channels])
		if !(math.Abs(x) <= math.MaxInt16) {
			return nil, fmt.Errorf("convnet: an offset of %v does not fit", v)
		}
		z.anchors[i] = int16(x)
	}
	return z, nil
}

// check returns an error unless no input makes a sum overflow.
func (p *product) check(depth int, at func(o, i int) int) error {
	for o := range p.bias {
		sum := math.Abs(float64(p.bias[o]))
		for i := range depth {
			sum += 32768 * math.Abs(float64(p.weights[at(o, i)]))
		}
		if sum >= 1<<31 {
			return fmt.Errorf("convnet: sums of output %d may overflow", o)
		}
		if p.mul[o] < 0 {
			return fmt.Errorf("convnet: factor %d of output %d", p.mul[o], o)
		}
	}
	return nil
}
