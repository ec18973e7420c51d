// Package reduce cuts the visual tokens of vision-language models: matrices of n
// tokens of d features each become matrices of fewer, by dropping or merging.
//
// Every method is a [Reducer]: it takes [Tokens], the features and what else is known
// of them (attention, keys, values, frames, positions, sizes, a question, audio), and
// a [Keep], and returns [Reduced]: the kept tokens with all that the input had, the
// source of each input token to undo the reduction ([Unmerge]), and the sizes for
// proportional attention ([Reduced.LogSizes]). What a method returns another can take;
// a [Chain] keeps the sources through all of them. A [Stream] holds a stream of frames
// under a fixed number of tokens, and [DocumentIndex] searches pages by their patches.
//
// # Which method
//
// [Random], [Uniform] and [Pool] are the baselines. Measure them first: papers find
// random choice and plain pooling hard to beat (arXiv 2510.07143, 2511.02650), and so
// does the study in doc/tokens-reduce.md. By what there is to go on:
//
//   - features or keys alone: [BipartiteMatching] (ToMe), [DensityPeaks]
//   - attention: [AttentionMass] (ZipVL), [DominantContextual] (VisionZip), [PruMerge],
//     [PruneMerge] (DiffRate)
//   - a question: [QuestionGuided] (QG-VTC), [Recycling] (SparseVLM), [RetrieveClips]
//   - frames: [TemporalMerging] (DyCoke), [ChangeDriven] (EVS), [AudioGuided] (OmniZip)
//   - a stream: [Stream] (InfiniPot-V, StreamMem)
//
// All are written from the papers' mathematics; each says what differs from them. No
// weights are trained here: methods whose papers train a network (QG-VTC, MARC,
// VidCompress, DiffRate) are represented by their rule of selection, given features in
// a common space. Reconstruction and coverage are not task accuracy.
//
// # Determinism and security
//
// A method returns the same for the same input and options. Which tokens are nearest
// is decided in float64 by a fixed order of additions, so that [BipartiteMatching]
// pairs the same tokens on every processor; other methods compare sums of float32
// products, which differ between kernels by rounding. Inputs are validated before
// anything is computed: wrong shapes, NaN and infinities are errors, and memory is
// bounded by the input's.
package reduce
