package vq

import (
	"fmt"
	"math"
)

// # The trellis
//
// The last L bits of the codes of K bits each are the state,
//
//	state = (state << K | code) mod 2^L
//
// and each state stands for a number: a code takes 2^K of the 2^L numbers, and which
// ones depends on the L-K bits before (the bitshift trellis of QTIP, arXiv 2406.11235).
// The sequence is taken for a ring, so that the state before the first code is that
// after the last, and no bits are spent on a start.
//
// The numbers are quantiles of the normal distribution, whose ranks are the codes in
// the upper K bits, so that each state has one of each 2^K-th of the distribution to go
// to, and in the lower ones a permutation of the others. Both are mixed by
// multiplication.
//
// # Search
//
// Viterbi's algorithm keeps, for each state, the least squared error of all sequences
// that end in it. The 2^K states that differ in their last code have the same 2^K
// before them, so the least of these is found once, 2^L comparisons, and added to 2^L
// squared errors. Errors are float32 that are not negative, whose order is that of
// their bits: with the number of the state before in the last K bits, an integer
// minimum finds both.
//
// The ring is cut where a search without ends, over ringOverlap numbers on both sides
// of the cut, goes through; the sequence is then searched from that state to the same.
const ringOverlap = 48

// Trellis quantises sequences of d numbers at K bits each, 1..4, with 2^L states: the
// dimension of the vectors is that of the sequence, while encoding costs no more than
// 2^(L+2) operations a number and decoding one table of 2^L numbers. It is meant for
// normally distributed numbers; see [HIGGS], which makes them so.
//
// A vector has d codes of K bits. On a normal distribution of variance 1 and at 2 bits
// the mean squared error is 0.0807, 0.0763 and 0.0718 for L of 8, 10 and 12; the best
// there could be is 0.0625. (QTIP, arXiv 2406.11235.)
type Trellis struct {
	d, k, l   int
	deviation float32
	values    []float32 // [2^L]
	trained   bool      // values are not those of the formula
	sizes     []int
}

// MinTrellisStates and MaxTrellisStates bound L.
const (
	MinTrellisStates = 4
	MaxTrellisStates = 16
)

// maxTrellisDim bounds d: the search takes d*2^(L-K) bytes.
const maxTrellisDim = 4096

// NewTrellis returns the quantiser of sequences of d numbers at 1..4 bits each, with
// 2^states states, states in 4..16 and above bits, for normally distributed numbers of
// the given standard deviation. d is at most 4096, and d*bits at least states.
func NewTrellis(d, bits, states int, deviation float32) (*Trellis, error) {
	if bits < 1 || bits > 4 {
		return nil, fmt.Errorf("%w: %d bits, want 1..4", ErrOptions, bits)
	}
	if states < MinTrellisStates || states > MaxTrellisStates || states <= bits {
		return nil, fmt.Errorf("%w: 2^%d states, want %d..%d and above %d", ErrOptions,
			states, MinTrellisStates, MaxTrellisStates, bits)
	}
	if d < 1 || d > maxTrellisDim || d*bits < states {
		return nil, fmt.Errorf("%w: %d numbers of %d bits for %d", ErrOptions, d, bits, states)
	}
	if !(deviation >= 1/maxMagnitude && deviation <= maxMagnitude) {
		return nil, fmt.Errorf("%w: deviation %g", ErrOptions, deviation)
	}
	t := &Trellis{d: d, k: bits, l: states, deviation: deviation, sizes: make([]int, d)}
	for i := range t.sizes {
		t.sizes[i] = 1 << bits
	}
	t.values = trellisValues(bits, states)
	return t, nil
}

