// Package kv compresses the keys and values that a transformer keeps of visual tokens:
// it quantises them to between 1 and 4 bits a number, keeps what matters at more, and
// codes the result without further loss.
//
// # What it does
//
// A cache is two tensors, keys and values, of layers x heads x tokens x dim numbers.
// [Quantise] cuts each head of each layer into groups, gives each group a zero point
// and a scale, and rounds its numbers to 2 to 16 evenly spaced levels. Keys have
// channels that are far larger than others, so a group is consecutive tokens of one
// channel; values have not, so theirs is consecutive channels of one token (KIVI,
// arXiv 2402.02750). [Options] say more:
//
//   - 1.58 bits are three levels, five in a byte; 1.5 bits are 2 for the half of the
//     channels whose range is largest and 1 for the others (VidKV, arXiv 2503.16257).
//   - Levels are fitted to each group by least squares, or so that sums of many numbers
//     have no bias, or span it from the smallest number to the largest, as is usual.
//   - Rotation by a Hadamard matrix spreads outlying channels over all (RotateKV,
//     arXiv 2501.16383); with tokens normalised and channels centred before, what is
//     left is close to a normal distribution (NSNQuant, arXiv 2505.18231).
//   - Tokens belong to classes with bits of their own: those with most attention may
//     have more (ZipVL, arXiv 2410.08584; see [Important]), the last ones may stay as
//     they are, others may be dropped, and [ScaleBudgets] gives each scale of a
//     next-scale model its share (after ScaleKV, arXiv 2505.19602).
//
// [Cache.WriteTo] writes a safetensors file, the levels packed or coded arithmetically
// with the token before as context (after CacheGen, arXiv 2310.07240), and [Read] reads
// it back.
//
// # Exactness
//
// What a file decodes to is what the encoder's [Cache.Dequantise] returned, to the bit,
// on every machine: a number is a scale times an integer, rounded once, and what undoes
// a rotation is done in a fixed order. The bytes do not depend on the number of workers
// or on the instructions that the processor has.
//
// # Untrusted input
//
// Read checks sizes against [Limits] before it allocates and returns an error that
// wraps [ErrFormat] for what no encoder wrote. It does not check sums: transport should.
package kv
