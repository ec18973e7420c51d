// Package network is the network of the vector codec in float32, with its codebooks:
// what is trained.
//
// # Architecture
//
// An analysis transform describes each square of 8 x 8 pixels by a vector, and
// orthonormal maps of four vectors to one, which are not trained, those of 16, 32 and 64
// pixels. A picture is coded from the coarse end: what was decoded of a level gives a
// network's prediction of the next, to which words of codebooks are added,
//
//	r0 = words(y0)        r1 = p1(r0) + words(y1 - p1(r0))        r2 = ...
//
// and a synthesis transform makes pixels of the last. A cell has no word, one, or one of
// several stages. The networks that predict also say how much energy they leave, which
// the entropy coder's contexts go by.
//
// As the maps between levels are orthonormal, and the transforms begin as such, squared
// errors of vectors are those of pixels, times Weight: an encoder compares words without
// decoding them.
//
// The pyramid of predicted residuals is that of VQ-VAE-2 (Razavi, van den Oord and
// Vinyals, 2019) turned round, words by rate and distortion are those of
// entropy-constrained vector quantisation (Chou, Lookabaugh and Gray, 1989), cells of
// several sizes in one picture are Control-GIC's (Li et al., 2024).
package network

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// PixelUnit is the pixel values, of 0..255, in one unit of a network's, whose zero is
// PixelZero.
const (
	PixelUnit = convnet.PixelUnit
	PixelZero = convnet.PixelZero
)

// A Picture is [H][W][3] in the units of PixelUnit.
type Picture = convnet.Picture

// Classes is how many kinds of cell contexts tell apart, by the energy that a predictor
// expects to leave: classes are 1/ClassesPerNat apart in its natural logarithm.
const (
	Classes       = 16
	ClassesPerNat = 2
)

// A Network is the networks of the codec, its codebooks and the buffers of a pass. It is
// for one goroutine at a time.
type Network struct {
	Config              Config
	Analysis, Synthesis *convnet.Net
	// Reference is the linear transform that the analysis begins as and is held near.
	Reference  *convnet.Net
	Pools      [Levels]*convnet.Net // from the level after; nil for the finest
	Predictors [Levels]*convnet.Net // from the level before; nil for the first
	Books      [Levels][]*Book      // of each stage
	// LowEnergy is the logarithm of the energy where each level's class 1 begins.
	LowEnergy [Levels]float32
	// Weight is the squared error of pixels, in units of PixelUnit, for one of the
	// finest level's vectors.
	Weight float32

	pool   *nn.Pool
	params []*nn.Param // trained
	all    []*nn.Param // those of the reference and the pools as well
	batch  batch
}

// New returns a network whose blocks are the identity and whose other numbers are zero.
func New(c Config, pool *nn.Pool) (*Network, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	n := &Network{Config: c, Weight: 1, pool: pool}
	var err error
	net := func(name string, in int, ops []convnet.Op) *convnet.Net {
		if err != nil {
			return nil
		}
		var made *convnet.Net
		if made, err = convnet.New(name, in, ops, pool); err == nil {
			n.all = append(n.all, made.Params()...)
		}
		return made
	}
	n.Analysis = net("analysis", 3, c.AnalysisOps())
	n.Synthesis = net("synthesis", c.Levels[Finest].Dim, c.SynthesisOps())
	for l := 1; l < Levels; l++ {
		n.Predictors[l] = net(fmt.Sprintf("predictor%d", l), c.Levels[l-1].Dim, c.PredictorOps(l))
	}
	n.params = n.all[:len(n.all):len(n.all)]
	n.Reference = net("reference", 3, c.ReferenceOps())
	for l := range Finest {
		n.Pools[l] = net(fmt.Sprintf("pool%d", l), c.Levels[l+1].Dim, c.PoolOps(l))
	}
	if err != nil {
		return nil, err
	}
	for l, level := range c.Levels {
		for range level.Stages {
			n.Books[l] = append(n.Books[l], newBook(level, c.Anchors))
		}
	}
	return n, nil
}

// Params returns the parameters that are trained by gradients, in an order that depends
// on the architecture alone.
func (n *Network) Params() []*nn.Param { return n.params }

// Refresh takes over the parameters as they are now.
func (n *Network) Refresh() { n.nets(func(net *convnet.Net) { net.Refresh() }) }

func (n *Network) nets(f func(*convnet.Net)) {
	f(n.Analysis)
	f(n.Synthesis)
	f(n.Reference)
	for l := range Levels {
		if l > 0 {
			f(n.Predictors[l])
		}
		if l < Finest {
			f(n.Pools[l])
		}
	}
}

// Init sets the networks' parameters at random, but for the second products of blocks.
func (n *Network) Init(r *rand.Rand) {
	n.nets(func(net *convnet.Net) { net.Init(r) })
}

