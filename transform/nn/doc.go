// Package nn trains small networks on the CPU: layers with hand-written forward
// and backward passes over float32 pictures and blocks of positions, optimisers,
// schedules, and the fixed pool of workers that they share.
//
// There is no graph and no automatic differentiation. A network is code that
// calls Forward of its layers in order, puts the gradient of the loss with
// respect to the last output into a buffer, and calls Backward in the opposite
// order. Backward adds the gradients of the parameters to [Param].Grad and sets
// those of the inputs. Buffers are allocated when a layer first meets a size;
// after that no step allocates.
//
// # Which layer is for what
//
//   - [MLP] is a small fully connected network evaluated at many positions, a block
//     of [BlockSize] at a time, so that activations stay in cache between its
//     layers, and between forward and backward where the loss can be had block by
//     block. [Pixelwise] runs one over all positions of a [Tensor], and [Context]
//     makes inputs of the neighbours of each position in a plane.
//   - [Conv2D] is a convolution of any kernel size, stride and number of groups,
//     [ConvTranspose2D] its transpose.
//   - [Separable] is a symmetric filter with learned taps, or x2 upsampling by one.
//   - [Dense], [GELU], [LayerNorm] and [Attention] are the layers of transformers, on
//     rows: a matrix [rows][width] with a row for each token. Tokens of a sequence that
//     stand for several, or are hidden, have biases in [Attention.Forward].
//   - The losses are [SquaredError] for pictures and [CrossEntropy] for classes.
//
// # Determinism
//
// For one seed and one tier of the kernels, results are the same to the bit for
// any number of workers: work is divided into pieces by its size alone, each
// piece sums its own gradients of the parameters, and the pieces are added up in
// order. Between tiers results differ by rounding. Nothing that a decoder must
// reproduce may depend on this package.
//
// Layers, blocks and optimisers are for one goroutine at a time; the pool is what
// makes them parallel.
package nn
