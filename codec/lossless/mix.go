package lossless

import (
	"errors"

	"github.com/burin-codec/burin/arith"
)

// The mixing families (efforts 4 to 9) code the planes of a tile one after the
// other, the samples of each in row order. For every sample several predictors,
// fitted online, look at the neighbours and at the planes coded before it; the
// sample is then coded as a path of binary decisions that leads away from their
// blended prediction, each decision with a probability that an entropy.Blend
// mixes from some tens of contexts. Encoder and decoder do the same work.
//
//	wls.go          predictors fitted by windowed least squares
//	mix_predict.go  the predictors together, their errors and their blend
//	mix_context.go  the contexts
//	mix_code.go     the path of decisions

// mixConfig is what an effort spends.
type mixConfig struct {
	wls      []wlsConfig
	stack    *stackConfig // fits the blend as well; nil: weights by error alone
	contexts []contextID
	sets     []setID
	hashBits uint // at most, of a hashed context

	confidence bool // see entropy.BlendConfig
}

var errMix = errors.New("lossless: invalid mixed tile")

// encodeMix codes the planes of a tile. step is called after every row
// with the number of its samples and ends the work by an error.
func encodeMix(planes []plane, order []int, effort int, step func(n int) error) ([]byte, error) {
	c := bitCoder{enc: arith.NewBinaryEncoder(nil)}
	if err := codeMix(&c, planes, order, effort, step); err != nil {
		return nil, err
	}
	return c.enc.Finish(), nil
}

// decodeMix fills planes with what encodeMix coded from planes of the same
// sizes and maxima.
func decodeMix(data []byte, planes []plane, order []int, effort int, step func(n int) error) error {
	c := bitCoder{dec: arith.NewBinaryDecoder(data)}
	return codeMix(&c, planes, order, effort, step)
}

// bitCoder is an encoder or a decoder.
type bitCoder struct {
	enc *arith.BinaryEncoder
	dec *arith.BinaryDecoder
}

// code codes bit when encoding, and returns the bit in either case.
func (c *bitCoder) code(bit int, p uint32) int {
	if c.dec != nil {
		return c.dec.Decode(p)
	}
	c.enc.Encode(bit, p)
	return bit
}

func (c *bitCoder) err() error {
	if c.dec != nil && c.dec.Err() != nil {
		return errMix
	}
	return nil
}

// grid is a plane of numbers with a margin all round, so that neighbours need
// no tests.
type grid struct {
	w, h, stride int
	v            []int32
}

const margin = 4

func newGrid(w, h int) *grid {
	g := &grid{w: w, h: h, stride: w + 2*margin}
	g.v = make([]int32, (h+2*margin)*g.stride)
	return g
}

// at returns the index of a sample in g.v.
func (g *grid) at(x, y int) int { return (y+margin)*g.stride + x + margin }

// extend repeats the border in the margin.
func (g *grid) extend() {
	for y := range g.h {
		r := g.v[(y+margin)*g.stride:][:g.stride]
		for i := range margin {
			r[i] = r[margin]
			r[margin+g.w+i] = r[margin+g.w-1]
		}
	}
	top := g.v[margin*g.stride:][:g.stride]
	bottom := g.v[(g.h+margin-1)*g.stride:][:g.stride]
	for y := range margin {
		copy(g.v[y*g.stride:], top)
		copy(g.v[(g.h+margin+y)*g.stride:], bottom)
	}
}

// codedPlane is a plane that later planes may refer to.
type codedPlane struct {
	samples  *grid
	residual *grid // sample minus centre of its decisions
}

// resample returns the plane at another size, for planes of a subsampled
// picture: the mean of the samples that a new one covers, or the nearest.
func (c codedPlane) resample(w, h int) codedPlane {
	s := c.samples
	if s.w == w && s.h == h {
		return c
	}
	g := newGrid(w, h)
	dx, dy := max(1, (s.w+w/2)/w), max(1, (s.h+h/2)/h)
	for y := range h {
		for x := range w {
			x0, y0 := min(x*s.w/w, s.w-1), min(y*s.h/h, s.h-1)
			x1, y1 := min(x0+dx, s.w), min(y0+dy, s.h)
			var sum, n int32
			for v := y0; v < y1; v++ {
				for u := x0; u < x1; u++ {
					sum += s.v[s.at(u, v)]
					n++
				}
			}
			g.v[g.at(x, y)] = (sum + n/2) / n
		}
	}
	g.extend()
	return codedPlane{samples: g, residual: newGrid(w, h)}
}

func codeMix(c *bitCoder, planes []plane, order []int, effort int, step func(n int) error) error {
	for _, p := range planes {
		if p.w > maxTileWidth {
			return errMix
		}
	}
	cfg := &mixConfigs[effort]
	var coded []codedPlane // the latest first
	for _, i := range order {
		p := &planes[i]
		var refs []codedPlane
		for _, r := range coded[:min(2, len(coded))] {
			refs = append(refs, r.resample(p.w, p.h))
		}
		m := newMixer(cfg, p.w, p.h, int32(p.max), refs, c)
		if err := m.codePlane(p, step); err != nil {
			return err
		}
		coded = append([]codedPlane{{samples: m.s, residual: m.res}}, coded...)
	}
	return c.err()
}
