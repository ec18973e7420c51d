package learned

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"io"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// head is the section "LRND".
type head struct {
	id   ID
	rate int
}

func (h *head) marshal() []byte {
	return binary.AppendUvarint(append([]byte(nil), h.id[:]...), uint64(h.rate))
}

func readHead(b []byte) (*head, error) {
	h := &head{}
	if len(b) < len(h.id) {
		return nil, codec.FormatError("learned: the head is cut off")
	}
	rate, n := binary.Uvarint(b[copy(h.id[:], b):])
	if n != len(b)-len(h.id) || rate > convnet.RateUnit {
		return nil, codec.FormatError("learned: invalid rate")
	}
	h.rate = int(rate)
	return h, nil
}

// Info is what a file says of how it was coded.
type Info struct {
	Model   ID
	Quality float64 // 0 to 100, as of codec.TargetQuality
	// Precision is the bits of precision of a sample: networks work with 14, whatever
	// the picture's.
	Precision int
}

// Describe returns what the sections of a file of this codec say, as Decoder.Scan found
// them, and false if there is no head among them.
func Describe(h *codec.Header, sections []codec.SectionInfo) (Info, bool) {
	for _, s := range sections {
		if s.Kind != kindHead {
			continue
		}
		if head, err := readHead([]byte(s.Begin)); err == nil {
			return Info{head.id, 100 * float64(head.rate) / convnet.RateUnit, min(h.Depth, 8+pixelBits)}, true
		}
	}
	return Info{}, false
}

func decode(ctx context.Context, h *codec.Header, r *codec.SectionReader, o *codec.DecodeOptions, dst *codec.Sink) error {
	if err := pixels.Supported(Name, h); err != nil {
		return codec.FormatError(err.Error())
	}
	payload, err := registry.Head(r, kindHead)
	if err != nil {
		return err
	}
	hd, err := readHead(payload)
	if err != nil {
		return err
	}
	m, kind, payload, next, err := registry.Open(hd.id, r, kindModel, o)
	if err != nil {
		return err
	}
	if m, err = m.at(hd.rate); err != nil {
		return err
	}
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	b := convnet.NewBuffers(pool)
	tiles := pixels.Tiles(h.Width, h.Height)
	alpha := pixels.AlphaPlane(h) < 0
	for i := 0; ; i++ {
		switch {
		case next == io.EOF && i == len(tiles) && alpha:
			return nil
		case next == io.EOF:
			return codec.FormatError("learned: tiles or alpha are missing")
		case next != nil:
			return next
		case kind == kindTile && i < len(tiles):
			x, columns, err := m.decodeTile(b, payload, tiles[i].Size(), hd.rate)
			if err != nil {
				return codec.FormatError(fmt.Sprintf("learned: tile %d: %v", i, err))
			}
			if err := pixels.Write(dst, h, tiles[i], x, columns); err != nil {
				return err
			}
			b.Give(x)
		case kind == kindAlpha && i == len(tiles) && !alpha:
			if err := pixels.DecodeAlpha(ctx, payload, h, o, dst); err != nil {
				return err
			}
			alpha = true
			i--
		default:
			return codec.FormatError(fmt.Sprintf("learned: unexpected section %q", kind))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Progress(float64(i+1) / float64(len(tiles)))
		kind, payload, next = r.Next()
	}
}

// decodeTile returns the pixels of a tile.
func (m *Model) decodeTile(b *convnet.Buffers, payload []byte, size image.Point, rate int) (x []int16, columns int, err error) {
	s := convnet.Shape{N: 1, H: pixels.Aligned(size.Y) / 16, W: pixels.Aligned(size.X) / 16}
	d := arith.NewRangeDecoder(payload)
	y, err := m.decodeLatents(b, d, s, rate)
	if err != nil {
		return nil, 0, err
	}
	if err := d.Err(); err != nil {
		return nil, 0, err
	}
	x, got := m.synthesis.Forward(b, y, s, rate)
	return x, got.W, nil
}
