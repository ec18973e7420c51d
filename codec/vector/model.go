package vector

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/bits"

	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
)

// A Model is trained networks and codebooks in integers, and all that decoding takes
// besides. It is immutable and may be used by several goroutines.
type Model struct {
	header
	analysis, synthesis *convnet.Integer
	pools, predictors   [network.Levels]*convnet.Integer
	books               []*book // of each level's stages in turn
	tables              *tables

	file []byte
	hash [sha256.Size]byte
}

// header is what the model's file says in JSON.
type header struct {
	config network.Config
	// lowEnergy is network.Network's, in energyUnit.
	lowEnergy [network.Levels]int32
	// Encoders alone use what follows. unit is what 1 stands for in the integers of a
	// level's vectors, in the network's unit; weight is network.Network's.
	unit   [network.Levels]float64
	weight float64
}

// energyUnit is how many units the logarithm of an energy has in 1.
const (
	energyUnit  = 1024
	energyShift = 9 // a class is energyUnit/network.ClassesPerNat wide
)

// class returns the class of a predicted energy.
func (m *Model) class(l int, energy int16) uint8 {
	return uint8(min(max((int32(energy)-m.lowEnergy[l])>>energyShift+1, 0), network.Classes-1))
}

// Hash returns the SHA-256 of the model's file, which names it.
func (m *Model) Hash() [sha256.Size]byte { return m.hash }

// ID returns what names the model in files.
func (m *Model) ID() ID { return models.IDOf(m.hash) }

// Config returns the architecture.
func (m *Model) Config() network.Config { return m.config }

func (m *Model) String() string {
	analysis, decode := m.config.MACs()
	return fmt.Sprintf("model %x, %d codebooks, %.1f thousand multiplications a pixel to analyse and %.1f to decode",
		m.hash[:4], len(m.books), analysis/1000, decode/1000)
}

// integers calls f for every network, with a name.
func (m *Model) integers(f func(name string, z **convnet.Integer, in int, ops []convnet.Op)) {
	c := m.config
	f("analysis", &m.analysis, 3, c.AnalysisOps())
	f("synthesis", &m.synthesis, c.Levels[network.Finest].Dim, c.SynthesisOps())
	for l := range network.Finest {
		f(fmt.Sprintf("pool%d", l), &m.pools[l], c.Levels[l+1].Dim, c.PoolOps(l))
	}
	for l := 1; l < network.Levels; l++ {
		f(fmt.Sprintf("predictor%d", l), &m.predictors[l], c.Levels[l-1].Dim, c.PredictorOps(l))
	}
}

// newBooks makes codebooks of zeros.
func newBooks(c network.Config) []*book {
	var books []*book
	for _, level := range c.Levels {
		for range level.Stages {
			books = append(books, &book{dim: level.Dim, bits: bits.TrailingZeros(uint(level.Words)), words: make([]int16, level.Words*level.Dim)})
		}
	}
	return books
}

// DefaultBits is the width of the shipped model's weights.
const DefaultBits = 12

// calibrationRates are the rates at which magnitudes are taken.
var calibrationRates = []float32{0, 0.5, 1}

const (
	// margin is how many times the magnitudes seen in the calibration activations hold.
	margin = 2
	// countPasses is how often frequencies are taken, with the encoder's choices by those
	// of the time before.
	countPasses = 2
)

// NewModel makes a model in integers, of weights of 2 to 16 bits, of a trained network,
// with probabilities as they are in the given pictures, of sides that are multiples of 64:
// some dozens of crops of those that it was trained on.
func NewModel(n *network.Network, pictures []network.Picture, weightBits int) (*Model, error) {
	if len(pictures) == 0 {
		return nil, fmt.Errorf("vector: no pictures to take frequencies from")
	}
	m, err := quantise(n, n.Calibrate(pictures, calibrationRates), weightBits)
	if err != nil {
		return nil, err
	}
	m.startTables(n)
	for range countPasses {
		if err := m.count(pictures); err != nil {
			return nil, err
		}
	}
	m.file = m.marshal()
	m.hash = sha256.Sum256(m.file)
	return m, nil
}

// uniform returns the scales of vectors that have one unit.
func uniform(unit float64, dim int) convnet.Scales {
	s := make(convnet.Scales, dim)
	for i := range s {
		s[i] = unit
	}
	return s
}

