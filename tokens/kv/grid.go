package kv

import (
	"math"

	"github.com/burin-codec/burin/kernels"
)

// # Grids
//
// A group's numbers x become levels q of 0 to top, and decode to
//
//	s * (16*q + z)
//
// with a scale s, a sixteenth of a step, and a zero point z in as many sixteenths. s has
// 6 significant bits and is kept as a bfloat16, z is an int16: together they take 32
// bits a group, and fewer once coded.
//
// # Least squares
//
// With t = (x - zero)/step, the line a + b*q nearest to the n points t at the levels q
// that they were rounded to has
//
//	b = C/V,  a = (sum(t) - b*sum(q))/n,  C = n*sum(qt) - sum(q)*sum(t),  V = n*sum(qq) - sum(q)^2
//
// and leaves of the squared error about the mean all but step^2 * C^2/V/n. zero + a*step
// and b*step are a better grid; rounding to it again lowers the error further, as in
// Lloyd's algorithm, which finds the best grid near where it starts. There are two
// starts: the grid from the smallest to the largest number, better where few numbers lie
// far out, and the one that suits a normal distribution of the group's mean and variance,
// better at few levels. Each is fitted once, and the better result twice more.
//
// # No bias
//
// Least squares shrinks: what decodes is the mean of what might have been, and lies
// nearer to the middle than the numbers do. Sums of many, as attention forms, then err
// all to one side. With the line of q on t instead, t being what is exact,
//
//	b = W/C,  W = n*sum(tt) - sum(t)^2
//
// numbers grow with their levels as they should on average, errors are larger by the
// factor W*V/C^2, and they average out (RaBitQ, arXiv 2405.12497, scales its codes for
// the same reason). Levels are still chosen on the least-squares grid.

const (
	substeps = kernels.ColumnSubsteps

	// scaleBits is how many significant bits a scale has. The error of a scale adds
	// below 1 % to the squared error of 4 bits, and less to that of fewer.
	scaleBits = 6

	// zeroLimit bounds z so that the grid holds any number of the group.
	zeroLimit = 32000

	// scaleMin is the smallest scale but 0, the smallest normal float32.
	scaleMin = 0x1p-126

	// widest is the most that a grid grows against bias; normally distributed numbers
	// at 1 bit take 1.57.
	widest = 2
)

// span is, for a number of levels, half the width of the evenly spaced levels with the
// smallest squared error on a normal distribution of deviation 1 (Max, Quantizing for
// minimum distortion, 1960, table II; 2 and 3 levels in closed form or by bisection).
var span = [...]float64{2: 0.7979, 3: 1.2240, 4: 1.4936, 8: 2.0510, 16: 2.5140}

// A grouper fits the grids of columns.
type grouper struct {
	fit     Fit
	stats   kernels.ColumnStats
	moments kernels.ColumnMoments
	grid    kernels.ColumnGrid // what levels are chosen on
	step    []float64          // of the grid
	fitted  []line
	scale   []uint16 // as stored
	zero    []int16
}

// A line is a grid fitted to levels.
type line struct {
	zero, step float64
	gain       float64 // squared error that it saves, times the number of rows
}

func newGrouper(fit Fit, n int) *grouper {
	return &grouper{
		fit, kernels.NewColumnStats(n), kernels.NewColumnMoments(n), kernels.NewColumnGrid(n),
		make([]float64, n), make([]line, n), make([]uint16, n), make([]int16, n),
	}
}

// of lays grids over groups of the given rows of n columns of x; grid.Top says how many
// levels they have.
func (g *grouper) of(x []float32, ld, rows, n int) {
	g.stats.Of(x, ld, rows, n)
	g.between(n)
	if g.fit == MinMax {
		for j := range n {
			g.store(j, float64(g.grid.Zero[j]), g.step[j])
		}
		return
	}
	clear(g.fitted[:n])
	g.refit(x, ld, rows, n)
	g.normal(rows, n)
	g.refit(x, ld, rows, n)
	// Twice more from the better one.
	for range 2 {
		for j, l := range g.fitted[:n] {
			g.lay(j, l.zero, l.step)
		}
		clear(g.fitted[:n])
		g.refit(x, ld, rows, n)
	}
	for j, l := range g.fitted[:n] {
		if g.fit == LeastSquares {
			g.store(j, l.zero, l.step)
			continue
		}
		chosenZero, chosenInv := g.grid.Zero[j], g.grid.Inv[j]
		zero, step := g.unbiased(j, rows)
		g.store(j, zero, step)
		// Unless the scale had to be larger than that.
		if s := float64(bfloat16(g.scale[j])); s > 0 && substeps*s < 2*step {
			g.grid.Zero[j], g.grid.Inv[j] = chosenZero, chosenInv
		}
	}
}

