package convnet

// Ranges are the largest magnitudes that the channels of a network's activations had,
// in as many forward passes as were observed: what its integers must hold.
type Ranges struct {
	outputs [][]float32 // of each operation
	hidden  [][]float32 // of blocks, after the first product
	spread  [][]float32 // of blocks, after the convolution
}

// NewRanges returns ranges of zero for n.
func (n *Net) NewRanges() *Ranges {
	r := &Ranges{}
	channels, err := Channels(n.In, n.Ops)
	if err != nil {
		panic(err) // New has checked
	}
	in := n.In
	for i, op := range n.Ops {
		r.outputs = append(r.outputs, make([]float32, channels[i]))
		r.hidden = append(r.hidden, make([]float32, op.Hidden))
		r.spread = append(r.spread, make([]float32, in))
		in = channels[i]
	}
	return r
}

// Observe widens the ranges by the last forward pass.
func (n *Net) Observe(r *Ranges) {
	for i, l := range n.layers {
		switch l := l.(type) {
		case *linear:
			widen(r.outputs[i], l.y)
		case *block:
			widen(r.spread[i], l.t)
			widen(r.hidden[i], l.u)
			widen(r.outputs[i], l.y)
		case *shuffle:
			widen(r.outputs[i], l.y)
		case *rate:
			widen(r.outputs[i], l.y)
		}
	}
}

func widen(r, x []float32) {
	for len(x) > 0 {
		for c, v := range x[:len(r)] {
			r[c] = max(r[c], v, -v)
		}
		x = x[len(r):]
	}
}
