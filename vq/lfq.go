package vq

import (
	"fmt"
	"math"
)

// LFQ keeps the sign of each of d elements, 1 bit a dimension, and decodes to plus or
// minus a scale. The codebook of 2^d words, the corners of a cube, is never stored or
// searched. (Lookup-free quantisation, MAGVIT-v2, arXiv 2310.05737.) With a scale of
// 1/sqrt(d) it is BSQ, whose input is first divided by its norm and whose words are on
// the same sphere (Binary spherical quantisation, arXiv 2406.07548): that does not
// change the signs.
//
// Up to 24 dimensions a vector has one code, the first element's sign its highest bit,
// set for above 0; further dimensions have a code for each 16. On a normal distribution
// of variance 1 the mean squared error of the best scale, sqrt(2/pi), is 1 - 2/pi =
// 0.36338.
type LFQ struct {
	d     int
	scale float32
	sizes []int
	bits  []int // of each code
}

// NewLFQ returns the quantiser of d dimensions that decodes to plus or minus scale.
func NewLFQ(d int, scale float32) (*LFQ, error) {
	if err := checkDim(d); err != nil {
		return nil, err
	}
	if !(scale >= 0 && scale <= maxMagnitude) {
		return nil, fmt.Errorf("%w: scale %g", ErrOptions, scale)
	}
	q := &LFQ{d: d, scale: scale}
	each := 16
	if d <= 24 {
		each = 24
	}
	for ; d > 0; d -= each {
		q.bits = append(q.bits, min(d, each))
		q.sizes = append(q.sizes, 1<<min(d, each))
	}
	return q, nil
}

// NewBSQ returns the quantiser of d dimensions that decodes to vectors of norm 1.
func NewBSQ(d int) (*LFQ, error) {
	if err := checkDim(d); err != nil {
		return nil, err
	}
	return NewLFQ(d, float32(1/math.Sqrt(float64(d))))
}

// TrainLFQ returns the quantiser with the scale of least squared error for the vectors
// x, [n][d]: the mean magnitude.
func TrainLFQ(x []float32, d int) (*LFQ, error) {
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	var sum float64
	for _, v := range x {
		sum += math.Abs(float64(v))
	}
	return NewLFQ(d, float32(sum/float64(len(x))))
}

// Dim returns d.
func (q *LFQ) Dim() int { return q.d }

// Sizes returns the powers of two that hold the signs.
func (q *LFQ) Sizes() []int { return q.sizes }

// Encode collects signs; 0 is negative.
func (q *LFQ) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	for len(codes) > 0 {
		for i, n := range q.bits {
			var c uint32
			for _, v := range x[:n] {
				c *= 2
				if v > 0 {
					c++
				}
			}
			codes[i] = c
			x = x[n:]
		}
		codes = codes[len(q.bits):]
	}
}

// Decode returns the scale with the signs.
func (q *LFQ) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	value := [2]float32{-q.scale, q.scale}
	for len(codes) > 0 {
		for i, n := range q.bits {
			c := codes[i]
			checkBelow(codes[i:i+1], q.sizes[i])
			for j := range x[:n] {
				x[j] = value[c>>(n-1-j)&1]
			}
			x = x[n:]
		}
		codes = codes[len(q.bits):]
	}
}

// EntropyLoss returns what LFQ and BSQ add to a network's loss so that each sign is
// certain and all are used alike, in nats a vector:
//
//	sum over the elements of mean H(p) - diversity * H(mean p),  p = sigmoid(4*scale*z/temperature)
//
// with the means over the vectors z, [n][d], and H the entropy of a bit. It is exact
// for the first term; for the second the elements are taken for independent, as in BSQ,
// which bounds it from above. If dz is not nil, [n][d], the gradient is added to it. The
// usual temperature is 0.01, and the diversity 1.
func (q *LFQ) EntropyLoss(dz, z []float32, temperature, diversity float64) float64 {
	checkMultiple("elements", len(z), q.d)
	n := len(z) / q.d
	if n == 0 {
		return 0
	}
	slope := 4 * float64(q.scale) / temperature
	mean := make([]float64, q.d)
	var loss float64
	for i, v := range z {
		p, h := bitEntropy(slope * float64(v))
		mean[i%q.d] += p / float64(n)
		loss += h / float64(n)
	}
	logit := make([]float64, q.d) // of the mean
	for j, p := range mean {
		if p > 0 && p < 1 {
			logit[j] = math.Log(p / (1 - p))
			loss += diversity * (p*math.Log(p) + (1-p)*math.Log1p(-p))
		}
	}
	if dz == nil {
		return loss
	}
	for i, v := range z {
		// dH/dp = -logit(p), dp/dz = slope*p*(1-p).
		t := slope * float64(v)
		p, _ := bitEntropy(t)
		dz[i] += float32((diversity*logit[i%q.d] - t) * slope * p * (1 - p) / float64(n))
	}
	return loss
}

// bitEntropy returns the sigmoid of t and the entropy, in nats, of a bit that is set
// with that probability.
func bitEntropy(t float64) (p, h float64) {
	e := math.Exp(-math.Abs(t))
	p = 1 / (1 + e)
	// -log(p) = log1p(e), -log(1-p) = |t| + log1p(e).
	h = math.Log1p(e) + math.Abs(t)*(1-p)
	if math.IsInf(t, 0) {
		h = 0
	}
	if t < 0 {
		p = 1 - p
	}
	return p, h
}

// MarshalBinary stores the dimension and the scale.
func (q *LFQ) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *LFQ) kind() string { return "lfq" }

func (q *LFQ) write(w *writer) {
	w.int(q.d)
	w.float(q.scale)
}

func init() {
	register("lfq", func(r *reader) (Quantiser, error) {
		d := r.int("dimension", 1, MaxDim)
		scale := r.float("scale")
		if r.err != nil {
			return nil, r.err
		}
		return formatted(NewLFQ(d, scale))
	})
}
