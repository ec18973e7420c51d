package network

import (
	"math"
	"math/rand/v2"

	"github.com/burin-codec/burin/kernels"
)

// A Book is the codebook of a stage, and how often its words are used. What follows from
// that, bits, decides which words are used: codebooks and their statistics are learned
// together (Chou, Lookabaugh and Gray, "Entropy-Constrained Vector Quantization", 1989).
type Book struct {
	Dim, Words int
	Data       []float32 // [Words][Dim]
	Use        []float32 // [Words] running number of cells
	// Seen is the running number of cells that have no word at this stage and that
	// have one, [anchors][Classes][2].
	Seen []float32

	search   kernels.Nearest
	packed   []float32 // [Words][Dim+1]
	bias     []float32
	cost     []float32 // [Words] bits of a word, given that there is one
	sums     []float64 // [Words][Dim] of the cells noted
	hits     []float32 // [Words]
	samples  []float32 // [][Dim] some of the cells with a word
	fresh    bool      // whether search is of the words as they are
	nearest  []uint32
	gathered []float32
}

func newBook(l Level, anchors int) *Book {
	b := &Book{
		Dim: l.Dim, Words: l.Words, Data: make([]float32, l.Words*l.Dim), Use: make([]float32, l.Words),
		Seen: make([]float32, anchors*Classes*2),
		sums: make([]float64, l.Words*l.Dim), hits: make([]float32, l.Words),
	}
	for i := range b.Use {
		b.Use[i] = 1
	}
	for i := range b.Seen {
		b.Seen[i] = 1
	}
	return b
}

// A cell is one that may have a word.
type cell struct {
	Row, Class, Anchor int
	Kappa              float32 // bits that one unit of squared error is worth
	word               int     // chosen, or -1
	bits               float32
}

// minUse is the share of the mean use that a word is taken to have at least.
const minUse = 1.0 / 16

// prepare packs the words for the search. What a word costs goes in as one more element,
// the cell's being the worth of a bit: the largest score is the least cost.
func (b *Book) prepare() {
	if b.fresh {
		return
	}
	d := b.Dim
	b.packed, b.bias, b.cost = sized(b.packed, b.Words*(d+1)), sized(b.bias, b.Words), sized(b.cost, b.Words)
	total := kernels.SumF32(b.Use)
	least := total / float64(b.Words) * minUse
	for i := range b.Words {
		w := b.Data[i*d : (i+1)*d]
		copy(b.packed[i*(d+1):], w)
		b.cost[i] = float32(-math.Log2(max(float64(b.Use[i]), least) / total))
		b.packed[i*(d+1)+d] = -b.cost[i]
		b.bias[i] = float32(-kernels.DotF32(w, w) / 2)
	}
	b.search.Pack(b.packed, b.Words, d+1, d+1, b.bias)
	b.fresh = true
}

// choose sets the word of each cell, of rows left, [..][Dim], or -1 where none costs
// less, and the bits. It returns cells.
func (b *Book) choose(left []float32, cells []cell, note bool) []cell {
	if len(cells) == 0 {
		return cells
	}
	b.prepare()
	d := b.Dim
	b.gathered = sized(b.gathered, len(cells)*(d+1))
	if cap(b.nearest) < len(cells) {
		b.nearest = make([]uint32, len(cells))
	}
	index := b.nearest[:len(cells)]
	for i, c := range cells {
		copy(b.gathered[i*(d+1):], left[c.Row*d:(c.Row+1)*d])
		b.gathered[i*(d+1)+d] = 1 / (2 * c.Kappa)
	}
	b.search.Search(index, nil, b.gathered, d+1, len(cells))
	for i := range cells {
		c := &cells[i]
		v, w := left[c.Row*d:(c.Row+1)*d], b.Data[int(index[i])*d:(int(index[i])+1)*d]
		var gain float64 // of squared error
		for j, x := range v {
			gain += float64(w[j]) * float64(2*x-w[j])
		}
		seen := b.Seen[(c.Anchor*Classes+c.Class)*2:][:2]
		none := float32(-math.Log2(float64(seen[0] / (seen[0] + seen[1]))))
		some := float32(-math.Log2(float64(seen[1]/(seen[0]+seen[1])))) + b.cost[index[i]]
		if c.Kappa*float32(gain) > some-none {
			c.word, c.bits = int(index[i]), some
		} else {
			c.word, c.bits = -1, none
		}
	}
	if note {
		b.note(left, cells)
	}
	return cells
}

