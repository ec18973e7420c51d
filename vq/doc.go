// Package vq holds the quantisers of the field: what turns vectors of numbers, such as
// patches and latents of pictures, tokens, and weights of language models, into small
// integers and back.
//
// A [Quantiser] takes rows of float32 and gives each a fixed number of codes. [Pack]
// writes codes in whole bits; codes that are not equally likely, see [Usages], are
// better given to an entropy coder, with statistics for each position of Sizes.
//
//	q, err := vq.TrainPQ(x, 16, 4, nil) // four codebooks of 256 words for 16 elements
//	codes := make([]uint32, 4*n)
//	q.Encode(codes, x)
//	q.Decode(y, codes)
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
