package learned

import (
	"crypto/sha256"
	"fmt"
	"image"
	"math"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec/internal/models"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/entropy"
	"github.com/burin-codec/burin/transform/convnet"
)

// A Model is trained networks in integers, and all that decoding takes besides, for all
// rates or a range of them, or several such models of which each has its range (see Join).
// It is immutable and may be used by several goroutines.
type Model struct {
	// parts are the models that were joined, nothing else but file and hash being set, by
	// rising rates; none for a model of one set of networks.
	parts []part

	config                                             network.Config
	analysis, synthesis, hyperAnalysis, hyperSynthesis *convnet.Integer
	passes                                             [network.Groups]pass
	logSteps                                           []int32 // [Anchors][Latents], see exp2
	offsets                                            []int32 // [Anchors][Latents], see gains
	tables                                             *entropy.Tables
	priors                                             []*entropy.FactorisedPrior // [Anchors]
	worths                                             []int                      // [Anchors], see stepWorth; nil until they are fitted
	costs                                              [scaleLevels][maxCost + 1]float32

	file []byte
	hash [sha256.Size]byte
}

// A part is a model for rates up to last, of 0..convnet.RateUnit, from where the part
// before it ends.
type part struct {
	last int
	file []byte
	// model is read when it is first needed: most pictures need one.
	model func() (*Model, error)
}

// at returns the model for a rate of 0..convnet.RateUnit.
func (m *Model) at(rate int) (*Model, error) {
	for _, p := range m.parts {
		if rate <= p.last {
			return p.model()
		}
	}
	return m, nil
}

// rates returns the bounds of the rates, of 0..convnet.RateUnit, that the model is for.
func (m *Model) rates() (low, high int) {
	if m.parts != nil {
		return 0, convnet.RateUnit
	}
	l, h := m.config.Rates()
	return int(math.Round(l * convnet.RateUnit)), int(math.Round(h * convnet.RateUnit))
}

// Join returns a model of several, each trained for a range of rates, that follow one
// another from 0 to 1. Where two ranges overlap, each model serves the half on its side.
func Join(models ...*Model) (*Model, error) {
	if len(models) < 2 || len(models) > maxParts {
		return nil, fmt.Errorf("learned: %d models to join, not 2 to %d", len(models), maxParts)
	}
	m := &Model{}
	var end float64
	for i, p := range models {
		low, high := p.config.Rates()
		last := 1.0
		if i+1 < len(models) {
			var next float64
			next, _ = models[i+1].config.Rates()
			last = (high + next) / 2
		}
		if p.parts != nil || i == 0 && low != 0 || low > end || last <= end || last > high {
			return nil, fmt.Errorf("learned: a model for rates of %v to %v cannot be number %d of those that are joined", low, high, i+1)
		}
		m.parts = append(m.parts, part{int(math.Round(last * convnet.RateUnit)), p.file, func() (*Model, error) { return p, nil }})
		end = high
	}
	m.file = m.marshalParts()
	m.hash = sha256.Sum256(m.file)
	return m, nil
}

// maxParts bounds the models in one.
const maxParts = 8

// pass is the networks of one pass in integers, see network.Pass.
type pass struct {
	known, body *convnet.Integer
	heads       [network.Groups]*convnet.Integer
}

// maxCost is the largest integer whose costs are kept.
const maxCost = 63

// Hash returns the SHA-256 of the model's file, which names it.
func (m *Model) Hash() [sha256.Size]byte { return m.hash }

// ID returns what names the model in files.
func (m *Model) ID() ID { return models.IDOf(m.hash) }

func (m *Model) String() string {
	if m.parts != nil {
		return fmt.Sprintf("model %x, of %d", m.hash[:4], len(m.parts))
	}
	encode, decode := m.config.MACs()
	return fmt.Sprintf("model %x, %d latents a position, %.1f thousand multiplications a pixel to encode and %.1f to decode",
		m.hash[:4], m.config.Latents, encode/1000, decode/1000)
}

// prepareCosts makes what is derived from the tables.
func (m *Model) prepareCosts() {
	q, table := make([]int16, 1), make([]uint8, 1)
	for t := range m.costs {
		table[0] = uint8(t)
		for v := range m.costs[t] {
			q[0] = int16(v)
			plus := m.tables.Cost(q, table)
			q[0] = int16(-v)
			m.costs[t][v] = float32((plus + m.tables.Cost(q, table)) / 2)
		}
	}
}

// cost returns about what v costs with a table, in bits.
func (m *Model) cost(table uint8, v int) float64 {
	if v < 0 {
		v = -v
	}
	if v > maxCost {
		// Tails are about exponential.
		c := &m.costs[table]
		return float64(c[maxCost]) + float64(float64(v-maxCost)*float64(c[maxCost]-c[maxCost-1]))
	}
	return float64(m.costs[table][v])
}

