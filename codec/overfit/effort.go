package overfit

import (
	"math"

	"github.com/burin-codec/burin/codec"
)

// An effort is what a fit spends.
type effort struct {
	preset     int // in inr.Presets
	iterations int
	refine     int // rounds
}

// efforts by codec.Options.Effort, less 1.
var efforts = [codec.MaxEffort]effort{
	{1, 200, 0},
	{2, 400, 0},
	{3, 1000, 1},
	{3, 1700, 1},
	{3, 3500, 2},
	{3, 8500, 2},
	{3, 15000, 2},
	{4, 17000, 3},
	{4, 28000, 4},
}

// fitting is the least number of pixels for each preset but the first: the networks of
// the larger ones would weigh too much in smaller pictures.
var fitting = [...]int{1 << 12, 1 << 14, 1 << 16, 1 << 18}

// effortFor returns what is spent on a tile.
func effortFor(o *codec.Options, pixels int) effort {
	e := efforts[o.Effort-1]
	for e.preset > 0 && pixels < fitting[e.preset-1] {
		e.preset--
	}
	return e
}

// The weight of the rate at quality 0 and at 100; between them it is log-linear.
const (
	lambdaWorst = 3e-2
	lambdaBest  = 3e-5
)

// Lambda returns the weight of the rate at a quality of 0 to 100: what is minimised is the
// mean squared error of samples in 0..1 plus it times the bits per pixel.
func Lambda(q float64) float64 {
	return lambdaWorst * math.Pow(lambdaBest/lambdaWorst, q/100)
}

func mseOfPSNR(db float64) float64  { return math.Pow(10, -db/10) }
func psnrOfMSE(mse float64) float64 { return -10 * math.Log10(mse) }