// maxSamples is how many cells are kept to make new words of.
const maxSamples = 64

func (b *Book) note(left []float32, cells []cell) {
	d := b.Dim
	b.samples = b.samples[:0]
	// Every so many, so that all pictures of the batch have a part.
	some := 0
	for _, c := range cells {
		if c.word >= 0 {
			some++
		}
	}
	every, k := max(some/maxSamples, 1), 0
	for _, c := range cells {
		b.Seen[(c.Anchor*Classes+c.Class)*2+btoi(c.word >= 0)] += 1 - statisticsDecay
		if c.word < 0 {
			continue
		}
		v := left[c.Row*d : (c.Row+1)*d]
		sum := b.sums[c.word*d : (c.word+1)*d]
		for j, x := range v {
			sum[j] += float64(x)
		}
		b.hits[c.word]++
		if k%every == 0 {
			b.samples = append(b.samples, v...)
		}
		k++
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

const (
	// wordsDecay is the part of words and of their use that an update keeps.
	wordsDecay = 0.995
	// statisticsDecay is that of how many cells have words.
	statisticsDecay = 0.99
	// leastUse keeps the use of what is never used a number to divide by.
	leastUse = 1e-6
	// A word that is used less often than deadUse times the mean is made anew, at most
	// maxRevived an update.
	deadUse    = 0.03
	maxRevived = 8
)

// Update moves the words to the mean of the cells that took them (van den Oord et al.,
// "Neural Discrete Representation Learning", 2017, appendix A.1), and those that are
// hardly used to other cells, drawn at random.
func (b *Book) Update(r *rand.Rand) {
	d := b.Dim
	for i := range b.Seen {
		// Never to zero: what was not seen for long is not impossible.
		b.Seen[i] = max(b.Seen[i]*statisticsDecay, 0.01)
	}
	var total float64
	for i, n := range b.hits {
		b.Use[i] = max(wordsDecay*b.Use[i]+(1-wordsDecay)*n, leastUse)
		total += float64(b.Use[i])
		if n == 0 {
			continue
		}
		share := (1 - wordsDecay) / b.Use[i]
		w, sum := b.Data[i*d:(i+1)*d], b.sums[i*d:(i+1)*d]
		for j := range w {
			w[j] += share * (float32(sum[j]) - n*w[j])
		}
		clear(sum)
		b.hits[i] = 0
	}
	mean := float32(total / float64(b.Words))
	left := maxRevived
	for i, first := 0, r.IntN(b.Words); i < b.Words && left > 0 && len(b.samples) > 0; i++ {
		k := (first + i) % b.Words
		if b.Use[k] >= deadUse*mean {
			continue
		}
		from := r.IntN(len(b.samples) / d)
		copy(b.Data[k*d:(k+1)*d], b.samples[from*d:(from+1)*d])
		b.Use[k] = mean / 2
		left--
	}
	b.samples = b.samples[:0]
	b.fresh = false
}

// Update lets all codebooks learn from the passes since the last time.
func (n *Network) Update(r *rand.Rand) {
	for _, books := range n.Books {
		for _, b := range books {
			b.Update(r)
		}
	}
}

// UsedWords returns the share of words of each level's stages that are used at least a
// tenth as often as the mean.
func (n *Network) UsedWords() [Levels][]float64 {
	var share [Levels][]float64
	for l, books := range n.Books {
		for _, b := range books {
			mean := float32(kernels.SumF32(b.Use) / float64(b.Words))
			used := 0
			for _, u := range b.Use {
				used += btoi(u >= mean/10)
			}
			share[l] = append(share[l], float64(used)/float64(b.Words))
		}
	}
	return share
}
