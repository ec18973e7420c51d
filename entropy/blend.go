package entropy

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
)

// A ContextSize says how a Blend keeps the counters of one of its contexts.
type ContextSize struct {
	// Values is the number of values that the context takes when each has
	// counters of its own, or 0 when the context is any 32-bit number, hashed.
	Values int

	// HashBits is, for a hashed context, the binary logarithm of the number of
	// lines of 16 counters it shares.
	HashBits uint
}

// A BlendConfig describes a [Blend].
type BlendConfig struct {
	// Nodes is the number of binary decisions that a symbol may take part in, a
	// multiple of 16. Nodes 0 to 15 share a cache line, as do 16 to 31 and so
	// on: the usual ones belong together.
	Nodes int

	Contexts []ContextSize

	// Sets has, for each set of mixing weights, the number of values of the
	// context that selects the weights.
	Sets []int

	// Limit is the count at which the counters stop slowing down, at most
	// CounterLimit.
	Limit uint32

	// Refine is the number of values of the context of the final stage.
	Refine int

	// Confidence gives every counter a second input, which grows with the bits
	// it has seen: slower, and a little better.
	Confidence bool

	// Rate is the learning rate of the mixing weights in the long run, in
	// 1/256. It starts higher.
	Rate int32
}

// A Blend predicts the binary decisions of symbols by mixing counters.
//
// For each symbol, [Blend.Begin] takes the values of all contexts. Then, for
// each decision (a node), [Blend.P] gives the probability that the bit is 1 and
// [Blend.Update] tells what it was. The opinions of the counters, one number or
// two each, are weighted by each of the sets, the results once more by weights of
// the node, and the outcome is calibrated by an adaptive map with the context
// of the final stage (an APM).
type Blend struct {
	nodes    int
	contexts []ContextSize
	start    []int    // of each context's counters in mem
	value    []uint32 // of each context for this symbol
	line     []int    // of each context for this symbol and group of nodes
	group    int      // of 16 nodes, that line is for; -1 when it is stale
	mem      []Counter

	x    []int32 // inputs of the sets: those of the contexts, then a constant
	sure bool    // the contexts have second inputs, after all the first ones
	sets []weightSet
	last []int32 // weights of the sets' outputs, by node

	apm    []uint16 // by context of the final stage, node and 33 steps
	refine int

	limit       uint32
	rate, boost int32

	// Of the decision under way:
	node    int
	p       uint32 // before the final stage
	apmCell int
}

type weightSet struct {
	w   []int32 // by selector, node and input; 1<<16 is one
	sel int
	cur []int32 // of the decision under way
	out int32
	p   uint32
}

const (
	weightOne = 1 << 16
	mixShift  = 14 // of MixTrain
	apmSteps  = 33
	apmWidth  = 128 // stretched units a step

	boostStart = 64 << 16 // 64/256 on top of the rate, 1/16384 less each time
)

// NewBlend returns a Blend that has seen nothing. It panics if the
// configuration makes no sense.
func NewBlend(c BlendConfig) *Blend {
	if c.Nodes <= 0 || c.Nodes%16 != 0 || len(c.Contexts) == 0 || len(c.Sets) == 0 || c.Refine <= 0 {
		panic(fmt.Sprintf("entropy: bad BlendConfig %+v", c))
	}
	n := len(c.Contexts)
	inputs := n + 1
	if c.Confidence {
		inputs += n
	}
	b := &Blend{
		nodes:    c.Nodes,
		contexts: c.Contexts,
		start:    make([]int, n),
		value:    make([]uint32, n),
		line:     make([]int, n),
		group:    -1,
		x:        make([]int32, (inputs+15)&^15),
		sure:     c.Confidence,
		last:     make([]int32, c.Nodes*len(c.Sets)),
		apm:      make([]uint16, c.Refine*c.Nodes*apmSteps),
		limit:    c.Limit,
		rate:     c.Rate,
		boost:    boostStart,
	}
	size := 0
	for i, k := range c.Contexts {
		b.start[i] = size
		if k.Values > 0 {
			size += k.Values * c.Nodes
		} else {
			size += 16 << k.HashBits
		}
	}
	b.mem = make([]Counter, size)
	for i := range b.mem {
		b.mem[i] = CounterInit
	}
	b.x[inputs-1] = StretchOne
	for _, values := range c.Sets {
		w := make([]int32, values*c.Nodes*len(b.x))
		// At the start all counters are believed alike, and a little more than
		// on average: they see different things.
		for i := 0; i < len(w); i += len(b.x) {
			for j := range n {
				w[i+j] = int32(weightOne * 14 / 10 / n)
			}
		}
		b.sets = append(b.sets, weightSet{w: w})
	}
	for i := range b.last {
		b.last[i] = int32(weightOne / len(c.Sets))
	}
	for i := range b.apm {
		b.apm[i] = uint16(Squash(int32(i%apmSteps)*apmWidth - apmWidth*(apmSteps/2)))
	}
	return b
}

