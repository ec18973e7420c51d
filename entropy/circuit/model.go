package circuit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
)

// A parameter of a Model is one byte, a code c. It stands for 2^(-c/codesPerOctave),
// but for the largest code, which stands for zero; then every row is divided by its
// sum. Leaves have no zeros: whatever x is, it has a probability.

const (
	codesPerOctave = 8
	zeroCode       = 255
	floorCode      = 254 // the smallest positive number, 2^-31.75
)

// codeValues has 2^(-c/8) for every code, but 0 for zeroCode. The constants are
// exact to float64 and the rest are divisions by two.
var codeValues = func() (t [256]float64) {
	fractions := [codesPerOctave]float64{
		1, 0.917004043204671231743541594794, 0.840896415253714543031125476233, 0.771105412703970411806145931045,
		0.707106781186547524400844362105, 0.648419777325504832966428788137, 0.594603557501360533358749985280, 0.545253866332628829603507990346,
	}
	scale := 1.0
	for c := range zeroCode {
		t[c] = float64(fractions[c%codesPerOctave] * scale)
		if c%codesPerOctave == codesPerOctave-1 {
			scale /= 2
		}
	}
	return t
}()

// codeOf returns the code whose value is nearest p in the logarithm, at most most.
func codeOf(p float64, most uint8) uint8 {
	if !(p > 0) {
		return most
	}
	return uint8(min(max(math.Round(-codesPerOctave*math.Log2(p)), 0), float64(most)))
}

// A Model is a hidden Chow-Liu tree that codes: with parameters quantised to bytes,
// and a file format. It is immutable and may be used by several goroutines.
type Model struct {
	tree   Tree
	depth  []int // of each position
	cats   int
	states []int
	most   int // the largest of states
	nodes  []node
	file   []byte
	hash   [sha256.Size]byte
}

// A node has what coding at one position needs, all exact: the same on every machine.
type node struct {
	// down has the transitions as [states][states of the parent], up transposed.
	down, up []float32

	// Values are coded by binary decisions. Decision d, from 0, is whether the
	// value, known to lie in an interval, lies in its upper part, which begins at
	// split[d].at. sides has the probabilities of both parts: sides[d*2*states:] is
	// [2][states], the lower part first. A part of a single value ends the path, and
	// its probabilities are the likelihood of the states.
	split []split
	sides []float32
}

// A split is a decision. Its parts lead to further decisions, by their numbers; 0,
// the first decision, stands for the end.
type split struct {
	at   uint16
	next [2]uint16
}

// Errors of [ReadModel].
var (
	// ErrModel is the error of bytes that are not a model.
	ErrModel = errors.New("circuit: not a valid model")
	// ErrVersion is the error of a model of a later version of the format.
	ErrVersion = errors.New("circuit: model of an unknown version")
	// ErrTooLarge is the error of a model that takes more memory than the limit.
	ErrTooLarge = errors.New("circuit: model exceeds the memory limit")
)

// Vars returns the number of variables.
func (m *Model) Vars() int { return len(m.states) }

// Cats returns the number of values of each variable.
func (m *Model) Cats() int { return m.cats }

// States returns the largest number of states of a hidden variable.
func (m *Model) States() int { return m.most }

// Order returns the variables in the order of coding. It must not be changed.
func (m *Model) Order() []int { return m.tree.Order }

// Hash returns the SHA-256 of the model file, the name of the model.
func (m *Model) Hash() [sha256.Size]byte { return m.hash }

// MarshalBinary returns the model file. The error is always nil.
func (m *Model) MarshalBinary() ([]byte, error) { return append([]byte(nil), m.file...), nil }

// Size returns the size of the model file in bytes.
func (m *Model) Size() int { return len(m.file) }

// Memory returns about how many bytes the model takes in memory.
func (m *Model) Memory() int64 {
	n := int64(len(m.file))
	for i, s := range m.states {
		n += nodeMemory(s, m.parentStates(i), m.cats)
	}
	return n
}

// nodeMemory returns about how many bytes a node takes.
func nodeMemory(states, parentStates, cats int) int64 {
	return 200 + 8*int64(states)*int64(parentStates) + int64(cats-1)*(8*int64(states)+6)
}

func (m *Model) parentStates(i int) int {
	if i == 0 {
		return 1
	}
	return m.states[m.tree.Parent[i]]
}

// codes holds the parameters of a Model as they are in its file.
type codes struct {
	tree   Tree
	cats   int
	states []int
	trans  [][]uint8 // like those of a Circuit
	leaf   [][]uint8
	// With logistic leaves, their mixtures instead of leaf.
	logistics int
	mix       [][]uint16 // [states][1+3*logistics]
	// As in a Circuit; positions that share parameters share the slices.
	transOf, leafOf []int
}

