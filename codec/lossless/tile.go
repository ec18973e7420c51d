package lossless

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/burin-codec/burin/codec"
	"github.com/burin-codec/burin/transform/lattice"
)

// A tile begins with a byte that names the method. Those below tileLattice are
// the ones of the fast family, see fast.go.
//
//	tileLattice   a colour lattice: its parameters, escapes, then a tile of
//	              luma and chroma planes
//	tilePalette   a palette, coded as a fast tile, and a tile of indices
//	tileCompact   the values that each plane uses, and a tile of their ranks
//	tileCopies    planes that equal earlier ones: for each plane, two bits, the
//	              lowest first, with the index of the first plane equal to it;
//	              then a tile of the others
//	tileMix+n     mixed contexts, of the configuration of effort n
//
// Numbers are uvarints. A length stands before all parts but the last.
const (
	tileLattice = 8
	tilePalette = 9
	tileCompact = 10
	tileCopies  = 11
	tileMix     = 16
)

// smallTile is the number of samples up to which the fast family is tried as
// well, in whatever effort: models cannot learn from a few samples.
const smallTile = 1 << 16

var errTile = codec.FormatError("lossless: invalid tile")

// job is the work on a tile: what can end it early and who wants to know how far
// it is.
type job struct {
	ctx     context.Context
	m       *meter
	samples int // of the tile
	told    int // of them, reported
	passed  int
	cost    int // samples that the methods will pass in all
}

func newJob(ctx context.Context, planes []plane, m *meter) *job {
	j := &job{ctx: ctx, m: m}
	for _, p := range planes {
		j.samples += len(p.pix)
	}
	j.cost = j.samples
	return j
}

// step reports that n more samples have been passed and tells whether to stop.
func (j *job) step(n int) error {
	j.passed += n
	if now := int(int64(j.samples) * int64(min(j.passed, j.cost)) / int64(j.cost)); now-j.told >= j.samples/64+1 {
		j.m.add(now - j.told)
		j.told = now
	}
	return j.ctx.Err()
}

// finish reports what has not been.
func (j *job) finish() { j.m.add(j.samples - j.told) }

// encodeTile codes a tile. rgb says that its first three planes are R, G and B.
func (j *job) encodeTile(planes []plane, rgb bool, effort int) ([]byte, error) {
	if first, distinct := copies(planes); len(distinct) < len(planes) {
		data, err := j.encodeTile(distinct, false, effort)
		return append([]byte{tileCopies, first}, data...), err
	}
	if rgb {
		if data, err := j.encodeLattice(planes, effort); data != nil || err != nil {
			return data, err
		}
	}
	if effort <= 3 {
		return encodeFast(planes, effort), nil
	}
	if data, ok := encodeConstant(planes); ok {
		return data, nil
	}
	data, err := j.encodeMixed(planes, rgb, effort)
	if err != nil {
		return nil, err
	}
	if j.samples <= smallTile {
		if f := encodeFast(planes, 3); len(f) < len(data) {
			return f, nil
		}
	} else if rowsMayWin(planes, effort) {
		if f := encodeRows(planes, 3); 1+len(f) < len(data) {
			return append([]byte{fastRows}, f...), nil
		}
	}
	return data, nil
}

// decodeTile decodes what encodeTile returned into planes of the same sizes and
// maxima.
func (j *job) decodeTile(data []byte, planes []plane, rgb bool) error {
	if len(data) == 0 {
		return errTile
	}
	switch m := data[0]; {
	case m < tileLattice:
		if decodeFast(data, planes) != nil {
			return errTile
		}
		return nil
	case m == tileCopies:
		return j.decodeCopies(data[1:], planes)
	case m == tileLattice && rgb:
		return j.decodeLattice(data[1:], planes)
	default:
		if err := j.decodeMixed(data, planes, rgb); err != nil {
			if j.ctx.Err() != nil {
				return err
			}
			return errTile
		}
		return nil
	}
}

// copies returns the planes that equal no earlier one, and for all planes which
// is the first to equal it, two bits each.
func copies(planes []plane) (first byte, distinct []plane) {
	for i, p := range planes {
		f := i
		for k, q := range planes[:i] {
			if q.w == p.w && q.max == p.max && slices.Equal(q.pix, p.pix) {
				f = k
				break
			}
		}
		first |= byte(f << (2 * i))
		if f == i {
			distinct = append(distinct, p)
		}
	}
	return first, distinct
}

func (j *job) decodeCopies(data []byte, planes []plane) error {
	if len(data) == 0 {
		return errTile
	}
	var distinct []plane
	from := make([]int, len(planes))
	for i, p := range planes {
		f := int(data[0] >> (2 * i) & 3)
		from[i] = f
		if f > i || from[f] != f || planes[f].w != p.w || planes[f].h != p.h || planes[f].max != p.max {
			return errTile
		}
		if f == i {
			distinct = append(distinct, p)
		}
	}
	if len(distinct) == len(planes) {
		return errTile // and no recursion without end
	}
	if err := j.decodeTile(data[1:], distinct, false); err != nil {
		return err
	}
	for i, f := range from {
		if f != i {
			copy(planes[i].pix, planes[f].pix)
		}
	}
	return nil
}

