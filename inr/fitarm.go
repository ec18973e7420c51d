package inr

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A fitARM is the context network over all grids: contexts, Laplace bits, and back.
// There is an MLP for each grid; they share all memory but the first layer's biases.
type fitARM struct {
	f        *fitNet
	mlps     []*nn.MLP
	partials []*nn.Partials
	contexts []*nn.Context
	pieces   []fitPiece // of all grids, finest first
	workers  []fitWorker
	parents  int // in use

	weight            float32 // of a bit in the loss
	networks, latents bool
	each              [][]float32 // set to the bits of all latents, [Grids][h*w], if not nil
	// around, if not nil, is set to the bits of all latents one lower and one higher than
	// they are.
	around               *[2][][]float32
	load, piece, collect func(worker, task int)
}

// A fitPiece is some rows of a grid.
type fitPiece struct {
	grid, number int // among the grid's pieces
	from, to     int // rows
	bits         float64
	// Gradients of the values in coarser grids that the rows see, of the grids 1, 2
	// and 3 steps up, each row with a column more at both ends for what is beyond.
	above [3]fitRows
}

// fitRows are rows from..from+n-1 of a grid and their gradient.
type fitRows struct {
	from, n, stride int
	grad            []float32
}

// A fitWorker is the memory of one worker.
type fitWorker struct {
	block    *nn.MLPBlock
	bits, dx []float32
	grid, y  int         // the row that rows hold, y -1 if none
	rows     [][]float32 // [parents][w rounded up]: contexts in coarser grids
	grads    [][]float32 // likewise, their gradients
	padded   []float32
	a, b     []float32
	moved    []float32 // values, one lower or higher
}

func newFitARM(f *fitNet) (*fitARM, error) {
	a := &f.arch
	m := &fitARM{f: f, parents: a.Parents}
	d := a.Inputs()
	var offsets []nn.Offset
	for _, o := range spatialOffsets[:a.Spatial] {
		offsets = append(offsets, nn.Offset{DY: o[0], DX: o[1]})
	}
	for i := range a.Grids {
		mlp, err := nn.NewMLP(fmt.Sprint("context ", i), nn.MLPConfig{In: d, Bypass: true,
			Layers: []nn.MLPLayer{{Out: d, Residual: true, Act: nn.ReLU}, {Out: d, Residual: true, Act: nn.ReLU}, {Out: 2}}})
		if err != nil {
			return nil, err
		}
		p := mlp.Params()
		f.shareAll(p[:1], ARMW1)
		f.shareAll(p[2:], ARMW2, ARMB2, ARMW3, ARMB3, ARMWl)
		b := f.params[ARMB1]
		share(p[1], b.Data[i*d:(i+1)*d], b.Grad[i*d:(i+1)*d])
		c, err := nn.NewContext(f.z[i].H, f.z[i].W, offsets)
		if err != nil {
			return nil, err
		}
		partials := nn.NewPartials(p)
		partials.Resize(c.Pieces())
		m.mlps, m.contexts, m.partials = append(m.mlps, mlp), append(m.contexts, c), append(m.partials, partials)
		for n := range c.Pieces() {
			m.pieces = append(m.pieces, m.newPiece(i, n))
		}
	}
	wide := f.w + 8 // a row of the finest grid, as a multiple of 8
	for range f.pool.Workers() {
		w := fitWorker{block: m.mlps[0].NewBlock(), y: -1,
			bits: make([]float32, nn.BlockSize), dx: make([]float32, nn.BlockSize), moved: make([]float32, nn.BlockSize),
			padded: make([]float32, wide+2), a: make([]float32, wide), b: make([]float32, wide)}
		for range m.parents {
			w.rows = append(w.rows, make([]float32, wide))
			w.grads = append(w.grads, make([]float32, wide))
		}
		m.workers = append(m.workers, w)
	}
	m.load, m.piece, m.collect = m.loadGrid, m.runPiece, m.collectGrid
	return m, nil
}

