package vq

import (
	"fmt"
	"math"
	"math/bits"
)

// # The code
//
// E8P (QuIP#, arXiv 2402.04396) is 2^16 points of two copies of E8. D8 moved by one
// half is the vectors of halves of odd numbers with an even sum; moved once more, by a
// quarter up or down in all elements, it is E8 moved by a quarter. The elements'
// magnitudes are one of 256 patterns; seven signs are free, and the eighth makes the
// sum even: an entry of 3/2 changes the sum's parity against 1/2, 5/2 does not, and
// each sign does, so the signs are negative as often, modulo 2, as there are 3/2.
//
//	bits 0..7   the pattern
//	bits 8..14  the signs of elements 0..6, 1 for negative
//	bit  15     0 for a quarter down, 1 for a quarter up
//
// There are 227 patterns of squared norm 10 or less: 0 to 4 entries of 3/2, or one of
// 5/2 and at most one of 3/2, among those of 1/2. Of the 224 of squared norm 12 the
// code has 29: the choice is free, and here those of five 3/2 that are least alike; see
// lastPatterns.
//
// # Nearest points
//
// For a shift, y = x less the shift, a pattern h and signs that are allowed, the
// squared distance is |y|^2 - 2*score + |h|^2. With the signs of y the score is the
// sum of |y|*h; if they are not allowed, the sign that costs least is turned. All
// permutations of the entries of the patterns up to 10 are in the code, so the best of
// them has its entries in the order of |y|, the smallest of which, at an entry of 1/2,
// has its sign turned if one must be: seven candidates once |y| is sorted. The 29 are
// tried one by one where they could be better, and they seldom can.

// lastPatterns are the three elements of the last 29 patterns whose entries are 1/2,
// the other five being 3/2. Two share as few as 29 of 56 can: they are taken in the
// order of the alphabet, each the one whose largest overlap with those before is least,
// and of these the one with the fewest elements that were often taken.
var lastPatterns = chooseLast()

// chooseLast returns sets of three of eight elements, as bits.
func chooseLast() (sets [29]uint8) {
	var taken [256]bool
	var often [8]int
	for i := range sets {
		best, least := -1, math.MaxInt
		for s := range 256 {
			if bits.OnesCount(uint(s)) != 3 || taken[s] {
				continue
			}
			cost := 0
			for _, t := range sets[:i] {
				if bits.OnesCount8(uint8(s)&t) == 2 {
					cost += 16
				}
			}
			for j, n := range often {
				if s>>j&1 != 0 {
					cost += n
				}
			}
			if cost < least {
				best, least = s, cost
			}
		}
		taken[best] = true
		sets[i] = uint8(best)
		for j := range often {
			often[j] += best >> j & 1
		}
	}
	return sets
}

// e8pTables are the patterns and what finds their numbers.
type e8pTables struct {
	half [256][8]int8 // twice the magnitudes: 1, 3 or 5
	odd  [256]uint8   // whether the number of 3/2 is odd
	// Numbers of patterns by the set of elements of 3/2, and by the element of 5/2 and
	// that of 3/2, or 8 for none.
	ofThrees [256]uint8
	ofFive   [8][9]uint8
}

var e8p = newE8PTables()

func newE8PTables() *e8pTables {
	t := new(e8pTables)
	n := 0
	add := func(threes, five int) uint8 {
		for j := range 8 {
			t.half[n][j] = int8(1 + 2*(threes>>j&1))
			if j == five {
				t.half[n][j] = 5
			}
		}
		t.odd[n] = uint8(bits.OnesCount(uint(threes)) & 1)
		n++
		return uint8(n - 1)
	}
	for k := range 5 {
		for s := range 256 {
			if bits.OnesCount(uint(s)) == k {
				t.ofThrees[s] = add(s, -1)
			}
		}
	}
	for five := range 8 {
		t.ofFive[five][8] = add(0, five)
		for three := range 8 {
			if three != five {
				t.ofFive[five][three] = add(1<<three, five)
			}
		}
	}
	for _, s := range lastPatterns {
		t.ofThrees[^s] = add(int(^s), -1)
	}
	return t
}

// decode sets p to the point of a code.
func (t *e8pTables) decode(p *[8]float32, code uint32) {
	h := &t.half[code&255]
	signs := code >> 8 & 127
	signs |= (uint32(bits.OnesCount32(signs)) ^ uint32(t.odd[code&255])) & 1 << 7
	shift := float32(-.25)
	if code>>15 != 0 {
		shift = .25
	}
	for j := range p {
		v := int32(h[j])
		if signs>>j&1 != 0 {
			v = -v
		}
		p[j] = float32(v)/2 + shift
	}
}

