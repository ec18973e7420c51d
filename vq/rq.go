package vq

import (
	"fmt"
	"slices"
	"sync"

	"github.com/burin-codec/burin/kernels"
	"github.com/burin-codec/burin/transform/nn"
)

// MaxBeam is the largest beam of an [RQ].
const MaxBeam = 64

// maxStages is the most codebooks whose words are summed.
const maxStages = 256

// An RQ is a residual quantiser (Chen, Guan and Wang, "Approximate Nearest Neighbor
// Search by Residual Vector Quantization", 2010): each of M codebooks quantises what
// the ones before left, and a vector decodes to the sum of M words. Where codebooks are
// cut off from the end, the rest still decodes, at a lower rate: see [RQ.First].
//
// The encoder keeps the B best sums after each stage (beam search: Babenko and
// Lempitsky, "Additive Quantization", 2014); with B = 1 it takes the nearest word at
// every stage. A vector becomes M codes; M·log2(K)/d bits a dimension. Encoding costs
// B·M·K·d multiplications a vector, decoding M·d additions.
type RQ struct {
	additive
	beam int
}

func init() { register("rq", readRQ) }

// RQOptions are the options of [TrainRQ].
type RQOptions struct {
	KMeansOptions     // of each stage
	Beam          int // sums that the encoder keeps, 1..MaxBeam. Default 5
	// Refine is how many times, after the stages were trained one by one, all vectors
	// are encoded again and all words moved to the least squares for the codes, 0 or
	// more; the best is kept. Default 5.
	Refine int
}

// DefaultRQOptions returns what nil options mean.
func DefaultRQOptions() RQOptions { return RQOptions{DefaultKMeansOptions(), 5, 5} }

func (o *RQOptions) check(x []float32, d, m, k int) (RQOptions, error) {
	opt := DefaultRQOptions()
	if o != nil {
		opt = *o
	}
	km, err := checkTrainer(x, d, k, &opt.KMeansOptions)
	if err != nil {
		return opt, err
	}
	if opt.Beam < 1 || opt.Beam > MaxBeam || opt.Refine < 0 || opt.Weights != nil || m < 1 || m > maxStages {
		return opt, fmt.Errorf("%w: beam of %d, %d refinements, %d codebooks, or weights", ErrOptions, opt.Beam, opt.Refine, m)
	}
	opt.KMeansOptions = km
	return opt, nil
}

// TrainRQ finds m codebooks of k words for the vectors x, [n][d], n >= k: each stage by
// k-means on what the beam's best sums leave of x, then all together. Weights are not
// taken.
func TrainRQ(x []float32, d, m, k int, o *RQOptions) (*RQ, error) {
	opt, err := o.check(x, d, m, k)
	if err != nil {
		return nil, err
	}
	return trainRQ(x, d, m, k, opt), nil
}

func trainRQ(x []float32, d, m, k int, opt RQOptions) *RQ {
	var q *RQ
	left := slices.Clone(x)
	var books []*Codebook
	n := len(x) / d
	for i := range m {
		o := opt.KMeansOptions
		o.Seed += uint64(i)
		books = append(books, newCodebook(newLloyd(left, d, k, o).run(), d, Euclidean))
		q = newRQ(slices.Clone(books), opt.Beam)
		if i+1 < m {
			codes := make([]uint32, n*(i+1))
			EncodePool(opt.Pool, q, codes, x)
			q.residuals(opt.Pool, left, x, codes)
		}
	}
	if m == 1 {
		return q
	}
	best, codes := q, make([]uint32, n*m)
	EncodePool(opt.Pool, q, codes, x)
	least := q.residuals(opt.Pool, left, x, codes)
	for range opt.Refine {
		q = newRQ(q.leastSquares(opt.Pool, left, codes), opt.Beam)
		EncodePool(opt.Pool, q, codes, x)
		if e := q.residuals(opt.Pool, left, x, codes); e < least {
			best, least = q, e
		}
	}
	return best
}

func newRQ(books []*Codebook, beam int) *RQ { return &RQ{newAdditive(books), beam} }

// Beam returns how many sums the encoder keeps.
func (q *RQ) Beam() int { return q.beam }

