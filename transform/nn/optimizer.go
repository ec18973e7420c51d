package nn

import (
	"math"

	"github.com/burin-codec/burin/kernels"
)

// A Group is parameters that are learned in the same way. Its numbers may be changed
// between steps.
type Group struct {
	Params []*Param
	Rate   float64 // learning rate
	Beta1  float64 // decay of the running mean of gradients; 0.9 is usual
	Beta2  float64 // decay of the running mean of their squares; 0.999 is usual
	// Epsilon is added to the root of the mean square: 1e-8 is usual.
	Epsilon float64
	// WeightDecay pulls parameters to zero by Rate*WeightDecay of them each step.
	WeightDecay float64
	// MaxNorm, if above 0, bounds the Euclidean norm of the group's gradient: it is
	// scaled down to that.
	MaxNorm float64
}

// GradNorm returns the Euclidean norm of the gradients of params.
func GradNorm(params []*Param) float64 {
	var s float64
	for _, p := range params {
		s += kernels.DotF32(p.Grad, p.Grad)
	}
	return math.Sqrt(s)
}

// clip returns the factor that brings the gradient within MaxNorm.
func (g *Group) clip() float64 {
	if g.MaxNorm <= 0 {
		return 1
	}
	if n := GradNorm(g.Params); n > g.MaxNorm {
		return g.MaxNorm / n
	}
	return 1
}

// step returns the constants of step n, counted from 1.
func (g *Group) step(n int) kernels.AdamStep {
	return kernels.AdamStep{
		GradScale: float32(g.clip()),
		Beta1:     float32(g.Beta1),
		Beta2:     float32(g.Beta2),
		Rate:      float32(g.Rate / (1 - math.Pow(g.Beta1, float64(n)))),
		Square:    float32(1 / (1 - math.Pow(g.Beta2, float64(n)))),
		Epsilon:   float32(g.Epsilon),
		Decay:     float32(g.Rate * g.WeightDecay),
	}
}

// Adam is the optimiser of Kingma and Ba ("Adam: A Method for Stochastic
// Optimization", 2015), with decoupled weight decay.
type Adam struct {
	Groups []Group
	pool   *Pool
	steps  int
	state  [][]adamState // [groups][params]

	// The step that runs.
	constants kernels.AdamStep
	param     *Param
	of        *adamState
	task      func(worker, task int)
}

type adamState struct{ m, v []float32 }

func newAdamState(p *Param) adamState {
	return adamState{make([]float32, len(p.Data)), make([]float32, len(p.Data))}
}

// adamChunk is how many parameters one worker updates at a time.
const adamChunk = 1 << 14

// NewAdam returns an optimiser of the groups, which it keeps in Groups.
func NewAdam(pool *Pool, groups ...Group) *Adam {
	a := &Adam{Groups: groups, pool: pool}
	for _, g := range groups {
		var s []adamState
		for _, p := range g.Params {
			s = append(s, newAdamState(p))
		}
		a.state = append(a.state, s)
	}
	a.task = func(_, i int) {
		from, to := i*adamChunk, min((i+1)*adamChunk, len(a.param.Data))
		kernels.AdamF32(a.param.Data[from:to], a.param.Grad[from:to], a.of.m[from:to], a.of.v[from:to], &a.constants)
	}
	return a
}

// Step moves the parameters against their gradients, which it leaves.
func (a *Adam) Step() {
	a.steps++
	for i := range a.Groups {
		g := &a.Groups[i]
		a.constants = g.step(a.steps)
		for j, p := range g.Params {
			a.param, a.of = p, &a.state[i][j]
			a.pool.Run((len(p.Data)+adamChunk-1)/adamChunk, a.task)
		}
	}
}

// State returns the number of steps taken, and the running means and mean squares of
// each parameter in turn, for training to be saved and gone on with: they may be
// written to.
func (a *Adam) State() (steps *int, arrays [][]float32) {
	for _, g := range a.state {
		for i := range g {
			arrays = append(arrays, g[i].m, g[i].v)
		}
	}
	return &a.steps, arrays
}

// Cosine goes from one rate to another along half a cosine, as step goes from 0 to
// steps.
func Cosine(from, to float64, step, steps int) float64 {
	if step >= steps {
		return to
	}
	return to + (from-to)*(1+math.Cos(math.Pi*float64(step)/float64(steps)))/2
}

// Trapezoid is a rate that rises over the first warm of so many steps, stays, and falls to
// nothing over the share decay of them at the end.
func Trapezoid(rate float64, step, steps, warm int, decay float64) float64 {
	if step < warm {
		rate *= float64(step+1) / float64(warm)
	}
	if falling := int(decay * float64(steps)); step > steps-falling {
		rate *= float64(steps-step) / float64(falling)
	}
	return rate
}

// An Average is an exponentially decaying average of parameters over the steps of
// training; it is often better than the last of them.
type Average struct {
	params []*Param
	mean   [][]float32
	decay  float64
	weight float64 // of the steps so far, which starts below 1
}

// NewAverage returns an average that keeps the given part of itself each step, such
// as 0.99.
func NewAverage(params []*Param, decay float64) *Average {
	a := &Average{params: params, decay: decay}
	for _, p := range params {
		a.mean = append(a.mean, make([]float32, len(p.Data)))
	}
	return a
}

// Update takes the parameters into the average.
func (a *Average) Update() {
	// The average of the steps so far, not one with the zero it began with: the new
	// step's share is its weight among all.
	a.weight = a.decay*a.weight + 1 - a.decay
	share := (1 - a.decay) / a.weight
	for i, p := range a.params {
		kernels.AxpbyF32(a.mean[i], float32(1-share), p.Data, float32(share))
	}
}

// State returns the weight of the steps so far, below 1, and the average of each
// parameter, for training to be saved and gone on with: they may be written to.
func (a *Average) State() (weight *float64, arrays [][]float32) { return &a.weight, a.mean }

// Swap exchanges the parameters and the average, to use it and to go on training: call
// it before and after, with no Update between. Layers need their Refresh.
func (a *Average) Swap() {
	for i, p := range a.params {
		for j, v := range p.Data {
			p.Data[j], a.mean[i][j] = a.mean[i][j], v
		}
	}
}
