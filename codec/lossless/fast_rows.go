package lossless

import (
	"bytes"
	"compress/flate"
	"io"
)

// sampleBits returns how many bits a sample takes when packed: 1, 2, 4, 8 or 16.
func sampleBits(max uint16) int {
	b := 1
	for b < 16 && max>>b != 0 {
		b *= 2
	}
	return b
}

// A rowGroup is a run of planes that are packed together, sample by sample.
type rowGroup struct {
	planes []plane
	bits   int // a sample
	bytes  int // a row
}

// groups divides planes into runs of equal size and depth.
func groups(planes []plane) (g []rowGroup) {
	for len(planes) > 0 {
		p, n := planes[0], 1
		for n < len(planes) && planes[n].w == p.w && planes[n].h == p.h && sampleBits(planes[n].max) == sampleBits(p.max) {
			n++
		}
		b := sampleBits(p.max)
		g = append(g, rowGroup{planes[:n:n], b, (n*p.w*b + 7) / 8})
		planes = planes[n:]
	}
	return g
}

// stride returns the distance in bytes between a sample and the one before it.
func (g *rowGroup) stride() int { return max(1, len(g.planes)*g.bits/8) }

// packRow packs row y: high bits first, 16-bit samples high byte first.
func (g *rowGroup) packRow(dst []byte, y int) {
	for i, p := range g.planes {
		n := len(g.planes)
		row := p.row(y)
		switch g.bits {
		case 16:
			for x, v := range row {
				dst[2*(x*n+i)] = byte(v >> 8)
				dst[2*(x*n+i)+1] = byte(v)
			}
		case 8:
			for x, v := range row {
				dst[x*n+i] = byte(v)
			}
		default:
			if i == 0 {
				clear(dst)
			}
			for x, v := range row {
				at := (x*n + i) * g.bits
				dst[at>>3] |= byte(v) << (8 - g.bits - at&7)
			}
		}
	}
}

// unpackRow undoes packRow and reports whether no sample exceeds its maximum.
func (g *rowGroup) unpackRow(src []byte, y int) bool {
	for i, p := range g.planes {
		n := len(g.planes)
		row := p.row(y)
		for x := range row {
			var v uint16
			switch g.bits {
			case 16:
				v = uint16(src[2*(x*n+i)])<<8 | uint16(src[2*(x*n+i)+1])
			case 8:
				v = uint16(src[x*n+i])
			default:
				at := (x*n + i) * g.bits
				v = uint16(src[at>>3]>>(8-g.bits-at&7)) & (1<<g.bits - 1)
			}
			if v > p.max {
				return false
			}
			row[x] = v
		}
	}
	return true
}

// packedSize returns the size of the packed planes.
func packedSize(planes []plane) int {
	n := 0
	for _, g := range groups(planes) {
		n += g.bytes * g.planes[0].h
	}
	return n
}

// pack appends the packed planes to dst.
func pack(dst []byte, planes []plane) []byte {
	for _, g := range groups(planes) {
		for y := range g.planes[0].h {
			n := len(dst)
			dst = append(dst, make([]byte, g.bytes)...)
			g.packRow(dst[n:], y)
		}
	}
	return dst
}

func unpack(data []byte, planes []plane) error {
	if len(data) != packedSize(planes) {
		return errFast
	}
	for _, g := range groups(planes) {
		for y := range g.planes[0].h {
			if !g.unpackRow(data[:g.bytes], y) {
				return errFast
			}
			data = data[g.bytes:]
		}
	}
	return nil
}

// The filters of PNG. A tile uses one for all rows, or names one for each row
// in a byte before it.
const (
	filterNone = iota
	filterSub
	filterUp
	filterAverage
	filterPaeth
	filterEach
	rowFilters
)

