package inr

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/entropy"
)

// A stream, whose container knows the picture's size and number of channels, is
//
//	preset      Exp-Golomb, order 1: 0 for none, or its place in Presets + 1
//	            without one: Spatial-1, Parents, Hidden-1 as bounded numbers
//	grids       1 if as GridsFor says, or 0 and Grids-1 as a bounded number
//	prior       Exp-Golomb, order 0: 0 for none, or a number that the container
//	            gives a meaning to
//	steps       for each module the difference from the prior's step, signed
//	            Exp-Golomb, order 0
//	            zero bits up to a whole byte
//	            the rest is one arithmetic code, see arith.BinaryEncoder:
//	weights     see codeWeights
//	grids       coarsest first: one bit, 1 if any latent is not zero; then the latents
//	            in the order of walker.grid, each by entropy.LaplaceModel

// ErrCorrupt is the error of a stream that no encoder wrote.
var ErrCorrupt = errors.New("inr: corrupt stream")

// A PriorFunc returns the networks that a prior's number, above 0, stands for, made
// for the architecture a. They are not changed.
type PriorFunc func(a Arch, number uint64) (*Quantised, error)

// maxPrior bounds the numbers of priors.
const maxPrior = 1 << 16

// A Header is what precedes the arithmetic code of a stream.
type Header struct {
	Arch  Arch
	Prior uint64 // 0 for none
	Step  [NumModules]uint8
}

// priorOf returns the networks that differences are coded from.
func (h *Header) priorOf(priors PriorFunc) (*Quantised, error) {
	if h.Prior == 0 {
		return NewQuantised(&h.Arch), nil
	}
	if priors == nil {
		return nil, fmt.Errorf("%w: no prior %d", ErrNetworks, h.Prior)
	}
	q, err := priors(h.Arch, h.Prior)
	if err != nil {
		return nil, err
	}
	if q == nil {
		return nil, fmt.Errorf("%w: no prior %d", ErrNetworks, h.Prior)
	}
	if err := q.Validate(&h.Arch); err != nil {
		return nil, fmt.Errorf("prior %d: %w", h.Prior, err)
	}
	return q, nil
}

// write appends all of the header to buf.
func (h *Header) write(width, height int, prior *Quantised) ([]byte, error) {
	var b bytes.Buffer
	w := arith.NewHeaderWriter(&b)
	a := &h.Arch
	preset := 0
	for i, p := range Presets {
		if p.Spatial == a.Spatial && p.Parents == a.Parents && p.Hidden == a.Hidden {
			preset = i + 1
		}
	}
	w.ExpGolomb(uint64(preset), 1)
	if preset == 0 {
		w.Bounded(uint64(a.Spatial-1), uint64(MaxSpatial-1))
		w.Bounded(uint64(a.Parents), MaxParents)
		w.Bounded(uint64(a.Hidden-1), MaxHidden-1)
	}
	usual := a.Grids == GridsFor(width, height)
	w.Bool(usual)
	if !usual {
		w.Bounded(uint64(a.Grids-1), MaxGrids-1)
	}
	w.ExpGolomb(h.Prior, 0)
	for m, s := range h.Step {
		w.SignedExpGolomb(int64(s)-int64(prior.Step[m]), 0)
	}
	err := w.Close()
	return b.Bytes(), err
}

