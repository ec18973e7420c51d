package prepare

import "math"

// An arithmetic is the sequence of float operations by which a processor turns a
// byte v into (v/255 − mean) / std. There are 256 bytes, so each is computed once
// for each channel.
type arithmetic int

const (
	// rescaled is transformers': v times 1/255 in float64, rounded to float32, then
	// two operations of float32 (NumPy); or, by torchvision, one operation with the
	// mean and one with the deviation, both times 255.
	rescaled arithmetic = iota
	// divided is torchvision's ToTensor and Normalize on a picture: v/255 in
	// float32, then two operations of float32.
	divided
	// brain is Llama 4's: all operations rounded to bfloat16.
	brain
)

// normalisation returns the normalised samples as bits of float32.
func (s *spec) normalisation(b Backend) (lut [3][256]uint32) {
	for c := range lut {
		mean, std := float32(s.mean[c]), float32(s.std[c])
		for v := range lut[c] {
			var x float32
			switch {
			case s.arithmetic == brain:
				x = bfloat16(float32(v) * float32(1.0/255))
				x = bfloat16(bfloat16(x-bfloat16(mean)) / bfloat16(std))
			case s.arithmetic == divided:
				x = float32(v) / 255
				x = float32(x-mean) / std
			case s.arithmetic == rescaled && b == Torchvision:
				const scale = 1 / (1.0 / 255)
				x = (float32(v) - float32(mean*scale)) / float32(std*scale)
			default:
				x = float32(float64(v) * (1.0 / 255))
				x = float32(x-mean) / std
			}
			lut[c][v] = math.Float32bits(x)
		}
	}
	return lut
}

// bfloat16 rounds to the nearest bfloat16, ties to even.
func bfloat16(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}
