package vit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/burin-codec/burin/transform/nn"
)

// A RateConfig says how [Model.LearnRates] learns.
type RateConfig struct {
	MACs  float64 // the target, as a share of the whole network's, in (0, 1]
	Steps int
	Batch int
	Rate  float64 // learning rate; 0.3 is usual
	Seed  uint64
}

// leak is how much attention a token that is pruned keeps while rates are learned, so
// that there is a gradient to bring it back.
const leak = 0.01

// LearnRates learns how many tokens to keep in each layer for a given cost, the weights
// staying as they are (Chen et al., "DiffRate: Differentiable Compression Rate for
// Efficient Vision Transformers", 2023). In layer l there is a probability p_k, a
// softmax of learned numbers, for each count k that may be kept; the token of rank r, by
// the class token's attention, is kept with the probability that k > r. Forward, the
// tokens of rank below the mean of k stay, the others are masked from attention behind;
// backward, the gradient with respect to the mask goes to the probabilities as if they
// had been it (straight through). The loss adds the squared distance of the cost from
// its target.
//
// The paper learns counts for pruning and for merging; here they are of pruning, and
// tokens that are pruned keep a hundredth of their weight while learning. The result is
// for each layer the count behind its attention, never rising.
func (m *Model) LearnRates(ctx context.Context, set *Set, c RateConfig) ([]int, error) {
	if !(c.MACs > 0 && c.MACs <= 1) || c.Steps < 1 || c.Batch < 1 || c.Batch > set.Len() || !(c.Rate > 0) || set.Side != m.Side {
		return nil, fmt.Errorf("vit: cannot learn rates on %d pictures of side %d with %+v", set.Len(), set.Side, c)
	}
	n, t := c.Batch, 1+m.Tokens()
	rates := make([]*nn.Param, m.Layers)
	for l := range rates {
		rates[l] = nn.NewParam(fmt.Sprintf("rates.%d", l), 1, m.Tokens()) // of keeping 1, 2, ...
		for k := range rates[l].Data {
			rates[l].Data[k] = 0.1 * float32(k)
		}
	}
	adam := nn.NewAdam(nil, nn.Group{Params: rates, Rate: c.Rate, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8})
	r := rand.New(rand.NewPCG(c.Seed, 0x7261746573))
	area := m.Side * m.Side
	pictures, labels := make([]float32, n*area), make([]uint8, n)
	dlogits := make([]float32, n*m.Classes)
	masks := make([][]float32, m.Layers) // behind layer l, [n*t]: 1 or leak
	ranks := make([][]int, m.Layers)     // [n*Tokens] of patches
	for l := range masks {
		masks[l], ranks[l] = make([]float32, n*t), make([]int, n*m.Tokens())
	}
	score := make([]float32, m.Tokens())
	whole := m.cost(nil)
	var counts []int
	for range c.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range n {
			j := r.IntN(set.Len())
			set.Load(pictures[i*area:(i+1)*area], j)
			labels[i] = set.Labels[j]
		}
		p, mean := make([][]float64, m.Layers), make([]float64, m.Layers)
		for l := range rates {
			p[l] = softmax(rates[l].Data)
			for k, v := range p[l] {
				mean[l] += v * float64(k+1)
			}
		}
		counts = round(mean)
		m.blocks[0].bias = nil
		logits := m.forward(pictures, n, func(l int) {
			for i := range n {
				clear(score)
				for h := range m.Heads {
					for j, v := range m.blocks[l].attention.Probabilities(i, h)[1:t] {
						score[j] += v
					}
				}
				for rank, j := range descending(score) {
					ranks[l][i*m.Tokens()+j] = rank
					v := float32(1)
					if rank >= counts[l] || l > 0 && masks[l-1][i*t+1+j] < 1 {
						v = leak
					}
					masks[l][i*t+1+j] = v
				}
				masks[l][i*t] = 1
			}
			if l+1 < m.Layers {
				bias := grow(m.blocks[l+1].bias, n*t)
				for j, v := range masks[l] {
					bias[j] = float32(math.Log(float64(v)))
				}
				m.blocks[l+1].bias = bias
			}
		})
		nn.CrossEntropy(dlogits, logits, labels, m.Classes, 0, 1/float64(n))
		m.backward(dlogits, n, false)

		cost := m.cost(counts) / whole
		for l, param := range rates {
			// The gradient with respect to the mask of each rank.
			byRank := make([]float64, m.Tokens())
			for after := l + 1; after < m.Layers; after++ {
				for i := range n {
					for j := range m.Tokens() {
						rank := ranks[l][i*m.Tokens()+j]
						// It matters only if no other layer up to there masks it.
						other := true
						for k := range after {
							other = other && (k == l || ranks[k][i*m.Tokens()+j] < counts[k])
						}
						if other {
							at := i*t + 1 + j
							byRank[rank] += float64(m.blocks[after].dbias[at] / masks[after-1][at])
						}
					}
				}
			}
			slope := 2 * costWeight * (cost - c.MACs) * m.tokenCost(l, counts[l]) / whole
			dp, sum, dot := make([]float64, m.Tokens()), 0.0, 0.0
			for k := range dp {
				sum += byRank[k]
				dp[k] = sum + slope*float64(k+1)
				dot += p[l][k] * dp[k]
			}
			for k, v := range dp {
				param.Grad[k] = float32(p[l][k] * (v - dot))
			}
		}
		adam.Step()
	}
	for _, b := range m.blocks {
		b.bias = nil
	}
	return counts, nil
}

