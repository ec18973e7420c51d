package reduce

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// A Codebook stands for patch embeddings by bytes: the number of the nearest of up to
// 256 centroids (HPC-ColPali: "Hierarchical Patch Compression for ColPali", arXiv 2506.21601, 2025).
type Codebook struct {
	D         int
	Centroids []float32 // [K][D], K in 1..256
}

// TrainCodebook finds k centroids, 1 to 256, of the n embeddings x, [n][d], by k-means:
// seeded by k-means++ (Arthur and Vassilvitskii, 2007), at most iterations rounds of
// Lloyd's, an empty cluster taking the embedding that is furthest from its centroid. The
// result depends on the seed. O(n k d) for each round.
func TrainCodebook(x []float32, d, k, iterations int, seed uint64) (*Codebook, error) {
	if d < 1 || d > MaxDim || len(x) == 0 || len(x)%d != 0 || len(x) > maxElements {
		return nil, fmt.Errorf("reduce: codebook of %d numbers of width %d: %w", len(x), d, ErrShape)
	}
	n := len(x) / d
	if k < 1 || k > 256 || k > n || iterations < 1 || iterations > 1<<16 {
		return nil, fmt.Errorf("reduce: codebook of %d centroids of %d embeddings in %d rounds: %w", k, n, iterations, ErrOption)
	}
	if i := firstBad(x); i >= 0 {
		return nil, fmt.Errorf("reduce: embedding %d is %v: %w", i/d, x[i], ErrValue)
	}
	data := rows{x, n, d, d}
	square := squares(data)
	r := rand.New(rand.NewPCG(seed, 0x6b6d65616e73))
	c := &Codebook{D: d, Centroids: make([]float32, k*d)}
	centroids := rows{c.Centroids, k, d, d}
	distance := make([]float64, n)
	for i := range distance {
		distance[i] = math.Inf(1)
	}
	next := r.IntN(n)
	for j := range k {
		copy(centroids.row(j), data.row(next))
		one := rows{centroids.row(j), 1, d, d}
		ss := squares(one)[0]
		var sum float64
		eachProduct(one, data, func(_ int, dots []float32) {
			for i, v := range dots {
				distance[i] = min(distance[i], max(0, square[i]+ss-2*float64(v)))
				sum += distance[i]
			}
		})
		next = r.IntN(n)
		if sum > 0 {
			for at, i := r.Float64()*sum, 0; i < n; i++ {
				if at -= distance[i]; at < 0 {
					next = i
					break
				}
			}
		}
	}
	assigned := make([]uint8, n)
	for range iterations {
		changed := c.assign(assigned, data, square, distance)
		sums, count := make([]float64, k*d), make([]int, k)
		for i, a := range assigned {
			count[a]++
			for q, v := range data.row(i) {
				sums[int(a)*d+q] += float64(v)
			}
		}
		for j, m := range count {
			if m == 0 {
				far := 0
				for i, v := range distance {
					if v > distance[far] {
						far = i
					}
				}
				distance[far] = 0
				copy(centroids.row(j), data.row(far))
				changed = true
				continue
			}
			for q := range d {
				c.Centroids[j*d+q] = float32(sums[j*d+q] / float64(m))
			}
		}
		if !changed {
			break
		}
	}
	return c, nil
}

func squares(r rows) []float64 {
	out := make([]float64, r.n)
	for i := range out {
		out[i] = dot64(r.row(i), r.row(i))
	}
	return out
}

// assign sets the nearest centroids and the squared distances, and reports whether any
// changed.
func (c *Codebook) assign(to []uint8, data rows, square, distance []float64) (changed bool) {
	centroids := rows{c.Centroids, len(c.Centroids) / c.D, c.D, c.D}
	own := squares(centroids)
	eachProduct(data, centroids, func(i int, dots []float32) {
		best, at := math.Inf(1), 0
		for j, v := range dots {
			if e := own[j] - 2*float64(v); e < best {
				best, at = e, j
			}
		}
		if to[i] != uint8(at) {
			to[i], changed = uint8(at), true
		}
		distance[i] = max(0, best+square[i])
	})
	return changed
}

