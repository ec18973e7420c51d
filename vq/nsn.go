package vq

// NSN makes vectors of d elements, such as keys and values of a transformer, normally
// distributed, and quantises them as such (NSNQuant, arXiv 2505.18231): a vector is
// divided by the root of its mean square; a trained mean, of each element, is
// subtracted; what is left is divided by the root of its mean square again, rotated by
// random signs and a Hadamard matrix, and goes to a quantiser for deviation 1, some
// elements at a time. One codebook made for the normal distribution serves for all
// data. Against [HIGGS] the mean costs another scale for each vector, and gains where
// directions have a common part.
//
// A vector has two codes of 16 bits for the scales, and those of the inner quantiser:
// 32/d bits a dimension above that. The rotation adds log2(d) operations an element
// both ways.
type NSN struct {
	mean  []float32 // [d], of the vectors once normalised
	turn  *rotation
	inner normalPart
	sizes []int
}

// TrainNSN returns the quantiser with the mean of the vectors x, [n][d], once
// normalised, and an inner quantiser for normal distributions of deviation 1, such as
// [NormalGrid], whose dimension divides d. The seed is that of the random signs.
func TrainNSN(x []float32, d int, inner Quantiser, seed uint64) (*NSN, error) {
	if _, err := checkTraining(x, d, 1); err != nil {
		return nil, err
	}
	y := make([]float32, len(x))
	for i := 0; i < len(x); i += d {
		scaled(y[i:], x[i:i+d], scaleOf(rmsCode(x[i:i+d])))
	}
	return newNSN(means(y, d), inner, seed)
}

func newNSN(mean []float32, inner Quantiser, seed uint64) (*NSN, error) {
	if err := checkDim(len(mean)); err != nil {
		return nil, err
	}
	part, err := newNormalPart(len(mean), inner, 2)
	if err != nil {
		return nil, err
	}
	return &NSN{mean, newRotation(len(mean), 1, seed), part, append([]int{scaleSize, scaleSize}, part.sizes...)}, nil
}

// Dim returns d.
func (q *NSN) Dim() int { return len(q.mean) }

// Sizes returns those of the two scales, then those of the inner quantiser for each
// part.
func (q *NSN) Sizes() []int { return q.sizes }

// Encode normalises, shifts, normalises, rotates and encodes the parts.
func (q *NSN) Encode(codes []uint32, x []float32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	y := make([]float32, d)
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		codes[0] = rmsCode(x[:d])
		scaled(y, x[:d], scaleOf(codes[0]))
		for i, m := range q.mean {
			y[i] -= m
		}
		q.turn.apply(y)
		codes[1] = rmsCode(y)
		scaled(y, y, scaleOf(codes[1]))
		q.inner.q.Encode(codes[2:len(q.sizes)], y)
	}
}

// Decode decodes the parts and undoes the rest, last first.
func (q *NSN) Decode(x []float32, codes []uint32) {
	checkRows(q, codes, x)
	d := len(q.mean)
	for ; len(x) > 0; codes, x = codes[len(q.sizes):], x[d:] {
		checkBelow(codes[:2], scaleSize)
		first, second := scaleOf(codes[0]), scaleOf(codes[1])
		y := x[:d]
		q.inner.q.Decode(y, codes[2:len(q.sizes)])
		for i := range y {
			y[i] *= second
		}
		q.turn.undo(y)
		for i, m := range q.mean {
			y[i] = (y[i] + m) * first
		}
	}
}

// MarshalBinary stores the mean, the rotation's seed and the inner quantiser.
func (q *NSN) MarshalBinary() ([]byte, error) { return marshal(q) }

func (q *NSN) kind() string { return "nsn" }

func (q *NSN) write(w *writer) {
	w.int(len(q.mean))
	w.uint(q.turn.seed)
	w.floats(q.mean)
	w.quantiser(q.inner.stored)
}

func init() {
	register("nsn", func(r *reader) (Quantiser, error) {
		d := r.int("dimension", 1, MaxDim)
		seed := r.uint()
		mean := r.floats("mean", d)
		inner, err := r.quantiser()
		if err != nil {
			return nil, err
		}
		return formatted(newNSN(mean, inner, seed))
	})
}
