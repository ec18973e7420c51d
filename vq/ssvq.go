package vq

import "math"

// An SSVQ splits signs from magnitudes (Li et al., "SSVQ: Unleashing the Potential of
// Vector Quantization with Sign-Splitting", 2025): a vector is the signs of its d
// elements, a bit each, times a word of a codebook of magnitudes. Where signs are
// arbitrary, as in weights of networks, K words do the work of K·2^d. (The paper's
// fine-tuning of signs through the network's loss is left to the network's trainer.)
//
// A vector becomes the word's number and the signs, up to 16 to a code, element 0 in the
// lowest bit, set for negative ones: 1+⌈d/16⌉ codes, 1 + log2(K)/d bits a dimension.
// Encoding costs K·d multiplications a vector, decoding is a look-up.
type SSVQ struct {
	book  *Codebook
	sizes []int
}

func init() { register("ssvq", readSSVQ) }

// signBits is how many signs a code holds.
const signBits = 16

// TrainSSVQ finds k words for the magnitudes of x, [n][d], n >= k, by [TrainKMeans].
// o.Metric must be [Euclidean].
func TrainSSVQ(x []float32, d, k int, o *KMeansOptions) (*SSVQ, error) {
	opt, err := checkTrainer(x, d, k, o)
	if err != nil {
		return nil, err
	}
	return newSSVQ(newCodebook(newLloyd(magnitudes(nil, x), d, k, opt).run(), d, Euclidean)), nil
}

// magnitudes returns x without signs, in memory of y if there is enough.
func magnitudes(y, x []float32) []float32 {
	y = append(y[:0], x...)
	for i, v := range y {
		y[i] = float32(math.Abs(float64(v)))
	}
	return y
}

func newSSVQ(b *Codebook) *SSVQ {
	q := &SSVQ{book: b, sizes: []int{b.k}}
	for left := b.d; left > 0; left -= signBits {
		q.sizes = append(q.sizes, 1<<min(left, signBits))
	}
	return q
}

// Dim returns the elements of a vector, d.
func (q *SSVQ) Dim() int { return q.book.d }

// Sizes returns the number of words, and the alphabets of groups of signs.
func (q *SSVQ) Sizes() []int { return q.sizes }

// Book returns the codebook of magnitudes, which must not be changed.
func (q *SSVQ) Book() *Codebook { return q.book }

// Encode implements [Quantiser].
func (q *SSVQ) Encode(codes []uint32, x []float32) {
	n, m, d := checkRows(q, codes, x), len(q.sizes), q.book.d
	var y []float32
	index := make([]uint32, min(n, encodeRows))
	for at := 0; at < n; at += encodeRows {
		k := min(encodeRows, n-at)
		part := x[at*d : (at+k)*d]
		y = magnitudes(y, part)
		q.book.search.Search(index, nil, y, d, k)
		for i := range k {
			c := codes[(at+i)*m : (at+i+1)*m]
			clear(c)
			c[0] = index[i]
			for j, v := range part[i*d : (i+1)*d] {
				c[1+j/signBits] |= math.Float32bits(v) >> 31 << (j % signBits)
			}
		}
	}
}

// Decode implements [Quantiser].
func (q *SSVQ) Decode(x []float32, codes []uint32) {
	n, m, d := checkRows(q, codes, x), len(q.sizes), q.book.d
	for i := range n {
		c := codes[i*m : (i+1)*m]
		for j, v := range q.book.word(c[0]) {
			sign := c[1+j/signBits] >> (j % signBits) << 31
			x[i*d+j] = math.Float32frombits(math.Float32bits(v) ^ sign)
		}
	}
}

// MarshalBinary implements [Quantiser].
func (q *SSVQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *SSVQ) kind() string { return "ssvq" }

func (q *SSVQ) write(w *writer) { w.books([]*Codebook{q.book}) }

func readSSVQ(r *reader) (Quantiser, error) {
	books := r.books(1, 0)
	if r.err != nil {
		return nil, r.err
	}
	for _, v := range books[0].words {
		if v < 0 {
			return nil, FormatError("a magnitude below zero")
		}
	}
	return newSSVQ(books[0]), nil
}
