package nn

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// A fitter is a small version of a picture fitted by latents and networks: three
// planes of latents, each half the size of the one before, are upsampled to the size
// of the first, and a network makes a picture of them at every position, which a
// residual convolution finishes.
type fitter struct {
	pool      *Pool
	latents   []*Param
	planes    []*Tensor // the latents, and their gradients
	grads     []*Tensor
	up        *Separable
	half, two *Tensor // latent 2 at half size, latents 1 and 2 at half size
	dhalf     *Tensor
	dtwo      *Tensor
	full      *Tensor // both at full size
	dfull     *Tensor
	x, dx     *Tensor // [3]: what the network sees
	mlp       *MLP
	points    *Pixelwise
	conv      *Conv2D
	h, y      *Tensor // before and after the convolution
	dh, dy    *Tensor
	target    *Tensor
	loss      *SquaredError
	networks  *SOAP
	values    *Adam
}

func newFitter(t testing.TB, workers int, target *Tensor) *fitter {
	h, w := target.H, target.W
	f := &fitter{pool: newPool(t, workers), target: target}
	for i := range 3 {
		hh, ww := (h+1<<i-1)>>i, (w+1<<i-1)>>i
		p := NewParam(fmt.Sprint("latent", i), hh, ww)
		randomize(rand.New(rand.NewPCG(uint64(i), 12)), p.Data, 0.1)
		f.latents = append(f.latents, p)
		f.planes = append(f.planes, &Tensor{1, hh, ww, p.Data})
		f.grads = append(f.grads, &Tensor{1, hh, ww, p.Grad})
	}
	var err error
	check := func() {
		if err != nil {
			t.Fatal(err)
		}
	}
	f.up, err = NewUpsample2x("up", 8, f.pool)
	check()
	f.mlp, err = NewMLP("synthesis", MLPConfig{In: 3, Layers: []MLPLayer{{Out: 16, Act: ReLU}, {Out: 3}}, Bypass: true})
	check()
	f.points = NewPixelwise(f.mlp, f.pool)
	f.loss = NewSquaredError(f.pool)
	f.conv, err = NewConv2D("finish", ConvConfig{In: 3, Out: 3, Kernel: 3, Padding: PadReplicate, Residual: true}, f.pool)
	check()
	r := rand.New(rand.NewPCG(11, 1))
	f.mlp.Init(r)
	f.conv.Init(r)
	h2, w2 := f.planes[1].H, f.planes[1].W
	f.half, f.dhalf = NewTensor(1, h2, w2), NewTensor(1, h2, w2)
	f.two, f.dtwo = NewTensor(2, h2, w2), NewTensor(2, h2, w2)
	f.full, f.dfull = NewTensor(2, h, w), NewTensor(2, h, w)
	f.x, f.dx = NewTensor(3, h, w), NewTensor(3, h, w)
	f.h, f.dh, f.y, f.dy = NewTensor(3, h, w), NewTensor(3, h, w), NewTensor(3, h, w), NewTensor(3, h, w)
	params := append(append(append([]*Param(nil), f.up.Params()...), f.mlp.Params()...), f.conv.Params()...)
	f.networks, err = NewSOAP(10, Group{Params: params, Rate: 0.01, Beta1: 0.95, Beta2: 0.95, Epsilon: 1e-8, MaxNorm: 0.1, WeightDecay: 0.01})
	check()
	f.values = NewAdam(f.pool, Group{Params: f.latents, Rate: 0.02, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8})
	return f
}

