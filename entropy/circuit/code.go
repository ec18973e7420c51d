package circuit

import (
	"errors"
	"fmt"
	"math"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/kernels"
)

// Coding goes through the tree in preorder. For the node at hand it keeps, for
// every state, the belief: the probability of that state and of all values coded so
// far, up to scale. Then the value has the probabilities sum of belief*leaf, up to
// scale. Messages between neighbours keep beliefs up to date:
//
//	down  belief of a node before its value = transitionsᵀ * belief of its parent
//	      belief *= likelihood of the value, once it is known
//	up    when all below a node is coded: transitions * likelihood of all below it
//	      in each state, which multiplies the parent's belief and likelihood
//
// Branches that are not coded yet have likelihood 1 and need no message, and what
// comes from above does not change while one is inside a branch. So each edge is
// crossed once each way, and a value takes two matrix-vector products, however
// large the tree is.
//
// All is float32 in a fixed order with every product rounded: the products with
// matrices are kernels.RowsF32, which is exact, for several vectors, the lanes, at a
// time. Lanes do not mix, so their number changes nothing. Beliefs and likelihoods
// are scaled by powers of two to have a maximum in [1, 2), and what is below 2^-60
// becomes zero, so that nothing underflows.

// laneGroup is what the number of lanes is rounded up to in memory: a vector of the
// widest tier.
const laneGroup = 16

// A Coder codes vectors with a Model, several at a time. It is for one goroutine at a
// time and may be used again and again.
type Coder struct {
	m      *Model
	stride int
	lanes  int
	levels []level // by depth
	path   []int   // positions of the nodes from the root to the one at hand
	up     []float32
	zeros  []float32
	off    []int
	belief []float32 // of one lane
}

// A level holds the numbers of the node on the path at one depth.
type level struct {
	belief, likelihood []float32 // [states][stride]
}

// ErrVector is the error of vectors that do not suit a model.
var ErrVector = errors.New("circuit: vector does not suit the model")

// NewCoder returns a coder of up to the given number of vectors at a time, at least 1. Multiples
// of 16 are fastest; the codes are the same for any number.
func (m *Model) NewCoder(lanes int) *Coder {
	if lanes < 1 {
		panic("circuit: NewCoder: no lanes")
	}
	stride := (lanes + laneGroup - 1) / laneGroup * laneGroup
	deepest := 0
	for _, d := range m.depth {
		deepest = max(deepest, d)
	}
	c := &Coder{
		m: m, stride: stride, lanes: lanes,
		levels: make([]level, deepest+1),
		path:   make([]int, 0, deepest+1),
		up:     make([]float32, m.most*stride),
		zeros:  make([]float32, m.most),
		off:    make([]int, m.most),
		belief: make([]float32, m.most),
	}
	widest := make([]int, deepest+1)
	for i, d := range m.depth {
		widest[d] = max(widest[d], m.states[i])
	}
	for d, w := range widest {
		c.levels[d] = level{make([]float32, w*stride), make([]float32, w*stride)}
	}
	for z := range c.off {
		c.off[z] = z * stride
	}
	return c
}

// Lanes returns how many vectors c codes at a time.
func (c *Coder) Lanes() int { return c.lanes }

// Encode codes the vector x[i] of the model's Vars values, each below its Cats, with
// e[i]. Lanes may share an encoder, in which case their values alternate. It returns
// an error that wraps [ErrVector], before anything is coded, if a vector does not
// suit the model or there are not as many encoders or lanes.
func (c *Coder) Encode(e []*arith.BinaryEncoder, x [][]uint16) error {
	if err := c.check(len(e), x, true); err != nil {
		return err
	}
	for i, v := range c.m.tree.Order {
		c.enter(i, len(x))
		n := &c.m.nodes[i]
		for lane, e := range e {
			b, value := c.load(i, lane), x[lane][v]
			for d := 0; ; {
				side, s := 0, &n.split[d]
				if value >= s.at {
					side = 1
				}
				e.Encode(side, n.probability(d, b))
				if s.next[side] == 0 {
					c.observe(i, lane, n.sides[(2*d+side)*len(b):][:len(b)])
					break
				}
				d = int(s.next[side])
			}
		}
	}
	return nil
}

