package main

import (
	"context"
	"image"
	"io"

	"github.com/burin-codec/burin/codec"
)

// beforeRow, if not nil, is called by the raw codec before it encodes a row.
var beforeRow func(y int)

// The raw codec stores rows of samples, without their low bits when it may lose
// something.
func init() {
	codec.Register(codec.Codec{
		ID: 255, Name: "raw", Version: 1,
		Targets:  []codec.TargetKind{codec.TargetLossless, codec.TargetQuality},
		Sections: []string{"RAWR"},
		Encode: func(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
			mask := uint16(0xffff)
			if o.Target.Kind != codec.TargetLossless {
				mask = 0xfff0
			}
			return eachRow(src.Header(), func(p int, r image.Rectangle, row []uint16) error {
				if beforeRow != nil {
					beforeRow(r.Min.Y)
				}
				src.ReadPlane(p, r, row, len(row))
				b := make([]byte, 0, 2*len(row))
				for _, v := range row {
					v &= mask
					b = append(b, byte(v), byte(v>>8))
				}
				o.Progress(float64(r.Max.Y) / float64(src.Header().Height))
				if err := ctx.Err(); err != nil {
					return err
				}
				return w.Write("RAWR", true, b)
			})
		},
		Decode: func(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
			return eachRow(h, func(p int, rect image.Rectangle, row []uint16) error {
				_, b, err := r.Next()
				if err == io.EOF || err == nil && len(b) != 2*len(row) {
					return codec.FormatError("bad row")
				}
				if err != nil {
					return err
				}
				for i := range row {
					row[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
				}
				return dst.WritePlane(p, rect, row, len(row))
			})
		},
	})
}

func eachRow(h *codec.Header, f func(p int, r image.Rectangle, row []uint16) error) error {
	for p, plane := range h.Planes() {
		row := make([]uint16, plane.Width)
		for y := range plane.Height {
			if err := f(p, image.Rect(0, y, plane.Width, y+1), row); err != nil {
				return err
			}
		}
	}
	return nil
}