// WithBeam returns a quantiser with the same words that keeps b sums, 1..[MaxBeam].
func (q *RQ) WithBeam(b int) (*RQ, error) {
	if b < 1 || b > MaxBeam {
		return nil, fmt.Errorf("%w: beam of %d", ErrOptions, b)
	}
	return newRQ(q.books, b), nil
}

// First returns the quantiser of the first m codebooks, 1..M, which gives and takes the
// first codes of each vector: a lower rate without training.
func (q *RQ) First(m int) (*RQ, error) {
	if m < 1 || m > len(q.books) {
		return nil, fmt.Errorf("%w: %d codebooks of %d", ErrOptions, m, len(q.books))
	}
	return newRQ(q.books[:m], q.beam), nil
}

// Encode implements [Quantiser].
func (q *RQ) Encode(codes []uint32, x []float32) {
	n, m := checkRows(q, codes, x), len(q.books)
	b := q.newBeams(q.beam)
	for at := 0; at < n; at += b.vectors {
		k := min(b.vectors, n-at)
		b.encode(codes[at*m:(at+k)*m], x[at*q.d:(at+k)*q.d])
	}
}

// MarshalBinary implements [Quantiser].
func (q *RQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *RQ) kind() string { return "rq" }

func (q *RQ) write(w *writer) {
	w.int(q.beam)
	w.books(q.books)
}

func readRQ(r *reader) (Quantiser, error) {
	beam := r.int("beam", 1, MaxBeam)
	books := r.summed()
	if r.err != nil {
		return nil, r.err
	}
	return newRQ(books, beam), nil
}

// summed reads codebooks of one dimension.
func (r *reader) summed() []*Codebook {
	books := r.books(maxStages, 0)
	for _, b := range books {
		if b.d != books[0].d {
			r.fail("codebooks of dimensions %d and %d", books[0].d, b.d)
			return nil
		}
	}
	return books
}

// An additive is codebooks whose words are summed.
type additive struct {
	d     int
	books []*Codebook // [M] of dimension d
	sizes []int       // [M]
	beams *beamTables
}

// beamTables is what the encoder needs besides the words, made when it first runs.
type beamTables struct {
	once  sync.Once
	words [][]float32 // [M][d][K]
	bias  [][]float32 // [M][K]: half the squared lengths, negative
}

func newAdditive(books []*Codebook) additive {
	a := additive{d: books[0].d, books: books, beams: new(beamTables)}
	for _, b := range books {
		a.sizes = append(a.sizes, b.k)
	}
	return a
}

// Dim returns the elements of a vector, d.
func (a *additive) Dim() int { return a.d }

// Sizes returns the words of each of the M codebooks.
func (a *additive) Sizes() []int { return a.sizes }

// Books returns the codebooks, which must not be changed.
func (a *additive) Books() []*Codebook { return a.books }

// Decode implements [Quantiser]: words are added in the order of the codebooks.
func (a *additive) Decode(x []float32, codes []uint32) {
	m := len(a.books)
	n := len(codes) / m
	if len(codes) != n*m || len(x) != n*a.d {
		panic(fmt.Sprintf("vq: %d elements and %d codes, for %d and %d a vector", len(x), len(codes), a.d, m))
	}
	for i := range n {
		row := x[i*a.d : (i+1)*a.d]
		for s, b := range a.books {
			addWord(row, b.word(codes[i*m+s]), s == 0)
		}
	}
}

// addWord adds w to x, or sets x to it.
func addWord(x, w []float32, set bool) {
	if set {
		copy(x, w)
		return
	}
	for j, v := range w {
		x[j] += v
	}
}

// residuals sets left to x less what its codes stand for, and returns the sum of the
// squares.
func (a *additive) residuals(pool *nn.Pool, left, x []float32, codes []uint32) float64 {
	n, m := len(x)/a.d, len(a.books)
	sums := make([]float64, (n+piece-1)/piece)
	pieces(pool, n, func(from, to int) {
		l, x := left[from*a.d:to*a.d], x[from*a.d:to*a.d]
		a.Decode(l, codes[from*m:to*m])
		var s float64
		for i, v := range x {
			l[i] = v - l[i]
			s += float64(l[i]) * float64(l[i])
		}
		sums[from/piece] = s
	})
	var s float64
	for _, v := range sums {
		s += v
	}
	return s
}