// lay sets the grid of a column.
func (g *grouper) lay(j int, zero, step float64) {
	g.step[j] = step
	g.grid.Zero[j] = float32(zero)
	g.grid.Inv[j] = 0
	if step >= substeps*scaleMin {
		g.grid.Inv[j] = 1 / float32(step)
	}
}

// between lays grids from the smallest number to the largest.
func (g *grouper) between(n int) {
	for j := range n {
		lo, hi := float64(g.stats.Lo[j]), float64(g.stats.Hi[j])
		g.lay(j, lo, (hi-lo)/float64(g.grid.Top[j]))
	}
}

// normal lays the grids that suit a normal distribution, within what there is.
func (g *grouper) normal(rows, n int) {
	for j := range n {
		lo, hi := float64(g.stats.Lo[j]), float64(g.stats.Hi[j])
		top := float64(g.grid.Top[j])
		mean := float64(g.stats.Pivot[j]) + float64(g.stats.Sum[j])/float64(rows)
		half := float64(span[int(top)+1]*math.Sqrt(g.spread(j, rows))) / float64(rows)
		// Sums that overflowed leave lo and hi as they are.
		if a, b := max(lo, mean-half), min(hi, mean+half); b > a {
			lo, hi = a, b
		}
		g.lay(j, lo, (hi-lo)/top)
	}
}

// spread returns the variance times the square of the number of rows.
func (g *grouper) spread(j, rows int) float64 {
	sum := float64(g.stats.Sum[j])
	return max(float64(float64(rows)*float64(g.stats.Sq[j]))-float64(sum*sum), 0)
}

// refit fits lines to the levels that the numbers have on their grids, and keeps those
// that save more than the ones before. Grids without a line are their own.
func (g *grouper) refit(x []float32, ld, rows, n int) {
	g.moments.Of(&g.grid, x, ld, rows, n)
	m, r := &g.moments, float64(rows)
	for j := range n {
		t, q, step := float64(m.T[j]), float64(m.Q[j]), g.step[j]
		zero := float64(g.grid.Zero[j])
		c := float64(r*float64(m.QT[j])) - float64(q*t)
		v := float64(r*float64(m.QQ[j])) - float64(q*q)
		l := &g.fitted[j]
		if !(c > 0 && v > 0 && c <= math.MaxFloat64) { // all on one level, or overflowed
			if l.gain == 0 {
				*l = line{zero, step, 0}
			}
			continue
		}
		b := c / v
		if gain := float64(step*c) * float64(step*b); gain > l.gain {
			*l = line{zero + float64(step*(t-float64(b*q)))/r, b * step, gain}
		}
	}
}

// unbiased returns the zero point and the step without bias of the levels that numbers
// have on the grid, whose moments are known.
func (g *grouper) unbiased(j, rows int) (zero, step float64) {
	m, r := &g.moments, float64(rows)
	zero, step = float64(g.grid.Zero[j]), g.step[j]
	t, q := float64(m.T[j]), float64(m.Q[j])
	c := float64(r*float64(m.QT[j])) - float64(q*t)
	if !(c > 0 && step > 0 && c <= math.MaxFloat64) {
		return zero, step
	}
	b := min(g.spread(j, rows)/float64(float64(step*step)*c), widest)
	return zero + float64(step*(t-float64(b*q)))/r, b * step
}

// store rounds a grid to what is stored, and lays it so.
func (g *grouper) store(j int, zero, step float64) {
	top := float64(g.grid.Top[j])
	largest := max(math.Abs(float64(g.stats.Lo[j])), math.Abs(float64(g.stats.Hi[j])))
	bits := roundScale(max(step*(1.0/substeps), largest*(1.0/zeroLimit)))
	s := bfloat16(bits)
	if s < scaleMin {
		g.scale[j], g.zero[j] = 0, 0
		g.grid.Zero[j], g.grid.Inv[j] = 0, 0
		return
	}
	// The levels keep their middle where the rounded scale spreads them. Numbers that
	// are all but equal, compared with their size, are on the lowest level.
	z := (zero + float64(step*top)/2) / float64(s)
	if step*top > substeps/2*float64(s) {
		z -= substeps * top / 2
	}
	z = min(max(math.RoundToEven(z), math.MinInt16), math.MaxInt16)
	g.scale[j], g.zero[j] = bits, int16(z)
	g.grid.Zero[j] = s * float32(z)
	g.grid.Inv[j] = 1 / (substeps * s)
}

// roundScale returns v as a bfloat16 of scaleBits significant bits, to the nearest.
func roundScale(v float64) uint16 {
	const drop = 24 - scaleBits
	b := math.Float32bits(float32(v))
	return uint16((b + (1<<(drop-1) - 1) + b>>drop&1) >> drop << drop >> 16)
}
