package inr

import (
	"errors"
	"fmt"
)

// The architecture follows Cool-Chic (Ladune et al., "COOL-CHIC: Coordinate-based
// Low Complexity Hierarchical Image Codec", ICCV 2023; Leguay et al., "Low-complexity
// Overfitted Neural Image Codec", MMSP 2023) with the grids coded coarsest first, a
// context network with residual layers that also sees mixtures of the coarser grids, and
// two residual 3x3 convolutions behind the synthesis. Mixtures, hyperlatents and filters of
// single grids are as in version 5 of its software. Grids of colour are not: there each
// size has one grid for all that the synthesis is to know.

// Limits of an Arch.
const (
	MaxChannels = 4
	MaxGrids    = 9
	MaxFeatures = 6
	MaxHidden   = 256
	MaxExtra    = 12
	MaxColour   = 2
	MaxSpatial  = len(spatialOffsets)
)

// LatentMax bounds the latents: they lie in -LatentMax..LatentMax.
const LatentMax = 127

// An Arch is the shape of a fitted picture's networks.
//
// Latents are integers in a grid at each of Grids scales, Colour further grids at those of 1/4
// and 1/8, which a fit begins with what is not brightness, and, from 1/16 down, a second grid at
// each: hyperlatents, which the synthesis does not see (see [Arch.LatentGrids]).
//
// With d = Spatial + Features inputs x, the context network (ARM) computes
//
//	h1 = relu(x + W1 x + b1[grid])    h2 = relu(h1 + W2 h1 + b2)
//	(mu, s) = W3 h2 + Wl x + b3
//
// for every latent: a Laplace distribution of location mu and scale
// exp(clamp(s, -5, 4)). The first inputs are Spatial neighbours in the grid. The others
// are, in grids of the three finest scales, sums over all grids of coarser scales of the latent
// above, times weights of the grid and the feature; elsewhere they are 0.
//
// Each grid is filtered by 7x7 symmetric separable taps. Upsampling doubles the grids
// step by step with filters of four free taps (see [Taps]) until there is a vector z of
// Planes values for each pixel. The synthesis is
//
//	u = W2s relu(W1s z + b1s) + b2s
//	r = relu(u + conv1(u) + c1)      v = r + conv2(r) + c2 + Wls z
//
// with 3x3 convolutions that repeat the border; v is the sample in 0..1. u and r have
// Channels + Extra channels, v the first Channels of r beside what conv2 makes of all.
type Arch struct {
	Channels int // samples per pixel, 1..MaxChannels
	Grids    int // scales of grids, 1..MaxGrids; scale i has ceil(H/2^i) x ceil(W/2^i)
	Spatial  int // contexts from the same grid, 1..MaxSpatial
	Features int // contexts that are mixtures of coarser grids, 0..MaxFeatures
	Hidden   int // width of the synthesis, 1..MaxHidden
	Extra    int // channels between its convolutions beyond those of the picture, 0..MaxExtra
	Colour   int // further grids at scales of 1/4 and 1/8, 0..MaxColour
}

// ErrArch is the error of an architecture outside its limits.
var ErrArch = errors.New("inr: unsuitable architecture")

// Validate returns ErrArch, wrapped, unless all fields are in range and the number
// of contexts is even.
func (a *Arch) Validate() error {
	for _, f := range [...]struct {
		name      string
		v, lo, hi int
	}{
		{"channels", a.Channels, 1, MaxChannels},
		{"grids", a.Grids, 1, MaxGrids},
		{"spatial contexts", a.Spatial, 1, MaxSpatial},
		{"mixed contexts", a.Features, 0, MaxFeatures},
		{"hidden width", a.Hidden, 1, MaxHidden},
		{"extra channels", a.Extra, 0, MaxExtra},
		{"grids of colour", a.Colour, 0, MaxColour},
	} {
		if f.v < f.lo || f.v > f.hi {
			return fmt.Errorf("%w: %d %s, want %d to %d", ErrArch, f.v, f.name, f.lo, f.hi)
		}
	}
	if a.Inputs()%2 != 0 {
		return fmt.Errorf("%w: %d contexts, want an even number", ErrArch, a.Inputs())
	}
	return nil
}

// trunk returns the number of channels between the convolutions of the synthesis.
func (a *Arch) trunk() int { return a.Channels + a.Extra }

// Inputs returns the number of contexts, Spatial + Features.
func (a *Arch) Inputs() int { return a.Spatial + a.Features }

// A Preset is a named choice of widths.
type Preset struct {
	Name                                     string
	Spatial, Features, Hidden, Extra, Colour int
}