// integers calls f for every network, with a name.
func (m *Model) integers(f func(name string, z **convnet.Integer, in int, ops []convnet.Op)) {
	c := m.config
	f("analysis", &m.analysis, 3, c.Analysis())
	f("synthesis", &m.synthesis, c.Latents, c.Synthesis())
	f("hyper_analysis", &m.hyperAnalysis, c.Latents, c.HyperAnalysis())
	f("hyper_synthesis", &m.hyperSynthesis, c.Hyper, c.HyperSynthesis())
	for k := range m.passes {
		p := &m.passes[k]
		if k > 0 {
			f(fmt.Sprintf("pass%d.known", k), &p.known, c.Latents, []convnet.Op{convnet.Linear(c.Context)})
		}
		f(fmt.Sprintf("pass%d.body", k), &p.body, c.Context, c.Body())
		for g := range p.heads {
			f(fmt.Sprintf("pass%d.head%d", k, g), &p.heads[g], c.Context, []convnet.Op{convnet.Linear(2 * c.Latents / network.Groups)})
		}
	}
}

// Bits are the widths of weights in integers.
type Bits struct {
	Transforms int // of analysis and synthesis
	Entropy    int // of the networks that give probabilities
}

// DefaultBits returns the widths of the shipped model's weights.
func DefaultBits() Bits { return Bits{Transforms: 12, Entropy: 10} }

// calibrationRates are the rates at which magnitudes are taken, as parts of the range that
// a network is for.
var calibrationRates = []float64{0, 0.25, 0.5, 0.75, 1}

// NewModel makes a model in integers of a trained network, with probabilities, at the rates
// that the network is for, as they are in the given pictures, of sides that are multiples
// of 64: some dozens of crops of those that it was trained on.
func NewModel(n *network.Network, pictures []network.Picture, bits Bits) (*Model, error) {
	if len(pictures) == 0 {
		return nil, fmt.Errorf("learned: no pictures to take frequencies from")
	}
	low, high := n.Config.Rates()
	var rates []float32
	for _, r := range calibrationRates {
		rates = append(rates, float32(low+r*(high-low)))
	}
	m, err := quantise(n, n.Calibrate(pictures, rates), bits)
	if err != nil {
		return nil, err
	}
	if err := m.count(pictures); err != nil {
		return nil, err
	}
	m.file = m.marshal()
	m.hash = sha256.Sum256(m.file)
	return m, nil
}

// margin is how many times the magnitudes seen in the calibration activations hold.
const margin = 2

// pixelBits are the fractional bits of pixel values in the networks' input and output.
const pixelBits = pixels.Bits

// quantise makes the networks and gains.
func quantise(n *network.Network, cal *network.Calibration, bits Bits) (*Model, error) {
	c := n.Config
	m := &Model{config: c}
	pixels := convnet.Scales{}
	for range 3 {
		pixels = append(pixels, 1/float64(network.PixelUnit<<pixelBits))
	}
	latents := convnet.ScalesFor(cal.Latents, margin)
	context := convnet.ScalesFor(cal.Context, margin)
	hyper := make(convnet.Scales, c.Hyper)
	for i := range hyper {
		hyper[i] = 1.0 / (1 << hyperShift)
	}
	var err error
	make := func(net *convnet.Net, r *convnet.Ranges, in, out convnet.Scales, bits int) *convnet.Integer {
		if err != nil {
			return nil
		}
		var z *convnet.Integer
		z, _, err = net.Quantise(r, convnet.Quantisation{In: in, Out: out, Bits: bits, Margin: margin})
		return z
	}
	m.analysis = make(n.Analysis, cal.Analysis, pixels, latents, bits.Transforms)
	m.synthesis = make(n.Synthesis, cal.Synthesis, latents, pixels, bits.Transforms)
	m.hyperAnalysis = make(n.HyperAnalysis, cal.HyperAnalysis, latents, hyper, bits.Entropy)
	m.hyperSynthesis = make(n.HyperSynthesis, cal.HyperSynthesis, hyper, context, bits.Entropy)
	per := c.Latents / network.Groups
	for k, p := range n.Passes {
		to := &m.passes[k]
		if err == nil && k > 0 {
			to.known, err = convnet.QuantiseLinear(p.Known, latents, context, bits.Entropy)
		}
		if err != nil {
			return nil, err
		}
		var s convnet.Scales
		if to.body, s, err = p.Body.Quantise(cal.Bodies[k], convnet.Quantisation{In: context, Bits: bits.Entropy, Margin: margin}); err != nil {
			return nil, err
		}
		for g, head := range p.Heads {
			out := append(convnet.Scales(nil), latents[g*per:(g+1)*per]...)
			for range per {
				out = append(out, 1.0/scaleUnit)
			}
			if to.heads[g], err = convnet.QuantiseLinear(head, s, out, bits.Entropy); err != nil {
				return nil, err
			}
		}
	}
	if err != nil {
		return nil, err
	}
	for i, g := range n.LogGains.Data {
		step := -float64(g)/math.Ln2 - math.Log2(latents[i%c.Latents])
		m.logSteps = append(m.logSteps, int32(min(max(math.RoundToEven(step*(1<<logBits)), minLogStep), maxLogStep)))
		m.offsets = append(m.offsets, int32(math.RoundToEven(float64(g)*scaleUnit)))
	}
	m.integers(func(_ string, z **convnet.Integer, _ int, _ []convnet.Op) {
		if err == nil {
			err = (*z).Prepare()
		}
	})
	return m, err
}