// costWeight weighs the squared distance of the cost, as a share, in the loss: an error
// of a hundredth counts like 0.02 nats.
const costWeight = 200

// Cost returns the multiplications of a picture as a share of those without reduction,
// with counts of tokens kept behind the attention of the first layers; those behind keep
// what is left.
func (m *Model) Cost(counts []int) float64 { return m.cost(counts) / m.cost(nil) }

// cost returns the multiplications of a picture with counts of tokens kept behind each
// layer's attention, nil for all.
func (m *Model) cost(counts []int) float64 {
	sum, left := 0.0, m.Tokens()
	for l, b := range m.blocks {
		sum += float64(b.attention.MACs(1 + left))
		if l < len(counts) {
			left = min(left, counts[l])
		}
		sum += float64((1 + left) * 2 * m.Dim * m.Hidden)
	}
	return sum
}

// tokenCost returns the multiplications that one more token than count takes in the
// part of the network between the attention of layer l and that of the next, whatever
// the other layers keep: so that all layers have a slope when some keep the same.
func (m *Model) tokenCost(l, count int) float64 {
	cost := float64(2 * m.Dim * m.Hidden)
	if l+1 < m.Layers {
		a := m.blocks[l+1].attention
		cost += float64(a.MACs(count+2) - a.MACs(count+1))
	}
	return cost
}

// round returns counts that never rise.
func round(mean []float64) []int {
	out := make([]int, len(mean))
	for l, v := range mean {
		out[l] = int(math.Round(v))
		if l > 0 {
			out[l] = min(out[l], out[l-1])
		}
	}
	return out
}

func softmax(x []float32) []float64 {
	top := x[argmax(x)]
	out, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		out[i] = math.Exp(float64(v - top))
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// descending returns the indices by falling score, equal ones in their order.
func descending(score []float32) []int {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	return order
}

// EvenCounts returns the counts of keeping the same share of tokens in each layer, that
// share being the largest whose cost is at most the given part of the whole network's.
func (m *Model) EvenCounts(macs float64) []int {
	counts := func(share float64) []int {
		out, left := make([]int, m.Layers), float64(m.Tokens())
		for l := range out {
			left *= share
			out[l] = max(1, int(math.Round(left)))
		}
		return out
	}
	lo, hi := 0.0, 1.0
	for range 40 {
		if mid := (lo + hi) / 2; m.cost(counts(mid)) <= macs*m.cost(nil) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return counts(lo)
}
