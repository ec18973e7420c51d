// Package kernels holds the small numeric loops that the codecs spend their
// time in, each as a readable Go function and, on amd64, as AVX2 and AVX-512
// assembly. It knows nothing of pictures.
//
// # The reference is the specification
//
// The pure-Go function beside each kernel states what it computes, to the bit.
// Every tier returns the same bits, on every architecture: integer kernels wrap
// at 32 bits, and floating-point kernels fix the order of the operations on
// each output element and round every product before it is added. No tier
// fuses a multiplication with an addition, and none uses an approximate
// reciprocal. An entropy coder may therefore depend on the results. The one
// thing left open is the payload of a NaN.
//
// The float32 kernels for training are the exception: [Panels], [Gemm], [DotsF32],
// [DepthwiseF32] and its gradient, and all elementwise functions and sums but
// [ScaleAddF32] and the noise. They may fuse and reorder, and differ between tiers by
// rounding, within the errors that their tests state; nothing that a decoder must
// reproduce may depend on them. For one tier they are deterministic, and they keep no
// state between calls.
//
// # Layouts
//
// Networks that fit one picture, [RowsF32], [ReLUI16] and [LinearI16], and the training
// kernels keep each channel as a plane, its positions side by side. Networks that run at
// every position with many channels, [PanelsI16], [DepthwiseI16] and [DepthwiseF32], keep
// each position as a row, channels last: a layer is then one product of matrices, and
// neighbouring positions lie a row apart.
//
// # Tiers
//
// The tier is chosen once, when the program starts, from what the processor
// has: [Generic] everywhere; [AVX2] on amd64 with AVX2, FMA, BMI2 and POPCNT;
// [AVX512] with AVX-512 F, BW, DQ, VL and VNNI besides. The build tag noasm
// leaves only Generic. The environment variable
// BURIN_KERNELS=generic|avx2|avx512 lowers the choice: it selects the best
// supported tier that is not above the named one, and any other value is
// ignored.
//
// Functions check their arguments and panic where a caller passes slices that
// are too short; they never read or write outside them.
package kernels
