package lattice

// The conversions share one form. With chroma centred, C1 = c1-z1 and
// C2 = c2-z2, and all constants integers,
//
//	R = floor((ky·Y + kr·C2 + o) / den)
//	B = floor((ky·Y + kb·C1 + o) / den)
//	G = floor((ky·Y - g1(C1) - g2(C2) + o) / den)
//
// each then limited to 0..255.
//
//	        den    ky     kb      kr     g1                      g2                      o
//	PhotoCD 10000  13584  22179   18215  1940·⌊22179·C1/10000⌋  5090·⌊18215·C2/10000⌋  0
//	JFIF    65536  65536  116130  91881  22554·C1                46802·C2                32768
//	JFIFGo  65536  65793  116130  91881  22554·C1                46802·C2                0
//
// PhotoCD's constants are those of the "Kodak Photo CD System: A Planning
// Guide for Developers"; where it rounds was measured on the Kodak test
// pictures, 99.99 % of whose unlimited pixels the formula yields. JFIF is
// libjpeg's jdcolor.c, JFIFGo is image/color's ycbcr.go.
//
// Going back: where no channel was limited, the numerators N of R and B lie in
// [den·v, den·v+den-1] of their value v. Adding them to G's in the proportion
// that cancels the chroma, α = g2/kr of R and β = g1/kb of B, leaves
//
//	NG + α·NR + β·NB = (1+α+β)·(ky·Y + o) + e
//
// with e = 0, but for PhotoCD 0 <= e < 1940+5090 because of the inner floors.
// So Y lies in an interval of width den/ky (PhotoCD 1.04): there are at most
// two integers to try. kr and kb exceed den, so Y and R give at most one c2, Y
// and B at most one c1, and G decides.

// divShift is the scale of the reciprocals that stand for divisions. A
// dividend n < 2^27 times the error of a reciprocal, which is below the
// divisor and so below 2^17, stays below 2^44: the quotients are exact.
const divShift = 44

func reciprocal(d int64) uint64 { return uint64((1<<divShift + d - 1) / d) }

// colour is a conversion as tables.
type colour struct {
	ky, den     int32
	z1, z2      uint8      // chroma of grey
	b1, r2      [256]int32 // kb·C1 + o by c1, kr·C2 + o by c2
	g1, g2      [256]int32 // -g1 by c1, o - g2 by c2
	byDen, byKy uint64
	byKb, byKr  uint64
	ob, or      int32 // kb·z1 - o and kr·z2 - o
	// A pixel's lr[r] + lg[g] + lb[b] is the lower end of its Y in 1/65536,
	// or a little less.
	lr, lg, lb [256]int32
}

var colours = [numKinds]*colour{
	PhotoCD: newColour(PhotoCD),
	JFIF:    newColour(JFIF),
	JFIFGo:  newColour(JFIFGo),
}

