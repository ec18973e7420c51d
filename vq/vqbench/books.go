package vqbench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/burin-codec/burin/vq"
)

// PatchSize is the width and height of the patches that [MeasureBooks] takes, and
// patchDim the elements of their vectors.
const (
	PatchSize = 4
	patchDim  = PatchSize * PatchSize
)

// MinPatches is the fewest patches that all of [Books] can be trained on.
const MinPatches = 4096

// A Book is a quantiser that learns codebooks.
type Book struct {
	Name   string
	Detail string // its size and what it was trained with
	// Train returns the quantiser for the vectors x, [n][16], or for halves of them.
	Train func(x []float32, seed uint64) (vq.Quantiser, error)
}

// Books returns one or more of each family of package vq, of the sizes that the
// literature compares: a code of 10 or 12 bits for a patch of 4 x 4, or four of 8.
func Books() []Book {
	const d, words, part = patchDim, 1024, 256
	km := func(seed uint64) *vq.KMeansOptions {
		o := vq.DefaultKMeansOptions()
		o.Seed = seed
		return &o
	}
	rq := func(seed uint64, beam int) *vq.RQOptions {
		o := vq.DefaultRQOptions()
		o.Seed, o.Beam = seed, beam
		return &o
	}
	lsq := func(seed uint64, iterations, rounds, search int) *vq.LSQOptions {
		o := vq.DefaultLSQOptions(4)
		o.Seed, o.Iterations, o.Rounds, o.Search.Rounds = seed, iterations, rounds, search
		return &o
	}
	learn := func(seed uint64) *vq.LearnOptions {
		o := vq.DefaultLearnOptions()
		o.Seed = seed
		return &o
	}
	return []Book{
		{"k-means", "1024 words", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainKMeans(x, d, words, km(seed)))
		}},
		{"k-means", "4096 words", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainKMeans(x, d, 4*words, km(seed)))
		}},
		{"EMA", "1024 words, 100 passes in batches of 4096", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(trainEMA(x, d, words, 100, seed))
		}},
		{"SimVQ", "1024 words", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainSimVQ(x, d, words, learn(seed)))
		}},
		{"VQGAN-LC", "1024 words, features: upper halves", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainVQGANLC(x, d, upperHalves(x), d/2, words, km(seed), learn(seed)))
		}},
		{"IBQ", "1024 words, 500 steps of 512", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainIBQ(x, d, words, nil, &vq.LearnOptions{Steps: 500, Batch: 512, Rate: 0.003, Seed: seed}))
		}},
		{"PQ", "4 x 256", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainPQ(x, d, 4, part, km(seed)))
		}},
		{"OPQ", "4 x 256", func(x []float32, seed uint64) (vq.Quantiser, error) {
			o := vq.DefaultOPQOptions()
			o.Seed = seed
			return quantiser(vq.TrainOPQ(x, d, 4, part, &o))
		}},
		{"MCRVQ", "3 parts and 1 stage of 256", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainMCRVQ(x, d, 3, 1, part, rq(seed, 5)))
		}},
		{"GRVQ", "2 groups of 2 layers of 256", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainGRVQ(x, d, 2, 2, part, rq(seed, 5)))
		}},
		{"RQ", "4 x 256, beam 1", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainRQ(x, d, 4, part, rq(seed, 1)))
		}},
		{"RQ", "4 x 256, beam 5", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainRQ(x, d, 4, part, rq(seed, 5)))
		}},
		{"LSQ", "4 x 256, 8 iterations, 4 rounds", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainLSQ(x, d, 4, part, lsq(seed, 8, 4, 4)))
		}},
		{"LSQ", "4 x 256, 16 iterations, 16 rounds", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainLSQ(x, d, 4, part, lsq(seed, 16, 8, 16)))
		}},
		{"SSVQ", "halves: 256 words and 8 signs", func(x []float32, seed uint64) (vq.Quantiser, error) {
			return quantiser(vq.TrainSSVQ(x, d/2, part, km(seed)))
		}},
	}
}

