package kv

import "encoding/binary"

// Levels are packed several rows to one, column by column: the first row has the
// lowest digit. With as many levels as a power of two the digits are bits; five digits
// of three levels fit a byte, as 3*3*3*3*3 is 243. Three bits are a matrix of the low
// two and one of the high one behind it.

// A digit is a part of a level that is packed on its own.
type digit struct {
	radix int // levels of the digit
	shift int // where it begins in the level
}

// perByte returns how many digits share a byte.
func (d digit) perByte() int { return [...]int{2: 8, 3: 5, 4: 4, 16: 2}[d.radix] }

// rows returns how many rows so many become.
func (d digit) rows(rows int) int { return (rows + d.perByte() - 1) / d.perByte() }

// digits returns the parts of a format but Mixed, whose two digits have columns of
// their own.
func (f Format) digits() []digit {
	switch f {
	case Bits1:
		return []digit{{2, 0}}
	case Ternary:
		return []digit{{3, 0}}
	case Bits2:
		return []digit{{4, 0}}
	case Bits3:
		return []digit{{4, 0}, {2, 2}}
	case Bits4:
		return []digit{{16, 0}}
	}
	return nil
}

const (
	ones   = 0x0101010101010101
	evens  = 0x00ff00ff00ff00ff
	thirds = 171                // of 512: exact quotients for bytes,
	below  = 0x007f007f007f007f // which take 7 bits of 16
)

// pack packs rows x n levels, rows ldc apart, into rows of dst ldd apart.
func (d digit) pack(dst []byte, ldd int, codes []uint8, ldc, rows, n int) {
	k := d.perByte()
	mask := uint64(ones) // of the digit once shifted; three levels need none
	switch d.radix {
	case 3, 4:
		mask *= 3
	case 16:
		mask *= 15
	}
	for i := 0; i < rows; i += k {
		out := dst[i/k*ldd:][:n]
		last := min(i+k, rows) - 1
		j := 0
		for ; j+8 <= n; j += 8 {
			var v uint64
			for r := last; r >= i; r-- {
				v = v*uint64(d.radix) + binary.LittleEndian.Uint64(codes[r*ldc+j:])>>d.shift&mask
			}
			binary.LittleEndian.PutUint64(out[j:], v)
		}
		for ; j < n; j++ {
			v := 0
			for r := last; r >= i; r-- {
				v = v*d.radix + int(codes[r*ldc+j]>>d.shift)&int(mask&255)
			}
			out[j] = byte(v)
		}
	}
}

// unpack adds the digits of rows x n packed levels to codes, which unpack of the
// digits below has written; the lowest digit is written.
func (d digit) unpack(codes []uint8, ldc int, src []byte, lds, rows, n int) {
	k := d.perByte()
	mask := uint64(d.radix-1) * ones
	bits := [...]int{2: 1, 3: 0, 4: 2, 16: 4}[d.radix]
	for i := 0; i < rows; i += k {
		in := src[i/k*lds:][:n]
		end := min(i+k, rows)
		j := 0
		for ; j+8 <= n; j += 8 {
			v := binary.LittleEndian.Uint64(in[j:])
			for r := i; r < end; r++ {
				q := v
				if d.radix == 3 {
					v = v&evens*thirds>>9&below | v>>8&evens*thirds>>9&below<<8
					q -= 3 * v
				} else {
					q &= mask
					v >>= bits
				}
				out := codes[r*ldc+j:][:8]
				if d.shift > 0 {
					q = q<<d.shift | binary.LittleEndian.Uint64(out)
				}
				binary.LittleEndian.PutUint64(out, q)
			}
		}
		for ; j < n; j++ {
			v := in[j]
			for r := i; r < end; r++ {
				q := v % byte(d.radix) << d.shift
				if v /= byte(d.radix); d.shift > 0 {
					q |= codes[r*ldc+j]
				}
				codes[r*ldc+j] = q
			}
		}
	}
}

// unused reports whether the bytes have digits beyond the last row, or none at all,
// other than zero: no encoder writes that.
func (d digit) unused(src []byte, rows, n int) bool {
	if n == 0 {
		return false
	}
	full := 1
	for range d.perByte() {
		full *= d.radix
	}
	for i := range d.rows(rows) {
		limit := full
		for r := (i + 1) * d.perByte(); r > rows; r-- {
			limit /= d.radix
		}
		if limit == 256 {
			continue
		}
		for _, v := range src[i*n : (i+1)*n] {
			if int(v) >= limit {
				return true
			}
		}
	}
	return false
}
