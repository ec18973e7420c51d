package entropy

import (
	"sync"

	"github.com/burin-codec/burin/arith"
)

// An integer v of a Laplace distribution of location mu and scale b, rounded, has
// the probability of the interval v-1/2..v+1/2. With m the integer nearest mu and
// f = mu - m the masses below m-1/2 and above m+1/2 are
//
//	lo = exp(-(1/2+f)/b)/2    hi = exp(-(1/2-f)/b)/2
//
// and both tails are exponential: each further step is taken with the same
// probability exp(-1/b). So v is coded by decisions with fixed probabilities:
//
//	v != m?                  lo + hi
//	v > m, v being other?    hi/(lo + hi)
//	further than n?          exp(-1/b), for n = 1, 2, ...
//
// The first two depend on f and b; they are tables over f in 1/64 and ln b in 1/16,
// which costs a few hundredths of a percent over exact numbers. (1/16 and 1/8 cost
// more than one percent where most numbers are certain.) Decisions that the alphabet
// leaves no choice are not coded.
//
// A model is never as sure as its scale says, and less so once it was wrong. The
// second decision therefore gets no probability outside 1/256..255/256; the first step
// further gets none below 1/256, the second none below 1/16, the others none below
// 1/8. That costs 0.02 bit at most for a number other than m, and saves many when the
// model is wrong: 0.1 to 0.4 % in all with the networks of package inr.

const (
	// LaplaceUnit is how many units a location has in 1.
	LaplaceUnit = 64

	// LaplaceScales is the number of scales: scale s stands for
	// b = exp(s/16 - 5), from exp(-5) to exp(4).
	LaplaceScales = 145
)

// laplaceSteps is how many steps outwards have a probability of their own.
const laplaceSteps = 3

// The probabilities, of 65536, of the first two decisions and of the others.
type laplaceBin struct{ other, above uint16 }

var (
	laplaceBins    [LaplaceScales][LaplaceUnit]laplaceBin // by scale and f + 1/2
	laplaceFurther [LaplaceScales][laplaceSteps]uint16    // the last for all from there on
)

func init() {
	floors := [laplaceSteps]int{65536 / 256, 65536 / 16, 65536 / 8}
	round := func(p float64, lo, hi int) uint16 {
		return uint16(min(max(int(float64(p*65536)+0.5), lo), hi))
	}
	for s := range LaplaceScales {
		// 1/b = exp((80-s)/16)
		inverse := expNeg(float64(max(s-80, 0))/16) / expNeg(float64(max(80-s, 0))/16)
		for i, floor := range floors {
			laplaceFurther[s][i] = round(expNeg(inverse), floor, 65535)
		}
		// Twice lo at f = -1/2, -1/2 + 1/64 and so on, and twice hi from the other end.
		var power [LaplaceUnit + 1]float64
		power[0] = 1
		for f, r := 0, expNeg(inverse/LaplaceUnit); f < LaplaceUnit; f++ {
			power[f+1] = float64(power[f] * r)
		}
		for f := range LaplaceUnit {
			lo, hi := power[f], power[LaplaceUnit-f]
			laplaceBins[s][f] = laplaceBin{
				round((lo+hi)/2, 1, 65535),
				round(hi/(lo+hi), floors[0], 65536-floors[0]),
			}
		}
	}
}

// laplaceCosts holds the decisions' costs in bits.
type laplaceCosts struct {
	bins [LaplaceScales][LaplaceUnit][3]float32  // below m, m, above
	step [LaplaceScales][laplaceSteps][2]float32 // no further, further
}

var costsOfLaplace = sync.OnceValue(func() *laplaceCosts {
	c := new(laplaceCosts)
	cost := func(bit int, p uint16) float32 { return float32(arith.BitCost(bit, uint32(p))) }
	for s := range LaplaceScales {
		for i, p := range laplaceFurther[s] {
			c.step[s][i] = [2]float32{cost(0, p), cost(1, p)}
		}
		for f, b := range laplaceBins[s] {
			other := cost(1, b.other)
			c.bins[s][f] = [3]float32{other + cost(0, b.above), cost(0, b.other), other + cost(1, b.above)}
		}
	}
	return c
})

