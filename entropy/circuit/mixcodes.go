package circuit

import (
	"math"

	"github.com/burin-codec/burin/arith"
)

// A mixture of a Model is integers: of every weight a code like those of other
// parameters, and of every component the code c of its scale, 4096 * 2^(-c/8), and
// its mean in steps that depend on the scale; see meanShift.

const (
	// mostScaleCode is that of leastScale.
	mostScaleCode = (12 + 5) * codesPerOctave
	// meanPoint are how many bits behind the point a mean has at most.
	meanPoint = 4
)

// meanShift returns for the code of a scale the binary logarithm of the step of
// means, in units of 2^-meanPoint. The step is a 16th to an 8th of the scale, but at
// least a unit: finer ones gain less than 0.001 bits.
func meanShift(scale uint16) int {
	return max(12-int(scale+codesPerOctave-1)/codesPerOctave-3+meanPoint, 0)
}

// mixCodes sets codes to those of the mixture p.
func mixCodes(codes []uint16, p logisticParams, cats int) {
	codes[0] = uint16(codeOf(float64(p[0]), floorCode))
	for k := 1; k < len(p); k += 3 {
		codes[k] = uint16(codeOf(float64(p[k]), floorCode))
		codes[k+2] = uint16(min(max(math.Round(-codesPerOctave*math.Log2(float64(p[k+2])/mostScale)), 0), mostScaleCode))
		shift := meanShift(codes[k+2])
		step := math.Ldexp(1, shift-meanPoint)
		codes[k+1] = uint16(min(math.Round(float64(p[k+1])/step), float64(mostMean(cats, shift))))
	}
}

// mostMean returns the largest code of a mean.
func mostMean(cats, shift int) int { return (cats - 1) << meanPoint >> shift }

// mixRow sets row to the probabilities that codes of a mixture stand for. All is
// exact.
func mixRow(row []float32, codes []uint16, f *logisticFit) {
	f.weights[0] = codeValues[codes[0]]
	for k := range f.components {
		c := codes[1+3*k:][:3]
		f.weights[k+1] = codeValues[c[0]]
		f.means[k] = math.Ldexp(float64(c[1]), meanShift(c[2])-meanPoint)
		f.scales[k] = float64(mostScale * codeValues[c[2]])
	}
	mixture(row, f.weights, f.means, f.scales, f.next)
}

// A mixModel codes the codes of mixtures. Each is predicted to be that of the same
// state of the parent, if there is one, or else of the state before.
type mixModel struct {
	uniform, weight, scale, mean numberModel
}

// matrix codes mixtures of size codes each in place; from are those of the parent.
func (m *mixModel) matrix(c bitCoder, p []uint16, size, cats int, from []uint16) {
	last := make([]uint16, size) // what the first state of the root is predicted by
	for k := 1; k < size; k += 3 {
		last[k], last[k+2] = codesPerOctave, 8*codesPerOctave
	}
	for at := 0; at < len(p); at += size {
		row := p[at:][:size]
		if at < len(from) {
			last = from[at:][:size]
		}
		row[0] = m.uniform.code(c, row[0], last[0], floorCode)
		for k := 1; k < size; k += 3 {
			row[k] = m.weight.code(c, row[k], last[k], floorCode)
			row[k+2] = m.scale.code(c, row[k+2], last[k+2], mostScaleCode)
			shift := meanShift(row[k+2])
			mean := int(last[k+1]) << meanShift(last[k+2]) >> shift
			row[k+1] = m.mean.code(c, row[k+1], uint16(mean), mostMean(cats, shift))
		}
		last = row
	}
}

// A numberModel codes numbers by what they are off a prediction: sign and magnitude
// (Exp-Golomb), with adaptive probabilities.
type numberModel struct {
	zero, sign      arith.AdaptiveBit
	longer, highest [16]arith.AdaptiveBit
}

// code codes v, at most most, itself at most 65535.
func (m *numberModel) code(c bitCoder, v, predicted uint16, most int) uint16 {
	p := min(int(predicted), most)
	n := int(v) - p
	if !codeBit(c, &m.zero, n != 0) {
		return uint16(p)
	}
	up := p == 0
	if p > 0 && p < most {
		up = codeBit(c, &m.sign, n > 0)
	}
	if !up {
		n = -n
	}
	length := 0
	for length < 15 && codeBit(c, &m.longer[length], n>>(length+1) != 0) {
		length++
	}
	r := 1
	for i := length - 1; i >= 0; i-- {
		b := n>>i&1 == 1
		if i == length-1 {
			b = codeBit(c, &m.highest[length], b)
		} else {
			b = c.bit(n>>i&1, 1<<15) == 1
		}
		r <<= 1
		if b {
			r |= 1
		}
	}
	if up {
		return uint16(min(p+r, most))
	}
	return uint16(max(p-r, 0))
}