// Presets lists the presets by growing cost: 456, 857, 1491, 2748 and 3878
// multiplications per pixel of a large RGB picture with 7 grids (see [Arch.MACs]).
// Streams refer to them by their place, so the list only ever grows at its end.
var Presets = [...]Preset{
	{"xs", 4, 2, 8, 0, 0},
	{"s", 8, 4, 16, 0, 0},
	{"m", 10, 6, 24, 0, 2},
	{"l", 14, 6, 48, 3, 2},
	{"xl", 20, 6, 64, 3, 2},
}

// Arch returns the architecture for a picture: the widths of the preset, as many scales
// as GridsFor says, and no more grids of colour than the picture has channels besides the first.
func (p *Preset) Arch(width, height, channels int) Arch {
	return Arch{channels, GridsFor(width, height), p.Spatial, p.Features, p.Hidden, p.Extra, min(p.Colour, channels-1)}
}

// preset returns the place of a's widths in Presets, or -1.
func (a *Arch) preset() int {
	for i, p := range Presets {
		if p.Arch(1, 1, a.Channels) == (Arch{a.Channels, 1, a.Spatial, a.Features, a.Hidden, a.Extra, a.Colour}) {
			return i
		}
	}
	return -1
}

// Grids of colour are at the scales from colourScale to before hyperScale, the scale of the
// finest hyperlatents: grids that the synthesis does not see, there to be mixed into contexts.
const (
	colourScale = 2
	hyperScale  = 4
)

// LatentGrids returns the number of grids of latents: at each scale one, Colour more
// at 1/4 and 1/8, and a second one, of hyperlatents, from 1/16 down.
func (a *Arch) LatentGrids() int { return a.latentAt(a.Grids) }

// Planes returns the number of grids that the synthesis sees, the finest scale's first.
func (a *Arch) Planes() int { return a.planeAt(a.Grids) }

// planeAt returns how many grids of finer scales the synthesis sees.
func (a *Arch) planeAt(scale int) int {
	return scale + a.Colour*min(max(scale-colourScale, 0), hyperScale-colourScale)
}

// latentAt returns the first grid of the latents at a scale. The synthesis sees it and
// those of colour that follow.
func (a *Arch) latentAt(scale int) int { return a.planeAt(scale) + max(scale-hyperScale, 0) }

// latentsAt returns the first grid of the latents at a scale, and how many there are.
func (a *Arch) latentsAt(scale int) (first, n int) {
	first = a.latentAt(scale)
	return first, a.latentAt(scale+1) - first
}

// planesAt returns the first of the planes of the synthesis that are grids of a scale,
// and how many are.
func (a *Arch) planesAt(scale int) (first, n int) {
	first = a.planeAt(scale)
	return first, a.planeAt(scale+1) - first
}

// LatentScale returns the scale of grid i of the latents, which has
// ceil(H/2^scale) x ceil(W/2^scale), and whether it is one of hyperlatents.
func (a *Arch) LatentScale(i int) (scale int, hyper bool) {
	for i >= a.latentAt(scale+1) {
		scale++
	}
	return scale, scale >= hyperScale && i > a.latentAt(scale)
}

// mixedScales is how many scales, from the finest, have grids with mixtures of those of
// coarser ones for contexts, and maxMixed how many grids these are.
const (
	mixedScales = 3
	maxMixed    = mixedScales + MaxColour*(mixedScales-colourScale)
)

// mixed returns how many grids are mixed for the contexts of grid i: those of coarser
// scales, and the first of them.
func (a *Arch) mixed(i int) (first, n int) {
	scale, _ := a.LatentScale(i)
	if scale >= mixedScales || i >= a.LatentGrids() {
		return 0, 0
	}
	first = a.latentAt(scale + 1)
	return first, max(a.LatentGrids()-first, 0)
}

// Preset returns the name of the preset whose widths a has, or "".
func (a *Arch) Preset() string {
	if i := a.preset(); i >= 0 {
		return Presets[i].Name
	}
	return ""
}

// DefaultGrids is the number of grids of a picture that is not tiny.
const DefaultGrids = 7

// GridsFor returns the usual number of grids for a picture: DefaultGrids, less
// those under 2 pixels on the longer side, but at least 1.
func GridsFor(width, height int) int {
	n := DefaultGrids
	for n > 1 && gridSize(max(width, height), n-1) < 2 {
		n--
	}
	return n
}

// gridSize returns ceil(n/2^i) for n >= 1.
func gridSize(n, i int) int { return (n-1)>>i + 1 }

