package vq

import "fmt"

// An MCRVQ is a masked-channel residual quantiser (Ji et al., "Language-Codec: Bridging
// Discrete Codec Representations and Speech Language Models", 2024): each of P codebooks
// quantises one of P parts of the channels, the others being masked out, and what they
// all leave goes to a residual quantiser of S stages on all channels. So the first
// codes carry alike much, where those of [RQ] carry less and less. Language-Codec has
// P = 3 and S = 1.
//
// A vector becomes P+S codes, those of the parts first; (P+S)·log2(K)/d bits a
// dimension. Encoding costs (1+B·S)·K·d multiplications a vector, B being the beam of
// the residual stages; decoding (1+S)·d additions.
type MCRVQ struct {
	masked *PQ // of P parts
	rest   *RQ // of S stages
	sizes  []int
}

func init() { register("mcrvq", readMCRVQ) }

// TrainMCRVQ finds masked+stages codebooks of k words for the vectors x, [n][d],
// n >= k: those of the parts by [TrainPQ], the others by [TrainRQ] on what they leave.
func TrainMCRVQ(x []float32, d, masked, stages, k int, o *RQOptions) (*MCRVQ, error) {
	opt, err := o.check(x, d, stages, k)
	if err != nil {
		return nil, err
	}
	if err := checkParts(d, masked); err != nil {
		return nil, err
	}
	pq := trainPQ(x, d, masked, k, opt.KMeansOptions)
	codes, left := make([]uint32, len(x)/d*masked), make([]float32, len(x))
	EncodePool(opt.Pool, pq, codes, x)
	pq.Decode(left, codes)
	for i, v := range x {
		left[i] = v - left[i]
	}
	opt.Seed += uint64(masked)
	return newMCRVQ(pq, trainRQ(left, d, stages, k, opt)), nil
}

func newMCRVQ(pq *PQ, rq *RQ) *MCRVQ {
	return &MCRVQ{pq, rq, append(append([]int(nil), pq.sizes...), rq.sizes...)}
}

// Dim returns the elements of a vector, d.
func (q *MCRVQ) Dim() int { return q.masked.d }

// Sizes returns the words of the codebooks of the parts and of the residual stages.
func (q *MCRVQ) Sizes() []int { return q.sizes }

// Encode implements [Quantiser].
func (q *MCRVQ) Encode(codes []uint32, x []float32) {
	n := checkRows(q, codes, x)
	d, m, p, s := q.Dim(), len(q.sizes), len(q.masked.books), len(q.rest.books)
	left := make([]float32, min(n, encodeRows)*d)
	first, last := make([]uint32, min(n, encodeRows)*p), make([]uint32, min(n, encodeRows)*s)
	for at := 0; at < n; at += encodeRows {
		k := min(encodeRows, n-at)
		part, left := x[at*d:(at+k)*d], left[:k*d]
		q.masked.Encode(first[:k*p], part)
		q.masked.Decode(left, first[:k*p])
		for i, v := range part {
			left[i] = v - left[i]
		}
		q.rest.Encode(last[:k*s], left)
		for i := range k {
			c := codes[(at+i)*m : (at+i+1)*m]
			copy(c, first[i*p:(i+1)*p])
			copy(c[p:], last[i*s:(i+1)*s])
		}
	}
}

// Decode implements [Quantiser].
func (q *MCRVQ) Decode(x []float32, codes []uint32) {
	n := checkRows(q, codes, x)
	d, m, p := q.Dim(), len(q.sizes), len(q.masked.books)
	for i := range n {
		row, c := x[i*d:(i+1)*d], codes[i*m:(i+1)*m]
		q.masked.Decode(row, c[:p])
		for s, b := range q.rest.books {
			addWord(row, b.word(c[p+s]), false)
		}
	}
}

// MarshalBinary implements [Quantiser].
func (q *MCRVQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *MCRVQ) kind() string { return "mcrvq" }

func (q *MCRVQ) write(w *writer) {
	q.masked.write(w)
	q.rest.write(w)
}

func readMCRVQ(r *reader) (Quantiser, error) {
	pq, err := readPQ(r)
	if err != nil {
		return nil, err
	}
	rq, err := readRQ(r)
	if err != nil {
		return nil, err
	}
	if pq.Dim() != rq.Dim() {
		return nil, FormatError(fmt.Sprintf("parts of %d elements, stages of %d", pq.Dim(), rq.Dim()))
	}
	return newMCRVQ(pq.(*PQ), rq.(*RQ)), nil
}
