package network

import (
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/transform/convnet"
)

// A Config is the architecture of a network. Positions of the fine grid are squares of
// 8 x 8 pixels, of the coarse grid, which is that of the latents, of 16 x 16, and of
// the hyperprior's of 64 x 64.
type Config struct {
	Fine   int `json:"fine"`   // channels of the fine grid
	Coarse int `json:"coarse"` // channels of the coarse grid
	// Latents is the number of latents of each position, a multiple of Groups.
	Latents         int `json:"latents"`
	Hyper           int `json:"hyper"`            // channels of the hyperprior's latents
	HyperWidth      int `json:"hyper_width"`      // channels of the networks around them
	Context         int `json:"context"`          // channels of the context networks
	AnalysisFine    int `json:"analysis_fine"`    // blocks
	AnalysisCoarse  int `json:"analysis_coarse"`  // blocks
	SynthesisCoarse int `json:"synthesis_coarse"` // blocks
	SynthesisFine   int `json:"synthesis_fine"`   // blocks
	// Anchors is the number of rates that have gains and offsets of their own.
	Anchors int `json:"anchors"`
	// Low and High bound the rates that the network is for; both are 0 for all of 0..1.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// Rates returns the bounds of the rates that the network is for.
func (c Config) Rates() (low, high float64) {
	if c.Low == 0 && c.High == 0 {
		return 0, 1
	}
	return c.Low, c.High
}

// Groups is the number of groups of latents, and of passes in which they are coded.
const Groups = 4

// Small returns the architecture of the model that is trained without a GPU.
func Small() Config {
	return Config{
		Fine: 128, Coarse: 256, Latents: 256, Hyper: 64, HyperWidth: 128, Context: 192,
		AnalysisFine: 2, AnalysisCoarse: 3, SynthesisCoarse: 3, SynthesisFine: 3,
		Anchors: 8,
	}
}

// Check returns an error unless the numbers make a network of sane size.
func (c Config) Check() error {
	for _, n := range []struct {
		name       string
		is, lo, hi int
	}{
		{"fine", c.Fine, 1, 1024},
		{"coarse", c.Coarse, 1, 2048},
		{"latents", c.Latents, Groups, 1024},
		{"hyper", c.Hyper, 1, 512},
		{"hyper_width", c.HyperWidth, 1, 1024},
		{"context", c.Context, 1, 1024},
		{"analysis_fine", c.AnalysisFine, 0, 32},
		{"analysis_coarse", c.AnalysisCoarse, 0, 32},
		{"synthesis_coarse", c.SynthesisCoarse, 0, 32},
		{"synthesis_fine", c.SynthesisFine, 0, 32},
		{"anchors", c.Anchors, 2, convnet.MaxAnchors},
	} {
		if n.is < n.lo || n.is > n.hi {
			return fmt.Errorf("network: %s is %d, not %d to %d", n.name, n.is, n.lo, n.hi)
		}
	}
	if c.Latents%Groups != 0 {
		return fmt.Errorf("network: %d latents do not divide into %d groups", c.Latents, Groups)
	}
	if low, high := c.Rates(); !(low >= 0 && low < high && high <= 1) {
		return fmt.Errorf("network: for rates of %v to %v", low, high)
	}
	return nil
}

// Analysis returns the operations from pixels, 3 channels, to latents.
func (c Config) Analysis() []convnet.Op {
	return slices.Concat(
		[]convnet.Op{convnet.Down(8), convnet.Linear(c.Fine), convnet.Rate(c.Anchors)},
		convnet.Blocks(c.AnalysisFine, c.Fine),
		[]convnet.Op{convnet.Down(2), convnet.Linear(c.Coarse)},
		convnet.Blocks(c.AnalysisCoarse, c.Coarse),
		[]convnet.Op{convnet.Linear(c.Latents)},
	)
}

// Synthesis returns the operations from latents to pixels.
func (c Config) Synthesis() []convnet.Op {
	return slices.Concat(
		[]convnet.Op{convnet.Linear(c.Coarse), convnet.Rate(c.Anchors)},
		convnet.Blocks(c.SynthesisCoarse, c.Coarse),
		[]convnet.Op{convnet.Linear(4 * c.Fine), convnet.Up(2)},
		convnet.Blocks(c.SynthesisFine, c.Fine),
		[]convnet.Op{convnet.Linear(3 * 64), convnet.Up(8)},
	)
}

// HyperAnalysis returns the operations from latents to those of the hyperprior.
func (c Config) HyperAnalysis() []convnet.Op {
	return []convnet.Op{
		convnet.Rectified(c.HyperWidth), convnet.Down(2), convnet.Linear(c.HyperWidth), convnet.Rate(c.Anchors),
		convnet.Block(c.HyperWidth), convnet.Down(2), convnet.Linear(c.Hyper),
	}
}

// HyperSynthesis returns the operations from there to the features that all context
// networks share.
func (c Config) HyperSynthesis() []convnet.Op {
	return []convnet.Op{
		convnet.Linear(4 * c.HyperWidth), convnet.Up(2), convnet.Rate(c.Anchors), convnet.Block(c.HyperWidth),
		convnet.Linear(4 * c.HyperWidth), convnet.Up(2), convnet.Block(c.HyperWidth), convnet.Linear(c.Context),
	}
}

// Body returns the operations of a context network between its inputs and its heads.
func (c Config) Body() []convnet.Op { return []convnet.Op{convnet.Block(c.Context)} }

// Parity returns the parity of the positions where pass codes a group of latents, or
// the group that it codes at positions of that parity: the parity of row y and column
// x is 2*(y%2) + x%2. Every pass touches every position, and every latent is coded
// once (the quadtree partition of Li, Li and Lu, "Neural Video Compression with
// Diverse Contexts", 2023).
func Parity(pass, group int) int { return pass ^ group }

// Rates of 0..1 stand for weights of the squared error from MinLambda to MaxLambda, on a
// logarithmic scale: bits per pixel + lambda * mean squared error of 8-bit samples is
// what a picture costs.
const (
	MinLambda = 0.0004
	MaxLambda = 0.5
)

// Lambda returns the weight that a rate stands for.
func Lambda(rate float64) float64 {
	return MinLambda * math.Pow(MaxLambda/MinLambda, rate)
}