// GridSize returns the width and the height of grid i of a picture.
func GridSize(width, height, i int) (w, h int) { return gridSize(width, i), gridSize(height, i) }

// A Module is a group of parameters that share a quantisation step.
type Module int

const (
	ARMHidden1 Module = iota
	ARMHidden2
	ARMOut
	ARMLinear
	ARMMixtures
	ARMBiases // of the hidden layers
	ARMOutBiases
	UpsampleTaps
	FilterWeights
	SynthHidden
	SynthOut
	SynthLinear
	SynthConv1
	SynthConv2
	SynthHiddenBiases
	SynthBiases // all others of the synthesis
	NumModules
)

var moduleNames = [NumModules]string{
	"first ARM weights", "second ARM weights", "ARM output weights", "linear ARM weights", "mixture weights",
	"ARM biases", "ARM output biases", "upsampling taps", "filter taps", "hidden synthesis weights",
	"synthesis weights", "linear synthesis weights", "first convolution weights", "second convolution weights",
	"hidden synthesis biases", "synthesis biases",
}

func (m Module) String() string { return moduleNames[m] }

// arm reports whether m belongs to the context network.
func (m Module) arm() bool { return m <= ARMOutBiases }

// A TensorID names a tensor of parameters. All are row-major [output][input].
type TensorID int

const (
	ARMW1      TensorID = iota // [d][d], the residual's identity not included
	ARMW2                      // [d][d], likewise
	ARMW3                      // [2][d]: mu, s from the hidden layer
	ARMWl                      // [2][d]: mu, s from the contexts
	ARMMix0                    // [Features][grids of coarser scales]: of grid 0
	ARMMix1                    // likewise, of grid 1
	ARMMix2                    // of grid 2
	ARMMix3                    // of grid 3, if it is one of colour
	ARMMix4                    // of grid 4, likewise
	ARMB1                      // [LatentGrids][d]
	ARMB2                      // [d]
	ARMB3                      // [2]
	Taps                       // [Grids-1][4]: row i takes grid i+1 to the size of grid i
	FilterTaps                 // [Planes][4]: of the filter of each, that at distance 0 first
	SynW1                      // [Hidden][Planes]
	SynW2                      // [trunk][Hidden], with trunk = Channels + Extra
	SynWl                      // [Channels][Planes]
	SynK1                      // [trunk][trunk][3][3]: output, input, row, column
	SynK2                      // [Channels][trunk][3][3]
	SynB1                      // [Hidden]
	SynB2                      // [trunk]
	SynBK1                     // [trunk]
	SynBK2                     // [Channels]
	NumTensors
)

// A Tensor says where the parameters of a tensor lie: Rows*Cols values of the
// module from Offset on.
type Tensor struct {
	Module             Module
	Offset, Rows, Cols int
}

// Len returns the number of parameters.
func (t Tensor) Len() int { return t.Rows * t.Cols }

// Layout returns where all tensors lie. Those of a module follow one another in the
// order of their identifiers.
func (a *Arch) Layout() [NumTensors]Tensor {
	d, l, c, h, t := a.Inputs(), a.Planes(), a.Channels, a.Hidden, a.trunk()
	out := [NumTensors]Tensor{
		ARMW1: {ARMHidden1, 0, d, d}, ARMW2: {ARMHidden2, 0, d, d},
		ARMW3: {ARMOut, 0, 2, d}, ARMWl: {ARMLinear, 0, 2, d},
		ARMB1: {ARMBiases, 0, a.LatentGrids(), d}, ARMB2: {ARMBiases, 0, 1, d}, ARMB3: {ARMOutBiases, 0, 1, 2},
		Taps: {UpsampleTaps, 0, a.Grids - 1, 4}, FilterTaps: {FilterWeights, 0, l, 4},
		SynW1: {SynthHidden, 0, h, l}, SynW2: {SynthOut, 0, t, h}, SynWl: {SynthLinear, 0, c, l},
		SynK1: {SynthConv1, 0, t, 9 * t}, SynK2: {SynthConv2, 0, c, 9 * t},
		SynB1: {SynthHiddenBiases, 0, 1, h}, SynB2: {SynthBiases, 0, 1, t},
		SynBK1: {SynthBiases, 0, 1, t}, SynBK2: {SynthBiases, 0, 1, c},
	}
	for i := range maxMixed {
		_, sources := a.mixed(i)
		out[ARMMix0+TensorID(i)] = Tensor{ARMMixtures, 0, a.Features, sources}
	}
	var n [NumModules]int
	for i := range out {
		t := &out[i]
		t.Offset = n[t.Module]
		n[t.Module] += t.Len()
	}
	return out
}

