// Package tensor codes tensors of numbers without loss: the weights of networks as they
// are stored and sent, in bfloat16, float16, float32 or any other type.
//
//	stats, err := tensor.Compress(ctx, out, in, nil) // in is a safetensors file
//	err = tensor.Decompress(ctx, back, out, nil)     // back has in's bytes
//
// # What is saved
//
// Trained weights are close to normally distributed, row by row. Their exponents take
// few values, 2.6 bits of information in the 8 of a bfloat16 or a float32; signs and
// mantissas are noise to within a percent. (Hershcovitch et al., "ZipNN", 2024; Zhang et
// al., "DFloat11", 2025.) A bfloat16 thus takes about 10.7 bits of 16, a float32 26.7 of
// 32, and a float16, whose exponent has 5 bits, 13.6 of 16. Numbers that were rounded to
// fewer bits before, a bfloat16 stored as float32, say, shrink to what they hold.
//
// # How
//
// [Append] turns each number left by a bit, which makes the exponent the top byte, takes
// the bytes apart into planes ([kernels.SplitPlanes]), and codes the planes that a sample
// shows to be worth it with a table of their own ([arith.CompressBytes]: interleaved rANS);
// the others are stored. Blocks of half a megabyte, so that rows of different scales get
// different tables and workers have something to share.
//
// # The file
//
// All integers are little endian or unsigned varints.
//
//	"burT", version 1
//	bytes of the safetensors header and of its DEFLATE form, varints; that form; CRC-32C
//	for each block of 512 KiB, or less at the end of a tensor, tensors in order of bytes:
//	  length, a varint; that many bytes made by Append; CRC-32C of the numbers
//
// The header is kept byte for byte, so that the file that comes back is the one that
// went in, with its metadata, its order of names and its padding.
//
// # Untrusted input
//
// Sizes are checked against limits before memory is taken for them, and memory grows
// with the bytes that arrive. Damage is an error that wraps [ErrCorrupt], and a file that
// stands for more than [Options.MaxBytes] one that wraps [tensorfile.ErrTooLarge]. What
// was written before an error is a part of the right file, to be thrown away.
package tensor
