package pixels

import (
	"bytes"
	"context"
	"fmt"
	"image"

	"github.com/burin-codec/burin/codec"
	_ "github.com/burin-codec/burin/codec/lossless" // which codes alpha
)

// EncodeAlpha returns the alpha plane of src as a burin file of its own, coded without
// loss with the effort and the workers of o, or nil if there is none to code.
func EncodeAlpha(ctx context.Context, src *codec.Source, o *codec.Options) ([]byte, error) {
	h := src.Header()
	p := AlphaPlane(h)
	if p < 0 {
		return nil, nil
	}
	r := h.Bounds()
	samples := make([]uint16, r.Dx()*r.Dy())
	src.ReadPlane(p, r, samples, r.Dx())
	var picture image.Image
	if h.Depth == 8 {
		g := image.NewGray(r)
		for i, v := range samples {
			g.Pix[i] = uint8(v)
		}
		picture = g
	} else {
		g := image.NewGray16(r)
		for i, v := range samples {
			g.Pix[2*i], g.Pix[2*i+1] = uint8(v>>8), uint8(v)
		}
		picture = g
	}
	inner := codec.DefaultOptions()
	inner.Codec, inner.Effort, inner.Workers = "lossless", min(o.Effort, codec.DefaultEffort), o.Workers
	var file bytes.Buffer
	enc, err := codec.NewEncoder(&file, inner)
	if err != nil {
		return nil, err
	}
	if err := enc.Encode(ctx, picture); err != nil {
		return nil, err
	}
	return file.Bytes(), nil
}

// DecodeAlpha decodes what EncodeAlpha returned into dst.
func DecodeAlpha(ctx context.Context, payload []byte, h *codec.Header, o *codec.DecodeOptions, dst *codec.Sink) error {
	inner := *o
	inner.Progress, inner.Weights = nil, nil
	d, err := codec.NewDecoder(bytes.NewReader(payload), &inner)
	if err != nil {
		return fmt.Errorf("alpha: %w", err)
	}
	if a := d.Header(); a.Width != h.Width || a.Height != h.Height || a.Depth != h.Depth || a.Model != codec.ModelGray || a.Codec != "lossless" {
		return codec.FormatError("alpha is not a gray picture of the same size")
	}
	m, err := d.Decode(ctx)
	if err != nil {
		return fmt.Errorf("alpha: %w", err)
	}
	s, err := codec.NewSource(m)
	if err != nil {
		return err
	}
	p := AlphaPlane(h)
	// A band at a time.
	const band = 64
	buf := make([]uint16, h.Width*min(band, h.Height))
	for y := 0; y < h.Height; y += band {
		r := image.Rect(0, y, h.Width, min(y+band, h.Height))
		s.ReadPlane(0, r, buf, h.Width)
		if err := dst.WritePlane(p, r, buf[:r.Dx()*r.Dy()], h.Width); err != nil {
			return err
		}
	}
	return nil
}
