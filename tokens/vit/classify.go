package vit

import (
	"fmt"
	"math"
	"time"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/tokens/reduce"
)

// A Step reduces tokens in a layer of the network, after its attention and before the
// layers behind that: where ToMe and DiffRate do it.
type Step struct {
	Layer   int // from 0 on
	Reducer reduce.Reducer
	Keep    reduce.Keep // of the tokens that come to the layer, without the class token
}

// A Tally is what classifying pictures came to.
type Tally struct {
	Pictures, Right int
	// Kept is the sum of the tokens, without the class token, behind the last step.
	Kept int
	// MACs is the sum of the multiplications of the network, without those of the
	// reducers.
	MACs int64
	// Network and Reducing are the times that the network and the reducers took.
	Network, Reducing time.Duration
}

// Add adds another tally.
func (t *Tally) Add(u Tally) {
	t.Pictures += u.Pictures
	t.Right += u.Right
	t.Kept += u.Kept
	t.MACs += u.MACs
	t.Network += u.Network
	t.Reducing += u.Reducing
}

// A Plan is how tokens are reduced on the way through the network.
type Plan struct {
	Steps []Step // in the order of their layers
	// Proportional makes the attention of the layers behind count tokens by their sizes.
	Proportional bool
}

// first returns the layer of the first step, or 0.
func (p Plan) first() int {
	if len(p.Steps) == 0 {
		return 0
	}
	return p.Steps[0].Layer
}

// Classify classifies the pictures of the set by each plan. Reducers are given the
// tokens without the class token as they are after the layer's attention, with its keys
// and values, all heads side by side; the attention of the class token, averaged over
// heads; positions in the grid; and, as the question, the classifier's rows of all
// classes, brought back through the gain of the last norm: which of the things that it
// can tell apart there is.
//
// clock tells the time that is measured, such as the thread's. What plans have in common
// in front of their first steps is computed, and timed, once, and counted for each.
func (m *Model) Classify(set *Set, plans []Plan, clock func() time.Duration) ([]Tally, error) {
	for _, p := range plans {
		last := -1
		for _, s := range p.Steps {
			if s.Layer < max(last, 0) || s.Layer >= m.Layers || s.Reducer == nil {
				return nil, fmt.Errorf("vit: step in layer %d of %d", s.Layer, m.Layers)
			}
			last = s.Layer
		}
	}
	if set.Side != m.Side || len(set.Pixels) != set.Len()*set.Side*set.Side {
		return nil, fmt.Errorf("vit: pictures of side %d for a network of %d", set.Side, m.Side)
	}
	const batch = 50
	area := m.Side * m.Side
	tallies := make([]Tally, len(plans))
	question := m.question()
	pictures := make([]float32, batch*area)
	for at := 0; at < set.Len(); at += batch {
		n := min(batch, set.Len()-at)
		for i := range n {
			set.Load(pictures[i*area:(i+1)*area], at+i)
		}
		for layer := range m.Layers {
			var front Tally
			var whole *group
			for i, p := range plans {
				if p.first() != layer {
					continue
				}
				if whole == nil {
					start := clock()
					whole = m.front(pictures[:n*area], n, layer, &front)
					front.Network = clock() - start
				}
				t := &tallies[i]
				t.Pictures += n
				t.MACs += front.MACs
				t.Network += front.Network
				logits, err := m.back(whole, n, p, question, t, clock)
				if err != nil {
					return nil, err
				}
				for i := range n {
					if argmax(logits[i*m.Classes:(i+1)*m.Classes]) == int(set.Labels[at+i]) {
						t.Right++
					}
				}
			}
		}
	}
	return tallies, nil
}

// question returns the rows of the classifier as directions of tokens, [Classes][d].
func (m *Model) question() []float32 {
	head, gain := m.head.Params()[0], m.norm.Params()[0]
	q := make([]float32, len(head.Data))
	for i, v := range head.Data {
		q[i] = v * gain.Data[i%m.Dim]
	}
	return q
}

// A group is pictures with the same number of tokens.
type group struct {
	index []int     // of the pictures in the batch
	t     int       // tokens of each, with the class token
	x     []float32 // [len(index)*t][d]
	bias  []float32 // [len(index)*t], or nil
	pos   []reduce.Position
	size  []float32 // [len(index)*(t-1)], or nil
}

// front runs the network up to the attention of the given layer.
func (m *Model) front(pictures []float32, n, layer int, tally *Tally) *group {
	grid, t := m.Side/m.Patch, 1+m.Tokens()
	x := m.start(pictures, n)
	for l, b := range m.blocks[:layer+1] {
		b.attend(x, nil, n, t)
		tally.MACs += int64(n) * int64(b.attention.MACs(t))
		if l == layer {
			x = b.attended
			break
		}
		b.feed(b.attended, n*t, m.Hidden)
		tally.MACs += int64(n * t * 2 * m.Dim * m.Hidden)
		x = b.out
	}
	whole := &group{t: t, x: append([]float32(nil), x...)}
	for i := range n {
		whole.index = append(whole.index, i)
		for p := range m.Tokens() {
			whole.pos = append(whole.pos, reduce.Position{X: int32(p % grid), Y: int32(p / grid)})
		}
	}
	return whole
}

