package nn

import "github.com/burin-codec/burin/kernels"

// axpy adds x to y.
func axpy(y, x []float32) { kernels.AxpbyF32(y, 1, x, 1) }

// A SquaredError is the sum of squared differences from a target.
type SquaredError struct {
	pool          *Pool
	sums          []float64 // of each task
	dy, y, target []float32
	weight        float32
	task          func(worker, task int)
}

// A task of the loss is a number of chunks, each of which stays in cache while it is
// gone over.
const (
	lossChunk = 4096
	lossTask  = 16 * lossChunk
)

// NewSquaredError returns the loss on the workers of pool.
func NewSquaredError(pool *Pool) *SquaredError {
	s := &SquaredError{pool: pool}
	s.task = func(_, task int) {
		sum := 0.0
		end := min((task+1)*lossTask, len(s.y))
		for at := task * lossTask; at < end; at += lossChunk {
			to := min(at+lossChunk, end)
			d := s.dy[at:to]
			copy(d, s.y[at:to])
			kernels.AxpbyF32(d, 1, s.target[at:to], -1)
			sum += kernels.DotF32(d, d)
			kernels.AxpbyF32(d, 0, d, 2*s.weight)
		}
		s.sums[task] = sum
	}
	return s
}

// Loss returns the sum of (y-target)², and sets dy to its gradient with respect to y,
// times weight. The three are of one shape; dy may be y.
func (s *SquaredError) Loss(dy, y, target *Tensor, weight float32) float64 {
	y.need("output", target.C, target.H, target.W)
	dy.need("gradient", target.C, target.H, target.W)
	s.dy, s.y, s.target, s.weight = dy.Data, y.Data, target.Data, weight
	tasks := (len(s.y) + lossTask - 1) / lossTask
	if cap(s.sums) < tasks {
		s.sums = make([]float64, tasks)
	}
	s.sums = s.sums[:tasks]
	s.pool.Run(tasks, s.task)
	s.dy, s.y, s.target = nil, nil, nil
	sum := 0.0
	for _, v := range s.sums {
		sum += v
	}
	return sum
}
