package inr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
)

// A stream, whose container knows the picture's size and number of channels, is
//
//	preset      Exp-Golomb, order 1: 0 for none, or its place in Presets + 1
//	            without one: Spatial-1, Features, Hidden-1, Extra, Colour as bounded numbers
//	grids       1 if as GridsFor says, or 0 and Grids-1 as a bounded number
//	prior       Exp-Golomb, order 0: 0 for none, 1 for one, of which there follow
//	            name    the first 4 bytes of its file's SHA-256, 32 bits
//	            gain    signed Exp-Golomb, order 2, see Prior.Networks
//	steps       for each module the step of differences, less the usual one; signed
//	            Exp-Golomb, order 0
//	            zero bits up to a whole byte
//	            the rest is one arithmetic code, see arith.BinaryEncoder:
//	weights     see codeWeights
//	latents     grid after grid, the last first: one bit, 1 if any latent is not zero; then
//	            the latents in the order of walker.grid, each by entropy.LaplaceModel

// ErrCorrupt is the error of a stream that no encoder wrote.
var ErrCorrupt = errors.New("inr: corrupt stream")

// A PriorFunc returns the prior of a name.
type PriorFunc func(PriorID) (*Prior, error)

// A Header is what precedes the arithmetic code of a stream.
type Header struct {
	Arch  Arch
	Start *Start            // nil without a prior
	Step  [NumModules]uint8 // of the differences

	origin origin
}

// write appends all of the header to buf.
func (h *Header) write(width, height int) ([]byte, error) {
	var b bytes.Buffer
	w := arith.NewHeaderWriter(&b)
	a := &h.Arch
	preset := a.preset()
	w.ExpGolomb(uint64(preset+1), 1)
	if preset < 0 {
		w.Bounded(uint64(a.Spatial-1), uint64(MaxSpatial-1))
		w.Bounded(uint64(a.Features), MaxFeatures)
		w.Bounded(uint64(a.Hidden-1), MaxHidden-1)
		w.Bounded(uint64(a.Extra), MaxExtra)
		w.Bounded(uint64(a.Colour), MaxColour)
	}
	usual := a.Grids == GridsFor(width, height)
	w.Bool(usual)
	if !usual {
		w.Bounded(uint64(a.Grids-1), MaxGrids-1)
	}
	if s := h.Start; s == nil {
		w.ExpGolomb(0, 0)
	} else {
		w.ExpGolomb(1, 0)
		id := s.Prior.ID()
		w.Bits(uint64(binary.BigEndian.Uint32(id[:])), 32)
		w.SignedExpGolomb(int64(s.Gain), 2)
	}
	for m, s := range h.Step {
		w.SignedExpGolomb(int64(s)-int64(usualStep[m]), 0)
	}
	err := w.Close()
	return b.Bytes(), err
}

// ReadHeader reads the header of the stream of a picture of the given size, and returns
// the rest of the stream. It takes the prior, if the stream names one, from priors, which
// may be nil. What is wrong with a stream gives an error that wraps ErrCorrupt; an error
// of priors is returned as it is.
func ReadHeader(buf []byte, width, height, channels int, priors PriorFunc) (*Header, []byte, error) {
	b := bytes.NewReader(buf)
	r := arith.NewHeaderReader(b)
	info, err := readInfo(r, width, height, channels)
	if err != nil {
		return nil, nil, err
	}
	h := &Header{Arch: info.Arch}
	if info.HasPrior {
		if priors == nil {
			return nil, nil, fmt.Errorf("%w: no prior %v", ErrNetworks, info.Prior)
		}
		p, err := priors(info.Prior)
		if err != nil {
			return nil, nil, err
		}
		h.Start = &Start{p, info.Gain}
	}
	if h.origin, err = h.Start.origin(&h.Arch); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for m := range h.Step {
		s := int64(usualStep[m]) + r.SignedExpGolomb(0, 16)
		if s < 0 || s > int64(MaxStep[m]) {
			return nil, nil, fmt.Errorf("%w: step 2^-%d of the %v", ErrCorrupt, s, Module(m))
		}
		h.Step[m] = uint8(s)
	}
	r.Align()
	if err := r.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return h, buf[len(buf)-b.Len():], nil
}

// Info is what the first bytes of a stream say, at most 16.
type Info struct {
	Arch     Arch
	HasPrior bool
	Prior    PriorID // if there is one
	Gain     int     // likewise
}

// ReadInfo reads the first bytes of the stream of a picture of the given size. Errors
// wrap ErrCorrupt.
func ReadInfo(buf []byte, width, height, channels int) (Info, error) {
	return readInfo(arith.NewHeaderReader(bytes.NewReader(buf)), width, height, channels)
}

