package learned

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/learned/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// An encoder codes a picture.
type encoder struct {
	ctx   context.Context
	src   *codec.Source
	o     *codec.Options
	m     *Model
	b     *convnet.Buffers
	tiles []image.Rectangle
	// search, unless nil, improves latents.
	search *searcher
}

func encode(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
	h := src.Header()
	if err := pixels.Supported(Name, h); err != nil {
		return err
	}
	m, err := modelFor(o.Weights)
	if err != nil {
		return err
	}
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	e := &encoder{ctx: ctx, src: src, o: o, m: m, b: newBuffers(pool), tiles: pixels.Tiles(h.Width, h.Height)}
	if e.search, err = newSearcher(m, pool, o.Effort); err != nil {
		return err
	}
	alpha, err := pixels.EncodeAlpha(ctx, src, o)
	if err != nil {
		return err
	}
	head := &head{id: m.ID()}
	// What is known to be in the file beside the tiles.
	fixed := w.Written() + int64(codec.SectionSize(len(head.marshal())+1)+codec.SectionSize(0))
	if alpha != nil {
		fixed += int64(codec.SectionSize(len(alpha)))
	}
	if o.EmbedWeights {
		fixed += int64(codec.SectionSize(len(m.file)))
	}
	rate, tiles, err := e.aim(fixed)
	if err != nil {
		return err
	}
	head.rate = rate
	if err := w.Write(kindHead, true, head.marshal()); err != nil {
		return err
	}
	if o.EmbedWeights {
		if err := w.Write(kindModel, true, m.file); err != nil {
			return err
		}
	}
	for _, t := range tiles {
		if err := w.Write(kindTile, true, t); err != nil {
			return err
		}
	}
	if alpha != nil {
		return w.Write(kindAlpha, true, alpha)
	}
	return nil
}

// A trial is a picture coded at a rate.
type trial struct {
	tiles [][]byte
	mse   float64 // if it was asked for
}

// size returns the bytes of the tiles' sections.
func (t *trial) size() int64 {
	var n int64
	for _, b := range t.tiles {
		n += int64(codec.SectionSize(len(b)))
	}
	return n
}

// try codes all tiles at a rate.
func (e *encoder) try(rate int, measure bool) (*trial, error) {
	t := &trial{}
	var sum float64
	var n int
	for _, r := range e.tiles {
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		x, rows, columns := pixels.Read(e.src, r)
		y, s := e.m.analysis.Forward(e.b, x, convnet.Shape{N: 1, H: rows, W: columns}, rate)
		hyper := e.m.hyperOf(e.b, y, s, rate)
		if e.search != nil {
			better, h, err := e.search.improve(e.ctx, e.m, y, x, convnet.Shape{N: 1, H: rows, W: columns}, rate)
			if err != nil {
				return nil, err
			}
			y, hyper = better, h
		}
		w := arith.NewRangeEncoder(nil)
		_, decoded := e.m.encodeLatents(e.b, w, y, hyper, s, rate, stepWorth(rate))
		e.b.Give(y)
		t.tiles = append(t.tiles, w.Finish())
		if measure {
			out, _ := e.m.synthesis.Forward(e.b, decoded, s, rate)
			s, k := pixels.SquaredError(out, x, r, columns)
			sum, n = sum+s, n+k
			e.b.Give(out)
		}
	}
	t.mse = sum / float64(max(n, 1))
	return t, nil
}

// Lambda returns the weight of the mean squared error of 8-bit RGB samples, beside bits
// per pixel, that a quality of 0 to 100 stands for.
func Lambda(quality float64) float64 { return network.Lambda(quality / 100) }

// stepWorth is what the square of a step is worth in bits where an encoder chooses
// between integers. Theory for high rates, where a coefficient costs the logarithm of its
// range in steps, says 6/ln 2 for the best step; but networks learn steps for rounding to
// the nearest, and these numbers were best on the crops of photographs that training was
// watched with: 3 % fewer bits at the lowest rates, next to nothing at the highest.
func stepWorth(rate int) float64 {
	return 16 * math.Exp2(float64(rate)/1150)
}

// aim returns the rate and the tiles that meet the target, fixed bytes being taken by the
// rest of the file.
func (e *encoder) aim(fixed int64) (int, [][]byte, error) {
	target := e.o.Target
	measure := target.Kind == codec.TargetPSNR
	progress := func(done int) { e.o.Progress(float64(done) / rateSteps) }
	if target.Kind == codec.TargetQuality {
		rate := int(math.Round(target.Value / 100 * convnet.RateUnit))
		t, err := e.try(rate, false)
		if err != nil {
			return 0, nil, err
		}
		return rate, t.tiles, nil
	}
	h := e.src.Header()
	limit := target.Value
	if target.Kind == codec.TargetBPP {
		limit = math.Floor(target.Value * float64(h.Width) * float64(h.Height) / 8)
	}
	// Quality grows with the rate, and so do bytes, nearly always: the highest rate that
	// fits, or the lowest that is good enough.
	enough := func(t *trial) bool {
		if measure {
			return pixels.PSNR(t.mse) >= target.Value
		}
		return float64(t.size()+fixed) > limit
	}
	lo, hi := 0, convnet.RateUnit
	var below, above *trial // at lo and hi
	var err error
	if below, err = e.try(lo, measure); err != nil {
		return 0, nil, err
	}
	if enough(below) {
		if target.Kind == codec.TargetSize {
			return 0, nil, codec.UnsupportedError(fmt.Sprintf("learned: a size of %.0f bytes: the least for this picture is %d", limit, below.size()+fixed))
		}
		return lo, below.tiles, nil
	}
	progress(1)
	if above, err = e.try(hi, measure); err != nil {
		return 0, nil, err
	}
	if !enough(above) {
		return hi, above.tiles, nil
	}
	for step := 2; hi-lo > 1 && step < rateSteps; step++ {
		progress(step)
		mid := (lo + hi) / 2
		t, err := e.try(mid, measure)
		if err != nil {
			return 0, nil, err
		}
		if enough(t) {
			hi, above = mid, t
		} else {
			lo, below = mid, t
		}
	}
	if measure {
		return hi, above.tiles, nil
	}
	return lo, below.tiles, nil
}

// rateSteps bounds how many rates are tried for a target.
const rateSteps = 12
