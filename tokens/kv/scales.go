package kv

import (
	"container/heap"
	"fmt"
	"math"
)

// # Budgets by scale
//
// A model that predicts a picture scale by scale keeps the tokens of all scales so far,
// and layers differ in which of them they look at: ScaleKV (arXiv 2505.19602) finds
// layers that spread their attention over all scales and layers that look at the last,
// and gives the first kind more of the cache. Here the budget is one of bits, and what a
// layer looks at is measured: a token's error reaches the output weighed by the
// attention it receives. For tokens of weight w and variance v in a format of relative
// squared error D, the error is w*v*D summed, and each step of a (layer, scale) to the
// next format is worth the error it takes away by the bits it costs; the best steps are
// taken first. That is the best there is for the steps taken, as the steps of each are
// in order of worth.

// distortions are the formats that ScaleBudgets gives out and their relative squared
// errors: those of the best evenly spaced levels on normally distributed numbers.
var distortions = [...]struct {
	format Format
	bits   float64
	error  float64
}{{Dropped, 0, 1}, {Bits1, 1, 0.3634}, {Bits2, 2, 0.1188}, {Bits3, 3, 0.03744}, {Bits4, 4, 0.01154}}

// ScaleBudgets gives each scale of each layer a format so that a cache takes at most so
// many bits a number, levels only. scales lists the tokens of each scale, first to last,
// which are consecutive; weights has the importance of every token of every layer, layers
// x tokens, as for [Important]: [Attention] times the squares of [ValueNorms], say. It
// returns the classes and the class of every token for Options.Classes and
// Options.Assign.
func ScaleBudgets(weights []float64, scales []int, bits float64) ([]Class, []uint8, error) {
	tokens := 0
	for _, n := range scales {
		if n < 1 || n > maxSize-tokens {
			return nil, nil, fmt.Errorf("%w: scales of %v tokens", ErrShape, scales)
		}
		tokens += n
	}
	if tokens == 0 || len(weights) == 0 || len(weights)%tokens != 0 {
		return nil, nil, fmt.Errorf("%w: %d weights for layers of %d tokens", ErrShape, len(weights), tokens)
	}
	if !(bits >= 0 && bits <= 4) {
		return nil, nil, fmt.Errorf("%w: %v bits are not within 0 and 4", ErrOption, bits)
	}
	var steps stepHeap
	for i := 0; i < len(weights); {
		for _, n := range scales {
			sum := 0.0
			for t, w := range weights[i : i+n] {
				if !(w >= 0) || math.IsInf(w, 1) {
					return nil, nil, fmt.Errorf("%w: weight of token %d of layer %d: %v", ErrValue, (i+t)%tokens, i/tokens, w)
				}
				sum += w
			}
			steps = append(steps, step{at: i, tokens: n, weight: sum})
			i += n
		}
	}
	heap.Init(&steps)
	left := bits * float64(len(weights))
	assign := make([]uint8, len(weights))
	for len(steps) > 0 {
		s := &steps[0]
		left -= float64(s.tokens) * (distortions[s.level+1].bits - distortions[s.level].bits)
		if left < 0 {
			break // smaller ones might fit, but are worth less
		}
		s.level++
		for t := range s.tokens {
			assign[s.at+t] = uint8(s.level)
		}
		if s.level == len(distortions)-1 {
			heap.Pop(&steps)
		} else {
			heap.Fix(&steps, 0)
		}
	}
	classes := make([]Class, len(distortions))
	for i, d := range distortions {
		classes[i] = Class{d.format, d.format}
	}
	return classes, assign, nil
}

// A step is a scale of a layer that might have the next format.
type step struct {
	at, tokens int
	weight     float64 // of its tokens
	level      int     // in distortions
}

// worth returns the error that the next format takes away by its bits.
func (s *step) worth() float64 {
	a, b := distortions[s.level], distortions[s.level+1]
	return s.weight / float64(s.tokens) * (a.error - b.error) / (b.bits - a.bits)
}

// A stepHeap has the step of most worth first, the first of them in the cache if there
// are several.
type stepHeap []step

func (h stepHeap) Len() int { return len(h) }
func (h stepHeap) Less(i, j int) bool {
	a, b := h[i].worth(), h[j].worth()
	return a > b || a == b && h[i].at < h[j].at
}
func (h stepHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *stepHeap) Push(x any)   { *h = append(*h, x.(step)) }
func (h *stepHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}
