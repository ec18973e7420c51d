package nn

import (
	"fmt"
	"slices"

	"github.com/burin-codec/burin/kernels"
)

// An Offset is a place relative to a position: rows down and columns right.
type Offset struct{ DY, DX int }

// A Context gathers, for every position of a plane, the values at fixed offsets
// from it, zero outside the plane, as the inputs of an [MLP] that predicts each
// value from its neighbours; and it adds the gradients of those inputs up to the
// gradient of the plane.
//
// Work is divided into pieces of whole rows. Pieces may be done in any order and by
// any worker, as in
//
//	c.Load(plane)
//	pool.Run(c.Pieces(), func(worker, piece int) {
//		c.StartPiece(piece)
//		c.Blocks(piece, func(at, n int) {
//			c.Gather(b[worker], at, n)
//			... other inputs, Forward, loss, Backward ...
//			c.Scatter(piece, b[worker], at, n)
//		})
//	})
//	c.AddGradient(grad)
type Context struct {
	h, w                     int
	offsets                  []Offset
	groups                   []contextGroup
	top, bottom, left, right int // rows and columns around the plane that offsets reach
	stride                   int // of padded rows
	padded                   []float32
	rows                     int         // of a piece
	sums                     [][]float32 // of each piece, its rows and those around it
}

// A contextGroup is the offsets to one row, lo and hi being the first and the last
// column of theirs. Where none of them leaves the block, the sum of their gradients
// for a position is one combination of rows.
type contextGroup struct {
	dy, lo, hi int
	inputs     []int // their numbers
	taps       []int // of what they add to column hi, in the block's gradients
	ones       kernels.Panels
}

// NewContext returns a context for planes of h rows and w columns.
func NewContext(h, w int, offsets []Offset) (*Context, error) {
	if h < 1 || w < 1 || len(offsets) == 0 {
		return nil, fmt.Errorf("nn: context of %d offsets in a plane of %d x %d", len(offsets), w, h)
	}
	c := &Context{h: h, w: w, offsets: append([]Offset(nil), offsets...)}
	for _, o := range offsets {
		if max(o.DX, -o.DX, o.DY, -o.DY) > 1<<10 {
			return nil, fmt.Errorf("nn: context offset %d,%d is too far", o.DX, o.DY)
		}
		c.top, c.bottom = max(c.top, -o.DY), max(c.bottom, o.DY)
		c.left, c.right = max(c.left, -o.DX), max(c.right, o.DX)
	}
	for k, o := range offsets {
		i := slices.IndexFunc(c.groups, func(g contextGroup) bool { return g.dy == o.DY })
		if i < 0 {
			i = len(c.groups)
			c.groups = append(c.groups, contextGroup{dy: o.DY, lo: o.DX, hi: o.DX})
		}
		g := &c.groups[i]
		g.lo, g.hi = min(g.lo, o.DX), max(g.hi, o.DX)
		g.inputs = append(g.inputs, k)
	}
	for i := range c.groups {
		g := &c.groups[i]
		ones := make([]float32, len(g.inputs))
		fill(ones, 1)
		g.ones.Pack(ones, 1, len(ones), len(ones), nil)
		for _, k := range g.inputs {
			g.taps = append(g.taps, k*blockStride+g.hi-offsets[k].DX)
		}
	}
	c.stride = w + c.left + c.right
	c.padded = make([]float32, (h+c.top+c.bottom)*c.stride)
	c.rows = max(1, (pieceSize(h*w)+w-1)/w)
	c.sums = make([][]float32, (h+c.rows-1)/c.rows)
	for i := range c.sums {
		rows := min(c.rows, h-i*c.rows)
		c.sums[i] = make([]float32, (rows+c.top+c.bottom)*c.stride)
	}
	return c, nil
}

// Load takes the values of a plane, [h][w].
func (c *Context) Load(plane []float32) {
	if len(plane) != c.h*c.w {
		panic("nn: Context: plane of another size")
	}
	for y := range c.h {
		copy(c.padded[(y+c.top)*c.stride+c.left:], plane[y*c.w:][:c.w])
	}
}

// Pieces returns how many pieces the plane divides into.
func (c *Context) Pieces() int { return len(c.sums) }

// StartPiece clears the gradients of a piece: call it before the first Scatter.
func (c *Context) StartPiece(piece int) { clear(c.sums[piece]) }

// Blocks calls f for ranges of at most [BlockSize] positions that make up a piece, at
// being the first, y*w+x.
func (c *Context) Blocks(piece int, f func(at, n int)) {
	end := min(c.h, (piece+1)*c.rows) * c.w
	for at := piece * c.rows * c.w; at < end; at += BlockSize {
		f(at, min(BlockSize, end-at))
	}
}

// segments calls f for the parts of rows that n positions from at on make up.
func (c *Context) segments(at, n int, f func(y, x, i, n int)) {
	y, x := at/c.w, at%c.w
	for i := 0; i < n; y, x = y+1, 0 {
		m := min(c.w-x, n-i)
		f(y, x, i, m)
		i += m
	}
}

// Gather sets the first inputs of b, one for each offset, to the values at those
// offsets from the positions at..at+n-1.
func (c *Context) Gather(b *MLPBlock, at, n int) {
	c.segments(at, n, func(y, x, i, n int) {
		for k, o := range c.offsets {
			copy(b.Input(k)[i:i+n], c.padded[(y+o.DY+c.top)*c.stride+x+o.DX+c.left:])
		}
	})
}

// Scatter adds the gradients with respect to those inputs to that of the plane. The
// positions must be of the given piece.
func (c *Context) Scatter(piece int, b *MLPBlock, at, n int) {
	c.segments(at, n, func(y, x, i, n int) {
		y -= piece * c.rows
		for j := range c.groups {
			g := &c.groups[j]
			// Position x+lo of the row that the group adds to.
			row := c.sums[piece][(y+g.dy+c.top)*c.stride+x+c.left+g.lo:]
			span := g.hi - g.lo
			if n <= span {
				for _, k := range g.inputs {
					addTo(row[c.offsets[k].DX-g.lo:], b.InputGrad(k)[i:i+n])
				}
				continue
			}
			// All offsets add to columns hi..n-1+lo, some to those on either side.
			rows := b.rows[b.m.inGradRow()*blockStride+i:]
			g.ones.Apply(row[span:], 0, rows, g.taps, n-span, kernels.Epilogue{Add: true})
			for _, k := range g.inputs {
				d := c.offsets[k].DX - g.lo
				grad := b.InputGrad(k)[i : i+n]
				addTo(row[d:], grad[:span-d])
				addTo(row[n:], grad[n-d:])
			}
		}
	})
}

// addTo adds a few numbers to the first of y.
func addTo(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

// AddGradient adds the gradients that Scatter was given to grad, [h][w].
func (c *Context) AddGradient(grad []float32) {
	if len(grad) != c.h*c.w {
		panic("nn: Context: plane of another size")
	}
	for i, sums := range c.sums {
		for r := 0; r*c.stride < len(sums); r++ {
			if y := i*c.rows + r - c.top; y >= 0 && y < c.h {
				axpy(grad[y*c.w:][:c.w], sums[r*c.stride+c.left:][:c.w])
			}
		}
	}
}
