package arith

// A RangeEncoder codes symbols of any alphabet, each with a table or a span of
// the caller's choosing. It is a [BinaryEncoder] too: symbols and bits mix in
// one stream. Make one with [NewRangeEncoder].
type RangeEncoder struct {
	BinaryEncoder
}

// NewRangeEncoder returns an encoder that appends to buf, which may be nil.
func NewRangeEncoder(buf []byte) *RangeEncoder {
	e := new(RangeEncoder)
	e.Reset(buf)
	return e
}

// EncodeSymbol codes symbol s with table c. It panics if the table gives s no
// probability.
func (e *RangeEncoder) EncodeSymbol(c *CDF, s int) {
	lo, hi := c.cum[s], c.cum[s+1]
	if lo == hi {
		panic("arith: EncodeSymbol: symbol not in the table")
	}
	var unit uint64
	if c.log >= 0 {
		unit = e.rng >> (c.log & 63)
	} else {
		unit = e.rng / uint64(c.cum[len(c.cum)-1])
	}
	e.narrow(unit*uint64(lo), unit*uint64(hi-lo))
}

// EncodeSpan codes the span lo, lo+1, ..., lo+size-1 of 0..total-1, which has
// probability size/total. total is at most [MaxTotal] and size at least 1. It
// is for adaptive models, which keep their own frequencies.
func (e *RangeEncoder) EncodeSpan(lo, size, total uint32) {
	if size == 0 || total > MaxTotal || lo > total || size > total-lo {
		panic("arith: EncodeSpan: bad span")
	}
	unit := e.rng / uint64(total)
	e.narrow(unit*uint64(lo), unit*uint64(size))
}

// narrow reduces the range to size numbers, skip above its low end. The range is
// at least 1<<32 and split into at most 1<<16 parts, so size is at least 1<<16
// and one shift restores it.
func (e *RangeEncoder) narrow(skip, size uint64) {
	e.low += skip
	if e.low < skip {
		e.carry()
	}
	e.rng = size
	if size < binaryRenorm {
		e.shift()
	}
}

// A RangeDecoder decodes what a [RangeEncoder] coded. It is a [BinaryDecoder]
// too. Make one with [NewRangeDecoder].
type RangeDecoder struct {
	BinaryDecoder
}

// NewRangeDecoder returns a decoder of the stream buf, which must hold nothing
// else.
func NewRangeDecoder(buf []byte) *RangeDecoder {
	d := new(RangeDecoder)
	d.Reset(buf)
	return d
}

// DecodeSymbol returns the next symbol, which was coded with table c. Whatever
// the input, it is one to which c gives a probability.
func (d *RangeDecoder) DecodeSymbol(c *CDF) int {
	total := c.cum[len(c.cum)-1]
	var unit uint64
	if c.log >= 0 {
		unit = d.rng >> (c.log & 63)
	} else {
		unit = d.rng / uint64(total)
	}
	s := c.find(d.value(unit, total))
	lo := c.cum[s]
	d.narrow(unit*uint64(lo), unit*uint64(c.cum[s+1]-lo))
	return s
}

// DecodeValue returns a number below total, at most [MaxTotal], that lies in the
// next span. The caller finds the span and passes it to
// [RangeDecoder.SkipSpan].
func (d *RangeDecoder) DecodeValue(total uint32) uint32 {
	if total-1 >= MaxTotal {
		panic("arith: DecodeValue: bad total")
	}
	return d.value(d.rng/uint64(total), total)
}

// SkipSpan goes past a span coded by [RangeEncoder.EncodeSpan].
func (d *RangeDecoder) SkipSpan(lo, size, total uint32) {
	if size == 0 || total > MaxTotal || lo > total || size > total-lo {
		panic("arith: SkipSpan: bad span")
	}
	unit := d.rng / uint64(total)
	d.narrow(unit*uint64(lo), unit*uint64(size))
}

// value returns which of the units the code lies in. The remainder of the
// range, which no encoder uses, counts as the last.
func (d *RangeDecoder) value(unit uint64, total uint32) uint32 {
	return min(uint32(min(d.code/unit, MaxTotal)), total-1)
}

func (d *RangeDecoder) narrow(skip, size uint64) {
	d.code -= skip
	d.rng = size
	if size < binaryRenorm {
		d.shift()
	}
}