func (c *Codebook) validate() error {
	if c == nil || c.D < 1 || len(c.Centroids) == 0 || len(c.Centroids)%c.D != 0 || len(c.Centroids)/c.D > 256 {
		return fmt.Errorf("reduce: codebook: %w", ErrShape)
	}
	if i := firstBad(c.Centroids); i >= 0 {
		return fmt.Errorf("reduce: codebook: number %d is %v: %w", i, c.Centroids[i], ErrValue)
	}
	return nil
}

// Encode returns the nearest centroid of each embedding of x, [n][D], and the mean
// squared distance to it.
func (c *Codebook) Encode(x []float32) (codes []uint8, mse float64, err error) {
	if err := c.validate(); err != nil {
		return nil, 0, err
	}
	if len(x)%c.D != 0 {
		return nil, 0, fmt.Errorf("reduce: to encode %d numbers of width %d: %w", len(x), c.D, ErrShape)
	}
	if i := firstBad(x); i >= 0 {
		return nil, 0, fmt.Errorf("reduce: embedding %d is %v: %w", i/c.D, x[i], ErrValue)
	}
	n := len(x) / c.D
	data := rows{x, n, c.D, c.D}
	codes = make([]uint8, n)
	distance := make([]float64, n)
	c.assign(codes, data, squares(data), distance)
	for _, v := range distance {
		mse += v / float64(n)
	}
	return codes, mse, nil
}

// Decode returns the centroids of codes, [n][D].
func (c *Codebook) Decode(codes []uint8) ([]float32, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	out := make([]float32, len(codes)*c.D)
	for i, v := range codes {
		if int(v) >= len(c.Centroids)/c.D {
			return nil, fmt.Errorf("reduce: code %d of a codebook of %d: %w", v, len(c.Centroids)/c.D, ErrValue)
		}
		copy(out[i*c.D:(i+1)*c.D], c.Centroids[int(v)*c.D:])
	}
	return out, nil
}

// A DocumentIndex finds pages by late interaction: the score of a page is the sum over
// query tokens of the greatest product with one of its patches (ColBERT's MaxSim, as in
// ColPali). Pages are held as a byte for each patch, the patch's centroid, and as the
// signs of its features, a bit each, where Binary is set. Patches may be pruned by
// attention when a page is added.
//
// The paper packs the numbers of centroids into bits and compares those by Hamming
// distance, which depends on how centroids happen to be numbered; signs of features
// estimate the angle (Charikar, 2002). A float32 patch of 128 features is 512 bytes, its
// code 1, its signs 16. The zero value is not ready: see [NewDocumentIndex]. Adding is
// for one goroutine at a time, searching is not.
type DocumentIndex struct {
	book   *Codebook
	binary bool
	words  int // of signs of a patch
	codes  []uint8
	signs  []uint64
	ends   []int // of the pages' patches
}

// NewDocumentIndex returns an empty index. With binary it keeps signs beside the codes.
func NewDocumentIndex(book *Codebook, binary bool) (*DocumentIndex, error) {
	if err := book.validate(); err != nil {
		return nil, err
	}
	return &DocumentIndex{book: book, binary: binary, words: (book.D + 63) / 64}, nil
}

// Add adds a page: its patches, of which those with the greatest attention are kept, all
// for Share(1), which needs no attention. It returns the page's number.
func (x *DocumentIndex) Add(page *Tokens, keep Keep) (int, error) {
	k, err := begin(page, keep)
	if err != nil {
		return 0, err
	}
	if page.D != x.book.D {
		return 0, fmt.Errorf("reduce: patches of %d features for a codebook of %d: %w", page.D, x.book.D, ErrShape)
	}
	patches := page.X
	if k < page.N {
		r, err := AttentionMass{Tau: 1}.Reduce(page, Count(k))
		if err != nil {
			return 0, err
		}
		patches = r.X
	}
	codes, _, err := x.book.Encode(patches)
	if err != nil {
		return 0, err
	}
	x.codes = append(x.codes, codes...)
	if x.binary {
		for i := range k {
			x.signs = appendSigns(x.signs, patches[i*page.D:(i+1)*page.D])
		}
	}
	x.ends = append(x.ends, len(x.codes))
	return len(x.ends) - 1, nil
}

