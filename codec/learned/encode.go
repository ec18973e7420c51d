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
	m, err := registry.For(o.Weights)
	if err != nil {
		return err
	}
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	e := &encoder{ctx: ctx, src: src, o: o, m: m, b: convnet.NewBuffers(pool), tiles: pixels.Tiles(h.Width, h.Height)}
	e.search = newSearcher(pool, o.Effort)
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
	m, err := e.m.at(rate)
	if err != nil {
		return nil, err
	}
	t := &trial{}
	var sum float64
	var n int
	for _, r := range e.tiles {
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		x, rows, columns := pixels.Read(e.src, r)
		y, s := m.analysis.Forward(e.b, x, convnet.Shape{N: 1, H: rows, W: columns}, rate)
		hyper := m.hyperOf(e.b, y, s, rate)
		if e.search != nil {
			better, h, err := e.search.improve(e.ctx, m, y, x, convnet.Shape{N: 1, H: rows, W: columns}, rate)
			if err != nil {
				return nil, err
			}
			y, hyper = better, h
		}
		w := arith.NewRangeEncoder(nil)
		_, decoded := m.encodeLatents(e.b, w, y, hyper, s, rate, m.stepWorth(rate))
		e.b.Give(y)
		t.tiles = append(t.tiles, w.Finish())
		if measure {
			out, _ := m.synthesis.Forward(e.b, decoded, s, rate)
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

// stepWorth returns what the square of a step is worth in bits where an encoder chooses
// between integers. Theory for high rates, where a coefficient costs the logarithm of its
// range in steps, says 6/ln 2 for the best step; but networks learn steps for rounding to
// the nearest, and how far from the best these are depends on where a rate lies in the range
// that a network was trained for. So models have the worths of their anchors, fitted to
// pictures.
func (m *Model) stepWorth(rate int) float64 {
	if m.worths == nil {
		return firstWorth
	}
	k, f := convnet.At(float32(rate)/convnet.RateUnit, m.config.Anchors)
	lo, hi := float64(m.worths[k]), float64(m.worths[k+1])
	return lo + float64(float64(f)*(hi-lo))
}

// A goal is a target other than a quality.
type goal struct {
	psnr  float64 // to reach, if above 0
	limit float64 // of bytes, if there is no such
	fixed int64   // bytes beside the tiles
}

// met says whether a trial is within the limit, or good enough.
func (g *goal) met(t *trial) bool {
	if g.psnr > 0 {
		return pixels.PSNR(t.mse) >= g.psnr
	}
	return float64(t.size()+g.fixed) <= g.limit
}

// How much a step of the rate changes the logarithm of bytes and the PSNR: of the shipped
// model over its whole range.
const (
	bytesStep = 3.5 / convnet.RateUnit
	psnrStep  = 13.0 / convnet.RateUnit
)

// missing returns about how far the rate of a trial is from the one that meets the goal,
// with a little to spare.
func (g *goal) missing(t *trial) int {
	if g.psnr > 0 {
		return int(math.Ceil((g.psnr + 0.01 - pixels.PSNR(t.mse)) / psnrStep))
	}
	room := max(g.limit-float64(g.fixed), 1)
	return int(math.Floor(math.Log(0.998*room/float64(t.size())) / bytesStep))
}

// aim returns the rate and the tiles that meet the target, fixed bytes being taken by the
// rest of the file.
func (e *encoder) aim(fixed int64) (int, [][]byte, error) {
	target := e.o.Target
	g := &goal{fixed: fixed, limit: target.Value}
	switch target.Kind {
	case codec.TargetQuality:
		rate := int(math.Round(target.Value / 100 * convnet.RateUnit))
		if low, high := e.m.rates(); rate < low || rate > high {
			const unit = convnet.RateUnit / 100.0
			return 0, nil, codec.UnsupportedError(fmt.Sprintf("learned: quality %v: the model is for %.1f to %.1f", target.Value, float64(low)/unit, float64(high)/unit))
		}
		t, err := e.try(rate, false)
		if err != nil {
			return 0, nil, err
		}
		return rate, t.tiles, nil
	case codec.TargetBPP:
		h := e.src.Header()
		g.limit = math.Floor(target.Value * float64(h.Width) * float64(h.Height) / 8)
	case codec.TargetPSNR:
		g.psnr = target.Value
	}
	// The rate is found without the search, and then adjusted to what that changes.
	search := e.search
	e.search = nil
	rate, best, err := e.bisect(g)
	if err != nil {
		return 0, nil, err
	}
	if e.search = search; search == nil {
		return rate, best.tiles, nil
	}
	bestRate, found := rate, false
	for i := range searchTries {
		e.o.Progress(float64(rateSteps+i) / (rateSteps + searchTries))
		t, err := e.try(rate, g.psnr > 0)
		if err != nil {
			return 0, nil, err
		}
		closer := rate > bestRate
		if g.psnr > 0 {
			closer = rate < bestRate
		}
		if g.met(t) && (closer || !found) || !g.met(best) && !found {
			best, bestRate, found = t, rate, true
		}
		low, high := e.m.rates()
		next := min(max(rate+g.missing(t), low), high)
		if next == rate {
			break
		}
		rate = next
	}
	return bestRate, best.tiles, nil
}

// bisect finds the highest rate within the limit, or the lowest that is good enough;
// if there is none, the lowest or the highest there is.
func (e *encoder) bisect(g *goal) (int, *trial, error) {
	measure := g.psnr > 0
	progress := func(done int) { e.o.Progress(float64(done) / (rateSteps + searchTries)) }
	lo, hi := e.m.rates()
	below, err := e.try(lo, measure)
	if err != nil {
		return 0, nil, err
	}
	// Quality grows with the rate, and so do bytes, nearly always.
	if g.met(below) == measure {
		if !measure && e.o.Target.Kind == codec.TargetSize {
			return 0, nil, codec.UnsupportedError(fmt.Sprintf("learned: a size of %.0f bytes: the least for this picture is %d", g.limit, below.size()+g.fixed))
		}
		return lo, below, nil
	}
	progress(1)
	above, err := e.try(hi, measure)
	if err != nil {
		return 0, nil, err
	}
	if g.met(above) != measure {
		return hi, above, nil
	}
	for step := 2; hi-lo > 1 && step < rateSteps; step++ {
		progress(step)
		mid := (lo + hi) / 2
		t, err := e.try(mid, measure)
		if err != nil {
			return 0, nil, err
		}
		if g.met(t) == measure {
			hi, above = mid, t
		} else {
			lo, below = mid, t
		}
	}
	if measure {
		return hi, above, nil
	}
	return lo, below, nil
}

// rateSteps bounds how many rates are tried for a target, and searchTries how many with
// the search.
const (
	rateSteps   = 12
	searchTries = 3
)
