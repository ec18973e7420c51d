// Package network is the network of the learned codec in float32: what is trained, and
// what an encoder that searches goes back through.
//
// # Architecture
//
// An analysis transform makes of a picture [Config.Latents] latents y for each square
// of 16 x 16 pixels. They are coded as integers
//
//	q = round((y - mean) * gain)        and become again        y' = mean + q/gain
//
// the gains being learned for several rates and interpolated between. The means, and
// the scales of the Laplace distributions that drive the entropy coder, come from a
// mean-scale hyperprior (Minnen, Ballé and Toderici, "Joint Autoregressive and
// Hierarchical Priors for Learned Image Compression", 2018) and from what was decoded
// before, in four passes (see [Parity]). A synthesis transform makes a picture of y'.
//
// Means and everything before them are in the latents' own units, so that they stay
// the same whatever the gain; only the quantiser and the scales know of it.
package network

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// Scales of Laplace distributions lie between the exponentials of these.
const (
	MinLogScale = -5
	MaxLogScale = 7
)

// PixelUnit is the pixel values, of 0..255, in one unit of a network's, whose zero is
// PixelZero.
const (
	PixelUnit = convnet.PixelUnit
	PixelZero = convnet.PixelZero
)

// A Picture is [H][W][3] in the units of PixelUnit.
type Picture = convnet.Picture

// A Pass holds the context network of one pass.
type Pass struct {
	Known *nn.Dense    // from the latents known so far to its input; nil in the first pass
	Body  *convnet.Net // see Config.Body
	// Heads, one for each group, give the means of a group's latents, and after them
	// the logarithms of their scales, both before the gain.
	Heads [Groups]*nn.Dense
}

// A Network is the networks of the codec and the buffers of a pass through them. It is
// for one goroutine at a time.
type Network struct {
	Config                                             Config
	Analysis, Synthesis, HyperAnalysis, HyperSynthesis *convnet.Net
	Passes                                             [Groups]*Pass
	LogGains                                           *nn.Param // [Anchors][Latents]
	HyperMeans, HyperLogScales                         *nn.Param // [Anchors][Hyper]
	// Temperature is that of Anneal: 0.5 is warm, 0.1 nearly rounds.
	Temperature float32
	params      []*nn.Param
	batch       batch
}

// New returns a network whose blocks are the identity and whose other parameters are
// zero.
func New(c Config, pool *nn.Pool) (*Network, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	n := &Network{
		Config:         c,
		LogGains:       nn.NewParam("log_gains", c.Anchors, c.Latents),
		HyperMeans:     nn.NewParam("hyper_means", c.Anchors, c.Hyper),
		HyperLogScales: nn.NewParam("hyper_log_scales", c.Anchors, c.Hyper),
	}
	var err error
	net := func(name string, in int, ops []convnet.Op) *convnet.Net {
		if err != nil {
			return nil
		}
		var made *convnet.Net
		if made, err = convnet.New(name, in, ops, pool); err == nil {
			n.params = append(n.params, made.Params()...)
		}
		return made
	}
	dense := func(name string, in, out int) *nn.Dense {
		if err != nil {
			return nil
		}
		var made *nn.Dense
		if made, err = nn.NewDense(name, in, out, pool); err == nil {
			n.params = append(n.params, made.Params()...)
		}
		return made
	}
	n.Analysis = net("analysis", 3, c.Analysis())
	n.Synthesis = net("synthesis", c.Latents, c.Synthesis())
	n.HyperAnalysis = net("hyper_analysis", c.Latents, c.HyperAnalysis())
	n.HyperSynthesis = net("hyper_synthesis", c.Hyper, c.HyperSynthesis())
	for k := range n.Passes {
		p := &Pass{}
		name := fmt.Sprintf("pass%d", k)
		if k > 0 {
			p.Known = dense(name+".known", c.Latents, c.Context)
		}
		p.Body = net(name+".body", c.Context, c.Body())
		for g := range p.Heads {
			p.Heads[g] = dense(fmt.Sprintf("%s.head%d", name, g), c.Context, 2*c.Latents/Groups)
		}
		n.Passes[k] = p
	}
	if err != nil {
		return nil, err
	}
	n.params = append(n.params, n.LogGains, n.HyperMeans, n.HyperLogScales)
	return n, nil
}