// Decode sets x[i] to the vector that d[i] holds. Lanes that shared an encoder must
// share a decoder. It returns [arith.ErrTruncated], wrapped, if a decoder ran out of
// input, and an error that wraps [ErrVector] if the lengths do not suit the model.
func (c *Coder) Decode(d []*arith.BinaryDecoder, x [][]uint16) error {
	if err := c.check(len(d), x, false); err != nil {
		return err
	}
	for i, v := range c.m.tree.Order {
		c.enter(i, len(x))
		n := &c.m.nodes[i]
		for lane, dec := range d {
			b := c.load(i, lane)
			value := uint16(0)
			for d := 0; ; {
				s := &n.split[d]
				side := dec.Decode(n.probability(d, b))
				if side == 1 {
					value = s.at
				}
				if s.next[side] == 0 {
					c.observe(i, lane, n.sides[(2*d+side)*len(b):][:len(b)])
					break
				}
				d = int(s.next[side])
			}
			// Whether it went up or down at the last decision, the last split below
			// the value is the value, since the intervals end in a single one.
			x[lane][v] = value
		}
	}
	for _, d := range d {
		if err := d.Err(); err != nil {
			return fmt.Errorf("circuit: %w", err)
		}
	}
	return nil
}

// Cost sets bits[i] to what coding x[i] costs, in bits, but for the bytes that end a
// stream. Errors are those of Encode.
func (c *Coder) Cost(bits []float64, x [][]uint16) error {
	if err := c.check(len(bits), x, true); err != nil {
		return err
	}
	clear(bits)
	for i, v := range c.m.tree.Order {
		c.enter(i, len(x))
		n := &c.m.nodes[i]
		for lane := range x {
			b, value := c.load(i, lane), x[lane][v]
			for d := 0; ; {
				side, s := 0, &n.split[d]
				if value >= s.at {
					side = 1
				}
				bits[lane] += arith.BitCost(side, n.probability(d, b))
				if s.next[side] == 0 {
					c.observe(i, lane, n.sides[(2*d+side)*len(b):][:len(b)])
					break
				}
				d = int(s.next[side])
			}
		}
	}
	return nil
}

func (c *Coder) check(coders int, x [][]uint16, values bool) error {
	if coders != len(x) || len(x) > c.lanes {
		return fmt.Errorf("%w: %d vectors, %d coders, %d lanes", ErrVector, len(x), coders, c.lanes)
	}
	for _, x := range x {
		if len(x) != len(c.m.states) {
			return fmt.Errorf("%w: %d values, not %d", ErrVector, len(x), len(c.m.states))
		}
		if values {
			for i, v := range x {
				if int(v) >= c.m.cats {
					return fmt.Errorf("%w: value %d of variable %d, not below %d", ErrVector, v, i, c.m.cats)
				}
			}
		}
	}
	return nil
}

// enter goes to position i, the one after that at hand, for so many lanes: the
// beliefs there are ready, but for the values.
func (c *Coder) enter(i, lanes int) {
	m := c.m
	depth, n, states := m.depth[i], &m.nodes[i], m.states[i]
	if i == 0 {
		c.path = append(c.path[:0], 0)
		for z, p := range n.up {
			row := c.levels[0].belief[z*c.stride:][:lanes]
			for t := range row {
				row[t] = p
			}
		}
		return
	}
	for len(c.path) > depth {
		c.leave(lanes)
	}
	c.path = append(c.path, i)
	parents := m.parentStates(i)
	kernels.RowsF32(c.levels[depth].belief, c.stride, n.down, c.zeros, c.levels[depth-1].belief, c.off[:parents], states, lanes, false)
}

// leave sends the message up from the node at hand and goes to its parent.
func (c *Coder) leave(lanes int) {
	m := c.m
	depth := len(c.path) - 1
	i := c.path[depth]
	c.path = c.path[:depth]
	parents := m.parentStates(i)
	kernels.RowsF32(c.up, c.stride, m.nodes[i].up, c.zeros, c.levels[depth].likelihood, c.off[:m.states[i]], parents, lanes, false)
	above := &c.levels[depth-1]
	multiply(above.belief, c.up, parents, c.stride, lanes)
	multiply(above.likelihood, c.up, parents, c.stride, lanes)
}

