package arith

import (
	"errors"
	"math"
	"math/bits"
)

// MaxTotal is the largest sum of the frequencies of a [CDF].
const MaxTotal = 1 << 16

// ErrCounts is the error of making a table from counts or frequencies that do
// not suit it.
var ErrCounts = errors.New("arith: unsuitable counts")

// A CDF holds the cumulative frequencies of the symbols 0, 1, ... for the range
// coder. Symbols may have frequency zero; those cannot be coded. A CDF is
// read-only and may be shared.
type CDF struct {
	cum []uint32 // cum[s] is the sum of the frequencies below s; the last is the total
	log int      // log2 of the total, or -1 if that is no integer
	// first[v>>shift] is the symbol of the least value in v's bucket: where the
	// search for the symbol of v begins.
	first []uint16
	shift uint
}

// firstLog is the base-2 logarithm of the number of buckets of a CDF: few enough
// to stay in cache with many tables, and enough to find nearly every symbol
// within two steps.
const firstLog = 8

// NewCDF makes a table whose frequencies sum to total, at most [MaxTotal], from
// the counts of at most 1<<16 symbols. Every symbol that was counted gets at
// least 1, and the others 0. A total that is a power of two is faster. NewCDF
// uses integers only: equal counts make equal tables everywhere. It returns
// [ErrCounts] if nothing was counted or the total is too small or too large.
func NewCDF(counts []uint32, total int) (*CDF, error) {
	used, sym := 0, 0
	wide := make([]uint64, len(counts))
	for i, c := range counts {
		wide[i] = uint64(c)
		if c != 0 {
			used++
			sym = i
		}
	}
	if used == 0 || used > total || total > MaxTotal {
		return nil, ErrCounts
	}
	freq := make([]uint32, len(counts))
	if used == 1 {
		freq[sym] = uint32(total)
	} else {
		f := make([]uint16, len(counts))
		quantize(f, wide, uint64(total), uint64(total)-1)
		for i, v := range f {
			freq[i] = uint32(v)
		}
	}
	return CDFOf(freq)
}

// CDFOf makes a table of the given frequencies, whose sum is from 1 to
// [MaxTotal]. It returns [ErrCounts] if it is not, or if there are more than
// 1<<16 symbols.
func CDFOf(freq []uint32) (*CDF, error) {
	c := &CDF{cum: make([]uint32, len(freq)+1), log: -1}
	total := uint64(0)
	for i, f := range freq {
		total += uint64(f)
		if total > MaxTotal {
			return nil, ErrCounts
		}
		c.cum[i+1] = uint32(total)
	}
	if total == 0 || len(freq) > 1<<16 {
		return nil, ErrCounts
	}
	if total&(total-1) == 0 {
		c.log = bits.Len64(total) - 1
	}
	c.shift = uint(max(0, bits.Len64(total-1)-firstLog))
	c.first = make([]uint16, (total-1)>>c.shift+1)
	s := 0
	for i := range c.first {
		for c.cum[s+1] <= uint32(i)<<c.shift {
			s++
		}
		c.first[i] = uint16(s)
	}
	return c, nil
}

// Len returns the number of symbols, those that cannot be coded included.
func (c *CDF) Len() int { return len(c.cum) - 1 }

// Total returns the sum of the frequencies.
func (c *CDF) Total() int { return int(c.cum[len(c.cum)-1]) }

// Freq returns the frequency of symbol s.
func (c *CDF) Freq(s int) int { return int(c.cum[s+1] - c.cum[s]) }

// Cost returns what coding symbol s costs, in bits: infinity if it cannot be
// coded.
func (c *CDF) Cost(s int) float64 {
	return math.Log2(float64(c.Total()) / float64(c.Freq(s)))
}

// find returns the symbol that v, below the total, falls on.
func (c *CDF) find(v uint32) int {
	s := int(c.first[v>>c.shift])
	for c.cum[s+1] <= v {
		s++
	}
	return s
}