// exchange puts the larger of two keys first.
func exchange(a, b uint64) (uint64, uint64) { return max(a, b), min(a, b) }

// nearest returns the code of the point nearest to x, of finite elements.
func (t *e8pTables) nearest(x *[8]float32) uint32 {
	var best float32 = -math.MaxFloat32
	var code uint32
	for up := range uint32(2) {
		shift := float32(up)/2 - .25
		var a [8]float32
		var k [8]uint64 // magnitudes, and below them the elements' numbers
		var signs uint32
		var sum, square float32
		for j, v := range x {
			v -= shift
			b := math.Float32bits(v)
			signs |= b >> 31 << j
			b &^= 1 << 31
			a[j] = math.Float32frombits(b)
			k[j] = uint64(b)<<3 | uint64(j)
			sum += a[j]
			square += v * v
		}
		// Batcher's odd-even merge sort of eight, falling.
		k[0], k[1] = exchange(k[0], k[1])
		k[2], k[3] = exchange(k[2], k[3])
		k[4], k[5] = exchange(k[4], k[5])
		k[6], k[7] = exchange(k[6], k[7])
		k[0], k[2] = exchange(k[0], k[2])
		k[1], k[3] = exchange(k[1], k[3])
		k[4], k[6] = exchange(k[4], k[6])
		k[5], k[7] = exchange(k[5], k[7])
		k[1], k[2] = exchange(k[1], k[2])
		k[5], k[6] = exchange(k[5], k[6])
		k[0], k[4] = exchange(k[0], k[4])
		k[1], k[5] = exchange(k[1], k[5])
		k[2], k[6] = exchange(k[2], k[6])
		k[3], k[7] = exchange(k[3], k[7])
		k[2], k[4] = exchange(k[2], k[4])
		k[3], k[5] = exchange(k[3], k[5])
		k[1], k[2] = exchange(k[1], k[2])
		k[3], k[4] = exchange(k[3], k[4])
		k[5], k[6] = exchange(k[5], k[6])
		parity := bits.OnesCount32(signs) & 1
		least := int(k[7] & 7)
		// The cost of turning the smallest, for patterns whose parity is not that of
		// the signs.
		var turn [2]float32
		turn[1-parity] = a[least]

		// The metric is 2*score - |h|^2 less |y|^2. Patterns are the elements of 3/2,
		// and the five times 256.
		threes, from := 0, best
		metric := sum - 2 - square
		pattern := -1
		for n := 0; ; n++ {
			if m := metric - 2*turn[n&1]; m > best {
				best, pattern = m, threes
			}
			if n == 4 {
				break
			}
			j := int(k[n] & 7)
			metric += 2*a[j] - 2
			threes |= 1 << j
		}
		first, second := int(k[0]&7), int(k[1]&7)
		metric5 := sum - 8 - square + 4*a[first]
		five := false
		if m := metric5 - 2*turn[0]; m > best {
			best, pattern, five = m, 8, true
		}
		if m := metric5 + 2*a[second] - 2 - 2*turn[1]; m > best {
			best, pattern, five = m, second, true
		}
		// No pattern of five 3/2 is better than the five largest.
		last := -1
		if bound := metric + 2*a[k[4]&7] - 2 - 2*turn[1]; bound > best {
			for i, s := range lastPatterns {
				m := 3*sum - 12 - square
				small := float32(math.MaxFloat32)
				for r := s; r != 0; r &= r - 1 {
					v := a[bits.TrailingZeros8(r)]
					m -= 2 * v
					small = min(small, v)
				}
				if parity == 0 {
					for r := ^s; r != 0; r &= r - 1 {
						small = min(small, 3*a[bits.TrailingZeros8(r)])
					}
					m -= 2 * small
				}
				if m > best {
					best, last = m, i
				}
			}
		}
		if best == from {
			continue
		}
		turned := least
		var number uint8
		switch {
		case last >= 0:
			s := lastPatterns[last]
			number = t.ofThrees[^s]
			small := float32(math.MaxFloat32)
			for j, v := range a {
				if s>>j&1 == 0 {
					v *= 3
				}
				if v < small {
					small, turned = v, j
				}
			}
		case five:
			number = t.ofFive[first][pattern]
		default:
			number = t.ofThrees[pattern]
		}
		if parity != int(t.odd[number]) {
			signs ^= 1 << turned
		}
		code = uint32(number) | signs&127<<8 | up<<15
	}
	return code
}

