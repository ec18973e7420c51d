package vq

import (
	"fmt"

	"github.com/burin-codec/burin/kernels"
)

// A PQ is a product quantiser (Jégou, Douze and Schmid, "Product Quantization for
// Nearest Neighbor Search", 2011): the d elements of a vector are divided into M parts
// of d/M, the first d mod M of them one longer, and each part has a codebook of its own.
// A vector becomes M codes; M·log2(K)/d bits a dimension. Encoding costs K·d
// multiplications a vector, decoding is M look-ups.
type PQ struct {
	d      int
	books  []*Codebook // [M]
	starts []int       // [M+1]: where parts begin
	sizes  []int
}

func init() { register("pq", readPQ) }

// parts returns where m parts of d elements begin, and where the last ends.
func parts(d, m int) []int {
	s := make([]int, m+1)
	for i := range m {
		s[i+1] = s[i] + d/m
		if i < d%m {
			s[i+1]++
		}
	}
	return s
}

// checkParts returns an error unless d elements can be divided into m parts.
func checkParts(d, m int) error {
	if m < 1 || m > d || m > maxCodes {
		return fmt.Errorf("%w: %d parts of %d elements", ErrOptions, m, d)
	}
	return nil
}

// columns copies columns from..to-1 of rows of d.
func columns(x []float32, d, from, to int) []float32 {
	y := make([]float32, 0, len(x)/d*(to-from))
	for i := 0; i < len(x); i += d {
		y = append(y, x[i+from:i+to]...)
	}
	return y
}

// TrainPQ finds m codebooks of k words for the vectors x, [n][d], n >= k, each by
// k-means, see [TrainKMeans]. o.Metric must be [Euclidean].
func TrainPQ(x []float32, d, m, k int, o *KMeansOptions) (*PQ, error) {
	opt, err := checkTrainer(x, d, k, o)
	if err != nil {
		return nil, err
	}
	if err := checkParts(d, m); err != nil {
		return nil, err
	}
	return trainPQ(x, d, m, k, opt), nil
}

// checkTrainer checks what the trainers of several Euclidean codebooks have in common.
func checkTrainer(x []float32, d, k int, o *KMeansOptions) (KMeansOptions, error) {
	if err := checkBook(k); err != nil {
		return KMeansOptions{}, err
	}
	n, err := checkTraining(x, d, k)
	if err != nil {
		return KMeansOptions{}, err
	}
	opt, err := o.check(n)
	if err == nil && opt.Metric != Euclidean {
		err = fmt.Errorf("%w: %v metric", ErrOptions, opt.Metric)
	}
	return opt, err
}

func trainPQ(x []float32, d, m, k int, opt KMeansOptions) *PQ {
	starts := parts(d, m)
	books := make([]*Codebook, m)
	for i := range books {
		w := starts[i+1] - starts[i]
		o := opt
		o.Seed = opt.Seed + uint64(i)
		books[i] = newCodebook(newLloyd(columns(x, d, starts[i], starts[i+1]), w, k, o).run(), w, Euclidean)
	}
	return newPQ(books)
}

func newPQ(books []*Codebook) *PQ {
	q := &PQ{books: books, starts: []int{0}}
	for _, b := range books {
		q.d += b.d
		q.starts = append(q.starts, q.d)
		q.sizes = append(q.sizes, b.k)
	}
	return q
}

// Dim returns the elements of a vector, d.
func (q *PQ) Dim() int { return q.d }

// Sizes returns the words of each of the M codebooks.
func (q *PQ) Sizes() []int { return q.sizes }

// Books returns the codebooks of the parts, which must not be changed.
func (q *PQ) Books() []*Codebook { return q.books }

// Encode implements [Quantiser].
func (q *PQ) Encode(codes []uint32, x []float32) {
	n, m := checkRows(q, codes, x), len(q.books)
	index := make([]uint32, n)
	for i, b := range q.books {
		if n == 0 {
			break
		}
		b.search.Search(index, nil, x[q.starts[i]:], q.d, n)
		for v, j := range index {
			codes[v*m+i] = j
		}
	}
}

// Decode implements [Quantiser].
func (q *PQ) Decode(x []float32, codes []uint32) {
	n, m := checkRows(q, codes, x), len(q.books)
	for v := range n {
		for i, b := range q.books {
			copy(x[v*q.d+q.starts[i]:v*q.d+q.starts[i+1]], b.word(codes[v*m+i]))
		}
	}
}

// MarshalBinary implements [Quantiser].
func (q *PQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *PQ) kind() string { return "pq" }

func (q *PQ) write(w *writer) { w.books(q.books) }

// books writes plain codebooks.
func (w *writer) books(books []*Codebook) {
	w.int(len(books))
	for _, b := range books {
		w.int(b.d)
		w.int(b.k)
		w.floats(b.words)
	}
}

// books reads at least one and at most most Euclidean codebooks, of dimension d, or of
// any if d is 0, the dimensions together being at most MaxDim.
func (r *reader) books(most, d int) []*Codebook {
	n := r.int("number of codebooks", 1, most)
	var books []*Codebook
	total := 0
	for range n {
		w := r.int("dimension", max(d, 1), MaxDim)
		if total += w; d > 0 && w != d || d == 0 && total > MaxDim {
			r.fail("a codebook of dimension %d", w)
		}
		k := r.int("number of words", 1, MaxSize)
		words := r.words(k, w)
		if r.err != nil {
			return nil
		}
		books = append(books, newCodebook(words, w, Euclidean))
	}
	return books
}

func readPQ(r *reader) (Quantiser, error) {
	books := r.books(maxCodes, 0)
	if r.err != nil {
		return nil, r.err
	}
	return newPQ(books), nil
}

// transposed returns the words of b as [d][k], and the negative halves of their squared
// lengths.
func transposed(b *Codebook) (words, bias []float32) {
	words, bias = make([]float32, len(b.words)), make([]float32, b.k)
	kernels.TransposeF32(words, b.k, b.words, b.d, b.k, b.d)
	for j := range bias {
		w := b.word(uint32(j))
		bias[j] = float32(-kernels.DotF32(w, w) / 2)
	}
	return words, bias
}
