package lossless

import (
	"encoding/binary"
	"slices"

	"github.com/burin-codec/burin/arith"
)

const maxPalette = 256

// palette returns the colours of equal planes, sorted, as planes of one row, and
// the plane of their indices. It gives up on more than maxPalette colours, or if
// there are too few samples to a colour to repay the palette.
func palette(planes []plane) (colours []plane, index plane, ok bool) {
	p := planes[0]
	if len(planes) < 2 || len(planes) > 4 {
		return nil, plane{}, false
	}
	for _, q := range planes {
		if q.w != p.w || q.h != p.h {
			return nil, plane{}, false
		}
	}
	at := func(i int) (c uint64) {
		for _, q := range planes {
			c = c<<16 | uint64(q.pix[i])
		}
		return c
	}
	// An open hash table of four times the colours.
	const slots = 4 * maxPalette
	var keys [slots]uint64
	var used [slots]bool
	slot := func(c uint64) uint64 {
		s := c * 0x9e3779b97f4a7c15 >> 54
		for used[s] && keys[s] != c {
			s = (s + 1) % slots
		}
		return s
	}
	var list []uint64
	for i := range p.pix {
		c := at(i)
		if s := slot(c); !used[s] {
			if len(list) == maxPalette {
				return nil, plane{}, false
			}
			keys[s], used[s] = c, true
			list = append(list, c)
		}
	}
	slices.Sort(list)
	var rank [slots]uint16
	colours = make([]plane, len(planes))
	for k := range colours {
		colours[k] = newPlane(len(list), 1, planes[k].max)
	}
	for i, c := range list {
		rank[slot(c)] = uint16(i)
		for k := range planes {
			colours[k].pix[i] = uint16(c >> (16 * (len(planes) - 1 - k)))
		}
	}
	index = newPlane(p.w, p.h, uint16(len(list)-1))
	for i := range index.pix {
		index.pix[i] = rank[slot(at(i))]
	}
	return colours, index, true
}

func encodePalette(colours []plane, index plane, effort int) []byte {
	dst := []byte{fastPalette, byte(index.max)}
	c := encodeBody(nil, colours, effort)
	dst = binary.AppendUvarint(dst, uint64(len(c)))
	dst = append(dst, c...)
	return encodeBody(dst, []plane{index}, effort)
}

// compact replaces the values of each plane by their ranks among those used, if
// they leave such gaps as repay listing them, and returns the list.
func compact(planes []plane) (inner []plane, header []byte, ok bool) {
	used := make([][]uint16, len(planes))
	most := make([]int, len(planes))
	for i, p := range planes {
		seen := make([]bool, int(p.max)+1)
		for _, v := range p.pix {
			seen[v] = true
		}
		for v, s := range seen {
			if s {
				used[i] = append(used[i], uint16(v))
			}
		}
		n := len(used[i])
		span := int(used[i][n-1]) - int(used[i][0]) + 1
		if n*4 < span*3 && n*8 <= len(p.pix) {
			ok = true
		}
		// Planes of one depth keep one depth, so that colours stay related.
		most[i] = n
		for j := range i {
			if planes[j].max == p.max {
				m := max(most[i], most[j])
				most[i], most[j] = m, m
			}
		}
	}
	if !ok {
		return nil, nil, false
	}
	h := &headerCoder{enc: arith.NewBinaryEncoder(nil)}
	inner = make([]plane, len(planes))
	for i, p := range planes {
		h.used(used[i], int(p.max))
		rank := make([]uint16, int(p.max)+1)
		for r, v := range used[i] {
			rank[v] = uint16(r)
		}
		inner[i] = newPlane(p.w, p.h, uint16(max(most[i]-1, 1)))
		for k, v := range p.pix {
			inner[i].pix[k] = rank[v]
		}
	}
	list := h.enc.Finish()
	return inner, append(binary.AppendUvarint(nil, uint64(len(list))), list...), true
}

// used codes a sorted list of values up to limit: how many, the first, and the
// gaps.
func (h *headerCoder) used(list []uint16, limit int) ([]uint16, bool) {
	var count, gap numberModel
	n := int(h.number(uint32(len(list)), &count))
	if n < 1 || n > limit+1 {
		return nil, false
	}
	if h.enc == nil {
		list = make([]uint16, n)
	}
	last := -1
	for i := range list {
		last += 1 + int(h.number(uint32(int(list[i])-last-1), &gap))
		if last > limit {
			return nil, false
		}
		list[i] = uint16(last)
	}
	return list, true
}

// decodeIndexed decodes what follows fastPalette or tilePalette; body decodes the picture of
// indices.
func decodeIndexed(data []byte, planes []plane, body func([]byte, []plane) error) error {
	p := planes[0]
	for _, q := range planes {
		if q.w != p.w || q.h != p.h {
			return errFast
		}
	}
	if len(data) == 0 {
		return errFast
	}
	last := uint16(data[0])
	data = data[1:]
	inner, data, ok := cut(data)
	if !ok {
		return errFast
	}
	colours := make([]plane, len(planes))
	for i := range colours {
		colours[i] = newPlane(int(last)+1, 1, planes[i].max)
	}
	if err := decodeBody(inner, colours); err != nil {
		return err
	}
	index := newPlane(p.w, p.h, last)
	if err := body(data, []plane{index}); err != nil {
		return err
	}
	for k, q := range planes {
		c := colours[k].pix
		for i, v := range index.pix {
			q.pix[i] = c[v]
		}
	}
	return nil
}

// decodeRanked decodes what follows fastCompact or tileCompact; body decodes the picture of
// ranks.
func decodeRanked(data []byte, planes []plane, body func([]byte, []plane) error) error {
	list, data, ok := cut(data)
	if !ok {
		return errFast
	}
	h := &headerCoder{dec: arith.NewBinaryDecoder(list)}
	used := make([][]uint16, len(planes))
	most := make([]int, len(planes))
	for i, p := range planes {
		var ok bool
		if used[i], ok = h.used(nil, int(p.max)); !ok || h.dec.Err() != nil {
			return errFast
		}
		most[i] = len(used[i])
		for j := range i {
			if planes[j].max == p.max {
				m := max(most[i], most[j])
				most[i], most[j] = m, m
			}
		}
	}
	inner := make([]plane, len(planes))
	for i, p := range planes {
		inner[i] = newPlane(p.w, p.h, uint16(max(most[i]-1, 1)))
	}
	if err := body(data, inner); err != nil {
		return err
	}
	for i, p := range planes {
		for k, r := range inner[i].pix {
			if int(r) >= len(used[i]) {
				return errFast
			}
			p.pix[k] = used[i][r]
		}
	}
	return nil
}