func newColour(k Kind) *colour {
	var (
		den, ky, kb, kr int64 = 65536, 65536, 116130, 91881
		z1, z2, o       int64 = 128, 128, 32768
		// α, 1 and β in 1/2^20, and the most that e can be.
		wr, wg, wb, e int64 = 46802 << 20 / 91881, 1 << 20, 22554 << 20 / 116130, 0
	)
	switch k {
	case PhotoCD:
		den, ky, kb, kr = 10000, 13584, 22179, 18215
		z1, z2, o = 156, 137, 0
		wr, wb, e = 509<<20/1000, 194<<20/1000, 1940+5090
	case JFIFGo:
		ky, o = 65793, 0
	}
	c := &colour{
		ky: int32(ky), den: int32(den), z1: uint8(z1), z2: uint8(z2),
		byDen: reciprocal(den), byKy: reciprocal(ky), byKb: reciprocal(kb), byKr: reciprocal(kr),
		ob: int32(kb*z1 - o), or: int32(kr*z2 - o),
	}
	sum := wr + wg + wb
	// The weights err by less than 2^-20 and the quotients round down, so
	// that the three add up to at most 20/65536 above the true lower end.
	const slack = 32
	base := floorDiv(o<<16, ky) + floorDiv(e<<36, sum*ky) + slack
	for i := range int64(256) {
		c1, c2 := i-z1, i-z2
		c.b1[i] = int32(kb*c1 + o)
		c.r2[i] = int32(kr*c2 + o)
		if k == PhotoCD {
			c.g1[i] = int32(-1940 * floorDiv(kb*c1, den))
			c.g2[i] = int32(-5090 * floorDiv(kr*c2, den))
		} else {
			c.g1[i] = int32(-22554 * c1)
			c.g2[i] = int32(o - 46802*c2)
		}
		v := i * den << 16
		c.lr[i] = int32(v * wr / (sum * ky))
		c.lg[i] = int32(v*wg/(sum*ky) - base)
		c.lb[i] = int32(v * wb / (sum * ky))
	}
	return c
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// rgb converts one pixel.
func (c *colour) rgb(y, c1, c2 uint8) (r, g, b uint8) {
	n := c.ky * int32(y)
	return c.channel(n + c.r2[c2]), c.channel(n + c.g1[c1] + c.g2[c2]), c.channel(n + c.b1[c1])
}

// channel divides a numerator by den and limits the result.
func (c *colour) channel(n int32) uint8 {
	return uint8(min(uint64(max(n, 0))*c.byDen>>divShift, 255))
}

// What preimage says of a pixel. A pixel on the lattice is y<<16 | c1<<8 | c2.
const (
	// limited marks a pixel with a channel at 0 or 255, which may have been
	// limited: many (Y, C1, C2) may lead to it.
	limited uint32 = 1 << 24
	// offLattice marks a pixel that nothing leads to.
	offLattice uint32 = 2 << 24
)

// preimage returns the only y<<16 | c1<<8 | c2 that leads to the pixel, or
// limited or offLattice. Samples are 0..255.
func (c *colour) preimage(r, g, b uint8) uint32 {
	if r-1 >= 254 || g-1 >= 254 || b-1 >= 254 {
		return limited
	}
	low := (c.lr[r] + c.lg[g] + c.lb[b] + 65535) >> 16
	for y := low; y <= low+1; y++ {
		if uint32(y) > 255 {
			continue
		}
		n := c.ky * y
		// The largest c2 that keeps R's numerator below den·(r+1), and so c1.
		m := c.den*(int32(r)+1) - 1 - n + c.or
		if m < 0 {
			continue
		}
		c2 := uint64(m) * c.byKr >> divShift
		if c2 > 255 || n+c.r2[c2] < c.den*int32(r) {
			continue
		}
		m = c.den*(int32(b)+1) - 1 - n + c.ob
		if m < 0 {
			continue
		}
		c1 := uint64(m) * c.byKb >> divShift
		if c1 > 255 || n+c.b1[c1] < c.den*int32(b) {
			continue
		}
		n += c.g1[c1] + c.g2[c2] - c.den*int32(g)
		if n >= 0 && n < c.den {
			return uint32(y)<<16 | uint32(c1)<<8 | uint32(c2)
		}
	}
	return offLattice
}

// lumas returns the interval of Y in 0..255 that leads to the pixel with the
// given chroma. It is empty if lo > hi; the gap then tells by how much.
func (c *colour) lumas(r, g, b, c1, c2 uint8) (lo, hi int32) {
	lo, hi = 0, 255
	c.narrow(&lo, &hi, int32(r), c.r2[c2])
	c.narrow(&lo, &hi, int32(g), c.g1[c1]+c.g2[c2])
	c.narrow(&lo, &hi, int32(b), c.b1[c1])
	return lo, hi
}

// narrow narrows an interval of Y to those with den·v <= ky·Y + n < den·(v+1);
// at v = 0 and v = 255 the outer bound falls away.
func (c *colour) narrow(lo, hi *int32, v, n int32) {
	// The bias keeps the dividends positive; |n| < 2^24 and den·256 <= 2^24
	// keep them below 2^26, which with divisors of 17 bits is exact.
	n = 512*c.ky - n + c.den*v
	if v > 0 {
		*lo = max(*lo, int32(uint64(n+c.ky-1)*c.byKy>>divShift)-512)
	}
	if v < 255 {
		*hi = min(*hi, int32(uint64(n+c.den-1)*c.byKy>>divShift)-512)
	}
}

// nearestLuma returns the Y that comes closest to the pixel with the given
// chroma, by the sum of the three channels' differences.
func (c *colour) nearestLuma(r, g, b, c1, c2 uint8) uint8 {
	best, bestCost := uint8(0), int32(1<<30)
	for _, ch := range [3]struct{ v, n int32 }{
		{int32(g), c.g1[c1] + c.g2[c2]}, {int32(r), c.r2[c2]}, {int32(b), c.b1[c1]},
	} {
		// The middle of the numerators that give v, rounded.
		y := uint8(max(0, min(255, (ch.v*c.den+(c.den-1+c.ky)/2-ch.n)/c.ky)))
		r1, g1, b1 := c.rgb(y, c1, c2)
		if cost := diff(r, r1) + diff(g, g1) + diff(b, b1); cost < bestCost {
			best, bestCost = y, cost
		}
	}
	return best
}

// nearest estimates the Y, C1 and C2 of a pixel off the lattice.
func (c *colour) nearest(r, g, b uint8) (y, c1, c2 uint8) {
	l := max(0, min(255, (c.lr[r]+c.lg[g]+c.lb[b]+65535)>>16))
	n := c.ky * l
	c2 = uint8(max(0, min(255, uint64(max(0, c.den*(int32(r)+1)-1-n+c.or))*c.byKr>>divShift)))
	c1 = uint8(max(0, min(255, uint64(max(0, c.den*(int32(b)+1)-1-n+c.ob))*c.byKb>>divShift)))
	return uint8(l), c1, c2
}

// diff is |a-b|.
func diff(a, b uint8) int32 {
	d := int32(a) - int32(b)
	return max(d, -d)
}