func readInfo(r *arith.HeaderReader, width, height, channels int) (Info, error) {
	i := Info{Arch: Arch{Channels: channels}}
	a := &i.Arch
	if preset := r.ExpGolomb(1, uint64(len(Presets))); preset > 0 {
		*a = Presets[preset-1].Arch(width, height, channels)
	} else {
		a.Spatial = int(r.Bounded(uint64(MaxSpatial-1))) + 1
		a.Features = int(r.Bounded(MaxFeatures))
		a.Hidden = int(r.Bounded(MaxHidden-1)) + 1
		a.Extra = int(r.Bounded(MaxExtra))
		a.Colour = int(r.Bounded(MaxColour))
	}
	if a.Grids = GridsFor(width, height); !r.Bool() {
		a.Grids = int(r.Bounded(MaxGrids-1)) + 1
	}
	if i.HasPrior = r.ExpGolomb(0, 1) == 1; i.HasPrior {
		binary.BigEndian.PutUint32(i.Prior[:], uint32(r.Bits(32)))
		i.Gain = int(r.SignedExpGolomb(2, MaxGain))
	}
	if err := r.Err(); err != nil {
		return i, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := a.Validate(); err != nil {
		return i, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return i, nil
}

type latentEncoder struct{ e *arith.BinaryEncoder }

func (c latentEncoder) code(v []int8, location []int16, scale []uint8) error {
	for i, x := range v {
		entropy.LaplaceModel{Location: int(location[i]), Scale: int(scale[i]), Limit: LatentMax}.Encode(c.e, int(x))
	}
	return nil
}

type latentDecoder struct{ d *arith.BinaryDecoder }

func (c latentDecoder) code(v []int8, location []int16, scale []uint8) error {
	for i := range v {
		v[i] = int8(entropy.LaplaceModel{Location: int(location[i]), Scale: int(scale[i]), Limit: LatentMax}.Decode(c.d))
	}
	return c.d.Err()
}

type latentCost struct{ bits float64 }

func (c *latentCost) code(v []int8, location []int16, scale []uint8) error {
	for i, x := range v {
		c.bits += float64(entropy.LaplaceModel{Location: int(location[i]), Scale: int(scale[i]), Limit: LatentMax}.Cost(int(x)))
	}
	return nil
}

func checkSize(a *Arch, width, height int) error {
	if width < 1 || height < 1 || width > 1<<30 || height > 1<<30 || width > maxArea/height {
		return fmt.Errorf("inr: picture of %d x %d", width, height)
	}
	return a.Validate()
}

// maxArea keeps the sizes of all buffers within an int of 32 bits.
const maxArea = 1 << 28

// EncodeStream codes latents and networks, as differences from where a fit of them
// started, nil meaning from no prior.
func EncodeStream(a *Arch, q *Quantised, lat Latents, start *Start) ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if err := errors.Join(lat.Validate(a), q.Validate(a)); err != nil {
		return nil, err
	}
	width, height := lat[0].W, lat[0].H
	if err := checkSize(a, width, height); err != nil {
		return nil, err
	}
	from, err := start.origin(a)
	if err != nil {
		return nil, err
	}
	h := &Header{Arch: *a, Start: start, origin: from}
	coded, steps := from.differences(q)
	h.Step = steps
	buf, err := h.write(width, height)
	if err != nil {
		return nil, err
	}
	e := arith.NewBinaryEncoder(buf)
	codeWeights(bitEncoder{e}, coded, from, steps)
	w := newWalker(a, q, lat)
	for i := a.LatentGrids() - 1; i >= 0; i-- {
		if lat[i].zero() {
			e.EncodeBits(0, 1)
			continue
		}
		e.EncodeBits(1, 1)
		if err := w.grid(i, latentEncoder{e}); err != nil {
			return nil, err
		}
	}
	return e.Finish(), nil
}

// zero reports whether all latents of the grid are zero.
func (g *Grid) zero() bool {
	for _, v := range g.V {
		if v != 0 {
			return false
		}
	}
	return true
}

// Bits returns what the latents of each grid cost in a stream, in bits, as the
// integer network of q predicts them. q and lat must be valid for a.
func Bits(a *Arch, q *Quantised, lat Latents) []float64 {
	out := make([]float64, a.LatentGrids())
	w := newWalker(a, q, lat)
	for i := a.LatentGrids() - 1; i >= 0; i-- {
		c := latentCost{1} // the bit that says whether any latent is not zero
		if !lat[i].zero() {
			_ = w.grid(i, &c) // costs give no error
		}
		out[i] = c.bits
	}
	return out
}

// DecodeLatents decodes the networks and latents of a stream. It takes a few bytes of
// memory per pixel and stops soon after a stream that is too short for the picture
// has ended. What is wrong with a stream gives an error that wraps ErrCorrupt or
// arith.ErrTruncated; damage that leaves a possible stream is for the container to
// find.
func DecodeLatents(buf []byte, width, height, channels int, priors PriorFunc) (*Arch, *Quantised, Latents, error) {
	if err := checkSize(&Arch{channels, 1, 2, 0, 1, 0, 0}, width, height); err != nil {
		return nil, nil, nil, err
	}
	h, rest, err := ReadHeader(buf, width, height, channels, priors)
	if err != nil {
		return nil, nil, nil, err
	}
	a := &h.Arch
	d := arith.NewBinaryDecoder(rest)
	q := &Quantised{}
	for m, n := range a.Params() {
		q.Step[m] = h.origin.step(Module(m), h.Step[m])
		q.Ints[m] = make([]int32, n)
	}
	codeWeights(bitDecoder{d}, q, h.origin, h.Step)
	if err := d.Err(); err != nil {
		return nil, nil, nil, err
	}
	if err := q.Validate(a); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	lat := NewLatents(a, width, height)
	w := newWalker(a, q, lat)
	for i := a.LatentGrids() - 1; i >= 0; i-- {
		if d.DecodeBits(1) == 0 {
			continue
		}
		if err := w.grid(i, latentDecoder{d}); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := d.Err(); err != nil {
		return nil, nil, nil, err
	}
	// A decoder that has taken all of a stream reads at least 4 bytes ahead.
	if d.Overrun() < 4 {
		return nil, nil, nil, fmt.Errorf("%w: it goes on after the end", ErrCorrupt)
	}
	return a, q, lat, nil
}

// DecodeStream decodes a stream to the picture; see [DecodeLatents] and [Synthesise].
func DecodeStream(buf []byte, width, height, channels int, priors PriorFunc, workers int) (*Picture, error) {
	a, q, lat, err := DecodeLatents(buf, width, height, channels, priors)
	if err != nil {
		return nil, err
	}
	return Synthesise(a, q.Nets(), lat, workers), nil
}
