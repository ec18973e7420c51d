// Package lossless is burin's lossless codec. Importing it registers it with
// package codec:
//
//	import _ "github.com/burin-codec/burin/codec/lossless"
//
// # Efforts
//
// Three families of methods share the scale from 1 to 9:
//
//	1-3  fast      fitted linear prediction, static rANS tables by local activity
//	4-6  balanced  least squares fitted at every few samples, mixed contexts
//	7-9  max       several least-squares predictors, stacked, and all contexts
//
// The fast family decodes as fast as it encodes, or faster. The other two do the
// same work in both directions, as all context mixing does.
//
// # What it looks for
//
// Pictures that came through 8-bit luma and chroma (decoded JPEGs, video
// frames, PhotoCD scans) are coded in those, see package lattice. Pictures of at
// most 256 colours become a palette and indices, samples with gaps in their
// histogram become ranks, and what looks drawn rather than photographed is coded
// by exact repetition.
//
// # Bit stream, version 1
//
// A picture is cut into tiles that are coded each by itself, so that they can be
// coded and decoded in parallel. Optionally a section "grid" comes first, with
// the width and the height of the tiles as two uvarints, multiples of 16; without
// it the picture is one tile. Then comes a section "tile" for each tile, row by
// row. tile.go describes what is in it.
//
// # Security
//
// The decoder takes any bytes: it returns an error or some picture of the size
// that the header announces. Its memory is bounded by the size of the tiles that
// are decoded at a time.
package lossless

import (
	"context"
	"encoding/binary"
	"image"
	"io"
	"sync/atomic"

	"github.com/burin-codec/burin/codec"
)

const (
	kindGrid = "grid"
	kindTile = "tile"

	tileAlign = 16
)

func init() {
	codec.Register(codec.Codec{
		ID:       1,
		Name:     "lossless",
		Version:  1,
		Targets:  []codec.TargetKind{codec.TargetLossless},
		Sections: []string{kindGrid, kindTile},
		Encode:   encode,
		Decode:   decode,
	})
}

// tilePixels is the size that an effort cuts pictures down to: small tiles keep
// many workers busy, large ones let the models learn.
func tilePixels(effort int) int {
	switch {
	case effort <= 3:
		return 1 << 20
	case effort <= 6:
		return 3 << 19
	}
	return 1 << 22
}

const (
	// maxTilePixels bounds the tiles that a decoder takes, and with them the
	// memory of each worker.
	maxTilePixels = 1 << 24

	// maxTileWidth bounds the width of a tile at the efforts that keep a state
	// for every few columns.
	maxTileWidth = 1 << 14
)

// tiling is a grid of tiles over a picture.
type tiling struct {
	width, height         int // of the picture
	tileWidth, tileHeight int
}

// chooseTiling cuts a picture into tiles of at most the given number of pixels
// and about as wide as high.
func chooseTiling(w, h, pixels int) tiling {
	t := tiling{w, h, w, h}
	for t.tileWidth > maxTileWidth || t.tileWidth*t.tileHeight > max(pixels, tileAlign*tileAlign) {
		if t.tileWidth > t.tileHeight {
			t.tileWidth = narrower(w, t.tileWidth)
		} else {
			t.tileHeight = narrower(h, t.tileHeight)
		}
	}
	return t
}

// narrower returns the size of the tiles when n samples are cut into one tile
// more than by the given size.
func narrower(n, size int) int {
	tiles := (n+size-1)/size + 1
	return min(align((n+tiles-1)/tiles), align(size)-tileAlign)
}

func align(n int) int { return (n + tileAlign - 1) / tileAlign * tileAlign }

func (t tiling) single() bool { return t.tileWidth >= t.width && t.tileHeight >= t.height }

func (t tiling) columns() int { return (t.width + t.tileWidth - 1) / t.tileWidth }
func (t tiling) rows() int    { return (t.height + t.tileHeight - 1) / t.tileHeight }
func (t tiling) count() int   { return t.columns() * t.rows() }

// rect returns tile i.
func (t tiling) rect(i int) image.Rectangle {
	x, y := i%t.columns()*t.tileWidth, i/t.columns()*t.tileHeight
	return image.Rect(x, y, min(x+t.tileWidth, t.width), min(y+t.tileHeight, t.height))
}

// planeRect returns the part of plane p that a tile covers. Tiles start at
// multiples of all subsamplings.
func planeRect(h *codec.Header, p codec.Plane, r image.Rectangle) image.Rectangle {
	down := func(n, full, part int) int {
		step := 1
		for (full+step-1)/step > part {
			step *= 2
		}
		return (n + step - 1) / step
	}
	return image.Rect(
		down(r.Min.X, h.Width, p.Width), down(r.Min.Y, h.Height, p.Height),
		down(r.Max.X, h.Width, p.Width), down(r.Max.Y, h.Height, p.Height))
}

