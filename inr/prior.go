package inr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/transform/nn"
)

// A Prior is networks learnt over many pictures, from which fits start and of which
// streams hold but the differences. It is immutable and may be used by several goroutines.
//
// They are those of one architecture, for a range of lambda. Uniform quantisation has its
// step in the proportion of the root of lambda, and so have the weights that latents are
// multiplied with: see [Prior.Networks].
//
// Where priors come from is not this package's to say; [Learn] is a step of training them.
type Prior struct {
	arch      Arch
	low, high float32 // of lambda
	nets      *Quantised
	file      []byte
	hash      [sha256.Size]byte
}

// A PriorID names a prior in streams: the first 4 bytes of its hash.
type PriorID [4]byte

func (id PriorID) String() string { return fmt.Sprintf("%x", id[:]) }

// A Start is what a fit started from: a prior's networks at a gain.
type Start struct {
	Prior *Prior
	Gain  int // -MaxGain..MaxGain
}

// MaxGain bounds gains: to between 1/256 and 256.
const MaxGain = 8 * gainSteps

// gainSteps is how many of them double. gains are the powers of two below 2 between, in
// 1/2^gainBits.
const (
	gainSteps = 4
	gainBits  = 14
)

var gains = [gainSteps]int64{16384, 19484, 23170, 27554}

// The steps that priors are kept at: finer by far than those of differences.
var priorStep = [NumModules]uint8{
	ARMHidden1: 10, ARMHidden2: 10, ARMOut: 10, ARMLinear: 10, ARMMixtures: 10, ARMBiases: 12, ARMOutBiases: 12,
	UpsampleTaps: 12, FilterWeights: 12,
	SynthHidden: 12, SynthOut: 12, SynthLinear: 12, SynthConv1: 12, SynthConv2: 12, SynthHiddenBiases: 12, SynthBiases: 12,
}

// The file of a prior:
//
//	"BOFP", version 1
//	channels, grids, spatial contexts, mixed contexts, hidden width - 1, extra channels + 16 * grids of colour: a byte each
//	the lowest and the highest lambda, float32, big-endian
//	the steps of the modules, a byte each
//	the rest is one arithmetic code: the weights, as those of a stream without a prior
//
// The file's SHA-256 is the prior's name.
const (
	priorMagic   = "BOFP"
	priorVersion = 1
	priorHead    = len(priorMagic) + 1 + 6 + 2*4 + int(NumModules)
)

// ErrPrior is the error of a prior that cannot be, or of a file that is none.
var ErrPrior = errors.New("inr: not a prior")

// NewPrior returns a prior of networks, rounded, for lambdas of a range. Those out of the
// limits of MaxAbs are brought to them.
func NewPrior(a Arch, n *Nets, low, high float64) (*Prior, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	p := &Prior{arch: a, low: float32(low), high: float32(high), nets: &Quantised{Step: priorStep}}
	if err := p.checkRange(); err != nil {
		return nil, err
	}
	for m, size := range a.Params() {
		if len(n.Module[m]) != size {
			return nil, fmt.Errorf("%w: %d %v, want %d", ErrNetworks, len(n.Module[m]), Module(m), size)
		}
		p.nets.Ints[m] = make([]int32, size)
		limit := float64(MaxAbs[m] << priorStep[m])
		for i, v := range n.Module[m] {
			if v != v {
				return nil, fmt.Errorf("%w: not a number among the %v", ErrNetworks, Module(m))
			}
			p.nets.Ints[m][i] = int32(min(max(math.RoundToEven(math.Ldexp(float64(v), int(priorStep[m]))), -limit), limit))
		}
	}
	p.file = p.marshal()
	p.hash = sha256.Sum256(p.file)
	return p, nil
}

