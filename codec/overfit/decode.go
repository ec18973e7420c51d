package overfit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/inr"
)

func decode(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
	return decodeTiles(ctx, h, r, o, dst, tilesOf(h.Width, h.Height))
}

func decodeTiles(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink, t tiles) error {
	if h.Model == codec.ModelPaletted {
		return codec.FormatError("overfit: paletted picture")
	}
	channels := len(h.Planes())
	// A single tile is decoded by several workers, of several each has its own.
	workers, each := o.Workers, 1
	if t.count() == 1 {
		workers, each = 1, o.Workers
	}
	var model int64 // bytes of weights so far
	take := func(n int64) error {
		if model += n; model > o.Limits.MaxModelBytes {
			return fmt.Errorf("%w: over %d bytes of weights, MaxModelBytes is %d", codec.ErrTooLarge, model, o.Limits.MaxModelBytes)
		}
		return nil
	}
	priors := &known{weights: o.Weights}
	next := func(i int) ([]byte, error) {
		kind, payload, err := r.Next()
		for ; err == nil && kind == kindPrior; kind, payload, err = r.Next() {
			p, err := readPrior(payload, o.Limits.MaxModelBytes-model)
			if err != nil {
				return nil, err
			}
			a := p.Arch()
			if err := take(modelBytes(&a)); err != nil {
				return nil, err
			}
			priors.embed(p)
		}
		switch {
		case err == io.EOF && i < t.count():
			return nil, codec.FormatError("overfit: tiles are missing")
		case err != nil:
			return nil, err
		case i >= t.count():
			return nil, codec.FormatError("overfit: more tiles than the picture has")
		}
		size := t.rect(i).Size()
		head, _, err := inr.ReadHeader(payload, size.X, size.Y, channels, priors.prior)
		if err != nil {
			return nil, tileError(err)
		}
		return payload, take(modelBytes(&head.Arch))
	}
	var done atomic.Int64
	work := func(ctx context.Context, i int, payload []byte) error {
		rect := t.rect(i)
		a, q, lat, err := inr.DecodeLatents(payload, rect.Dx(), rect.Dy(), channels, priors.prior)
		if err != nil {
			return tileError(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := write(dst, h, rect, inr.SynthesiseFloat(a, q.Nets(), lat, each)); err != nil {
			return err
		}
		o.Progress(float64(done.Add(1)) / float64(t.count()))
		return nil
	}
	return codec.RunFed(ctx, workers, next, work)
}

// Info is what Describe tells of a file.
type Info struct {
	Preset string        // of the first tile: one of inr.Presets, or empty
	Priors []inr.PriorID // that tiles start from, each once, in order of appearance
	Fresh  int           // tiles that start from nothing
}

// Describe returns what the sections of a file of this codec say, as Decoder.Scan found
// them, and false if they are no tiles of such a picture.
func Describe(h *codec.Header, sections []codec.SectionInfo) (Info, bool) {
	var info Info
	t, i := tilesOf(h.Width, h.Height), 0
	for _, s := range sections {
		if s.Kind != kindTile || i == t.count() {
			continue
		}
		size := t.rect(i).Size()
		head, err := inr.ReadInfo([]byte(s.Begin), size.X, size.Y, len(h.Planes()))
		if err != nil {
			return Info{}, false
		}
		if i++; i == 1 {
			info.Preset = head.Arch.Preset()
		}
		switch {
		case !head.HasPrior:
			info.Fresh++
		case !slices.Contains(info.Priors, head.Prior):
			info.Priors = append(info.Priors, head.Prior)
		}
	}
	return info, i > 0
}

// tileError returns the codec's error for one of inr's.
func tileError(err error) error {
	if errors.Is(err, codec.ErrModelMismatch) {
		return err
	}
	return codec.FormatError("overfit: " + err.Error())
}
