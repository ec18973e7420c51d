package nn

import "github.com/burin-codec/burin/kernels"

// A convolution of kernel size k and stride s over a picture with p = (k-s+1)/2
// rows and columns of padding before it (none if k < s), and as many as it takes
// behind,
//
//	y[co][i][j] = sum over ci, ky, kx of w[co][ci][ky][kx] * xp[ci][s*i+ky][s*j+kx]
//
// is one of stride 1 over the s*s phases of xp, the pictures of every s-th row and
// column from each of the first s on: with ky = s*a + py,
//
//	xp[s*i+ky] = row i+a of phase py.
//
// So a band of rows is copied into planes of phases with the padding around, and
// each row of outputs is a combination of shifted rows of those planes
// ([kernels.Panels.Apply]); the weights' gradient is dot products with the same
// rows ([kernels.DotsF32]). Bands are small enough to stay in cache. The gradient
// of the input goes by phases, too:
//
//	dxp[s*j+py] = sum over co, a of w[co][ci][s*a+py] * dy[co][j-a]
//
// and what falls on the padding is dropped, or added to the edge if the padding
// repeats it. A transposed convolution is this gradient as a forward pass.

// convCore does the work of [Conv2D] and [ConvTranspose2D], for one size of the
// picture at a time.
type convCore struct {
	in, out, k, s, groups int
	replicate             bool

	pad, ext, phases int // padding in front; rows that a phase has beyond the outputs; phases in use
	h, w, oh, ow     int // of the picture and of the strided side

	// From the picture: bands of output rows.
	bands, rows   int
	stride, plane int   // of the phase planes of a band
	taps          []int // offsets of [ci][ky][kx] of the first group

	// To the picture: bands of phase rows.
	backBands           int
	backRows            int
	backStride, backTop int     // of the planes of a band
	backTaps            [][]int // offsets of [co][a][b], for each phase

	forward    []kernels.Panels // [groups]
	backward   []kernels.Panels // [groups][phases][phases]
	packed     []float32        // what is packed into them
	packedBack []float32
	scratch    []convScratch // [workers]
}

type convScratch struct {
	in   []float32 // phase planes of a band of the picture
	back []float32 // planes of a band of the strided side
	line []float32 // a padded row
	sums []float32 // rows of gradients, [phases][channels of a group][stride]
}

// grow makes a slice of n floats, of the given one if that is large enough.
func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// oddLines rounds n up to an odd number of cache lines.
func oddLines(n int) int { return (n+15)/16*16 | 16 }

const (
	bandFloats    = 1 << 16 // about what a band holds: 256 kB
	bandPositions = 480     // and at least so many positions
)

// resize prepares for pictures of h x w.
func (c *convCore) resize(pool *Pool, h, w int) {
	if c.h == h && c.w == w {
		return
	}
	c.h, c.w, c.oh, c.ow = h, w, (h+c.s-1)/c.s, (w+c.s-1)/c.s
	c.pad, c.ext, c.phases = max(c.k-c.s+1, 0)/2, (c.k-1)/c.s, min(c.k, c.s)
	inGroup, outGroup := c.in/c.groups, c.out/c.groups

	c.stride = oddLines(c.ow + c.ext)
	// Sums over fewer positions than some hundred cost more than they take to form.
	least := max(4, c.ext, (bandPositions+c.ow-1)/c.ow)
	rows := max(bandFloats/(c.in*c.phases*c.phases*c.stride)-c.ext, least)
	c.bands = max(c.oh/rows, min(8, c.oh/least), 1)
	c.rows = (c.oh + c.bands - 1) / c.bands
	c.plane = (c.rows + c.ext) * c.stride
	c.taps = c.taps[:0]
	for ci := range inGroup {
		for ky := range c.k {
			for kx := range c.k {
				p := (ci*c.phases+ky%c.s)*c.phases + kx%c.s
				c.taps = append(c.taps, p*c.plane+ky/c.s*c.stride+kx/c.s)
			}
		}
	}

	c.backStride = oddLines(c.ow + 2*c.ext)
	total := c.oh + c.ext // phase rows
	// A band has at least the rows that are added to the same edge.
	rows = max(bandFloats/(c.out*c.backStride)-c.ext, 4, c.ext+2)
	c.backBands = max(total/max(rows, 1), min(8, total/max(4, c.ext+2)), 1)
	c.backRows = (total + c.backBands - 1) / c.backBands
	c.backTop = (c.backRows + c.ext) * c.backStride
	if c.backTaps == nil {
		c.backTaps = make([][]int, c.phases*c.phases)
		c.scratch = make([]convScratch, pool.Workers())
	}
	for py := range c.phases {
		for px := range c.phases {
			t := c.backTaps[py*c.phases+px][:0]
			for co := range outGroup {
				for a := range c.tapsOf(py) {
					for b := range c.tapsOf(px) {
						t = append(t, co*c.backTop+(c.ext-a)*c.backStride+c.ext-b)
					}
				}
			}
			c.backTaps[py*c.phases+px] = t
		}
	}
}

