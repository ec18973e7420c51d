package inr

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A fitNet is what the decoder computes, in float32 and with gradients. With latents z
// and n = W*H pixels the loss is
//
//	J = D + lambda*R    D = mean (v2 - target)²    R = sum bits(z) / n
//
// The gradient of D goes back through the synthesis and the upsampling; that of R is
// local, so the context network goes forward, to the bits and back over one block of
// positions after another while they are in cache.
//
// Parameters and their gradients lie in nets and grad; the layers share that memory.
type fitNet struct {
	arch   Arch
	w, h   int
	pool   *nn.Pool
	target *nn.Tensor // [Channels][h][w], samples in 0..1

	nets, grad *Nets
	params     [NumTensors]*nn.Param // nil where a tensor is empty

	lat, dlat []*nn.Tensor // latents of grid i and their gradient, [1][h_i][w_i]
	// z[i] is what the synthesis sees of the grids from scale i on at the size of that, [..][h_i][w_i]:
	// the latents of scale i, filtered, then those of coarser ones; dz[i] is the gradient. upZ and
	// upDZ are the latter.
	z, dz, upZ, upDZ []*nn.Tensor
	up               []*nn.Separable // up[i] takes z[i+1] to upZ[i]
	shown            []fitPlane      // of all scales, finest first

	mlp          *nn.MLP
	points       *nn.Pixelwise
	conv1, conv2 *nn.Conv2D
	// The hidden layer's outputs u and those of the linear branch, one after the other in
	// point, whose gradient is dPoint; what the first convolution makes of u, rectified, and its gradient.
	point, dPoint, u, du, linear, r, dr *nn.Tensor
	t                                   *nn.Tensor // v, then its gradient: the second part of dPoint
	errors                              []float64  // of chunks of t

	arm *fitARM

	rectify, compare, gate, judge func(worker, task int)
	weight                        float32   // of the squared errors
	pixels                        []float32 // what judge is to set, or nil
}

// A fitPlane is one of the Planes at its own size: the grid of latents that it is made of by a
// filter, its place in z, and the gradient there.
type fitPlane struct {
	grid          int
	filter        *nn.Separable
	sharp, dSharp *nn.Tensor
}

// fitChunk is how many elements of a picture or grid a worker takes at a time.
const fitChunk = 1 << 14

func chunks(n int) int { return (n + fitChunk - 1) / fitChunk }

func chunk(n, i int) (from, to int) { return i * fitChunk, min((i+1)*fitChunk, n) }