// step takes one step of training and returns the mean squared error before it.
func (f *fitter) step() float64 {
	f.up.Forward(f.half, f.planes[2])
	copy(f.two.Plane(0), f.planes[1].Data)
	copy(f.two.Plane(1), f.half.Data)
	f.up.Forward(f.full, f.two)
	copy(f.x.Plane(0), f.planes[0].Data)
	copy(f.x.Data[f.target.H*f.target.W:], f.full.Data)
	f.points.Forward(f.h, f.x)
	f.conv.Forward(f.y, f.h)
	n := float64(len(f.y.Data))
	loss := f.loss.Loss(f.dy, f.y, f.target, float32(1/n)) / n

	ZeroGrad(f.networks.Groups[0].Params)
	f.conv.Backward(f.dh, f.dy, f.h, f.y, true)
	f.points.Backward(f.dx, f.dh, f.x, true)
	copy(f.grads[0].Data, f.dx.Plane(0))
	copy(f.dfull.Data, f.dx.Data[f.target.H*f.target.W:])
	f.up.Backward(f.dtwo, f.dfull, f.two, true)
	copy(f.grads[1].Data, f.dtwo.Plane(0))
	copy(f.dhalf.Data, f.dtwo.Plane(1))
	f.up.Backward(f.grads[2], f.dhalf, f.planes[2], true)

	f.networks.Step()
	f.values.Step()
	f.up.Refresh()
	f.mlp.Refresh()
	f.conv.Refresh()
	return loss
}

func (f *fitter) sum() uint32 {
	c := crc32.NewIEEE()
	for _, p := range append(f.networks.Groups[0].Params, f.latents...) {
		c.Write(unsafe.Slice((*byte)(unsafe.Pointer(&p.Data[0])), 4*len(p.Data)))
	}
	return c.Sum32()
}

// painting is a picture with smooth parts, edges and texture, values within 0..1.
func painting(h, w int) *Tensor {
	t := NewTensor(3, h, w)
	for c := range 3 {
		for y := range h {
			for x := range w {
				fy, fx := float64(y)/float64(h), float64(x)/float64(w)
				v := 0.5 + 0.2*math.Sin(5*fx+float64(c))*math.Cos(4*fy)
				if math.Hypot(fx-0.6, fy-0.4) < 0.25 {
					v = 0.8 - 0.2*float64(c)*fy
				}
				if fy > 0.7 {
					v += 0.1 * math.Sin(float64(x)*1.3+float64(y)*0.7)
				}
				t.Data[(c*h+y)*w+x] = float32(v)
			}
		}
	}
	return t
}

// TestFit fits a picture.
func TestFit(t *testing.T) {
	target := painting(61, 78)
	f := newFitter(t, 2, target)
	first := f.step()
	loss := 0.0
	const steps = 250
	for i := range steps {
		f.networks.Groups[0].Rate = Cosine(0.01, 1e-4, i, steps)
		f.values.Groups[0].Rate = Cosine(0.02, 1e-4, i, steps)
		loss = f.step()
	}
	t.Logf("mean squared error %.3g at first, %.3g after %d steps", first, loss, steps)
	if !(loss < 1e-3) {
		t.Errorf("mean squared error is %v at last", loss)
	}
}

func TestWorkersAgree(t *testing.T) {
	target := painting(150, 131)
	eachTier(t, func(t *testing.T) {
		var want uint32
		for _, workers := range []int{1, 2, 3, 5} {
			f := newFitter(t, workers, target)
			for range 4 {
				f.step()
			}
			if got := f.sum(); workers == 1 {
				want = got
			} else if got != want {
				t.Errorf("%d workers: sum of parameters %#x, one worker gives %#x", workers, got, want)
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	for _, workers := range []int{1, 2} {
		f := newFitter(t, workers, painting(64, 70))
		for range 12 { // all buffers, and the first new order of eigenvectors
			f.step()
		}
		if n := testing.AllocsPerRun(25, func() { f.step() }); n != 0 {
			t.Errorf("%d workers: %v allocations each step", workers, n)
		}
	}
}

func TestSquaredError(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	for _, size := range [][3]int{{1, 1, 1}, {3, 61, 78}, {3, 256, 200}} {
		y, target := randomTensor(r, size[0], size[1], size[2]), randomTensor(r, size[0], size[1], size[2])
		dy := NewTensor(size[0], size[1], size[2])
		got := NewSquaredError(newPool(t, 2)).Loss(dy, y, target, 0.25)
		want := 0.0
		for i, v := range y.Data {
			d := float64(v) - float64(target.Data[i])
			want += d * d
			if math.Abs(float64(dy.Data[i])-d/2) > 1e-6 {
				t.Fatalf("%v: gradient %d is %v, want %v", size, i, dy.Data[i], d/2)
			}
		}
		if math.Abs(got-want) > 1e-5*want {
			t.Errorf("%v: loss is %v, want %v", size, got, want)
		}
	}
}