// tapsOf returns how many of the kernel's rows or columns fall on a phase.
func (c *convCore) tapsOf(phase int) int { return (c.k - phase + c.s - 1) / c.s }

// pack takes over weights [out][in/groups][k][k], the biases of the way from the
// picture [out] and of the way to it [in], either of which may be nil, and adds the
// identity if residual.
func (c *convCore) pack(weights, bias, backBias []float32, residual bool) {
	inGroup, outGroup := c.in/c.groups, c.out/c.groups
	kk := c.k * c.k
	c.packed = grow(c.packed, len(weights))
	w := c.packed
	copy(w, weights)
	if residual {
		for i := range c.out {
			w[(i*inGroup+i%inGroup)*kk+kk/2]++
		}
	}
	part := func(b []float32, n, g int) []float32 {
		if b == nil {
			return nil
		}
		return b[g*n:][:n]
	}
	if c.forward == nil {
		c.forward = make([]kernels.Panels, c.groups)
		c.phases = min(c.k, c.s)
		c.backward = make([]kernels.Panels, c.groups*c.phases*c.phases)
	}
	back := c.packedBack
	for g := range c.groups {
		wg := w[g*outGroup*inGroup*kk:][:outGroup*inGroup*kk]
		c.forward[g].Pack(wg, outGroup, inGroup*kk, inGroup*kk, part(bias, outGroup, g))
		for py := range c.phases {
			for px := range c.phases {
				back = back[:0]
				for co := range outGroup {
					for a := range c.tapsOf(py) {
						for b := range c.tapsOf(px) {
							for ci := range inGroup {
								back = append(back, wg[(co*inGroup+ci)*kk+(a*c.s+py)*c.k+b*c.s+px])
							}
						}
					}
				}
				c.backward[(g*c.phases+py)*c.phases+px].PackT(back, inGroup, len(back)/inGroup, inGroup, part(backBias, inGroup, g))
			}
		}
	}
	c.packedBack = back
}

// copyGated copies src to dst, times slope where gate is not above 0, if there is a
// gate.
func copyGated(dst, src, gate []float32, slope float32) {
	if gate == nil {
		copy(dst, src)
	} else {
		kernels.GateF32(dst, src, gate, slope)
	}
}

// A source is a tensor to read, and a gate to read it through.
type source struct {
	t, gate *Tensor
	slope   float32
}

func (s source) gateRow(c, y int) []float32 {
	if s.gate == nil {
		return nil
	}
	return s.gate.row(c, y)
}

// band returns the range of band b of n rows.
func band(n, bands, b int) (from, to int) { return n * b / bands, n * (b + 1) / bands }

// gather fills the phase planes of output rows from..to with the picture x.
func (c *convCore) gather(s *convScratch, x source, from, to int) {
	s.in = grow(s.in, c.in*c.phases*c.phases*c.plane)
	width := c.ow + c.ext // of a phase
	s.line = grow(s.line, c.s*width)
	for ci := range c.in {
		for i := range to - from + c.ext {
			for py := range c.phases {
				y := c.s*(from+i) + py - c.pad
				if c.replicate {
					y = min(max(y, 0), c.h-1)
				}
				at := (ci*c.phases+py)*c.phases*c.plane + i*c.stride
				if y < 0 || y >= c.h {
					for px := range c.phases {
						clear(s.in[at+px*c.plane:][:width])
					}
					continue
				}
				line := s.line
				if c.s == 1 {
					line = s.in[at:][:width]
				}
				// The picture's columns are pad to pad+w of the line.
				n := min(c.w, len(line)-c.pad)
				var gate []float32
				if g := x.gateRow(ci, y); g != nil {
					gate = g[:n]
				}
				row := x.t.row(ci, y)
				copyGated(line[c.pad:][:n], row[:n], gate, x.slope)
				var left, right float32
				if c.replicate {
					left, right = row[0], row[c.w-1]
				}
				fill(line[:c.pad], left)
				fill(line[c.pad+n:], right)
				switch c.s {
				case 1:
				case 2:
					if c.phases == 1 {
						for j := range width {
							s.in[at+j] = line[2*j]
						}
						break
					}
					kernels.DeinterleaveF32(s.in[at:][:width], s.in[at+c.plane:][:width], line)
				default:
					for px := range c.phases {
						d := s.in[at+px*c.plane:][:width]
						for j := range d {
							d[j] = line[j*c.s+px]
						}
					}
				}
			}
		}
	}
}