// DefaultVectors suits [Circuit.Quantise] for models that are kept: with circuits of
// MNIST, the file is 40 % smaller than 0 makes it, and codes as well.
const DefaultVectors = 1e7

// Quantise returns the model that c becomes when every parameter is one byte, the
// mean of a logistic two. Bytes
// are chosen such that the file of the model and as many vectors as given, coded with
// it, are smallest together: more vectors make for a larger file, that codes better. 0
// stands for a number so large that every parameter gets the nearest byte. Quantise
// returns an error if c is not valid or vectors is negative.
func (c *Circuit) Quantise(vectors float64) (*Model, error) {
	if !(vectors >= 0) {
		return nil, fmt.Errorf("circuit: quantising for %v vectors", vectors)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	q := &codes{tree: c.Tree, cats: c.Cats, states: c.States, logistics: c.Logistics}
	if c.TransOf != nil || c.LeafOf != nil {
		for i := range c.States {
			q.transOf, q.leafOf = append(q.transOf, first(c.TransOf, i)), append(q.leafOf, first(c.LeafOf, i))
		}
	}
	for i, m := range c.States {
		trans := make([]uint8, len(c.Trans[i]))
		for k, p := range c.Trans[i] {
			trans[k] = codeOf(float64(p), zeroCode)
		}
		q.trans = append(q.trans, trans)
		if c.Logistics > 0 {
			size := logisticSize(c.Logistics)
			mix := make([]uint16, m*size)
			for k := 0; k < len(mix); k += size {
				mixCodes(mix[k:][:size], c.Mix[i][k:][:size], c.Cats)
			}
			q.mix = append(q.mix, mix)
			continue
		}
		leaf := make([]uint8, m*c.Cats)
		for k, p := range c.Leaf[i] {
			leaf[k] = codeOf(float64(p), floorCode)
		}
		q.leaf = append(q.leaf, leaf)
	}
	var weight *codeWeights
	if vectors > 0 {
		weight = &codeWeights{make([][]float64, len(c.States)), make([][]float64, len(c.States))}
		for i, m := range c.States {
			weight.trans[i] = []float64{vectors}
			if i > 0 {
				weight.trans[i] = weight.leaf[c.Parent[i]]
			}
			weight.leaf[i] = make([]float64, m)
			for k, p := range c.Trans[i] {
				weight.leaf[i][k%m] += weight.trans[i][k/m] * float64(p)
			}
		}
	}
	q.tie()
	if weight != nil && q.transOf != nil {
		weight.trans, weight.leaf = tiedWeights(weight.trans, q.transOf), tiedWeights(weight.leaf, q.leafOf)
	}
	file := q.marshal(weight)
	return ReadModel(file, math.MaxInt64)
}

// tie makes positions that share parameters share the slices.
func (q *codes) tie() {
	for i := range q.transOf {
		q.trans[i] = q.trans[q.transOf[i]]
		if q.logistics > 0 {
			q.mix[i] = q.mix[q.leafOf[i]]
		} else {
			q.leaf[i] = q.leaf[q.leafOf[i]]
		}
	}
}

// tiedWeights returns the sums of w over the positions that share parameters.
func tiedWeights(w [][]float64, of []int) [][]float64 {
	sums := make([][]float64, len(w))
	for i, first := range of {
		if sums[first] == nil {
			sums[first] = make([]float64, len(w[i]))
		}
		for k, x := range w[i] {
			sums[first][k] += x
		}
	}
	return sums
}

// Circuit returns the circuit that m is, with the probabilities of its coder but for
// the last digits. Its leaves are tables.
func (m *Model) Circuit() *Circuit {
	c := &Circuit{Cats: m.cats, States: append([]int(nil), m.states...)}
	c.Order = append([]int(nil), m.tree.Order...)
	c.Parent = append([]int(nil), m.tree.Parent...)
	for i := range m.nodes {
		n, states := &m.nodes[i], m.states[i]
		c.Trans = append(c.Trans, append([]float32(nil), n.up...))
		leaf := make([]float32, states*m.cats)
		for x := range m.cats {
			for z, p := range n.likelihood(uint16(x), states) {
				leaf[z*m.cats+x] = p
			}
		}
		c.Leaf = append(c.Leaf, leaf)
	}
	return c
}

// likelihood returns the probability of the value x in every state.
func (n *node) likelihood(x uint16, states int) []float32 {
	for d := 0; ; {
		side := 0
		if x >= n.split[d].at {
			side = 1
		}
		if next := n.split[d].next[side]; next != 0 {
			d = int(next)
			continue
		}
		return n.sides[(2*d+side)*states:][:states]
	}
}

// prepare makes the tables of m from its parameters. All is exact: sums of float64
// in a fixed order, products of two numbers that are rounded, divisions.
func (m *Model) prepare(q *codes) {
	m.tree, m.cats, m.states = q.tree, q.cats, q.states
	m.depth = m.tree.depths()
	m.nodes = make([]node, len(m.states))
	marginals := make([][]float64, len(m.states)) // of the states
	fit := newLogisticFit(m.cats, q.logistics)
	for i, states := range m.states {
		m.most = max(m.most, states)
		parents := m.parentStates(i)
		n := &m.nodes[i]
		n.up = make([]float32, parents*states)
		n.down = make([]float32, parents*states)
		above := []float64{1}
		if i > 0 {
			above = marginals[m.tree.Parent[i]]
		}
		marginal := make([]float64, states)
		for y := range parents {
			row := n.up[y*states:][:states]
			normalise(row, q.trans[i][y*states:][:states])
			for z, p := range row {
				n.down[z*parents+y] = p
				marginal[z] += float64(above[y] * float64(p))
			}
		}
		marginals[i] = marginal

		leaf := make([]float32, states*m.cats)
		weights := make([]float64, m.cats)
		for z := range states {
			row := leaf[z*m.cats:][:m.cats]
			if q.logistics > 0 {
				size := logisticSize(q.logistics)
				mixRow(row, q.mix[i][z*size:][:size], fit)
			} else {
				normalise(row, q.leaf[i][z*m.cats:][:m.cats])
			}
			for x, p := range row {
				weights[x] += float64(marginal[z] * float64(p))
			}
		}
		n.split, n.sides = splits(weights, leaf, states)
	}
}

// normalise sets row to the values of the codes, divided by their sum. A row of
// nothing but zeros becomes uniform.
func normalise(row []float32, codes []uint8) {
	sum := 0.0
	for _, c := range codes {
		sum += codeValues[c]
	}
	for i, c := range codes {
		if sum == 0 {
			row[i] = float32(1 / float64(len(row)))
		} else {
			row[i] = float32(codeValues[c] / sum)
		}
	}
}

// splits makes the decisions that find a value. Each divides the probability of its
// interval, by the weights of the values, as evenly as can be, so that likely values
// take few decisions. leaf is [states][values].
func splits(weights []float64, leaf []float32, states int) ([]split, []float32) {
	cats := len(weights)
	total := 0.0
	for _, w := range weights {
		total += w
	}
	// Cumulative weights in units of 2^-32 of the total, each at least 1, so that
	// the depth is bounded.
	cumulative := make([]uint64, cats+1)
	for x, w := range weights {
		unit := uint64(1)
		if total > 0 {
			unit += uint64(float64(w/total) * (1 << 32))
		}
		cumulative[x+1] = cumulative[x] + unit
	}
	s := splitter{cumulative, leaf, states, make([]split, 0, cats-1), make([]float32, 2*states*(cats-1))}
	s.divide(0, cats)
	return s.split, s.sides
}

type splitter struct {
	cumulative []uint64
	leaf       []float32 // [states][values]
	states     int
	split      []split
	sides      []float32
}

// divide makes the decisions for the values lo..hi-1, at least two, and returns the
// number of the first of them.
func (s *splitter) divide(lo, hi int) uint16 {
	d := len(s.split)
	from, to := s.cumulative[lo], s.cumulative[hi]
	at := lo + 1
	for at+1 < hi && s.cumulative[at+1]-from <= to-s.cumulative[at] {
		at++ // the upper part, with at, is still no smaller than the lower would be
	}
	s.split = append(s.split, split{at: uint16(at)})
	for side, part := range [2][2]int{{lo, at}, {at, hi}} {
		sums := s.sides[(2*d+side)*s.states:][:s.states]
		for z := range sums {
			sum := 0.0
			for _, p := range s.leaf[z*(len(s.cumulative)-1):][part[0]:part[1]] {
				sum += float64(p)
			}
			sums[z] = float32(sum)
		}
		if part[1]-part[0] > 1 {
			s.split[d].next[side] = s.divide(part[0], part[1])
		}
	}
	return uint16(d)
}

// check returns an error unless what a file says of its size is possible, and fits
// in memory bytes.
func (q *codes) check(memory int64) error {
	need := int64(0)
	for i, states := range q.states {
		parents := 1
		if i > 0 {
			parents = q.states[q.tree.Parent[i]]
		}
		// The tables, and the codes while they are read.
		need += nodeMemory(states, parents, q.cats) + int64(states)*int64(parents+q.cats)
		if q.logistics > 0 {
			need += 2 * int64(states) * int64(logisticSize(q.logistics))
		}
		if need > memory {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, memory)
		}
	}
	return nil
}