// E8P quantises vectors of 8 elements at 2, 3 or 4 bits a dimension to points near the
// origin of the lattice E8. It is meant for normally distributed elements of deviation
// 1, times a scale; see [HIGGS], which makes them so.
//
// At 2 bits a vector has one code of 16 bits; decoding takes a table of 2 KiB, and
// encoding finds the nearest of the 2^16 points with seven candidates. At 4 bits there
// is a second code of 16 bits for what the first leaves, at 3 bits one of 8 bits, for
// 256 points of E8 around the origin. On a normal distribution the mean squared errors are
// 0.0915, 0.0296 and 0.0084, 1.65, 2.8 and 3.3 dB from the best there could be: at 4 bits
// a [NormalGrid] has less. (QuIP#,
// arXiv 2402.04396; the choice of the last 29 of its 256 patterns is our own.)
type E8P struct {
	bits  int
	scale float32
	sizes []int
}

// The scales of least squared error on a normal distribution of deviation 1, of the
// first stage and of the second.
var e8pScales = [5][2]float32{2: {.965, 0}, 3: {1.03, .51}, 4: {1.13, .295}}

// NewE8P returns the quantiser of 2, 3 or 4 bits a dimension for normally distributed
// numbers of the given standard deviation.
func NewE8P(bitsPerDim int, deviation float32) (*E8P, error) {
	if bitsPerDim < 2 || bitsPerDim > 4 {
		return nil, fmt.Errorf("%w: %d bits a dimension, want 2, 3 or 4", ErrOptions, bitsPerDim)
	}
	if !(deviation >= 1/maxMagnitude && deviation <= maxMagnitude) {
		return nil, fmt.Errorf("%w: deviation %g", ErrOptions, deviation)
	}
	q := &E8P{bits: bitsPerDim, scale: deviation, sizes: []int{1 << 16}}
	if bitsPerDim > 2 {
		q.sizes = append(q.sizes, 1<<(8*(bitsPerDim-2)))
	}
	return q, nil
}

// Dim returns 8.
func (q *E8P) Dim() int { return 8 }

// Sizes returns 65536, and at 3 bits 256 or at 4 bits 65536 again.
func (q *E8P) Sizes() []int { return q.sizes }

// e8pFar is as far as elements may be from the origin for their order to matter: above
// it float32 no longer tells points apart.
const e8pFar = 1 << 12

// Encode finds the nearest points, of the second code to what the first leaves.
func (q *E8P) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	s := e8pScales[q.bits]
	first, second := 1/(q.scale*s[0]), s[0]/s[1]
	var y, p [8]float32
	for m := len(q.sizes); len(codes) > 0; codes, x = codes[m:], x[8:] {
		for j, v := range x[:8] {
			y[j] = min(max(v*first, -e8pFar), e8pFar)
			if v != v {
				y[j] = 0
			}
		}
		codes[0] = e8p.nearest(&y)
		if m == 1 {
			continue
		}
		e8p.decode(&p, codes[0])
		for j := range y {
			y[j] = (y[j] - p[j]) * second
		}
		if q.bits == 3 {
			codes[1] = nearestE8(&y)
		} else {
			codes[1] = e8p.nearest(&y)
		}
	}
}

// The 256 points of the code of one bit a dimension are E8's 240 roots, the origin and
// fifteen of the sixteen vectors of one element of 2 or -2:
//
//	0..127     elements of 1/2, signs as the bits, 1 for negative; that of element 7
//	           makes their number even
//	128..239   two elements of 1: 128 + 4*pair + signs, pairs in order of the first
//	240        the origin
//	241..255   one element: 241 + 2*element + sign, but -2 as element 7
var e8Pairs = func() (p [28][2]uint8) {
	n := 0
	for i := range uint8(8) {
		for j := range i {
			p[n] = [2]uint8{j, i}
			n++
		}
	}
	return p
}()

// decodeE8 sets p to the point of a code of 8 bits.
func decodeE8(p *[8]float32, code uint32) {
	sign := func(bit uint32) float32 { return 1 - 2*float32(bit&1) }
	switch {
	case code < 128:
		code |= uint32(bits.OnesCount32(code)) & 1 << 7
		for j := range p {
			p[j] = sign(code>>j) / 2
		}
	case code < 240:
		*p = [8]float32{}
		pair := e8Pairs[(code-128)/4]
		p[pair[0]], p[pair[1]] = sign(code), sign(code>>1)
	default:
		*p = [8]float32{}
		if code > 240 {
			p[(code-241)/2] = 2 * sign((code-241)&1)
		}
	}
}