func fill(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}

// apply computes band b of y from the picture x.
func (c *convCore) apply(worker, b int, y *Tensor, x source, e kernels.Epilogue) {
	from, to := band(c.oh, c.bands, b)
	s := &c.scratch[worker]
	c.gather(s, x, from, to)
	outGroup := c.out / c.groups
	n := c.oh * c.ow
	for g := range c.groups {
		in := s.in[g*c.in/c.groups*c.phases*c.phases*c.plane:]
		for i := range to - from {
			at := g*outGroup*n + (from+i)*c.ow
			c.forward[g].Apply(y.Data[at:], n, in[i*c.stride:], c.taps, c.ow, e)
		}
	}
}

// fillBack fills the planes of phase rows from..to with the strided side dy, which
// has rows and columns of zeros around.
func (c *convCore) fillBack(s *convScratch, dy source, from, to int) {
	s.back = grow(s.back, c.out*c.backTop)
	for co := range c.out {
		for i := range to - from + c.ext {
			d := s.back[co*c.backTop+i*c.backStride:][:c.ow+2*c.ext]
			y := from + i - c.ext
			if y < 0 || y >= c.oh {
				clear(d)
				continue
			}
			clear(d[:c.ext])
			copyGated(d[c.ext:][:c.ow], dy.t.row(co, y), dy.gateRow(co, y), dy.slope)
			clear(d[c.ext+c.ow:])
		}
	}
}

// scatter computes band b of the picture dx from the strided side dy.
func (c *convCore) scatter(worker, b int, dx *Tensor, dy source, e kernels.Epilogue) {
	from, to := band(c.oh+c.ext, c.backBands, b)
	s := &c.scratch[worker]
	c.fillBack(s, dy, from, to)
	inGroup, outGroup := c.in/c.groups, c.out/c.groups
	width := c.ow + c.ext // of a phase
	stride := oddLines(width)
	s.sums = grow(s.sums, c.phases*inGroup*stride)
	s.line = grow(s.line, c.s*width)
	n := c.h * c.w
	for g := range c.groups {
		for j := from; j < to; j++ {
			rows := s.back[g*outGroup*c.backTop+(j-from)*c.backStride:]
			for py := range c.s {
				padded := c.s*j + py
				y := padded - c.pad
				if c.s == 1 && (y > 0 && y < c.h-1 || !c.replicate && y >= 0 && y < c.h) {
					c.scatterRow(s, dx.Data[g*inGroup*n+y*c.w:], &c.backward[g], rows, e)
					continue
				}
				set := true
				if y < 0 || y >= c.h || y == 0 {
					if !c.replicate && y != 0 {
						continue
					}
					// The first row that falls on an edge replaces what was there.
					set = padded == 0 || !c.replicate
					y = min(max(y, 0), c.h-1)
				}
				if py < c.phases {
					for px := range c.phases {
						p := py*c.phases + px
						c.backward[g*c.phases*c.phases+p].Apply(s.sums[px*inGroup*stride:], stride, rows, c.backTaps[p], width, e)
					}
				}
				for ci := range inGroup {
					d := dx.row(g*inGroup+ci, y)
					switch {
					case py < c.phases:
						c.fold(d, c.weave(s, ci, inGroup, stride, width), set)
					case set:
						clear(d)
					}
				}
			}
		}
	}
}

