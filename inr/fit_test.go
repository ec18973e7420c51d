package inr

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/burin-codec/burin/transform/nn"
)

// deadLeaves is a picture of w x h of discs that cover one another, radii falling off
// by a power law as in natural pictures (Lee, Mumford and Huang, 2001), each of a
// colour with some shading.
func deadLeaves(seed uint64, channels, w, h int) []float32 {
	r := rand.New(rand.NewPCG(seed, 40))
	pix := make([]float32, channels*w*h)
	for range 400 {
		// Radii with density r^-3 from 2 to the picture's size.
		radius := min(2/math.Sqrt(1-0.9975*r.Float64()), float64(max(w, h)))
		cx, cy := r.Float64()*float64(w), r.Float64()*float64(h)
		base, slope := r.Float64(), 0.01*r.NormFloat64()
		var tint [MaxChannels]float64
		for c := range tint {
			tint[c] = 0.15 * r.NormFloat64()
		}
		for y := range h {
			for x := range w {
				dx, dy := float64(x)-cx, float64(y)-cy
				if dx*dx+dy*dy > radius*radius {
					continue
				}
				for c := range channels {
					pix[(c*h+y)*w+x] = float32(min(max(base+tint[c]+slope*dx, 0), 1))
				}
			}
		}
	}
	return pix
}

func fitPool(t testing.TB, workers int) *nn.Pool {
	p := nn.NewPool(workers)
	t.Cleanup(p.Close)
	return p
}

