package vq

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/burin-codec/burin/kernels"
)

// MaxLSQWords is the most words that the codebooks of an [LSQ] may have together: the
// encoder keeps a table of the products of any two, 64 MiB at most.
const MaxLSQWords = 4096

// What bounds the time that the encoder of a stored quantiser can take.
const (
	maxLSQBooks  = 64
	maxLSQRounds = 256
	maxLSQSweeps = 16
)

// An LSQ is an additive quantiser (Martinez, Zakhmi, Hoos and Little, "LSQ++: Lower
// Running Time and Higher Recall in Multi-Codebook Quantization", 2018; "Revisiting
// Additive Quantization", 2016): a vector decodes to the sum of one word from each of M
// codebooks, as with [RQ], but no codebook comes before another, in training and in
// encoding.
//
// The encoder starts from the codes that a beam search finds, and improves them by
// iterated local search: it changes some of the best codes at random, and then sets each
// code in turn to the best for the others (iterated conditional modes) until none
// changes. The random numbers are the same for every vector, so a vector's codes depend
// on it alone. A vector becomes M codes; M·log2(K)/d bits a dimension. Encoding costs
// M·K·d multiplications and for each of the Rounds up to Sweeps·M²·K additions a vector,
// decoding M·d additions.
type LSQ struct {
	additive
	search LSQSearch
	seed   uint64
	pairs  *pairTable
}

func init() { register("lsq", readLSQ) }

// An LSQSearch says how long the encoder of an [LSQ] searches.
type LSQSearch struct {
	Beam    int // of the search that finds the first codes, 1..MaxBeam
	Rounds  int // local searches from changed codes, 0..256
	Sweeps  int // times that a local search goes through the codes, at most, 1..16
	Changes int // codes that are changed at random before each, 0..M
}

func (s LSQSearch) check(m int) error {
	if s.Beam < 1 || s.Beam > MaxBeam || s.Rounds < 0 || s.Rounds > maxLSQRounds || s.Sweeps < 1 || s.Sweeps > maxLSQSweeps || s.Changes < 0 || s.Changes > m {
		return fmt.Errorf("%w: %+v with %d codebooks", ErrOptions, s, m)
	}
	return nil
}

// LSQOptions are the options of [TrainLSQ].
type LSQOptions struct {
	RQOptions            // of the residual quantiser that training starts from
	Iterations int       // of encoding and moving words, 0 or more. Default 16
	Rounds     int       // local searches for each vector and iteration. Default 8
	Search     LSQSearch // of the encoder that results. Default 5, 16, 4, and 4 or fewer of half the codebooks
}

// DefaultLSQOptions returns what nil options mean for m codebooks.
func DefaultLSQOptions(m int) LSQOptions {
	return LSQOptions{DefaultRQOptions(), 16, 8, LSQSearch{Beam: 5, Rounds: 16, Sweeps: 4, Changes: min(4, (m+1)/2)}}
}

// TrainLSQ finds m codebooks, at most 64, of k words for the vectors x, [n][d], n >= k,
// m·k at most [MaxLSQWords]. It starts from [TrainRQ] and alternates between encoding, with words to
// which noise is added that fades out (stochastic relaxation: "SR-D" in LSQ++), and
// moving all words to the least squares for the codes. The words with the smallest error
// on x are returned, which may be those of the start. Weights are not taken.
func TrainLSQ(x []float32, d, m, k int, o *LSQOptions) (*LSQ, error) {
	opt := DefaultLSQOptions(m)
	if o != nil {
		opt = *o
	}
	rq, err := opt.RQOptions.check(x, d, m, k)
	if err != nil {
		return nil, err
	}
	if err := opt.Search.check(m); err != nil {
		return nil, err
	}
	if m > maxLSQBooks || m*k > MaxLSQWords || opt.Iterations < 0 || opt.Rounds < 0 || opt.Rounds > maxLSQRounds {
		return nil, fmt.Errorf("%w: %d codebooks of %d words, %d iterations, %d rounds", ErrOptions, m, k, opt.Iterations, opt.Rounds)
	}
	start := trainRQ(x, d, m, k, rq)
	search := opt.Search
	search.Rounds = opt.Rounds
	q := newLSQ(start.books, search, opt.Seed)
	n := len(x) / d
	codes := make([]uint32, n*m)
	EncodePool(opt.Pool, q, codes, x)
	left := make([]float32, len(x))
	least := q.residuals(opt.Pool, left, x, codes)
	best := q
	deviation := deviations(x, d)
	r := newRand(opt.Seed, 4)
	for i := range opt.Iterations {
		// The noise of LSQ++ falls with the root of what is left of training.
		heat := math.Sqrt(1-float64(i+1)/float64(opt.Iterations)) / float64(m)
		noisy := q
		if heat > 0 {
			noisy = newLSQ(addNoise(q.books, deviation, heat, r), search, opt.Seed)
		}
		pieces(opt.Pool, n, func(from, to int) {
			noisy.improve(codes[from*m:to*m], x[from*d:to*d])
		})
		q.residuals(opt.Pool, left, x, codes)
		q = newLSQ(q.leastSquares(opt.Pool, left, codes), search, opt.Seed)
		// The codes were made for noisy words: the error counts as it is without.
		if e := q.residuals(opt.Pool, left, x, codes); e < least {
			best, least = q, e
		}
	}
	return newLSQ(best.books, opt.Search, opt.Seed), nil
}