// FreshPrior returns a prior of what fits without one start from, for the middle of the
// range of lambda and a mean of 1/2: what the training of priors begins with.
func FreshPrior(a Arch, low, high float64, seed uint64) (*Prior, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	target := nn.NewTensor(a.Channels, 1, 1)
	for i := range target.Data {
		target.Data[i] = 0.5
	}
	net, err := newFitNet(a, target, nil)
	if err != nil {
		return nil, err
	}
	net.init(rand.New(rand.NewPCG(seed, 2)), math.Sqrt(low*high))
	return NewPrior(a, net.nets, low, high)
}

func (p *Prior) checkRange() error {
	if !(p.low >= MinLambda && p.low <= p.high && p.high <= MaxLambda) {
		return fmt.Errorf("%w: lambda of %v to %v", ErrPrior, p.low, p.high)
	}
	return nil
}

func (p *Prior) marshal() []byte {
	a := &p.arch
	b := append([]byte(priorMagic), priorVersion,
		byte(a.Channels), byte(a.Grids), byte(a.Spatial), byte(a.Features), byte(a.Hidden-1), byte(a.Extra|a.Colour<<4))
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(p.low))
	b = binary.BigEndian.AppendUint32(b, math.Float32bits(p.high))
	b = append(b, p.nets.Step[:]...)
	e := arith.NewBinaryEncoder(b)
	codeWeights(bitEncoder{e}, p.nets.Clone(), originOf(a, nil), p.nets.Step)
	return e.Finish()
}

// IsPrior says whether a file begins like a prior's.
func IsPrior(file []byte) bool { return bytes.HasPrefix(file, []byte(priorMagic)) }

// readPriorHead reads what is before the weights.
func readPriorHead(file []byte) (*Prior, error) {
	if !IsPrior(file) {
		return nil, ErrPrior
	}
	if len(file) < priorHead {
		return nil, fmt.Errorf("%w: cut off", ErrPrior)
	}
	b := file[len(priorMagic):]
	if b[0] != priorVersion {
		return nil, fmt.Errorf("%w: version %d", ErrPrior, b[0])
	}
	p := &Prior{
		arch: Arch{int(b[1]), int(b[2]), int(b[3]), int(b[4]), int(b[5]) + 1, int(b[6] & 15), int(b[6] >> 4)},
		low:  math.Float32frombits(binary.BigEndian.Uint32(b[7:])),
		high: math.Float32frombits(binary.BigEndian.Uint32(b[11:])),
		nets: &Quantised{},
	}
	copy(p.nets.Step[:], b[15:])
	if err := p.arch.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrior, err)
	}
	for m, s := range p.nets.Step {
		if s > MaxStep[m] {
			return nil, fmt.Errorf("%w: step 2^-%d of the %v", ErrPrior, s, Module(m))
		}
	}
	return p, p.checkRange()
}

// CheckPrior returns an error, which wraps ErrPrior, unless a file begins as that of a
// prior.
func CheckPrior(file []byte) error {
	_, err := readPriorHead(file)
	return err
}

// ReadPrior reads what MarshalBinary wrote; file must hold nothing else. Errors wrap
// ErrPrior. Priors take some hundred kilobytes at most.
func ReadPrior(file []byte) (*Prior, error) {
	p, err := readPriorHead(file)
	if err != nil {
		return nil, err
	}
	d := arith.NewBinaryDecoder(file[priorHead:])
	for m, n := range p.arch.Params() {
		p.nets.Ints[m] = make([]int32, n)
	}
	codeWeights(bitDecoder{d}, p.nets, originOf(&p.arch, nil), p.nets.Step)
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrior, err)
	}
	if err := p.nets.Validate(&p.arch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrior, err)
	}
	// One prior has one file, whatever else would decode to it.
	p.file = p.marshal()
	if !bytes.Equal(p.file, file) {
		return nil, fmt.Errorf("%w: more than its networks", ErrPrior)
	}
	p.hash = sha256.Sum256(p.file)
	return p, nil
}

// MarshalBinary returns the prior's file. The error is always nil.
func (p *Prior) MarshalBinary() ([]byte, error) { return bytes.Clone(p.file), nil }

// Hash returns the SHA-256 of the prior's file, which names it.
func (p *Prior) Hash() [sha256.Size]byte { return p.hash }