// TestFitPicture fits a small picture and decodes the stream: figures are those of what is
// decoded, and far better than those of a mean colour or of few bits.
func TestFitPicture(t *testing.T) {
	const w, h = 48, 40
	pix := deadLeaves(1, 3, w, h)
	a := Presets[1].Arch(w, h, 3)
	phases := map[string]int{}
	last := FitProgress{}
	f, err := Fit(context.Background(), pix, w, h, &FitOptions{Arch: a, Lambda: 2e-3, Iterations: 200, RefineNets: 1, Refine: 2, Pool: fitPool(t, 2),
		Progress: func(p FitProgress) {
			if !(p.Done >= last.Done) {
				t.Errorf("%v after %v of the fit", p.Done, last.Done)
			}
			phases[p.Phase]++
			last = p
		}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := EncodeStream(&a, f.Nets, f.Latents, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := DecodeStream(stream, w, h, 3, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	var mse, flat, mean float64
	for c := range 3 {
		mean = 0
		for i := range w * h {
			mean += float64(pix[c*w*h+i]) / (w * h)
		}
		for i := range w * h {
			v := float64(pix[c*w*h+i])
			mse += math.Pow(float64(shown.Pix[c*w*h+i])/255-v, 2) / (3 * w * h)
			flat += (v - mean) * (v - mean) / (3 * w * h)
		}
	}
	t.Logf("%.2f dB at %.3f bpp, %.0f bits of latents, %.0f of networks; %d bytes; a mean colour has %.2f dB",
		f.PSNR, f.BPP, f.LatentBits, f.WeightBits, len(stream), psnr(flat))
	if math.Abs(mse-f.MSE) > 1e-9 {
		t.Errorf("MSE %v, decoded %v", f.MSE, mse)
	}
	if bits := 8 * float64(len(stream)); math.Abs(bits-f.BPP*w*h) > 0.01*bits+64 {
		t.Errorf("%v bits counted, the stream has %v", f.BPP*w*h, bits)
	}
	if !(f.PSNR > psnr(flat)+14) || !(f.LatentBits < 1.6*w*h) {
		t.Errorf("%.2f dB at %.0f bits of latents, want %.2f dB and %.0f", f.PSNR, f.LatentBits, psnr(flat)+14, 1.6*w*h)
	}
	if phases["fit"] != 200 || phases["networks"] != int(NumModules) || phases["parameters"] != int(NumModules) || phases["latents"] != 6 {
		t.Errorf("progress: %v", phases)
	}
	if last.Done != 1 || math.Abs(last.BPP/f.BPP-1) > 0.02 || math.Abs(last.PSNR-f.PSNR) > 0.1 {
		t.Errorf("progress ends with %+v, the fit has %v bpp, %v dB", last, f.BPP, f.PSNR)
	}
}

// TestFitFromNothing: at first rate weighs more at low lambda and means of predictions stay
// zero at others, unless the fit is from a prior, and later neither is so.
func TestFitFromNothing(t *testing.T) {
	const w, h = 48, 40
	const lambda = slowLambda / 2
	if p := paceAt(0, 1e-3, 0, lambda, false); p.rateWeight != 1 || p.zeroMeans {
		t.Errorf("from a prior: %+v", p)
	}
	if p := paceAt(lambdaFrom/2, 1e-3, 0, lambda, true); p.rateWeight != 1.5 {
		t.Errorf("rate weighs %v times as much, want the middle of 2 and 1", p.rateWeight)
	}
	if p := paceAt(0, 1e-3, 0, slowLambda/100, true); p.rateWeight != lambdaMore || p.zeroMeans {
		t.Errorf("at low lambda: %+v", p)
	}
	if p := paceAt(0, 1e-3, 0, slowLambda*2, true); p.rateWeight != 1 || !p.zeroMeans {
		t.Errorf("at high lambda: %+v", p)
	}
	f, err := newFitter(deadLeaves(4, 3, w, h), w, h, &FitOptions{Arch: Presets[0].Arch(w, h, 3), Lambda: lambda, Pool: fitPool(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	outputs := func() (means, scales float64) {
		for _, id := range []TensorID{ARMW3, ARMWl, ARMB3} {
			v := f.net.params[id].Data
			for i := range v {
				if i < len(v)/2 {
					means += math.Abs(float64(v[i]))
				} else {
					scales += math.Abs(float64(v[i]))
				}
			}
		}
		return means, scales
	}
	_, before := outputs()
	for i := range 5 {
		f.iterate(paceAt(0, 1e-3, i, lambda, true))
	}
	if means, scales := outputs(); means != 0 || scales == before {
		t.Errorf("weights of means are %v, want 0; those of scales went from %v to %v", means, before, scales)
	}
	f.iterate(paceAt(meanFrom, 1e-3, 5, lambda, true))
	if means, _ := outputs(); means == 0 {
		t.Error("means were not learnt later")
	}
}

// TestNetNoise: the networks of long fits get noise, of which only gradients tell.
func TestNetNoise(t *testing.T) {
	const w, h = 48, 40
	const lambda = netNoiseLambda * w * h / netNoisePixels // for one usual step of the synthesis
	for _, c := range []struct {
		x, stride float64
		want      bool
	}{{netNoiseFrom - 0.01, 1e-4, false}, {netNoiseFrom, 1.0 / netNoiseIterations, true}, {0.9, 1e-4, true}, {0.9, 1e-3, false}} {
		if p := paceAt(c.x, c.stride, 100, 1e-3, true); p.netNoise != c.want {
			t.Errorf("at %v, stride %v: %+v", c.x, c.stride, p)
		}
	}
	begun := func() *fitter {
		f, err := newFitter(deadLeaves(4, 3, w, h), w, h, &FitOptions{Arch: Presets[0].Arch(w, h, 3), Lambda: lambda, Pool: fitPool(t, 1)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			f.iterate(paceAt(0, 1e-4, i, lambda, false))
		}
		return f
	}
	f := begun()
	nets := f.net.nets.Clone()
	shake := func() *Nets {
		defer f.net.set(nets)
		f.shakeNets()
		return f.net.nets.Clone()
	}
	for m, v := range shake().Module {
		again, moved := shake().Module[m], 0.0
		for i, v := range v {
			d := math.Ldexp(math.Abs(float64(v-nets.Module[m][i])), usualStep[m])
			moved = max(moved, d)
			if v == again[i] {
				t.Errorf("module %d, %d: %v twice", m, i, v)
			}
		}
		most := netNoiseMost / 2.0
		if !Module(m).arm() {
			most = 0.5
		}
		if n := len(v); n > 0 && !(moved > 0 && moved <= 1.002*most) {
			t.Errorf("module %d: noise of up to %v steps, want %v", m, moved, most)
		}
	}
	// Without a rate nothing but noise would move the networks.
	still := begun()
	f.rate, still.rate = 0, 0
	f.iterate(paceAt(0.5, 1e-4, 5, lambda, false))
	still.iterate(paceAt(0.5, 1e-3, 5, lambda, false))
	if !reflect.DeepEqual(f.net.nets, nets) {
		t.Error("noise stays")
	}
	if reflect.DeepEqual(f.net.grad, still.net.grad) {
		t.Error("noise makes no difference to gradients")
	}
}

// TestFitWorkers: the number of workers does not change a bit, of short fits and of long ones,
// whose networks get noise.
func TestFitWorkers(t *testing.T) {
	const w, h = 67, 45
	pix := deadLeaves(2, 1, w, h)
	for _, iterations := range []int{30, netNoiseIterations} {
		var want *Fitted
		for _, workers := range []int{1, 3} {
			f, err := Fit(context.Background(), pix, w, h, &FitOptions{Arch: Presets[0].Arch(w, h, 1), Lambda: 1e-3, Iterations: iterations,
				RefineNets: 1, Refine: 1, Seed: 7, Pool: fitPool(t, workers)})
			if err != nil {
				t.Fatal(err)
			}
			f.Elapsed = 0
			if want == nil {
				want = f
			} else if !reflect.DeepEqual(f, want) {
				t.Errorf("%d iterations, %d workers: %+v, one: %+v", iterations, workers, f, want)
			}
		}
	}
}

// TestFitCut: a fit that is stopped is a valid one, better the later that is, and one
// that is cancelled none.
func TestFitCut(t *testing.T) {
	const w, h = 40, 31
	pix := deadLeaves(3, 3, w, h)
	a := Presets[0].Arch(w, h, 3)
	var before float64
	for i, after := range []int{0, 25, 100} {
		stop := make(chan struct{})
		stopped := 0
		o := &FitOptions{Arch: a, Lambda: 1e-3, Iterations: 400, Refine: 1, Stop: stop, Progress: func(p FitProgress) {
			switch {
			case stopped > 0:
				stopped++
			case p.Iteration >= after:
				stopped = 1
				close(stop)
			}
		}}
		if after == 0 {
			stopped = 1
			close(stop)
		}
		f, err := Fit(context.Background(), pix, w, h, o)
		if stopped > 1+coolIterations {
			t.Errorf("%d reports of progress after the stop", stopped-1)
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Iterations < after || f.Iterations > after+1+coolIterations {
			t.Errorf("%d iterations, cut after %d", f.Iterations, after)
		}
		stream, err := EncodeStream(&a, f.Nets, f.Latents, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeStream(stream, w, h, 3, nil, 1); err != nil {
			t.Error(err)
		}
		if i > 0 && !(f.Loss < before) {
			t.Errorf("loss %v after %d iterations, %v before", f.Loss, f.Iterations, before)
		}
		before = f.Loss
		ctx, cancel := context.WithCancel(context.Background())
		o.Stop, o.Progress = nil, func(p FitProgress) {
			if ctx.Err() != nil {
				t.Errorf("cancelled, yet at %d of %s", p.Iteration, p.Phase)
			}
			if p.Iteration >= after {
				cancel()
			}
		}
		if f, err := Fit(ctx, pix, w, h, o); f != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d iterations: error %v", after, err)
		}
		cancel()
	}
	// A time limit ends it too: far from all iterations are done.
	f, err := Fit(context.Background(), pix, w, h, &FitOptions{Arch: a, Lambda: 1e-3, Iterations: MaxIterations, TimeLimit: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if f.Iterations == 0 || f.Iterations > 1<<20 {
		t.Errorf("%d iterations in a time limit", f.Iterations)
	}
}

// TestFitCooled: a fit that is stopped early, and has the time for what it does then, comes far
// above the mean colour, whether it has a target or not.
func TestFitCooled(t *testing.T) {
	const w, h, stopAt, above = 90, 80, 30, 7 // dB
	pix := deadLeaves(6, 3, w, h)
	mean := psnr(variance(pix, 3))
	for name, o := range map[string]FitOptions{
		"lambda": {Lambda: 9.5e-4}, "rate": {TargetBPP: 1.6}, "PSNR": {TargetPSNR: 28},
	} {
		stop := make(chan struct{})
		o.Arch, o.Iterations, o.Refine, o.Stop = Presets[0].Arch(w, h, 3), 14000, 1, stop
		o.Progress = func(p FitProgress) {
			if p.Phase == "fit" && p.Iteration == stopAt {
				close(stop)
			}
		}
		f, err := newFitter(pix, w, h, &o)
		if err != nil {
			t.Fatal(err)
		}
		f.coolTime = time.Hour
		r, err := f.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f dB at %.3f bpp after %d iterations, %.2f dB for the mean colour", name, r.PSNR, r.BPP, r.Iterations, mean)
		if r.PSNR < mean+above {
			t.Errorf("%s: %.2f dB, %.2f for the mean colour", name, r.PSNR, mean)
		}
		if r.Iterations < stopAt+coolIterations || r.Iterations > stopAt+70 {
			t.Errorf("%s: %d iterations", name, r.Iterations)
		}
	}
}

// variance returns the mean of the channels' variances.
func variance(pix []float32, channels int) float64 {
	n, v := len(pix)/channels, 0.0
	for c := range channels {
		sum, squares := 0.0, 0.0
		for _, s := range pix[c*n : (c+1)*n] {
			sum += float64(s)
			squares += float64(s) * float64(s)
		}
		v += (squares - sum*sum/float64(n)) / float64(len(pix))
	}
	return v
}

// TestFitPrior: networks of another fit are a better start, and cost less.
func TestFitPrior(t *testing.T) {
	const w, h = 56, 48
	a := Presets[0].Arch(w, h, 1)
	o := FitOptions{Arch: a, Lambda: 4e-3, Iterations: 300}
	first, err := Fit(context.Background(), deadLeaves(4, 1, w, h), w, h, &o)
	if err != nil {
		t.Fatal(err)
	}
	pix := deadLeaves(5, 1, w, h)
	o.Iterations = 50
	scratch, err := Fit(context.Background(), pix, w, h, &o)
	if err != nil {
		t.Fatal(err)
	}
	o.Priors = []*Prior{testPrior(t, a, first.Nets.Nets())}
	warm, err := Fit(context.Background(), pix, w, h, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss %v from nothing, %v from a prior; %v and %v bits of networks", scratch.Loss, warm.Loss, scratch.WeightBits, warm.WeightBits)
	if !(warm.Loss < 0.9*scratch.Loss) {
		t.Errorf("loss %v from a prior, %v from nothing", warm.Loss, scratch.Loss)
	}
}

func TestFitErrors(t *testing.T) {
	good := FitOptions{Arch: Arch{1, 2, 3, 1, 2, 0, 0}, Lambda: 1e-3}
	pix := make([]float32, 12)
	for name, change := range map[string]func(o *FitOptions, pix *[]float32){
		"samples":    func(_ *FitOptions, p *[]float32) { *p = (*p)[1:] },
		"range":      func(_ *FitOptions, p *[]float32) { *p = append([]float32{1.5}, (*p)[1:]...) },
		"NaN":        func(_ *FitOptions, p *[]float32) { *p = append([]float32{float32(math.NaN())}, (*p)[1:]...) },
		"lambda":     func(o *FitOptions, _ *[]float32) { o.Lambda = math.NaN() },
		"iterations": func(o *FitOptions, _ *[]float32) { o.Iterations = -1 },
		"time":       func(o *FitOptions, _ *[]float32) { o.TimeLimit = -1 },
		"targets":    func(o *FitOptions, _ *[]float32) { o.TargetBPP, o.TargetPSNR = 1, 30 },
		"refine":     func(o *FitOptions, _ *[]float32) { o.Refine = 101 },
		"networks":   func(o *FitOptions, _ *[]float32) { o.RefineNets = -1 },
	} {
		o, p := good, append([]float32(nil), pix...)
		change(&o, &p)
		if _, err := Fit(context.Background(), p, 4, 3, &o); !errors.Is(err, ErrFit) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Fit(context.Background(), pix, 4, 3, nil); !errors.Is(err, ErrFit) {
		t.Errorf("no options: error %v", err)
	}
	o := good
	o.Arch.Hidden = 0
	if _, err := Fit(context.Background(), pix, 4, 3, &o); !errors.Is(err, ErrArch) {
		t.Errorf("architecture: error %v", err)
	}
	o = good
	o.NetRate = -1
	if _, err := Fit(context.Background(), pix, 4, 3, &o); !errors.Is(err, ErrFit) {
		t.Errorf("learning rate: error %v", err)
	}
	if _, err := Fit(context.Background(), pix, 4, 3, &good); err != nil {
		t.Errorf("no iterations: error %v", err)
	}
}

// TestFitSizes: the smallest pictures, and flat ones, are fitted like others.
func TestFitSizes(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {3, 1}, {1, 5}, {9, 17}, {130, 2}} {
		w, h := s[0], s[1]
		for _, p := range []Preset{Presets[0], Presets[len(Presets)-1]} {
			pix := make([]float32, 3*w*h)
			for i := range pix {
				pix[i] = float32(i/(w*h)) / 3
			}
			a := p.Arch(w, h, 3)
			f, err := Fit(context.Background(), pix, w, h, &FitOptions{Arch: a, Lambda: 1e-4, Iterations: 60, RefineNets: 1, Refine: 1})
			if err != nil {
				t.Fatal(err)
			}
			stream, err := EncodeStream(&a, f.Nets, f.Latents, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeStream(stream, w, h, 3, nil, 1); err != nil {
				t.Errorf("%d x %d: %v", w, h, err)
			}
			if !(f.Loss < 0.1+1e-4*2000/float64(w*h)) {
				t.Errorf("%d x %d, preset %s: %.2f dB at %.2f bpp", w, h, p.Name, f.PSNR, f.BPP)
			}
		}
	}
}
