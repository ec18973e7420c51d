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
	// z[i] is [Grids-i][h_i][w_i]: the latents of scale i, filtered, then those of all
	// coarser ones at that size; dz[i] is the gradient. sharp and dSharp are the first
	// planes, upZ and upDZ all others.
	z, dz, sharp, dSharp, upZ, upDZ []*nn.Tensor
	filters                         []*nn.Separable // filters[i] takes latents to sharp[i]
	up                              []*nn.Separable // up[i] takes z[i+1] to upZ[i]

	mlp          *nn.MLP
	points       *nn.Pixelwise
	conv1, conv2 *nn.Conv2D
	v, v1, r, t  *nn.Tensor // t is v2, then its gradient and that of v1
	dr           *nn.Tensor // gradient of r, then of v
	errors       []float64  // of chunks of t

	arm *fitARM

	relu, compare, join, judge func(worker, task int)
	weight                     float32   // of the squared errors
	pixels                     []float32 // what judge is to set, or nil
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
		scale, _ := LatentScale(i)
		w, h := GridSize(f.w, f.h, scale)
		f.lat, f.dlat = append(f.lat, nn.NewTensor(1, h, w)), append(f.dlat, nn.NewTensor(1, h, w))
	}
	for i := range a.Grids {
		w, h := GridSize(f.w, f.h, i)
		z, dz := nn.NewTensor(a.Grids-i, h, w), nn.NewTensor(a.Grids-i, h, w)
		f.z, f.dz = append(f.z, z), append(f.dz, dz)
		f.sharp = append(f.sharp, &nn.Tensor{C: 1, H: h, W: w, Data: z.Data[:h*w]})
		f.dSharp = append(f.dSharp, &nn.Tensor{C: 1, H: h, W: w, Data: dz.Data[:h*w]})
		filter, err := nn.NewSymmetricFilter(fmt.Sprint("filter ", i), filterTaps, false, pool)
		if err != nil {
			return nil, err
		}
		p := f.params[FilterTaps]
		share(filter.Params()[0], p.Data[4*i:4*i+4], p.Grad[4*i:4*i+4])
		f.filters = append(f.filters, filter)
		if i == a.Grids-1 {
			break
		}
		f.upZ = append(f.upZ, &nn.Tensor{C: z.C - 1, H: h, W: w, Data: z.Data[h*w:]})
		f.upDZ = append(f.upDZ, &nn.Tensor{C: z.C - 1, H: h, W: w, Data: dz.Data[h*w:]})
		u, err := nn.NewUpsample2x(fmt.Sprint("upsampling ", i), 8, pool)
		if err != nil {
			return nil, err
		}
		p = f.params[Taps]
		share(u.Params()[0], p.Data[4*i:4*i+4], p.Grad[4*i:4*i+4])
		f.up = append(f.up, u)
	}
	var err error
	if f.mlp, err = nn.NewMLP("synthesis", nn.MLPConfig{In: a.Grids, Bypass: true,
		Layers: []nn.MLPLayer{{Out: a.Hidden, Act: nn.ReLU}, {Out: a.Channels}}}); err != nil {
		return nil, err
	}
	f.shareAll(f.mlp.Params(), SynW1, SynB1, SynW2, SynB2, SynWl)
	f.points = nn.NewPixelwise(f.mlp, pool)
	conv := nn.ConvConfig{In: a.Channels, Out: a.Channels, Kernel: 3, Padding: nn.PadReplicate}
	if f.conv2, err = nn.NewConv2D("convolution 2", conv, pool); err != nil {
		return nil, err
	}
	conv.Residual = true
	if f.conv1, err = nn.NewConv2D("convolution 1", conv, pool); err != nil {
		return nil, err
	}
	f.shareAll(f.conv1.Params(), SynK1, SynBK1)
	f.shareAll(f.conv2.Params(), SynK2, SynBK2)
	for _, t := range []**nn.Tensor{&f.v, &f.v1, &f.r, &f.t, &f.dr} {
		*t = nn.NewTensor(a.Channels, f.h, f.w)
	}
	f.weight = 2 / float32(len(f.t.Data))
	f.errors = make([]float64, chunks(len(f.t.Data)))
	if f.arm, err = newFitARM(f); err != nil {
		return nil, err
	}
	f.relu, f.compare, f.join, f.judge = f.reluChunk, f.compareChunk, f.joinChunk, f.judgeChunk
	f.refresh()
	return f, nil
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