// ID returns what names the prior in streams.
func (p *Prior) ID() PriorID { return PriorID(p.hash[:4]) }

// Arch returns the architecture.
func (p *Prior) Arch() Arch { return p.arch }

// Lambda returns the range that the prior was made for.
func (p *Prior) Lambda() (low, high float64) { return float64(p.low), float64(p.high) }

func (p *Prior) String() string {
	a := &p.arch
	name := fmt.Sprintf("%d + %d contexts, %d hidden, %d extra and %d of colour", a.Spatial, a.Features, a.Hidden, a.Extra, a.Colour)
	if preset := a.Preset(); preset != "" {
		name = "preset " + preset
	}
	return fmt.Sprintf("prior %v for %s, %d channels, lambda of %.3g to %.3g", p.ID(), name, a.Channels, p.low, p.high)
}

// Suits reports whether networks of the architecture a can start from the prior: only
// the number of grids may be another.
func (p *Prior) Suits(a *Arch) bool {
	own := p.arch
	own.Grids = a.Grids
	return own == *a
}

// Covers reports whether the prior was made for fits at such a lambda.
func (p *Prior) Covers(lambda float64) bool {
	const slack = 1 + 1e-6 // the range's ends were rounded
	return lambda*slack >= float64(p.low) && lambda <= float64(p.high)*slack
}

// Networks returns the prior's networks for the architecture a, as [Quantised.Fit] makes
// them, with those weights of the synthesis that latents are multiplied with times
// 2^(gain/4), rounded. The error wraps ErrNetworks.
func (p *Prior) Networks(a *Arch, gain int) (*Quantised, error) {
	if gain < -MaxGain || gain > MaxGain {
		return nil, fmt.Errorf("%w: a gain of %d", ErrNetworks, gain)
	}
	q, err := p.nets.Fit(&p.arch, a)
	if err != nil {
		return nil, err
	}
	for _, id := range gained {
		t := a.Layout()[id]
		limit := int64(MaxAbs[t.Module]) << q.Step[t.Module]
		for i, v := range q.Ints[t.Module][t.Offset:][:t.Len()] {
			shift := gainBits - gain>>2
			w := (int64(v)*gains[gain&3] + 1<<(shift-1)) >> shift
			q.Ints[t.Module][t.Offset+i] = int32(min(max(w, -limit), limit))
		}
	}
	return q, nil
}

// gained are the tensors that a gain scales.
var gained = [...]TensorID{SynW1, SynWl}

// Widen returns a prior for a, of which no width may be less than p's and the number of
// scales must be the same, that predicts and shows what p does, where grids that p lacks are zero: networks
// get more contexts, of no weight, and more hidden units and channels, whose inputs have the weights of a
// fresh prior and whose outputs have none. The error wraps ErrPrior.
func (p *Prior) Widen(a Arch, seed uint64) (*Prior, error) {
	from := &p.arch
	if a.Channels != from.Channels || a.Grids != from.Grids || a.Spatial < from.Spatial || a.Features < from.Features || a.Hidden < from.Hidden || a.Extra < from.Extra || a.Colour < from.Colour {
		return nil, fmt.Errorf("%w that can be widened so: from %v to %v", ErrPrior, *from, a)
	}
	fresh, err := FreshPrior(a, float64(p.low), float64(p.high), seed)
	if err != nil {
		return nil, err
	}
	// A context's place among the inputs, which residuals make that of hidden units, too.
	input := func(i int) int {
		if i >= from.Spatial {
			i += a.Spatial - from.Spatial
		}
		return i
	}
	same := func(i int) int { return i }
	// The place of a plane of the synthesis, and that of a grid of latents.
	plane := func(i int) int {
		scale := 0
		for i >= from.planeAt(scale+1) {
			scale++
		}
		return a.planeAt(scale) + i - from.planeAt(scale)
	}
	grid := func(i int) int {
		scale, hyper := from.LatentScale(i)
		if hyper {
			return a.latentAt(scale+1) - 1
		}
		return a.latentAt(scale) + i - from.latentAt(scale)
	}
	narrow, wide := p.nets.Nets(), fresh.nets.Nets()
	clear(wide.Tensor(&a, SynW2)[:from.trunk()*a.Hidden])
	clear(wide.Tensor(&a, SynK2))
	for id, t := range from.Layout() {
		id := TensorID(id)
		row, column, wider := same, same, id
		switch {
		case id == ARMW1 || id == ARMW2:
			row, column = input, input
		case id == ARMB1:
			row, column = grid, input
		case id == ARMW3 || id == ARMWl || id == ARMB2:
			column = input
		case id >= ARMMix0 && id < ARMMix0+maxMixed && t.Len() > 0:
			i := int(id - ARMMix0)
			wider = ARMMix0 + TensorID(grid(i))
			first, _ := from.mixed(i)
			firstWider, _ := a.mixed(grid(i))
			column = func(k int) int { return grid(first+k) - firstWider }
		case id == SynW1 || id == SynWl:
			column = plane
		case id == FilterTaps:
			row = plane
		}
		old, to, cols := narrow.Tensor(from, id), wide.Tensor(&a, wider), a.Layout()[wider].Cols
		for r := range t.Rows {
			for c := range t.Cols {
				to[row(r)*cols+column(c)] = old[r*t.Cols+c]
			}
		}
	}
	return NewPrior(a, wide, float64(p.low), float64(p.high))
}