// ReadHeader reads the header of the stream of a picture of the given size. It
// returns the prior too, from priors if it is not the fresh networks, and the rest
// of the stream. What is wrong with a stream gives an error that wraps ErrCorrupt; an
// error of priors is returned as it is.
func ReadHeader(buf []byte, width, height, channels int, priors PriorFunc) (*Header, *Quantised, []byte, error) {
	b := bytes.NewReader(buf)
	r := arith.NewHeaderReader(b)
	h := &Header{Arch: Arch{Channels: channels}}
	a := &h.Arch
	if preset := r.ExpGolomb(1, uint64(len(Presets))); preset > 0 {
		p := Presets[preset-1]
		a.Spatial, a.Parents, a.Hidden = p.Spatial, p.Parents, p.Hidden
	} else {
		a.Spatial = int(r.Bounded(uint64(MaxSpatial-1))) + 1
		a.Parents = int(r.Bounded(MaxParents))
		a.Hidden = int(r.Bounded(MaxHidden-1)) + 1
	}
	if a.Grids = GridsFor(width, height); !r.Bool() {
		a.Grids = int(r.Bounded(MaxGrids-1)) + 1
	}
	h.Prior = r.ExpGolomb(0, maxPrior)
	if err := r.Err(); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := a.Validate(); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	prior, err := h.priorOf(priors)
	if err != nil {
		return nil, nil, nil, err
	}
	for m := range h.Step {
		s := int64(prior.Step[m]) + r.SignedExpGolomb(0, 16)
		if s < 0 || s > int64(MaxStep[m]) {
			return nil, nil, nil, fmt.Errorf("%w: step 2^-%d of the %v", ErrCorrupt, s, Module(m))
		}
		h.Step[m] = uint8(s)
	}
	r.Align()
	if err := r.Err(); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return h, prior, buf[len(buf)-b.Len():], nil
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

// EncodeStream codes latents and networks. The prior, which must be valid for the
// architecture, is what the decoder gets for that number; number 0 stands for no
// prior, which is then ignored.
func EncodeStream(a *Arch, q *Quantised, lat Latents, number uint64, prior *Quantised) ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if err := errors.Join(lat.Validate(a), q.Validate(a)); err != nil {
		return nil, err
	}
	if number > maxPrior {
		return nil, fmt.Errorf("%w: prior %d", ErrNetworks, number)
	}
	width, height := lat[0].W, lat[0].H
	if err := checkSize(a, width, height); err != nil {
		return nil, err
	}
	h := &Header{Arch: *a, Prior: number, Step: q.Step}
	prior, err := h.priorOf(func(Arch, uint64) (*Quantised, error) { return prior, nil })
	if err != nil {
		return nil, err
	}
	buf, err := h.write(width, height, prior)
	if err != nil {
		return nil, err
	}
	e := arith.NewBinaryEncoder(buf)
	codeWeights(bitEncoder{e}, q.Clone(), prior)
	w := newWalker(a, q)
	for i := a.Grids - 1; i >= 0; i-- {
		g := &lat[i]
		if g.zero() {
			e.EncodeBits(0, 1)
			w.skip()
			continue
		}
		e.EncodeBits(1, 1)
		if err := w.grid(i, g, latentEncoder{e}); err != nil {
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
	out := make([]float64, a.Grids)
	w := newWalker(a, q)
	for i := a.Grids - 1; i >= 0; i-- {
		c := latentCost{1} // the bit that says whether any latent is not zero
		if g := &lat[i]; g.zero() {
			w.skip()
		} else {
			_ = w.grid(i, g, &c) // costs give no error
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
	if err := checkSize(&Arch{channels, 1, 2, 0, 1}, width, height); err != nil {
		return nil, nil, nil, err
	}
	h, prior, rest, err := ReadHeader(buf, width, height, channels, priors)
	if err != nil {
		return nil, nil, nil, err
	}
	a := &h.Arch
	d := arith.NewBinaryDecoder(rest)
	q := &Quantised{Step: h.Step}
	for m, n := range a.Params() {
		q.Ints[m] = make([]int32, n)
	}
	codeWeights(bitDecoder{d}, q, prior)
	if err := d.Err(); err != nil {
		return nil, nil, nil, err
	}
	if err := q.Validate(a); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	lat := NewLatents(a, width, height)
	w := newWalker(a, q)
	for i := a.Grids - 1; i >= 0; i-- {
		if d.DecodeBits(1) == 0 {
			w.skip()
		} else if err := w.grid(i, &lat[i], latentDecoder{d}); err != nil {
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
