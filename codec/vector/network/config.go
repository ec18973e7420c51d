package network

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/burin-codec/burin/transform/convnet"
)

// Levels is the number of grids of tokens: cells of 64, 32, 16 and 8 pixels a side, in
// this order. Each cell has four of the next level in it.
const Levels = 4

// Cell returns the side of the cells of a level, in pixels.
func Cell(level int) int { return 64 >> level }

// Finest is the last level.
const Finest = Levels - 1

// A Level is the tokens of the cells of one size.
type Level struct {
	Dim    int `json:"dim"`    // numbers that describe a cell
	Stages int `json:"stages"` // tokens a cell has at most, each refining those before; may be 0
	Words  int `json:"words"`  // of the codebook of each stage, a power of two
}

// A Config is the architecture of a network.
type Config struct {
	Levels         [Levels]Level `json:"levels"`
	Fine           int           `json:"fine"`            // channels of the grid of 8 x 8 pixels
	Coarse         int           `json:"coarse"`          // of that of 16 x 16, in the synthesis
	Width          int           `json:"width"`           // of the predictors
	Analysis       int           `json:"analysis"`        // blocks
	Predictor      int           `json:"predictor"`       // blocks of each predictor
	SynthesisFine  int           `json:"synthesis_fine"`  // blocks
	SynthesisInner int           `json:"synthesis_inner"` // blocks of the coarse grid
	// Anchors is the number of rates that have offsets and statistics of their own.
	Anchors int `json:"anchors"`
}

// Small returns the architecture of the model that is trained without a GPU.
func Small() Config {
	return Config{
		Levels: [Levels]Level{{64, 1, 1024}, {64, 1, 2048}, {64, 2, 4096}, {48, 2, 1024}},
		Fine:   128, Coarse: 256, Width: 96, Analysis: 3, Predictor: 2, SynthesisInner: 3, SynthesisFine: 3,
		Anchors: 6,
	}
}

// Check returns an error unless the numbers make a network of sane size.
func (c Config) Check() error {
	type bound struct {
		name       string
		is, lo, hi int
	}
	bounds := []bound{
		{"fine", c.Fine, 1, 1024},
		{"coarse", c.Coarse, 1, 2048},
		{"width", c.Width, 1, 1024},
		{"analysis", c.Analysis, 0, 32},
		{"predictor", c.Predictor, 0, 32},
		{"synthesis_fine", c.SynthesisFine, 0, 32},
		{"synthesis_inner", c.SynthesisInner, 0, 32},
		{"anchors", c.Anchors, 2, convnet.MaxAnchors},
	}
	for _, l := range c.Levels {
		bounds = append(bounds, bound{"dim", l.Dim, 1, 256}, bound{"stages", l.Stages, 0, 8}, bound{"words", l.Words, 2, 1 << 16})
		if bits.OnesCount(uint(max(l.Words, 0))) != 1 {
			return fmt.Errorf("network: %d words are no power of two", l.Words)
		}
	}
	for _, b := range bounds {
		if b.is < b.lo || b.is > b.hi {
			return fmt.Errorf("network: %s is %d, not %d to %d", b.name, b.is, b.lo, b.hi)
		}
	}
	if c.Levels[0].Stages == 0 {
		return fmt.Errorf("network: the first level has no tokens")
	}
	return nil
}

// AnalysisOps returns the operations from pixels, 3 channels, to the finest level.
func (c Config) AnalysisOps() []convnet.Op {
	return slices.Concat(
		[]convnet.Op{convnet.Down(8), convnet.Linear(c.Fine), convnet.Rate(c.Anchors)},
		convnet.Blocks(c.Analysis, c.Fine),
		[]convnet.Op{convnet.Linear(c.Levels[Finest].Dim)},
	)
}

// ReferenceOps returns the operations from pixels to the finest level of the transform
// that the analysis is held near.
func (c Config) ReferenceOps() []convnet.Op {
	return []convnet.Op{convnet.Down(8), convnet.Linear(c.Levels[Finest].Dim)}
}

// PoolOps returns the operations from a level's next to it.
func (c Config) PoolOps(level int) []convnet.Op {
	return []convnet.Op{convnet.Down(2), convnet.Linear(c.Levels[level].Dim)}
}

// PredictorOps returns the operations from the level before, decoded, to the prediction
// of a level, and behind it the logarithm of the energy that it leaves.
func (c Config) PredictorOps(level int) []convnet.Op {
	return slices.Concat(
		[]convnet.Op{convnet.Linear(4 * c.Width), convnet.Up(2), convnet.Rate(c.Anchors)},
		convnet.Blocks(c.Predictor, c.Width),
		[]convnet.Op{convnet.Linear(c.Levels[level].Dim + 1)},
	)
}

// SynthesisOps returns the operations from the finest level to pixels.
func (c Config) SynthesisOps() []convnet.Op {
	return slices.Concat(
		[]convnet.Op{convnet.Down(2), convnet.Linear(c.Coarse), convnet.Rate(c.Anchors)},
		convnet.Blocks(c.SynthesisInner, c.Coarse),
		[]convnet.Op{convnet.Linear(4 * c.Fine), convnet.Up(2)},
		convnet.Blocks(c.SynthesisFine, c.Fine),
		[]convnet.Op{convnet.Linear(3 * 64), convnet.Up(8)},
	)
}

// MACs returns the multiplications for each pixel of one pass of the analysis, and of
// decoding.
func (c Config) MACs() (analysis, decode float64) {
	macs := func(in int, ops []convnet.Op) float64 {
		m, err := convnet.MACs(in, ops)
		if err != nil {
			panic(err)
		}
		return m
	}
	decode = macs(c.Levels[Finest].Dim, c.SynthesisOps()) / 64
	for l := 1; l < Levels; l++ {
		side := float64(Cell(l - 1))
		decode += macs(c.Levels[l-1].Dim, c.PredictorOps(l)) / (side * side)
	}
	return macs(3, c.AnalysisOps()), decode
}

// Numbers returns how many numbers the networks and the codebooks have.
func (c Config) Numbers() int {
	weights := func(in int, ops []convnet.Op) int {
		w, err := convnet.Weights(in, ops)
		if err != nil {
			panic(err)
		}
		return w
	}
	sum := weights(3, c.AnalysisOps()) + weights(3, c.ReferenceOps()) + weights(c.Levels[Finest].Dim, c.SynthesisOps())
	for l, level := range c.Levels {
		sum += level.Stages * level.Words * level.Dim
		if l > 0 {
			sum += weights(c.Levels[l-1].Dim, c.PredictorOps(l)) + weights(level.Dim, c.PoolOps(l-1))
		}
	}
	return sum
}

// Rates of 0..1 stand for weights of the squared error from MinLambda to MaxLambda, on a
// logarithmic scale: bits per pixel + lambda * mean squared error of 8-bit samples is
// what a picture costs.
const (
	MinLambda = 0.00008
	MaxLambda = 0.012
)

// Lambda returns the weight that a rate stands for.
func Lambda(rate float64) float64 {
	return MinLambda * math.Pow(MaxLambda/MinLambda, rate)
}