// trainEMA learns a codebook as a network would have it learnt: from batches, in passes
// over the vectors x, [n][d], starting from words that k-means would start from.
func trainEMA(x []float32, d, k, passes int, seed uint64) (*vq.Codebook, error) {
	const batch = 4096
	start, err := vq.TrainKMeans(x[:min(len(x), batch*d)], d, k, &vq.KMeansOptions{Seed: seed})
	if err != nil {
		return nil, err
	}
	o := vq.DefaultEMAOptions()
	o.Seed = seed
	e, err := vq.NewEMA(start, &o)
	if err != nil {
		return nil, err
	}
	for range passes {
		for part := range slices.Chunk(x, batch*d) {
			if err := e.Update(part); err != nil {
				return nil, err
			}
		}
	}
	return e.Codebook(), nil
}

// upperHalves returns the upper halves of patches: what another network might see.
func upperHalves(x []float32) []float32 {
	half := make([]float32, 0, len(x)/2)
	for p := range slices.Chunk(x, patchDim) {
		half = append(half, p[:patchDim/2]...)
	}
	return half
}

// BookOptions say what [MeasureBooks] does.
type BookOptions struct {
	Only []string // names of the books to measure; nil for all
	Seed uint64   // of training. Default 1
	// Time is how long encoding, and decoding, is measured for at least. Default
	// [DefaultTime].
	Time time.Duration
	// Report, if not nil, is given each row, and the share that is done.
	Report func(row BookRow, done float64)
}

// DefaultBookOptions returns what nil options mean.
func DefaultBookOptions() BookOptions { return BookOptions{Seed: 1, Time: DefaultTime} }

// A BookRow is what a [Book] comes to on the patches to test.
type BookRow struct {
	Name        string  `json:"name"`
	Detail      string  `json:"detail"`
	Bits        float64 `json:"bits"`        // a pixel, packed
	Entropy     float64 `json:"entropy"`     // bits a pixel, each code on its own
	PSNR        float64 `json:"psnr_db"`     // of pixels in 0..1
	Utilisation float64 `json:"utilisation"` // words that occur, of all
	Train       float64 `json:"train_s"`     // seconds of processor time
	Encode      float64 `json:"encode_mps"`  // millions of pixels a second of processor time
	Decode      float64 `json:"decode_mps"`
}

// MeasureBooks trains all books on the patches train, [n][16], n at least [MinPatches],
// and measures them on the patches test, [m][16]. It looks at ctx between books: training
// one takes up to a minute with 40,000 patches.
func MeasureBooks(ctx context.Context, train, test []float32, o *BookOptions) ([]BookRow, error) {
	opt := DefaultBookOptions()
	if o != nil {
		opt = *o
	}
	if n := len(train) / patchDim; n < MinPatches || len(train)%patchDim != 0 || len(test) == 0 || len(test)%patchDim != 0 {
		return nil, fmt.Errorf("%w: %d numbers to train on and %d to test, want patches of %d, %d of them or more to train on",
			ErrOptions, len(train), len(test), patchDim, MinPatches)
	}
	var list []Book
	for _, b := range Books() {
		if chosen(opt.Only, b.Name) {
			list = append(list, b)
		}
	}
	var rows []BookRow
	for i, b := range list {
		start := cpuTime()
		q, err := b.Train(train, opt.Seed)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", b.Name, b.Detail, err)
		}
		row := BookRow{Name: b.Name, Detail: b.Detail, Train: (cpuTime() - start).Seconds()}
		c, err := code(ctx, q, test, opt.Time)
		if err != nil {
			return nil, err
		}
		used, words := 0, 0
		for j, u := range vq.Usages(q, c.codes) {
			row.Entropy += u.Entropy / float64(q.Dim())
			used += u.Used
			words += q.Sizes()[j]
		}
		row.Bits = float64(vq.PackedBits(q)) / float64(q.Dim())
		row.PSNR = -10 * math.Log10(c.mse)
		row.Utilisation = float64(used) / float64(words)
		row.Encode, row.Decode = c.encode, c.decode
		rows = append(rows, row)
		if opt.Report != nil {
			opt.Report(row, float64(i+1)/float64(len(list)))
		}
	}
	return rows, nil
}
