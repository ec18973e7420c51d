package inr

import (
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// fitLatents are the real numbers whose rounding is coded, in units of the integers,
// and Adam's state for them. While they are fitted, what the networks see in place of
// the integers is
//
//	s = softround(y, T) + noise * N(0, 1)    z = softround(s, T)
//
// after Agustsson and Theis ("Universally Quantized Neural Compression", 2020) and
// Cool-Chic: at a high temperature T nearly the identity with noise, at a low one
// nearly rounding.
//
// Adam divides by the root of each latent's mean square gradient, so latents that hardly
// matter move as fast as those that do. The curvature of the distortion is about the same
// all over a grid; so a part latentShare of the mean square is that of the grid.
type fitLatents struct {
	f           *fitNet
	y, s, m, v  [][]float32 // [Grids][h*w]
	chunks      []latentChunk
	squares     []float64 // sums of v over chunks
	means       []float32 // of v, unbiased, over grids, of the last step
	noise       []float32 // normal variates, of which runs are used
	temperature float32
	deviation   float32
	seed, pass  uint64
	steps       int
	adam        []kernels.AdamStep // of the grids
	soften      func(worker, task int)
	move        func(worker, task int)
	round       func(worker, task int)
}

// A latentChunk is a range of a grid.
type latentChunk struct{ grid, from, to int }

// noiseSize is how many normal variates there are; chunks take runs of them from
// random places on.
const noiseSize = 1 << 16

func newFitLatents(f *fitNet, seed uint64) *fitLatents {
	l := &fitLatents{f: f, seed: seed, noise: make([]float32, noiseSize+fitChunk)}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range l.noise {
		l.noise[i] = float32(r.NormFloat64())
	}
	for i, z := range f.lat {
		n := z.H * z.W
		for _, p := range []*[][]float32{&l.y, &l.s, &l.m, &l.v} {
			*p = append(*p, make([]float32, n))
		}
		for c := range chunks(n) {
			from, to := chunk(n, c)
			l.chunks = append(l.chunks, latentChunk{i, from, to})
		}
	}
	l.squares, l.means = make([]float64, len(l.chunks)), make([]float32, len(l.y))
	l.adam = make([]kernels.AdamStep, len(l.y))
	l.soften, l.move, l.round = l.softenChunk, l.moveChunk, l.roundChunk
	return l
}

// see sets z of the networks to what they are to see, with new noise.
func (l *fitLatents) see(temperature, deviation float64) {
	l.temperature, l.deviation = float32(temperature), float32(deviation)
	l.pass++
	l.f.pool.Run(len(l.chunks), l.soften)
}

func (l *fitLatents) softenChunk(_, i int) {
	c := l.chunks[i]
	s, z := l.s[c.grid][c.from:c.to], l.f.lat[c.grid].Data[c.from:c.to]
	kernels.SoftRoundF32(s, l.y[c.grid][c.from:c.to], l.temperature)
	at := mix(l.seed, l.pass, uint64(i)) % noiseSize
	kernels.AxpbyF32(s, 1, l.noise[at:][:len(s)], l.deviation)
	kernels.SoftRoundF32(z, s, l.temperature)
}

// mix returns a number that looks random (SplitMix64 of Steele, Lea and Flood, 2014).
func mix(seed, pass, task uint64) uint64 {
	x := seed + 0x9e3779b97f4a7c15*(pass<<20+task+1)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// step moves the latents by Adam against the gradients in dz, which it destroys.
func (l *fitLatents) step(rate, beta1, beta2 float64) {
	l.steps++
	n := float64(l.steps)
	unbias := 1 / (1 - math.Pow(beta2, n))
	for g := range l.adam {
		l.adam[g] = kernels.AdamStep{GradScale: 1, Beta1: float32(beta1), Beta2: float32(beta2),
			Rate: float32(rate / (1 - math.Pow(beta1, n))), Square: float32((1 - latentShare) * unbias),
			Floor: latentShare * l.means[g], Epsilon: 1e-10}
	}
	l.f.pool.Run(len(l.chunks), l.move)
	clear(l.means)
	for i, c := range l.chunks {
		l.means[c.grid] += float32(l.squares[i] * unbias / float64(len(l.y[c.grid])))
	}
}

func (l *fitLatents) moveChunk(_, i int) {
	c := l.chunks[i]
	y, dz := l.y[c.grid][c.from:c.to], l.f.dlat[c.grid].Data[c.from:c.to]
	kernels.SoftRoundGradF32(dz, dz, l.s[c.grid][c.from:c.to], l.temperature)
	kernels.SoftRoundGradF32(dz, dz, y, l.temperature)
	v := l.v[c.grid][c.from:c.to]
	kernels.AdamF32(y, dz, l.m[c.grid][c.from:c.to], v, &l.adam[c.grid])
	l.squares[i] = kernels.SumF32(v)
}

// harden sets z of the networks to the integers.
func (l *fitLatents) harden() { l.f.pool.Run(len(l.chunks), l.round) }

func (l *fitLatents) roundChunk(_, i int) {
	c := l.chunks[i]
	z := l.f.lat[c.grid].Data[c.from:c.to]
	for i, v := range l.y[c.grid][c.from:c.to] {
		z[i] = float32(roundLatent(v))
	}
}

func roundLatent(v float32) int8 {
	return int8(min(max(math.Floor(float64(v)+0.5), -LatentMax), LatentMax))
}

// integers sets the latents to the integers.
func (l *fitLatents) integers(to Latents) {
	for i, y := range l.y {
		for j, v := range y {
			to[i].V[j] = roundLatent(v)
		}
	}
}
