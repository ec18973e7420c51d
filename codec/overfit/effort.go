package overfit

import (
	"math"

	"github.com/burin-codec/burin/codec"
)

// An effort is what a fit spends.
type effort struct {
	preset     int // in inr.Presets
	iterations int
	nets       int  // rounds of decisions on the networks' parameters
	latents    int  // likewise on latents
	second     bool // whether there may be a second fit
}

// efforts by codec.Options.Effort, less 1.
var efforts = [codec.MaxEffort]effort{
	{1, 200, 0, 0, false},
	{2, 400, 0, 0, false},
	{3, 1000, 0, 0, false},
	{3, 1700, 0, 1, false},
	{4, 2200, 1, 1, true},
	{4, 3500, 1, 2, true},
	{4, 6000, 1, 2, true},
	{4, 10000, 2, 2, true},
	{4, 14000, 2, 3, true},
}

// fitting is how many bits the latents are to take at least for each preset but the first:
// the networks of the larger ones, of some 5000 to 20,000 bits, would weigh too much.
var fitting = [...]float64{1 << 13, 1 << 14, 1 << 16, 1 << 17}

// fewBits are those under which the next larger preset than fits costs, after a long fit,
// between 3 % less and 3 % more, which nothing told beforehand: there a second fit tries it.
const fewBits = 1 << 16

// fit returns the effort with a preset that fits latents of so many bits, and a second fit only
// if they are few.
func (e effort) fit(bits float64) effort {
	for e.preset > 0 && bits < fitting[e.preset-1] {
		e.preset--
	}
	e.second = e.second && bits < fewBits
	return e
}

// priorPays reports whether a fit is better begun from a registered prior than from nothing,
// if its latents will take so many bits. Where they are few it saves networks; where they are
// many for each pixel its networks are the right ones. Between them lie large smooth
// pictures, for which only a fit from nothing learns to do without the finest grid.
func priorPays(bits float64, pixels int) bool {
	const few, bpp = 1 << 14, 0.25
	return bits < few || bits >= bpp*float64(pixels)
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
