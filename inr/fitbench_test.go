package inr

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// BenchmarkFit is one iteration at 768 x 512 by stages.
func BenchmarkFit(b *testing.B) {
	const w, h = 768, 512
	for _, p := range Presets {
		for _, workers := range []int{1, 2} {
			b.Run(p.Name+"/"+string(rune('0'+workers)), func(b *testing.B) { benchmarkFit(b, p.Arch(w, h, 3), w, h, workers) })
		}
	}
}

func benchmarkFit(b *testing.B, a Arch, w, h, workers int) {
	pix := make([]float32, 3*w*h)
	r := rand.New(rand.NewPCG(1, 30))
	for i := range pix {
		pix[i] = r.Float32()
	}
	pool := nn.NewPool(workers)
	defer pool.Close()
	f, err := newFitter(pix, w, h, &FitOptions{Arch: a, Lambda: 1e-3, Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	for range 3 { // so that latents are not zero
		f.iterate(paceAt(0, 1e-3, 100, 1e-3, false))
	}
	n := f.net
	stages := []struct {
		name string
		f    func()
	}{
		{"latents", func() { f.lat.see(0.3, 0.2); f.lat.step(0, 0.9, 0.9) }},
		{"upsample", n.upsample},
		{"upsample-back", n.upsampleBack},
		{"mlp", func() { n.points.Forward(n.point, n.z[0]) }},
		{"mlp-back", func() { n.points.Backward(n.dz[0], n.dPoint, n.z[0], true) }},
		{"conv", func() { n.conv1.Forward(n.r, n.u); n.conv2.Forward(n.t, n.r) }},
		{"conv-back", func() {
			n.conv2.Backward(n.dr, n.t, n.r, nil, true)
			n.conv1.Backward(n.du, n.dr, n.u, nil, true)
		}},
		{"pixels", func() {
			pool.Run(chunks(len(n.r.Data)), n.rectify)
			pool.Run(len(n.errors), n.compare)
			pool.Run(chunks(len(n.r.Data)), n.gate)
		}},
		{"arm", func() { n.arm.pass(1e-9, true, true) }},
		{"arm-load", func() { pool.Run(len(n.arm.contexts), n.arm.load) }},
		{"arm-collect", func() { pool.Run(len(n.arm.contexts), n.arm.collect) }},
		{"nets", func() { f.nets.Step(); n.refresh() }},
	}
	b.ResetTimer()
	for b.Loop() {
		f.iterate(paceAt(0, 1e-3, 100, 1e-3, false))
	}
	total := b.Elapsed().Seconds() / float64(b.N)
	arm, up, synthesis := a.MACs()
	// The synthesis' first part goes forward twice.
	macs := 3*(arm+up+synthesis) + float64(a.Hidden*(a.Planes()+a.trunk())+a.Planes()*a.Channels)
	b.ReportMetric(2*macs*float64(w*h)/total/1e9, "GFLOP/s")
	for _, s := range stages {
		best := 1e9
		for range 15 {
			start := time.Now()
			s.f()
			best = min(best, time.Since(start).Seconds())
		}
		b.ReportMetric(1000*best, s.name+"-ms")
	}
	start := time.Now()
	flops := kernels.FMALoop(100000)
	b.ReportMetric(float64(flops)/time.Since(start).Seconds()/1e9, "peak-GFLOP/s")
}
