package inr

import "github.com/burin-codec/burin/kernels"

// A fitMix makes the contexts of one grid that are mixtures of coarser ones: feature f
// at a position is the sum over all grids after it of their latent there times a weight.
// Four positions have the same, so features have the size of the next scale. Each scale
// adds to the sums of the coarser one, repeated.
type fitMix struct {
	arm            *fitARM
	grid, scale    int
	first, sources int       // the grids that are mixed
	weights, grads []float32 // [features][sources]
	// feature[f][s-scale-1] is the sum of scale s and coarser ones, [h*w] of that scale;
	// grad is its gradient.
	feature, grad [][][]float32
	scales        int // how many there are after the grid's
}

// newFitMix returns the mixtures for a grid, nil if it has none.
func newFitMix(m *fitARM, grid int) *fitMix {
	a := &m.f.arch
	first, n := a.mixed(grid)
	if n == 0 || a.Features == 0 {
		return nil
	}
	p := m.f.params[ARMMix0+TensorID(grid)]
	scale, _ := a.LatentScale(grid)
	x := &fitMix{arm: m, grid: grid, scale: scale, weights: p.Data, grads: p.Grad, first: first, sources: n, scales: a.Grids - 1 - scale}
	for range a.Features {
		var f, g [][]float32
		for s := scale + 1; s < a.Grids; s++ {
			t := m.f.lat[a.latentAt(s)]
			f, g = append(f, make([]float32, t.H*t.W)), append(g, make([]float32, t.H*t.W))
		}
		x.feature, x.grad = append(x.feature, f), append(x.grad, g)
	}
	return x
}

// forward sets a feature.
func (x *fitMix) forward(f int) {
	net := x.arm.f
	for k := x.scales - 1; k >= 0; k-- {
		dst := x.feature[f][k]
		scale := x.scale + 1 + k
		t := net.lat[net.arch.latentAt(scale)]
		if k == x.scales-1 {
			clear(dst)
		} else {
			up := net.lat[net.arch.latentAt(scale+1)]
			repeat2(dst, t.H, t.W, x.feature[f][k+1], up.W)
		}
		for grid, n := net.arch.latentsAt(scale); n > 0; grid, n = grid+1, n-1 {
			kernels.AxpbyF32(dst, 1, net.lat[grid].Data, x.weights[f*x.sources+grid-x.first])
		}
	}
}

// backward adds the gradient of a feature's weights, and sets those of its sums at all
// scales, from the one at the finest, which it keeps.
func (x *fitMix) backward(f int) {
	net := x.arm.f
	for k := range x.scales {
		g := x.grad[f][k]
		scale := x.scale + 1 + k
		t := net.lat[net.arch.latentAt(scale)]
		for grid, n := net.arch.latentsAt(scale); n > 0; grid, n = grid+1, n-1 {
			x.grads[f*x.sources+grid-x.first] += float32(kernels.DotF32(g, net.lat[grid].Data))
		}
		if k+1 < x.scales {
			up := net.lat[net.arch.latentAt(scale+1)]
			sum2(x.grad[f][k+1], up.H, up.W, g, t.H, t.W)
		}
	}
}

// collect adds the gradient of latents of a grid.
func (x *fitMix) collect(grid int) {
	if grid < x.first {
		return
	}
	scale, _ := x.arm.f.arch.LatentScale(grid)
	dz := x.arm.f.dlat[grid].Data
	for f := range x.grad {
		kernels.AxpbyF32(dz, 1, x.grad[f][scale-x.scale-1], x.weights[f*x.sources+grid-x.first])
	}
}

// repeat2 sets dst, h x w, to src doubled, whose rows are half as wide, rounded up.
func repeat2(dst []float32, h, w int, src []float32, half int) {
	for y := range h {
		row, s := dst[y*w:][:w], src[y/2*half:][:half]
		n := w / 2
		kernels.InterleaveF32(row[:2*n], s[:n], s[:n])
		if w%2 != 0 {
			row[w-1] = s[half-1]
		}
	}
}

// sum2 is its adjoint: it sets dst, h x w, to the sums of src.
func sum2(dst []float32, h, w int, src []float32, height, width int) {
	clear(dst)
	n := width / 2
	for y := range height {
		row, s := dst[y/2*w:][:w], src[y*width:][:width]
		for x := range n {
			row[x] += s[2*x] + s[2*x+1]
		}
		if width%2 != 0 {
			row[w-1] += s[width-1]
		}
	}
}
