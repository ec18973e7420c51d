package circuit

import (
	"math"
	"sync"

	"github.com/burin-codec/burin/arith"
)

// A bitCoder codes a bit with a probability of P(1) in 1/65536, 1..65535, and returns
// it: the one it was given when encoding, the one it read when decoding. So one
// function serves both.
type bitCoder interface {
	bit(b int, p uint32) int
}

type codeEncoder struct{ *arith.BinaryEncoder }

func (e codeEncoder) bit(b int, p uint32) int { e.Encode(b, p); return b }

type codeDecoder struct{ *arith.BinaryDecoder }

func (d codeDecoder) bit(_ int, p uint32) int { return d.Decode(p) }

// codeWeights says how much codes matter: [position][rows], how often each row of
// transitions and of leaves is used in a vector, which is the probability of its
// state, times the number of vectors that the file is made for.
type codeWeights struct {
	trans, leaf [][]float64
}

// code codes all codes, in place. After each node it calls check and stops if that
// returns an error.
func (q *codes) code(c bitCoder, weight *codeWeights, check func() error) error {
	trans, leaf, mix := newCodeModel(zeroCode), newCodeModel(floorCode), new(mixModel)
	means := make([][]uint8, len(q.states)) // of the rows of leaves
	for i, states := range q.states {
		var w, v []float64
		if weight != nil {
			w, v = weight.trans[i], weight.leaf[i]
		}
		var from []uint8
		if i > 0 {
			from = means[q.tree.Parent[i]]
		}
		if first(q.transOf, i) == i {
			trans.matrix(c, q.trans[i], states, nil, w)
		}
		if k := first(q.leafOf, i); k != i {
			means[i] = means[k]
		} else if q.logistics > 0 {
			var from []uint16
			if i > 0 {
				from = q.mix[q.tree.Parent[i]]
			}
			mix.matrix(c, q.mix[i], logisticSize(q.logistics), q.cats, from)
		} else {
			means[i] = leaf.matrix(c, q.leaf[i], q.cats, from, v)
		}
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// A codeModel codes the codes of matrices. The rows of a matrix are alike but for
// smooth differences: a code is predicted from the mean of the rows before it, plus
// the mean by which the codes to its left were off that. What it is off the prediction
// is coded by its sign and its magnitude (Exp-Golomb), with adaptive probabilities
// that depend on how far off the last ones were.
type codeModel struct {
	most    int // the largest code
	zero    [codeContexts]arith.AdaptiveBit
	sign    [codeContexts][3]arith.AdaptiveBit // by the sign of the last one
	longer  [codeContexts][8]arith.AdaptiveBit
	highest [codeContexts][8]arith.AdaptiveBit // the bit below the highest

	sums []int // of the codes of the rows before
}

const (
	codeContexts = 16
	codeTaps     = 4 // codes to the left that count
)

func newCodeModel(most int) *codeModel { return &codeModel{most: most} }

// matrix codes a matrix whose rows have so many columns. mean, which may be nil, is
// what stands for the rows before the first; weight, which may be nil too, how much
// each row matters. It returns the mean of the rows.
func (m *codeModel) matrix(c bitCoder, p []uint8, cols int, mean []uint8, weight []float64) []uint8 {
	m.sums = append(m.sums[:0], make([]int, cols)...)
	now := make([]uint8, cols)
	for k := range now {
		now[k] = 64
	}
	copy(now, mean)
	rows := len(p) / cols
	for r := range rows {
		row := p[r*cols:][:cols]
		off, lastSign, spread := 0, 1, 16 // spread is four times the magnitude of late
		for k, v := range row {
			taps := min(k, codeTaps)
			predicted := int(now[k])
			if taps > 0 {
				d := off * 2 / taps
				predicted += (d + 1) >> 1
			}
			predicted = min(max(predicted, 0), m.most)
			ctx := int(codeContext[spread])
			if weight != nil {
				v = m.choose(int(v), predicted, ctx, lastSign, weight[r])
			}
			v = uint8(m.one(c, int(v), predicted, ctx, lastSign))
			row[k] = v
			e := int(v) - predicted
			lastSign = 1
			if e < 0 {
				e, lastSign = -e, 0
			} else if e > 0 {
				lastSign = 2
			}
			spread += e - spread>>2
			off += int(v) - int(now[k])
			if k >= codeTaps {
				off -= int(row[k-codeTaps]) - int(now[k-codeTaps])
			}
		}
		for k, v := range row {
			m.sums[k] += int(v)
		}
		for k, s := range m.sums {
			now[k] = uint8(s / (r + 1))
		}
	}
	return now
}

// codeContext has the context for codes that were off by spread/4 of late, which is at
// most 255 but for the first spread.
var codeContext = func() (t [1024]uint8) {
	for i := range t {
		for spread := i; spread > 1 && t[i] < codeContexts-1; spread = spread * 5 / 7 {
			t[i]++
		}
	}
	return t
}()

// one codes v.
func (m *codeModel) one(c bitCoder, v, predicted, ctx, lastSign int) int {
	n := v - predicted
	if !codeBit(c, &m.zero[ctx], n != 0) {
		return predicted
	}
	up := predicted == 0
	if predicted > 0 && predicted < m.most {
		up = codeBit(c, &m.sign[ctx][lastSign], n > 0)
	}
	if !up {
		n = -n
	}
	length := 0
	for length < 7 && codeBit(c, &m.longer[ctx][length], n>>(length+1) != 0) {
		length++
	}
	r := 1
	for i := length - 1; i >= 0; i-- {
		b := n>>i&1 == 1
		if i == length-1 {
			b = codeBit(c, &m.highest[ctx][length], b)
		} else {
			b = c.bit(n>>i&1, 1<<15) == 1
		}
		r <<= 1
		if b {
			r |= 1
		}
	}
	if up {
		return min(predicted+r, m.most)
	}
	return max(predicted-r, 0)
}

// codeBit codes b with an adaptive probability.
func codeBit(c bitCoder, a *arith.AdaptiveBit, b bool) bool {
	n := 0
	if b {
		n = 1
	}
	n = c.bit(n, a.P())
	a.Update(n)
	return n == 1
}

// codeCosts has the cost of a bit by its probability in 1/1024.
var codeCosts = sync.OnceValue(func() *[1025]float32 {
	t := new([1025]float32)
	for i := range t {
		t[i] = float32(-math.Log2(max(float64(i), 0.5) / 1024))
	}
	return t
})

// cost returns about what one takes for v, in bits.
func (m *codeModel) cost(t *[1025]float32, v, predicted, ctx, lastSign int) float32 {
	one := func(a *arith.AdaptiveBit) float32 { return t[a.P()>>6] }
	zero := func(a *arith.AdaptiveBit) float32 { return t[1024-a.P()>>6] }
	n := v - predicted
	if n == 0 {
		return zero(&m.zero[ctx])
	}
	bits := one(&m.zero[ctx])
	if predicted > 0 && predicted < m.most {
		if n > 0 {
			bits += one(&m.sign[ctx][lastSign])
		} else {
			bits += zero(&m.sign[ctx][lastSign])
		}
	}
	if n < 0 {
		n = -n
	}
	length := 0
	for ; length < 7 && n>>(length+1) != 0; length++ {
		bits += one(&m.longer[ctx][length])
	}
	if length < 7 {
		bits += zero(&m.longer[ctx][length])
	}
	if length > 0 {
		if n>>(length-1)&1 == 1 {
			bits += one(&m.highest[ctx][length])
		} else {
			bits += zero(&m.highest[ctx][length])
		}
		bits += float32(length - 1)
	}
	return bits
}

// choose returns the code to use for v: the one that costs least in the file and in
// what is coded with it. A row that is used w times loses, with q instead of p for one
// of its probabilities,
//
//	w*(p*ln(p/q) - p + q)
//
// nats, up to second order with the normalisation of the row. Zero stays zero, and
// nothing else becomes it.
func (m *codeModel) choose(v, predicted, ctx, lastSign int, w float64) uint8 {
	if v == zeroCode {
		return uint8(v)
	}
	t := codeCosts()
	w *= codeValues[v] / math.Ln2
	best, least := v, m.cost(t, v, predicted, ctx, lastSign)
	try := func(q int) {
		if q < 0 || q > floorCode || q == v {
			return
		}
		x := float64(q-v) * (math.Ln2 / codesPerOctave) // ln(p/q)
		loss := float32(w * (x - 1 + math.Exp(-x)))
		if loss >= least {
			return
		}
		if bits := loss + m.cost(t, q, predicted, ctx, lastSign); bits < least {
			best, least = q, bits
		}
	}
	try(predicted)
	step := 1
	if predicted < v {
		step = -1
	}
	for k := 1; k <= 6; k++ {
		try(predicted - k*step)
		try(v + k*step)
	}
	return uint8(best)
}
