package overfit

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	next := func(i int) ([]byte, error) {
		_, payload, err := r.Next()
		switch {
		case err == io.EOF && i < t.count():
			return nil, codec.FormatError("overfit: tiles are missing")
		case err != nil:
			return nil, err
		case i >= t.count():
			return nil, codec.FormatError("overfit: more tiles than the picture has")
		}
		size := t.rect(i).Size()
		head, _, _, err := inr.ReadHeader(payload, size.X, size.Y, channels, prior)
		if err != nil {
			return nil, tileError(err)
		}
		for _, n := range head.Arch.Params() {
			model += 4 * int64(n)
		}
		if model > o.Limits.MaxModelBytes {
			return nil, fmt.Errorf("%w: over %d bytes of weights, MaxModelBytes is %d", codec.ErrTooLarge, model, o.Limits.MaxModelBytes)
		}
		return payload, nil
	}
	var done atomic.Int64
	work := func(ctx context.Context, i int, payload []byte) error {
		rect := t.rect(i)
		a, q, lat, err := inr.DecodeLatents(payload, rect.Dx(), rect.Dy(), channels, prior)
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

// tileError returns the codec's error for one of inr's.
func tileError(err error) error {
	if errors.Is(err, codec.ErrModelMismatch) {
		return err
	}
	return codec.FormatError("overfit: " + err.Error())
}
