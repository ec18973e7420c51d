package lossless

import (
	"encoding/binary"

	"github.com/burin-codec/burin/arith"
)

// A fastTile is what the two sides of a predicted tile share: its channels and
// how they follow from the planes.
type fastTile struct {
	planes    []plane
	transform int // of the first three planes, if coloured
	coloured  bool
	chans     []*fastChannel
	zero      []int32 // a row of zeros, for channels without references
	height    int
}

func newFastTile(planes []plane) *fastTile {
	t := &fastTile{planes: planes}
	if len(planes) >= 3 {
		a, b, c := &planes[0], &planes[1], &planes[2]
		t.coloured = a.w == b.w && a.w == c.w && a.h == b.h && a.h == c.h && a.max == b.max && a.max == c.max
	}
	widest := 0
	for i := range planes {
		t.height = max(t.height, planes[i].h)
		widest = max(widest, planes[i].w)
	}
	t.zero = make([]int32, widest+2*rowPad)
	return t
}

// setTransform makes the channels for a colour transform.
func (t *fastTile) setTransform(transform int) {
	t.transform = transform
	t.chans = make([]*fastChannel, len(t.planes))
	for i := range t.planes {
		p := &t.planes[i]
		lo := int32(0)
		if t.coloured && transform != colourNone && (i == 1 || i == 2) {
			lo = -int32(p.max)
		}
		c := newFastChannel(p.w, p.h, lo, int32(p.max))
		if i < 3 {
			k := 0
			for j := range i {
				if t.planes[j].w == p.w && t.planes[j].h == p.h {
					c.refs[k] = j
					k++
				}
			}
		}
		t.chans[i] = c
	}
}

// load puts row y of every channel that has one into its current row.
func (t *fastTile) load(y int) {
	first := 0
	if t.coloured {
		if y < t.planes[0].h {
			var dst [3][]int32
			var src [3][]uint16
			for i := range 3 {
				dst[i], src[i] = t.chans[i].cur[rowPad:], t.planes[i].row(y)
			}
			forwardColour(t.transform, dst, src)
		}
		first = 3
	}
	for i := first; i < len(t.planes); i++ {
		if y < t.planes[i].h {
			forwardPlane(t.chans[i].cur[rowPad:], t.planes[i].row(y))
		}
	}
}

// store puts the current rows back into the planes.
func (t *fastTile) store(y int) bool {
	first := 0
	ok := true
	if t.coloured {
		if y < t.planes[0].h {
			var dst [3][]uint16
			var src [3][]int32
			for i := range 3 {
				dst[i], src[i] = t.planes[i].row(y), t.chans[i].cur[rowPad:]
			}
			ok = inverseColour(t.transform, dst, src, int32(t.planes[0].max))
		}
		first = 3
	}
	for i := first; i < len(t.planes); i++ {
		if y < t.planes[i].h {
			ok = inversePlane(t.planes[i].row(y), t.chans[i].cur[rowPad:], int32(t.planes[i].max)) && ok
		}
	}
	return ok
}

// references returns the residual rows of a channel's references.
func (t *fastTile) references(c *fastChannel) (r1, r2 []int32) {
	r1, r2 = t.zero, t.zero
	if c.refs[0] >= 0 {
		r1 = t.chans[c.refs[0]].res
	}
	if c.refs[1] >= 0 {
		r2 = t.chans[c.refs[1]].res
	}
	return r1, r2
}

// transformParameter codes the colour transform; reading, it makes the channels.
func (t *fastTile) transformParameter(h *headerCoder) bool {
	transform := t.transform
	if t.coloured {
		transform = int(h.bits(uint32(transform), 3))
		if transform >= colourTransforms {
			return false
		}
	}
	if h.enc == nil {
		t.setTransform(transform)
	}
	return true
}

// parameters codes all that the decoder must know before the symbols.
func (t *fastTile) parameters(h *headerCoder, tables []*levelTables) bool {
	if !t.transformParameter(h) {
		return false
	}
	var coef, one numberModel
	for _, c := range t.chans {
		for i := range c.coefs {
			m := &coef
			if i >= tapRef1 && c.refs[i-tapRef1] < 0 {
				continue
			}
			if i == tapMed {
				m = &one
			}
			v := h.signed(c.coefs[i], m)
			if v < -coefMax || v > coefMax {
				return false
			}
			c.coefs[i] = v
		}
	}
	return h.allTables(tables)
}

func (h *headerCoder) allTables(tables []*levelTables) bool {
	var m tableModel
	for _, l := range tables {
		if !h.tables(l, &m) {
			return false
		}
	}
	return true
}