// quantise makes the networks and the codebooks.
func quantise(n *network.Network, cal *network.Calibration, weightBits int) (*Model, error) {
	c := n.Config
	m := &Model{header: header{config: c, weight: float64(n.Weight)}, books: newBooks(c), tables: newTables(c)}
	scales := make([]convnet.Scales, network.Levels)
	for l, level := range c.Levels {
		m.unit[l] = max(float64(cal.Vectors[l]), 1e-3) * margin / math.MaxInt16
		scales[l] = uniform(m.unit[l], level.Dim)
		m.lowEnergy[l] = int32(math.RoundToEven(float64(n.LowEnergy[l]) * energyUnit))
	}
	samples := uniform(1/float64(network.PixelUnit<<pixels.Bits), 3)
	var err error
	make := func(net *convnet.Net, r *convnet.Ranges, in, out convnet.Scales) *convnet.Integer {
		if err != nil {
			return nil
		}
		var z *convnet.Integer
		z, _, err = net.Quantise(r, convnet.Quantisation{In: in, Out: out, Bits: weightBits, Margin: margin})
		return z
	}
	m.analysis = make(n.Analysis, cal.Analysis, samples, scales[network.Finest])
	m.synthesis = make(n.Synthesis, cal.Synthesis, scales[network.Finest], samples)
	for l := range network.Finest {
		m.pools[l] = make(n.Pools[l], cal.Pools[l], scales[l+1], scales[l])
		out := append(append(convnet.Scales(nil), scales[l+1]...), 1.0/energyUnit)
		m.predictors[l+1] = make(n.Predictors[l+1], cal.Predictors[l+1], scales[l], out)
	}
	m.integers(func(name string, z **convnet.Integer, _ int, _ []convnet.Op) {
		if err == nil {
			if err = (*z).Prepare(); err != nil {
				err = fmt.Errorf("vector: %s: %w", name, err)
			}
		}
	})
	return m, err
}

// startTables sets the codebooks in the order of their trees, and the probabilities to
// those that training saw.
func (m *Model) startTables(n *network.Network) {
	anchors := m.config.Anchors
	for l, books := range n.Books {
		for s, from := range books {
			number := stageNumber(m.config, l, s)
			to, d := m.books[number], from.Dim
			// use[node] is how often words below a node of the tree are used.
			use := make([]float64, 2*from.Words)
			for i, k := range treeOrder(from.Data, from.Use, d) {
				for j, v := range from.Data[k*d : (k+1)*d] {
					to.words[i*d+j] = round16(float64(v) / m.unit[l])
				}
				use[from.Words+i] = float64(from.Use[k])
			}
			for i := from.Words - 1; i > 0; i-- {
				use[i] = use[2*i] + use[2*i+1]
				p := probability(use[2*i+1] / use[i])
				m.tables.deep[number][i] = p
				if i < topNodes {
					for k := range anchors * classes {
						m.tables.top[number][k*topNodes+i] = p
					}
				}
			}
			for a := range anchors {
				for k := range classes {
					seen := from.Seen[(a*network.Classes+min(k, network.Classes/2))*2:]
					if k < network.Classes {
						seen = from.Seen[(a*network.Classes+k)*2:]
					}
					p := probability(float64(seen[1] / (seen[0] + seen[1])))
					for j := range neighbourKinds {
						m.tables.some[number][(a*classes+k)*neighbourKinds+j] = p
					}
				}
			}
		}
	}
	m.nest()
}

func (m *Model) nest() {
	for i, b := range m.books {
		b.nest(m.tables.deep[i])
	}
}

func round16(v float64) int16 {
	return int16(min(max(math.RoundToEven(v), math.MinInt16), math.MaxInt16))
}

// count takes the tables from how often things come up in pictures, at all anchors.
func (m *Model) count(pictures []network.Picture) error {
	n := newSeen(m.tables)
	full := m.fullDepths()
	for anchor := range m.config.Anchors {
		rate := anchor * convnet.RateUnit / (m.config.Anchors - 1)
		e := newChooser(m, nil, effort{passes: 1, beam: 1, parts: 1})
		for _, p := range pictures {
			t := e.tile(pixels.FromFloats(p), p.H, p.W, rate)
			e.decide(t, full)
			for _, p := range []*part{nil, {0, 1, minShared}, {0, 1, maxShared}} {
				counted := tally{}
				s := m.newStream(counted, t.grids, full, anchor, p)
				first := 0
				if p != nil {
					first = p.first
				}
				for l := first; l < network.Levels; l++ {
					s.level(l, t.class[l])
				}
				n.add(s, counted, anchor, m.config.Anchors)
			}
		}
	}
	n.probabilities(m.tables, m.config.Anchors)
	m.nest()
	return nil
}

// fullDepths returns the full size of each book.
func (m *Model) fullDepths() []int {
	var d []int
	for _, b := range m.books {
		d = append(d, b.bits)
	}
	return d
}

// anchor returns the anchor nearest a rate of 0..convnet.RateUnit.
func (m *Model) anchor(rate int) int {
	return (rate*(m.config.Anchors-1) + convnet.RateUnit/2) / convnet.RateUnit
}