func paeth(a, b, c int) int {
	pa, pb, pc := b-c, a-c, a+b-2*c
	pa, pb, pc = max(pa, -pa), max(pb, -pb), max(pc, -pc)
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

// filterRow writes row less its prediction to dst, and returns the sum of the
// magnitudes, by which a filter is chosen.
func filterRow(dst, row, above []byte, filter, stride int) (sum int) {
	for i, v := range row {
		var a, c int
		b := int(above[i])
		if i >= stride {
			a, c = int(row[i-stride]), int(above[i-stride])
		}
		d := v - filtered(filter, a, b, c)
		dst[i] = d
		sum += int(min(d, -d))
	}
	return sum
}

func unfilterRow(row, above []byte, filter, stride int) {
	for i := range row {
		var a, c int
		b := int(above[i])
		if i >= stride {
			a, c = int(row[i-stride]), int(above[i-stride])
		}
		row[i] += filtered(filter, a, b, c)
	}
}

func filtered(filter, a, b, c int) byte {
	switch filter {
	case filterSub:
		return byte(a)
	case filterUp:
		return byte(b)
	case filterAverage:
		return byte((a + b) / 2)
	case filterPaeth:
		return byte(paeth(a, b, c))
	}
	return 0
}

// filterPlanes appends all rows, filtered.
func filterPlanes(dst []byte, planes []plane, filter int) []byte {
	for _, g := range groups(planes) {
		row, above := make([]byte, g.bytes), make([]byte, g.bytes)
		try, best := make([]byte, g.bytes), make([]byte, g.bytes)
		for y := range g.planes[0].h {
			g.packRow(row, y)
			if filter != filterEach {
				filterRow(best, row, above, filter, g.stride())
			} else {
				least, which := -1, 0
				for f := range filterEach {
					if s := filterRow(try, row, above, f, g.stride()); least < 0 || s < least {
						least, which = s, f
						try, best = best, try
					}
				}
				dst = append(dst, byte(which))
			}
			dst = append(dst, best...)
			row, above = above, row
		}
	}
	return dst
}

// rowsMayWin reports whether DEFLATE may code a tile better than prediction
// does. It is judged by a strip of rows that holds more than DEFLATE can look
// back at: the whole tile would take too long. Effort 1 looks only at tiles in
// which many samples repeat a neighbour.
func rowsMayWin(planes []plane, effort int) bool {
	again := repeats(planes)
	if effort == 1 && !again {
		return false
	}
	const enough = 96 << 10 // bytes
	var strip []plane
	for _, p := range planes {
		rows := min(p.h, 1+enough/p.w)
		s := newPlane(p.w, rows, p.max)
		copy(s.pix, p.pix[(p.h-rows)/2*p.w:])
		strip = append(strip, s)
	}
	if again && packedSize(planes) < 2*packedSize(strip) {
		return true
	}
	return 8*len(encodeRows(strip, 1)) < 9*len(encodePredicted(nil, strip))
}

// repeats reports whether a tile is small, of few values, or has many samples
// that repeat a neighbour.
func repeats(planes []plane) bool {
	same, all := 0, 0
	for _, p := range planes {
		if p.max < 16 || p.w*p.h < 1<<12 {
			return true
		}
		step := max(1, p.h/64)
		for y := step / 2; y < p.h; y += step {
			row := p.row(y)
			for x := 1; x < len(row); x++ {
				if row[x] == row[x-1] {
					same++
				}
			}
			all += len(row) - 1
		}
	}
	return same*3 > all
}

// encodeRows returns the shortest filtered and deflated form.
func encodeRows(planes []plane, effort int) (best []byte) {
	level := flate.DefaultCompression
	filters := []int{filterNone, filterEach}
	if effort > 1 {
		level = flate.BestCompression
	}
	if effort > 2 {
		filters = append(filters, filterSub, filterUp, filterPaeth)
	}
	for _, f := range filters {
		var out bytes.Buffer
		out.WriteByte(byte(f))
		// Neither a valid level nor a bytes.Buffer gives an error.
		z, _ := flate.NewWriter(&out, level)
		z.Write(filterPlanes(nil, planes, f))
		z.Close()
		if best == nil || out.Len() < len(best) {
			best = out.Bytes()
		}
	}
	return best
}

func decodeRows(data []byte, planes []plane) error {
	if len(data) == 0 || data[0] >= rowFilters {
		return errFast
	}
	each := int(data[0])
	r := bytes.NewReader(data[1:])
	z := flate.NewReader(r)
	for _, g := range groups(planes) {
		row, above := make([]byte, g.bytes), make([]byte, g.bytes)
		for y := range g.planes[0].h {
			filter := each
			if each == filterEach {
				var b [1]byte
				if _, err := io.ReadFull(z, b[:]); err != nil || b[0] >= filterEach {
					return errFast
				}
				filter = int(b[0])
			}
			if _, err := io.ReadFull(z, row); err != nil {
				return errFast
			}
			unfilterRow(row, above, filter, g.stride())
			if !g.unpackRow(row, y) {
				return errFast
			}
			row, above = above, row
		}
	}
	if n, err := z.Read(make([]byte, 1)); n != 0 || err != io.EOF || r.Len() != 0 {
		return errFast
	}
	return nil
}
