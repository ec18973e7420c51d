package arith

import (
	"encoding/binary"
	"slices"
)

// Range asymmetric numeral systems (Duda, "Asymmetric numeral systems: entropy
// coding combining speed of Huffman coding with compression rate of arithmetic
// coding", 2013) keep the message in one number x. With M = 1<<12, a symbol of
// frequency f and first slot c takes
//
//	encoding: x = x/f*M + x%f + c
//	decoding: s = the symbol of slot x%M;  x = f*(x/M) + x%M - c
//
// Here x is kept in [1<<16, 1<<32) by moving 16-bit words out before a step that
// would overflow and in after one that underflows. The encoder runs backwards,
// so the decoder runs forwards. Several lanes, each with its own x, read from
// one stream of words; their steps do not wait for each other, which is what
// makes decoding fast (Giesen, "Interleaved entropy coders", 2014).
//
// A stream is: the final x of each lane, 4 bytes each, then the words in the
// order the decoder takes them; all little endian.

const (
	ransLow  = 1 << 16 // smallest x, and x before the first symbol
	maxLanes = 4
)

// A RANSEncoder codes byte symbols, each with a table of its own choosing: the
// fast way to code with static contexts. Make one with [NewRANSEncoder].
type RANSEncoder struct {
	ops   []uint32 // start:12 freq:12 lane:8 of each symbol
	lanes int
}

// NewRANSEncoder returns an encoder of 1 to 4 lanes. Each lane takes 4 bytes.
// Three suit pictures of three channels, one lane a channel.
func NewRANSEncoder(lanes int) *RANSEncoder {
	if lanes < 1 || lanes > maxLanes {
		panic("arith: NewRANSEncoder: lanes out of range")
	}
	return &RANSEncoder{lanes: lanes}
}

// Put adds a symbol to the message, in the order in which it will be decoded.
func (e *RANSEncoder) Put(lane int, t *EncTable, sym uint8) {
	e.ops = append(e.ops, t[sym]|uint32(lane)<<24)
}

// Len returns the number of symbols put.
func (e *RANSEncoder) Len() int { return len(e.ops) }

// Finish appends the coded message to dst and returns it. It leaves e ready for
// another message. It returns [ErrSymbol] if a symbol was not in its table.
func (e *RANSEncoder) Finish(dst []byte) ([]byte, error) {
	defer func() { e.ops = e.ops[:0] }()
	// Each symbol moves at most one word out. Write backwards from the end, then
	// close the gap.
	head := len(dst)
	most := 4*e.lanes + 2*len(e.ops) + 2
	dst = slices.Grow(dst, most)[:head+most]
	buf := dst[head:]
	p := len(buf)
	x := [maxLanes]uint32{ransLow, ransLow, ransLow, ransLow}
	for i := len(e.ops) - 1; i >= 0; i-- {
		op := e.ops[i]
		f := op >> 12 & 0xfff
		if f == 0 {
			return dst[:head], ErrSymbol
		}
		lane := op >> 24
		if lane >= uint32(e.lanes) {
			panic("arith: RANSEncoder: lane out of range")
		}
		y := x[lane&(maxLanes-1)]
		// The word is written in any case and kept if it was due: there is no
		// branch to predict.
		binary.LittleEndian.PutUint16(buf[p-2:], uint16(y))
		out := (uint64(f)<<20 - 1 - uint64(y)) >> 63
		p -= 2 * int(out)
		y >>= 16 * out
		q := uint32(uint64(y) * reciprocals[f] >> reciprocalLog)
		x[lane&(maxLanes-1)] = y + q*(tableTotal-f) + op&0xfff
	}
	for i := e.lanes - 1; i >= 0; i-- {
		p -= 4
		binary.LittleEndian.PutUint32(buf[p:], x[i])
	}
	return dst[:head+copy(buf, buf[p:])], nil
}

// reciprocals[f] is 1<<44/f, rounded up. For x < f<<20, which renormalisation
// ensures, x*reciprocals[f]>>44 is x/f: the rounding adds less than
// x*f < 1<<44 to the product, and the product stays below 1<<64.
var reciprocals = func() (r [tableTotal]uint64) {
	for f := uint64(1); f < tableTotal; f++ {
		r[f] = (1<<reciprocalLog + f - 1) / f
	}
	return r
}()

const reciprocalLog = 44

