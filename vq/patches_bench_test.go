package vq

import (
	"math"
	"testing"
)

// BenchmarkPatches trains each family of codebooks on 4 x 4 patches of the training
// photographs and reports on patches of others: the error as PSNR, the bits a pixel that
// codes take packed and their entropy (each position on its own), the words used, the
// processor time of training, and the millions of pixels that a second of it encodes and
// decodes.
func BenchmarkPatches(b *testing.B) {
	const size, d = 4, 16
	train, test := patches(b, "train", size, 40_000, 1), patches(b, "photos", size, 8_000, 2)
	lsqFast := DefaultLSQOptions(4)
	lsqFast.Iterations, lsqFast.Rounds, lsqFast.Search.Rounds = 8, 4, 4
	features := columns(train, d, 0, d/2) // of the upper halves: what another network might see
	for _, c := range []struct {
		name  string
		train func() (Quantiser, error)
	}{
		{"kmeans/1024", func() (Quantiser, error) { return TrainKMeans(train, d, 1024, nil) }},
		{"kmeans/4096", func() (Quantiser, error) { return TrainKMeans(train, d, 4096, nil) }},
		{"simvq/1024", func() (Quantiser, error) { return TrainSimVQ(train, d, 1024, nil) }},
		{"vqganlc/1024", func() (Quantiser, error) { return TrainVQGANLC(train, d, features, d/2, 1024, nil, nil) }},
		{"ibq/1024", func() (Quantiser, error) {
			return TrainIBQ(train, d, 1024, nil, &LearnOptions{Steps: 500, Batch: 512, Rate: 0.003, Seed: 1})
		}},
		{"pq/4x256", func() (Quantiser, error) { return TrainPQ(train, d, 4, 256, nil) }},
		{"opq/4x256", func() (Quantiser, error) { return TrainOPQ(train, d, 4, 256, nil) }},
		{"grvq/2x2x256", func() (Quantiser, error) { return TrainGRVQ(train, d, 2, 2, 256, nil) }},
		{"mcrvq/3+1x256", func() (Quantiser, error) { return TrainMCRVQ(train, d, 3, 1, 256, nil) }},
		{"rq/4x256/beam1", func() (Quantiser, error) {
			o := DefaultRQOptions()
			o.Beam = 1
			return TrainRQ(train, d, 4, 256, &o)
		}},
		{"rq/4x256/beam5", func() (Quantiser, error) { return TrainRQ(train, d, 4, 256, nil) }},
		{"lsq/4x256/fast", func() (Quantiser, error) { return TrainLSQ(train, d, 4, 256, &lsqFast) }},
		{"lsq/4x256", func() (Quantiser, error) { return TrainLSQ(train, d, 4, 256, nil) }},
		{"ssvq/8+8bits", func() (Quantiser, error) { return TrainSSVQ(train, d/2, 256, nil) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			start := cpuTime()
			q, err := c.train()
			if err != nil {
				b.Fatal(err)
			}
			training := (cpuTime() - start).Seconds()
			n := len(test) / q.Dim()
			codes, y := make([]uint32, n*len(q.Sizes())), make([]float32, len(test))
			start = cpuTime()
			b.SetBytes(int64(4 * len(test)))
			for b.Loop() {
				q.Encode(codes, test)
			}
			encoding := (cpuTime() - start).Seconds() / float64(b.N)
			const rounds = 20
			start = cpuTime()
			for range rounds {
				q.Decode(y, codes)
			}
			decoding := (cpuTime() - start).Seconds() / rounds
			var entropy, used, words float64
			for i, u := range Usages(q, codes) {
				entropy += u.Entropy
				used += float64(u.Used)
				words += float64(q.Sizes()[i])
			}
			b.ReportMetric(-10*math.Log10(squaredError(test, y)/float64(len(y))), "dB")
			b.ReportMetric(float64(PackedBits(q))/float64(q.Dim()), "bits/dim")
			b.ReportMetric(entropy/float64(q.Dim()), "entropy/dim")
			b.ReportMetric(100*used/words, "%used")
			b.ReportMetric(training, "train-s")
			b.ReportMetric(float64(len(test))/encoding/1e6, "enc-M/s")
			b.ReportMetric(float64(len(test))/decoding/1e6, "dec-M/s")
		})
	}
}