// TrainTrellis returns the quantiser for sequences like those of x, [n][d], of whatever
// distribution: Lloyd's iteration moves the number of each state to the mean of what is
// coded with it, so many times, from the start of [NewTrellis]. It is as slow as to
// encode x that often; every state should have some ten numbers.
func TrainTrellis(x []float32, d, bits, states, rounds int) (*Trellis, error) {
	if rounds < 1 {
		return nil, fmt.Errorf("%w: %d rounds", ErrOptions, rounds)
	}
	if _, err := NewTrellis(d, bits, states, 1); err != nil {
		return nil, err
	}
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	t, err := NewTrellis(d, bits, states, float32(norm(x)/math.Sqrt(float64(len(x)))))
	if err != nil {
		return nil, fmt.Errorf("%w: all but zeros", ErrTraining)
	}
	t.trained = true
	codes := make([]uint32, len(x))
	sums, counts := make([]float64, len(t.values)), make([]int, len(t.values))
	for range rounds {
		clear(sums)
		clear(counts)
		t.Encode(codes, x)
		for at := 0; at < len(x); at += d {
			state := t.start(codes[at : at+d])
			for i, c := range codes[at : at+d] {
				state = t.next(state, c)
				sums[state] += float64(x[at+i]) / float64(t.deviation)
				counts[state]++
			}
		}
		for s, n := range counts {
			if n > 0 {
				t.values[s] = float32(sums[s] / float64(n))
			}
		}
	}
	return t, nil
}

// start returns the state before the first of the codes of a sequence, and next the one
// after a code.
func (t *Trellis) start(codes []uint32) (state uint32) {
	for _, c := range codes[max(t.d-(t.l+t.k-1)/t.k, 0):] {
		state = t.next(state, c)
	}
	return state
}

func (t *Trellis) next(state, code uint32) uint32 {
	return (state<<t.k | code) & (1<<t.l - 1)
}

// trellisValues returns the numbers of the states, in units of 2^-12: what functions of
// different processors' libraries differ by does not reach that.
func trellisValues(k, l int) []float32 {
	v := make([]float32, 1<<l)
	low := l - k
	for s := range v {
		code, before := uint32(s)&(1<<k-1), uint32(s)>>k
		h := before * 0x9e3779b1
		h ^= h >> 15
		h *= 0x85ebca77
		h ^= h >> 13
		// The 2^k codes after the same bits have the ranks of 2^k equal parts.
		upper := (code ^ h>>16) & (1<<k - 1)
		lower := permute(before, uint(low))
		lower ^= upper * 0x5bd1 & (1<<low - 1)
		rank := upper<<low | lower
		q := normalQuantile((float64(rank) + .5) / float64(len(v)))
		v[s] = float32(math.RoundToEven(q*trellisScale[k]*(1<<12)) / (1 << 12))
	}
	return v
}

// trellisScale are the deviations of the numbers, for 1..4 bits, of least error for
// sequences of deviation 1: with few bits what is decoded is smaller than what was
// coded, with many the ends need numbers further out than quantiles are.
var trellisScale = [...]float64{1: .88, 2: 1.01, 3: 1.09, 4: 1.13}

// permute returns a permutation of the numbers of n bits.
func permute(v uint32, n uint) uint32 {
	mask := uint32(1)<<n - 1
	for _, m := range [...]uint32{0x9e3779b1, 0x85ebca77, 0xc2b2ae3d} {
		v = v * m & mask
		v ^= v >> ((n + 1) / 2)
	}
	return v
}

// Dim returns d.
func (t *Trellis) Dim() int { return t.d }

// Sizes returns 2^K, d times.
func (t *Trellis) Sizes() []int { return t.sizes }

// A viterbi has the memory of a search.
type viterbi struct {
	cost []uint32 // [2^L]: bits of the least errors
	back []uint8  // [step][2^(L-K)]: the upper bits of the states before
}

// far is a cost above all others to which squared errors may be added.
const far = 0x7e000000