// back goes on from front, which must have run last for the layer of the plan's first
// step, and returns the logits, [n][Classes].
func (m *Model) back(whole *group, n int, p Plan, question []float32, tally *Tally, clock func() time.Duration) ([]float32, error) {
	start := clock()
	d := m.Dim
	groups := []*group{whole}
	steps := p.Steps
	for layer := p.first(); layer < m.Layers; layer++ {
		b := m.blocks[layer]
		here := 0
		for here < len(steps) && steps[here].Layer == layer {
			here++
		}
		var next []*group
		for _, g := range groups {
			if layer > p.first() {
				rows := len(g.index) * g.t
				b.attend(g.x, g.bias, len(g.index), g.t)
				tally.MACs += int64(len(g.index)) * int64(b.attention.MACs(g.t))
				g.x = append(g.x[:0], b.attended[:rows*d]...)
			}
			if here == 0 {
				next = append(next, g)
				continue
			}
			tally.Network += clock() - start
			start = clock()
			of, err := m.reduce(b, g, steps[:here], p.Proportional, question)
			if err != nil {
				return nil, err
			}
			next = append(next, of...)
			tally.Reducing += clock() - start
			start = clock()
		}
		steps = steps[here:]
		groups = merge(next)
		for i, g := range groups {
			rows := len(g.index) * g.t
			b.feed(g.x, rows, m.Hidden)
			tally.MACs += int64(rows) * int64(2*d*m.Hidden)
			// The whole belongs to all plans.
			of := *g
			of.x = append([]float32(nil), b.out[:rows*d]...)
			groups[i] = &of
		}
	}
	logits := make([]float32, n*m.Classes)
	for _, g := range groups {
		tally.Kept += len(g.index) * (g.t - 1)
		out := m.finish(g.x, len(g.index), g.t)
		for j, i := range g.index {
			copy(logits[i*m.Classes:(i+1)*m.Classes], out[j*m.Classes:])
		}
	}
	tally.Network += clock() - start
	return logits, nil
}

// merge puts groups of the same number of tokens together.
func merge(groups []*group) []*group {
	var out []*group
	at := map[int]*group{}
	for _, g := range groups {
		to := at[g.t]
		if to == nil {
			at[g.t] = g
			out = append(out, g)
			continue
		}
		to.index = append(to.index, g.index...)
		to.x = append(to.x, g.x...)
		to.bias = append(to.bias, g.bias...)
		to.pos = append(to.pos, g.pos...)
		to.size = append(to.size, g.size...)
	}
	return out
}

// reduce reduces the tokens of each picture of a group.
func (m *Model) reduce(b *block, g *group, steps []Step, proportional bool, question []float32) ([]*group, error) {
	d, t, n := m.Dim, g.t, g.t-1
	var out []*group
	projected := b.attention.Projected()
	for j, index := range g.index {
		in := &reduce.Tokens{N: n, D: d, X: g.x[(j*t+1)*d : (j+1)*t*d], KeyDim: d, ValueDim: d, Pos: g.pos[j*n : (j+1)*n], Query: question}
		in.Keys, in.Values = make([]float32, n*d), make([]float32, n*d)
		in.Attention = make([]float32, n)
		for i := range n {
			row := projected[(j*t+1+i)*3*d:]
			copy(in.Keys[i*d:(i+1)*d], row[d:])
			copy(in.Values[i*d:(i+1)*d], row[2*d:])
		}
		for h := range m.Heads {
			kernels.AxpbyF32(in.Attention, 1, b.attention.Probabilities(j, h)[1:t], 1/float32(m.Heads))
		}
		if g.size != nil {
			in.Size = g.size[j*n : (j+1)*n]
		}
		r := &reduce.Reduced{}
		for _, s := range steps {
			var err error
			if r, err = s.Reducer.Reduce(in, s.Keep); err != nil {
				return nil, err
			}
			in = &r.Tokens
		}
		to := &group{index: []int{index}, t: 1 + r.N, pos: r.Pos, size: r.Size}
		to.x = append(append(make([]float32, 0, (1+r.N)*d), g.x[j*t*d:(j*t+1)*d]...), r.X...)
		to.bias = make([]float32, 1+r.N)
		if proportional {
			for i, s := range r.Size {
				to.bias[1+i] = float32(math.Log(float64(s)))
			}
		}
		out = append(out, to)
	}
	return out, nil
}
