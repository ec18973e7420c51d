package nn

import "fmt"

// A Tensor is a picture of planes: Data[(c*H+y)*W+x], [C][H][W].
type Tensor struct {
	C, H, W int
	Data    []float32
}

// NewTensor returns a tensor of zeros.
func NewTensor(c, h, w int) *Tensor {
	return &Tensor{C: c, H: h, W: w, Data: make([]float32, c*h*w)}
}

// Plane returns plane c, [H][W].
func (t *Tensor) Plane(c int) []float32 {
	n := t.H * t.W
	return t.Data[c*n : (c+1)*n : (c+1)*n]
}

// row returns row y of plane c.
func (t *Tensor) row(c, y int) []float32 {
	i := (c*t.H + y) * t.W
	return t.Data[i : i+t.W : i+t.W]
}

// need panics unless t has the given shape.
func (t *Tensor) need(what string, c, h, w int) {
	if t.C != c || t.H != h || t.W != w || len(t.Data) != c*h*w {
		panic(fmt.Sprintf("nn: %s is [%d][%d][%d] of %d elements, want [%d][%d][%d]", what, t.C, t.H, t.W, len(t.Data), c, h, w))
	}
}