// nearestE8 returns the code of 8 bits nearest to y, of finite elements.
func nearestE8(y *[8]float32) uint32 {
	var signs uint32
	var sum float32
	least, first, second := 0, 0, 0
	var a [8]float32
	for j, v := range y {
		b := math.Float32bits(v)
		signs |= b >> 31 << j
		a[j] = math.Float32frombits(b &^ (1 << 31))
		sum += a[j]
		if a[j] < a[least] {
			least = j
		}
		switch {
		case j == 0:
		case a[j] > a[first]:
			first, second = j, first
		case j == 1 || a[j] > a[second]:
			second = j
		}
	}
	best, code := float32(0), uint32(240)
	try := func(m float32, c uint32) {
		if m > best {
			best, code = m, c
		}
	}
	try(2*(a[first]+a[second])-2, func() uint32 {
		i, j := min(first, second), max(first, second)
		return 128 + 4*uint32(j*(j-1)/2+i) + signs>>i&1 + signs>>j&1<<1
	}())
	if bits.OnesCount32(signs)&1 == 0 {
		try(sum-2, signs&127)
	} else {
		try(sum-2*a[least]-2, (signs^1<<least)&127)
	}
	if c := 241 + 2*uint32(first) + signs>>first&1; c < 256 {
		try(4*a[first]-4, c)
	}
	return code
}

// Decode adds the points of the codes.
func (q *E8P) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	s := e8pScales[q.bits]
	first, second := q.scale*s[0], q.scale*s[1]
	var p [8]float32
	for m := len(q.sizes); len(codes) > 0; codes, x = codes[m:], x[8:] {
		checkBelow(codes[:1], 1<<16)
		e8p.decode(&p, codes[0])
		for j, v := range p {
			x[j] = float32(v * first)
		}
		if m == 1 {
			continue
		}
		checkBelow(codes[1:2], q.sizes[1])
		if q.bits == 3 {
			decodeE8(&p, codes[1])
		} else {
			e8p.decode(&p, codes[1])
		}
		for j, v := range p {
			x[j] += float32(v * second)
		}
	}
}

// An E8PStage says what one of the codes of an [E8P] stands for, in whole numbers: what
// blocks.NewPatternMatrix takes, in package kernels/blocks.
type E8PStage struct {
	// Table has the levels of patterns, those of the lower 8 bits of a code. The signs
	// in the next 7 are for the first seven elements, and that of the last makes the
	// number of signs even: where the code wants an odd number of negative levels, the
	// last of the pattern is negative.
	Table [256][8]int8
	Shift int8    // added where bit 15 is set, else subtracted
	Unit  float32 // what a level of 1 is
}

// Stages returns the meanings of the codes, one or two. A vector is the sum of theirs,
// but for rounding.
func (q *E8P) Stages() []E8PStage {
	s := e8pScales[q.bits]
	list := []E8PStage{{Table: e8p.quarters(), Shift: 1, Unit: float32(q.scale*s[0]) / 4}}
	switch q.bits {
	case 3:
		st := E8PStage{Unit: float32(q.scale*s[1]) / 2}
		var p [8]float32
		for code := range st.Table {
			decodeE8(&p, uint32(code))
			for j, v := range p {
				st.Table[code][j] = int8(2 * v)
			}
		}
		list = append(list, st)
	case 4:
		list = append(list, E8PStage{Table: list[0].Table, Shift: 1, Unit: float32(q.scale*s[1]) / 4})
	}
	return list
}

// quarters returns four times the magnitudes, the last negative where the number of signs
// is odd.
func (t *e8pTables) quarters() (q [256][8]int8) {
	for i, h := range t.half {
		for j, v := range h {
			q[i][j] = 2 * v
		}
		if t.odd[i] != 0 {
			q[i][7] = -q[i][7]
		}
	}
	return q
}

// MarshalBinary stores the bits and the deviation.
func (q *E8P) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *E8P) kind() string { return "e8p" }

func (q *E8P) write(w *writer) {
	w.int(q.bits)
	w.float(q.scale)
}

func init() {
	register("e8p", func(r *reader) (Quantiser, error) {
		b := r.int("bits a dimension", 2, 4)
		deviation := r.float("deviation")
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewE8P(b, deviation))
	})
}