// tables returns the words the other way round, and the biases of their scores.
func (a *additive) tables() *beamTables {
	a.beams.once.Do(func() {
		for _, b := range a.books {
			w, s := transposed(b)
			a.beams.words = append(a.beams.words, w)
			a.beams.bias = append(a.beams.bias, s)
		}
	})
	return a.beams
}

// A path is one sum of words that the encoder keeps.
type path struct {
	error  float32 // squared distance from the vector
	from   int32   // the path of the stage before that it extends
	word   uint32  // by this word
	scored float32 // error as the scores have it, by which paths are sorted
}

// beams searches for the best sums of words of some vectors at a time.
type beams struct {
	*additive
	tables  *beamTables
	width   int
	vectors int // at a time, at most
	gemm    kernels.Gemm
	scores  []float32
	left    [2][]float32 // [vectors][width][d] of this stage and of the next
	codes   [2][]uint32  // [vectors][width][M]
	paths   [2][]path    // [vectors][width]
}

// beamScores is about how many scores there are room for.
const beamScores = 1 << 17

func (a *additive) newBeams(width int) *beams {
	most := slices.Max(a.sizes)
	b := &beams{additive: a, tables: a.tables(), width: width}
	b.vectors = min(max(beamScores/(most*width), 1), 256)
	b.scores = make([]float32, b.vectors*width*most)
	for i := range 2 {
		b.left[i] = make([]float32, b.vectors*width*a.d)
		b.codes[i] = make([]uint32, b.vectors*width*len(a.books))
		b.paths[i] = make([]path, b.vectors*width)
	}
	return b
}

// encode sets codes, [n][M], for x, [n][d], n being at most b.vectors.
func (b *beams) encode(codes []uint32, x []float32) {
	d, m := b.d, len(b.books)
	n := len(x) / d
	copy(b.left[0], x)
	for i := range n {
		b.paths[0][i] = path{}
		for _, v := range x[i*d : (i+1)*d] {
			b.paths[0][i].error += v * v
		}
	}
	have := 1 // paths of each vector
	for s, book := range b.books {
		k := book.k
		rows := n * have
		scores := b.scores[:rows*k]
		for i := range rows {
			copy(scores[i*k:], b.tables.bias[s])
		}
		b.gemm.NN(scores, k, b.left[0], d, b.tables.words[s], k, rows, k, d, true)
		// After the last stage only the best counts.
		want := min(b.width, have*k)
		if s == m-1 {
			want = 1
		}
		for i := range n {
			paths := b.paths[1][i*want : (i+1)*want]
			best(paths, b.paths[0][i*have:(i+1)*have], scores[i*have*k:(i+1)*have*k])
			for p := range paths {
				from, to := i*have+int(paths[p].from), i*want+p
				left, word := b.left[1][to*d:(to+1)*d], book.word(paths[p].word)
				var e float32
				for j, v := range b.left[0][from*d : (from+1)*d] {
					v -= word[j]
					left[j] = v
					e += v * v
				}
				paths[p].error = e
				copy(b.codes[1][to*m:to*m+s], b.codes[0][from*m:])
				b.codes[1][to*m+s] = paths[p].word
			}
		}
		have = want
		b.left[0], b.left[1] = b.left[1], b.left[0]
		b.codes[0], b.codes[1] = b.codes[1], b.codes[0]
		b.paths[0], b.paths[1] = b.paths[1], b.paths[0]
	}
	copy(codes, b.codes[0][:n*m])
}

// best sets paths to the best extensions of the paths before, best first; scores has a
// row of each of those.
func best(paths, before []path, scores []float32) {
	found := 0
	k := len(scores) / len(before)
	for p := range before {
		half := before[p].error / 2
		limit := float32(-maxScore)
		if found == len(paths) {
			limit = half - paths[found-1].scored
		}
		for j, v := range scores[p*k : (p+1)*k] {
			if !(v > limit) {
				continue
			}
			c := path{from: int32(p), word: uint32(j), scored: half - v}
			at := found
			if found < len(paths) {
				found++
			} else {
				at--
			}
			for ; at > 0 && paths[at-1].scored > c.scored; at-- {
				paths[at] = paths[at-1]
			}
			paths[at] = c
			if found == len(paths) {
				limit = half - paths[found-1].scored
			}
		}
	}
	for i := found; i < len(paths); i++ { // scores that are not numbers
		paths[i] = path{}
	}
}

// maxScore is above the magnitude of every score.
const maxScore = 3e38