// deviations returns the standard deviation of each element.
func deviations(x []float32, d int) []float64 {
	sum, square := make([]float64, d), make([]float64, d)
	for i, v := range x {
		sum[i%d] += float64(v)
		square[i%d] += float64(v) * float64(v)
	}
	n := float64(len(x) / d)
	for i := range sum {
		sum[i] = math.Sqrt(max(square[i]/n-sum[i]/n*sum[i]/n, 0))
	}
	return sum
}

func addNoise(books []*Codebook, deviation []float64, heat float64, r *rand.Rand) []*Codebook {
	noisy := make([]*Codebook, len(books))
	for i, b := range books {
		w := slices.Clone(b.words)
		for j := range w {
			w[j] += float32(heat * deviation[j%b.d] * r.NormFloat64())
		}
		noisy[i] = newCodebook(w, b.d, Euclidean)
	}
	return noisy
}

func newLSQ(books []*Codebook, s LSQSearch, seed uint64) *LSQ {
	return &LSQ{newAdditive(books), s, seed, new(pairTable)}
}

// Search returns how long the encoder searches.
func (q *LSQ) Search() LSQSearch { return q.search }

// WithSearch returns a quantiser with the same words and another encoder.
func (q *LSQ) WithSearch(s LSQSearch) (*LSQ, error) {
	if err := s.check(len(q.books)); err != nil {
		return nil, err
	}
	return newLSQ(q.books, s, q.seed), nil
}

// Encode implements [Quantiser].
func (q *LSQ) Encode(codes []uint32, x []float32) {
	n, m := checkRows(q, codes, x), len(q.books)
	b := q.newBeams(q.search.Beam)
	for at := 0; at < n; at += b.vectors {
		k := min(b.vectors, n-at)
		b.encode(codes[at*m:(at+k)*m], x[at*q.d:(at+k)*q.d])
	}
	q.improve(codes, x)
}

// A pairTable has the words of all codebooks, one after another, the other way round,
// and the inner products of any two.
type pairTable struct {
	once    sync.Once
	words   []float32 // [d][W], W words in all
	bias    []float32 // [W] half the squared lengths, negative
	product []float32 // [W][W]
	offset  []int     // [M+1]: the first word of each codebook
}

func (q *LSQ) table() *pairTable {
	t := q.pairs
	t.once.Do(func() {
		var all []float32
		t.offset = []int{0}
		for _, b := range q.books {
			all = append(all, b.words...)
			t.offset = append(t.offset, len(all)/q.d)
		}
		w := len(all) / q.d
		t.words, t.product = make([]float32, len(all)), make([]float32, w*w)
		kernels.TransposeF32(t.words, w, all, q.d, w, q.d)
		var g kernels.Gemm
		g.NN(t.product, w, all, q.d, t.words, w, w, w, q.d, false)
		t.bias = make([]float32, w)
		for i := range t.bias {
			t.bias[i] = -t.product[i*w+i] / 2
		}
	})
	return t
}

