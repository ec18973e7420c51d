// Package vq holds the quantisers of the field: what turns vectors of numbers, such as
// patches and latents of pictures, tokens, and weights of language models, into small
// integers and back.
//
// A [Quantiser] takes rows of float32 and gives each a fixed number of codes. [Pack]
// writes codes in whole bits; codes that are not equally likely, see [Usages], are
// better given to an entropy coder, with statistics for each position of Sizes.
//
//	q, err := vq.TrainPQ(x, 16, 4, 256, nil) // four codebooks of 256 words for vectors of 16
//	codes := make([]uint32, 4*n)
//	q.Encode(codes, x)
//	q.Decode(y, codes)
//
// # Which one is for what
//
// Codebooks, learned from vectors, the better the more bits they spend on each:
//
//   - [Codebook] is one list of words: the smallest error at its rate, for up to some
//     16 bits a vector, beyond which neither memory nor time suffice. [TrainKMeans] finds
//     the words, [EMA] learns them online, and [Codebook.Shrink] makes a small codebook
//     of a large one.
//   - [PQ] and [OPQ] divide the vector: fast, and the larger the error the more the parts
//     depend on one another. OPQ turns it first.
//   - [RQ] sums words of several codebooks; its first codes alone are a coarser vector.
//     [LSQ] sums as well, errs least, and takes the longest to encode. [GRVQ] and
//     [MCRVQ] are between them and PQ.
//   - [SSVQ] sends signs apart, for vectors whose signs are arbitrary.
//   - [NewSimVQ], [NewVQGANLC] and [NewIBQ] are codebooks that learn inside a network,
//     with an encoder that learns to go to their words; see [Learner].
//
// Scalars, lattices and rotations, which need little or no training:
//
//   - [LloydMax] and [LVQ] quantise each element on its own; [FSQ] and [LFQ] do so for
//     latents of networks, which learn to fit.
//   - [VoronoiCode], [E8P] and [GLVQ] take points of lattices: at the same rate they err
//     less than scalars, and they have no codebook to store. [Trellis] errs less still.
//   - [HIGGS], [NSN], [RaBitQ] and [SAQ] turn vectors before they quantise them, so that
//     any of them is close to normally distributed.
//
// How they compare in error, bits and speed is measured in doc/vq-books.md for
// codebooks and in doc/vq-grids.md for the others; burin bench vq repeats it.
//
// # Determinism
//
// Training depends on the data, the options with their seed, and the tier of the
// kernels, not on the number of workers; neither does encoding. Between tiers
// training may differ by rounding, and so may an encoder's choice between words that
// are equally near. Decoding is exact: the same codes and the same stored quantiser
// give the same bits everywhere.
//
// # Security
//
// [Unmarshal] and [Unpack] check whatever they are given. Decode panics on codes that
// are not below their sizes; codes from elsewhere must have gone through [Unpack] or
// [CheckCodes].
package vq
