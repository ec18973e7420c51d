// Package blocks holds the weights of language models in few bits: block formats, their
// encoders and decoders, and products with 8-bit activations.
//
// # Formats
//
// A row of weights is cut into blocks; the weights of a block, or of a group within it,
// are levels of a small codebook times a scale.
//
//	format    bits   block  scale         levels
//	Q8_0      8.5    32     float16       -128 to 127
//	Q4_0      4.5    32     float16       -8 to 7
//	IQ4_NL    4.5    32     float16       16, finer in the middle
//	MXFP4     4.25   32     power of two  0, ±0.5, ±1, ±1.5, ±2, ±3, ±4, ±6 (E2M1)
//	NVFP4     4.5    16     FP8 (E4M3)    the same
//	TQ2_0     2.0625 256    float16       -1, 0, 1, two bits each
//	TQ1_0     1.6875 256    float16       -1, 0, 1, five to a byte
//	NF4       4.25   64     float16       16 quantiles of the normal distribution
//	Int4G32   4.75   32     float16       0 to 15 less the group's zero point
//	Int4G64   4.375  64     float16
//	Int4G128  4.1875 128    float16
//
// The first seven have the layout of GGUF files byte for byte (ggml-org/ggml,
// ggml-common.h and gguf-py), and decode to the same bits as its reference; package
// gguf reads such files. NF4 has the levels of Dettmers et al., "QLoRA", 2023, and the
// last three are what GPTQ and AWQ produce; their layouts are this package's: a scale,
// for Int4 the zero point in a byte, and the codes as in Q4_0, the first half of the block
// in the low halves of the bytes.
//
// # Products
//
// [Matrix] holds a matrix with the rows interleaved for the processor, in the same number
// of bits (half a bit more for NVFP4, a quarter for MXFP4, and TQ1_0 as TQ2_0), and
// multiplies it with [Activations], vectors in 8 bits with a scale for each group. One kernel with a table of 16 levels serves all formats of four bits. Sums within
// a group are exact integers and groups are added in order, rounded to float32 after every
// operation, so that the product has the same bits in every tier of package kernels.
// [PlaneMatrix] looks sums up in tables instead. [PatternMatrix] has eight weights in a
// code of 16 bits, as E8P, and a table of patterns from its caller.
package blocks