// multiply multiplies the first lanes of rows of x by those of y and scales them.
func multiply(x, y []float32, rows, stride, lanes int) {
	for from := 0; from < lanes; from += laneGroup {
		var most [laneGroup]float32
		for r := range rows {
			a := (*[laneGroup]float32)(x[r*stride+from:])
			b := (*[laneGroup]float32)(y[r*stride+from:])
			for t := range a {
				p := float32(a[t] * b[t])
				a[t] = p
				most[t] = max(most[t], p)
			}
		}
		for t := range most {
			most[t] = scaleOf(most[t])
		}
		for r := range rows {
			a := (*[laneGroup]float32)(x[r*stride+from:])
			for t := range a {
				a[t] = scaled(a[t], most[t])
			}
		}
	}
}

// scaleOf returns the power of two that brings most, at least 0, into [1, 2), and 0
// if it is too small for that.
func scaleOf(most float32) float32 {
	exponent := math.Float32bits(most) >> 23
	if exponent == 0 {
		return 0
	}
	return math.Float32frombits((254 - exponent) << 23)
}

// tiny is where numbers become zero.
const tiny = 1.0 / (1 << 60)

// scaled returns x times the scale. A scale of 0 says that no state is left; then
// all are equal again.
func scaled(x, scale float32) float32 {
	x = float32(x * scale)
	if scale == 0 {
		return 1
	}
	if x < tiny {
		return 0
	}
	return x
}

// load returns the belief of a lane at position i.
func (c *Coder) load(i, lane int) []float32 {
	b := c.belief[:c.m.states[i]]
	from := c.levels[c.m.depth[i]].belief[lane:]
	for z := range b {
		b[z] = from[z*c.stride]
	}
	return b
}

// observe takes note of the value of a lane at position i, whose belief was loaded,
// by its likelihood in every state.
func (c *Coder) observe(i, lane int, likelihood []float32) {
	l, b := &c.levels[c.m.depth[i]], c.belief[:len(likelihood)]
	most, mostBelief := float32(0), float32(0)
	for z, p := range likelihood {
		q := float32(b[z] * p)
		b[z] = q
		most, mostBelief = max(most, p), max(mostBelief, q)
	}
	scale, scaleBelief := scaleOf(most), scaleOf(mostBelief)
	at := lane
	for z, p := range likelihood {
		l.belief[at] = scaled(b[z], scaleBelief)
		l.likelihood[at] = scaled(p, scale)
		at += c.stride
	}
}

// probability returns the probability, from 1 to 65535 of 65536, that decision d goes
// to the upper part, for the belief b.
func (n *node) probability(d int, b []float32) uint32 {
	lower := n.sides[2*d*len(b):][:len(b)]
	upper := n.sides[(2*d+1)*len(b):][:len(b)]
	// Four sums of every fourth product each, so that they overlap.
	var l0, l1, l2, l3, u0, u1, u2, u3 float32
	z := 0
	for ; z+4 <= len(b); z += 4 {
		b, lower, upper := (*[4]float32)(b[z:]), (*[4]float32)(lower[z:]), (*[4]float32)(upper[z:])
		l0 += float32(b[0] * lower[0])
		l1 += float32(b[1] * lower[1])
		l2 += float32(b[2] * lower[2])
		l3 += float32(b[3] * lower[3])
		u0 += float32(b[0] * upper[0])
		u1 += float32(b[1] * upper[1])
		u2 += float32(b[2] * upper[2])
		u3 += float32(b[3] * upper[3])
	}
	for ; z < len(b); z++ {
		l0 += float32(b[z] * lower[z])
		u0 += float32(b[z] * upper[z])
	}
	up := (u0 + u1) + (u2 + u3)
	sum := ((l0 + l1) + (l2 + l3)) + up
	if !(sum > 0) {
		return 1 << 15
	}
	return min(max(uint32(float32(up/sum*65536)+0.5), 1), 65535)
}