// tilePlanes returns the planes of a tile, zero, and where they lie.
func tilePlanes(h *codec.Header, r image.Rectangle) (planes []plane, rects []image.Rectangle) {
	for _, p := range h.Planes() {
		pr := planeRect(h, p, r)
		planes = append(planes, newPlane(pr.Dx(), pr.Dy(), p.MaxValue))
		rects = append(rects, pr)
	}
	return planes, rects
}

func colours(h *codec.Header) bool {
	return h.Model == codec.ModelNRGBA || h.Model == codec.ModelRGBA
}

// meter turns finished samples into progress.
type meter struct {
	total  int64
	done   atomic.Int64
	report func(float64)
}

func newMeter(h *codec.Header, report func(float64)) *meter {
	m := &meter{report: report}
	for _, p := range h.Planes() {
		m.total += int64(p.Width) * int64(p.Height)
	}
	return m
}

func (m *meter) add(samples int) {
	m.report(float64(m.done.Add(int64(samples))) / float64(m.total))
}

func encode(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
	h := src.Header()
	t := chooseTiling(h.Width, h.Height, tilePixels(o.Effort))
	if !t.single() {
		grid := binary.AppendUvarint(nil, uint64(t.tileWidth))
		grid = binary.AppendUvarint(grid, uint64(t.tileHeight))
		if err := w.Write(kindGrid, true, grid); err != nil {
			return err
		}
	}
	m := newMeter(h, o.Progress)
	work := func(ctx context.Context, i int) ([]byte, error) {
		planes, rects := tilePlanes(h, t.rect(i))
		for k := range planes {
			src.ReadPlane(k, rects[k], planes[k].pix, planes[k].w)
		}
		j := newJob(ctx, planes, m)
		data, err := j.encodeTile(planes, colours(h), o.Effort)
		j.finish()
		return data, err
	}
	emit := func(_ int, data []byte) error { return w.Write(kindTile, true, data) }
	return codec.RunOrdered(ctx, t.count(), o.Workers, work, emit)
}

func decode(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
	t := tiling{h.Width, h.Height, h.Width, h.Height}
	kind, payload, err := r.Next()
	if err == nil && kind == kindGrid {
		if t, err = parseGrid(h, payload); err == nil {
			kind, payload, err = r.Next()
		}
	}
	if err != nil {
		if err == io.EOF {
			err = codec.FormatError("lossless: no tiles")
		}
		return err
	}
	if int64(t.tileWidth)*int64(t.tileHeight) > maxTilePixels {
		return codec.FormatError("lossless: tile too large")
	}
	m := newMeter(h, o.Progress)
	next := func(i int) ([]byte, error) {
		if i > 0 {
			if kind, payload, err = r.Next(); err != nil {
				if err == io.EOF && i < t.count() {
					err = codec.FormatError("lossless: tiles are missing")
				}
				return nil, err
			}
		}
		if kind != kindTile || i >= t.count() {
			return nil, codec.FormatError("lossless: section " + kind + " out of place")
		}
		return payload, nil
	}
	work := func(ctx context.Context, i int, data []byte) error {
		planes, rects := tilePlanes(h, t.rect(i))
		j := newJob(ctx, planes, m)
		if err := j.decodeTile(data, planes, colours(h)); err != nil {
			return err
		}
		j.finish()
		for k := range planes {
			if err := dst.WritePlane(k, rects[k], planes[k].pix, planes[k].w); err != nil {
				return err
			}
		}
		return nil
	}
	return codec.RunFed(ctx, o.Workers, next, work)
}

func parseGrid(h *codec.Header, payload []byte) (tiling, error) {
	tw, n := binary.Uvarint(payload)
	if n <= 0 {
		return tiling{}, codec.FormatError("lossless: invalid grid")
	}
	th, k := binary.Uvarint(payload[n:])
	if k <= 0 || n+k != len(payload) || tw == 0 || th == 0 ||
		tw > codec.MaxDimension+tileAlign || th > codec.MaxDimension+tileAlign ||
		tw < uint64(h.Width) && tw%tileAlign != 0 || th < uint64(h.Height) && th%tileAlign != 0 {
		return tiling{}, codec.FormatError("lossless: invalid grid")
	}
	return tiling{h.Width, h.Height, int(tw), int(th)}, nil
}
