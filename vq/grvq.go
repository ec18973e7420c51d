package vq

import "fmt"

// maxGroups is the most groups of a [GRVQ].
const maxGroups = 1024

// A GRVQ is a group-residual quantiser (Yang et al., "HiFi-Codec: Group-residual Vector
// Quantization for High Fidelity Audio Codec", 2023): the d elements of a vector are
// divided into G groups, as the parts of [PQ], and each group has a residual quantiser
// [RQ] of L layers. The codes of a vector are those of the first layer of all groups,
// then those of the second, and so on, G·L in all, G·L·log2(K)/d bits a dimension.
// Encoding costs B·L·K·d multiplications a vector, B being the beam; decoding L·d
// additions.
type GRVQ struct {
	d      int
	groups []*RQ
	starts []int // [G+1]
	layers int
	sizes  []int // [L][G]
}

func init() { register("grvq", readGRVQ) }

// TrainGRVQ finds groups·layers codebooks of k words for the vectors x, [n][d], n >= k:
// each group's by [TrainRQ].
func TrainGRVQ(x []float32, d, groups, layers, k int, o *RQOptions) (*GRVQ, error) {
	opt, err := o.check(x, d, layers, k)
	if err != nil {
		return nil, err
	}
	if err := checkParts(d, groups); err != nil {
		return nil, err
	}
	if groups > maxGroups {
		return nil, fmt.Errorf("%w: %d groups", ErrOptions, groups)
	}
	starts := parts(d, groups)
	qs := make([]*RQ, groups)
	for g := range qs {
		o := opt
		o.Seed += uint64(g * layers)
		qs[g] = trainRQ(columns(x, d, starts[g], starts[g+1]), starts[g+1]-starts[g], layers, k, o)
	}
	return newGRVQ(qs), nil
}

func newGRVQ(groups []*RQ) *GRVQ {
	q := &GRVQ{groups: groups, starts: []int{0}, layers: len(groups[0].books)}
	for _, g := range groups {
		q.d += g.d
		q.starts = append(q.starts, q.d)
	}
	for l := range q.layers {
		for _, g := range groups {
			q.sizes = append(q.sizes, g.sizes[l])
		}
	}
	return q
}

// Dim returns the elements of a vector, d.
func (q *GRVQ) Dim() int { return q.d }

// Sizes returns the words of each codebook, layer by layer.
func (q *GRVQ) Sizes() []int { return q.sizes }

// Groups returns the quantisers of the groups, which must not be changed.
func (q *GRVQ) Groups() []*RQ { return q.groups }

// Encode implements [Quantiser].
func (q *GRVQ) Encode(codes []uint32, x []float32) {
	n, m := checkRows(q, codes, x), len(q.sizes)
	some := make([]uint32, n*q.layers)
	for g, rq := range q.groups {
		rq.Encode(some, columns(x, q.d, q.starts[g], q.starts[g+1]))
		for i := range n {
			for l := range q.layers {
				codes[i*m+l*len(q.groups)+g] = some[i*q.layers+l]
			}
		}
	}
}

// Decode implements [Quantiser].
func (q *GRVQ) Decode(x []float32, codes []uint32) {
	n, m := checkRows(q, codes, x), len(q.sizes)
	for i := range n {
		for g, rq := range q.groups {
			part := x[i*q.d+q.starts[g] : i*q.d+q.starts[g+1]]
			for l, b := range rq.books {
				addWord(part, b.word(codes[i*m+l*len(q.groups)+g]), l == 0)
			}
		}
	}
}

// MarshalBinary implements [Quantiser].
func (q *GRVQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *GRVQ) kind() string { return "grvq" }

func (q *GRVQ) write(w *writer) {
	w.int(len(q.groups))
	for _, g := range q.groups {
		g.write(w)
	}
}

func readGRVQ(r *reader) (Quantiser, error) {
	n := r.int("number of groups", 1, maxGroups)
	var groups []*RQ
	d := 0
	for range n {
		q, err := readRQ(r)
		if err != nil {
			return nil, err
		}
		g := q.(*RQ)
		if d += g.d; d > MaxDim || len(groups) > 0 && len(g.books) != len(groups[0].books) {
			r.fail("groups of %d and %d layers, %d elements", len(groups[0].books), len(g.books), d)
			return nil, r.err
		}
		groups = append(groups, g)
	}
	if r.err != nil {
		return nil, r.err
	}
	return newGRVQ(groups), nil
}