// newFitNet returns networks for a picture, which it keeps, with parameters zero but
// for the upsampling.
func newFitNet(a Arch, target *nn.Tensor, pool *nn.Pool) (*fitNet, error) {
	f := &fitNet{arch: a, w: target.W, h: target.H, pool: pool, target: target, nets: NewNets(&a), grad: NewNets(&a)}
	clearGradients(f.grad)
	for id, t := range a.Layout() {
		if t.Len() > 0 {
			f.params[id] = &nn.Param{Name: fmt.Sprint("tensor ", id), Rows: t.Rows, Cols: t.Cols,
				Data: f.nets.Tensor(&a, TensorID(id)), Grad: f.grad.Tensor(&a, TensorID(id))}
		}
	}
	for i := range a.LatentGrids() {
		scale, _ := a.LatentScale(i)
		w, h := GridSize(f.w, f.h, scale)
		f.lat, f.dlat = append(f.lat, nn.NewTensor(1, h, w)), append(f.dlat, nn.NewTensor(1, h, w))
	}
	for i := range a.Grids {
		w, h := GridSize(f.w, f.h, i)
		first, n := a.planesAt(i)
		z, dz := nn.NewTensor(a.Planes()-first, h, w), nn.NewTensor(a.Planes()-first, h, w)
		f.z, f.dz = append(f.z, z), append(f.dz, dz)
		p := f.params[FilterTaps]
		for k := range n {
			filter, err := nn.NewSymmetricFilter(fmt.Sprint("filter ", first+k), filterTaps, false, pool)
			if err != nil {
				return nil, err
			}
			taps := 4 * (first + k)
			share(filter.Params()[0], p.Data[taps:taps+4], p.Grad[taps:taps+4])
			f.shown = append(f.shown, fitPlane{a.latentAt(i) + k, filter,
				&nn.Tensor{C: 1, H: h, W: w, Data: z.Plane(k)}, &nn.Tensor{C: 1, H: h, W: w, Data: dz.Plane(k)}})
		}
		if i == a.Grids-1 {
			break
		}
		f.upZ = append(f.upZ, &nn.Tensor{C: z.C - n, H: h, W: w, Data: z.Data[n*h*w:]})
		f.upDZ = append(f.upDZ, &nn.Tensor{C: z.C - n, H: h, W: w, Data: dz.Data[n*h*w:]})
		u, err := nn.NewUpsample2x(fmt.Sprint("upsampling ", i), 8, pool)
		if err != nil {
			return nil, err
		}
		p = f.params[Taps]
		share(u.Params()[0], p.Data[4*i:4*i+4], p.Grad[4*i:4*i+4])
		f.up = append(f.up, u)
	}
	var err error
	if f.mlp, err = nn.NewMLP("synthesis", nn.MLPConfig{In: a.Planes(), Beside: a.Channels,
		Layers: []nn.MLPLayer{{Out: a.Hidden, Act: nn.ReLU}, {Out: a.trunk()}}}); err != nil {
		return nil, err
	}
	f.shareAll(f.mlp.Params(), SynW1, SynB1, SynW2, SynB2, SynWl)
	f.points = nn.NewPixelwise(f.mlp, pool)
	conv := nn.ConvConfig{In: a.trunk(), Out: a.Channels, Kernel: 3, Padding: nn.PadReplicate}
	if f.conv2, err = nn.NewConv2D("convolution 2", conv, pool); err != nil {
		return nil, err
	}
	conv.Out, conv.Residual = a.trunk(), true
	if f.conv1, err = nn.NewConv2D("convolution 1", conv, pool); err != nil {
		return nil, err
	}
	f.shareAll(f.conv1.Params(), SynK1, SynBK1)
	f.shareAll(f.conv2.Params(), SynK2, SynBK2)
	f.point, f.u, f.linear = beside(a.trunk(), a.Channels, f.h, f.w)
	f.dPoint, f.du, f.t = beside(a.trunk(), a.Channels, f.h, f.w)
	f.r, f.dr = nn.NewTensor(a.trunk(), f.h, f.w), nn.NewTensor(a.trunk(), f.h, f.w)
	f.weight = 2 / float32(len(f.t.Data))
	f.errors = make([]float64, chunks(len(f.t.Data)))
	if f.arm, err = newFitARM(f); err != nil {
		return nil, err
	}
	f.rectify, f.compare, f.gate, f.judge = f.rectifyChunk, f.compareChunk, f.gateChunk, f.judgeChunk
	f.refresh()
	return f, nil
}

// beside returns a tensor of m + n planes, and its first m and last n.
func beside(m, n, h, w int) (all, first, last *nn.Tensor) {
	all = nn.NewTensor(m+n, h, w)
	first = &nn.Tensor{C: m, H: h, W: w, Data: all.Data[:m*h*w]}
	last = &nn.Tensor{C: n, H: h, W: w, Data: all.Data[m*h*w:]}
	return all, first, last
}

// share makes the memory of a layer's parameter that of the networks.
func share(p *nn.Param, data, grad []float32) {
	if len(p.Data) != len(data) {
		panic("inr: layer and networks differ: " + p.Name)
	}
	p.Data, p.Grad = data, grad
}

func (f *fitNet) shareAll(layer []*nn.Param, ids ...TensorID) {
	for i, id := range ids {
		share(layer[i], f.params[id].Data, f.params[id].Grad)
	}
}

// open is where the channels between the convolutions begin: fits of 1000 iterations from 0.02
// and 1 cost 2 and 3 % more.
const open = 0.4

// firstColour returns what a step of the first grid of a scale, k 0, or of one of colour is in a
// channel to begin with: brightness, or some of what is orthogonal to that, of the same size.
func firstColour(k, channel, channels int) float64 {
	if k == 0 {
		return 1
	}
	// The discrete cosine transform of the channels: of three, (1, 0, -1) and (1, -2, 1).
	return math.Sqrt2 * math.Cos(math.Pi*float64(k)*(float64(channel)+0.5)/float64(channels))
}