// Params returns all parameters, in an order that depends on the architecture alone.
func (n *Network) Params() []*nn.Param { return n.params }

// Refresh takes over the parameters as they are now.
func (n *Network) Refresh() {
	for _, net := range []*convnet.Net{n.Analysis, n.Synthesis, n.HyperAnalysis, n.HyperSynthesis} {
		net.Refresh()
	}
	for _, p := range n.Passes {
		if p.Known != nil {
			p.Known.Refresh()
		}
		p.Body.Refresh()
		for _, h := range p.Heads {
			h.Refresh()
		}
	}
}

// Init sets the parameters at random, but for those that are to start at zero: the
// second products of blocks, the heads and the hyperprior's distributions.
func (n *Network) Init(r *rand.Rand) {
	for _, net := range []*convnet.Net{n.Analysis, n.Synthesis, n.HyperAnalysis, n.HyperSynthesis} {
		net.Init(r)
	}
	for _, p := range n.Passes {
		if p.Known != nil {
			p.Known.Init(r)
		}
		p.Body.Init(r)
	}
	n.Refresh()
}

// MACs returns the multiplications for each pixel of encoding, the entropy model's
// among them, and of decoding.
func (c Config) MACs() (encode, decode float64) {
	macs := func(in int, ops []convnet.Op) float64 {
		m, err := convnet.MACs(in, ops)
		if err != nil {
			panic(err)
		}
		return m
	}
	passes := Groups*(macs(c.Context, c.Body())+float64(c.Context*2*c.Latents/Groups)) +
		(Groups-1)*float64(c.Latents*c.Context)
	entropy := passes/256 + macs(c.Hyper, c.HyperSynthesis())/4096
	decode = entropy + macs(c.Latents, c.Synthesis())/256
	encode = entropy + macs(3, c.Analysis()) + macs(c.Latents, c.HyperAnalysis())/256
	return encode, decode
}

// Parameters returns the number of parameters.
func (c Config) Parameters() int {
	weights := func(in int, ops []convnet.Op) int {
		w, err := convnet.Weights(in, ops)
		if err != nil {
			panic(err)
		}
		return w
	}
	heads := Groups * (c.Context + 1) * 2 * c.Latents / Groups
	return weights(3, c.Analysis()) + weights(c.Latents, c.Synthesis()) +
		weights(c.Latents, c.HyperAnalysis()) + weights(c.Hyper, c.HyperSynthesis()) +
		Groups*(weights(c.Context, c.Body())+heads) + (Groups-1)*(c.Latents+1)*c.Context +
		c.Anchors*(c.Latents+2*c.Hyper)
}

// batch holds what a pass through the network keeps for the way back.
type batch struct {
	s                      convnet.Shape // of the latents
	pixels                 convnet.Shape
	rates                  []float32
	logGain, gain, inverse []float32         // [N][Latents]
	y, decoded             []float32         // [rows][Latents]: latents, and y'
	known                  [Groups][]float32 // y' as far as it is known before each pass but the first
	slope                  []float32         // [rows][Latents]: the derivative of the rounding
	zSlope                 []float32
	dy, dMean, dScale      []float32                 // the gradients of the bits
	dLogGain               []float32                 // [N][Latents]
	z, rounded             []float32                 // [rows/16][Hyper]
	h                      []float32                 // [rows][Context]
	dz, dzMean, dzScale    []float32                 // the gradients of the hyperprior's bits
	a                      [Groups][]float32         // [rows][Context]: the inputs of the bodies
	features               [Groups][Groups][]float32 // [rows/4][Context]: the heads' inputs, by pass and group
	out, dOut, dFeatures   []float32                 // of a head
	dBody, da, dKnown, dh  []float32
	dPixels                []float32
	work                   [7][]float32 // elements that are coded at once
}