// A RANSDecoder decodes what a [RANSEncoder] coded. Make one with
// [NewRANSDecoder].
type RANSDecoder struct {
	x     [maxLanes]uint32
	in    []byte
	pos   int // next word, also past the end of in, where words are 0
	lanes int
}

// NewRANSDecoder returns a decoder of the stream in, which must hold nothing
// else, made with the given number of lanes.
func NewRANSDecoder(in []byte, lanes int) (*RANSDecoder, error) {
	if lanes < 1 || lanes > maxLanes {
		panic("arith: NewRANSDecoder: lanes out of range")
	}
	if len(in) < 4*lanes {
		return nil, ErrTruncated
	}
	d := &RANSDecoder{in: in, lanes: lanes, pos: 4 * lanes}
	for i := range lanes {
		d.x[i] = binary.LittleEndian.Uint32(in[4*i:])
		if d.x[i] < ransLow {
			return nil, ErrCorrupt
		}
	}
	return d, nil
}

// words returns the next four words, the next one lowest.
func (d *RANSDecoder) words() uint64 {
	if p := d.pos; p >= 0 && p+8 <= len(d.in) {
		return binary.LittleEndian.Uint64(d.in[p:])
	}
	return d.lastWords()
}

func (d *RANSDecoder) lastWords() uint64 {
	var tail [8]byte
	if d.pos < len(d.in) {
		copy(tail[:], d.in[d.pos:])
	}
	return binary.LittleEndian.Uint64(tail[:])
}

// Decode returns the next symbol, which was put with the same lane and table.
func (d *RANSDecoder) Decode(lane int, t *DecTable) uint8 {
	x := d.x[lane&(maxLanes-1)]
	e := t[x&tableMask]
	x = (e>>8&0xfff)*(x>>ByteTableLog) + e>>20
	if x < ransLow {
		x = x<<16 | uint32(d.words()&0xffff)
		d.pos += 2
	}
	d.x[lane&(maxLanes-1)] = x
	return uint8(e)
}

// Decode3 returns the next symbols of lanes 0, 1 and 2. It is faster than three
// calls of Decode; the tables must be known at once.
func (d *RANSDecoder) Decode3(t0, t1, t2 *DecTable) (s0, s1, s2 uint8) {
	w := d.words()
	x0, x1, x2 := d.x[0], d.x[1], d.x[2]
	e0, e1, e2 := t0[x0&tableMask], t1[x1&tableMask], t2[x2&tableMask]
	x0 = (e0>>8&0xfff)*(x0>>ByteTableLog) + e0>>20
	x1 = (e1>>8&0xfff)*(x1>>ByteTableLog) + e1>>20
	x2 = (e2>>8&0xfff)*(x2>>ByteTableLog) + e2>>20
	// The word is merged in any case; due is all ones if it is taken and else 0,
	// so there is no branch to predict.
	due := uint32((int64(x0) - ransLow) >> 63)
	x0 ^= (x0 ^ (x0<<16 | uint32(w)&0xffff)) & due
	w >>= due & 16
	n := due
	due = uint32((int64(x1) - ransLow) >> 63)
	x1 ^= (x1 ^ (x1<<16 | uint32(w)&0xffff)) & due
	w >>= due & 16
	n += due
	due = uint32((int64(x2) - ransLow) >> 63)
	x2 ^= (x2 ^ (x2<<16 | uint32(w)&0xffff)) & due
	n += due
	d.pos -= 2 * int(int32(n))
	d.x[0], d.x[1], d.x[2] = x0, x1, x2
	return uint8(e0), uint8(e1), uint8(e2)
}

// Err returns [ErrTruncated] if the decoder has taken words past the end of its
// input. A decoding loop over untrusted input should call it every so often, to
// stop early.
func (d *RANSDecoder) Err() error {
	if d.pos > len(d.in) {
		return ErrTruncated
	}
	return nil
}

// Close checks that the message ended here: that the input is used up and the
// lanes are back where the encoder began. It returns [ErrTruncated] or
// [ErrCorrupt] if not. It finds most damage, but is no substitute for a
// checksum.
func (d *RANSDecoder) Close() error {
	if err := d.Err(); err != nil {
		return err
	}
	for _, x := range d.x[:d.lanes] {
		if x != ransLow {
			return ErrCorrupt
		}
	}
	if d.pos != len(d.in) {
		return ErrCorrupt
	}
	return nil
}