// run searches a path over x from the state start, or from any if it is negative, and
// leaves the costs of the states that it ends in.
func (t *Trellis) run(v *viterbi, x []float32, start int) {
	groups := 1 << (t.l - t.k)
	for i := range v.cost {
		v.cost[i] = far
		if start < 0 {
			v.cost[i] = 0
		}
	}
	if start >= 0 {
		v.cost[start] = 0
	}
	least := make([]float32, groups)
	keep := ^uint32(1<<t.k - 1)
	for i, x := range x {
		back := v.back[i*groups:][:groups]
		if t.k == 2 {
			a, b := v.cost[:groups], v.cost[groups:][:groups]
			c, d := v.cost[2*groups:][:groups], v.cost[3*groups:][:groups]
			least := least[:groups]
			for g := range back {
				m := min(min(a[g], b[g]|1), min(c[g]|2, d[g]|3))
				back[g] = uint8(m & 3)
				least[g] = math.Float32frombits(m &^ 3)
			}
		} else {
			for g := range back {
				m := uint32(math.MaxUint32)
				for j := range uint32(1) << t.k {
					m = min(m, v.cost[int(j)*groups+g]|j)
				}
				back[g] = uint8(m &^ keep)
				least[g] = math.Float32frombits(m & keep)
			}
		}
		for g, m := range least {
			n := g << t.k
			values := t.values[n:][:1<<t.k]
			cost := v.cost[n:][:len(values)]
			for j, w := range values {
				e := x - w
				cost[j] = math.Float32bits(m+e*e) & keep
			}
		}
	}
}

// trace returns, in states, the path of run over n numbers that ends in the state end.
func (t *Trellis) trace(v *viterbi, states []uint32, end uint32) {
	groups := 1 << (t.l - t.k)
	for i := len(states) - 1; i >= 0; i-- {
		states[i] = end
		g := end >> t.k
		end = g | uint32(v.back[i*groups+int(g)])<<(t.l-t.k)
	}
}

// Encode searches the best path; it takes d*2^(L-K) bytes of memory.
func (t *Trellis) Encode(codes []uint32, x []float32) {
	checkRows(t, codes, x)
	if len(x) == 0 {
		return
	}
	overlap := min(ringOverlap, t.d/2)
	steps := max(t.d, 2*overlap)
	v := &viterbi{make([]uint32, 1<<t.l), make([]uint8, steps<<(t.l-t.k))}
	y, cut := make([]float32, t.d), make([]float32, 0, 2*overlap)
	states := make([]uint32, steps)
	inv := 1 / t.deviation
	for ; len(x) > 0; codes, x = codes[t.d:], x[t.d:] {
		for i, f := range x[:t.d] {
			y[i] = 0
			if f == f {
				// So that d squares stay far below the largest cost.
				y[i] = min(max(f*inv, -1e12), 1e12)
			}
		}
		cut = append(append(cut[:0], y[t.d-overlap:]...), y[:overlap]...)
		t.run(v, cut, -1)
		end := uint32(0)
		for s, c := range v.cost {
			if c < v.cost[end] {
				end = uint32(s)
			}
		}
		t.trace(v, states[:len(cut)], end)
		start := uint32(0)
		if overlap > 0 {
			start = states[overlap-1]
		}
		t.run(v, y, int(start))
		t.trace(v, states[:t.d], start)
		for i, s := range states[:t.d] {
			codes[i] = s & (1<<t.k - 1)
		}
	}
}

// Decode looks up the numbers of the states.
func (t *Trellis) Decode(x []float32, codes []uint32) {
	checkRows(t, codes, x)
	checkBelow(codes, 1<<t.k)
	for ; len(x) > 0; codes, x = codes[t.d:], x[t.d:] {
		state := t.start(codes[:t.d])
		for i, c := range codes[:t.d] {
			state = t.next(state, c)
			x[i] = t.values[state] * t.deviation
		}
	}
}

// MarshalBinary stores the sizes and the deviation, and the numbers of the states if
// they were trained.
func (t *Trellis) MarshalBinary() ([]byte, error) { return marshal(t) }

func (t *Trellis) kind() string { return "trellis" }

func (t *Trellis) write(w *writer) {
	w.int(t.d)
	w.int(t.k)
	w.int(t.l)
	w.float(t.deviation)
	w.bool(t.trained)
	if t.trained {
		w.floats(t.values)
	}
}

func init() {
	register("trellis", func(r *reader) (Quantiser, error) {
		d, k := r.int("length", 1, maxTrellisDim), r.int("bits", 1, 4)
		l := r.int("bits of states", MinTrellisStates, MaxTrellisStates)
		deviation := r.float("deviation")
		trained := r.bool("trained")
		if r.err != nil {
			return nil, r.err
		}
		t, err := NewTrellis(d, k, l, deviation)
		if err == nil && trained {
			t.trained, t.values = true, r.floats("numbers of states", 1<<l)
		}
		return formatted(t, err)
	})
}