// expNeg returns exp(-x) for x >= 0, the same on every machine, which math.Exp does
// not: products are rounded before anything is added to them. The relative error is
// 1e-12 up to x = 200.
func expNeg(x float64) float64 {
	n := 0
	for ; x > 1.0/16; x /= 2 {
		n++
	}
	y := 1.0 // exp(-x) by its series, from the far end
	for k := 10.0; k > 0; k-- {
		y = 1 - float64(x*y)/k
	}
	for ; n > 0; n-- {
		y = float64(y * y)
	}
	return y
}

// A LaplaceModel is a Laplace distribution of the integers -Limit..Limit.
type LaplaceModel struct {
	Location int // in 1/LaplaceUnit, within +-LaplaceUnit*Limit
	Scale    int // 0..LaplaceScales-1
	Limit    int // at least 0
}

// center returns the integer nearest the location, and the tables of the rest.
func (l LaplaceModel) center() (m int, fraction uint) {
	at := l.Location + LaplaceUnit/2
	return at >> 6, uint(at) % LaplaceUnit
}

// Encode codes v, which is in -Limit..Limit.
func (l LaplaceModel) Encode(e *arith.BinaryEncoder, v int) {
	m, f := l.center()
	bin := laplaceBins[l.Scale][f]
	if v == m {
		if l.Limit > 0 {
			e.Encode(0, uint32(bin.other))
		}
		return
	}
	e.Encode(1, uint32(bin.other))
	up := v > m
	if m > -l.Limit && m < l.Limit {
		bit := 0
		if up {
			bit = 1
		}
		e.Encode(bit, uint32(bin.above))
	}
	n, most := m-v, m+l.Limit
	if up {
		n, most = v-m, l.Limit-m
	}
	further := &laplaceFurther[l.Scale]
	for i := 1; i < n; i++ {
		e.Encode(1, uint32(further[min(i, laplaceSteps)-1]))
	}
	if n < most {
		e.Encode(0, uint32(further[min(n, laplaceSteps)-1]))
	}
}

// Decode returns the next number, for which l is what the encoder used.
func (l LaplaceModel) Decode(d *arith.BinaryDecoder) int {
	m, f := l.center()
	bin := laplaceBins[l.Scale][f]
	if l.Limit == 0 || d.Decode(uint32(bin.other)) == 0 {
		return m
	}
	var up bool
	switch {
	case m == l.Limit:
	case m == -l.Limit:
		up = true
	default:
		up = d.Decode(uint32(bin.above)) == 1
	}
	n, most := 1, m+l.Limit
	if up {
		most = l.Limit - m
	}
	further := &laplaceFurther[l.Scale]
	for n < most && d.Decode(uint32(further[min(n, laplaceSteps)-1])) == 1 {
		n++
	}
	if up {
		return m + n
	}
	return m - n
}

// Cost returns what coding v costs, in bits.
func (l LaplaceModel) Cost(v int) float32 {
	m, f := l.center()
	costs := costsOfLaplace()
	bin := &costs.bins[l.Scale][f]
	if v == m {
		if l.Limit == 0 {
			return 0
		}
		return bin[1]
	}
	side, n, most := 0, m-v, m+l.Limit
	if v > m {
		side, n, most = 2, v-m, l.Limit-m
	}
	c := bin[side]
	if m == l.Limit || m == -l.Limit {
		c = float32(arith.BitCost(1, uint32(laplaceBins[l.Scale][f].other)))
	}
	step := &costs.step[l.Scale]
	if n < most {
		c += step[min(n, laplaceSteps)-1][0]
	}
	if past := n - laplaceSteps; past > 0 {
		c += float32(past) * step[laplaceSteps-1][1]
		n = laplaceSteps
	}
	for i := range n - 1 {
		c += step[i][1]
	}
	return c
}
