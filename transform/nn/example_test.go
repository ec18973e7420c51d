package nn_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// A network learns the product of its two inputs.
func ExampleMLP() {
	m, err := nn.NewMLP("product", nn.MLPConfig{In: 2, Layers: []nn.MLPLayer{{Out: 16, Act: nn.ReLU}, {Out: 16, Act: nn.ReLU}, {Out: 1}}})
	if err != nil {
		log.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	m.Init(r)
	opt := nn.NewAdam(nil, nn.Group{Params: m.Params(), Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8})
	grad := nn.NewPartials(m.Params())
	grad.Resize(1)
	block := m.NewBlock()
	const n, steps = 256, 1000
	var loss float64
	for i := range steps {
		kernels.UniformF32(block.Input(0)[:n], uint32(i), 0, -1, 1)
		kernels.UniformF32(block.Input(1)[:n], uint32(i), n, -1, 1)
		m.Forward(block, n)
		x, y, out, d := block.Input(0), block.Input(1), block.Output(0), block.OutputGrad(0)
		for j := range n {
			d[j] = (out[j] - x[j]*y[j]) / n
		}
		loss = kernels.DotF32(d[:n], d[:n]) * n
		nn.ZeroGrad(m.Params())
		m.Backward(block, n, grad.Piece(0), false)
		grad.Reduce()
		opt.Groups[0].Rate = nn.Cosine(0.01, 0, i, steps)
		opt.Step()
		m.Refresh()
	}
	fmt.Println("learned:", loss < 1e-3)
	// Output: learned: true
}
