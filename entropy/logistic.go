package entropy

// Probabilities are mixed in the logistic domain,
//
//	stretch(p) = ln(p / (1-p))     squash(z) = 1 / (1 + exp(-z)),
//
// where averaging two opinions weighs them by how sure they are (Mahoney,
// "Adaptive Weighing of Context Models for Lossless Data Compression", 2005).

const (
	// StretchOne is 1 in the units of stretched probabilities.
	StretchOne = 256

	// StretchMax bounds stretched probabilities on both sides: 1/2981.
	StretchMax = 2047

	squashMax = 12 * StretchOne
)

var (
	stretchTable [4096]int16             // by the upper 12 bits of a probability
	squashTable  [2*squashMax + 1]uint16 // by z + squashMax
)

func init() {
	// exp(1/256), multiplied up: single products round the same way on every
	// machine, as math.Exp does not.
	const step = 1.003913889338347573443609603903460281898812
	e := 1.0
	for z := 0; z <= squashMax; z++ {
		p := 65536 / (1 + 1/e)
		n := min(int(p+0.5), 65535)
		squashTable[squashMax+z] = uint16(n)
		squashTable[squashMax-z] = uint16(65536 - n)
		e *= step
	}
	// The inverse: the z whose probability is nearest the middle of the slot.
	z := -StretchMax
	for i := range stretchTable {
		p := uint32(16*i + 8)
		for z < StretchMax && 2*p > Squash(int32(z))+Squash(int32(z+1)) {
			z++
		}
		stretchTable[i] = int16(z)
	}
}

// Squash returns the probability, from 1 to 65535 of 65536, whose logarithmic
// odds are z/256. Beyond +-12*256 it stays constant.
func Squash(z int32) uint32 {
	return uint32(squashTable[min(max(z, -squashMax), squashMax)+squashMax])
}

// Stretch returns the logarithmic odds, in units of 1/256 and within
// +-StretchMax, of a probability from 0 to 65535 of 65536.
func Stretch(p uint32) int32 { return int32(stretchTable[p>>4&4095]) }