// appendSigns appends the signs of a row, padded to words of 64.
func appendSigns(to []uint64, row []float32) []uint64 {
	for at := 0; at < len(row); at += 64 {
		var w uint64
		for i, v := range row[at:min(at+64, len(row))] {
			if v > 0 {
				w |= 1 << i
			}
		}
		to = append(to, w)
	}
	return to
}

// Len returns the number of pages.
func (x *DocumentIndex) Len() int { return len(x.ends) }

// Bytes returns the size of what is held of all pages: codes and signs.
func (x *DocumentIndex) Bytes() int { return len(x.codes) + 8*len(x.signs) }

// A Hit is a page found.
type Hit struct {
	Page  int
	Score float64
}

// ErrNotBinary says that an index keeps no signs.
var ErrNotBinary = errors.New("reduce: the index keeps no signs")

func (x *DocumentIndex) query(query []float32) (int, error) {
	if len(query) == 0 || len(query)%x.book.D != 0 {
		return 0, fmt.Errorf("reduce: query of %d numbers for patches of %d: %w", len(query), x.book.D, ErrShape)
	}
	if i := firstBad(query); i >= 0 {
		return 0, fmt.Errorf("reduce: query %d is %v: %w", i, query[i], ErrValue)
	}
	return len(query) / x.book.D, nil
}

// Search returns the best pages, k or as many as there are, for a query of tokens
// [q][D], by the products with the patches' centroids, which are made once for each of
// them: O(q K D + q patches). Of equal scores the first page comes first.
func (x *DocumentIndex) Search(query []float32, k int) ([]Hit, error) {
	q, err := x.query(query)
	if err != nil {
		return nil, err
	}
	centroids := rows{x.book.Centroids, len(x.book.Centroids) / x.book.D, x.book.D, x.book.D}
	scores := make([]float64, len(x.ends))
	eachProduct(rows{query, q, x.book.D, x.book.D}, centroids, func(_ int, dots []float32) {
		var table [256]float32
		copy(table[:], dots)
		from := 0
		for p, to := range x.ends {
			best := float32(math.Inf(-1))
			for _, c := range x.codes[from:to] {
				if v := table[c]; v > best {
					best = v
				}
			}
			scores[p] += float64(best)
			from = to
		}
	})
	return hits(scores, k), nil
}

// SearchBinary is like Search by the share of features whose signs agree: O(q patches D
// / 64).
func (x *DocumentIndex) SearchBinary(query []float32, k int) ([]Hit, error) {
	if !x.binary {
		return nil, ErrNotBinary
	}
	q, err := x.query(query)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(x.ends))
	for i := range q {
		signs := appendSigns(nil, query[i*x.book.D:(i+1)*x.book.D])
		from := 0
		for p, to := range x.ends {
			least := math.MaxInt
			for at := from; at < to; at++ {
				d := 0
				for w, s := range x.signs[at*x.words : (at+1)*x.words] {
					d += bits.OnesCount64(s ^ signs[w])
				}
				least = min(least, d)
			}
			scores[p] += 1 - float64(least)/float64(x.book.D)
			from = to
		}
	}
	return hits(scores, k), nil
}

func hits(scores []float64, k int) []Hit {
	order := descending(scores)
	order = slices.Clip(order[:max(0, min(k, len(order)))])
	out := make([]Hit, len(order))
	for i, p := range order {
		out[i] = Hit{int(p), scores[p]}
	}
	return out
}