// Params returns the number of parameters of each module.
func (a *Arch) Params() [NumModules]int {
	var n [NumModules]int
	for _, t := range a.Layout() {
		n[t.Module] += t.Len()
	}
	return n
}

// MACs returns the multiplications per pixel that decoding takes, by stage, for a
// picture so large that borders and odd sizes do not matter.
func (a *Arch) MACs() (arm, upsample, synthesis float64) {
	d, area := float64(a.Inputs()), 1.0
	for i := range a.Grids {
		_, own := a.planesAt(i)
		arm += (2*d*d + 4*d) * float64(own) * area
		// Every output takes 4 products across, and half as many outputs 4 down. A grid's
		// own filter takes 7 each way.
		upsample += (float64(a.Planes()-a.planeAt(i+1))*6 + 14*float64(own)) * area
		if i < mixedScales {
			for s, part := i+1, area/4; s < a.Grids; s, part = s+1, part/4 {
				_, sources := a.planesAt(s)
				arm += float64(a.Features*sources*own) * part
			}
		}
		area /= 4
	}
	c, l, h, t := a.Channels, a.Planes(), a.Hidden, a.trunk()
	return arm, upsample, float64(l*h + h*t + l*c + 9*t*t + 9*t*c)
}

// Nets are the parameters of the networks as numbers, by module, laid out as
// [Arch.Layout] says.
type Nets struct {
	Module [NumModules][]float32
}

// NewNets returns networks of zeros, but for the upsampling, which is bicubic, and the
// filters of grids, which leave them as they are.
func NewNets(a *Arch) *Nets {
	n := new(Nets)
	for m, size := range a.Params() {
		n.Module[m] = make([]float32, size)
	}
	for i, t := 0, n.Tensor(a, Taps); i < len(t); i += 4 {
		for j, v := range bicubicTaps {
			t[i+j] = float32(v) / (1 << originStep)
		}
	}
	for i, t := 0, n.Tensor(a, FilterTaps); i < len(t); i += 4 {
		t[i] = 1
	}
	return n
}

// Tensor returns the parameters of a tensor; the slice shares n's memory.
func (n *Nets) Tensor(a *Arch, id TensorID) []float32 {
	t := a.Layout()[id]
	return n.Module[t.Module][t.Offset : t.Offset+t.Len() : t.Offset+t.Len()]
}

// Clone returns a copy of n.
func (n *Nets) Clone() *Nets {
	c := new(Nets)
	for m, v := range n.Module {
		c.Module[m] = append([]float32(nil), v...)
	}
	return c
}

// Quantised networks are what a stream holds: parameter i of module m is
// Ints[m][i] * 2^-Step[m], exactly representable as a float32.
type Quantised struct {
	Step [NumModules]uint8
	Ints [NumModules][]int32
}

// The taps of bicubic (Catmull-Rom) interpolation by 2, in 1/128.
var bicubicTaps = [4]int32{111, 29, -9, -3}

// originStep is that of all modules of NewQuantised.
const originStep = 7

// NewQuantised returns what NewNets does, in integers: what a stream
// without a prior codes differences from.
func NewQuantised(a *Arch) *Quantised {
	q := new(Quantised)
	for m, size := range a.Params() {
		q.Ints[m] = make([]int32, size)
	}
	for m := range NumModules {
		q.Step[m] = originStep
	}
	for i, t := 0, q.Ints[UpsampleTaps]; i < len(t); i += 4 {
		copy(t[i:], bicubicTaps[:])
	}
	for i, t := 0, q.Ints[FilterWeights]; i < len(t); i += 4 {
		t[i] = 1 << originStep
	}
	return q
}

// MaxStep is the finest step of each module. The context network computes with 10
// fractional bits of its weights and 17 of its biases.
var MaxStep = [NumModules]uint8{
	ARMHidden1: 10, ARMHidden2: 10, ARMOut: 10, ARMLinear: 10, ARMMixtures: 10, ARMBiases: 16, ARMOutBiases: 16,
	UpsampleTaps: 12, FilterWeights: 12,
	SynthHidden: 16, SynthOut: 16, SynthLinear: 16, SynthConv1: 16, SynthConv2: 16, SynthHiddenBiases: 16, SynthBiases: 16,
}

