package lossless

import "errors"

// The fast family (efforts 1 to 3) codes a tile in one of several ways, named by
// its first byte, and takes the shortest of those that seem worth a try.
//
//	constant   one value a plane
//	raw        packed samples
//	rows       packed samples, filtered by row as in PNG, in DEFLATE's format
//	predicted  residuals of a fitted linear prediction, rANS with static tables
//	blended    the same of a blend of several predictions
//	palette    a palette of at most 256 colours, and the picture of indices
//	compact    the values that each plane uses, and the picture of their ranks
//
// The last two hold further tiles, coded in one of the ways before them.
const (
	fastConstant = iota
	fastRaw
	fastRows
	fastPredicted
	fastBlended
	fastPalette
	fastCompact
)

// errFast is the error of a tile that no encoder wrote.
var errFast = errors.New("lossless: invalid fast tile")

// encodeFast codes a tile with effort 1, 2 or 3.
func encodeFast(planes []plane, effort int) []byte {
	if c, ok := encodeConstant(planes); ok {
		return c
	}
	var best []byte
	inner, header, compacted := compact(planes)
	if compacted {
		best = append([]byte{fastCompact}, header...)
		best = encodeBody(best, inner, effort)
	}
	if !compacted || effort > 1 || planes[0].w*planes[0].h < 1<<14 {
		if b := encodeBody(nil, planes, effort); best == nil || len(b) < len(best) {
			best = b
		}
	}
	if colours, index, ok := palette(planes); ok {
		p := encodePalette(colours, index, effort)
		if len(p) < len(best) {
			best = p
		}
	}
	return best
}

// encodeBody appends a tile, not constant, in one of the ways that stand by
// themselves.
func encodeBody(dst []byte, planes []plane, effort int) []byte {
	n := len(dst)
	try := func(way byte, encode func(dst []byte) []byte) {
		if b := encode([]byte{way}); len(dst) == n || len(b) < len(dst)-n {
			dst = append(dst[:n], b...)
		}
	}
	plain := effort == 1
	if !plain {
		try(fastBlended, func(dst []byte) []byte { return encodeBlended(dst, planes, effort) })
	}
	if rowsMayWin(planes, effort) {
		try(fastRows, func(dst []byte) []byte { return append(dst, encodeRows(planes, effort)...) })
		plain = true
	}
	if plain {
		try(fastPredicted, func(dst []byte) []byte { return encodePredicted(dst, planes) })
	}
	if 1+packedSize(planes) < len(dst)-n {
		try(fastRaw, func(dst []byte) []byte { return pack(dst, planes) })
	}
	return dst
}

// decodeFast decodes what encodeFast returned into planes of the same sizes and
// maxima.
func decodeFast(data []byte, planes []plane) error {
	if len(data) == 0 {
		return errFast
	}
	switch data[0] {
	case fastPalette:
		return decodeIndexed(data[1:], planes, decodeBody)
	case fastCompact:
		return decodeRanked(data[1:], planes, decodeBody)
	}
	return decodeBody(data, planes)
}

func decodeBody(data []byte, planes []plane) error {
	if len(data) == 0 {
		return errFast
	}
	switch data[0] {
	case fastConstant:
		return decodeConstant(data[1:], planes)
	case fastRaw:
		return unpack(data[1:], planes)
	case fastRows:
		return decodeRows(data[1:], planes)
	case fastPredicted:
		return decodePredicted(data[1:], planes)
	case fastBlended:
		return decodeBlended(data[1:], planes)
	}
	return errFast
}

// encodeConstant codes planes each of which holds a single value.
func encodeConstant(planes []plane) ([]byte, bool) {
	one := make([]plane, len(planes))
	for i, p := range planes {
		for _, v := range p.pix {
			if v != p.pix[0] {
				return nil, false
			}
		}
		one[i] = newPlane(1, 1, p.max)
		one[i].pix[0] = p.pix[0]
	}
	return pack([]byte{fastConstant}, one), true
}

func decodeConstant(data []byte, planes []plane) error {
	one := make([]plane, len(planes))
	for i, p := range planes {
		one[i] = newPlane(1, 1, p.max)
	}
	if err := unpack(data, one); err != nil {
		return err
	}
	for i, p := range planes {
		for k := range p.pix {
			p.pix[k] = one[i].pix[0]
		}
	}
	return nil
}
