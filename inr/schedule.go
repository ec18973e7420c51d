package inr

import "math"

// The schedule of a fit over its progress x in 0..1, in the manner of Cool-Chic 5:
// rounding starts soft and ends nearly hard, noise and rates fall. Progress is that of
// iterations, or of time where that is short, so that a fit always ends with small
// steps.
const (
	temperatureStart = 0.45 // of soft rounding, from slowLambda up
	temperatureEnd   = 0.03
	noiseStart       = 0.22 // standard deviation in steps of the latents
	noiseEnd         = 0.15
	latentRate       = 0.16 // in steps of the latents, likewise
	// Below slowLambda latents have further to go and are to learn longer what they would
	// best be without rounding: with their rate and the first temperature raised by such
	// powers fits of 400 iterations cost 12 % less at quality 85, those of 1500 6 %.
	slowLambda       = 2e-3
	ratePower        = 0.35
	temperaturePower = 0.2
	latentRateEnd    = 1.0 / 1000 // of the rate
	latentShare      = 0.5        // of the grid's mean square in each latent's
	latentBeta1      = 0.6        // short memories: the noise is new each time, and few steps must do
	latentBeta2      = 0.95
	netRate          = 0.02
	netRateEnd       = netRate / 20
	priorNetRate     = 0.5 // times netRate, from a prior: at no loss networks take a tenth less than with 1
	netBeta1         = 0.9
	netBeta2         = 0.95
	netNorm          = 0.1 // bound of the gradient of all networks
	netEvery         = 1   // steps between SOAP's new bases
	netRise          = 20  // iterations in which the rate rises: SOAP's first bases are poor
	// Networks that begin from nothing soon learn to predict latents of the finest grid from
	// their neighbours, and then it carries brightness, which coarser grids would for
	// fewer bits, and keeps it: 24 to 90 % of its latents are not zero at the end. So up
	// to meanFrom all means stay zero, which leaves 3 to 10 %: fits of 1000 iterations cost
	// 3 % less at quality 50, those of 3000 4 %. Below slowLambda the rate weighs more until
	// lambdaFrom, falling from slowLambda's or lambdaMore times the usual, which does the
	// same. Below meanLambda, where the finest grid has to carry much, that is enough, and
	// zero means cost 2.5 % more at qualities 70 and 85.
	meanFrom   = 0.1
	meanLambda = 8e-4
	lambdaFrom = 0.2
	lambdaMore = 10
	// From netNoiseFrom on networks of fits of netNoiseIterations and more are to learn to bear
	// that they are rounded in the end: 384x256 parts of pictures cost 0.5 to 2.3 % less after
	// 3500 iterations. Shorter fits have not the time, and of 1000 would cost 0.2 to 1.2 % more.
	// The noise is uniform over a usual step for netNoisePixels and, but for context networks,
	// netNoiseLambda, and never over more than netNoiseMost of those (see shakeNets).
	netNoiseFrom       = 0.3
	netNoiseIterations = 2000
	netNoisePixels     = 190000
	netNoiseLambda     = 9.5e-4
	netNoiseMost       = 2
)

// A pace is the settings of one iteration.
type pace struct {
	temperature, noise  float64
	latentRate, netRate float64
	rateWeight          float64 // in the loss, times the fit's lambda
	zeroMeans           bool    // the context network's means are not learnt
	netNoise            bool    // on the networks' parameters
}

// paceAt returns the pace of an iteration that takes a fit for lambda from x to x+stride, after so
// many others. A fresh one began from nothing, without a prior.
func paceAt(x, stride float64, iteration int, lambda float64, fresh bool) pace {
	x = min(x, 1)
	cosine := func(from, to float64) float64 { return to + (from-to)*(1+math.Cos(math.Pi*x))/2 }
	further := max(slowLambda/lambda, 1)
	rate := latentRate * math.Pow(further, ratePower)
	temperature := temperatureStart * math.Pow(further, temperaturePower)
	rise := min(float64(iteration+1)/netRise, 1)
	p := pace{
		temperature: temperature + (temperatureEnd-temperature)*x,
		noise:       noiseStart + (noiseEnd-noiseStart)*x,
		latentRate:  rate * cosine(1, latentRateEnd),
		netRate:     rise * cosine(netRate, netRateEnd),
		rateWeight:  1,
		netNoise:    x >= netNoiseFrom && stride*netNoiseIterations <= 1,
	}
	if fresh {
		p.rateWeight += (min(further, lambdaMore) - 1) * max(1-x/lambdaFrom, 0)
		p.zeroMeans = x < meanFrom && lambda >= meanLambda
	}
	return p
}
