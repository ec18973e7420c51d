package convnet

import (
	"fmt"
	"slices"
)

// An OpKind names an operation; see the package's documentation.
type OpKind string

// The operations.
const (
	OpLinear OpKind = "linear"
	OpBlock  OpKind = "block"
	OpDown   OpKind = "down"
	OpUp     OpKind = "up"
	OpRate   OpKind = "rate"
)

// An Op is an operation of a network. Fields that its kind does not name are zero.
type Op struct {
	Kind    OpKind `json:"kind"`
	Out     int    `json:"out,omitempty"`     // OpLinear: channels
	ReLU    bool   `json:"relu,omitempty"`    // OpLinear
	Hidden  int    `json:"hidden,omitempty"`  // OpBlock: channels between the two products
	Factor  int    `json:"factor,omitempty"`  // OpDown, OpUp
	Anchors int    `json:"anchors,omitempty"` // OpRate: at least 2
}

// Linear, Rectified, Block, Down, Up and Rate return operations.
func Linear(out int) Op    { return Op{Kind: OpLinear, Out: out} }
func Rectified(out int) Op { return Op{Kind: OpLinear, Out: out, ReLU: true} }
func Block(hidden int) Op  { return Op{Kind: OpBlock, Hidden: hidden} }
func Down(factor int) Op   { return Op{Kind: OpDown, Factor: factor} }
func Up(factor int) Op     { return Op{Kind: OpUp, Factor: factor} }
func Rate(anchors int) Op  { return Op{Kind: OpRate, Anchors: anchors} }

// Blocks returns n blocks.
func Blocks(n, hidden int) []Op { return slices.Repeat([]Op{Block(hidden)}, n) }

// Bounds of a network, which keep a file's from asking for more memory than a model
// has any use for.
const (
	MaxOps      = 256
	MaxChannels = 4096
	MaxFactor   = 16
	MaxAnchors  = 64
)

// channels returns the number of channels that op makes of in.
func (op Op) channels(in int) (int, error) {
	out := in
	ok := true
	switch op.Kind {
	case OpLinear:
		out = op.Out
	case OpBlock:
		ok = op.Hidden >= 1 && op.Hidden <= MaxChannels
	case OpDown:
		ok = op.Factor >= 2 && op.Factor <= MaxFactor
		out = in * op.Factor * op.Factor
	case OpUp:
		ok = op.Factor >= 2 && op.Factor <= MaxFactor && in%(op.Factor*op.Factor) == 0
		out = in / max(op.Factor*op.Factor, 1)
	case OpRate:
		ok = op.Anchors >= 2 && op.Anchors <= MaxAnchors
	default:
		return 0, fmt.Errorf("convnet: unknown operation %q", op.Kind)
	}
	if !ok || out < 1 || out > MaxChannels {
		return 0, fmt.Errorf("convnet: operation %+v on %d channels", op, in)
	}
	return out, nil
}

// Channels returns the number of channels after each of the operations on in channels,
// or what is wrong with them.
func Channels(in int, ops []Op) ([]int, error) {
	if in < 1 || in > MaxChannels || len(ops) > MaxOps {
		return nil, fmt.Errorf("convnet: %d operations on %d channels", len(ops), in)
	}
	c := make([]int, len(ops))
	for i, op := range ops {
		var err error
		if in, err = op.channels(in); err != nil {
			return nil, err
		}
		c[i] = in
	}
	return c, nil
}

// MACs returns the multiplications of a network on in channels for each position of
// its input, depthwise convolutions included, or an error.
func MACs(in int, ops []Op) (float64, error) {
	channels, err := Channels(in, ops)
	if err != nil {
		return 0, err
	}
	var sum float64
	positions := 1.0 // for each of the input's
	for i, op := range ops {
		switch op.Kind {
		case OpLinear:
			sum += positions * float64(in*op.Out)
		case OpBlock:
			sum += positions * float64(9*in+2*in*op.Hidden)
		case OpDown:
			positions /= float64(op.Factor * op.Factor)
		case OpUp:
			positions *= float64(op.Factor * op.Factor)
		}
		in = channels[i]
	}
	return sum, nil
}

// Weights returns the number of parameters of a network on in channels, or an error.
func Weights(in int, ops []Op) (int, error) {
	channels, err := Channels(in, ops)
	if err != nil {
		return 0, err
	}
	sum := 0
	for i, op := range ops {
		switch op.Kind {
		case OpLinear:
			sum += (in + 1) * op.Out
		case OpBlock:
			sum += 10*in + (in+1)*op.Hidden + (op.Hidden+1)*in
		case OpRate:
			sum += op.Anchors * in
		}
		in = channels[i]
	}
	return sum, nil
}

// A Shape is a batch of N grids of H x W positions.
type Shape struct{ N, H, W int }

// Rows returns the number of positions.
func (s Shape) Rows() int { return s.N * s.H * s.W }

// after returns the shape that op makes of s.
func (op Op) after(s Shape) Shape {
	switch op.Kind {
	case OpDown:
		if s.H%op.Factor != 0 || s.W%op.Factor != 0 {
			panic(fmt.Sprintf("convnet: a grid of %d x %d does not divide by %d", s.H, s.W, op.Factor))
		}
		return Shape{s.N, s.H / op.Factor, s.W / op.Factor}
	case OpUp:
		return Shape{s.N, s.H * op.Factor, s.W * op.Factor}
	}
	return s
}