// init sets the networks to the start of a fit from nothing: no contexts, no
// convolutions, and a linear branch that takes grids for brightness, or for other colours. A step of
// the finest grid is as coarse as uniform quantisation is at that slope of rate and
// distortion, D = step²/12 and dD/dR = -2 ln 2 D = -lambda; those of the others are
// finer, as a step of theirs covers more pixels.
func (f *fitNet) init(r *rand.Rand, lambda float64) {
	f.nets.set(NewNets(&f.arch))
	a := &f.arch
	// The rectifier between the convolutions begins with most of the picture's channels
	// passing, which the mean makes up for, and half of the others, which are to learn what they are for.
	for c := range a.Channels {
		mean := kernels.SumF32(f.target.Plane(c)) / float64(f.w*f.h)
		f.params[SynB2].Data[c], f.params[SynBK2].Data[c] = open, float32(mean-open)
	}
	for i := range f.params[SynK2].Data {
		if i/9%a.trunk() >= a.Channels {
			f.params[SynK2].Data[i] = float32(0.1 * (2*r.Float64() - 1))
		}
	}
	step := math.Sqrt(12 * lambda / (2 * math.Ln2))
	planes := a.Planes()
	for scale := range a.Grids {
		first, n := a.planesAt(scale)
		size := max(math.Ldexp(step, -scale), 1.0/64)
		for k := range n {
			for c := range a.Channels {
				f.params[SynWl].Data[c*planes+first+k] = float32(size * firstColour(k, c, a.Channels))
			}
		}
	}
	// The rectified branch begins with a small output.
	f.params[SynW1].SetUniform(r, math.Sqrt(6/float64(planes)))
	f.params[SynB1].SetUniform(r, 0.1)
	f.params[SynW2].SetUniform(r, 1/float64(a.Hidden))
	for i := range maxMixed {
		if p := f.params[ARMMix0+TensorID(i)]; p != nil {
			p.SetUniform(r, 0.2) // without weights hyperlatents would have no gradient
		}
	}
	// Rate weighs from the beginning: fine grids only take what is worth it.
	f.params[ARMB3].Data[1] = -2
	f.refresh()
}

// list returns all parameters that there are.
func (f *fitNet) list() []*nn.Param {
	var l []*nn.Param
	for _, p := range f.params {
		if p != nil {
			l = append(l, p)
		}
	}
	return l
}

// set copies the parameters of other networks of the same architecture.
func (n *Nets) set(from *Nets) {
	for m, v := range from.Module {
		copy(n.Module[m], v)
	}
}

func clearGradients(n *Nets) {
	for _, v := range n.Module {
		clear(v)
	}
}

// keepMeans clears the gradients of what makes the means of predictions.
func (f *fitNet) keepMeans() {
	for _, id := range []TensorID{ARMW3, ARMWl, ARMB3} {
		g := f.params[id].Grad
		clear(g[:len(g)/2])
	}
}

// set takes over the parameters of other networks.
func (f *fitNet) set(n *Nets) {
	f.nets.set(n)
	f.refresh()
}

// refresh takes over the parameters as they are now.
func (f *fitNet) refresh() {
	for _, u := range f.up {
		u.Refresh()
	}
	for _, p := range f.shown {
		p.filter.Refresh()
	}
	f.mlp.Refresh()
	f.conv1.Refresh()
	f.conv2.Refresh()
	for _, m := range f.arm.mlps {
		m.Refresh()
	}
}

// upsample computes z from the latents.
func (f *fitNet) upsample() {
	for _, p := range f.shown {
		p.filter.Forward(p.sharp, f.lat[p.grid])
	}
	for i := len(f.up) - 1; i >= 0; i-- {
		f.up[i].Forward(f.upZ[i], f.z[i+1])
	}
}

// upsampleBack sets dlat to the gradient by way of dz[0].
func (f *fitNet) upsampleBack() {
	for i, u := range f.up {
		u.Backward(f.dz[i+1], f.upDZ[i], f.z[i+1], true)
	}
	for i, t := range f.dlat {
		if _, hyper := f.arch.LatentScale(i); hyper {
			clear(t.Data) // the synthesis does not see them
		}
	}
	for _, p := range f.shown {
		p.filter.Backward(f.dlat[p.grid], p.dSharp, f.lat[p.grid], true)
	}
}