func sized(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// A Mode says how latents are made integers.
type Mode uint8

const (
	// Noise adds uniform noise where bits are counted and rounds, with the gradient of
	// the identity, where latents go on to other networks (Minnen and Singh,
	// "Channel-wise Autoregressive Entropy Models", 2020): for training.
	Noise Mode = iota
	// Round rounds, as the codec does.
	Round
	// Anneal chooses one of the two nearest integers at random, softened as much as
	// the network's Temperature says, for an encoder that searches: stochastic Gumbel
	// annealing (Yang, Bamler and Mandt, "Improving Inference for Neural Image
	// Compression", 2020).
	Anneal
	// smooth is Noise without the rounding, which leaves gradients that can be checked.
	smooth
)

// quantise returns what a latent of r steps becomes where it goes on, q, and where bits
// are counted, x, and the derivative of q by r that gradients go by.
func (n *Network) quantise(r float32, mode Mode, noise *rand.Rand) (q, x, slope float32) {
	switch mode {
	case smooth:
		return r, r + noise.Float32() - 0.5, 1
	case Anneal:
		return n.anneal(r, noise)
	}
	q = float32(math.RoundToEven(float64(r)))
	if mode == Round {
		return q, q, 1
	}
	return q, r + noise.Float32() - 0.5, 1
}

// anneal is quantise for Anneal. The integers f below and f+1 above r, with v = r - f,
// are chosen in proportion to exp(-atanh(v)/T) and exp(-atanh(1-v)/T); the choice is
// relaxed to a weight of the upper one by logistic noise L (the difference of two of
// Gumbel's), w = 1/(1 + exp(-((atanh(v) - atanh(1-v))/T + L)/T)).
func (n *Network) anneal(r float32, noise *rand.Rand) (q, x, slope float32) {
	t := n.Temperature
	f := float32(math.Floor(float64(r)))
	const edge = 1e-3
	v := min(max(r-f, edge), 1-edge)
	u := min(max(noise.Float32(), 1e-6), 1-1e-6)
	// atanh(v) - atanh(1-v) = ln((1+v)v / ((1-v)(2-v)))/2
	logit := float32(math.Log(float64((1+v)*v/((1-v)*(2-v)))))/2/t + float32(math.Log(float64(u/(1-u))))
	w := 1 / (1 + float32(math.Exp(float64(-logit/t))))
	// d atanh(v)/dv = 1/(1-v²), d atanh(1-v)/dv = -1/(1-(1-v)²) = -1/(v(2-v)).
	slope = w * (1 - w) / (t * t) * (1/(1-v*v) + 1/(v*(2-v)))
	q = f + w
	return q, q, min(slope, 4)
}

// Loss is what the pictures of a batch cost.
type Loss struct {
	Bits      []float64 // of each picture's latents
	HyperBits []float64 // of its hyperprior's
	// SquaredError is the sum over samples of squared differences, of pixel values of
	// 0..255.
	SquaredError []float64
}

// Forward codes a batch of pictures x, [N][H][W][3] in the units of PixelUnit, H and W
// being multiples of 64, at rates of 0..1. It returns what they cost and the decoded
// pictures, which are valid until the next pass.
func (n *Network) Forward(x []float32, s convnet.Shape, rates []float32, mode Mode, noise *rand.Rand) (Loss, []float32) {
	y, z := n.Analyse(x, s, rates)
	return n.Code(y, z, x, s, rates, mode, noise)
}

// Analyse returns the latents of a batch, [N][H/16][W/16][Latents], and those of the
// hyperprior, [N][H/64][W/64][Hyper], valid until the next pass.
func (n *Network) Analyse(x []float32, s convnet.Shape, rates []float32) (y, z []float32) {
	y, ys := n.Analysis.Forward(x, s, rates)
	z, _ = n.HyperAnalysis.Forward(y, ys, rates)
	return y, z
}

// Code is Forward from given latents on.
func (n *Network) Code(y, z, x []float32, s convnet.Shape, rates []float32, mode Mode, noise *rand.Rand) (Loss, []float32) {
	b, c := &n.batch, n.Config
	b.rates, b.pixels = rates, s
	b.y, b.s, b.z = y, convnet.Shape{N: s.N, H: s.H / 16, W: s.W / 16}, z
	rows, m := b.s.Rows(), c.Latents
	n.prepareGains()
	loss := Loss{make([]float64, s.N), make([]float64, s.N), make([]float64, s.N)}
	b.dy, b.decoded = sized(b.dy, rows*m), sized(b.decoded, rows*m)
	b.dMean, b.dScale, b.slope = sized(b.dMean, rows*m), sized(b.dScale, rows*m), sized(b.slope, rows*m)
	b.dLogGain = sized(b.dLogGain, s.N*m)
	clear(b.dLogGain)

	zs := convnet.Shape{N: s.N, H: s.H / 64, W: s.W / 64}
	n.codeHyper(zs, mode, noise, loss.HyperBits)
	h, _ := n.HyperSynthesis.Forward(b.rounded, zs, rates)
	b.h = h
	clear(b.decoded)
	for k, p := range n.Passes {
		b.a[k] = sized(b.a[k], rows*c.Context)
		copy(b.a[k], h)
		if k > 0 {
			b.known[k] = sized(b.known[k], rows*m)
			copy(b.known[k], b.decoded)
			b.da = sized(b.da, rows*c.Context)
			p.Known.Forward(b.da, b.known[k], rows)
			kernels.AxpbyF32(b.a[k], 1, b.da, 1)
		}
		kernels.LeakyF32(b.a[k], b.a[k], 0)
		f, _ := p.Body.Forward(b.a[k], b.s, rates)
		for g, head := range p.Heads {
			b.features[k][g] = sized(b.features[k][g], rows/4*c.Context)
			b.eachRow(Parity(k, g), func(row, i int) {
				copy(b.features[k][g][i*c.Context:(i+1)*c.Context], f[row*c.Context:(row+1)*c.Context])
			})
			b.out = sized(b.out, rows/4*2*m/Groups)
			head.Forward(b.out, b.features[k][g], rows/4)
			n.code(k, g, mode, noise, loss.Bits)
		}
	}
	pixels, _ := n.Synthesis.Forward(b.decoded, b.s, rates)
	b.dPixels = sized(b.dPixels, len(x))
	size := s.H * s.W * 3
	for i := range s.N {
		from, to := i*size, (i+1)*size
		d := b.dPixels[from:to]
		copy(d, pixels[from:to])
		kernels.AxpbyF32(d, 1, x[from:to], -1)
		loss.SquaredError[i] = kernels.DotF32(d, d) * PixelUnit * PixelUnit
	}
	return loss, pixels
}

// eachRow calls f for the rows of a parity, i counting them.
func (b *batch) eachRow(parity int, f func(row, i int)) {
	i := 0
	for p := range b.s.N {
		for y := parity / 2; y < b.s.H; y += 2 {
			for x := parity % 2; x < b.s.W; x += 2 {
				f((p*b.s.H+y)*b.s.W+x, i)
				i++
			}
		}
	}
}

// prepareGains interpolates the gains of the batch's rates.
func (n *Network) prepareGains() {
	b, m := &n.batch, n.Config.Latents
	b.logGain, b.gain, b.inverse = sized(b.logGain, b.s.N*m), sized(b.gain, b.s.N*m), sized(b.inverse, b.s.N*m)
	for i, r := range b.rates {
		k, f := convnet.At(r, n.Config.Anchors)
		lo, hi := n.LogGains.Data[k*m:(k+1)*m], n.LogGains.Data[(k+1)*m:(k+2)*m]
		for c := range m {
			b.logGain[i*m+c] = lo[c] + f*(hi[c]-lo[c])
		}
	}
	for i, v := range b.logGain {
		b.gain[i] = float32(math.Exp(float64(v)))
		b.inverse[i] = 1 / b.gain[i]
	}
}

// codeHyper counts the bits of the hyperprior's latents, keeps their gradient in dz,
// and rounds them.
func (n *Network) codeHyper(s convnet.Shape, mode Mode, noise *rand.Rand, bits []float64) {
	b, c := &n.batch, n.Config.Hyper
	rows := s.Rows()
	b.dz, b.rounded = sized(b.dz, rows*c), sized(b.rounded, rows*c)
	b.dzMean, b.dzScale, b.zSlope = sized(b.dzMean, rows*c), sized(b.dzScale, rows*c), sized(b.zSlope, rows*c)
	w := &b.work
	for i := range 4 {
		w[i] = sized(w[i], rows*c)
	}
	x, mu, sc, cost := w[0], w[1], w[2], w[3]
	each := s.H * s.W * c
	for p, r := range b.rates {
		k, f := convnet.At(r, n.Config.Anchors)
		for i := p * each; i < (p+1)*each; i++ {
			j := i % c
			mu[i] = mix(n.HyperMeans.Data, k, c, j, f)
			sc[i] = mix(n.HyperLogScales.Data, k, c, j, f)
			b.rounded[i], x[i], b.zSlope[i] = n.quantise(b.z[i], mode, noise)
		}
	}
	kernels.LaplaceBitsF32(cost, b.dz, b.dzMean, b.dzScale, x, mu, sc, 1, MinLogScale, MaxLogScale)
	for p := range bits {
		bits[p] = kernels.SumF32(cost[p*each : (p+1)*each])
	}
}

func mix(rows []float32, k, width, j int, f float32) float32 {
	lo, hi := rows[k*width+j], rows[(k+1)*width+j]
	return lo + f*(hi-lo)
}

// code quantises and counts the bits of a group of latents in a pass, whose head's
// output is in b.out.
func (n *Network) code(pass, group int, mode Mode, noise *rand.Rand, bits []float64) {
	b, m := &n.batch, n.Config.Latents
	g := m / Groups
	size := b.s.Rows() / Groups * g
	w := &b.work
	for i := range w {
		w[i] = sized(w[i], size)
	}
	x, mu, sc, cost, dx, dmu, ds := w[0], w[1], w[2], w[3], w[4], w[5], w[6]
	each := b.s.H * b.s.W
	b.eachRow(Parity(pass, group), func(row, i int) {
		at, gains := row*m+group*g, row/each*m+group*g
		o := b.out[i*2*g : (i+1)*2*g]
		y, to, slope := b.y[at:at+g], b.decoded[at:at+g], b.slope[at:at+g]
		gain, inverse, logGain := b.gain[gains:gains+g], b.inverse[gains:gains+g], b.logGain[gains:gains+g]
		for c := range g {
			j := i*g + c
			mean := o[c]
			r := (y[c] - mean) * gain[c]
			q, r, d := n.quantise(r, mode, noise)
			to[c] = mean + q*inverse[c]
			slope[c] = d
			mu[j] = mean * gain[c]
			sc[j] = o[g+c] + logGain[c]
			x[j] = mu[j] + r
		}
	})
	kernels.LaplaceBitsF32(cost, dx, dmu, ds, x, mu, sc, 1, MinLogScale, MaxLogScale)
	b.eachRow(Parity(pass, group), func(row, i int) {
		picture := row / each
		at, gains := row*m+group*g, picture*m+group*g
		var sum float32
		for c := range g {
			j := i*g + c
			sum += cost[j]
			gain := b.gain[gains+c]
			// dmu is -dx; what the integer follows of the latent it does not of the mean.
			b.dy[at+c] = dx[j] * gain * b.slope[at+c]
			b.dMean[at+c] = dmu[j] * gain * b.slope[at+c]
			b.dScale[at+c] = ds[j]
			b.dLogGain[gains+c] += dx[j]*gain*b.y[at+c] + dmu[j]*mu[j] + ds[j]
		}
		bits[picture] += float64(sum)
	})
}

// Backward adds to the gradients of the parameters that of
//
//	sum over pictures of bits[i]*(Bits + HyperBits) + errors[i]*SquaredError
//
// after a Forward with Noise.
func (n *Network) Backward(bits, errors []float32) {
	dy, dz := n.backward(bits, errors, true)
	kernels.AxpbyF32(dy, 1, n.HyperAnalysis.Backward(dz, true, true), 1)
	n.Analysis.Backward(dy, false, true)
}

// LatentGradients returns the gradients of the same sum with respect to the latents that
// Code was given, valid until the next pass; those of the parameters it leaves alone.
func (n *Network) LatentGradients(bits, errors []float32) (dy, dz []float32) {
	return n.backward(bits, errors, false)
}

func (n *Network) backward(bits, errors []float32, weights bool) (dy, dz []float32) {
	b, c := &n.batch, n.Config
	m, g, rows, each := c.Latents, c.Latents/Groups, b.s.Rows(), b.s.H*b.s.W
	size := b.pixels.H * b.pixels.W * 3
	for i, e := range errors {
		d := b.dPixels[i*size : (i+1)*size]
		kernels.AxpbyF32(d, 2*PixelUnit*PixelUnit*e, d, 0)
	}
	dDecoded := n.Synthesis.Backward(b.dPixels, true, weights)
	b.dh = sized(b.dh, rows*c.Context)
	clear(b.dh)
	for k := Groups - 1; k >= 0; k-- {
		p := n.Passes[k]
		b.dBody = sized(b.dBody, rows*c.Context)
		for group, head := range p.Heads {
			b.dOut, b.dFeatures = sized(b.dOut, rows/4*2*g), sized(b.dFeatures, rows/4*c.Context)
			b.eachRow(Parity(k, group), func(row, i int) {
				at, weight := row*m+group*g, bits[row/each]
				o := b.dOut[i*2*g : (i+1)*2*g]
				for j := range g {
					o[j] = weight*b.dMean[at+j] + dDecoded[at+j]*(1-b.slope[at+j])
					o[g+j] = weight * b.dScale[at+j]
				}
			})
			head.Backward(b.dFeatures, b.dOut, b.features[k][group], rows/4, weights)
			b.eachRow(Parity(k, group), func(row, i int) {
				copy(b.dBody[row*c.Context:(row+1)*c.Context], b.dFeatures[i*c.Context:(i+1)*c.Context])
			})
		}
		// The bodies share no buffers, so the last forward pass of each is this one's.
		da := p.Body.Backward(b.dBody, true, weights)
		kernels.GateF32(da, da, b.a[k], 0)
		kernels.AxpbyF32(b.dh, 1, da, 1)
		if k == 0 {
			continue
		}
		b.dKnown = sized(b.dKnown, rows*m)
		p.Known.Backward(b.dKnown, da, b.known[k], rows, weights)
		for before := range k {
			for group := range Groups {
				b.eachRow(Parity(before, group), func(row, _ int) {
					at := row*m + group*g
					kernels.AxpbyF32(dDecoded[at:at+g], 1, b.dKnown[at:at+g], 1)
				})
			}
		}
	}
	if weights {
		n.gainGradients(dDecoded, bits)
	}
	dz = n.hyperGradients(bits, weights)
	for i, v := range n.HyperSynthesis.Backward(b.dh, true, weights) {
		dz[i] += v * b.zSlope[i]
	}
	for i := range b.s.N {
		from, to := i*each*m, (i+1)*each*m
		d := b.dy[from:to]
		for j, v := range dDecoded[from:to] {
			d[j] = d[j]*bits[i] + v*b.slope[from+j]
		}
	}
	return b.dy, dz
}

// gainGradients adds the gradients with respect to the gains: those of the bits, and
// that of y' = mean + q/gain for dDecoded, which is y'-y by which it grows as the
// logarithm of the gain falls, the rounding's own gradient being the identity's.
func (n *Network) gainGradients(dDecoded, bits []float32) {
	b, m := &n.batch, n.Config.Latents
	each := b.s.H * b.s.W
	for p, r := range b.rates {
		d := b.dLogGain[p*m : (p+1)*m]
		for i := range d {
			d[i] *= bits[p]
		}
		for row := p * each; row < (p+1)*each; row++ {
			at := row * m
			for i := range d {
				d[i] += dDecoded[at+i] * (b.y[at+i] - b.decoded[at+i])
			}
		}
		k, f := convnet.At(r, n.Config.Anchors)
		kernels.AxpbyF32(n.LogGains.Grad[k*m:(k+1)*m], 1, d, 1-f)
		kernels.AxpbyF32(n.LogGains.Grad[(k+1)*m:(k+2)*m], 1, d, f)
	}
}

// hyperGradients adds the gradients of the hyperprior's distributions, if weights is
// true, and returns the bits' gradient with respect to its latents.
func (n *Network) hyperGradients(bits []float32, weights bool) []float32 {
	b, c := &n.batch, n.Config.Hyper
	each := b.s.H * b.s.W / 16 * c
	for p, r := range b.rates {
		k, f := convnet.At(r, n.Config.Anchors)
		for i := p * each; i < (p+1)*each; i++ {
			j := i % c
			b.dz[i] *= bits[p] * b.zSlope[i]
			if !weights {
				continue
			}
			mean, scale := bits[p]*b.dzMean[i], bits[p]*b.dzScale[i]
			n.HyperMeans.Grad[k*c+j] += (1 - f) * mean
			n.HyperMeans.Grad[(k+1)*c+j] += f * mean
			n.HyperLogScales.Grad[k*c+j] += (1 - f) * scale
			n.HyperLogScales.Grad[(k+1)*c+j] += f * scale
		}
	}
	return b.dz
}
