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
	mixes    []*fitMix
	features int // of each latent

	weight            float32 // of a bit in the loss
	networks, latents bool
	each              [][]float32 // set to the bits of all latents, [Grids][h*w], if not nil
	// around, if not nil, is set to the bits of all latents one lower and one higher than
	// they are.
	around                           *[2][][]float32
	load, mix, piece, unmix, collect func(worker, task int)
}

// A fitPiece is some rows of a grid.
type fitPiece struct {
	grid, number int // among the grid's pieces
	from, to     int // rows
	bits         float64
	mixed        [][]float32 // gradients of the mixtures that the rows see, or nil
}

// A fitWorker is the memory of one worker.
type fitWorker struct {
	block    *nn.MLPBlock
	bits, dx []float32
	grid, y  int         // the row that rows hold, y -1 if none
	rows     [][]float32 // [features][w rounded up]: contexts that are mixtures
	grads    [][]float32 // likewise, their gradients
	a, b     []float32
	moved    []float32 // values, one lower or higher
}

func newFitARM(f *fitNet) (*fitARM, error) {
	a := &f.arch
	m := &fitARM{f: f, features: a.Features}
	d := a.Inputs()
	var offsets []nn.Offset
	for _, o := range spatialOffsets[:a.Spatial] {
		offsets = append(offsets, nn.Offset{DY: o[0], DX: o[1]})
	}
	for i := range min(maxMixed, a.LatentGrids()) {
		m.mixes = append(m.mixes, newFitMix(m, i))
	}
	for i := range a.LatentGrids() {
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
		c, err := nn.NewContext(f.lat[i].H, f.lat[i].W, offsets)
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
			a: make([]float32, wide), b: make([]float32, wide)}
		for range m.features {
			w.rows = append(w.rows, make([]float32, wide))
			w.grads = append(w.grads, make([]float32, wide))
		}
		m.workers = append(m.workers, w)
	}
	m.load, m.mix, m.piece, m.unmix, m.collect = m.loadGrid, m.mixForward, m.runPiece, m.mixBackward, m.collectGrid
	return m, nil
}

func (m *fitARM) newPiece(grid, number int) fitPiece {
	z := m.f.lat[grid]
	p := fitPiece{grid: grid, number: number, from: z.H}
	m.contexts[grid].Blocks(number, func(at, n int) {
		p.from, p.to = min(p.from, at/z.W), max(p.to, (at+n-1)/z.W+1)
	})
	if m.mixOf(grid) != nil {
		half := (z.W + 1) / 2
		for range m.features {
			p.mixed = append(p.mixed, make([]float32, ((p.to-1)/2-p.from/2+1)*half))
		}
	}
	return p
}

// pass returns the bits of all latents. It adds the gradients of weight times the bits
// to those of the networks and the latents, if asked.
func (m *fitARM) pass(weight float32, networks, latents bool) float64 {
	m.weight, m.networks, m.latents = weight, networks, latents
	m.f.pool.Run(len(m.contexts), m.load)
	m.f.pool.Run(len(m.mixes)*m.features, m.mix)
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
	if networks || latents {
		m.f.pool.Run(len(m.mixes)*m.features, m.unmix)
	}
	if latents {
		m.f.pool.Run(len(m.contexts), m.collect)
	}
	return bits
}

func (m *fitARM) loadGrid(_, i int) { m.contexts[i].Load(m.f.lat[i].Plane(0)) }

func (m *fitARM) runPiece(worker, task int) {
	p, w := &m.pieces[task], &m.workers[worker]
	c, mlp := m.contexts[p.grid], m.mlps[p.grid]
	z, dz := m.f.lat[p.grid].Plane(0), m.f.dlat[p.grid].Plane(0)
	var grad []float32
	if m.networks {
		grad = m.partials[p.grid].Piece(p.number)
	}
	if m.networks || m.latents {
		c.StartPiece(p.number)
		for _, g := range p.mixed {
			clear(g)
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
		mlp.Backward(b, n, grad, m.latents || p.mixed != nil)
		m.scatter(w, p, at, n)
		if m.latents {
			kernels.AxpbyF32(dz[at:at+n], 1, dx, 1)
			c.Scatter(p.number, b, at, n)
		}
	})
}

// Limits of the logarithm of the Laplace scale.
const scaleMin, scaleMax = -5, 4

// gather sets the inputs from coarser grids.
func (m *fitARM) gather(w *fitWorker, p *fitPiece, at, n int) {
	wide := m.f.lat[p.grid].W
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

// readRow sets the contexts that are mixtures of row y.
func (m *fitARM) readRow(w *fitWorker, grid, y int) {
	w.grid, w.y = grid, y
	x := m.mixOf(grid)
	if x == nil {
		for _, dst := range w.rows {
			clear(dst)
		}
		return
	}
	half := (m.f.lat[grid].W + 1) / 2
	for f, dst := range w.rows {
		src := x.feature[f][0][y/2*half:][:half]
		kernels.InterleaveF32(dst[:2*half], src, src)
	}
}

// scatter adds the gradients of those inputs to the rows above the piece.
func (m *fitARM) scatter(w *fitWorker, p *fitPiece, at, n int) {
	if p.mixed == nil {
		return
	}
	wide := m.f.lat[p.grid].W
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

// addRow adds the gradients of the mixtures of row y.
func (m *fitARM) addRow(w *fitWorker, p *fitPiece, y int) {
	wide := m.f.lat[p.grid].W
	half := (wide + 1) / 2
	for j, src := range w.grads {
		if wide%2 != 0 {
			src[wide] = 0
		}
		a, b := w.a[:half], w.b[:half]
		kernels.DeinterleaveF32(a, b, src[:2*half])
		dst := p.mixed[j][(y/2-p.from/2)*half:][:half]
		kernels.AxpbyF32(dst, 1, a, 1)
		kernels.AxpbyF32(dst, 1, b, 1)
	}
}

func (m *fitARM) mixOf(grid int) *fitMix {
	if grid >= len(m.mixes) {
		return nil
	}
	return m.mixes[grid]
}

// mixTask is a feature of a grid with mixtures.
func (m *fitARM) mixTask(task int) (*fitMix, int) {
	return m.mixes[task/m.features], task % m.features
}

func (m *fitARM) mixForward(_, task int) {
	if x, f := m.mixTask(task); x != nil {
		x.forward(f)
	}
}

func (m *fitARM) mixBackward(_, task int) {
	x, f := m.mixTask(task)
	if x == nil {
		return
	}
	g := x.grad[f][0]
	clear(g)
	half := (m.f.lat[x.grid].W + 1) / 2
	for i := range m.pieces {
		if p := &m.pieces[i]; p.grid == x.grid {
			from := g[p.from/2*half:]
			kernels.AxpbyF32(from[:len(p.mixed[f])], 1, p.mixed[f], 1)
		}
	}
	x.backward(f)
}

// collectGrid adds to the gradient of a grid what the contexts passed to it.
func (m *fitARM) collectGrid(_, grid int) {
	m.contexts[grid].AddGradient(m.f.dlat[grid].Data)
	for _, x := range m.mixes {
		if x != nil {
			x.collect(grid)
		}
	}
}