// batch holds what a pass keeps for the way back.
type batch struct {
	rates   []float32
	kappa   []float32             // [N] bits that one unit of squared error is worth
	shapes  [Levels]convnet.Shape // of the grids
	y       [Levels][]float32     // [rows][Dim] what the analysis says
	r       [Levels][]float32     // [rows][Dim] what is decoded
	left    [Levels][]float32     // [rows][Dim] y less the prediction
	energy  [Levels][]float32     // [rows] predicted logarithm of left's energy, less the true one
	coded   [Levels][]bool        // [rows] whether the cell has a word
	y0      []float32             // what the reference says in place of the finest y
	dy      []float32
	dOut    []float32
	dPixels []float32
	samples int
}

func sized(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// A Mode says what a pass is for.
type Mode uint8

const (
	Train   Mode = iota // codes with the codebooks as they are, and notes what they could learn
	Measure             // also measures Weight
	Test                // notes nothing
)

// Loss is what the pictures of a batch cost.
type Loss struct {
	Bits []float64 // of each picture's tokens, as the running statistics have it
	// SquaredError is the sum over samples of squared differences, of pixel values of
	// 0..255.
	SquaredError []float64
}

// lowestEnergy keeps logarithms finite.
const lowestEnergy = 1e-4

// Forward codes a batch of pictures x, [N][H][W][3] in the units of PixelUnit, H and W
// being multiples of 64, at rates of 0..1, of which bits cost as much beside squared
// errors as Lambda says. It returns what they cost and the decoded pictures, which are
// valid until the next pass.
func (n *Network) Forward(x []float32, s convnet.Shape, rates []float32, mode Mode) (Loss, []float32) {
	b, c := &n.batch, n.Config
	b.rates, b.samples = rates, s.H*s.W*3
	b.kappa = sized(b.kappa, s.N)
	for i, r := range rates {
		b.kappa[i] = float32(Lambda(float64(r))/3*PixelUnit*PixelUnit) * n.Weight
	}
	loss := Loss{make([]float64, s.N), make([]float64, s.N)}
	b.y[Finest], b.shapes[Finest] = n.Analysis.Forward(x, s, rates)
	if mode != Test {
		b.y0, _ = n.Reference.Forward(x, s, nil)
	}
	for l := Finest - 1; l >= 0; l-- {
		b.y[l], b.shapes[l] = n.Pools[l].Forward(b.y[l+1], b.shapes[l+1], rates)
	}
	for l, level := range c.Levels {
		rows, d := b.shapes[l].Rows(), level.Dim
		b.r[l], b.left[l], b.energy[l] = sized(b.r[l], rows*d), sized(b.left[l], rows*d), sized(b.energy[l], rows)
		if l == 0 {
			clear(b.r[l])
			clear(b.energy[l])
		} else {
			out, _ := n.Predictors[l].Forward(b.r[l-1], b.shapes[l-1], rates)
			for i := range rows {
				copy(b.r[l][i*d:(i+1)*d], out[i*(d+1):])
				b.energy[l][i] = out[i*(d+1)+d]
			}
		}
		copy(b.left[l], b.y[l])
		kernels.AxpbyF32(b.left[l], 1, b.r[l], -1)
		n.code(l, mode, loss.Bits)
	}
	if mode == Measure {
		n.measure(x)
	}
	pixels, _ := n.Synthesis.Forward(b.r[Finest], b.shapes[Finest], rates)
	b.dPixels = sized(b.dPixels, len(x))
	n.pixelErrors(b.dPixels, pixels, x, loss.SquaredError)
	return loss, pixels
}

// pixelErrors sets d to the differences and adds their squares up.
func (n *Network) pixelErrors(d, pixels, x []float32, sums []float64) {
	copy(d, pixels)
	kernels.AxpbyF32(d, 1, x, -1)
	for i := range sums {
		e := d[i*n.batch.samples : (i+1)*n.batch.samples]
		sums[i] = kernels.DotF32(e, e) * PixelUnit * PixelUnit
	}
}

// measure moves Weight towards what the errors of the finest level's vectors add to
// those of the pixels.
func (n *Network) measure(x []float32) {
	b := &n.batch
	y, r := b.y[Finest], b.r[Finest]
	d := make([]float32, len(x))
	var sums [2]float64
	for i, v := range [][]float32{y, r} {
		pixels, _ := n.Synthesis.Forward(v, b.shapes[Finest], b.rates)
		each := make([]float64, len(b.rates))
		n.pixelErrors(d, pixels, x, each)
		for _, e := range each {
			sums[i] += e / (PixelUnit * PixelUnit)
		}
	}
	var vectors float64
	for i, v := range y {
		e := float64(v - r[i])
		vectors += e * e
	}
	if w := (sums[1] - sums[0]) / vectors; vectors > 0 && w-w == 0 {
		const share = 0.05
		n.Weight += share * (float32(min(max(w, 0.05), 4)) - n.Weight)
	}
}

// class returns the class of a predicted energy at a level.
func (n *Network) class(l int, energy float32) int {
	if l == 0 {
		return 0
	}
	return int(min(max(math.Floor(float64(energy-n.LowEnergy[l])*ClassesPerNat)+1, 0), Classes-1))
}

// code finds the words of a level's cells, stage by stage.
func (n *Network) code(l int, mode Mode, bits []float64) {
	b, d := &n.batch, n.Config.Levels[l].Dim
	rows := b.shapes[l].Rows()
	each := rows / b.shapes[l].N
	if cap(b.coded[l]) < rows {
		b.coded[l] = make([]bool, rows)
	}
	b.coded[l] = b.coded[l][:rows]
	clear(b.coded[l])
	cells := make([]cell, 0, rows)
	left := make([]float32, rows*d)
	copy(left, b.left[l])
	for i := range rows {
		cells = append(cells, cell{Row: i, Class: n.class(l, b.energy[l][i]), Anchor: n.anchor(b.rates[i/each]), Kappa: b.kappa[i/each]})
		// From here on energy is what Backward wants.
		v := b.left[l][i*d : (i+1)*d]
		truth := float32(math.Log(kernels.DotF32(v, v) + lowestEnergy))
		if mode != Test && l > 0 {
			n.LowEnergy[l] += energyShare / float32(rows) * (truth - energySpan - n.LowEnergy[l])
		}
		b.energy[l][i] -= truth
	}
	for _, book := range n.Books[l] {
		next := cells[:0]
		for _, c := range book.choose(left, cells, mode != Test) {
			bits[c.Row/each] += float64(c.bits)
			if c.word < 0 {
				continue
			}
			w := book.Data[c.word*d : (c.word+1)*d]
			kernels.AxpbyF32(b.r[l][c.Row*d:(c.Row+1)*d], 1, w, 1)
			kernels.AxpbyF32(left[c.Row*d:(c.Row+1)*d], 1, w, -1)
			b.coded[l][c.Row] = true
			next = append(next, c)
		}
		cells = next
	}
}

// Energies' classes begin energySpan below the mean logarithm, which moves by
// energyShare a batch.
const (
	energySpan  = 4
	energyShare = 0.01
)

// anchor returns the anchor nearest a rate.
func (n *Network) anchor(rate float32) int {
	return int(math.Round(float64(rate) * float64(n.Config.Anchors-1)))
}

// What else counts, in the loss: a prediction for the squared error that it leaves, in
// pixels' units, and for each bit how wrong a predicted energy is.
const (
	predictionWeight = 0.3
	energyWeight     = 0.05
)

// Backward adds to the gradients of the parameters that of
//
//	sum over pictures of bits[i]*Bits + errors[i]*SquaredError
//
// after a Forward for training, with those of the losses above, bits' own gradient being
// what they stand for. dPixels, unless nil, is a further gradient with respect to the
// decoded pictures.
//
// What predicted a cell without a word has the gradient g of what is decoded there. The
// analysis cannot have it alone, as r does not follow y, which would run away: for a
// linear synthesis g is 2(r-y), and y would go ever further from r. It has
//
//	g + 2(y - r) + 2(y - y0)
//
// which is zero then at the reference's y0. Where errors matter more to the synthesis
// than they would to a linear one, y moves away from r, and is given more bits, and where
// they matter less towards it.
func (n *Network) Backward(bits, errors, dPixels []float32) {
	b := &n.batch
	for i, e := range errors {
		d := b.dPixels[i*b.samples : (i+1)*b.samples]
		kernels.AxpbyF32(d, 2*PixelUnit*PixelUnit*e, d, 0)
	}
	if dPixels != nil {
		kernels.AxpbyF32(b.dPixels, 1, dPixels, 1)
	}
	dr := n.Synthesis.Backward(b.dPixels, true, true)
	b.dy = sized(b.dy, len(dr))
	copy(b.dy, dr)
	for l := Finest; l > 0; l-- {
		d, rows := n.Config.Levels[l].Dim, b.shapes[l].Rows()
		each := rows / b.shapes[l].N
		b.dOut = sized(b.dOut, rows*(d+1))
		for i := range rows {
			unit := 2 * errors[i/each] * PixelUnit * PixelUnit
			out := b.dOut[i*(d+1) : (i+1)*(d+1)]
			for j, v := range b.left[l][i*d : (i+1)*d] {
				out[j] = -predictionWeight * unit * v
			}
			if !b.coded[l][i] {
				kernels.AxpbyF32(out[:d], 1, dr[i*d:(i+1)*d], 1)
			}
			out[d] = 2 * energyWeight * bits[i/each] * b.energy[l][i]
			if l == Finest {
				dy, y, r, y0 := b.dy[i*d:(i+1)*d], b.y[l][i*d:(i+1)*d], b.r[l][i*d:(i+1)*d], b.y0[i*d:(i+1)*d]
				for j := range dy {
					dy[j] += unit * (2*y[j] - r[j] - y0[j])
				}
			}
		}
		dr = n.Predictors[l].Backward(b.dOut, true, true)
	}
	n.Analysis.Backward(b.dy, false, true)
}
