package vq

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// KMeansOptions are the options of [TrainKMeans] and of every trainer that runs it.
type KMeansOptions struct {
	// Iterations is how many times all vectors are assigned to words and the words
	// moved, at most; training ends earlier when no vector changes its word. 0 leaves
	// the words of the start. Default 25.
	Iterations int
	// Metric is [Euclidean], the default, or [Cosine].
	Metric Metric
	// Weights, one for each vector, finite and not negative, say how much the errors
	// of vectors count; nil for all alike.
	Weights []float32
	// Seed of the generator that chooses the start. Default 1.
	Seed uint64
	// Pool has the workers; nil is one. The result does not depend on how many.
	Pool *nn.Pool
}

// DefaultKMeansOptions returns what nil options mean.
func DefaultKMeansOptions() KMeansOptions { return KMeansOptions{Iterations: 25, Seed: 1} }

func (o *KMeansOptions) check(n int) (KMeansOptions, error) {
	if o == nil {
		return DefaultKMeansOptions(), nil
	}
	if o.Iterations < 0 || o.Iterations > 1<<20 {
		return *o, fmt.Errorf("%w: %d iterations", ErrOptions, o.Iterations)
	}
	if o.Metric > Cosine {
		return *o, fmt.Errorf("%w: k-means with %v", ErrOptions, o.Metric)
	}
	if o.Weights != nil {
		if len(o.Weights) != n {
			return *o, fmt.Errorf("%w: %d weights for %d vectors", ErrOptions, len(o.Weights), n)
		}
		for _, w := range o.Weights {
			if !(w >= 0 && w <= maxMagnitude) {
				return *o, fmt.Errorf("%w: weight %v", ErrOptions, w)
			}
		}
	}
	return *o, nil
}

// checkBook returns an error unless a codebook of k words can be trained.
func checkBook(k int) error {
	if k < 1 || k > MaxSize {
		return fmt.Errorf("%w: %d words, want 1..%d", ErrOptions, k, MaxSize)
	}
	return nil
}

// TrainKMeans finds k words that represent the vectors x, [n][d], n >= k, with a small
// mean squared error.
//
// It starts from vectors drawn with probabilities proportional to their squared
// distance from those drawn before (k-means++: Arthur and Vassilvitskii, 2007): one at
// a time up to 256 words, above that in 256 batches, each drawn systematically, as
// k-means|| does (Bahmani et al., "Scalable k-means++", 2012). Then it alternates
// between assigning each vector to its nearest word and moving each word to the mean
// of its vectors (Lloyd, 1982). Words that no vector is assigned to are moved to
// vectors drawn in proportion to their squared errors. With [Cosine] vectors and means
// are scaled to length 1 (spherical k-means: Dhillon and Modha, 2001).
//
// The cost is 2·n·k·d floating-point operations an iteration, and as many once more for
// the start.
func TrainKMeans(x []float32, d, k int, o *KMeansOptions) (*Codebook, error) {
	if err := checkBook(k); err != nil {
		return nil, err
	}
	n, err := checkTraining(x, d, k)
	if err != nil {
		return nil, err
	}
	opt, err := o.check(n)
	if err != nil {
		return nil, err
	}
	if opt.Metric == Cosine {
		x = slices.Clone(x)
		normaliseRows(x, d)
	}
	return newCodebook(newLloyd(x, d, k, opt).run(), d, opt.Metric), nil
}

// A lloyd is k-means on vectors that are known to be good.
type lloyd struct {
	KMeansOptions
	x       []float32 // [n][d], of length 1 for Cosine
	d, k, n int
	words   []float32 // [k][d]
	search  kernels.Nearest
	index   []uint32  // [n] word of each vector
	errs    []float32 // [n] its squared distance, times its weight
	order   []int32   // [n] vectors sorted by word
	starts  []int     // [k+1] where those of each word begin in order
}