// init sets the networks to the start of a fit from nothing: no contexts, no
// convolutions, and a linear branch that takes all grids for brightness. A step of
// the finest grid is as coarse as uniform quantisation is at that slope of rate and
// distortion, D = step²/12 and dD/dR = -2 ln 2 D = -lambda; those of the others are
// finer, as a step of theirs covers more pixels.
func (f *fitNet) init(r *rand.Rand, lambda float64) {
	f.nets.set(NewNets(&f.arch))
	a := &f.arch
	mean := f.params[SynB2].Data
	for c := range mean {
		mean[c] = float32(kernels.SumF32(f.target.Plane(c)) / float64(f.w*f.h))
	}
	step := math.Sqrt(12 * lambda / (2 * math.Ln2))
	for g := range a.Grids {
		for c := range a.Channels {
			f.params[SynWl].Data[c*a.Grids+g] = float32(max(math.Ldexp(step, -g), 1.0/64))
		}
	}
	// The rectified branch begins with a small output.
	f.params[SynW1].SetUniform(r, math.Sqrt(6/float64(a.Grids)))
	f.params[SynB1].SetUniform(r, 0.1)
	f.params[SynW2].SetUniform(r, 1/float64(a.Hidden))
	for i := range mixedGrids {
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
	for _, u := range f.filters {
		u.Refresh()
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
	for i, u := range f.filters {
		u.Forward(f.sharp[i], f.lat[latentAt(i)])
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
		if _, hyper := LatentScale(i); hyper {
			clear(t.Data) // the synthesis does not see them
		}
	}
	for i, u := range f.filters {
		u.Backward(f.dlat[latentAt(i)], f.dSharp[i], f.lat[latentAt(i)], true)
	}
}

// draw computes v2 from z, into t.
func (f *fitNet) draw() {
	f.upsample()
	f.points.Forward(f.v, f.z[0])
	f.conv1.Forward(f.v1, f.v)
	f.pool.Run(chunks(len(f.r.Data)), f.relu)
	f.conv2.Forward(f.t, f.r)
}

func (f *fitNet) reluChunk(_, i int) {
	from, to := chunk(len(f.r.Data), i)
	kernels.LeakyF32(f.r.Data[from:to], f.v1.Data[from:to], 0)
}

// compareChunk ends the sum of v2 and makes it the gradient of the distortion.
func (f *fitNet) compareChunk(_, i int) {
	from, to := chunk(len(f.t.Data), i)
	t := f.t.Data[from:to]
	kernels.AxpbyF32(t, 1, f.v1.Data[from:to], 1)
	kernels.AxpbyF32(t, 1, f.target.Data[from:to], -1)
	f.errors[i] = kernels.DotF32(t, t)
	kernels.AxpbyF32(t, f.weight, t, 0)
}

// joinChunk makes t the gradient of v1, of which dr passes the rectifier.
func (f *fitNet) joinChunk(_, i int) {
	from, to := chunk(len(f.t.Data), i)
	dr := f.dr.Data[from:to]
	kernels.GateF32(dr, dr, f.r.Data[from:to], 0)
	kernels.AxpbyF32(f.t.Data[from:to], 1, dr, 1)
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
	f.pool.Run(len(f.errors), f.join)
	f.conv1.Backward(f.dr, f.t, f.v, nil, true)
	f.points.Backward(f.dz[0], f.dr, f.z[0], true)
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
		t, v1, target := f.t.Plane(c)[from:to], f.v1.Plane(c)[from:to], f.target.Plane(c)[from:to]
		for j, v := range t {
			t[j] = min(max(v+v1[j], 0), 1) - target[j]
		}
		f.errors[i] += kernels.DotF32(t, t)
		if f.pixels != nil {
			kernels.MulAddF32(f.pixels[from:to], t, t)
		}
	}
}