// Begin starts a symbol. contexts has the value of every context, below its
// Values where that is set, and sets the selector of every set; refine is the
// context of the final stage. The slices are not kept.
func (b *Blend) Begin(contexts []uint32, sets []int, refine int) {
	copy(b.value, contexts)
	b.group = -1
	for i := range b.sets {
		b.sets[i].sel = sets[i]
	}
	b.refine = refine
}

// lines finds the counters of a group of 16 nodes.
func (b *Blend) lines(group int) {
	b.group = group
	groups := b.nodes / 16
	for i, k := range b.contexts {
		v := b.value[i]
		if k.Values > 0 {
			b.line[i] = b.start[i] + (int(v)*groups+group)*16
		} else {
			h := (v + uint32(group)*0x9E3779B1) * 0x85EBCA6B
			h ^= h >> 15
			h *= 0xC2B2AE35
			b.line[i] = b.start[i] + int(h>>(32-k.HashBits))*16
		}
	}
}

// P returns the probability, from 1 to 65535 of 65536, that the bit of a node
// is 1. Update must follow.
func (b *Blend) P(node int) uint32 {
	if g := node / 16; g != b.group {
		b.lines(g)
	}
	b.node = node
	x := b.x
	mem := b.mem[node&15:]
	if first := x[:len(b.line)]; b.sure {
		second := x[len(b.line):][:len(b.line)]
		for i, l := range b.line {
			c := mem[l]
			p := c.P()
			first[i] = Stretch(p)
			second[i] = (int32(p>>5) - 1024) * int32(min(c.Count(), 32)) >> 5
		}
	} else {
		for i, l := range b.line {
			first[i] = Stretch(mem[l].P())
		}
	}
	last := b.last[node*len(b.sets):][:len(b.sets)]
	var z int32
	for i := range b.sets {
		s := &b.sets[i]
		s.cur = s.w[(s.sel*b.nodes+node)*len(x):][:len(x)]
		s.out = min(max(kernels.MixDot(x, s.cur)>>6, -StretchMax), StretchMax)
		s.p = Squash(s.out)
		z += s.out * (last[i] >> 4) >> 6
	}
	z = min(max(z>>6, -StretchMax), StretchMax)
	b.p = Squash(z)
	b.apmCell = (b.refine*b.nodes+node)*apmSteps + int(z+apmWidth*(apmSteps/2))/apmWidth
	f := uint32(z+apmWidth*(apmSteps/2)) % apmWidth
	pa := (uint32(b.apm[b.apmCell])*(apmWidth-f) + uint32(b.apm[b.apmCell+1])*f) / apmWidth
	return min(max((b.p+pa)>>1, 16), 65520)
}

// Update tells what the bit was whose probability P gave.
func (b *Blend) Update(bit int) {
	y := int32(-bit) & 65536
	if a := b.apm[b.apmCell : b.apmCell+2]; bit != 0 {
		a[0] += (65535 - a[0]) >> 6
		a[1] += (65535 - a[1]) >> 6
	} else {
		a[0] -= a[0] >> 6
		a[1] -= a[1] >> 6
	}
	rate := b.rate + b.boost>>16
	b.boost -= b.boost >> 14
	err := (y - int32(b.p)) >> 4
	last := b.last[b.node*len(b.sets):][:len(b.sets)]
	for i := range b.sets {
		s := &b.sets[i]
		last[i] = min(max(last[i]+(s.out*err+1<<12)>>13, -8*weightOne), 8*weightOne)
		kernels.MixTrain(s.cur, b.x, (y-int32(s.p))*rate>>8, mixShift)
	}
	mem := b.mem[b.node&15:]
	for _, l := range b.line {
		mem[l].Update(bit, b.limit)
	}
}