// encodePredicted appends the predicted form of the tile to dst.
func encodePredicted(dst []byte, planes []plane) []byte {
	t := newFastTile(planes)
	t.chooseTransform()
	t.fit(t.sample(20))
	t.renew()
	folded := make([][]uint32, len(planes))
	hists := make([][activityLevels * symbolStride]uint32, len(planes))
	for i, p := range planes {
		folded[i] = make([]uint32, p.w*p.h)
	}
	for y := range t.height {
		t.load(y)
		for i, c := range t.chans {
			if y >= c.h {
				continue
			}
			r1, r2 := t.references(c)
			out := folded[i][y*c.w:][:c.w]
			c.beginRow(y)
			if y > 0 {
				c.prepare(0, c.w, r1, r2)
				c.analyse(0, c.w, out, &hists[i])
			} else {
				for x := range c.w {
					c.spread(x)
					c.prepare(x, x+1, r1, r2)
					c.analyse(x, x+1, out[x:], &hists[i])
				}
			}
		}
		t.endRow(y)
	}
	tables := make([]*levelTables, len(planes))
	for i := range planes {
		tables[i] = cluster(&hists[i])
	}
	h := &headerCoder{enc: arith.NewBinaryEncoder(nil)}
	t.parameters(h, tables)
	return appendStreams(dst, h, folded, tables)
}

// appendStreams appends the parameters and the symbols of the channels.
func appendStreams(dst []byte, h *headerCoder, folded [][]uint32, tables []*levelTables) []byte {
	header := h.enc.Finish()
	dst = binary.AppendUvarint(dst, uint64(len(header)))
	dst = append(dst, header...)
	for i := range folded {
		s := encodeStream(folded[i], tables[i])
		if i < len(folded)-1 {
			dst = binary.AppendUvarint(dst, uint64(len(s)))
		}
		dst = append(dst, s...)
	}
	return dst
}

func (t *fastTile) endRow(y int) {
	for _, c := range t.chans {
		if y < c.h {
			c.endRow(y)
		}
	}
}

// encodeStream codes folded residuals with their levels.
func encodeStream(folded []uint32, t *levelTables) []byte {
	syms := make([][symbolStride]ransSymbol, len(t.freqs))
	for i := range t.freqs {
		start := uint32(0)
		for s := range fastSymbols {
			if f := uint32(t.freqs[i].Freq(uint8(s))); f > 0 {
				syms[i][s] = newRansSymbol(start, f)
				start += f
			}
		}
	}
	var by [activityLevels]*[symbolStride]ransSymbol
	for l := range by {
		by[l] = &syms[t.of[l]]
	}
	var e ransEncoder
	e.reset(make([]byte, 4*len(folded)+8))
	state := e.state
	for i := len(folded) - 1; i >= 0; i-- {
		v := folded[i]
		z := v & maxResidual
		sym := z
		if z >= directSymbols {
			var raw uint
			sym, raw = symbolOf(z)
			e.state = state
			e.raw(z, raw)
			state = e.state
		}
		s := &by[v>>18&(activityLevels-1)][sym&(symbolStride-1)]
		if state >= s.limit {
			e.state = state
			e.word()
			state = e.state
		}
		state = s.next(state)
	}
	e.state = state
	return e.finish()
}

// cut splits a block with its length before it off data.
func cut(data []byte) (block, rest []byte, ok bool) {
	n, k := binary.Uvarint(data)
	if k <= 0 || n > uint64(len(data)-k) {
		return nil, nil, false
	}
	return data[k : k+int(n)], data[k+int(n):], true
}

// newStreams starts decoding the symbols of the channels.
func newStreams(data []byte, tables []*levelTables) (streams []*fastStream, ok bool) {
	for i, t := range tables {
		s := data
		if i < len(tables)-1 {
			if s, data, ok = cut(data); !ok {
				return nil, false
			}
		}
		if len(s) < 8 || len(s)%4 != 0 {
			return nil, false
		}
		streams = append(streams, newFastStream(s, t))
	}
	return streams, true
}

// finished reports whether all streams ended as they should.
func finished(streams []*fastStream) bool {
	for _, s := range streams {
		if s.state != ransLow || s.pos != len(s.data) {
			return false
		}
	}
	return true
}

// decodePredicted decodes what encodePredicted appended.
func decodePredicted(data []byte, planes []plane) error {
	t := newFastTile(planes)
	header, data, ok := cut(data)
	if !ok {
		return errFast
	}
	h := &headerCoder{dec: arith.NewBinaryDecoder(header)}
	tables := make([]*levelTables, len(planes))
	for i := range tables {
		tables[i] = new(levelTables)
	}
	if !t.parameters(h, tables) || h.dec.Err() != nil {
		return errFast
	}
	streams, ok := newStreams(data, tables)
	if !ok {
		return errFast
	}
	for y := range t.height {
		for i, c := range t.chans {
			if y >= c.h {
				continue
			}
			r1, r2 := t.references(c)
			c.beginRow(y)
			if y > 0 {
				c.prepare(0, c.w, r1, r2)
				c.decode(0, c.w, streams[i])
			} else {
				for x := range c.w {
					c.spread(x)
					c.prepare(x, x+1, r1, r2)
					c.decode(x, x+1, streams[i])
				}
			}
		}
		if !t.store(y) {
			return errFast
		}
		t.endRow(y)
	}
	if !finished(streams) {
		return errFast
	}
	return nil
}
