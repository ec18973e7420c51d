// Package inr holds pictures as small fitted networks: a pyramid of integer latents,
// and three networks of some thousand parameters in all, made for that one picture,
// that say how probable the latents are and turn them into pixels. It follows
// Cool-Chic (Ladune et al., "COOL-CHIC: Coordinate-based Low Complexity Hierarchical
// Image Codec", ICCV 2023) and C3 (Kim et al., "C3: High-performance and
// low-complexity neural compression from a single image or video", CVPR 2024).
//
// # Two halves
//
// The coded side is what a decoder does, and the encoder's counterpart: EncodeStream
// and DecodeStream, Bits and WeightBits for what a stream costs, Synthesise for what it
// shows. An Arch is the shape of the networks, Nets their parameters as numbers,
// Quantised as the integers of a stream, Latents the pyramid.
//
// The other half fits networks and latents to a picture. Only its results reach a
// stream, so it may compute as it likes.
//
// # Exactness
//
// The same stream gives the same pixels on every machine, for any number of workers
// and any tier of package kernels. The context network, on which decoding depends,
// computes in 16-bit integers with 32-bit sums; probabilities come from tables of
// integers; upsampling and synthesis compute in float32 with products and sums in a
// fixed order, each rounded. An encoder therefore knows what a decoder will show,
// and to a few bytes what a stream will take.
//
// # Streams
//
// A stream knows neither the size of its picture nor the number of its channels, and
// has no checksum: the container has all that. The format, version 1, is described in
// stream.go. Samples are 8 bits; SynthesiseFloat gives those between.
//
// Networks of tens of pictures have much in common. A stream may name a Prior, networks
// learnt over many pictures that the decoder has, and hold the differences alone: 0.01 bit
// for each parameter that is the same.
//
// # Untrusted input
//
// Decoders give errors for damaged streams, or another picture, which is the
// container's to detect; they do not panic. Memory is that of the pixels, 6 bytes a
// pixel for latents and their mixtures, and for each worker some megabytes; time is bounded by the size of
// the picture, whatever the stream says: at most 255 binary decisions for a latent.
// Limits on the size are the caller's to check.
//
// # Speed
//
// Milliseconds for a 768x512 picture of 1.1 bits per pixel (for xl 1.15) on one core of an
// AMD EPYC (Zen 5), the least of eight runs each of BenchmarkStages and BenchmarkDecode with
// GOMAXPROCS=1, BURIN_KERNELS choosing the tier:
//
//	           latents   picture   preset l          preset xl
//	generic        302       176   494   0.8 MP/s    691   0.6 MP/s
//	AVX2            20        19    44   8.9 MP/s     51   7.6 MP/s
//	AVX-512         16        15    37  10.8 MP/s     40   9.9 MP/s
//
// The first two columns are of preset l.
// Latents take one core, since each depends on those before; the picture takes all that
// there are.
package inr
