package vector

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"io"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

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
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	d := &decoder{m: m, b: convnet.NewBuffers(pool), head: hd, depths: m.depths(hd.sizes), conceal: o.Conceal}
	tiles := pixels.Tiles(h.Width, h.Height)
	packets := make([]map[int][]byte, len(tiles)) // with packets: of each tile, by number
	done, alpha := 0, pixels.AlphaPlane(h) < 0
	write := func(i int, g *[network.Levels]grid, x []int16) error {
		if err := pixels.Write(dst, h, tiles[i], x, 8*g[network.Finest].w); err != nil {
			return err
		}
		d.b.Give(x)
		o.Progress(float64(i+1) / float64(len(tiles)))
		return ctx.Err()
	}
	for ; next == nil; kind, payload, next = r.Next() {
		switch {
		case kind == kindTile && hd.packets == 1 && done < len(tiles):
			g := d.grids(tiles[done].Size())
			x, err := d.tile(payload, g)
			if err != nil {
				return codec.FormatError(fmt.Sprintf("vector: tile %d: %v", done, err))
			}
			if err := write(done, g, x); err != nil {
				return err
			}
			done++
		case kind == kindPacket && hd.packets > 1:
			i, number, rest, err := readPacket(payload, len(tiles), hd.packets)
			if err != nil {
				return err
			}
			if packets[i] == nil {
				packets[i] = map[int][]byte{}
			}
			packets[i][number] = rest
		case kind == kindAlpha && !alpha:
			if err := pixels.DecodeAlpha(ctx, payload, h, o, dst); err != nil {
				return err
			}
			alpha = true
		default:
			return codec.FormatError(fmt.Sprintf("vector: unexpected section %q", kind))
		}
	}
	if next != io.EOF {
		return next
	}
	for ; hd.packets > 1 && done < len(tiles); done++ {
		g := d.grids(tiles[done].Size())
		x, err := d.packets(packets[done], g)
		if err != nil {
			return codec.FormatError(fmt.Sprintf("vector: tile %d: %v", done, err))
		}
		if err := write(done, g, x); err != nil {
			return err
		}
	}
	if done < len(tiles) || !alpha {
		return codec.FormatError("vector: tiles or alpha are missing")
	}
	return nil
}

// readPacket reads the beginning of a packet.
func readPacket(b []byte, tiles, packets int) (tile, number int, rest []byte, err error) {
	t, n := binary.Uvarint(b)
	k, m := binary.Uvarint(b[max(n, 0):])
	if n <= 0 || m <= 0 || t >= uint64(tiles) || k >= uint64(packets) {
		return 0, 0, nil, codec.FormatError("vector: a packet of no tile")
	}
	return int(t), int(k), b[n+m:], nil
}

// A decoder decodes the tiles of a picture.
type decoder struct {
	m       *Model
	b       *convnet.Buffers
	head    *head
	depths  []int
	conceal bool
}

// grids returns the empty grids of a tile.
func (d *decoder) grids(size image.Point) *[network.Levels]grid {
	return newGrids(d.m.config, pixels.Aligned(size.Y)/8, pixels.Aligned(size.X)/8)
}

// tile decodes a tile without packets.
func (d *decoder) tile(payload []byte, g *[network.Levels]grid) ([]int16, error) {
	decoded, err := d.levels(payload, g, network.Levels)
	if err != nil {
		return nil, err
	}
	return d.synthesise(decoded, g), nil
}

// levels decodes the first levels of a tile.
func (d *decoder) levels(payload []byte, g *[network.Levels]grid, levels int) (decoded []int16, err error) {
	r := arith.NewBinaryDecoder(payload)
	s := d.m.newStream(bitDecoder{r}, g, d.depths, d.m.anchor(d.head.rate), nil)
	for l := range levels {
		p, class := d.m.predict(d.b, l, g, decoded, d.head.rate)
		s.level(l, class)
		if err := r.Err(); err != nil {
			return nil, err
		}
		d.m.addWords(p, l, &g[l], d.depths)
		decoded = p
	}
	return decoded, nil
}

func (d *decoder) synthesise(decoded []int16, g *[network.Levels]grid) []int16 {
	x, _ := d.m.synthesis.Forward(d.b, decoded, shapeOf(&g[network.Finest]), d.head.rate)
	return x
}

// packets decodes a tile of which there are the given packets, by number, and conceals
// what the others have.
func (d *decoder) packets(packets map[int][]byte, g *[network.Levels]grid) ([]int16, error) {
	n, shared := d.head.packets, d.head.shared
	if len(packets) < n && !d.conceal {
		return nil, fmt.Errorf("%d of %d packets are missing", n-len(packets), n)
	}
	pieces, own := make([][]byte, n), make([][]byte, n)
	for i, b := range packets {
		size, k := binary.Uvarint(b)
		if k <= 0 || size > uint64(len(b)-k) {
			return nil, fmt.Errorf("packet %d is cut off", i)
		}
		pieces[i], own[i] = b[k:k+int(size)], b[k+int(size):]
	}
	if len(packets) < neededPieces(n) {
		return nil, fmt.Errorf("%d of %d packets are missing, %d are needed", n-len(packets), n, neededPieces(n))
	}
	base, ok := joinPieces(pieces)
	if !ok {
		return nil, fmt.Errorf("the packets' pieces do not fit")
	}
	decoded, err := d.levels(base, g, shared)
	if err != nil {
		return nil, err
	}
	for l := shared; l < network.Levels; l++ {
		g[l].known = make([]bool, g[l].h*g[l].w)
	}
	p, class := d.m.predict(d.b, shared, g, decoded, d.head.rate)
	for i := range n {
		if packets[i] == nil {
			continue
		}
		r := arith.NewBinaryDecoder(own[i])
		s := d.m.newStream(bitDecoder{r}, g, d.depths, d.m.anchor(d.head.rate), &part{i, n, shared})
		for l := shared; l < network.Levels; l++ {
			s.level(l, class)
		}
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("packet %d: %w", i, err)
		}
	}
	for l := shared; l < network.Levels; l++ {
		if l > shared {
			p, _ = d.m.predict(d.b, l, g, decoded, d.head.rate)
		}
		predicted := append([]int16(nil), p...)
		d.m.addWords(p, l, &g[l], d.depths)
		concealCells(p, predicted, knownCells(g, l), &g[l], d.m.config.Levels[l].Dim)
		decoded = p
	}
	return d.synthesise(decoded, g), nil
}
