package lossless

import "github.com/burin-codec/burin/arith"

// decodeIndexed decodes what follows tilePalette; body decodes the picture of
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

// decodeRanked decodes what follows tileCompact; body decodes the picture of
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