// MaxAbs is the largest magnitude of the parameters of each module, as a number. In
// steps it is at most 2^24, so that each is exact in a float32.
//
// Weights of the context network fit 16 bits with 10 fractional ones and the
// residual's identity added. The others keep the synthesis far from infinity
// whatever the stream says: a grid's filter grows the latents, at most 2^7, by (7*2)^2 or
// 2^8, and eight steps of upsampling by (4*2)^2 = 2^6 each, to 2^63; the layer of MaxGrids
// inputs to 2^73, that of MaxHidden to 2^88, and the convolutions to 2^102 and 2^116,
// times 255 at the end. So there is no Inf or NaN, on whose treatment processors differ.
var MaxAbs = [NumModules]int32{
	ARMHidden1: 30, ARMHidden2: 30, ARMOut: 30, ARMLinear: 30, ARMMixtures: 30, ARMBiases: 256, ARMOutBiases: 256,
	UpsampleTaps: 2, FilterWeights: 2,
	SynthHidden: 64, SynthOut: 64, SynthLinear: 64, SynthConv1: 64, SynthConv2: 64, SynthHiddenBiases: 256, SynthBiases: 256,
}

// ErrNetworks is the error of networks that do not fit their architecture or exceed
// the limits MaxStep and MaxAbs.
var ErrNetworks = errors.New("inr: unsuitable networks")

// Validate returns ErrNetworks, wrapped, unless q has the sizes that a asks for and
// is within the limits.
func (q *Quantised) Validate(a *Arch) error {
	for m, size := range a.Params() {
		name := Module(m).String()
		if len(q.Ints[m]) != size {
			return fmt.Errorf("%w: %d %s, want %d", ErrNetworks, len(q.Ints[m]), name, size)
		}
		if q.Step[m] > MaxStep[m] {
			return fmt.Errorf("%w: step 2^-%d of the %s, at most 2^-%d", ErrNetworks, q.Step[m], name, MaxStep[m])
		}
		limit := MaxAbs[m] << q.Step[m]
		for _, v := range q.Ints[m] {
			if v < -limit || v > limit {
				return fmt.Errorf("%w: %d*2^-%d among the %s, at most %d", ErrNetworks, v, q.Step[m], name, MaxAbs[m])
			}
		}
	}
	return nil
}

// Nets returns the networks as numbers, exactly.
func (q *Quantised) Nets() *Nets {
	n := new(Nets)
	for m, ints := range q.Ints {
		scale := 1 / float32(int64(1)<<q.Step[m])
		n.Module[m] = make([]float32, len(ints))
		for i, v := range ints {
			n.Module[m][i] = float32(v) * scale
		}
	}
	return n
}

// Clone returns a copy of q.
func (q *Quantised) Clone() *Quantised {
	c := &Quantised{Step: q.Step}
	for m, v := range q.Ints {
		c.Ints[m] = append([]int32(nil), v...)
	}
	return c
}

// A Grid is one level of latents, row by row.
type Grid struct {
	W, H int
	V    []int8 // H*W values in -LatentMax..LatentMax
}

// Latents are the grids of a picture, finest first: [Arch.LatentScale] says which is which.
type Latents []Grid

// NewLatents returns latents of zeros for a picture.
func NewLatents(a *Arch, width, height int) Latents {
	lat := make(Latents, a.LatentGrids())
	for i := range lat {
		scale, _ := a.LatentScale(i)
		w, h := GridSize(width, height, scale)
		lat[i] = Grid{w, h, make([]int8, w*h)}
	}
	return lat
}

// set copies latents of the same sizes.
func (l Latents) set(from Latents) {
	for i, g := range from {
		copy(l[i].V, g.V)
	}
}

// ErrLatents is the error of latents that do not fit the architecture or the
// alphabet.
var ErrLatents = errors.New("inr: unsuitable latents")

// Validate returns ErrLatents, wrapped, unless l has the grids that a asks for,
// their sizes agree and all values are in range.
func (l Latents) Validate(a *Arch) error {
	if len(l) != a.LatentGrids() {
		return fmt.Errorf("%w: %d grids, want %d", ErrLatents, len(l), a.LatentGrids())
	}
	for i := range l {
		g := &l[i]
		scale, _ := a.LatentScale(i)
		w, h := GridSize(l[0].W, l[0].H, scale)
		if l[0].W < 1 || l[0].H < 1 || g.W != w || g.H != h || len(g.V) != w*h {
			return fmt.Errorf("%w: grid %d is %dx%d with %d values, want %dx%d", ErrLatents, i, g.W, g.H, len(g.V), w, h)
		}
		for _, v := range g.V {
			if v < -LatentMax {
				return fmt.Errorf("%w: %d in grid %d", ErrLatents, v, i)
			}
		}
	}
	return nil
}