// count makes the tables from how often integers come up, beginning with those of the
// Laplace distributions that the network was trained with. It does so twice, as the
// encoder's choices depend on what integers cost, and on worths, which it fits in between.
func (m *Model) count(pictures []network.Picture) error {
	laplace, err := entropy.NewScaleTables(&entropy.ScaleOptions{
		Family: entropy.Laplace, Levels: scaleLevels, Offsets: 1,
		Min: math.Exp(scaleMin), Max: math.Exp(scaleMin + float64(scaleLevels-1)/8),
	})
	if err != nil {
		return err
	}
	m.tables = laplace
	c := m.config
	for range c.Anchors {
		p, err := entropy.NewFactorisedPrior(entropy.NewCounts(c.Hyper))
		if err != nil {
			return err
		}
		m.priors = append(m.priors, p)
	}
	// The anchors that the rates lie between; those beyond are never used.
	low, high := c.Rates()
	first := int(math.Floor(low * float64(c.Anchors-1)))
	last := int(math.Ceil(high * float64(c.Anchors-1)))
	b := convnet.NewBuffers(nil)
	for round := range 2 {
		m.prepareCosts()
		if round == 1 {
			m.fitWorths(pictures[:min(len(pictures), worthPictures)], first, last)
		}
		counts := entropy.NewCounts(scaleLevels)
		for k := first; k <= last; k++ {
			hyper := entropy.NewCounts(c.Hyper)
			rate := m.anchorRate(k)
			for _, p := range pictures {
				y, s := m.analysis.Forward(b, pixels.FromFloats(p), p.Shape(), rate)
				z := m.hyperOf(b, y, s, rate)
				l, _ := m.encodeLatents(b, arith.NewRangeEncoder(nil), y, z, s, rate, m.stepWorth(rate))
				b.Give(y)
				hyper.AddChannels(z)
				counts.Add(l.Q, l.Table)
			}
			if m.priors[k], err = entropy.NewFactorisedPrior(hyper); err != nil {
				return err
			}
		}
		if m.tables, err = entropy.NewTablesFromCounts(counts, laplace, tableWeight); err != nil {
			return err
		}
	}
	m.prepareCosts()
	return nil
}

// anchorRate returns the rate of an anchor, or the nearest one that the network is for.
func (m *Model) anchorRate(k int) int {
	low, high := m.rates()
	return min(max(k*convnet.RateUnit/(m.config.Anchors-1), low), high)
}

// fitWorths sets the worths of the anchors from first to last to those at which pictures cost
// least, in bits and errors together, and the others to the nearest of them.
func (m *Model) fitWorths(pictures []network.Picture, first, last int) {
	worths := make([]int, m.config.Anchors)
	b := convnet.NewBuffers(nil)
	for k := first; k <= last; k++ {
		rate := m.anchorRate(k)
		lambda := network.Lambda(float64(rate) / convnet.RateUnit)
		least := math.Inf(1)
		for _, w := range worthsToTry {
			var cost float64
			for _, p := range pictures {
				x := pixels.FromFloats(p)
				y, s := m.analysis.Forward(b, x, p.Shape(), rate)
				e := arith.NewRangeEncoder(nil)
				_, decoded := m.encodeLatents(b, e, y, m.hyperOf(b, y, s, rate), s, rate, float64(w))
				out, _ := m.synthesis.Forward(b, decoded, s, rate)
				sum, n := pixels.SquaredError(out, x, image.Rect(0, 0, p.W, p.H), p.W)
				// Pictures count alike, whatever they cost.
				cost += math.Log(8*float64(len(e.Finish()))/float64(p.H*p.W) + lambda*sum/float64(n))
				b.Give(y)
				b.Give(out)
			}
			if cost < least {
				least, worths[k] = cost, w
			}
		}
	}
	for k := range worths {
		worths[k] = worths[min(max(k, first), last)]
	}
	m.worths = worths
}

// worthsToTry are about a factor of the cube root of 2 apart.
var worthsToTry = []int{10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160}

// firstWorth is the worth of all steps where worths were not fitted.
const firstWorth = 32

// worthPictures is how many pictures worths are fitted on.
const worthPictures = 32

// tableWeight is how many times the Laplace distribution's expectation of a value
// counts beside how often it came up: tables that came up seldom stay near it.
const tableWeight = 200
