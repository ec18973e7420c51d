package codec

import (
	"context"
	"encoding/binary"
	"image"
	"io"
)

// rawStrip is how many rows of a plane make a section of the raw codec.
const rawStrip = 8

// The raw codec stores the planes as they are, in strips, to test the container
// and to show what a codec looks like.
func init() {
	Register(Codec{
		ID:       255,
		Name:     "raw",
		Version:  2,
		Targets:  []TargetKind{TargetLossless},
		Sections: []string{"RAWS", "RAWN"},
		Encode:   encodeRaw,
		Decode:   decodeRaw,
	})
}

// rawStrips lists the strips of all planes.
func rawStrips(h *Header) (plane []int, strips []image.Rectangle) {
	for i, p := range h.Planes() {
		for y := 0; y < p.Height; y += rawStrip {
			plane = append(plane, i)
			strips = append(strips, image.Rect(0, y, p.Width, min(y+rawStrip, p.Height)))
		}
	}
	return plane, strips
}

func encodeRaw(ctx context.Context, src *Source, o *Options, w *SectionWriter) error {
	plane, strips := rawStrips(src.Header())
	return RunOrdered(ctx, len(strips), o.Workers,
		func(ctx context.Context, i int) ([]byte, error) {
			r := strips[i]
			samples := make([]uint16, r.Dx()*r.Dy())
			src.ReadPlane(plane[i], r, samples, r.Dx())
			var b []byte
			for _, v := range samples {
				if src.Header().Depth == 16 {
					b = binary.LittleEndian.AppendUint16(b, v)
				} else {
					b = append(b, byte(v))
				}
			}
			return b, nil
		},
		func(i int, b []byte) error {
			o.Progress(float64(i+1) / float64(len(strips)))
			return w.Write("RAWS", true, b)
		})
}

func decodeRaw(ctx context.Context, h *Header, r *SectionReader, o *DecodeOptions, dst *Sink) error {
	plane, strips := rawStrips(h)
	return RunFed(ctx, o.Workers,
		func(i int) ([]byte, error) {
			if i == len(strips) {
				return nil, io.EOF
			}
			_, b, err := r.Next()
			if err == io.EOF {
				return nil, FormatError("missing strip")
			}
			return b, err
		},
		func(ctx context.Context, i int, b []byte) error {
			s := strips[i]
			samples := make([]uint16, s.Dx()*s.Dy())
			if len(b) != len(samples)*h.Depth/8 {
				return FormatError("raw strip of the wrong size")
			}
			for i := range samples {
				if h.Depth == 16 {
					samples[i] = binary.LittleEndian.Uint16(b[2*i:])
				} else {
					samples[i] = uint16(b[i])
				}
			}
			return dst.WritePlane(plane[i], s, samples, s.Dx())
		})
}
