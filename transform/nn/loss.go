package nn

import "github.com/burin-codec/burin/kernels"

// axpy adds x to y.
func axpy(y, x []float32) { kernels.AxpbyF32(y, 1, x, 1) }

// SquaredError returns the sum of (y-target)², and sets dy to its gradient times
// weight, for three tensors of one shape.
func SquaredError(dy, y, target *Tensor, weight float32) float64 {
	y.need("output", target.C, target.H, target.W)
	dy.need("gradient", target.C, target.H, target.W)
	copy(dy.Data, y.Data)
	kernels.AxpbyF32(dy.Data, 1, target.Data, -1)
	loss := kernels.DotF32(dy.Data, dy.Data)
	kernels.AxpbyF32(dy.Data, 0, dy.Data, 2*weight)
	return loss
}