// improve makes the codes, [n][M], of x, [n][d], better by local search.
func (q *LSQ) improve(codes []uint32, x []float32) {
	if q.search.Rounds == 0 || len(q.books) == 1 {
		return
	}
	s := localSearch{LSQ: q, t: q.table()}
	d, m := q.d, len(q.books)
	w := len(s.t.bias)
	n := len(codes) / m
	const block = 32 // vectors that are scored at a time
	scores := make([]float32, block*w)
	var g kernels.Gemm
	s.sum = make([]float32, slices.Max(q.sizes))
	s.left, s.stale = make([]float32, d), make([]bool, m)
	trial := make([]uint32, m)
	pcg := rand.NewPCG(0, 0)
	r := rand.New(pcg)
	for at := 0; at < n; at += block {
		k := min(block, n-at)
		for i := range k {
			copy(scores[i*w:], s.t.bias)
		}
		g.NN(scores, w, x[at*d:], d, s.t.words, w, k, w, d, true)
		for i := range k {
			s.scores, s.x = scores[i*w:(i+1)*w], x[(at+i)*d:(at+i+1)*d]
			c := codes[(at+i)*m : (at+i+1)*m]
			pcg.Seed(q.seed, 5)
			least := s.error(c)
			for round := range q.search.Rounds {
				copy(trial, c)
				if round > 0 {
					for range q.search.Changes {
						p := r.IntN(m)
						trial[p] = uint32(r.IntN(q.sizes[p]))
					}
				}
				s.descend(trial)
				if e := s.error(trial); e < least {
					least = e
					copy(c, trial)
				}
			}
		}
	}
}

// A localSearch is for one vector at a time.
type localSearch struct {
	*LSQ
	t      *pairTable
	x      []float32 // [d]
	scores []float32 // [W]: x·w - |w|²/2
	sum    []float32 // [K] of the codebook at hand
	left   []float32 // [d]
	stale  []bool    // [M]: another code has changed since this was set
}

// descend sets each code to the best for the others until none changes.
func (s *localSearch) descend(codes []uint32) {
	m, w := len(codes), len(s.t.bias)
	for i := range s.stale {
		s.stale[i] = true
	}
	for range s.search.Sweeps {
		quiet := true
		for i := range m {
			if !s.stale[i] {
				continue
			}
			s.stale[i] = false
			from, to := s.t.offset[i], s.t.offset[i+1]
			sum := s.sum[:to-from]
			copy(sum, s.scores[from:to])
			for l, c := range codes {
				if l != i {
					row := (s.t.offset[l] + int(c)) * w
					kernels.AxpbyF32(sum, 1, s.t.product[row+from:row+to], -1)
				}
			}
			best, most := codes[i], sum[codes[i]]
			for j, v := range sum {
				if v > most {
					best, most = uint32(j), v
				}
			}
			if best != codes[i] {
				codes[i] = best
				quiet = false
				for l := range s.stale {
					s.stale[l] = s.stale[l] || l != i
				}
			}
		}
		if quiet {
			return
		}
	}
}

// error returns the squared distance of x from what codes stand for.
func (s *localSearch) error(codes []uint32) float32 {
	y := s.left
	copy(y, s.x)
	for i, c := range codes {
		for j, v := range s.books[i].word(c) {
			y[j] -= v
		}
	}
	var e float32
	for _, v := range y {
		e += v * v
	}
	return e
}

// MarshalBinary implements [Quantiser].
func (q *LSQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *LSQ) kind() string { return "lsq" }

func (q *LSQ) write(w *writer) {
	w.int(q.search.Beam)
	w.int(q.search.Rounds)
	w.int(q.search.Sweeps)
	w.int(q.search.Changes)
	w.uint(q.seed)
	w.books(q.books)
}

func readLSQ(r *reader) (Quantiser, error) {
	s := LSQSearch{
		Beam: r.int("beam", 1, MaxBeam), Rounds: r.int("rounds", 0, maxLSQRounds),
		Sweeps: r.int("sweeps", 1, maxLSQSweeps), Changes: r.int("changes", 0, maxLSQBooks),
	}
	seed := r.uint()
	books := r.summed()
	total := 0
	for _, b := range books {
		total += b.k
	}
	if total > MaxLSQWords || len(books) > maxLSQBooks || s.Changes > len(books) {
		r.fail("%d codebooks of %d words together, %d changes", len(books), total, s.Changes)
	}
	if r.err != nil {
		return nil, r.err
	}
	return newLSQ(books, s, seed), nil
}