// scatterRow computes a row of each channel of a group for stride 1, without a
// detour.
func (c *convCore) scatterRow(s *convScratch, dx []float32, p *kernels.Panels, rows []float32, e kernels.Epilogue) {
	n := c.h * c.w
	p.Apply(dx, n, rows[c.pad:], c.backTaps[0], c.w, e)
	if !c.replicate {
		return
	}
	// The columns outside are added to those at the edges.
	for _, side := range [2]struct{ from, n, to int }{{0, c.pad, 0}, {c.pad + c.w, c.ext - c.pad, c.w - 1}} {
		if side.n == 0 {
			continue
		}
		stride := oddLines(side.n)
		s.line = grow(s.line, c.in/c.groups*stride)
		p.Apply(s.line, stride, rows[side.from:], c.backTaps[0], side.n, e)
		for ci := range c.in / c.groups {
			for _, v := range s.line[ci*stride:][:side.n] {
				dx[ci*n+side.to] += v
			}
		}
	}
}

// weave puts the phases of a row of channel ci together.
func (c *convCore) weave(s *convScratch, ci, channels, stride, width int) []float32 {
	phase := func(px int) []float32 { return s.sums[(px*channels+ci)*stride:][:width] }
	if c.s == 1 {
		return phase(0)
	}
	line := s.line[:c.s*width]
	if c.s == 2 && c.phases == 2 {
		kernels.InterleaveF32(line, phase(0), phase(1))
		return line
	}
	clear(line)
	for px := range c.phases {
		for j, v := range phase(px) {
			line[j*c.s+px] = v
		}
	}
	return line
}

// fold adds a padded row to the row d of the picture, or sets d to it, and adds the
// padding to the edges if it repeats them.
func (c *convCore) fold(d, line []float32, set bool) {
	if set {
		copy(d, line[c.pad:])
	} else {
		axpy(d, line[c.pad:][:c.w])
	}
	if !c.replicate {
		return
	}
	for _, v := range line[:c.pad] {
		d[0] += v
	}
	for _, v := range line[c.pad+c.w:] {
		d[c.w-1] += v
	}
}

// weightGrad adds the gradient with respect to the weights, of bands from..to-1, to
// grad, [out][in/groups][k][k]: the picture is x, the gradient of the strided side
// dy. It adds the sum of each
// channel of dy to sums, unless that is nil.
func (c *convCore) weightGrad(worker, from, to int, grad []float32, x, dy source, sums []float32) {
	s := &c.scratch[worker]
	inGroup, outGroup := c.in/c.groups, c.out/c.groups
	k := inGroup * c.k * c.k
	for b := from; b < to; b++ {
		r0, r1 := band(c.oh, c.bands, b)
		c.gather(s, x, r0, r1)
		// The gradient is read in place, unless there is a gate before it.
		a, plane := dy.t.Data[r0*c.ow:], c.oh*c.ow
		if dy.gate != nil {
			plane = oddLines((r1 - r0) * c.ow)
			s.back = grow(s.back, c.out*plane)
			a = s.back
			for co := range c.out {
				at := (co*c.oh + r0) * c.ow
				n := (r1 - r0) * c.ow
				kernels.GateF32(a[co*plane:][:n], dy.t.Data[at:at+n], dy.gate.Data[at:at+n], dy.slope)
			}
		}
		for g := range c.groups {
			kernels.DotsF32(grad[g*outGroup*k:], k, a[g*outGroup*plane:], plane, c.ow, outGroup,
				s.in[g*inGroup*c.phases*c.phases*c.plane:], c.taps, c.stride, c.ow, r1-r0)
		}
		for co := range sums {
			sums[co] += float32(kernels.SumF32(a[co*plane:][:(r1-r0)*c.ow]))
		}
	}
}

// weightPieces returns how many pieces the weights' gradient is divided into: no
// more than takes 16 MB for the partial sums.
func (c *convCore) weightPieces() int {
	size := c.out*c.in/c.groups*c.k*c.k + c.out
	return max(1, min(c.bands, 32, (1<<22)/size))
}

// pictureSums adds the sum of each channel of the picture x, over the rows that
// belong to bands from..to-1, to sums.
func (c *convCore) pictureSums(worker, from, to int, sums []float32, x source) {
	r0, _ := band(c.oh, c.bands, from)
	_, r1 := band(c.oh, c.bands, to-1)
	y0, y1 := min(r0*c.s, c.h), min(r1*c.s, c.h)
	s := &c.scratch[worker]
	s.line = grow(s.line, c.w)
	for ci := range sums {
		for y := y0; y < y1; y++ {
			row := x.t.row(ci, y)
			if x.gate != nil {
				kernels.GateF32(s.line[:c.w], row, x.gate.row(ci, y), x.slope)
				row = s.line[:c.w]
			}
			sums[ci] += float32(kernels.SumF32(row))
		}
	}
}