// encodeMixed codes a tile, not constant, by mixed contexts.
func (j *job) encodeMixed(planes []plane, rgb bool, effort int) ([]byte, error) {
	if colours, index, ok := palette(planes); ok {
		c := encodeBody(nil, colours, 3)
		data := append([]byte{tilePalette, byte(index.max)}, binary.AppendUvarint(nil, uint64(len(c)))...)
		data = append(data, c...)
		return j.appendMix(data, []plane{index}, false, effort)
	}
	if inner, header, ok := compact(planes); ok {
		return j.appendMix(append([]byte{tileCompact}, header...), inner, rgb, effort)
	}
	return j.appendMix(nil, planes, rgb, effort)
}

// appendMix appends what decodeContexts decodes.
func (j *job) appendMix(dst []byte, planes []plane, rgb bool, effort int) ([]byte, error) {
	data, err := encodeMix(planes, planeOrder(planes, rgb), effort, j.step)
	return append(append(dst, byte(tileMix+effort)), data...), err
}

// decodeMixed decodes what encodeMixed returned. A palette and ranks hold
// nothing but mixed contexts, so that a file cannot nest them without end.
func (j *job) decodeMixed(data []byte, planes []plane, rgb bool) error {
	switch data[0] {
	case tilePalette:
		return decodeIndexed(data[1:], planes, func(data []byte, planes []plane) error {
			return j.decodeContexts(data, planes, false)
		})
	case tileCompact:
		return decodeRanked(data[1:], planes, func(data []byte, planes []plane) error {
			return j.decodeContexts(data, planes, rgb)
		})
	}
	return j.decodeContexts(data, planes, rgb)
}

func (j *job) decodeContexts(data []byte, planes []plane, rgb bool) error {
	if len(data) == 0 {
		return errTile
	}
	effort := int(data[0]) - tileMix
	if effort < 0 || effort >= len(mixConfigs) || mixConfigs[effort].wls == nil {
		return errTile
	}
	return decodeMix(data[1:], planes, planeOrder(planes, rgb), effort, j.step)
}

// planeOrder returns the order in which planes are coded: green before red and
// blue, which resemble it more than each other.
func planeOrder(planes []plane, rgb bool) []int {
	order := make([]int, len(planes))
	for i := range order {
		order[i] = i
	}
	if rgb {
		order[0], order[1] = 1, 0
	}
	return order
}

// encodeLattice codes a tile in the coordinates of its colour lattice, or
// returns nil if it has none.
func (j *job) encodeLattice(planes []plane, effort int) ([]byte, error) {
	if len(planes) != 3 || planes[0].max != 255 {
		return nil, nil
	}
	w, h := planes[0].w, planes[0].h
	r, g, b := planes[0].pix, planes[1].pix, planes[2].pix
	p, ok := lattice.Detect(r, g, b, w, h)
	if !ok {
		return nil, nil
	}
	l := p.Forward(r, g, b, w, h)
	data := []byte{tileLattice, byte(p.Kind), byte(p.Sampling), p.PhaseX | p.PhaseY<<1}
	escapes := encodeEscapes(l.Escapes, w, h)
	data = append(binary.AppendUvarint(data, uint64(len(escapes))), escapes...)
	inner := []plane{
		{w: w, h: h, max: 255, pix: l.Y},
		{w: l.CW, h: l.CH, max: 255, pix: l.C1},
		{w: l.CW, h: l.CH, max: 255, pix: l.C2},
	}
	j.cost = w*h + 2*l.CW*l.CH
	body, err := j.encodeTile(inner, false, effort)
	return append(data, body...), err
}

func (j *job) decodeLattice(data []byte, planes []plane) error {
	if len(planes) != 3 || len(data) < 3 || planes[0].max != 255 {
		return errTile
	}
	w, h := planes[0].w, planes[0].h
	p := lattice.Params{
		Kind: lattice.Kind(data[0]), Sampling: lattice.Sampling(data[1]),
		PhaseX: data[2] & 1, PhaseY: data[2] >> 1,
	}
	if p.Check() != nil {
		return errTile
	}
	list, data, ok := cut(data[3:])
	if !ok {
		return errTile
	}
	cw, ch := p.ChromaSize(w, h)
	inner := []plane{newPlane(w, h, 255), newPlane(cw, ch, 255), newPlane(cw, ch, 255)}
	j.cost = w*h + 2*cw*ch
	if err := j.decodeTile(data, inner, false); err != nil {
		return err
	}
	escapes, ok := decodeEscapes(list, w, h)
	if !ok {
		return errTile
	}
	l := &lattice.Planes{W: w, H: h, CW: cw, CH: ch, Y: inner[0].pix, C1: inner[1].pix, C2: inner[2].pix, Escapes: escapes}
	if p.Inverse(planes[0].pix, planes[1].pix, planes[2].pix, l) != nil {
		return errTile
	}
	return nil
}