func (m *fitARM) newPiece(grid, number int) fitPiece {
	z := m.f.z[grid]
	p := fitPiece{grid: grid, number: number, from: z.H}
	m.contexts[grid].Blocks(number, func(at, n int) {
		p.from, p.to = min(p.from, at/z.W), max(p.to, (at+n-1)/z.W+1)
	})
	for i := range p.above {
		if grid+i+1 >= m.f.arch.Grids {
			break
		}
		up := m.f.z[grid+i+1]
		from, to := p.from>>(i+1), (p.to-1)>>(i+1)
		if i == 0 { // neighbours of the parent
			from, to = max(from-1, 0), min(to+1, up.H-1)
		}
		p.above[i] = fitRows{from, to - from + 1, up.W + 2, make([]float32, (to-from+1)*(up.W+2))}
	}
	return p
}

// pass returns the bits of all latents. It adds the gradients of weight times the bits
// to those of the networks and the latents, if asked.
func (m *fitARM) pass(weight float32, networks, latents bool) float64 {
	m.weight, m.networks, m.latents = weight, networks, latents
	m.f.pool.Run(len(m.contexts), m.load)
	for i := range m.workers {
		m.workers[i].y = -1
	}
	m.f.pool.Run(len(m.pieces), m.piece)
	bits := 0.0
	for i := range m.pieces {
		bits += m.pieces[i].bits
	}
	if networks {
		for _, p := range m.partials {
			p.Reduce()
		}
	}
	if latents {
		m.f.pool.Run(len(m.contexts), m.collect)
	}
	return bits
}

func (m *fitARM) loadGrid(_, i int) { m.contexts[i].Load(m.f.z[i].Plane(0)) }

func (m *fitARM) runPiece(worker, task int) {
	p, w := &m.pieces[task], &m.workers[worker]
	c, mlp := m.contexts[p.grid], m.mlps[p.grid]
	z, dz := m.f.z[p.grid].Plane(0), m.f.dz[p.grid].Plane(0)
	var grad []float32
	if m.networks {
		grad = m.partials[p.grid].Piece(p.number)
	}
	if m.latents {
		c.StartPiece(p.number)
		for i := range p.above {
			clear(p.above[i].grad)
		}
	}
	p.bits = 0
	b := w.block
	c.Blocks(p.number, func(at, n int) {
		c.Gather(b, at, n)
		m.gather(w, p, at, n)
		mlp.Forward(b, n)
		bits, dx := w.bits[:n], w.dx[:n]
		if m.around != nil {
			moved := w.moved[:n]
			for k, to := range m.around {
				for i, v := range z[at : at+n] {
					moved[i] = v + float32(2*k-1)
				}
				kernels.LaplaceBitsF32(to[p.grid][at:at+n], dx, b.OutputGrad(0)[:n], b.OutputGrad(1)[:n],
					moved, b.Output(0)[:n], b.Output(1)[:n], m.weight, scaleMin, scaleMax)
			}
		}
		kernels.LaplaceBitsF32(bits, dx, b.OutputGrad(0)[:n], b.OutputGrad(1)[:n],
			z[at:at+n], b.Output(0)[:n], b.Output(1)[:n], m.weight, scaleMin, scaleMax)
		p.bits += kernels.SumF32(bits)
		if m.each != nil {
			copy(m.each[p.grid][at:], bits)
		}
		if !m.networks && !m.latents {
			return
		}
		mlp.Backward(b, n, grad, m.latents)
		if m.latents {
			kernels.AxpbyF32(dz[at:at+n], 1, dx, 1)
			c.Scatter(p.number, b, at, n)
			m.scatter(w, p, at, n)
		}
	})
}

// Limits of the logarithm of the Laplace scale.
const scaleMin, scaleMax = -5, 4

// gather sets the inputs from coarser grids.
func (m *fitARM) gather(w *fitWorker, p *fitPiece, at, n int) {
	wide := m.f.z[p.grid].W
	for i := 0; i < n; {
		y, x := (at+i)/wide, (at+i)%wide
		k := min(wide-x, n-i)
		if w.y != y || w.grid != p.grid {
			m.readRow(w, p.grid, y)
		}
		for j, row := range w.rows {
			copy(w.block.Input(m.f.arch.Spatial + j)[i:i+k], row[x:])
		}
		i += k
	}
}

