package lossless

import "github.com/burin-codec/burin/arith"

// blenders makes the state of a pass over the tile.
func (t *fastTile) blenders(coefs [][]blendCoefs) []*blender {
	bs := make([]*blender, len(t.chans))
	for i, c := range t.chans {
		bs[i] = newBlender(c, coefs[i])
	}
	return bs
}

// The activity is fitted to one row in activityRows, a power of two.
const activityRows = 32

// encodeBlended appends the blended form of the tile to dst.
func encodeBlended(dst []byte, planes []plane, effort int) []byte {
	t := newFastTile(planes)
	t.chooseTransform()
	most, step, rounds := 2, 32, 4
	if effort > 2 {
		most, step, rounds = maxBlend, 16, 8
	}
	coefs := t.fitBlends(t.sample(step), most, rounds)

	// The first pass predicts.
	t.renew()
	bs := t.blenders(coefs)
	folded := make([][]uint32, len(planes))
	residuals := make([][]int32, len(planes))
	for i, p := range planes {
		folded[i] = make([]uint32, p.w*p.h)
		residuals[i] = make([]int32, p.w*p.h)
	}
	sums := make([]*normalSums, len(planes))
	for i := range sums {
		sums[i] = newNormalSums(actFeatures)
	}
	for y := range t.height {
		t.load(y)
		for i, c := range t.chans {
			if y >= c.h {
				continue
			}
			r1, r2 := t.references(c)
			out := folded[i][y*c.w:][:c.w]
			t.eachPart(c, y, func(x0, x1 int) {
				bs[i].prepare(x0, x1, r1, r2)
				bs[i].analyse(x0, x1, r1, r2, out[x0:x1])
			})
			copy(residuals[i][y*c.w:][:c.w], c.res[rowPad:])
			if y&(activityRows-1) == min(4, c.h-1) {
				bs[i].fitActivity(sums[i], r1, r2)
			}
			bs[i].endRow()
		}
		t.endRow(y)
	}

	// The second finds the activity levels.
	t.renew()
	acts := make([][actFeatures]int32, len(planes))
	for i := range bs {
		for j, v := range sums[i].solve() {
			limit := int32(255)
			if j == actFeatures-1 {
				v *= float64(int(1) << t.chans[i].shift)
				limit = 1023
			}
			acts[i][j] = fixedPoint(float64(v*20), actBits, 0, limit)
		}
		bs[i].c, bs[i].act = t.chans[i], acts[i]
		clear(bs[i].absNN)
	}
	hists := make([][activityLevels * symbolStride]uint32, len(planes))
	for y := range t.height {
		t.load(y)
		for i, c := range t.chans {
			if y >= c.h {
				continue
			}
			row := residuals[i][y*c.w:][:c.w]
			out := folded[i][y*c.w:][:c.w]
			r1, r2 := t.references(c)
			copy(c.res[rowPad:], row)
			t.eachPart(c, y, func(x0, x1 int) {
				for x, e := range row[x0:x1] {
					c.abs[rowPad+x0+x] = abs32(e)
				}
				bs[i].activity(x0, x1, r1, r2)
				bs[i].levels(x0, x1, out[x0:x1], &hists[i])
			})
			copy(bs[i].absNN, c.absN)
		}
		t.endRow(y)
	}
	tables := make([]*levelTables, len(planes))
	for i := range planes {
		tables[i] = cluster(&hists[i])
	}
	h := &headerCoder{enc: arith.NewBinaryEncoder(nil)}
	t.blendParameters(h, coefs, acts, tables)
	return appendStreams(dst, h, folded, tables)
}

// renew makes the channels anew for another pass.
func (t *fastTile) renew() {
	old := t.chans
	t.setTransform(t.transform)
	for i, c := range t.chans {
		c.coefs, c.shift = old[i].coefs, old[i].shift
	}
}

// eachPart calls f for the parts of row y of c that are coded at once: the
// samples of the first row one by one, since they stand for their neighbours
// above, or the whole row.
func (t *fastTile) eachPart(c *fastChannel, y int, f func(x0, x1 int)) {
	c.beginRow(y)
	if y > 0 {
		f(0, c.w)
		return
	}
	for x := range c.w {
		c.spread(x)
		f(x, x+1)
	}
}

// blendParameters codes all that the decoder must know before the symbols.
func (t *fastTile) blendParameters(h *headerCoder, coefs [][]blendCoefs, acts [][actFeatures]int32, tables []*levelTables) bool {
	if !t.transformParameter(h) {
		return false
	}
	var coef, med, act numberModel
	for i, c := range t.chans {
		k := 2*int(h.bits(uint32(len(coefs[i])/2-1), 2)) + 2
		if h.enc == nil {
			coefs[i] = make([]blendCoefs, k)
		}
		for j := range coefs[i] {
			for tap := range coefs[i][j] {
				if tap >= blendRefs && tap < blendAbove && c.refs[(tap-blendRefs)/2] < 0 {
					continue
				}
				m := &coef
				if tap == blendMed || tap == 0 {
					m = &med
				}
				v := h.signed(coefs[i][j][tap], m)
				if v < -coefMax || v > coefMax {
					return false
				}
				coefs[i][j][tap] = v
			}
		}
		c.shift = uint(h.bits(uint32(c.shift), 4))
		for j := range acts[i] {
			v := h.number(uint32(acts[i][j]), &act)
			if v > 1023 || v > 255 && j < actFeatures-1 {
				return false
			}
			acts[i][j] = int32(v)
		}
	}
	return h.allTables(tables)
}

// decodeBlended decodes what encodeBlended appended.
func decodeBlended(data []byte, planes []plane) error {
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
	coefs := make([][]blendCoefs, len(planes))
	acts := make([][actFeatures]int32, len(planes))
	if !t.blendParameters(h, coefs, acts, tables) || h.dec.Err() != nil {
		return errFast
	}
	streams, ok := newStreams(data, tables)
	if !ok {
		return errFast
	}
	bs := t.blenders(coefs)
	for i := range bs {
		bs[i].act = acts[i]
	}
	for y := range t.height {
		for i, c := range t.chans {
			if y >= c.h {
				continue
			}
			r1, r2 := t.references(c)
			t.eachPart(c, y, func(x0, x1 int) {
				bs[i].prepare(x0, x1, r1, r2)
				bs[i].activity(x0, x1, r1, r2)
				bs[i].decode(x0, x1, r1, r2, streams[i])
			})
			bs[i].endRow()
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
