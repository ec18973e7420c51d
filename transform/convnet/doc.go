// Package convnet holds the convolutional networks of the learned codecs: analysis and
// synthesis transforms, hyperprior and context networks, in float32 with their
// gradients.
//
// All of them work on rows, a row of channels for each position of a grid, and on
// coarse grids only: a picture is cut into squares of 8 x 8 pixels, whose values become
// the channels of one position ([OpDown]), and goes back the same way ([OpUp]). So
// nearly all multiplications are products of large matrices, and a position's
// neighbours come in through depthwise convolutions, which cost next to nothing.
//
// # Operations
//
//   - OpLinear: y = W x + b at each position, and a rectifier after it if wanted.
//   - OpBlock: y = x + W2 relu(W1 (d * x) + b1) + b2, d being a depthwise 3x3
//     convolution with zeros around the grid. New blocks are the identity, so that
//     a network of them starts as the linear transform that it was given.
//   - OpDown: squares of n x n positions become the channels of one, row by row.
//   - OpUp: the reverse.
//   - OpRate: adds a vector for each channel that depends on the rate at which a
//     picture is coded, interpolated between anchors, so that one network serves all.
//
// # Determinism
//
// Training differs between SIMD tiers by rounding, as that of package nn. For one seed
// and tier it does not depend on the number of workers.
package convnet