// source returns the grid, the row and the columns on the left and on the right of
// parent context j of row y: it is 1 where the columns x>>1-1 and x>>1+1 take turns.
func (m *fitARM) source(j, grid, y int) (up, row, side int, ok bool) {
	o := parentOffsets[j]
	if grid+o.up >= m.f.arch.Grids {
		return 0, 0, 0, false
	}
	row = y >> o.up
	if y&1 == 0 {
		row -= o.dy
	} else {
		row += o.dy
	}
	return o.up, min(max(row, 0), m.f.z[grid+o.up].H-1), o.dx, true
}

// readRow sets the contexts in coarser grids of row y.
func (m *fitARM) readRow(w *fitWorker, grid, y int) {
	w.grid, w.y = grid, y
	for j, dst := range w.rows {
		up, row, side, ok := m.source(j, grid, y)
		if !ok {
			clear(dst)
			continue
		}
		t := m.f.z[grid+up]
		src := t.Data[row*t.W:][:t.W]
		// Columns 2k and 2k+1 have parent k, or k-1 and k+1, clamped.
		if side != 0 {
			q := w.padded[:t.W+2]
			q[0], q[t.W+1] = src[0], src[t.W-1]
			copy(q[1:], src)
			kernels.InterleaveF32(dst[:2*t.W], q[:t.W], q[2:])
			continue
		}
		for range up - 1 {
			n := len(src)
			kernels.InterleaveF32(w.a[:2*n], src, src)
			src = w.a[:2*n]
			w.a, w.b = w.b, w.a
		}
		// The doubled row may be longer than needed.
		n := min(len(src), (m.f.z[grid].W+1)/2)
		kernels.InterleaveF32(dst[:2*n], src[:n], src[:n])
	}
}

// scatter adds the gradients of those inputs to the rows above the piece.
func (m *fitARM) scatter(w *fitWorker, p *fitPiece, at, n int) {
	wide := m.f.z[p.grid].W
	for i := 0; i < n; {
		y, x := (at+i)/wide, (at+i)%wide
		k := min(wide-x, n-i)
		for j, row := range w.grads {
			copy(row[x:], w.block.InputGrad(m.f.arch.Spatial + j)[i:i+k])
		}
		if i += k; x+k == wide {
			m.addRow(w, p, y)
		}
	}
}

// addRow adds the gradients of the contexts of row y.
func (m *fitARM) addRow(w *fitWorker, p *fitPiece, y int) {
	wide := m.f.z[p.grid].W
	for j, src := range w.grads {
		up, row, side, ok := m.source(j, p.grid, y)
		if !ok {
			continue
		}
		to := &p.above[up-1]
		dst := to.grad[(row-to.from)*to.stride:][:to.stride]
		width := wide
		for k := range up {
			half := (width + 1) / 2
			if width%2 != 0 {
				src[width] = 0
			}
			a, b := w.a[:half], w.b[:half]
			kernels.DeinterleaveF32(a, b, src[:2*half])
			switch {
			case side != 0:
				kernels.AxpbyF32(dst[:half], 1, a, 1)
				kernels.AxpbyF32(dst[2:2+half], 1, b, 1)
			case k == up-1:
				kernels.AxpbyF32(dst[1:1+half], 1, a, 1)
				kernels.AxpbyF32(dst[1:1+half], 1, b, 1)
			default:
				kernels.AxpbyF32(a, 1, b, 1)
				copy(src, a)
			}
			width = half
		}
	}
}

// collectGrid adds to the gradient of a grid what the contexts passed to it.
func (m *fitARM) collectGrid(_, grid int) {
	t := m.f.dz[grid]
	dz := t.Plane(0)
	m.contexts[grid].AddGradient(dz)
	for i := range m.pieces {
		p := &m.pieces[i]
		up := grid - p.grid
		if up < 1 || up > len(p.above) {
			continue
		}
		rows := &p.above[up-1]
		for r := range rows.n {
			g := rows.grad[r*rows.stride:][:rows.stride]
			g[1] += g[0]
			g[t.W] += g[t.W+1]
			kernels.AxpbyF32(dz[(rows.from+r)*t.W:][:t.W], 1, g[1:1+t.W], 1)
		}
	}
}