// GainFor returns the gain for a lambda, 0 in the middle of the range.
func (p *Prior) GainFor(lambda float64) int {
	middle := math.Sqrt(float64(p.low) * float64(p.high))
	g := math.RoundToEven(gainSteps * math.Log2(lambda/middle) / 2)
	return int(min(max(g, -MaxGain), MaxGain))
}

// startOf returns the start of a fit.
func startOf(priors []*Prior, a *Arch, lambda float64) *Start {
	var s *Start
	off := math.Inf(1)
	for _, p := range priors {
		if !p.Suits(a) || !p.Covers(lambda) {
			continue
		}
		middle := math.Sqrt(float64(p.low) * float64(p.high))
		if d := math.Abs(math.Log(lambda / middle)); d < off {
			s, off = &Start{p, p.GainFor(lambda)}, d
		}
	}
	return s
}

// origin returns what networks that began so are coded from.
func (s *Start) origin(a *Arch) (origin, error) {
	if s == nil {
		return originOf(a, nil), nil
	}
	q, err := s.Prior.Networks(a, s.Gain)
	return origin{q, true}, err
}

// Learn runs the iterations of a fit from the first prior of the options, at its lambda,
// which must be in the prior's range and not led by a target, and returns by how much the prior's parameters
// would have had to be others for the fit to start where it ended. That is the direction
// of Reptile (Nichol, Achiam and Schulman, "On First-Order Meta-Learning Algorithms",
// 2018), which moves a prior so that short fits come far.
func Learn(ctx context.Context, pix []float32, width, height int, o *FitOptions) (*Nets, error) {
	if err := o.check(pix, width, height); err != nil {
		return nil, err
	}
	if o.steered() {
		return nil, fmt.Errorf("%w: a prior does not learn from fits with a target", ErrFit)
	}
	f, err := newFitter(pix, width, height, o)
	if err != nil {
		return nil, err
	}
	if f.begun == nil || f.begun.Prior.arch != f.Arch {
		return nil, fmt.Errorf("%w: no prior of its architecture and lambda", ErrFit)
	}
	if err := f.fit(ctx); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := f.net.nets.Clone()
	for m, v := range d.Module {
		for i := range v {
			v[i] -= f.prior.Module[m][i]
		}
	}
	back := float32(math.Exp2(-float64(f.begun.Gain) / gainSteps))
	for _, id := range gained {
		for i, v := range d.Tensor(&f.Arch, id) {
			d.Tensor(&f.Arch, id)[i] = v * back
		}
	}
	return d, nil
}
