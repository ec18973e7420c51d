package arith

import "math"

// BitCost returns what coding bit with probability p costs, in bits. See
// [BinaryEncoder.Encode] for p.
func BitCost(bit int, p uint32) float64 {
	if bit == 0 {
		p = 1<<16 - p
	}
	return 16 - math.Log2(float64(p))
}
