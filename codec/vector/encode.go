package vector

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/burin-codec/burin/arith"
	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/codec/internal/pixels"
	"github.com/burin-codec/burin/codec/vector/network"
	"github.com/burin-codec/burin/transform/convnet"
	"github.com/burin-codec/burin/transform/nn"
)

// An encoder codes a picture.
type encoder struct {
	*chooser
	ctx   context.Context
	src   *codec.Source
	o     *codec.Options
	tiles []image.Rectangle
	// refiner, unless nil, goes by the pixels.
	refiner *refiner
}

func newEncoder(ctx context.Context, src *codec.Source, o *codec.Options, pool *nn.Pool) (*encoder, error) {
	if err := pixels.Supported(Name, src.Header()); err != nil {
		return nil, err
	}
	m, err := registry.For(o.Weights)
	if err != nil {
		return nil, err
	}
	h := src.Header()
	f, err := newRefiner(m, pool, efforts[o.Effort].refine)
	if err != nil {
		return nil, err
	}
	return &encoder{newChooser(m, pool, efforts[o.Effort]), ctx, src, o, pixels.Tiles(h.Width, h.Height), f}, nil
}

func encode(ctx context.Context, src *codec.Source, o *codec.Options, w *codec.SectionWriter) error {
	pool := nn.NewPool(o.Workers)
	defer pool.Close()
	e, err := newEncoder(ctx, src, o, pool)
	if err != nil {
		return err
	}
	alpha, err := pixels.EncodeAlpha(ctx, src, o)
	if err != nil {
		return err
	}
	// What is known to be in the file beside the head and the tiles.
	fixed := w.Written() + codec.EndSize
	if alpha != nil {
		fixed += int64(codec.SectionSize(len(alpha)))
	}
	if o.EmbedWeights {
		fixed += int64(codec.SectionSize(len(e.m.file)))
	}
	t, err := e.aim(fixed)
	if err != nil {
		return err
	}
	if err := w.Write(kindHead, true, t.head.marshal()); err != nil {
		return err
	}
	if o.EmbedWeights {
		if err := w.Write(kindModel, true, e.m.file); err != nil {
			return err
		}
	}
	for _, s := range t.sections {
		kind := kindTile
		if t.head.packets > 1 {
			kind = kindPacket
		}
		if err := w.Write(kind, kind == kindTile, s); err != nil {
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
	head     head
	grids    []*[network.Levels]grid
	sections [][]byte
	mse      float64 // if it was asked for
}

// size returns the bytes of the trial's sections.
func (t *trial) size() int64 {
	n := int64(codec.SectionSize(len(t.head.marshal())))
	for _, b := range t.sections {
		n += int64(codec.SectionSize(len(b)))
	}
	return n
}

// try codes all tiles at a rate.
func (e *encoder) try(rate int, measure bool) (*trial, error) {
	t := &trial{head: head{id: e.m.ID(), rate: rate, packets: max(e.o.Packets, 1)}}
	t.head.shared = minShared // if there are packets
	var sum float64           // squared error of pixels
	var lost [lossDraws]float64
	var n int
	var tiles []*tile
	for i, r := range e.tiles {
		if err := e.ctx.Err(); err != nil {
			return nil, err
		}
		x, rows, columns := pixels.Read(e.src, r)
		tile := e.tile(x, rows, columns, rate)
		if i == 0 && e.sizes {
			// The first tile is a picture's best sample, and nearly always all of it.
			e.chooseSizes(tile, &t.head.sizes)
		}
		if depths := e.m.depths(t.head.sizes); e.refiner == nil {
			e.decide(tile, depths)
		} else if err := e.refiner.refine(e.ctx, e.chooser, tile, x, r, depths); err != nil {
			return nil, err
		}
		if measure || t.head.packets > 1 {
			out, _ := e.m.synthesis.Forward(e.b, tile.r[network.Finest], shapeOf(&tile.grids[network.Finest]), rate)
			s, k := pixels.SquaredError(out, x, r, columns)
			sum, n = sum+s, n+k
			e.b.Give(out)
		}
		if t.head.packets > 1 {
			if err := e.lose(&lost, &t.head, tile, i, x, r); err != nil {
				return nil, err
			}
		}
		tile.y, tile.r = [network.Levels][]int16{}, [network.Levels][]int16{} // all but what coding takes
		tiles, t.grids = append(tiles, tile), append(t.grids, tile.grids)
	}
	t.mse = sum / float64(max(n, 1))
	if slices.Max(lost[:]) > lossLimit*sum {
		t.head.shared = maxShared
	}
	depths := e.m.depths(t.head.sizes)
	for i, tile := range tiles {
		if t.head.packets == 1 {
			t.sections = append(t.sections, e.m.encodeTile(tile, depths))
		} else {
			t.sections = append(t.sections, e.m.encodePackets(tile, i, t.head.packets, t.head.shared, depths)...)
		}
	}
	return t, nil
}

const (
	// lossLimit is how many times the squared error there may be with a fifth of the
	// packets lost, 1.2 dB more: where it would be more, packets share another level.
	lossLimit = 1.32
	// lossDraws is how many fifths of the packets are left out to see.
	lossDraws = 2
)

// lose adds the squared errors that a tile, of pixels x within r, has without a fifth of
// its packets, concealed, for each draw.
func (e *encoder) lose(sums *[lossDraws]float64, h *head, t *tile, index int, x []int16, r image.Rectangle) error {
	depths := e.m.depths(h.sizes)
	d := &decoder{m: e.m, b: e.b, head: h, depths: depths, conceal: true}
	sections := e.m.encodePackets(t, index, h.packets, h.shared, depths)
	for draw := range sums {
		left := map[int][]byte{}
		for k, section := range sections {
			if k%5 == min(2*draw, h.packets-1) {
				continue
			}
			_, number, rest, err := readPacket(section, index+1, h.packets)
			if err != nil {
				return err
			}
			left[number] = rest
		}
		g := d.grids(r.Size())
		out, err := d.packets(left, g)
		if err != nil {
			return err
		}
		sum, _ := pixels.SquaredError(out, x, r, 8*g[network.Finest].w)
		sums[draw] += sum
		e.b.Give(out)
	}
	return nil
}

// chooseSizes finds the codebooks' sizes of least cost, level by level.
func (e *encoder) chooseSizes(t *tile, sizes *[network.Levels]int) {
	best := e.decide(t, e.m.depths(*sizes))
	for l, level := range e.m.config.Levels {
		if level.Stages == 0 {
			continue
		}
		number := stageNumber(e.m.config, l, 0)
		all := depths(e.m.books[number].bits)
		// From the largest down, as long as it gets better.
		for k := len(all) - 2; k >= 0; k-- {
			with := *sizes
			with[l] = all[k]
			cost := e.decide(t, e.m.depths(with))
			if cost >= best {
				break
			}
			best, *sizes = cost, with
		}
	}
}

// encodeTile codes the tokens of a tile.
func (m *Model) encodeTile(t *tile, depths []int) []byte {
	w := arith.NewBinaryEncoder(nil)
	s := m.newStream(bitEncoder{w}, t.grids, depths, t.anchor, nil)
	for l := range network.Levels {
		s.level(l, t.class[l])
	}
	return w.Finish()
}

// encodePackets codes the tokens of a tile, the number of which is index, in packets that
// share the first levels.
func (m *Model) encodePackets(t *tile, index, packets, shared int, depths []int) [][]byte {
	code := func(p *part, first, end int) []byte {
		w := arith.NewBinaryEncoder(nil)
		s := m.newStream(bitEncoder{w}, t.grids, depths, t.anchor, p)
		for l := first; l < end; l++ {
			s.level(l, t.class[l])
		}
		return w.Finish()
	}
	var out [][]byte
	for i, piece := range spreadPieces(code(nil, 0, shared), packets) {
		b := binary.AppendUvarint(nil, uint64(index))
		b = binary.AppendUvarint(b, uint64(i))
		b = binary.AppendUvarint(b, uint64(len(piece)))
		b = append(b, piece...)
		out = append(out, append(b, code(&part{i, packets, shared}, shared, network.Levels)...))
	}
	return out
}

// rateSteps bounds how many rates are tried for a target.
const rateSteps = 12

// aim returns the trial that meets the target, fixed bytes being taken by the rest of the
// file.
func (e *encoder) aim(fixed int64) (*trial, error) {
	target := e.o.Target
	measure := target.Kind == codec.TargetPSNR
	progress := func(done int) { e.o.Progress(float64(done) / rateSteps) }
	if target.Kind == codec.TargetQuality {
		return e.try(int(math.Round(target.Value/100*convnet.RateUnit)), false)
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
	below, err := e.try(lo, measure)
	if err != nil {
		return nil, err
	}
	if enough(below) {
		if target.Kind == codec.TargetSize {
			return nil, codec.UnsupportedError(fmt.Sprintf("vector: a size of %.0f bytes: the least for this picture is %d", limit, below.size()+fixed))
		}
		return below, nil
	}
	progress(1)
	above, err := e.try(hi, measure)
	if err != nil {
		return nil, err
	}
	if !enough(above) {
		return above, nil
	}
	for step := 2; hi-lo > 1 && step < rateSteps; step++ {
		progress(step)
		mid := (lo + hi) / 2
		t, err := e.try(mid, measure)
		if err != nil {
			return nil, err
		}
		if enough(t) {
			hi, above = mid, t
		} else {
			lo, below = mid, t
		}
	}
	if measure {
		return above, nil
	}
	return below, nil
}