// draw computes v from z but for the sum of its parts: r, the linear branch, and in t
// what the second convolution makes of r.
func (f *fitNet) draw() {
	f.upsample()
	f.points.Forward(f.point, f.z[0])
	f.conv1.Forward(f.r, f.u)
	f.pool.Run(chunks(len(f.r.Data)), f.rectify)
	f.conv2.Forward(f.t, f.r)
}

func (f *fitNet) rectifyChunk(_, i int) {
	from, to := chunk(len(f.r.Data), i)
	kernels.LeakyF32(f.r.Data[from:to], f.r.Data[from:to], 0)
}

// compareChunk ends the sum of v and makes it the gradient of the distortion.
func (f *fitNet) compareChunk(_, i int) {
	from, to := chunk(len(f.t.Data), i)
	t := f.t.Data[from:to]
	kernels.AxpbyF32(t, 1, f.r.Data[from:to], 1)
	kernels.AxpbyF32(t, 1, f.linear.Data[from:to], 1)
	kernels.AxpbyF32(t, 1, f.target.Data[from:to], -1)
	f.errors[i] = kernels.DotF32(t, t)
	kernels.AxpbyF32(t, f.weight, t, 0)
}

// gateChunk ends the gradient of r, whose first planes are part of v, and lets it through
// the rectifier.
func (f *fitNet) gateChunk(_, i int) {
	from, to := chunk(len(f.dr.Data), i)
	dr := f.dr.Data[from:to]
	if own := min(to, len(f.t.Data)); from < own {
		kernels.AxpbyF32(dr[:own-from], 1, f.t.Data[from:own], 1)
	}
	kernels.GateF32(dr, dr, f.r.Data[from:to], 0)
}

// step computes distortion and bits for z, adds the gradients of the parameters to
// grad, and sets the gradient of the latents, the first plane of each dz, if latents
// is true.
func (f *fitNet) step(lambda float64, latents bool) (distortion, bits float64) {
	f.draw()
	f.pool.Run(len(f.errors), f.compare)
	for _, e := range f.errors {
		distortion += e
	}
	distortion /= float64(len(f.t.Data))

	f.conv2.Backward(f.dr, f.t, f.r, nil, true)
	f.pool.Run(chunks(len(f.dr.Data)), f.gate)
	f.conv1.Backward(f.du, f.dr, f.u, nil, true)
	f.points.Backward(f.dz[0], f.dPoint, f.z[0], true)
	f.upsampleBack()
	bits = f.arm.pass(float32(lambda/float64(f.w*f.h)), true, latents)
	return distortion, bits
}

// distortion draws z and returns the mean squared error of samples limited to 0..1,
// as the decoder shows them but for its rounding to 8 bits. If pixels is not nil it
// is set to the squared errors of all channels of each pixel, [h*w].
func (f *fitNet) distortion(pixels []float32) float64 {
	f.draw()
	f.pixels = pixels
	f.pool.Run(chunks(f.w*f.h), f.judge)
	f.pixels = nil
	sum := 0.0
	for _, e := range f.errors[:chunks(f.w*f.h)] {
		sum += e
	}
	return sum / float64(len(f.t.Data))
}

func (f *fitNet) judgeChunk(_, i int) {
	from, to := chunk(f.w*f.h, i)
	f.errors[i] = 0
	if f.pixels != nil {
		clear(f.pixels[from:to])
	}
	for c := range f.arch.Channels {
		t, target := f.t.Plane(c)[from:to], f.target.Plane(c)[from:to]
		kernels.AxpbyF32(t, 1, f.r.Plane(c)[from:to], 1)
		kernels.AxpbyF32(t, 1, f.linear.Plane(c)[from:to], 1)
		for j, v := range t {
			t[j] = min(max(v, 0), 1) - target[j]
		}
		f.errors[i] += kernels.DotF32(t, t)
		if f.pixels != nil {
			kernels.MulAddF32(f.pixels[from:to], t, t)
		}
	}
}
