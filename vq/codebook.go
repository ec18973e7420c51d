package vq

import (
	"fmt"
	"math"

	"github.com/burin-codec/burin/kernels"
)

// A Metric says which word of a codebook a vector is given.
type Metric uint8

const (
	Euclidean    Metric = iota // the nearest
	Cosine                     // that at the smallest angle; words have length 1
	InnerProduct               // that with the largest inner product
)

var metricNames = [...]string{"euclidean", "cosine", "inner product"}

// String returns the name of m.
func (m Metric) String() string {
	if int(m) < len(metricNames) {
		return metricNames[m]
	}
	return fmt.Sprintf("Metric(%d)", uint8(m))
}

// A Codebook is a list of K words of d elements: plain vector quantisation. A vector
// becomes one code, the number of its word; log2(K)/d bits a dimension. Encoding costs
// K·d multiplications a vector, decoding is a look-up.
//
// With [Cosine] a vector decodes to a direction of length 1: its own length is lost,
// and a caller who wants it sends it apart.
type Codebook struct {
	d, k   int
	words  []float32 // [k][d]
	metric Metric
	sizes  []int // [1]
	search kernels.Nearest
}

func init() { register("codebook", readCodebook) }

// NewCodebook returns a codebook of the given words, [K][d], K in 1..[MaxSize], which
// it copies. For [Cosine] they are scaled to length 1, and must not be zero.
func NewCodebook(words []float32, d int, m Metric) (*Codebook, error) {
	if d < 1 || d > MaxDim || len(words)%max(d, 1) != 0 || len(words) == 0 || len(words)/d > MaxSize {
		return nil, fmt.Errorf("%w: a codebook of %d numbers in words of %d", ErrOptions, len(words), d)
	}
	if int(m) >= len(metricNames) {
		return nil, fmt.Errorf("%w: %v", ErrOptions, m)
	}
	if _, err := checkTraining(words, d, 1); err != nil {
		return nil, err
	}
	for i := 0; m == Cosine && i < len(words); i += d {
		if kernels.MagnitudeF32(words[i:i+d]) == 0 {
			return nil, fmt.Errorf("%w: word %d has no direction", ErrTraining, i/d)
		}
	}
	return newCodebook(append([]float32(nil), words...), d, m), nil
}

// newCodebook takes over words that are known to be good.
func newCodebook(words []float32, d int, m Metric) *Codebook {
	c := &Codebook{d: d, k: len(words) / d, words: words, metric: m}
	c.sizes = []int{c.k}
	if m == Cosine {
		normaliseRows(words, d)
	}
	c.search.Pack(words, c.k, d, d, metricBias(m, c.k))
	return c
}

// metricBias returns the biases of [kernels.Nearest].
func metricBias(m Metric, k int) []float32 {
	if m == Euclidean {
		return nil
	}
	return make([]float32, k)
}

// normaliseRows scales rows to length 1, but for zeros.
func normaliseRows(x []float32, d int) {
	for i := 0; i < len(x); i += d {
		row := x[i : i+d]
		var s float64
		for _, v := range row {
			s += float64(v) * float64(v)
		}
		if s == 0 {
			continue
		}
		f := 1 / math.Sqrt(s)
		for j, v := range row {
			row[j] = float32(float64(v) * f)
		}
	}
}

// Dim returns the elements of a word, d.
func (c *Codebook) Dim() int { return c.d }

// Sizes returns the one size, the number of words.
func (c *Codebook) Sizes() []int { return c.sizes }

// Metric returns how words are chosen.
func (c *Codebook) Metric() Metric { return c.metric }

// Words returns the words, [K][d], which must not be changed.
func (c *Codebook) Words() []float32 { return c.words }

// Encode implements [Quantiser]. Of equally good words it takes the first.
func (c *Codebook) Encode(codes []uint32, x []float32) {
	n := checkRows(c, codes, x)
	c.search.Search(codes, nil, x, c.d, n)
}

// Decode implements [Quantiser].
func (c *Codebook) Decode(x []float32, codes []uint32) {
	checkRows(c, codes, x)
	for i, j := range codes {
		copy(x[i*c.d:(i+1)*c.d], c.word(j))
	}
}

func (c *Codebook) word(j uint32) []float32 {
	return c.words[int(j)*c.d : (int(j)+1)*c.d]
}

// MarshalBinary implements [Quantiser].
func (c *Codebook) MarshalBinary() ([]byte, error) { return marshal(c) }

func (c *Codebook) kind() string { return "codebook" }

func (c *Codebook) write(w *writer) {
	w.int(int(c.metric))
	w.int(c.d)
	w.int(c.k)
	w.floats(c.words)
}

func readCodebook(r *reader) (Quantiser, error) {
	m := Metric(r.int("metric", 0, len(metricNames)-1))
	d := r.int("dimension", 1, MaxDim)
	k := r.int("number of words", 1, MaxSize)
	words := r.words(k, d)
	if r.err != nil {
		return nil, r.err
	}
	c := &Codebook{d: d, k: k, words: words, metric: m, sizes: []int{k}}
	c.search.Pack(words, k, d, d, metricBias(m, k)) // lengths as they were stored
	return c, nil
}

// words reads the words of a codebook, and refuses those that trainers would.
func (r *reader) words(k, d int) []float32 {
	w := r.floats("words", k, d)
	for _, v := range w {
		if v > maxMagnitude || v < -maxMagnitude {
			r.fail("a word has an element of %g", v)
			return nil
		}
	}
	return w
}