func newLloyd(x []float32, d, k int, o KMeansOptions) *lloyd {
	n := len(x) / d
	return &lloyd{
		KMeansOptions: o, x: x, d: d, k: k, n: n,
		index: make([]uint32, n), errs: make([]float32, n), order: make([]int32, n), starts: make([]int, k+1),
	}
}

// piece is how many vectors one task takes.
const piece = 2048

// pieces calls f for ranges of n vectors.
func pieces(pool *nn.Pool, n int, f func(from, to int)) {
	pool.Run((n+piece-1)/piece, func(_, i int) { f(i*piece, min((i+1)*piece, n)) })
}

func (l *lloyd) run() []float32 {
	l.start()
	for range l.Iterations {
		if !l.assign() {
			break
		}
		l.move()
	}
	return l.words
}

func (l *lloyd) row(i int) []float32 { return l.x[i*l.d : (i+1)*l.d] }

func (l *lloyd) weight(i int) float32 {
	if l.Weights == nil {
		return 1
	}
	return l.Weights[i]
}

// distance is the squared distance of vector i from w, times its weight.
func (l *lloyd) distance(i int, w []float32) float32 {
	var s float32
	for j, v := range l.row(i) {
		e := v - w[j]
		s += e * e
	}
	return s * l.weight(i)
}

// startBatches is the batches in which the words of the start are drawn.
const startBatches = 256

// start draws the first words.
func (l *lloyd) start() {
	r := newRand(l.Seed, 1)
	l.words = make([]float32, 0, l.k*l.d)
	for i := range l.errs {
		l.errs[i] = l.weight(i)
	}
	batch := (l.k + startBatches - 1) / startBatches
	for want := 1; ; want = batch {
		done := len(l.words) / l.d
		drawn := draw(l.errs, min(want, l.k-done), r.Float64())
		if len(drawn) == 0 { // the vectors left are all words
			for len(l.words) < l.k*l.d {
				l.words = append(l.words, l.row(r.IntN(l.n))...)
			}
			return
		}
		for _, i := range drawn {
			l.words = append(l.words, l.row(i)...)
		}
		if len(l.words) == l.k*l.d {
			return
		}
		fresh := l.words[done*l.d:]
		l.search.Pack(fresh, len(drawn), l.d, l.d, nil)
		pieces(l.Pool, l.n, func(from, to int) {
			index := l.index[from:to]
			if len(drawn) > 1 {
				l.search.Search(index, nil, l.x[from*l.d:], l.d, to-from)
			} else {
				clear(index)
			}
			for i := from; i < to; i++ {
				e := l.distance(i, fresh[int(index[i-from])*l.d:])
				if done == 0 {
					l.errs[i] = e
				} else {
					l.errs[i] = min(l.errs[i], e)
				}
			}
		})
	}
}

// draw returns up to count different numbers of weights that are above zero: where the
// running sum of the weights passes shift, 1+shift, 2+shift ... count-ths of the whole,
// shift being in 0..1.
func draw(weights []float32, count int, shift float64) []int {
	var total float64
	for _, w := range weights {
		total += float64(w)
	}
	var at []int
	if total == 0 {
		return nil
	}
	var sum float64
	next := shift
	for i, w := range weights {
		if w == 0 {
			continue
		}
		sum += float64(w)
		if place := sum / total * float64(count); place > next {
			at = append(at, i)
			next += math.Floor(place-next) + 1
		}
		if len(at) == count {
			break
		}
	}
	return at
}

// assign finds the word of each vector, and reports whether any is another than before.
func (l *lloyd) assign() bool {
	l.search.Pack(l.words, l.k, l.d, l.d, metricBias(l.Metric, l.k))
	changed := make([]bool, (l.n+piece-1)/piece)
	first := l.starts[l.k] == 0
	pieces(l.Pool, l.n, func(from, to int) {
		before := slices.Clone(l.index[from:to])
		l.search.Search(l.index[from:to], nil, l.x[from*l.d:], l.d, to-from)
		changed[from/piece] = first || !slices.Equal(before, l.index[from:to])
		for i := from; i < to; i++ {
			l.errs[i] = l.distance(i, l.words[int(l.index[i])*l.d:])
		}
	})
	return slices.Contains(changed, true)
}

// sort groups the vectors by word.
func (l *lloyd) sort() {
	clear(l.starts)
	for _, j := range l.index {
		l.starts[j+1]++
	}
	for j := range l.k {
		l.starts[j+1] += l.starts[j]
	}
	next := slices.Clone(l.starts[:l.k])
	for i, j := range l.index {
		l.order[next[j]] = int32(i)
		next[j]++
	}
}

// move puts each word into the middle of its vectors, and those without any elsewhere.
func (l *lloyd) move() {
	l.sort()
	const chunk = 64
	l.Pool.Run((l.k+chunk-1)/chunk, func(_, c int) {
		sum := make([]float64, l.d)
		for j := c * chunk; j < min((c+1)*chunk, l.k); j++ {
			clear(sum)
			var total float64
			for _, i := range l.order[l.starts[j]:l.starts[j+1]] {
				w := float64(l.weight(int(i)))
				total += w
				for e, v := range l.row(int(i)) {
					sum[e] += w * float64(v)
				}
			}
			if total == 0 {
				continue
			}
			if l.Metric == Cosine {
				total = 0
				for _, v := range sum {
					total += v * v
				}
				if total = math.Sqrt(total); total == 0 {
					continue // opposite vectors: any direction is as good
				}
			}
			for e, v := range sum {
				l.words[j*l.d+e] = float32(v / total)
			}
		}
	})
	l.revive()
}

// revive moves the words without vectors to vectors with large errors.
func (l *lloyd) revive() {
	var dead []int
	for j := range l.k {
		if l.starts[j] == l.starts[j+1] {
			dead = append(dead, j)
		}
	}
	if len(dead) == 0 {
		return
	}
	for n, i := range draw(l.errs, len(dead), 0.5) {
		copy(l.words[dead[n]*l.d:(dead[n]+1)*l.d], l.row(i))
	}
}

// Shrink clusters the words of c into k, for a lower rate with the same decoder
// (Mao et al., "Extreme Image Compression using Fine-tuned VQGANs", 2023): it
// returns the smaller codebook, and for each word of c the number of the one that
// stands for it, so that codes of c can be turned into codes of the result without the
// vectors. counts says how often each word occurs, see [Usages]; nil for all alike.
// The smaller codebook's words are sorted by how often they stand for others.
func (c *Codebook) Shrink(k int, counts []int, o *KMeansOptions) (*Codebook, []uint32, error) {
	if k < 1 || k > c.k {
		return nil, nil, fmt.Errorf("%w: %d words of %d", ErrOptions, k, c.k)
	}
	if c.metric == InnerProduct {
		return nil, nil, fmt.Errorf("%w: clustering by inner product", ErrOptions)
	}
	opt, err := o.check(c.k)
	if err != nil {
		return nil, nil, err
	}
	opt.Metric = c.metric
	if counts != nil {
		if len(counts) != c.k {
			return nil, nil, fmt.Errorf("%w: %d counts for %d words", ErrOptions, len(counts), c.k)
		}
		opt.Weights = make([]float32, c.k)
		for i, n := range counts {
			if n < 0 {
				return nil, nil, fmt.Errorf("%w: count %d", ErrOptions, n)
			}
			opt.Weights[i] = float32(n)
		}
	}
	l := newLloyd(c.words, c.d, k, opt)
	l.run()
	l.assign()
	weights := make([]float64, k)
	for i, j := range l.index {
		weights[j] += float64(l.weight(i))
	}
	rank := make([]int, k)
	for j := range rank {
		rank[j] = j
	}
	slices.SortStableFunc(rank, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	words := make([]float32, 0, k*c.d)
	to := make([]uint32, k)
	for n, j := range rank {
		words = append(words, l.words[j*c.d:(j+1)*c.d]...)
		to[j] = uint32(n)
	}
	for i, j := range l.index {
		l.index[i] = to[j]
	}
	return newCodebook(words, c.d, c.metric), l.index, nil
}
